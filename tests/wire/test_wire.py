"""What records become on the wire: against expectations written by hand, and against what the official SDK sent."""

from __future__ import annotations

import base64
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.wire.cases import CASES, NOT_HERE
from tests.wire.differences import DIFFERENCES, Difference, same
from tests.wire.expect import MEBIBYTE, Arrived, Case, Said, Sent
from tests.wire.harness import KEY, PATIENCE, attached, log, say
from tests.wire.matching import ABSENT, flat
from tests.wire.recorder import Recorder, Request

RECORDINGS = Path(__file__).parents[3] / "shared" / "wire" / "captures"
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not part of the project")

BY_NAME = {case.name: case for case in CASES}
COMPARED = [case.name for case in CASES if case.compared]


# ---- ours against the hand-written -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_said_goes_out_as_written_here(name: str, recorder: Recorder) -> None:
    """Records become exactly the requests that the table says, no field more, no field less, no request more."""
    case = BY_NAME[name]

    arrived = play(case, recorder)

    assert by_route([(request.path, body_of(request)) for request in arrived]) == by_route(
        [(sent.prefix + sent.route, sent.body) for sent in case.sends]
    )
    for request in arrived:
        _check_envelope(case, request)


def _check_envelope(case: Case, request: Request) -> None:
    key = case.settings.get("write_key", KEY)
    to_mirror = request.path.startswith("/ws/")
    spans = request.route == "traces"
    assert request.method == "POST"
    assert request.headers.get_all("Authorization") == ([f"Bearer {key.strip()}"] if key and not to_mirror else None)
    assert request.headers.get_all("Content-Type") == ["application/x-protobuf" if spans else "application/json"]
    assert request.headers["Content-Encoding"] is None
    assert request.headers["X-Raindrop-Project-Id"] == case.settings.get("project_id")
    assert len(request.body) <= MEBIBYTE


def play(case: Case, recorder: Recorder) -> list[Request]:
    """Do what a case says and return what arrived, in order; only requests whose order is free are put in order."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        netrc = Path(directory, "netrc")
        netrc.write_text("machine 127.0.0.1 login someone password else\n")
        places = {"base": recorder.base, "netrc": str(netrc)}
        for variable in [name for name in os.environ if name.startswith("RAINDROP_")]:
            patch.delenv(variable)
        patch.setenv("RAINDROP_GIT_AUTO_DETECT", "false")
        for variable, value in case.environ.items():
            patch.setenv(variable, value.format(**places))
        settings = {key: value.format(**places) if _has_place(value) else value for key, value in case.settings.items()}
        recorder.script(*case.answers)
        _speak(case, recorder, {"endpoint": recorder.endpoint, **settings})
    return _in_order(case, recorder.requests) if case.unordered else list(recorder.requests)


def _has_place(value: object) -> bool:
    return isinstance(value, str) and "{" in value


def _speak(case: Case, recorder: Recorder, settings: dict[str, Any]) -> None:
    if case.refuses is not None:
        with pytest.raises(ValueError, match="raindrop") as caught, attached(**settings):
            pass
        assert case.refuses in str(caught.value.__cause__)
        return
    with attached(**settings) as handler:
        for step in case.says:
            if isinstance(step, Arrived):
                recorder.wait_for(step.n)
            elif isinstance(step, Said):
                log.info(step.message, extra={"raindrop": step.block})
            elif callable(step):
                step()
            else:
                say(step)
        result = handler.flush(0.2 if case.left else PATIENCE)
        recorder.wait_for(len(case.sends) - case.left)
        stats = handler.stats()
    assert (result.left, stats.waiting, stats.refused) == (case.left, case.left, case.refused)


def body_of(request: Request) -> Any:
    """The body in plain form."""
    return request.spans if request.route == "traces" else request.json


def by_route(sent: Sequence[tuple[str, Any]]) -> dict[str, list[Any]]:
    """Bodies by path, in order."""
    routes: dict[str, list[Any]] = {path: [] for path, _ in sorted(sent, key=lambda pair: pair[0])}
    for path, body in sent:
        routes[path].append(body)
    return routes


def _in_order(case: Case, arrived: list[Request]) -> list[Request]:
    """What arrived, in the order of the case as far as it fits."""
    rest = list(arrived)
    found = [request for sent in case.sends if (request := _taken(rest, sent)) is not None]
    return [*found, *rest]


def _taken(rest: list[Request], sent: Sent) -> Request | None:
    for request in rest:
        if request.path == sent.prefix + sent.route and sent.body == body_of(request):
            rest.remove(request)
            return request
    return None


# ---- ours against the official SDK's ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mismatch:
    """A leaf that differs, and the row that explains it."""

    path: str
    official: Any
    ours: Any
    row: Difference | None


@needs_recordings
@pytest.mark.parametrize("name", COMPARED)
def test_every_difference_from_the_official_sdk_is_named(name: str) -> None:
    """Field by field, our body is the official SDK's, or a row of the table of differences says why not."""
    unexplained = [mismatch for mismatch in compared(name) if mismatch.row is None]

    assert unexplained == []


