"""How often would the best of everything that was tried look as good where nothing is conserved?

The null: sequences in which every column keeps its own course but comes from elsewhere, so that slow columns stay slow
and nothing relates them. On each such data set the best sum of every library is fitted to one half and judged on the
other, and the least ratio of all libraries is kept: the max statistic, which answers for all sums of all libraries at
once. A law's p-value is the share of data sets that do as well; where none does, the tail is that of the extreme-value
distribution (Gumbel) with their mean and scatter. Which p-values count is decided by the false-discovery rate
(Benjamini and Hochberg 1995).

Legend: R randomised data sets, L laws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..data.constants import constant_columns
from ..data.trajectories import Trajectories
from .conservation import mismatched
from .libraries import Library
from .pencils import Sample, pencil
from .terms import Term

Array = NDArray[np.float64]

RANDOMISED = 12
SEQUENCES, SAMPLES = 40, 10
"""Of each randomised data set."""
SIMPLEST = 100
"""So many of a library's simplest terms: with more, few samples overfit, and the held-out ratio only grows."""
BEST = 5
CANCELLING = 1e-6
"""A sum whose variance is below this share of its terms' says nothing."""
LEAST_P = 1e-15
_EULER = 0.5772156649015329


def null_ratios(
    trajectories: Trajectories, libraries: Sequence[Library], seed: int, runs: Trajectories | None = None
) -> Array:
    """The least held-out ratio of all libraries on R randomised data sets, [R].

    runs: what windows were cut from, if they were; see `mismatched`. Terms of constant columns alone are left out.
    """
    still = {s for s, c in zip(trajectories.symbols, constant_columns(trajectories), strict=True) if c}
    chosen = [
        sorted((t for t in library.terms if not t.formula.inputs <= still), key=lambda t: t.complexity)[:SIMPLEST]
        for library in libraries
    ]
    some = np.unique(np.linspace(0, len(trajectories) - 1, SEQUENCES).round().astype(int))
    found = []
    for r in range(RANDOMISED):
        mixed = mismatched(trajectories.pick(some), seed + 1000 + r, runs).thinned(SAMPLES)
        halves = [_sample(mixed.pick(range(k, len(mixed), 2))) for k in (0, 1)]
        found.append(min((_least(terms, *halves) for terms in chosen if terms), default=1.0))
    return np.array(found)


def _sample(data: Trajectories) -> Sample:
    columns = dict(zip(data.symbols, np.ascontiguousarray(data.stacked.T), strict=True))
    return Sample.of(columns, [len(t) for t in data.times])


def _least(terms: Sequence[Term], train: Sample, held: Sample) -> float:
    """The held-out ratio of the best sums of some terms; sums that nearly cancel are none."""
    p = pencil(terms, train)
    h = pencil(terms, held, p.scale_M)
    usable = np.flatnonzero(p.usable_M & h.usable_M)
    if not len(usable):
        return 1.0
    p, h = p.part(usable), h.part(usable)
    values, vectors = np.linalg.eigh(p.total)
    kept = values > CANCELLING * values[-1]
    root = vectors[:, kept] / np.sqrt(values[kept])
    _, inside = np.linalg.eigh(root.T @ p.within @ root)
    best = root @ inside[:, :BEST]
    above, below = (np.einsum("mq,mk,kq->q", best, form, best) for form in (h.within, h.total))
    return float(np.min(above.clip(0.0) / below.clip(1e-300)).clip(1e-300))


def p_value(ratio: float, null_R: Array) -> float:
    """The chance that the best of everything on randomised data has a ratio as small as this."""
    as_good = int((null_R <= ratio).sum())
    if as_good:
        return (1 + as_good) / (len(null_R) + 1)
    logs = np.log(null_R.clip(1e-300))
    width = max(float(logs.std(ddof=1)), 0.05) * np.sqrt(6.0) / np.pi
    place = float(logs.mean()) + _EULER * width
    tail = -np.expm1(-np.exp((np.log(max(ratio, 1e-300)) - place) / width))
    return float(min(max(tail, LEAST_P), 1.0 / (len(null_R) + 1)))


def discoveries(p_L: Sequence[float], alpha: float) -> list[bool]:
    """Which of the p-values count when at most the share alpha of those that count may be false."""
    order = np.argsort(p_L, kind="stable")
    passed = [k for k, i in enumerate(order, start=1) if p_L[i] <= alpha * k / len(p_L)]
    kept = set(order[: max(passed, default=0)].tolist())
    return [i in kept for i in range(len(p_L))]
