"""Makes the starters of models/starters again, from freely licensed material.

    apt-get download gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers
    for package in *.deb; do dpkg -x $package photos; done
    python scripts/train_starter.py fast --photos photos --clips ../shared/media/h264 \
        --work data/starter

Photographs and clips become shards of coded patches in the work folder (scripts/
starter_material.py), once for all starters. The training runs for a number of steps on one thread,
so its result depends on its seed alone, not on the time. The clips of benchmarks/starters.py are
not in the material.

The loss is the squared error divided by that of the frame before restoration: to first order, the
gain in dB. Without this division, strong damage drowns mild damage.
"""

import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))

from jobs.networks.from_spec import STARTERS
from jobs.networks.snapshots import Kind, packed_weights
from jobs.specs.networks import Network
from scripts.starter_material import (
    FRAMES,
    PER_FRAME,
    SIDE,
    Bytes,
    clip_shot,
    photo_shot,
    write_shard,
)


@dataclass(frozen=True)
class Recipe:
    network: dict[str, Any]
    steps: int


RECIPES = {
    "fast": Recipe({"name": "ecbnet"}, 8000),
}
CLIPS = {
    "test_cif_P_CABAC_slice.264": (2, 300),
    "CI1_FT_B.264": (2, 290),
    "Adobe_PDF_sample_a_1024x768_50Frms.264": (3, 50),
}
"""Factor to scale a clip down by, and its frames. Scaling removes the damage of its own coding."""
DRAWN = ("adwaita", "pixels", "truchet", "vnc", "symbolic", "grid", "licorice", "wood-", "Stripes")
"""Parts of the names of flat drawings, which teach little."""
DOUBLE = ("Elephants_", "Transparent", "no-logo")
PHOTOGRAPHS = ("/nature/", "Autumn", "FallenLeaf", "Bythe", "ColorfulCups", "OneStandsOut")
PHOTOGRAPHS += ("EveningGlow", "summer_1am", "Elephants", "Path", "Canopee", "Grey", "Cascade")
"""Parts of the paths of pictures that shots use more often."""
SIZES_OF_OTHERS = ("screenshot", "1080x1920", "720x1440", "1622x2880")

SHARDS, SHOTS = 30, 20
"""Shards, and shots of each."""
BATCH, CROP, RATE = 16, 48, 1e-3
LIMITED = (16, 219)
"""Y of black, and of white minus black, in limited range."""
LEAST_ERROR = 0.5
"""Mean squared error in grey levels below which frames count alike: 51 dB."""

Floats = NDArray[np.float32]
Material = dict[str, NDArray[Any]]


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--clips", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--steps", type=int, help="Train for this number of steps.")
def main(name: str, photos: Path, clips: Path, work: Path, steps: int | None) -> None:
    torch.set_num_threads(1)
    material = load(make_shards(photos, clips, work))
    recipe = RECIPES[name]
    kind = Kind(TypeAdapter(Network).validate_python(recipe.network), "y", 3)
    torch.manual_seed(1)
    restorer = kind.restorer()
    train(restorer.net, material, steps or recipe.steps)
    fit_strength(restorer.net, material)
    STARTERS.mkdir(exist_ok=True)
    (STARTERS / f"{name}.safetensors").write_bytes(packed_weights(kind, restorer))


def make_shards(photos: Path, clips: Path, work: Path) -> list[Path]:
    """The shards in the work folder; makes those that are missing."""
    work.mkdir(parents=True, exist_ok=True)
    paths = [work / f"{number:03d}.npz" for number in range(SHARDS)]
    files = [path for path in sorted(photos.rglob("*")) if _is_useful(path)]
    for number, path in enumerate(paths):
        if not path.exists():
            chance = random.Random(1000 + number)
            draft = path.with_name(f".{path.name}")
            write_shard(draft, list(_shots(files, clips, chance)), number)
            draft.rename(path)
            print(path, flush=True)
    return paths


