"""One log call becomes one AI event.

Shows:   the three-line configuration; the message that names the type; nothing to close, the exit sends the rest
Run:     RAINDROP_WRITE_KEY=... python examples/01_first_event.py    (or RAINDROP_WORKSHOP=1 and no key)
Arrives: 1 event
"""

import logging
import logging.config

CONFIG = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"raindrop": {"class": "raindrop_logging.RaindropHandler"}},
    "root": {"level": "INFO", "handlers": ["raindrop"]},
}

logging.config.dictConfig(CONFIG)
log = logging.getLogger("shop.agent")

question = "Do you ship to Norway?"
answer = "Yes, within five days."
block = {"user_id": "ada", "event": "chat", "model": "gpt-4o-mini", "input": question, "output": answer}
log.info("ai", extra={"raindrop": block})
log.info("A line without a block is not sent.")
