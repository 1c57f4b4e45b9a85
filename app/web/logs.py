"""The server's log on standard error: one line per event, as text or JSON."""

import logging

from pythonjsonlogger.json import JsonFormatter

CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127)}
FIELDS = {"asctime": "time", "levelname": "level", "name": "logger"}


def configure(format: str, level: str) -> None:
    """Set up logging. `format`: text, or json with one field per value. `level`: of `app` only."""
    handler = logging.StreamHandler()
    if format == "json":
        handler.setFormatter(JsonFormatter([*FIELDS, "message"], rename_fields=FIELDS))
    else:
        handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("app").setLevel(level.upper())


class _OneLine(logging.Formatter):
    """Escapes control characters, so that names and addresses from users cannot forge log lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return super().formatMessage(record).translate(CONTROLS)
