"""Signals over HTTP: define, try, mark, and ask how often.

In: requests below `/api/signals`.  Out: JSON.  Touches: the store.
Whatever changes something takes JSON only: a web page elsewhere cannot send that without the browser asking first.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from raindrop_logging.wire import JSON
from raindrop_logging.workshop.api.queries import DEFAULT_LIMIT, FILTER, MAX_LIMIT, PAGED, question, whole_number
from raindrop_logging.workshop.api.responses import answer
from raindrop_logging.workshop.api.schemas.conversion import told
from raindrop_logging.workshop.api.schemas.signals import (
    HitList,
    RateList,
    SignalList,
    ToldInfo,
    ToldPreview,
    ToldRate,
    told_hit,
    told_info,
    told_preview,
)
from raindrop_logging.workshop.event_filter import MOMENTS
from raindrop_logging.workshop.receiving import body as bodies
from raindrop_logging.workshop.refusals import RefusedError, converted, invalid
from raindrop_logging.workshop.route_table import Query, Row
from raindrop_logging.workshop.signals.rules import (
    Definition,
    Draft,
    InvalidRuleError,
    SignalConflictError,
    SignalError,
    UnknownSignalError,
)

if TYPE_CHECKING:
    from starlette.requests import Request

    from raindrop_logging.workshop.limits import Intake
    from raindrop_logging.workshop.signals.store import SignalInfo
    from raindrop_logging.workshop.store import Store

_BY: Final = Query(name="by", says="day, model, event or property.KEY; day when not said.")
_TOP: Final = Query(name="top", type=whole_number(MAX_LIMIT), says=f"How many, {DEFAULT_LIMIT} when not said.")
_RATES: Final = (_BY, *(query for query in FILTER if query.name in MOMENTS), _TOP)
_BASE: Final = "/api/signals"
_ONE: Final = f"{_BASE}/{{signal_id:path}}"


class Mark(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of a hit."""

    wrong: bool


class Trial(msgspec.Struct, forbid_unknown_fields=True):
    """A definition to try."""

    definition: Definition


