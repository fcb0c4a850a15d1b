"""How far the coefficients of a law are from right ones, whatever form the law has.

N states, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
At = Callable[[Array, Sequence[float]], Array]
"""A quantity at states [N, D] with some values for its parameters [P] -> [N]."""

CONSERVED = 1e-4
"""Of a quantity's deviation: what moves less along clean trajectories is conserved."""
SMALL_TERM = 0.1
"""Of the largest term: the error of a smaller one is told relative to this much."""
MOST_STEPS = 30


def coefficient_error(at: At, parameters: Sequence[float], clean: Sequence[Array]) -> float | None:
    """How far the worst parameter of a law is from the nearest ones that are right; None where none are.

    The distance is told parameter by parameter, relative to the parameter, or to the value at which its term would have
    a tenth of the deviation of the largest term where it has less. Where the law can be scaled by its parameters, that
    of the largest term stays.
    """
    right = nearest_right(at, parameters, clean)
    if right is None:
        return None
    theta_P, size_P = right
    moved = size_P > 0
    return float((np.abs(theta_P - np.array(parameters, dtype=float))[moved] / size_P[moved]).max(initial=0.0))


def nearest_right(at: At, parameters: Sequence[float], clean: Sequence[Array]) -> tuple[Array, Array] | None:
    """The nearest parameters [P] that are right, and what their errors are relative to, 0 for those that are no
    coefficients; None where none are right.

    Right is every choice for which the law is conserved along clean trajectories ([T, D] each). So it costs nothing to
    add another law, a constraint or a product of laws, to shift or to scale; a number inside a function counts as one
    outside.
    """
    x_ND, cuts = np.concatenate(clean), np.cumsum([len(x) for x in clean])[:-1]
    start_P = np.array(parameters, dtype=float)

    def along(v_N: Array) -> Array:
        return np.concatenate([part - part.mean(axis=0) for part in np.split(v_N, cuts)])

    size_P = _sizes(at, x_ND, start_P)
    theta_P = start_P.copy()
    for _ in range(MOST_STEPS if len(start_P) else 0):
        slope_NP, off_N = along(_slopes(at, x_ND, theta_P) * size_P), along(_values(at, x_ND, theta_P))
        if not (np.isfinite(slope_NP).all() and np.isfinite(off_N).all()):
            return None  # a number inside a function ran out of its domain
        step_P, *_ = np.linalg.lstsq(slope_NP, -off_N, rcond=1e-6)
        theta_P += size_P * step_P
        if not np.abs(step_P).max() > 1e-10:
            break
    g_N = _values(at, x_ND, theta_P)
    if not np.sqrt(np.mean(along(g_N) ** 2)) < CONSERVED * g_N.std():
        return None
    return theta_P, size_P


def _values(at: At, x_ND: Array, theta_P: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.broadcast_to(np.asarray(at(x_ND, theta_P), dtype=float), len(x_ND))


def _sizes(at: At, x_ND: Array, theta_P: Array) -> Array:
    """What an error of each parameter is relative to; 0 for one that is no coefficient, or sets the scale."""
    if not len(theta_P):
        return theta_P
    g_N, slope_NP = _values(at, x_ND, theta_P), _slopes(at, x_ND, theta_P)
    by_one_P = slope_NP.std(axis=0)
    effect_P = np.abs(theta_P) * by_one_P
    largest = max(float(g_N.std()), float(effect_P.max()))
    felt = by_one_P * np.maximum(np.abs(theta_P), 1.0) > 1e-9 * largest  # a mere shift is no coefficient
    small_P = np.divide(SMALL_TERM * largest, by_one_P, out=np.zeros_like(by_one_P), where=felt)
    size_P = np.where(felt, np.maximum(np.abs(theta_P), small_P), 0.0)
    if _scales(g_N, slope_NP):
        size_P[effect_P.argmax()] = 0.0
    return size_P


def _slopes(at: At, x_ND: Array, theta_P: Array) -> Array:
    """By each parameter, [N, P]."""
    slope_NP = np.empty((len(x_ND), len(theta_P)))
    for p, value in enumerate(theta_P):
        step_P = np.zeros(len(theta_P))
        step_P[p] = 1e-4 * (abs(value) or 1.0)
        slope_NP[:, p] = _values(at, x_ND, theta_P + step_P) - _values(at, x_ND, theta_P - step_P)
        slope_NP[:, p] /= 2 * step_P[p]
    return slope_NP


def _scales(g_N: Array, slope_NP: Array) -> bool:
    """Whether a change of the parameters can do nothing but scale the quantity."""
    slope_NP, g_N = slope_NP - slope_NP.mean(axis=0), g_N - g_N.mean()
    slope_NP = slope_NP / np.maximum(np.linalg.norm(slope_NP, axis=0), 1e-300)
    fitted_P, *_ = np.linalg.lstsq(slope_NP, g_N, rcond=1e-10)
    return bool(np.linalg.norm(slope_NP @ fitted_P - g_N) < 1e-6 * np.linalg.norm(g_N))
