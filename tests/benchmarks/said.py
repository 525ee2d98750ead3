"""What both parties say: eight fields and 600 characters of text, about 1 KB on the wire, each a little different."""

from __future__ import annotations

from typing import Any

KEY = "rk_benchmark"
HANDLER: dict[str, Any] = {"class": "raindrop_logging.RaindropHandler", "write_key": KEY, "when_full": "block"}
"""The one configuration that every row is measured with; a row that changes a key says so."""

_QUESTION = "Where is the parcel that I ordered last week, and can it still be sent elsewhere? "
_ANSWER = "It left the warehouse on Monday and is in Lyon; the carrier can still change the address. "
INPUT = (_QUESTION * 3)[:200]
OUTPUT = (_ANSWER * 5)[:400]


def ai(number: int) -> dict[str, Any]:
    """A complete AI event."""
    return {
        "user_id": f"user-{number % 1000:06d}",
        "event": "support_chat",
        "event_id": f"{number:032x}",
        "input": f"{number:08d} {INPUT[9:]}",
        "output": f"{number:08d} {OUTPUT[9:]}",
        "model": "gpt-4o",
        "convo_id": f"convo-{number % 500:06d}",
        "properties": {"tenant": "acme", "latency_ms": 123, "score": 0.5},
    }


def begun(number: int) -> dict[str, Any]:
    """How an interaction begins."""
    said = ai(number)
    del said["output"], said["properties"]
    return said


def configuration(**keys: Any) -> dict[str, Any]:
    """For dictConfig: the handler on the root logger, as the README has it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"raindrop": HANDLER | keys},
        "root": {"level": "INFO", "handlers": ["raindrop"]},
    }
