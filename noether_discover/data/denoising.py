"""Denoised states: what a window of samples over all columns has in common with the other windows.

A trajectory of a smooth system is smooth, and its columns go together. Windows of W successive samples over all D
columns, in units of the noise, therefore lie near few directions of their W D dimensions, and noise lies in all of
them alike. Directions whose variance is above what noise alone can reach (the Marchenko-Pastur edge: Johnstone 2001)
are kept whole, and the windows that hold a sample are averaged. Shrinking them by their noise, as Wiener would, leaves
a smaller error, but one that is bias, which no replica of the measurement shows; the chi-square of a true law would
then be 1.4 where it is 1.1 (FPUT and Kepler at 10 % noise). Clusters of alike windows have fewer directions still.

How wide the windows are and how many clusters there are is decided column by column by Stein's unbiased estimate of
the error (Stein 1981): half of the trajectories make a filter, the others are denoised by it, and a filter that was
made elsewhere is linear, with an exact divergence.

Legend: K trajectories, T samples, D columns, F of them filtered, W samples in a window, V windows, C clusters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .smoothing import pieces, unwrapped
from .trajectories import Trajectories

Array = NDArray[np.float64]

WIDTHS = (1, 5, 9, 15, 25, 35)
CLUSTERS = (1, 5, 15)
BLENDED, ALMOST_BEST = 3, 1.15
"""The estimate is the mean of at most so many filters, whose risk is at most so many times the least."""
LARGEST_WINDOW = 400
"""Numbers in a window: beyond, its covariance costs more than it tells."""
_LEAST = 0.01  # no estimate of a risk is finer
WINDOWS_PER_DIMENSION = 2.0
"""A cluster must hold this many windows for each number in a window."""


@dataclass(frozen=True)
class _Projection:
    """One cluster's windows: their mean [W D] and the directions that they are in [W D, Q]."""

    mean: Array
    directions: Array

    def __call__(self, windows_VN: Array) -> Array:
        return self.mean + ((windows_VN - self.mean) @ self.directions) @ self.directions.T


@dataclass(frozen=True)
class _Filter:
    """A denoiser with its decisions made: a projection for each cluster of windows of one width."""

    width: int
    places: _Places
    projections: tuple[_Projection, ...]

    def __call__(self, series: Sequence[Array], clusters_V: NDArray[np.int64] | None = None) -> list[Array]:
        """Series [T, D] in units of the noise, denoised.

        clusters_V: where their windows belong; linear in the series once that is given.
        """
        windows_VN = _windows(series, self.width)
        clusters_V = self.places(windows_VN) if clusters_V is None else clusters_V
        clean_VN = np.empty_like(windows_VN)
        for c, projection in enumerate(self.projections):
            own = clusters_V == c
            if own.any():
                clean_VN[own] = projection(windows_VN[own])
        return _averaged(clean_VN, series, self.width)

    def risk(self, series: Sequence[Array]) -> Array:
        """Stein's estimate of the mean squared error on series that it was not made from, [D]; 1 is the noise's."""
        clusters_V = self.places(_windows(series, self.width))
        own_CN = np.stack([(p.directions**2).sum(axis=1) for p in self.projections])
        kept = np.concatenate(_averaged(own_CN[clusters_V], series, self.width))
        away = np.concatenate(self(series, clusters_V)) - np.concatenate(series)
        return np.asarray((away**2).mean(axis=0) - 1.0 + 2.0 * kept.mean(axis=0))


def _windows(series: Sequence[Array], width: int) -> Array:
    """All windows of all series, one below the other, [V, W D]."""
    parts = [
        np.lib.stride_tricks.sliding_window_view(x, width, axis=0).transpose(0, 2, 1).reshape(-1, width * x.shape[1])
        for x in series
    ]
    return np.ascontiguousarray(np.concatenate(parts))


def _averaged(windows_VN: Array, series: Sequence[Array], width: int) -> list[Array]:
    """Each sample's mean over the windows that hold it."""
    out, begin = [], 0
    for x_TD in series:
        length, dimension = x_TD.shape
        number = length - width + 1
        own = windows_VN[begin : begin + number].reshape(number, width, dimension)
        begin += number
        total, weight = np.zeros_like(x_TD), np.zeros((length, 1))
        for place in range(width):
            total[place : place + number] += own[:, place]
            weight[place : place + number] += 1.0
        out.append(total / weight)
    return out


