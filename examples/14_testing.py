"""A test of code that logs, without pytest: what it would have sent, whole and at once, and why something is missing.

Shows:   raindrop_logging.testing.capture, its lists and its expectations; with pytest it is the fixture `raindrop`
Run:     python examples/14_testing.py    (no key, no Workshop: nothing leaves the process)
Arrives: nothing
"""

import logging

import raindrop_logging
from raindrop_logging import extra
from raindrop_logging.testing import capture

log = logging.getLogger("shop.agent")


def answer(user_id: str, question: str) -> None:
    """The code under test; it knows nothing of being tested, and no logging has been configured."""
    turn = raindrop_logging.begin(user_id=user_id, event="support_reply", input=question, logger=log)
    with turn.tool_span("find_parcel", input={"user": user_id}) as span:
        span.record_output("Lyon")
    turn.finish(output="It is in Lyon.")
    log.info("thumbs up", extra=extra.signal(event_id=turn.id, name="thumbs_up", sentiment="POSITIV"))  # type: ignore[arg-type]


with capture() as raindrop:
    answer("ada", "Where is my parcel?")

event = raindrop.assert_event("support_reply", user_id="ada", output="It is in Lyon.")
raindrop.assert_span("find_parcel", kind="tool", input={"user": "ada"}, event_id=event.event_id)
print(f"captured   {len(raindrop.events)} event, {len(raindrop.spans)} span, {len(raindrop.signals)} signals")

try:
    raindrop.assert_signal("thumbs_up", event_id=event.event_id)
except AssertionError as failure:  # what a test's report would say
    print(f"\n{failure}")
