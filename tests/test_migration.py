"""The README's table for programs that move from `raindrop-ai`: what arrives is the same in every column."""

from __future__ import annotations

import logging
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import httpx
import msgspec
import pytest

import raindrop_logging
from raindrop_logging.workshop.server import running
from tests.test_readme import README

if TYPE_CHECKING:
    from collections.abc import Iterator

    from raindrop_logging.workshop.server import Running

SAME: Final = "the same"
KEY: Final = "rk_1"
_TURN: Final = 'turn = raindrop.begin("u1", "chat", "e1", input="Hi")\n'
_SEARCH: Final = 'def search(query):\n    return "green"\n'
_BEGIN: Final = 'log.info("begin", extra=extra.begin(user_id="u1", event="chat", event_id="e1", input="Hi"))\n'


def _rows() -> list[tuple[str, str, str]]:
    body = README.split("\n## Moving from `raindrop-ai`\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in body.splitlines() if line.startswith("| `")][1:]
    rows = [[cell.strip().strip("`") for cell in line.split(" | ")] for line in lines]
    return [(there.removeprefix("| `"), there_or(here, there), last.removesuffix("` |")) for there, here, last in rows]


def there_or(here: str, there: str) -> str:
    """The second cell of a row, written out."""
    return there.removeprefix("| `") if here == SAME else here


ROWS: Final = _rows()
CONFIGURED: Final = [row for row in ROWS if row[2].startswith('"')]
SAID: Final = [row for row in ROWS if row not in CONFIGURED and "import" not in row[0] and "flush" not in row[0]]


def _numbered(program: str, number: int) -> str:
    """Each row speaks of a user and an event of its own."""
    return program.replace('"u1"', f'"u1-{number}"').replace('"e1"', f'"e1-{number}"')


def _by_verbs(code: str) -> str:
    needs_turn = ("turn." in code or "resume" in code or "span" in code or "search(" in code) and "begin(" not in code
    return (_TURN if needs_turn else "") + (_SEARCH if "search(" in code else "") + code + "\n"


def _by_records(code: str) -> str:
    needs_turn = any(word in code for word in ("extra.update", "extra.finish", "extra.span"))
    return (_BEGIN if needs_turn else "") + code + "\n"


def _amount(receiver: Running, number: int) -> dict[str, Any]:
    """What arrived of one row, without ids and times, and without what an SDK says of itself."""
    with httpx.Client(base_url=receiver.url, trust_env=False) as client:
        event = client.get(f"/api/events/e1-{number}").json()
        user = client.get(f"/api/users/u1-{number}").json()
    own = {key: value for key, value in event.get("properties", {}).items() if key in ("plan", "region")}
    plain = ("event", "input", "output", "model", "convo_id", "is_pending")
    return {
        "event": {key: event.get(key) for key in plain} | {"properties": own},
        "attachments": [(one["type"], one["value"], one["role"]) for one in event.get("attachments", [])],
        "signals": [(one["name"], one["signal_type"], one["sentiment"]) for one in event.get("signals", [])],
        "spans": [_worked(one) for one in event.get("spans", [])],
        "traits": user.get("traits"),
    }


def _worked(span: dict[str, Any]) -> tuple[str, ...]:
    return span["kind"], span["name"], _unquoted(span["output"]), span["status"]


def _unquoted(text: str) -> str:
    """The official SDK says a span's text as JSON, quotes and all; that difference is a row of the README's table."""
    return str(msgspec.json.decode(text)) if text.startswith('"') else text


def _run(program: str) -> None:
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=50)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def by_verbs() -> Iterator[Running]:
    """A receiver of all that the second column says, in one program."""
    with running() as receiver:
        said = "".join(_numbered(_by_verbs(here), number) for number, (_, here, _) in enumerate(SAID))
        _run(f"{ROWS[0][1]}\nraindrop.init({KEY!r}, endpoint={receiver.endpoint!r})\n{said}{ROWS[-1][1]}")
        yield receiver


@pytest.fixture(scope="module")
def by_records() -> Iterator[Running]:
    """A receiver of all that the third column says, in one program without a verb of ours."""
    with running() as receiver:
        said = "".join(_numbered(_by_records(code), number) for number, (_, _, code) in enumerate(SAID))
        handler = f"RaindropHandler(write_key={KEY!r}, endpoint={receiver.endpoint!r})"
        start = f"{ROWS[0][2]}\nfrom raindrop_logging import RaindropHandler, extra\nlog = logging.getLogger()\n"
        _run(f"{start}log.setLevel('INFO')\nlog.addHandler({handler})\n{said}{ROWS[-1][2]}")
        yield receiver


@pytest.fixture(scope="module")
def by_official_sdk() -> Iterator[Running]:
    """A receiver of all that the first column says, by the official SDK."""
    if find_spec("raindrop") is None:
        pytest.skip("the dependency group official-sdk is not installed")
    with running() as receiver:
        said = "".join(_numbered(_by_verbs(there), number) for number, (there, _, _) in enumerate(SAID))
        start = f"raindrop.init({KEY!r}, endpoint={receiver.endpoint!r}, tracing_enabled=True, auto_instrument=False)"
        _run(f"{ROWS[0][0]}\n{start}\n{said}{ROWS[-1][0]}")
        yield receiver


@pytest.mark.parametrize("number", range(len(SAID)), ids=[there[:60] for there, _, _ in SAID])
def test_a_verb_and_its_log_call_say_the_same(number: int, by_verbs: Running, by_records: Running) -> None:
    """Second and third column of a row make the same arrive, and something does."""
    arrived = _amount(by_verbs, number)
    assert arrived == _amount(by_records, number)
    assert arrived["event"]["event"] or arrived["traits"]


@pytest.mark.parametrize("number", range(len(SAID)), ids=[there[:60] for there, _, _ in SAID])
def test_the_official_sdk_says_the_same(number: int, by_verbs: Running, by_official_sdk: Running) -> None:
    """First and second column of a row make the same arrive."""
    assert _amount(by_verbs, number) == _amount(by_official_sdk, number)


@pytest.mark.parametrize(("here", "keys"), [row[1:] for row in CONFIGURED], ids=[row[0][:60] for row in CONFIGURED])
def test_a_setting_in_code_is_a_key_of_the_handler(here: str, keys: str) -> None:
    """A handler that code attaches has the settings of one that a configuration file names with those keys."""
    exec(here, {"raindrop": raindrop_logging})  # noqa: S102 -- our own README
    if not logging.getLogger("raindrop").handlers:
        raindrop_logging.init()
    (attached,) = logging.getLogger("raindrop").handlers
    assert isinstance(attached, raindrop_logging.RaindropHandler)
    configured = raindrop_logging.RaindropHandler(**msgspec.json.decode(f"{{{keys}}}"))
    assert attached.settings == configured.settings


def test_a_key_that_is_no_longer_one_is_named() -> None:
    """What `init` of the official SDK takes and this one does not is an error that says what is known."""
    with pytest.raises(raindrop_logging.SettingsError, match="did you mean 'wizard_session'"):
        raindrop_logging.init(KEY, wizardSession="w1")  # type: ignore[call-arg]
