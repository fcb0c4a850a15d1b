"""A known system in words, and as plain data."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..data.worlds import System

_WIDTH = 80
_INDENT = 15
_TOGETHER = re.compile(r"\([^()]*\)| \[| = \(?")
_NO_BREAK = "\N{NO-BREAK SPACE}"
"""Keeps a line together where it stands for a space."""


def facts(system: System) -> dict[str, Any]:
    """All that the table of systems says of one, ready for JSON. Formulas are over the plain columns."""
    return {
        "name": system.name,
        "about": system.about,
        "columns": list(system.columns),
        "hinted": list(system.hinted),
        "units": list(system.units),
        "vectors": {vector: list(columns) for vector, columns in system.vectors.items()},
        "laws": list(system.laws),
        "independent": system.independent,
        "constraints": [{"formula": formula, "value": value} for formula, value in system.constraints],
        "span": system.span,
        "time_unit": system.time_unit,
        "samples": system.samples,
        "trajectories": system.trajectories,
    }


def paragraphs(system: System) -> str:
    """The same in at most 80 columns, one fact to a line or more."""
    units = [f"{c} [{u}]" if u else c for c, u in zip(system.columns, system.units, strict=True)]
    span = f"{system.span:g} {system.time_unit}".strip()
    rows = [("columns", ", ".join(units))]
    if system.vectors:
        rows.append(("vectors", ", ".join(f"{v} = ({', '.join(c)})" for v, c in system.vectors.items())))
    rows += [("laws" if k == 0 else "", law) for k, law in enumerate(system.laws)] or [("laws", "none")]
    if system.independent < len(system.laws):
        rows.append(("", f"({system.independent} of these {len(system.laws)} are independent)"))
    for k, (formula, value) in enumerate(system.constraints):
        rows.append(("constraints" if k == 0 else "", f"{formula} = {value:g}"))
    rows.append(("experiment", f"{system.trajectories} trajectories of {system.samples} samples over {span}"))
    lines = [f"{system.name}: {system.about}"]
    for title, text in rows:
        whole = _TOGETHER.sub(lambda part: part[0].replace(" ", _NO_BREAK), text)
        lines += textwrap.wrap(
            whole, _WIDTH, initial_indent=f"  {title}".ljust(_INDENT), subsequent_indent=" " * (_INDENT + 2)
        )
    return "\n".join(lines).replace(_NO_BREAK, " ")
