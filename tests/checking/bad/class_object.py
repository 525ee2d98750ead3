# must find: RL407 LOGGING.handlers.console.class
# on Python 3.11
"""A class where a text is expected."""

import logging

LOGGING = {
    "version": 1,
    "handlers": {"console": {"class": logging.StreamHandler}},
    "root": {"level": "INFO", "handlers": ["console"]},
}
