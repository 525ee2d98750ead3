"""A configuration that is merged, computed and changed: what is not spelt out is left alone."""

import logging
import os
import queue
import sys
from typing import Any

KIB = 1024
COMMON = {"formatter": "plain", "level": logging.INFO}
SHARED: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(message)s"}},
}
waiting: "queue.Queue[logging.LogRecord]" = queue.Queue(-1)

LOGGING = SHARED | {
    "handlers": {
        "screen": {"class": "logging.StreamHandler", "stream": sys.stdout, **COMMON},
        "file": {
            "class": "logging.handlers.RotatingFileHandler",
            "filename": os.path.join(os.curdir, "shop.log"),  # noqa: PTH118 -- as older settings do
            "maxBytes": 5 * KIB * KIB,
            "delay": True,
        },
        "queue": {"()": "logging.handlers.QueueHandler", "queue": waiting},
        "raindrop": {"class": "raindrop_logging.RaindropHandler", "upload_size": 100 - 50},
    },
    "root": {"level": "INFO", "handlers": ["screen", "file", "added_below"]},
}
LOGGING["handlers"]["added_below"] = {"class": "logging.NullHandler"}
LOGGING["root"]["handlers"] += ["raindrop", "queue"]
