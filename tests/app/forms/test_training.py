"""Tests of the form of a training: its choices, and that no entered value is lost."""

import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.application import create_app
from app.catalog.catalog import Catalog
from app.checks import training
from app.forms.fields import Field
from app.forms.training import LENGTHS, Choices, training_fields, training_values
from app.settings import Settings
from jobs.core.events import EventLog
from jobs.specs import ModelSpec
from tests.conftest import Clip

DATASETS = [
    {"id": f"abcdefg{n}", "name": f"clip {n}", "state": "waiting", "summary": {}} for n in (1, 2)
]


@pytest.fixture
def client(home: Path, tmp_path: Path, clip: Clip) -> FlaskClient:
    app = create_app(Settings(home=home, data_roots=(clip[0].parent, tmp_path)), work=False)
    app.config["WTF_CSRF_ENABLED"] = False  # tests/app/web/test_safety.py tests CSRF.
    return app.test_client()


def form(
    values: dict[str, Any] | None = None, problems: dict[str, str] | None = None, **choices: Any
) -> dict[str, Field]:
    all_choices = Choices(**{"datasets": [], "models": [], "user_code": False, **choices})
    fields = training_fields(values or {}, problems or {}, all_choices)
    return {field.id: field for field in fields}


def dataset(client: FlaskClient, clip: Clip) -> str:
    source = {"kind": "stream", "stream": str(clip[0]), "originals": str(clip[1])}
    response = client.post("/api/v1/datasets", json={"name": "clip", "source": source})
    return str(response.json["id"])


def test_jobs_devices_and_examples_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.forms.training.gpus.names", lambda: ("0", "1"))
    trained = {"id": "mmmmmmmm", "name": "first", "summary": {"last": {}}}
    fields = form(datasets=DATASETS, models=[trained, {**trained, "id": "nnnnnnnn", "summary": {}}])
    assert fields["f-more_datasets"].choices == fields["f-dataset"].choices
    assert fields["f-dataset"].choices[0] == ("abcdefg1", "clip 1 (waiting)")
    assert [id for id, _ in fields["f-start_from"].choices] == ["", "mmmmmmmm"]
    assert [name for name, _ in fields["f-device"].choices] == [
        "auto",
        "cpu",
        "cuda:0",
        "cuda:1",
        "cuda:0,1",
    ]
    assert [size for size, _ in fields["f-batch_size"].choices] == ["256", "512", "1024"]
    lists = {field.name for field in fields.values() if field.widget == "list" and field.choices}
    assert lists == {"batch_size"}
    assert [label for _, label in fields["f-custom-network-prototxt"].choices] == [
        "plain",
        "with skip",
    ]


def test_networks_of_packages_are_listed_or_reported_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert form()["f-package-network-entry"].choices == [
        ("", "No installed package provides clearframe.networks")
    ]
    monkeypatch.setattr(training, "entries", lambda group: [f"{group}!"])
    assert form()["f-package-loss-entry"].choices == [("clearframe.losses!", "clearframe.losses!")]


@pytest.mark.parametrize(("user_code", "offered"), [(False, False), (True, True)])
def test_python_files_are_offered_where_they_may_run(user_code: bool, offered: bool) -> None:
    fields = form(user_code=user_code)
    assert ("python" in dict(fields["f-network-name"].choices)) is offered
    assert ("python" in fields["f-loss-name"].kinds) is offered
    assert ("f-python-network-file" in fields) is offered


def test_a_python_file_in_use_stays_in_the_form_of_a_server_that_runs_none() -> None:
    fields = form({"network": {"name": "python", "file": "/n.py"}})
    assert "python" in dict(fields["f-network-name"].choices)
    assert fields["f-python-network-file"].value == "/n.py"


@pytest.mark.parametrize(
    ("values", "unit", "length"),
    [
        ({}, "epochs", 30),
        ({"minutes": 5}, "minutes", 5),
        ({"steps": 10}, "steps", 10),
        ({"epochs": 3}, "epochs", 3),
        ({"minutes": ""}, "minutes", ""),
    ],
)
def test_the_length_is_one_control_in_the_unit_of_the_given_length(
    values: dict[str, Any], unit: str, length: Any
) -> None:
    fields = form(values).values()
    (control,) = (field for field in fields if field.name in LENGTHS)
    assert (control.label, control.name, control.value) == ("Length", unit, length)


