"""How two sayings about one event become one.

In: the event so far and a newer saying.  Out: the merged event.  Touches: nothing.

The rule (the wire contract's section 2, and what it leaves open decided here): a newer value that is there replaces
the older one; properties and flags merge by key; attachments append, each once; final stays final. A pending saying
that comes after a final one is late by definition, so it only fills what the final left open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from raindrop_logging.workshop.records import SCALARS, Event, Json

if TYPE_CHECKING:
    from collections.abc import Iterable


def merge(old: Event, new: Event) -> Event:
    """The event that holds both sayings; where they disagree, the one that counts more wins."""
    late = new.is_pending and not old.is_pending
    weak, strong = (new, old) if late else (old, new)
    scalars = {name: _first(getattr(strong, name), getattr(weak, name)) for name in SCALARS}
    return msgspec.structs.replace(
        old,
        **scalars,
        properties={**weak.properties, **strong.properties},
        feature_flags={**weak.feature_flags, **strong.feature_flags},
        attachments=_appended(old.attachments, new.attachments, replace=not late),
        is_pending=old.is_pending and new.is_pending,
    )


def distinct(attachments: Iterable[Json]) -> tuple[Json, ...]:
    """The attachments of one body, each once."""
    return _appended((), attachments, replace=True)


def _first(strong: str | None, weak: str | None) -> str | None:
    return weak if strong is None else strong


def _appended(old: Iterable[Json], new: Iterable[Json], *, replace: bool) -> tuple[Json, ...]:
    known = {_identity(attachment): attachment for attachment in old}
    for attachment in new:
        key = _identity(attachment)
        if replace or key not in known:
            known[key] = attachment
    return tuple(known.values())


def _identity(attachment: Json) -> bytes:
    """By its own id where it has one, else by all it holds."""
    attachment_id = attachment.get("attachment_id")
    return msgspec.json.encode(attachment_id or attachment, order="sorted")
