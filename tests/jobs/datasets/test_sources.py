"""Datasets from every kind of source, on real files."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from jobs.core import folder as folders
from jobs.core.events import last_state
from jobs.core.folder import JobFolder
from jobs.datasets.store import PairReader
from jobs.media.h264 import encode
from jobs.media.images import to_gray
from jobs.media.quality import psnr
from jobs.media.video import decode
from jobs.run import main as run_worker
from jobs.specs import DatasetSpec

Clip = tuple[Path, Path]
Run = Callable[..., JobFolder]


@pytest.fixture
def run(home: Path) -> Run:
    """Run a dataset job of a source in this process; return its folder."""

    def make(source: dict[str, Any], **fields: Any) -> JobFolder:
        folder = folders.create(
            home, "dataset", DatasetSpec.model_validate({"name": "d", "source": source, **fields})
        )
        run_worker(str(folder.path))
        return folder

    return make


def summary(folder: JobFolder) -> dict[str, Any]:
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "done", state["reason"]
    return cast(dict[str, Any], state["summary"])


def reason(folder: JobFolder) -> str:
    state = last_state(folder.events)
    assert state is not None
    assert state["state"] == "error"
    return str(state["reason"])


def metas(folder: JobFolder, split: str = "train") -> list[dict[str, Any]]:
    reader = PairReader(folder.store(split))
    rows = list(reader.metas())
    reader.close()
    return rows


@pytest.mark.parametrize("extension", [".mp4", ".mkv", ".mov", ".ts", ".264", ".avc"])
def test_every_container_of_h264(extension: str, clip: Clip, tmp_path: Path, run: Run) -> None:
    import av

    stream = tmp_path / f"clip{extension}"
    if extension in (".264", ".avc"):
        shutil.copy(clip[0], stream)
    else:
        with av.open(str(clip[0]), format="h264") as source, av.open(str(stream), "w") as target:
            video = target.add_stream_from_template(source.streams.video[0])
            for number, packet in enumerate(
                packet for packet in source.demux(video=0) if packet.size
            ):
                packet.pts = packet.dts = number * 512
                packet.time_base = video.time_base or packet.time_base
                packet.stream = video
                target.mux(packet)
    assert (
        sum(summary(run({"stream": str(stream), "originals": str(clip[1])}))["pairs"].values())
        == 24
    )


def test_originals_from_a_video(media: Path, tmp_path: Path, run: Run) -> None:
    y4m = media / "clips" / "park_joy_480x270.y4m"
    encode(decode(y4m), tmp_path / "park.264", {"qp": "35"})
    facts = summary(run({"stream": str(tmp_path / "park.264"), "originals": str(y4m)}))
    assert facts["pairs"] == {"train": 9, "val": 1}
    assert 24 < facts["psnr_input"] < 34
    assert facts["sources"][0]["rate"] == "QP 35"


def test_originals_from_raw_video(media: Path, tmp_path: Path, run: Run) -> None:
    raw = media / "clips" / "two_people_320x192_12fps_yuv420p.yuv"
    encode(decode(raw), tmp_path / "two.264", {"qp": "30"})
    assert summary(run({"stream": str(tmp_path / "two.264"), "originals": str(raw)}))["pairs"] == {
        "train": 8,
        "val": 1,
    }
    shutil.copy(raw, tmp_path / "raw.yuv")
    source = {"stream": str(tmp_path / "two.264"), "originals": str(tmp_path / "raw.yuv")}
    assert "raw.yuv is raw video without a size in its name" in reason(run(source))
    assert summary(run({**source, "raw": {"width": 320, "height": 192}}))["width"] == 320


def test_a_folder_of_streams_of_the_same_originals(clip: Clip, tmp_path: Path, run: Run) -> None:
    (tmp_path / "streams").mkdir()
    for qp in (25, 45):
        encode(decode(clip[0]), tmp_path / "streams" / f"qp{qp}.264", {"qp": str(qp)})
    folder = run(
        {"stream": str(tmp_path / "streams"), "originals": str(clip[1])}, validation={"percent": 25}
    )
    assert summary(folder)["pairs"] == {"train": 36, "val": 12}
    assert {meta["qp"] for meta in metas(folder)} == {25, 45}
    held_out = {meta["original"] for meta in metas(folder, "val")}
    assert held_out.isdisjoint({meta["original"] for meta in metas(folder)}), (
        "an original is in both splits, at different QPs"
    )


def test_an_offset_shifts_the_originals(clip: Clip, tmp_path: Path, run: Run) -> None:
    late = tmp_path / "late.264"
    encode(iter(list(decode(clip[0]))[2:]), late, {"qp": "30"})
    source = {"stream": str(late), "originals": str(clip[1])}
    assert "late.264 has 22 frames, but" in reason(run(source))
    folder = run({**source, "offset": 2})
    assert sum(summary(folder)["pairs"].values()) == 22
    first = metas(folder)[0]
    assert (first["frame"], first["original"]) == (0, "000002.bmp.gz")


def test_a_negative_offset_skips_the_first_frames(clip: Clip, tmp_path: Path, run: Run) -> None:
    early = tmp_path / "early.264"
    pictures = list(decode(clip[0]))
    encode(iter([pictures[0], *pictures]), early, {"qp": "30"})
    folder = run({"stream": str(early), "originals": str(clip[1]), "offset": -1})
    assert sum(summary(folder)["pairs"].values()) == 24
    assert (metas(folder)[0]["frame"], metas(folder)[0]["original"]) == (1, "000000.bmp.gz")


def two_folders(tmp_path: Path, inputs: list[str], targets: list[str]) -> dict[str, Any]:
    for folder, names in (("in", inputs), ("out", targets)):
        (tmp_path / folder).mkdir()
        for name in names:
            Image.effect_noise((32, 24), 50).convert("RGB").save(tmp_path / folder / name)
    return {"kind": "folders", "input": str(tmp_path / "in"), "target": str(tmp_path / "out")}


def test_folders_are_paired_by_stem_and_skipped_files_are_listed(tmp_path: Path, run: Run) -> None:
    folder = run(
        two_folders(
            tmp_path, ["a.jpg", "b.jpg", "c.jpg", "x.jpg"], ["a.png", "b.bmp", "c.png", "y.png"]
        )
    )
    facts = summary(folder)
    assert sum(facts["pairs"].values()) == 3
    assert {row["name"] for row in facts["skipped_first"]} == {"x.jpg", "y.png"}
    assert {meta["original"] for split in ("train", "val") for meta in metas(folder, split)} == {
        "a.png",
        "b.bmp",
        "c.png",
    }


def test_folders_are_paired_by_order(tmp_path: Path, run: Run) -> None:
    source = two_folders(tmp_path, ["f1.jpg", "f2.jpg", "f10.jpg"], ["o1.png", "o2.png", "o3.png"])
    assert "f1.jpg and o1.png have different stems" in reason(run(source))
    folder = run({**source, "pairing": "order"})
    assert [
        meta["original"]
        for meta in sorted(metas(folder) + metas(folder, "val"), key=lambda meta: meta["frame"])
    ] == [
        "o1.png",
        "o2.png",
        "o3.png",
    ]
    (tmp_path / "in" / "f1.jpg").unlink()
    assert "has 2 images, but" in reason(run({**source, "pairing": "order"}))


def test_the_error_for_two_images_with_the_same_stem_has_their_names(
    tmp_path: Path, run: Run
) -> None:
    source = two_folders(tmp_path, ["a.jpg", "a.png", "b.jpg"], ["a.png", "b.png"])
    assert "has a.jpg and a.png with the same stem" in reason(run(source))


def test_every_seventh_of_24_originals_is_compressed(clip: Clip, run: Run) -> None:
    """The last of them, 21, is not the last original."""
    source = {"kind": "compress", "originals": str(clip[1]), "qp": [30]}
    folder = run(source, frames={"step": 7}, validation={"method": "blocks", "percent": 25})
    assert summary(folder)["pairs"] == {"train": 3, "val": 1}


def test_originals_are_compressed_at_every_rate_and_the_streams_are_kept(
    media: Path, run: Run
) -> None:
    folder = run(
        {
            "kind": "compress",
            "originals": str(media / "clips" / "park_joy_480x270.y4m"),
            "qp": [27, 42],
            "crf": "20",
            "bitrate": "500",
        }
    )
    assert summary(folder)["pairs"] == {"train": 36, "val": 4}
    assert sorted(path.name for path in (folder.path / "streams").iterdir()) == [
        "500kbps.h264",
        "crf20.h264",
        "qp27.h264",
        "qp42.h264",
    ]
    by_rate: dict[str, list[float]] = {}
    for meta in metas(folder):
        by_rate.setdefault(meta["rate"], []).append(meta["psnr_input"])
    assert set(by_rate) == {"QP 27", "QP 42", "CRF 20", "500 kbit/s"}
    assert np.mean(by_rate["QP 27"]) > np.mean(by_rate["QP 42"]) + 5
    assert {meta["qp"] for meta in metas(folder)} == {27, 42, None}


def test_options_reach_libx264(clip: Clip, run: Run) -> None:
    options = {"preset": "veryfast", "gop": 7, "b_frames": 0, "tune": "grain", "profile": "main"}
    folder = run({"kind": "compress", "originals": str(clip[1]), "qp": [30], **options})
    summary(folder)
    stream = (folder.path / "streams" / "qp30.h264").read_bytes()
    note = stream[stream.index(b"options:") : stream.index(b"options:") + 900]
    assert b"keyint=7 " in note
    assert b"bframes=0 " in note
    assert b"deblock=1:-2:-2" in note, "tune grain"
    assert b"8x8dct=0" in note, "profile main"


def test_the_last_row_and_column_of_odd_originals_are_cropped(tmp_path: Path, run: Run) -> None:
    for number in range(3):
        Image.effect_noise((33, 25), 40).convert("RGB").save(tmp_path / f"{number}.png")
    facts = summary(run({"kind": "compress", "originals": str(tmp_path)}))
    assert (facts["width"], facts["height"]) == (32, 24)


def test_many_sequences_from_a_csv_file(media: Path, clip: Clip, tmp_path: Path, run: Run) -> None:
    lines = ["stream,originals,split", f"{clip[0]},{clip[1]},val"]
    for name in ("BA_MW_D.264", "SVA_BA2_D.264"):
        stream = media / "h264" / name
        lines.append(f"{stream},{stream},train")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    folder = run({"kind": "sequences", "manifest": str(tmp_path / "list.csv")})
    assert summary(folder)["pairs"] == {"train": 117, "val": 24}
    assert {meta["sequence"] for meta in metas(folder)} == {"BA_MW_D", "SVA_BA2_D"}


def test_whole_sequences_from_a_folder_are_held_out(clip: Clip, tmp_path: Path, run: Run) -> None:
    for name in ("a", "b", "c"):
        shutil.copytree(clip[1], tmp_path / "many" / name / "frames")
        shutil.copy(clip[0], tmp_path / "many" / name / "clip.264")
    folder = run(
        {"kind": "sequences", "manifest": str(tmp_path / "many")},
        validation={"method": "sequences", "percent": 30},
    )
    assert summary(folder)["pairs"] == {"train": 48, "val": 24}
    assert len({meta["sequence"] for meta in metas(folder, "val")}) == 1


def test_the_same_originals_cannot_be_in_two_splits(clip: Clip, tmp_path: Path, run: Run) -> None:
    (tmp_path / "list.csv").write_text(
        f"stream,originals,split\n{clip[0]},{clip[1]},train\n{clip[0]},{clip[1]},val\n"
    )
    assert "scores would include training frames" in reason(
        run({"kind": "sequences", "manifest": str(tmp_path / "list.csv")})
    )


def test_validation_and_test_from_separate_sources(media: Path, clip: Clip, run: Run) -> None:
    other = str(media / "h264" / "SVA_BA2_D.264")
    validation = {"method": "separate", "source": {"stream": other, "originals": other}}
    test = {
        "method": "separate",
        "source": {"kind": "compress", "originals": str(media / "clips" / "park_joy_480x270.y4m")},
    }
    facts = summary(
        run({"stream": str(clip[0]), "originals": str(clip[1])}, validation=validation, test=test)
    )
    assert facts["pairs"] == {"train": 24, "val": 17, "test": 10}


def test_frames_are_chosen_by_range_step_and_number(clip: Clip, run: Run) -> None:
    source = {"stream": str(clip[0]), "originals": str(clip[1])}
    folder = run(source, frames={"first": 3, "last": 20, "step": 4, "most": 4})
    assert sorted(meta["frame"] for split in ("train", "val") for meta in metas(folder, split)) == [
        3,
        7,
        11,
        15,
    ]
    assert "No frames are selected" in reason(run(source, frames={"first": 99}))


def test_a_last_frame_allows_a_truncated_stream(clip: Clip, tmp_path: Path, run: Run) -> None:
    encode(iter(list(decode(clip[0]))[:15]), tmp_path / "short.264", {"qp": "30"})
    source = {"stream": str(tmp_path / "short.264"), "originals": str(clip[1])}
    assert "set the last frame to 14" in reason(run(source))
    assert sum(summary(run(source, frames={"last": 14}))["pairs"].values()) == 15


def test_still_pictures_are_dropped(tmp_path: Path, run: Run) -> None:
    (tmp_path / "o").mkdir()
    random = np.random.default_rng(0)
    scenes = [random.integers(0, 256, (32, 48, 3), np.uint8) for _ in range(4)]
    for number in range(20):
        Image.fromarray(scenes[number // 5]).save(tmp_path / "o" / f"{number:02d}.png")
    source = {"kind": "folders", "input": str(tmp_path / "o"), "target": str(tmp_path / "o")}
    folder = run(
        source, frames={"near_duplicates": 1}, validation={"method": "frames", "percent": 50}
    )
    kept = sorted(meta["frame"] for split in ("train", "val") for meta in metas(folder, split))
    assert kept == [0, 5, 10, 15]
    assert summary(folder)["skipped"] == 16


def test_patches_are_cut_by_stride_and_flat_ones_dropped(tmp_path: Path, run: Run) -> None:
    (tmp_path / "o").mkdir()
    for number in range(4):
        picture = np.zeros((64, 96, 3), np.uint8)
        picture[:, :48] = np.random.default_rng(number).integers(0, 256, (64, 48, 3))
        Image.fromarray(picture).save(tmp_path / "o" / f"{number}.png")
    source = {"kind": "folders", "input": str(tmp_path / "o"), "target": str(tmp_path / "o")}
    facts = summary(run(source, patches={"size": 32, "stride": 16}))
    assert facts["pairs"] == {"train": 3 * 3 * 5, "val": 1}
    textured = run(source, patches={"size": 32, "stride": 16, "flat_below": 1})
    assert summary(textured)["pairs"]["train"] == 3 * 3 * 3
    assert {tuple(meta["patch"]) for meta in metas(textured)} == {
        (y, x) for y in (0, 16, 32) for x in (0, 16, 32)
    }
    assert metas(textured, "val")[0]["patch"] is None
    assert "Patches of 80×80 do not fit into 0.png" in reason(run(source, patches={"size": 80}))


def test_grayscale_converts_both_sides_alike(clip: Clip, run: Run) -> None:
    folder = run({"stream": str(clip[0]), "originals": str(clip[1])}, channels="grayscale")
    assert summary(folder)["channels"] == 1
    reader = PairReader(folder.store("train"))
    input, _ = reader[0]
    assert reader.meta(0)["gray"] == "BT.601"
    assert np.array_equal(input, to_gray(next(decode(clip[0])), "BT.601"))
    assert reader.meta(0)["psnr_input"] == pytest.approx(psnr(*reader[0]))
    reader.close()


def test_pairs_are_gray_only_if_both_sides_are_gray(tmp_path: Path, run: Run) -> None:
    source = two_folders(tmp_path, ["a.png", "b.png"], ["a.png", "b.png"])
    for name in ("a.png", "b.png"):
        Image.effect_noise((32, 24), 50).save(tmp_path / "in" / name)
    assert summary(run(source))["channels"] == 3
    for name in ("a.png", "b.png"):
        Image.effect_noise((32, 24), 50).save(tmp_path / "out" / name)
    assert summary(run(source))["channels"] == 1
    assert summary(run(source, channels="rgb"))["channels"] == 3


def test_a_source_too_small_for_a_validation_split_is_refused(tmp_path: Path, run: Run) -> None:
    assert "The validation split is empty" in reason(
        run(two_folders(tmp_path, ["a.png"], ["a.png"]))
    )
