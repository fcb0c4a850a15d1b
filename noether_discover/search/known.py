"""What follows from what is known: functions of found laws, and sums that hold because those do.

Two tools. Gradients over the data tell whether a sum is a function of others (`independent_share`). And before a
library is searched, every sum in it that follows from known laws (their products) or known constraints (their
multiples) loses its most complex term, so that what is found next is new (`without_known`): exact identities between
functions, whatever the noise in the coefficients.

Legend: M terms, N states, D columns, G quantities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .pencils import Sample, ranks_of
from .sparse import pivots
from .terms import Term, Values, monomials, with_number

Array = NDArray[np.float64]

LAW, CONSTRAINT, CONSTANT, APPROXIMATE = "law", "constraint", "constant", "approximate"
ALIKE, ALIKE_EXACTLY = 0.03, 1e-6
"""How much known gradients must differ to span two directions, with noise and without."""
STEP = 1e-4
"""Of a column's deviation, for central differences."""
MOST_IN_TRIPLES = 5
"""With more laws, products of three of them are not asked for."""
_IDENTICAL = 1e-7


@dataclass(frozen=True)
class Numbers:
    """Other numbers for a sum: coefficients as its own, and what the number inside its terms is multiplied by."""

    coefficients: tuple[float, ...]
    factor: float = 1.0


@dataclass(frozen=True)
class Refits:
    """The numbers of a sum as all sequences give them (whole), without each one of these (left_out), and from other
    measurements of the same motions (measured)."""

    whole: Numbers
    left_out: tuple[Numbers, ...]
    measured: tuple[Numbers, ...]


@dataclass(frozen=True)
class Sum:
    """A sum of terms that is conserved, or has one value.

    kind: a law, a constraint, or a constant column. coefficients: of the terms, the largest term's is 1.
    chi2, chi2_heldout: reduced chi-squares on training and held-out sequences. ratio_heldout: within over total.
    limit: the chi-square that its samples allow. score: its price, less is better.
    pooled: the chi-square on both. free: numbers that were fitted. new: the components that follow from nothing before.
    ratio_apart: the least ratio of its terms where columns do not belong together. p_value: see `significance`.
    informative: its variance over that of its terms; a sum of nearly cancelling terms has none.
    trusted: the mean weight of the samples that it was fitted to.
    settled: whether the data tell the number inside its terms, if there is one.
    ties: of each term the group whose number it shares, and its fixed ratio to that. refits: see `precision`.
    """

    terms: tuple[Term, ...]
    coefficients: tuple[float, ...]
    library: str
    kind: str = LAW
    chi2: float = 0.0
    chi2_heldout: float = 0.0
    ratio_heldout: float = 0.0
    limit: float = 1.0
    score: float = 0.0
    pooled: float = 0.0
    free: int = 1
    informative: float = 1.0
    trusted: float = 1.0
    settled: bool = True
    new: tuple[int, ...] = (0,)
    ratio_apart: float = 1.0
    p_value: float = float("nan")
    ties: tuple[tuple[int, float], ...] = ()
    refits: Refits | None = None

    def with_numbers(self, numbers: Numbers) -> Sum:
        """The same terms with other numbers."""
        return replace(self, terms=tuple(with_number(self.terms, numbers.factor)), coefficients=numbers.coefficients)

    def with_components(self, new: Sequence[int]) -> Sum:
        """The same, with the components that are no functions of what was known before."""
        return replace(self, new=tuple(new))

    @property
    def number(self) -> int:
        """How many independent laws or constraints it is; a constant column is none."""
        return 0 if self.kind == CONSTANT else len(self.new)

    def __str__(self) -> str:
        words = []
        for c, term in zip(self.coefficients, self.terms, strict=True):
            inside = f"[{', '.join(f'{v:.4g}' for v in term.values)}]" if term.values else ""
            words.append(f"{c:.6g}*{term}{inside}")
        return " + ".join(words)

    @property
    def rank(self) -> int:
        """How many numbers it stands for: 1, or a vector's components."""
        return ranks_of(self.terms)

    @property
    def inputs(self) -> frozenset[str]:
        """The columns that it reads."""
        return frozenset().union(*(term.formula.inputs for term in self.terms))

    def at(self, values: Values, component: int = 0) -> Array:
        """Its values at states, [N]."""
        return np.asarray(np.asarray(self.coefficients) @ values.of(self.terms, component))


