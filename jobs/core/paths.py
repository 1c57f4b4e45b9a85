"""Folders of the installed program."""

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
"""The folder that contains the packages. Processes start in it, so that they can import them."""
STATIC = ROOT / "static"
TEMPLATES = ROOT / "templates"
EXAMPLES = ROOT / "examples"
