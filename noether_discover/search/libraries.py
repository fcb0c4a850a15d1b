"""Libraries: small sets of small terms whose sums are searched together.

A law is a sum of terms, and the terms that belong together are of few kinds: squares with a cosine, squares with an
inverse distance, populations with their logarithms. Each library is one such mixture, made from what the columns are
(`Kinds`) and from nothing else. They stand in the order of their complexity: a simple law is found in a small library,
before a large one can imitate it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, permutations

from noether_dsl.formula import node, parameter, variable

from .curved_libraries import ROOTS, STEEPNESS, radial, roots, steep_exponentials, turning_velocities
from .kinds import Kinds
from .terms import Term, distance2, monomial, monomials, power, product
from .vector_libraries import (
    SCALES,
    Vectors,
    eccentric,
    inverse_distances,
    logarithms,
    momenta,
    pairs,
    softened,
    squares,
    turned,
    vectors_by_rank,
)

MOST_SCALED = 4
"""Vectors beyond which their scalings are too many."""
RATES = (0.03, 0.07, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 20.0)
"""Rates of growth that are tried, over the span of a trajectory."""
MOST_UNKNOWN = 4
"""Columns, none of which is known to be another's rate, beyond which numbers inside terms are not sought."""
MOST_TERMS = 420
"""In one library: beyond, its Gram matrix is neither quick nor well conditioned."""


@dataclass(frozen=True)
class Library:
    """A name for the report, and the terms.

    soft: the terms as functions of a number inside some of them that is to be found (a softening), sought between the
    first and the last of `scales`. components: 1, or how many the terms have, all of which are vectors.
    """

    name: str
    terms: tuple[Term, ...]
    soft: Callable[[float], tuple[Term, ...]] | None = None
    scales: tuple[float, ...] = ()
    components: int = 1


def libraries(kinds: Kinds) -> Iterator[Library]:
    """The libraries for some columns, simplest first; those with too many terms, or none of their own, are left out."""
    if kinds.vectors:
        yield from vector_libraries(kinds)
    for name, maker in _MAKERS:
        made = maker(kinds)
        library = made if isinstance(made, Library) else Library(name, tuple(dict.fromkeys(made)))
        if library.terms and len(library.terms) <= MOST_TERMS:
            yield library


def _linear(k: Kinds) -> list[Term]:
    return monomials(k.symbols, 1)


def _quadratic(k: Kinds) -> list[Term]:
    return monomials(k.symbols, 2)


def _with(own: list[Term], k: Kinds) -> list[Term]:
    return monomials(k.symbols, 2) + own if own else []


def _logarithms(k: Kinds) -> list[Term]:
    own = [Term(node("log", variable(s)), 2.0) for s in k.symbols if s in k.positive and k.pure(s)]
    own += [Term(node("inverse", variable(s)), 2.0) for s in k.symbols if s in k.nonzero]
    return _with(own, k)


def _sinusoids(k: Kinds) -> list[Term]:
    own = [Term(node(f, variable(s)), 2.0) for s in k.positions if k.turning(s) for f in ("cos", "sin")]
    return _with(own, k)


def _exponentials(k: Kinds) -> list[Term]:
    own = []
    for s in k.positions:
        if k.pure(s):
            own += [Term(node("exp", variable(s)), 2.0), Term(node("inverse", node("exp", variable(s))), 2.5)]
    return _with(own, k)


def _norms(k: Kinds) -> list[Term]:
    own = []
    for size in (2, 3):
        if size == 3 and len(k.positions) < 3:
            break
        for chosen in combinations(k.positions, size):
            if k.alike(*chosen):
                r = node("sqrt", distance2((s, None) for s in chosen))
                own += [Term(node("inverse", r), 3.0), Term(r, 8.0)]
                if k.pure(*chosen):
                    own.append(Term(node("log", r), 8.0))
    return _with(own, k) if len(own) <= 60 else []


def _cubic(k: Kinds) -> list[Term]:
    return monomials(k.symbols, 3)


def _turning_differences(k: Kinds) -> list[Term]:
    own = [Term(node(f, variable(s)), 2.0) for s in k.positions if k.turning(s) for f in ("cos", "sin")]
    own += monomials(k.velocities, 2)
    for a, b in combinations(k.positions, 2):
        if not (k.turning(a, b) and k.alike(a, b)):
            continue
        rates = sorted({k.rates.get(a, a), k.rates.get(b, b)})
        for f in ("cos", "sin"):
            swing = node(f, node("sub", variable(a), variable(b)))
            own.append(Term(swing, 3.0))
            own += [Term(product(monomial(c), swing), 4.0) for c in combinations_with_replacement(rates, 2)]
    return own if len(k.positions) > 1 else []


