"""What laws do for a predictor: the error of its rollouts as time goes on.

R predictors, M moments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import Array, Colours, Table, axis_label, figure, limits, logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_LAWS = 6
"""Laws besides the chosen one that are drawn."""


@dataclass(frozen=True)
class Curve:
    """One predictor: what it is called, its kind ("mlp", "control", "chosen", "law", "oracle"), times and errors."""

    name: str
    kind: str
    t: Array
    error: Array


LOOKS: Mapping[str, tuple[str, str, float]] = {
    "mlp": ("muted", ":", 1.2),
    "control": ("ink", "--", 1.2),
    "law": ("law", "-", 0.5),
    "chosen": ("law", "-", 1.8),
    "oracle": ("mark", "-.", 1.2),
}
"""Colour, line and width of each kind, in the order in which they are drawn."""


@dataclass(frozen=True)
class Rollouts:
    """curves: those whose errors the run keeps. time_unit: of the data."""

    curves: tuple[Curve, ...]
    time_unit: str

    title = "error of rollouts over time"

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], time_unit: str) -> Rollouts:
        """Of the rows of a ranking; those that diverged, were not kept, or keep no errors are left out."""
        curves, others = [], 0
        for row in rows:
            kind = row["kind"]
            if kind == "candidate":
                kind = "chosen" if row["chosen"] else "law"
            others += kind == "law"
            if not row.get("over_time") or (kind == "law" and others > MOST_LAWS):
                continue
            t, error = np.array(row["over_time"], dtype=float).T
            name = {"mlp": "network alone", "control": "network, more training"}.get(kind, "")
            if not name:
                number = f"law {row['law'] + 1}" if row.get("law") is not None else row["name"]
                name = {"chosen": f"with {number}", "oracle": "with the oracle"}.get(kind, f"with {number}")
            curves.append(Curve(name, kind, t, error))
        return cls(tuple(sorted(curves, key=lambda curve: list(LOOKS).index(curve.kind))), time_unit)

    @property
    def alt(self) -> str:
        """In words."""
        ends = "; ".join(f"{curve.name} {figure(float(curve.error[-1]))}" for curve in self.curves)
        return (
            "Root mean square error of rollouts of test trajectories, in standard deviations of the columns, against "
            f"the time since the first state. At the end: {ends}."
        )

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        positive = [curve.error[curve.error > 0] for curve in self.curves]
        low, high = limits(*(np.log10(x) for x in positive if len(x)))
        axes.set_ylim(10**low, 10**high)
        laws = 0
        for curve in self.curves:
            colour, line, width = LOOKS[curve.kind]
            laws += curve.kind == "law"
            label = curve.name if curve.kind != "law" else "with another law" if laws == 1 else None
            axes.plot(curve.t, curve.error, color=colours[colour], ls=line, lw=width, label=label)
        logarithmic(axes)
        axes.set_xlabel(axis_label("time since the first state", self.time_unit))
        axes.set_ylabel("error [standard deviations]")

    def table(self) -> Table:
        """A row for each moment."""
        if not self.curves:
            return Table((), ())
        t = max((curve.t for curve in self.curves), key=len)
        columns = [np.interp(t, curve.t, curve.error, left=np.nan, right=np.nan) for curve in self.curves]
        header = (axis_label("time", self.time_unit), *(curve.name for curve in self.curves))
        return Table.of(header, list(zip(t, *columns, strict=True)))
