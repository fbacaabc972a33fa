"""How the documentation is built: ``sphinx-build -W --keep-going -n docs docs/_build/html``, without a network."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

project = "mammocalc"
author = "the mammocalc authors"
project_copyright = "2026, the mammocalc authors"
version = release = version_of("mammocalc")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_nb",
    # Our own, in extensions/.
    "generated",
    "names",
    "sample_run",
]
exclude_patterns = ["_build", "_templates", "gallery", "**.ipynb_checkpoints"]
templates_path = ["_templates"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb", ".ipynb": "myst-nb"}
default_role = "name"
nitpicky = True

# Names: signatures without types, which the descriptions of the parameters hold.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = True
maximum_signature_line_length = 88
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # of the words of a type only those that are pages here, see extensions/names.py

# Notebooks are shown with the outputs that are stored in them.
nb_execution_mode = "off"
myst_enable_extensions = ["dollarmath"]
suppress_warnings = ["mystnb.unknown_mime_type", "config.cache"]

sphinx_gallery_conf = {
    "examples_dirs": ["gallery/stages", "gallery/uses"],
    "gallery_dirs": ["stages", "examples"],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "pictures.reset_pictures"),
    "abort_on_example_error": True,
    "run_stale_examples": True,  # what they show may have changed though they have not
    "download_all_examples": False,
    "notebook_extensions": set(),
    "show_signature": False,
    "write_computation_times": False,
    "remove_config_comments": True,
    "min_reported_time": 1e6,
    "capture_repr": ("_repr_html_", "__repr__"),
}

html_theme = "pydata_sphinx_theme"
html_title = f"mammocalc {release}"
html_static_path = ["_static"]
html_css_files = ["mammocalc.css"]
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}
html_sidebars = {"index": [], "install": [], "first_run": [], "limits": [], "cite": []}
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "announcement": "Research software, not a medical device: descriptors and measurements, never a diagnosis.",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
