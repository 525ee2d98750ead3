"""A transport that answers in the process itself, where no receiver is to be measured along."""

from __future__ import annotations

import threading

import httpx


class Answering(httpx.BaseTransport):
    """Says 204; one that ``holds`` never says anything."""

    def __init__(self, *, holds: bool = False) -> None:
        self._may_go = threading.Event()
        if not holds:
            self._may_go.set()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Take the body piece by piece, as the network does, and answer."""
        for _ in request.stream:  # type: ignore[union-attr]
            pass
        self._may_go.wait()
        return httpx.Response(204)
