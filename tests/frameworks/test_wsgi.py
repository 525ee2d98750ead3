"""The WSGI middleware, under Flask, and as PEP 3333 has it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import flask
import pytest

from raindrop_logging import bind, rebind
from raindrop_logging.context import current_scope
from raindrop_logging.contrib.wsgi import RaindropMiddleware
from tests.frameworks.events import NOBODY, TRACE, TRACEPARENT, say

Arrivals = Callable[[], dict[str, dict[str, Any]]]
App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HEADERS: dict[str, Any] = {
    "user_header": "X-User-Id",
    "convo_header": "X-Conversation-Id",
    "request_id_header": "X-Request-Id",
}


def environ(**more: Any) -> dict[str, Any]:
    """A GET request of u1."""
    made = {"HTTP_X_USER_ID": "u1", "QUERY_STRING": "", "wsgi.input": io.BytesIO(), **more}
    setup_testing_defaults(made)
    return made


def start_response(*_: Any) -> Callable[[bytes], None]:
    """A server's."""
    return lambda _: None


def answered(app: App, **more: Any) -> list[bytes]:
    """The parts of the response, as a server gets them: iterated, then closed."""
    body = app(environ(**more), start_response)
    try:
        return list(body)
    finally:
        getattr(body, "close", lambda: None)()


def bound(app: App, **told: Any) -> RaindropMiddleware:
    """The application in the middleware, with the headers named, and itself seen to keep to PEP 3333."""
    return RaindropMiddleware(app, **(HEADERS | told))


def test_flask_is_bound_by_header_and_rebound_by_its_login(arrivals: Arrivals) -> None:
    """The user that before_request has authenticated wins over a header; the route is the rule, not the path."""
    app = flask.Flask("shop")
    app.wsgi_app = bound(app.wsgi_app)  # type: ignore[method-assign]

    @app.before_request
    def authenticate() -> None:
        if "Authorization" in flask.request.headers:
            rebind(user_id=flask.request.headers["Authorization"])

    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        say(f"order {number}")
        return "ok"

    client = app.test_client()
    sent = {"X-User-Id": "u1", "X-Conversation-Id": "c1", "X-Request-Id": "r1"}
    client.get("/orders/1", headers=sent)
    client.get("/orders/2", headers={**sent, "Authorization": "u2"})
    found = arrivals()
    same = {"convo": "c1", "request_id": "r1", "method": "GET", "route": "/orders/<int:number>"}
    assert found == {"order 1": {"user": "u1", **same}, "order 2": {"user": "u2", **same}}


def test_nothing_that_a_client_says_is_believed_unasked() -> None:
    """Without arguments, whatever headers come, neither user, conversation, trace nor request id is bound."""

    def app(_: Any, start: Any) -> list[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        seen.append(current_scope())
        return []

    seen: list[Any] = []
    forged = {"HTTP_X_REQUEST_ID": "r1", "HTTP_TRACEPARENT": TRACEPARENT}
    answered(RaindropMiddleware(app), **forged)
    answered(RaindropMiddleware(app, trust_traceparent=True), **forged)
    assert seen[0] == {"properties": {"method": "GET"}}
    assert seen[1]["trace_id"] == TRACE


def test_a_streamed_body_is_bound_part_by_part(arrivals: Arrivals) -> None:
    """Flask's generator, an inner bind of it and its close are in the request; between parts nothing is bound."""
    app = flask.Flask("shop")
    app.wsgi_app = bound(app.wsgi_app)  # type: ignore[method-assign]

    @app.get("/")
    def page() -> flask.Response:
        rebind(properties={"plan": "pro"})
        return flask.Response(parts())

    def parts() -> Iterator[bytes]:
        try:
            with bind(convo_id="c9"):
                say("first part")
                yield b"1"
                say("last part")
                yield b"2"
            say("after the bind")
            yield b"3"
        finally:
            say("closed")

    body = app(environ(), start_response)
    between = [current_scope() for _ in body]
    body.close()  # type: ignore[attr-defined]
    assert between == [None, None, None]
    found = arrivals()
    assert {event: (of["user"], of["plan"], of["convo"]) for event, of in found.items()} == {
        "first part": ("u1", "pro", "c9"),
        "last part": ("u1", "pro", "c9"),
        "after the bind": ("u1", "pro", None),
        "closed": ("u1", "pro", None),
    }


def test_a_body_that_nobody_waits_for_is_closed_in_its_request(arrivals: Arrivals) -> None:
    """When the client has gone, the server closes it before its end; what the application logs then is bound."""

    def app(_: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        try:
            yield b"1"
        finally:
            say("gave up")

    body: Any = bound(app)(environ(), start_response)
    assert next(body) == b"1"
    body.close()
    assert arrivals()["gave up"]["user"] == "u1"


def test_two_bodies_in_turns_on_one_thread_stay_apart(arrivals: Arrivals) -> None:
    """As a gevent-like server may take them: each part is its own request's."""

    def app(told: dict[str, Any], start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        for number in range(2):
            say(f"{told['PATH_INFO']} {number}")
            yield b"."

    bodies = [
        bound(app)(environ(PATH_INFO=path, HTTP_X_USER_ID=path), start_response)  # an application that is a generator
        for path in ("/a", "/b")
    ]
    for _ in zip(*bodies, strict=True):
        pass
    assert {event: of["user"] for event, of in arrivals().items()} == {
        "/a 0": "/a", "/a 1": "/a", "/b 0": "/b", "/b 1": "/b",
    }  # fmt: skip


def test_it_keeps_to_the_specification_on_both_sides() -> None:
    """wsgiref's validator, which is strict on both, has nothing to say, and the body is closed once."""
    closed: list[str] = []

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            yield b"1"

        def close(self) -> None:
            closed.append("closed")

    def app(_: Any, start: Any) -> Iterable[bytes]:
        start("200 OK", [("Content-Type", "text/plain")])
        return Parts()

    assert answered(validator(bound(validator(app)))) == [b"1"]
    assert closed == ["closed"]


def test_what_the_server_can_send_by_itself_is_left_to_it() -> None:
    """A list, whose length servers look at, and a file of the server's own kind come as the application made them."""
    whole, file = [b"1"], FileWrapper(io.BytesIO(b"1"))
    told = environ(**{"wsgi.file_wrapper": FileWrapper})
    assert bound(lambda *_: whole)(told, start_response) is whole
    assert bound(lambda *_: file)(told, start_response) is file


@pytest.mark.parametrize("where", ["call", "iteration", "close"])
def test_what_leaves_the_application_goes_on_up(where: str) -> None:
    """The server sees the application's own error, wherever it is raised, and nothing stays bound."""

    class Parts:
        def __iter__(self) -> Iterator[bytes]:
            if where == "iteration":
                raise LookupError(where)
            yield b"1"

        def close(self) -> None:
            if where == "close":
                raise LookupError(where)

    def app(*_: Any) -> Iterable[bytes]:
        if where == "call":
            raise LookupError(where)
        return Parts()

    with pytest.raises(LookupError, match=where):
        answered(bound(app))
    assert current_scope() is None


def test_the_next_request_on_the_thread_starts_with_nothing(arrivals: Arrivals) -> None:
    """What one request has bound is gone when the server closes it, or forgets to."""

    def app(_: Any, start: Any) -> Iterator[bytes]:
        start("200 OK", [])
        bind(convo_id="c1").__enter__()
        yield b"."

    forgotten = bound(app)(environ(), start_response)
    assert list(forgotten) == [b"."]
    say("in between")
    assert arrivals()["in between"] == {"user": NOBODY, "convo": None}
