"""Configuration from a file in JSON, YAML or TOML, and an answer on what became of the records.

Shows:   load_config with any file of configs/; its clear error; flush and stats at a moment of your choice
Run:     RAINDROP_WRITE_KEY=... python examples/06_from_a_config_file.py configs/production.yaml
         (or RAINDROP_WORKSHOP=1 and no key; a YAML file needs PyYAML)
Arrives: 2 events
"""

import logging
import sys
from pathlib import Path

from raindrop_logging import RaindropLoggingError, extra, flush, load_config, stats

config = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "configs" / "production.yaml"
try:
    load_config(config)
except RaindropLoggingError as error:
    sys.exit(str(error))

log = logging.getLogger("shop.agent")
log.info("answered", extra=extra.ai(user_id="ada", event="chat", input="Open on Sunday?", output="From ten to four."))
log.info("bought", extra=extra.event(user_id="ada", event="checkout_completed", properties={"amount": 24.9}))

result = flush(timeout=5)
print(f"sent {result.sent}, left {result.left}; since the start: {stats()}")
sys.exit(0 if stats().delivered == stats().accepted else 1)
