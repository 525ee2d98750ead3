"""`instrument`: installed instrumentors are found by OpenTelemetry's entry points, and switched on where they can be.

Each program runs in a process of its own, with a package on its path that brings instrumentors of each kind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import raindrop_logging as raindrop
from raindrop_logging.otel import RaindropSpanProcessor, instrument
from tests.arrivals import event_of
from tests.otel.apart import apart, provided
from tests.otel.arrived import Span, exported_by, in_order, nesting, tree

if TYPE_CHECKING:
    from pathlib import Path

    from tests.wire.recorder import Recorder

KNOTS = '''
"""A client of a model's, and instrumentors as packages bring them."""

from opentelemetry import trace
from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

tracers = []


def ask(question):
    for tracer in tracers:
        with tracer.start_as_current_span("knots.chat") as span:
            span.set_attributes({"gen_ai.operation.name": "chat", "gen_ai.request.model": "knot-1"})
    return "A bowline."


class Works:
    def instrumentation_dependencies(self):
        return []

    def _instrument(self, **options):
        tracers.append(trace.get_tracer("knots", tracer_provider=options.get("tracer_provider")))

    def _uninstrument(self, **options):
        tracers.clear()


class Instrumentor(Works, BaseInstrumentor):
    pass


class Other(Works, BaseInstrumentor):
    pass


class Third(Works, BaseInstrumentor):
    pass


class Unmet(Works, BaseInstrumentor):
    def instrumentation_dependencies(self):
        return ["a-library-that-nobody-has >= 1"]


class Broken(Works, BaseInstrumentor):
    def _instrument(self, **options):
        raise RuntimeError("made up")
