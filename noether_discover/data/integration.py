"""Trajectories of x' = f(x), exact to a stated accuracy, many at once.

One driver, two steps: the explicit midpoint rule for smooth motion, the linearly implicit Euler rule for stiff motion,
both extrapolated to infinitely many substeps. Every trajectory has a step length of its own.

N trajectories, D columns, S samples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rates = Callable[[Array], Array]

_MOST_STEPS = 30_000
_SHORTEST = 1e-13
"""The shortest step, relative to the span: motion that needs a shorter one is not computed."""


@dataclass(frozen=True)
class Extrapolation:
    """A rule of low order, made one of high order by Neville's scheme.

    substeps: how many substeps each row of the table makes.
    power: the rule's error is a series in this power of the substep.
    tolerances: what a step may err by, relative to the size of a column so far; one for each refinement.
    rule: rates, states [N, D], step lengths [N, 1] -> a function of the number of substeps that gives the states after
        the step.
    """

    substeps: tuple[int, ...]
    power: int
    tolerances: tuple[float, ...]
    rule: Callable[[Rates, Array, Array], Callable[[int], Array]]

    @property
    def order(self) -> int:
        """What the step length is raised to in the error that is estimated."""
        return self.power * (len(self.substeps) - 1)

    def step(self, rates: Rates, x_ND: Array, h_N: Array) -> tuple[Array, Array]:
        """The states after steps of lengths h_N, and how far the two best extrapolations are apart, both [N, D]."""
        after = self.rule(rates, x_ND, h_N[:, None])
        table: list[Array] = []
        for j, n in enumerate(self.substeps):
            row = [after(n)]
            for k, above in enumerate(table, start=1):
                row.append(row[-1] + (row[-1] - above) / ((n / self.substeps[j - k]) ** self.power - 1))
            table = row
        return table[-1], np.abs(table[-1] - table[-2])


def _midpoint(rates: Rates, x_ND: Array, h_N1: Array) -> Callable[[int], Array]:
    """The explicit midpoint rule (Gragg 1965; Hairer, Nørsett, Wanner II.9)."""
    rate = rates(x_ND)

    def after(n: int) -> Array:
        before, now = x_ND, x_ND + h_N1 / n * rate
        for _ in range(n - 1):
            before, now = now, before + 2 * h_N1 / n * rates(now)
        return now

    return after


def _implicit_euler(rates: Rates, x_ND: Array, h_N1: Array) -> Callable[[int], Array]:
    """The linearly implicit Euler rule (Deuflhard 1985; Hairer, Wanner IV.9); linear invariants stay exact."""
    jacobian_NDD, one_DD = jacobian(rates, x_ND), np.eye(x_ND.shape[1])

    def after(n: int) -> Array:
        h, x = h_N1 / n, x_ND
        matrix_NDD = one_DD - h[..., None] * jacobian_NDD
        for _ in range(n):
            x = x + np.linalg.solve(matrix_NDD, (h * rates(x))[..., None])[..., 0]
        return x

    return after


EXPLICIT = Extrapolation((2, 4, 6, 8, 10, 12, 14), 2, (1e-13, 1e-14, 1e-14), _midpoint)
IMPLICIT = Extrapolation((1, 2, 3, 4, 5, 6, 7, 8), 1, (1e-10, 1e-11, 1e-12), _implicit_euler)


def jacobian(rates: Rates, x_ND: Array) -> Array:
    """df_i/dx_j [N, D, D] of analytic rates, exact to rounding: their imaginary parts after an imaginary nudge."""
    nudge = 1e-30
    columns = [np.imag(rates(x_ND + 1j * nudge * direction)) / nudge for direction in np.eye(x_ND.shape[1])]
    return np.stack(columns, axis=-1)


def solution(rates: Rates, start_ND: Array, t_S: Array, accuracy: float, *, stiff: bool = False) -> Array | None:
    """States [S, N, D] at the times t_S, the first of which is the start's.

    The steps are made finer until no state changes by more than `accuracy` of its column's largest value. With an
    accuracy of infinity it is enough that every single step is exact to rounding: where chaos has magnified that, the
    states are those of a motion that begins a rounding error away.
    None where that cannot be reached: chaos over a long span, a singularity.
    """
    method, coarse = IMPLICIT if stiff else EXPLICIT, None
    if math.isinf(accuracy):
        return _marched(method, rates, start_ND, t_S, 1, method.tolerances[-1])
    for refinement, tolerance in enumerate(method.tolerances):
        fine = _marched(method, rates, start_ND, t_S, 2**refinement, tolerance)
        if fine is None:
            return None
        size_D = np.abs(fine).max(axis=(0, 1))
        if coarse is not None and (np.abs(fine - coarse) <= accuracy * size_D).all():
            return fine
        coarse = fine
    return None


def _marched(
    method: Extrapolation, rates: Rates, start_ND: Array, t_S: Array, parts: int, tolerance: float
) -> Array | None:
    """States [S, N, D] with `parts` steps or more between two samples; None when they become too short or too many."""
    N, S = len(start_ND), len(t_S)
    x_ND, t_N, next_N = start_ND.copy(), np.full(N, t_S[0]), np.ones(N, dtype=int)
    longest_S = np.diff(t_S, prepend=t_S[0]) / parts
    h_N, size_D, shortest = np.full(N, longest_S[1]), np.abs(start_ND).max(axis=0), _SHORTEST * (t_S[-1] - t_S[0])
    out_SND = np.empty((S, *start_ND.shape))
    out_SND[0] = start_ND
    for _ in range(_MOST_STEPS):
        on = np.flatnonzero(next_N < S)
        if not len(on):
            return out_SND
        left = t_S[next_N[on]] - t_N[on]
        h = np.minimum(h_N[on], longest_S[next_N[on]])
        reaches = h > 0.999 * left
        h = np.where(reaches, left, h)
        with np.errstate(all="ignore"):  # a step that is too long may leave the world; it is refused below
            new, apart = method.step(rates, x_ND[on], h)
            wrong = np.nan_to_num(apart / np.maximum(size_D, np.abs(new)), nan=0.0).max(axis=1) / tolerance
            wrong[~np.isfinite(new).all(axis=1)] = np.inf
            growth = np.clip(0.9 * wrong ** (-1 / method.order), 0.2, 4.0)
        good = wrong <= 1
        wished = h * growth
        if (wished[~good] < shortest).any():
            return None
        h_N[on] = np.where(good & reaches, np.maximum(wished, h_N[on]), wished)
        moved, arrived = on[good], on[good & reaches]
        x_ND[moved] = new[good]
        t_N[moved] += h[good]
        size_D = np.maximum(size_D, np.abs(new[good]).max(axis=0, initial=0.0))
        t_N[arrived] = t_S[next_N[arrived]]
        out_SND[next_N[arrived], arrived] = x_ND[arrived]
        next_N[arrived] += 1
    return None
