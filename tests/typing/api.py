"""Checked by mypy and pyright, never run: what type checkers see of the public API."""

import logging
import re
from unittest.mock import ANY

import raindrop_logging
from raindrop_logging import RaindropHandler, bind, extra
from raindrop_logging.testing import Capture, Event, Invalid, Signal, Span, User, capture

log = logging.getLogger("shop")

log.info("ai", extra=extra.ai(user_id="u", event="chat", input="q", output="a", properties={"any": object()}))
log.info("s", extra=extra.signal(event_id="e", name="thumbs_up", sentiment="POSITIVE"))

handler = RaindropHandler("INFO", write_key="k", upload_interval=0.5, workshop=True)
RaindropHandler(writekey="k")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
sent: int = handler.flush(timeout=2.0).sent
left: bool = bool(raindrop_logging.flush())
dropped: dict[str, int] = raindrop_logging.stats().dropped

with bind(user_id="u", properties={"tenant": "acme"}):
    pass

with capture(level="DEBUG", redact=["emails"], defaults={"convo_id": "c"}) as captured:
    pass
event: Event = captured.assert_event("chat", user_id="u", output=re.compile("a"), input=ANY, properties={"n": 1})
signal: Signal = captured.assert_signal("thumbs_up", sentiment="POSITIVE")
span: Span = captured.assert_span("search", kind="tool", input={"q": 1}, output=[1])
user: User = captured.assert_user("u", {"plan": "pro"})
invalid: list[Invalid] = captured.invalid
capture(mode="thread")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
captured.assert_event("chat", userid="u")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
captured.assert_event("chat", properties=["n"])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
captured.assert_span("search", kind="tol")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
captured.assert_signal("s", sentiment="GOOD")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_fixture(raindrop: Capture) -> None:
    raindrop.assert_nothing()
