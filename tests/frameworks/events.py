"""What an application logs in these tests, and what of it arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raindrop_logging import extra
from tests.wire.harness import log

if TYPE_CHECKING:
    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
NOBODY = "nobody"


def say(event: str) -> None:
    """Log one event, which is nobody's where no user is bound: `defaults` of the handler says so."""
    log.info("ai", extra=extra.ai(event=event, input="q"))


def arrived(handler: RaindropHandler, recorder: Recorder) -> dict[str, dict[str, Any]]:
    """Each event by its name: whose it is, of which conversation, and its properties."""
    assert handler.flush(10)
    found = {}
    for item in recorder.items("events/track"):
        properties = {key: value for key, value in item["properties"].items() if key[0] != "$" and key != "trace_id"}
        found[item["event"]] = {"user": item["user_id"], "convo": item["ai_data"].get("convo_id"), **properties}
    return found
