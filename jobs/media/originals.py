"""Originals: the images of a folder or the frames of a video, loaded one at a time on demand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path

from jobs.core.manifest import is_path_list
from jobs.core.suffixes import is_image
from jobs.media import video
from jobs.media.images import ImageFile, list_images
from jobs.media.video import Colour, Facts, GoOn, Load, Warn
from jobs.specs.sources import RawVideo


@dataclass(frozen=True)
class Images:
    """The images of a folder or a path list, in order."""

    paths: list[Path]
    qp_maps: list[Path | None] = field(default_factory=list)
    """The picture of the QPs of each image, if any has one."""

    @property
    def place(self) -> str:
        return str(self.paths[0].parent)

    @property
    def count(self) -> int:
        return len(self.paths)

    def name(self, number: int) -> str:
        return self.paths[number].name

    def load(self, warn: Warn = video.ignore_warning) -> Iterator[Load]:
        maps = self.qp_maps or repeat(None)
        return (ImageFile(path, map) for path, map in zip(self.paths, maps, strict=False))


@dataclass(frozen=True)
class Packed(Images):
    """Images in files of another program. A path is that of such a file, and the name in it."""

    values: Callable[[], Iterator[Load]] = lambda: iter(())
    """Reads the images in order."""

    def load(self, warn: Warn = video.ignore_warning) -> Iterator[Load]:
        return self.values()


@dataclass(frozen=True)
class Video:
    """The frames of a video.

    `fallback_colour` applies where the video does not signal its colour. `qps`: whether its frames
    have the QPs of their macroblocks.
    """

    path: Path
    facts: Facts
    raw: RawVideo | None = None
    fallback_colour: Colour | None = None
    qps: bool = False

    @property
    def place(self) -> str:
        return self.path.name

    @property
    def count(self) -> int:
        return self.facts.frames

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the first frame in pixels."""
        return self.facts.width, self.facts.height

    def name(self, number: int) -> str:
        return f"frame {number} of {self.path.name}"

    def load(self, warn: Warn = video.ignore_warning) -> Iterator[Load]:
        return video.frames(self.path, warn, self.raw, self.fallback_colour, self.qps)


def originals_of(
    path: Path, raw: RawVideo | None = None, go_on: GoOn = lambda: True
) -> Images | Video:
    """The originals at a path: a folder or a path list of images, one image, or a video.

    Counts the frames of a video as long as `go_on` returns True. Raises JobError.
    """
    if path.is_dir() or is_path_list(path):
        return Images(list_images(path))
    if is_image(path.name):
        return Images([path])
    return Video(path, video.facts(path, raw, go_on), raw)
