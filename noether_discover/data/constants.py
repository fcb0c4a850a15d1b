"""Columns that do not change along a trajectory: a mass, a stiffness, a momentum that is conserved all by itself.

They are the parameters of a motion rather than its state. A law may need them; none is made of them alone.

Legend: K trajectories, T samples, N samples of all of them, D columns, M slow modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .noise import noise
from .smoothing import unwrapped
from .trajectories import ROUNDING, Array, Trajectories

SLOW_MODES = 4
"""Polynomials of time, degrees 1 to 4, in which a column that changes slowly would show."""
DRIFT_SIGNIFICANCE = 4.0
"""Standard errors of a drift that all trajectories have in common."""
SCATTER_MAY_EXCEED = 1.15
"""The noise is known to so much of its variance."""
NOISE_IS_SEEN = 0.5
"""Above this chi-square the noise is the column's own scatter, and not the least that is assumed of any column."""
NOISE_MAY_EXPLAIN = 0.35
"""Of the variance of a column; beyond, nobody can tell a parameter that differs from noise."""


@dataclass(frozen=True)
class Constant:
    """A column that is constant along each trajectory.

    symbol: the column. low, high: the range of its trajectories' means, in its unit.
    chi2: its variance along trajectories over that of its noise; 0 where it does not change at all.
    differs: whether its trajectories have different values. One that has the same value everywhere tells nothing.
    """

    symbol: str
    unit: str
    low: float
    high: float
    chi2: float
    differs: bool


def constants_of(trajectories: Trajectories, noise_D: Array | None = None) -> tuple[Constant, ...]:
    """The columns that are constant along each trajectory, as far as the noise lets one see, in the file's order.

    A column that moves by rounding only is constant. One that moves more must pass for a constant with white noise on
    it, by a test that holds against it whatever is left unexplained: its variance along trajectories is its noise's, no
    more of it lies in slow modes (polynomials of time) than in others, all trajectories together have no drift, and
    neighbouring samples are independent. (The noise of a computed velocity is not white; it is constant where its
    position passes for a straight line with white noise on it.) What changes by less than its noise cannot be told from
    a constant. Columns whose trajectories differ by hardly more than the noise are not listed: they could be anything.

    noise_D: standard deviation of the noise per column; None: `noise`. The time is no constant.
    """
    noise_D = noise(trajectories) if noise_D is None else noise_D
    still_D, straight = trajectories.still, unwrapped(trajectories)
    found = []
    for d, (symbol, unit, origin) in enumerate(
        zip(trajectories.symbols, trajectories.units, trajectories.origins, strict=True)
    ):
        if origin is not None and origin.kind == "time":
            continue
        series = [x_TD[:, d] for x_TD in straight.states]
        chi2: float | None = 0.0
        if not still_D[d] and (origin is None or origin.error is None):
            chi2 = _chi2_of_a_polynomial(series, trajectories.times, 0, float(noise_D[d]))
        elif not still_D[d] and origin is not None and origin.of in trajectories.symbols:
            place = trajectories.symbols.index(origin.of)
            positions = [x_TD[:, place] for x_TD in straight.states]
            chi2 = _chi2_of_a_polynomial(positions, trajectories.times, 1, float(noise_D[place]))
        if chi2 is None:
            continue
        differs = _differ(series, 0.0 if still_D[d] else float(noise_D[d]))
        if differs is not None:
            means = [float(x.mean()) for x in series]
            found.append(Constant(symbol, str(unit), min(means), max(means), chi2, differs))
    return tuple(found)


def parameters_of(trajectories: Trajectories, noise_D: Array | None = None) -> tuple[str, ...]:
    """The symbols of columns that are constant along each trajectory and differ between them; see `constants_of`."""
    return tuple(one.symbol for one in constants_of(trajectories, noise_D) if one.differs)


def with_constants(trajectories: Trajectories, constants: Sequence[Constant]) -> Trajectories:
    """The same trajectories, which know these columns for constant; so will all that is cut from them.

    What is constant is decided on whole trajectories: within a short window a slow column looks constant too.
    """
    return replace(trajectories, constants=tuple(one.symbol for one in constants))


def constant_columns(trajectories: Trajectories) -> NDArray[np.bool_]:
    """The columns that do not change along any trajectory but by rounding, or are known not to but for noise, [D]."""
    return trajectories.still | np.isin(trajectories.symbols, trajectories.constants)


def _differ(series: Sequence[Array], sigma: float) -> bool | None:
    """Whether constants have different values in their series [T]; None where noise of this deviation hides it."""
    means_K, weight_K = np.array([x.mean() for x in series]), np.array([len(x) for x in series])
    between = float(np.average((means_K - np.average(means_K, weights=weight_K)) ** 2, weights=weight_K))
    by_chance = sigma**2 * (len(series) - 1) / weight_K.sum()
    if between <= max(_allowed(max(len(series) - 1, 1)) * by_chance, (ROUNDING * np.abs(means_K).max()) ** 2):
        return False
    within = float(np.concatenate([x - x.mean() for x in series]).var())
    return True if within <= NOISE_MAY_EXPLAIN * (within + between) else None


def _chi2_of_a_polynomial(series: Sequence[Array], times: Sequence[Array], degree: int, sigma: float) -> float | None:
    """The reduced chi-square of series [T] that are polynomials of time and white noise, None for others.

    degree: 0 for constants, 1 for straight lines. sigma: the noise's deviation.
    """
    squares, freedom = 0.0, 0
    slow, modes = 0.0, 0
    along, length = 0.0, 0.0
    steps = []
    for x_T, t_T in zip(series, times, strict=True):
        z_T = 2 * (t_T - t_T[0]) / (t_T[-1] - t_T[0]) - 1
        highest = min(degree + SLOW_MODES, len(t_T) - 1)
        basis_TM, _ = np.linalg.qr(np.polynomial.legendre.legvander(z_T, highest))
        own_TM, slow_TM = basis_TM[:, : degree + 1], basis_TM[:, degree + 1 :]
        left_T = x_T - x_T.mean()
        left_T = left_T - own_TM @ (own_TM.T @ left_T)
        squares, freedom = squares + float(left_T @ left_T), freedom + max(len(t_T) - degree - 1, 0)
        slow, modes = slow + float(np.square(left_T @ slow_TM).sum()), modes + slow_TM.shape[1]
        next_T = z_T ** (degree + 1)
        next_T = next_T - own_TM @ (own_TM.T @ next_T)
        along, length = along + float(next_T @ left_T), length + float(next_T @ next_T)
        steps.append(np.diff(left_T))
    chi2 = squares / max(freedom, 1) / sigma**2
    if not freedom or chi2 > _allowed(freedom) or slow / modes / sigma**2 > _allowed(modes):
        return None
    if abs(along) > DRIFT_SIGNIFICANCE * sigma * np.sqrt(length):
        return None
    step_N = np.concatenate(steps)
    if chi2 > NOISE_IS_SEEN and float(np.mean(step_N**2)) / (2 * chi2 * sigma**2) < 1 - 3 / np.sqrt(len(step_N)):
        return None  # von Neumann's ratio is 1 for independent samples, less where a course shows through
    return chi2


def _allowed(freedom: int) -> float:
    """The largest reduced chi-square that noise explains: what is unsure about the noise, and 3 sigma for chance."""
    return SCATTER_MAY_EXCEED + 3.0 * float(np.sqrt(2.0 / freedom))
