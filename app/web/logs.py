"""What the server says of itself on standard error: a line an event, for people or as JSON for programs."""

import logging

from pythonjsonlogger.json import JsonFormatter

FORMATS = ("text", "json")
CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
FIELDS = {"asctime": "time", "levelname": "level", "name": "logger"}


def begin(form: str, level: str) -> None:
    """`form`: text or json, which has the fields of an event one by one. `level` is that of the server's own modules."""
    handler = logging.StreamHandler()
    if form == "json":
        handler.setFormatter(JsonFormatter([*FIELDS, "message"], rename_fields=FIELDS))
    else:
        handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("app").setLevel(level.upper())


class _OneLine(logging.Formatter):
    """Names and addresses come from outside: none of them may look like a line of the server's own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(CONTROLS)
