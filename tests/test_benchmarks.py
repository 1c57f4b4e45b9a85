"""Benchmarks run after `make setup` alone and print one JSON document each."""

import json
import math
import re
import runpy
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import benchmarks.__main__ as runner
from benchmarks import quality, time_to_quality
from benchmarks.clips import SEQUENCES
from benchmarks.listener import Listener
from benchmarks.quality_tables import QPS, complete, gain
from benchmarks.quality_tables import tables as tables_of
from benchmarks.record import print_record, record, skip
from benchmarks.roofline import bytes_per_patch, operations_per_patch
from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.server import Server

SHARED = {
    *("__main__", "basicsr_worker", "browser", "clips", "listener", "live_clients"),
    *("quality_tables", "record", "roofline"),
}
TEST_EXTRA = (
    "hypothesis",
    "playwright",
    "playwright.sync_api",
    "pytest",
    "pytorch_msssim",
    "requests",
    "schemathesis",
    "skimage",
    "websocket",
)


def test_make_bench_runs_every_benchmark() -> None:
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert scripts - SHARED == set(runner.NAMES)


@pytest.mark.parametrize("name", runner.NAMES)
def test_benchmark_imports_nothing_of_the_test_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in TEST_EXTRA:
        monkeypatch.setitem(sys.modules, module, None)
    for module in [module for module in sys.modules if module.startswith("benchmarks.")]:
        monkeypatch.delitem(sys.modules, module)
    assert callable(runpy.run_path(str(ROOT / f"benchmarks/{name}.py"))["main"])


def test_a_result_is_one_line_with_machine_and_commit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(ROOT / "benchmarks/home.py"), "--jobs", "20"])
    print_record(seconds=1.5)
    output = capsys.readouterr().out
    result = json.loads(output)
    assert output.count("\n") == 1
    assert result == record(seconds=1.5)
    assert result["command"] == "python benchmarks/home.py --jobs 20"
    assert result["machine"]["processor"]
    assert result["machine"]["cores"]
    head = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(
        head, cwd=ROOT, capture_output=True, text=True, timeout=120
    ).stdout.strip()
    assert result["commit"].rstrip("+") == commit


def test_a_benchmark_that_cannot_run_says_what_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as end:
        skip("Chromium is not installed.")
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["skipped"] == "Chromium is not installed."


def test_results_are_added_to_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "benchmarks/results").mkdir(parents=True)
    (tmp_path / "benchmarks/test_good.py").write_text("print('{\"seconds\": 1}')")
    (tmp_path / "benchmarks/bad.py").write_text("raise SystemExit(1)")
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr(runner, "NAMES", ("test_good", "bad"))
    assert runner.main([]) == 1
    assert runner.main(["test_good"]) == 0
    assert runner.main(["test_good", "none"]) == 2
    [results] = (tmp_path / "benchmarks/results").iterdir()
    assert results.name.startswith("test-good-2")
    lines = [json.loads(line) for line in results.read_text().splitlines()]
    assert [line["seconds"] for line in lines] == [1, 1]
    assert all(line["benchmark_seconds"] >= 0 for line in lines)


def test_listener_receives_each_event_of_a_job_once(server: Server, clip: Clip) -> None:
    job = server.dataset(clip)
    seqs = []
    with closing(Listener(server.port)) as listener:
        listener.watch(job)
        for message in listener.messages():
            seqs += [event["seq"] for event in message["events"]]
            if any(event.get("state") == "done" for event in message["events"]):
                break
    assert seqs == list(range(1, len(seqs) + 1))


def test_clients_of_the_live_benchmark_receive_every_event(server: Server, clip: Clip) -> None:
    job = server.dataset(clip)
    server.wait(job, "done")
    last = server.call(f"/jobs/{job}/events?limit=1000")[1]["events"][-1]["seq"]
    done = subprocess.run(
        [sys.executable, "benchmarks/live_clients.py", str(server.port), job, "3", "1"],
        cwd=ROOT,
        input=f"until {last}\n",
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
    )
    ready, result = done.stdout.splitlines()
    assert ready == "ready"
    assert json.loads(result).items() >= {"clients": 3, "events": last, "wrong": 0}.items()


def test_the_roofline_of_9_1_5_equals_the_calculation_for_an_h100() -> None:
    """In bfloat16, 64x64, one channel: 989 TFLOP/s and 3.35 TB/s."""
    assert 989e12 / operations_per_patch(64, 1) == pytest.approx(6.4e6, rel=0.01)
    assert 3.35e12 / bytes_per_patch(64, 1) == pytest.approx(0.67e6, rel=0.01)


