"""Derivatives of measured states, and angles without their jumps.

K trajectories, T samples, D columns, W samples in a window, P coefficients of a polynomial.

Nothing here looks across a hole in a series: a step more than `GAP` times the trajectory's median step parts it into
pieces, each a series of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .trajectories import Array, Trajectories

Scheme = Literal["central", "forward"]

GAP = 5.0
"""A step this many times longer than the median step of its trajectory is a hole. Steps drawn at random (exponential)
exceed it once in 32."""

DEGREE = 4
"""Of the local polynomials: on the smallest window they are the five-point central difference, error of order dt^4."""

WINDOWS = (5, 7, 9, 11, 13, 17, 21, 25, 31, 37, 45, 55, 67, 81)
"""Numbers of samples that a local polynomial may span."""

_UNWRAPPED_SPAN = 2.5 * np.pi
_ROWS_AT_ONCE = 4096


def pieces(t_T: Array) -> list[slice]:
    """The stretches of a series between its holes, in order; together they are the whole series."""
    steps = np.diff(t_T)
    cuts = (np.flatnonzero(steps > GAP * np.median(steps)) + 1).tolist()
    return [slice(a, b) for a, b in itertools.pairwise([0, *cuts, len(t_T)])]


def unwrapped(trajectories: Trajectories) -> Trajectories:
    """The same motion with angles that count their turns instead of jumping by 2 pi.

    A column whose values span more than a turn and a quarter counts its turns already and stays as it is. After a hole
    an angle starts again where it was measured: nobody knows how often it went round.
    """
    stacked = trajectories.stacked
    jumping = np.array(trajectories.angles) & (np.ptp(stacked, axis=0) <= _UNWRAPPED_SPAN)
    if not jumping.any():
        return trajectories
    states = []
    for x_TD, t_T in zip(trajectories.states, trajectories.times, strict=True):
        straight = x_TD.copy()
        for piece in pieces(t_T):
            straight[piece, jumping] = np.unwrap(x_TD[piece][:, jumping], axis=0)
        states.append(straight)
    return replace(trajectories, states=tuple(states))


def without_turns(trajectories: Trajectories) -> Trajectories:
    """The same motion, each trajectory's angles less the whole turns made before it.

    For columns that count their turns (see `unwrapped`), when windows of one run are compared: the hundredth turn is no
    other place than the first, and a square of such a column would differ between windows by nothing but the count.
    """
    stacked = trajectories.stacked
    counting_D = np.array(trajectories.angles) & (np.ptp(stacked, axis=0) > _UNWRAPPED_SPAN)
    if not counting_D.any():
        return trajectories
    middle_D = np.angle(np.exp(1j * stacked).mean(axis=0))
    turns = [np.round((x.mean(axis=0) - middle_D) / (2 * np.pi)) * counting_D for x in trajectories.states]
    states = tuple(x - 2 * np.pi * n_D for x, n_D in zip(trajectories.states, turns, strict=True))
    return replace(trajectories, states=states)


def derivatives(
    trajectories: Trajectories, noise_D: Array | None = None, scheme: Scheme = "central"
) -> tuple[Array, ...]:
    """dx/dt at every sample, K arrays [T, D], in units of the columns over the unit of time.

    ``central``: the columns that the data brought, if they did; else the slope of a polynomial of degree 4 fitted by
    least squares to the samples around each one (Savitzky and Golay 1964, for any spacing of the samples). Polynomials
    up to that degree come out exact. Each column has the widest window in which the polynomial still explains the data:
    clean data have 5 samples, noisy data more.
    ``forward``: (x[i+1] - x[i]) / (t[i+1] - t[i]), which an Euler step inverts. Whatever the data brought is ignored.

    noise_D: standard deviation of the measurement noise per column. None: measured by the residuals of the fits.

    NaN where nothing is known: a sample alone between two holes and, for ``forward``, the last one before a hole.
    """
    if scheme == "forward":
        straight = unwrapped(trajectories)
        return tuple(_forward(x, t) for x, t in zip(straight.states, straight.times, strict=True))
    if trajectories.given_derivatives is not None:
        return trajectories.given_derivatives
    return _local(trajectories, noise_D, 1)


def smoothed(trajectories: Trajectories, noise_D: Array | None = None) -> tuple[Array, ...]:
    """The states without most of their noise, K arrays [T, D]: the values of the polynomials of `derivatives`.

    Clean data come out as they are (five samples determine a polynomial of degree 4), angles unwrapped.
    """
    return _local(trajectories, noise_D, 0)


def _local(trajectories: Trajectories, noise_D: Array | None, order: int) -> tuple[Array, ...]:
    """The value (order 0) or slope (order 1) of the local polynomials at every sample."""
    straight = unwrapped(trajectories)
    series = [
        (x_TD[piece], t_T[piece])
        for x_TD, t_T in zip(straight.states, straight.times, strict=True)
        for piece in pieces(t_T)
    ]
    window_D = _windows(series, noise_D)
    fitted = [_fitted(x_TD, t_T, window_D, order) for x_TD, t_T in series]
    ends = np.cumsum([len(t) for t in trajectories.times])[:-1]
    return tuple(np.split(np.concatenate(fitted), ends))


def _forward(x_TD: Array, t_T: Array) -> Array:
    v_TD = np.full_like(x_TD, np.nan)
    for piece in pieces(t_T):
        v_TD[piece][:-1] = np.diff(x_TD[piece], axis=0) / np.diff(t_T[piece])[:, None]
    return v_TD


def _windows(series: list[tuple[Array, Array]], noise_D: Array | None) -> NDArray[np.int64]:
    """For each column a window whose residuals are the noise alone: the widest but one of them.

    The residual variance stays at the noise's while the polynomial follows the motion and then rises steeply (with
    the tenth power of the window). Without a given noise, that of the seven-point fits is the noise. In the widest such
    window the bias of the slope already exceeds its noise: one narrower leaves it 18 % above the best window's error
    (geometric mean over the pendulum with noise 1e-4 to 0.1, series of 45 and 400 samples; 41 % with the widest).
    """
    dimension = series[0][0].shape[1]
    rung_D = np.zeros(dimension, dtype=np.int64)
    still_D = np.ones(dimension, dtype=bool)
    reference_D = None if noise_D is None else np.asarray(noise_D, dtype=float) ** 2
    for rung, window in enumerate(WINDOWS[1:], start=1):
        sums = [_residual_squares(x_TD, t_T, window) for x_TD, t_T in series if len(t_T) >= window]
        if not sums:
            break
        square_D = np.sum([s for s, _ in sums], axis=0)
        residuals = sum(n for _, n in sums) * (window - DEGREE - 1)
        variance_D = square_D / residuals
        if reference_D is None:
            reference_D = variance_D
            continue
        # windows that overlap share residuals: about residuals / window of them are independent
        still_D &= variance_D <= reference_D * (1.1 + 2 * np.sqrt(2 * window / residuals))
        if not still_D.any():
            break
        rung_D[still_D] = rung
    return np.array(WINDOWS)[np.maximum(rung_D - 1, 0)]


@dataclass(frozen=True)
class LocalFits:
    """Polynomials about T consecutive samples: which samples each one sees, and how to fit it to them.

    seen: numbers of the samples in each window [T, W]. reach: half the length of each window in time [T].
    powers: of the time from the window's own sample, over its reach [T, W, P]. inverse: their pseudo-inverse [T, P, W].
    """

    rows: slice
    seen: NDArray[np.int64]
    reach: Array
    powers: Array
    inverse: Array

    def weights(self, order: int) -> Array:
        """What the samples in each window count in the polynomial's value (order 0) or slope (order 1), [T, W]."""
        weights_TW: Array = self.inverse[:, order] / self.reach[:, None] ** order
        return weights_TW


