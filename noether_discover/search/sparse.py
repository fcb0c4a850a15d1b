"""From the sums that are conserved to the ones that people would write.

Where a library holds conserved sums at all, it holds a space of them. `simplest_exact` takes the vector of that space
with the simplest terms (Gauss elimination, the most complex terms first). Under noise the space has no sharp edge:
`eliminated` takes terms away one after the other, the one that is missed least first, and watches the chi-square.

Legend: M terms, Q vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

Array = NDArray[np.float64]


PRICE_OF_COMPLEXITY = 0.15
PRICE_OF_MISFIT = 40.0
SLACK = 1.1
"""A chi-square up to this costs nothing."""
RIDGES = 1e-14, 1e-12, 1e-10, 1e-8
"""Of a form's mean variance: what makes it positive."""
NOISE_SHARE = 0.85
"""Of the noise form, that is taken off the within form where sums compete; all of it would let noise win."""
MOST_TERMS = 18
_TOLERABLE = 6.0
_BEYOND = 8.0


@dataclass(frozen=True)
class Sparse:
    """A sparse sum: which terms, and its chi-square."""

    support: tuple[int, ...]
    chi2: float
    price: float


def price(complexities: Sequence[float], chi2: float) -> float:
    """Of a sum: its terms, their complexity, and what noise does not explain."""
    misfit = PRICE_OF_MISFIT * max(0.0, float(np.log(max(chi2, 1e-300) / SLACK)))
    return len(complexities) + PRICE_OF_COMPLEXITY * float(sum(complexities)) + misfit


def quotient(c: Array, above: Array, below: Array) -> float:
    """c'Ac / c'Bc."""
    return float(c @ above @ c) / max(float(c @ below @ c), 1e-300)


def smallest(a: Array, b: Array, number: int) -> tuple[Array, Array]:
    """The smallest generalised eigenvalues of (a, b) and their vectors, [Q] and [M, Q]; b positive."""
    size = len(a)
    scale = max(float(np.trace(b)) / size, 1e-300)
    for ridge in RIDGES:
        try:
            values, vectors = scipy.linalg.eigh(
                a, b + ridge * scale * np.eye(size), subset_by_index=[0, min(number, size) - 1], check_finite=False
            )
        except np.linalg.LinAlgError:  # positive but for rounding, which a larger ridge outweighs
            if ridge == RIDGES[-1]:
                raise
        else:
            break
    return values, vectors


def pivots(vectors_MQ: Array, complexity_M: Array) -> list[int]:
    """Terms by which a space of sums can be told from the rest: one per vector, the most complex ones.

    What is left of the library without them holds no vector of the space.
    """
    rows = np.array(vectors_MQ.T, copy=True)
    found: list[int] = []
    order = np.argsort(-complexity_M, kind="stable")
    done = 0
    size = np.abs(rows).max(axis=1, keepdims=True).clip(1e-300)
    rows = rows / size
    for m in order:
        if done == len(rows):
            break
        best = done + int(np.abs(rows[done:, m]).argmax())
        if abs(rows[best, m]) < 1e-5 * np.abs(rows[best]).max().clip(1e-300):
            continue
        rows[[done, best]] = rows[[best, done]]
        rows[done] /= rows[done, m]
        others = np.arange(len(rows)) != done
        rows[others] -= rows[others, m : m + 1] * rows[done]
        found.append(int(m))
        done += 1
    return found


def simplest_exact(vectors_MQ: Array, order: NDArray[np.int64]) -> Array:
    """The vector of a space that does without the terms of `order`, as many of the first ones as can be. [M]"""
    basis = np.array(vectors_MQ, copy=True)
    basis /= np.linalg.norm(basis, axis=0)
    for m in order:
        if basis.shape[1] == 1:
            break
        row = basis[m]
        if np.abs(row).max() < 1e-9:
            continue
        pivot = int(np.abs(row).argmax())
        others = [q for q in range(basis.shape[1]) if q != pivot]
        basis = basis[:, others] - basis[:, pivot : pivot + 1] * (row[others] / row[pivot])
        basis[m] = 0.0
        basis, _ = np.linalg.qr(basis)
        basis[m] = 0.0
    return np.asarray(basis[:, 0])


