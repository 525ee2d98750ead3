# must find: RL108 loggers.shop.handlers[1]; RL202 handlers.raindrop.upload_size
"""A service that configures logging where it starts."""

import logging.config

from raindrop_logging import RaindropHandler

SIZE = -1


def start() -> None:
    """Configure logging."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"raindrop": {"()": RaindropHandler, "upload_size": SIZE * 10}},
            "loggers": {"shop": {"level": logging.INFO, "handlers": ["raindrop", "console"]}},
        }
    )