@pytest.mark.parametrize(
    ("sent", "values"),
    [
        ({"minutes": "5"}, {"minutes": "5"}),
        ({"epochs": "5", "length_unit": "minutes"}, {"minutes": "5"}),
        ({"steps": "", "length_unit": "steps"}, {"steps": ""}),
        ({"epochs": "5", "length_unit": "hours"}, {"epochs": "5"}),
    ],
)
def test_a_length_is_sent_with_and_without_scripts(
    sent: dict[str, str], values: dict[str, Any]
) -> None:
    lengths = {name: value for name, value in training_values(sent).items() if name in LENGTHS}
    assert lengths == values


def test_an_empty_length_is_refused(client: FlaskClient, clip: Clip) -> None:
    values = {"name": "m", "dataset": dataset(client, clip), "minutes": ""}
    page = client.post("/models/new", data=values)
    assert page.status_code == 422
    assert "Length</a>: Must be a number." in page.text


def test_a_free_name_is_suggested(client: FlaskClient, clip: Clip) -> None:
    id = dataset(client, clip)
    names = []
    for _ in range(3):
        page = client.get(f"/models/new?dataset={id}").text
        (name,) = re.findall('id="f-name" name="name".*? value="(.*?)"', page, re.DOTALL)
        names.append(name)
        assert client.post("/models/new", data={"name": name, "dataset": id}).status_code == 302
    assert names == [f"SRCNN 9-1-5 on clip{number}" for number in ("", " 2", " 3")]
    values = {"dataset": id, "network": {"name": "custom", "prototxt": "x"}}
    assert client.post("/api/v1/models/preview", json=values).json["name"] == "prototxt on clip"


def test_the_query_string_selects_a_dataset(client: FlaskClient, clip: Clip) -> None:
    first, second = dataset(client, clip), dataset(client, clip)
    assert f'<option value="{first}" selected>' in client.get(f"/models/new?dataset={first}").text
    assert f'<option value="{second}" selected>' in client.get(f"/models/new?dataset={second}").text


def test_a_clone_has_all_values_of_its_model(client: FlaskClient, clip: Clip) -> None:
    request = {
        "name": "first",
        "dataset": dataset(client, clip),
        "more_datasets": [dataset(client, clip)],
        "network": {"name": "edsr", "blocks": 3, "skip": False},
        "lr_policy": {"name": "multistep", "steps": [20, 40.5]},
        "minutes": 5,
        "flips": False,
    }
    id = client.post("/api/v1/models", json=request).json["id"]
    page = client.get(f"/models/new?clone={id}").text
    assert 'value="first (copy)"' in page
    assert 'value="20, 40.5"' in page
    assert f'value="{request["more_datasets"][0]}" checked' in page
    spec = client.get(f"/api/v1/jobs/{id}").json["spec"]
    fields = form(spec)
    values = {
        name: fields[name].value
        for name in (
            "f-edsr-network-blocks",
            "f-edsr-network-skip",
            "f-minutes",
            "f-flips",
        )
    }
    assert values == {
        "f-edsr-network-blocks": 3,
        "f-edsr-network-skip": False,
        "f-minutes": 5,
        "f-flips": False,
    }


def test_entered_values_stay_after_an_error(client: FlaskClient, clip: Clip) -> None:
    first, second = dataset(client, clip), dataset(client, clip)
    text = "\n# mine\nlayer {"
    typed = {
        "network.name": "custom",
        "network.prototxt": text,
        "more_datasets": [first, second],
        "solver.learning_rate": "0.01, 0.02",
        "batch_size": "8, x",
    }
    page = client.post("/models/new", data=typed)
    assert page.status_code == 422
    assert f'spellcheck="false">\n{text}</textarea>' in page.text
    assert page.text.count("checked") >= 2
    assert 'value="0.01, 0.02"' in page.text
    assert 'value="8, x"' in page.text


def test_crlf_line_ends_are_shown_as_lf(client: FlaskClient) -> None:
    page = client.post(
        "/models/new", data={"network.name": "custom", "network.prototxt": "# mine\r\nlayer {"}
    )
    assert ">\n# mine\nlayer {</textarea>" in page.text


def test_every_field_of_the_spec_is_in_the_form(client: FlaskClient) -> None:
    names = {field.section for field in form(user_code=True).values()}
    assert names == set(ModelSpec.model_fields) - {"sweep", "minutes", "steps"}
    page = client.get("/models/new").text
    assert [field.id for field in form().values() if f'id="{field.id}"' not in page] == []


