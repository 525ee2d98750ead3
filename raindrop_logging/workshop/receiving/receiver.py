"""The ingest routes: what Raindrop's cloud accepts, accepted here and stored.

In: HTTP requests.  Out: 204 once the data is durable, or a refusal as JSON.  Touches: the store, the live feed.
Nothing reads the Authorization header, so no key can be stored or shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from raindrop_logging.wire import PROJECT_HEADER, PROTOBUF, ROUTES, Lane
from raindrop_logging.workshop.receiving import body as bodies
from raindrop_logging.workshop.receiving import contract, live_steps, otlp_json, otlp_protobuf, schemas, spans
from raindrop_logging.workshop.receiving.payloads import READERS
from raindrop_logging.workshop.records import Batch
from raindrop_logging.workshop.refusals import RefusedError
from raindrop_logging.workshop.route_table import Query, Row

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from raindrop_logging.workshop.limits import Intake
    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.store import Store

TRACE_PATHS: Final = (f"/v1/{ROUTES[Lane.TRACES]}", "/v1/otel/v1/traces", "/otel/v1/traces")
PROTOBUF_TYPES: Final = frozenset({PROTOBUF, "application/protobuf"})

INLINE_BYTES: Final = 64 * 1024
"""A larger body is read in another thread, so that the server answers others meanwhile."""

MAX_IGNORED_NAMES: Final = 100
"""Unknown keys are counted by name up to so many names, then under `(others)`."""

MAX_NAME_CHARS: Final = 100
"""Longer names of unknown keys are cut."""


class _Post(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it came: the body still encoded, no lane for a live step."""

    lane: Lane | None
    body: bytes
    encoding: str
    content_type: str
    project_id: str | None


class Receiver:
    """The ingest end of one Workshop."""

    def __init__(self, store: Store, feed: LiveFeed, intake: Intake) -> None:
        self._store = store
        self._feed = feed
        self._intake = intake
        self._ignored: Counter[str] = Counter()
        self.bodies = 0  # stored since the start

    @property
    def strict(self) -> bool:
        """Whether what the contract forbids is refused."""
        return self._intake.strict

    @property
    def ignored_keys(self) -> Mapping[str, int]:
        """Top-level keys the contract does not know, with how often they came since the start."""
        return self._ignored

    def rows(self) -> list[Row]:
        """Every path the official clients post to, and the probe."""
        lanes = [self._row(f"/v1/{path}", name, says, lane, body) for lane, path, name, says, body in _LANES]
        says, body = "Spans, as OTLP in JSON or protobuf.", otlp_json.TraceRequest
        traces = [
            self._row(path, f"send_traces_{number}", says, Lane.TRACES, body)
            for number, path in enumerate(TRACE_PATHS, 1)
        ]
        probe = Row(
            method="GET", path="/v1/", name="probe", endpoint=_here, status=204,
            says="How clients look for a Workshop.",
        )  # fmt: skip
        return [*lanes, *traces, probe]

    def _row(self, path: str, name: str, says: str, lane: Lane | None, body: Any) -> Row:
        return Row(
            method="POST", path=path, name=name, says=says, body=body, status=204, endpoint=self._endpoint(lane),
            medias=(PROTOBUF,) if lane is Lane.TRACES else (),
            headers=(Query(name=PROJECT_HEADER, says="The project that all of it belongs to."),),
            refusals=(400, 408, 413, 415, 503),
        )  # fmt: skip

    def _endpoint(self, lane: Lane | None) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._accept(request, lane)

        return endpoint

    async def _accept(self, request: Request, lane: Lane | None) -> Response:
        post = _Post(
            lane=lane,
            body=await bodies.received(request, self._intake.max_body, self._intake.request_seconds),
            encoding=request.headers.get("content-encoding", ""),
            content_type=request.headers.get("content-type", ""),
            project_id=request.headers.get(PROJECT_HEADER),
        )
        inline = len(post.body) <= INLINE_BYTES and not post.encoding
        batch = self._read(post) if inline else await run_in_threadpool(self._read, post)
        changed = await asyncio.wrap_future(self._store.append(batch))
        self.bodies += 1
        self._count_ignored(batch.ignored)
        self._feed.publish(changed)
        self._feed.say(batch.steps)
        return Response(status_code=204)

    def _read(self, post: _Post) -> Batch:
        if not self.strict:
            return self._batch(post)
        _hold(contract.breach_of_headers(post.lane, post.content_type, post.project_id))
        try:
            return self._batch(post)
        except RefusedError as refused:
            if refused.error == "invalid_body":
                _hold(contract.breach_of_id(refused.field))
            raise

    def _batch(self, post: _Post) -> Batch:
        plain = bodies.inflated(post.body, post.encoding, self._intake.max_body)
        if post.lane is Lane.TRACES:
            return self._spans(plain, post)
        body = bodies.decoded(plain)
        if self.strict:
            _hold(contract.breach(post.lane, body))
        read = READERS[post.lane] if post.lane else live_steps.read_live
        return read(body, post.project_id)

    def _spans(self, plain: bytes, post: _Post) -> Batch:
        """OTLP is read before it is held to the contract, whose rules speak of spans that could be read."""
        protobuf = bodies.media_type(post.content_type) in PROTOBUF_TYPES
        body = None if protobuf else bodies.decoded(plain)
        found = otlp_protobuf.read(plain) if protobuf else otlp_json.read(body)
        if self.strict:
            _hold(contract.breach(Lane.TRACES, otlp_protobuf.as_json(plain) if protobuf else body))
        return Batch(spans=tuple(spans.read(span, post.project_id) for span in found))

    def _count_ignored(self, ignored: Mapping[str, int]) -> None:
        for name, times in ignored.items():
            short = name[:MAX_NAME_CHARS]
            known = short in self._ignored or len(self._ignored) < MAX_IGNORED_NAMES
            self._ignored[short if known else "(others)"] += times


async def _here(request: Request) -> Response:
    """`HEAD /v1/` is how clients look for a Workshop (the wire contract's section 9)."""
    del request
    return Response(status_code=204)


def _hold(breach: contract.Breach | None) -> None:
    """Refuse what breaks the contract, saying which rule."""
    if breach is not None:
        told = {"name": breach.name, "section": breach.rule.section, "says": breach.rule.says}
        message = f"{breach.rule.says} (contract, section {breach.rule.section}; this is {breach.got})"
        raise RefusedError(400, "contract", message, breach.field, {"rule": told, "got": breach.got})


_LANES: Final[tuple[tuple[Lane | None, str, str, str, Any], ...]] = (
    (
        Lane.EVENTS, ROUTES[Lane.EVENTS], "track_events", "Complete events: an array of them, or one.",
        list[schemas.TrackBody] | schemas.TrackBody,
    ),
    (
        Lane.PARTIALS, ROUTES[Lane.PARTIALS], "track_partial",
        "What is known of an event so far; what is said again replaces, the rest stays.", schemas.PartialBody,
    ),
    (
        Lane.SIGNALS, ROUTES[Lane.SIGNALS], "track_signals", "Judgements of events, which may come before them.",
        list[schemas.SignalBody] | schemas.SignalBody,
    ),
    (
        Lane.USERS, ROUTES[Lane.USERS], "identify_users", "Traits of users, merged by key.",
        list[schemas.UserBody] | schemas.UserBody,
    ),
    (
        None, "live", "send_live_step", "A step of a turn that is running: shown at once, kept only for its tools.",
        live_steps.LiveBody,
    ),
)  # fmt: skip
