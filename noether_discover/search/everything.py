"""Laws that were found in a part of the data, judged on all of it, one trajectory at a time.

Where the data are too many to be searched whole, a part proposes and everything judges: a law must hold along every
trajectory, also along those that nobody looked at. Nothing is as large as the data here.

Legend: K trajectories, T samples, D columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.trajectories import Trajectories
from .conservation import Drift
from .fitting import values
from .laws import CLEAN_RATIO, Law
from .verdicts import APPROXIMATE, CONSTRAINT, LAW, NOT_CONSERVED, chi2_limit

Array = NDArray[np.float64]

OF_SUMS = 0.25
"""What the limit of chi-square is raised by: laws that are sums were fitted to denoised states."""
AS_GOOD = 3.0
"""So many times its ratio in the part may an approximate law have on everything."""


@dataclass(frozen=True)
class Figures:
    """A quantity on all data: variance along trajectories over that of all samples, over that of noise, and drift."""

    ratio: float
    chi2: float
    drift: Drift
    spread: float


def figures(law: Law, trajectories: Trajectories, noise_D: Array) -> Figures:
    """A law's figures on all trajectories, each weighing the same, as in `conservation`."""
    within = noise = total = mean = square = 0.0
    rates, spreads = [], []
    for x_TD, t_T in zip(trajectories.states, trajectories.times, strict=True):
        g_T = _along(law, trajectories, x_TD)
        means_T, noise_T = _with_noise(law, trajectories, x_TD, g_T, noise_D)
        centred_T = g_T - g_T.mean()
        flat_T = means_T - means_T.mean()
        within += float(flat_T @ flat_T) / len(t_T)
        noise += float(noise_T.mean()) * (len(t_T) - 1) / len(t_T)
        mean, square = mean + float(g_T.mean()), square + float(np.square(g_T).mean())
        clock_T = t_T - t_T.mean()
        rates.append(float(clock_T @ centred_T))
        spreads.append(float(clock_T @ clock_T))
    K = len(trajectories)
    total = square / K - (mean / K) ** 2
    rate, spread = sum(rates) / sum(spreads), sum(spreads)
    scores = np.array(rates) - rate * np.array(spreads)
    error = float(np.sqrt(np.square(scores).sum() * K / max(K - 1, 1)) / spread)
    return Figures(
        ratio=within / K / total if total > 0 else np.inf,
        chi2=within / noise if noise > 0 else np.inf,
        drift=Drift(rate, error),
        spread=float(np.sqrt(max(total, 0.0))),
    )


def _along(law: Law, trajectories: Trajectories, x_TD: Array) -> Array:
    columns = dict(zip(trajectories.symbols, np.ascontiguousarray(x_TD.T), strict=True))
    return np.broadcast_to(values(law.formula, law.values, columns), len(x_TD))


def _with_noise(law: Law, trajectories: Trajectories, x_TD: Array, g_T: Array, noise_D: Array) -> tuple[Array, Array]:
    """The values [T] less what noise adds to their mean, and the variance that noise gives them."""
    level_T, variance_T = g_T.copy(), np.zeros(len(g_T))
    for d, sigma in enumerate(noise_D):
        if trajectories.symbols[d] not in law.formula.inputs or not sigma > 0:
            continue
        up_TD, down_TD = x_TD.copy(), x_TD.copy()
        up_TD[:, d] += sigma
        down_TD[:, d] -= sigma
        up_T, down_T = _along(law, trajectories, up_TD), _along(law, trajectories, down_TD)
        level_T -= 0.5 * (up_T + down_T - 2.0 * g_T)
        variance_T += np.square(0.5 * (up_T - down_T))
    return level_T, variance_T


def on_everything(
    laws: tuple[Law, ...], trajectories: Trajectories, noise_D: Array, windows: bool,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Law, ...]:  # fmt: skip
    """The laws with ratio, drift and spread on all data; those that do not hold there lose their verdict.

    windows: whether windows were judged; along whole trajectories what holds in them may drift away.
    """
    judged = []
    for done, law in enumerate(laws):
        report(done, len(laws))
        judged.append(_judged(law, figures(law, trajectories, noise_D), trajectories, windows))
    report(len(laws), len(laws))
    return tuple(judged)


def _judged(law: Law, found: Figures, trajectories: Trajectories, windows: bool) -> Law:
    law = replace(law, drift=found.drift.rate, drift_error=found.drift.error)
    if windows or law.verdict == CONSTRAINT:
        return law
    law = replace(law, ratio=found.ratio, spread=found.spread)
    limit = chi2_limit(trajectories.samples, len(trajectories)) + OF_SUMS
    if law.verdict == LAW and (found.chi2 <= limit or found.ratio <= CLEAN_RATIO):
        return law
    if law.verdict == LAW and found.ratio * 100.0 <= law.ratio_random:
        return replace(law, verdict=APPROXIMATE, reason="on all data it varies more than noise explains")
    if law.verdict == APPROXIMATE and found.ratio <= AS_GOOD * law.ratio_heldout:
        return law
    return replace(law, verdict=NOT_CONSERVED, reason="on all data it varies along trajectories")
