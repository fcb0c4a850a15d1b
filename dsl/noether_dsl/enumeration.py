"""Every well-typed formula of a grammar, each once up to commutativity, smallest first.

Formulas live in columns (operator, left, right, unit), not in objects: a row's operands are earlier rows. The rows of
one size stand in blocks of one unit, so that an operation between two blocks is one outer product of two ranges and
typing is decided once for the two blocks. The reading of the rules, and the counts that follow from it, are in
docs/language.md.

Legend: F formulas; N nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .formula import Formula, node
from .grammar import Grammar
from .operators import OPERATORS, Operand

LEAF = -1
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Table:
    """Formulas in columns, smallest first.

    operators: the names that `operator` indexes.
    leaves: head, name and dimension of each leaf; row i < len(leaves) is leaf i.
    units: the dimensions that `unit` indexes (None is free).
    operator_F: int16, -1 for a leaf. left_F, right_F: int32 rows of the operands, -1 for none.
    unit_F: int32. size_F: int8 nodes.
    """

    operators: tuple[str, ...]
    leaves: tuple[tuple[str, str, Operand], ...]
    units: tuple[Operand, ...]
    operator_F: NDArray[np.int16]
    left_F: Rows
    right_F: Rows
    unit_F: Rows
    size_F: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.operator_F)

    def formula(self, row: int) -> Formula:
        """The formula of one row."""
        operator = self.operator_F[row]
        if operator == LEAF:
            head, name, _ = self.leaves[row]
            return Formula(head, name)
        operands = (self.left_F[row], self.right_F[row]) if self.right_F[row] >= 0 else (self.left_F[row],)
        return node(self.operators[operator], *(self.formula(int(o)) for o in operands))

    def by_nodes(self) -> NDArray[np.int64]:
        """How many formulas have 1, 2, ... nodes."""
        return np.bincount(self.size_F, minlength=1)[1:].astype(np.int64)


def count(grammar: Grammar) -> list[int]:
    """How many formulas the grammar has at 1, 2, ... `max_nodes` nodes, without building one of them.

    The same recursion as `enumerate_formulas` on the numbers of formulas per unit; exact at any size.
    """
    tally: list[dict[Operand, int]] = [{}]
    first: dict[Operand, int] = defaultdict(int)
    for _, _, dimension in grammar.leaves():
        first[dimension] += 1
    tally.append(first)
    for size in range(2, grammar.max_nodes + 1):
        level: dict[Operand, int] = defaultdict(int)
        for _, _, _, result, pairs in _productions(grammar, size, tally):
            level[result] += pairs
        tally.append(level)
    return [sum(level.values()) for level in tally[1:]]


def _productions(
    grammar: Grammar,
    size: int,
    tally: list[dict[Operand, int]],
) -> Iterator[tuple[str, tuple[int, Operand], tuple[int, Operand] | None, Operand, int]]:
    """Every (operator, left block, right block, result's unit, number of formulas) that gives `size` nodes."""
    for name in grammar.operators:
        row = OPERATORS[name]
        if row.arity == 1:
            for unit, number in tally[size - 1].items():
                result = row.units.forward((unit,), grammar.angle)
                if result is not None:
                    yield name, (size - 1, unit), None, result[0], number
            continue
        for left_size in range(1, size - 1):
            right_size = size - 1 - left_size
            if row.commutes and left_size > right_size:
                continue
            for i, (u, m) in enumerate(tally[left_size].items()):
                for j, (v, n) in enumerate(tally[right_size].items()):
                    if row.commutes and left_size == right_size and i > j:
                        continue
                    result = row.units.forward((u, v), grammar.angle)
                    if result is not None:
                        same = row.commutes and left_size == right_size and i == j
                        yield name, (left_size, u), (right_size, v), result[0], m * (m + 1) // 2 if same else m * n


def enumerate_formulas(grammar: Grammar, progress: Callable[[int, int], None] | None = None) -> Table:
    """All formulas of the grammar up to its node limit, each once up to commutativity (the raw form, the paper's).

    progress: called with (nodes done, formulas so far).
    """
    leaves = grammar.leaves()
    units: dict[Operand, int] = {}
    blocks: list[dict[Operand, tuple[int, int]]] = [{}]

    def unit_number(unit: Operand) -> int:
        return units.setdefault(unit, len(units))

    grouped: dict[Operand, list[int]] = defaultdict(list)
    for i, (_, _, dimension) in enumerate(leaves):
        grouped[dimension].append(i)
    ordered = [leaves[i] for members in grouped.values() for i in members]
    columns: list[tuple[NDArray[np.int16], Rows, Rows, Rows]] = []
    start, first = 0, {}
    for unit, members in grouped.items():
        first[unit] = (start, start + len(members))
        start += len(members)
        many = len(members)
        columns.append((np.full(many, LEAF, np.int16), _none(many), _none(many), _full(many, unit_number(unit))))
    blocks.append(first)
    sizes = [start]
    for size in range(2, grammar.max_nodes + 1):
        tally = [{unit: b - a for unit, (a, b) in level.items()} for level in blocks]
        parts: dict[Operand, list[tuple[NDArray[np.int16], Rows, Rows]]] = defaultdict(list)
        for name, (s, u), right, result, _ in _productions(grammar, size, tally):
            code = grammar.operators.index(name)
            a = np.arange(*blocks[s][u], dtype=np.int32)
            if right is None:
                parts[result].append((np.full(len(a), code, np.int16), a, _none(len(a))))
                continue
            b = np.arange(*blocks[right[0]][right[1]], dtype=np.int32)
            if OPERATORS[name].commutes and (s, u) == right:
                upper, lower = np.triu_indices(len(a))
                left_rows, right_rows = a[upper], a[lower]
            else:
                left_rows, right_rows = np.repeat(a, len(b)), np.tile(b, len(a))
            parts[result].append((np.full(len(left_rows), code, np.int16), left_rows, right_rows))
        level: dict[Operand, tuple[int, int]] = {}
        begin = start
        for unit, pieces in parts.items():
            op, left, right_ = (np.concatenate([piece[k] for piece in pieces]) for k in range(3))
            columns.append((op.astype(np.int16), left, right_, _full(len(op), unit_number(unit))))
            level[unit] = (start, start + len(op))
            start += len(op)
        blocks.append(level)
        sizes.append(start - begin)
        if progress is not None:
            progress(size, start)
    operator, left, right_, unit_ = (np.concatenate([c[k] for c in columns]) for k in range(4))
    return Table(
        grammar.operators,
        tuple(ordered),
        tuple(units),
        operator.astype(np.int16),
        left,
        right_,
        unit_,
        np.repeat(np.arange(1, len(sizes) + 1, dtype=np.int8), sizes),
    )


def _none(length: int) -> Rows:
    return np.full(length, -1, np.int32)


def _full(length: int, value: int) -> Rows:
    return np.full(length, value, np.int32)
