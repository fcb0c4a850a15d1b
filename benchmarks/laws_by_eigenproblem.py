"""The baseline: laws by a plain generalised eigenproblem.

All products of up to four columns (of up to three or two, where there would be more than 300), the variance W of their
sums along trajectories against that over all samples, T; whatever sum has a ratio c'Wc / c'Tc under a threshold is
called a law. No correction for noise, no trajectories that judge. In its favour: columns are standardised, directions
that nothing varies along are left out, of the sums only those are claimed whose gradients are independent (H, H**2 and
2 H + L are one or two laws, not three), at most D - 1 of them, and the tuned threshold is the one of a grid that makes
most sets exact, chosen for every level of noise on other seeds of the same systems (100 to 102;
`baselines_of_laws.py --tune`).

N states, D columns, M terms, L laws.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from laws_score import STATES, Array, Claim, Span, gradient, residual

from noether_discover.data.trajectories import Trajectories

THRESHOLD = 1e-2
TUNED = {0.0: 1e-4, 0.01: 2e-2, 0.05: 0.1, 0.1: 0.1}
"""The best ratio for each level of noise: 60, 51, 28 and 22 of 81 exact, 15 of them by silence where nothing holds."""
MOST_TERMS = 300
HIGHEST_DEGREE = 4
INDEPENDENT = 0.12
VARIES = 1e-11
"""Of the largest variance: a direction with less is nothing but rounding."""


class Polynomials:
    """All products of up to some number of standardised columns."""

    def __init__(self, data: Trajectories, most: int = MOST_TERMS, highest: int = HIGHEST_DEGREE) -> None:
        x_ND = data.stacked
        D = x_ND.shape[1]
        self.middle_D, self.scale_D = x_ND.mean(axis=0), x_ND.std(axis=0)
        degree = max(d for d in range(1, highest + 1) if d == 1 or comb(D + d, d) - 1 <= most)
        self.terms = [
            chosen for d in range(1, degree + 1) for chosen in combinations_with_replacement(range(D), d)
        ]  # fmt: skip

    def __call__(self, x_ND: Array) -> Array:
        """[N, M]"""
        z_ND = (x_ND - self.middle_D) / self.scale_D
        known: dict[tuple[int, ...], Array] = {(): np.ones(len(z_ND))}
        for term in self.terms:
            known[term] = known[term[:-1]] * z_ND[:, term[-1]]
        return np.stack([known[term] for term in self.terms], axis=1)

    def claim(self, weights_M: Array) -> Claim:
        """A sum of terms. Its weights are nothing that anybody is told."""
        return Claim(lambda x_ND, _: self(x_ND) @ weights_M, stated=False)


def along(f_NM: Array, numbers_N: Array) -> Array:
    """What is left of some columns when each trajectory's mean is taken off."""
    count_K = np.bincount(numbers_N)
    means_KM = np.stack([np.bincount(numbers_N, column) / count_K for column in f_NM.T], axis=1)
    return f_NM - means_KM[numbers_N]


def spectrum(data: Trajectories) -> tuple[Polynomials, Array, Array]:
    """The library, the ratios of its sums, smallest first [L], and their weights [L, M]."""
    library = Polynomials(data)
    f_NM = library(data.stacked)
    size_M = f_NM.std(axis=0)
    f_NM = (f_NM - f_NM.mean(axis=0)) / size_M
    total_MM = f_NM.T @ f_NM / len(f_NM)
    left_NM = along(f_NM, data.sequence_numbers)
    variances, directions = np.linalg.eigh(total_MM)
    varies = variances > VARIES * variances[-1]
    whitened_ML = directions[:, varies] / np.sqrt(variances[varies])
    moved_NL = left_NM @ whitened_ML
    ratios_L, turned_LL = np.linalg.eigh(moved_NL.T @ moved_NL / len(f_NM))
    return library, ratios_L, (whitened_ML @ turned_LL).T / size_M


def independent(claims: Sequence[Claim], data: Trajectories, share: float = INDEPENDENT) -> tuple[Claim, ...]:
    """Those with gradients of their own beside all before them, at most D - 1."""
    x_ND = data.stacked
    states_ND = x_ND[np.unique(np.linspace(0, len(x_ND) - 1, STATES // 2).round().astype(int))]
    chosen: list[Claim] = []
    gradients: list[Array] = []
    for claim in claims:
        if len(chosen) >= max(data.dimension - 1, 1):
            break
        slope_ND = gradient(claim, states_ND, x_ND.std(axis=0))
        if residual(slope_ND, Span.of(gradients, states_ND)) >= share:
            chosen.append(claim)
            gradients.append(slope_ND)
    return tuple(chosen)


def claims_under(
    data: Trajectories, threshold: float, solved: tuple[Polynomials, Array, Array] | None = None
) -> tuple[Claim, ...]:
    """The independent sums with a ratio under a threshold."""
    library, ratios_L, weights_LM = solved or spectrum(data)
    return independent([library.claim(w_M) for w_M in weights_LM[ratios_L < threshold]], data)


def default(data: Trajectories, level: float) -> tuple[Claim, ...]:
    """With one threshold for everything."""
    return claims_under(data, THRESHOLD)


def tuned(data: Trajectories, level: float) -> tuple[Claim, ...]:
    """With the best threshold for this level of noise, which nobody would know."""
    return claims_under(data, TUNED[level])
