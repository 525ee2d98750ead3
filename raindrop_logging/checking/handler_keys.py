"""The keys of each RaindropHandler, by the very rules that read them at set-up.

In: a Configuration.  Out: faults RL201 to RL212.  Touches: the machine's paths and variables where the target is it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from msgspec import Struct

from raindrop_logging.checking.configuration import Configuration
from raindrop_logging.checking.document import Unknown, has_unknown, is_open, is_table
from raindrop_logging.checking.finding import Fault, Location
from raindrop_logging.errors import SettingsError
from raindrop_logging.settings import Settings, read_settings

_OF_LOGGING: Final = frozenset({"()", ".", "class", "level", "formatter", "filters", "transport"})
_ENV: Final = "env://"
_RUNS_CODE: Final = "redact"
_OF_THE_MACHINE: Final = frozenset({"verify", "git_source_directory"})
"""Paths that must exist where the service runs."""

_PLACEHOLDER: Final = re.compile(
    r"\$\{?\w+\}?|\$\(.*\)|%\w+%|\{\{.*\}\}|<[^>]*>|env:/?(?P<name>\w+)|os\.environ.*|getenv.*", re.IGNORECASE
)
_TEMPORARY: Final = re.compile(r"/tmp(/|$)|/dev/shm(/|$)|/run(/|$)")  # noqa: S108 -- to warn of them


def faults(config: Configuration) -> Iterator[Fault]:
    """Everything that is wrong with the keys of RaindropHandlers."""
    for name, table in config.raindrops.items():
        where: Location = ("handlers", name)
        if table.get("()") and "class" in table:
            yield Fault(
                "RL201", (*where, "class"), "'class' beside '()' is given to the handler as a key", "take one out"
            )
        environ = config.target.environ
        good: dict[str, Any] = {}
        for key in table:
            if key not in _OF_LOGGING:
                wrong = list(_key(where, key, table[key], environ))
                yield from wrong
                if not wrong:
                    good[key] = table[key]
        yield from _together(where, good, environ or {})
        yield from _without_effect(where, table)
        yield from _secrets(where, good)
        yield from _transport(where, good)


def _key(where: Location, key: Any, value: Any, environ: Mapping[str, str] | None) -> Iterator[Fault]:
    place = (*where, key)
    unknown = _refusal({key: None}, {})
    if unknown:
        yield Fault("RL201", place, unknown, _renamed(unknown))
    elif isinstance(value, str) and (match := _PLACEHOLDER.fullmatch(value.strip())):
        right = f"{_ENV}{match['name'] or 'NAME'}"
        yield Fault("RL212", place, "nothing fills this placeholder in; it is taken as it stands", f"write {right}")
    elif isinstance(value, str) and value.startswith(_ENV):
        yield from _variable(place, value, environ)
    elif key == "defaults" and is_table(value):
        yield from _defaults(place, value)
    elif not has_unknown(value) and not _only_known_there(key, value, environ):
        yield from _refused(place, {key: value, **_companions(key)}, environ or {})


def _only_known_there(key: str, value: Any, environ: Mapping[str, str] | None) -> bool:
    """What would import the user's code, look for a server, or be another answer on another machine."""
    if not isinstance(value, str):
        return False
    if value.startswith(("ext://", "cfg://")) or (key == "workshop" and value.strip().lower() == "auto"):
        return True
    if key == _RUNS_CODE:
        return ":" in value or "." in value
    return key in _OF_THE_MACHINE and environ is None and "/" in value


def _companions(key: str) -> dict[str, Any]:
    """What a key needs beside it, so that it is judged for itself."""
    return {"spool_dir": "spool"} if key == "durability" else {}


