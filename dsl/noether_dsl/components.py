"""Formulas with vectors as formulas of their components: what a vector stands for, number by number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .formula import Formula, Valued, fold, joined, variable
from .operators import OPERATORS
from .vector import Vector


def components(formula: Formula) -> tuple[Formula, ...]:
    """The numbers that a formula stands for: n formulas for a vector of n components, one for a number.

    They read columns instead of vectors: ``cross(q, p)`` in space is ``q_y*p_z - q_z*p_y`` and two more. A parameter
    beside a vector stands in every component; `valued_components` tells which is which.
    """
    return tuple(part for part, _ in valued_components(formula, range(formula.parameters)))


def valued_components(formula: Formula, parameters: Sequence[Any]) -> tuple[tuple[Formula, tuple[Any, ...]], ...]:
    """`components`, each with numbers for its parameters, left to right.

    parameters: of the formula, left to right; whatever stands for them (``range(n)`` numbers them).
    """

    def leaf(part: Formula, number: int) -> _Tree | Vector:
        if part.components:
            return Vector(tuple(_Tree((variable(symbol), ())) for symbol in part.components))
        return _Tree((part, () if number < 0 else (parameters[number],)))

    def inner(part: Formula, operands: tuple[Any, ...]) -> _Tree | Vector:
        if not any(isinstance(operand, Vector) for operand in operands):
            return _Tree(joined(part.head, *(operand.valued for operand in operands)))
        value: _Tree | Vector = OPERATORS[part.head].compute(_Functions(), *operands)
        return value

    whole = fold(formula, leaf, inner)
    return tuple(tree.valued for tree in (whole if isinstance(whole, Vector) else (whole,)))


@dataclass(frozen=True)
class _Tree:
    """A formula with numbers; arithmetic with it makes larger ones."""

    valued: Valued

    def __add__(self, other: _Tree) -> _Tree:
        return _Tree(joined("add", self.valued, other.valued))

    def __sub__(self, other: _Tree) -> _Tree:
        return _Tree(joined("sub", self.valued, other.valued))

    def __mul__(self, other: Any) -> _Tree:
        if isinstance(other, Vector):
            return NotImplemented
        if self == other:
            return _Tree(joined("square", self.valued))
        return _Tree(joined("mul", self.valued, other.valued))

    def __truediv__(self, other: _Tree) -> _Tree:
        return _Tree(joined("div", self.valued, other.valued))


class _Functions:
    """What stands for numpy while formulas are made: the operators by their names."""

    def __getattr__(self, name: str) -> Callable[[_Tree], _Tree]:
        return lambda tree: _Tree(joined(name, tree.valued))
