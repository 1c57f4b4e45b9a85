"""Files of weights as the start of a training: what matches, what is said, what is never run."""

import os
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from jobs.core.errors import JobError
from jobs.core.events import NoLog
from jobs.core.folder import JobFolder
from jobs.core.paths import READABLE
from jobs.core.report import Report
from jobs.networks import snapshots
from jobs.networks.export import export
from jobs.networks.pretrained import load, match, read_weights, sentences, start_from_file
from models.build import GraphNetwork
from models.definitions.networks import ecbnet, srcnn_915
from tests.conftest import Clip
from tests.support import exported
from tests.support.field_datasets import end_of, messages_of

Weights = dict[str, Tensor]


def network() -> nn.Module:
    return GraphNetwork(srcnn_915(1, maps1=4, maps2=4))


def weights() -> Weights:
    torch.manual_seed(7)
    return {name: torch.randn_like(value) for name, value in network().state_dict().items()}


def prefixed(weights: Weights, prefix: str) -> Weights:
    return {f"{prefix}{name}": value for name, value in weights.items()}


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (weights(), ""),
        ({"params": weights()}, "params"),
        ({"params": {}, "params_ema": weights()}, "params_ema"),
        ({"epoch": 3, "optimizer": {"lr": 0.1}, "state_dict": weights()}, "state_dict"),
        ({"model": weights(), "rng_state": torch.zeros(8)}, "model"),
    ],
)
@pytest.mark.parametrize("new_format", [True, False])
def test_state_dicts_of_torch_are_found(
    content: dict[str, Any], part: str, new_format: bool, tmp_path: Path
) -> None:
    path = tmp_path / "net.pth"
    torch.save(content, path, _use_new_zipfile_serialization=new_format)
    read, found = read_weights(path)
    assert found == part
    assert {name: value.tolist() for name, value in read.items()} == {
        name: value.tolist() for name, value in weights().items()
    }


@pytest.mark.parametrize("prefix", ["", "module.", "module.generator.net."])
def test_names_match_below_common_prefixes(prefix: str) -> None:
    matches = match(prefixed(weights(), prefix), network().state_dict())
    assert matches.taken.keys() == weights().keys()
    assert [matches.untouched, matches.other_shapes, matches.unknown] == [[], [], []]


def test_the_average_of_torch_matches() -> None:
    average = {"n_averaged": torch.tensor(3), **prefixed(weights(), "module.")}
    assert match(average, network().state_dict()).taken.keys() == weights().keys()


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    broken = weights()
    broken["conv2.bias"][1] = torch.nan
    torch.save(broken, tmp_path / "net.pth")
    with pytest.raises(JobError, match=r"not finite in conv2\.bias"):
        start_from_file(network(), tmp_path / "net.pth", Report(NoLog()))


def test_each_name_is_listed() -> None:
    theirs = weights()
    theirs["conv1.weight"] = torch.zeros(4, 3, 9, 9)
    theirs["upsample.weight"] = theirs.pop("conv3.bias")
    matches = match(theirs, network().state_dict())
    assert sentences(matches, "net.pth", "params") == [
        "Starts from net.pth (params): 4 of 6 weights taken: "
        "conv1.bias, conv2.weight, conv2.bias, conv3.weight.",
        "Not taken, because the shape differs: conv1.weight (4×3×9×9, here 4×1×9×9).",
        "Not in the file, so they start as in a new training: conv3.bias.",
        "Not taken, because the network has no such weight: upsample.weight.",
    ]
    net = network()
    load(net, matches.taken)
    assert torch.equal(net.get_parameter("conv2.weight"), theirs["conv2.weight"])


def test_other_names_are_taken_in_their_order_if_all_shapes_are_equal() -> None:
    theirs = dict(zip("abcdef", weights().values(), strict=True))
    matches = match(theirs, network().state_dict())
    assert list(matches.taken) == list(weights())
    assert torch.equal(matches.taken["conv2.bias"], theirs["d"])
    assert "in their order, since all shapes are equal" in sentences(matches, "a.pth", "")[0]


def test_layers_of_branches_take_the_sum_of_an_export() -> None:
    def made() -> GraphNetwork:
        return GraphNetwork(ecbnet(1, depth=3, maps=4))

    torch.manual_seed(3)
    trained = made()
    with torch.no_grad():
        for parameter in trained.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    image = torch.rand(1, 2, 16, 16)
    expected = trained(image)
    trained.fold()
    net = made()
    load(net, match(trained.state_dict(), net.state_dict()).taken)
    assert not torch.allclose(made()(image), expected, atol=1e-4)
    assert torch.allclose(net(image), expected, atol=1e-5)


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.mark),)


def test_nothing_in_a_pickle_is_executed(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    content = {**weights(), "more": Malicious(mark)}
    torch.save(content, tmp_path / "0.pth")
    (tmp_path / "1.pth").write_bytes(pickle.dumps(content))
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(JobError, match=r"cannot be read as weights.*torch\.save has written"):
            read_weights(path)
    assert not mark.exists()


def test_what_are_no_weights_is_said(tmp_path: Path) -> None:
    torch.save({"epoch": 3, "note": "none"}, tmp_path / "a.pth")
    torch.save(5, tmp_path / "b.pth")
    (tmp_path / "c.pth").write_bytes(b"nothing")
    (tmp_path / "d.safetensors").write_bytes(b"nothing at all")
    whole = (tmp_path / "a.pth").read_bytes()
    (tmp_path / "e.pth").write_bytes(whole[: len(whole) // 2])
    for name, sentence in (
        ("a.pth", "a.pth has no state dict, but epoch, note. Save one"),
        ("b.pth", "b.pth has no state dict. Save one"),
        ("c.pth", "c.pth cannot be read as weights"),
        ("d.safetensors", "d.safetensors cannot be read as weights"),
        ("e.pth", "e.pth cannot be read as weights"),
    ):
        with pytest.raises(JobError, match=re.escape(sentence)):
            read_weights(tmp_path / name)


def test_links_out_of_the_data_roots_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inside").mkdir()
    save_file(weights(), tmp_path / "a.safetensors")
    (tmp_path / "inside" / "a.safetensors").symlink_to(tmp_path / "a.safetensors")
    monkeypatch.setenv(READABLE, f'["{tmp_path / "inside"}"]')
    with pytest.raises(JobError, match="leads out of the folders"):
        read_weights(tmp_path / "inside" / "a.safetensors")


def test_a_training_starts_from_an_export(
    clip: Clip,
    home: Path,
    make_dataset: Callable[..., JobFolder],
    make_model: Callable[..., JobFolder],
) -> None:
    source = exported.make_model(home)
    weights_file = source.path / export(source, "best", "safetensors")["file"]
    dataset = make_dataset(clip)
    # A step so small that it changes nothing.
    solver = {"name": "sgd", "learning_rate": 1e-12}
    model = make_model(
        dataset,
        network=exported.TINY,
        start_file=str(weights_file),
        steps=1,
        epochs=None,
        solver=solver,
    )
    assert end_of(model)["state"] == "done", end_of(model)["reason"]
    assert any("6 of 6 weights taken: conv1.weight" in text for text in messages_of(model))
    _, _, trained = snapshots.read_weights(model, snapshots.find(model, "last"))
    expected, _ = read_weights(weights_file)
    assert all(torch.allclose(value, expected[name]) for name, value in trained.items())
    other = make_model(dataset, network={"name": "vdsr", "depth": 2}, start_file=str(weights_file))
    assert "has no weight with a name and shape of this network" in end_of(other)["reason"]
