"""The colours of the style sheet: text can be read on every ground it stands on, in both schemes (WCAG 2.2, AA)."""

from __future__ import annotations

import re
from typing import Final

import pytest

from raindrop_logging.workshop.pages.frame import HERE

ENOUGH: Final = 4.5
COLOURS: Final = {
    name: (light, dark)
    for name, light, dark in re.findall(
        r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", (HERE / "static" / "workshop.css").read_text("utf-8")
    )
}
PAIRS: Final = [
    *((ink, ground) for ink in ("ink", "soft", "accent") for ground in ("bg", "card", "inset", "accent-bg")),
    *((ink, ground) for ink in ("good", "bad", "busy") for ground in ("card", f"{ink}-bg")),
    *((ink, ground) for ink in ("llm", "tool", "flow") for ground in ("card", "inset")),
]


@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_contrast(ink: str, ground: str) -> None:
    """At least 4.5 to 1."""
    for scheme in (0, 1):
        dim, bright = sorted(_luminance(COLOURS[name][scheme]) for name in (ink, ground))
        assert (bright + 0.05) / (dim + 0.05) >= ENOUGH


def _luminance(colour: str) -> float:
    """Relative luminance of ``#rgb`` or ``#rrggbb`` (WCAG 2.2, definitions)."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    shares = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
