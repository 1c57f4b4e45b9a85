"""`clearframe test`, as a shell runs it."""

import json
from pathlib import Path

from jobs.core.folder import JobFolder
from tests.commands.test_train_command import clearframe
from tests.conftest import Clip, Make


def test_an_image_and_a_split_here_and_now(
    clip: Clip, home: Path, make_dataset: Make, make_model: Make
) -> None:
    model: JobFolder = make_model(make_dataset(clip), epochs=1)
    one = clearframe("test", "image", model.id, "--pair", "0", "--no-layers", "--home", home)
    assert one.returncode == 0, one.stderr
    summary = json.loads(one.stdout)
    assert (summary["snapshot"], summary["psnr_input"] > 20, "layers" in summary) == (
        "epoch-0001",
        True,
        False,
    )

    wrong = clearframe("test", "image", model.id, "--pair", "99", "--home", home)
    assert (wrong.returncode, "--pair: There is no validation pair 99" in wrong.stderr) == (1, True)
    nothing = clearframe("test", "split", "abcdefgh", "--home", home)
    assert "--model: There is no such model." in nothing.stderr

    split = clearframe("test", "split", model.id, "--home", home)
    assert split.returncode == 0, split.stderr
