"""Sphinx: `make docs` builds these documents into help/, which the server shows at /help."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent.parent), str(Path(__file__).parent / "_ext")]

project = "Clearframe"
author = "the authors of Clearframe"
extensions = ["myst_parser", "sphinx_click", "from_code"]
exclude_patterns = ["_ext", "_templates", "examples"]
templates_path = ["_templates"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = "Clearframe"
html_baseurl = ""
html_theme_options = {"sidebar_hide_name": False, "top_of_page_buttons": []}
html_sidebars = {
    "**": [
        "sidebar/brand.html",
        "program.html",
        "sidebar/search.html",
        "sidebar/scroll-start.html",
        "sidebar/navigation.html",
        "sidebar/scroll-end.html",
    ]
}
html_use_index = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

html_favicon = "../static/icon.svg"
