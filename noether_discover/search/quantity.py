"""Quantities: formulas with their numbers, callable on states. A fitted formula and a network are alike to a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from noether_dsl.formula import Formula
from noether_dsl.reading import evaluate
from noether_dsl.vector import Vector


@dataclass(frozen=True)
class Quantity:
    """A formula with values for its parameters, over states whose last axis holds the columns `symbols`.

    Picklable. Takes numpy arrays or torch tensors [..., D] and gives the same kind, [...]; a formula that is a vector
    of n components gives [..., n].
    """

    formula: Formula
    parameters: tuple[float, ...]
    symbols: tuple[str, ...]

    def __call__(self, x: Any) -> Any:
        if isinstance(x, np.ndarray):
            return self._value(x, self.parameters, np)
        import torch

        return self._value(x, self.parameters, torch)

    def at(self, x: Any, parameters: Any) -> Any:
        """The formula with other values for its parameters: tensors [..., D] and [..., P] -> [...], differentiable by
        both."""
        import torch

        return self._value(x, parameters.unbind(-1), torch)

    def _value(self, x: Any, parameters: Sequence[Any], m: Any) -> Any:
        columns = {name: x[..., d] for d, name in enumerate(self.symbols)}
        value = evaluate(self.formula, columns, parameters, m)
        if isinstance(value, Vector):
            return m.stack([_shaped(part, x, m) for part in value], -1)
        return _shaped(value, x, m)


def _shaped(value: Any, x: Any, m: Any) -> Any:
    """A value at all states, whatever it is made of."""
    if m is np:
        return np.broadcast_to(value, x.shape[:-1])
    return m.broadcast_to(m.as_tensor(value, dtype=x.dtype), x.shape[:-1])
