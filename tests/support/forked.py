"""A module for processes that tests start: it reports what it was given, or fails."""

import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path


def main(what: str, *arguments: str) -> int:
    match what:
        case "report":
            print(json.dumps(report(arguments)))
        case "read":
            print(sys.stdin.read())
        case "raise":
            raise ValueError(arguments[0])
        case "return":
            return int(arguments[0])
        case "write":
            os.write(int(arguments[0]), b"written")
        case "touch":
            Path(arguments[0]).touch()
        case "sleep":
            time.sleep(600)
    return 0


def report(arguments: tuple[str, ...]) -> dict[str, object]:
    """What a forked process must have as its own."""
    import numpy
    import torch

    square = torch.ones(64, 64, dtype=torch.bfloat16)
    return {
        "arguments": arguments,
        "argv": sys.argv,
        "environment": dict(os.environ),
        "session": os.getsid(0),
        "pid": os.getpid(),
        "descriptors": sorted(map(int, os.listdir("/proc/self/fd")))[:-1],
        "folder": os.getcwd(),
        "temporary": tempfile.gettempdir(),
        "random": numpy.random.random(),
        "python_random": random.random(),
        "seed": torch.initial_seed(),
        "threads": torch.get_num_threads(),
        "product": float((square @ square).sum()),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
