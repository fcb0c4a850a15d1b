"""The noisy pass: every library proposes its best sum, the simplest of all becomes a law, and so on.

Under noise a large library can imitate the law of a small one, and a Taylor series a cosine. So no library is first:
all propose, by elimination and by exhaustion of the small sums, and the least price (terms, complexity, misfit) wins.
What follows from it is taken out of all libraries before they propose again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import numpy as np
from noether_dsl.formula import Formula
from numpy.typing import NDArray

from .composed import gradients_of, new_of, without_composed
from .exact_sums import complete
from .kinds import Kinds
from .known import CONSTRAINT, Log, Sum, independent_share, new_components
from .libraries import libraries
from .material import Material, regrouped
from .pencils import pencil, trust
from .shelves import PASSES, TOLERABLE, Shelf, is_slow, refusal, shelves_of, stated
from .snapping import snapped
from .sparse import NOISE_SHARE, eliminated, exchanged, exhausted, grown, price, quotient, refitted, smallest

Array = NDArray[np.float64]

INDEPENDENT = 0.06
"""Of a gradient's mean square, beside those of the laws: below, a cheaper sum says the same."""
DISTINCT = 0.3
"""The same for a constraint beside others: a nearly flat function of one has a gradient of noise."""
TRIES = 12
LARGEST_OF_CONSTRAINTS = 120
"""Terms of a library in which constraints are looked for."""
MOST_OF_CONSTRAINT = 5
MOST_EXCHANGED = 6
"""Terms of a sum whose terms are exchanged for others one by one."""
GROWN, MOST_GROWN = 2, 110
"""So many of the best small sums are grown term by term, in libraries of at most so many terms."""
STEEP = 0.3
"""A constraint changes by so much of its deviation over shuffled states when the columns change by theirs; what is flat
on the data, like (r - 1)^4, is no more than a power of a constraint."""
TIGHT = 0.1
"""A constraint's variance, over that of shuffled states."""
BETTER = 5.0
"""A proposal that says the same as the cheapest one, and whose log-likelihood is higher by so much, takes its place."""

Progress = Callable[[int, int], None]


@dataclass
class _Proposals:
    """One library's shelf and the sum that it proposes now, with its gradients."""

    shelf: Shelf
    law: Sum | None = None
    gradients: list[Array] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    stale: bool = True
    hopeful: bool = False
    tries: int = 0

    @property
    def proposed(self) -> Sum:
        """The sum, where there is one."""
        assert self.law is not None
        return self.law


def noisy_sums(
    m: Material, known: list[Sum], log: Log, progress: Progress, only: Collection[str] | None = None
) -> list[Sum]:
    """All laws and constraints that noise lets one see; `known` are those to begin with.

    only: names of the libraries that are searched, None for all.
    """
    found = list(known)
    gradients = [g for s in known for g in m.places.gradients(s)]
    m = regrouped(m, _grouped(m, found, gradients, log))
    queue = []
    chosen = [library for library in libraries(m.kinds) if only is None or library.name in only]
    for number, library in enumerate(chosen):
        for shelf in shelves_of(library, m):
            small = len(shelf.terms) <= LARGEST_OF_CONSTRAINTS
            if only is None and library.components == 1 and small and not m.windows:
                shelf.forget(found, m)
                _constraints(shelf, m, found, gradients, log)
            queue.append(_Proposals(shelf))
        progress(number + 1, 2 * len(chosen))
    for one in queue:
        one.shelf.forget(found, m)
    for number, one in enumerate(queue):
        _renew(one, m, found, gradients, log)
        progress(len(chosen) + number + 1, 2 * len(chosen))
    while not complete(found, m):
        for one in queue:
            _renew(one, m, found, gradients, log)
        ready = [one for one in queue if one.law is not None]
        if not ready:
            break
        best = _chosen(ready, gradients, m)
        found.append(best.proposed.with_components(best.new))
        log(f"{best.shelf.name}: {best.law} (price {best.proposed.score:.1f}, chi2 {best.proposed.chi2_heldout:.2f})")
        found = without_composed(found, m, log)
        gradients = [g for s in found for g in gradients_of(s, m)]
        for one in queue:
            before = len(one.shelf.keep)
            one.shelf.forget(found, m)
            if one.law is not None:
                one.new = new_of(one.law, one.gradients, found, gradients, m)
                one.law, one.stale = (one.law, False) if one.new else (None, True)
            elif one.hopeful and len(one.shelf.keep) < before:
                one.stale = True  # what hid a law may be gone
    return found


