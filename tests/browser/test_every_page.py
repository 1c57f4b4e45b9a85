"""Tests of every page: user text is escaped, and all links work below a URL prefix.

Names, notes, groups, paths and reasons contain markup. Every page in every state is accessible, and
keeps its script short and its parts in place.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, WebSocket, expect

from app.web.bundles import bundles
from jobs.core import folder as folders
from jobs.core.events import EventLog, read
from jobs.core.folder import JobFolder
from tests.browser.conftest import keep_picture, watched
from tests.browser.looks import layout_shift, serious_findings
from tests.browser.test_uploads import STREAM, choose, value
from tests.conftest import Clip
from tests.support.server import Server, free_port

MARKUP = """"'><img src=x onerror=window.hurt=1>{{ 7*7 }}""" + 100 * "w"
"""Markup, and wider than a phone."""
TOKEN = "a-token-for-these-tests"  # noqa: S105
SMALL = {"batch_size": 4, "patch_size": 16, "patches_per_frame": 1, "steps": 4}
TABS = 8

T = TypeVar("T")


@pytest.fixture(scope="module")
def named(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[tuple[Server, list[str]]]:
    """A server with jobs whose texts are markup, and the paths of all pages that show them."""
    clip: Clip = request.getfixturevalue("clip")
    place = tmp_path_factory.mktemp("named") / MARKUP
    shutil.copytree(clip[1], place / "originals")
    stream = Path(shutil.copy(clip[0], place / f"{MARKUP}.h264"))
    broken = place / f"{MARKUP}.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with Server(place.parent / "home", [place], free_port()) as server:
        labels = {"name": MARKUP, "group": MARKUP, "notes": MARKUP}
        dataset = server.dataset((stream, place / "originals"), **labels)
        server.wait(dataset, "done")
        model = server.create("/models", {**labels, **SMALL, "dataset": dataset})
        other = server.create("/models", {**labels, **SMALL, "dataset": dataset, "seed": 1})
        for id in (model, other):
            server.wait(id, "done")
        image = str(next((place / "originals").iterdir()))
        specs = [
            {"image": image, "target": image},
            {"image": str(broken)},
            {"kind": "images", "images": [str(place / "originals"), str(broken)]},
            {"kind": "split", "split": "val"},
            {"kind": "video", "video": str(stream)},
        ]
        tests = [server.create(f"/models/{model}/tests", spec) for spec in specs]
        for spec in (specs[0], specs[2], specs[4]):
            tests.append(server.create("/starters/fast/tests", spec))
        for id in tests:
            server.wait_for_end(id)
        aborted = server.dataset((stream, place / "originals"), **labels)
        assert server.call(f"/jobs/{aborted}/abort", {})[0] in (202, 409)
        server.wait_for_end(aborted)
        yield (
            server,
            [
                "/",
                "/queue",
                "/docs",
                f"/restore?file={quote(image)}&original={quote(MARKUP)}",
                "/starters/fast",
                f"/datasets/{dataset}",
                f"/datasets/{dataset}/pairs",
                f"/datasets/{dataset}/pairs/train/0",
                f"/datasets/new?clone={dataset}",
                f"/datasets/{aborted}",
                f"/models/{model}",
                f"/models/{model}/browser",
                f"/models/new?clone={model}",
                *(
                    f"/models/{model}/test?kind={kind}&image={quote(image)}"
                    for kind in ("image", "images", "split", "video")
                ),
                f"/compare?ids={model},{other}",
                "/compare",
                *(f"/tests/{id}" for id in tests),
                f"/models/new?name={quote(MARKUP)}&dataset={quote(MARKUP)}",
                f"/datasets/new?name={quote(MARKUP)}&source.stream={quote(str(stream))}",
            ],
        )


@pytest.fixture
def page(
    browser: Browser, named: tuple[Server, list[str]], request: pytest.FixtureRequest
) -> Iterator[Page]:
    with watched(browser, request.node.name, expected="status of 404") as page:
        yield page


def groups(pages: Sequence[T]) -> list[Sequence[T]]:
    """As many pages as there are tabs, at a time."""
    return [pages[first : first + TABS] for first in range(0, len(pages), TABS)]


def unfolded(page: Page, root: str, addresses: list[str]) -> Iterator[tuple[Page, str]]:
    """Open each page, with all its folded parts, in `page` or another tab of its context.

    Until a page is quiet, others load: most of the time goes into waiting.
    """
    tabs = [page, *(page.context.new_page() for _ in range(TABS - 1))]
    for some in groups(addresses):
        opened = list(zip(tabs, some, strict=False))
        for tab, address in opened:
            response = tab.goto(root + address)
            assert response is not None
            assert response.status == 200, address
        for tab, _ in opened:
            tab.wait_for_load_state("networkidle")
            for details in tab.locator("main details:not([open]) > summary").all():
                if details.is_visible():
                    details.click()
        page.wait_for_timeout(300)
        yield from opened


def test_a_first_visit_of_a_phone_takes_few_requests_and_moves_nothing(
    browser: Browser, named: tuple[Server, list[str]]
) -> None:
    server, addresses = named
    bundles.cache_clear()  # The sources of a test run do not change, but the fixture makes them.
    if not bundles():
        pytest.skip("without node, there are no bundles")
    visits = [
        visit for some in groups(addresses) for visit in first_visits(browser, server.url, some)
    ]
    assert [
        visit
        for visit in visits
        if visit.requests >= 25 or visit.kilobytes >= 350 or visit.shift >= 0.02 or visit.is_wider
    ] == []


@dataclass
class Visit:
    """What a page loads, without pictures and video; how far its parts move; whether it fits."""

    address: str
    requests: int
    kilobytes: float
    shift: float
    is_wider: bool


def first_visits(browser: Browser, root: str, addresses: Sequence[str]) -> list[Visit]:
    """Visit pages without a cache. They load at the same time: most of it goes into waiting."""
    opened = [open_first(browser, root + address) for address in addresses]
    return [visited(address, *parts) for address, parts in zip(addresses, opened, strict=True)]


def open_first(browser: Browser, url: str) -> tuple[Page, list[Request], list[WebSocket]]:
    requests, sockets = list[Request](), list[WebSocket]()
    tab = browser.new_context(viewport={"width": 360, "height": 844}).new_page()
    tab.on("requestfinished", lambda request: requests.append(request))
    tab.on("websocket", lambda socket: sockets.append(socket))
    tab.goto(url)
    return tab, requests, sockets


def visited(address: str, tab: Page, requests: list[Request], sockets: list[WebSocket]) -> Visit:
    shift = layout_shift(tab)
    files = [request for request in requests if request.resource_type not in ("image", "media")]
    sizes = [request.sizes() for request in files]
    kilobytes = sum(size["responseHeadersSize"] + size["responseBodySize"] for size in sizes) / 1000
    is_wider = tab.evaluate("document.documentElement.scrollWidth > innerWidth")
    tab.context.close()
    return Visit(address, len(files) + len(sockets), kilobytes, shift, is_wider)


def test_markup_in_error_messages_is_text(page: Page, named: tuple[Server, list[str]]) -> None:
    server, _ = named
    for path in (f"/jobs/{quote(MARKUP)}", f"/models/{quote(MARKUP)}", f"/{quote(MARKUP)}"):
        page.goto(server.url + path)
        check_escaped(page, path)
    page.goto(f"{server.url}/datasets/new")
    page.locator("form[method=post]").first.evaluate("form => { form.noValidate = true; }")
    page.get_by_label("Name", exact=True).fill(MARKUP)
    page.locator("input[name='source.stream']").fill(f"/nowhere/{MARKUP}")
    page.get_by_role("button", name="Create dataset").click()
    page.wait_for_load_state("networkidle")
    check_escaped(page, "a refused form")


@pytest.fixture
def prefixed(named: tuple[Server, list[str]]) -> Iterator[tuple[Server, str, list[str]]]:
    """The server below a prefix, its root URL, and the paths of the pages."""
    server, addresses = named
    for options in (["--prefix=/clips/clearframe", f"--token={TOKEN}"], []):
        server.kill()
        server.options = options
        server.start()
        if options:
            yield server, f"{server.url}/clips/clearframe", addresses


def test_markup_is_text_and_requests_and_links_stay_below_the_prefix_on_every_page(
    prefixed: tuple[Server, str, list[str]], page: Page
) -> None:
    _, root, addresses = prefixed
    urls: list[str] = []
    page.goto(f"{root}/?token={TOKEN}")
    page.context.on("request", lambda request: urls.append(request.url))

    def watch(tab: Page) -> None:
        tab.on("websocket", lambda socket: urls.append(socket.url.replace("ws:", "http:")))

    watch(page)
    page.context.on("page", watch)
    for tab, address in unfolded(page, root, addresses):
        check_escaped(tab, address)
        if address == "/":
            expect(tab.get_by_text(MARKUP).nth(2)).to_be_attached()
        assert tab.evaluate(LINKS_OUTSIDE, "/clips/clearframe/") == [], address
    assert [url for url in urls if not url.startswith((f"{root}/", "blob:", "data:"))] == []
    assert any("/socket.io/" in url for url in urls)
    assert any(".mp4" in url for url in urls)


LINKS_OUTSIDE = """root => ["href", "src", "action"].flatMap(name =>
  [...document.querySelectorAll(`[${name}^="/"]`)]
    .map(element => element.getAttribute(name))
    .filter(link => !link.startsWith(root)))"""
"""The links of a page that do not begin with `root`."""


def test_forms_work_below_the_prefix(prefixed: tuple[Server, str, list[str]], page: Page) -> None:
    server, root, addresses = prefixed
    page.goto(f"{root}/?token={TOKEN}")
    assert page.url == f"{root}/"
    dataset = next(root + address for address in addresses if address.startswith("/datasets/"))
    page.goto(dataset)
    page.get_by_role("button", name="Edit name, tags, notes").click()
    page.get_by_label("Group", exact=True).fill("one")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="one", exact=True)).to_be_visible()
    assert page.url == dataset
    page.goto(f"{root}/datasets/new")
    stream = next(server.roots[0].glob("*.h264"))
    choose(page, STREAM, stream)
    assert value(page, STREAM).read_bytes() == stream.read_bytes()
    page.goto(f"{root}/?state=done")
    models = page.get_by_role("region", name="Models")
    models.get_by_role("checkbox", name=f"Choose {MARKUP}").first.check()
    models.get_by_role("combobox", name="Group").fill("one")
    models.get_by_role("button", name="Put into group").click()
    page.wait_for_url(f"{root}/?state=done")


