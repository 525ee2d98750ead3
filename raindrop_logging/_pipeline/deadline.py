"""One deadline for a whole attempt, under an HTTP library that only bounds each read and write by itself.

A server that sends its answer a byte a second never exceeds a bound per read. So every connect, read and write of a
thread gets at most what is left of that thread's deadline:

    with ends_within(15.0):
        transport.handle_request(request)

In: seconds, and the connection pool of a transport
Out: httpcore's timeout errors when the time is over
Touches: sockets (httpcore), the clock, a variable of the calling thread
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore

if TYPE_CHECKING:
    import httpx

_POOL, _BACKEND = "_pool", "_network_backend"
"""Where httpx keeps its pool and httpcore what opens its sockets: httpx offers no door of its own to it."""

_PIECE_BYTES = 16 * 1024
"""What is written at once where there is no socket to write to: a TLS record."""


class _OfThread(threading.local):
    ends: float | None = None


_deadline = _OfThread()


@contextmanager
def ends_within(seconds: float) -> Generator[None]:
    """Everything that this thread does on a bounded transport ends after so many seconds; one inside only shortens."""
    outer, ends = _deadline.ends, time.monotonic() + seconds
    _deadline.ends = ends if outer is None else min(outer, ends)
    try:
        yield
    finally:
        _deadline.ends = outer


def is_over() -> bool:
    """Whether this thread's deadline has passed; for loops over a transport that may not be bounded."""
    return _deadline.ends is not None and time.monotonic() >= _deadline.ends


def bounded(transport: httpx.HTTPTransport) -> bool:
    """Have a new transport keep to `ends_within`, through whatever proxy; False where its pool is not as expected.

    Then each read and write still has its own timeout, which is all that httpx promises.
    """
    pool = getattr(transport, _POOL, None)
    backend = getattr(pool, _BACKEND, None)
    if not isinstance(backend, httpcore.NetworkBackend):
        return False
    setattr(pool, _BACKEND, _Backend(backend))
    return True


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    """The shorter of a timeout and what is left of the deadline."""
    if _deadline.ends is None:
        return timeout
    left = _deadline.ends - time.monotonic()
    if left <= 0:
        raise error("the time for one attempt is over")
    return left if timeout is None else min(timeout, left)


class _Backend(httpcore.NetworkBackend):
    """Opens sockets whose streams keep to the deadline; only the look-up of a name can not be bounded."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        # The addresses of a host are tried here: the backend would give each of them the whole timeout.
        failed: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _addresses(host, port):
            left = _left(timeout, httpcore.ConnectTimeout)
            try:
                return _Stream(self._backend.connect_tcp(address, port, left, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = error
        raise failed

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._backend.connect_unix_socket(path, left, socket_options))

    def sleep(self, seconds: float) -> None:
        self._backend.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self._socket = _socket_of(stream)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if self._socket is None:
            # The stream would wait anew each time that the socket takes some.
            for start in range(0, len(buffer), _PIECE_BYTES):
                piece = buffer[start : start + _PIECE_BYTES]
                self._stream.write(piece, _left(timeout, httpcore.WriteTimeout))
            return
        try:
            self._socket.settimeout(_left(timeout, httpcore.WriteTimeout))
            self._socket.sendall(buffer)
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _socket_of(stream: httpcore.NetworkStream) -> socket.socket | None:
    """The socket of a stream, where all that is written to the stream goes to it as it is: its own `sendall` has one
    timeout for all of a text, in one call. None where TLS within TLS is in front of it."""
    found, within = stream.get_extra_info("socket"), stream.get_extra_info("ssl_object")
    return found if isinstance(found, socket.socket) and not isinstance(within, ssl.SSLObject) else None


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(where[0]) for *_, where in found))
