"""Leave out what the operator wants less of: a part of all conversations or of a type, or what a logger says too much.

Whatever tells of a failure goes in any case: signals, and what carries an error. So do traits, which nothing repeats.

In: Told; then its size in bytes and a time
Out: whether it goes
Touches: nothing (pure)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from raindrop_logging._pipeline.entries import Told
from raindrop_logging.vocabulary import RecordType
from raindrop_logging.wire import Lane

_NAMES: Mapping[RecordType, str] = {"ai": "ai", "event": "event", "finish": "interaction", "span": "span"}
"""What the key ``sampling`` calls each block that may be left out; an interaction is told as all it adds up to."""

_MINUTE = 60.0


class Sampler:
    """Keeps what an id says: the same one is kept or left by every record, process and service that names it.

    Args:
        rates: the part that is kept, from 0 to 1, by ``ai``, ``event``, ``interaction`` and ``span``; and by
            ``conversation``, which alone decides for what is in one.
    """

    def __init__(self, rates: Mapping[str, float]) -> None:
        self._rates = rates

    def keeps(self, told: Told) -> bool:
        """Whether it goes; an interaction that ends well by what its id says, one that has begun to go, or ends in an
        error, always."""
        block = told.block
        name = _NAMES.get(block.record_type)
        if name is None or told.begun or _has_failed(block):
            return True
        return self._is_kept(name, _id(told), getattr(block, "convo_id", None))

    def keeps_interaction(self, event_id: str, convo_id: str | None) -> bool:
        """Whether an interaction goes before it is known how it ends."""
        return self._is_kept("interaction", event_id, convo_id)

    def _is_kept(self, name: str, ident: str, convo_id: str | None) -> bool:
        if convo_id and "conversation" in self._rates:
            name, ident = "conversation", convo_id
        rate = self._rates.get(name, 1.0)
        return rate >= 1.0 or _part(ident) < rate


def _id(told: Told) -> str:
    """The id that decides; of a span its event's, so that what is kept of both belongs together, else its trace's."""
    if told.lane is Lane.TRACES and told.block.event_id is None:
        return told.trace_id or told.event_id
    return told.event_id


def _part(ident: str) -> float:
    """A number from 0 to below 1 that is spread evenly over ids, and the same for one id everywhere."""
    return int.from_bytes(blake2b(ident.encode(), digest_size=6).digest()) / 2**48


def _has_failed(block: Any) -> bool:
    if block.record_type == "span":
        return block.error is not None
    return bool(block.properties and block.properties.get("error"))


class Budgets:
    """Bytes a minute that a logger, and those below it, may send; what it has not used lasts for a minute at most.

    Interactions and what never is left out use a budget up like the rest, and go in any case: the end of what has
    begun is worth more than the next beginning.

    Args:
        sizes: bytes a minute by the names of loggers; ``root`` is for those that no other name covers.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._sizes = sizes
        self._left: dict[str, tuple[float, float]] = {}

    def named_for(self, logger: str) -> str | None:
        """The configured name that covers a logger; None where none does."""
        return next((name for name in _upwards(logger) if name in self._sizes), None)

    def has_room(self, told: Told, nbytes: int, now: float) -> bool:
        """Whether it goes, and if so, take its bytes; at most to nothing, so that no debt is left for later."""
        name = self.named_for(told.source.logger)
        if name is None:
            return True
        size = self._sizes[name]
        left, since = self._left.get(name, (float(size), now))
        left = min(left + (now - since) * size / _MINUTE, size)
        goes = nbytes <= left or not _may_be_left(told.block)
        self._left[name] = (max(left - nbytes, 0.0) if goes else left, now)
        return goes


_ALONE = frozenset({"ai", "event", "span"})


def _may_be_left(block: Any) -> bool:
    return block.record_type in _ALONE and not _has_failed(block)


def _upwards(logger: str) -> Iterator[str]:
    """A logger's name, those of its ancestors, and the root's."""
    while logger:
        yield logger
        logger = logger.rpartition(".")[0]
    yield "root"
