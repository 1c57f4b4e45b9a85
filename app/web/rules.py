"""Rules of URLs that are compiled when they are first needed."""

from collections.abc import Callable
from functools import cache

from werkzeug.routing import Rule


class LateRule(Rule):
    """A rule whose functions that build URLs are compiled for the first URL that is built of it.

    Werkzeug compiles two for each rule when a server starts: a fifth of the time of `create_app`.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile = super()._compile_builder

        @cache
        def compiled() -> Callable[..., tuple[str, str]]:
            return compile(append_unknown)

        def build(rule: Rule, /, **values: object) -> tuple[str, str]:
            return compiled()(rule, **values)

        return build
