"""A program in a process of its own: OpenTelemetry's global provider is set once in a process, and never taken back.

The program is a function of a test's module. What it returns comes back as JSON; what it logged has arrived by then.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace.sampling import Sampler

    from tests.wire.recorder import Recorder

ROOT = Path(__file__).parents[2]

_PROGRAM = """
import importlib, json, sys
said = getattr(importlib.import_module(sys.argv[1]), sys.argv[2])(*sys.argv[3:])
import raindrop_logging
assert raindrop_logging.flush(20)
print(json.dumps(said))
"""
_OF_OUTSIDE = ("RAINDROP_", "OTEL_", "OPENAI_", "TRACELOOP_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_SETTINGS = {
    "RAINDROP_WRITE_KEY": "rk_test",
    "RAINDROP_GIT_AUTO_DETECT": "false",
    "RAINDROP_UPLOAD_INTERVAL": "60",
    "RAINDROP_PARTIAL_FLUSH_INTERVAL": "60",
    "RAINDROP_TRACE_FLUSH_INTERVAL": "60",
}
"""Only the flush at the end sends."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A program that has ended well.

    Args:
        said: what it returned.
        told: the lines on its stderr.
    """

    said: Any
    told: list[str]


def apart(program: Callable[..., Any], *arguments: str, recorder: Recorder, **environ: str) -> Ended:
    """Run a function of a test's module in a new process that sends to the recorder.

    Args:
        program: the function; it gets the arguments, and returns what JSON can say.
        arguments: texts.
        recorder: where its handlers send to.
        environ: more variables of the process; none of outside that could change what happens is there.
    """
    clean = {key: value for key, value in os.environ.items() if not key.upper().startswith(_OF_OUTSIDE)}
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, program.__module__, program.__name__, *arguments],
        env={**clean, **_SETTINGS, "RAINDROP_ENDPOINT": recorder.endpoint, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    assert done.returncode == 0, done.stderr
    return Ended(json.loads(done.stdout), done.stderr.splitlines())


def provided(*processors: SpanProcessor, sampler: Sampler | None = None) -> InMemorySpanExporter:
    """Set the global provider, for the rest of the process: with these processors, then an exporter of its own."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(sampler)
    for processor in (*processors, SimpleSpanProcessor(exporter)):
        provider.add_span_processor(processor)
    trace.set_tracer_provider(provider)
    return exporter
