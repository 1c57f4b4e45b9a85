"""Alignment finds offsets, dropped and duplicated frames in real pictures."""

import time
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
    glances: list[Levels] = [glance(picture) for picture in inputs]
    return align(
        [levels + noise.normal(0, 6, levels.shape).astype(np.float32) for levels in glances],
        [glance(picture) for picture in targets],
    )


@pytest.mark.parametrize("offset", range(-8, 9))
def test_the_offset_is_where_psnr_peaks(offset: int, foreman: list[Picture]) -> None:
    inputs = foreman[offset:] if offset >= 0 else [foreman[0]] * -offset + foreman
    alignment = aligned(inputs, foreman)
    if offset >= 0:
        assert (alignment.best, alignment.jumps) == (offset, [])
    assert alignment.offsets[int(np.nanargmax(alignment.psnr))] == offset


@pytest.mark.parametrize(
    ("edit", "frame", "by"),
    [
        (lambda frames: frames[:30] + frames[31:], 30, 1),
        (lambda frames: frames[:30] + frames[33:], 30, 3),
        (lambda frames: [*frames[:60], frames[59], *frames[60:]], 60, -1),
    ],
    ids=["dropped", "three dropped", "duplicated"],
)
def test_dropped_and_duplicated_frames_are_located(
    edit: Edit, frame: int, by: int, foreman: list[Picture]
) -> None:
    alignment = aligned(edit(foreman), foreman)
    assert alignment.best == 0
    assert [(jump.frame, jump.after - jump.before) for jump in alignment.jumps] == [(frame, by)]


def test_a_still_picture_is_at_offset_0(foreman: list[Picture]) -> None:
    alignment = aligned([foreman[0]] * 40, [foreman[0]] * 40)
    assert (alignment.best, alignment.jumps) == (0, [])


def probe_source(**source: Any) -> dict[str, Any]:
    return probe(DatasetSpec.model_validate({"name": "probe", "source": source}))


def test_a_warning_has_the_number_of_a_lost_frame_of_a_real_stream(media: Path) -> None:
    answer = probe_source(
        stream=str(media / "h264" / "BA_MW_D_P_LOST.264"),
        originals=str(media / "h264" / "BA_MW_D.264"),
    )
    assert answer["alignment"]["best"] == 0
    assert [(jump["before"], jump["after"]) for jump in answer["alignment"]["jumps"]] == [(0, 1)]
    lost = answer["alignment"]["jumps"][0]["frame"]
    assert (
        f"From frame {lost}, the stream is ahead of its originals: "
        "a frame was dropped before it." in answer["warnings"]
    )
    complete, broken = (
        list(decode(media / "h264" / f"BA_MW_D{name}.264")) for name in ("", "_P_LOST")
    )
    same = [
        np.array_equal(picture, original)
        for picture, original in zip(broken, complete, strict=False)
    ]
    moved = [
        np.array_equal(picture, original)
        for picture, original in zip(broken, complete[1:], strict=True)
    ]
    # The lost frame was a reference: the pictures up to the next key frame match neither neighbour.
    assert same.count(True) <= lost <= moved.index(True)
    assert moved[-1]


def test_the_probe_describes_a_valid_pair_of_files(clip: tuple[Path, Path]) -> None:
    answer = probe_source(stream=str(clip[0]), originals=str(clip[1]))
    assert (answer["problems"], answer["warnings"], answer["frames"], answer["originals"]) == (
        [],
        [],
        24,
        24,
    )
    assert answer["sequences"][0]["input"]["profile"].startswith("High")
    assert answer["first"]["psnr"] > 20
    assert answer["alignment"]["whole"]
    assert answer["estimate"]["pairs"] == 24


def test_the_time_of_a_job_is_estimated_without_what_the_first_pair_loads(
    clip: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[float]()

    def slow_at_first(input: Picture, target: Picture) -> float:
        calls.append(1.0)
        time.sleep(0.5 if len(calls) == 1 else 0)
        return 0.9

    monkeypatch.setattr("jobs.datasets.probe.ssim", slow_at_first)
    answer = probe_source(stream=str(clip[0]), originals=str(clip[1]))
    assert len(calls) == 2
    assert 0 < answer["estimate"]["seconds"] < 0.5 * answer["estimate"]["pairs"]


def test_the_probe_reports_files_that_do_not_match(
    clip: tuple[Path, Path], media: Path, tmp_path: Path
) -> None:
    other = str(media / "h264" / "Static.264")
    assert (
        "is 152×100, but the frames of clip.h264 are 96×64"
        in probe_source(stream=str(clip[0]), originals=other)["problems"][0]
    )
    (tmp_path / "text.264").write_text("no video")
    assert (
        "text.264"
        in probe_source(stream=str(tmp_path / "text.264"), originals=other)["problems"][0]
    )
    unrelated = probe_source(
        stream=str(media / "h264" / "MR1_BT_A.h264"), originals=str(media / "h264" / "BA_MW_D.264")
    )
    assert any("do not match these originals" in text for text in unrelated["warnings"])


def test_the_probe_tries_rates_on_the_first_original(media: Path) -> None:
    answer = probe_source(
        kind="compress", originals=str(media / "clips" / "park_joy_480x270.y4m"), qp="22,32,42"
    )
    assert [rate["name"] for rate in answer["rates"]] == ["QP 22", "QP 32", "QP 42"]
    psnrs = [rate["psnr"] for rate in answer["rates"]]
    assert psnrs == sorted(psnrs, reverse=True)
    assert answer["estimate"]["pairs"] == 30


def test_a_warning_has_the_offset_of_a_late_stream(clip: tuple[Path, Path], tmp_path: Path) -> None:
    encode(iter(list(decode(clip[0]))[3:]), tmp_path / "late.264", {"qp": "37"})
    answer = probe_source(stream=str(tmp_path / "late.264"), originals=str(clip[1]))
    assert answer["alignment"]["best"] == 3
    assert any("match their originals at offset +3, not 0" in text for text in answer["warnings"])
    assert (
        probe_source(stream=str(tmp_path / "late.264"), originals=str(clip[1]), offset=3)[
            "warnings"
        ]
        == []
    )
