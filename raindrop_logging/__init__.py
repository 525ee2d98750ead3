"""Log calls that become Raindrop events, signals, interactions and spans.

    logging.config.dictConfig({"version": 1, ...})      RaindropHandler, load_config(path), or init(write_key) in code
    log.info("ai", extra={"raindrop": {...}})           or typed: extra=extra.ai(...)
    with bind(user_id=..., convo_id=...): ...           fields for every record inside; rebind(...) once more is known
    begin(...), Interaction, resume_interaction         step by step; each step is a log record
    track_ai, track, track_signal, identify             one record each
    task_span, tool_span, llm_span, start_span          spans; also @interaction, @task, @tool, current_span, Tracer
    resume_subagent, carry, traceparent                 across threads and processes
    flush(), shutdown(), stats()                        of every handler in the process
    install_signal_handlers()                           the same for a process that SIGTERM ends

Imported by name: `raindrop_logging.contrib`, `raindrop_logging.otel`, and `raindrop_logging.testing` for your tests.
"""

from typing import TYPE_CHECKING, Any

from raindrop_logging import extra
from raindrop_logging._pipeline.stats import FlushResult, Stats
from raindrop_logging.adapter import RaindropAdapter
from raindrop_logging.attach import init, set_debug_logs, set_redact_pii
from raindrop_logging.carrier import Carrier
from raindrop_logging.config import load_config
from raindrop_logging.context import bind, carry, rebind, traceparent
from raindrop_logging.errors import InvalidBlockError, MissingExtraError, RaindropLoggingError, SettingsError
from raindrop_logging.filters import CaptureFilter, HideRaindrop
from raindrop_logging.handler import RaindropHandler, flush, shutdown, stats
from raindrop_logging.interactions import (
    Interaction,
    begin,
    identify,
    resume_interaction,
    track,
    track_ai,
    track_signal,
)
from raindrop_logging.signals import install_signal_handlers
from raindrop_logging.span import LlmSpan, Span
from raindrop_logging.subagents import SubagentRun, resume_subagent
from raindrop_logging.tracing import (
    Tracer,
    current_span,
    interaction,
    llm_span,
    start_span,
    task,
    task_span,
    tool,
    tool_span,
)
from raindrop_logging.version import __version__

if TYPE_CHECKING:
    from raindrop_logging.formatter import RaindropJsonFormatter as RaindropJsonFormatter

track_event = track


def __getattr__(name: str) -> Any:
    """What only some services need is imported when it is asked for; not by a star, so it is not in `__all__`."""
    if name != "RaindropJsonFormatter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from raindrop_logging.formatter import RaindropJsonFormatter

    return RaindropJsonFormatter


__all__ = [
    "CaptureFilter",
    "Carrier",
    "FlushResult",
    "HideRaindrop",
    "Interaction",
    "InvalidBlockError",
    "LlmSpan",
    "MissingExtraError",
    "RaindropAdapter",
    "RaindropHandler",
    "RaindropLoggingError",
    "SettingsError",
    "Span",
    "Stats",
    "SubagentRun",
    "Tracer",
    "__version__",
    "begin",
    "bind",
    "carry",
    "current_span",
    "extra",
    "flush",
    "identify",
    "init",
    "install_signal_handlers",
    "interaction",
    "llm_span",
    "load_config",
    "rebind",
    "resume_interaction",
    "resume_subagent",
    "set_debug_logs",
    "set_redact_pii",
    "shutdown",
    "start_span",
    "stats",
    "task",
    "task_span",
    "tool",
    "tool_span",
    "traceparent",
    "track",
    "track_ai",
    "track_event",
    "track_signal",
]
