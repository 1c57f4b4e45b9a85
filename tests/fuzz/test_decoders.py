"""Streams and images with bytes changed, cut and repeated: read by a process of their own, which says what is wrong, and ends."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from jobs.media.images import read_image

ROUNDS = 40
AT_MOST = 120
"""Seconds for all rounds: a decoder that hangs is found by it."""

READ = """
import json, sys, warnings
from pathlib import Path
from jobs.media.any_image import read_any
from jobs.core.errors import JobError
from jobs.media.video import decode, facts
warnings.simplefilter("ignore")
for line in sys.stdin:
    path = Path(line.strip())
    try:
        if path.suffix in (".h264", ".mp4"):
            facts(path)
            said = sum(1 for _ in decode(path))
        else:
            said = list(read_any(path)[0].shape)
    except JobError as problem:
        said = str(problem)
    print(json.dumps([path.name, said]), flush=True)
"""


def damaged(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice([1, 3, 30])):
        at = random.randrange(len(changed))
        match random.randrange(3):
            case 0:
                changed[at] = random.randrange(256)
            case 1:
                del changed[at : at + random.randrange(1, 200)]
            case 2:
                changed[at:at] = changed[: random.randrange(1, 200)]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_files_are_read_or_refused(
    seed: int, clip: tuple[Path, Path], tmp_path: Path
) -> None:
    random = Random(seed)
    image = Image.fromarray(read_image(next(clip[1].iterdir())))
    for ending in ("png", "jpg", "bmp", "tif", "webp"):
        image.save(tmp_path / f"whole.{ending}")
    sources = [clip[0], *sorted(tmp_path.glob("whole.*"))]
    paths = []
    for number in range(ROUNDS):
        source = sources[number % len(sources)]
        paths.append(tmp_path / f"{number:03}{source.suffix}")
        paths[-1].write_bytes(damaged(source.read_bytes(), random))
    asked = "\n".join(map(str, paths))
    ran = subprocess.run(
        [sys.executable, "-c", READ],
        input=asked,
        capture_output=True,
        text=True,
        check=False,
        timeout=AT_MOST,
    )
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr[-5000:]
    told = dict(json.loads(line) for line in ran.stdout.splitlines())
    assert list(told) == [path.name for path in paths]
    refused = [said for said in told.values() if isinstance(said, str)]
    assert refused
    assert len(refused) < len(paths)
    assert all("Traceback" not in said for said in refused)