LONGEST_TASK_MS = 100
"""Processor time of one task of a page's thread."""
NARROW_RULES = ["color-contrast", "target-size", "scrollable-region-focusable", "link-name"]
"""Rules whose findings depend on the layout or the colours."""


@pytest.fixture(scope="module")
def states(named: tuple[Server, list[str]]) -> Iterator[dict[str, str]]:
    """The paths of pages by the state that they show: jobs that wait, run, have failed, …

    Their logs are the first parts of those of finished jobs.
    """
    server, addresses = named
    server.kill()
    server.options = ["--dataset-workers=1", "--test-workers=1", "--cpu-trainings=1"]
    done = finished(server)
    with ExitStack() as stack:
        made = {
            f"{kind}, {state}": address(part_of(done[kind], state, stack))
            for kind, states in STATES.items()
            for state in states
        }
        server.start()
        compare = next(path for path in addresses if "compare?ids" in path)
        yield {
            **made,
            **{path: path for path in addresses if path not in alike(server, addresses)},
            "no such page": "/nowhere",
            "no jobs found": "/?q=nothing",
            "one to compare": compare.split(",")[0],
        }


KINDS = ("/datasets/", "/models/", "/tests/")
FORMS = {
    "/datasets/": ["/datasets/new"],
    "/models/": ["/models/new"],
    "/tests/": [],
    "/": ["/restore"],
}
"""Forms that are sent empty."""
STATES = {
    "dataset": ("waiting", "running", "error"),
    "model": ("waiting", "running", "error"),
    "image": ("waiting", "running"),
    "images": ("running",),
    "video": ("running", "error"),
}
"""The states of jobs by their kind; all of these, and split, are done too."""


