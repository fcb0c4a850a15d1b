"""Part of data that are too many to be searched whole: as many trajectories and samples as a search needs.

What a law is shows in some hundred trajectories of some hundred samples; ten million rows say the same for a thousand
times the work. All of them judge the laws that were found in a part.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .smoothing import unwrapped
from .trajectories import Trajectories

MOST_ROWS = 60_000
"""Up to so many rows are searched whole."""
TRAJECTORIES, SAMPLES = 100, 400
"""Of a part."""
A_PERIOD = 40
"""Samples that a period of the fastest column keeps, where it has so many."""


def reduced(trajectories: Trajectories, seed: int) -> Trajectories:
    """The trajectories themselves, or a part of them where they have more than 60,000 rows: 100 of them, spread evenly,
    400 samples each, of which there are 40 to a period or all.

    A stretch that does not cover its trajectory begins at a place of its own. Fewer trajectories keep more samples.
    """
    if trajectories.samples <= MOST_ROWS:
        return trajectories
    K = len(trajectories)
    some = trajectories.pick(np.unique(np.linspace(0, K - 1, min(K, TRAJECTORIES)).round().astype(int)))
    most = max(SAMPLES, TRAJECTORIES * SAMPLES // len(some))
    longest_stride = max(_period(some) // A_PERIOD, 1)
    rng = np.random.default_rng(seed)
    rows = []
    for t_T in some.times:
        stride = int(np.clip(len(t_T) // most, 1, longest_stride))
        length = min(most * stride, len(t_T))
        first = int(rng.integers(len(t_T) - length + 1))
        rows.append(np.arange(first, first + length, stride))
    given = some.given_derivatives
    return replace(
        some,
        states=tuple(x[r] for x, r in zip(some.states, rows, strict=True)),
        times=tuple(t[r] for t, r in zip(some.times, rows, strict=True)),
        given_derivatives=None if given is None else tuple(v[r] for v, r in zip(given, rows, strict=True)),
    )


def _period(trajectories: Trajectories, most: int = 20) -> int:
    """Of the fastest column, in samples: twice the typical number between two passages through its middle, apart from
    those that noise makes. The length of the trajectories where a column hardly passes."""
    found = []
    some = trajectories.pick(np.unique(np.linspace(0, len(trajectories) - 1, most).round().astype(int)))
    for x_TD in unwrapped(some).states:
        for column_T in x_TD.T:
            if np.ptp(column_T) > 0:
                found.append(_between_passages(column_T))
    return int(np.quantile(found, 0.1)) if found else 1


def _between_passages(x_T: np.ndarray) -> float:
    """Samples of a period: a passage counts when the column was a quarter of its deviation on either side before."""
    away = np.where(np.abs(x_T - x_T.mean()) > 0.25 * x_T.std(), np.sign(x_T - x_T.mean()), 0)
    sides = away[away != 0]
    passages = int(np.count_nonzero(np.diff(sides)))
    return 2.0 * len(x_T) / max(passages, 1)
