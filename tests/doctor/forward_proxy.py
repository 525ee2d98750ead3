"""A forward proxy that opens tunnels, for those who know its user and password.

In: CONNECT requests on a loopback port.  Out: `tunnels`, the targets that were asked for and granted.
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from base64 import b64encode
from itertools import takewhile
from typing import Self

USER, PASSWORD = "tester", "opensesame"


class ForwardProxy:
    """Starts at once and ends with its `with` block."""

    def __init__(self) -> None:
        self.tunnels: list[str] = []
        proxy = self

        class Tunnelling(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                lines = iter(self.rfile.readline, b"")  # which ends where the client has gone
                head = b"".join(takewhile(lambda line: line != b"\r\n", lines)).decode()
                if not head:
                    return
                if f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}" not in head:
                    self.wfile.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
                    return
                target = head.split()[1]
                host, _, port = target.rpartition(":")
                proxy.tunnels.append(target)
                with socket.create_connection((host, int(port)), timeout=10) as onward:
                    self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    threading.Thread(target=_pump, args=(onward, self.connection), daemon=True).start()
                    _pump(self.connection, onward)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Tunnelling)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.port = self._server.server_address[1]

    def address(self, user: str = USER, password: str = PASSWORD) -> str:
        """What to configure as proxy."""
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while came := source.recv(65_536):
            target.sendall(came)
    for one in (source, target):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
