"""The law-structured head: dynamics written with the law, x' = (A - R) grad g.

N samples, D state columns, K trajectories, T samples of one, E = D (D - 1) / 2 entries of A, P law parameters, Q all
constants, C perturbed copies, M residuals of a trajectory.

With an antisymmetric A the law is conserved whatever A is, since grad g' A grad g = 0: Hamilton's equations, the rigid
body and Lotka-Volterra's have this form, and away from the critical points of g every conserving field has it. A
diagonal R is friction, column by column. A is constant (`Constants`), or depends on the state by a small network
(`HeadNetwork`).

Constants and the law's own parameters are refined together by multi-shooting (Bock 1983): every stretch of data has its
initial state as an unknown, and what is minimised is the distance of whole rollouts from the measured states in units
of their noise. It sees the error that matters (a derivative's noise does not come in), and it begins with short
stretches, where the problem is nearly linear, before it asks for long ones.

All constants are pure numbers: with s the metric (projection.LevelSet), t the unit of time and d the law's deviation,
A_ij = s_i s_j / (t d) A^_ij.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from .measured import Measured
from .noether_loss import gradient
from .predictors import Field, Scales, Weights, output, rollout

REACH = 3
"""Each stage of multi-shooting is this many times longer than the one before."""

SHORTEST_SHOT, LONGEST_SHOT = 10, 120
"""Samples in the first stage's stretches, and the most in the last one's."""

_ITERATIONS, _DAMPING = 40, 1e-3
_ENOUGH, _ENOUGH_AT_LAST = 1e-4, 1e-9
"""Relative gains of a step below which a stage, and the last one, have converged."""
_DIFFERENCE = 1e-6
_ROUNDING = 1e-6
"""Squared residuals this small, in units of the noise, are not worth another step."""


class ParametricQuantity(Protocol):
    """A quantity whose parameters are an argument: states [..., D] and parameters [..., P] -> values [...]."""

    def __call__(self, x: Tensor, parameters: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Measure:
    """What makes a head's constants pure numbers: metric [D] of the columns, unit of time, deviation of the law."""

    metric: Tensor
    time: float
    deviation: float


@dataclass(frozen=True)
class Constants:
    """A head with constant A and R.

    entries: A^ above its diagonal, row by row, [..., E]. friction: R^'s diagonal [..., D], zeros for a conserved law.
    parameters: the law's, [..., P].
    """

    quantity: ParametricQuantity
    measure: Measure
    entries: Tensor
    friction: Tensor
    parameters: Tensor

    def law(self, x_ND: Tensor) -> Tensor:
        """The law with the refined parameters, as a quantity."""
        return self.quantity(x_ND, self.parameters)

    def field(self) -> Field:
        """The head as a vector field."""
        return head_field(
            lambda x: self.quantity(x, _beside(self.parameters)),
            self.measure,
            lambda x: (_beside(self.entries), _beside(self.friction)),
        )


@dataclass(frozen=True)
class HeadNetwork:
    """A head whose A (and R) is that of `base` plus what a small network adds at each state.

    The network's last layer begins at zero, so that training begins at the constants.
    """

    base: Constants
    weights: Weights
    scales: Scales
    damped: bool

    def field(self, *, differentiable: bool = False) -> Field:
        """The head as a vector field."""
        return head_field(self.base.law, self.base.measure, self._coefficients, differentiable=differentiable)

    def _coefficients(self, x_ND: Tensor) -> tuple[Tensor, Tensor]:
        entries = self.base.entries.shape[-1]
        added_NE = output(self.weights, self.scales.inputs_of(x_ND).to(self.weights[0][0].dtype)).to(x_ND.dtype)
        friction = self.base.friction + (added_NE[..., entries:] if self.damped else 0.0)
        return self.base.entries + added_NE[..., :entries], friction

    def loss(self, x_ND: Tensor, v_ND: Tensor) -> Callable[[Weights], Tensor]:
        """Mean squared error of dx/dt in deviations, as a function of weights like these; the law's gradient is
        computed once."""
        head = self.base
        _, slope_ND = gradient(head.law, x_ND)
        dtype = self.weights[0][0].dtype
        u_ND = (slope_ND * head.measure.metric / head.measure.deviation).to(dtype)
        back_D = (head.measure.metric / head.measure.time / self.scales.speed).to(dtype)
        target_ND = (v_ND / self.scales.speed).to(dtype)
        a_NI = self.scales.inputs_of(x_ND).to(dtype)
        entries, friction = head.entries.to(dtype), head.friction.to(dtype)

        def loss(weights: Weights) -> Tensor:
            added_NE = output(weights, a_NI)
            E = entries.shape[-1]
            R = friction + (added_NE[..., E:] if self.damped else 0.0)
            return (back_D * turned(entries + added_NE[..., :E], R, u_ND) - target_ND).square().mean()

        return loss


