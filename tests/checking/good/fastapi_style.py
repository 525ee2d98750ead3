# not run: configures logging where it is imported
"""A web service that hands its configuration to the server and to dictConfig."""

import logging.config
import os
from copy import deepcopy

import uvicorn
from uvicorn.config import LOGGING_CONFIG as SERVERS

LEVEL = os.environ.get("LOG_LEVEL", "INFO").upper()

log_config = deepcopy(SERVERS)
log_config["formatters"]["default"]["fmt"] = "%(asctime)s %(levelprefix)s %(message)s"

SERVICE = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "default": {"()": "uvicorn.logging.DefaultFormatter", "fmt": "%(levelprefix)s %(message)s", "use_colors": None},
        "access": {
            "()": "uvicorn.logging.AccessFormatter",
            "fmt": '%(client_addr)s "%(request_line)s" %(status_code)s',
        },
    },
    "handlers": {
        "default": {"class": "logging.StreamHandler", "formatter": "default", "stream": "ext://sys.stderr"},
        "access": {"class": "logging.StreamHandler", "formatter": "access", "stream": "ext://sys.stdout"},
        "raindrop": {"class": "raindrop_logging.RaindropHandler", "service_version": os.environ["VERSION"]},
    },
    "loggers": {
        "uvicorn": {"handlers": ["default"], "level": "INFO", "propagate": False},
        "uvicorn.error": {"level": "INFO"},
        "uvicorn.access": {"handlers": ["access"], "level": "INFO", "propagate": False},
        "service": {"handlers": ["raindrop", "default"], "level": LEVEL},
    },
}
logging.config.dictConfig(SERVICE)
uvicorn.run("service:app", log_config=log_config)
