"""The conversations: a list, and one with all its turns in order as one chat.

In: GET requests.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop.pages import event_page
from raindrop_logging.workshop.pages.filter_bar import ListPart
from raindrop_logging.workshop.pages.text import conversation_address, filtered
from raindrop_logging.workshop.refusals import QuestionError

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.pages.list_address import Asked
    from raindrop_logging.workshop.store import Store

LIST_SIZE: Final = 50
TURNS: Final = 100
"""On one page; each is read with its spans and signals."""


class ConversationPages:
    """`/conversations` and `/conversations/{id}`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame
        self._part = ListPart(store, frame, "/conversations")

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/conversations", self._list), Route("/conversations/{convo_id:path}", self._one)]

    async def _list(self, request: Request) -> Response:
        query = tuple(request.query_params.multi_items())
        return await run_in_threadpool(self._part.answered, query, "conversations.html", self._found)

    async def _one(self, request: Request) -> Response:
        convo_id, cursor = request.path_params["convo_id"], request.query_params.get("cursor")
        return await run_in_threadpool(self._one_page, convo_id, cursor)

    def _found(self, asked: Asked) -> dict[str, Any]:
        found = self._store.conversations(LIST_SIZE, asked.cursor, asked.where)
        return {"rows": found.items, "older": asked.beyond(found.next_cursor)}

    def _one_page(self, convo_id: str, cursor: str | None) -> Response:
        conversation = self._store.conversation(convo_id)
        if conversation is None:
            return self._frame.missing(f"No conversation has the id {convo_id!r} (yet).")
        try:
            turns = self._store.turns(convo_id, TURNS, cursor)
        except QuestionError as error:
            return self._frame.missing(f"This page of the conversation does not exist: {error}.")
        path = conversation_address(convo_id)
        return self._frame.page(
            "conversation.html",
            conversation=conversation,
            models=[filtered("model", model) for model in conversation.models],
            turns=list(filter(None, (self._turn(summary.event.event_id) for summary in turns.items))),
            first=path if cursor else None,
            later=f"{path}?cursor={quote(turns.next_cursor)}" if turns.next_cursor else None,
        )

    def _turn(self, event_id: str) -> dict[str, Any] | None:
        story = self._store.event(event_id)
        return None if story is None else {**event_page.told(story), "found": self._store.signals.of_event(event_id)}