def _defaults(place: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    for field, value in table.items():
        if not has_unknown(value):
            yield from _refused((*place, field), {"defaults": {field: value}}, {})


def _variable(place: Location, value: str, environ: Mapping[str, str] | None) -> Iterator[Fault]:
    name = value.removeprefix(_ENV)
    if not name.strip():
        yield Fault("RL202", place, "env:// names no variable", "write env://NAME")
    elif environ is not None and not environ.get(name, "").strip():
        if place[-1] == "write_key":
            yield Fault(
                "RL211",
                place,
                f"the variable {name} is not set here: nothing is sent",
                f"set {name}; or RAINDROP_WORKSHOP=1, for a Workshop here",
            )
        else:
            yield Fault("RL210", place, f"the variable {name} is not set here: set-up is refused", f"set {name}")
    elif environ is not None and not _only_known_there(place[-1], environ[name], environ):
        yield from _refused(place, {place[-1]: value, **_companions(place[-1])}, {name: environ[name]})


def _refused(place: Location, given: dict[str, Any], environ: Mapping[str, str]) -> Iterator[Fault]:
    refusal = _refusal(given, environ)
    if refusal:
        fix = _renamed(refusal) if refusal.startswith("unknown key") else "write a value that the rule allows"
        yield Fault("RL201" if refusal.startswith("unknown key") else "RL202", place, refusal, fix)


def _refusal(given: Mapping[str, Any], environ: Mapping[str, str]) -> str | None:
    try:
        read_settings(given, environ)
    except SettingsError as error:
        return str(error)
    return None


def _renamed(refusal: str) -> str:
    near = re.search(r"did you mean '(?:defaults\.)?(\w+)'", refusal)
    return f"rename it to {near[1]!r}" if near else "take it out"


def _together(where: Location, good: dict[str, Any], environ: Mapping[str, str]) -> Iterator[Fault]:
    """What each key allows, and both together do not."""
    pair: dict[str, Any] = {key: good[key] for key in ("durability", "spool_dir") if key in good}
    if pair.get("durability") in {None, "memory"} or any(_is_pending(value) for value in pair.values()):
        return
    refusal = _refusal(pair, {name: environ[name] for name in ("RAINDROP_SPOOL_DIR",) if name in environ})
    if refusal:
        fix = "add spool_dir, or spool_dir: env://NAME where the deployment says it"
        yield Fault("RL203", (*where, "durability"), refusal, fix)


def _is_pending(value: Any) -> bool:
    return not isinstance(value, str) or "://" in value


# ---- what works, and is seldom meant -------------------------------------------------------------------------------


class _Needs(Struct, frozen=True):
    """A key that matters only while another has certain values."""

    key: str
    other: str
    matters: Callable[[Any], bool]
    said: str


_NEEDS: Final = (
    _Needs("block_timeout", "when_full", lambda said: said == "block", "when_full is 'block'"),
    _Needs("spool_max_bytes", "spool_dir", lambda said: said is not None, "there is a spool_dir"),
    _Needs("trace_flush_interval", "tracing", lambda said: said is not False, "tracing is true"),
    _Needs("trace_batch_size", "tracing", lambda said: said is not False, "tracing is true"),
    _Needs("trace_queue_size", "tracing", lambda said: said is not False, "tracing is true"),
)


def _without_effect(where: Location, table: dict[Any, Any]) -> Iterator[Fault]:
    if table.get("formatter"):
        yield Fault("RL204", (*where, "formatter"), "it sends blocks, and formats nothing", "take it out")
    if is_open(table):
        return
    for need in _NEEDS:
        other = table.get(need.other, getattr(Settings(), need.other))
        pending = isinstance(other, Unknown) or (isinstance(other, str) and "://" in other)
        if need.key in table and not pending and not need.matters(other):
            yield Fault("RL204", (*where, need.key), f"{need.key!r} matters only where {need.said}", "take it out")


def _secrets(where: Location, good: dict[str, Any]) -> Iterator[Fault]:
    key = good.get("write_key")
    if isinstance(key, str) and key.strip() and "://" not in key:
        fix = "write env://RAINDROP_WRITE_KEY, or leave it out: the variable is read by itself; then replace the key"
        yield Fault("RL205", (*where, "write_key"), "the write key itself stands in the file", fix)
    proxy = good.get("proxy")
    if isinstance(proxy, str) and not proxy.startswith(_ENV) and urlsplit(proxy.strip()).password:
        fix = "write env://NAME, and the address into that variable"
        yield Fault("RL206", (*where, "proxy"), "the proxy's password stands in the file", fix)


def _transport(where: Location, good: dict[str, Any]) -> Iterator[Fault]:
    endpoint = str(good.get("endpoint", "")).strip().lower()
    loopback = _is_loopback(endpoint)
    if not loopback and endpoint.startswith("http://"):
        message = "the write key and every conversation would cross the network in the clear"
        yield Fault("RL207", (*where, "endpoint"), message, "write https://")
    if str(good.get("verify")).strip().lower() in {"false", "0", "no", "off"} and not loopback:
        message = "certificates are not verified: anyone in between can read everything"
        yield Fault("RL208", (*where, "verify"), message, "take it out, or name the CA bundle of your network")
    spool = good.get("spool_dir")
    if isinstance(spool, str) and _TEMPORARY.match(spool.strip()):
        message = "a reboot or a cleaner deletes what was to be kept"
        yield Fault(
            "RL209", (*where, "spool_dir"), message, "name a directory of the service's own, such as one under /var/lib"
        )


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
