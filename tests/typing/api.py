"""Checked by mypy and pyright, never run: what type checkers see of the public API."""

import logging

import raindrop_logging
from raindrop_logging import RaindropHandler, bind, extra
from raindrop_logging.vocabulary import AiDict, SignalDict

log = logging.getLogger("shop")

log.info("ai", extra=extra.ai(user_id="u", event="chat", input="q", output="a", properties={"any": object()}))
log.info("s", extra=extra.signal(event_id="e", name="thumbs_up", sentiment="POSITIVE"))
log.info("t", extra=extra.span(kind="tool", name="search", input={"q": 1}, attachments=None))  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
log.info("s", extra=extra.signal(event_id="e", name="x", sentiment="GOOD"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
log.info("s", extra=extra.ai(user_id=5))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

block: AiDict = {"user_id": "u", "event": "chat", "input": "q"}
wrong: SignalDict = {"nam": "x"}  # type: ignore[typeddict-item, typeddict-unknown-key]  # pyright: ignore[reportAssignmentType]

handler = RaindropHandler("INFO", write_key="k", upload_interval=0.5, workshop=True)
RaindropHandler(writekey="k")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
sent: int = handler.flush(timeout=2.0).sent
left: bool = bool(raindrop_logging.flush())
dropped: dict[str, int] = raindrop_logging.stats().dropped

with bind(user_id="u", properties={"tenant": "acme"}):
    pass