def eliminated(
    within: Array,
    noise: Array,
    total: Array,
    complexity_M: Array,
    *,
    dearest_first: bool = True,
    most: int = MOST_TERMS,
) -> Sparse | None:
    """Take terms away until what is left would no longer be conserved: the best sum on the way.

    dearest_first: of the terms that are hardly missed the most complex goes; else the one that is missed least.
    most: terms in a sum.
    """
    active = np.arange(len(within))
    best: Sparse | None = None
    previous = np.inf
    while len(active):
        form = np.ix_(active, active)
        w, n, t = within[form], noise[form], total[form]
        values, vectors = spectrum(w - NOISE_SHARE * n, t)
        chi2 = quotient(vectors[:, 0], w, n)
        if len(active) <= 4 * most and chi2 < _TOLERABLE:  # where chi-square is what decides, take its own minimum
            own = refitted(w, n)
            if own @ n @ own < 0.5 * (own @ t @ own):
                chi2 = quotient(own, w, n)
        if len(active) <= most:
            support = tuple(active.tolist())
            found = Sparse(support, chi2, price(complexity_M[active].tolist(), chi2))
            best = found if best is None or found.price < best.price else best
            if chi2 > _BEYOND and chi2 > 3.0 * previous:
                break
        previous = min(previous, max(chi2, 0.5))
        if len(active) == 1:
            break
        rise = deletion(values, vectors) - values[0]
        active = np.delete(active, least_missed(rise, values, complexity_M[active], dearest_first))
    return best


def spectrum(a: Array, b: Array) -> tuple[Array, Array]:
    """All generalised eigenvalues of (a, b) and their vectors, [M] and [M, M]."""
    if len(a) == 1:
        return a[0] / b[0].clip(1e-300), 1.0 / np.sqrt(b.clip(1e-300))
    ridge = 1e-12 * float(np.trace(b)) / len(b)
    return scipy.linalg.eigh(a, b + ridge * np.eye(len(b)), check_finite=False)


def deletion(values_Q: Array, vectors_MQ: Array) -> Array:
    """The smallest eigenvalue without each term, [M]: the root of sum_q v_mq^2 / (lambda_q - x) in the first gap."""
    low = np.full(len(vectors_MQ), values_Q[0])
    high = np.full(len(vectors_MQ), values_Q[1])
    square = vectors_MQ**2
    for _ in range(40):
        middle = 0.5 * (low + high)
        gap = values_Q[None, :] - middle[:, None]
        gap = np.where(np.abs(gap) < 1e-300, 1e-300, gap)
        below = (square / gap).sum(axis=1) < 0  # the pole at the lower end still rules
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return 0.5 * (low + high)


