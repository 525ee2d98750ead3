"""Keep frames on disk until they are confirmed: what this process wrote, and what processes that are gone left behind.

    <spool_dir>/<namespace>/<pid>-<random>/lock                   locked as long as its process lives
                                          /<stream>-<number>.seg  frames, appended only
                                          /<stream>-<number>.ack  idents confirmed of it, 16 bytes each

An append is one write to a descriptor in append mode. It takes no lock and waits for nobody, so signal handlers,
finalizers and any number of threads may append; where several of them need the next segment at once, each makes one and
``dict.setdefault`` picks it. Reading and confirming are for the pipeline's own threads, under a lock a stream.
Nothing is forced to the disk itself (no fsync): what is written survives the process, not a power cut.

In: kind, ident and payload, from any thread; idents, once they are confirmed
Out: Frame
Touches: files under spool_dir, POSIX record locks
"""

from __future__ import annotations

import errno
import os
import re
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import find_spec
from itertools import count, islice
from pathlib import Path
from typing import Final, NoReturn

from raindrop_logging._pipeline.frames import (
    HEADER_BYTES,
    IDENT_BYTES,
    MAX_PAYLOAD_BYTES,
    PREAMBLE,
    Frame,
    Scanner,
    encode,
    is_foreign,
    mark_of,
)
from raindrop_logging.errors import SettingsError

SEGMENT_BYTES: Final = 4 * 1024 * 1024

MOST_ADOPTED: Final = 64
"""Directories of other processes held at once; each costs a descriptor."""

MOST_TRIED: Final = 1_000
"""Directories looked at in one call of `Spool.adopt`; the next call goes on from there."""

_MOST_LISTED: Final = 20_000
_MOST_NAMED: Final = 100

_SHARE_OF_BOUND: Final = 8
"""Segments are at most this part of the bound, so that confirming frees space long before the spool is full."""

_MOST_CONFIRMED: Final = 1_000_000
"""Confirmations of one segment that are heeded: ten times what a full one of small frames has."""

_OPENING_BYTES: Final = 64
_TRIES: Final = 3
_MOST_STEPS: Final = 100
"""How often an append that finds the newest segment full by then looks for a newer one."""

_LOCK: Final = "lock"
_OWNER: Final = re.compile(r"\d+-[0-9a-f]{16}")
_FILE: Final = re.compile(r"(?P<stream>.+)-(?P<number>\d{8,})\.(?P<kind>seg|ack|tmp)")
_NOFOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_PASSING: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""Troubles in opening a file that say nothing about the file."""


# ---- descriptors, locks and directories ----------------------------------------------------------------------------


class _File:
    """An open file, closed when the last one who uses it lets go.

    A forked child never closes what it inherited, since the number may be another file's by then. So it holds a few
    more descriptors than it needs; its parent's locks stay the parent's.
    """

    __slots__ = ("_pid", "fd")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._pid = os.getpid()

    def close(self) -> None:
        """Close it now; for one who shares it with nobody."""
        fd, self.fd = self.fd, -1
        if fd >= 0 and os.getpid() == self._pid:
            with suppress(OSError):
                os.close(fd)

    def __del__(self) -> None:
        self.close()


class _Appender:
    """A segment's file for those who append to it, each holding this as long as it writes.

    The file is an object of its own because a weak reference to one that has a ``__del__`` still answers while that
    runs: this one is gone before its file is closed.
    """

    __slots__ = ("__weakref__", "_file", "fd", "mark")

    def __init__(self, file: _File, mark: bytes) -> None:
        self._file = file
        self.fd = file.fd
        self.mark = mark


class _Locks:
    """The locks that this process holds, by the name of their directory.

    POSIX locks are a process's: locking one's own file again succeeds, and closing any descriptor of it unlocks it. So
    no part of this process may as much as open a lock file that another part holds.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._held: dict[str, _File] = {}

    def of_this_process(self) -> dict[str, _File]:
        """Also those that somebody is trying to get."""
        if self._pid != (pid := os.getpid()):
            self._pid, self._held = pid, {}
        return self._held


_locks: Final = _Locks()


