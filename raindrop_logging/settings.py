"""All keys of `RaindropHandler` as one frozen value, read once at set-up.

A value comes from the handler's key (the dictConfig file), else from its ``RAINDROP_*`` variable, else from the
default.
``env://NAME`` reads another variable, in any key. What cannot work is refused here with the key, the value and the
rule; keys whose behaviour this version does not bring are refused, never ignored.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import IPv6Address
from pathlib import Path
from typing import Any, Final, Literal, NoReturn, TypedDict
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from raindrop_logging import deployment, vocabulary, wire
from raindrop_logging.byte_sizes import bytes_of
from raindrop_logging.errors import SettingsError, did_you_mean

Mode = Literal["thread", "sync", "off"]
WhenFull = Literal["drop_oldest", "drop_newest", "block"]
Durability = Literal["memory", "spill", "journal"]

KIB: Final = 1024
MIB: Final = 1024 * KIB


class Secret:
    """A text that no repr, format, pickle or JSON shows; `reveal` is the only way in."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; for the header that carries it, and nothing else."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class Breadcrumbs(Struct, frozen=True):
    """Which plain log lines ride along with the finish of their interaction: from what level on, and how many."""

    level: int = logging.WARNING
    max: int = 20


class Settings(Struct, frozen=True, kw_only=True):
    """What a handler was told, checked. Times are seconds, sizes are bytes.

    The names, defaults and meanings are the README's configuration table.
    """

    write_key: Secret | None = None
    endpoint: str = wire.CLOUD_ENDPOINT
    project_id: str | None = None
    tracing: bool = True
    mode: Mode = "thread"
    workshop: str | None = None
    enabled: bool = True
    debug: bool = False
    wizard_session: str | None = None
    service_name: str = "raindrop-logging"
    service_version: str | None = None
    max_queue_size: int = 10_000
    max_queue_bytes: int = 64 * MIB
    when_full: WhenFull = "drop_oldest"
    block_timeout: float = 5.0
    upload_size: int = 500
    upload_bytes: int = 1 * MIB
    upload_interval: float = 1.0
    partial_flush_interval: float = 1.0
    trace_flush_interval: float = 1.0
    trace_batch_size: int = 50
    trace_queue_size: int = 5_000
    max_open_interactions: int = 10_000
    interaction_ttl: float = 3_600.0
    timeout: float = 15.0
    retry_budget: float = 300.0
    base_delay: float = 1.0
    max_delay: float = 30.0
    jitter: float = 0.2
    max_attempts: int | None = None
    shutdown_timeout: float = 3.0
    durability: Durability = "memory"
    spool_dir: str | None = None
    spool_max_bytes: int = 256 * MIB
    proxy: Secret | None = None
    verify: bool | str = True
    redact: bool | str | tuple[str, ...] = False
    max_text_chars: int = 1_000_000
    defaults: tuple[tuple[str, Any], ...] = ()
    breadcrumbs: Breadcrumbs | None = None
    sampling: tuple[tuple[str, float], ...] = ()
    budgets: tuple[tuple[str, int], ...] = ()
    commit_sha: str | None = None
    commit_dirty: bool | None = None
    branch: str | None = None
    git_branch: bool = False
    git_source_directory: str | None = None
    git_auto_detect: bool = True


class BreadcrumbsDict(TypedDict, total=False):
    """The key ``breadcrumbs``; see `Breadcrumbs`."""

    level: int | str
    max: int


class OtherSettingsDict(TypedDict, total=False):
    """The handler's keys but the two that `raindrop_logging.init` takes by position; see `Settings`."""

    endpoint: str
    project_id: str | None
    tracing: bool
    mode: Mode
    workshop: bool | str | None
    enabled: bool
    debug: bool
    service_name: str
    service_version: str | None
    max_queue_size: int
    max_queue_bytes: int
    when_full: WhenFull
    block_timeout: float
    upload_size: int
    upload_bytes: int
    upload_interval: float
    partial_flush_interval: float
    trace_flush_interval: float
    trace_batch_size: int
    trace_queue_size: int
    max_open_interactions: int
    interaction_ttl: float
    timeout: float
    retry_budget: float
    base_delay: float
    max_delay: float
    jitter: float
    max_attempts: int | None
    shutdown_timeout: float
    durability: Durability
    spool_dir: str | None
    spool_max_bytes: int
    proxy: str | None
    verify: bool | str
    redact: bool | list[str] | str
    max_text_chars: int
    defaults: Mapping[str, Any]
    breadcrumbs: BreadcrumbsDict | bool | None
    sampling: Mapping[str, float]
    budgets: Mapping[str, int | str]
    commit_sha: str | None
    commit_dirty: bool | None
    branch: str | None
    git_branch: bool
    git_source_directory: str | None
    git_auto_detect: bool


