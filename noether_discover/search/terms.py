"""Terms: the small formulas whose sums are searched, and their values.

Legend: M terms, N states, C components.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from noether_dsl.formula import Formula, node, variable
from noether_dsl.operators import OPERATORS
from noether_dsl.reading import column_of, evaluate
from noether_dsl.vector import Vector
from numpy.typing import NDArray

Array = NDArray[np.float64]

_KEPT_NODES = 9


@dataclass(frozen=True)
class Term:
    """A summand without its coefficient.

    formula: a number or a vector, without linear parameters. complexity: what it costs in a simplest form.
    values: of numbers inside it (a softening).
    """

    formula: Formula
    complexity: float
    values: tuple[float, ...] = ()

    def __str__(self) -> str:
        return str(self.formula)


def with_number(terms: Sequence[Term], factor: float) -> list[Term]:
    """The terms with the number inside them times a factor."""
    return [replace(t, values=tuple(v * factor for v in t.values)) if t.values else t for t in terms]


def power(base: str | Formula, exponent: int) -> Formula:
    """x, x**2, x**3, x**4."""
    x = variable(base) if isinstance(base, str) else base
    if exponent == 1:
        return x
    if exponent == 2:
        return node("square", x)
    return node("cube", x) if exponent == 3 else node("square", node("square", x))


def product(*factors: Formula) -> Formula:
    """The factors' product."""
    whole = factors[0]
    for factor in factors[1:]:
        whole = node("mul", whole, factor)
    return whole


def total(parts: Iterable[Formula]) -> Formula:
    """The parts' sum."""
    first, *rest = parts
    for part in rest:
        first = node("add", first, part)
    return first


def monomial(symbols: Sequence[str]) -> Formula:
    """The product of the symbols, repeated ones as powers."""
    return product(*(power(s, symbols.count(s)) for s in dict.fromkeys(symbols)))


def monomials(symbols: Sequence[str], degree: int, least: int = 1) -> list[Term]:
    """All products of `least` to `degree` columns; x*y costs a little more than x**2."""
    return [
        Term(monomial(chosen), d + 0.2 * (len(set(chosen)) - 1))
        for d in range(least, degree + 1)
        for chosen in combinations_with_replacement(symbols, d)
    ]


def difference(one: str, other: str | None) -> Formula:
    """x - y, or x where there is no other."""
    return variable(one) if other is None else node("sub", variable(one), variable(other))


def distance2(pairs: Iterable[tuple[str, str | None]]) -> Formula:
    """The sum of the squares of differences."""
    return total(node("square", difference(one, other)) for one, other in pairs)


class Values:
    """Terms' values at some states; parts that terms share are computed once."""

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self.columns = columns
        self._parts: dict[Formula, Any] = {}

    def of(self, terms: Sequence[Term], component: int = 0) -> Array:
        """[M, N]; not finite outside a term's domain. component: which one, of vectors."""
        out = np.empty((len(terms), len(next(iter(self.columns.values())))))
        with np.errstate(all="ignore"):
            for m, term in enumerate(terms):
                value = evaluate(term.formula, self.columns, term.values) if term.values else self._part(term.formula)
                out[m] = value.parts[component] if isinstance(value, Vector) else value
        return out

    def _part(self, formula: Formula) -> Any:
        if not formula.operands:
            return column_of(formula, self.columns)
        known = self._parts.get(formula)
        if known is None:
            known = OPERATORS[formula.head].compute(np, *(self._part(operand) for operand in formula.operands))
            if formula.nodes <= _KEPT_NODES:
                self._parts[formula] = known
        return known