def pairs(dimension: int) -> list[tuple[int, int]]:
    """The places (i, j), i < j, of A's entries, in order."""
    return list(itertools.combinations(range(dimension), 2))


def turned(entries: Tensor, friction: Tensor, u: Tensor) -> Tensor:
    """(A - R) u for entries [..., E], friction [..., D] and u [..., D]."""
    columns = [-friction[..., d] * u[..., d] for d in range(u.shape[-1])]
    for e, (i, j) in enumerate(pairs(u.shape[-1])):
        columns[i] = columns[i] + entries[..., e] * u[..., j]
        columns[j] = columns[j] - entries[..., e] * u[..., i]
    return torch.stack(columns, dim=-1)


def _beside(constants: Tensor) -> Tensor:
    """Constants of C copies [C, ...] as [C, 1, ...], beside states [C, K, D]; those of one head as they are."""
    return constants.unsqueeze(-2) if constants.dim() > 1 else constants


def head_field(
    law: Callable[[Tensor], Tensor],
    measure: Measure,
    coefficients: Callable[[Tensor], tuple[Tensor, Tensor]],
    *,
    differentiable: bool = False,
) -> Field:
    """x' = (A - R) grad g as a field. coefficients: states -> entries [..., E] and friction [..., D]."""

    def f(x: Tensor) -> Tensor:
        slope = _gradient(law, x, differentiable=differentiable)
        entries, friction = coefficients(x)
        return measure.metric / measure.time * turned(entries, friction, slope * measure.metric / measure.deviation)

    return f


def _gradient(law: Callable[[Tensor], Tensor], x: Tensor, *, differentiable: bool) -> Tensor:
    """The gradient [..., D] at states [..., D] whose leading axes the law's parameters may share."""
    with torch.enable_grad():
        leaf = x if differentiable and x.requires_grad else x.detach().requires_grad_()
        value = law(leaf)
        if not value.requires_grad:
            return torch.zeros_like(x)
        (slope,) = torch.autograd.grad(value.sum(), leaf, create_graph=differentiable, materialize_grads=True)
    # torch has slopes where some laws have no values: log(-1)
    return torch.where(value.detach().isfinite()[..., None], slope, torch.nan)


def least_squares_constants(
    quantity: ParametricQuantity, parameters: Tensor, measure: Measure, x_ND: Tensor, v_ND: Tensor, *, damped: bool
) -> Constants:
    """The constants nearest to derivatives v at states x, by linear least squares: where multi-shooting begins."""
    D = x_ND.shape[-1]
    u_ND = _gradient(lambda x: quantity(x, parameters), x_ND, differentiable=False) * measure.metric / measure.deviation
    target_ND = v_ND * measure.time / measure.metric
    E = D * (D - 1) // 2
    zeros_E, zeros_D = torch.zeros(E, dtype=torch.float64), torch.zeros(D, dtype=torch.float64)
    basis = [turned(one, zeros_D, u_ND) for one in torch.eye(E, dtype=torch.float64)]
    if damped:
        basis += [turned(zeros_E, one, u_ND) for one in torch.eye(D, dtype=torch.float64)]
    use_N = torch.stack([b.isfinite().all(-1) for b in basis]).all(0) & target_ND.isfinite().all(-1)
    design = torch.stack([b[use_N].flatten() for b in basis], dim=-1)
    solved = torch.linalg.lstsq(design, target_ND[use_N].flatten()[:, None], driver="gelsd").solution[:, 0]
    return Constants(quantity, measure, solved[:E], solved[E:] if damped else zeros_D, parameters.clone())


def refine(
    head: Constants,
    data: Measured,
    noise_D: Tensor,
    time: float,
    *,
    damped: bool,
    tick: Callable[[int, int], None] | None = None,
) -> Constants:
    """The constants and the law's parameters that bring rollouts nearest to the measured states, by multi-shooting.

    noise: each column's measurement noise [D], by which distances are weighed. time: see `predictors.rollout`; half of
    it is used. A stage that gets no nearer leaves the constants as they were.
    """
    T = data.states.shape[1]
    lengths = []
    length = SHORTEST_SHOT
    while length < min(T, LONGEST_SHOT):
        lengths.append(length)
        length *= REACH
    lengths.append(min(T, LONGEST_SHOT))
    for stage, length in enumerate(lengths, start=1):
        enough = _ENOUGH_AT_LAST if stage == len(lengths) else _ENOUGH
        head = _shoot(head, data.cut(length), noise_D, time / 2, damped, enough)
        if tick is not None:
            tick(stage, len(lengths))
    return head


