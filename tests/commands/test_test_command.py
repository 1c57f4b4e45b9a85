"""Tests of `clearframe test` as a process."""

import json
import re
from pathlib import Path

from jobs.core.folder import JobFolder
from tests.conftest import Clip, Make
from tests.support.command_line import clearframe


def test_image_and_split_locally(
    clip: Clip, home: Path, make_dataset: Make, make_model: Make
) -> None:
    model: JobFolder = make_model(make_dataset(clip), epochs=1)
    single = clearframe(
        "test", "image", model.id, "--pair", "0", "--no-layers", "--home", home, "--json"
    )
    assert single.returncode == 0, single.stderr
    summary = json.loads(single.stdout)["summary"]
    assert (summary["snapshot"], summary["psnr_input"] > 20, "layers" in summary) == (
        "epoch-0001",
        True,
        False,
    )

    wrong = clearframe("test", "image", model.id, "--pair", "99", "--home", home)
    assert wrong.returncode == 2
    assert "--pair: The validation pair 99 does not exist" in wrong.stderr
    nothing = clearframe("test", "split", "abcdefgh", "--home", home)
    assert "--model: This model does not exist." in nothing.stderr

    again = clearframe("test", "image", model.id, "--pair", "0", "--no-layers", "--home", home)
    output = re.search(r"^output: (.*)$", again.stdout, re.MULTILINE)
    assert output is not None
    assert Path(output[1]).is_file()

    split = clearframe("test", "split", model.id, "--home", home)
    assert split.returncode == 0, split.stderr


def test_a_starter_locally(clip: Clip, home: Path) -> None:
    video = ("--video", clip[0], "--originals", clip[1], "--home", home)
    done = clearframe("test", "video", "--starter", "fast", *video, "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)["summary"]
    assert (summary["snapshot"], summary["measured"]) == ("fast", 24)
    for network in ((), ("abcdefgh", "--starter", "fast")):
        refused = clearframe("test", "video", *network, *video)
        assert refused.returncode == 2
        assert "Give exactly one of these: MODEL, or --starter." in refused.stderr
