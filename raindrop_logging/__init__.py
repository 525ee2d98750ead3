"""Log calls that become Raindrop events, signals, interactions and spans.

logging.config.dictConfig({"version": 1, ...})      RaindropHandler, or load_config(path)
log.info("ai", extra={"raindrop": {...}})           or typed: extra=extra.ai(...)
with bind(user_id=..., convo_id=...): ...           fields for every record made inside
flush(), shutdown(), stats()                        of every handler in the process
"""

from raindrop_logging import extra
from raindrop_logging._pipeline.stats import FlushResult, Stats
from raindrop_logging.adapter import RaindropAdapter
from raindrop_logging.config import load_config
from raindrop_logging.context import bind, carry, traceparent
from raindrop_logging.errors import InvalidBlockError, MissingExtraError, RaindropLoggingError, SettingsError
from raindrop_logging.filters import HideRaindrop
from raindrop_logging.handler import RaindropHandler, flush, shutdown, stats
from raindrop_logging.version import __version__

__all__ = [
    "FlushResult",
    "HideRaindrop",
    "InvalidBlockError",
    "MissingExtraError",
    "RaindropAdapter",
    "RaindropHandler",
    "RaindropLoggingError",
    "SettingsError",
    "Stats",
    "__version__",
    "bind",
    "carry",
    "extra",
    "flush",
    "load_config",
    "shutdown",
    "stats",
    "traceparent",
]
