"""What all pages share: the templates, the navigation, and how a page becomes an answer.

In: a template's name and its values.  Out: HTML.  Touches: the template files.
Every value is escaped by the templates. Another page joins by a line in `NAVIGATION` and a class that has `routes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2
import msgspec
from starlette.responses import HTMLResponse, Response

from raindrop_logging.workshop.markdown import rendered
from raindrop_logging.workshop.pages import text as page_text

HERE: Final = Path(__file__).parent


class Place(msgspec.Struct, frozen=True):
    """An entry of the navigation. `key` is pressed after g; the page's template names itself by it (`set here`)."""

    key: str
    path: str
    label: str


NAVIGATION: Final = (
    Place("h", "/", "Home"),
    Place("e", "/events", "Events"),
    Place("c", "/conversations", "Conversations"),
    Place("u", "/users", "Users"),
    Place("s", "/search", "Search"),
    Place("i", "/signals", "Signals"),
    Place("f", "/tool-errors", "Tool errors"),
    Place("r", "/traces", "Traces"),
)
"""In the order shown; only what exists."""

FILTERS: Final[Mapping[str, Any]] = {
    "pretty": page_text.pretty,
    "duration": page_text.duration,
    "number": page_text.number,
    "moment": page_text.moment,
    "address": page_text.address,
    "conversation_address": page_text.conversation_address,
    "user_address": page_text.user_address,
    "trace_address": page_text.trace_address,
    "percent": page_text.percent,
    "signal_address": page_text.signal_address,
    "anchor": page_text.anchor,
    "markdown": rendered,
}


class Frame:
    """The templates, and what every page is told."""

    def __init__(self, version: str) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        told: dict[str, Any] = {"version": version, "navigation": NAVIGATION, "filtered": page_text.filtered}
        self._templates.globals.update(told)

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """A page from its template; a value that the template needs and is missing raises `jinja2.UndefinedError`."""
        return HTMLResponse(self._templates.get_template(template).render(values), status_code=status)

    def missing(self, message: str) -> Response:
        """Nothing is here, and why."""
        return self.page("missing.html", status=404, message=message)
