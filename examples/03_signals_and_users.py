"""What users and colleagues think of an answer, and who the users are.

Shows:   thumbs, a comment and an edit on one event; say POSITIVE where you mean it; traits of a user
Run:     RAINDROP_WRITE_KEY=... python examples/03_signals_and_users.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 1 event, 4 signals, 1 user
"""

import logging
from pathlib import Path

from raindrop_logging import extra, load_config

load_config(Path(__file__).parents[1] / "configs" / "minimal.json")
log = logging.getLogger("shop.agent")

answer = "You can return it within 14 days."
log.info(
    "answered chen",
    extra=extra.ai(event_id="chen-1", user_id="chen", event="chat", input="How long can I return it?", output=answer),
)
log.info("thumbs up", extra=extra.signal(event_id="chen-1", name="thumbs_up", sentiment="POSITIVE"))
log.info("thumbs down", extra=extra.signal(event_id="chen-1", name="thumbs_down", sentiment="NEGATIVE"))
log.info(
    "chen left a comment",
    extra=extra.signal(
        event_id="chen-1",
        name="comment",
        signal_type="feedback",
        sentiment="NEGATIVE",
        comment="The website says 30 days.",
    ),
)
right = "You can return it within 30 days."
log.info("edited", extra=extra.signal(event_id="chen-1", name="edit", signal_type="edit", after=right))
log.info("chen signed in", extra=extra.identify(user_id="chen", traits={"name": "Chen", "plan": "pro", "orders": 3}))
