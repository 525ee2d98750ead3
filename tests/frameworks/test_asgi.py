"""The ASGI middleware, under Starlette and FastAPI, and as the specification has it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import BackgroundTasks, Depends, FastAPI
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request  # noqa: TC002 -- FastAPI reads it
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from raindrop_logging import bind, extra, rebind
from raindrop_logging.context import current_scope
from raindrop_logging.contrib.asgi import RaindropMiddleware, deliver_at_shutdown
from raindrop_logging.errors import SettingsError
from tests.frameworks.events import NOBODY, SPAN, TRACE, TRACEPARENT, say
from tests.wire.harness import attach, diagnostics, log

if TYPE_CHECKING:
    from tests.wire.recorder import Recorder

    Arrivals = Callable[[], dict[str, dict[str, Any]]]

HEADERS: dict[str, Any] = {
    "user_header": "X-User-Id",
    "convo_header": "X-Conversation-Id",
    "request_id_header": "X-Request-Id",
}


def asked(app: Any, *requests: tuple[str, dict[str, str]]) -> list[httpx.Response]:
    """The answers to several requests at once: each is a path and its headers."""

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            return await asyncio.gather(*(client.get(path, headers=headers) for path, headers in requests))

    return asyncio.run(all_of_them())


def starlette(endpoint: Callable[[Request], Any], **told: Any) -> Starlette:
    """An application with one page and the middleware."""
    app = Starlette(routes=[Route("/", endpoint)])
    app.add_middleware(RaindropMiddleware, **told)
    return app


async def plain(_: Request) -> Response:
    """A page that logs."""
    say("page")
    return PlainTextResponse("ok")


def test_a_request_is_bound_as_its_headers_say_where_they_are_named(arrivals: Arrivals) -> None:
    """User, conversation and request id come from the headers that the service has named."""
    sent = {"x-user-id": " u1 ", "X-Conversation-Id": "c1", "X-Request-Id": "r1"}
    asked(starlette(plain, **HEADERS), ("/", sent))
    page = arrivals()["page"]
    assert (page["user"], page["convo"], page["request_id"], page["method"]) == ("u1", "c1", "r1", "GET")


def test_nothing_that_a_client_says_is_believed_unasked(arrivals: Arrivals) -> None:
    """Without arguments, whatever headers come, neither user nor conversation, trace nor request id is bound."""
    seen: list[Any] = []

    async def page(request: Request) -> Response:
        seen.append(current_scope())
        return await plain(request)

    forged = {"X-User-Id": "u1", "X-Conversation-Id": "c1", "X-Request-Id": "r1", "traceparent": TRACEPARENT}
    asked(starlette(page), ("/", forged))
    bound = arrivals()["page"]
    assert (bound["user"], bound["convo"], "request_id" in bound) == (NOBODY, None, False)
    assert "trace_id" not in seen[0]


def test_spans_continue_a_trace_that_is_trusted(recorder: Recorder, arrivals: Arrivals) -> None:
    """With trust_traceparent the caller's span is the parent of those made here."""

    async def page(_: Request) -> Response:
        log.info("t", extra=extra.span(kind="tool", name="search"))
        return PlainTextResponse("ok")

    asked(starlette(page, trust_traceparent=True), ("/", {"traceparent": TRACEPARENT}))
    arrivals()
    (span,) = recorder.spans()
    assert (span["trace_id"], span["parent_id"]) == (TRACE, SPAN)


def test_functions_say_what_headers_do_not(arrivals: Arrivals) -> None:
    """They get the ASGI scope, and what is not text is bound as its text."""
    told = {
        "user": lambda scope: len(scope["path"]),
        "convo": lambda scope: scope["query_string"].decode(),
        "properties": lambda scope: {"scheme": scope["scheme"]},
    }
    asked(starlette(plain, **told), ("/?c7", {}))
    page = arrivals()["page"]
    assert (page["user"], page["convo"], page["scheme"]) == ("1", "c7", "http")


