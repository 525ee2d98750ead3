"""The filter bar of every list: what is set, the form, saved filters, and where the facets are.

In: an `Asked`.  Out: the values of the macros in `filter_bar.html`.  Touches: the store's saved filters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import msgspec
from starlette.responses import RedirectResponse

from raindrop_logging.workshop.event_filter import KEYS, PROPERTY
from raindrop_logging.workshop.pages import list_address
from raindrop_logging.workshop.pages.list_address import Asked, Pairs, written
from raindrop_logging.workshop.refusals import QuestionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from raindrop_logging.workshop.pages.frame import Frame
    from raindrop_logging.workshop.store import Store

SEE_OTHER: Final = 303


class Field(msgspec.Struct, frozen=True):
    """A field of the form: a condition's name, what people call it, and an example of its value."""

    name: str
    label: str
    example: str


TEXTS: Final = (
    Field("event", "Event", "support_chat"),
    Field("user_id", "User", "u_123"),
    Field("convo_id", "Conversation", "c_42"),
    Field("model", "Model", "gpt-4o"),
    Field("tool", "Tool", "search_docs"),
    Field("signal", "Signal", "thumbs_down"),
    Field("project_id", "Project", "shop"),
    Field("since", "Since", "24h, 2026-05-07"),
    Field("until", "Until", "1h, 2026-05-08"),
)
"""In the order of the form; the property's field follows."""

CHOICES: Final = (
    Field("error", "Failed", ""),
    Field("pending", "Pending", ""),
    Field("attachment", "Attachment", ""),
)

LABELS: Final = {field.name: field.label for field in (*TEXTS, *CHOICES)}

FACETS_PATH: Final = "/facets"
OF: Final = "of"
"""In the address of facets: the list that they lead back to."""


class ListPart:
    """A list under the filter bar, from its address to its answer.

    `names` are the conditions that its form offers, all by default. `counted` says whether facets stand beside it.
    """

    def __init__(
        self, store: Store, frame: Frame, path: str, names: frozenset[str] = KEYS, *, counted: bool = True
    ) -> None:
        self._store = store
        self._frame = frame
        self._path = path
        self._names = names
        self._counted = counted

    def answered(self, query: Pairs, template: str, find: Callable[[Asked], dict[str, Any]]) -> Response:
        """The page of the template with what `find` gives it: `rows`, `older` and what is its own; blocks.

        A form that was sent leads to the address to keep. What is wrong with an address, a `QuestionError` of `find`
        included, is said in the page with status 400, and the list is then empty.
        """
        asked = list_address.tidied(self._path, query)
        if isinstance(asked, str):
            return RedirectResponse(asked, SEE_OTHER)
        asked = asked or list_address.read(self._path, query)
        values: dict[str, Any] = {"rows": (), "older": None}
        if asked.problem is None:
            try:
                values = find(asked)
            except QuestionError as error:
                asked = asked.wrong(f"{error}.")
        status = 400 if asked.problem else 200
        newest = asked.here if asked.cursor else None
        return self._frame.page(template, status=status, bar=self._bar(asked), newest=newest, **values)

    def _bar(self, asked: Asked) -> dict[str, Any]:
        """The values of the macros in `filter_bar.html`."""
        faceted = self._counted and asked.problem is None
        return {
            "path": asked.path,
            "problem": asked.problem,
            "typed": asked.typed,
            "chips": [chip(pair, asked.pairs, asked.path) for pair in asked.pairs],
            "texts": [(field, _values(asked, field.name)) for field in TEXTS if field.name in self._names],
            "choices": [(field, _values(asked, field.name)[0]) for field in CHOICES if field.name in self._names],
            "held": [pair for pair in asked.pairs if pair[0].startswith(PROPERTY)],
            "properties": self._names == KEYS,
            "query": urlencode(asked.pairs),
            "saved": self._store.saved_filters(),
            "facets": written(FACETS_PATH, ((OF, asked.path), *asked.pairs)) if faceted else None,
        }


def chip(pair: tuple[str, str], kept: Pairs, path: str = "/events") -> dict[str, str]:
    """What the macro `filter_chip` shows of one condition: its words, and the address without it."""
    name, value = pair
    without = written(path, tuple(other for other in kept if other != pair))
    return {"name": LABELS.get(name, name.removeprefix(PROPERTY)).lower(), "value": value, "without": without}


def _values(asked: Asked, name: str) -> list[str]:
    return [value for key, value in asked.pairs if key == name] or [""]
