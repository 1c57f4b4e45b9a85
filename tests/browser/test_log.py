"""A worker's log, followed in a page: on a plain page of the server, with a log that the test writes."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Clip
from tests.support.server import Server

FOLLOW = """async (url) => {
  document.body.innerHTML = `<details id="log" data-log="${url}"><summary>Log</summary>
    <pre style="height: 200px; overflow: auto; white-space: pre-wrap"></pre></details>`;
  window.live = true;
  const { follow } = await import(document.querySelector("script[src$='/theme.js']").src.replace("theme", "log"));
  follow(document.querySelector("#log"), () => window.live);
}"""
AT_END = "() => { const pre = document.querySelector('pre'); return pre.scrollHeight - pre.scrollTop - pre.clientHeight < 8; }"


@pytest.fixture
def log(page: Page, server: Server, clip: Clip) -> Path:
    """The log of a job, followed by the page."""
    id = server.dataset(clip)
    server.wait(id, "done")
    page.goto(server.url)
    page.evaluate(FOLLOW, f"/api/v1/jobs/{id}/log")
    return server.home / "jobs" / id / "worker.log"


@pytest.fixture
def asked(page: Page) -> list[str]:
    """The addresses of the log that the page asks for."""
    seen: list[str] = []
    page.on(
        "request",
        lambda request: (
            seen.append(request.url) if "/log" in request.url and "/api/" in request.url else None
        ),
    )
    return seen


def lines(first: int, count: int) -> str:
    return "".join(f"line {number}\n" for number in range(first, first + count))


def append(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_log_is_followed_while_it_is_open_and_the_job_lives(
    page: Page, log: Path, asked: list[str]
) -> None:
    pre = page.locator("pre")
    append(log, "begin\n\r 1 %")
    page.wait_for_timeout(1500)
    assert asked == []
    page.locator("summary").click()
    expect(pre).to_have_text("begin\n 1 %", use_inner_text=True)
    append(log, "\r 50 %\r 100 %\nend\n")
    expect(pre).to_have_text("begin\n 100 %\nend\n", use_inner_text=True)
    page.evaluate("window.live = false")
    append(log, "last words")
    expect(pre).to_contain_text("last words")
    page.wait_for_timeout(2500)
    count = len(asked)
    page.wait_for_timeout(1500)
    assert len(asked) == count, "nothing is asked for when the job has ended"


def test_the_end_stays_in_sight_unless_the_reader_looks_elsewhere(page: Page, log: Path) -> None:
    pre = page.locator("pre")
    log.write_text(lines(0, 4990))
    page.locator("summary").click()
    expect(pre).to_contain_text("line 4989\n")
    assert page.evaluate(AT_END)
    append(log, lines(4990, 5))
    expect(pre).to_contain_text("line 4994\n")
    page.wait_for_function(AT_END)
    page.evaluate("document.querySelector('pre').scrollTop = 30000")
    page.wait_for_timeout(100)
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
    expect(page.get_by_text("The beginning is left out here")).to_be_visible()


def test_a_log_that_is_replaced_begins_anew_and_a_long_one_is_shown_from_its_end(
    page: Page, log: Path
) -> None:
    pre, note = page.locator("pre"), page.get_by_text("The beginning is left out here")
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