def _shoot(head: Constants, data: Measured, noise_D: Tensor, time: float, damped: bool, enough: float) -> Constants:
    """One stage: Levenberg-Marquardt over constants and initial states, the latter eliminated (Schur complement)."""
    E, P, D = head.entries.numel(), head.parameters.numel(), data.states.shape[-1]
    theta_Q = torch.cat([head.entries, head.friction if damped else head.friction[:0], head.parameters])
    weight_KTD = data.counts[..., None] / noise_D
    x0_KD = data.states[:, 0].clone()

    def head_of(theta: Tensor) -> Constants:
        friction = theta[..., E : E + D] if damped else head.friction.expand(*theta.shape[:-1], D)
        return replace(head, entries=theta[..., :E], friction=friction, parameters=theta[..., theta.shape[-1] - P :])

    def residuals(x0_CKD: Tensor, theta_CQ: Tensor) -> Tensor:
        states = rollout(head_of(theta_CQ).field(), x0_CKD, data.times, time=time)
        return (states - data.states) * weight_KTD

    damping = _DAMPING
    now = residuals(x0_KD[None], theta_Q[None])[0]
    cost = float(now.square().sum())
    if not torch.isfinite(torch.tensor(cost)):
        return head
    for _ in range(_ITERATIONS):
        slopes = _differences(residuals, x0_KD, theta_Q)
        if not slopes.isfinite().all():
            break
        Jx_KDM, Jq_KQM, r_KM = slopes[:D].transpose(0, 1), slopes[D:].transpose(0, 1), now.flatten(1)
        Hx_KDD, Hq_QQ = Jx_KDM @ Jx_KDM.mT, (Jq_KQM @ Jq_KQM.mT).sum(0)
        C_KDQ = Jx_KDM @ Jq_KQM.mT
        bx_KD, bq_Q = (Jx_KDM @ r_KM[..., None])[..., 0], (Jq_KQM @ r_KM[..., None]).sum(0)[..., 0]
        better = False
        while damping < 1e12:
            Hx = Hx_KDD + damping * torch.diag_embed(Hx_KDD.diagonal(dim1=1, dim2=2).clamp(min=1e-300))
            Hq = Hq_QQ + damping * torch.diag(Hq_QQ.diagonal().clamp(min=1e-300))
            solved_KDQ = torch.linalg.solve(Hx, torch.cat([C_KDQ, bx_KD[..., None]], dim=-1))
            schur_QQ = Hq - (C_KDQ.mT @ solved_KDQ[..., :-1]).sum(0)
            right_Q = bq_Q - (C_KDQ.mT @ solved_KDQ[..., -1:]).sum(0)[..., 0]
            dq_Q = torch.linalg.lstsq(schur_QQ, right_Q[:, None], driver="gelsd").solution[:, 0]
            dx_KD = solved_KDQ[..., -1] - (solved_KDQ[..., :-1] @ dq_Q)
            tried = residuals((x0_KD - dx_KD)[None], (theta_Q - dq_Q)[None])[0]
            tried_cost = float(tried.square().sum())
            if tried_cost < cost:
                better = True
                break
            damping *= 10
        if not better:
            break
        gain = (cost - tried_cost) / max(cost, _ROUNDING * now.numel())
        x0_KD, theta_Q, now, cost = x0_KD - dx_KD, theta_Q - dq_Q, tried, tried_cost
        damping = max(damping / 10, 1e-12)
        if gain < enough:
            break
    return head_of(theta_Q)


def _differences(residuals: Callable[[Tensor, Tensor], Tensor], x0_KD: Tensor, theta_Q: Tensor) -> Tensor:
    """The residuals' derivatives [D + Q, K, M] by initial states and constants, by central differences in one go.

    In float64 they are good to nine digits, which is more than the steps of a Levenberg-Marquardt method need.
    """
    D, Q = x0_KD.shape[1], len(theta_Q)
    step_D = _DIFFERENCE * x0_KD.std(0, correction=0).clamp(min=1e-6 * float(x0_KD.abs().max()) + 1e-12)
    step_Q = _DIFFERENCE * theta_Q.abs().clamp(min=1e-2)
    x_CKD = x0_KD.repeat(2 * (D + Q), 1, 1)
    theta_CQ = theta_Q.repeat(2 * (D + Q), 1)
    for d in range(D):
        x_CKD[2 * d, :, d] += step_D[d]
        x_CKD[2 * d + 1, :, d] -= step_D[d]
    for q in range(Q):
        theta_CQ[2 * (D + q), q] += step_Q[q]
        theta_CQ[2 * (D + q) + 1, q] -= step_Q[q]
    moved = residuals(x_CKD, theta_CQ)
    return ((moved[0::2] - moved[1::2]) / (2 * torch.cat([step_D, step_Q]))[:, None, None, None]).flatten(2)


def head_network(
    base: Constants, scales: Scales, seed: int, *, damped: bool, hidden: Sequence[int] = (32, 32)
) -> HeadNetwork:
    """An untrained network on top of fitted constants: the same field as theirs."""
    from .predictors import initial_weights

    outputs = base.entries.shape[-1] + (base.friction.shape[-1] if damped else 0)
    *layers, (matrix, bias) = initial_weights((scales.inputs, *hidden, outputs), seed)
    return HeadNetwork(base, (*layers, (matrix * 0, bias * 0)), scales, damped)
