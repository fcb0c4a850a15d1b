"""A law as a torch module, which can be trained and saved. Imports torch: `law` imports this when it is asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .search.quantity import Quantity


class LawModule(torch.nn.Module):
    """A conserved quantity of states [..., D], whose last axis are all columns with the file's numbers; gives [...].

    numbers: the fitted parameters [P] in the order of `names`, float64, trainable; `requires_grad_(False)` freezes
    them. scales [D]: factors from the file's numbers to coherent units. All of it is computed in float64.

    Raises ValueError for states of another number of columns.
    """

    scales: torch.Tensor

    def __init__(self, quantity: Quantity, names: Sequence[str], scales: Sequence[float]) -> None:
        super().__init__()
        self.quantity, self.names = quantity, tuple(names)
        self.numbers = torch.nn.Parameter(torch.tensor(quantity.parameters, dtype=torch.float64))
        self.register_buffer("scales", torch.tensor(scales, dtype=torch.float64))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """States [..., D] -> the quantity [...]."""
        if states.ndim == 0 or states.shape[-1] != len(self.scales):
            columns = ", ".join(self.quantity.symbols)
            raise ValueError(f"states have the shape {tuple(states.shape)}; their last axis must be {columns}")
        value: torch.Tensor = self.quantity.at(states.to(torch.float64) * self.scales, self.numbers)
        return value
