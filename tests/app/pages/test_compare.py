"""Tests of the comparison of models without a browser."""

from flask.testing import FlaskClient

from app.catalog.catalog import Catalog
from tests.app.pages.test_home import model
from tests.app.test_server import app, catalog, client

__all__ = ["app", "catalog", "client"]


def test_the_page_says_at_once_which_model_is_best(client: FlaskClient, catalog: Catalog) -> None:
    ids = [model(catalog, "waits"), model(catalog, "also waits")]
    assert "Not validated yet." in client.get(f"/compare?ids={','.join(ids)}").text
    for name, gain in (("first", 0.25), ("better", 0.5), ("as good", 0.5)):
        ids.append(model(catalog, name, gain))
    page = client.get(f"/compare?ids={','.join(ids)}").text
    assert "Best so far: better, +0.50 dB over the input" in page
