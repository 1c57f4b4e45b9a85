"""Pairs of a dataset: a gallery, a pair at full size, the image files, and a ZIP of all pairs."""

from typing import Any

from flask import Blueprint, Response, abort, render_template, request, url_for

from app.actions import zip_of_pairs
from app.catalog import pairs
from app.catalog.catalog import Refused
from app.catalog.pairs import Sorting
from app.current import catalog, row_or_404
from app.validation_errors import Invalid, validate

blueprint = Blueprint("pairs", __name__, url_prefix="/datasets/<id>")

MIMETYPES = {"png": "image/png", "jpg": "image/jpeg"}


@blueprint.get("/pairs")
def gallery(id: str) -> str:
    row = row_or_404(id, "dataset")
    query = validate(pairs.PairsQuery, request.args.to_dict())
    context = pairs.pairs_page(row, catalog().folder(id), query)
    return render_template(
        "datasets/pairs.html", title=f"Pairs of {row.name}", active="datasets", job=row, **context
    )


@blueprint.get("/pairs/<any(train, val, test):split>/<int:number>")
def pair(id: str, split: str, number: int) -> str:
    row, sorting = row_or_404(id, "dataset"), validate(Sorting, request.args.to_dict())
    facts = pairs.pair(row, catalog().folder(id), split, number)
    if facts is None:
        abort(404, f"“{row.name}” has no pair {number} in {split}.")
    store = catalog().folder(id).store(split)
    near = pairs.neighbours(store, number, sorting)
    page = (near.position - 1) // pairs.PAIRS_A_PAGE + 1
    total = pairs.splits(catalog().folder(id))[split]
    title = f"Pair {number} of {row.name}, {split}"
    query = sorting.model_dump()
    return render_template(
        "datasets/pair.html",
        title=title,
        active="datasets",
        job=row,
        pair=facts,
        near=near,
        page=page,
        total=total,
        query=query,
    )


@blueprint.get(
    "/pairs/<any(train, val, test):split>/<int:number>"
    "/<any(input, target, qp):role>.<any(png, jpg):extension>"
)
def picture(id: str, split: str, number: int, role: str, extension: str) -> Response:
    """The stored image file; both file extensions give the same file.

    A finished dataset never changes, so browsers may cache the response without revalidation.
    """
    row = row_or_404(id, "dataset")
    store = pairs.finished(row, catalog().folder(id)).store(split)
    if not store.is_dir():
        abort(404, f"“{row.name}” has no {split} pairs.")
    try:
        data, kind = pairs.picture(store, number, role)
    except IndexError:
        abort(404, f"“{row.name}” has no pair {number} in {split}.")
    if not data:
        abort(404, f"The QPs of pair {number} of “{row.name}”, {split}, are unknown.")
    response = Response(data, mimetype=MIMETYPES[kind])
    response.set_etag(f"{id}-{split}-{number}-{role}")
    response.cache_control.private = True
    response.cache_control.max_age = 365 * 24 * 3600
    response.cache_control.immutable = True
    response.make_conditional(request)
    return response


@blueprint.get("/pairs.zip")
def as_zip(id: str) -> Response:
    query = validate(pairs.ExportQuery, request.args.to_dict())
    return zip_of_pairs(row_or_404(id, "dataset"), query.format)


@blueprint.errorhandler(Invalid)
def invalid(problem: Invalid) -> Any:
    return _error(
        422,
        "Address not valid",
        " ".join(f"{field}: {text}" for field, text in problem.problems.items()),
    )


@blueprint.errorhandler(Refused)
def refused(problem: Refused) -> Any:
    return _error(409, "Not finished", str(problem))


def _error(status: int, heading: str, message: str) -> tuple[str, int]:
    back = url_for("datasets.dataset", id=(request.view_args or {})["id"])
    page = render_template(
        "error.html",
        title=heading,
        active="datasets",
        status=status,
        heading=heading,
        message=message,
        back=back,
    )
    return page, status
