"""Which sums say something new beside the laws that were found, and which laws are functions of simpler ones.

Under noise a function of laws never has exactly their gradients, and enough fitted numbers give it one of its own. So
two things are asked: how much of its gradient is its own, the more the more numbers were fitted, and how well the laws
tell its value from sequence to sequence. The order in which laws were found says nothing: a product of two may come
before them, where noise happens to suit it better, and then has to go.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .exact_sums import missing
from .known import LAW, Log, Sum, follows, new_components
from .material import Material

Array = NDArray[np.float64]

LEAST_SHARE, MOST_SHARE = 0.02, 0.1
"""Of a gradient's mean square, beside those of the laws, for a sum with one fitted number, and the most that is asked
for: below, it is taken for a function of them."""
IMITATES = ((3, 0, 0.9), (1, 5, 0.96))
"""(fitted numbers, terms, share): a sum with so many of both imitates a function of the laws when these tell such a
share of how it varies from sequence to sequence: enough numbers give it a gradient of its own under noise."""


def new_of(law: Sum, own: list[Array], found: list[Sum], gradients: list[Array], m: Material) -> list[int]:
    """The components of a sum that follow from nothing that was found, or only from a longer law that is itself a
    function of this sum and the others (E, where c*E + c**2 was found before it)."""
    shares = _imitating(law)
    if shares and law.rank == 1 and not m.windows and follows(law, found, (m.train, m.held)) > min(shares):
        return []
    new = new_components(own, gradients, least_share(law), most=missing(found, m))
    if new or law.rank > 1:
        return new
    for other in found:
        if not _may_be_composed(other) or not _is_simpler(law, other):
            continue
        rest = [s for s in found if s is not other]
        beside = [g for s in rest for g in gradients_of(s, m)]
        (its,) = m.places.gradients(other)
        least = least_share(other)
        differs = new_components(own, beside, least_share(law)) and new_components([its], own, least)
        if differs and not new_components([its], [*beside, *own], least):
            return [0]
    return []


def _may_be_composed(law: Sum) -> bool:
    return law.kind == LAW and law.rank == 1 and bool(_imitating(law))


def _imitating(law: Sum) -> list[float]:
    """The shares of IMITATES that concern a sum of its size; none for a small one."""
    return [share for free, terms, share in IMITATES if law.free >= free and len(law.terms) >= terms]


def without_composed(found: list[Sum], m: Material, log: Log) -> list[Sum]:
    """The laws without those that are functions of simpler ones, which may have been found after them.

    A product of two laws can be proposed first, where noise happens to suit it better than one of the two.
    """
    for law in sorted(found, key=_numbers_and_terms, reverse=True):
        if not _may_be_composed(law):
            continue
        simpler = [s for s in found if s.kind != LAW or _is_simpler(s, law)]
        if not new_of(law, m.places.gradients(law), simpler, [g for s in simpler for g in gradients_of(s, m)], m):
            log(f"  not {law} any more: a function of the laws")
            found = [s for s in found if s is not law]
    return found


def gradients_of(found: Sum, m: Material) -> list[Array]:
    """Of its components that count."""
    own = m.places.gradients(found)
    return [own[c] for c in found.new]


def _numbers_and_terms(law: Sum) -> tuple[int, int]:
    return law.free, len(law.terms)


def _is_simpler(one: Sum, law: Sum) -> bool:
    return one.free < law.free and len(one.terms) < len(law.terms)


def least_share(law: Sum) -> float:
    """How much of its gradient a law must have for itself: the less, the fewer numbers were fitted."""
    return min(LEAST_SHARE * law.free, MOST_SHARE)
