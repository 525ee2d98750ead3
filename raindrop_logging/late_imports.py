"""Heavy libraries are imported when first needed, on a thread of ours; a fork must not cut that in half.

A child that inherits a half-imported module can never import it again, so a fork waits for an import under way:

    with not_across_fork:
        import httpx
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Final

_IMPORT_SECONDS = 10.0
"""The longest that a fork waits; an import that takes longer is not ours to hold the process up for."""


class _NotAcrossFork:
    """A lock that a fork takes first, made anew in the child, where no thread is left to release the old one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forking = False

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # the block forked, and this is the child, whose lock is new
            self._lock.release()

    def before_fork(self) -> None:
        self._forking = self._lock.acquire(timeout=_IMPORT_SECONDS)

    def after_in_parent(self) -> None:
        if self._forking:
            self._lock.release()

    def after_in_child(self) -> None:
        self._lock = threading.RLock()


not_across_fork: Final = _NotAcrossFork()
os.register_at_fork(
    before=not_across_fork.before_fork,
    after_in_parent=not_across_fork.after_in_parent,
    after_in_child=not_across_fork.after_in_child,
)
