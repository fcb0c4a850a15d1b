"""Is anything conserved at all? A search without a language.

The least ratio that any polynomial of the columns reaches on held-out sequences. It gives no formula; it tells "nothing
is conserved" from "something is, but no formula that was searched says it".

Legend: N samples, D columns, M monomials.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from math import comb

import numpy as np
import torch
from numpy.typing import NDArray

from ..data.constants import constant_columns
from .conservation import Frame
from .evidence import Evidence

Array = NDArray[np.float64]

MOST_MONOMIALS = 250
HIGHEST_DEGREE = 6


SLOW = 0.3
"""A polynomial that varies hardly more where the columns do not belong together is slow, and no law."""


def least_ratio_of_polynomials(evidence: Evidence) -> tuple[float, int]:
    """The held-out ratio of the best polynomial, and its degree. 1 when there are too few samples to ask.

    Angles enter by sine and cosine; products of columns that are constant along every trajectory are left out, as they
    are conserved anyway. The degree is the highest that leaves ten training samples per monomial. Where
    columns from different sequences do almost as well, the columns are slow, and the ratio is 1.
    """
    found, degree = _least(evidence.train_frame, evidence.held_frame, evidence)
    if degree and found < SLOW:
        apart, _ = _least(evidence.mismatched_frame, evidence.mismatched_frame, evidence)
        if found > SLOW * apart:
            return 1.0, degree
    return found, degree


def _least(train: Frame, held: Frame, evidence: Evidence) -> tuple[float, int]:
    first, moving = _inputs(train, evidence), _moving(evidence)
    room = min(MOST_MONOMIALS, train.samples // 10)
    degree = max((d for d in range(1, HIGHEST_DEGREE + 1) if comb(len(first) + d, d) - 1 <= room), default=0)
    if degree == 0 or not moving.any():
        return 1.0, 0
    middle, scale = first.mean(axis=1, keepdims=True), first.std(axis=1, keepdims=True)
    scale = np.where(scale > 0, scale, 1.0)
    second = _inputs(held, evidence)
    a = torch.from_numpy(_monomials((first - middle) / scale, degree, moving))
    b = torch.from_numpy(_monomials((second - middle) / scale, degree, moving))
    u, v = train.numerator(a), train.denominator(a)
    size = v.square().sum(-1, keepdim=True).sqrt().clamp(min=1e-300)
    u, v = u / size, v / size
    values, vectors = torch.linalg.eigh(v @ v.T)
    kept = values > 1e-9 * values[-1]
    root = vectors[:, kept] / values[kept].sqrt()
    _, inside = torch.linalg.eigh(root.T @ (u @ u.T) @ root)
    best = (root @ inside[:, :3]) / size
    found = held.ratio(best.T @ b)
    return float(found.min()), degree


def _inputs(frame: Frame, evidence: Evidence) -> Array:
    columns: list[Array] = []
    for name, angle in zip(evidence.runs.symbols, evidence.runs.angles, strict=True):
        column = frame.columns[name]
        columns += [np.sin(column), np.cos(column)] if angle else [column]
    return np.stack(columns)


def _moving(evidence: Evidence) -> NDArray[np.bool_]:
    """Which rows of `_inputs` change along trajectories."""
    still_D = constant_columns(evidence.runs)
    return ~np.repeat(still_D, [2 if angle else 1 for angle in evidence.runs.angles])


def _monomials(z_DN: Array, degree: int, moving: NDArray[np.bool_]) -> Array:
    """All products of up to `degree` columns with a moving one among them, [M, N]."""
    rows = [
        np.prod(z_DN[list(picked)], axis=0)
        for d in range(1, degree + 1)
        for picked in combinations_with_replacement(range(len(z_DN)), d)
        if moving[list(picked)].any()
    ]
    return np.stack(rows)