class SettingsDict(OtherSettingsDict, total=False):
    """The handler's keys as a configuration file gives them; see `Settings`."""

    write_key: str | None
    wizard_session: str | None


# ---- reading one value ---------------------------------------------------------------------------------------------

Reader = Callable[[str, Any], Any]


def _refuse(key: str, value: Any, rule: str) -> NoReturn:
    shown = "(not shown)" if key in _NEVER_SHOWN else repr(value)[:120]
    raise SettingsError(f"'{key}' is {shown}: {rule}")


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        _refuse(key, value, "it must be a text")
    return value.strip()


_WORDS: Final[dict[str, bool]] = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


def _truth(key: str, value: Any) -> bool:
    if isinstance(value, str):
        value = _WORDS.get(value.strip().lower(), value)
    if not isinstance(value, bool):
        _refuse(key, value, "it must be true or false")
    return value


_YEAR: Final = 31_536_000.0
"""The longest time that any key may set, in seconds; waits of more overflow on some platforms."""


def _number(low: float, unit: str, *, above: bool = False, most: float = _YEAR) -> Reader:
    rule = f"it must be a number of {unit}, {'above' if above else 'at least'} {low:g} and at most {most:.0f}"

    def read(key: str, value: Any) -> float:
        number: float = _parsed(key, value, float, rule)
        if not low <= number <= most or (above and number == low):  # NaN is neither
            _refuse(key, value, rule)
        return number

    return read


def _whole(low: int, unit: str) -> Reader:
    def read(key: str, value: Any) -> int:
        number = _parsed(key, value, int, f"it must be a whole number of {unit}, at least {low}")
        if number < low:
            _refuse(key, value, f"it must be a whole number of {unit}, at least {low}")
        return int(number)

    return read


def _parsed(key: str, value: Any, kind: type, rule: str) -> Any:
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        _refuse(key, value, rule)
    try:
        return kind(value)
    except (TypeError, ValueError, OverflowError):
        _refuse(key, value, rule)


def _size(key: str, value: Any) -> int:
    rule = "it must be a size of at least 1 KiB: a number of bytes, or a text such as '64 MiB'"
    size = bytes_of(value) if isinstance(value, str) else value
    if isinstance(size, bool) or not isinstance(size, int) or size < KIB:
        _refuse(key, value, rule)
    return size


def _one_of(*allowed: str) -> Reader:
    def read(key: str, value: Any) -> str:
        if value not in allowed:
            _refuse(key, value, f"allowed is {' | '.join(allowed)}{did_you_mean(value, allowed)}")
        return str(value)

    return read


def _write_key(key: str, value: Any) -> Secret | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if not isinstance(value, str) or not re.fullmatch(r"[\x21-\x7e]+", value.strip()):
        _refuse(key, value, "it must be one line of visible ASCII characters; copy it again from the dashboard")
    return Secret(value.strip())


_ADDRESS_RULES: Final = {
    "endpoint": "it must be an http(s) address without user, query or fragment, such as https://api.raindrop.ai/v1/",
    "workshop": "allowed is true | false | auto | an http(s) address such as http://localhost:5899/v1/",
}
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_ENDPOINT = re.compile(rf"https?://(?:{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9a-f:.]+\])(?::\d+)?(?:/[!-~]*)?", re.IGNORECASE)


def _endpoint(key: str, value: Any) -> str:
    rule = _ADDRESS_RULES[key]
    if not isinstance(value, str):
        _refuse(key, value, rule)
    address = value.strip()
    if not _ENDPOINT.fullmatch(address) or "?" in address or "#" in address or not _has_good_host(address):
        raise SettingsError(f"'{key}' is not usable: {rule}")
    scheme, _, rest = address.partition("://")
    host, _, path = rest.partition("/")
    return f"{scheme.lower()}://{host}/" + (path.rstrip("/") or "v1") + "/"


