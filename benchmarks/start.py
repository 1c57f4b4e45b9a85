"""How long a server takes from its start to its first page.

python benchmarks/start.py [--rounds 5]

Prints one JSON object, in seconds, medians: "first" on an empty home, "again" on one that a server has worked on, and "imports",
what of these the interpreter takes to load the server's modules.
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
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--rounds", type=int, default=5)
    rounds = options.parse_args().rounds
    taken: dict[str, list[float]] = {"first": [], "again": [], "imports": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as place:
            for name in ("first", "again"):
                server = Server(Path(place) / "home", [], free_port())
                taken[name].append(server.start())
                server.kill()
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "import run_server"], cwd=ROOT, check=True)
        taken["imports"].append(time.monotonic() - began)
    seconds = {name: round(statistics.median(all), 2) for name, all in taken.items()}
    told = {
        "date": date.today().isoformat(),
        "processor": cpu_name(),
        "cores": os.cpu_count(),
        "rounds": rounds,
        **seconds,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
