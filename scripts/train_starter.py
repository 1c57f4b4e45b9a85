"""Makes the starters of models/starters again, from freely licensed material.

    apt-get download gnome-backgrounds mate-backgrounds plasma-workspace-wallpapers
    for package in *.deb; do dpkg -x $package photos; done
    python scripts/train_starter.py fast --photos photos --media ../shared/media --work data/starter

Photographs, clips and drawings become shards of coded patches in the work folder (scripts/
starter_material.py), once for all starters. A network is trained on shots of photographs first,
then on all kinds, mostly on clips. The second part is done three times: without each of FOLDS, to
measure the clips of benchmarks/clips.py by weights that have not seen them, and with all clips, for
the starter. Each part runs for a number of steps on one thread, so the result depends on its seed
alone, not on the time.

Half of the shots of clips, in shards of their own, are of originals that were compressed before, as
most videos that people have. At a QP near that of the first compression a network cannot tell the
damage of the two: it removes both, and loses against such an original. What it loses counts when
the strength of its correction is fitted.

The loss is the squared error divided by that of the frame before restoration: to first order, the
gain in dB. Without this division, strong damage drowns mild damage. The network of *example* does
not see the QP, and learns from the outputs of *fast*.
"""

import math
import random
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pydantic import TypeAdapter
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent))

from jobs.media.sample_clip import scene
from jobs.networks.from_spec import STARTERS, make_network
from jobs.networks.snapshots import Kind, packed_weights, read_file, restorer_of
from jobs.specs.networks import Network
from jobs.specs.sources import RawVideo
from models.build import GraphNetwork
from models.restorer import Restorer
from scripts.starter_graphics import graphic_shot
from scripts.starter_material import (
    FRAMES,
    PER_FRAME,
    SIDE,
    SIZES,
    Bytes,
    Clip,
    clip_frames,
    clip_shot,
    compressed,
    earlier_coder,
    photo_shot,
    write_shard,
)


@dataclass(frozen=True)
class Recipe:
    """A network, and its steps: on photographs, then on all kinds of shots.

    `half`: its layers compute in bfloat16: 23 ms a step for 9-1-5 instead of 41, and 61 for *good*
    instead of 116 (AMD EPYC, one thread). The skip connection does not. `last`: the last layer
    learns at this part of the rate. At the whole rate, the hundreds of inputs of a layer that
    starts at zero move its output by several grey levels in the first steps. `least_error`: mean
    squared error in grey levels below which frames count alike; 0.5 is 51 dB. A network that does
    not see the QP cannot tell such frames from damaged ones, and learned nearly nothing from a loss
    that they outweigh.
    `teacher`: a starter, made before, whose outputs are the targets where the QP is known. They
    lack what no network can predict: in its first 600 steps a 9-1-5 learned seven times as much
    from them as from originals.
    """

    network: dict[str, Any]
    photo_steps: int
    all_steps: int
    rate: float = 1e-3
    half: bool = False
    last: float = 1.0
    least_error: float = 0.5
    teacher: str = ""


RECIPES = {
    "fast": Recipe({"name": "ecbnet"}, 8000, 16000, half=True),
    "good": Recipe({"name": "ecbnet", "depth": 8, "maps": 24}, 8000, 9000, half=True),
    "example": Recipe({"name": "srcnn-9-1-5"}, 2000, 2800, 2e-3, True, 0.03, 10, "fast"),
}
CLIPS = {
    "carphone": Clip("clips/carphone_pristine.mp4"),
    "bikes": Clip("clips/bikes.mp4", 1.8, 2.2),
    "bigbuckbunny": Clip("clips/bigbuckbunny.mp4", 2, 4),
    "flower": Clip("clips/VID_1280x720_cabac_temporal_direct.264", 2, 4),
    "mobile": Clip("clips/CVPCMNL1_SVA_C.264", 1, 1.5),
    "park_joy": Clip("clips/park_joy_480x270.y4m", 1, 1.5),
    "two_people": Clip(
        "clips/two_people_320x192_12fps_yuv420p.yuv", 1, 1.2, RawVideo(width=320, height=192)
    ),
    "foreman": Clip("h264/test_cif_P_CABAC_slice.264", 1.8, 2.2),
    "football": Clip("h264/CI1_FT_B.264", 1.8, 2.2),
    "whisper": Clip("h264/Cisco_Men_whisper_640x320_CABAC_Bframe_9.264", 1.8, 2.5),
}
FOLDS = (
    ("carphone", "flower", "mobile", "two_people"),
    ("bikes", "bigbuckbunny", "park_joy"),
)
"""Clips that are measured by weights of a training without them."""
DRAWN = ("adwaita", "pixels", "truchet", "vnc", "symbolic", "grid", "licorice", "wood-", "Stripes")
"""Parts of the names of flat drawings, which teach little."""
DOUBLE = ("Elephants_", "Transparent", "no-logo")
PHOTOGRAPHS = ("/nature/", "Autumn", "FallenLeaf", "Bythe", "ColorfulCups", "OneStandsOut")
PHOTOGRAPHS += ("EveningGlow", "summer_1am", "Elephants", "Path", "Canopee", "Grey", "Cascade")
"""Parts of the paths of pictures that shots use more often."""
SIZES_OF_OTHERS = ("screenshot", "1080x1920", "720x1440", "1622x2880")

