"""Thumbnails of the images of a test of many."""

from collections.abc import Sequence

from app.answers import Job
from app.catalog.database import JobRow
from app.current import catalog
from jobs.core.types.samples import ResultRow

MOST = 12
"""Rows with a thumbnail: the first ones of a page."""


def thumbnails(test: Job, rows: Sequence[ResultRow]) -> list[tuple[ResultRow, str]]:
    """The first rows with the paths of their inputs, where the server has these as pictures.

    Pairs of a dataset it has; other images it would have to decode.
    """
    if test["spec"]["kind"] != "split":
        return []
    model = catalog().get(test["spec"]["model"])
    if model is None:
        return []
    split = test["spec"]["split"]
    ids = dict.fromkeys((model.spec["dataset"], *model.spec["more_datasets"]))
    datasets = [dataset for id in ids if (dataset := catalog().get(id)) is not None]
    found = []
    for row in rows[:MOST]:
        path = _input(datasets, split, row["pair"])
        if path:
            found.append((row, path))
    return found


def _input(datasets: Sequence[JobRow], split: str, number: int) -> str:
    """The path of the input of a pair: pairs are numbered through all datasets of a model."""
    for dataset in datasets:
        pairs = dataset.view["summary"].get("pairs", {}).get(split, 0)
        if number < pairs:
            return f"/datasets/{dataset.id}/pairs/{split}/{number}/input.png"
        number -= pairs
    return ""
