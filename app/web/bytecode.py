"""Compiled templates, kept next to Python's bytecode: compiling those of a page takes 60 ms."""

import importlib.metadata
import pickle
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path

from flask import Flask
from jinja2 import FileSystemBytecodeCache
from jinja2.bccache import Bucket


class TemplateBytecode(FileSystemBytecodeCache):
    """Compiled templates in `folder`; in memory alone where it cannot be written.

    The names of the files have the versions of Python and Jinja, whose files do not fit another.
    """

    def __init__(self, folder: Path) -> None:
        jinja = f"jinja-{importlib.metadata.version('jinja2')}"
        super().__init__(str(folder), f"template-%s.{sys.implementation.cache_tag}.{jinja}.cache")

    def load_bytecode(self, bucket: Bucket) -> None:
        # What cannot be read is compiled, and written again. A damaged file can raise all of these.
        damages = (EOFError, LookupError, AttributeError, ImportError, TypeError, ValueError)
        with suppress(OSError, pickle.UnpicklingError, *damages):
            super().load_bytecode(bucket)

    def dump_bytecode(self, bucket: Bucket) -> None:
        if not sys.dont_write_bytecode:
            with suppress(OSError):
                Path(self.directory).mkdir(parents=True, exist_ok=True)
                super().dump_bytecode(bucket)


def init_app(app: Flask) -> None:
    folder = Path(cache_from_source(__file__)).parent
    app.jinja_options = {**app.jinja_options, "bytecode_cache": TemplateBytecode(folder)}