@needs_recordings
def test_every_named_difference_is_met() -> None:
    """A row that explains nothing any more is taken out of the table."""
    met = {mismatch.row.name for name in COMPARED for mismatch in compared(name) if mismatch.row}

    assert [row.name for row in DIFFERENCES if row.name not in met] == []
    assert len({row.name for row in DIFFERENCES}) == len(DIFFERENCES)


@needs_recordings
def test_every_recording_has_its_case_or_its_reason() -> None:
    """No recorded scenario is forgotten: each is a case, or is named with the reason why it is none."""
    recorded = {path.stem for path in RECORDINGS.glob("*.json")}

    assert recorded == {*COMPARED, *NOT_HERE}
    assert not {*COMPARED} & {*NOT_HERE}


@cache
def compared(name: str) -> list[Mismatch]:
    """All mismatches between a recording and what we send for it."""
    case = BY_NAME[name]
    recording = json.loads((RECORDINGS / f"{name}.json").read_text(encoding="utf-8"))
    with Recorder() as recorder:
        ours = list(_our_items(case, play(case, recorder)))
    official = list(_official_items(recording["requests"]))
    pairs = case.pairs or [(index, index) for index in range(max(len(official), len(ours)))]
    assert sorted(index for index, _ in pairs if index is not None) == list(range(len(official)))
    assert sorted(index for _, index in pairs if index is not None) == list(range(len(ours)))
    return [
        mismatch
        for one, other in pairs
        for mismatch in _mismatches(
            None if one is None else official[one],
            None if other is None else ours[other],
        )
    ]


def _mismatches(official: dict[str, Any] | None, ours: dict[str, Any] | None) -> Iterator[Mismatch]:
    if official is None or ours is None:
        yield _explained("item", _label(official), _label(ours))
        return
    left, right = dict(flat(official)), dict(flat(ours))
    for path in {**left, **right}:
        one, other = left.get(path, ABSENT), right.get(path, ABSENT)
        if not same(one, other):
            yield _explained(path, one, other)


def _explained(path: str, official: Any, ours: Any) -> Mismatch:
    return Mismatch(path, official, ours, next((r for r in DIFFERENCES if r.explains(path, official, ours)), None))


def _label(item: dict[str, Any] | None) -> Any:
    if item is None:
        return ABSENT
    state = {True: ", pending", False: ", final"}.get(item.get("body", {}).get("is_pending"), "")
    name = item["span"]["name"] if "span" in item else item.get("body", {}).get("event_id", "")
    return f"{item['method']} {item['path']} {name}{state}".rstrip()


# ---- both sides as items ---------------------------------------------------------------------------------------------


