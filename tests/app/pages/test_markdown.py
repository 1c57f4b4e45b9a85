"""Markdown of notes and cards: HTML without scripts, pictures, forms or foreign markup."""

import re

import pytest

from app.pages.markdown import notes_html


def test_markdown_becomes_html_below_the_headings_of_the_page() -> None:
    html = notes_html("# One\n\n**two**\nthree `four`\n\n- five\n\n|a|b|\n|-|-|\n|1|2|")
    assert "<h3>One</h3>" in html
    assert "<strong>two</strong><br>" in html
    assert "<code>four</code>" in html
    assert "<li>five</li>" in html
    assert "<td>1</td>" in html
    assert re.search(r'<div class="scroll" tabindex="0" [^>]*><table>(.|\n)*</table></div>', html)


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "![x](https://example.org/track.png)",
        "![x][r]\n\n[r]: https://example.org/track.png",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "<a href='javascript:alert(1)'>x</a>",
        '[x](https://example.org "a\\" onclick=alert(1)")',
        '<https://example.org/"onmouseover=alert(1)>',
        "<form action=/jobs/x/delete><button>",
        "<iframe src=//example.org>",
        "<style>*{display:none}</style>",
        "```html\n<script>alert(1)</script>\n```",
        "`<img src=x>`",
        "&lt;table&gt; \\<table> `<table>`",
    ],
)
def test_no_markup_of_notes_reaches_the_page(text: str) -> None:
    html = notes_html(text)
    assert not re.search(r"<(script|img|form|button|iframe|style|table)", html)
    names = re.sub(r'"[^"]*"', "", " ".join(re.findall(r"<[^>]*>", html)))
    assert not re.search(r"\s(on\w+|style|src)\b", names)
    assert not re.search(r'href="(?!https://)', html)


def test_links_lead_to_the_web_without_a_way_back() -> None:
    html = notes_html("[paper](https://example.org/a?b=1&c=2)")
    assert 'href="https://example.org/a?b=1&amp;c=2"' in html
    assert 'rel="noopener noreferrer"' in html
