"""Tests of tiled restoration against restoration of the whole image."""

import math

import psutil
import pytest
import torch
from torch import Tensor, nn

from models import tiles
from models.definitions.graph import INPUT, Graph
from models.definitions.networks import NETWORKS
from models.definitions.operations import Activation, Conv, Crop, Filler, Node, Pool
from models.definitions.receptive_field import Reach, reach_of
from models.memory import bytes_per_pixel
from models.restorer import Channels, Restorer
from models.tiles import TooLarge, in_tiles, plan, restore, windows
from tests.support.networks import moved

SHORT = {"vdsr": {"depth": 6}, "dncnn": {"depth": 6}, "edsr": {"blocks": 2}}
"""Settings for deep networks. The overlap of their tiles would take most of the test's time."""


def enough_for(restorer: Restorer, channels: int, pixels: int) -> int:
    return math.ceil(pixels * bytes_per_pixel(restorer, channels))


def seam(restorer: Restorer, size: tuple[int, int], most: tuple[int, int]) -> float:
    """The largest difference between the tiled and the whole image, for values in 0 to 1."""
    image = torch.rand(1, 3 + restorer.takes_qp, *size)
    limit = enough_for(restorer, image.shape[1], most[0] * most[1])
    assert len(plan(restorer, image.shape, limit)) > 1
    with torch.inference_mode():
        whole = restorer(image)
        return float(
            (restore(restorer, image, limit) - whole).abs().max() / whole.abs().max().clamp(min=1)
        )


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("channels", ["rgb", "y", "ycbcr"])
def test_tiles_have_no_seam(name: str, channels: Channels) -> None:
    graph = NETWORKS[name].graph(1 if channels == "y" else 3, **SHORT.get(name, {}))
    restorer = Restorer(moved(graph), channels, torch.full((graph.channels,), 0.4)).eval()
    rows, columns = graph.receptive_field()
    step = 2 if name == "ffdnet" else 1
    sides = (rows // 2, columns // 2)
    assert reach_of(graph) == tuple(Reach(side, side, step) for side in sides)
    assert seam(restorer, (rows + 40, columns + 71), (rows + 20, columns + 35)) <= 1e-6


@pytest.mark.parametrize("name", list(NETWORKS))
def test_deep_networks_have_no_seam_in_a_strip(name: str) -> None:
    graph = NETWORKS[name].graph(1)
    restorer, (rows, columns) = Restorer(moved(graph), "y").eval(), graph.receptive_field()
    assert seam(restorer, (rows + 41, 5), (rows + 20, 5)) <= 1e-6
    assert seam(restorer, (3, columns + 41), (3, columns + 20)) <= 1e-6


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (33, 50)])
def test_image_smaller_than_the_overlap_is_a_single_tile(size: tuple[int, int]) -> None:
    restorer = Restorer(moved(NETWORKS["vdsr"].graph(3, depth=5)), "rgb").eval()
    image = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8)
    assert len(plan(restorer, image.shape, 2**30)) == 1
    with torch.inference_mode():
        assert torch.equal(restore(restorer, image), restorer(image / 255))


def conv(
    name: str, *inputs: str, kernel: int = 3, pad: int = 0, maps: int = 3, **more: object
) -> Node:
    return Node(
        name,
        Conv(maps, (kernel, kernel), pad=(pad, pad), biases=Filler("constant", 0.3), **more),  # type: ignore[arg-type]
        inputs,
    )


DOWN_AND_UP = (
    conv("down", INPUT, kernel=3, pad=1, stride=(2, 2), maps=6),
    Node("relu", Activation("relu"), ("down",)),
    conv("down2", "relu", kernel=3, pad=1, stride=(2, 2), maps=6),
    conv("up", "down2", kernel=4, pad=0, stride=(2, 2), transposed=True, maps=6),
    conv("up2", "up", kernel=4, pad=0, stride=(2, 2), transposed=True),
    Node("crop", Crop((1, 2)), ("up2", INPUT)),
)
GRAPHS = {
    "all pads first": (conv("a", INPUT, kernel=3, pad=4), conv("b", "a", kernel=7)),
    "all pads last": (conv("a", INPUT, kernel=7), conv("b", "a", kernel=3, pad=4)),
    "even kernels": (conv("a", INPUT, kernel=4, pad=2), conv("b", "a", kernel=4, pad=1)),
    "dilated": (conv("a", INPUT, kernel=3, pad=3, dilation=(3, 3)), conv("b", "a", pad=1)),
    "pools": (
        conv("a", INPUT, pad=1),
        Node("largest", Pool("max", (3, 3), (1, 1)), ("a",)),
        Node("mean", Pool("average", (5, 5), (2, 2)), ("largest",)),
    ),
    "strides": DOWN_AND_UP,
}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("size", [(61, 83), (64, 80), (62, 41)])
def test_pads_pools_and_strides_match_the_whole_image(name: str, size: tuple[int, int]) -> None:
    nodes = GRAPHS[name]
    restorer = Restorer(moved(Graph(nodes, nodes[-1].name, 3)), "rgb").eval()
    image = torch.rand(1, 3, *size)
    with torch.inference_mode():
        limit = enough_for(restorer, 3, 36 * 36)
        assert len(plan(restorer, image.shape, limit)) > 2
        assert (restore(restorer, image, limit) - restorer(image)).abs().max() <= 1e-6


