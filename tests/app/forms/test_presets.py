"""Presets of the training form."""

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.forms.presets import PRESETS
from app.forms.restoring import facts_of
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


def selected_starts(page: str) -> list[str]:
    """The chosen start of each network, SRCNN 9-1-5 first."""
    menus = re.findall(r'<select\b[^>]*name="network\.start".*?</select>', page, re.DOTALL)
    return [re.findall(r'value="(\w+)"[^>]*selected', menu)[0] for menu in menus]


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


@pytest.mark.parametrize("query", ["", "?dataset=abcdefgh"])
def test_the_form_opens_with_the_example_from_its_starter(query: str, client: FlaskClient) -> None:
    page = client.get(f"/models/new{query}").text
    assert re.search(r'href="\?preset=example[^"]*" aria-current="true"', page)
    assert selected_starts(page)[0] == "starter"
    assert f"+{facts_of('example').gain:.2f} dB" in page


def test_a_form_with_values_has_no_preset(client: FlaskClient) -> None:
    page = client.get("/models/new?batch_size=8").text
    assert not re.search(r'preset=\w+" aria-current', page)
    assert set(selected_starts(page)) == {"identity"}
