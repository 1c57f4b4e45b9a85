"""Benchmark: what each page loads, and when a slow line shows its first content, in Chromium.

python benchmarks/pages.py [--rounds 3] [--kbit 400] [--latency 300]

Prints a JSON object with results per page, each opened with an empty cache:

requests          HTTP requests and WebSocket connections, without pictures and video
kb                kilobytes received for them, with headers
pictures          requests of pictures and video
first_content_ms  until Chromium has painted the first content (First Contentful Paint), median
loaded_ms         until the load event: all scripts and styles have arrived; median
layout_shift      the sum of the Layout Instability API until the page is quiet, the largest of all
                  rounds

Chromium delays each response by the latency, and limits the bandwidth of all of them together.
The models and tests are those of the sample clip.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.browser import QUIET, browser_path, missing_browser
from benchmarks.record import print_progress, print_record, skip
from benchmarks.test_one import train_model
from jobs.core.paths import HELP
from jobs.media.sample_clip import make_clip
from tests.support.server import Server, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PICTURES = ("Image", "Media")
"""Types of the DevTools protocol that `requests` and `kb` leave out."""
WATCH = """
window.layoutShift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) layoutShift += entry.value;
}).observe({ type: "layout-shift", buffered: true })"""
FIRST_CONTENT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
LIMIT_MS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--kbit", type=float, default=400, help="kbit/s of the line")
    parser.add_argument("--latency", type=float, default=300, help="ms of each response")
    args = parser.parse_args()
    if (missing := missing_browser()) is not None:
        skip(missing)
    work = Path(tempfile.mkdtemp())
    try:
        with Server(work / "home", [work], free_port()) as server:
            pages = pages_of(server, work)
            results = measured(server.url, pages, args)
            print_record(kbit=args.kbit, latency_ms=args.latency, rounds=args.rounds, **results)
    finally:
        shutil.rmtree(work)


def pages_of(server: Server, work: Path) -> dict[str, str]:
    """The paths of the pages by their names, with jobs that are done."""
    model = train_model(server, work, "srcnn-9-1-5")
    dataset = server.job(model)["spec"]["dataset"]
    stream, originals = make_clip(work / "clip", 24)
    image = str(min(originals.iterdir()))
    tests = {
        "test of one image": {"image": image, "target": image},
        "test of many images": {"kind": "split", "split": "val"},
        "test of a video": {"kind": "video", "video": str(stream)},
    }
    ids = {name: server.create(f"/models/{model}/tests", spec) for name, spec in tests.items()}
    ids["test of a starter"] = server.create("/starters/fast/tests", {"image": image})
    for id in ids.values():
        server.wait(id, "done")
    again = {"name": "again", "dataset": dataset, "steps": 4, "batch_size": 4, "patch_size": 32}
    other = server.create("/models", again)
    server.wait(other, "done")
    rates = server.create("/datasets", {"name": "rates", "source": rates_of(originals)})
    server.wait(rates, "done")
    return {
        "home": "/",
        "dataset form": "/datasets/new",
        "dataset": f"/datasets/{dataset}",
        "dataset at several rates": f"/datasets/{rates}",
        "pairs": f"/datasets/{dataset}/pairs",
        "pair": f"/datasets/{dataset}/pairs/train/0",
        "model form": "/models/new",
        "model": f"/models/{model}",
        "try in the browser": f"/models/{model}/browser",
        "choose what to compare": f"/compare?ids={model}",
        "compare": f"/compare?ids={model},{other}",
        "test form": f"/models/{model}/test",
        "test form of many images": f"/models/{model}/test?kind=images",
        "test form of a split": f"/models/{model}/test?kind=split",
        "test form of a video": f"/models/{model}/test?kind=video",
        **{name: f"/tests/{id}" for name, id in ids.items()},
        "restore": "/restore",
        "model card": "/starters/fast",
        "queue": "/queue",
        "API": "/docs",
        **({"help": "/help/tutorial.html"} if (HELP / "index.html").is_file() else {}),
        "no such page": "/nowhere",
    }


def rates_of(originals: Path) -> dict[str, Any]:
    """A source of pairs that are coded at several rates."""
    return {"kind": "compress", "originals": str(originals), "qp": [22, 27, 32, 37]}


def measured(url: str, pages: dict[str, str], args: argparse.Namespace) -> dict[str, Any]:
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=browser_path(), args=QUIET) as chromium,
    ):
        results = {}
        for name, path in pages.items():
            print_progress(name)
            rounds = [opened(chromium, url + path, args) for _ in range(args.rounds)]
            results[name] = summed_up(rounds)
        return {"browser": chromium.version, "pages": results}


def opened(browser: "Browser", url: str, args: argparse.Namespace) -> dict[str, float]:
    """What one visit with an empty cache takes."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    page.add_init_script(WATCH)
    traffic = watched(context, page, args)
    page.goto(url)
    page.wait_for_load_state("networkidle")
    result = {
        **traffic,
        "first_content_ms": page.evaluate(FIRST_CONTENT),
        "loaded_ms": page.evaluate(LOADED),
        "layout_shift": page.evaluate("layoutShift"),
    }
    context.close()
    return result


def watched(context: "BrowserContext", page: "Page", args: argparse.Namespace) -> dict[str, float]:
    """Slow the line of a page; returns its traffic, which grows while the page loads."""
    traffic: dict[str, float] = {"requests": 0, "kb": 0, "pictures": 0}
    types: dict[str, str] = {}
    devtools = context.new_cdp_session(page)

    def sent(event: dict[str, Any]) -> None:
        type = types[event["requestId"]] = event.get("type", "WebSocket")
        traffic["pictures" if type in PICTURES else "requests"] += 1

    def received(event: dict[str, Any]) -> None:
        if types.get(event["requestId"]) not in PICTURES:
            traffic["kb"] += event["encodedDataLength"] / 1000

    devtools.on("Network.requestWillBeSent", sent)
    devtools.on("Network.webSocketCreated", sent)
    devtools.on("Network.loadingFinished", received)
    devtools.send("Network.enable")
    bytes_per_second = args.kbit * 1000 / 8
    line = {"latency": args.latency, "offline": False}
    throughput = {"downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second}
    devtools.send("Network.emulateNetworkConditions", {**line, **throughput})
    return traffic


def summed_up(rounds: list[dict[str, float]]) -> dict[str, float]:
    def of(key: str) -> list[float]:
        return [result[key] for result in rounds]

    return {
        "requests": max(of("requests")),
        "kb": round(max(of("kb")), 1),
        "pictures": max(of("pictures")),
        "first_content_ms": round(statistics.median(of("first_content_ms"))),
        "loaded_ms": round(statistics.median(of("loaded_ms"))),
        "layout_shift": round(max(of("layout_shift")), 4),
    }


if __name__ == "__main__":
    main()