def _has_good_host(address: str) -> bool:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
        if "[" in parts.netloc:
            IPv6Address(host or "")
    except ValueError:
        return False
    return bool(host) and port != 0


def _project(key: str, value: Any) -> str:
    slug = _text(key, value)
    if not re.fullmatch(wire.PROJECT_SLUG, slug):
        _refuse(key, value, "a project id is 1 to 63 of a-z, 0-9 and '-', and starts and ends with a letter or digit")
    return slug


def _workshop(key: str, value: Any) -> str | None:
    if isinstance(value, bool):
        return wire.WORKSHOP_ENDPOINT if value else None
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return wire.WORKSHOP_ENDPOINT if _WORDS[word] else None
        if word == "auto":
            return wire.WORKSHOP_ENDPOINT if _workshop_listens() else None
        if not word:
            return None
        return _endpoint(key, value)
    _refuse(key, value, _ADDRESS_RULES[key])


def _workshop_listens() -> bool:
    import socket

    try:
        with socket.create_connection(("127.0.0.1", wire.WORKSHOP_PORT), timeout=0.1):
            return True
    except OSError:
        return False


_PROXY = re.compile(r"(?:https?|socks5h?)://[^\s/?#]+/?", re.IGNORECASE)


def _proxy(key: str, value: Any) -> Secret:
    if not isinstance(value, str) or not _PROXY.fullmatch(value.strip()) or not _has_good_host(value.strip()):
        _refuse(key, value, "it must be an address such as http://proxy.example:3128, with http, https or socks5")
    if value.strip().lower().startswith("socks5") and find_spec("socksio") is None:
        _refuse(key, value, "a SOCKS proxy needs the library socksio: pip install 'httpx[socks]'")
    return Secret(value.strip())  # it may hold a user and a password


def _verify(key: str, value: Any) -> bool | str:
    if isinstance(value, str) and value.strip().lower() not in _WORDS:
        if not value.strip() or not Path(value).exists():
            _refuse(key, value, "it must be true, false or the path of a CA bundle that exists")
        return value
    return _truth(key, value)


def _commit_sha(key: str, value: Any) -> str:
    found = deployment.commit_sha(value) if isinstance(value, str) else None
    if found is None:
        _refuse(key, value, "it must be the whole id of a commit, a text of 40 or 64 hex digits")
    return found


def _directory(key: str, value: Any) -> str:
    path = Path(_text(key, value))
    if not path.is_dir():
        _refuse(key, value, "it must be the path of a directory that exists")
    return str(path.absolute())


def _spool_dir(key: str, value: Any) -> str:
    return str(Path(_text(key, value)).expanduser().absolute())


def _redact(_key: str, value: Any) -> bool | str | tuple[str, ...]:
    """True, false, categories (also as one text with commas, for a variable), or the path of a callable."""
    said = _WORDS.get(value.strip().lower(), value.strip()) if isinstance(value, str) else value
    if isinstance(said, str) and not (":" in said or "." in said):
        said = [word.strip() for word in said.split(",") if word.strip()]
    if said is not False:
        from raindrop_logging.redaction import read_redactor

        read_redactor(said)  # refuses what cannot work, with the rule
    return tuple(said) if isinstance(said, list | tuple) else said


def _table(key: str, value: Any, known: Sequence[str] | None, what: str) -> Mapping[str, Any]:
    """A table of known keys, or of any; in a variable it is a text in JSON."""
    if isinstance(value, str):
        with suppress(msgspec.DecodeError):
            value = msgspec.json.decode(value)
    if not isinstance(value, Mapping):
        _refuse(key, value, f"it must be a table of {what}")
    for name in value:
        if known is not None and name not in known:
            raise SettingsError(_unknown_key(f"{key}.{name}", [f"{key}.{one}" for one in known]))
    return value


def _breadcrumbs(key: str, value: Any) -> Breadcrumbs | None:
    if isinstance(value, bool) or (isinstance(value, str) and value.strip().lower() in _WORDS):
        return Breadcrumbs() if _truth(key, value) else None
    table = _table(key, value, Breadcrumbs.__struct_fields__, "'level' and 'max', such as {level: WARNING, max: 20}")
    read = {"level": _level, "max": _whole(1, "lines")}
    return Breadcrumbs(**{name: read[name](f"{key}.{name}", given) for name, given in table.items()})


