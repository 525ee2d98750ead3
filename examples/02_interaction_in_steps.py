"""An interaction told as it happens: what the user asked, what was found out, what was answered.

Shows:   begin, update and finish of one event_id; properties merge, attachments are added; a second one stays open
Run:     RAINDROP_WRITE_KEY=... python examples/02_interaction_in_steps.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 2 events, 1 pending
"""

import logging
from pathlib import Path
from uuid import uuid4

from raindrop_logging import extra, load_config

load_config(Path(__file__).parents[1] / "configs" / "minimal.json")
log = logging.getLogger("shop.agent")

chat = str(uuid4())
log.info("bruno asked", extra=extra.begin(event_id=chat, user_id="bruno", event="chat", input="Is order 1057 lost?"))
log.info("looked it up", extra=extra.update(event_id=chat, properties={"carrier": "PX", "days": 9}))
log.info(
    "found the delivery note",
    extra=extra.update(
        event_id=chat,
        properties={"days": 10},
        attachments=[{"type": "text", "role": "context", "name": "delivery note", "value": "1 x rain jacket, M"}],
    ),
)
log.info("answered", extra=extra.finish(event_id=chat, model="gpt-4o-mini", output="It is; a new one is on its way."))

waiting = str(uuid4())
log.info("dora asked", extra=extra.begin(event_id=waiting, user_id="dora", event="chat", input="A human, please."))