class _Owner:
    """The directory of one process, this one or one that is gone, as long as this process holds its lock."""

    def __init__(self, path: Path, lock: _File) -> None:
        self.path = path
        self.streams: set[str] = set()  # of a process that is gone: those that have something left
        self._lock = lock
        self._releasing = threading.Lock()  # a log call only ever takes it of an owner that nobody else knows

    @classmethod
    def create(cls, root: Path) -> _Owner:
        """A new directory for this process."""
        for _ in range(_TRIES):
            path, owner = root / f"{os.getpid()}-{os.urandom(8).hex()}", None
            with suppress(FileNotFoundError, FileExistsError):  # one who adopts swept it away before it was locked
                _make_directory(path)
                try:
                    owner = cls._locked(path, os.O_CREAT | os.O_EXCL)
                finally:
                    if owner is None:
                        _remove_directory(path)
            if owner is not None:
                return owner
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(root))

    @classmethod
    def claim(cls, path: Path) -> _Owner | None:
        """The directory of a process that is gone; None where it lives, or where there is nothing to be had."""
        try:
            return cls._locked(path, 0)
        except FileNotFoundError:  # an empty directory, or the lock file was deleted: then nobody owns what is left
            with suppress(OSError):
                path.rmdir()
                return None
        except OSError:
            return None
        with suppress(OSError):
            return cls._locked(path, os.O_CREAT | os.O_EXCL)
        return None

    @classmethod
    def _locked(cls, path: Path, creating: int) -> _Owner | None:
        locks, lock, owner = _locks.of_this_process(), _File(-1), None
        if locks.setdefault(path.name, lock) is not lock:
            return None
        try:
            lock.fd = os.open(path / _LOCK, os.O_RDWR | creating | _NOFOLLOW, 0o600)
            if creating:
                os.fchmod(lock.fd, 0o600)
            if _lock_at_once(lock.fd):
                owner = cls(path, lock)
        finally:
            if owner is None:
                lock.close()
                locks.pop(path.name, None)
        return owner

    def stands(self) -> bool:
        """Whether the directory is still there; says to those who clean up by age that it is in use."""
        try:
            os.utime(self._lock.fd)
            return os.fstat(self._lock.fd).st_nlink > 0
        except OSError:
            return False

    def emptied(self, stream: str) -> None:
        """One of its streams has nothing left; the directory goes with the last of them."""
        self.streams.discard(stream)
        if not self.streams:
            self.release()

    def release(self) -> None:
        """Give the directory up, and remove it if nothing is in it."""
        with self._releasing:
            if self._lock.fd < 0:
                return
            with suppress(OSError):
                if all(path.name == _LOCK for path in self.path.iterdir()):
                    _remove_directory(self.path)
            self._lock.close()
            _locks.of_this_process().pop(self.path.name, None)

    @property
    def is_held(self) -> bool:
        """Whether it was not released yet."""
        return self._lock.fd >= 0


def _lock_at_once(fd: int) -> bool:
    """Lock a file or do not; false as well where its directory was given up while it was being opened."""
    import fcntl

    try:
        fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return os.fstat(fd).st_nlink > 0


def _make_directory(path: Path) -> None:
    """Make a directory and those above it, for this user only, whatever the umask."""
    if not path.parent.is_dir():
        with suppress(FileExistsError):
            _make_directory(path.parent)
    path.mkdir(0o700)
    path.chmod(0o700)


def _remove_directory(path: Path) -> None:
    """Remove a directory in which there is nothing but perhaps a lock; opens nothing, so that it always can."""
    with suppress(OSError):
        (path / _LOCK).unlink(missing_ok=True)
        path.rmdir()


# ---- segments ------------------------------------------------------------------------------------------------------