PHOTO_SHARDS, PHOTO_SHOTS, CLIP_SHOTS = 16, 20, 50
"""Shards of photographs, their shots, and the shots of each of the two shards of each clip."""
BESIDE_CLIPS = 2
"""Shards of photographs that the second part sees too."""
GRAPHIC_SHARDS, GRAPHIC_SHOTS = 2, 150
"""Shards of drawn shots, and their shots."""
BATCH, CROP = 16, 48
LIMITED = (16, 219)
"""Y of black, and of white minus black, in limited range."""
LEAST_ERROR = 0.5
"""Mean squared error in grey levels below which gains of shots count alike: 51 dB."""

Make = Callable[[random.Random], list[Bytes]]
"""A function that makes the frames of a shot."""
Material = list[dict[str, NDArray[Any]]]
"""Shards: each has the same share of a batch."""


@click.command()
@click.argument("name", type=click.Choice(list(RECIPES)))
@click.option("--photos", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--media", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
def main(name: str, photos: Path, media: Path, work: Path) -> None:
    torch.set_num_threads(1)
    work.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[name]
    require_teacher(work, recipe)
    of_photos = photo_shards(photos, work)
    drawn, other_drawn = (drawn_shards(work, part) for part in ("seen", "left-out"))
    of_clips = {clip: clip_shards(clip, media, work) for clip in CLIPS}
    kind = Kind(TypeAdapter(Network).validate_python(recipe.network), "y", 3)
    torch.manual_seed(1)
    restorer = kind.restorer()
    if not takes_qp(restorer.net):
        see_detail(restorer.net)
    restorer.net.to(memory_format=torch.channels_last)
    first = work / f"{name}-photos.pt"
    if not first.exists():
        teacher = teacher_after_photos(work, recipe)
        train(restorer.net, load(of_photos), recipe.photo_steps, recipe, teacher)
        torch.save(restorer.net.state_dict(), first)
    start = torch.load(first, weights_only=True)

    def train_without(left_out: Sequence[str]) -> None:
        restorer.net.load_state_dict(start)
        seen = [path for clip, paths in of_clips.items() if clip not in left_out for path in paths]
        seen += of_photos[:BESIDE_CLIPS] + drawn
        teacher = teacher_without(work, recipe, left_out)
        train(restorer.net, load(seen), recipe.all_steps, recipe, teacher)

    shots, folds = [], []
    for fold in FOLDS:
        train_without(fold)
        paths = [path for clip in fold for path in of_clips[clip]] + other_drawn
        shots += measured(restorer.net, load(paths))
        folds.append(copied(restorer.net))
    if takes_qp(restorer.net):
        strengths = fitted_strengths(np.array(shots))
    else:
        strengths = [fitted_factor(np.array(shots), recipe.least_error)]
    for fold, weights in zip(FOLDS, folds, strict=True):
        restorer.net.load_state_dict(weights)
        _write(weights_without(work, name, fold[0]), kind, restorer, strengths)
    train_without(())
    STARTERS.mkdir(exist_ok=True)
    _write(STARTERS / f"{name}.safetensors", kind, restorer, strengths)


def weights_without(work: Path, name: str, clip: str) -> Path:
    """The weights of a training that has not seen a clip."""
    fold = next(fold for fold in FOLDS if clip in fold)
    return work / f"{name}-without-{'-'.join(fold)}.safetensors"


def copied(net: torch.nn.Module) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in net.state_dict().items()}