def local_fits(t_T: Array, window: int, degree: int = DEGREE) -> Iterator[LocalFits]:
    """The fits about every sample of a series, a few thousand at a time; near its ends the window is not centred."""
    window = min(window, len(t_T))
    exponents = np.arange(min(degree, window - 1) + 1)
    for start in range(0, len(t_T), _ROWS_AT_ONCE):
        rows = slice(start, min(start + _ROWS_AT_ONCE, len(t_T)))
        first_T = np.clip(np.arange(rows.start, rows.stop) - window // 2, 0, len(t_T) - window)
        seen = first_T[:, None] + np.arange(window)
        away_TW = t_T[seen] - t_T[rows, None]
        reach = np.abs(away_TW).max(axis=1)
        powers = (away_TW / reach[:, None])[..., None] ** exponents
        yield LocalFits(rows, seen, reach, powers, np.linalg.pinv(powers))


def _fitted(x_TD: Array, t_T: Array, window_D: NDArray[np.int64], order: int) -> Array:
    """The local polynomials' values (order 0) or slopes (order 1); one sample alone has a value and no slope."""
    out_TD = np.full_like(x_TD, np.nan) if order else x_TD.copy()
    if len(t_T) < 2:
        return out_TD
    for window in np.unique(window_D):
        columns = np.flatnonzero(window_D == window)
        for fits in local_fits(t_T, int(window)):
            seen_TWD = x_TD[fits.seen][..., columns]
            # about its own sample, so that a large offset of the column costs no digits
            here_TD = x_TD[fits.rows, None, columns]
            found_TD = np.einsum("tw,twd->td", fits.weights(order), seen_TWD - here_TD)
            out_TD[fits.rows, columns] = found_TD if order else here_TD[:, 0] + found_TD
    return out_TD


def _residual_squares(x_TD: Array, t_T: Array, window: int) -> tuple[Array, int]:
    """The squared residuals of all different windows together, per column, and the number of windows."""
    total_D = np.zeros(x_TD.shape[1])
    last = -1
    for fits in local_fits(t_T, window):
        new = np.diff(fits.seen[:, 0], prepend=last) > 0
        last = int(fits.seen[-1, 0])
        seen_TWD = x_TD[fits.seen[new]]
        fitted_TWD = fits.powers[new] @ (fits.inverse[new] @ seen_TWD)
        total_D += np.square(seen_TWD - fitted_TWD).sum(axis=(0, 1))
    return total_D, len(t_T) - window + 1
