"""The level sets of a law that reads two columns, under the trajectories.

K trajectories, T samples of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .style import Array, Colours, Table, axis_label, figure, limits, spread_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRID = 140
LEVELS = 13
LINES, POINTS = 40, 6000
FEW, AGES = 3, 10
"""Up to so many trajectories are drawn fainter early and stronger late, in so many steps."""


@dataclass(frozen=True)
class Levels:
    """x, y: the two columns along the trajectories, K arrays [T]. g: the law along them. grid_x, grid_y: [G] each, with
    the law on their product, [G, G] (rows are y)."""

    labels: tuple[str, ...]
    x: tuple[Array, ...]
    y: tuple[Array, ...]
    g: tuple[Array, ...]
    grid_x: Array
    grid_y: Array
    grid_g: Array
    names: tuple[str, str]
    units: tuple[str, str]
    unit: str

    title = "level sets, and the trajectories on them"

    @classmethod
    def of(
        cls,
        quantity: Callable[[Array], Array],
        states: tuple[Array, ...],
        labels: tuple[str, ...],
        columns: tuple[int, int],
        names: tuple[str, str],
        units: tuple[str, str],
        unit: str,
    ) -> Levels:
        """quantity: on states [..., D], of which it reads two columns only."""
        a, b = columns
        x, y = (tuple(state[:, d] for state in states) for d in columns)
        grids = [np.linspace(*limits(*part, share=0.07), GRID) for part in (x, y)]
        plane = np.zeros((GRID, GRID, states[0].shape[1]))
        plane[..., a], plane[..., b] = np.meshgrid(*grids)
        with np.errstate(all="ignore"):
            grid_g = np.array(quantity(plane), dtype=float)
            g = tuple(np.array(quantity(state), dtype=float) for state in states)
        return cls(labels, x, y, g, grids[0], grids[1], grid_g, names, units, unit)

    @property
    def levels(self) -> Array:
        """Values between which the plane has equal areas."""
        finite = self.grid_g[np.isfinite(self.grid_g)]
        return np.unique(np.quantile(finite, np.linspace(0.03, 0.97, LEVELS))) if len(finite) else np.zeros(0)

    @property
    def alt(self) -> str:
        """In words."""
        means = np.array([g.mean() for g in self.g])
        many = f"{len(self.x):,} trajectories" if len(self.x) > 1 else "the only trajectory"
        levels = f"levels from {figure(float(means.min()))} to {figure(float(means.max()))}"
        return (
            f"Grey: level sets of the quantity over the plane of {self.names[0]} and {self.names[1]}. Lines: {many}, "
            f"dots where they begin{', fainter early and stronger late' if len(self.x) <= FEW else ''}; "
            f"{levels if len(self.x) > 1 else f'level {figure(float(means[0]))}'}."
        )

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        levels = self.levels
        if len(levels):
            with np.errstate(all="ignore"):
                masked = np.ma.masked_invalid(self.grid_g)
                axes.contour(
                    self.grid_x,
                    self.grid_y,
                    masked,
                    levels,
                    colors=colours["random"],
                    linewidths=0.6,
                    linestyles="solid",
                    zorder=1,
                )
        chosen = spread_out(len(self.x), LINES)
        few = len(chosen) <= FEW
        width = 0.9 if few else 0.5
        for k in chosen:
            pieces = _steady(self.x[k], self.y[k], self.grid_x, self.grid_y)
            for rows, late in _aged(pieces, len(self.x[k])) if few else ((piece, 1.0) for piece in pieces):
                some = rows[spread_out(len(rows), max(POINTS // len(chosen), 40))]
                axes.plot(self.x[k][some], self.y[k][some], color=colours["law"], lw=width, alpha=0.25 + 0.6 * late)
        first = [(self.x[k][0], self.y[k][0]) for k in chosen]
        axes.plot(*zip(*first, strict=True), "o", color=colours["mark"], ms=3.2, mew=0, zorder=4)
        axes.set_xlim(self.grid_x[0], self.grid_x[-1])
        axes.set_ylim(self.grid_y[0], self.grid_y[-1])
        axes.set_xlabel(axis_label(self.names[0], self.units[0]))
        axes.set_ylabel(axis_label(self.names[1], self.units[1]))

    def table(self) -> Table:
        """A row for each trajectory."""
        rows = [
            (label, float(x[0]), float(y[0]), float(g.mean()), float(g.std()))
            for label, x, y, g in zip(self.labels, self.x, self.y, self.g, strict=True)
        ]
        first = tuple(f"first {axis_label(name, unit)}" for name, unit in zip(self.names, self.units, strict=True))
        return Table.of(("trajectory", *first, axis_label("level", self.unit), "deviation along it"), rows)


def _steady(x: Array, y: Array, grid_x: Array, grid_y: Array) -> list[Array]:
    """Rows of the pieces between jumps over half of the picture: an angle that is measured modulo a turn."""
    jump = np.zeros(len(x), dtype=bool)
    for part, grid in ((x, grid_x), (y, grid_y)):
        jump[1:] |= np.abs(np.diff(part)) > 0.5 * (grid[-1] - grid[0])
    return np.split(np.arange(len(x)), np.flatnonzero(jump))


def _aged(pieces: list[Array], count: int) -> Iterator[tuple[Array, float]]:
    """The pieces cut into `AGES` stretches of time, each with its age from 0 to 1; neighbours share a sample."""
    bounds = np.linspace(0, count, AGES + 1).round().astype(int)
    for piece in pieces:
        for age, (begin, end) in enumerate(pairwise(bounds)):
            rows = piece[(piece >= begin) & (piece <= end)]
            if len(rows):
                yield rows, age / (AGES - 1)
