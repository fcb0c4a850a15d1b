"""Every well-typed formula of a grammar, each once up to commutativity, smallest first.

Formulas live in columns (operator, left, right, unit), not in objects: a row's operands are earlier rows. The rows of
one size stand in blocks of one kind (a unit, and a number or a vector), so that an operation between two blocks is one
outer product of two ranges and typing is decided once for the two blocks. Formulas are numbers; vectors are rows
because numbers are made of them, and are not counted. The reading of the rules, and the counts that follow from it, are
in docs/language.md.

Legend: F formulas; N nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from .formula import Formula, node
from .grammar import Grammar
from .operators import OPERATORS, Kind, Operand
from .ranks import NUMBER

LEAF = -1
SHARED = 30_000
"""The first rows of a table, whose formulas are built once, and are parts of many others."""
Rows = NDArray[np.int32]


@dataclass(frozen=True)
class Table:
    """Formulas in columns, smallest first.

    operators: the names that `operator` indexes.
    leaves: each leaf with its dimension; row i < len(leaves) is leaf i.
    units, ranks: the dimensions (None is free) and ranks that `unit` indexes.
    operator_F: int16, -1 for a leaf. left_F, right_F: int32 rows of the operands, -1 for none.
    unit_F: int32. size_F: int8 nodes.
    """

    operators: tuple[str, ...]
    leaves: tuple[tuple[Formula, Operand], ...]
    units: tuple[Operand, ...]
    ranks: tuple[int, ...]
    operator_F: NDArray[np.int16]
    left_F: Rows
    right_F: Rows
    unit_F: Rows
    size_F: NDArray[np.int8]
    _small: dict[int, Formula] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.operator_F)

    def formula(self, row: int) -> Formula:
        """The formula of one row. Formulas share the small ones that they are made of."""
        known = self._small.get(row)
        if known is not None:
            return known
        operator = self.operator_F[row]
        if operator == LEAF:
            return self.leaves[row][0]
        operands = (self.left_F[row], self.right_F[row]) if self.right_F[row] >= 0 else (self.left_F[row],)
        found = node(self.operators[operator], *(self.formula(int(o)) for o in operands))
        if row < SHARED:
            self._small[row] = found
        return found

    def rows(self, rank: int = NUMBER) -> Rows:
        """The rows that are numbers, or vectors of `rank` components."""
        if set(self.ranks) == {rank}:
            return np.arange(len(self), dtype=np.int32)
        return np.flatnonzero(np.array(self.ranks)[self.unit_F] == rank).astype(np.int32)

    def by_nodes(self) -> NDArray[np.int64]:
        """How many formulas have 1, 2, ... nodes."""
        return np.bincount(self.size_F[self.rows()], minlength=int(self.size_F.max()) + 1)[1:].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Formulas(Sequence[Formula]):
    """Rows of a table as a sequence of formulas, which are built when they are asked for: a million of them are as many
    numbers. A part of it is another one; what is sent to another process is a tuple.
    """

    table: Table
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Formula: ...

    @overload
    def __getitem__(self, place: slice) -> Formulas: ...

    def __getitem__(self, place: int | slice) -> Formula | Formulas:
        if isinstance(place, slice):
            return Formulas(self.table, self.rows[place])
        return self.table.formula(int(self.rows[place]))

    def __iter__(self) -> Iterator[Formula]:
        return map(self.table.formula, map(int, self.rows))

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, (list(self),)


def count(grammar: Grammar) -> list[int]:
    """How many formulas the grammar has at 1, 2, ... `max_nodes` nodes, without building one of them.

    The same recursion as `enumerate_formulas` on the numbers of formulas per kind; exact at any size.
    """
    tally: list[dict[Kind, int]] = [{}]
    first: dict[Kind, int] = defaultdict(int)
    for leaf, dimension in grammar.leaves():
        first[dimension, leaf.rank] += 1
    tally.append(first)
    for size in range(2, grammar.max_nodes + 1):
        level: dict[Kind, int] = defaultdict(int)
        for _, _, _, result, pairs in _productions(grammar, size, tally):
            level[result] += pairs
        tally.append(level)
    return [sum(number for (_, rank), number in level.items() if rank == NUMBER) for level in tally[1:]]


def _productions(
    grammar: Grammar,
    size: int,
    tally: list[dict[Kind, int]],
) -> Iterator[tuple[str, tuple[int, Kind], tuple[int, Kind] | None, Kind, int]]:
    """Every (operator, left block, right block, result's kind, number of formulas) that gives `size` nodes."""
    for name in grammar.operators:
        row = OPERATORS[name]
        if row.arity == 1:
            for kind, number in tally[size - 1].items():
                result = row.typed((kind,), grammar.angle)
                if result is not None:
                    yield name, (size - 1, kind), None, result, number
            continue
        for left_size in range(1, size - 1):
            right_size = size - 1 - left_size
            if row.commutes and left_size > right_size:
                continue
            for i, (u, m) in enumerate(tally[left_size].items()):
                for j, (v, n) in enumerate(tally[right_size].items()):
                    if row.commutes and left_size == right_size and i > j:
                        continue
                    result = row.typed((u, v), grammar.angle)
                    if result is not None:
                        same = row.commutes and left_size == right_size and i == j
                        yield name, (left_size, u), (right_size, v), result, m * (m + 1) // 2 if same else m * n


def enumerate_formulas(grammar: Grammar, progress: Callable[[int, int], None] | None = None) -> Table:
    """All formulas of the grammar up to its node limit, each once up to commutativity (the raw form, the paper's).

    progress: called with (nodes done, formulas and vectors so far).
    """
    leaves = grammar.leaves()
    kinds: dict[Kind, int] = {}
    blocks: list[dict[Kind, tuple[int, int]]] = [{}]

    def kind_number(kind: Kind) -> int:
        return kinds.setdefault(kind, len(kinds))

    grouped: dict[Kind, list[int]] = defaultdict(list)
    for i, (leaf, dimension) in enumerate(leaves):
        grouped[dimension, leaf.rank].append(i)
    ordered = [leaves[i] for members in grouped.values() for i in members]
    columns: list[tuple[NDArray[np.int16], Rows, Rows, Rows]] = []
    start, first = 0, {}
    for kind, members in grouped.items():
        first[kind] = (start, start + len(members))
        start += len(members)
        many = len(members)
        columns.append((np.full(many, LEAF, np.int16), _none(many), _none(many), _full(many, kind_number(kind))))
    blocks.append(first)
    sizes = [start]
    for size in range(2, grammar.max_nodes + 1):
        tally = [{kind: b - a for kind, (a, b) in level.items()} for level in blocks]
        parts: dict[Kind, list[tuple[NDArray[np.int16], Rows, Rows]]] = defaultdict(list)
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
        level: dict[Kind, tuple[int, int]] = {}
        begin = start
        for kind, pieces in parts.items():
            op, left, right_ = (np.concatenate([piece[k] for piece in pieces]) for k in range(3))
            columns.append((op.astype(np.int16), left, right_, _full(len(op), kind_number(kind))))
            level[kind] = (start, start + len(op))
            start += len(op)
        blocks.append(level)
        sizes.append(start - begin)
        if progress is not None:
            progress(size, start)
    operator, left, right_, unit_ = (np.concatenate([c[k] for c in columns]) for k in range(4))
    return Table(
        grammar.operators,
        tuple(ordered),
        tuple(unit for unit, _ in kinds),
        tuple(rank for _, rank in kinds),
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
