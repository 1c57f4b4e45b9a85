"""Inputs of a restoration and the files that they become."""

from pathlib import Path

import click

from jobs.core.suffixes import IMAGES, is_image, is_video, natural

Target = tuple[Path, Path]


def targets(sources: list[Path], out: Path, codec: str, as_files: bool = False) -> list[Target]:
    """Each input with its output. Of several inputs, or of a folder of videos, `out` is a folder.

    A folder with images is one input, unless `as_files`, for a server. Raises click.UsageError.
    """
    for source in sources:
        if not source.exists():
            raise click.UsageError(f"{source} does not exist. Correct the path.")
    files = [file for source in sources for file in _expanded(source, as_files)]
    if len(sources) == 1 and files == sources:
        return [(sources[0], out)]
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out} is a file. Give a folder for the outputs of several inputs.")
    found = [(file, out / _name(file, codec, as_files)) for file in files]
    names = [target.name.lower() for _, target in found]
    for file, target in found:
        if names.count(target.name.lower()) > 1:
            raise click.UsageError(
                f"Several inputs would become {target}, one of them {file}. Restore them apart."
            )
    out.mkdir(exist_ok=True)
    return found


def _expanded(source: Path, as_files: bool) -> list[Path]:
    """The input, or the files of a folder that is not a folder of images."""
    if not source.is_dir():
        return [source]
    names = sorted((path.name for path in source.iterdir() if path.is_file()), key=natural)
    if not as_files and any(map(is_image, names)):
        return [source]
    return [source / name for name in names if is_video(name) or is_image(name)] or [source]


def _name(source: Path, codec: str, as_files: bool) -> str:
    if source.is_dir():
        return source.resolve().name
    if is_image(source.name):
        lower = source.name.lower()
        extension = next(extension for extension in IMAGES if lower.endswith(extension))
        return f"{source.name[: -len(extension)]}.png"
    # A server writes all videos but FFV1 as MP4.
    is_matroska = codec == "ffv1" or (source.suffix == ".mkv" and not as_files)
    return f"{source.stem}{'.mkv' if is_matroska else '.mp4'}"
