"""Events to fill a Workshop with: generated ones, always the same, and real conversations from a file of JSON lines.

A generated event has 1 KB of text from many words, of which some are Chinese: a search finds something to do.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raindrop_logging.workshop.records import Batch, Event, Signal, Span, User
from raindrop_logging.workshop.times import from_wire

FIRST = 1_767_225_600_000
"""2026-01-01, in milliseconds."""
EVERY = 20_000
"""Milliseconds from one event to the next: 200,000 are 46 days."""
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "gemini-2.5-pro", "llama-3-70b")
NAMES = ("support_chat", "search", "plan", "summary", "onboarding")
TOOLS = ("search_docs", "read_file", "send_mail", "run_query")
SIGNALS = ("thumbs_up", "frustration", "refusal")
REGIONS = ("eu", "us", "ap")
_WORDS_OF_INPUT, _WORDS_OF_OUTPUT = 32, 128
_VOCABULARY = 20_000
_COMMON = (
    *("where", "is", "my", "please", "change", "the", "address", "again", "thanks", "order", "account", "refund"),
    *("invoice", "delay", "what", "can", "you", "when", "it", "was", "to", "of", "and", "a", "for", "this", "that"),
    *("not", "with", "on", "as", "you", "can", "we", "have", "your", "if", "will"),
)


def batches(count: int, size: int = 100, start: int = 0, *, spans: bool = True) -> Iterator[Batch]:
    """`count` events in batches of `size`: about 1 KB of text each; with spans also two spans and 0.3 signals."""
    for first in range(start, start + count, size):
        numbers = range(first, min(first + size, start + count))
        yield Batch(
            events=tuple(event(number) for number in numbers),
            spans=tuple(span for number in numbers for span in _spans(number)) if spans else (),
            signals=tuple(_signal(number) for number in numbers if number % 10 < 3) if spans else (),
            users=(User(user_id=_user(first), traits={"plan": "pro", "name": f"User {first}"}),) if spans else (),
        )


def event(number: int) -> Event:
    """One event; one in a thousand has a rare model, one in 500 a rare property."""
    dice = random.Random(number)  # noqa: S311 - the same data every time
    properties = {
        "tenant": f"t{dice.randrange(40)}",
        "latency_ms": dice.randrange(4000),
        "region": dice.choice(REGIONS),
    }
    said, answered = _texts(number, dice)
    return Event(
        event_id=f"{number:032x}",
        user_id=_user(number),
        event=dice.choice(NAMES),
        model="rare-model" if number % 1000 == 7 else dice.choice(MODELS),
        input=said,
        output=answered,
        convo_id=f"convo-{number // 6}",
        properties={**properties, "build": "canary"} if number % 500 == 3 else properties,
        attachments=({"type": "text", "value": "note"},) if number % 20 == 0 else (),
        timestamp=_time(number),
        is_pending=number % 200 == 0,
        project_id=f"project-{number // 100 % 3}",
    )


def _texts(number: int, dice: random.Random) -> tuple[str, str]:
    """Many words are common, a few are rare; a handful are there for questions to ask for."""
    words = [dice.choice(_COMMON) for _ in range(_WORDS_OF_INPUT + _WORDS_OF_OUTPUT)]
    for place in range(0, len(words), 2):
        words[place] = f"w{min(int(dice.paretovariate(0.6)), _VOCABULARY)}"
    words[7] = "parcel" if number % 2 else "letter"
    words[50] = "zebrafish order" if number % 2_000 == 9 else words[50]
    words[60] = "数据库连接错误" if number % 500 == 3 else words[60]
    words[70] = "请退款" if number % 5_000 == 3 else words[70]
    return " ".join(words[:_WORDS_OF_INPUT]), " ".join(words[_WORDS_OF_INPUT:])


def conversations(path: Path, size: int = 100) -> Iterator[Batch]:
    """Real conversations, one JSON object of `conversation`, `turn`, `model`, `input` and `output` a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    for first in range(0, len(lines), size):
        numbers = range(first, min(first + size, len(lines)))
        yield Batch(events=tuple(_real(number, json.loads(lines[number])) for number in numbers))


def _real(number: int, said: dict[str, Any]) -> Event:
    return Event(
        event_id=f"real-{number}",
        user_id=f"reader-{number % 50}",
        event="conversation",
        model=said["model"],
        input=said["input"],
        output=said["output"],
        convo_id=said["conversation"],
        properties={"source": said["source"], "turn": said["turn"]},
        timestamp=_time(number * 100),
    )


def _spans(number: int) -> Iterator[Span]:
    about = Event(event_id=f"{number:032x}", is_pending=True)
    for place, kind in enumerate(("llm", "tool")):
        failed = kind == "tool" and number % 25 == 0
        yield Span(
            trace_id=f"{number + 2**64:032x}",  # no event's id
            span_id=f"{2 * number + place + 1:016x}",
            name=TOOLS[number % 4] if kind == "tool" else "chat",
            kind=kind,
            status="error" if failed else "ok",
            error="timed out" if failed else None,
            input="{}",
            output="ok",
            start_time=_time(number),
            end_time=_time(number),
            attributes={"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": number % 900},
            about=about,
        )


def _signal(number: int) -> Signal:
    sentiment = "POSITIVE" if number % 3 == 0 else "NEGATIVE"
    return Signal(event_id=f"{number:032x}", name=SIGNALS[number % 3], sentiment=sentiment, timestamp=_time(number))


def _user(number: int) -> str:
    return f"user-{number * 7919 % 20_000}"


def _time(number: int) -> str:
    return from_wire(FIRST + EVERY * number)
