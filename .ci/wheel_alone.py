"""What works where the wheel is installed without an extra: the handler and four commands; the others name the extra.

Run by the Python of an environment that holds nothing but the wheel and its dependencies; it prints a line for each.
"""

from __future__ import annotations

import json
import logging.config
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import raindrop_logging

TABLE = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "raindrop_logging.RaindropJsonFormatter"}},
    "handlers": {
        "raindrop": {"class": "raindrop_logging.RaindropHandler"},
        "file": {"class": "logging.FileHandler", "filename": "shop.jsonl", "formatter": "lines"},
    },
    "root": {"level": "INFO", "handlers": ["raindrop", "file"]},
}
COMMAND = Path(sys.executable).with_name("raindrop-logging")


class Receiver(BaseHTTPRequestHandler):
    """Takes everything, and keeps the paths."""

    paths: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Answer as Raindrop does."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.paths.append(self.path)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def run(*words: str, code: int = 0, says: str = "") -> None:
    """Run one command; it has to end so, and to say so."""
    done = subprocess.run([COMMAND, *words], capture_output=True, text=True, check=False, timeout=60)
    said = done.stdout + done.stderr
    if done.returncode != code or says not in said:
        sys.exit(f"raindrop-logging {' '.join(words)}: exit code {done.returncode}\n{said}")
    print(f"raindrop-logging {' '.join(words)}: {code}")


def main() -> None:
    """All of it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}/v1/"
    os.environ |= {"RAINDROP_WRITE_KEY": "rk_wheel", "RAINDROP_ENDPOINT": endpoint}
    Path("logging.json").write_text(json.dumps(TABLE), encoding="utf-8")

    logging.config.dictConfig(TABLE)
    logging.getLogger("shop").info("ai", extra=raindrop_logging.extra.ai(user_id="u1", event="chat", output="Hi!"))
    if not raindrop_logging.flush(10) or Receiver.paths != ["/v1/events/track"]:
        sys.exit(f"the handler has sent {Receiver.paths}")
    print("handler: 1 event")

    run("schema")
    run("check", "logging.json")
    run("doctor", "--config", "logging.json")
    run("ship", "shop.jsonl", "--state", "state.json")
    for command in (("workshop", "--port", "0"), ("demo",)):  # several of these run at once
        run(*command, code=1, says="raindrop-logging[workshop]")


if __name__ == "__main__":
    main()
