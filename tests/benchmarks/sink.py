"""A receiver in a process of its own: takes HTTP/1.1 with keep-alive, answers 204, and counts afterwards.

As ``python -m tests.benchmarks.sink [--delay SECONDS] [--tls PEM]`` it prints its port, and then answers each line
``report`` on its input with one line of JSON about what arrived since the last one. Bodies are decoded only then: while
the parties are measured it does as little as it can.
"""

from __future__ import annotations

import argparse
import json
import socket
import ssl
import sys
import threading
import time
from typing import Any

import msgspec

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_CHUNK = 1 << 16

Arrival = tuple[float, bytes, bytearray]
"""Monotonic time, path, body."""


class Sink:
    """Serves one listening socket, a thread a connection; ``delay`` is the round trip, in seconds."""

    def __init__(self, delay: float = 0.0, tls: ssl.SSLContext | None = None) -> None:
        self.arrivals: list[Arrival] = []
        self._delay = delay
        self._tls = tls
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            wrapped = connection if self._tls is None else self._tls.wrap_socket(connection, server_side=True)
            with wrapped:
                while self._one(wrapped):
                    pass
        except OSError:  # the party has gone
            return

    def _one(self, connection: socket.socket) -> bool:
        """Take one request and answer it; false at the end of the connection."""
        held = b""
        while (end := held.find(b"\r\n\r\n")) < 0:
            more = connection.recv(_CHUNK)
            if not more:
                return False
            held += more
        head, body = held[:end], bytearray(held[end + 4 :])
        came, length = len(body), _length(head)
        body.extend(bytes(length - came))
        with memoryview(body) as room:
            while came < length:
                taken = connection.recv_into(room[came:])
                if not taken:
                    return False
                came += taken
        if self._delay:
            time.sleep(self._delay)
        connection.sendall(_ANSWER)
        self.arrivals.append((time.monotonic(), head.split(b" ", 2)[1], body))
        return True

    def report(self) -> dict[str, Any]:
        """What arrived since the last time: events by id, bytes, requests, and when the last one came."""
        arrivals, self.arrivals = self.arrivals, []
        finals: dict[str, float] = {}
        events = 0
        for at, path, body in arrivals:
            if b"/events/" not in path:
                continue
            said = msgspec.json.decode(body)
            for event in said if isinstance(said, list) else [said]:
                events += 1
                if not event.get("is_pending"):
                    finals[event["event_id"]] = at
        return {
            "requests": len(arrivals),
            "events": events,
            "finals": len(finals),
            "bytes": sum(len(body) for _, _, body in arrivals),
            "last": max((at for at, _, _ in arrivals), default=0.0),
            "last_final": max(finals.values(), default=0.0),
        }


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def main() -> None:
    """Serve until the input ends."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.sink")
    parser.add_argument("--delay", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--tls", metavar="PEM", help="a file with a certificate and its key")
    given = parser.parse_args()
    tls = None
    if given.tls:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(given.tls)
    sink = Sink(given.delay, tls)
    print(sink.port, flush=True)
    for _ in sys.stdin:
        print(json.dumps(sink.report()), flush=True)


if __name__ == "__main__":
    main()
