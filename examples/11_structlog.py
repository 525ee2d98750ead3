"""structlog: the block is a keyword of the call, and what is bound says whose it is.

Shows:   the chain that configs/structlog_json.json needs; keys of logger.bind and of structlog.contextvars; one chain
         for structlog's events and for all other records; a failed call
Run:     RAINDROP_WRITE_KEY=... python examples/11_structlog.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 3 events, 1 signal
"""

import logging
from pathlib import Path

import structlog

from raindrop_logging import extra, load_config
from raindrop_logging.structlog import RaindropProcessor

load_config(Path(__file__).parents[1] / "configs" / "structlog_json.json")
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.filter_by_level,
        RaindropProcessor(keys=("user_id", "convo_id"), event_key="feature"),
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
log = structlog.get_logger("shop.agent").bind(feature="chat")

with structlog.contextvars.bound_contextvars(user_id="ada", convo_id="ada-1"):
    log.info("ai", raindrop={"event_id": "ada-1-1", "input": "Is the tent dry?", "output": "Up to 3,000 mm."})
    log.info("thumbs up", raindrop={"type": "signal", "event_id": "ada-1-1", "name": "like", "sentiment": "POSITIVE"})
    try:
        raise TimeoutError("the model did not answer")
    except TimeoutError:
        log.exception("ai", raindrop={"input": "And the ground?"})
logging.getLogger("shop.cart").info("bought", extra=extra.event(user_id="ada", event="checkout_completed"))
