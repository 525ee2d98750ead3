"""Whether a spool directory could be written, how full it is, and who else is there.

In: Settings.  Out: checks.  Touches: the directory, where it makes and removes one empty file; locks of others, to see
whether they are held.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from raindrop_logging._pipeline import parts
from raindrop_logging.cli.diagnosis.checks import Check, fail, ok, warn
from raindrop_logging.errors import SettingsError
from raindrop_logging.settings import MIB, Settings

_NEARLY: Final = 0.8
"""Of `spool_max_bytes`, from which on it is worth a word."""

_LOCK: Final = "lock"


def checks(settings: Settings) -> Iterator[Check]:
    """Nothing where nothing is kept on disk."""
    if settings.durability == "memory" or settings.spool_dir is None:
        return
    directory = Path(settings.spool_dir)
    trouble = _unwritable(settings, directory)
    if trouble is not None:
        todo = "choose a directory on a local disk that this user may write to; until then records wait in memory only"
        yield fail("spool", f"{directory} cannot be used: {trouble}", todo)
        return
    yield _room(settings, directory)
    yield _neighbours(directory)


def _unwritable(settings: Settings, directory: Path) -> str | None:
    """Why nothing can be written there; None where it can."""
    try:
        parts.spool(settings)
        there = next(path for path in (directory, *directory.parents) if path.exists())
        with tempfile.TemporaryFile(dir=there) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except SettingsError as error:
        return str(error).partition(": ")[2]
    except OSError as error:
        return error.strerror or str(error)
    return None


def _room(settings: Settings, directory: Path) -> Check:
    there = next(path for path in (directory, *directory.parents) if path.exists())
    used, free, most = _used(directory), shutil.disk_usage(there).free, settings.spool_max_bytes
    said = f"{directory} holds {_size(used)} of {_size(most)}; the disk has {_size(free)} left"
    facts = {"used_bytes": used, "free_bytes": free, "max_bytes": most}
    if used >= most * _NEARLY:
        todo = "past spool_max_bytes new records are dropped: raise it, and see why the receiver does not take them"
        return warn("spool", said, todo, **facts)
    if free < most - used:
        return warn("spool", said, "lower spool_max_bytes, or free some space: the disk is full before it is", **facts)
    return ok("spool", said, **facts)


def _used(directory: Path) -> int:
    total = 0
    for place, _, names in os.walk(directory):
        for name in names:
            with suppress(OSError):
                total += (Path(place) / name).stat().st_size
    return total


def _neighbours(directory: Path) -> Check:
    """Processes that write there now, and what those left that are gone."""
    locks = sorted(directory.glob(f"*/*/{_LOCK}"))
    alive = [lock for lock in locks if _is_held(lock)]
    left = len(locks) - len(alive)
    said = f"processes that use it now: {len(alive)}; that are gone and have left something: {left}"
    if left and not alive:
        todo = "the next process with the same write key and project sends it; start one"
        return warn("neighbours", said, todo, alive=len(alive), left=left)
    return ok("neighbours", said, alive=len(alive), left=left)


def _is_held(lock: Path) -> bool:
    import fcntl

    try:
        with lock.open("rb") as file:
            fcntl.lockf(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _size(nbytes: int) -> str:
    return f"{nbytes / MIB:.0f} MiB" if nbytes >= MIB or not nbytes else f"{nbytes / 1024:.0f} KiB"