'''
ABSENT = "import a_library_that_nobody_has\n"
POINTS = """
[opentelemetry_instrumentor]
absent = knots_absent:Instrumentor
broken = knots:Broken
knots = knots:Instrumentor
rope = knots:Broken
unmet = knots:Unmet
"""
MORE_POINTS = """
[opentelemetry_instrumentor]
knots = knots:Other
rope = knots:Third
"""


def installed(directory: Path, name: str, points: str, **modules: str) -> None:
    """A package as an installer would have left it in this directory."""
    info = directory / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    for module, text in modules.items():
        (directory / f"{module}.py").write_text(text)


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A directory that holds the package, for a PYTHONPATH."""
    installed(tmp_path, "knots", POINTS, knots=KNOTS, knots_absent=ABSENT)
    return str(tmp_path)


def asking() -> None:
    """One question to the model, inside a span of an interaction."""
    import knots  # type: ignore[import-not-found] # of the process that this runs in

    with raindrop.begin(user_id="u1", event="chat", event_id="e1", input="Which knot?") as turn:
        with turn.task_span("answer"):
            knots.ask("Which knot?")
        turn.finish(output="A bowline.")


def brought(names: list[str]) -> list[str]:
    """Those of the package; more instrumentors may be installed, the real one for `openai` at least."""
    return [name for name in names if f"\n{name} = " in POINTS]


def of_instrumentors(lines: list[str]) -> list[str]:
    """Our own lines of those that the operator was told; OpenTelemetry may have some too."""
    return [line for line in lines if "OpenTelemetry instrumentor" in line]


# ---- which ones ----------------------------------------------------------------------------------------------------


def switched_on(*names: str) -> list[str]:
    """Those that are on when these were asked for."""
    raindrop.init()
    return instrument(*names)


def all_then_one() -> list[list[str]]:
    """Those that are on when all were asked for, then when one was."""
    raindrop.init()
    return [instrument(), instrument("knots")]


def twice(*names: str) -> list[list[str]]:
    """Asked for two times, then used."""
    raindrop.init()
    said = [instrument(*names), instrument(*names)]
    asking()
    return said


def test_one_that_is_named_is_on_as_often_as_it_is_asked_for(recorder: Recorder, path: str) -> None:
    """Asked for again it is left as it is: what it watches arrives once."""
    ended = apart(twice, "knots", recorder=recorder, PYTHONPATH=path)
    assert (ended.said, ended.told) == ([["knots"], ["knots"]], [])
    assert tree(recorder.spans()) == {"answer": None, "knots.chat": "answer"}


def test_all_are_those_whose_library_is_here(recorder: Recorder, path: str) -> None:
    """Without names: one whose library is missing is passed over, and one that fails is told, and stops no other."""
    # The one for logging, where that is installed, would have the lines in OpenTelemetry's logs instead of on stderr.
    ended = apart(switched_on, recorder=recorder, PYTHONPATH=path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="logging")
    assert brought(ended.said) == ["knots"]
    assert of_instrumentors(ended.told) == [
        f"the OpenTelemetry instrumentor '{name}' failed: made up" for name in ("broken", "rope")
    ]


@pytest.mark.parametrize(
    ("disabled", "on"), [("openai, broken,rope", ["knots"]), ("knots,broken,openai, rope", []), ("*", [])]
)
def test_opentelemetrys_own_variable_leaves_some_out(
    recorder: Recorder, path: str, disabled: str, on: list[str]
) -> None:
    """OTEL_PYTHON_DISABLED_INSTRUMENTATIONS is read as by OpenTelemetry's own command; one that is named is on."""
    ended = apart(all_then_one, recorder=recorder, PYTHONPATH=path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=disabled)
    assert ([brought(names) for names in ended.said], of_instrumentors(ended.told)) == ([on, ["knots"]], [])


def test_one_that_is_named_and_cannot_be_is_told(recorder: Recorder, path: str) -> None:
    """Each in a line that names it and says why; the others that are named are on."""
    ended = apart(switched_on, "unmet", "knots", "bowline", "absent", "broken", recorder=recorder, PYTHONPATH=path)
    assert ended.said == ["knots"]
    bowline, absent, broken, unmet = of_instrumentors(ended.told)
    before, _, known = bowline.partition("; installed: ")
    assert before == "no OpenTelemetry instrumentor 'bowline' is installed"
    assert brought(known.split(", ")) == ["absent", "broken", "knots", "rope", "unmet"]
    said = "the OpenTelemetry instrumentor '{}' failed: "
    assert absent == said.format("absent") + "No module named 'a_library_that_nobody_has'"
    assert broken == said.format("broken") + "made up"
    assert unmet.startswith(said.format("unmet"))


def test_of_two_packages_for_one_library_one_is_on(recorder: Recorder, path: str, tmp_path: Path) -> None:
    """The first that works, whatever becomes of the others: what it watches arrives once."""
    installed(tmp_path, "more_knots", MORE_POINTS)
    ended = apart(twice, "knots", "rope", recorder=recorder, PYTHONPATH=path)
    assert (ended.said, ended.told) == ([["knots", "rope"]] * 2, [])
    assert nesting(in_order(recorder)) == [("answer", None)] + [("knots.chat", "answer")] * 2


# ---- which provider ------------------------------------------------------------------------------------------------


def without_provider() -> list[Span]:
    """Switched on first; then the application sets a provider of its own, with an exporter."""
    raindrop.init()
    instrument("knots")
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    exporter = provided()
    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    asking()
    return exported_by(exporter)


def test_the_global_provider_stays_the_applications_to_set(recorder: Recorder, path: str) -> None:
    """Before and after: what is captured goes to Raindrop, nested as ever, and its exporter gets our spans."""
    ended = apart(without_provider, recorder=recorder, PYTHONPATH=path)
    assert ended.told == []
    assert tree(recorder.spans()) == {"answer": None, "knots.chat": "answer"}
    assert {event_of(span) for span in recorder.spans()} == {"e1"}
    assert [span["name"] for span in ended.said] == ["answer"]


def with_provider(processors: str) -> list[Span]:
    """Switched on where the application has a provider and an exporter, and as many processors of ours as it says."""
    exporter = provided(*(RaindropSpanProcessor() for _ in range(int(processors))))
    provider = trace.get_tracer_provider()
    raindrop.init()
    assert instrument("knots") == instrument("knots") == ["knots"]
    assert trace.get_tracer_provider() is provider
    asking()
    return exported_by(exporter)


@pytest.mark.parametrize("processors", [0, 1])
def test_a_provider_of_the_applications_is_used(recorder: Recorder, path: str, processors: int) -> None:
    """Its exporter gets the spans as well as Raindrop, once each, whether our processor was there or not."""
    ended = apart(with_provider, str(processors), recorder=recorder, PYTHONPATH=path)
    assert tree(recorder.spans()) == {"answer": None, "knots.chat": "answer"}
    model, ours = ended.said
    assert (model["parent_id"], model["trace_id"]) == (ours["span_id"], ours["trace_id"])
    assert model["attributes"] == {"gen_ai.operation.name": "chat", "gen_ai.request.model": "knot-1"}


def from_init(auto_instrument: str) -> None:
    """What a program that moves from the official SDK says."""
    chosen = {"all": True, "none": False}.get(auto_instrument, [auto_instrument])
    raindrop.init(tracing_enabled=True, auto_instrument=chosen)
    asking()


@pytest.mark.parametrize(("chosen", "captured"), [("all", True), ("knots", True), ("none", False)])
def test_init_switches_them_on_where_tracing_is_enabled(
    recorder: Recorder, path: str, chosen: str, captured: bool
) -> None:
    """All that are installed, those that are named, or none."""
    apart(from_init, chosen, recorder=recorder, PYTHONPATH=path, OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="openai")
    spans = {span["name"]: span for span in recorder.spans()}
    assert set(spans) == ({"answer", "knots.chat"} if captured else {"answer"})
    assert {event_of(span) for span in spans.values()} == {"e1"}
