"""Whether a receiver can be reached, step by step: its name, a proxy, a connection, TLS.

In: a `Receiver`, seconds a step.  Out: checks, the first failure being the last that was looked at.
Touches: the resolver, sockets, a thread for a look-up that may hang.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Struct

from raindrop_logging._pipeline.sender import Receiver, is_loopback, proxy_of
from raindrop_logging.cli.diagnosis.certificate import inspected
from raindrop_logging.cli.diagnosis.checks import Check, fail, ok, skip, warn
from raindrop_logging.wire import start_workshop

if TYPE_CHECKING:
    from raindrop_logging.cli.diagnosis.certificate import Opened

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}


class _Hop(Struct, frozen=True):
    """Where the first connection goes: the receiver itself, or its proxy."""

    host: str
    port: int
    proxy: SplitResult | None
    target: SplitResult


def checks(receiver: Receiver, seconds: float, environ: Mapping[str, str] | None = None) -> Iterator[Check]:
    """The steps, in order; what follows a failed one is skipped."""
    hop, addresses = _hop_of(receiver), list[str]()
    steps: list[tuple[str, Callable[[], Iterator[Check]]]] = [
        ("endpoint", lambda: _endpoint(receiver, hop)),
        ("proxy", lambda: _proxy(receiver, hop, os.environ if environ is None else environ)),
        ("dns", lambda: _dns(hop, seconds, addresses)),
        ("tcp", lambda: _tcp(hop, seconds, addresses, is_local=is_loopback(receiver.endpoint))),
        ("tls", lambda: _tls(receiver, hop, seconds, addresses)),
    ]
    failed = None
    for name, step in steps:
        if failed is not None:
            yield skip(name, f"not looked at, since {failed} failed")
            continue
        for check in step():
            failed = name if check.state == "fail" else failed
            yield check


def _hop_of(receiver: Receiver) -> _Hop:
    target = urlsplit(receiver.endpoint)
    address = proxy_of(receiver)
    proxy = None if address is None else urlsplit(address)
    first = target if proxy is None else proxy
    return _Hop(first.hostname or "", first.port or _PORTS.get(first.scheme, 80), proxy, target)


def _endpoint(receiver: Receiver, hop: _Hop) -> Iterator[Check]:
    if hop.target.scheme == "http" and receiver.write_key is not None and not is_loopback(receiver.endpoint):
        said = f"{receiver.endpoint} is not encrypted: the write key and all that is logged can be read on the way"
        yield warn("endpoint", said, "use an https address")
    else:
        yield ok("endpoint", receiver.endpoint)


def _proxy(receiver: Receiver, hop: _Hop, environ: Mapping[str, str]) -> Iterator[Check]:
    if hop.proxy is None:
        yield ok("proxy", "none")
        return
    names = (f"{hop.target.scheme}_proxy", "all_proxy")
    asked = [name for word in names for name in (word, word.upper()) if environ.get(name)]
    origin = "key proxy" if receiver.proxy is not None else f"variable {asked[0]}" if asked else "the system's"
    yield ok("proxy", f"{hop.proxy.scheme}://{hop.host}:{hop.port} ({origin})")


# ---- the name ------------------------------------------------------------------------------------------------------


def _dns(hop: _Hop, seconds: float, addresses: list[str]) -> Iterator[Check]:
    """Look the host up, on a thread of its own: a look-up cannot be given a time."""
    found: list[list[str] | OSError] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(hop.host, hop.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            found.append(error if isinstance(error, OSError) else OSError(str(error)))
        else:
            found.append(list(dict.fromkeys(str(where[0]) for *_, where in answers)))

    started = time.monotonic()
    looking = threading.Thread(target=look_up, daemon=True, name="raindrop-doctor-dns")
    looking.start()
    looking.join(seconds)
    ms = _ms_since(started)
    if not found:
        yield fail("dns", f"no answer about {hop.host} within {seconds:g} s", _RESOLVER, ms=ms)
    elif isinstance(found[0], OSError):
        reason = found[0].strerror or str(found[0])
        yield fail("dns", f"{hop.host} cannot be resolved: {reason}", _SPELLING, ms=ms)
    else:
        addresses += found[0]
        said = hop.host if addresses == [hop.host] else f"{hop.host} is {', '.join(addresses[:_MOST_SHOWN])}"
        yield ok("dns", f"{said} ({ms:.0f} ms)", ms=ms, addresses=addresses)


_MOST_SHOWN: Final = 4
_RESOLVER: Final = (
    "see whether this machine's name server can be reached (/etc/resolv.conf, a VPN, a container's network)"
)
_SPELLING: Final = (
    "check the spelling of the address; in a container or a VPN, see whether names outside can be resolved"
)


# ---- the connection ------------------------------------------------------------------------------------------------


def _tcp(hop: _Hop, seconds: float, addresses: list[str], *, is_local: bool) -> Iterator[Check]:
    """Connect to the addresses one after the other, as a request does; those that do not answer are put last."""
    failed: dict[str, OSError] = {}
    for address in tuple(addresses):
        started = time.monotonic()
        try:
            socket.create_connection((address, hop.port), timeout=seconds / len(addresses)).close()
        except OSError as error:
            failed[address] = error
            continue
        ms = _ms_since(started)
        addresses[:] = [address]
        said = f"connected to {address} port {hop.port} ({ms:.0f} ms)"
        if failed:
            silent = ", ".join(failed)
            todo = "each new connection tries these addresses first: repair them, or have the name not mean them"
            yield warn("tcp", f"{said}, but not to {silent}", todo, ms=ms)
        else:
            yield ok("tcp", said, ms=ms)
        return
    yield _no_connection(hop, failed, is_local=is_local)


def _no_connection(hop: _Hop, failed: Mapping[str, OSError], *, is_local: bool) -> Check:
    place, error = f"{hop.host} port {hop.port}", next(iter(failed.values()))
    what = "the proxy" if hop.proxy is not None else "the receiver"
    if isinstance(error, TimeoutError):
        said = f"no answer from {place}"
        todo = f"a firewall or a security group may drop what goes to {what}; or a proxy is needed: set proxy"
    elif isinstance(error, ConnectionRefusedError):
        said = f"nothing listens on {place}: the connection was refused"
        todo = f"see whether {what} runs there, and whether the port is right"
        if is_local and hop.proxy is None:
            todo = f"{start_workshop(f'http://{hop.host}:{hop.port}')}, or correct the address"
    else:
        said = f"no connection to {place}: {error.strerror or error}"
        todo = "see whether this machine has a network, and a route to it"
    return fail("tcp", said, todo)


# ---- TLS -----------------------------------------------------------------------------------------------------------


def _tls(receiver: Receiver, hop: _Hop, seconds: float, addresses: list[str]) -> Iterator[Check]:
    if hop.target.scheme != "https":
        yield skip("tls", "the address is http: nothing is encrypted")
        return
    if hop.proxy is not None and hop.proxy.scheme != "http":
        yield skip("tls", f"by way of a {hop.proxy.scheme} proxy only the requests themselves tell")
        return
    host, port = hop.target.hostname or "", hop.target.port or _PORTS["https"]
    if hop.proxy is None:
        opened: Opened = lambda: socket.create_connection((addresses[0], port), timeout=seconds)  # noqa: E731
    else:
        try:
            _tunnel(hop, host, port, seconds).close()
        except OSError as error:
            yield _no_tunnel(error)
            return
        opened = lambda: _tunnel(hop, host, port, seconds)  # noqa: E731
    yield inspected(opened, host, receiver)


def _tunnel(hop: _Hop, host: str, port: int, seconds: float) -> socket.socket:
    """A connection to the receiver through an http proxy."""
    assert hop.proxy is not None  # noqa: S101 -- asked by who has one
    with closing(HTTPConnection(hop.host, hop.port, timeout=seconds)) as connection:
        connection.set_tunnel(host, port, _credentials(hop.proxy))
        connection.connect()
        tunnel, connection.sock = connection.sock, None  # not closed with it
        return tunnel


def _credentials(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    said = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(said.encode()).decode()}"}


def _no_tunnel(error: OSError) -> Check:
    from raindrop_logging.cli.diagnosis import remedies

    said = str(error.strerror or error)
    status = next((int(word) for word in said.split() if word.isdigit()), None)
    if status == 407:  # noqa: PLR2004 -- what HTTP calls this
        return fail("tls", f"the proxy refuses: {said}", remedies.OF_STATUS[407], status=status)
    todo = "the proxy does not let this through: ask those who run it to allow the receiver's host and port"
    return fail("tls", f"the proxy does not connect: {said}", todo, status=status)


def _ms_since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
