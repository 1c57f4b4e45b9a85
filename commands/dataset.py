"""`clearframe dataset`: create, export and import datasets, locally or on a server."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TextIO, get_args

import click

from app.catalog.pairs import finished
from app.checks.dataset import checked_dataset
from app.validation_errors import validate
from commands.common_options import home_option, server_option, wait_option
from commands.options import options, typed_values
from commands.running.following import Place, created, find_job, place_of
from commands.running.here import Here
from commands.running.progress import ProgressLine
from commands.running.refusals import WrongValue, refusals
from commands.running.results import Results, json_option
from commands.running.there import There
from commands.spec_file import overlaid, read_spec, set_missing, spec_option
from jobs.core.folder import JobFolder
from jobs.specs import DatasetSpec
from jobs.specs.export import DatasetFormat

if TYPE_CHECKING:
    from jobs.interchange.pairs import Pairs

KINDS = {
    "input": "folders",
    "target": "folders",
    "manifest": "sequences",
    "stream": "stream",
    "originals": "compress",
    "pairs": "import",
}
"""The kind of source that an option implies if --kind is missing. The first given option counts."""


@click.group()
def dataset() -> None:
    """Create, export and import datasets of (decoded, original) pairs."""


@dataclass(frozen=True)
class Creation:
    """The options of a command that creates a dataset, besides those of its spec."""

    spec_file: TextIO | None
    home: Path
    server: str | None
    wait: bool
    as_json: bool


def _creates(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of Creation and of a dataset; call the command with both."""

    @functools.wraps(command)
    def run(
        spec_file: TextIO | None,
        home: Path,
        server: str | None,
        wait: bool,
        as_json: bool,
        **given: Any,
    ) -> None:
        command(Creation(spec_file, home, server, wait, as_json), **given)

    own = home_option()(server_option("Create it")(wait_option(json_option(run))))
    return options(DatasetSpec)(spec_option(own))


@dataset.command("create")
@_creates
def create_dataset(creation: Creation, **given: Any) -> None:
    """Create a dataset.

    Set its source: --stream and --originals, --input and --target, only --originals,
    --manifest, or --pairs. The id is the first line of the output.
    """
    _create(creation, given)


@dataset.command("import")
@click.argument("path", metavar="PATH")
@_creates
def import_dataset(creation: Creation, path: str, **given: Any) -> None:
    """Import a dataset of another program with its splits: the same as create --pairs PATH.

    PATH is a folder of PNG, BasicSR's or Caffe's LMDB, tar shards of WebDataset, or Parquet files;
    what it is shows in what it contains. The id is the first line of the output.
    """
    _create(creation, {**given, "source__pairs": path})


def _create(creation: Creation, given: dict[str, Any]) -> None:
    values = requested_dataset(DatasetSpec, given, read_spec(creation.spec_file))
    place = place_of(creation.server, creation.home)
    with refusals():
        if isinstance(place, There):
            id = place.post("/datasets", values, DatasetSpec)["id"]
        else:
            # The command may read all local paths that its user may read.
            spec = checked_dataset(validate(DatasetSpec, values), (Path.cwd(), Path("/")))
            id = place.create("dataset", spec)
        created(place, [id], Results(creation.as_json), creation.wait)


@dataset.command("export")
@click.argument("dataset", metavar="DATASET")
@click.argument("target", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--format",
    type=click.Choice(get_args(DatasetFormat)),
    default="png",
    show_default=True,
    help="png: folders of images. basicsr: LMDB with meta_info.txt. caffe: pairs of LMDB with "
    "Datums, as in DIGITS. webdataset: tar shards. parquet: for Hugging Face's datasets; needs "
    "pyarrow.",
)
@home_option("Read the dataset from this home folder.")
@server_option("Read the dataset from")
def export_dataset(
    dataset: str, target: Path, format: DatasetFormat, home: Path, server: str | None
) -> None:
    """Export the pairs of a dataset to the new folder DIR, in the format of another program.

    Each split is kept. Pictures are written as PNG: nothing is lost.
    """
    from jobs.interchange.exporting import export

    place = place_of(server, home)
    line = ProgressLine()
    with refusals():
        dataset = find_job(place, dataset, "dataset")
        try:
            with _pairs(place, dataset, target) as (name, pairs):
                export(pairs, target, format, name, line.progress)
        finally:
            line.close()
    click.echo(target)


@contextmanager
def _pairs(place: Place, id: str, target: Path) -> Iterator[tuple[str, "Pairs"]]:
    """The name and the pairs of a dataset. A server's pairs come as a ZIP next to the target."""
    from jobs.interchange.pairs import from_job, from_zip

    if isinstance(place, Here):
        row = place.find(id)
        if row is None or row.kind != "dataset":
            raise WrongValue(f"No dataset {id} in {place.home}. Set --home or --server.")
        yield row.name, from_job(finished(row, JobFolder(place.home / "jobs" / id)))
        return
    name = str(place.job(id)["name"])
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{target.name}-", dir=target.absolute().parent) as folder:
        path = Path(folder) / "pairs.zip"
        click.echo(f"Downloading the pairs from {place.server}", err=True)
        place.client.connection.download(f"/api/v1/datasets/{id}/pairs/zip", path)
        with from_zip(path) as pairs:
            yield name, pairs


def requested_dataset(
    spec: type[DatasetSpec], given: dict[str, Any], from_file: dict[str, Any]
) -> dict[str, Any]:
    """The settings of a dataset: options over the file, with the default name of the form."""
    typed = typed_values(spec, _with_kinds(given, from_file))
    name = _name(given)
    return overlaid(typed, {**({"name": name} if name else {}), **from_file})


def _with_kinds(given: dict[str, Any], from_file: dict[str, Any]) -> dict[str, Any]:
    """Add missing kinds of sources: those that options imply, else those of the file."""
    for tag, section in (
        ("validation__method", from_file.get("validation")),
        ("test__method", from_file.get("test")),
    ):
        set_missing(given, tag, (section or {}).get("method"))
    for prefix, section in (
        ("source", from_file),
        ("validation__source", from_file.get("validation")),
        ("test__source", from_file.get("test")),
    ):
        named = next(
            (kind for field, kind in KINDS.items() if given.get(f"{prefix}__{field}") is not None),
            None,
        )
        set_missing(
            given, f"{prefix}__kind", named or ((section or {}).get("source") or {}).get("kind")
        )
    return given


def _name(given: dict[str, Any]) -> str | None:
    """The default name, as in the form: the name of the stream, else of the other source."""
    paths = (
        given.get(f"source__{field}")
        for field in ("stream", "input", "originals", "manifest", "pairs")
    )
    return next((Path(path).name.split(".")[0] for path in paths if path), None)
