"""Everything that was searched: ratio against nodes, the least ratio that each size reaches, and the laws.

F formulas.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .style import Colours, Table, figure, logarithmic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Judged = tuple[int, str, str, float | None, str]

LEAST = 1e-18
"""Ratios below it are rounding, and are drawn there."""
BINS_PER_DECADE = 6
NO_QUANTITY = ("TRIVIAL", "UNDEFINED", "NOT_JUDGED")
"""Verdicts of formulas whose ratio says nothing."""


@dataclass(frozen=True)
class Law:
    """A law among what was searched. name: its number. nodes and ratio as for the others; held out where it was."""

    name: str
    formula: str
    nodes: int
    ratio: float | None


@dataclass(frozen=True)
class Pareto:
    """judged: nodes, formula, verdict, ratio (None where there is none) and reason of every formula, F of them.

    parts: of laws that are sums, the best of fewer of their terms.
    """

    judged: Sequence[Judged]
    laws: tuple[Law, ...]
    parts: tuple[Law, ...] = ()

    title = "ratio against size, for everything that was searched"

    @cached_property
    def counted(self) -> dict[tuple[int, int], int]:
        """How many formulas there are in each cell of nodes and logarithm of the ratio."""
        cells: Counter[tuple[int, int]] = Counter()
        for nodes, _, verdict, ratio, _ in self.judged:
            if ratio is not None and verdict not in NO_QUANTITY:
                cells[nodes, int(np.floor(BINS_PER_DECADE * np.log10(max(ratio, LEAST))))] += 1
        return dict(cells)

    @cached_property
    def best(self) -> dict[int, tuple[float, str, str, int]]:
        """For each number of nodes: the least ratio, the formula that has it, its verdict, and how many were judged."""
        by_size: dict[int, list[tuple[float, str, str]]] = defaultdict(list)
        for nodes, formula, verdict, ratio, _ in self.judged:
            if ratio is not None and verdict not in NO_QUANTITY:
                by_size[nodes].append((max(ratio, 0.0), formula, verdict))
        return {nodes: (*min(of), len(of)) for nodes, of in sorted(by_size.items())}

    @cached_property
    def front(self) -> list[tuple[int, float]]:
        """The Pareto front: sizes at which the least ratio of all up to there falls, whole formulas, laws and their
        parts alike."""
        points = [(nodes, ratio) for nodes, (ratio, *_) in self.best.items()]
        points += [(law.nodes, law.ratio) for law in (*self.laws, *self.parts) if law.ratio is not None]
        found: list[tuple[int, float]] = []
        for nodes, ratio in sorted(points):
            if not found or ratio < found[-1][1]:
                found.append((nodes, ratio))
        return found

    def nearest(self, most: int) -> list[Judged]:
        """The formulas with the least ratios that are no laws, least first."""
        some = [j for j in self.judged if j[3] is not None and j[2] == "NOT_CONSERVED"]
        return sorted(some, key=lambda j: (j[3], j[0]))[:most]

    @property
    def alt(self) -> str:
        """In words."""
        total = sum(self.counted.values())
        said = f"{total:,} formulas by number of nodes and by ratio of variance along trajectories to variance at large"
        if not total:
            said = "No whole formula was judged"
        front = ", ".join(f"{figure(ratio)} at {nodes} node{'s' * (nodes != 1)}" for nodes, ratio in self.front)
        marked = sum(law.ratio is not None for law in self.laws)
        laws = f" Marked: {marked} law{'s' * (marked != 1)}." if marked else " No law is among them."
        parts = " Open marks: the best of fewer of its terms." if self.parts else ""
        return f"{said}. The front of least ratios: {front or 'none'}.{laws}{parts}"

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        from matplotlib.ticker import MaxNLocator

        most = max(self.counted.values(), default=1)
        for (nodes, cell), count in sorted(self.counted.items()):
            middle = 10 ** ((cell + 0.5) / BINS_PER_DECADE)
            half = 0.04 + 0.36 * np.log1p(count) / np.log1p(most)
            axes.plot(
                [nodes - half, nodes + half], [middle] * 2, color=colours["random"], lw=1.5, solid_capstyle="butt"
            )
        front = self.front
        if front:
            end = max([*self.best, *(law.nodes for law in self.laws if law.ratio is not None)])
            steps = [*front, (end, front[-1][1])]
            x, y = zip(*((n, max(r, LEAST)) for n, r in steps), strict=True)
            axes.plot(x, y, color=colours["muted"], lw=1.1, ls="--", drawstyle="steps-post", label="least ratio so far")
        for i, part in enumerate(self.parts):
            label = "fewer of its terms" if not i else None
            at = max(part.ratio or 0.0, LEAST)
            axes.plot([part.nodes], [at], "D", color=colours["mark"], ms=4.0, mfc="none", mew=0.9, label=label)
        for i, law in enumerate(self.laws):
            if law.ratio is None:
                continue
            at = max(law.ratio, LEAST)
            label = "law" if not i else None
            axes.plot([law.nodes], [at], "D", color=colours["mark"], ms=4.5, mew=0, label=label, clip_on=False)
            axes.annotate(
                law.name, (law.nodes, at), xytext=(5 if i % 2 == 0 else -5, 4), textcoords="offset points",
                ha="left" if i % 2 == 0 else "right", color=colours["mark"], fontweight="bold",
            )  # fmt: skip
        ratios = [10 ** (cell / BINS_PER_DECADE) for _, cell in self.counted] + [max(r, LEAST) for _, r in front]
        sizes = [*self.best, *(law.nodes for law in (*self.laws, *self.parts))]
        axes.set_xlim(min(sizes, default=1) - 0.6, max(sizes, default=1) + 0.6)
        axes.set_ylim(min(ratios, default=0.1) / 4, 4.0)
        logarithmic(axes)
        axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1))
        axes.set_xlabel("nodes of the formula")
        axes.set_ylabel("variance along / variance at large")

    def table(self) -> Table:
        """The best of each size, then the laws and their parts."""
        rows: list[tuple[object, ...]] = [
            (nodes, count, formula, ratio, verdict) for nodes, (ratio, formula, verdict, count) in self.best.items()
        ]
        rows += [(part.nodes, "", part.formula, part.ratio, f"part of law {part.name}") for part in self.parts]
        rows += [
            (law.nodes, "", f"law {law.name}: {law.formula}", np.nan if law.ratio is None else law.ratio, "reported")
            for law in self.laws
        ]
        return Table.of(("nodes", "formulas", "the one that varies least", "ratio", "verdict"), rows)