def _is_useful(path: Path) -> bool:
    return (
        path.suffix in (".jpg", ".png", ".webp")
        and not path.is_symlink()
        and path.stem not in SIZES_OF_OTHERS
        and not any(part in path.name for part in DRAWN + DOUBLE)
    )


def _shots(
    files: list[Path], clips: Path, chance: random.Random
) -> Iterator[Callable[[random.Random], list[Bytes]]]:
    """The shots of a shard: a fifth from clips, the others from five pictures."""
    photographs = [path for path in files if any(part in str(path) for part in PHOTOGRAPHS)]
    group = chance.sample(photographs, 3) + chance.sample(files, 2)
    for _ in range(SHOTS):
        if chance.random() < 0.2:
            name = chance.choice(list(CLIPS))
            shrink, count = CLIPS[name]
            yield partial(_of_clip, clips / name, shrink, count)
        else:
            yield partial(_of_photo, chance.choice(group))


def _of_clip(path: Path, shrink: int, count: int, chance: random.Random) -> list[Bytes]:
    return clip_shot(path, shrink, chance, count)


def _of_photo(path: Path, chance: random.Random) -> list[Bytes]:
    return photo_shot(_photo(path), chance)


@lru_cache(8)
def _photo(path: Path) -> Image.Image:
    source = Image.open(path)
    source.draft("RGB", (2600, 1600))
    picture = source.convert("RGB")
    if picture.width > 2800:
        size = (2560, round(picture.height * 2560 / picture.width))
        picture = picture.resize(size, Image.Resampling.BOX)
    return picture


def load(paths: list[Path]) -> Material:
    shards = [np.load(path) for path in paths]
    return {
        key: np.concatenate([shard[key] for shard in shards])
        for key in ("input", "target", "qp", "error")
    }


def train(net: torch.nn.Module, material: Material, steps: int) -> None:
    """Train by Adam with a cosine decay; the network gets the moving average of its weights."""
    generator = np.random.default_rng(1)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    average = {key: value.clone() for key, value in net.state_dict().items()}
    reduced, began = 0.0, time.process_time()
    for step in range(steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 50) * decay
        loss, before = _loss(net, *_batch(material, generator))
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        with torch.no_grad():
            for key, value in net.state_dict().items():
                average[key].lerp_(value, 1 - min(0.998, step / (step + 50)))
        reduced += float(before - loss.detach())
        if (step + 1) % 200 == 0:
            seconds = time.process_time() - began
            print(f"{step + 1}: error reduced by {reduced / 200:.2%}, {seconds:.0f} s", flush=True)
            reduced = 0.0
    net.load_state_dict(average)


