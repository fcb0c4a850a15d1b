"""Values and derivatives of many formulas at once.

A parameter-free part of a formula is a *feature*: it is computed once, and formulas share it. What is left of a formula
(operators over features and parameters) is a short program. Programs of all shapes run together: the nodes of all
formulas are sorted by height and operator, features and parameters are data (a gather), and one call of the operator's
row serves all nodes of one height and kind. Parameters are unshared, so each has one path to the root, and the
derivative by it is the product of the partial derivatives along that path (reverse mode; the partials come from the
operator's own row).

A vector takes one row of values, one node, for each component, one after the other; operators see it as a `Vector`.

Legend: F formulas, S starts, P parameters (padded to the most), N points, M features, I nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from noether_dsl.formula import INPUT, PARAMETER, Formula
from noether_dsl.operators import OPERATORS
from noether_dsl.reading import column_of, evaluate
from noether_dsl.vector import Value, Vector
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


class Features:
    """The parameter-free parts of formulas, numbered as they are met; a vector by its first component."""

    def __init__(self) -> None:
        self.numbers: dict[Formula, int] = {}
        self._rows = 0

    def number(self, formula: Formula) -> int:
        """The number of a parameter-free formula."""
        known = self.numbers.get(formula)
        if known is None:
            known = self.numbers[formula] = self._rows
            self._rows += formula.rank or 1
        return known

    def rows(self, formula: Formula) -> slice:
        """Where its values stand among those of all features."""
        first = self.numbers[formula]
        return slice(first, first + (formula.rank or 1))

    def __len__(self) -> int:
        return self._rows

    def values(self, columns: Mapping[str, Array], known: Array | None = None) -> Array:
        """Every feature at every point, [M, N]; not finite outside a feature's domain.

        known: values of the first features at the same points, which are then not computed again.
        """
        size = len(next(iter(columns.values())))
        values = np.empty((self._rows, size))
        done = 0 if known is None else len(known)
        if known is not None:
            values[:done] = known
        with np.errstate(all="ignore"):
            for formula, number in self.numbers.items():
                if number >= done:
                    for row, part in enumerate(_parts(self._value(formula, columns, values, number))):
                        values[number + row] = part
        return values

    def _value(self, formula: Formula, columns: Mapping[str, Array], values: Array, number: int) -> Value:
        if formula.head == INPUT:
            return column_of(formula, columns)
        operands = []
        for operand in formula.operands:
            place = self.numbers.get(operand, number)
            if place >= number:
                operands.append(evaluate(operand, columns, ()))
            else:
                rank = operand.rank
                operands.append(Vector(tuple(values[place : place + rank])) if rank else values[place])
        return OPERATORS[formula.head].compute(np, *operands)


@dataclass(frozen=True)
class _Place:
    """Where the values of many like nodes stand: their numbers, for a vector one series for each component."""

    nodes: Tensor | tuple[Tensor, ...]

    def of(self, values_ISN: Tensor) -> Value:
        if isinstance(self.nodes, tuple):
            return Vector(tuple(values_ISN[nodes] for nodes in self.nodes))
        return values_ISN[self.nodes]

    def put(self, values_ISN: Tensor, value: Value) -> None:
        all_nodes = self.nodes if isinstance(self.nodes, tuple) else (self.nodes,)
        for nodes, part in zip(all_nodes, _parts(value), strict=True):
            values_ISN[nodes] = part


def _parts(value: Value) -> tuple[Value, ...]:
    """A vector's components, or the number."""
    return value.parts if isinstance(value, Vector) else (value,)


def _places(ranks: Sequence[int], nodes: Iterable[Sequence[int]]) -> tuple[_Place, ...]:
    """The places of results and operands of these ranks; nodes: for each node their numbers, one after the other."""
    series = list(torch.tensor(list(nodes), dtype=torch.long).T.contiguous())
    places = []
    for rank in ranks:
        places.append(_Place(tuple(series[:rank]) if rank else series[0]))
        series = series[rank or 1 :]
    return tuple(places)


