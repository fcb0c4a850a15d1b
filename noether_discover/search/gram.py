"""Formulas that are linear in their parameters: solved exactly, all at once, from Gram matrices.

With g = f_0 + sum_i a_i f_i both variances are quadratic forms, a'Wa and a'Ta, and the least ratio is the smallest
generalised eigenvalue. No iterations and no local minima.

Legend: F formulas, P parameters, Q = P + 1 features, N points.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from noether_dsl.formula import PARAMETER, Formula, node
from numpy.typing import NDArray
from torch import Tensor

from .conservation import CONSTANT, Frame

Array = NDArray[np.float64]

SINGULAR = 1e-12
"""A combination whose reference variance is below this share of its terms' is no quantity (sin^2 + cos^2)."""


@dataclass(frozen=True)
class Linear:
    """A formula as sum of parameter-free features.

    fixed: features with coefficient +1 or -1. free: for each parameter its feature, None for a lone parameter.
    """

    fixed: tuple[tuple[int, Formula], ...]
    free: tuple[Formula | None, ...]


def linear(formula: Formula) -> Linear | None:
    """The formula's linear form, or None when it is not linear in its parameters."""
    terms = _terms(formula)
    if terms is None:
        return None
    fixed = tuple((sign, part) for sign, part, number in terms if number is None and part is not None)
    free: dict[int, Formula | None] = {number: part for sign, part, number in terms if number is not None}
    signs = {number: sign for sign, _, number in terms if number is not None}
    if any(sign < 0 for sign in signs.values()):
        return None  # a - a*f: rare and never in normal form; the general fitter takes it
    return Linear(fixed, tuple(free[k] for k in range(len(free))))


Term = tuple[int, Formula | None, int | None]
"""Sign, parameter-free factor (None for 1), number of the parameter (None for none)."""


def _terms(formula: Formula, first: int = 0) -> list[Term] | None:
    if formula.parameters == 0:
        return [(1, formula, None)]
    if formula.head == PARAMETER:
        return [(1, None, first)]
    if formula.head in ("add", "sub"):
        left, right = formula.operands
        a, b = _terms(left, first), _terms(right, first + left.parameters)
        if a is None or b is None:
            return None
        flip = -1 if formula.head == "sub" else 1
        return a + [(flip * sign, part, number) for sign, part, number in b]
    if formula.head == "mul":
        left, right = formula.operands
        factor, other = (left, right) if left.parameters == 0 else (right, left)
        if factor.parameters == 0:
            return _times(_terms(other, first), factor)
        if left.head == PARAMETER and right.parameters == 0:
            return [(1, right, first)]
        return None
    if formula.head == "div" and formula.operands[1].parameters == 0:
        above, below = formula.operands
        terms = _terms(above, first)
        return terms and [
            (sign, node("inverse", below) if part is None else node("div", part, below), number)
            for sign, part, number in terms
        ]
    return None


def _times(terms: list[Term] | None, factor: Formula) -> list[Term] | None:
    return terms and [
        (sign, factor if part is None else node("mul", part, factor), number) for sign, part, number in terms
    ]


def solve(values_FQN: Tensor, frame: Frame) -> tuple[Tensor, Tensor]:
    """The coefficients [F, P] of the features 1..P beside feature 0, and the least ratio [F].

    Where the best combination has no share of feature 0 (a coefficient runs to infinity) or no variance, the ratio is
    infinite: the formula is then a smaller one, or no quantity at all.
    """
    u_FQN, v_FQN = frame.numerator(values_FQN), frame.denominator(values_FQN)
    scale_FQ = v_FQN.square().sum(-1).sqrt()
    least_FQ = values_FQN.square().mean(-1).mul(CONSTANT).sqrt()
    good = (torch.isfinite(scale_FQ) & (scale_FQ > least_FQ)).all(-1) & torch.isfinite(u_FQN).all(-1).all(-1)
    safe_FQ = torch.where(good[:, None], scale_FQ, 1.0)
    u_FQN = torch.where(good[:, None, None], u_FQN / safe_FQ[..., None], 0.0)
    v_FQN = torch.where(good[:, None, None], v_FQN / safe_FQ[..., None], 0.0)
    within_FQQ = u_FQN @ u_FQN.transpose(-1, -2)
    total_FQQ = v_FQN @ v_FQN.transpose(-1, -2)
    size = total_FQQ.shape[-1]
    identity = torch.eye(size, dtype=torch.float64)
    total_FQQ = torch.where(good[:, None, None], total_FQQ, identity)
    values, vectors = torch.linalg.eigh(total_FQQ)
    good &= values[:, 0] > SINGULAR
    root = vectors / values.clamp(min=SINGULAR).sqrt()[:, None, :]
    ratio, inside = torch.linalg.eigh(root.transpose(-1, -2) @ within_FQQ @ root)
    best_FQ = (root @ inside[..., :1])[..., 0]
    share = best_FQ[:, 0].abs() / best_FQ.abs().amax(-1)
    good &= share > 1e-6
    best_FQ = best_FQ / safe_FQ
    first = torch.where(best_FQ[:, :1] == 0, 1.0, best_FQ[:, :1])
    return best_FQ[:, 1:] / first, torch.where(good, ratio[:, 0].clamp(min=0.0), torch.inf)