def _level(key: str, value: Any) -> int:
    levels = logging.getLevelNamesMapping()
    level = levels.get(value.strip().upper()) if isinstance(value, str) else value
    if isinstance(level, bool) or not isinstance(level, int):
        _refuse(key, value, f"it must be a level of logging{did_you_mean(value, levels)}")
    return level


_SAMPLED: Final = ("conversation", "ai", "event", "interaction", "span")
_rate = _number(0, "parts of all that there are", most=1)


def _sampling(key: str, value: Any) -> tuple[tuple[str, float], ...]:
    table = _table(key, value, _SAMPLED, "rates from 0 to 1, such as {conversation: 0.1, span: 0.5}")
    return tuple((name, _rate(f"{key}.{name}", table[name])) for name in sorted(table))


def _budgets(key: str, value: Any) -> tuple[tuple[str, int], ...]:
    table = _table(key, value, None, "sizes a minute by the names of loggers, such as {shop.crawler: 1 MiB}")
    return tuple((_text(key, name), _size(f"{key}.{name}", table[name])) for name in sorted(table, key=str))


def _defaults(key: str, value: Any) -> tuple[tuple[str, Any], ...]:
    value = _table(key, value, _DEFAULTABLE, "fields, such as {properties: {region: eu}}")
    try:
        plain = msgspec.json.decode(msgspec.json.encode(value))
        msgspec.convert(plain, Defaults)
    except (TypeError, ValueError, msgspec.MsgspecError) as error:
        _refuse(key, value, f"a default must be what a record may say ({error})")
    return tuple((name, _hashable(plain[name])) for name in sorted(plain))


class Defaults(Struct, kw_only=True, omit_defaults=True):
    """The fields that ``defaults`` may give."""

    user_id: vocabulary.UserId | None = None
    event: vocabulary.EventName | None = None
    convo_id: str | None = None
    model: str | None = None
    properties: dict[str, Any] | None = None
    feature_flags: dict[str, str] | None = None


_DEFAULTABLE: Final = Defaults.__struct_fields__


class Frozen(dict[str, Any]):
    """A table that compares by value and hashes by its JSON text, so that `Settings` can be a key."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(msgspec.json.encode(self, order="deterministic"))


def _hashable(value: Any) -> Any:
    return Frozen(value) if isinstance(value, dict) else value


_SECONDS: Final = "seconds"
_READERS: Final[dict[str, Reader]] = {
    "write_key": _write_key,
    "endpoint": _endpoint,
    "project_id": _project,
    "tracing": _truth,
    "mode": _one_of("thread", "sync", "off"),
    "workshop": _workshop,
    "enabled": _truth,
    "debug": _truth,
    "wizard_session": _text,
    "service_name": _text,
    "service_version": _text,
    "max_queue_size": _whole(1, "records"),
    "max_queue_bytes": _size,
    "when_full": _one_of("drop_oldest", "drop_newest", "block"),
    "block_timeout": _number(0, _SECONDS),
    "upload_size": _whole(1, "events"),
    "upload_bytes": _size,
    "upload_interval": _number(0, _SECONDS),
    "partial_flush_interval": _number(0, _SECONDS),
    "trace_flush_interval": _number(0, _SECONDS),
    "trace_batch_size": _whole(1, "spans"),
    "trace_queue_size": _whole(1, "spans"),
    "max_open_interactions": _whole(1, "interactions"),
    "interaction_ttl": _number(0, _SECONDS, above=True),
    "timeout": _number(0, _SECONDS, above=True),
    "retry_budget": _number(0, _SECONDS),
    "base_delay": _number(0, _SECONDS, above=True),
    "max_delay": _number(0, _SECONDS, above=True),
    "jitter": _number(0, "parts of the delay", most=1),
    "max_attempts": _whole(1, "attempts"),
    "shutdown_timeout": _number(0, _SECONDS),
    "durability": _one_of("memory", "spill", "journal"),
    "spool_dir": _spool_dir,
    "spool_max_bytes": _size,
    "proxy": _proxy,
    "verify": _verify,
    "redact": _redact,
    "max_text_chars": _whole(len(wire.TRUNCATION_MARKER), "characters"),
    "defaults": _defaults,
    "breadcrumbs": _breadcrumbs,
    "sampling": _sampling,
    "budgets": _budgets,
    "commit_sha": _commit_sha,
    "commit_dirty": _truth,
    "branch": _text,
    "git_branch": _truth,
    "git_source_directory": _directory,
    "git_auto_detect": _truth,
}

_NEVER_SHOWN: Final = frozenset({"write_key", "proxy"})
_ENV: Final = "env://"


# ---- reading them all ----------------------------------------------------------------------------------------------


def read_settings(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the keys of a configuration file and the process's environment.

    Args:
        given: keys as a file or a call gives them.
        environ: the environment; the process's own by default.

    Raises:
        SettingsError: an unknown key, or a value that breaks the key's rule.
    """
    environ = os.environ if environ is None else environ
    for key in given:
        if key not in _READERS:
            raise SettingsError(_unknown_key(key, list(_READERS)))
    values: dict[str, Any] = {}
    for key, reader in _READERS.items():
        raw, origin = _raw(key, given, environ)
        if raw is not None:
            values[key] = _read(reader, key, raw, origin)
    return Settings(**{**values, "durability": _durability(values)})


