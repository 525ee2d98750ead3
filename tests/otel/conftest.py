"""An application that watches its AI calls with OpenTelemetry: its own TracerProvider, which is not the global one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from raindrop_logging.otel import RaindropSpanProcessor
from tests.wire.expect import BATCHED
from tests.wire.harness import PATIENCE, attach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Tracer

    from raindrop_logging import RaindropHandler
    from tests.wire.recorder import Recorder


@dataclass(frozen=True)
class Watched:
    """A provider with another exporter and our processor, and what has become of the spans of its tracer."""

    provider: TracerProvider
    exporter: InMemorySpanExporter
    processor: RaindropSpanProcessor
    handler: RaindropHandler
    recorder: Recorder

    @property
    def tracer(self) -> Tracer:
        """An instrumentation's."""
        return self.provider.get_tracer("stands.for.any.instrumentation")

    @property
    def exported(self) -> dict[str, ReadableSpan]:
        """What the other exporter has got, by name; no name may come twice."""
        spans = self.exporter.get_finished_spans()
        found = {span.name: span for span in spans}
        assert len(found) == len(spans), sorted(span.name for span in spans)
        return found

    def arrived(self) -> list[dict[str, Any]]:
        """What Raindrop has got, in the order of ending."""
        assert self.handler.flush(PATIENCE)
        return self.recorder.spans()

    def named(self) -> dict[str, dict[str, Any]]:
        """The same by name; no name may come twice."""
        spans = self.arrived()
        found = {span["name"]: span for span in spans}
        assert len(found) == len(spans), sorted(span["name"] for span in spans)
        return found


@dataclass(frozen=True)
class Watching:
    """Makes providers, which end with the test."""

    recorder: Recorder
    handler: RaindropHandler
    made: list[TracerProvider]

    def __call__(
        self, *, sampler: Sampler | None = None, id_generator: IdGenerator | None = None, **options: Any
    ) -> Watched:
        """A provider, with options of our processor."""
        provider = TracerProvider(sampler, id_generator=id_generator, shutdown_on_exit=False)
        self.made.append(provider)
        exporter, processor = InMemorySpanExporter(), RaindropSpanProcessor(**options)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.add_span_processor(processor)
        return Watched(provider, exporter, processor, self.handler, self.recorder)


@pytest.fixture
def watching(recorder: Recorder) -> Iterator[Watching]:
    """To make a provider with parts of its own, or with options of our processor."""
    found = Watching(recorder, attach(recorder.endpoint, **BATCHED), [])
    yield found
    for provider in found.made:
        provider.shutdown()


@pytest.fixture
def watched(watching: Watching) -> Watched:
    """A provider as most applications have one."""
    return watching()
