# not run: names classes of Django
"""Settings of a web project: Django's defaults written out, and a project's own loggers."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
DEBUG = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {
        "debug_off": {"()": "django.utils.log.RequireDebugFalse"},
        "debug_on": {"()": "django.utils.log.RequireDebugTrue"},
        "own": {"()": "project.logs.OwnFilter", "word": "tea"},
    },
    "formatters": {
        "server": {"()": "django.utils.log.ServerFormatter", "format": "[{server_time}] {message}", "style": "{"},
        "wordy": {"format": "{levelname} {asctime} {module} {process:d} {thread:d} {message}", "style": "{"},
    },
    "handlers": {
        "console": {"level": "INFO", "filters": ["debug_on"], "class": "logging.StreamHandler"},
        "server": {"level": "INFO", "class": "logging.StreamHandler", "formatter": "server"},
        "file": {"level": "DEBUG", "class": "logging.FileHandler", "filename": BASE_DIR / "debug.log"},
        "mail": {"level": "ERROR", "filters": ["debug_off", "own"], "class": "django.utils.log.AdminEmailHandler"},
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["console", "mail"], "level": os.getenv("DJANGO_LOG_LEVEL", "INFO"), "propagate": False},
        "django.server": {"handlers": ["server"], "level": "INFO", "propagate": False},
        "django.request": {"handlers": ["mail"], "level": "ERROR", "propagate": False},
        "project.custom": {"handlers": ["file", "mail"], "level": "INFO", "filters": ["own"]},
    },
}