class _Segment:
    """One file of a stream, and what the reader knows of it.

    All but the first two attributes are under the stream's lock.

    Attributes:
        appender: what those who append take; once it is None, nobody that comes new writes here.
        following: the next segment, under 0; ``setdefault`` picks one of those that several threads made at once.
        sealed: nobody writes here any more, and ``size`` is final.
        size: bytes of the file when it was last measured; reading goes no further.
        held: bytes of each frame that was read and not confirmed, by ident; ``live`` is their sum.
    """

    def __init__(self, path: Path, number: int, appender: _Appender | None = None) -> None:
        self.path = path
        self.number = number
        self.appender = appender
        self.following: dict[int, _Segment] = {}
        self.sealed = appender is None
        self.size = 0
        self.held: dict[int, int] = {}
        self.live = 0
        self._writers = weakref.ref(appender) if appender else None
        self._mark = mark_of(path.parent.name, path.name)
        self._scanner = Scanner(self._mark)
        self._position = 0
        self._examined = 0  # what lies between the two is not a whole frame yet
        self._acks = path.with_suffix(".ack")
        self._acks_size = 0
        self._confirmed_before: frozenset[int] | None = None if appender is None else frozenset()
        self._owed = b""  # confirmed, and not in the file of confirmations
        self._worth_compacting = 0
        self._untouchable = False

    @classmethod
    def left_behind(cls, path: Path, number: int, size: int, acks_size: int) -> _Segment:
        """A segment of a process that is gone."""
        segment = cls(path, number)
        segment._take_size(size)
        segment._acks_size = acks_size
        return segment

    # ---- what there is

    @property
    def nbytes(self) -> int:
        """Bytes on disk, confirmations included."""
        size = self._size_now()
        return self._acks_size + (self.size if size is None else size)

    @property
    def has_more(self) -> bool:
        """Whether there is something that was not looked at."""
        return self._examined < (self._size_now() or 0)

    @property
    def damaged(self) -> int:
        """Regions that were skipped."""
        return self._scanner.damaged

    @property
    def is_read(self) -> bool:
        """Whether all that was measured was looked at."""
        return self._examined >= self.size

    def measure(self) -> None:
        """Fix how far reading goes. A frame that comes between the two questions is then in the size, not lost."""
        if self.sealed:
            return
        sealed = self._alive() is None
        size = self._size_now()
        if size is not None:
            self._take_size(size)
            self.sealed = sealed

    def _take_size(self, size: int) -> None:
        self.size = size
        self._position, self._examined = min(self._position, size), min(self._examined, size)
        self._worth_compacting = size // 2

    def _size_now(self) -> int | None:
        """0 where somebody deleted it, None where it cannot be told."""
        if self.sealed:
            return self.size
        appender = self._alive()
        try:
            return (os.fstat(appender.fd) if appender else self.path.stat()).st_size
        except FileNotFoundError:
            return 0
        except OSError:
            return None

    def _alive(self) -> _Appender | None:
        return self._writers() if self._writers else None

    # ---- reading

    def read(self, most: int, found: list[Frame]) -> bool:
        """Add about ``most`` bytes of frames to ``found``; whether the reader may go on to the next segment."""
        if self.is_read:
            return True
        try:
            self._read(most, found)
        except FileNotFoundError:  # somebody deleted it
            self.sealed = True
            self._take_size(0)
        except OSError as error:
            if error.errno in _PASSING:
                return False
            self._untouchable, self._examined = True, self.size  # another process may have more luck
        return True

    def _read(self, most: int, found: list[Frame]) -> None:
        if self._confirmed_before is None:
            self._confirmed_before = self._confirmations()
        read, confirmed = self._reader(), self._confirmed_before
        for piece in self._scanner.pieces(
            read, self._position, self.size, last=self.sealed, most=most, unwanted=confirmed
        ):
            self._position, self._examined = piece.understood, piece.examined
            for frame in piece.frames:
                self.held[frame.ident] = self.held.get(frame.ident, 0) + frame.nbytes
                self.live += frame.nbytes
            found += piece.frames
        if self.is_read:
            self._confirmed_before = frozenset()

    def _reader(self) -> Callable[[int, int], bytes]:
        """What reads so many bytes from a position; by way of those who write, where there are any."""
        file = self._alive() or _File(os.open(self.path, os.O_RDONLY | _NOFOLLOW))
        return lambda length, position: os.pread(file.fd, length, position)

    def _confirmations(self) -> frozenset[int]:
        """What the process that is gone had confirmed; nobody confirms what was not read."""
        with suppress(OSError), self._acks.open("rb") as acks:
            idents = acks.read(min(self._acks_size, _MOST_CONFIRMED * IDENT_BYTES))
            starts = range(0, len(idents) - IDENT_BYTES + 1, IDENT_BYTES)
            return frozenset(int.from_bytes(idents[start : start + IDENT_BYTES], "big") for start in starts)
        return frozenset()

    # ---- confirming

    def confirm(self, idents: set[int]) -> None:
        """Frames that were read need not be kept any longer."""
        confirmed = self.held.keys() & idents
        for ident in confirmed:
            self.live -= self.held.pop(ident)
        self._owed += b"".join(ident.to_bytes(IDENT_BYTES, "big") for ident in confirmed)

    def settle(self) -> bool:
        """Bring the files in line with what was confirmed; whether they are gone."""
        if self.sealed and self.is_read and not self._untouchable:
            if not self.held:
                return self._delete()
            if self.live < self._worth_compacting:
                self._compact()
        if self._owed:
            self._write_confirmations()
        return False

    def discard(self) -> None:
        """Delete a segment that nobody ever knew."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _delete(self) -> bool:
        with suppress(OSError):
            self.path.unlink(missing_ok=True)  # first: confirmations alone bring nothing back
            with suppress(OSError):
                self._acks.unlink(missing_ok=True)
            return True
        return False

    def _write_confirmations(self) -> None:
        """Append what is owed. Where that fails it stays owed: at worst, a later process sends it once more."""
        with suppress(OSError):
            acks = _created(self._acks, 0)
            size = os.fstat(acks.fd).st_size
            whole = size - size % IDENT_BYTES
            os.ftruncate(acks.fd, whole)  # a write that was cut short would shift all that follow
            self._acks_size = whole
            written = os.write(acks.fd, self._owed)
            self._acks_size += written
            if written == len(self._owed):
                self._owed = b""

    def _compact(self) -> None:
        """Rewrite the file without what was confirmed, in its place and order."""
        rewritten = self.path.with_suffix(".tmp")
        try:
            size = self._rewrite(rewritten)
            rewritten.rename(self.path)
        except OSError:
            self._worth_compacting = self.live // 2  # no use in trying again at every turn
            with suppress(OSError):
                rewritten.unlink(missing_ok=True)
            return
        self._take_size(size)
        self._owed = b""
        with suppress(OSError):
            self._acks.unlink(missing_ok=True)
            self._acks_size = 0

    def _rewrite(self, rewritten: Path) -> int:
        target = _created(rewritten, os.O_TRUNC)
        size = _write_whole(target.fd, PREAMBLE)
        for piece in Scanner(self._mark).pieces(self._reader(), 0, self.size, last=True):
            kept = (one for one in piece.frames if one.ident in self.held)
            frames = b"".join(encode(self._mark, one.kind, one.ident, one.payload) for one in kept)
            size += _write_whole(target.fd, frames)
        return size


def _created(path: Path, flags: int) -> _File:
    """A file to append to, for this user only, whatever the umask."""
    file = _File(os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | flags | _NOFOLLOW, 0o600))
    os.fchmod(file.fd, 0o600)
    return file


def _write_whole(fd: int, data: bytes) -> int:
    if os.write(fd, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return len(data)


# ---- streams and the spool -----------------------------------------------------------------------------------------


class Stream:
    """Frames in the order they were appended, of this process or of one that is gone (then to read and confirm only).

    An ident names one frame. Every method does nothing in a forked child and once the spool is closed.
    """

    def __init__(self, spool: Spool, name: str, owner: _Owner | None = None, segments: Iterable[_Segment] = ()) -> None:
        self.name = name
        self._spool = spool
        self._owner = owner  # None: this process
        self._segments = {segment.number: segment for segment in segments}
        self._numbers = count(1)
        self._tail = _Segment(Path("none"), 0)  # of the newest, or of one that leads to it by `following`
        self._lock = threading.Lock()
        self._damaged = 0

    # ---- for anyone

    def append(self, kind: int, ident: int, payload: bytes) -> bool:
        """Keep a frame; whether the operating system has it whole. Never raises, never waits for another thread."""
        spool, size = self._spool, HEADER_BYTES + len(payload)
        if not spool.is_open or not self.has_room(len(payload)):
            return False
        try:
            appender = self._writable()
            if appender is None:
                return False
            written = os.write(appender.fd, encode(appender.mark, kind, ident, payload))
        except Exception:  # noqa: BLE001 -- a full or broken disk is never the caller's trouble
            return False
        finally:
            appender = None  # a traceback of an exception that goes through here must not keep the segment open
        spool.charged += written
        return written == size

    def has_room(self, payload_bytes: int) -> bool:
        """Whether a frame of so many bytes is within every bound, whatever the disk says."""
        size, spool = HEADER_BYTES + payload_bytes, self._spool
        return payload_bytes <= MAX_PAYLOAD_BYTES and spool.charged + size <= spool.max_bytes

    def open(self) -> bool:
        """Make now what the first append would make; whether there is anything to append to."""
        try:
            return self._spool.is_open and self._writable() is not None
        except OSError:
            return False

    @property
    def nbytes(self) -> int:
        """Bytes on disk; 0 once a stream of a process that is gone has nothing left."""
        return sum(segment.nbytes for segment in self._in_order())

    @property
    def unread(self) -> bool:
        """Whether there may be unread frames. If `read` finds none all the same, the disk cannot be read right now."""
        return self._spool.is_open and any(segment.has_more for segment in self._in_order())

    @property
    def corrupt(self) -> int:
        """Regions that were skipped, since they are no frames (any more)."""
        return self._damaged + sum(segment.damaged for segment in self._in_order())

    # ---- for the pipeline

    def read(self, most_bytes: int) -> list[Frame]:
        """The next frames that are neither read nor confirmed, in order, about ``most_bytes`` of them; [] if none."""
        found: list[Frame] = []
        if not self._spool.is_open:
            return found
        with self._lock:
            segments = self._in_order()
            for segment in reversed(segments):  # so that what a thread wrote before is measured after
                segment.measure()
            for segment in segments:
                left = most_bytes - sum(frame.nbytes for frame in found)
                if left <= 0 or not segment.read(left, found):
                    break
            self._settle()
        return found

    def confirm(self, idents: Iterable[int]) -> None:
        """Frames that were read need not be kept any longer."""
        if not self._spool.is_open:
            return
        confirmed = set(idents)
        with self._lock:
            for segment in self._in_order():
                segment.confirm(confirmed)
            self._settle()

    def end(self) -> bool:
        """Settle for the last time; whether nobody can write any more."""
        with self._lock:
            segments = self._in_order()
            for segment in segments:
                segment.appender = None
            self._settle()
            return all(segment.sealed for segment in segments)

    def _settle(self) -> None:
        for segment in self._in_order():
            if segment.size >= self._spool.segment_bytes and segment.is_read and segment.live < segment.size // 2:
                segment.appender = None  # what was confirmed of it would wait for the next append
            if segment.appender is None:
                segment.measure()
            if segment.settle():
                self._damaged += segment.damaged
                del self._segments[segment.number]
        if self._owner is not None and not self._segments:
            self._owner.emptied(self.name)
        self._spool.recount()

    def _in_order(self) -> list[_Segment]:
        return sorted(self._segments.copy().values(), key=lambda segment: segment.number)

    # ---- the segment to append to

    def _writable(self) -> _Appender | None:
        """Of the newest segment, unless it is full or was deleted: then of the one after it."""
        tail = self._tail
        appender = tail.appender
        if appender is None:
            return self._next(tail)
        status = os.fstat(appender.fd)
        if status.st_nlink and status.st_size < self._spool.segment_bytes:
            return appender
        return self._next(tail) or (appender if status.st_nlink else None)

    def _next(self, tail: _Segment) -> _Appender | None:
        """Of a segment after ``tail``: the newest, or one that is made here if no other thread is faster.

        A segment is retired before the next one is known to anybody, so what one thread writes stays in order.
        """
        newest = tail
        for _ in range(_MOST_STEPS):
            while (following := newest.following.get(0)) is not None:
                newest = following
            if newest is not tail and (appender := newest.appender) is not None:
                # Known to the reader before it is written to, also if whoever made it was interrupted.
                self._segments[newest.number] = self._tail = newest
                return appender
            if (made := self._made()) is None:
                return None
            try:
                newest.appender = None
                newest.following.setdefault(0, made)
            finally:
                if newest.following.get(0) is not made:
                    made.discard()
            if not self._spool.is_open:
                made.appender = None
        return None

    def _made(self) -> _Segment | None:
        """A new segment that nobody knows yet; None where the disk does not let it be."""
        if self._owner is not None or not self._spool.is_open:
            return None
        with suppress(OSError):
            number = next(self._numbers)
            path = self._spool.home().path / f"{self.name}-{number:08}.seg"
            file = _created(path, os.O_EXCL)
            segment = _Segment(path, number, _Appender(file, mark_of(path.parent.name, path.name)))
            try:
                _write_whole(file.fd, PREAMBLE)
            except BaseException:
                segment.discard()
                raise
            return segment
        return None


class Spool:
    """The directory of this process below ``directory``/``namespace``, and those that it adopts.

    Nothing is created before a stream is opened or appended to. In a forked child it is as if closed: a child has a
    spool of its own.

    Args:
        directory: the setting spool_dir.
        namespace: a name of a directory; spools adopt only what others of the same one left.
        max_bytes: bound of this process's and the adopted files together.
        segment_bytes: the size from which on a segment is not appended to any more.

    Attributes:
        charged: bytes that count against the bound. Appends raise it without a lock, so it may be a few frames off
            until `recount` sets it right.
        foreign: segments of another version of the format, left alone; the first hundred are named.

    Raises:
        SettingsError: it cannot work here, whatever happens later.
    """

    def __init__(self, directory: Path, namespace: str, *, max_bytes: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self._root = (directory / namespace).absolute()
        _check(self._root, directory)
        self.max_bytes = max_bytes
        self.segment_bytes = min(segment_bytes, max(max_bytes // _SHARE_OF_BOUND, 1))
        self.charged = 0
        self.foreign: list[Path] = []
        self._pid = os.getpid()
        self._closed = False
        self._streams: dict[str, Stream] = {}
        self._homes: dict[int, _Owner] = {}
        self._adopting = threading.Lock()
        self._adopted: dict[_Owner, list[Stream]] = {}
        self._untried: deque[str] = deque()

    @property
    def is_open(self) -> bool:
        """Whether this process may use it."""
        return not self._closed and self._pid == os.getpid()

    @property
    def nbytes(self) -> int:
        """Bytes on disk of this process's and the adopted streams."""
        adopted = (stream for streams in self._adopted.copy().values() for stream in streams)
        return sum(stream.nbytes for stream in (*self._streams.copy().values(), *adopted))

    @property
    def has_neighbours(self) -> bool:
        """Whether other processes, living or not, have a directory here that this process holds no lock of."""
        return any(name not in _locks.of_this_process() for name in _names(self._root))

    def recount(self) -> None:
        """Measure what counts against the bound."""
        self.charged = self.nbytes

    def stream(self, name: str) -> Stream:
        """This process's stream of that name."""
        return self._streams.setdefault(name, Stream(self, name))

    def home(self) -> _Owner:
        """The directory for new segments; another one if somebody deleted the last."""
        homes = self._homes.copy()
        newest = max(homes, default=0)
        if newest and homes[newest].stands():
            return homes[newest]
        made = _Owner.create(self._root)
        picked = self._homes.setdefault(newest + 1, made)
        if picked is not made:
            made.release()
        return picked

    def adopt(self) -> list[Stream]:
        """Lock directories of processes that are gone; their streams, those of the oldest directory first.

        A call does a bounded piece of work, and at most `MOST_ADOPTED` directories are held: call again later.
        """
        if not self.is_open:
            return []
        with self._adopting:
            for owner in [one for one in self._adopted if not one.is_held]:
                del self._adopted[owner]
            heirs: list[tuple[int, list[Stream]]] = []
            self._untried = self._untried or deque(_names(self._root))
            for _ in range(min(len(self._untried), MOST_TRIED)):
                if len(self._adopted) >= MOST_ADOPTED:
                    break
                if (claimed := _Owner.claim(self._root / self._untried.popleft())) is not None:
                    heirs.append(self._take_over(claimed))
        self.recount()
        return [stream for _, streams in sorted(heirs, key=lambda heir: heir[0]) for stream in streams]

    def close(self) -> None:
        """Give everything up, and remove what is empty; what was not confirmed is for the next process."""
        if not self.is_open:
            return
        with self._adopting:
            self._closed = True
            for owner, streams in self._adopted.items():
                for stream in streams:
                    stream.end()
                owner.release()
            ended = [stream.end() for stream in self._streams.copy().values()]
            if all(ended):  # else a thread is still writing: the locks stay until the process ends
                for owner in self._homes.copy().values():
                    owner.release()

    def _take_over(self, owner: _Owner) -> tuple[int, list[Stream]]:
        """The streams of a directory that have something left, and when it was last written to."""
        left, age = _left_in(owner.path)
        known = {name: [one for one in left[name] if not self._is_foreign(one.path)] for name in left}
        streams = [Stream(self, name, owner, segments) for name, segments in known.items() if segments]
        owner.streams |= {stream.name for stream in streams}
        for stream in streams:
            stream.confirm(())  # settles: what is empty goes at once
        if not owner.streams:
            owner.release()
            return 0, []
        self._adopted[owner] = [stream for stream in streams if stream.name in owner.streams]
        return age, self._adopted[owner]

    def _is_foreign(self, path: Path) -> bool:
        with suppress(OSError), path.open("rb") as segment:
            if not is_foreign(segment.read(_OPENING_BYTES)):
                return False
            if path not in self.foreign and len(self.foreign) < _MOST_NAMED:
                self.foreign.append(path)
            return True
        return False