def _batch(material: Material, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random crops, turned and mirrored at random: image with QP, target, weight."""
    turn, chosen = int(generator.integers(8)), generator.integers(0, len(material["error"]), BATCH)
    planes = np.empty((BATCH, 3, CROP, CROP), np.float32)
    for row, patch in zip(planes, chosen, strict=True):
        top, left = generator.integers(0, SIDE - CROP + 1, 2)
        for plane, key in zip(row, ("input", "target", "qp"), strict=True):
            plane[:] = material[key][patch, top : top + CROP, left : left + CROP]
    turned = torch.rot90(torch.from_numpy(planes), turn % 4, (2, 3))
    image, target = _normal(turned.flip(3) if turn > 3 else turned)
    return image, target, _weight(material["error"][chosen])


def _normal(planes: Tensor) -> tuple[Tensor, Tensor]:
    """(image with QP, target) of input, target and QP as in the shards."""
    black, span = LIMITED
    input, target, qp = planes.split(1, 1)
    return torch.cat([(input - black) / span, qp / 51], 1), (target - black) / span


def _weight(errors: NDArray[Any]) -> Tensor:
    weights = LIMITED[1] ** 2 / np.maximum(errors, LEAST_ERROR)
    return torch.from_numpy(weights.astype(np.float32))[:, None, None, None]


def _loss(
    net: torch.nn.Module, image: Tensor, target: Tensor, weight: Tensor
) -> tuple[Tensor, Tensor]:
    """The loss of the output, and of the input."""
    after, before = ((one - target).square() * weight for one in (net(image), image[:, :1]))
    return after.mean(), before.mean()


KNOTS = (20, 26, 32)
"""QPs between which the strength of the correction is linear; constant below and above."""
BANDS = ((23, 28), (29, 38))
"""Least and greatest mean QP of the shots that decide on the strength at the other knots."""
FLOOR = -0.02
"""Least gain in dB of shots, but for SHARE of them."""
SHARE = 0.02


@torch.no_grad()
def fit_strength(net: torch.nn.Module, material: Material) -> None:
    """Set the layers strength1 and strength2, so that few shots lose at any QP.

    At each knot, and for unknown QPs, the strength has the highest mean gain of those at which all
    shots but a SHARE gain at least FLOOR. At the first knot it is 0: the shots, most of them of
    photographs, gain there what real clips lose, so mildly coded pictures stay as they are.
    """
    set_strength(net, 1.0, [1.0, 1.0, 1.0])  # The training changes it as well.
    shots = np.array(list(_shots_measured(net.eval(), material)))
    qp = shots[:, 0]
    bands = ((0, 0), *BANDS)
    unknown, *fitted = (_strength(shots[(qp >= low) & (qp <= high), 1:]) for low, high in bands)
    known = [0.0, *fitted]
    print("strength by QP:", {0: unknown, **dict(zip(KNOTS, known, strict=True))}, flush=True)
    set_strength(net, unknown, known)


def _shots_measured(net: torch.nn.Module, material: Material) -> Iterator[tuple[float, ...]]:
    """(mean QP, squared error, error times change, squared change) of each shot."""
    count = FRAMES * PER_FRAME
    for first in range(0, len(material["error"]), count):
        part = slice(first, first + count, 16)
        planes = np.stack([material[key][part] for key in ("input", "target", "qp")], 1)
        image, target = _normal(torch.from_numpy(planes).float())
        error, change = target - image[:, :1], net(image) - image[:, :1]
        sums = (float((a * b).mean()) for a, b in ((error,) * 2, (error, change), (change,) * 2))
        yield (float(planes[:, 2].mean()), *sums)


def _strength(shots: NDArray[Any]) -> float:
    least = LEAST_ERROR / LIMITED[1] ** 2
    error, product, change = shots.T
    best = (0.0, 0.0)
    for strength in np.arange(0.05, 1.3, 0.05):
        reduced = (2 * strength * product - strength**2 * change) / np.maximum(error, least)
        gains = -10 * np.log10(1 - reduced)
        if np.quantile(gains, SHARE) >= FLOOR:
            best = max(best, (float(gains.mean()), float(strength)))
    return best[1]


@torch.no_grad()
def set_strength(net: torch.nn.Module, unknown: float, known: list[float]) -> None:
    """Let the correction have these strengths at an unknown QP, and at KNOTS."""
    inner, outer = net.get_submodule("strength1"), net.get_submodule("strength2")
    mild, middle, strong = known
    slopes = [(middle - mild) / (KNOTS[1] - KNOTS[0]), (strong - middle) / (KNOTS[2] - KNOTS[1])]
    changes = [slopes[0], slopes[1] - slopes[0], -slopes[1]]
    near_zero = 10  # No codec's rate is that low.
    signs = [-1.0, 1.0, 1.0, 1.0]
    places = [near_zero, *KNOTS]
    inner.weight.copy_(torch.tensor(signs).reshape(4, 1, 1, 1))
    inner.bias.copy_(
        torch.tensor([-sign * place / 51 for sign, place in zip(signs, places, strict=True)])
    )
    factors = [(unknown - mild) / near_zero, *changes]
    outer.weight.copy_(torch.tensor(factors).reshape(1, 4, 1, 1) * 51)
    outer.bias.fill_(mild)


if __name__ == "__main__":
    main()