class Programs:
    """F formulas ready to be evaluated together for many parameter values.

    formulas: any formulas that are numbers; those without parameters are allowed.
    features: the register of parameter-free parts, which grows by those of the formulas.
    """

    def __init__(self, formulas: Sequence[Formula], features: Features) -> None:
        self.parameters = max((f.parameters for f in formulas), default=0)
        self.used_FP = torch.zeros((len(formulas), self.parameters), dtype=torch.bool)
        self._feature_nodes: list[int] = []
        self._feature_numbers: list[int] = []
        self._parameter_nodes: list[int] = []
        self._parameter_places: list[tuple[int, int]] = []
        steps: _Steps = defaultdict(list)
        self._nodes = 0
        roots = []
        for row, formula in enumerate(formulas):
            self._next = 0
            ((root,), _, rank) = self._place(formula, row, features, steps)
            assert rank == 0, "a vector is judged by its components"
            roots.append(root)
            self.used_FP[row, : formula.parameters] = True
        self._roots_F = torch.tensor(roots, dtype=torch.long)
        self._steps = [
            (name, _places(ranks, nodes)) for (_, name, ranks), nodes in sorted(steps.items(), key=lambda item: item[0])
        ]
        self._features = torch.tensor(self._feature_nodes, dtype=torch.long)
        self._columns = torch.tensor(self._feature_numbers, dtype=torch.long)
        self._leaves = torch.tensor(self._parameter_nodes, dtype=torch.long)
        self._places = torch.tensor(self._parameter_places, dtype=torch.long).reshape(-1, 2)

    def _place(self, part: Formula, row: int, features: Features, steps: _Steps) -> tuple[tuple[int, ...], int, int]:
        """Number the nodes of one formula; the numbers of its last node (several for a vector), height and rank."""
        if part.parameters == 0:
            rank, first = part.rank, features.number(part)
            numbers = self._new(rank)
            self._feature_nodes += numbers
            self._feature_numbers += range(first, first + len(numbers))
            return numbers, 0, rank
        if part.head == PARAMETER:
            numbers = self._new(0)
            self._parameter_nodes += numbers
            self._parameter_places.append((row, self._next))
            self._next += 1
            return numbers, 0, 0
        operands = [self._place(operand, row, features, steps) for operand in part.operands]
        ranks = tuple([rank for _, _, rank in operands])
        result = OPERATORS[part.head].ranks.result(ranks)
        assert result is not None, "a sound formula"
        numbers = self._new(result)
        height = 1 + max(h for _, h, _ in operands)
        below = [number for own, _, _ in operands for number in own]
        steps[height, part.head, (result, *ranks)].append((*numbers, *below))
        return numbers, height, result

    def _new(self, rank: int) -> tuple[int, ...]:
        """Numbers for a node of this rank."""
        first, self._nodes = self._nodes, self._nodes + (rank or 1)
        return tuple(range(first, self._nodes))

    @property
    def size(self) -> int:
        """How many nodes all programs have together."""
        return self._nodes

    def _forward(self, theta_FSP: Tensor, features_MN: Tensor) -> Tensor:
        starts, points = theta_FSP.shape[1], features_MN.shape[1]
        values_ISN = torch.empty((self._nodes, starts, points), dtype=torch.float64)
        values_ISN[self._features] = features_MN[self._columns][:, None, :]
        if len(self._leaves):
            values_ISN[self._leaves] = theta_FSP[self._places[:, 0], :, self._places[:, 1]][:, :, None]
        for name, (result, *operands) in self._steps:
            result.put(values_ISN, OPERATORS[name].compute(torch, *(place.of(values_ISN) for place in operands)))
        return values_ISN

    def values(self, theta_FSP: Tensor, features_MN: Tensor) -> Tensor:
        """The formulas' values, [F, S, N]."""
        return self._forward(theta_FSP, features_MN)[self._roots_F]

    def values_and_jacobian(self, theta_FSP: Tensor, features_MN: Tensor) -> tuple[Tensor, Tensor]:
        """The values [F, S, N] and their derivatives by the parameters [F, S, P, N] (0 for absent parameters)."""
        values_ISN = self._forward(theta_FSP, features_MN)
        adjoint_ISN = torch.zeros_like(values_ISN)
        adjoint_ISN[self._roots_F] = 1.0
        for name, (result, *operands) in reversed(self._steps):
            values = [place.of(values_ISN) for place in operands]
            shares = _pulled_back(OPERATORS[name].compute, values, result.of(adjoint_ISN))
            for place, share in zip(operands, shares, strict=True):
                place.put(adjoint_ISN, share)
        jacobian_FSPN = torch.zeros((*theta_FSP.shape, features_MN.shape[1]), dtype=torch.float64)
        if len(self._leaves):
            jacobian_FSPN[self._places[:, 0], :, self._places[:, 1]] = adjoint_ISN[self._leaves]
        return values_ISN[self._roots_F], jacobian_FSPN


_Steps = defaultdict[tuple[int, str, tuple[int, ...]], list[tuple[int, ...]]]
"""Height, operator and ranks of result and operands -> for each node its numbers and those of its operands."""


def _pulled_back(compute: Callable[..., Value], operands: list[Value], above: Value) -> list[Value]:
    """An operator's adjoint times its partial derivatives, from its row by reverse mode. (torch's forward mode, and
    `grad` with an adjoint as argument, would import its compiler or sympy first, which takes seconds.)"""
    leaves = [operand.each(_leaf) if isinstance(operand, Vector) else _leaf(operand) for operand in operands]
    with torch.enable_grad():
        value = sum((x * y).sum() for x, y in zip(_parts(compute(torch, *leaves)), _parts(above), strict=True))
    flat = [part for leaf in leaves for part in _parts(leaf)]
    slopes = iter(torch.autograd.grad(value, flat, materialize_grads=True))
    return [leaf.each(lambda _: next(slopes)) if isinstance(leaf, Vector) else next(slopes) for leaf in leaves]


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()
