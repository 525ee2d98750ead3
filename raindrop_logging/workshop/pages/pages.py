"""The pages: which classes answer with HTML, and the files they use.

In: GET requests.  Out: HTML that needs nothing from any other machine.  Touches: the store, the templates.
Nothing that arrived is ever markup or script here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

from raindrop_logging.workshop.pages.conversation_page import ConversationPages
from raindrop_logging.workshop.pages.event_list_page import EventListPage
from raindrop_logging.workshop.pages.event_page import EventPage
from raindrop_logging.workshop.pages.facets_page import FacetsPage
from raindrop_logging.workshop.pages.frame import HERE, Frame
from raindrop_logging.workshop.pages.home_page import HomePage
from raindrop_logging.workshop.pages.search_page import SearchPage
from raindrop_logging.workshop.pages.signal_pages import SignalPages
from raindrop_logging.workshop.pages.tool_errors_page import ToolErrorsPage
from raindrop_logging.workshop.pages.traces_page import TracePages
from raindrop_logging.workshop.pages.users_page import UserPages

if TYPE_CHECKING:
    import os

    from starlette.responses import Response

    from raindrop_logging.workshop.store import Store


class Pages:
    """All routes that answer with HTML."""

    def __init__(self, store: Store, version: str) -> None:
        frame = Frame(version)
        self._frame = frame
        self._parts = (
            HomePage(store, frame),
            EventListPage(store, frame),
            EventPage(store, frame),
            ConversationPages(store, frame),
            UserPages(store, frame),
            SearchPage(store, frame),
            SignalPages(store, frame),
            ToolErrorsPage(store, frame),
            TracePages(store, frame),
            FacetsPage(store, frame),
        )

    def routes(self) -> list[BaseRoute]:
        """All of them, GET only."""
        found: list[BaseRoute] = [route for part in self._parts for route in part.routes()]
        return [*found, Mount("/static", _Static(directory=HERE / "static"))]

    def missing(self, path: str) -> Response:
        """What is said where no page is."""
        return self._frame.missing(f"There is no page {path[:64]!r}.")


class _Static(StaticFiles):
    """Before 1.0 Starlette fails at a path that no file can have."""

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        return ("", None) if "\0" in path else super().lookup_path(path)
