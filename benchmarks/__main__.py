"""Run all benchmarks one after another (`make bench`), or those that are named.

python -m benchmarks [NAME ...]

Adds the result of each to benchmarks/results/NAME-DATE.jsonl. The exit status is 1 if one failed.
"""

import json
import subprocess
import sys
import time
from datetime import date

from benchmarks.record import ROOT, print_progress

NAMES = (
    "dataset",
    "home",
    "live",
    "model_page",
    "pages",
    "quality",
    "restore",
    "start",
    "starters",
    "test_many",
    "test_one",
    "time_to_quality",
    "training",
    "viewer",
)


MINUTES = 15
"""A benchmark that takes longer hangs."""


def main(names: list[str]) -> int:
    if unknown := sorted(set(names) - set(NAMES)):
        print_progress(f"There is no benchmark {unknown[0]}. There are {', '.join(NAMES)}.")
        return 2
    failed = [name for name in names or NAMES if not measured(name)]
    if failed:
        print_progress(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def measured(name: str) -> bool:
    """Run a benchmark and keep its result. Returns whether it succeeded."""
    command = [sys.executable, f"benchmarks/{name}.py"]
    print_progress(command[1])
    began = time.monotonic()
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=60 * MINUTES
        )
    except subprocess.TimeoutExpired:
        print_progress(f"{command[1]} did not end within {MINUTES} minutes.")
        return False
    if done.returncode:
        return False
    result = json.loads(done.stdout) | {"benchmark_seconds": round(time.monotonic() - began)}
    path = ROOT / "benchmarks/results" / f"{name.replace('_', '-')}-{date.today()}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps(result) + "\n")
    print_progress(f"added to {path.relative_to(ROOT)}")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
