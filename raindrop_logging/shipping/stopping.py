"""Being asked to stop: Ctrl-C and SIGTERM, heard between two lines.

In: signals.  Out: whether to stop; waits that end when it is time to.  Touches: the handlers of SIGINT and SIGTERM.
"""

from __future__ import annotations

import io
import os
import select
import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_LOOK_SECONDS: Final = 0.1


class Stop:
    """Whether somebody has asked to stop; a second time ends the process as if nobody listened."""

    def __init__(self) -> None:
        self.is_asked = False  # no Event: a signal handler would wait for the lock of the one who waits

    def wait(self, seconds: float) -> None:
        """Wait so long, or until it is time to stop."""
        until = time.monotonic() + seconds
        while not self.is_asked and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))

    @contextmanager
    def listening(self) -> Generator[None]:
        """Hear the signals meanwhile."""
        before = {number: signal.getsignal(number) for number in _SIGNALS}

        def asked(number: int, _frame: FrameType | None) -> None:
            self.is_asked = True
            signal.signal(number, before[signal.Signals(number)])

        for number in _SIGNALS:
            signal.signal(number, asked)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class Pipe(io.RawIOBase):
    """Standard input, which ends when it is time to stop, even while nothing comes."""

    def __init__(self, fd: int, stop: Stop) -> None:
        super().__init__()
        self._fd = fd
        self._stop = stop

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # any buffer would do
        """What has come, as soon as something has; nothing at the end."""
        while not self._stop.is_asked:
            if select.select([self._fd], [], [], _LOOK_SECONDS)[0]:
                found = os.read(self._fd, len(buffer))
                buffer[: len(found)] = found
                return len(found)
        return 0