def with_poles(m: Material) -> set[str]:
    """The libraries with a term that divides, or takes a logarithm: there noise is amplified by sudden turns."""
    return {library.name for library in libraries(m.kinds) if any(_divides(term.formula) for term in library.terms)}


def _divides(formula: Formula) -> bool:
    return formula.head in ("div", "inverse", "log") or any(map(_divides, formula.operands))


def _chosen(ready: list[_Proposals], gradients: list[Array], m: Material) -> _Proposals:
    """The cheapest proposal, or one as short that says the same and fits much better (1/sqrt(d^2 + s) for 1/d)."""
    best, *others = sorted(ready, key=lambda one: one.proposed.score)
    known = [*gradients, *best.gradients]
    for one in others:
        mine, its = best.proposed, one.proposed
        longer = its.rank != mine.rank or its.free > mine.free + 1 or len(its.terms) > len(mine.terms)
        if longer or new_components(one.gradients, known, INDEPENDENT):
            continue
        gain = m.effective * np.log(max(mine.pooled, 1e-12) / max(its.pooled, 1e-12))
        if gain > BETTER + 2.0 * max(its.score - mine.score, 0.0):
            best = one
    return best


def _renew(one: _Proposals, m: Material, found: list[Sum], gradients: list[Array], log: Log) -> None:
    while one.stale and one.tries < TRIES:
        _propose(one, m, found, gradients, log)


def _propose(one: _Proposals, m: Material, found: list[Sum], gradients: list[Array], log: Log) -> None:
    """The best sum of a library that could be a law and follows from nothing that is known."""
    shelf = one.shelf
    one.law, one.stale, one.hopeful = None, False, False
    one.tries += 1
    proposed = [_best_support(shelf, keep, m) for keep in shelf.keeps if len(keep) and _promising(shelf, keep)]
    proposed = [pair for pair in proposed if pair[1] is not None]
    if not proposed:
        return
    one.hopeful = True
    best = min(proposed, key=lambda pair: pair[0])[1]
    assert best is not None
    law = stated(shelf, best, m)
    why = refusal(law, m) or ("slow columns do as well" if is_slow(law, m) else None)
    if why is None:
        one.gradients = m.places.gradients(law)
        one.new = new_of(law, one.gradients, found, gradients, m)
        if one.new:
            one.law = law
            return
        why, one.stale = "a function of the laws", True
        shelf.drop_leading(best)
    log(
        f"  not {shelf.name}: {law}: {why} (chi2 {law.chi2:.2f}, {law.chi2_heldout:.2f}, ratio {law.ratio_heldout:.2g})"
    )


def _promising(shelf: Shelf, keep: NDArray[np.int64]) -> bool:
    """Whether any of the best sums is still good on held-out states: cheap, and most libraries hold nothing."""
    p, h = shelf.train.part(keep), shelf.held.part(keep)
    _, by_ratio = smallest(p.within - NOISE_SHARE * p.noise, p.total, 5)
    _, by_chi2 = smallest(p.within, p.noise, 5)
    c_MQ = np.concatenate([by_ratio, by_chi2], axis=1)
    above, below = (np.einsum("mq,mk,kq->q", c_MQ, form, c_MQ) for form in (h.within, h.noise))
    return bool((above / below.clip(1e-300)).min() < TOLERABLE)


def _best_support(
    shelf: Shelf, keep: NDArray[np.int64], m: Material
) -> tuple[tuple[bool, float], NDArray[np.int64] | None]:
    """Of the sums that exhaustion and elimination find, the one with the least price with held-out states.

    Its rank (whether it would be refused, and the price; less is better) and its terms.
    """
    p, h = shelf.train.part(keep), shelf.held.part(keep)
    complexity_M = shelf.complexity_M[keep]
    supports = exhausted(p.within, p.noise, p.total, complexity_M)
    if len(keep) <= MOST_GROWN:
        supports += [s for start in supports[:GROWN] for s in grown(start, p.within, p.noise, p.total, complexity_M)]
    for dearest_first in (True, False):
        found = eliminated(p.within, p.noise, p.total, complexity_M, dearest_first=dearest_first)
        if found is not None:
            supports.append(found.support)
            if len(found.support) <= MOST_EXCHANGED and len(keep) <= MOST_GROWN:
                supports.append(exchanged(found.support, p.within, p.noise, p.total, complexity_M))
            if found.chi2 > 4.0:
                break
    chance = float(np.sqrt(2.0 / m.effective))
    best, chosen = (True, np.inf), None
    for support in supports:
        rows, form = list(support), np.ix_(support, support)
        c = refitted(p.within[form], p.noise[form])
        law = Sum(
            tuple(shelf.terms[i] for i in keep[rows]), tuple((c / p.scale_M[rows]).tolist()), shelf.name,
            chi2=quotient(c, p.within[form], p.noise[form]),
            chi2_heldout=quotient(c, h.within[form], h.noise[form]),
            ratio_heldout=quotient(c, h.within[form], h.total[form]),
            limit=PASSES + 2.0 * chance,
        )  # fmt: skip
        pooled = quotient(c, (p.within + h.within)[form], (p.noise + h.noise)[form])
        cost = price(complexity_M[rows].tolist(), max(pooled, law.chi2_heldout / (1.0 + chance)))
        rank = refusal(law, m) is not None, cost
        if rank < best:
            best, chosen = rank, keep[rows]
    return best, chosen


