"""A law along every trajectory: its values beside those of random sequences, its deviations in the band of the noise,
and one dot for each trajectory.

K sequences, T samples of one, B bins of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from .sampled import Sampled
from .style import Array, Colours, Table, axis_label, figure, limits, logarithmic, scaled, spread_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

VALUES, DEVIATIONS, POINTS = 12, 12, 5000
"""Trajectories whose values are drawn as lines, those whose deviations are, and points of all of them together."""
RANDOM, DOTS = 2, 700
"""Random sequences that are drawn as lines; dots where windows are judged."""
MOST_DOTS = 400
"""Sequences that are drawn as dots."""
BINS = 24
LEAST = 1e-17
"""A share of the variation at large that is not told from nothing."""


@dataclass(frozen=True)
class Line:
    """One sequence, thinned: name, times and values."""

    name: str
    t: Array
    g: Array


def _lines(
    names: Sequence[str], times: Sequence[Array], values: Sequence[Array], chosen: Sequence[int]
) -> tuple[Line, ...]:
    lines = []
    for k in chosen:
        some = spread_out(len(times[k]), max(POINTS // len(chosen), 30))
        lines.append(Line(names[k], times[k][some], values[k][some]))
    return tuple(lines)


def _some(count: int, total: int, what: str) -> str:
    plural = f"{what[:-1]}ies" if what.endswith("y") else f"{what}s"
    if count < total:
        return f"{count:,} of {total:,} {plural}"
    return f"the only {what}" if total == 1 else f"all {total:,} {plural}"


@dataclass(frozen=True)
class Values:
    """The law along the trajectories as measured, with random sequences behind."""

    sampled: Sampled
    unit: str
    time_unit: str

    title = "along trajectories, and along random sequences"

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """What is drawn in front."""
        order = np.argsort([np.mean(g) for g in self.sampled.runs], kind="stable")
        chosen = order[spread_out(len(order), VALUES)].tolist()  # evenly by their levels
        return _lines(self.sampled.labels, self.sampled.run_times, self.sampled.runs, chosen)

    @cached_property
    def random(self) -> tuple[Line, ...]:
        """What is drawn behind: random sequences or, where windows of a run are judged, their states over its time."""
        if self.sampled.window is None:
            some = spread_out(len(self.sampled.random), RANDOM)
            return _lines(self.sampled.labels, self.sampled.run_times, self.sampled.random, some)
        g_N, t_N = np.concatenate(self.sampled.random), np.concatenate(self.sampled.run_times)
        count = min(DOTS, len(g_N), len(t_N))
        return (Line("", t_N[spread_out(len(t_N), count)], g_N[spread_out(len(g_N), count)]),)

    @property
    def alt(self) -> str:
        """In words."""
        lines = [line.g for line in self.lines]
        steady = np.sqrt(np.mean([np.nanvar(g) for g in lines]))
        apart = [g[np.isfinite(g)] for g in self.sampled.random]
        random = float(np.sqrt(np.mean([g.var() for g in apart if len(g)]))) if any(map(len, apart)) else float("nan")
        behind = "random sequences" if self.sampled.window is None else "states with shuffled columns"
        return (
            f"Lines: the quantity against time along {_some(len(lines), len(self.sampled.runs), 'trajectory')}, with a "
            f"scatter along one of {figure(float(steady)) or 'no number'}. Grey: {behind}, where it scatters by "
            f"{figure(random) or 'no number'}."
        )

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        behind = np.concatenate([line.g for line in self.random])
        inside = behind[np.isfinite(behind)]
        low, high = np.quantile(inside, (0.02, 0.98)) if len(inside) else (0.0, 0.0)
        axes.set_ylim(*limits(*(line.g for line in self.lines), np.array([low, high])))
        dots = self.sampled.window is not None
        look: dict[str, Any] = {"lw": 0.5, "alpha": 0.9, "zorder": 3}
        if dots:
            look = {"ls": "", "marker": "o", "ms": 2.0, "mew": 0, "alpha": 0.8, "zorder": 1}
        name = "states with shuffled columns" if dots else "random sequences"
        for i, line in enumerate(self.random):
            axes.plot(line.t, line.g, color=colours["muted"], label=None if i else name, **look)
        for i, line in enumerate(self.lines):
            axes.plot(
                line.t, line.g, color=colours["law"], lw=0.9, alpha=1.0 if len(self.lines) == 1 else 0.75,
                label="along trajectories" if not i else None,
            )  # fmt: skip
        axes.set_xlabel(axis_label("time", self.time_unit))
        scaled(axes, "quantity", self.unit)

    def table(self) -> Table:
        """A row for each trajectory."""
        rows = [
            (label, len(g), float(np.mean(g)), float(np.std(g)), float(np.min(g)), float(np.max(g)))
            for label, g in zip(self.sampled.labels, self.sampled.runs, strict=True)
        ]
        return Table.of(("trajectory", "samples", "mean", "deviation along it", "least", "largest"), rows)


@dataclass(frozen=True)
class Deviations:
    """How far the law is from its mean along each sequence, and two standard deviations of the noise."""

    sampled: Sampled
    unit: str
    time_unit: str

    title = "deviation from the mean, and noise"

    @cached_property
    def away(self) -> tuple[Array, ...]:
        """K arrays [T]."""
        return tuple(g - np.mean(g) for g in self.sampled.values)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """What is drawn."""
        return _lines(self.sampled.names, self.sampled.times, self.away, spread_out(len(self.away), DEVIATIONS))

    @cached_property
    def bins(self) -> tuple[Array, Array, Array]:
        """Times [B], root mean square deviation, and noise."""
        t_N, away_N, noise_N = (np.concatenate(x) for x in (self.sampled.times, self.away, self.sampled.noise))
        order = np.argsort(t_N, kind="stable")
        parts = [part for part in np.array_split(order, min(BINS, max(len(order) // 8, 1))) if len(part)]
        return (
            np.array([t_N[part].mean() for part in parts]),
            np.array([np.sqrt(np.square(away_N[part]).mean()) for part in parts]),
            np.array([np.sqrt(np.square(noise_N[part]).mean()) for part in parts]),
        )

    @property
    def alt(self) -> str:
        """In words."""
        _, away, noise = self.bins
        what = self.sampled.what
        return (
            f"Lines: what the quantity deviates from its mean along {_some(len(self.lines), len(self.away), what)}, "
            f"against time since the {what} began; in the root mean square "
            f"{figure(float(np.sqrt(np.square(away).mean()))) or 'no number'}. Band: two standard deviations of what "
            f"measurement noise does to it, one being {figure(float(np.sqrt(np.square(noise).mean()))) or 'no number'}."
        )

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        t, _, noise = self.bins
        end = max(float(x[-1]) for x in self.sampled.times)
        t, noise = np.concatenate([[0.0], t, [end]]), np.concatenate([noise[:1], noise, noise[-1:]])
        spans = [np.quantile(line.g, (0.005, 0.995)) for line in self.lines if np.isfinite(line.g).all()]
        axes.set_ylim(*limits(*spans, 2.2 * noise, -2.2 * noise))
        for i, line in enumerate(self.lines):
            axes.plot(line.t, line.g, color=colours["law"], lw=0.6, alpha=0.5, label=None if i else "deviation")
        axes.fill_between(t, -2 * noise, 2 * noise, color=colours["noise"], alpha=0.35, lw=0, label="noise, ±2 σ")
        for sign in (-2, 2):
            axes.plot(t, sign * noise, color=colours["noise"], lw=0.9)
        axes.set_xlabel(axis_label(f"time in the {self.sampled.what}", self.time_unit))
        scaled(axes, "deviation", self.unit)

    def table(self) -> Table:
        """A row for each bin of time."""
        header = (axis_label("time", self.time_unit), "deviation, root mean square", "noise, one σ")
        return Table.of(header, list(zip(*self.bins, strict=True)))


@dataclass(frozen=True)
class Spreads:
    """One dot for each sequence: its standard deviation over that at large, beside random sequences and the noise."""

    sampled: Sampled

    @property
    def title(self) -> str:
        """What a dot is."""
        return f"each {self.sampled.what}, beside random sequences"

    @cached_property
    def shares(self) -> tuple[Array, Array, Array]:
        """Of the law, of random sequences, and of the noise, [K] each."""
        large = self.sampled.at_large
        noise = [np.sqrt(np.square(s).mean()) for s in self.sampled.noise]
        with np.errstate(all="ignore"):
            own = np.array([np.std(g) for g in self.sampled.values]) / large
            random = np.array([np.std(g) for g in self.sampled.random]) / large
            return tuple(np.maximum(x, LEAST) for x in (own, random, np.array(noise) / large))  # type: ignore[return-value]

    @property
    def alt(self) -> str:
        """In words."""
        own, random, noise = (_median(x) for x in self.shares)
        return (
            f"A dot for each {self.sampled.what}: the standard deviation of the quantity along it over that at large, "
            f"in the median {figure(own)}. Of random sequences it is {figure(random) or 'no number'}, of noise alone "
            f"{figure(noise) or 'no number'}."
        )

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        own, random, noise = self.shares
        some = spread_out(len(own), MOST_DOTS)
        number = np.array(some) + 1
        size = 3.2 if len(some) <= 60 else 2.2
        axes.plot(number, random[some], "s", color=colours["random"], ms=size - 0.6, mew=0, label="random")
        axes.plot(
            number, noise[some], "_", color=colours["noise"], ms=size + 4.0, mew=1.1, zorder=4, label="noise alone"
        )
        axes.plot(number, own[some], "o", color=colours["law"], ms=size, mew=0, label=f"along a {self.sampled.what}")
        axes.axhline(1.0, color=colours["muted"], lw=0.7, ls=":")
        both = np.concatenate([own, random, noise, [1.0]])
        finite = both[np.isfinite(both)]
        axes.set_ylim(float(finite.min()) / 2, float(finite.max()) * 2)
        logarithmic(axes)
        from matplotlib.ticker import MaxNLocator

        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        axes.set_xlabel(f"{self.sampled.what}")
        axes.set_ylabel("deviation / at large")

    def table(self) -> Table:
        """A row for each sequence."""
        header = (self.sampled.what, "deviation / that at large", "random sequence", "noise alone")
        return Table.of(header, list(zip(self.sampled.names, *self.shares, strict=True)))


def _median(x: Array) -> float:
    """Of the finite values; nan where there are none."""
    finite = x[np.isfinite(x)]
    return float(np.median(finite)) if len(finite) else float("nan")
