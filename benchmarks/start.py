"""Benchmark: time from the start of a server to its first page.

python benchmarks/start.py [--rounds 5]

Prints a JSON object with medians in seconds: "first" for an empty home, "again" for a home
that a server has used, and "imports" for the part in which the interpreter loads the server's
modules.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from jobs.networks.device import cpu_name  # noqa: E402
from tests.support.server import Server, free_port  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    taken: dict[str, list[float]] = {"first": [], "again": [], "imports": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as work:
            for name in ("first", "again"):
                server = Server(Path(work) / "home", [], free_port())
                taken[name].append(server.start())
                server.kill()
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import run_server"], cwd=ROOT, check=True)
        taken["imports"].append(time.monotonic() - began)
    seconds = {name: round(statistics.median(times), 2) for name, times in taken.items()}
    result = {
        "date": date.today().isoformat(),
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "rounds": rounds,
        **seconds,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
