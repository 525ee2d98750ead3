"""The vendor's own SDK knows what an event and a signal may be; its models accept everything that we send."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from tests.wire.cases import CASES
from tests.wire.expect import Case
from tests.wire.recorder import Recorder
from tests.wire.test_wire import play

BEYOND = {
    "feature_flags": "newer than the models; the Go client and the documentation of the HTTP API have them",
    "signal_type": "the models know three of the six documented types",
}
"""What we send and the models do not know yet, and who does."""

_KNOWN_TYPES = ("default", "feedback", "edit")
_AI_KEYS = ("model", "input", "output", "convo_id")

SENT = [case for case in CASES if case.sends]


@pytest.fixture(scope="module")
def models() -> Iterator[ModuleType]:
    """The models' own file, without the rest of the SDK, which would set up a client."""
    package = importlib.util.find_spec("raindrop")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the official SDK is not installed: uv run --group official-sdk pytest")
    spec = importlib.util.spec_from_file_location(
        "official_models", f"{package.submodule_search_locations[0]}/models.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["official_models"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["official_models"]


@pytest.mark.parametrize("case", SENT, ids=[case.name for case in SENT])
def test_the_official_models_accept_what_we_send(case: Case, models: ModuleType, recorder: Recorder) -> None:
    """Each event, partial and signal of the case table passes the model that the official SDK has for it."""
    play(case, recorder)

    for item in recorder.items("events/track"):
        accept = models.TrackAIEvent if "ai_data" in item else models.TrackEvent
        assert accept.model_validate(_as_known(item))
    for item in recorder.items("events/track_partial"):
        assert models.PartialTrackAIEvent.model_validate(_without(item, "feature_flags"))
    for item in recorder.items("signals/track"):
        known = item if item["signal_type"] in _KNOWN_TYPES else {**item, "signal_type": "default"}
        accept = {"feedback": models.FeedbackSignal, "edit": models.EditSignal}.get(
            known["signal_type"], models.DefaultSignal
        )
        assert accept.model_validate(known)


def test_what_the_models_do_not_know_is_named(models: ModuleType, recorder: Recorder) -> None:
    """Each field that is set aside above is still unknown to the models, so that the list ends when they learn it."""
    by_name = {case.name: case for case in CASES}
    play(by_name["feature_flags"], recorder)
    play(by_name["signal_types"], recorder)
    refused = set()

    for item in recorder.items("events/track"):
        refused |= _refused_fields(models.TrackEvent, item)
    for item in recorder.items("signals/track"):
        refused |= _refused_fields(models.DefaultSignal, item)

    assert refused == set(BEYOND)


def _refused_fields(model: Any, item: dict[str, Any]) -> set[str]:
    try:
        model.model_validate(item)
    except ValueError as error:
        return {str(problem["loc"][0]) for problem in error.errors()}  # type: ignore[attr-defined]  # pydantic's own
    return set()


def _as_known(item: dict[str, Any]) -> dict[str, Any]:
    """The item as the models spell it: absent members of ai_data are null before the SDK leaves them out."""
    item = _without(item, "feature_flags")
    if "ai_data" in item:
        item["ai_data"] = dict.fromkeys(_AI_KEYS) | item["ai_data"]
    return item


def _without(item: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != key}