@pytest.mark.parametrize("value", ["", "   ", "u" * 1_025])
def test_a_header_that_can_be_nobody_s_id_is_none(value: str, arrivals: Arrivals) -> None:
    """Neither an empty one, nor one of more than 1,024 characters."""
    asked(starlette(plain, **HEADERS), ("/", {"X-User-Id": value}))
    assert arrivals()["page"]["user"] == NOBODY


def test_a_function_that_says_an_empty_text_says_nothing(arrivals: Arrivals) -> None:
    """Such as for a visitor without a name: no user at all, rather than one whose id is empty."""
    asked(starlette(plain, user=lambda _: "", convo=lambda _: None), ("/", {}))
    assert (arrivals()["page"]["user"], arrivals()["page"]["convo"]) == (NOBODY, None)


def test_a_header_that_comes_twice_is_nobody_else_s_id(arrivals: Arrivals) -> None:
    """What a client has put before the gateway's own does not win: they are joined, as HTTP has it."""

    async def twice() -> None:
        transport = httpx.ASGITransport(starlette(plain, **HEADERS))
        async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
            await client.get("/", headers=[("X-User-Id", "victim"), ("X-User-Id", "u1")])

    asyncio.run(twice())
    assert arrivals()["page"]["user"] == "victim,u1"


def test_a_function_that_raises_costs_what_it_would_have_said(arrivals: Arrivals) -> None:
    """The request is answered, the rest is bound, and the operator hears of it once."""
    lines = diagnostics()
    app = starlette(plain, user=lambda scope: scope["user"].id, convo_header="X-Conversation-Id")
    answers = asked(app, ("/", {"X-Conversation-Id": "c1"}), ("/", {"X-Conversation-Id": "c1"}))
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (arrivals()["page"]["user"], arrivals()["page"]["convo"]) == (NOBODY, "c1")
    assert [line for line in lines.lines if "is not bound" in line] == [
        "'user_id' is not bound: what should say it raised KeyError: 'user'"
    ]


async def _coroutine(_: Any) -> str:
    return "u1"


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"user": len, "user_header": "X-User"}, "'user' and 'user_header' both say what to bind"),
        ({"convo_header": "X User"}, "'convo_header' is 'X User': it must be the name of a header"),
        ({"user_header": 5}, "'user_header' is 5: it must be the name of a header"),
        ({"user": "u1"}, "'user' is 'u1': it must be a function"),
        ({"properties": {"region": "eu"}}, "'properties' is {'region': 'eu'}: it must be a function"),
        ({"user": _coroutine}, "not a coroutine function"),
    ],
)
def test_arguments_that_cannot_work_are_refused(told: dict[str, Any], rule: str) -> None:
    """When the application is made, with the argument, its value and the rule."""
    with pytest.raises(SettingsError, match=rule.replace("{", r"\{")):
        RaindropMiddleware(lambda *_: None, **told)  # type: ignore[arg-type]


def test_it_holds_until_the_last_of_the_response(arrivals: Arrivals) -> None:
    """In async and plain bodies that are made while they are sent, in threads, tasks and background tasks."""

    async def page(_: Request) -> Response:
        await run_in_threadpool(say, "thread")
        await asyncio.create_task(_said_in_a_task())
        return StreamingResponse(_parts())

    async def _said_in_a_task() -> None:
        say("task")

    async def _parts() -> AsyncIterator[bytes]:
        say("first part")
        yield b"1"
        say("last part")

    def _plain_parts() -> Iterator[bytes]:
        yield b"1"
        say("last plain part")

    app = FastAPI()
    app.add_api_route("/", page)
    app.add_middleware(RaindropMiddleware, **HEADERS)

    @app.get("/plain")
    def plain_page(background: BackgroundTasks) -> Response:
        background.add_task(say, "background")
        return StreamingResponse(_plain_parts(), background=background)

    asked(app, ("/", {"X-User-Id": "u1"}), ("/plain", {"X-User-Id": "u2"}))
    users = {event: found["user"] for event, found in arrivals().items()}
    assert users == {
        "thread": "u1",
        "task": "u1",
        "first part": "u1",
        "last part": "u1",
        "last plain part": "u2",
        "background": "u2",
    }


