"""How far each file has been shipped, remembered on disk from one run to the next.

A file is known by its device and inode together with its first bytes, and by its first bytes alone once it has moved:
so rotation, ``copytruncate`` and gzip do not make it new. Two files with the same first bytes are told apart by their
inodes only; a copy of one that was shipped counts as shipped only where the original is gone.

In: files that were found.  Out: Position.  Touches: the state file, replaced as a whole, and a lock beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

import msgspec
from msgspec import Struct

from raindrop_logging.errors import RaindropLoggingError
from raindrop_logging.shipping.opened import HEAD_BYTES, Found, digest

MAX_GONE: Final = 1_000
"""Files that are remembered after they are gone, since they may come back packed or under another name."""

_VERSION: Final = 1


class StateError(RaindropLoggingError):
    """The state file cannot be used."""


class Position(Struct, frozen=True):
    """How far one file has been shipped; offsets are of the unpacked bytes.

    ``head`` stands for its first ``head_bytes``, none of them beyond the offset.
    """

    path: str
    device: int
    inode: int
    head: str
    head_bytes: int
    offset: int
    line: int

    @property
    def identity(self) -> tuple[int, int]:
        """Which file it was."""
        return self.device, self.inode


class _State(Struct):
    version: int
    destination: str
    positions: list[Position] = []


class Positions:
    """The positions of one shipment; holds its lock until it is closed.

    Args:
        path: the state file; None remembers nothing.
        destination: where to, which a state file is of one of.
        write: false reads what is there, and changes and locks nothing.

    Raises:
        StateError: another process has it, it is of another destination, or it cannot be read or written.
    """

    def __init__(self, path: Path | None, destination: str, *, write: bool = True) -> None:
        self.path = path
        self._destination = destination
        self._writes = write and path is not None
        self._lock = -1
        if path is not None and self._writes:
            self._lock = _locked(path)
        self._known = [] if path is None else _read(path, destination)

    def of(self, files: Sequence[Found]) -> list[Position]:
        """Where to go on in each of these files, which are all that are there; at the start of those that are new."""
        left = list(self._known)
        claimed: dict[tuple[int, int], Position] = {}
        for by_inode in (True, False):
            for file in files:
                known = None if file.identity in claimed else _recognised(file, left, by_inode=by_inode)
                if known is not None:
                    left.remove(known)
                    claimed[file.identity] = known
        return [_here(file, claimed.get(file.identity)) for file in files]

    def save(self, positions: Iterable[Position]) -> None:
        """Remember that all before these positions was shipped.

        Raises:
            StateError: the disk does not take it.
        """
        newest = {position.identity: position for position in positions}
        heads = {(position.head, position.head_bytes) for position in newest.values()}
        moved = [one for one in self._known if one.identity not in newest and not _is_among(one, heads)]
        self._known = [*moved[-MAX_GONE:], *newest.values()]
        if self.path is not None and self._writes:
            _write(self.path, _State(_VERSION, self._destination, self._known))

    def close(self) -> None:
        """Let another process have it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def at(file: Found, offset: int, line: int) -> Position:
    """The position once all before this offset, where this line begins, was read."""
    device, inode = file.identity
    length = min(HEAD_BYTES, len(file.first), offset)
    return Position(str(file.path), device, inode, file.head(length), length, offset, line)


def _here(file: Found, known: Position | None) -> Position:
    return at(file, 0, 1) if known is None else at(file, known.offset, known.line)


def _recognised(file: Found, known: Iterable[Position], *, by_inode: bool) -> Position | None:
    """The position of this file; of two that fit, the one that more is known of."""
    fitting = [one for one in known if (not by_inode or one.identity == file.identity) and _fits(file, one)]
    return max(fitting, key=lambda one: (one.head_bytes, one.offset), default=None)


def _fits(file: Found, position: Position) -> bool:
    shrunk = not file.is_packed and file.size < position.offset
    return bool(not shrunk and position.head_bytes and file.head(position.head_bytes) == position.head)


def _is_among(position: Position, heads: set[tuple[str, int]]) -> bool:
    """Whether a file that is known was found again under another inode."""
    return (position.head, position.head_bytes) in heads


# ---- the disk --------------------------------------------------------------------------------------------------------


def _read(path: Path, destination: str) -> list[Position]:
    try:
        state = msgspec.json.decode(path.read_bytes(), type=_State)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StateError(f"{path}: cannot be read: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise StateError(f"{path}: is no state of a shipment ({error}); name another with --state") from None
    if state.version != _VERSION:
        raise StateError(f"{path}: a newer version has written it; name another with --state")
    if state.destination != destination:
        raise StateError(f"{path}: holds what was shipped to another destination; name another with --state")
    return state.positions


def _write(path: Path, state: _State) -> None:
    """Replace the file as a whole; power may fail at any time."""
    fresh = path.with_name(f"{path.name}.new")
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(state), indent=1))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror}") from None


def _locked(path: Path) -> int:
    """The descriptor that holds the lock; the lock ends with the process, however it ends."""
    beside = path.with_name(f"{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(beside, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StateError(f"{beside}: cannot be written: {error.strerror}") from None
    if find_spec("fcntl") is None:  # Windows has no such locks: two shipments are not kept apart there
        return fd
    import fcntl

    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(fd, 20).decode("ascii", "replace")
        os.close(fd)
        raise StateError(f"{path}: another shipment works with it (process {owner or 'unknown'})") from None
    with suppress(OSError):  # who has it is only said to help
        os.truncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
    return fd


def default_state(words: Sequence[str], destination: str) -> Path:
    """The state file of these inputs and this destination, in the user's state directory (XDG base directories)."""
    state = os.environ.get("XDG_STATE_HOME", "")
    home = Path(state) if Path(state).is_absolute() else Path.home() / ".local" / "state"
    absolute = sorted(str(Path(word).expanduser().absolute()) for word in words)
    name = digest("\0".join([destination, *absolute]).encode())
    return home / "raindrop-logging" / "ship" / f"{name}.json"
