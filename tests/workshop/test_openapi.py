"""The OpenAPI document: valid, of the routes that are served, and true of what they answer."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.api.openapi import document
from raindrop_logging.workshop.app import build, described
from raindrop_logging.workshop.limits import DEFAULT
from raindrop_logging.workshop.live import LiveFeed
from tests.workshop.wire_bodies import TRACE, ai_event, launch, of_event, otlp, otlp_span, subagent_span

if TYPE_CHECKING:
    import httpx

    from raindrop_logging.workshop import Running


@pytest.fixture
def told(client: httpx.Client) -> dict[str, Any]:
    """The document as it is served."""
    answer = client.get("/api/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = answer.json()
    return found


def test_document_is_valid(told: dict[str, Any]) -> None:
    """It is OpenAPI 3.1, with every reference resolved and every operation named once."""
    assert told["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(told).validate()


def test_every_route_is_a_row(workshop: Running) -> None:
    """What Starlette serves below /v1, /otel and /api is what the table holds, and nothing beside it."""
    feed = LiveFeed()
    rows = described(workshop.store, feed, DEFAULT, "0")
    served = {
        (route.path, method)
        for route in build(workshop.store, feed).routes
        if isinstance(route, Route) and route.path.startswith(("/v1", "/otel", "/api"))
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == {(row.path, row.method) for row in rows}
    spec = document(rows, "0")
    written = {(path, method.upper()) for path, methods in spec["paths"].items() for method in methods}
    assert written == {(row.template, row.method) for row in rows}


def _schema(told: dict[str, Any], path: str, status: str) -> dict[str, Any]:
    answer: dict[str, Any] = told["paths"][path]["get"]["responses"][status]
    return {**answer["content"]["application/json"]["schema"], "components": told["components"]}


def test_answers_are_as_described(told: dict[str, Any], client: httpx.Client) -> None:
    """Every JSON answer to a GET, and a refusal, has exactly the members that the document says."""
    for path, body in {
        "/v1/events/track": ai_event("parent", timestamp=datetime.now(UTC).isoformat()),
        "/v1/signals/track": {"event_id": "parent", "signal_name": "s", "sentiment": "POSITIVE"},
        "/v1/users/identify": {"user_id": "u1", "traits": {"a": 1}},
        "/v1/traces": otlp(
            launch("parent", "child"),
            subagent_span("child", "parent"),
            otlp_span(of_event("parent"), spanId="ab" * 8, status={"code": 2, "message": "boom"}),
            otlp_span(traceId="ab" * 16),
        ),
    }.items():
        assert client.post(path, json=body).status_code == 204
    assert client.put("/api/filters/f", json={"query": "error=true"}).status_code == 200
    asked = {
        ("/api/health", "200"): "/api/health",
        ("/api/events", "200"): "/api/events?limit=2",
        ("/api/events", "400"): "/api/events?limit=0",
        ("/api/events/{event_id}", "200"): "/api/events/parent",
        ("/api/events/{event_id}", "404"): f"/api/events/{quote('a/b', safe='')}",
        ("/api/users/{user_id}", "200"): "/api/users/u1",
        ("/api/traces/{trace_id}", "200"): f"/api/traces/{TRACE}",
        ("/api/openapi.json", "200"): "/api/openapi.json",
        ("/api/facets", "200"): "/api/facets",
        ("/api/timeseries", "200"): "/api/timeseries?split=event&measure=failures",
        ("/api/conversations", "200"): "/api/conversations",
        ("/api/conversations/{convo_id}", "200"): "/api/conversations/c1",
        ("/api/users", "200"): "/api/users",
        ("/api/traces", "200"): "/api/traces",
        ("/api/tools/failing", "200"): "/api/tools/failing",
        ("/api/tools/errors", "200"): "/api/tools/errors",
        ("/api/filters", "200"): "/api/filters",
        ("/api/search", "200"): "/api/search?q=question",
        ("/api/signals", "200"): "/api/signals",
        ("/api/signals/{signal_id}", "200"): "/api/signals/instrumented:s",
        ("/api/signals/{signal_id}/hits", "200"): "/api/signals/instrumented:s/hits",
        ("/api/signals/{signal_id}/rates", "200"): "/api/signals/instrumented:s/rates",
    }
    assert {path for path, status in asked if status == "200"} == {
        path
        for path, methods in told["paths"].items()
        if JSON in methods.get("get", {}).get("responses", {}).get("200", {}).get("content", ())
    }
    for (path, status), address in asked.items():
        answer = client.get(address)
        assert str(answer.status_code) == status
        jsonschema.validate(answer.json(), _schema(told, path, status))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**client.get("/api/health").json(), "more": 1}, _schema(told, "/api/health", "200"))


def test_numbers_are_bounded_as_described(told: dict[str, Any], shared: httpx.Client) -> None:
    """A parameter that is a number takes the largest that the document names, and refuses the next one by its name."""
    bounded = [
        (re.sub(r"{[a-z_]+}", "wins", path), parameter["name"], parameter["schema"]["maximum"])
        for path, methods in told["paths"].items()
        for parameter in methods.get("get", {}).get("parameters", ())
        if "maximum" in parameter["schema"]
    ]
    assert len(bounded) > 8
    shared.post("/v1/events/track", json=ai_event(ai_data={"input": "q", "convo_id": "wins"}))
    for path, name, most in bounded:
        assert shared.get(path, params={name: most}).status_code != 400
        refused = shared.get(path, params={name: most + 1})
        assert (refused.status_code, refused.json()["field"]) == (400, name)


def test_bodies_are_as_described(told: dict[str, Any]) -> None:
    """The bodies that this suite sends fit the document, and one without a required field does not."""
    body = told["paths"]["/v1/events/track"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    schema = {**body, "components": told["components"]}
    jsonschema.validate(ai_event(), schema)
    jsonschema.validate([ai_event()], schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"event": "no user"}, schema)
    traces = told["paths"]["/v1/traces"]["post"]["requestBody"]["content"]
    assert traces.keys() == {"application/json", "application/x-protobuf"}
    jsonschema.validate(otlp(otlp_span()), {**traces["application/json"]["schema"], "components": told["components"]})