def test_only_examples_are_served(client: FlaskClient) -> None:
    with client.get("/examples/residual.prototxt") as response:
        assert "layer {" in response.get_data(as_text=True)
    assert client.get("/examples/other.prototxt").status_code == 404


def log(client: FlaskClient, id: str, **event: Any) -> None:
    """Append an event as a worker would, and let the catalog read it."""
    catalog: Catalog = client.application.extensions["catalog"]
    folder = catalog.folder(id)
    with EventLog(folder.events) as events:
        events.append(event.pop("type"), **event)
    catalog._index_folder(folder)


def test_a_model_with_a_snapshot_can_be_started_from_and_a_clone_keeps_that(
    client: FlaskClient, clip: Clip
) -> None:
    dataset_id = dataset(client, clip)
    first = client.post("/api/v1/models", json={"name": "first", "dataset": dataset_id}).json["id"]
    option = f'<option value="{first}"'
    assert option not in client.get("/models/new").text
    log(
        client,
        first,
        type="snapshot",
        name="epoch-0001",
        step=3,
        epoch=1.0,
        size=1,
        scalars={"val/l1": 0.1},
    )
    assert f"{option}>first</option>" in client.get("/models/new").text
    second = client.post(
        "/api/v1/models", json={"name": "second", "dataset": dataset_id, "start_from": first}
    ).json["id"]
    assert f"{option} selected>first</option>" in client.get(f"/models/new?clone={second}").text


def test_a_clone_does_not_silently_choose_another_dataset(client: FlaskClient, clip: Clip) -> None:
    first, second = dataset(client, clip), dataset(client, clip)
    model = client.post(
        "/api/v1/models", json={"name": "m", "dataset": first, "more_datasets": [second]}
    ).json["id"]
    log(client, first, type="state", state="error", reason="")
    client.application.extensions["catalog"].folder(second).path.rename(
        Path(clip[0].parent, "elsewhere")
    )
    client.application.extensions["catalog"].sync_folders()
    page = client.get(f"/models/new?clone={model}").text
    assert f'<option value="{first}" selected>clip (error)</option>' in page
    assert re.search(rf'value="{second}" checked>\s*{second} \(deleted\)', page)
    Path(clip[0].parent, "elsewhere").rename(
        client.application.extensions["catalog"].folder(second).path
    )


def test_the_smallest_frame_limits_the_patch_size(client: FlaskClient, clip: Clip) -> None:
    dataset_id = dataset(client, clip)
    log(
        client,
        dataset_id,
        type="state",
        state="done",
        reason="",
        summary={"width": 640, "height": 480, "smallest_side": 32},
    )
    values = {"name": "m", "dataset": dataset_id, "patch_size": 64}
    response = client.post("/api/v1/models", json=values)
    assert response.json["error"]["fields"] == {
        "patch_size": "The smallest frame side of “clip” is 32 px. Enter at most 32."
    }


def test_colour_with_grayscale_datasets_is_refused_before_the_job(
    client: FlaskClient, clip: Clip
) -> None:
    first, second = dataset(client, clip), dataset(client, clip)
    for id, channels in ((first, 3), (second, 1)):
        log(
            client,
            id,
            type="state",
            state="done",
            reason="",
            summary={"channels": channels, "smallest_side": 100},
        )
    response = client.post(
        "/api/v1/models", json={"name": "m", "dataset": first, "more_datasets": [second]}
    )
    assert "some in grayscale" in response.json["error"]["fields"]["more_datasets"]


ODD = [
    {"batch_size": [[1]]},
    {"solver": {"learning_rate": {}}},
    {"solver": 4},
    {"network": "vdsr"},
    {"device": ["cuda"]},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_odd_values_are_refused_with_messages(
    client: FlaskClient, clip: Clip, odd: dict[str, Any]
) -> None:
    response = client.post(
        "/api/v1/models", json={"name": "m", "dataset": dataset(client, clip), **odd}
    )
    assert response.status_code == 422
    assert response.json["error"]["fields"]


def test_the_same_rate_twice_is_no_sweep(client: FlaskClient, clip: Clip) -> None:
    request = {
        "name": "m",
        "dataset": dataset(client, clip),
        "solver": {"learning_rate": "1e-3, 0.001"},
        "batch_size": "8,",
    }
    created = client.post("/api/v1/models", json=request).json
    assert (len(created["ids"]), created["sweep"]) == (1, "")
    spec = client.get(f"/api/v1/jobs/{created['id']}").json["spec"]
    assert (spec["solver"]["learning_rate"], spec["batch_size"]) == (0.001, 8)