def _check(root: Path, directory: Path) -> None:
    if find_spec("fcntl") is None:  # Windows
        _refuse(directory, "a spool needs POSIX file locks, which this platform does not have; leave the key out")
    try:
        there = next(path for path in (root, *root.parents) if path.is_symlink() or path.exists())
        if not there.is_dir():
            _refuse(directory, f"{there} is not a directory")
    except OSError as error:
        _refuse(directory, f"it cannot be looked at ({error.strerror})")
    if not os.access(there, os.R_OK | os.W_OK | os.X_OK):
        _refuse(directory, f"this process may not write in {there}")


def _refuse(directory: Path, rule: str) -> NoReturn:
    raise SettingsError(f"'spool_dir' is {str(directory)!r}: {rule}")


def _names(root: Path) -> list[str]:
    """Directories of owners, so many that a stranger's crowd of files costs neither memory nor time."""
    with suppress(OSError), os.scandir(root) as entries:
        return [entry.name for entry in islice(entries, _MOST_LISTED) if _OWNER.fullmatch(entry.name)]
    return []


def _left_in(directory: Path) -> tuple[dict[str, list[_Segment]], int]:
    """The segments of a process that is gone, by stream, and when the oldest was written; leftovers are removed."""
    found: dict[str, dict[str, os.stat_result]] = {}
    with suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if _FILE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                stem, _, kind = entry.name.rpartition(".")
                found.setdefault(stem, {})[kind] = entry.stat(follow_symlinks=False)
    streams: dict[str, list[_Segment]] = {}
    for stem, files in sorted(found.items()):
        for kind in files.keys() - ({"seg", "ack"} if "seg" in files else set()):
            with suppress(OSError):
                (directory / f"{stem}.{kind}").unlink()
        if "seg" in files:
            name, _, number = stem.rpartition("-")
            acks_size = files["ack"].st_size if "ack" in files else 0
            segment = _Segment.left_behind(directory / f"{stem}.seg", int(number), files["seg"].st_size, acks_size)
            streams.setdefault(name, []).append(segment)
    return streams, min((files["seg"].st_mtime_ns for files in found.values() if "seg" in files), default=0)
