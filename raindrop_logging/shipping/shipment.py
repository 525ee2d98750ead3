"""One shipment from the first line to the last: the only file that knows the order of the stages.

Lines are read until a window is full. Then it is waited until all of its records have arrived or were refused, what was
refused is written down, and the positions are saved: so what is saved has arrived, and what a kill leaves is sent
again, with the same ids and times. An interaction that is open then goes out as pending, and a line that finishes it
later, in this run or another one, is whole enough.

In: Inputs.  Out: Report.  Touches: what its stages touch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from io import BufferedReader
from math import inf
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from raindrop_logging.shipping.delivery import WINDOW_BYTES, WINDOW_RECORDS, Delivery
from raindrop_logging.shipping.inputs import STDIN, Inputs
from raindrop_logging.shipping.lines import Line, lines
from raindrop_logging.shipping.opened import BROKEN_OFF, Found, MovedError, Opened, UnreadableError, look, origin_of
from raindrop_logging.shipping.positions import Position, Positions, at
from raindrop_logging.shipping.progress import Progress, Seen
from raindrop_logging.shipping.records import RecordReader, Unsaid
from raindrop_logging.shipping.rejects import Reject, Rejects
from raindrop_logging.shipping.stopping import Pipe, Stop

WINDOW_LINES: Final = 100_000
"""Lines, of whatever kind, after which positions are saved."""

POLL_SECONDS: Final = 0.5
LAST_SECONDS: Final = 10.0
"""How long a shipment that was asked to stop waits for what it has read."""


class Report(Struct, kw_only=True):
    """What became of the lines that this run has read.

    Attributes:
        lines: lines read.
        records: those that held a record.
        delivered: records that arrived; in a rehearsal those that would be sent.
        skipped: log lines without a block, and blank ones.
        summaries: of these, lines that hold only the summary of a block.
        rejected: lines that are no JSON or whose block is invalid or refused.
        left: records that were read and may not have arrived; they are sent again by the next run.
        unfinished: files whose last line is still being written.
        files: files that had something to read.
        looked_at: files that there were.
        troubles: files that could not be read to their end.
        stopped: why it ended early; empty where it did not.
        interrupted: somebody asked it to stop.
        seconds: how long it took.
    """

    lines: int = 0
    records: int = 0
    delivered: int = 0
    skipped: int = 0
    summaries: int = 0
    rejected: int = 0
    left: int = 0
    unfinished: int = 0
    files: int = 0
    looked_at: int = 0
    troubles: list[str] = msgspec.field(default_factory=list)
    stopped: str = ""
    interrupted: bool = False
    seconds: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether everything that was read has arrived, and everything that could be was read."""
        return not (self.rejected or self.left or self.troubles or self.stopped)


class _Window:
    """What has been read since the last time that all was settled."""

    def __init__(self) -> None:
        self.records = 0
        self.nbytes = 0
        self.lines = 0
        self.texts: dict[tuple[str, int], bytes] = {}
        self.rejects: list[Reject] = []

    @property
    def is_full(self) -> bool:
        return self.records >= WINDOW_RECORDS or self.nbytes >= WINDOW_BYTES or self.lines >= WINDOW_LINES


