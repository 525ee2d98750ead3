"""Signals over HTTP: define, try, mark, and ask how often.

In: requests below `/api/signals`.  Out: JSON.  Touches: the store.
Whatever changes something takes JSON only: a web page elsewhere cannot send that without the browser asking first.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from raindrop_logging.wire import JSON
from raindrop_logging.workshop import body as bodies
from raindrop_logging.workshop.event_filter import parse
from raindrop_logging.workshop.payloads import locate
from raindrop_logging.workshop.refusals import RefusedError, invalid
from raindrop_logging.workshop.signal_rules import (
    Definition,
    Draft,
    InvalidRuleError,
    SignalConflictError,
    SignalError,
    UnknownSignalError,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from raindrop_logging.workshop.records import Event
    from raindrop_logging.workshop.signal_store import Hit, Preview, Rate, SignalInfo
    from raindrop_logging.workshop.store import Store

MAX_LIMIT: Final = 500
DEFAULT_LIMIT: Final = 50
SAMPLE_CHARS: Final = 1_000
"""Longest input or output of a hit; the event itself has all of it."""

_EVENT_KEYS: Final = ("event_id", "user_id", "event", "model", "convo_id", "timestamp", "is_pending")
_INFO_KEYS: Final = (
    "name", "kind", "origin", "label", "description", "sentiment", "enabled", "state", "reason", "version",
    "definition", "progress", "hits", "precision",
)  # fmt: skip
_BASE: Final = "/api/signals"
_ONE: Final = f"{_BASE}/{{signal_id:path}}"


class _Mark(msgspec.Struct, forbid_unknown_fields=True):
    wrong: bool


class _Trial(msgspec.Struct, forbid_unknown_fields=True):
    definition: Definition


class SignalsApi:
    """The routes below `/api/signals`. An id that holds odd characters is percent-encoded, as ever."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._signals = store.signals

    def routes(self) -> list[Route]:
        """Those with a word at the end first: an id may hold slashes."""
        return [
            Route(_BASE, self._list, methods=["GET"]),
            Route(_BASE, self._create, methods=["POST"]),
            Route(f"{_BASE}/preview", self._preview, methods=["POST"]),
            Route(f"{_ONE}/hits", self._hits, methods=["GET"]),
            Route(f"{_ONE}/rates", self._rates, methods=["GET"]),
            Route(f"{_ONE}/marks/{{event_id:path}}", self._mark, methods=["POST"]),
            Route(f"{_ONE}/marks/{{event_id:path}}", self._unmark, methods=["DELETE"]),
            Route(_ONE, self._get, methods=["GET"]),
            Route(_ONE, self._change, methods=["PATCH"]),
            Route(_ONE, self._delete, methods=["DELETE"]),
        ]

    async def _list(self, request: Request) -> Response:
        del request
        return _answer({"signals": [described(info) for info in await run_in_threadpool(self._signals.all)]})

    async def _get(self, request: Request) -> Response:
        return _answer(described(await self._known(request.path_params["signal_id"])))

    async def _create(self, request: Request) -> Response:
        draft = _read(await _json(request), Draft)
        signal_id = await asyncio.wrap_future(self._signals.create(draft))
        return _answer(described(await self._known(signal_id)), 201)

    async def _change(self, request: Request) -> Response:
        """What is named is replaced, a definition as a whole; all else stays."""
        signal_id = request.path_params["signal_id"]
        changes = await _json(request)
        info = await self._known(signal_id)
        if info.definition is None:
            raise SignalConflictError("what SDKs send is no rule: it has nothing to change")
        if not isinstance(changes, dict):
            raise invalid("body", "Expected an object")
        known = {name: getattr(info, name) for name in Draft.__struct_fields__}
        draft = _read({**msgspec.to_builtins(known), **changes}, Draft)
        await asyncio.wrap_future(self._signals.change(signal_id, draft))
        return await self._get(request)

    async def _delete(self, request: Request) -> Response:
        await asyncio.wrap_future(self._signals.delete(request.path_params["signal_id"]))
        return Response(status_code=204)

    async def _preview(self, request: Request) -> Response:
        trial = _read(await _json(request), _Trial)
        return _answer(previewed(await run_in_threadpool(self._signals.preview, trial.definition)))

    async def _mark(self, request: Request) -> Response:
        mark = _read(await _json(request), _Mark)
        ids = (request.path_params["signal_id"], request.path_params["event_id"])
        await asyncio.wrap_future(self._signals.mark(*ids, wrong=mark.wrong))
        return Response(status_code=204)

    async def _unmark(self, request: Request) -> Response:
        ids = (request.path_params["signal_id"], request.path_params["event_id"])
        await asyncio.wrap_future(self._signals.unmark(*ids))
        return Response(status_code=204)

    async def _hits(self, request: Request) -> Response:
        signal_id = request.path_params["signal_id"]
        limit = _number(request, "limit", DEFAULT_LIMIT)
        await self._known(signal_id)
        try:
            page = await run_in_threadpool(self._signals.hits, signal_id, limit, request.query_params.get("cursor"))
        except ValueError as error:
            raise invalid("cursor", str(error)) from None
        return _answer({"hits": [_hit(hit) for hit in page.hits], "next_cursor": page.next_cursor})

    async def _rates(self, request: Request) -> Response:
        signal_id, asked = request.path_params["signal_id"], request.query_params
        by, top = asked.get("by", "day"), _number(request, "top", DEFAULT_LIMIT)
        since, until = (_moment(name, asked.get(name, "")) for name in ("since", "until"))
        await self._known(signal_id)
        try:
            found = await run_in_threadpool(
                lambda: self._signals.rates(signal_id, by, since=since, until=until, top=top)
            )
        except ValueError as error:
            raise invalid("by", str(error)) from None
        except TimeoutError as error:
            raise RefusedError(503, "too_slow", str(error)) from None
        return _answer({"by": by, "rates": [_rate(rate) for rate in found]})

    async def _known(self, signal_id: str) -> SignalInfo:
        info = await run_in_threadpool(self._signals.get, signal_id)
        if info is None:
            raise UnknownSignalError(f"no signal {signal_id!r}")
        return info


