"""One event with its turn, spans, signals, attachments and sub-agents.

In: GET requests.  Out: HTML.  Touches: the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from raindrop_logging.workshop import chat
from raindrop_logging.workshop.event_filter import EventFilter
from raindrop_logging.workshop.pages import attachments, usage
from raindrop_logging.workshop.pages.text import anchor
from raindrop_logging.workshop.signals import details as signal_details
from raindrop_logging.workshop.span_tree import grow, ticks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.records import Event, Json, Signal
    from raindrop_logging.workshop.store import Store, Story

TURNS: Final = 200
"""How far into a conversation a turn is looked for, to say which it is."""

COMMIT: Final = ("raindrop.app.commit_sha", "raindrop.app.commit_dirty", "raindrop.app.branch")
LINE: Final = ("time", "level", "logger", "message", "error")
OFFERED: Final = "ai.prompt.tools"


class EventPage:
    """`/events/{id}`."""

    def __init__(self, store: Store, frame: Frame) -> None:
        self._store = store
        self._frame = frame

    def routes(self) -> list[Route]:
        """GET only."""
        return [Route("/events/{event_id:path}", self._event)]

    async def _event(self, request: Request) -> Response:
        return await run_in_threadpool(self._page, request.path_params["event_id"])

    def _page(self, event_id: str) -> Response:
        story = self._store.event(event_id)
        if story is None:
            return self._frame.missing(f"No event has the id {event_id!r} (yet).")
        event, shown = story.event, told(story)
        return self._frame.page(
            "event.html",
            told=shown,
            found=self._store.signals.of_event(event.event_id),
            user=self._store.user(event.user_id) if event.user_id else None,
            launcher=self._launcher(story),
            place=self._place(event),
            older=self._older(event),
            **shown,
        )

    def _launcher(self, story: Story) -> Event | None:
        """The event that launched this one, once it has arrived."""
        found = self._store.summaries((story.launched_by.event_id,)) if story.launched_by else ()
        return found[0].event if found else None

    def _older(self, event: Event) -> str | None:
        if event.timestamp is None:
            return None
        found = self._store.events(1, where=EventFilter(until=event.timestamp)).summaries
        return found[0].event.event_id if found else None

    def _place(self, event: Event) -> dict[str, Any] | None:
        """Which turn of its conversation it is, and those beside it; None when it is alone or too far in."""
        if event.convo_id is None:
            return None
        turns = [turn.event.event_id for turn in self._store.turns(event.convo_id, TURNS).items]
        if event.event_id not in turns or len(turns) == 1:
            return None
        at = turns.index(event.event_id)
        beside = {"before": turns[at - 1] if at else None, "after": turns[at + 1] if at + 1 < len(turns) else None}
        return {"number": at + 1, "of": f"{TURNS}+" if len(turns) == TURNS else len(turns), **beside}


def told(story: Story) -> dict[str, Any]:
    """What a page shows of one event: the values of the macros in `turn.html` and `spans.html`."""
    event = story.event
    branches = grow(story.spans)
    tools = [branch for branch in branches if branch.span.kind == "tool"]
    attached = [attachments.shown(attachment) for attachment in event.attachments]
    properties = dict(event.properties)
    return {
        "event": event,
        "asked": chat.read(event.input, "user") if event.input else (),
        "answered": chat.read(event.output, "assistant") if event.output else (),
        "signals": [_judged(signal, event) for signal in story.signals],
        "subagents": story.subagents,
        "launched_by": story.launched_by,
        "state": story.state,
        "branches": branches,
        "ticks": ticks(branches),
        "tools": tools,
        "tool_names": Counter(branch.span.name for branch in tools),
        "failures": sum(branch.span.status == "error" for branch in branches),
        "seconds": max((branch.seconds for branch in branches if branch.seconds is not None), default=None),
        "usage": usage.total(story.spans, properties),
        "usages": {anchor(span): said for span in story.spans if (said := usage.said(span.attributes))},
        "commit": _commit([properties, *(span.attributes for span in story.spans)]),
        "context": properties.pop("$context", None),
        "log": _lines(properties),
        "properties": {key: value for key, value in properties.items() if key not in COMMIT},
        "offered": _offered(story),
        "given": [item for item in attached if item.role == "input"],
        "made": [item for item in attached if item.role != "input"],
        "anchors": {branch.span.span_id: anchor(branch.span) for branch in branches},
        "trace_ids": list(dict.fromkeys(branch.span.trace_id for branch in branches)),
    }


def _judged(signal: Signal, event: Event) -> dict[str, Any]:
    """A signal; its comment, its edit as parts of the output, and the rest of its properties apart."""
    comment = signal_details.comment(signal)
    edit = signal_details.edited(signal, event.output) if event.output else ()
    apart = {"comment": comment is not None, "after": bool(edit)}
    return {
        "signal": signal,
        "comment": comment,
        "edit": signal_details.shortened(edit),
        "properties": {key: value for key, value in signal.properties.items() if not apart.get(key)},
    }


def _commit(places: Iterable[Json]) -> dict[str, Any] | None:
    """The application's version, from the first place that says it."""
    for place in places:
        sha, dirty, branch = (place.get(name) for name in COMMIT)
        if isinstance(sha, str) and sha:
            return {"sha": sha, "dirty": dirty in (True, "true"), "branch": branch}
    return None


def _lines(properties: dict[str, Any]) -> list[dict[str, str]]:
    """The log lines of an interaction (`properties.log`), taken out; anything else under that name stays.

    Each has the keys of `LINE`, empty where nothing was sent.
    """
    log = properties.get("log")
    if not isinstance(log, list) or not log:
        return []
    if not all(isinstance(line, Mapping) and "message" in line for line in log):
        return []
    del properties["log"]
    return [{key: str(line.get(key) or "") for key in LINE} for line in log]


def _offered(story: Story) -> list[dict[str, Any]]:
    """Each tool that a model was offered, once, and how often it was called."""
    called = Counter(span.name for span in story.spans if span.kind == "tool")
    found: dict[str, dict[str, Any]] = {}
    for span in story.spans:
        for tool in _tools(span.attributes.get(OFFERED)):
            name = str(tool.get("name"))
            found.setdefault(name, {**tool, "name": name, "called": called[name]})
    return list(found.values())


def _tools(said: Any) -> Iterable[Mapping[str, Any]]:
    """`ai.prompt.tools`: a list of definitions, or of texts that hold one; also as one text."""
    listed = _parsed(said)
    tools = map(_parsed, listed if isinstance(listed, list | tuple) else ())
    return [tool for tool in tools if isinstance(tool, Mapping) and "name" in tool]


def _parsed(value: Any) -> Any:
    try:
        return msgspec.json.decode(value) if isinstance(value, str) else value
    except (msgspec.DecodeError, RecursionError):
        return None