def _our_items(case: Case, arrived: list[Request]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    traces: dict[str, str] = {}
    items = {}
    for request in arrived:
        headers = {name: request.headers[name] for name in _HEADERS if request.headers[name] is not None}
        body = body_of(request)
        items[id(request)] = list(_taken_apart(request.method, request.path, headers, body, seen, traces))
    for request in _in_order(case, arrived):
        yield from items[id(request)]


def _official_items(requests: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    seen: set[str] = set()
    traces: dict[str, str] = {}
    for request in requests:
        given = {name.lower(): value for name, value in request["headers"].items()}
        headers = {name: given[name.lower()] for name in _HEADERS if name.lower() in given}
        body = request["body"]
        if isinstance(body, dict) and "resourceSpans" in body:
            body = list(_official_spans(body))
        yield from _taken_apart(request["method"], request["path"], headers, body, seen, traces)


_HEADERS = ("Authorization", "Content-Type", "Content-Encoding", "X-Raindrop-Project-Id")


def _taken_apart(
    method: str, path: str, headers: dict[str, str], body: Any, seen: set[str], traces: dict[str, str]
) -> Iterator[dict[str, Any]]:
    if "Authorization" in headers:
        headers = {**headers, "Authorization": headers["Authorization"].split()[0]}
    envelope = {"method": method, "path": path, "headers": headers}
    if path.endswith("/traces"):
        yield from ({**envelope, "span": _comparable(span, body, traces)} for span in body)
        return
    for element in body if isinstance(body, list) else [body or {}]:
        item = {**envelope, "form": "array" if isinstance(body, list) else "object", "body": element}
        if path.endswith("signals/track"):
            item["after_its_event"] = element["event_id"] in seen
        elif "event_id" in element:
            seen.add(element["event_id"])
        yield item


def _comparable(span: dict[str, Any], siblings: list[dict[str, Any]], traces: dict[str, str]) -> dict[str, Any]:
    """A span without what chance and the clock made: traces numbered, parents by name, times of the run left out."""
    parents = {sibling["span_id"]: sibling["attributes"].get("traceloop.entity.name") for sibling in siblings}
    trace = traces.setdefault(span["trace_id"], f"t{len(traces)}")
    kept = {key: value for key, value in span.items() if key not in ("trace_id", "span_id", "parent_id")}
    times = {key: kept.pop(key) for key in ("start", "end")}
    if times["start"] < _RECORDED_FROM:
        kept |= times
    return {**kept, "trace": trace, "parent": parents.get(span["parent_id"], span["parent_id"])}


_RECORDED_FROM = 1_790_000_000_000_000_000
"""Nanoseconds; what is earlier was given by the program, what is later is the time of a run."""


def _official_spans(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in body["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                yield {
                    "name": span["name"],
                    "kind": {"SPAN_KIND_INTERNAL": 1}[span["kind"]],
                    "trace_id": base64.b64decode(span["traceId"]).hex(),
                    "span_id": base64.b64decode(span["spanId"]).hex(),
                    "parent_id": base64.b64decode(span.get("parentSpanId", "")).hex(),
                    "start": int(span["startTimeUnixNano"]),
                    "end": int(span["endTimeUnixNano"]),
                    "status": {
                        "code": span["status"].get("code", "UNSET").removeprefix("STATUS_CODE_"),
                        "message": span["status"].get("message", ""),
                    },
                    "attributes": _official_attributes(span["attributes"]),
                    "events": [
                        {"name": event["name"], "attributes": _official_attributes(event["attributes"])}
                        for event in span.get("events", [])
                    ],
                    "scope": scope["scope"]["name"],
                    "resource": _official_attributes(resource["resource"]["attributes"]),
                }


def _official_attributes(pairs: list[dict[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: _official_value(pair["value"]) for pair in pairs}


def _official_value(value: dict[str, Any]) -> Any:
    [(kind, inner)] = value.items()
    if kind == "intValue":
        return int(inner)
    if kind == "arrayValue":
        return [_official_value(element) for element in inner["values"]]
    return inner
