"""Values and derivatives of many formulas at once.

A parameter-free part of a formula is a *feature*: it is computed once, and formulas share it. What is left of a formula
(operators over features and parameters) is a short program. Programs of all shapes run together: the nodes of all
formulas are sorted by height and operator, features and parameters are data (a gather), and one call of the operator's
row serves all nodes of one height and kind. Parameters are unshared, so each has one path to the root, and the
derivative by it is the product of the partial derivatives along that path (reverse mode; the partials come from the
operator's own row).

Legend: F formulas, S starts, P parameters (padded to the most), N points, M features, I nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from noether_dsl.formula import INPUT, PARAMETER, Formula
from noether_dsl.operators import OPERATORS
from noether_dsl.reading import evaluate
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float64]


class Features:
    """The parameter-free parts of formulas, numbered as they are met."""

    def __init__(self) -> None:
        self.numbers: dict[Formula, int] = {}

    def number(self, formula: Formula) -> int:
        """The number of a parameter-free formula."""
        return self.numbers.setdefault(formula, len(self.numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def values(self, columns: Mapping[str, Array], known: Array | None = None) -> Array:
        """Every feature at every point, [M, N]; not finite outside a feature's domain.

        known: values of the first features at the same points, which are then not computed again.
        """
        size = len(next(iter(columns.values())))
        values = np.empty((len(self.numbers), size))
        done = 0 if known is None else len(known)
        if known is not None:
            values[:done] = known
        with np.errstate(all="ignore"):
            for formula, number in list(self.numbers.items())[done:]:
                values[number] = self._value(formula, columns, values, number)
        return values

    def _value(self, formula: Formula, columns: Mapping[str, Array], values: Array, number: int) -> Array:
        if formula.head == INPUT:
            return columns[formula.name]
        operands = []
        for operand in formula.operands:
            place = self.numbers.get(operand, number)
            operands.append(values[place] if place < number else evaluate(operand, columns, ()))
        return OPERATORS[formula.head].compute(np, *operands)


class Programs:
    """F formulas ready to be evaluated together for many parameter values.

    formulas: any formulas; those without parameters are allowed.
    features: the register of parameter-free parts, which grows by those of the formulas.
    """

    def __init__(self, formulas: Sequence[Formula], features: Features) -> None:
        self.parameters = max((f.parameters for f in formulas), default=0)
        self.used_FP = torch.zeros((len(formulas), self.parameters), dtype=torch.bool)
        self._feature_nodes: list[int] = []
        self._feature_numbers: list[int] = []
        self._parameter_nodes: list[int] = []
        self._parameter_places: list[tuple[int, int]] = []
        steps: dict[tuple[int, str], list[tuple[int, ...]]] = defaultdict(list)
        self._nodes = 0
        roots = []
        for row, formula in enumerate(formulas):
            self._next = 0
            roots.append(self._place(formula, row, features, steps)[0])
            self.used_FP[row, : formula.parameters] = True
        self._roots_F = torch.tensor(roots, dtype=torch.long)
        self._steps = [
            (name, torch.tensor(nodes, dtype=torch.long).T.contiguous())
            for (_, name), nodes in sorted(steps.items(), key=lambda item: item[0])
        ]
        self._features = torch.tensor(self._feature_nodes, dtype=torch.long)
        self._columns = torch.tensor(self._feature_numbers, dtype=torch.long)
        self._leaves = torch.tensor(self._parameter_nodes, dtype=torch.long)
        self._places = torch.tensor(self._parameter_places, dtype=torch.long).reshape(-1, 2)

    def _place(
        self, part: Formula, row: int, features: Features, steps: dict[tuple[int, str], list[tuple[int, ...]]]
    ) -> tuple[int, int]:
        """Number the nodes of one formula; the node's number and height."""
        if part.parameters == 0:
            number, self._nodes = self._nodes, self._nodes + 1
            self._feature_nodes.append(number)
            self._feature_numbers.append(features.number(part))
            return number, 0
        if part.head == PARAMETER:
            number, self._nodes = self._nodes, self._nodes + 1
            self._parameter_nodes.append(number)
            self._parameter_places.append((row, self._next))
            self._next += 1
            return number, 0
        operands = [self._place(operand, row, features, steps) for operand in part.operands]
        number, self._nodes = self._nodes, self._nodes + 1
        height = 1 + max(h for _, h in operands)
        steps[height, part.head].append((number, *(n for n, _ in operands)))
        return number, height

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
        for name, nodes in self._steps:
            operands = [values_ISN[operand] for operand in nodes[1:]]
            values_ISN[nodes[0]] = OPERATORS[name].compute(torch, *operands)
        return values_ISN

    def values(self, theta_FSP: Tensor, features_MN: Tensor) -> Tensor:
        """The formulas' values, [F, S, N]."""
        return self._forward(theta_FSP, features_MN)[self._roots_F]

    def values_and_jacobian(self, theta_FSP: Tensor, features_MN: Tensor) -> tuple[Tensor, Tensor]:
        """The values [F, S, N] and their derivatives by the parameters [F, S, P, N] (0 for absent parameters)."""
        values_ISN = self._forward(theta_FSP, features_MN)
        adjoint_ISN = torch.zeros_like(values_ISN)
        adjoint_ISN[self._roots_F] = 1.0
        for name, nodes in reversed(self._steps):
            row = OPERATORS[name]
            operands = [values_ISN[operand] for operand in nodes[1:]]
            above = adjoint_ISN[nodes[0]]
            for operand, share in zip(nodes[1:], _pulled_back(row.compute, operands, above), strict=True):
                adjoint_ISN[operand] = share
        jacobian_FSPN = torch.zeros((*theta_FSP.shape, features_MN.shape[1]), dtype=torch.float64)
        if len(self._leaves):
            jacobian_FSPN[self._places[:, 0], :, self._places[:, 1]] = adjoint_ISN[self._leaves]
        return values_ISN[self._roots_F], jacobian_FSPN


def _pulled_back(compute: Callable[..., Tensor], operands: list[Tensor], above: Tensor) -> tuple[Tensor, ...]:
    """An operator's adjoint times its partial derivatives, from its row by reverse mode. (torch's forward mode, and
    `grad` with an adjoint as argument, would import its compiler or sympy first, which takes seconds.)"""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    with torch.enable_grad():
        value = (compute(torch, *leaves) * above).sum()
    return torch.autograd.grad(value, leaves, materialize_grads=True)
