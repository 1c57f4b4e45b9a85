"""Tests of the five steps of the README, in a real browser."""

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from jobs.core.events import read
from jobs.core.folder import JobFolder
from jobs.core.suffixes import natural
from tests.browser.conftest import job_of, keep_picture
from tests.browser.looks import until
from tests.support.real import real_clip
from tests.support.server import Server
from tests.support.waiting import wait_until

Clip = tuple[Path, Path]

LAYERS = ["conv1", "relu1", "conv2", "relu2", "conv3", "sum"]


def five_steps(
    page: Page, server: Server, clip: Clip, epochs: int, patch: int, per_frame: int
) -> None:
    stream, originals = clip
    page.goto(server.url)
    page.get_by_role("link", name="New dataset").click()
    page.locator("#f-stream-source-stream").fill(str(stream))
    page.locator("#f-stream-source-originals").fill(str(originals))
    page.get_by_label("Name", exact=True).fill("clip")
    page.get_by_role("button", name="Create dataset").click()
    expect(page.locator("#state")).to_have_text("done")
    expect(page.locator(".thumbs img").first).to_be_visible()

    page.get_by_role("link", name="New model").click()
    for label, value in (
        ("Base learning rate", "0.001"),
        ("Gamma", "0.098"),
        ("Decay per", "run"),
        ("Loss", "l1"),
        ("Solver", "adam"),
    ):
        expect(page.get_by_label(label, exact=True).locator("visible=true")).to_have_value(value)
    page.get_by_label("Name", exact=True).fill("first")
    page.get_by_label("Length", exact=True).fill(str(epochs))
    page.get_by_label("Patch size").fill(str(patch))
    page.get_by_text("More about length and patches").click()
    page.get_by_label("Patches per frame").fill(str(per_frame))
    # On a slow machine, validations and snapshots without an interval are rare.
    page.get_by_label("Snapshot interval").fill("1")
    page.get_by_role("button", name="Start training").click()

    watch_the_curve_grow(page)
    expect(page.locator("#state")).to_have_text("done", timeout=300_000)
    # The job keeps the last five snapshots and the best.
    until(page, "[5, 6].includes(document.querySelectorAll('#snapshots tbody tr').length)")
    expect(page.locator("#snapshots tr.best")).to_have_count(1)

    expect(page.get_by_label("Snapshot", exact=True)).to_have_value("best")
    page.get_by_label("Image", exact=True).fill(str(last_input(server, stream)))
    page.get_by_label("Ground truth", exact=True).fill(
        str(max(originals.iterdir(), key=lambda path: natural(path.name)))
    )
    page.get_by_label("Show visualizations and statistics").check()
    keep_picture(page, f"model-{patch}", full_page=True)
    page.get_by_role("button", name="Run test").click()

    for role in ("input", "output", "target"):
        until(page, f"document.querySelector('#viewer img[data-role={role}]')?.naturalWidth > 0")
    expect(page.locator("#numbers tbody")).to_contain_text("dB")
    expect(page.locator("#layers article")).to_have_count(len(LAYERS))
    assert (
        page.locator("#layers article").evaluate_all(
            "cards => cards.map(card => card.dataset.layer)"
        )
        == LAYERS
    )
    for name in LAYERS:
        page.locator(f"[data-layer={name}]").scroll_into_view_if_needed()
        expect(page.locator(f"[data-layer={name}] canvas[data-drawn]")).to_be_visible()
    expect(page.locator("#state")).to_have_text("done")


def watch_the_curve_grow(page: Page) -> None:
    """Wait until the number of points rises and the canvas changes, without a reload."""
    chart = page.locator(".chart[data-keys='train/l1,val/l1,val/l1_input']")
    expect(chart).to_be_visible()
    page.evaluate("window.sameDocument = true")
    until(page, "Number(document.querySelector('.chart').dataset.points) >= 2")
    # Read both at once: a point may arrive between two calls.
    look = "chart => [Number(chart.dataset.points), chart.querySelector('canvas').toDataURL()]"
    points, before = chart.evaluate(look)
    until(page, f"Number(document.querySelector('.chart').dataset.points) > {points + 2}")
    assert chart.evaluate(look)[1] != before
    assert page.evaluate("window.sameDocument") is True


