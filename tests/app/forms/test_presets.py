"""Presets of the training form."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.forms.presets import PRESETS
from app.settings import Settings
from jobs.networks.from_spec import make_network
from jobs.specs import ModelSpec
from jobs.specs.networks import EcbNet


@pytest.fixture
def client(home: Path) -> FlaskClient:
    return create_app(Settings(home=home), work=False).test_client()


def values_of(page: str, field: str) -> list[str]:
    """The values of inputs with a name: several networks have the same settings."""
    tags = re.findall(rf'<input\b[^>]*name="{field}"[^>]*>', page)
    return [value for tag in tags for value in re.findall(r'value="([^"]*)"', tag)]


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_fills_the_form(name: str, client: FlaskClient) -> None:
    page = client.get(f"/models/new?preset={name}").text
    assert f'href="?preset={name}" aria-current="true"' in page
    spec = ModelSpec.model_validate({"name": "x", "dataset": "abcdefgh", **PRESETS[name].values})
    assert values_of(page, "batch_size") == [str(spec.batch_size)]
    if isinstance(spec.network, EcbNet):
        assert str(spec.network.depth) in values_of(page, "network.depth")
        make_network(spec.network, 1)  # Raises an error if no starter has this shape.


def test_links_of_presets_keep_the_dataset(client: FlaskClient) -> None:
    page = client.get("/models/new?dataset=abcdefgh").text
    links = re.findall(r'href="(\?preset=[^"]+)"', page)
    assert links == [f"?preset={name}&dataset=abcdefgh" for name in PRESETS]


def test_the_form_without_a_preset_is_the_example(client: FlaskClient) -> None:
    assert PRESETS["example"].values == {}
    assert 'href="?preset=example" aria-current="true"' in client.get("/models/new").text
    assert not re.search(r'preset=\w+" aria-current', client.get("/models/new?batch_size=8").text)
