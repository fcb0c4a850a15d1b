"""Which conserved quantities say the same: gradients over the data.

Functions of one another have parallel gradients, whatever wrapper they wear; a set is functionally independent where
its gradients are. Gradients are taken in units of the columns' deviations.

Legend: N states, D columns, L laws.
"""

from __future__ import annotations

import numpy as np
import torch
from noether_dsl.formula import Formula
from noether_dsl.reading import evaluate
from numpy.typing import NDArray

from ..data.constants import constant_columns
from ..data.trajectories import Trajectories

Array = NDArray[np.float64]


def directions(
    formula: Formula, parameters: tuple[float, ...], trajectories: Trajectories, at_most: int = 400
) -> Array:
    """Unit gradients of a quantity at states spread over the data, [N, D]; zero where it has none.

    Columns that are constant along every trajectory do not count: a quantity cannot move along them.
    """
    x_ND = trajectories.stacked
    chosen = np.unique(np.linspace(0, len(x_ND) - 1, min(at_most, len(x_ND))).round().astype(int))
    scale_D = x_ND.std(axis=0) * ~constant_columns(trajectories)
    columns = [torch.tensor(column, requires_grad=True) for column in x_ND[chosen].T]
    value = evaluate(formula, dict(zip(trajectories.symbols, columns, strict=True)), parameters, torch)
    if not isinstance(value, torch.Tensor) or not value.requires_grad:
        return np.zeros((len(chosen), len(columns)))
    slopes = torch.autograd.grad(value.sum(), columns, allow_unused=True)
    gradient_ND = np.stack(
        [np.zeros(len(chosen)) if slope is None else slope.numpy() for slope in slopes], axis=1
    )  # fmt: skip
    gradient_ND = np.nan_to_num(gradient_ND * scale_D, nan=0.0, posinf=0.0, neginf=0.0)
    length_N = np.linalg.norm(gradient_ND, axis=1, keepdims=True)
    return np.divide(gradient_ND, length_N, out=np.zeros_like(gradient_ND), where=length_N > 0)


def independent_share(direction_ND: Array, laws: list[Array]) -> float:
    """The mean square of what is left of a gradient beside the gradients of the laws: 0 dependent, 1 orthogonal."""
    used_N = np.linalg.norm(direction_ND, axis=1) > 0
    if not used_N.any():
        return 0.0
    if not laws:
        return 1.0
    basis_NDL = np.stack(laws, axis=-1)[used_N]
    left, values, _ = np.linalg.svd(basis_NDL, full_matrices=False)
    left = left * (values > 1e-6 * values.max(axis=1, keepdims=True))[:, None, :]
    inside = np.einsum("nd,ndl->nl", direction_ND[used_N], left)
    return float(np.mean(1.0 - (inside**2).sum(axis=1)).clip(0.0, 1.0))


def parallel_share(one_ND: Array, other_ND: Array) -> float:
    """The mean squared sine of the angle between two gradients: 0 for functions of one another."""
    return independent_share(one_ND, [other_ND])