def test_requests_at_the_same_time_do_not_see_each_other(arrivals: Arrivals) -> None:
    """Fifty at once, interleaved in one loop and in threads: each event is its own user's."""
    app = FastAPI()
    app.add_middleware(RaindropMiddleware, **HEADERS)
    meeting: list[asyncio.Event] = []

    @app.get("/{number}")
    async def page(number: int) -> None:
        meeting.append(asyncio.Event())
        if len(meeting) == 50:
            for each in meeting:
                each.set()
        await meeting[-1].wait() if len(meeting) < 50 else None
        rebind(properties={"number": number})
        await asyncio.sleep(0)
        await run_in_threadpool(say, f"event {number}")

    asked(app, *((f"/{number}", {"X-User-Id": f"u{number}"}) for number in range(50)))
    found = arrivals()
    assert {event: (of["user"], of["number"]) for event, of in found.items()} == {
        f"event {number}": (f"u{number}", number) for number in range(50)
    }


def _authenticated(request: Request) -> str:
    rebind(user_id=request.headers["authorization"], properties={"plan": "pro"})  # in a thread, with a copied context
    return "user"


async def _with_region() -> AsyncIterator[None]:
    async with bind(properties={"region": "eu"}):
        yield


@pytest.mark.parametrize("is_async", [True, False], ids=["async endpoint", "endpoint in a thread"])
def test_a_dependency_says_who_was_authenticated(is_async: bool, arrivals: Arrivals) -> None:
    """rebind in a dependency that FastAPI runs in a thread reaches the endpoint, inside of an earlier bind too."""
    app = FastAPI()
    app.add_middleware(RaindropMiddleware, user_header="X-User-Id")

    async def page(_: Annotated[None, Depends(_with_region)], user: Annotated[str, Depends(_authenticated)]) -> str:
        say("page")
        return user

    def page_in_thread(_: Annotated[None, Depends(_with_region)], user: Annotated[str, Depends(_authenticated)]) -> str:
        say("page")
        return user

    app.add_api_route("/orders/{number}", page if is_async else page_in_thread)
    asked(app, ("/orders/7", {"Authorization": "u1", "X-User-Id": "forged"}))
    found = arrivals()["page"]
    assert found["user"] == "u1"
    assert (found["plan"], found["region"], found["route"]) == ("pro", "eu", "/orders/{number}")


def test_what_is_said_later_adds_to_what_was_said(arrivals: Arrivals) -> None:
    """Each rebind leaves what it does not say, property by property; one that says nonsense costs no request."""

    async def page(request: Request) -> Response:
        rebind(user_id="u1", properties={"plan": "pro", "region": "eu"})
        rebind(convo_id="c1", properties={"region": "us"})
        await plain(request)
        rebind(properties="nonsense")  # type: ignore[arg-type]
        return PlainTextResponse("ok")

    (answer,) = asked(starlette(page, user=lambda _: "u0"), ("/", {}))
    assert answer.status_code == 200
    bound = arrivals()["page"]
    assert [bound[key] for key in ("user", "convo", "plan", "region")] == ["u1", "c1", "pro", "us"]


def test_rebind_without_a_request_says_so_once(arrivals: Arrivals) -> None:
    """It binds nothing for what comes later, and names what is missing."""
    lines = diagnostics()
    for _ in range(2):
        rebind(user_id="u1")
    say("alone")
    assert arrivals()["alone"]["user"] == NOBODY
    (line,) = [line for line in lines.lines if "rebind" in line]
    assert "add the RaindropMiddleware" in line


def test_what_leaves_the_application_goes_on_up() -> None:
    """The server sees the application's own error, and nothing stays bound."""

    async def page(_: Request) -> Response:
        raise LookupError("no such order")

    with pytest.raises(LookupError, match="no such order"):
        asked(starlette(page, **HEADERS), ("/", {"X-User-Id": "u1"}))
    assert current_scope() is None


