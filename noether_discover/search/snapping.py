"""Coefficients as people write them: ratios that are simple fractions as far as the data can tell are made so.

Under noise the fitted coefficients of p1^2, p2^2 and p3^2 differ by a few per cent where the law has one and the same.
Terms are merged into groups with fixed ratios, the simplest fractions first, as long as the chi-square of the whole
does not rise by more than chance explains. What the data determine is then one number per group, and that the better.

A fraction must be likelier than a number that happens to be near it: with a standard error of 20 % there is always one
near. The odds are those of Bayes: the density of the fit at the fraction over that of a number of any size (even in the
logarithm over two decades), times how much likelier 1 is than 2, and 2 than 3, before anything was measured.

Legend: M terms, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]

FRACTIONS: tuple[tuple[float, float], ...] = tuple(
    (float(Fraction(a, b)), price)
    for price, pairs in (
        (0.0, ((1, 1),)),
        (1.0, ((2, 1), (1, 2))),
        (2.0, ((3, 1), (1, 3), (4, 1), (1, 4))),
        (3.0, ((3, 2), (2, 3), (3, 4), (4, 3), (6, 1), (1, 6))),
    )
    for a, b in pairs
)
"""Ratios that coefficients are snapped to, and how far from simple each one is."""

LOG_RANGE = float(np.log(100.0))
"""Of a ratio that is no fraction: even in its logarithm over so much."""
LOG_ODDS = -np.log(4.0)
"""Of a fraction for every unit of its price, before anything was measured; those of 1 are even."""
RISE = 4.0
"""By how much the log-likelihood ratio (twice) may rise with every merge: 5 % of true ratios exceed it by chance."""

_SHARPEST = 1e-12  # of a ratio: no error is smaller in float64


@dataclass(frozen=True)
class Snapped:
    """The coefficients [M] after snapping, their chi-square, and how they are made of the free numbers, [M, G]."""

    coefficients: Array
    merge_MG: Array
    chi2: float

    @property
    def free(self) -> int:
        """In how many numbers they are determined."""
        return self.merge_MG.shape[1]


def least(within: Array, noise: Array, merge_MG: Array) -> tuple[Array, float]:
    """Coefficients [G] of merged groups with the least chi-square, and that; infinite where groups cancel."""
    w, n = merge_MG.T @ within @ merge_MG, merge_MG.T @ noise @ merge_MG
    size = np.sqrt(np.diag(n).clip(0.0))
    if not (size > 1e-12 * size.max()).all():
        return np.ones(len(w)), np.inf
    w, n = w / np.outer(size, size), n / np.outer(size, size)
    if len(w) == 1:
        return 1.0 / size, float(w[0, 0] / n[0, 0])
    try:
        values, vectors = scipy.linalg.eigh(w, n + 1e-13 * np.eye(len(n)), check_finite=False)
    except np.linalg.LinAlgError:  # the noise of the groups cancels
        return np.ones(len(w)), np.inf
    return vectors[:, 0] / size, float(values[0])


def snapped(within: Array, noise: Array, scale_M: Array, effective: float, *, exact: float = 0.0) -> Snapped:
    """Merge terms while their ratios are simple.

    within, noise: forms of features divided by scale_M. effective: independent samples behind them.
    exact: where noise is no matter, the relative distance up to which a ratio is taken for a fraction (0: go by noise).
    Returns coefficients of the scaled features.
    """
    merge = np.diag(scale_M).astype(float)  # one column per group, of coefficients in the terms' own units
    c, chi2 = least(within, noise, merge)
    while merge.shape[1] > 1 and np.isfinite(chi2):
        step = None
        for _, g, h, ratio in _nearest(within, noise, merge, c, chi2, effective, exact):
            trial = merge.copy()
            trial[:, g] += ratio * trial[:, h]
            trial = np.delete(trial, h, axis=1)
            coefficients, after = least(within, noise, trial)
            if np.isfinite(after) and (exact or effective * np.log(max(after, 1e-12) / max(chi2, 1e-12)) < RISE):
                step = trial, coefficients, after
                break
        if step is None:
            break
        merge, c, chi2 = step
    return Snapped(merge @ c, merge, chi2)


def _log_odds(away: float, error: float, ratio: float, price: float) -> float:
    """Of a fraction so far from a ratio with this standard error, against a number that is none."""
    error = max(error, _SHARPEST * ratio, 1e-140)
    density = -0.5 * (away / error) ** 2 - np.log(np.sqrt(2.0 * np.pi) * error)
    return float(density + np.log(ratio * LOG_RANGE) + price * LOG_ODDS)


def _nearest(
    within: Array, noise: Array, merge_MG: Array, c: Array, chi2: float, effective: float, exact: float
) -> list[tuple[float, int, int, float]]:
    """Pairs of groups with a nearly simple ratio, the best first: (price, group, other group, ratio)."""
    found = []
    size = len(c)
    w, n = merge_MG.T @ within @ merge_MG, merge_MG.T @ noise @ merge_MG
    curvature = w - chi2 * n
    level = chi2 * float(c @ n @ c) / max(effective, 1.0)
    for g in range(size):
        if c[g] == 0:
            continue
        others = [h for h in range(size) if h != g]
        block = curvature[np.ix_(others, others)]
        d = np.sqrt(np.abs(np.diag(block))).clip(1e-300)
        covariance = np.linalg.pinv(block / np.outer(d, d), rcond=1e-12) / np.outer(d, d) * level
        for k, h in enumerate(others):
            if h < g:
                continue
            ratio = c[h] / c[g]
            error = float(np.sqrt(max(covariance[k, k], 0.0))) / abs(c[g])
            for value, price in FRACTIONS:
                target = np.copysign(value, ratio)
                away = abs(ratio - target)
                if exact:
                    if away <= exact * value:
                        found.append((price, g, h, float(target)))
                elif _log_odds(away, error, abs(ratio), price) > 0.0:
                    found.append((price + 0.3 * away / max(error, 1e-300), g, h, float(target)))
    found.sort()
    return found[:6]
