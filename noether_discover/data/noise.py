"""Measurement noise: how far each column scatters about a smooth course.

Legend: K trajectories, T samples, D columns.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .smoothing import unwrapped
from .trajectories import ROUNDING, Trajectories

Array = NDArray[np.float64]

ORDERS = range(2, 9)
FLOOR = 1e-5
"""The least noise that is assumed, in units of a column's deviation: what an integrator or a printed file leaves."""
_MEDIAN_OF_ABS_NORMAL = 0.6744897501960817


def divided_difference_weights(t_W: Array) -> Array:
    """Weights [..., W] over W times [..., W] that vanish on polynomials of degree below W - 1, with unit norm.

    Their product with white noise of deviation s has deviation s, however irregular the times are.
    """
    gaps = t_W[..., :, None] - t_W[..., None, :]
    gaps = gaps / np.abs(gaps).max(axis=(-1, -2), keepdims=True)
    width = t_W.shape[-1]
    gaps[..., np.arange(width), np.arange(width)] = 1.0
    weights = 1.0 / gaps.prod(axis=-1)
    return weights / np.linalg.norm(weights, axis=-1, keepdims=True)


def noise(trajectories: Trajectories) -> Array:
    """Each column's noise as a standard deviation, [D], in the columns' units.

    Of a measured column its `scatter`; of a velocity that was computed, the error with which it was computed, since its
    own course is smooth. Not less than 1e-5 of a column's deviation, but for rounding alone where a column does not
    move along trajectories: whatever its error is, it stays the same. The time is known to its last digit as well.
    """
    spread_D = trajectories.stacked.std(axis=0)
    noise_D = np.maximum(scatter(trajectories), FLOOR * spread_D)
    still_D = trajectories.still
    for d, origin in enumerate(trajectories.origins):
        if still_D[d] or (origin is not None and origin.kind == "time"):
            noise_D[d] = ROUNDING * max(np.abs(trajectories.stacked[:, d]).max(), 1e-300)
        elif origin is not None and origin.error is not None:
            noise_D[d] = max(origin.error, FLOOR * spread_D[d])
    return noise_D


def scatter(trajectories: Trajectories) -> Array:
    """How far each column scatters about a smooth course, as a standard deviation [D] in the columns' units.

    The smallest of the robust (median) estimates from divided differences of order 2 to 8: each is an upper bound,
    since what is left of the signal adds to it. Not less than the columns' rounding (quantum / sqrt 12). Angles are
    unwrapped first.
    """
    smooth = unwrapped(trajectories)
    estimates = []
    for order in ORDERS:
        left = []
        for x_TD, t_T in zip(smooth.states, smooth.times, strict=True):
            if len(t_T) <= order:
                continue
            rows = np.arange(len(t_T) - order)[:, None] + np.arange(order + 1)
            weights = divided_difference_weights(t_T[rows])
            left.append(np.einsum("tw,twd->td", weights, x_TD[rows]))
        if left and sum(map(len, left)) >= 8:
            estimates.append(np.median(np.abs(np.concatenate(left)), axis=0) / _MEDIAN_OF_ABS_NORMAL)
    lowest = _smallest(np.array(estimates)) if estimates else np.zeros(trajectories.dimension)
    quantum = np.array([_quantum(column) for column in trajectories.stacked.T]) * ~trajectories.still
    return np.maximum(lowest, quantum / np.sqrt(12))


def rounding(trajectories: Trajectories) -> Array:
    """The rounding of each column as a standard deviation [D]: 0 where none shows, and for columns that do not move."""
    quantum_D = np.array([_quantum(column) for column in trajectories.stacked.T]) / np.sqrt(12)
    is_time_D = np.array([origin is not None and origin.kind == "time" for origin in trajectories.origins])
    return np.where(trajectories.still | is_time_D, 0.0, quantum_D)


def _smallest(estimates_OD: Array) -> Array:
    """The smallest estimate of each column, averaged with those that agree with it (a minimum alone is biased)."""
    least_D = estimates_OD.min(axis=0)
    agree_OD = estimates_OD <= 1.15 * least_D
    return (estimates_OD * agree_OD).sum(axis=0) / agree_OD.sum(axis=0)


def _quantum(column: Array) -> float:
    """The step between neighbouring values of a coarsely rounded column, 0 for one that is finer than its samples."""
    distinct = np.unique(column)
    if len(distinct) < 3 or len(distinct) > 0.5 * len(column):
        return 0.0
    return float(np.median(np.diff(distinct)))
