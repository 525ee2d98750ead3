"""A Django project in one file, for the tests and the servers of them: users, sessions, streams, async views."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse

from raindrop_logging import extra, rebind

DATABASE = "SHOP_DATABASE"
"""Variable with the path of the database, which `create` makes."""


def say(event: str) -> None:
    """Log one event."""
    logging.getLogger("shop").info("ai", extra=extra.ai(event=event, input="q"))


def enter(request: HttpRequest, name: str) -> HttpResponse:
    """Logs a user in, and something about them."""
    from django.contrib.auth import login
    from django.contrib.auth.models import User

    login(request, User.objects.get(username=name))
    say(f"{name} entered")
    return HttpResponse("ok")


def order(request: HttpRequest, number: int) -> HttpResponse:
    """Looks at its user, as login_required does."""
    status = 200 if request.user.is_authenticated else 403
    say(f"order {number}")
    return HttpResponse("ok", status=status)


def unseen(_: HttpRequest) -> HttpResponse:
    """A public page, which looks at nobody."""
    say("unseen")
    return HttpResponse("ok")


def talk(request: HttpRequest) -> HttpResponse:
    """Knows its conversation from the session."""
    rebind(convo_id=request.session.setdefault("chat", "c1"))
    say("talk")
    return HttpResponse("ok")


def fails(_: HttpRequest) -> HttpResponse:
    """Goes wrong."""
    say("fails")
    raise LookupError("no such order")


def streams(request: HttpRequest) -> StreamingHttpResponse:
    """Logs while its body is sent."""
    request.user.is_authenticated  # noqa: B018 -- loads it

    def parts() -> Iterator[str]:
        say("first part")
        yield "1"
        say("last part")

    return StreamingHttpResponse(parts())


async def streams_async(request: HttpRequest) -> StreamingHttpResponse:
    """The same, in the event loop."""
    await sync_to_async(lambda: request.user.is_authenticated)()

    async def parts() -> AsyncIterator[str]:
        say("first part")
        yield "1"
        say("last part")

    return StreamingHttpResponse(parts())


async def order_async(request: HttpRequest, number: int) -> HttpResponse:
    """Looks at its user in the way that is for async views, where there is one."""
    if hasattr(request, "auser"):  # Django 5
        await request.auser()
    else:
        await sync_to_async(lambda: request.user.pk)()
    say(f"order {number}")
    return HttpResponse("ok")


def file(_: HttpRequest) -> FileResponse:
    """A file, for the server to send."""
    return FileResponse(io.BytesIO(b"1"))


def configure(**more: Any) -> None:
    """Set Django up."""
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "raindrop_logging.contrib.django.RaindropMiddleware",  # before authentication: its place does not matter
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    told: dict[str, Any] = {
        "ALLOWED_HOSTS": ["*"],
        "DATABASES": {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ[DATABASE]}},
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "INSTALLED_APPS": ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions"],
        "LOGGING_CONFIG": None,
        "MIDDLEWARE": middleware,
        "RAINDROP_BIND": {"convo_header": "X-Conversation-Id"},
        "ROOT_URLCONF": "tests.frameworks.django_urls",
        "SECRET_KEY": "made up",
        "USE_TZ": True,
    }
    settings.configure(**(told | more))
    django.setup()


def create() -> None:
    """Make the database, with the users of keys 1 and 2, u1 and u2."""
    from django.contrib.auth.models import User
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name in ("u1", "u2"):
        User.objects.create(username=name)
