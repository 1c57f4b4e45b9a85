"""What the schema of a query string cannot say, for schemathesis."""

import json
from typing import Any

import schemathesis


@schemathesis.hook
def filter_query(context: schemathesis.HookContext, query: dict[str, Any] | None) -> bool:
    """Whether to send a query string.

    An empty parameter is as good as none (app/api/replies.py), whatever its schema, and NUL is
    refused in all of them (app/web/safety.py; tests/app/web/test_safety.py).
    """
    values = (query or {}).values()
    return not any(value in ("", [], {}) or r"\u0000" in json.dumps(value) for value in values)
