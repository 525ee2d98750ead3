"""The names that users may rely on, as a list that a reviewer sees change."""

from __future__ import annotations

import inspect

import raindrop_logging

PUBLIC = {
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
    "RaindropJsonFormatter",
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
}


LATE = ["RaindropJsonFormatter"]
"""Imported when it is asked for by name, and not by a star."""


def test_the_public_names_are_these() -> None:
    """A name more or less is a decision, made here."""
    assert {*raindrop_logging.__all__, *LATE} == PUBLIC
    assert not set(LATE) & set(raindrop_logging.__all__)


def test_every_public_name_says_what_it_is() -> None:
    """Each has a docstring of its own."""
    named = [getattr(raindrop_logging, name) for name in PUBLIC - {"__version__"}]
    assert [found for found in named if not inspect.getdoc(found)] == []
