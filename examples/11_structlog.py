"""structlog: the block is a keyword of the call, and what is bound says whose it is.

Shows:   the chain that configs/structlog_json.json needs; keys of logger.bind and of structlog.contextvars; a failure
Run:     RAINDROP_WRITE_KEY=... python examples/11_structlog.py
         (or RAINDROP_WORKSHOP=1 and no key)
Arrives: 2 events, 1 signal
"""

from pathlib import Path

import structlog

from raindrop_logging import load_config
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
answers = {"Is the tent dry?": "Up to 3,000 mm."}

with structlog.contextvars.bound_contextvars(user_id="ada", convo_id="ada-1"):
    for number, question in enumerate(["Is the tent dry?", "And the ground?"]):
        try:
            log.info("ai", raindrop={"event_id": f"ada-1-{number}", "input": question, "output": answers[question]})
        except KeyError:
            log.exception("ai", raindrop={"input": question})
    log.info("signal", raindrop={"event_id": "ada-1-0", "name": "thumbs_up", "sentiment": "POSITIVE"})