class Origin(Struct, frozen=True):
    """Where a value came from: the file, a variable, or both where the file names one with ``env://``; else it is the
    default."""

    in_file: bool = False
    variable: str | None = None

    def __str__(self) -> str:
        named = f"variable {self.variable}" if self.variable else ""
        return ", ".join(word for word in ("file" * self.in_file, named) if word) or "default"


def origins(given: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> dict[str, Origin]:
    """Where the value of each key comes from, for keys that `read_settings` takes.

    A write key that the file wants from a variable which is not set has that variable as its origin.
    """
    environ = os.environ if environ is None else environ
    return {key: _origin(key, given, environ) for key in _READERS}


def _origin(key: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> Origin:
    value = given.get(key)
    if value is None or (key == "workshop" and _switched_off(environ)):
        return Origin(variable=_raw(key, {}, environ)[1])
    named = value.removeprefix(_ENV) if isinstance(value, str) and value.startswith(_ENV) else None
    return Origin(in_file=True, variable=named)


def _durability(values: Mapping[str, Any]) -> Any:
    """What a directory for a spool implies: it is there to be used."""
    chosen = values.get("durability", "spill" if "spool_dir" in values else "memory")
    if chosen != "memory" and "spool_dir" not in values:
        _refuse("durability", chosen, "it needs spool_dir, a directory for what waits on disk")
    return chosen


def variables() -> frozenset[str]:
    """Names of all variables that are read here."""
    return frozenset(name for key in _READERS for name in _VARIABLES.get(key, (f"RAINDROP_{key.upper()}",)))


def _unknown_key(key: str, known: Sequence[str]) -> str:
    return f"unknown key '{key}'" + (did_you_mean(key, known) or f" (known: {', '.join(known)})")


def _read(reader: Reader, key: str, raw: Any, origin: str | None) -> Any:
    try:
        return reader(key, raw)
    except SettingsError as error:
        if origin is None:
            raise
        raise SettingsError(str(error).replace(f"'{key}'", f"'{key}' (from {origin})", 1)) from None


def _raw(key: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Any, str | None]:
    """The value as it was given, and the variable that it came from if the file does not hold it."""
    if key == "workshop" and _switched_off(environ):
        return False, "RAINDROP_WORKSHOP"
    if key in given and given[key] is not None:
        return _dereferenced(key, given[key], environ)
    for variable in _VARIABLES.get(key, (f"RAINDROP_{key.upper()}",)):
        if environ.get(variable, "").strip():
            value, origin = _dereferenced(key, environ[variable], environ)
            return value, origin or variable
    return None, None


_VARIABLES: Final = {"workshop": ("RAINDROP_LOCAL_DEBUGGER", "RAINDROP_WORKSHOP")}
"""Variables that do not follow the rule RAINDROP_<KEY>; the first that is set counts (wire contract, section 9)."""


def _switched_off(environ: Mapping[str, str]) -> bool:
    return _WORDS.get(environ.get("RAINDROP_WORKSHOP", "").strip().lower()) is False


def _dereferenced(key: str, value: Any, environ: Mapping[str, str]) -> tuple[Any, str | None]:
    if not isinstance(value, str) or not value.startswith(_ENV):
        return value, None
    name = value.removeprefix(_ENV)
    found = environ.get(name, "")
    if found.strip():
        return found, name
    if key == "write_key":
        return None, None
    raise SettingsError(f"'{key}' is '{value}': the variable {name} is not set")