def last_input(server: Server, stream: Path) -> Path:
    """The last decoded frame as a PNG file, in a folder that the server may read."""
    from PIL import Image

    from jobs.media.video import decode

    path = server.home.parent / "last.png"
    *_, frame = decode(stream)
    Image.fromarray(frame).save(path)
    return path


def test_five_steps_on_the_small_clip(page: Page, server: Server, clip: Clip) -> None:
    five_steps(page, server, clip, epochs=12, patch=32, per_frame=8)


def test_five_steps_on_a_real_clip_end_better_than_the_input(
    page: Page, server: Server, media: Path, tmp_path: Path
) -> None:
    clip = real_clip(media / "clips" / "carphone_pristine.mp4", tmp_path / "real", frames=48)
    five_steps(page, server, clip, epochs=5, patch=64, per_frame=8)
    gain = page.locator("#verdict").inner_text()
    assert gain.startswith("+"), gain
    page.get_by_role("link", name="first").click()
    expect(page.locator("#verdict")).to_contain_text("over the input")
    folder = JobFolder(server.home / "jobs" / job_of(page))
    values = [event["scalars"] for event in read(folder.events, types=frozenset({"scalars"}))]
    first = next(scalars for scalars in values if "val/psnr" in scalars)
    assert first["val/psnr"] > first["val/psnr_input"], "the starter has a gain of its own"


def test_a_page_catches_up_after_losing_its_server(
    browser: Browser, server: Server, clip: Clip
) -> None:
    dataset = server.dataset(clip)
    server.wait(dataset, "done")
    small = {"epochs": 20, "batch_size": 8, "patch_size": 32, "patches_per_frame": 4}
    model = server.create("/models", {"name": "long", "dataset": dataset, **small})
    page = browser.new_page()
    server.wait(model, "running")
    server.suspend(model)  # Else it might have ended before a busy browser shows its page.
    page.goto(f"{server.url}/models/{model}")
    server.resume(model)
    until(page, "Number(document.querySelector('.chart').dataset.points) >= 3")
    page.evaluate("window.sameDocument = true")
    server.kill()
    folder = JobFolder(server.home / "jobs" / model)
    seen = len(list(read(folder.events)))
    wait_until(lambda: len(list(read(folder.events))) >= seen + 10, "no events without the server")
    server.start()
    expect(page.locator("#state")).to_have_text("done", timeout=120_000)
    scalars = read(folder.events, types=frozenset({"scalars"}))
    steps = {
        event["step"]
        for event in scalars
        if event["scalars"].keys() & {"train/l1", "val/l1", "val/l1_input"}
    }
    until(page, f"document.querySelector('.chart').dataset.points == {len(steps)}")
    assert page.evaluate("window.sameDocument") is True
    page.close()


def test_an_uploaded_image_is_tested(page: Page, server: Server, clip: Clip) -> None:
    dataset = server.dataset(clip)
    model = server.create(
        "/models",
        {"name": "m", "dataset": dataset, "epochs": 1, "patch_size": 32, "patches_per_frame": 1},
    )
    server.wait(model, "done")
    page.goto(f"{server.url}/models/{model}/test")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Upload…").first.click()
    chooser.value.set_files(last_input(server, clip[0]))
    expect(page.get_by_label("Image", exact=True)).to_have_value(re.compile("/last.png$"))
    page.get_by_role("button", name="Run test").click()
    until(page, "document.querySelector('#viewer img')?.naturalWidth == 96")
    expect(page.get_by_role("heading", level=1)).to_contain_text("last.png")
    expect(page.locator("#verdict")).to_contain_text("No ground truth")
    page.get_by_role("button", name="Slider").click()
    expect(page.get_by_role("slider")).to_be_visible()


def test_a_failed_dataset_shows_the_reason(
    page: Page, server: Server, clip: Clip, tmp_path: Path
) -> None:
    (tmp_path / "words.mp4").write_text("no video")
    page.goto(f"{server.url}/datasets/{server.dataset((tmp_path / 'words.mp4', clip[1]))}")
    expect(page.locator("#reason")).to_contain_text("words.mp4 cannot be read as a video")
    expect(page.locator("#state")).to_have_text("error")
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
