"""Notes of jobs: Markdown as HTML that is safe to show."""

from functools import cache

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markupsafe import Markup

from app.threads import in_thread

TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong", "s"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
SCHEMES = {"http", "https", "mailto"}
PAGE_LEVELS = 2
"""The headings of a page have the first two levels; those of notes come below."""


def notes_html(text: str) -> Markup:
    """The HTML of notes. HTML in them is shown as text; pictures are shown as their address.

    A thread makes it: 10,000 characters take up to 0.2 s.
    """
    return Markup(in_thread(_html, text))  # noqa: S704  # nosec B704


def _html(text: str) -> str:
    html = _parser().render(text)
    return nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES)


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True})
    parser.disable("image").enable(["table", "strikethrough"])
    parser.core.ruler.push("below the page's headings", _lower_headings)
    return parser


def _lower_headings(state: StateCore) -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + PAGE_LEVELS, 6)}"