class Shipment:
    """Ships what its inputs hold.

    Args:
        delivery, positions, reader, rejects, progress, stop: the stages, and what they share.
        follow: goes on with what comes, until it is asked to stop.
        most: lines to read at most in this run.
    """

    def __init__(
        self,
        *,
        delivery: Delivery,
        positions: Positions,
        reader: RecordReader,
        rejects: Rejects,
        progress: Progress,
        stop: Stop,
        follow: bool = False,
        most: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._delivery = delivery
        self._positions = positions
        self._reader = reader
        self._rejects = rejects
        self._progress = progress
        self._stop = stop
        self._follow = follow
        self._most = most
        self._clock = clock
        self._report = Report()
        self._window = _Window()
        self._reached: dict[tuple[int, int], tuple[Found, int, int]] = {}
        self._taken_up: dict[tuple[int, int], tuple[int, int]] = {}
        self._found: dict[Path, Found] = {}
        self._own = {path.resolve() for path in (positions.path, rejects.path) if path is not None}
        self._read, self._total = 0, 0
        self._wait_until: float | None = None

    def ship(self, inputs: Inputs) -> Report:
        """Ship files, as far as they were not shipped before."""
        started = self._clock()
        while self._pass(inputs) or (self._follow and not self._is_over):
            if self._follow:
                self._stop.wait(POLL_SECONDS)
        return self._ended(started)

    def ship_pipe(self, fd: int) -> Report:
        """Ship what comes out of a pipe, to its end."""
        started = self._clock()
        stream = BufferedReader(Pipe(fd, self._stop))
        self._report.files = 1
        origin = b""
        for line in lines(stream, start=0, number=1):
            if self._stop.is_asked and not line.is_whole:
                break  # the rest of it was not waited for
            origin = origin or origin_of(line.data)
            self._read = line.end
            self._take(line, STDIN, origin)
            if self._is_over:
                break
        return self._ended(started)

    def _ended(self, started: float) -> Report:
        self._settle()
        report = self._report
        report.delivered = self._delivery.delivered()
        report.interrupted = self._stop.is_asked
        report.seconds = self._clock() - started
        return report

    @property
    def _is_over(self) -> bool:
        spent = self._most is not None and self._report.lines >= self._most
        return self._stop.is_asked or spent or bool(self._report.stopped)

    # ---- files

    def _pass(self, inputs: Inputs) -> bool:
        """Read all that is there and was not read; whether there was anything, so that it is worth to look again."""
        if self._is_over:
            return False
        present = self._look(inputs)
        self._report.looked_at = len(present)
        unread = [
            (file, position)
            for file, position in zip(present, self._positions.of(present), strict=True)
            if self._is_unread(file)
        ]
        self._total = self._read + sum(_left(file, position) for file, position in unread)
        for file, position in unread:
            if not self._is_over:
                self._ship_file(file, position)
        if self._follow:
            self._settle()
        return bool(unread)

    def _look(self, inputs: Inputs) -> list[Found]:
        """Every file that is there, once."""
        before, self._found = self._found, {}
        for path in inputs.present():
            if path.resolve() in self._own:  # in a directory that is shipped
                continue
            try:
                known = before.get(path)
                self._found[path] = known if known is not None and known.is_still_so() else look(path)
            except MovedError:
                continue
            except UnreadableError as error:
                self._trouble(str(error))
        return list({file.identity: file for file in reversed(self._found.values())}.values())[::-1]

    def _is_unread(self, file: Found) -> bool:
        before = self._taken_up.get(file.identity)
        return before is None or (self._follow and before != (file.size, file.written))

    def _ship_file(self, file: Found, position: Position) -> None:
        try:
            with Opened(file, position.offset) as opened:
                self._taken_up[file.identity] = (file.size, file.written)
                self._ship_lines(file, position, opened)
        except MovedError:  # the next look finds it under its new name
            return
        except BROKEN_OFF as error:
            self._trouble(f"{file.path}: cannot be read any further: {error}")
        except UnreadableError as error:
            self._trouble(str(error))

    def _ship_lines(self, file: Found, position: Position, opened: Opened) -> None:
        already = self._read - (0 if file.is_packed else position.offset)
        end = inf if self._follow or file.is_packed else file.size  # what comes meanwhile is for the next time
        for line in lines(opened.stream, start=position.offset, number=position.line):
            if line.start >= end:
                break
            if not line.is_whole and self._is_unfinished(line):
                self._report.unfinished += not self._follow
                break
            self._report.files += line.start == position.offset
            self._read = already + opened.read
            self._reached[file.identity] = (file, line.end, line.number + 1)
            self._take(line, str(file.path), file.origin)
            if self._is_over:
                break

    def _is_unfinished(self, line: Line) -> bool:
        """Whether the last line of a file is still being written; it is left for the next time."""
        return self._follow or not _is_json(line.data)

    def _trouble(self, said: str) -> None:
        if said not in self._report.troubles:
            self._report.troubles.append(said)
            self._progress.tell(said)

    # ---- lines

    def _take(self, line: Line, path: str, origin: bytes) -> None:
        report, window = self._report, self._window
        report.lines += 1
        window.lines += 1
        if line.data.strip():
            self._take_said(line, path, origin)
        else:
            report.skipped += 1
        if window.is_full:
            self._settle()
        if report.lines % _SHOWN_EVERY == 0:
            self._show()

    def _take_said(self, line: Line, path: str, origin: bytes) -> None:
        report, window = self._report, self._window
        said = self._reader.read(line, path, origin)
        if isinstance(said, Unsaid):
            report.skipped += said.why is None
            report.summaries += said.is_summary
            if said.why is not None:
                window.rejects.append(Reject(path, line.number, said.why, line.data.decode("utf-8", "replace")))
            return
        if not self._delivery.send(said):  # of a logger that nobody would have sent it of
            report.skipped += 1
            return
        report.records += 1
        window.records += 1
        window.nbytes += len(line.data)
        window.texts[path, line.number] = line.data

    # ---- windows

    def _settle(self) -> None:
        """Wait for what became of the window, and remember it."""
        if not self._window.lines or self._report.stopped:
            return
        self._show()
        self._wait_until = None
        outcome = self._delivery.settle(self._may_wait)
        if not outcome.settled:
            self._report.stopped = outcome.why
            self._report.left = self._window.records
            return
        for reject in (*self._window.rejects, *self._refused()):
            self._rejects.add(reject)
        self._report.rejected = self._rejects.count
        self._rejects.write()
        self._positions.save([at(*reached) for reached in self._reached.values()])
        self._reached.clear()
        self._window = _Window()
        self._show()

    def _refused(self) -> Iterator[Reject]:
        """What the road or the receiver has refused, with the line where it is still at hand."""
        for refusal in self._delivery.refusals():
            source = refusal.source
            if refusal.reason == "tracing_off":  # as the configuration asks
                self._report.skipped += refusal.records
                continue
            text = self._window.texts.get((source.path, source.line))
            more = f" (with {refusal.records - 1} later lines of its interaction)" if refusal.records > 1 else ""
            said = None if text is None else text.decode("utf-8", "replace")
            yield Reject(source.path, source.line, f"{refusal.detail}{more}", said)

    def _may_wait(self) -> bool:
        """Whether to wait any longer for the receiver; not for ever, once somebody has asked to stop."""
        self._show()
        if not self._stop.is_asked:
            return True
        if self._wait_until is None:
            self._wait_until = self._clock() + LAST_SECONDS
        return self._clock() < self._wait_until

    def _show(self) -> None:
        total = self._total or None
        self._progress.show(Seen(self._report.lines, self._delivery.delivered(), self._read, total))


_SHOWN_EVERY: Final = 200


def _left(file: Found, position: Position) -> int:
    """Bytes of a file on disk that are to be read."""
    return file.size if file.is_packed else max(file.size - position.offset, 0)


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return True
