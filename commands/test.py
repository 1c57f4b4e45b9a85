"""`clearframe test`: test a model on an image, many images, a split of its dataset, or a video.

The test runs locally or on a server.
"""

import functools
import json
import os
from pathlib import Path
from typing import Any
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


@click.group()
def test() -> None:
    """Test a model: restore images or video, and measure the result."""


def _command(kind: str, spec: type[AnyTest]) -> click.Command:
    @click.argument("model", metavar="MODEL_ID")
    @options(spec)
    @home_option()
    @server_option("Test")
    @user_code_option()
    def run(
        model: str, home: Path, server: str | None, allow_user_code: bool, **given: Any
    ) -> None:
        values = {**typed_values(spec, given), "kind": kind}
        if server:
            view = run_on(server, f"/models/{quote(model, safe='')}/tests", values)
        else:
            if allow_user_code:
                os.environ[USER_CODE] = "1"
            home = home.resolve()
            view = run_here(home, "test", _checked(spec, {**values, "model": model}, home))
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