def _grouped(m: Material, known: list[Sum], gradients: list[Array], log: Log) -> Kinds:
    """The columns' kinds, with the groups that linear laws show: what is added up is alike."""
    (shelf,) = shelves_of(next(lib for lib in libraries(m.kinds) if lib.components == 1), m)
    one, laws, own = _Proposals(shelf), list(known), list(gradients)
    while True:
        shelf.forget(laws, m)
        one.stale, one.tries = True, 0
        _renew(one, m, laws, own, log)
        if one.law is None:
            break
        laws.append(one.law)
        own += one.gradients
    back = {rate: symbol for symbol, rate in m.kinds.rates.items()}
    groups: list[frozenset[str]] = []
    for law in laws[len(known) :]:
        if len(law.inputs) > 1 and all(term.formula.nodes == 1 for term in law.terms):
            groups.append(law.inputs)
            if all(symbol in back for symbol in law.inputs):
                groups.append(frozenset(back[symbol] for symbol in law.inputs))
    return replace(m.kinds, groups=tuple(groups))


def _constraints(shelf: Shelf, m: Material, found: list[Sum], gradients: list[Array], log: Log) -> None:
    """Sums that have one value on all trajectories, up to noise, and vary off them."""
    for _ in range(TRIES):
        keep = np.flatnonzero(shelf.allowed_M & shelf.shuffled.usable_M)
        if not len(keep):
            return
        p, q = shelf.train.part(keep), shelf.shuffled.part(keep)
        values, _ = smallest(p.total, p.noise, 1)
        sparse = None
        if values[0] < 1.5:
            sparse = eliminated(p.total, p.noise, q.total, shelf.complexity_M[keep], most=MOST_OF_CONSTRAINT)
        if sparse is None:
            return
        support = keep[list(sparse.support)]
        one, varies = _constraint(shelf, support, m)
        chance = float(np.sqrt(2.0 / m.effective))
        if one.chi2_heldout > PASSES + 2 * chance or one.ratio_heldout > TIGHT or varies < 1e-2:
            return
        if m.places.steepness(one) < STEEP * _deviation(one, m):
            return
        own = m.places.gradients(one)[0]
        if independent_share(own, gradients) < DISTINCT:
            shelf.drop_leading(support)
            continue
        found.append(one)
        gradients.append(own)
        log(f"{shelf.name}: constraint {one}")
        shelf.forget(found, m)


def _deviation(one: Sum, m: Material) -> float:
    """Of a sum over shuffled states."""
    return float(one.at(m.shuffled.values).std())


def _constraint(shelf: Shelf, support: NDArray[np.int64], m: Material) -> tuple[Sum, float]:
    """A sum as a constraint, its chi-square that of its variance over all samples; how much it varies when shuffled."""
    terms = [shelf.terms[i] for i in support]
    p = pencil(terms, m.train, weight_N=trust(terms, m.train))
    h = pencil(terms, m.held, p.scale_M, weight_N=trust(terms, m.held))
    q = pencil(terms, m.shuffled, p.scale_M)
    c = snapped(p.total, p.noise, p.scale_M, m.effective).coefficients
    weights = c / p.scale_M
    weights = weights / weights[int(np.abs(c).argmax())]
    one = Sum(
        tuple(terms),
        tuple(weights.tolist()),
        shelf.name,
        CONSTRAINT,
        chi2=quotient(c, p.total, p.noise),
        chi2_heldout=quotient(c, h.total, h.noise),
        ratio_heldout=quotient(c, h.total, q.total),
    )
    return one, float(c @ q.total @ c / (c @ c))
