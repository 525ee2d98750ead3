"""An attachment, and the harmless way to show it.

In: an event's attachment.  Out: an `Attachment`.  Touches: nothing.
Nothing is fetched: an address is a link, a picture is shown when its data is in the value, and a frame's own HTML is
shown in a frame without script, network, forms or origin.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from raindrop_logging.workshop.markdown import INLINE_IMAGE
from raindrop_logging.workshop.records import Json

FRAME_POLICY: Final = '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:">'
"""Stands before a frame's HTML. The page's own policy holds in it too, and the sandbox forbids all else."""

_LINK: Final = re.compile(r"https?://[^\s\"'<>\\]+", re.IGNORECASE)

Way = Literal["picture", "link", "frame", "code", "text"]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """`type` and the texts are as sent; `frame` is the whole document of a frame."""

    type: str
    value: str
    way: Way
    name: str | None = None
    role: str | None = None
    language: str | None = None
    attachment_id: str | None = None
    frame: str | None = None


def shown(attachment: Json) -> Attachment:
    """How to show it."""
    value, kind = str(attachment["value"]), str(attachment["type"])
    way = _way(kind, value)
    optional = ("name", "role", "language", "attachment_id")
    return Attachment(
        type=kind,
        value=value,
        way=way,
        frame=FRAME_POLICY + value if way == "frame" else None,
        **{key: attachment.get(key) for key in optional},
    )


def _way(kind: str, value: str) -> Way:
    if kind == "image" and INLINE_IMAGE.fullmatch(value):
        return "picture"
    if _LINK.fullmatch(value):
        return "link"
    if kind == "iframe" and value.lstrip().startswith("<"):
        return "frame"
    return "code" if kind == "code" else "text"
