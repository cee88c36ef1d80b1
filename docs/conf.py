"""How the documentation is built: ``make docs``."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
# Tutorials run the commands of the environment that builds them.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

project = "lsbg_classifier"
author = "The lsbg_classifier developers"
copyright = f"2026, {author}"
release = version_of("lsbg-classifier")
version = release

extensions = [
    "myst_nb",  # Markdown pages, and tutorials that are executed
    "sphinx.ext.autodoc",  # the reference of Python names
    "sphinx.ext.autosummary",
    "numpydoc",  # the form of our docstrings
    "sphinx_copybutton",
    "generated_reference",  # commands, columns, flags, formats: from the tables in the code
]
exclude_patterns = ["_build", "_ext", "jupyter_execute"]
suppress_warnings = ["mystnb.unknown_mime_type"]

myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_timeout = 600
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_typehints = "none"  # types are in the docstrings, with shapes and units
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "lsbg_classifier"
html_static_path = []
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "search_bar_text": "Search",
}
html_show_sourcelink = False
