"""Offsets, dropped and doubled frames are found on real pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jobs.datasets.alignment import Alignment, Levels, align, glance
from jobs.datasets.probe import probe
from jobs.media.h264 import encode
from jobs.media.images import Picture
from jobs.media.video import decode
from jobs.specs import DatasetSpec

Edit = Callable[[list[Picture]], list[Picture]]


@pytest.fixture(scope="module")
def foreman(media: Path) -> list[Picture]:
    return list(decode(media / "h264" / "BA_MW_D.264"))


def aligned(inputs: list[Picture], targets: list[Picture]) -> Alignment:
    noise = np.random.default_rng(0)
    noisy: list[Levels] = [glance(picture) for picture in inputs]
    return align(
        [levels + noise.normal(0, 6, levels.shape).astype(np.float32) for levels in noisy],
        [glance(p) for p in targets],
    )


@pytest.mark.parametrize("offset", range(-8, 9))
def test_the_offset_is_where_psnr_peaks(offset: int, foreman: list[Picture]) -> None:
    inputs = foreman[offset:] if offset >= 0 else [foreman[0]] * -offset + foreman
    found = aligned(inputs, foreman)
    if offset >= 0:
        assert (found.best, found.jumps) == (offset, [])
    assert int(np.nanargmax(found.psnr)) - 8 == offset


@pytest.mark.parametrize(
    ("edit", "frame", "by"),
    [
        (lambda frames: frames[:30] + frames[31:], 30, 1),
        (lambda frames: frames[:30] + frames[33:], 30, 3),
        (lambda frames: [*frames[:60], frames[59], *frames[60:]], 60, -1),
    ],
    ids=["dropped", "three dropped", "doubled"],
)
def test_dropped_and_doubled_frames_are_found_where_they_are(
    edit: Edit, frame: int, by: int, foreman: list[Picture]
) -> None:
    found = aligned(edit(foreman), foreman)
    assert found.best == 0
    assert [(jump.frame, jump.after - jump.before) for jump in found.jumps] == [(frame, by)]


def test_a_standing_picture_is_at_offset_0(foreman: list[Picture]) -> None:
    found = aligned([foreman[0]] * 40, [foreman[0]] * 40)
    assert (found.best, found.jumps) == (0, [])


def look(**source: Any) -> dict[str, Any]:
    return probe(DatasetSpec.model_validate({"name": "probe", "source": source}))


def test_a_real_stream_that_lost_a_frame_is_told_with_its_number(media: Path) -> None:
    said = look(
        stream=str(media / "h264" / "BA_MW_D_P_LOST.264"),
        originals=str(media / "h264" / "BA_MW_D.264"),
    )
    assert said["alignment"]["best"] == 0
    assert [(jump["before"], jump["after"]) for jump in said["alignment"]["jumps"]] == [(0, 1)]
    lost = said["alignment"]["jumps"][0]["frame"]
    assert (
        f"From frame {lost} on the stream is ahead of its originals: a frame dropped before it."
        in said["warnings"]
    )
    whole, broken = (
        list(decode(media / "h264" / f"BA_MW_D{name}.264")) for name in ("", "_P_LOST")
    )
    same = [
        np.array_equal(picture, original) for picture, original in zip(broken, whole, strict=False)
    ]
    moved = [
        np.array_equal(picture, original)
        for picture, original in zip(broken, whole[1:], strict=True)
    ]
    # The lost frame was a reference: until the next whole one the pictures are spoiled, and look like neither.
    assert same.count(True) <= lost <= moved.index(True)
    assert moved[-1]


def test_a_good_pair_of_files_is_told_in_numbers(clip: tuple[Path, Path]) -> None:
    said = look(stream=str(clip[0]), originals=str(clip[1]))
    assert (said["problems"], said["warnings"], said["frames"], said["originals"]) == (
        [],
        [],
        24,
        24,
    )
    assert said["sequences"][0]["input"]["profile"].startswith("High")
    assert said["first"]["psnr"] > 20
    assert said["alignment"]["whole"]
    assert said["estimate"]["pairs"] == 24


def test_what_does_not_fit_is_told(clip: tuple[Path, Path], media: Path, tmp_path: Path) -> None:
    other = str(media / "h264" / "Static.264")
    assert (
        "is 152x100, but the frames of clip.h264 are 96x64"
        in look(stream=str(clip[0]), originals=other)["problems"][0]
    )
    (tmp_path / "text.264").write_text("no video")
    assert "text.264" in look(stream=str(tmp_path / "text.264"), originals=other)["problems"][0]
    unlike = look(
        stream=str(media / "h264" / "MR1_BT_A.h264"), originals=str(media / "h264" / "BA_MW_D.264")
    )
    assert any("do not look like these originals" in text for text in unlike["warnings"])


def test_rates_are_tried_on_the_first_original(media: Path) -> None:
    said = look(
        kind="compress", originals=str(media / "clips" / "park_joy_480x270.y4m"), qp="22,32,42"
    )
    assert [rate["name"] for rate in said["rates"]] == ["QP 22", "QP 32", "QP 42"]
    psnrs = [rate["psnr"] for rate in said["rates"]]
    assert psnrs == sorted(psnrs, reverse=True)
    assert said["estimate"]["pairs"] == 30


def test_a_late_stream_is_told_its_offset(clip: tuple[Path, Path], tmp_path: Path) -> None:
    encode(iter(list(decode(clip[0]))[3:]), tmp_path / "late.264", {"qp": "37"})
    said = look(stream=str(tmp_path / "late.264"), originals=str(clip[1]))
    assert said["alignment"]["best"] == 3
    assert any("match their originals at offset +3, not 0" in text for text in said["warnings"])
    assert (
        look(stream=str(tmp_path / "late.264"), originals=str(clip[1]), offset=3)["warnings"] == []
    )
