"""What errors over windows say, when the windows of one episode are not independent; and whether a number is conserved.

N windows, G groups (episodes, clips), R draws, T steps, d components of an embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError

Array = np.ndarray

DRAWS = 10_000
"""Resampled sets of groups: the ends of a 95 % interval are then known to about a hundredth of its width."""

AT_ONCE = 4_000_000
"""Counts of draws times groups that are held at once: 32 MB."""


@dataclass(frozen=True)
class Ratio:
    """A ratio of mean errors with its 95 % percentile interval; under 1, the first arm is better.

    The interval is nan for a single group: one episode says nothing about another.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Band:
    """A mean over windows with its 95 % percentile interval, [T] each."""

    mean: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class WithinOverBetween:
    """How much an embedding moves within a clip, beside how much clips differ: 0 is conserved.

    components [d]: the variance over time, mean over clips, divided by the variance over clips of their means; total:
    the same with the sums over components. Clips weigh equally whatever their length; variances divide by the number
    of values. A number that is independent from frame to frame has T - 1; one that is the same everywhere has nan.
    """

    components: Array
    total: float


def paired_ratio(errors_a: Array, errors_b: Array, groups: Array, draws: int = DRAWS, seed: int = 0) -> Ratio:
    """The mean error of arm a over that of arm b on the same windows, [N] each.

    groups: the episode or clip that each window comes from. Whole groups are drawn, with all their windows in both
    arms (paired bootstrap, Efron and Tibshirani 1993): windows of one episode share its errors, and counting them
    singly would make the interval too narrow.

    Raises DataError for lengths that differ, errors that are negative or not finite, and an arm b without any error.
    """
    a_N, b_N = np.asarray(errors_a, dtype=float), np.asarray(errors_b, dtype=float)
    if a_N.shape != b_N.shape:
        raise DataError(f"the arms have {len(a_N)} and {len(b_N)} errors; give both for the same windows")
    if (a_N < 0).any() or (b_N < 0).any():
        raise DataError("errors are negative; a ratio is for mean squared errors, not for PSNR or the like")
    _, sums_G2 = _sums(np.stack([a_N, b_N], axis=-1), groups)
    whole_a, whole_b = sums_G2.sum(axis=0)
    if whole_b == 0:
        raise DataError("the second arm has no error anywhere; nothing can be compared with it")
    if len(sums_G2) == 1:
        return Ratio(float(whole_a / whole_b), float("nan"), float("nan"))
    drawn_R2 = np.concatenate([counts_RG @ sums_G2 for counts_RG in _draws(len(sums_G2), draws, seed)])
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanquantile(drawn_R2[:, 0] / drawn_R2[:, 1], [0.025, 0.975])
    return Ratio(float(whole_a / whole_b), float(low), float(high))


def band(errors_NT: Array, groups: Array, draws: int = DRAWS, seed: int = 0) -> Band:
    """The mean over windows at every step with the interval of whole groups drawn anew, for `pictures.horizon_plot`.

    The interval is nan for a single group. Raises DataError for lengths that differ and values that are not finite.
    """
    windows_G, sums_GT = _sums(np.asarray(errors_NT, dtype=float), groups)
    mean_T = sums_GT.sum(axis=0) / windows_G.sum()
    if len(windows_G) == 1:
        nothing = np.full_like(mean_T, np.nan)
        return Band(mean_T, nothing, nothing)
    drawn = [
        (counts_RG @ sums_GT) / (counts_RG @ windows_G)[:, None] for counts_RG in _draws(len(windows_G), draws, seed)
    ]
    low_T, high_T = np.quantile(np.concatenate(drawn), [0.025, 0.975], axis=0)
    return Band(mean_T, low_T, high_T)


def thirds(horizon: int) -> dict[str, slice]:
    """The early, middle and late third of the predicted steps, as nearly equal as whole steps allow.

    Raises DataError for fewer than three steps.
    """
    if horizon < 3:
        raise DataError(f"a horizon of {horizon} has no thirds; predict at least 3 frames")
    ends = [round(horizon * k / 3) for k in range(4)]
    return {name: slice(ends[k], ends[k + 1]) for k, name in enumerate(("early", "middle", "late"))}


def within_over_between(g_NTd: Array | Sequence[Array]) -> WithinOverBetween:
    """Is an embedding conserved? Its outputs for each clip, [N, T, d] or N arrays [T, d].

    Raises DataError for fewer than two clips.
    """
    clips = [np.asarray(g_Td, dtype=float) for g_Td in g_NTd]
    if len(clips) < 2:
        raise DataError("one clip has no variance between clips; give at least two")
    # measured from a value of their own, so that what is constant has no variance at all rather than its rounding
    within_d = np.mean([(g_Td - g_Td[0]).var(axis=0) for g_Td in clips], axis=0)
    between_d = np.var([(g_Td - clips[0][0]).mean(axis=0) for g_Td in clips], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return WithinOverBetween(within_d / between_d, float(within_d.sum() / between_d.sum()))


def pearson(x_N: Array, y_N: Array) -> float:
    """Linear correlation, in [-1, 1]; nan when either is constant. Raises DataError for lengths that differ."""
    x_N, y_N = np.asarray(x_N, dtype=float), np.asarray(y_N, dtype=float)
    if x_N.shape != y_N.shape or x_N.ndim != 1:
        raise DataError(f"{list(x_N.shape)} and {list(y_N.shape)} values cannot be correlated; give pairs")
    if not len(x_N) or (x_N == x_N[0]).all() or (y_N == y_N[0]).all():
        return float("nan")
    x_N, y_N = x_N - x_N.mean(), y_N - y_N.mean()
    return float(np.clip(x_N @ y_N / (np.linalg.norm(x_N) * np.linalg.norm(y_N)), -1, 1))


def spearman(x_N: Array, y_N: Array) -> float:
    """Rank correlation: 1 for any increasing relation; equal values share their mean rank. As `pearson` otherwise."""
    return pearson(_ranks(x_N), _ranks(y_N))


def _ranks(x_N: Array) -> Array:
    _, place_N, counts = np.unique(np.asarray(x_N, dtype=float), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place_N]


def _sums(errors_N: Array, groups: Any) -> tuple[Array, Array]:
    """Windows of each group [G], and the sums of their errors [G, ...]."""
    labels = np.asarray(groups)
    if labels.shape != errors_N.shape[:1]:
        raise DataError(f"{len(errors_N)} errors for groups of {list(labels.shape)}; name the episode of every window")
    if not len(labels):
        raise DataError("there are no windows to compare")
    if not np.isfinite(errors_N).all():
        raise DataError("errors are not finite; count such windows and leave them out of both arms")
    _, place_N, windows_G = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(windows_G), *errors_N.shape[1:]))
    np.add.at(sums, place_N, errors_N)
    return windows_G, sums


def _draws(groups: int, draws: int, seed: int) -> Iterator[Array]:
    """How often each of the groups is in each draw, [R, G] in parts."""
    rng = np.random.default_rng(seed)
    share = np.full(groups, 1 / groups)
    part = max(1, AT_ONCE // groups)
    for start in range(0, draws, part):
        yield rng.multinomial(groups, share, size=min(part, draws - start)).astype(float)
