"""Fuzz test of decoders: streams and images with changed, missing and repeated bytes.

A subprocess reads each file. It must report an error or a result, and must not crash or hang.
"""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from jobs.media.images import read_image

ROUNDS, ROUNDS_LONG = 40, 400
SECONDS_A_ROUND = 5
"""On average. More than this is a decoder that hangs."""

READ = """
import json, sys, warnings
from pathlib import Path
from jobs.core.errors import JobError
from jobs.media.images import read_image
from jobs.media.video import decode, facts
warnings.simplefilter("ignore")
for line in sys.stdin:
    path = Path(line.strip())
    try:
        if path.suffix in (".h264", ".mp4"):
            facts(path)
            result = sum(1 for _ in decode(path))
        else:
            result = list(read_image(path).shape)
    except JobError as problem:
        result = str(problem)
    print(json.dumps([path.name, result]), flush=True)
"""


def damaged(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 3, 30])):
        start = random.randrange(len(changed))
        match random.randrange(3):
            case 0:
                changed[start] = random.randrange(256)
            case 1:
                del changed[start : start + random.randrange(1, 200)]
            case 2:
                changed[start:start] = changed[: random.randrange(1, 200)]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("seed", [1, 2])
def test_reads_or_rejects_damaged_files(
    seed: int, clip: tuple[Path, Path], tmp_path: Path, long: bool
) -> None:
    random, rounds = Random(seed), ROUNDS_LONG if long else ROUNDS
    image = Image.fromarray(read_image(next(clip[1].iterdir())))
    for extension in ("png", "jpg", "bmp", "tif", "webp"):
        image.save(tmp_path / f"whole.{extension}")
    sources = [clip[0], *sorted(tmp_path.glob("whole.*"))]
    paths = []
    for number in range(rounds):
        source = sources[number % len(sources)]
        paths.append(tmp_path / f"{number:03}{source.suffix}")
        paths[-1].write_bytes(damaged(source.read_bytes(), random))
    file_names = "\n".join(map(str, paths))
    ran = subprocess.run(
        [sys.executable, "-c", READ],
        input=file_names,
        capture_output=True,
        text=True,
        check=False,
        timeout=rounds * SECONDS_A_ROUND,
    )
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr[-5000:]
    results = dict(json.loads(line) for line in ran.stdout.splitlines())
    assert list(results) == [path.name for path in paths]
    refused = [result for result in results.values() if isinstance(result, str)]
    assert refused
    assert len(refused) < len(paths)
    assert all("Traceback" not in result for result in refused)