def test_what_outlives_a_request_keeps_its_fields_and_not_its_scope(arrivals: Arrivals) -> None:
    """A task that goes on afterwards is still bound, route included; what the server knows of the request is freed."""
    freed: list[str] = []

    class Weighty:
        def __del__(self) -> None:
            freed.append("scope")

    async def app(scope: Any, *_: Any) -> None:
        scope["route"] = type("Route", (), {"path": "/orders"})
        tasks.append(asyncio.create_task(_afterwards()))

    async def _afterwards() -> None:
        await done.wait()
        assert freed == ["scope"]
        say("afterwards")

    tasks: list[asyncio.Task[None]] = []
    done = asyncio.Event()

    async def served() -> None:
        scope = {"type": "http", "method": "GET", "headers": [(b"x-user-id", b"u1")], "weighty": Weighty()}
        await RaindropMiddleware(app, **HEADERS)(scope, _nothing, _nothing)
        del scope
        done.set()
        await tasks[0]

    asyncio.run(served())
    assert arrivals()["afterwards"] == {"user": "u1", "convo": None, "method": "GET", "route": "/orders"}


async def _nothing(*_: Any) -> Any:
    return {}


def test_a_websocket_is_bound_for_as_long_as_it_is_open(arrivals: Arrivals) -> None:
    """One conversation, many messages, one binding; and what comes next on the server's task is not bound."""
    messages = iter(["websocket.connect", "websocket.receive", "websocket.receive", "websocket.disconnect"])

    async def app(_: Any, receive: Callable[[], Awaitable[Any]], __: Any) -> None:
        for number in range(4):
            await receive()
            say(f"message {number}")

    async def receive() -> dict[str, Any]:
        return {"type": next(messages)}

    async def served() -> None:
        scope = {"type": "websocket", "headers": [(b"x-conversation-id", b"c1")], "path": "/"}
        await RaindropMiddleware(app, **HEADERS)(scope, receive, _nothing)
        assert current_scope() is None

    asyncio.run(served())
    assert {event: found["convo"] for event, found in arrivals().items()} == {
        f"message {number}": "c1" for number in range(4)
    }


def test_a_lifespan_passes_as_it_is() -> None:
    """It is no request: the application gets the server's own scope and functions."""
    got: list[Any] = []

    async def app(*given: Any) -> None:
        got.extend(given)
        got.append(current_scope())

    scope = {"type": "lifespan"}
    asyncio.run(RaindropMiddleware(app, **HEADERS)(scope, _nothing, _nothing))
    assert got[0] is scope
    assert got[1:] == [_nothing, _nothing, None]


def test_a_cancelled_request_leaves_nothing_bound() -> None:
    """A server that gives up on a client ends the binding too."""

    async def app(*_: Any) -> None:
        await asyncio.Event().wait()

    async def served() -> None:
        scope = {"type": "http", "headers": [(b"x-user-id", b"u1")]}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                await RaindropMiddleware(app, **HEADERS)(scope, _nothing, _nothing)
        assert current_scope() is None

    asyncio.run(served())


@pytest.mark.parametrize("error", [RuntimeError("the pool did not close"), asyncio.CancelledError()], ids=repr)
def test_an_application_that_fails_at_its_end_has_delivered(error: BaseException, recorder: Recorder) -> None:
    """What it logged is sent before its exception goes on to the server, which ends then."""
    handler = attach(recorder.endpoint)
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        log.info("ai", extra=extra.ai(user_id="u1", event="chat", input="q"))
        raise error

    async def receive() -> Any:
        return next(messages)

    async def send(_message: Any) -> None:
        pass

    async def serve() -> None:
        await deliver_at_shutdown(app)({"type": "lifespan"}, receive, send)

    with pytest.raises(type(error)):
        asyncio.run(serve())
    assert handler.stats().delivered == 1