def _projection(windows_VN: Array) -> _Projection:
    """What these windows have in common, above unit noise."""
    number, size = windows_VN.shape
    mean = windows_VN.mean(axis=0)
    away = windows_VN - mean
    values, vectors = np.linalg.eigh(away.T @ away / number)
    shape = size / number
    edge = (1.0 + np.sqrt(shape)) ** 2
    return _Projection(mean, vectors[:, values > edge])


@dataclass(frozen=True)
class _Places:
    """Clusters of windows: k-means on their leading directions."""

    mean: Array
    axes: Array
    centres: Array

    def __call__(self, windows_VN: Array) -> NDArray[np.int64]:
        leading = (windows_VN - self.mean) @ self.axes
        return _nearest(leading, self.centres)


def _nearest(points: Array, centres: Array) -> NDArray[np.int64]:
    return np.asarray(((centres**2).sum(axis=1) - 2.0 * points @ centres.T).argmin(axis=1))


def _places(windows_VN: Array, number: int, seed: int, rounds: int = 8, directions: int = 6) -> _Places:
    mean = windows_VN.mean(axis=0)
    if number == 1:
        return _Places(mean, np.zeros((len(mean), 1)), np.zeros((1, 1)))
    away = windows_VN - mean
    values, vectors = np.linalg.eigh(away.T @ away / len(away))
    axes = vectors[:, -directions:] / np.sqrt(np.maximum(values[-directions:], 1e-300))
    leading = away @ axes
    centres = leading[np.random.default_rng(seed).choice(len(leading), number, replace=False)]
    for _ in range(rounds):
        nearest = _nearest(leading, centres)
        for c in range(number):
            if (own := nearest == c).any():
                centres[c] = leading[own].mean(axis=0)
    return _Places(mean, axes, centres)


def _filter(series: Sequence[Array], width: int, clusters: int, seed: int) -> _Filter | None:
    windows_VN = _windows(series, width)
    number, size = windows_VN.shape
    if number < clusters * WINDOWS_PER_DIMENSION * size or size > LARGEST_WINDOW or 2 * clusters > size:
        return None  # in few dimensions the noise of one sample decides on the cluster
    places = _places(windows_VN, clusters, seed)
    nearest = places(windows_VN)
    sizes = np.bincount(nearest, minlength=clusters)
    whole: _Projection | None = None
    projections = []
    for c in range(clusters):
        if sizes[c] >= WINDOWS_PER_DIMENSION / 2 * size:
            projections.append(_projection(windows_VN[nearest == c]))
        else:
            whole = whole or _projection(windows_VN)
            projections.append(whole)
    return _Filter(width, places, tuple(projections))


Remade = Callable[[list[Array]], list[Array]]
"""States [K][T, D] in which columns that were made of others are made anew."""
_Kind = tuple[int, int] | None
"""Width and number of clusters of a filter; None for the data as they are."""


@dataclass(frozen=True)
class Denoised:
    """Trajectories without most of their noise, and how to draw the errors that are left.

    trajectories: the same samples, denoised; angles unwrapped.
    noise_D: the measurement noise that was assumed.
    error_D: the estimated error that is left, as a standard deviation per column.
    """

    trajectories: Trajectories
    noise_D: Array
    error_D: Array
    _filtered: NDArray[np.int64]
    _kinds_DB: tuple[tuple[_Kind, ...], ...]
    _seed: int
    _remade: Remade | None = None

    def replicas(self, number: int, seed: int) -> list[list[Array]]:
        """The denoised states of repeated measurements of these: fresh noise, filters of the same kinds made anew.

        [number][K][T, D]. Their differences from the states are what is left of noise, with its correlations in time
        and between columns, what a filter takes over from the noise that it was made from, and its bias.
        """
        rng = np.random.default_rng(seed)
        return [
            self._cleaned([x + rng.normal(size=x.shape) * self.noise_D for x in self.trajectories.states])
            for _ in range(number)
        ]

    def _cleaned(self, states: Sequence[Array]) -> list[Array]:
        """The filtered columns of some measurement of these trajectories denoised, those that are made of them made
        anew, the others as they are."""
        if not len(self._filtered):
            return list(states)
        own = self._filtered
        series, cuts = _parted(self.trajectories, [x[:, own] / self.noise_D[own] for x in states])
        clean = _joined(_blended(series, self._kinds_DB, self._seed), cuts)
        out = []
        for x_TD, y_TF in zip(states, clean, strict=True):
            copy = x_TD.copy()
            copy[:, own] = y_TF * self.noise_D[own]
            out.append(copy)
        return out if self._remade is None else self._remade(out)


