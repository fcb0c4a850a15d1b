"""What a library's sums do along trajectories, as three quadratic forms.

For g = sum_m c_m f_m, of features scaled to unit variance over all samples:

    c' W c   the variance along trajectories
    c' N c   what the noise that is left in the states makes of it
    c' T c   the variance over all samples

so that chi-square = c'Wc / c'Nc and ratio = c'Wc / c'Tc of every sum follow from three small matrices. N comes from
replicas of the measurement, denoised alike: it holds curvature, and the correlations that denoising brings. Of vectors,
the forms are summed over components.

Legend: M terms, N samples, K sequences, B replicas.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from noether_dsl.formula import Formula
from numpy.typing import NDArray

from .terms import Term, Values

Array = NDArray[np.float64]

LARGEST = 1e150
"""Of a term: beyond, sums of squares are not finite."""
HEAVY = 0.03
"""A term whose quartiles lie closer than this share of its deviation is ruled by few samples, and not used."""
SENSITIVE = 3.0
"""Samples count less where noise moves the terms this much more than it typically does."""


@dataclass(frozen=True)
class Sample:
    """States with their sequences, and the same states with other noise.

    starts, counts: the first row of each sequence and how many it has. values, replicas: of terms at the states.
    reference: of terms at the states that say how much a sum could vary; None for the states themselves.
    """

    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    values: Values
    replicas: tuple[Values, ...] = ()
    reference: Values | None = None

    @classmethod
    def of(
        cls,
        columns: Mapping[str, Array],
        lengths: Sequence[int],
        replicas: Sequence[Mapping[str, Array]] = (),
        reference: Mapping[str, Array] | None = None,
    ) -> Sample:
        """columns: values by symbol at the stacked states; replicas, reference: likewise."""
        counts = np.asarray(lengths, dtype=np.int64)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        beside = None if reference is None else Values(reference)
        return cls(starts, counts, Values(columns), tuple(Values(r) for r in replicas), beside)

    @property
    def size(self) -> int:
        """N."""
        return int(self.counts.sum())

    def centred(self, f_MN: Array, weight_N: Array) -> Array:
        """Less each sequence's weighted mean, times the root of the weights."""
        weight_K = np.add.reduceat(weight_N, self.starts).clip(1e-300)
        means = np.add.reduceat(f_MN * weight_N, self.starts, axis=-1) / weight_K
        return (f_MN - np.repeat(means, self.counts, axis=-1)) * np.sqrt(weight_N)


@dataclass(frozen=True)
class Pencil:
    """The three forms of some terms on a sample, [M, M] each, of features divided by scale_M."""

    within: Array
    noise: Array
    total: Array
    scale_M: Array
    usable_M: NDArray[np.bool_]

    def part(self, chosen: NDArray[np.int64]) -> Pencil:
        """Of some of the terms."""
        form = np.ix_(chosen, chosen)
        return Pencil(
            self.within[form], self.noise[form], self.total[form], self.scale_M[chosen], self.usable_M[chosen]
        )


def ranks_of(terms: Sequence[Term]) -> int:
    """How many components the terms have."""
    return max((_rank(term.formula) for term in terms[:1]), default=1)


def _rank(formula: Formula) -> int:
    return max(formula.rank, 1)


def trust(terms: Sequence[Term], sample: Sample) -> Array:
    """Weights of the samples, [N]: those that are sensitive to noise (close encounters, poles) count less."""
    square_MN = np.zeros((len(terms), sample.size))
    for c in range(ranks_of(terms)):
        f_MN = sample.values.of(terms, c)
        with np.errstate(all="ignore"):
            for values in sample.replicas:
                square_MN += np.nan_to_num(np.square(values.of(terms, c) - f_MN), nan=0.0, posinf=0.0)
    typical_M = np.median(square_MN, axis=1, keepdims=True)
    used = (typical_M[:, 0] > 0) & np.isfinite(typical_M[:, 0])
    if not used.any():
        return np.ones(sample.size)
    excess_N = (square_MN[used] / typical_M[used]).mean(axis=0)
    return np.asarray((1.0 / np.maximum(excess_N / SENSITIVE, 1.0)) ** 2)


def _moderate(f_CMN: Array) -> NDArray[np.bool_]:
    """Which terms are finite everywhere, and small enough for their squares to be."""
    with np.errstate(invalid="ignore"):
        return np.asarray((np.abs(f_CMN) < LARGEST).all(axis=(0, 2)))


def pencil(
    terms: Sequence[Term], sample: Sample, scale_M: Array | None = None, *, weight_N: Array | None = None
) -> Pencil:
    """The forms of some terms; a term that has no finite value somewhere, or no variance, is not usable (and zero).

    scale_M: what to divide by; None for the deviations over this sample. weight_N: of the samples, all alike for None.
    """
    rank = ranks_of(terms)
    f_CMN = np.stack([sample.values.of(terms, c) for c in range(rank)])
    usable_M = _moderate(f_CMN)
    f_CMN[:, ~usable_M] = 0.0
    r_CMR = f_CMN
    if sample.reference is not None:
        r_CMR = np.stack([sample.reference.of(terms, c) for c in range(rank)])
        usable_M &= _moderate(r_CMR)
        r_CMR[:, ~usable_M] = 0.0
    size_M = np.sqrt(r_CMR.var(axis=2).mean(axis=0))
    usable_M &= size_M > 1e-10 * np.abs(f_CMN).max(axis=(0, 2)).clip(1e-300)
    low_CM, high_CM = np.quantile(f_CMN[:, :, :: max(sample.size // 400, 1)], (0.25, 0.75), axis=2)
    usable_M &= (high_CM - low_CM).max(axis=0) > HEAVY * size_M
    scale_M = np.where(usable_M, size_M, 1.0) if scale_M is None else scale_M
    f_CMN = f_CMN / scale_M[:, None]
    r_CMR = f_CMN if sample.reference is None else r_CMR / scale_M[:, None]
    changes = []
    for values in sample.replicas:
        other_CMN = np.stack([values.of(terms, c) for c in range(rank)])
        other_CMN[:, ~usable_M] = 0.0
        with np.errstate(all="ignore"):
            change_CMN = np.nan_to_num(other_CMN / scale_M[:, None] - f_CMN, nan=1e3, posinf=1e3, neginf=-1e3)
        changes.append(change_CMN.clip(-LARGEST, LARGEST))
    weight_N = np.ones(sample.size) if weight_N is None else weight_N
    freedom = float(weight_N.sum()) * (1.0 - len(sample.counts) / sample.size)
    count = len(terms)
    within, noise, total = np.zeros((count, count)), np.zeros((count, count)), np.zeros((count, count))
    for c in range(rank):
        along = sample.centred(f_CMN[c], weight_N)
        within += along @ along.T / freedom / rank
        for change_CMN in changes:
            change = sample.centred(change_CMN[c], weight_N)
            noise += change @ change.T / freedom / len(changes) / rank
        w_R = weight_N if sample.reference is None else np.ones(r_CMR.shape[2])
        away = (r_CMR[c] - (r_CMR[c] @ w_R)[:, None] / w_R.sum()) * np.sqrt(w_R)
        total += away @ away.T / w_R.sum() / rank
    return Pencil(within, noise, total, scale_M, usable_M)
