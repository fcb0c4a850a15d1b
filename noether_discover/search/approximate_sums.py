"""Where no sum is explained by noise: sums that vary far less along trajectories than their columns would.

Damping takes energy away, planets pull at one another, a fast motion averages a slow one: such quantities are nearly
conserved, and no chi-square says so, since noise is not what moves them. What counts is the gain: the ratio (within
over total) that the same terms reach where their columns come from elsewhere, over the ratio that they reach here on
held-out sequences. A slow column gains nothing, and a library that fits anything fits the columns from elsewhere as
well. The paper asks for a hundred.

With nothing but a gain to go by, more terms can always gain a little. A sum is therefore priced: its terms, their
complexity, less the logarithm of its gain.

Legend: M terms, F supports.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from .exact_sums import complete
from .known import APPROXIMATE, Log, Sum, new_components
from .libraries import Library, libraries
from .material import Material
from .pencils import Pencil, pencil
from .shelves import Shelf
from .snapping import snapped
from .sparse import PRICE_OF_COMPLEXITY, deletion, least_missed, quotient, smallest, spectrum

Array = NDArray[np.float64]

PRICE_OF_GAIN = 2.0
"""A term of common complexity (1.45) pays when the sum gains twice as much with it. On the real pendulum, spring and
double pendulum any price from 1 to 5 chooses the energy."""
OVER_APART = 100.0
"""The gain that makes a sum an approximate law: the paper's two orders of magnitude, as in `verdicts`. On real damped
systems, in windows of about a period, energies gain 250 (pendulum), 650 (spring), 850 and 4,800 (double pendulum)."""
INDEPENDENT = 0.2
"""Of a gradient's mean square, beside those of the laws that are known. More than noise asks for: an approximate law
leaves its imitations room."""
FURTHER = 5e-3
"""The same for the other components of a vector of which one is new: what they say is no imitation. On orbits as round
as the planets' the third component of the angular momentum is almost a function of the energy."""
LEAST_INFORMATIVE = 1e-6
"""A sum whose variance is below this share of its terms' says what cancels, not what is conserved."""
LIBRARY_TERMS = 120
"""Larger libraries are left out: they are products of the smaller ones' terms, and cost seconds each."""
LARGEST_LAW = 8
"""Terms in an approximate law."""
SIMPLE, HARDLY_WORSE = 1e-4, 1.01
"""How near a simple fraction a ratio of coefficients must be to be made one, and how much the ratio may rise by it."""
TRIPLES, PAIRS, KEPT = 48, 250, 6


def approximate_sums(m: Material, known: list[Sum], log: Log) -> list[Sum]:
    """All approximate laws beside `known`, which come first in the list."""
    found = list(known)
    gradients = [g for s in known for g in m.places.gradients(s)]
    shelves = [_shelf(lib, m) for lib in libraries(m.kinds) if len(lib.terms) <= LIBRARY_TERMS and lib.soft is None]
    proposals: list[list[Sum]] = [[] for _ in shelves]
    stale = [True] * len(shelves)
    while not complete(found, m):
        for i, (shelf, apart) in enumerate(shelves):
            if stale[i]:
                shelf.forget(found, m)
                proposals[i] = _proposals(shelf, apart, m)
                stale[i] = False
        ready = sorted((s for own in proposals for s in own), key=lambda s: s.score)
        chosen = None
        for law in ready:
            own = m.places.gradients(law)
            new = _new(own, gradients, m.moving - 1 - sum(s.number for s in found))
            if new:
                chosen = law.with_components(new)
                break
        if chosen is None:
            return found
        found.append(chosen)
        gradients += [own[c] for c in chosen.new]
        gain = chosen.ratio_apart / chosen.ratio_heldout
        log(f"{chosen.library}: about {chosen} (price {chosen.score:.1f}, gains {gain:.3g})")
        stale = [True] * len(shelves)
    return found


def _new(own: list[Array], known: list[Array], most: int) -> list[int]:
    """The components of a sum, at most so many, that follow from nothing known; none where it is an imitation."""
    first = new_components(own, known, INDEPENDENT)[:1]
    rest = [c for c in range(len(own)) if c not in first]
    further = new_components([own[c] for c in rest], [*known, *(own[c] for c in first)], FURTHER) if first else []
    return sorted([*first, *(rest[c] for c in further)][:most])


def _shelf(library: Library, m: Material) -> tuple[Shelf, Pencil]:
    """A library's forms with all samples alike, and those of the same terms where columns come from elsewhere.

    Weights by noise, as in the other passes, would let terms look conserved by leaving out the samples where they move.
    """
    terms = list(library.terms)
    train = pencil(terms, m.train)
    held, apart = pencil(terms, m.held, train.scale_M), pencil(terms, m.apart, train.scale_M)
    shuffled = pencil(terms, m.shuffled, train.scale_M) if library.components == 1 else train
    complexity_M = np.array([term.complexity for term in terms])
    usable = train.usable_M & held.usable_M & apart.usable_M
    return Shelf(library.name, terms, complexity_M, train, held, shuffled, usable), apart