def denoised(
    trajectories: Trajectories,
    noise_D: Array,
    as_they_are_D: NDArray[np.bool_] | None = None,
    seed: int = 0,
    remaking: Callable[[Trajectories, Array], Remade | None] | None = None,
) -> Denoised:
    """The best of the filters for each column (the mean of the best); the data themselves where none is better.

    noise_D: standard deviation of white measurement noise per column, positive.
    as_they_are_D: columns that no filter may touch or learn from (the time, constants, what was smoothed already).
    remaking: denoised trajectories and the error that is left in them -> how columns are made of others.
    """
    straight = unwrapped(trajectories)
    filtered = np.arange(len(noise_D)) if as_they_are_D is None else np.flatnonzero(~as_they_are_D)
    error_D = np.array(noise_D, dtype=float)
    kinds_DB: list[tuple[_Kind, ...]] = []
    if len(filtered):
        series, _ = _parted(straight, [x[:, filtered] / noise_D[filtered] for x in straight.states])
        kinds, risk_CF = _risks(series, seed)
        for risk_C in risk_CF.T:
            best = np.argsort(risk_C, kind="stable")[:BLENDED]
            kinds_DB.append(tuple(kinds[c] for c in best if risk_C[c] <= ALMOST_BEST * max(risk_C[best[0]], _LEAST)))
        error_D[filtered] *= np.sqrt(np.maximum(risk_CF.min(axis=0), _LEAST))
    found = Denoised(straight, noise_D, error_D, filtered, tuple(kinds_DB), seed)
    states = tuple(found._cleaned(straight.states))
    clean = replace(straight, states=states, given_derivatives=None)
    remade = remaking(clean, error_D) if remaking is not None and len(filtered) else None
    if remade is not None:
        clean = replace(clean, states=tuple(remade(list(clean.states))))
    return replace(found, trajectories=clean, _remade=remade)


def _risks(series: Sequence[Array], seed: int) -> tuple[list[_Kind], Array]:
    """Kinds of filters, and the risk of each in every column, [C, F]; the data as they are come first, with risk 1."""
    kinds: list[_Kind] = [None]
    risks = [np.ones(series[0].shape[1])]
    shortest = min(len(x) for x in series)
    for width in WIDTHS if len(series) > 1 else ():
        for clusters in CLUSTERS if width <= shortest else ():
            halves = [_filter(series[i::2], width, clusters, seed) for i in (0, 1)]
            if halves[0] is None or halves[1] is None:
                continue
            risks.append(0.5 * (halves[0].risk(series[1::2]) + halves[1].risk(series[0::2])))
            kinds.append((width, clusters))
    return kinds, np.array(risks)


def _blended(series: list[Array], kinds_DB: tuple[tuple[_Kind, ...], ...], seed: int) -> list[Array]:
    """Each column's mean over the results of its filters."""
    results: dict[_Kind, list[Array]] = {}
    for kind in {kind for kinds in kinds_DB for kind in kinds}:
        made = None if kind is None else _filter(series, *kind, seed)
        results[kind] = series if made is None else made(series)
    return [
        np.stack([np.mean([results[c][k][:, d] for c in kinds], axis=0) for d, kinds in enumerate(kinds_DB)], axis=1)
        for k in range(len(series))
    ]


def _parted(trajectories: Trajectories, states: Sequence[Array]) -> tuple[list[Array], list[int]]:
    """Series without holes, and how many of them each trajectory gave."""
    parts, counts = [], []
    for x, t in zip(states, trajectories.times, strict=True):
        own = [x[piece] for piece in pieces(t)]
        parts += own
        counts.append(len(own))
    return parts, counts


def _joined(parts: list[Array], counts: list[int]) -> list[Array]:
    out, begin = [], 0
    for count in counts:
        out.append(np.concatenate(parts[begin : begin + count]))
        begin += count
    return out
