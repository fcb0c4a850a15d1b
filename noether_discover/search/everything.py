"""Laws that were found in a part of the data, judged on all of it, one trajectory at a time.

Where the data are too many to be searched whole, a part proposes and everything judges: a law must hold along every
trajectory, also along those that nobody looked at. Nothing is as large as the data here.

Legend: K trajectories, T samples, D columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from noether_dsl.formula import Formula
from numpy.typing import NDArray

from ..data.trajectories import Trajectories
from .conservation import Drift
from .fitting import values
from .laws import CLEAN_RATIO, Law
from .verdicts import APPROXIMATE, APPROXIMATE_OVER_RANDOM, CONSTRAINT, LAW, LAW_RATIO, NOT_CONSERVED, chi2_limit

Array = NDArray[np.float64]

OF_SUMS = 0.25
"""What the limit of chi-square is raised by: laws that are sums were fitted to denoised states."""
AS_GOOD = 3.0
"""So many times its ratio in the search may an approximate law have on other data."""


@dataclass(frozen=True)
class Figures:
    """A quantity on all data: variance along trajectories over that of all samples, over that of noise, and drift."""

    ratio: float
    chi2: float
    drift: Drift
    spread: float


def holds(verdict: str, ratio: float, chi2: float, ratio_before: float, samples: int, sequences: int) -> bool:
    """Whether a quantity would get its verdict again on data that it was not found in.

    ratio, chi2: on these data; chi2 is that of the data as measured. ratio_before: in the search.
    """
    if verdict == LAW:
        explained = chi2 <= chi2_limit(samples, sequences) + OF_SUMS and ratio <= LAW_RATIO
        return explained or ratio <= CLEAN_RATIO
    return ratio <= AS_GOOD * ratio_before + CLEAN_RATIO


def figures(formula: Formula, parameters: tuple[float, ...], trajectories: Trajectories, noise_D: Array) -> Figures:
    """A quantity's figures on all trajectories, each weighing the same, as in `conservation`."""
    within = noise = total = mean = square = 0.0
    rates, spreads = [], []
    for x_TD, t_T in zip(trajectories.states, trajectories.times, strict=True):
        g_T = _along(formula, parameters, trajectories, x_TD)
        means_T, noise_T = _with_noise(formula, parameters, trajectories, x_TD, noise_D)
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


def _along(formula: Formula, parameters: tuple[float, ...], trajectories: Trajectories, x_TD: Array) -> Array:
    columns = dict(zip(trajectories.symbols, np.ascontiguousarray(x_TD.T), strict=True))
    return values(formula, parameters, columns)


def _with_noise(
    formula: Formula, parameters: tuple[float, ...], trajectories: Trajectories, x_TD: Array, noise_D: Array
) -> tuple[Array, Array]:
    """The values [T] less what noise adds to their mean, and the variance that noise gives them."""
    g_T = _along(formula, parameters, trajectories, x_TD)
    level_T, variance_T = g_T.copy(), np.zeros(len(g_T))
    for d, sigma in enumerate(noise_D):
        if trajectories.symbols[d] not in formula.inputs or not sigma > 0:
            continue
        up_T, down_T = (
            _along(formula, parameters, trajectories, x_TD + step * np.eye(len(noise_D))[d]) for step in (sigma, -sigma)
        )
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
        found = figures(law.formula, law.values, trajectories, noise_D)
        judged.append(_judged(law, found, trajectories, windows))
    report(len(laws), len(laws))
    return tuple(judged)


def _judged(law: Law, found: Figures, trajectories: Trajectories, windows: bool) -> Law:
    law = replace(law, drift=found.drift.rate, drift_error=found.drift.error)
    if windows or law.verdict == CONSTRAINT:
        return law
    law = replace(law, ratio=found.ratio, spread=found.spread)
    if holds(law.verdict, found.ratio, found.chi2, law.ratio_heldout, trajectories.samples, len(trajectories)):
        return law
    if law.verdict == LAW and found.ratio * APPROXIMATE_OVER_RANDOM <= law.ratio_random:
        return replace(law, verdict=APPROXIMATE, reason="on all data it varies more than noise explains")
    return replace(law, verdict=NOT_CONSERVED, reason="on all data it varies along trajectories")
