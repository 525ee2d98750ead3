"""Markdown as HTML that cannot do anything: no HTML of its own, no image from elsewhere, no address but a few kinds.

In: text.  Out: safe markup.  Touches: nothing.
The page's policy forbids style attributes, so a table's alignment becomes a class. Headings begin below the page's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from markdown_it import MarkdownIt
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

MAX_CHARS: Final = 100_000
"""A longer text is shown as it is: nobody reads it as a document, and parsing would hold up the page."""

INLINE_IMAGE: Final = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/=\s]+")

_LINK: Final = re.compile(r"(?:https?://|mailto:)[^\s\"'<>\\]+", re.IGNORECASE)
_FIRST_HEADING: Final = 4
_LAST_HEADING: Final = 6


def rendered(text: str) -> Markup | None:
    """The text as HTML; None when it is too long or too deep, so that it is shown raw."""
    if len(text) > MAX_CHARS:
        return None
    try:
        return Markup(_MARKDOWN.render(text))  # noqa: S704 - the parser escapes all HTML, and its rules are below
    except RecursionError:
        return None


def _allowed(url: str) -> bool:
    return bool(_LINK.fullmatch(url) or INLINE_IMAGE.fullmatch(url))


def _link_open(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    tokens[idx].attrSet("rel", "noopener noreferrer nofollow")
    tokens[idx].attrSet("target", "_blank")
    return str(renderer.renderToken(tokens, idx, options, env))


def _image(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    """A picture in the text itself is shown; any other is a link that says so."""
    token = tokens[idx]
    source, alt = str(token.attrGet("src") or ""), renderer.renderInlineAsText(token.children, options, env)
    if INLINE_IMAGE.fullmatch(source):
        return str(Markup('<img src="{}" alt="{}">').format(source, alt))
    link = Markup('<a href="{}" target="_blank" rel="noopener noreferrer nofollow">{} <small>(picture)</small></a>')
    return str(link.format(source, alt or source))


def _cell(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrSet("class", f"to-{style.rpartition(':')[2]}")
    return str(renderer.renderToken(tokens, idx, options, env))


def _heading(renderer: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType) -> str:
    token = tokens[idx]
    token.tag = f"h{min(int(token.tag[1:]) + _FIRST_HEADING - 1, _LAST_HEADING)}"
    return str(renderer.renderToken(tokens, idx, options, env))


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.validateLink = _allowed  # type: ignore[method-assign]
    rules: dict[str, Any] = {
        "link_open": _link_open,
        "image": _image,
        "th_open": _cell,
        "td_open": _cell,
        "heading_open": _heading,
        "heading_close": _heading,
    }
    for name, rule in rules.items():
        parser.add_render_rule(name, rule)
    return parser


_MARKDOWN: Final = _parser()