def test_the_quality_document_has_the_tables_of_its_results() -> None:
    """Each row has all clips at all rates, and the most bits saved come first."""
    results = quality.read(quality.RESULTS)
    tables = tables_of(results)
    assert tables in quality.DOCUMENT.read_text(encoding="utf-8")
    assert not re.search(r"\| *\|(?! bits| RGB| carphone)", tables)
    bits = [float(cell.replace("−", "-")) for cell in re.findall(r"\| (\S+) % \|", tables)]
    assert len(bits) > 4
    assert bits == sorted(bits)
    for clips in (clips for seeds in complete(results).values() for clips in seeds):
        assert clips.keys() == SEQUENCES.keys()
        assert all(clip.keys() == set(map(str, QPS)) for clip in clips.values())


def test_what_is_measured_is_not_measured_again() -> None:
    names = ("9-1-5 (*Example*), from nothing", "nlmeans")
    asked = list(quality.requests(names, [0, 1], 40))
    seeds = [(request["row"], request.get("seed"), request["fold"][0]) for request in asked]
    assert seeds == [
        (names[0], 0, "carphone"),
        (names[0], 0, "bikes"),
        (names[1], None, "carphone"),
        (names[1], None, "bikes"),
        (names[0], 1, "carphone"),
        (names[0], 1, "bikes"),
    ]
    kept = {quality.key(json.loads(json.dumps({**request, "clips": {}}))) for request in asked}
    assert kept == {quality.key(request) for request in asked}
    assert kept.isdisjoint(map(quality.key, quality.requests(names[:1], [0], 41)))


def test_a_row_without_a_clip_is_in_no_table() -> None:
    scores = {"psnr_y": 30.0, "psnr": 30.0, "ssim": 0.9, "vmaf": 70.0, "fluctuation": 0.1}

    def clip(gain: float) -> dict[str, Any]:
        return {
            str(qp): {
                "bits": 2.0 ** (20 - qp / 6),
                "seconds": 1.0,
                "input": {**scores, "psnr_y": 60.0 - qp},
                "output": {**scores, "psnr_y": 60.0 - qp + gain},
            }
            for qp in QPS
        }

    def line(row: str, gain: float, names: Iterable[str]) -> dict[str, Any]:
        return {"row": row, "clips": {name: clip(gain) for name in names}}

    some, others = list(SEQUENCES)[:4], list(SEQUENCES)[4:]
    lines = [
        *(line("good", 0.2, names) for names in (some, others)),
        *(line("better", 0.5, names) for names in (some, others)),
        line("incomplete", 0.9, some),
        *(line("far too dark", -20, names) for names in (some, others)),
    ]
    assert list(complete(lines)) == ["better", "good", "far too dark"]
    assert "| better | −5.6 % | +0.50 |" in tables_of(lines)
    assert "| far too dark | none | −20.00 |" in tables_of(lines)


def test_the_measured_scores_are_those_of_the_frames() -> None:
    random = np.random.default_rng(1)
    targets = [random.integers(60, 200, (48, 64, 3), np.uint8) for _ in range(3)]
    errors = (4, 6, 8)
    inputs = [
        np.concatenate([target + error, np.full((48, 64, 1), 185, np.uint8)], 2).astype(np.uint8)
        for target, error in zip(targets, errors, strict=True)
    ]
    pairs = quality.Coded(1000.0, inputs, targets)
    found = quality.measured(lambda frames: [frame[:, :, :3] - 2 for frame in frames], pairs, 10)
    before = [20 * math.log10(255 / error) for error in errors]
    after = [20 * math.log10(255 / (error - 2)) for error in errors]
    for side, expected in (("input", before), ("output", after)):
        assert found[side]["psnr"] == pytest.approx(np.mean(expected))
        assert found[side]["fluctuation"] == pytest.approx(np.std(expected), abs=0.01)
    assert gain(found) == pytest.approx(np.mean(after) - np.mean(before), abs=0.01)


FAKE_BASICSR = {
    "__init__": "",
    "utils/__init__": "tensor2img = float",
    "utils/options": "import json, sys\n"
    "def parse_options(root): return json.load(open(sys.argv[sys.argv.index('-opt') + 1])), None",
    "utils/registry": "class ARCH_REGISTRY:\n    register = staticmethod(lambda network: None)",
    "data/__init__": "",
    "data/paired_image_dataset": "def PairedImageDataset(options): return [{'lq': 30, 'gt': 1}]",
    "metrics/__init__": "",
    "metrics/psnr_ssim": "def calculate_psnr(a, b, crop, test_y_channel): return a",
    "train": "from torchvision.transforms.functional_tensor import rgb_to_grayscale\n"
    "def train_pipeline(root):\n"
    "    for psnr in (29.5, 30.25, 30.5): print('Validation val\\n # psnr: %.4f' % psnr)",
}


def test_a_training_by_basicsr_ends_at_its_first_validation_with_the_gain(tmp_path: Path) -> None:
    """Its release imports a module that torchvision no longer has."""
    for name, text in FAKE_BASICSR.items():
        path = tmp_path / "source/basicsr" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    points = time_to_quality.trained_by_basicsr(tmp_path / "source", tmp_path, 0.2, 1000)
    assert [gain for _, gain in points] == [0.0, -0.5, 0.25]
    assert time_to_quality.reached(points, 0.2) == points[-1][0]