@dataclass(frozen=True)
class Places:
    """States at which gradients are taken, and the deviations of the columns that count."""

    columns: dict[str, Array]
    scale: dict[str, float]

    def slopes(self, sum_: Sum, component: int = 0) -> Array:
        """The gradient in units of the columns' deviations, [N, D], by central differences."""
        out = []
        for symbol, scale in self.scale.items():
            sides = []
            for sign in (1.0, -1.0):
                moved = {**self.columns, symbol: self.columns[symbol] + sign * STEP * scale}
                sides.append(sum_.at(Values(moved), component))
            out.append((sides[0] - sides[1]) / (2.0 * STEP))
        return np.nan_to_num(np.stack(out, axis=1))

    def gradients(self, sum_: Sum) -> list[Array]:
        """One gradient per component, of unit length in the mean; no few states near a pole decide."""
        found = []
        for component in range(sum_.rank):
            g_ND = self.slopes(sum_, component)
            size_N = np.linalg.norm(g_ND, axis=1)
            g_ND = g_ND * (np.minimum(size_N, 3.0 * np.median(size_N)) / size_N.clip(1e-300))[:, None]
            found.append(g_ND / np.sqrt(np.mean((g_ND**2).sum(axis=1))).clip(1e-300))
        return found

    def steepness(self, sum_: Sum) -> float:
        """How much the sum changes when the columns change by their deviations, typically."""
        return float(np.sqrt(np.median((self.slopes(sum_) ** 2).sum(axis=1))))


def independent_share(gradient_ND: Array, known: Sequence[Array], alike: float = ALIKE) -> float:
    """What is left of a gradient beside the known ones: its share of the mean square, 0 for a function of them.

    alike: known gradients that differ by less than this share span no more than one of them.
    """
    whole = float((gradient_ND**2).sum())
    if whole == 0.0:
        return 0.0
    if not known:
        return 1.0
    units = [g / np.linalg.norm(g, axis=1, keepdims=True).clip(1e-300) for g in known]
    left, values, _ = np.linalg.svd(np.stack(units, axis=-1), full_matrices=False)
    left = left * (values > alike * values.max(axis=1, keepdims=True))[:, None, :]
    inside = np.einsum("nd,ndl->nl", gradient_ND, left)
    return float((whole - (inside**2).sum()) / whole)


def follows(law: Sum, known: Sequence[Sum], samples: Sequence[Sample]) -> float:
    """How much of the variance of a sum's means over sequences quadratic functions of the means of known laws explain:
    the adjusted coefficient of determination; linear ones where sequences are few."""
    numbers = [(s, c) for s in known if s.kind == LAW for c in range(s.rank)]
    if not numbers:
        return 0.0
    y_K = _means(law, 0, samples)
    z_LK = np.stack([_means(s, c, samples) for s, c in numbers])
    z_LK = (z_LK - z_LK.mean(axis=1, keepdims=True)) / z_LK.std(axis=1, keepdims=True).clip(1e-300)
    columns = [np.ones(len(y_K)), *z_LK]
    squares = [a * b for i, a in enumerate(z_LK) for b in z_LK[i:]]
    if len(columns) + len(squares) <= len(y_K) // 2:
        columns += squares
    if len(columns) > len(y_K) // 2:
        return 0.0
    a_KC = np.stack(columns, axis=1)
    rest_K = y_K - a_KC @ np.linalg.lstsq(a_KC, y_K, rcond=None)[0]
    whole = float(y_K.var(ddof=1))
    return 1.0 - float(rest_K @ rest_K) / (len(y_K) - len(columns)) / whole if whole > 0 else 0.0


def _means(law: Sum, component: int, samples: Sequence[Sample]) -> Array:
    """Over each sequence, [K]."""
    return np.concatenate([np.add.reduceat(law.at(s.values, component), s.starts) / s.counts for s in samples])


def new_components(
    gradients: Sequence[Array], known: Sequence[Array], least: float, *, alike: float = ALIKE, most: int | None = None
) -> list[int]:
    """Which components of a quantity, at most `most`, are no functions of the known ones and those before."""
    found: list[int] = []
    for component, gradient in enumerate(gradients):
        beside = [*known, *(gradients[c] for c in found)]
        if (most is None or len(found) < most) and independent_share(gradient, beside, alike) >= least:
            found.append(component)
    return found


