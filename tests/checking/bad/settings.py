# must find: RL201 LOGGING.handlers.raindrop.flush_interval; RL202 LOGGING.handlers.raindrop.mode
"""Settings of a Django project, cut short."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
LEVEL = os.environ.get("LEVEL", "INFO")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"verbose": {"format": "{levelname} {message}", "style": "{"}},
    "handlers": {
        "file": {"class": "logging.FileHandler", "filename": BASE_DIR / "app.log", "formatter": "verbose"},
        "raindrop": {
            "class": "raindrop_logging.RaindropHandler",
            "flush_interval": 2,
            "mode": "threaded",
            "service_name": f"shop-{LEVEL}",
        },
    },
    "root": {"handlers": ["file", "raindrop"], "level": LEVEL},
}
