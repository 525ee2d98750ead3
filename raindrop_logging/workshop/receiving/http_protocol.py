"""HTTP as uvicorn speaks it, but for a connection that never says what it wants: that one is ended.

In: bytes of a connection.  Out: the same, to uvicorn.  Touches: the connection, one timer.
uvicorn waits without end for the rest of a request's head. The rest of a body is waited for in `body.received`.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from raindrop_logging.workshop.limits import REQUEST_SECONDS


class Patient(H11Protocol):
    """Waits for so many `seconds` for the head of a request."""

    seconds: ClassVar[float] = REQUEST_SECONDS
    _ends: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client came: its first request is waited for."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Something arrived: the head, or a part of it."""
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client went away."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        if self._ends is None:
            self._ends = self.loop.call_later(self.seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._ends is not None:
            self._ends.cancel()
            self._ends = None

    def _end(self) -> None:
        self._ends = None
        if self.conn.their_state is h11.IDLE:
            self.transport.abort()


def patient_for(seconds: float) -> type[asyncio.Protocol]:
    """The protocol that ends a connection whose head has not arrived after so many seconds."""
    return type("Patient", (Patient,), {"seconds": seconds})