def _exponential_differences(k: Kinds) -> list[Term]:
    own = [
        Term(node("exp", node("sub", variable(a), variable(b))), 3.0)
        for a, b in permutations(k.positions, 2)
        if k.alike(a, b) and k.pure(a, b)
    ]
    return monomials(k.velocities, 2) + own if own else []


def _moving_exponentials(k: Kinds) -> list[Term]:
    own = []
    for a, b in permutations(k.positions, 2):
        if k.alike(a, b) and k.pure(a, b):
            e = node("exp", node("sub", variable(a), variable(b)))
            own += [Term(product(variable(v), e), 4.0) for v in k.velocities]
    return monomials(k.velocities, 3) + own if own else []


def _difference_powers(k: Kinds) -> list[Term]:
    own = [
        Term(power(node("sub", variable(a), variable(b)), n), 2.0 + 0.5 * n)
        for a, b in combinations(k.positions, 2)
        if k.alike(a, b)
        for n in (2, 3, 4)
    ]
    squares = [Term(power(s, 2), 2.0) for s in k.symbols]
    return squares + own if len(k.positions) > 2 and own else []


def _inverse_differences(k: Kinds) -> list[Term]:
    own = []
    for a, b in combinations(k.positions, 2):
        if k.alike(a, b):
            d = node("abs", node("sub", variable(a), variable(b)))
            own += [Term(node("inverse", d), 3.0), Term(node("inverse", node("square", d)), 3.5)]
            if k.pure(a, b):
                own.append(Term(node("log", d), 3.0))
    return _with(own, k)


def _planar_pairs(k: Kinds) -> list[tuple[tuple[str, str], tuple[str, str]]]:
    """((a, b), (c, d)): what could be the differences along two axes of two bodies."""
    return [
        (one, other)
        for chosen in combinations(k.positions, 4)
        for one, other in (
            ((chosen[0], chosen[1]), (chosen[2], chosen[3])),
            ((chosen[0], chosen[2]), (chosen[1], chosen[3])),
            ((chosen[0], chosen[3]), (chosen[1], chosen[2])),
        )
        if k.alike(*chosen) and k.same_axis(*one) and k.same_axis(*other)
    ]


def _planar_distances(k: Kinds) -> list[Term]:
    own = []
    for axes in _planar_pairs(k):
        d2 = distance2(axes)
        if k.pure(*axes[0], *axes[1]):
            own.append(Term(node("log", d2), 3.0))
        if not k.rates:
            continue
        own.append(Term(node("inverse", node("sqrt", d2)), 3.5))
    return monomials(k.symbols, 1) + [Term(power(s, 2), 2.0) for s in k.symbols] + own if own else []


def _softened_distances(k: Kinds) -> Library | list[Term]:
    pairs = _planar_pairs(k)
    if not pairs or not k.rates:
        return []

    def terms(soft: float) -> tuple[Term, ...]:
        own = [Term(node("inverse", node("sqrt", node("add", distance2(p), parameter()))), 4.0, (soft,)) for p in pairs]
        return tuple([Term(power(s, 2), 2.0) for s in k.velocities] + own)

    return Library("softened inverse distances in the plane", terms(SCALES[2]), terms, SCALES)


def _unit_vectors(k: Kinds) -> list[Term]:
    own: list[Term] = []
    for size in (2, 3):
        if len(k.positions) < size or len(k.positions) > 3:
            continue
        for chosen in combinations(k.positions, size):
            if k.alike(*chosen):
                r = node("sqrt", distance2((s, None) for s in chosen))
                own += [Term(node("div", variable(s), r), 3.5) for s in chosen]
                own += [Term(product(variable(s), monomial(c)), 3.0)
                        for s in chosen for c in combinations_with_replacement(k.velocities, 2)]  # fmt: skip
    return monomials(k.symbols, 1) + own if own and k.rates else []


def _quartic(k: Kinds) -> list[Term]:
    return monomials(k.symbols, 4) if len(k.symbols) <= 4 else []


def _times(k: Kinds) -> list[Term]:
    """The time, its square, and products with it: x - v t."""
    if k.time is None:
        return []
    t = k.time
    others = [s for s in k.symbols if s != t]
    own = [Term(variable(t), 1.0), Term(power(t, 2), 2.0)]
    own += [Term(product(power(t, n), variable(s)), n + 1.2) for s in others for n in (1, 2)]
    return monomials(others, 1) + own


