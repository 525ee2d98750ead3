"""Running the Workshop: `serve` for people, `running` for programs and tests.

In: a port and a database.  Out: a server on 127.0.0.1 and no other address.  Touches: a socket, a thread, the store.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
import webbrowser
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import msgspec

from raindrop_logging.errors import MissingExtraError, RaindropLoggingError
from raindrop_logging.wire import WORKSHOP_PORT
from raindrop_logging.workshop.limits import MAX_BODY_BYTES, REQUEST_SECONDS, Intake
from raindrop_logging.workshop.retention import KEEP_ALL, Limits, kept_within
from raindrop_logging.workshop.store import MEMORY, NAME, Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    import uvicorn

HOST: Final = "127.0.0.1"
START_SECONDS: Final = 20.0
PROBE_SECONDS: Final = 1.0
EXTRA_LIBRARIES: Final = frozenset({"starlette", "uvicorn", "jinja2", "markdown_it", "anyio", "h11"})


class _Health(msgspec.Struct):
    name: str


class PortInUseError(RaindropLoggingError):
    """Another program listens on the port; the message says which, as far as it can, and what to do."""


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A Workshop that is up: `url` is its page, `endpoint` what an SDK is pointed at."""

    port: int
    store: Store

    @property
    def url(self) -> str:
        """Such as ``http://127.0.0.1:5899``."""
        return f"http://{HOST}:{self.port}"

    @property
    def endpoint(self) -> str:
        """Such as ``http://127.0.0.1:5899/v1/``."""
        return f"{self.url}/v1/"


def serve(
    port: int = WORKSHOP_PORT,
    db: str | os.PathLike[str] | None = None,
    *,
    limits: Limits = KEEP_ALL,
    open_browser: bool = True,
    announce: Callable[[str], object] = print,
    strict: bool = False,
    max_body: int = MAX_BODY_BYTES,
    request_seconds: float = REQUEST_SECONDS,
) -> None:
    """Run until interrupted (Ctrl-C or SIGTERM), on the calling thread, which must be the main one.

    Args:
        port: 0 takes a free one.
        db: a path, ``":memory:"``, or None for `raindrop_logging.workshop.store.default_path`.
        limits: what is beyond them is deleted while it runs; nothing by default.
        open_browser: show the page, where there is a screen to show it on.
        announce: told, in a few lines, where it is and where the data goes.
        strict: answer 400, with the rule, for whatever the wire contract does not allow.
        max_body: the largest body in bytes, as sent and once inflated; a larger one is answered 413.
        request_seconds: how long a request's head may take to arrive, and its body once more.

    Raises:
        PortInUseError: the port is taken.
        StoreError: the database cannot be used.
        MissingExtraError: the extra ``workshop`` is not installed.
    """
    intake = Intake(strict=strict, max_body=max_body, request_seconds=request_seconds)
    listening = _listen(port)
    with listening, _opened(db) as store:
        workshop = Running(port=listening.getsockname()[1], store=store)

        def started() -> None:
            announce(f"Workshop: {workshop.url} (Ctrl-C stops it)")
            announce(f"Point any Raindrop SDK at {workshop.endpoint}")
            announce(f"Everything is kept in {store.location}")
            if open_browser and _has_screen():
                threading.Thread(target=webbrowser.open, args=(workshop.url,), daemon=True).start()

        with suppress(KeyboardInterrupt), kept_within(store, limits, announce):
            _server(store, started, intake).run(sockets=[listening])


@contextmanager
def running(
    db: str | os.PathLike[str] | None = MEMORY,
    port: int = 0,
    *,
    strict: bool = False,
    max_body: int = MAX_BODY_BYTES,
    request_seconds: float = REQUEST_SECONDS,
) -> Generator[Running]:
    """A Workshop in a thread of this process, up inside the `with` block.

    Args and errors as for `serve`; by default in memory and on a free port.
    """
    intake = Intake(strict=strict, max_body=max_body, request_seconds=request_seconds)
    listening = _listen(port)
    with listening, _opened(db) as store:
        up = threading.Event()
        server = _server(store, up.set, intake)
        thread = threading.Thread(target=server.run, args=([listening],), name="workshop-server", daemon=True)
        thread.start()
        try:
            if not up.wait(START_SECONDS):
                raise RaindropLoggingError(f"the Workshop did not start within {START_SECONDS:g} s")
            yield Running(port=listening.getsockname()[1], store=store)
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def _opened(db: str | os.PathLike[str] | None) -> Generator[Store]:
    store = open_store(db)
    try:
        yield store
    finally:
        store.close()


def _listen(port: int) -> socket.socket:
    listening = socket.socket(
        socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # named, or asyncio lets Nagle wait
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(512)
    except OSError as error:
        listening.close()
        raise PortInUseError(_busy(port, error)) from error
    except OverflowError:
        listening.close()
        raise PortInUseError(f"port {port} is not between 0 and 65535: choose another with --port") from None
    return listening


def _busy(port: int, error: OSError) -> str:
    if _is_workshop(port):
        return f"a Workshop already runs on port {port}: open http://{HOST}:{port}, or start another with --port"
    return f"cannot listen on port {port} ({error.strerror}): another program may have it; choose another with --port"


def _is_workshop(port: int) -> bool:
    """Whether what listens there answers `/api/health` as this program does."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", "/api/health")
        answer = connection.getresponse().read(65_536)
        return msgspec.json.decode(answer, type=_Health).name == NAME
    except (OSError, ValueError, http.client.HTTPException, msgspec.DecodeError):
        return False
    finally:
        connection.close()


def _server(store: Store, started: Callable[[], object], intake: Intake) -> uvicorn.Server:
    try:
        import uvicorn

        from raindrop_logging.workshop.app import build
        from raindrop_logging.workshop.live import LiveFeed
        from raindrop_logging.workshop.receiving.http_protocol import patient_for
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in EXTRA_LIBRARIES:
            raise MissingExtraError("the Workshop", missing, "workshop") from error
        raise

    feed = LiveFeed()

    class Server(uvicorn.Server):
        """Says when it is up, and ends the live streams before it waits for its connections to close."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            started()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            feed.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        build(store, feed, intake),
        loop="asyncio",
        http=patient_for(intake.request_seconds),
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=3,
    )
    return Server(config)


def _has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