def _write(path: Path, kind: Kind, restorer: Restorer, strengths: Sequence[float]) -> None:
    set_strength(restorer.net, strengths)
    path.write_bytes(packed_weights(kind, restorer))


def photo_shards(photos: Path, work: Path) -> list[Path]:
    """The shards of photographs in the work folder; makes those that are missing."""
    files = [path for path in sorted(photos.rglob("*")) if _is_useful(path)]
    photographs = [path for path in files if any(part in str(path) for part in PHOTOGRAPHS)]

    def shots(number: int) -> list[Make]:
        chance = random.Random(1000 + number)
        group = chance.sample(photographs, 3) + chance.sample(files, 2)
        return [partial(_of_photo, chance.choice(group)) for _ in range(PHOTO_SHOTS)]

    return [
        _shard(work / f"photos-{number:02d}.npz", partial(shots, number), number)
        for number in range(PHOTO_SHARDS)
    ]


def clip_shards(name: str, media: Path, work: Path) -> list[Path]:
    """The shards of a clip in the work folder: as it is, and compressed before it is coded.

    Makes those that are missing.
    """

    def shot(chance: random.Random) -> list[Bytes]:
        return clip_shot(CLIPS[name], _frames_of(name, media), chance)

    def shot_compressed(chance: random.Random) -> list[Bytes]:
        return compressed(shot(chance), earlier_coder(chance))

    seed = sum(name.encode())
    return [
        _shard(work / f"{name}.npz", lambda: [shot] * CLIP_SHOTS, seed),
        _shard(work / f"{name}-compressed.npz", lambda: [shot_compressed] * CLIP_SHOTS, seed + 1),
    ]


@lru_cache(1)
def _frames_of(name: str, media: Path) -> list[Bytes]:
    return clip_frames(media, CLIPS[name])


def drawn_shards(work: Path, part: str) -> list[Path]:
    """The shards of scenes as that of the sample clip, and of graphics; makes missing ones."""

    def shot(chance: random.Random) -> list[Bytes]:
        first = 1000 if part == "seen" else 10**6  # The sample clip's number is less.
        return list(scene(FRAMES, *chance.choice(SIZES), first + chance.randrange(10**5)))

    def graphic(chance: random.Random) -> list[Bytes]:
        return graphic_shot(chance.choice(SIZES), FRAMES, chance)

    scenes = _shard(work / f"drawings-{part}.npz", lambda: [shot] * CLIP_SHOTS, len(part))
    count = GRAPHIC_SHARDS if part == "seen" else 1
    return [scenes] + [
        _shard(
            work / f"graphics-{part}-{number}.npz",
            lambda: [graphic] * GRAPHIC_SHOTS,
            100 * len(part) + number,
        )
        for number in range(count)
    ]


def _shard(path: Path, shots: Callable[[], list[Make]], seed: int) -> Path:
    if not path.exists():
        draft = path.with_name(f".{path.name}")
        write_shard(draft, shots(), seed)
        draft.rename(path)
        print(path, flush=True)
    return path


def _is_useful(path: Path) -> bool:
    return (
        path.suffix in (".jpg", ".png", ".webp")
        and not path.is_symlink()
        and path.stem not in SIZES_OF_OTHERS
        and not any(part in path.name for part in DRAWN + DOUBLE)
    )


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


def require_teacher(work: Path, recipe: Recipe) -> None:
    """Raise ClickException if the weights of the recipe's teacher are missing."""
    if recipe.teacher and not weights_without(work, recipe.teacher, FOLDS[-1][0]).exists():
        raise click.ClickException(
            f"{work} lacks the weights of the teacher. Run this with {recipe.teacher} first."
        )


def teacher_after_photos(work: Path, recipe: Recipe) -> torch.nn.Module | None:
    """The recipe's teacher after its training on photographs alone."""
    if not recipe.teacher:
        return None
    kind = Kind(TypeAdapter(Network).validate_python(RECIPES[recipe.teacher].network), "y", 3)
    net = make_network(kind.network, 1)
    net.load_state_dict(torch.load(work / f"{recipe.teacher}-photos.pt", weights_only=True))
    assert isinstance(net, GraphNetwork)
    net.fold()
    return net.eval()