def refusal(error: SignalError) -> RefusedError:
    """What a request is answered that asked for what cannot be done."""
    if isinstance(error, InvalidRuleError):
        return invalid(error.field, str(error))
    if isinstance(error, UnknownSignalError):
        return RefusedError(404, "not_found", str(error))
    return RefusedError(409, "conflict", str(error))


def described(info: SignalInfo) -> dict[str, Any]:
    """A signal under the API's keys."""
    marks = {"right": info.right, "wrong": info.wrong}
    return {"id": info.signal_id, **{name: getattr(info, name) for name in _INFO_KEYS}, "marks": marks}


def previewed(preview: Preview) -> dict[str, Any]:
    """A preview under the API's keys."""
    plain = ("count", "scanned", "events", "complete", "problem")
    return {**{name: getattr(preview, name) for name in plain}, "samples": [_hit(hit) for hit in preview.samples]}


def _hit(hit: Hit) -> dict[str, Any]:
    said = {name: getattr(hit, name) for name in ("found_at", "place", "matched", "wrong")}
    return {"event": _short(hit.event), **said}


def _short(event: Event) -> dict[str, Any]:
    texts = {"input": event.input, "output": event.output}
    cut = {name: text if text is None else text[:SAMPLE_CHARS] for name, text in texts.items()}
    return {**{name: getattr(event, name) for name in _EVENT_KEYS}, **cut}


def _rate(rate: Rate) -> dict[str, Any]:
    return {"value": rate.value, "hits": rate.hits, "events": rate.events, "rate": rate.rate}


def _answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=JSON)


async def _json(request: Request) -> Any:
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != JSON:
        raise RefusedError(415, "unsupported_type", f"send JSON, with Content-Type: {JSON}")
    return bodies.decoded(await bodies.received(request))


def _read(value: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        refused = locate(error)
        unknown = re.search(r"unknown field `(.+?)`", str(error))
        if unknown:
            field = f"{refused.field}.{unknown[1]}" if refused.field != "body" else unknown[1]
            raise invalid(field, f"there is no field {unknown[1]!r} here") from None
        raise refused from None


def _moment(name: str, text: str) -> str | None:
    try:
        moment: str | None = getattr(parse([(name, text)]), name)
    except ValueError as error:
        raise invalid(name, str(error)) from None
    return moment


def _number(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,3}", text) and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise invalid(name, f"{name} is a whole number from 1 to {MAX_LIMIT}, not {text[:32]!r}")
