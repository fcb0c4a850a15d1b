"""Rates of change with what is wrong with them: local polynomials whose degree and width suit each column.

The slope of a polynomial fitted by least squares to the samples around each one (Savitzky and Golay 1964) errs in two
ways. Noise s of the samples becomes s times the norm of the fit's weights: wider windows have less of it. Motion that
the polynomial cannot follow becomes a bias: wider windows have more, higher degrees less. The bias shows in how much
the slope changes with two degrees more, beyond what noise changes there:

    mean (slope' - slope)^2 = bias^2 + s^2 |w' - w|^2

Of all degrees and widths, each column takes those with the least error in all, a bias weighed more than noise. Clean
data take high degrees on few samples, noisy data low ones on many.

Legend: K trajectories, T samples, D columns, W samples in a window, R samples that decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from .noise import scatter
from .smoothing import WINDOWS, local_fits, pieces, unwrapped
from .trajectories import Array, Trajectories

DEGREES = (4, 6, 8)
NARROWEST = DEGREES[0], WINDOWS[0]
CENTRED = 0.6
"""Windows are narrow enough to lie to both sides of this share of all samples."""
UNEVEN = 1.5
"""A sample whose window gives it this many times the usual noise (near an end, or with uneven steps) has no rate."""
DECIDING = 800
"""So many samples decide about a degree and a width."""
BIAS_WEIGHT = 5.0
"""A bias goes whole into the parameters of a law, where noise averages out: it counts as so many times worse."""
_EXACT = 1e-13


@dataclass(frozen=True)
class Rates:
    """Time derivatives of every column.

    values: K arrays [T, D], in units of the columns over the unit of time; NaN near ends and holes, where a window has
        no room on both sides and a rate would have several times the noise of the others.
    error_D: the root mean square error of those that are known, noise and bias together.
    degree_D, window_D: of the polynomials.
    """

    values: tuple[Array, ...]
    error_D: Array
    degree_D: tuple[int, ...]
    window_D: tuple[int, ...]


@dataclass(frozen=True)
class _Way:
    """A degree and a width of window, with the error that it has in one column, and the bias in it."""

    degree: int
    window: int
    error: float
    bias: float


def rates(trajectories: Trajectories, noise_D: Array | None = None) -> Rates:
    """The time derivatives of all columns, each by the local polynomials that suit it best.

    Polynomials of time up to degree 4 come out exact. Angles are unwrapped first. Nothing looks across a hole.
    noise_D: standard deviation of the white measurement noise per column; None: its `scatter`.
    """
    s_D = scatter(trajectories) if noise_D is None else np.asarray(noise_D, dtype=float)
    straight = unwrapped(trajectories)
    series = [
        (x_TD[piece], t_T[piece])
        for x_TD, t_T in zip(straight.states, straight.times, strict=True)
        for piece in pieces(t_T)
    ]
    way_D = _best_ways(series, s_D)
    rate_ND = np.full_like(trajectories.stacked, np.nan)
    error_D = np.zeros(len(s_D))
    order = sorted(range(len(s_D)), key=lambda d: (way_D[d].degree, way_D[d].window))
    for (degree, window), group in groupby(order, key=lambda d: (way_D[d].degree, way_D[d].window)):
        columns = list(group)
        rate_NC, gain_N, centred_N = _fitted([(x[:, columns], t) for x, t in series], degree, window)
        if not np.isfinite(gain_N).any():
            continue
        even_N = gain_N <= UNEVEN * np.nanmedian(gain_N)
        for place, d in enumerate(columns):
            noise = float(np.sqrt(np.mean(gain_N[even_N] ** 2))) * s_D[d]
            known_N = even_N & centred_N if way_D[d].bias > noise else even_N  # off the middle the bias is larger
            rate_ND[known_N, d] = rate_NC[known_N, place]
            error_D[d] = np.hypot(noise, way_D[d].bias)
    ends = np.cumsum([len(t) for t in trajectories.times])[:-1]
    return Rates(
        tuple(np.split(rate_ND, ends)),
        error_D,
        tuple(way.degree for way in way_D),
        tuple(way.window for way in way_D),
    )


def _fitted(series: list[tuple[Array, Array]], degree: int, window: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Slopes [N, C] at all samples, the norms of their weights [N], and which have their sample in the middle [N].

    NaN in series shorter than the window.
    """
    slopes, gains, centred = [], [], []
    for x_TC, t_T in series:
        slope_TC, gain_T = np.full_like(x_TC, np.nan), np.full(len(t_T), np.nan)
        place_T = np.arange(len(t_T))
        centred.append((place_T >= window // 2) & (place_T < len(t_T) - window // 2))
        for fits in local_fits(t_T, window, degree) if len(t_T) >= window else ():
            weights_TW = fits.weights(1)
            # about its own sample, so that a large offset of the column costs no digits
            away_TWC = x_TC[fits.seen] - x_TC[fits.rows, None]
            slope_TC[fits.rows] = np.einsum("tw,twc->tc", weights_TW, away_TWC)
            gain_T[fits.rows] = np.linalg.norm(weights_TW, axis=1)
        slopes.append(slope_TC)
        gains.append(gain_T)
    return np.concatenate(slopes), np.concatenate(gains), np.concatenate(centred)


def slopes(x_T: Array, t_T: Array, degree: int, window: int) -> Array:
    """The slopes of local polynomials at all samples of a series without holes, those near ends less sure, [T]."""
    return _fitted([(x_T[:, None], t_T)], degree, window)[0][:, 0]


def _best_ways(series: list[tuple[Array, Array]], s_D: Array) -> list[_Way]:
    """For each column the degree and the width with the least error."""
    length = np.array([len(t) for _, t in series])
    best = [_Way(*NARROWEST, np.inf, 0.0) for _ in s_D]
    for degree in DEGREES:
        for window in WINDOWS:
            if window <= degree:
                continue
            if (length - window + 1).clip(0).sum() < CENTRED * length.sum() and (degree, window) != NARROWEST:
                break
            further = next(w for w in WINDOWS if w >= max(window, degree + 3))
            found = _errors(series, degree, window, further, s_D)
            if found is None:
                break
            for d, (error, bias) in enumerate(zip(*found, strict=True)):
                if error < (1 - 1e-3) * best[d].error:
                    best[d] = _Way(degree, window, float(error), float(bias))
    return best


def _errors(
    series: list[tuple[Array, Array]], degree: int, window: int, further: int, s_D: Array
) -> tuple[Array, Array] | None:
    """Error and bias [D] of slopes in the middle of windows, from what two degrees more change in the `further` ones.

    None where no series is as long as that.
    """
    starts = [(k, i) for k, (_, t) in enumerate(series) for i in range(len(t) - further + 1)]
    if not starts:
        return None
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(DECIDING, len(starts))).round().astype(int))
    x_RWD = np.stack([series[k][0][i : i + further] for k, i in map(starts.__getitem__, chosen)])
    t_RW = np.stack([series[k][1][i : i + further] for k, i in map(starts.__getitem__, chosen)])
    middle = further // 2
    inside = slice(middle - window // 2, middle + window // 2 + 1)
    own_RW = np.zeros_like(t_RW)
    own_RW[:, inside] = _slope_weights(t_RW[:, inside], degree)
    change_RW = _slope_weights(t_RW, degree + 2) - own_RW
    change_RD = np.einsum("rw,rwd->rd", change_RW, x_RWD - x_RWD[:, middle, None])
    by_noise = np.square(change_RW).sum(axis=1).mean()
    # changes by noise alone scatter; windows that overlap share their samples
    apart = max(len(chosen) * len(starts) / (len(starts) + len(chosen) * further), 1.0)
    square_D = np.square(change_RD).mean(axis=0)
    bias_D = np.sqrt(np.maximum(square_D - by_noise * s_D**2, 0.0))
    unsure_D = by_noise * s_D**2 * np.sqrt(2 / apart)
    rounding_D = _EXACT * np.abs(x_RWD).max(axis=(0, 1)) * np.abs(own_RW).max()
    noise_D = np.square(own_RW).sum(axis=1).mean() * s_D**2
    return np.sqrt(noise_D + (BIAS_WEIGHT * bias_D) ** 2 + unsure_D + rounding_D**2), bias_D


def _slope_weights(t_RW: Array, degree: int) -> Array:
    """Weights [R, W] of the slope in the middle of each window, for a polynomial of this degree."""
    middle = t_RW.shape[1] // 2
    away_RW = t_RW - t_RW[:, middle, None]
    reach_R1 = np.abs(away_RW).max(axis=1, keepdims=True)
    # equal steps have equal weights: they are computed once
    alike, which_R = np.unique(np.round(away_RW / reach_R1, 9), axis=0, return_inverse=True)
    weights = np.linalg.pinv(alike[..., None] ** np.arange(degree + 1))[:, 1]
    out_RW: Array = weights[which_R.ravel()] / reach_R1
    return out_RW
