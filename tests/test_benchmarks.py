"""Benchmarks run after `make setup` alone and print one JSON document each."""

import json
import runpy
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import benchmarks.__main__ as runner
from benchmarks import quality
from benchmarks.listener import Listener
from benchmarks.record import print_record, record, skip
from benchmarks.roofline import bytes_per_patch, operations_per_patch
from jobs.core.paths import ROOT
from tests.conftest import Clip
from tests.support.server import Server

SHARED = {"__main__", "browser", "listener", "live_clients", "record", "roofline"}
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
    commit = subprocess.run(head, cwd=ROOT, capture_output=True, text=True).stdout.strip()
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
    assert results.read_text() == '{"seconds": 1}\n' * 2


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
    )
    ready, result = done.stdout.splitlines()
    assert ready == "ready"
    assert json.loads(result).items() >= {"clients": 3, "events": last, "wrong": 0}.items()


def test_the_roofline_of_9_1_5_equals_the_calculation_for_an_h100() -> None:
    """In bfloat16, 64x64, one channel: 989 TFLOP/s and 3.35 TB/s."""
    assert 989e12 / operations_per_patch(64, 1) == pytest.approx(6.4e6, rel=0.01)
    assert 3.35e12 / bytes_per_patch(64, 1) == pytest.approx(0.67e6, rel=0.01)


def test_the_quality_document_has_the_tables_of_its_results() -> None:
    """Without empty cells, and those on most sequences first."""
    tables = quality.tables(quality.read(quality.RESULTS))
    assert tables in quality.DOCUMENT.read_text(encoding="utf-8")
    assert "|  |" not in tables
    first_row = tables.partition("QP 37")[2].splitlines()[4]
    assert "| all |" in first_row
