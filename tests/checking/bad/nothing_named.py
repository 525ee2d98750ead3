# must find: RL102
"""Settings without any."""

DEBUG = True
LOGGING_CONFIG = None