def teacher_without(work: Path, recipe: Recipe, left_out: Sequence[str]) -> torch.nn.Module | None:
    """The recipe's teacher that has not seen some clips either."""
    if not recipe.teacher:
        return None
    path = STARTERS / f"{recipe.teacher}.safetensors"
    if left_out:
        path = weights_without(work, recipe.teacher, left_out[0])
    return restorer_of(*read_file(path), str(path)).net


def load(paths: list[Path]) -> Material:
    return [
        {key: shard[key] for key in ("input", "target", "qp", "error")}
        for shard in map(np.load, paths)
    ]


def train(
    net: torch.nn.Module,
    material: Material,
    steps: int,
    recipe: Recipe,
    teacher: torch.nn.Module | None = None,
) -> None:
    """Train by Adam with a cosine decay; the network gets the moving average of its weights."""
    generator = np.random.default_rng(1)
    last = set(convolutions(net)[-1].parameters())
    others = [one for one in net.parameters() if one not in last]
    rates = (recipe.rate, recipe.rate * recipe.last)
    optimizer = torch.optim.Adam([{"params": others}, {"params": list(last)}])
    average = {key: value.clone() for key, value in net.state_dict().items()}
    reduced, began = 0.0, time.process_time()
    for step in range(steps):
        decay = 0.5 * (1 + math.cos(math.pi * step / steps)) + 0.005
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * min(1.0, (step + 1) / 50) * decay
        image, target, errors = _batch(material, generator)
        weight = LIMITED[1] ** 2 / errors.clamp(min=recipe.least_error)
        if teacher is not None:
            with torch.no_grad():
                target = teacher(image)
            weight = weight * (image[:, 1:].amax((2, 3), keepdim=True) > 0)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.half):
            restored = output(net, image)
        loss, before = (
            ((one - target).square() * weight).mean() for one in (restored, image[:, :1])
        )
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
    """Random crops, turned and mirrored at random: image with QP, target, error of the frame."""
    turn = int(generator.integers(8))
    planes = np.empty((BATCH, 3, CROP, CROP), np.float32)
    errors = np.empty((BATCH, 1, 1, 1), np.float32)
    for number, row in enumerate(planes):
        shard = material[generator.integers(len(material))]
        patch = generator.integers(len(shard["error"]))
        top, left = generator.integers(0, SIDE - CROP + 1, 2)
        for plane, key in zip(row, ("input", "target", "qp"), strict=True):
            plane[:] = shard[key][patch, top : top + CROP, left : left + CROP]
        errors[number] = shard["error"][patch]
    turned = torch.rot90(torch.from_numpy(planes), turn % 4, (2, 3))
    image, target = _normal(turned.flip(3) if turn > 3 else turned)
    return image, target, torch.from_numpy(errors)


def _normal(planes: Tensor) -> tuple[Tensor, Tensor]:
    """(image with QP, target) of input, target and QP as in the shards."""
    black, span = LIMITED
    input, target, qp = planes.split(1, 1)
    return torch.cat([(input - black) / span, qp / 51], 1), (target - black) / span


def takes_qp(net: torch.nn.Module) -> bool:
    """Whether a network sees the QP; its last layers then set the strength of the correction."""
    return hasattr(net, "strength1")


def convolutions(net: torch.nn.Module) -> list[torch.nn.Conv2d]:
    return [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)]


@torch.no_grad()
def see_detail(net: torch.nn.Module) -> None:
    """Let the filters of the first layer sum to zero, and be four times as strong.

    The brightness of an image would drown the detail in it, and a 9-1-5 then learns slowly.
    """
    weight = convolutions(net)[0].weight
    weight.sub_(weight.mean((1, 2, 3), keepdim=True)).mul_(4)


def output(net: torch.nn.Module, image: Tensor) -> Tensor:
    """The output for an image with QP; the QP is left out for a network that does not see it."""
    restored: Tensor = net(image if takes_qp(net) else image[:, :1])
    return restored


KNOTS = (16, 24, 32, 40)
"""QPs between which the strength of the correction is linear; constant below and above."""
FULL = (1.0, 1.0, 1.0, 1.0)
BORDER = 8
"""Pixels at the edge of a patch that are not measured: the network sees nothing beyond it."""

