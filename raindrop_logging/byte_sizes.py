"""Sizes as people write them: in configuration files, in the environment, on the command line.

In: a text such as ``64 MiB``.  Out: bytes.  Touches: nothing.
"""

from __future__ import annotations

import re
from typing import Final

MOST_BYTES: Final = 2**62
"""Beyond it is no size: zlib and SQLite count in 64 bits with a sign."""

_SIZE: Final = re.compile(r"([0-9]{1,19}(?:\.[0-9]{1,9})?)\s*([a-z]*)", re.ASCII)
_UNITS: Final = {"": 1, "b": 1} | {
    spelled: base**power
    for power, prefix in enumerate("kmgt", 1)
    for spelled, base in ((f"{prefix}b", 1000), (f"{prefix}ib", 1024), (prefix, 1024))
}


def bytes_of(text: str) -> int | None:
    """Bytes, or None where the text is no size. Capitals do not matter.

    As SI and IEC have it, KB, MB, GB and TB are powers of 1000, KiB to TiB powers of 1024. K, M, G and T alone mean KiB
    to TiB, as for most commands. No unit, or B, is bytes.
    """
    found = _SIZE.fullmatch(text.strip().lower())
    if found is None or found[2] not in _UNITS:
        return None
    number = float(found[1]) if "." in found[1] else int(found[1])
    size = round(number * _UNITS[found[2]])
    return size if size <= MOST_BYTES else None
