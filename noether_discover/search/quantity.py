"""Quantities: formulas with their numbers, callable on states. A fitted formula and a network are alike to a loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from noether_dsl.formula import Formula
from noether_dsl.reading import evaluate


@dataclass(frozen=True)
class Quantity:
    """A formula with values for its parameters, over states whose last axis holds the columns `symbols`.

    Picklable. Takes numpy arrays or torch tensors [..., D] and gives the same kind, [...].
    """

    formula: Formula
    parameters: tuple[float, ...]
    symbols: tuple[str, ...]

    def __call__(self, x: Any) -> Any:
        columns = {name: x[..., d] for d, name in enumerate(self.symbols)}
        if isinstance(x, np.ndarray):
            return np.broadcast_to(evaluate(self.formula, columns, self.parameters), x.shape[:-1])
        import torch

        value = evaluate(self.formula, columns, self.parameters, torch)
        return torch.broadcast_to(torch.as_tensor(value, dtype=x.dtype), x.shape[:-1])

    def at(self, x: Any, parameters: Any) -> Any:
        """The formula with other values for its parameters: tensors [..., D] and [..., P] -> [...], differentiable by
        both."""
        import torch

        columns = {name: x[..., d] for d, name in enumerate(self.symbols)}
        value = evaluate(self.formula, columns, parameters.unbind(-1), torch)
        return torch.broadcast_to(torch.as_tensor(value, dtype=x.dtype), x.shape[:-1])
