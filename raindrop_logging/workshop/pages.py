"""The pages: a live list of events, and one event with its turn, signals, sub-agents and span tree.

In: GET requests.  Out: HTML that needs nothing from any other machine.  Touches: the store, the templates.
Every value is escaped by the templates; nothing that arrived is ever markup, script or a frame here.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import jinja2
import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from raindrop_logging.workshop.records import Event, Json, Span
from raindrop_logging.workshop.span_tree import Branch, grow
from raindrop_logging.workshop.store import Store, Story, Summary

if TYPE_CHECKING:
    from starlette.requests import Request

HERE: Final = Path(__file__).parent
PAGE_SIZE: Final = 50
PREVIEW_CHARS: Final = 300
MINUTE: Final = 60

_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)
_INLINE_IMAGE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")
_BLANK: Final = Summary(event=Event(event_id=""))


class Pages:
    """The routes that answer with HTML, and the files they use."""

    def __init__(self, store: Store, version: str) -> None:
        self._store = store
        self._version = version
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(pretty=pretty, duration=duration, address=address, anchor=anchor)

    def routes(self) -> list[BaseRoute]:
        """All of them, GET only."""
        return [
            Route("/", self._list),
            Route("/events/{event_id:path}", self._event),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ]

    async def _list(self, request: Request) -> Response:
        return await run_in_threadpool(self._list_page, request.query_params.get("cursor"))

    async def _event(self, request: Request) -> Response:
        return await run_in_threadpool(self._event_page, request.path_params["event_id"])

    def _list_page(self, cursor: str | None) -> Response:
        try:
            page = self._store.events(PAGE_SIZE, cursor)
        except ValueError:
            return self._missing("This page of the list does not exist.")
        return self._page(
            "list.html",
            rows=[row(summary) for summary in page.summaries],
            blank=row(_BLANK),
            counts=msgspec.structs.asdict(self._store.counts()),
            older=page.next_cursor,
            newest=cursor is None,
        )

    def _event_page(self, event_id: str) -> Response:
        story = self._store.event(event_id)
        if story is None:
            return self._missing(f"No event has the id {event_id!r} (yet).")
        user = self._store.user(story.event.user_id) if story.event.user_id else None
        return self._page("event.html", user=user, launcher=self._launcher(story), **told(story))

    def _launcher(self, story: Story) -> Event | None:
        """The event that launched this one, once it has arrived."""
        found = self._store.summaries((story.launched_by.event_id,)) if story.launched_by else ()
        return found[0].event if found else None

    def _missing(self, message: str) -> Response:
        return self._page("missing.html", status=404, message=message)

    def _page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        return HTMLResponse(
            self._templates.get_template(template).render(values, version=self._version), status_code=status
        )


def row(summary: Summary) -> dict[str, Any]:
    """One line of the list; long texts are cut."""
    event = summary.event
    return {
        "event": event,
        "input": (event.input or "")[:PREVIEW_CHARS],
        "output": (event.output or "")[:PREVIEW_CHARS],
        "counts": msgspec.structs.asdict(summary),
    }


def told(story: Story) -> dict[str, Any]:
    """What the page of one event shows."""
    branches = grow(story.spans)
    tools = [branch for branch in branches if branch.span.kind == "tool"]
    attachments = [shown(attachment) for attachment in story.event.attachments]
    properties = dict(story.event.properties)
    return {
        "event": story.event,
        "signals": story.signals,
        "subagents": story.subagents,
        "launched_by": story.launched_by,
        "state": story.state,
        "branches": branches,
        "tools": tools,
        "tool_names": Counter(branch.span.name for branch in tools),
        "failures": sum(branch.span.status == "error" for branch in branches),
        "seconds": _longest(branches),
        "context": properties.pop("$context", None),
        "properties": properties,
        "given": [item for item in attachments if item["role"] == "input"],
        "made": [item for item in attachments if item["role"] != "input"],
        "anchors": {branch.span.span_id: anchor(branch.span) for branch in branches},
        "trace_ids": list(dict.fromkeys(branch.span.trace_id for branch in branches)),
    }


def shown(attachment: Json) -> dict[str, Any]:
    """An attachment and the harmless way to show it: a link, a picture that needs no request, or plain text."""
    value = str(attachment["value"])
    picture = attachment["type"] == "image" and _INLINE_IMAGE.fullmatch(value)
    way = "picture" if picture else "link" if _LINK.fullmatch(value) else "text"
    optional = ("name", "role", "language", "attachment_id")
    return {"type": attachment["type"], "value": value, "way": way, **{key: attachment.get(key) for key in optional}}


def pretty(value: Any) -> str:
    """A value for reading: JSON, also inside a text, is indented; any other text is left as it is."""
    try:
        if not isinstance(value, str):
            return msgspec.json.format(msgspec.json.encode(value), indent=2).decode("utf-8")
        if value.lstrip()[:1] in ("{", "["):
            return msgspec.json.format(value.encode("utf-8"), indent=2).decode("utf-8")
    except (msgspec.DecodeError, RecursionError):
        pass
    return str(value)


def duration(seconds: float | None) -> str:
    """Such as ``12 ms``, ``3.4 s`` or ``2 min 5 s``; empty when unknown."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds >= 0.001 else "<1 ms"  # noqa: PLR2004 - one millisecond
    if seconds < MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds // MINUTE:.0f} min {seconds % MINUTE:.0f} s"


def address(event_id: str) -> str:
    """The path of an event's page, whatever its id holds."""
    return f"/events/{quote(event_id, safe='')}"


def anchor(span: Span) -> str:
    """The name of a span's place on the page of its event."""
    return f"span-{span.trace_id}-{span.span_id}"


def _longest(branches: tuple[Branch, ...]) -> float | None:
    return max((branch.seconds for branch in branches if branch.seconds is not None), default=None)