Shot = tuple[float, float, float, float]
"""(mean QP, squared error, error times change, squared change) of a shot."""


@torch.no_grad()
def measured(net: torch.nn.Module, material: Material) -> Iterator[Shot]:
    """The shots of a material, measured at full strength."""
    set_strength(net, FULL)  # The training changes it as well.
    net.eval()
    count = FRAMES * PER_FRAME
    inside = (..., slice(BORDER, -BORDER), slice(BORDER, -BORDER))
    for shard in material:
        for first in range(0, len(shard["error"]), count):
            part = slice(first, first + count, 4)
            planes = np.stack([shard[key][part] for key in ("input", "target", "qp")], 1)
            image, target = _normal(torch.from_numpy(planes).float())
            error = (target - image[:, :1])[inside]
            change = (output(net, image) - image[:, :1])[inside]
            sums = (
                float((a * b).mean()) for a, b in ((error,) * 2, (error, change), (change,) * 2)
            )
            yield (float(planes[:, 2].mean()), *sums)


LOSS_COUNTS = {"seen": 10, "unseen": 3}
"""How much more than a gain a loss counts, by whether the network sees the QP. One that does not
would change nothing otherwise: at its one strength, mild damage loses."""


def fitted_strengths(shots: NDArray[Any]) -> list[float]:
    """The strengths at KNOTS that are worth most on left-out shots whose QP is known.

    At the first knot the strength is 0: hardly damaged pictures stay as they are, and those whose
    QP is unknown.
    """
    shots = shots[shots[:, 0] > 0]
    _, _, common, change = shots.T
    steps = np.arange(0, 1.3, 0.05) * common.sum() / change.sum()
    strengths = _best(shots, [(0, *others) for others in product(steps, repeat=3)], KNOTS, "seen")
    print("strengths:", *strengths, flush=True)
    return list(strengths)


def fitted_factor(shots: NDArray[Any], least_error: float) -> float:
    """The one strength of a network that does not see the QP.

    Gains are those over an error of at least `least_error`: shots that are hardly damaged lose.
    """
    factors = [(float(step),) for step in np.arange(0, 1.3, 0.05)]
    (best,) = _best(shots, factors, (0,), "unseen", least_error)
    print("factor:", best, flush=True)
    return best


def _best(
    shots: NDArray[Any],
    choices: Sequence[tuple[float, ...]],
    knots: tuple[int, ...],
    qp: Literal["seen", "unseen"],
    least_error: float = LEAST_ERROR,
) -> tuple[float, ...]:
    """The choice of strengths at some QPs that is worth most."""

    def worth(choice: tuple[float, ...]) -> float:
        gains = _gains(shots, np.interp(shots[:, 0], knots, choice), least_error)
        return float((gains + (LOSS_COUNTS[qp] - 1) * np.minimum(gains, 0)).mean())

    best: tuple[float, ...] = tuple(map(float, max(choices, key=worth)))
    return best


def _gains(shots: NDArray[Any], strength: NDArray[Any], least_error: float) -> NDArray[Any]:
    """The gain of each shot in dB at a strength each."""
    _, error, common, change = shots.T
    floor = np.maximum(error, least_error / LIMITED[1] ** 2)
    gains: NDArray[Any] = -10 * np.log10(1 - (2 * strength * common - strength**2 * change) / floor)
    return gains


@torch.no_grad()
def set_strength(net: torch.nn.Module, strengths: Sequence[float]) -> None:
    """Let the correction have these strengths at KNOTS.

    A network that does not see the QP has one strength, the first, by which its last layer is
    multiplied.
    """
    if not takes_qp(net):
        for values in convolutions(net)[-1].parameters():
            values.mul_(strengths[0])
        return
    inner, outer = net.get_submodule("strength1"), net.get_submodule("strength2")
    slopes = np.diff(strengths) / np.diff(KNOTS)
    changes = np.diff(slopes, prepend=0, append=0)
    inner.weight.fill_(1)
    inner.bias.copy_(-torch.tensor(KNOTS) / 51)
    outer.weight.copy_(torch.from_numpy(changes).reshape(1, -1, 1, 1) * 51)
    outer.bias.fill_(strengths[0])


if __name__ == "__main__":
    main()
