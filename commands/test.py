"""`clearframe test`: test a model or a starter on images, a video, or a split of a dataset.

The test runs locally or on a server.
"""

import os
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import click

from app.checks.inference import checked_test
from app.settings import Settings
from app.validation_errors import validate
from commands.common_options import home_option, server_option, user_code_option, wait_option
from commands.options import options, typed_values
from commands.running.following import created, find_job, place_of
from commands.running.here import Here
from commands.running.refusals import refusals
from commands.running.results import Results, json_option
from commands.running.there import There
from jobs.core.launcher import USER_CODE
from jobs.specs import TESTS, AnyTest
from jobs.specs.networks import Starter


@click.group()
def test() -> None:
    """Test a model: restore images or video, and measure the result."""


def _command(kind: str, spec: type[AnyTest]) -> click.Command:
    @click.argument("model", metavar="[MODEL]", required=False)
    @click.option(
        "--starter",
        type=click.Choice(get_args(Starter)),
        help="Use this network of the package instead of a model.",
    )
    @options(spec)
    @home_option()
    @server_option("Test")
    @wait_option
    @json_option
    @user_code_option()
    def run(
        model: str | None,
        starter: Starter | None,
        home: Path,
        server: str | None,
        wait: bool,
        as_json: bool,
        allow_user_code: bool,
        **given: Any,
    ) -> None:
        if (model is None) == (starter is None):
            raise click.UsageError("Give exactly one of these: MODEL, or --starter.")
        values = {**typed_values(spec, given), "kind": kind}
        place = place_of(server, home)
        with refusals():
            model = find_job(place, model, "model") if model else None
            if isinstance(place, There):
                network = f"/starters/{starter}" if starter else f"/models/{quote(model or '')}"
                id = place.post(f"{network}/tests", values, spec)["id"]
            else:
                if allow_user_code:
                    os.environ[USER_CODE] = "1"
                values |= {"model": model, "starter": starter}
                id = place.create("test", _checked(spec, values, place))
            created(place, [id], Results(as_json), wait)

    return click.command(kind, help=spec.__doc__)(run)


def _checked(spec: type[AnyTest], values: dict[str, Any], place: Here) -> AnyTest:
    """The checked spec. The command may read what its user may read, and any web address.

    Raises Invalid.
    """
    settings = Settings(
        home=place.home,
        data_roots=(Path.cwd(), Path("/")),
        allow_urls=True,
        allow_private_urls=True,
    )
    return checked_test(validate(spec, values), place.find, settings)


for _kind, _spec in TESTS.items():
    test.add_command(_command(_kind, _spec))
