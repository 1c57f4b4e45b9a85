"""`clearframe test`: test a model or a starter on images, a video, or a split of a dataset.

The test runs locally or on a server.
"""

import functools
import json
import os
from pathlib import Path
from typing import Any, get_args
from urllib.parse import quote

import click

from app.checks.inference import checked_test
from app.settings import Settings
from app.validation_errors import Invalid, validate
from commands.common_options import home_option, server_option, user_code_option
from commands.options import options, typed_values
from commands.running import find_in, run_here, run_on, sentences
from jobs.core.launcher import USER_CODE
from jobs.specs import TESTS, AnyTest
from jobs.specs.networks import Starter


@click.group()
def test() -> None:
    """Test a model: restore images or video, and measure the result."""


def _command(kind: str, spec: type[AnyTest]) -> click.Command:
    @click.argument("model", metavar="[MODEL_ID]", required=False)
    @click.option(
        "--starter",
        type=click.Choice(get_args(Starter)),
        help="Use this network of the package instead of a model.",
    )
    @options(spec)
    @home_option()
    @server_option("Test")
    @user_code_option()
    def run(
        model: str | None,
        starter: Starter | None,
        home: Path,
        server: str | None,
        allow_user_code: bool,
        **given: Any,
    ) -> None:
        if (model is None) == (starter is None):
            raise click.UsageError("Give exactly one of these: MODEL_ID, or --starter.")
        values = {**typed_values(spec, given), "kind": kind}
        if server:
            place = f"/starters/{starter}" if starter else f"/models/{quote(model or '', safe='')}"
            view = run_on(server, f"{place}/tests", values)
        else:
            if allow_user_code:
                os.environ[USER_CODE] = "1"
            home = home.resolve()
            values |= {"model": model, "starter": starter}
            view = run_here(home, "test", _checked(spec, values, home))
        click.echo(json.dumps(view["summary"], indent=1))

    return click.command(kind, help=spec.__doc__)(run)


def _checked(spec: type[AnyTest], values: dict[str, Any], home: Path) -> AnyTest:
    """The checked spec. The command may read what its user may read, and any web address."""
    settings = Settings(
        home=home,
        data_roots=(Path.cwd(), Path("/")),
        allow_urls=True,
        allow_private_urls=True,
    )
    try:
        return checked_test(validate(spec, values), functools.partial(find_in, home), settings)
    except Invalid as invalid:
        raise click.ClickException(sentences(invalid.problems)) from invalid


for _kind, _spec in TESTS.items():
    test.add_command(_command(_kind, _spec))