class Signals:
    """The routes below `/api/signals`. An id that holds odd characters is percent-encoded, as ever."""

    def __init__(self, store: Store, intake: Intake) -> None:
        self._signals = store.signals
        self._intake = intake

    def rows(self) -> list[Row]:
        """Those with a word at the end first: an id may hold slashes."""
        marking = f"{_ONE}/marks/{{event_id:path}}"
        known, changing = (404, 503), (400, 404, 409, 415, 503)
        return [
            Row(
                method="GET", path=_BASE, name="list_signals", endpoint=self._list, answer=SignalList, refusals=(503,),
                says="Every signal: default ones, then yours, then those that SDKs sent.",
            ),
            Row(
                method="POST", path=_BASE, name="create_signal", endpoint=self._create, body=Draft, answer=ToldInfo,
                status=201, refusals=(400, 409, 415, 503), says="Add a signal; what is stored is judged meanwhile.",
            ),
            Row(
                method="POST", path=f"{_BASE}/preview", name="preview_signal", endpoint=self._preview, body=Trial,
                answer=ToldPreview, refusals=(400, 415, 503), says="What a definition would find, before it is kept.",
            ),
            Row(
                method="GET", path=f"{_ONE}/hits", name="list_hits", endpoint=self._hits, answer=HitList,
                queries=PAGED, refusals=(400, 404, 503), says="Events that have a signal, newest first.",
            ),
            Row(
                method="GET", path=f"{_ONE}/rates", name="get_rates", endpoint=self._rates, answer=RateList,
                queries=_RATES, refusals=(400, 404, 503), says="How many events have it, by value.",
            ),
            Row(
                method="POST", path=marking, name="mark_hit", endpoint=self._mark, body=Mark, status=204,
                refusals=changing, says="Say that a hit is right or wrong; a wrong one counts no more.",
            ),
            Row(
                method="DELETE", path=marking, name="unmark_hit", endpoint=self._unmark, status=204,
                refusals=known, says="Take a mark back.",
            ),
            Row(
                method="GET", path=_ONE, name="get_signal", endpoint=self._get, answer=ToldInfo, refusals=known,
                says="One signal.",
            ),
            Row(
                method="PATCH", path=_ONE, name="change_signal", endpoint=self._change, body=dict[str, Any],
                answer=ToldInfo, refusals=changing, says="Replace what is named.",
            ),
            Row(
                method="DELETE", path=_ONE, name="delete_signal", endpoint=self._delete, status=204,
                refusals=(404, 409, 503), says="Take away a signal of yours, with its hits and marks.",
            ),
        ]  # fmt: skip

    async def _list(self, request: Request) -> Response:
        del request
        return answer(SignalList(signals=[told_info(info) for info in await run_in_threadpool(self._signals.all)]))

    async def _get(self, request: Request) -> Response:
        return answer(told_info(await self._known(request.path_params["signal_id"])))

    async def _create(self, request: Request) -> Response:
        draft = converted(await self._json(request), Draft)
        signal_id = await asyncio.wrap_future(self._signals.create(draft))
        return answer(told_info(await self._known(signal_id)), 201)

    async def _change(self, request: Request) -> Response:
        """What is named is replaced, a definition as a whole; all else stays."""
        signal_id = request.path_params["signal_id"]
        changes = await self._json(request)
        info = await self._known(signal_id)
        if info.definition is None:
            raise SignalConflictError("what SDKs send is no rule: it has nothing to change")
        if not isinstance(changes, dict):
            raise invalid("body", "Expected an object")
        known = {name: getattr(info, name) for name in Draft.__struct_fields__}
        draft = converted({**msgspec.to_builtins(known), **changes}, Draft)
        await asyncio.wrap_future(self._signals.change(signal_id, draft))
        return await self._get(request)

    async def _delete(self, request: Request) -> Response:
        await asyncio.wrap_future(self._signals.delete(request.path_params["signal_id"]))
        return Response(status_code=204)

    async def _preview(self, request: Request) -> Response:
        trial = converted(await self._json(request), Trial)
        return answer(told_preview(await run_in_threadpool(self._signals.preview, trial.definition)))

    async def _mark(self, request: Request) -> Response:
        mark = converted(await self._json(request), Mark)
        ids = (request.path_params["signal_id"], request.path_params["event_id"])
        await asyncio.wrap_future(self._signals.mark(*ids, wrong=mark.wrong))
        return Response(status_code=204)

    async def _unmark(self, request: Request) -> Response:
        ids = (request.path_params["signal_id"], request.path_params["event_id"])
        await asyncio.wrap_future(self._signals.unmark(*ids))
        return Response(status_code=204)

    async def _hits(self, request: Request) -> Response:
        signal_id = request.path_params["signal_id"]
        asked = question(request, *PAGED)
        limit, cursor = asked.limit, asked.cursor
        await self._known(signal_id)
        page = await run_in_threadpool(self._signals.hits, signal_id, limit, cursor)
        return answer(HitList(hits=[told_hit(hit) for hit in page.hits], next_cursor=page.next_cursor))

    async def _rates(self, request: Request) -> Response:
        signal_id = request.path_params["signal_id"]
        asked = question(request, _BY, _TOP)
        by = asked.own.get("by", "day")
        counting = partial(
            self._signals.rates,
            signal_id,
            by,
            since=asked.where.since,
            until=asked.where.until,
            top=asked.whole(_TOP.name, DEFAULT_LIMIT, MAX_LIMIT),
        )
        await self._known(signal_id)
        try:
            found = await run_in_threadpool(counting)
        except TimeoutError as error:
            raise RefusedError(503, "too_slow", str(error)) from None
        return answer(RateList(by=by, rates=[told(rate, ToldRate) for rate in found]))

    async def _json(self, request: Request) -> Any:
        if bodies.media_type(request.headers.get("content-type", "")) != JSON:
            raise RefusedError(415, "unsupported_type", f"send JSON, with Content-Type: {JSON}")
        return bodies.decoded(await bodies.received(request, self._intake.max_body, self._intake.request_seconds))

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
