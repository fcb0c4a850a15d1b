"""How the documentation is built: `make docs`, and docs/_build/html/index.html opens it. Nothing is fetched."""

project = "noether-discover"
author = "The noether-discover developers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = "noether-discover"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
"""Pages name files of the repository beside them, for readers of the repository."""
autodoc_typehints = "description"
autodoc_member_order = "bysource"
