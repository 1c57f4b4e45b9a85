"""Assignment of frames to splits. It depends on frame counts and the seed alone, not on pictures.

A scene is a run of originals. All its streams (the same originals at several QPs) get the same
split, so no picture is in both training and validation.
"""

from random import Random

from jobs.specs.dataset import (
    Blocks,
    ByFrame,
    BySequence,
    DatasetSpec,
    NoSplit,
    Separate,
    ValidationSplit,
)

MIN_BLOCK_FRAMES = 8
"""Shorter blocks leak: frames at the borders of a block look like their neighbours in training."""
MAX_BLOCKS = 4

Splits = list[str]


def split_scenes(counts: list[int], fixed: list[str], spec: DatasetSpec) -> list[Splits]:
    """Return "train", "val" or "test" for each frame of each scene; `counts` is frames per scene.

    `fixed` is the split that a manifest or a separate source sets for a scene, else "".
    """
    splits = [[name or "train"] * count for name, count in zip(fixed, counts, strict=True)]
    free = [number for number, name in enumerate(fixed) if not name and counts[number]]
    # Draw the test split first: it must not depend on the validation settings.
    _keep(splits, free, "test", spec.test, Random(f"test {spec.seed}"))
    _keep(splits, free, "val", spec.validation, Random(f"val {spec.seed}"))
    return splits


def _keep(
    splits: list[Splits],
    free: list[int],
    name: str,
    method: ValidationSplit | NoSplit,
    random: Random,
) -> None:
    match method:
        case Blocks():
            for scene in free:
                _keep_blocks(splits[scene], name, method.percent)
        case ByFrame():
            frames = [
                (scene, frame)
                for scene in free
                for frame, split in enumerate(splits[scene])
                if split == "train"
            ]
            for scene, frame in random.sample(
                frames,
                _share(sum(len(splits[scene]) for scene in free), len(frames), method.percent),
            ):
                splits[scene][frame] = name
        case BySequence():
            scenes = [scene for scene in free if set(splits[scene]) == {"train"}]
            for scene in random.sample(scenes, _share(len(free), len(scenes), method.percent)):
                splits[scene] = [name] * len(splits[scene])
        case Separate() | NoSplit():
            pass


def _share(total: int, remaining: int, percent: float) -> int:
    """Return a percentage of `total`: at least 1, but leave 1 of `remaining` for training."""
    return min(max(1, round(total * percent / 100)), max(remaining - 1, 0))


def _keep_blocks(splits: Splits, name: str, percent: float) -> None:
    """Move up to MAX_BLOCKS evenly spread blocks of training frames to the split `name`."""
    frames = [frame for frame, split in enumerate(splits) if split == "train"]
    kept = _share(len(splits), len(frames), percent)
    blocks = min(max(1, kept // MIN_BLOCK_FRAMES), MAX_BLOCKS)
    for block in range(blocks):
        length = kept * (block + 1) // blocks - kept * block // blocks
        first = (2 * block + 1) * len(frames) // (2 * blocks) - length // 2
        for frame in frames[first : first + length]:
            splits[frame] = name
