"""LaTeX of laws and units as MathML, which browsers typeset without a script."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from markupsafe import Markup, escape

_ELEMENTS = frozenset(
    {
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "msup",
        "msub",
        "msubsup",
        "mfrac",
        "msqrt",
        "mtext",
        "mspace",
        "mstyle",
        "mover",
    }
)
_ATTRIBUTES = frozenset({"display", "mathvariant", "stretchy", "fence", "form", "width", "accent"})
_SPACE = "{http://www.w3.org/1998/Math/MathML}"
_TALL = frozenset({"mfrac", "msqrt"})
_LETTERS = re.compile(r'(?:<mi mathvariant="normal">\w</mi>){2,}')
_FUNCTIONS = frozenset({"sin", "cos", "tan", "exp", "ln", "tanh"})
_APPLIED = "\u2061"
"""What stands, unseen, between a function and its argument."""


def mathml(latex: str, otherwise: str, *, block: bool = False) -> Markup:
    """A formula as an element for a page. otherwise: plain text that stands for one that cannot be set."""
    from latex2mathml.converter import convert

    try:
        written = convert(latex, display="block" if block else "inline")
        root = ElementTree.fromstring(
            _LETTERS.sub(lambda found: f"<mi>{re.sub('<[^>]*>', '', found[0])}</mi>", written)
        )
    except Exception:  # the converter raises what it likes, and a page is better with plain text than not at all
        return _plain(otherwise)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SPACE)
    if not all(element.tag in _ELEMENTS and set(element.attrib) <= _ATTRIBUTES for element in root.iter()):
        return _plain(otherwise)
    for row in list(root.iter("mrow")):
        _tidy(row)
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _plain(text: str) -> Markup:
    return Markup("<code>") + escape(text) + Markup("</code>")


def _tidy(row: ElementTree.Element) -> None:
    """Parentheses around something low are of ordinary size, and a function stands close to its argument."""
    fenced = len(row) >= 2 and all(end.tag == "mo" and end.get("fence") for end in (row[0], row[-1]))
    if fenced and not any(part.tag in _TALL for part in row.iter()):
        row[0].attrib, row[-1].attrib = {"stretchy": "false"}, {"stretchy": "false"}
    for place in range(len(row) - 1, 0, -1):
        function, argument = row[place - 1], row[place]
        opens = argument.tag == "mrow" and len(argument) and (argument[0].tag, argument[0].text) == ("mo", "(")
        if opens and function.tag == "mi" and function.text in _FUNCTIONS:
            applied = ElementTree.Element("mo")
            applied.text = _APPLIED
            row.insert(place, applied)
