"""Libraries of terms made from whole vectors: what physicists write when columns come as q.x, q.y, q.z.

Numbers are made of them by scalar products and norms (and, in the plane, cross products), so that a library of
rotation-invariant terms is a few terms instead of hundreds. Vectors are made of them by sums, scalings and, in space,
cross products: their sums have one coefficient for all components, and a law is a whole vector (momentum, angular
momentum, Laplace-Runge-Lenz).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, permutations

from noether_dsl.formula import Formula, node, parameter, vector

from .kinds import Kinds
from .terms import Term, power

SCALES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)
"""Where a softening of distances is looked for, in squares of the file's unit."""


@dataclass(frozen=True)
class Vectors:
    """The vectors of one rank.

    all: every one. positions: those whose components are positions (all, where nothing is a rate); velocities: theirs.
    alike: pairs that can be subtracted.
    """

    rank: int
    all: tuple[Formula, ...]
    positions: tuple[Formula, ...]
    velocities: tuple[Formula, ...]
    alike: tuple[tuple[Formula, Formula], ...]


def vectors_by_rank(k: Kinds) -> Iterator[Vectors]:
    """The vectors of the plane, and those of space."""
    for rank in (2, 3):
        own = [(name, parts) for name, parts in k.vectors if len(parts) == rank]
        if not own:
            continue
        made = {name: vector(name, parts) for name, parts in own}
        positions = [made[n] for n, parts in own if all(p in k.rates for p in parts)]
        rates = {k.rates[p] for n, parts in own for p in parts if p in k.rates}
        velocities = [made[n] for n, parts in own if all(p in rates for p in parts)]
        everything = tuple(made.values())
        chosen = tuple(positions) or everything
        alike = [
            (one, other) for one, other in combinations(chosen, 2) if k.alike(one.components[0], other.components[0])
        ]
        yield Vectors(rank, everything, chosen, tuple(velocities) or everything, tuple(alike))


def squares(v: Vectors) -> list[Term]:
    """Scalar products of all pairs; in the plane, cross products too."""
    found = [Term(node("square", u), 2.0) for u in v.all]
    found += [Term(node("dot", one, other), 2.4) for one, other in combinations(v.all, 2)]
    if v.rank == 2:
        found += [Term(node("cross", one, other), 2.4) for one, other in combinations(v.all, 2)]
    return found


def inverse_distances(v: Vectors) -> list[Term]:
    """1/|q| and |q| for single vectors; 1/d and log d for differences."""
    found = []
    for q in v.positions:
        found += [Term(node("inverse", node("norm", q)), 3.0), Term(node("norm", q), 4.0)]
    for one, other in v.alike:
        d = node("sub", one, other)
        found += [Term(node("inverse", node("norm", d)), 3.0), Term(node("square", d), 2.5)]
    return found


def logarithms(v: Vectors, k: Kinds) -> list[Term]:
    """log |q1 - q2|, where lengths are numbers."""
    return [
        Term(node("log", node("square", node("sub", one, other))), 3.0)
        for one, other in v.alike
        if k.pure(*one.components)
    ]


def softened(v: Vectors, soft: float) -> list[Term]:
    """1/sqrt(d^2 + s) for differences."""
    squares_of = [node("square", node("sub", one, other)) for one, other in v.alike]
    return [Term(node("inverse", node("sqrt", node("add", d2, parameter()))), 4.0, (soft,)) for d2 in squares_of]


def momenta(v: Vectors) -> list[Term]:
    """The vectors themselves."""
    return [Term(u, 1.0) for u in v.all]


def turned(v: Vectors) -> list[Term]:
    """In space, cross products of all pairs."""
    return [Term(node("cross", one, other), 2.0) for one, other in combinations(v.all, 2)] if v.rank == 3 else []


def eccentric(v: Vectors) -> list[Term]:
    """Terms like those of the Laplace-Runge-Lenz vector: q v^2, v (q.v), q/|q|."""
    found = [Term(node("div", q, node("norm", q)), 3.0) for q in v.positions]
    for one, other in permutations(v.all, 2):
        found.append(Term(node("mul", power(other, 2), one), 3.0))
        found.append(Term(node("mul", node("dot", one, other), one), 3.2))
    return found


def pairs(v: Vectors) -> list[Term]:
    """Squares of velocities only: what stands beside distances of bodies."""
    own = [Term(node("square", u), 2.0) for u in v.velocities]
    return own + [Term(node("dot", one, other), 2.4) for one, other in combinations(v.velocities, 2)]
