"""Notes of jobs and model cards: Markdown as HTML that is safe to show."""

from functools import cache
from typing import TYPE_CHECKING

import nh3
from markupsafe import Markup

from app.threads import in_thread

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_core import StateCore

TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "code", "em", "strong"),
    *("s", "ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
SCHEMES = {"http", "https", "mailto"}
PAGE_LEVELS = 2
"""The headings of a page have the first two levels; those of notes come below."""
TABLE = (
    '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>',
    "</table></div>",
)
"""Start and end of a table that is wider than a phone: it scrolls, by keys too."""


def notes_html(text: str) -> Markup:
    """The HTML of notes. HTML in them is shown as text; pictures are shown as their address.

    A thread makes it: 10,000 characters take up to 0.2 s.
    """
    return Markup(in_thread(_html, text, True))  # noqa: S704  # nosec B704


def card_html(text: str) -> Markup:
    """The HTML of a model card, whose lines are wrapped and whose headings are the page's."""
    return Markup(in_thread(_html, text, False))  # noqa: S704  # nosec B704


def _html(text: str, is_note: bool) -> str:
    html = nh3.clean(
        _parser(is_note).render(text), tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES
    )
    # After cleaning, these are tags of the parser: in texts, `<` is written as `&lt;`.
    return html.replace("<table>", TABLE[0]).replace("</table>", TABLE[1])


@cache
def _parser(is_note: bool) -> "MarkdownIt":
    from markdown_it import MarkdownIt  # Many servers never need it, and it loads for 15 ms.

    parser = MarkdownIt("commonmark", {"html": False, "breaks": is_note})
    parser.disable("image").enable(["table", "strikethrough"])
    if is_note:
        parser.core.ruler.push("below the page's headings", _lower_headings)
    return parser


def _lower_headings(state: "StateCore") -> None:
    for token in state.tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + PAGE_LEVELS, 6)}"