def alike(server: Server, addresses: list[str]) -> list[str]:
    """The pages that look like others: tests of starters, and forms with other values."""
    tests = [path for path in addresses if path.startswith("/tests/")]
    of_starters = [path for path in tests if server.job(path[7:])["spec"]["starter"]]
    return [*of_starters, *(path for path in addresses if "/new?name=" in path)]


def finished(server: Server) -> dict[str, JobFolder]:
    """A finished job of each kind and each kind of test."""
    done: dict[str, JobFolder] = {}
    for path in sorted((server.home / "jobs").iterdir()):
        folder = JobFolder(path)
        job = folder.read()
        states = [event["state"] for event in read(folder.events) if event["type"] == "state"]
        if states[-1] == "done":
            done.setdefault(job["spec"].get("kind", job["kind"]), folder)
    return done


def part_of(source: JobFolder, state: str, stack: ExitStack) -> JobFolder:
    """A job like another one, in another state."""
    home = source.path.parent.parent
    folder = folders.create(home, source.read()["kind"], source.spec())
    if state == "waiting":
        return folder
    if state == "running":
        lock = folder.lock()
        assert lock is not None
        stack.callback(os.close, lock)
    events = [cast(dict[str, Any], event) for event in read(source.events)]
    events = [event for event in events if event["type"] != "state"]
    with EventLog(folder.events) as log:
        log.append("state", state="running", reason="")
        for event in events[: 2 * len(events) // 3]:
            log._logged(event.pop("type"), event)
        log.append("progress", done=1, total=3, unit="steps", rate=1.0, eta=90.0)
        if state != "running":
            log.append("state", state=cast(Any, state), reason=MARKUP)
    return folder


def address(folder: JobFolder) -> str:
    return f"/{folder.read()['kind']}s/{folder.id}"


@pytest.mark.parametrize("kind", [*KINDS, "/"])
def test_every_page_in_every_state_is_accessible_quick_and_still(
    browser: Browser, states: dict[str, str], named: tuple[Server, list[str]], kind: str
) -> None:
    problems: dict[str, list[str]] = {}
    others = tuple(other for other in KINDS if other != kind)
    paths = {
        name: path
        for name, path in states.items()
        if path.startswith(kind) and not path.startswith(others)
    }
    assert len(paths) > 5
    with watched(browser, f"states{kind.replace('/', '-')}", expected="status of 404") as page:
        tabs = [page, *(page.context.new_page() for _ in range(TABS - 1))]
        said = list[ConsoleMessage]()
        page.context.on("console", lambda message: said.append(message))
        for some in groups(list(paths.items())):
            said.clear()
            urls = {tab: named[0].url + path for tab, (_, path) in zip(tabs, some, strict=False)}
            together = longest_task(browser, urls)
            for (tab, url), (name, path) in zip(urls.items(), some, strict=True):
                longest = together
                for _ in range(4):  # Other processes, which share caches, make a task longer.
                    if longest > LONGEST_TASK_MS:
                        longest = min(longest, longest_task(browser, {tab: url}))
                found = [f"a task of {longest:.0f} ms"] if longest > LONGEST_TASK_MS else []
                if (shift := layout_shift(tab)) >= 0.02:
                    found.append(f"moves by {shift:.3f}")
                found += accessibility(tab, name)
                found += [
                    f"{message.type}: {message.text}"
                    for message in said
                    if message.page == tab and "status of 404" not in message.text
                ]
                if found:
                    problems[f"{name}, {path}"] = found
        for path in FORMS[kind]:
            if found := accessibility(refused(page, named[0].url + path), f"{path} with errors"):
                problems[f"{path} with errors"] = found
    assert not problems, json.dumps(problems, indent=1)


def refused(page: Page, url: str) -> Page:
    """The form of a page with the errors of the server, after nothing was filled in."""
    page.goto(url)
    form = page.locator("main form[method=post]").first
    form.evaluate("form => { form.noValidate = true; }")
    if (name := form.locator("[name=name]")).count():
        name.fill("")
    with page.expect_navigation():
        form.locator("button.primary").click()
    expect(page.locator(".field .error").first).to_be_visible()
    return page


def longest_task(browser: Browser, urls: dict[Page, str]) -> float:
    """Open pages; the processor time of the longest task of one of them in milliseconds.

    Not the time on the clock, in which other processes of a busy machine run too. The trace of a
    category for developers has the same tasks and is ten times as long.
    """
    for page in urls:
        page.goto("about:blank")
    browser.start_tracing(categories=["toplevel"])
    for page, url in urls.items():
        page.goto(url)
    for page in urls:
        page.wait_for_load_state("networkidle")
    events = json.loads(browser.stop_tracing())["traceEvents"]
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    tasks = [
        event.get("tdur", 0)
        for event in events
        if event["name"] == "ThreadControllerImpl::RunTask"
        and (event["pid"], event["tid"]) in threads
    ]
    assert tasks
    return float(max(tasks) / 1000)


def accessibility(page: Page, name: str) -> list[str]:
    """Findings of axe-core on a page with all its folded parts, wide and light, narrow and dark."""
    name = "every" + re.sub("[^a-z0-9]+", "-", name)[:60]
    page.evaluate(
        "for (const part of document.querySelectorAll('main details:not(.menu)')) part.open = true"
    )
    found = serious_findings(page)
    keep_picture(page, f"{name}-wide", full_page=True)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 360, "height": 844})
    found += wider_than_the_window(page)
    found += serious_findings(page, NARROW_RULES)
    keep_picture(page, f"{name}-narrow", full_page=True)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})
    return found


def wider_than_the_window(page: Page) -> list[str]:
    """The parts that make a page wider than its window, once its charts have their new size."""
    for _ in range(20):
        parts: list[str] = page.evaluate(WIDER)
        if not parts:
            break
        page.wait_for_timeout(100)
    return parts


WIDER = """() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")]
    .filter(part => part.getBoundingClientRect().right > innerWidth && !part.closest(".scroll"))
    .slice(0, 3)
    .map(part => `too wide: ${part.outerHTML.slice(0, 200)}`)"""


def check_escaped(page: Page, where: str) -> None:
    """Assert that no markup of a user text has become an element."""
    assert page.evaluate(
        "window.hurt === undefined && document.querySelectorAll('img[src=x]').length === 0"
    ), where
