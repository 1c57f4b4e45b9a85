"""Which split each frame goes to: decided before the first is decoded, by numbers and the seed alone.

A scene is a run of originals. Its streams (one original at several QPs) are split alike: the same picture
is never both trained on and judged by.
"""

from random import Random

from jobs.specs.dataset import Blocks, ByFrame, BySequence, DatasetSpec, Kept, NoSplit, Separate

FRAMES_A_BLOCK = 8
"""A block is not shorter: at its borders, frames look like their neighbours in training."""
MOST_BLOCKS = 4

Splits = list[str]


def split_scenes(counts: list[int], fixed: list[str], spec: DatasetSpec) -> list[Splits]:
    """ "train", "val" or "test" for each frame of each scene of `counts` frames.

    `fixed` says the split of a whole scene where a manifest or a separate source does, else ""."""
    splits = [[name or "train"] * count for name, count in zip(fixed, counts, strict=True)]
    free = [number for number, name in enumerate(fixed) if not name and counts[number]]
    # The test split is drawn first: what is kept for the very end should not depend on how training is validated.
    _keep(splits, free, "test", spec.test, Random(f"test {spec.seed}"))
    _keep(splits, free, "val", spec.validation, Random(f"val {spec.seed}"))
    return splits


def _keep(
    splits: list[Splits], free: list[int], name: str, how: Kept | NoSplit, random: Random
) -> None:
    match how:
        case Blocks():
            for scene in free:
                _keep_blocks(splits[scene], name, how.percent)
        case ByFrame():
            places = [
                (scene, frame)
                for scene in free
                for frame, split in enumerate(splits[scene])
                if split == "train"
            ]
            for scene, frame in random.sample(
                places, _share(sum(len(splits[scene]) for scene in free), len(places), how.percent)
            ):
                splits[scene][frame] = name
        case BySequence():
            whole = [scene for scene in free if set(splits[scene]) == {"train"}]
            for scene in random.sample(whole, _share(len(free), len(whole), how.percent)):
                splits[scene] = [name] * len(splits[scene])
        case Separate() | NoSplit():
            pass


def _share(of: int, left: int, percent: float) -> int:
    """That many of `of`, at least one; one of those that are left stays for training."""
    return min(max(1, round(of * percent / 100)), max(left - 1, 0))


def _keep_blocks(splits: Splits, name: str, percent: float) -> None:
    """Up to four blocks, evenly spread, among the frames that are still to train on."""
    places = [frame for frame, split in enumerate(splits) if split == "train"]
    kept = _share(len(splits), len(places), percent)
    blocks = min(max(1, kept // FRAMES_A_BLOCK), MOST_BLOCKS)
    for block in range(blocks):
        length = kept * (block + 1) // blocks - kept * block // blocks
        first = (2 * block + 1) * len(places) // (2 * blocks) - length // 2
        for place in places[first : first + length]:
            splits[place] = name