def _proposals(shelf: Shelf, apart: Pencil, m: Material) -> list[Sum]:
    """The library's sums that gain enough, the cheapest first."""
    found: dict[tuple[int, ...], Sum] = {}
    for keep in shelf.keeps:
        if not len(keep):
            continue
        p = shelf.train.part(keep)
        complexity_M = shelf.complexity_M[keep]
        supports = _exhausted(p, complexity_M)
        for dearest_first in (True, False):
            supports += _path(p, complexity_M, dearest_first)
        for support in supports:
            own = tuple(sorted(keep[list(support)].tolist()))
            if own not in found:
                found[own] = _stated(shelf, apart, np.array(own))
    good = [
        s for s in found.values() if s.ratio_apart >= OVER_APART * s.ratio_heldout and s.informative > LEAST_INFORMATIVE
    ]
    return sorted(good, key=lambda s: s.score)[:KEPT]


def _path(p: Pencil, complexity_M: Array, dearest_first: bool) -> list[tuple[int, ...]]:
    """The supports that are met when terms are taken away one after the other, the least missed first."""
    active = np.arange(len(complexity_M))
    found = []
    while len(active) > 1:
        form = np.ix_(active, active)
        values, vectors = spectrum(p.within[form], p.total[form])
        if len(active) <= LARGEST_LAW:
            found.append(tuple(active.tolist()))
        rise = deletion(values, vectors) - values[0]
        active = np.delete(active, least_missed(rise, values, complexity_M[active], dearest_first))
    return found


def _exhausted(p: Pencil, complexity_M: Array) -> list[tuple[int, ...]]:
    """The supports of the best sums of one, two and three terms."""
    simplest = np.argsort(complexity_M, kind="stable")
    found: list[tuple[int, ...]] = []
    for number, most in ((1, len(simplest)), (2, PAIRS), (3, TRIPLES)):
        some = simplest[:most]
        if len(some) < number:
            break
        supports = some[np.array(list(combinations(range(len(some)), number)))]
        places = supports[:, :, None], supports[:, None, :]
        lower = np.linalg.inv(np.linalg.cholesky(p.total[places] + 1e-9 * np.eye(number)))
        ratio_F = np.linalg.eigvalsh(lower @ p.within[places] @ lower.transpose(0, 2, 1))[:, 0]
        cost_F = PRICE_OF_COMPLEXITY * complexity_M[supports].sum(axis=1) + PRICE_OF_GAIN * np.log(ratio_F.clip(1e-12))
        found += [tuple(supports[b].tolist()) for b in np.argsort(cost_F, kind="stable")[:KEPT]]
    return found


def _stated(shelf: Shelf, apart: Pencil, support: NDArray[np.int64]) -> Sum:
    """The sum of these terms with the least ratio on the training sequences, judged on the held-out ones."""
    p, h, q = (pencil_.part(support) for pencil_ in (shelf.train, shelf.held, apart))
    _, vectors = smallest(p.within, p.total, 1)
    c = vectors[:, 0]
    values, _ = smallest(q.within, q.total + 1e-12 * np.eye(len(c)), 1)

    held = max(quotient(c, h.within, h.total), 1e-300)
    worse = max(held, quotient(c, p.within, p.total))
    elsewhere = float(values[0].clip(0.0))
    lead = int(np.abs(c).argmax())
    own = c / p.scale_M
    order = sorted(range(len(c)), key=lambda i: (i != lead, i))
    gain = elsewhere / worse
    complexity = float(shelf.complexity_M[support].sum())
    return Sum(
        terms=tuple(shelf.terms[support[i]] for i in order),
        coefficients=tuple((own[order] / own[lead]).tolist()),
        library=shelf.name,
        kind=APPROXIMATE,
        chi2=quotient(c, p.within, p.noise),
        chi2_heldout=quotient(c, h.within, h.noise),
        ratio_heldout=worse,
        score=len(support) + PRICE_OF_COMPLEXITY * complexity - PRICE_OF_GAIN * float(np.log(max(gain, 1e-300))),
        pooled=quotient(c, p.within + h.within, p.noise + h.noise),
        free=len(support),
        informative=float(c @ h.total @ c / (c @ c)),
        ratio_apart=elsewhere,
    )


def on_all(law: Sum, m: Material) -> Sum:
    """An approximate law with coefficients from all sequences; its figures stay those of the held-out ones.

    Ratios of coefficients that are simple fractions to one in ten thousand are made so, if nothing is lost by it.
    """
    terms = list(law.terms)
    p = pencil(terms, m.train)
    h = pencil(terms, m.held, p.scale_M)
    within, total = p.within + h.within, p.total + h.total
    _, vectors = smallest(within, total, 1)
    plain = snapped(within, total, p.scale_M, m.effective, exact=SIMPLE).coefficients
    as_good = quotient(plain, within, total) <= HARDLY_WORSE * quotient(vectors[:, 0], within, total)
    own = (plain if as_good else vectors[:, 0]) / p.scale_M
    return replace(law, coefficients=tuple((own / own[0]).tolist()))
