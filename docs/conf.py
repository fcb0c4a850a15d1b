"""How the documentation is built: `make docs`, and docs/_build/html/index.html opens it. Nothing is fetched."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

project = "noether-discover"
author = "The noether-discover developers"
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build", "_pictures", "examples"]
html_theme = "furo"
html_title = "noether-discover"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
suppress_warnings = ["myst.xref_missing"]
"""Pages name files of the repository beside them, for readers of the repository."""
autodoc_typehints = "description"
autodoc_member_order = "bysource"

_SPECIAL = re.compile(r"``[^`]+``|`[^`]+`|[*_|\\]")
_FIELDS = re.compile(r"[a-z][\w, ]{0,60}: ")


def _as_literal(found: re.Match[str]) -> str:
    text = found.group()
    if text.startswith("``"):
        return text
    return f"`{text}`" if text.startswith("`") else f"\\{text}"


def plain_words(_app: Any, _what: str, _name: str, _obj: Any, _options: Any, lines: list[str]) -> None:
    """Docstrings are plain words: what backquotes enclose is code, `name: meaning` is a row."""
    paragraphs: list[str] = []
    code = False
    for line in lines:
        if not line.strip():
            paragraphs.append("")
            code = False
        elif line.startswith("    ") and (code or (paragraphs and not paragraphs[-1])):
            paragraphs.append(line if code else f"::\n\n{line}")
            code = True
        elif line.startswith(" ") and paragraphs and paragraphs[-1]:
            paragraphs[-1] += " " + _SPECIAL.sub(_as_literal, line.strip())
        else:
            text = _SPECIAL.sub(_as_literal, line.strip())
            if _FIELDS.match(line):
                text = "* " + text
                if paragraphs and paragraphs[-1] and not paragraphs[-1].startswith("* "):
                    paragraphs.append("")
            if paragraphs and paragraphs[-1] and not text.startswith("* "):
                paragraphs[-1] += " " + text
            else:
                paragraphs.append(text)
    lines[:] = "\n".join([*paragraphs, ""]).split("\n")


def setup(app: Any) -> None:
    """Called by Sphinx: the pictures are drawn before pages are read."""
    from draw_pictures import drawn

    app.connect("builder-inited", lambda _app: drawn(HERE / "_pictures"))
    app.connect("autodoc-process-docstring", plain_words)
