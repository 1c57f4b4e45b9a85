"""Tests of following a worker log in a page. The tests write the log."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from app.web.assets import version
from tests.browser.looks import until
from tests.conftest import Clip
from tests.support.server import Server

FOLLOW = """async ([url, module]) => {
  document.body.innerHTML = `<details id="log" data-log="${url}"><summary>Log</summary>
    <pre></pre></details>`;
  const style = document.querySelector("pre").style;  // The CSP forbids it in the HTML.
  Object.assign(style, { height: "200px", overflow: "auto", whiteSpace: "pre-wrap" });
  window.live = true;
  const { followLog } = await import(module);
  followLog(document.querySelector("#log"), () => window.live);
}"""
AT_END = """() => {
  const pre = document.querySelector('pre');
  return pre.scrollHeight - pre.scrollTop - pre.clientHeight < 8;
}"""

SCROLLED = "document.querySelector('pre').scrollTop === 30000"
NEXT_FRAME = """() => new Promise(
  (resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))"""


@pytest.fixture
def log(page: Page, server: Server, clip: Clip) -> Path:
    """The log of a job, followed by the page."""
    id = server.dataset(clip)
    server.wait(id, "done")
    page.goto(server.url)
    page.evaluate(FOLLOW, [f"/api/v1/jobs/{id}/log", f"/static/{version()}/js/runs/log.js"])
    return server.home / "jobs" / id / "worker.log"


@pytest.fixture
def requests(page: Page) -> list[str]:
    """The URLs of the page's requests for the log."""
    urls: list[str] = []
    page.on(
        "request",
        lambda request: (
            urls.append(request.url) if "/log" in request.url and "/api/" in request.url else None
        ),
    )
    return urls


def lines(first: int, count: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, first + count))


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_log_is_followed_while_it_is_open_and_the_job_runs(
    page: Page, log: Path, requests: list[str]
) -> None:
    pre = page.locator("pre")
    append(log, "begin\n\r 1 %")
    page.wait_for_timeout(1500)
    assert requests == []
    page.locator("summary").click()
    expect(pre).to_have_text("begin\n 1 %", use_inner_text=True)
    append(log, "\r 50 %\r 100 %\nend\n")
    expect(pre).to_have_text("begin\n 100 %\nend\n", use_inner_text=True)
    page.evaluate("window.live = false")
    append(log, "last line")
    expect(pre).to_contain_text("last line")
    page.wait_for_timeout(2500)
    count = len(requests)
    page.wait_for_timeout(1500)
    assert len(requests) == count, "the page sends no requests after the end of the job"


def test_the_page_scrolls_to_the_end_unless_the_user_has_scrolled_up(page: Page, log: Path) -> None:
    pre = page.locator("pre")
    log.write_text(lines(0, 4990))
    page.locator("summary").click()
    expect(pre).to_contain_text("line 4989\n")
    assert page.evaluate(AT_END)
    append(log, lines(4990, 5))
    expect(pre).to_contain_text("line 4994\n")
    page.wait_for_function(AT_END)
    until(page, "(document.querySelector('pre').scrollTop = 30000) && " + SCROLLED)
    page.evaluate(NEXT_FRAME)  # The page learns of it by an event.
    first_seen = """() => {
      const pre = document.querySelector('pre');
      const top = pre.getBoundingClientRect().top;
      const range = document.createRange();
      const isSeen = (node) => {
        range.selectNode(node);
        return range.getBoundingClientRect().top >= top;
      };
      return [...pre.childNodes].find(isSeen).data;
    }"""
    before = page.evaluate(first_seen)
    append(log, lines(4995, 500))
    expect(pre).to_contain_text("line 5494\n")
    assert page.evaluate(first_seen) == before
    assert page.evaluate("document.querySelector('pre').childNodes.length") == 5000
    expect(page.get_by_text("Only the end is shown")).to_be_visible()


def test_a_replaced_log_restarts_and_a_long_log_shows_its_end(page: Page, log: Path) -> None:
    pre, note = page.locator("pre"), page.get_by_text("Only the end is shown")
    log.write_text(lines(0, 100_000))
    page.locator("summary").click()
    expect(pre).to_contain_text("line 99999\n")
    expect(note).to_be_visible()
    assert (
        page.get_by_role("link", name="worker.log").get_attribute("href")
        == f"/jobs/{log.parent.name}/files/worker.log"
    )
    log.write_text("new\n")
    expect(pre).to_have_text("new\n", use_inner_text=True)
    expect(note).to_be_hidden()
    append(log, lines(0, 200_000))
    expect(pre).to_contain_text("line 199999\n")
    expect(pre).not_to_contain_text("new")
