"""Formulas: the sentences of the language, as immutable plain data.

A formula is an identity and a join key: it holds no fitted numbers. Commutative operands stand in one canonical order,
so that formulas equal up to commutativity are equal objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from .operators import OPERATORS
from .ranks import in_words

INPUT, PARAMETER = "input", "parameter"
T = TypeVar("T")


class FormulaError(ValueError):
    """Text that is no formula; the message says where."""


@dataclass(frozen=True, slots=True, repr=False)
class Formula:
    """A leaf (an input by its symbol, or a parameter) or an operator over formulas.

    head: ``"input"``, ``"parameter"`` or an operator's name.
    name: an input's symbol; a parameter's unit when it is fixed by the grammar, else "".
    operands: the sub-formulas, in canonical order where the operator commutes.
    components: for an input that is a vector, the symbols of the columns that are its components; else ().
    """

    head: str
    name: str = ""
    operands: tuple[Formula, ...] = ()
    components: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """As Python would write it, from which `node` makes the canonical order."""
        vector = f", components={self.components!r}" if self.components else ""
        return f"Formula(head={self.head!r}, name={self.name!r}, operands={self.operands!r}{vector})"

    @property
    def nodes(self) -> int:
        """How many nodes the tree has: what the paper calls depth."""
        return 1 + sum(operand.nodes for operand in self.operands)

    @property
    def depth(self) -> int:
        """The longest path from the root to a leaf, in nodes."""
        return 1 + max((operand.depth for operand in self.operands), default=0)

    @property
    def leaves(self) -> Iterator[Formula]:
        """The leaves, left to right."""
        if not self.operands:
            yield self
        for operand in self.operands:
            yield from operand.leaves

    @property
    def inputs(self) -> frozenset[str]:
        """The symbols of the columns that it reads; those of a vector are its components."""
        return frozenset(
            symbol for leaf in self.leaves if leaf.head == INPUT for symbol in leaf.components or (leaf.name,)
        )

    @property
    def vectors(self) -> dict[str, tuple[str, ...]]:
        """The vectors that it reads: name -> symbols of the components."""
        return {leaf.name: leaf.components for leaf in self.leaves if leaf.components}

    @property
    def rank(self) -> int:
        """0 for a number, n for a vector of n components.

        Raises FormulaError where an operation meets a number for a vector, or the other way round.
        """
        if not self.operands:
            return len(self.components)
        row = OPERATORS[self.head]
        if row.ranks.numeric:
            return 0
        ranks = tuple([operand.rank for operand in self.operands])
        rank = row.ranks.result(ranks)
        if rank is None:
            raise FormulaError(rank_clash(self.head, ranks))
        return rank

    @property
    def parameters(self) -> int:
        """How many parameters it has; each occurs once, and they are numbered left to right."""
        return sum(leaf.head == PARAMETER for leaf in self.leaves)

    def __str__(self) -> str:
        from .reading import text

        return text(self)


def variable(symbol: str) -> Formula:
    """The input with this symbol."""
    return Formula(INPUT, symbol)


def vector(name: str, components: Iterable[str]) -> Formula:
    """The vector input with this name, whose components are the columns with these symbols."""
    return Formula(INPUT, name, components=tuple(components))


def parameter(unit: str = "") -> Formula:
    """A trainable scalar; its unit is inferred unless one is given."""
    return Formula(PARAMETER, unit)


def rank_clash(head: str, ranks: Iterable[int]) -> str:
    """What is wrong with an operation on operands of these ranks, in words."""
    return f"{head} cannot take {' and '.join(in_words(rank) for rank in ranks)}"


def node(head: str, *operands: Formula) -> Formula:
    """An operator over formulas, operands in canonical order.

    Raises FormulaError for an unknown operator or a wrong number of operands.
    """
    row = OPERATORS.get(head)
    if row is None:
        raise FormulaError(f'there is no operator "{head}"')
    if len(operands) != row.arity:
        raise FormulaError(f"{head} takes {row.arity} operands, not {len(operands)}")
    if row.commutes and _comes_after(operands[0], operands[1], head):
        operands = operands[::-1]
    return Formula(head, "", operands)


def _comes_after(left: Formula, right: Formula, head: str) -> bool:
    """A lone parameter leads a product and ends a sum, a chain goes on, and smaller formulas come first."""
    first, second = _place(left, head), _place(right, head)
    return first > second or (first == second and repr(left) > repr(right))


def _place(formula: Formula, head: str) -> tuple[int, int]:
    if formula.head == PARAMETER:
        place = 3 if head == "add" else 0
    elif formula.head == head or (head == "add" and formula.head == "sub"):
        place = 1
    else:
        place = 2
    return place, formula.nodes


def fold(formula: Formula, leaf: Callable[[Formula, int], T], inner: Callable[[Formula, tuple[T, ...]], T]) -> T:
    """One recursion for every reading: `leaf(leaf, parameter number)`, `inner(node, readings of the operands)`.

    Parameters are numbered from 0, left to right; an input gets the number -1. A vector is one leaf.
    """
    count = 0

    def walk(part: Formula) -> T:
        nonlocal count
        if not part.operands:
            number = -1
            if part.head == PARAMETER:
                number, count = count, count + 1
            return leaf(part, number)
        return inner(part, tuple([walk(operand) for operand in part.operands]))

    return walk(formula)


Valued = tuple[Formula, tuple[float, ...]]
"""A formula with numbers for its parameters, left to right."""


def joined(head: str, *operands: Valued) -> Valued:
    """An operator over formulas with numbers; the numbers follow their operands into canonical order."""
    formula = node(head, *(part for part, _ in operands))
    if formula.operands != tuple(part for part, _ in operands):
        operands = operands[::-1]
    return formula, tuple(number for _, numbers in operands for number in numbers)
