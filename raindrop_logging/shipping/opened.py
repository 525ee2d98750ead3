"""One file: who it is whatever its name, its first bytes, and its lines' bytes, packed or not.

In: a path.  Out: Found; then a binary stream.  Touches: the file, to read it.
"""

from __future__ import annotations

import gzip
import os
import zlib
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import IO, Final, Self, cast

from msgspec import Struct

from raindrop_logging.errors import RaindropLoggingError

HEAD_BYTES: Final = 1024
"""First bytes that tell two files apart. Lines of a log begin with a time, so that two files seldom share so many."""

_FIRST_BYTES: Final = 4096
_GZIP: Final = b"\x1f\x8b"
_OTHERS: Final = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
"""How files begin that are packed in a way that is not read here."""

BROKEN_OFF: Final = (EOFError, OSError, zlib.error)
"""What reading a file may raise: the disk, or a packed file that is damaged or not written to its end."""


class UnreadableError(RaindropLoggingError):
    """A file that cannot be read, or not any further."""


class Found(Struct, frozen=True):
    """A file as it was when it was looked at.

    Attributes:
        path: where.
        identity: its device and its inode.
        size, written: bytes as they are on disk, and the time of the last write.
        is_packed: by gzip; what is said of offsets and of the first bytes is about the unpacked ones.
        first: its first bytes.
    """

    path: Path
    identity: tuple[int, int]
    size: int
    written: int
    is_packed: bool
    first: bytes

    def head(self, length: int) -> str:
        """What stands for so many first bytes where they must not be kept; fewer where it has fewer."""
        return digest(self.first[:length])

    def is_still_so(self) -> bool:
        """Whether the file of this name is the same one, and was not written to since."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return ((there.st_dev, there.st_ino), there.st_size, there.st_mtime_ns) == (
            self.identity,
            self.size,
            self.written,
        )

    @property
    def origin(self) -> bytes:
        """What stands for the file in the ids of its lines: the same when it grows, moves or is packed."""
        return origin_of(self.first.partition(b"\n")[0])


def look(path: Path) -> Found:
    """The file that is there now.

    Raises:
        UnreadableError: it is not there any more, may not be read, or is packed in another way than gzip's.
    """
    try:
        with path.open("rb") as file:
            there = os.fstat(file.fileno())
            first = file.read(_FIRST_BYTES)
            _check(path, first)
            is_packed = first.startswith(_GZIP)
            if is_packed:
                file.seek(0)
                first = _first_of(_unpacked(file))
    except FileNotFoundError:
        raise MovedError(f"{path}: was moved away meanwhile") from None
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from None
    return Found(path, (there.st_dev, there.st_ino), there.st_size, there.st_mtime_ns, is_packed, first)


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=file))


def _first_of(unpacked: IO[bytes]) -> bytes:
    with suppress(*BROKEN_OFF):  # reading all of it will say so
        return unpacked.read(_FIRST_BYTES)
    return b""


def _check(path: Path, first: bytes) -> None:
    for magic, kind in _OTHERS.items():
        if first.startswith(magic):
            raise UnreadableError(f"{path}: is packed by {kind}, and only gzip is read here: unpack it first")


class Opened:
    """A file that was found, open at an offset.

    Attributes:
        stream: its unpacked bytes.

    Raises:
        UnreadableError: another file is there by now, or it breaks off before the offset.
    """

    def __init__(self, found: Found, offset: int) -> None:
        try:
            self._file = found.path.open("rb")
        except FileNotFoundError:
            raise MovedError(f"{found.path}: was moved away meanwhile") from None
        except OSError as error:
            raise UnreadableError(f"{found.path}: cannot be read: {error.strerror}") from None
        try:
            there = os.fstat(self._file.fileno())
            self.stream: IO[bytes] = _unpacked(self._file) if found.is_packed else self._file
            self.stream.seek(offset)
        except BROKEN_OFF as error:
            self._file.close()
            raise UnreadableError(f"{found.path}: cannot be read: {error}") from None
        if (there.st_dev, there.st_ino) != found.identity:
            self._file.close()
            raise MovedError(f"{found.path}: was moved away meanwhile")

    @property
    def read(self) -> int:
        """Bytes read of it as it is on disk."""
        return self._file.tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class MovedError(UnreadableError):
    """Another file has its name by now; it will be found under its new one."""


def digest(head: bytes) -> str:
    """What stands for some first bytes."""
    return blake2b(head, digest_size=16).hexdigest()


def origin_of(first_line: bytes) -> bytes:
    """What stands for a stream of lines that begins so."""
    return blake2b(first_line[:_FIRST_BYTES], digest_size=16).digest()