def without_known(
    terms: Sequence[Term], allowed_M: NDArray[np.bool_], complexity_M: Array, scale_M: Array, known: Sequence[Sum],
    train: Sample, shuffled: Sample, symbols: Sequence[str],
) -> NDArray[np.bool_]:  # fmt: skip
    """Which terms are left when every sum that follows from what is known has lost one.

    shuffled: states off the data, where a constraint varies, so that its multiples can be told.
    """
    if not known or not allowed_M.any():
        return allowed_M
    keep = np.flatnonzero(allowed_M)
    left, rank = [terms[int(i)] for i in keep], ranks_of(terms)
    vectors = [
        _expressed(g_GCN, sample, left, scale_M[keep])
        for g_GCN, sample in (
            (_products(known, train, rank), train),
            (_multiples(known, train, shuffled, symbols) if rank == 1 else None, shuffled),
        )
        if g_GCN is not None
    ]
    both = np.concatenate(vectors, axis=1) if vectors else np.zeros((len(keep), 0))
    if not both.shape[1]:
        return allowed_M
    out = allowed_M.copy()
    out[keep[pivots(both, complexity_M[keep])]] = False
    return out


def _products(known: Sequence[Sum], train: Sample, rank: int) -> Array | None:
    """Laws, and products of two and three of them; of vectors, those by numbers. [G, C, N]"""
    laws = [s for s in known if s.kind != CONSTRAINT]
    numbers = [_of_size_one(s.at(train.values, c)) for s in laws for c in range(s.rank)]
    if rank > 1:
        own = [np.stack([s.at(train.values, c) for c in range(rank)]) for s in laws if s.rank == rank]
        whole = own + [number * vector for number in numbers for vector in own]
        return np.stack(whole) if whole else None
    found = [*numbers, *(a * b for i, a in enumerate(numbers) for b in numbers[i:])]
    if len(numbers) <= MOST_IN_TRIPLES:
        found += [a * b * c for i, a in enumerate(numbers) for j, b in enumerate(numbers[i:], i) for c in numbers[j:]]
    return np.stack(found)[:, None] if found else None


def _of_size_one(x_N: Array) -> Array:
    """By its largest: products of three stay numbers, whatever the units."""
    return np.asarray(x_N / np.abs(x_N).max().clip(1e-300))


def _multiples(known: Sequence[Sum], train: Sample, shuffled: Sample, symbols: Sequence[str]) -> Array | None:
    """What a constraint is zero of, times products of up to two columns, off the data. [G, 1, N]"""
    found: list[Array] = []
    for s in known:
        if s.kind == CONSTRAINT:
            zero_N = _of_size_one(s.at(shuffled.values) - float(np.mean(s.at(train.values))))
            found += [zero_N, *(zero_N * shuffled.values.of(monomials(tuple(symbols), 2)))]
    return np.stack(found)[:, None] if found else None


def _expressed(g_GCN: Array, sample: Sample, terms: Sequence[Term], scale_M: Array) -> Array:
    """The quantities that are sums of the terms, as vectors [M, G]: exact identities, whatever the noise."""
    rank = g_GCN.shape[1]
    size = g_GCN.shape[2]
    rows = np.unique(np.linspace(0, size - 1, min(size, 3 * len(terms) // rank + 50)).astype(int))

    def flat(x_XCN: Array) -> Array:
        some = x_XCN[:, :, rows]
        return (some - some.mean(axis=2, keepdims=True)).reshape(len(some), -1)

    f = flat(np.stack([sample.values.of(terms, c) for c in range(rank)], axis=1) / scale_M[:, None, None])
    g = flat(g_GCN / np.abs(g_GCN).max(axis=(1, 2), keepdims=True).clip(1e-300))
    g = g / np.sqrt((g**2).mean(axis=1, keepdims=True)).clip(1e-300)
    solution, *_ = np.linalg.lstsq(f.T, g.T, rcond=1e-11)
    off = np.sqrt(np.mean((f.T @ solution - g.T) ** 2, axis=0))
    vectors = np.asarray(solution[:, off < _IDENTICAL])
    vectors[np.abs(vectors) < _IDENTICAL * np.abs(vectors).max(axis=0, initial=0.0)] = 0.0
    return vectors


Log = Callable[[str], None]
