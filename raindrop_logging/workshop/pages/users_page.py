"""The users: a list, and one with traits, what they did and how it was judged.

In: GET requests.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.pages import event_list_page
from raindrop_logging.workshop.pages.filter_bar import ListPart
from raindrop_logging.workshop.pages.list_address import written

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.answers import Facet
    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.list_address import Asked
    from raindrop_logging.workshop.store import Person, Store

LIST_SIZE: Final = 50
EVENTS: Final = 20
"""The newest events on a user's page; the list has the rest."""

ABOUT: Final = ("signal", "event", "model")
NAMED: Final = ("name", "full_name", "display_name", "email")
"""Traits that say who it is, the first that is there."""


class UserPages:
    """`/users` and `/users/{id}`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame
        self._list = ListPart(store, frame, "/users")

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/users", self._users), Route("/users/{user_id:path}", self._user)]

    async def _users(self, request: Request) -> Response:
        query = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._list.answered, query, "users.html", self._found)

    async def _user(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, request.path_params["user_id"])

    def _found(self, asked: Asked) -> dict[str, Any]:
        found = self._store.users(LIST_SIZE, asked.cursor, asked.where)
        rows = [{"person": person, "called": called(person)} for person in found.items]
        return {"rows": rows, "older": asked.beyond(found.next_cursor)}

    def _page(self, user_id: str) -> Response:
        person = self._store.user(user_id)
        if person is None:
            return self._frame.missing(f"No user has the id {user_id!r} (yet).")
        of_user = EventFilter(user_id=(user_id,))
        page = self._store.events(EVENTS, where=of_user)
        conversations = self._store.conversations(EVENTS, where=of_user)
        address = written("/events", (("user_id", user_id),))
        return self._frame.page(
            "user.html",
            person=person,
            called=called(person),
            rows=[event_list_page.row(summary) for summary in page.summaries],
            facets=[_linked(facet, user_id) for facet in self._store.facets(of_user, ABOUT) if facet.values],
            conversations=conversations.items,
            address=address,
            failed=written("/events", (("user_id", user_id), ("error", "true"))),
            more=page.next_cursor is not None,
        )


def called(person: Person) -> str:
    """What the traits call the user; empty when they say nothing."""
    said = (person.traits.get(name) for name in NAMED)
    return next((text for text in said if isinstance(text, str) and text), "")


def _linked(facet: Facet, user_id: str) -> dict[str, Any]:
    """The values of a facet, each with the user's events that have it."""
    return {
        "name": facet.name,
        "counted": facet.counted,
        "more": facet.distinct - len(facet.values),
        "found": [
            {
                "value": value.value,
                "events": value.events,
                "address": written("/events", (("user_id", user_id), (facet.name, value.value))),
            }
            for value in facet.values
        ],
    }
