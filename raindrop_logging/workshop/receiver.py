"""The ingest routes: what Raindrop's cloud accepts, accepted here and stored.

In: HTTP requests.  Out: 204 once the data is durable, or a refusal as JSON.  Touches: the store, the live feed.
Nothing reads the Authorization header, so no key can be stored or shown.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.routing import Route

from raindrop_logging.wire import PROJECT_HEADER, PROTOBUF, ROUTES, Lane
from raindrop_logging.workshop import body as bodies
from raindrop_logging.workshop import otlp, spans
from raindrop_logging.workshop.payloads import READERS
from raindrop_logging.workshop.records import Batch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from raindrop_logging.workshop.live import LiveFeed
    from raindrop_logging.workshop.store import Store

TRACE_PATHS: Final = (f"/v1/{ROUTES[Lane.TRACES]}", "/v1/otel/v1/traces", "/otel/v1/traces")
PROTOBUF_TYPES: Final = frozenset({PROTOBUF, "application/protobuf"})

INLINE_BYTES: Final = 64 * 1024
"""A larger body is read in another thread, so that the server answers others meanwhile."""

MAX_IGNORED_NAMES: Final = 100
"""Unknown keys are counted by name up to so many names, then under `(others)`."""


class Receiver:
    """The ingest end of one Workshop."""

    def __init__(self, store: Store, feed: LiveFeed) -> None:
        self._store = store
        self._feed = feed
        self._ignored: Counter[str] = Counter()
        self.bodies = 0  # stored since the start

    @property
    def ignored_keys(self) -> Mapping[str, int]:
        """Top-level keys the contract does not know, with how often they came since the start."""
        return self._ignored

    def routes(self) -> list[Route]:
        """Every path the official clients post to, and the probe."""
        lanes = [Route(f"/v1/{ROUTES[lane]}", self._lane(lane), methods=["POST"]) for lane in READERS]
        traces = [Route(path, self._traces, methods=["POST"]) for path in TRACE_PATHS]
        return [*lanes, *traces, Route("/v1/", _here, methods=["GET"])]

    def _lane(self, lane: Lane) -> Callable[[Request], Awaitable[Response]]:
        read = READERS[lane]

        async def endpoint(request: Request) -> Response:
            project_id = request.headers.get(PROJECT_HEADER)
            return await self._accept(request, lambda plain: read(bodies.decoded(plain), project_id))

        return endpoint

    async def _traces(self, request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        return await self._accept(request, _read_protobuf if content_type in PROTOBUF_TYPES else _read_json_traces)

    async def _accept(self, request: Request, read: Callable[[bytes], Batch]) -> Response:
        sent = await bodies.received(request)
        encoding = request.headers.get("content-encoding", "")

        def batch_of_body() -> Batch:
            return read(bodies.inflated(sent, encoding))

        inline = len(sent) <= INLINE_BYTES and not encoding
        batch = batch_of_body() if inline else await run_in_threadpool(batch_of_body)
        changed = await asyncio.wrap_future(self._store.append(batch))
        self.bodies += 1
        self._count_ignored(batch.ignored)
        self._feed.publish(changed)
        return Response(status_code=204)

    def _count_ignored(self, ignored: Mapping[str, int]) -> None:
        for name, times in ignored.items():
            known = name in self._ignored or len(self._ignored) < MAX_IGNORED_NAMES
            self._ignored[name[:100] if known else "(others)"] += times


async def _here(request: Request) -> Response:
    """`HEAD /v1/` is how clients look for a Workshop (the wire contract's section 9)."""
    del request
    return Response(status_code=204)


def _read_protobuf(body: bytes) -> Batch:
    return Batch(spans=tuple(spans.read(span) for span in otlp.read_protobuf(body)))


def _read_json_traces(body: bytes) -> Batch:
    return Batch(spans=tuple(spans.read(span) for span in otlp.read_json(bodies.decoded(body))))