def _growing(k: Kinds) -> Library | list[Term]:
    """Products of two and sinusoids, times exp(s t): what damping takes away evenly, e.g. exp(g t) E."""
    if k.time is None or k.span == 0.0:
        return []
    others = tuple(s for s in k.symbols if s != k.time and s not in k.constant)
    own = monomials(others, 2) + [Term(node("cos", variable(s)), 2.0) for s in others if k.turning(s)]
    t = variable(k.time)

    def terms(rate: float) -> tuple[Term, ...]:
        growth = node("exp", node("mul", parameter(), t))
        return tuple(Term(product(growth, term.formula), term.complexity + 3.0, (rate,)) for term in own)

    scales = tuple(x / k.span for x in RATES)
    return Library("products of two, growing with time", terms(scales[0]), terms, scales)


def _roots(k: Kinds) -> Library | list[Term]:
    if not k.velocities or (not k.rates and len(k.symbols) > MOST_UNKNOWN):
        return []
    size = max((k.sizes[v] for v in k.velocities), default=1.0)
    scales = tuple(x * size**2 for x in ROOTS)
    return Library("roots of squares and a number", tuple(roots(k, 1.0)), lambda s: tuple(roots(k, s)), scales)


def _steep_exponentials(k: Kinds, sign: float, name: str) -> Library | list[Term]:
    if not k.positions or (not k.rates and len(k.symbols) > MOST_UNKNOWN):
        return []
    size = min(k.sizes[s] for s in k.positions)
    scales = tuple(x / size for x in STEEPNESS)

    def terms(rate: float) -> tuple[Term, ...]:
        return tuple(steep_exponentials(k, sign * rate))

    return Library(name, terms(scales[0]), terms, scales)


def _falling(k: Kinds) -> Library | list[Term]:
    return _steep_exponentials(k, -1.0, "falling exponentials at a rate")


def _rising(k: Kinds) -> Library | list[Term]:
    return _steep_exponentials(k, 1.0, "rising exponentials at a rate")


_MAKERS: tuple[tuple[str, Callable[[Kinds], list[Term] | Library]], ...] = (
    ("the columns themselves", _linear),
    ("products of two", _quadratic),
    ("logarithms and inverses", _logarithms),
    ("sines and cosines", _sinusoids),
    ("distances from the origin", _norms),
    ("exponentials", _exponentials),
    ("powers of differences", _difference_powers),
    ("products of three", _cubic),
    ("sines and cosines of differences, times velocities", _turning_differences),
    ("sines and cosines, times velocities", turning_velocities),
    ("distances, times angular velocities", radial),
    ("exponentials of differences", _exponential_differences),
    ("inverses and logarithms of differences", _inverse_differences),
    ("unit vectors and products of three", _unit_vectors),
    ("distances in the plane", _planar_distances),
    ("softened inverse distances in the plane", _softened_distances),
    ("exponentials of differences, times velocities", _moving_exponentials),
    ("products of four", _quartic),
    ("roots of squares and a number", _roots),
    ("falling exponentials at a rate", _falling),
    ("rising exponentials at a rate", _rising),
    ("the time", _times),
    ("products of two, growing with time", _growing),
)


def vector_libraries(k: Kinds) -> Iterator[Library]:
    """Libraries of numbers made of vectors, and of vectors."""
    inside = {part for _, parts in k.vectors for part in parts}
    rest = monomials(tuple(s for s in k.symbols if s not in inside), 2)
    for v in vectors_by_rank(k):
        where = "in the plane" if v.rank == 2 else "in space"
        for name, terms in (
            (f"vectors {where}", momenta(v)),
            (f"cross products {where}", turned(v)),
        ):
            if terms:
                yield Library(name, tuple(dict.fromkeys(terms)), components=v.rank)
        for name, terms in (
            (f"scalar products {where}", rest + squares(v)),
            (f"scalar products and distances {where}", rest + squares(v) + inverse_distances(v)),
            (f"logarithms of distances {where}", rest + logarithms(v, k) if logarithms(v, k) else []),
        ):
            if terms and len(terms) <= MOST_TERMS:
                yield Library(name, tuple(dict.fromkeys(terms)))
        if v.alike:

            def terms_at(soft: float, v: Vectors = v) -> tuple[Term, ...]:
                return tuple(pairs(v) + softened(v, soft))

            yield Library(f"softened distances {where}", terms_at(SCALES[2]), terms_at, SCALES)
        if len(v.all) <= MOST_SCALED:
            scaled = tuple(dict.fromkeys(momenta(v) + eccentric(v)))
            yield Library(f"scaled vectors {where}", scaled, components=v.rank)
