"""The middleware in a Django project with real users and sessions, under its sync and its async handler."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from raindrop_logging import rebind
from raindrop_logging.context import current_scope
from raindrop_logging.contrib.django import RaindropMiddleware
from raindrop_logging.errors import SettingsError
from tests.frameworks import django_site
from tests.frameworks.events import NOBODY, TRACE, TRACEPARENT

if TYPE_CHECKING:
    from django.http import HttpRequest

Arrivals = Callable[[], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module", autouse=True)
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The project, configured once: Django knows no other way."""
    os.environ[django_site.DATABASE] = str(tmp_path_factory.mktemp("django") / "shop.sqlite3")
    django_site.configure()
    django_site.create()
    yield
    from django.db import connections

    connections.close_all()
    os.environ.pop(django_site.DATABASE)


def logged_in(name: str, client: Any) -> Any:
    """A client with the session of a user."""
    from django.contrib.auth.models import User

    client.force_login(User.objects.get(username=name))
    return client


def test_the_authenticated_user_and_the_route_are_bound(arrivals: Arrivals) -> None:
    """The primary key as text, and the route as the project spells it; a header only where the settings name it."""
    sent = {"HTTP_X_CONVERSATION_ID": "c1", "HTTP_X_USER_ID": "forged", "HTTP_X_REQUEST_ID": "forged"}
    for name, number in (("u1", 1), ("u2", 2)):
        assert logged_in(name, Client()).get(f"/orders/{number}/", **sent).status_code == 200
    assert Client().get("/orders/3/", **sent).status_code == 403
    same = {"convo": "c1", "method": "GET", "route": "orders/<int:number>/"}
    assert arrivals() == {
        "order 1": {"user": "1", **same},
        "order 2": {"user": "2", **same},
        "order 3": {"user": NOBODY, **same},
    }


def test_a_user_whom_nobody_looks_at_is_not_loaded(arrivals: Arrivals) -> None:
    """A public page costs no query, and does not begin to vary by cookie, because it logs."""
    from django.db import connection

    client = logged_in("u1", Client())
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/unseen/")
    assert len(queries) == 0
    assert not response.has_header("Vary")
    assert arrivals()["unseen"]["user"] == NOBODY


def test_a_view_says_the_conversation_of_its_session(arrivals: Arrivals) -> None:
    """rebind in the view, whatever header the client has sent."""
    Client().get("/talk/", HTTP_X_CONVERSATION_ID="forged")
    assert arrivals()["talk"]["convo"] == "c1"


def test_a_streamed_body_is_bound_to_its_end(arrivals: Arrivals) -> None:
    """The parts are made after the middleware has returned, and belong to the user all the same."""
    response = logged_in("u1", Client()).get("/streams/")
    assert b"".join(response.streaming_content) == b"1"
    response.close()
    assert {event: found["user"] for event, found in arrivals().items()} == {"first part": "1", "last part": "1"}
    assert current_scope() is None


def test_async_views_and_streams_are_bound(arrivals: Arrivals) -> None:
    """Under the async handler the event loop is shared, and each request has its own user."""
    clients = [logged_in(name, AsyncClient()) for name in ("u1", "u2")]

    async def asked() -> None:
        await asyncio.gather(*(client.get(f"/async/orders/{n}/") for n, client in enumerate(clients, 1)))
        response = await clients[1].get("/async/streams/")
        assert [part async for part in response.streaming_content] == [b"1"]
        await clients[0].get("/orders/3/")  # a sync view, in a thread

    asyncio.run(asked())
    assert {event: found["user"] for event, found in arrivals().items()} == {
        "order 1": "1", "order 2": "2", "order 3": "1", "first part": "2", "last part": "2",
    }  # fmt: skip
    assert arrivals()["order 1"]["route"] == "async/orders/<int:number>/"


def test_a_file_is_left_to_the_server() -> None:
    """It keeps what the server sends it by."""
    response = RaindropMiddleware(django_site.file)(RequestFactory().get("/"))
    assert response.file_to_stream is not None
    response.close()


def test_an_error_of_a_view_is_django_s_to_answer(arrivals: Arrivals) -> None:
    """It reaches Django as without the middleware, and nothing stays bound."""
    with pytest.raises(LookupError, match="no such order"):
        Client().get("/fails/")
    assert Client(raise_request_exception=False).get("/fails/").status_code == 500
    assert arrivals()["fails"]["route"] == "fails/"
    assert current_scope() is None


def user_of(request: HttpRequest) -> str:
    """For the settings."""
    return f"by {request.method}"


@pytest.mark.parametrize("user", [user_of, f"{__name__}.user_of"], ids=["function", "dotted name"])
def test_the_settings_may_say_the_user_otherwise(user: Any, arrivals: Arrivals) -> None:
    """A function, or its dotted name, is asked instead of Django's own user; so is a header that is named."""
    with override_settings(RAINDROP_BIND={"user": user}):
        logged_in("u1", Client()).get("/orders/1/")
    with override_settings(RAINDROP_BIND={"user_header": "X-User-Id", "request_id_header": "X-Request-Id"}):
        logged_in("u1", Client()).get("/orders/2/", HTTP_X_USER_ID="u9", HTTP_X_REQUEST_ID="r1")
    with override_settings(RAINDROP_BIND={"user": None}):
        logged_in("u1", Client()).get("/orders/3/")
    found = arrivals()
    assert [found[f"order {number}"]["user"] for number in (1, 2, 3)] == ["by GET", "u9", NOBODY]
    assert found["order 2"]["request_id"] == "r1"


def test_a_trace_is_continued_only_where_it_is_trusted() -> None:
    """traceparent is a header like any other."""
    seen: list[Any] = []

    def view(_: Any) -> HttpResponse:
        rebind(properties={"plan": "pro"})
        seen.append(current_scope())
        return HttpResponse()

    request = RequestFactory().get("/", HTTP_TRACEPARENT=TRACEPARENT)
    for told in ({}, {"trust_traceparent": True}):
        with override_settings(RAINDROP_BIND=told):
            RaindropMiddleware(view)(request)
    assert seen[0] == {"properties": {"method": "GET", "plan": "pro"}}
    assert seen[1]["trace_id"] == TRACE


def test_without_django_the_error_says_what_is_missing() -> None:
    """Where the library is not installed, importing the module names it."""
    program = "import sys; sys.modules['django'] = None; import raindrop_logging.contrib.django"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "RaindropLoggingError: raindrop_logging.contrib.django needs Django: pip install django" in done.stderr


@pytest.mark.parametrize(
    ("told", "rule"),
    [
        ({"convo_heder": "X-Conversation-Id"}, "unknown key 'convo_heder'; did you mean 'convo_header'"),
        ({"user": "shop.nowhere.user_of"}, "'user' is 'shop.nowhere.user_of', which cannot be imported"),
        ({"convo": 5}, "'convo' is 5: it must be a function"),
        (["X-User-Id"], "RAINDROP_BIND is .*: it must be a dict"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_django_starts(told: Any, rule: str) -> None:
    """With the key, its value and the rule."""
    with override_settings(RAINDROP_BIND=told), pytest.raises((SettingsError, ImproperlyConfigured), match=rule):
        Client().get("/unseen/")
