"""Tests of the route for tests of starters, and of these tests in lists, records and restarts."""

from pathlib import Path

from PIL import Image

from jobs.media.sample_clip import make_clip
from jobs.media.video import decode
from tests.conftest import Clip
from tests.support.server import Server

PLACE = "/starters/fast/tests"


def test_a_video_is_restored_listed_recorded_and_deleted(server: Server, clip: Clip) -> None:
    body = {"kind": "video", "video": str(clip[0]), "originals": str(clip[1])}
    id = server.create(PLACE, body)
    job = server.wait(id, "done")
    assert (job["spec"]["model"], job["spec"]["starter"], job["name"]) == (
        None,
        "fast",
        "clip.h264",
    )
    gain = job["summary"]["psnr_output"] - job["summary"]["psnr_input"]
    assert gain > 0.02
    home = server.page("/")
    assert "Starter: fast" in home
    assert f"+{gain:.2f} dB" in home
    record = server.call(f"/jobs/{id}/record")[1]
    assert record["made_from"] == []
    assert record["command"].startswith("clearframe test video --starter fast --name ")
    assert server.call(f"/jobs/{id}", method="DELETE")[0] == 204
    assert server.call(f"/jobs/{id}")[0] == 404


def test_wrong_requests_are_refused_at_the_field(server: Server, clip: Clip) -> None:
    video = {"kind": "video", "video": str(clip[0])}
    for body, field in (
        ({**video, "model": "abcdefgh"}, "starter"),
        ({"kind": "video", "video": "/nowhere.mp4"}, "video"),
        ({**video, "snapshot": "last"}, "snapshot"),
        ({**video, "qp": 0}, "qp"),
        ({**video, "qp": 52}, "qp"),
        ({"pair": 0}, "image"),
        ({"kind": "split"}, "starter"),
        ({"kind": "film"}, "kind"),
    ):
        status, response = server.call(PLACE, body)
        assert (status, list(response["error"]["fields"])) == (422, [field]), response
    status, response = server.call("/starters/slow/tests", video)
    assert (status, response["error"]["message"]) == (
        404,
        "No starter slow. Available: fast, good.",
    )


def test_an_image_of_a_test_of_many_opens_in_a_test_of_the_starter(
    server: Server, clip: Clip, tmp_path: Path
) -> None:
    Image.fromarray(next(decode(clip[0]))).save(tmp_path / "000000.png")
    body = {"kind": "images", "images": [str(tmp_path / "000000.png")], "targets": str(clip[1])}
    many = server.create(PLACE, body)
    server.wait(many, "done")
    assert "Starter fast" in server.page(f"/tests/{many}")
    single = server.create(PLACE, {"image": str(tmp_path / "000000.png")})
    layers = server.wait(single, "done")["summary"]["layers"]
    # A warm worker of the starter answers.
    status, channel = server.call(f"/tests/{single}/layers/{layers[0]['index']}/channels/0")
    assert (status, bool(channel["strongest"])) == (200, True)


def test_a_restoration_survives_the_end_of_its_server(server: Server, tmp_path: Path) -> None:
    stream, originals = make_clip(tmp_path / "long", frames=48, width=320, height=192)
    body = {"kind": "video", "video": str(stream), "originals": str(originals)}
    id = server.create(PLACE, body)
    server.wait_for_events(id, "progress")
    server.suspend(id)
    assert server.job(id)["state"] == "running"
    server.kill()
    server.resume(id)
    server.start()
    assert server.wait(id, "done")["summary"]["measured"] == 48
