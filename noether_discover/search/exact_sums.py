"""The clean pass: where there is no noise, conserved sums are the null space of the within form.

Its vectors are found exactly, and the simplest of them by Gauss elimination. Libraries are taken in their order, since
an exact law of a small library cannot be an imitation.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .known import ALIKE_EXACTLY, CONSTRAINT, Log, Sum, independent_share, new_components
from .libraries import libraries
from .material import Material
from .shelves import Shelf, refusal, shelves_of, stated
from .sparse import pivots, simplest_exact, smallest

Array = NDArray[np.float64]

NULL, NULL_OF_CONSTRAINTS = 0.02, 3.0
"""Chi-squares against the floor of noise below which a sum of a library is exactly conserved, or has one value."""
INDEPENDENT = 1e-6
TRIES = 12
MOST_OF_CONSTRAINT = 5
STEEP = 0.3
WEAK = 0.03
"""A coefficient below this share of the largest is tried to be done without."""
_NONE = 1e-6  # a coefficient below this share of the largest is none


def exact_sums(m: Material, known: list[Sum], log: Log) -> list[Sum]:
    """All exact laws and constraints, simplest libraries first; `known` are those to begin with."""
    found = list(known)
    gradients = [g for s in known for g in m.places.gradients(s)]
    for library in libraries(m.kinds):
        if complete(found, m):
            break
        for shelf in shelves_of(library, m):
            if library.components == 1 and not m.windows:
                _constraints(shelf, m, found, gradients, log)
            _laws(shelf, m, found, gradients, log)
    return found


def complete(found: list[Sum], m: Material) -> bool:
    """Whether no further law can be: a motion on a line of constant laws has D - 1 of them, constraints included."""
    return missing(found, m) <= 0


def missing(found: list[Sum], m: Material) -> int:
    """How many laws there could be besides."""
    return m.moving - 1 - sum(s.number for s in found)


def _null(w: Array, n: Array, limit: float) -> Array:
    """Vectors whose chi-square is below the limit, [M, Q]."""
    values, vectors = scipy.linalg.eigh(w, n + 1e-16 * np.eye(len(w)), check_finite=False)
    return np.asarray(vectors[:, values < limit])


def _support(
    vectors_MQ: Array, order_M: NDArray[np.int64], w: Array, n: Array, limit: float | None = None
) -> NDArray[np.int64]:
    """The terms of the simplest vector, those that it does without left out. limit: the chi-square that is kept when
    weak terms go, which only make up for what is not quite exact in the data; None for keeping them."""
    v = simplest_exact(vectors_MQ, order_M)
    support = np.flatnonzero(np.abs(v) > _NONE * np.abs(v).max())
    while len(support) > 1:
        _, vectors = smallest(w[np.ix_(support, support)], n[np.ix_(support, support)], 1)
        size = np.abs(vectors[:, 0])
        weak = size < 10 * _NONE * size.max()
        if not weak.any():
            break
        support = support[~weak]
    while limit is not None and len(support) > 1:
        _, vectors = smallest(w[np.ix_(support, support)], n[np.ix_(support, support)], 1)
        size = np.abs(vectors[:, 0])
        fewer = np.delete(support, int(size.argmin()))
        least, _ = smallest(w[np.ix_(fewer, fewer)], n[np.ix_(fewer, fewer)], 1)
        if size.min() > WEAK * size.max() or least[0] > limit:
            break
        support = fewer
    return support


def _laws(shelf: Shelf, m: Material, found: list[Sum], gradients: list[Array], log: Log) -> None:
    shelf.forget(found, m)
    for _ in range(TRIES):
        keep = shelf.keep
        if not len(keep) or complete(found, m):
            return
        p = shelf.train.part(keep)
        null_MQ = _null(p.within, p.noise, NULL)
        if not null_MQ.shape[1]:
            return
        complexity_M = shelf.complexity_M[keep]
        number = np.arange(len(keep))
        sums = [
            (stated(shelf, support, m), support)
            for order in (np.lexsort((number, -complexity_M)), np.lexsort((-number, -complexity_M)))
            for support in [keep[_support(null_MQ, order, p.within, p.noise, NULL)]]
        ]
        law, support = min(sums, key=lambda pair: pair[0].score)
        why = refusal(law, m)
        own = m.places.gradients(law) if why is None else []
        new = new_components(own, gradients, INDEPENDENT, alike=ALIKE_EXACTLY, most=missing(found, m))
        if why is None and new:
            found.append(law.with_components(new))
            gradients += [own[c] for c in new]
            log(f"{shelf.name}: {law}")
            shelf.forget(found, m)
        else:
            shelf.drop_leading(support)


def _constraints(shelf: Shelf, m: Material, found: list[Sum], gradients: list[Array], log: Log) -> None:
    """Sums with one value on all trajectories, as long as they are short and steep; then what follows from any of them
    is taken away, since such sums have no variance to be conserved."""
    for _ in range(TRIES):
        keep = shelf.keep
        p, q = shelf.train.part(keep), shelf.shuffled.part(keep)
        null_MQ = _null(p.total, p.noise, NULL_OF_CONSTRAINTS) if len(keep) else np.zeros((0, 0))
        if not null_MQ.shape[1]:
            return
        complexity_M = shelf.complexity_M[keep]
        chosen = _support(null_MQ, np.argsort(-complexity_M, kind="stable"), p.total, p.noise)
        support = keep[chosen]
        one = _as_constraint(shelf, support, p.total[np.ix_(chosen, chosen)], p.noise[np.ix_(chosen, chosen)])
        c = np.asarray(one.coefficients) * shelf.train.scale_M[support]
        varies = float(c @ q.total[np.ix_(chosen, chosen)] @ c)
        stays = float(c @ p.total[np.ix_(chosen, chosen)] @ c)
        own = m.places.gradients(one)[0]
        real = (
            bool(q.usable_M[chosen].all())
            and len(support) <= MOST_OF_CONSTRAINT
            and varies > 1e-4 * float(c @ c)
            and stays < 1e-6 * varies
            and m.places.steepness(one) > STEEP * float(one.at(m.shuffled.values).std())
            and independent_share(own, gradients, ALIKE_EXACTLY) > INDEPENDENT
        )
        if not real:
            shelf.allowed_M[keep[pivots(null_MQ, complexity_M)]] = False
            return
        found.append(one)
        gradients.append(own)
        log(f"{shelf.name}: constraint {one}")
        shelf.drop_leading(support)


def _as_constraint(shelf: Shelf, support: NDArray[np.int64], total: Array, noise: Array) -> Sum:
    _, vectors = smallest(total, noise, 1)
    c = vectors[:, 0]
    weights = c / shelf.train.scale_M[support]
    weights = weights / weights[int(np.abs(c).argmax())]
    return Sum(tuple(shelf.terms[i] for i in support), tuple(weights.tolist()), shelf.name, CONSTRAINT)