def test_windows_keep_each_place_once() -> None:
    for size in range(1, 60):
        for reach in (Reach(0, 0), Reach(2, 3), Reach(3, 1, 4)):
            for most in range(12, 30):
                made = windows(size, most, reach)
                assert [
                    place for window in made for place in range(window.first, window.last)
                ] == list(range(size))
                for window in made:
                    assert window.start % reach.step == 0
                    assert window.start == 0 or window.start <= window.first - reach.before
                    assert window.end == size or window.end >= window.last + reach.behind
                    assert window.end - window.start < most + reach.step
                lengths = [window.end - window.start for window in made]
                assert not lengths or max(lengths) - min(lengths) < max(reach.step, 1)


class WholeImageMean(nn.Module):
    """A network that depends on the whole image, and is not a graph."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, image: Tensor) -> Tensor:
        mean: Tensor = self.pool(image)
        return image * self.weight - mean


def test_unknown_receptive_field_gets_the_whole_image_or_an_error() -> None:
    restorer, image = Restorer(WholeImageMean(), "rgb").eval(), torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(restore(restorer, image), restorer(image))
    with pytest.raises(TooLarge, match=r"70×50 would take about .* cannot be cut into tiles"):
        restore(restorer, image, 1000)


def test_too_little_memory_for_the_smallest_tile_is_an_error() -> None:
    restorer = Restorer(moved(NETWORKS["srcnn-9-1-5"].graph(3)), "rgb").eval()
    with pytest.raises(TooLarge, match="needs at least 13×13 pixels"):
        restore(restorer, torch.rand(1, 3, 100, 100), enough_for(restorer, 3, 100))


def test_rejects_output_of_another_size() -> None:
    restorer = Restorer(nn.Conv2d(3, 3, 3), "rgb").eval()
    with pytest.raises(TooLarge, match="turns an image of 8×10 into 6×8"):
        restore(restorer, torch.rand(1, 3, 10, 8))


def moved_restorer(name: str, **options: int) -> Restorer:
    return Restorer(moved(NETWORKS[name].graph(3, **options)), "rgb").eval()


def test_tiles_are_as_large_as_memory_allows() -> None:
    restorer = moved_restorer("srcnn-9-1-5")
    shape = (1, 3, 1000, 2000)
    counts = [
        len(plan(restorer, shape, enough_for(restorer, 3, pixels)))
        for pixels in (2 * 10**6, 10**6, 10**5, 10**4)
    ]
    assert counts == sorted(counts)
    assert counts[-1] > 200
    # On a CPU, tiles have the fastest size, unless their overlap would cost too much.
    assert 30 < counts[0] < 60
    assert len(plan(moved_restorer("srcnn-9-1-5"), (1, 3, 200, 250), 10**12)) == 1
    assert len(plan(moved_restorer("vdsr", depth=40), shape, 10**12)) == 1
    for row, column in plan(restorer, shape, enough_for(restorer, 3, 10**5)):
        assert (row.end - row.start) * (column.end - column.start) <= 10**5


@pytest.mark.parametrize("name", ["srcnn-9-1-5", "vdsr"])
def test_layers_take_no_more_memory_than_estimated(name: str) -> None:
    restorer = Restorer(moved(NETWORKS[name].graph(3)), "rgb").eval()
    tiles.restore(restorer, torch.rand(1, 3, 64, 64))  # Warm-up: torch's initial allocations.
    process, image, most = psutil.Process(), torch.rand(1, 3, 700, 900), 0
    limit, before = 120 * 2**20, psutil.Process().memory_info().rss

    def watched(tile: Tensor) -> Tensor:
        nonlocal most
        output: Tensor = restorer(tile)
        most = max(most, process.memory_info().rss)
        return output

    hooks = [module.register_forward_hook(lambda *_: watch()) for module in restorer.net.children()]

    def watch() -> None:
        nonlocal most
        most = max(most, process.memory_info().rss)

    with torch.inference_mode():
        tiling = plan(restorer, (1, 3, 300, 300) if name == "vdsr" else image.shape, limit)
        in_tiles(watched, image[..., :300, :300] if name == "vdsr" else image, tiling)
    for hook in hooks:
        hook.remove()
    whole = image.numel() * 4
    assert most - before < limit * 1.25 + whole


def test_tiles_become_smaller_until_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU may have less memory than was free a moment ago."""
    with_room, tried = 2**22, list[int]()

    def work(limit: int) -> torch.Tensor:
        tried.append(limit)
        if limit > with_room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return torch.zeros(1)

    assert tiles.smaller_until_it_fits(work, 2**24).shape == (1,)
    assert tried == [2**24, 2**23, 2**22]
    with_room = 0
    with pytest.raises(tiles.TooLarge, match="other programs or jobs use it"):
        tiles.smaller_until_it_fits(work, 2**24)