def least_missed(rise: Array, values: Array, complexity: Array, dearest_first: bool) -> NDArray[np.int64]:
    """Which terms go next, by what the smallest eigenvalue rises without each; several while there are many."""
    many = max(1, len(rise) // 12) if len(rise) > 40 else 1
    if not dearest_first:
        return np.argsort(rise, kind="stable")[:many]
    free = rise <= max(1.5 * rise.min(), 1e-3 * max(values[1] - values[0], 1e-300))
    order = np.lexsort((rise, -complexity, ~free))
    return order[: min(many, int(free.sum()))]


def refitted(within: Array, noise: Array) -> Array:
    """The sum with the least chi-square, W against N, [M]."""
    if len(within) == 1:
        return np.ones(1)
    ridge = 1e-12 * float(np.trace(noise)) / len(noise)
    _, vectors = scipy.linalg.eigh(
        within, noise + ridge * np.eye(len(noise)), subset_by_index=[0, 0], check_finite=False
    )
    return np.asarray(vectors[:, 0])


def exhausted(
    within: Array, noise: Array, total: Array, complexity_M: Array, *, triples: int = 48, keep: int = 4
) -> list[tuple[int, ...]]:
    """The supports of the best sums of one, two and three terms: no greedy step can miss them.

    triples: so many of the simplest terms form triples.
    """
    found: list[tuple[float, tuple[int, ...]]] = []
    simplest = np.argsort(complexity_M, kind="stable")
    for number, most in ((1, 10_000), (2, 250), (3, triples)):
        some = simplest[:most]
        if len(some) < number:
            break
        supports = some[np.array(list(combinations(range(len(some)), number)))]
        cost = _price_of_all(within, noise, total, complexity_M, supports)
        best = np.argsort(cost, kind="stable")[:keep]
        found += [(float(cost[b]), tuple(sorted(supports[b].tolist()))) for b in best]
    found.sort()
    return [support for _, support in found[: 2 * keep]]


def exchanged(
    support: tuple[int, ...], within: Array, noise: Array, total: Array, complexity_M: Array, *, rounds: int = 3,
    shorter: bool = True,
) -> tuple[int, ...]:  # fmt: skip
    """The support with single terms exchanged for others, or left out (`shorter`), as long as the price falls.

    Elimination is greedy: of terms that stand for one another it may drop the right one early.
    """
    best = np.sort(np.array(support))
    for _ in range(rounds):
        others = np.setdiff1d(np.arange(len(within)), best)
        swaps = np.repeat(best[None], len(best) * len(others), axis=0)
        swaps[np.arange(len(swaps)), np.repeat(np.arange(len(best)), len(others))] = np.tile(others, len(best))
        ways = [best[None], swaps]
        if shorter and len(best) > 1:
            ways.append(np.stack([np.delete(best, i) for i in range(len(best))]))
        priced = [(_price_of_all(within, noise, total, complexity_M, way), way) for way in ways if len(way)]
        costs, way = min(priced, key=lambda one: float(one[0].min()))
        if costs.min() >= priced[0][0][0] - 1e-9:
            break
        best = np.sort(way[int(costs.argmin())])
    return tuple(best.tolist())


def grown(
    start: tuple[int, ...], within: Array, noise: Array, total: Array, complexity_M: Array, *, most: int = 5
) -> list[tuple[int, ...]]:
    """Sums made from a small one by one more term at a time, the one with the least price, and exchanges after each."""
    found, support = [], start
    while len(support) < min(most, len(within)):
        others = np.setdiff1d(np.arange(len(within)), support)
        more = np.sort(np.column_stack([np.tile(support, (len(others), 1)), others]), axis=1)
        best = more[int(_price_of_all(within, noise, total, complexity_M, more).argmin())]
        support = exchanged(tuple(best.tolist()), within, noise, total, complexity_M, rounds=2, shorter=False)
        found.append(support)
    return found


def _price_of_all(within: Array, noise: Array, total: Array, complexity_M: Array, supports: NDArray[np.int64]) -> Array:
    """Of the sums with these supports [F, S], with the coefficients of the least ratio, [F]."""
    chi2 = _chi2_of_all(within, noise, total, supports)
    cost = supports.shape[1] + PRICE_OF_COMPLEXITY * complexity_M[supports].sum(axis=1)
    return np.asarray(cost + PRICE_OF_MISFIT * np.maximum(0.0, np.log(chi2.clip(1e-300) / SLACK)))


def _chi2_of_all(within: Array, noise: Array, total: Array, supports: NDArray[np.int64]) -> Array:
    """For each support [F, S] the chi-square of the sum with the least ratio, [F]."""
    places = supports[:, :, None], supports[:, None, :]
    w, n, t = within[places], noise[places], total[places] + 1e-9 * np.eye(supports.shape[1])
    lower = np.linalg.inv(np.linalg.cholesky(t))
    _, inside = np.linalg.eigh(lower @ (w - NOISE_SHARE * n) @ lower.transpose(0, 2, 1))
    c = np.einsum("fji,fj->fi", lower, inside[:, :, 0])
    return np.asarray(np.einsum("fi,fij,fj->f", c, w, c) / np.einsum("fi,fij,fj->f", c, n, c).clip(1e-300))
