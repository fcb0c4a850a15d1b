"""The drift of an approximate law: what is left of it as time goes on, and the straight line through that.

K trajectories, T samples of one, B bins of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .style import Array, Colours, Table, axis_label, figure, limits, scaled, unit_in_print

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BINS = 30


@dataclass(frozen=True)
class Drifting:
    """values: the law along each trajectory, K arrays [T] at `times`. rate, error: change per time, None where the run
    does not say. at_large: the deviation that the drift is compared with."""

    values: tuple[Array, ...]
    times: tuple[Array, ...]
    rate: float | None
    error: float | None
    unit: str
    rate_unit: str
    time_unit: str

    title = "drift"

    @cached_property
    def bins(self) -> tuple[Array, Array, Array, Array]:
        """Times from the middle of a trajectory [B], mean deviation, and its quartiles."""
        t_N = np.concatenate([t - t.mean() for t in self.times])
        away_N = np.concatenate([g - np.mean(g) for g in self.values])
        order = np.argsort(t_N, kind="stable")
        parts = [part for part in np.array_split(order, min(BINS, max(len(order) // 6, 1))) if len(part)]
        low, high = (np.array([np.quantile(away_N[part], q) for part in parts]) for q in (0.25, 0.75))
        return np.array([t_N[part].mean() for part in parts]), np.array([away_N[p].mean() for p in parts]), low, high

    @property
    def alt(self) -> str:
        """In words."""
        said = "The run does not say how fast it drifts."
        if self.rate is not None:
            said = f"The line drifts by {figure(self.rate)} {unit_in_print(self.rate_unit)}".rstrip() + (
                f", with a standard error of {figure(self.error)}." if self.error is not None else "."
            )
        return f"The mean deviation of the quantity against time, and where the middle half of it lies. {said}"

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        t, mean, low, high = self.bins
        axes.set_ylim(*limits(low, high, mean))
        axes.fill_between(t, low, high, color=colours["law"], alpha=0.22, lw=0, label="middle half")
        axes.plot(t, mean, color=colours["law"], lw=1.1, label="mean")
        if self.rate is not None:
            ends = np.array([t[0], t[-1]])
            axes.plot(ends, self.rate * ends, color=colours["mark"], lw=1.2, ls="--", label="drift")
        axes.set_xlabel(axis_label("time from the middle", self.time_unit))
        scaled(axes, "deviation", self.unit)

    def table(self) -> Table:
        """A row for each bin of time."""
        header = (
            axis_label("time from the middle", self.time_unit),
            "mean",
            "lower quartile",
            "upper quartile",
            "drift",
        )
        line = self.bins[0] * self.rate if self.rate is not None else np.full(len(self.bins[0]), np.nan)
        return Table.of(header, list(zip(*self.bins, line, strict=True)))
