"""Folders of the program itself, wherever it is installed."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
"""The folder above the packages: processes are started in it, so that they find the packages."""
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
EXAMPLES = ROOT / "examples"
