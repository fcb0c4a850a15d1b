"""Libraries of terms in curved coordinates: what energies and momenta are made of in angles and distances.

In Cartesian columns a kinetic energy is a sum of squares. In angles its coefficients turn with the motion
(w**2*sin(a)**2, u*w*cos(a)), in distances they grow (r**2*w**2), close to the speed of light it is a root, and wells of
molecules are exponentials at a rate of their own.
"""

from __future__ import annotations

from noether_dsl.formula import Formula, node, parameter, variable

from .kinds import Kinds
from .terms import Term, monomial, monomials, power, product, total

ROOTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Where the number under a root is looked for, in squares of the largest deviation of the columns beside it; above, a
root is hardly more than a square."""
STEEPNESS = (0.2, 0.4, 0.8, 1.6, 3.2, 6.4)
"""Where the rate of an exponential is looked for, over the least deviation of a position."""


FEW = 4
"""Velocities, each of which may stand under a root, and positions, each of which may stand in an exponential."""


MOST_ALIKE = 3
"""Velocities whose squares may stand under one root: a body has no more."""


def turning_velocities(k: Kinds) -> list[Term]:
    """Sines and cosines of angles, their squares, and these times one and two velocities."""
    angles = _turning(k)
    if not angles:
        return []
    own: list[Term] = []
    rates = monomials(_velocities(k), 2)
    for a in angles:
        for shape, complexity in _shapes(a):
            own.append(Term(shape, complexity))
            own += [Term(product(rate.formula, shape), rate.complexity + complexity) for rate in rates]
    return monomials(k.symbols, 2) + own


def radial(k: Kinds) -> list[Term]:
    """A distance that is never zero, its powers, and these times velocities across it and sines and cosines."""
    distances = [s for s in k.positions if s in k.rates and s in k.nonzero]
    if not distances or len(k.positions) < 2:
        return []
    own: list[Term] = monomials(_velocities(k), 2)
    for a in _turning(k):
        own += [Term(node(f, variable(a)), 2.0) for f in ("cos", "sin")]
    for r in distances:
        own += [Term(variable(r), 1.0), Term(power(r, 2), 2.0)]
        own += [Term(node("inverse", variable(r)), 2.0), Term(node("inverse", power(r, 2)), 2.5)]
        own += [Term(node("log", variable(r)), 2.5)] if r in k.positive and k.pure(r) else []
        across = [v for v in _velocities(k) if v != k.rates[r]]
        moved = [(monomial((r, w)), 2.2) for w in across] + [(monomial((r, r, w)), 3.2) for w in across]
        moved += [(monomial((r, r, w, w)), 4.2) for w in across]
        own += [Term(formula, complexity) for formula, complexity in moved]
        for a in _turning(k):
            if a != r:
                own += [Term(product(variable(r), node(f, variable(a))), 3.0) for f in ("cos", "sin")]
                own += [Term(product(monomial((r, r, *w)), node("square", node("sin", variable(a)))), 4.0 + len(w))
                        for v in across for w in ((v,), (v, v))]  # fmt: skip
    return list(dict.fromkeys(own))


def roots(k: Kinds, number: float) -> list[Term]:
    """Products of two, and sqrt(v**2 + s) for velocities and for the sum of the squares of all that are alike."""
    velocities = _velocities(k)
    few = len(velocities) <= FEW
    inside = [power(v, 2) for v in velocities] if few else []
    if 1 < len(velocities) <= MOST_ALIKE and k.alike(*velocities):
        inside.append(total(inside))
    own = [Term(node("sqrt", node("add", square, parameter())), 9.0, (number,)) for square in inside]
    return (monomials(k.symbols, 2) if few else [Term(power(s, 2), 2.0) for s in k.symbols]) + own if own else []


def steep_exponentials(k: Kinds, rate: float) -> list[Term]:
    """Products of two velocities, positions, and exp(s x) and its square: what one-sided wells are made of."""
    if len(k.positions) > FEW:
        return []
    own: list[Term] = monomials(_velocities(k), 2)
    for s in k.positions:
        own.append(Term(variable(s), 1.0))
        for times, complexity in ((1.0, 5.0), (2.0, 5.5)):
            own.append(Term(node("exp", node("mul", parameter(), variable(s))), complexity, (times * rate,)))
    return list(dict.fromkeys(own))


def _shapes(angle: str) -> list[tuple[Formula, float]]:
    sin, cos = node("sin", variable(angle)), node("cos", variable(angle))
    return [(cos, 2.0), (sin, 2.0), (node("square", sin), 2.5), (product(sin, cos), 3.0)]


def _turning(k: Kinds) -> tuple[str, ...]:
    """The angles that have a rate; where none has one, columns that are angles by their unit."""
    return tuple(s for s in k.symbols if (s in k.rates and k.turning(s)) or (not k.rates and s in k.angles))


def _velocities(k: Kinds) -> tuple[str, ...]:
    return k.velocities if k.rates else tuple(s for s in k.positions if s not in k.angles)
