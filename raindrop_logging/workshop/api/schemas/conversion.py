"""A record as the JSON API tells it.

In: a value of the store's.  Out: a value for JSON.  Touches: nothing.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

_Told = TypeVar("_Told", bound=msgspec.Struct)


def told(record: object, schema: type[_Told], **more: Any) -> _Told:
    """The fields of a record that a schema has; `more` are those that the record has not, or says otherwise.

    Raises:
        AttributeError: the schema has a field that is in neither.
    """
    said = {name: getattr(record, name) for name in schema.__struct_fields__ if name not in more}
    return msgspec.convert({**said, **more}, schema, from_attributes=True)
