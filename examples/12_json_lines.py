"""Log to JSON lines now, ship them later: each line holds all that its record said.

Shows:   RaindropJsonFormatter for a file; `raindrop-logging ship`, here twice: the second run has nothing to do
Run:     RAINDROP_WRITE_KEY=... python examples/12_json_lines.py
         (or RAINDROP_WORKSHOP=1 and no key, with the Workshop running)
Arrives: 2 events, 1 signal, 1 span
"""

import logging.config
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import raindrop_logging
from raindrop_logging import bind, extra

with TemporaryDirectory() as folder:
    path = Path(folder) / "shop.log"
    file = {"class": "logging.FileHandler", "filename": str(path), "formatter": "json"}
    json_lines = {"()": "raindrop_logging.RaindropJsonFormatter"}
    logging.config.dictConfig(
        {"version": 1, "formatters": {"json": json_lines}, "handlers": {"file": file},
         "root": {"level": "INFO", "handlers": ["file"]}}
    )  # fmt: skip
    log = logging.getLogger("shop.agent")

    with bind(user_id="ada", convo_id="c1"):
        log.info("ai", extra=extra.ai(event="chat", event_id="e1", input="Where is my parcel?", output="In Lyon."))
        turn = raindrop_logging.begin(event="chat", input="And the other one?")
        with turn.tool_span("track_parcel", input={"order": 2}) as span:
            span.record_output({"city": "Nice"})
        turn.finish(output="In Nice.")
    log.info("a happy customer", extra=extra.signal(event_id="e1", name="thumbs_up", sentiment="POSITIVE"))
    log.info("a line about nothing in particular")

    for _ in range(2):
        ship = [sys.executable, "-m", "raindrop_logging", "ship", str(path), "--state", f"{path}.state"]
        subprocess.run(ship, check=True)  # noqa: S603 -- our own words
