"""What the terms of a sum are worth: how little the best of fewer of them vary along trajectories.

M terms, N values along sequences, P values at large.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import scipy.linalg
from noether_dsl.formula import PARAMETER, Formula, Valued, node, parameter
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_TERMS = 10
"""Of a sum whose parts are looked at: all subsets are."""


@dataclass(frozen=True)
class Part:
    """The best of so many of a sum's terms.

    terms: which. ratio: the variance of their best combination along sequences over that at large (the least
    generalised eigenvalue).
    """

    terms: tuple[int, ...]
    ratio: float


def terms_of(formula: Formula, values: Sequence[float]) -> list[Valued]:
    """The summands with their numbers, their coefficients left out; the formula itself where it is no sum."""
    if formula.head in ("add", "sub"):
        left, right = formula.operands
        return terms_of(left, values[: left.parameters]) + terms_of(right, values[left.parameters :])
    if formula.head == "mul" and formula.operands[0].head == PARAMETER:
        return [(formula.operands[1], tuple(values[1:]))]
    return [(formula, tuple(values))]


def sum_of(terms: Sequence[Valued]) -> Formula:
    """The terms' sum, each but the first with a coefficient."""
    whole = terms[0][0]
    for term, _ in terms[1:]:
        whole = node("add", whole, node("mul", parameter(), term))
    return whole


def best_parts(values_MK: Sequence[Sequence[Array]], at_large_MP: Sequence[Array]) -> list[Part]:
    """The best of each number of terms, one to all but one; nothing where one has no value somewhere.

    values_MK: each term's values along every sequence.
    """
    size = len(values_MK)
    if not 2 <= size <= MOST_TERMS:
        return []
    sequences = [np.stack(some) for some in zip(*values_MK, strict=True)]
    large = np.stack(at_large_MP)
    large = large[:, np.isfinite(large).all(axis=0)]
    if large.shape[1] < 2 or not all(np.isfinite(x).all() for x in sequences):
        return []
    along = [x - x.mean(axis=1, keepdims=True) for x in sequences]
    within = sum(x @ x.T / x.shape[1] for x in along) / len(along)
    total = np.cov(large)
    return [min(_of_size(k, within, total), key=lambda part: part.ratio) for k in range(1, size)]


def _of_size(number: int, within: Array, total: Array) -> Iterator[Part]:
    scale = np.sqrt(np.diag(total)).clip(1e-300)
    for chosen in combinations(range(len(total)), number):
        place = np.ix_(chosen, chosen)
        over = np.outer(scale[list(chosen)], scale[list(chosen)])
        try:
            (least,) = scipy.linalg.eigh(
                within[place] / over, total[place] / over, eigvals_only=True, subset_by_index=(0, 0)
            )
        except np.linalg.LinAlgError:  # terms that are one another's multiples at large
            continue
        yield Part(chosen, max(float(least), 0.0))
