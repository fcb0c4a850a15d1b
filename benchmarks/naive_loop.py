"""The paper's protocol written down as the paper has it, with nothing but torch.autograd: what tailoring is checked
against and timed against.

Every query gets a copy of the weights of its own, one inner gradient step on its own Noether loss (Eq. 3), and a
prediction from them; meta-tailoring differentiates the task loss through that step, query by query. Nothing is shared
between queries or rates, and no closed form is used. The outer optimiser is `predictors.train`'s.

    theta(x) = theta - rate * d/dtheta r(x, f_theta(x))^2        f_tailored(x) = f_theta(x)(x)

N queries (states), D state columns.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from noether_discover.predict.noether_loss import NoetherLoss
from noether_discover.predict.predictors import Scales, Weights


def predicted(weights: Weights, scales: Scales, x_D: Tensor) -> Tensor:
    """dx/dt [D] at one state, by the network with these weights."""
    *hidden, (last_matrix, last_bias) = weights
    a = scales.inputs_of(x_D).to(last_bias.dtype)
    for matrix, bias in hidden:
        a = torch.tanh(matrix @ a + bias)
    return scales.drift + scales.speed * (last_matrix @ a + last_bias).to(x_D.dtype)


def violation(law: NoetherLoss, x_D: Tensor, f_D: Tensor) -> Tensor:
    """r at one state: time * grad g . f over the deviation of g, or (g(x + f dt) - g(x)) over it."""
    if law.form == "euler":
        there, here = law.quantity((x_D + law.step * f_D)[None]), law.quantity(x_D[None])
        return (there - here)[0] / law.scale
    x_D = x_D.detach().requires_grad_()
    (slope_D,) = torch.autograd.grad(law.quantity(x_D[None]).sum(), x_D)
    return law.time * (slope_D @ f_D) / law.scale


def tailored(
    weights: Weights, scales: Scales, law: NoetherLoss, rate: float, x_D: Tensor, *, differentiable: bool = False
) -> Tensor:
    """dx/dt [D] at one state after its own inner step. differentiable: by the weights, through that step."""
    parameters = [p for layer in weights for p in layer]
    loss = violation(law, x_D, predicted(weights, scales, x_D)) ** 2
    slopes = torch.autograd.grad(loss, parameters, create_graph=differentiable)
    with torch.set_grad_enabled(differentiable):
        own = iter([p - rate * slope for p, slope in zip(parameters, slopes, strict=True)])
        return predicted(tuple((next(own), next(own)) for _ in weights), scales, x_D)


def task_error(scales: Scales, f_D: Tensor, v_D: Tensor) -> Tensor:
    """The mean squared error of dx/dt at one state, in standard deviations."""
    return ((f_D - v_D) / scales.speed).square().mean()


def tailored_losses(
    weights: Weights, scales: Scales, law: NoetherLoss, rates: Sequence[float], x_ND: Tensor, v_ND: Tensor
) -> Tensor:
    """The task loss after tailoring with each of the rates, [R]."""
    leaves = _leaves(weights)
    losses = []
    for rate in rates:
        total = 0.0
        for x_D, v_D in zip(x_ND, v_ND, strict=True):
            total += float(task_error(scales, tailored(leaves, scales, law, rate, x_D), v_D))
        losses.append(total / len(x_ND))
    return torch.tensor(losses, dtype=torch.float64)


def meta_tailored(
    weights: Weights,
    scales: Scales,
    law: NoetherLoss,
    rate: float,
    x_ND: Tensor,
    v_ND: Tensor,
    epochs: int,
    *,
    averaged: int = 1,
) -> Weights:
    """The weights after so many full-batch epochs through the inner step; the mean of the last `averaged` epochs'."""
    leaves = _leaves(weights)
    parameters = [p for layer in leaves for p in layer]
    adam = torch.optim.Adam(parameters, lr=1e-3, weight_decay=1e-5)
    kept = []
    for _ in range(epochs):
        adam.zero_grad()
        for x_D, v_D in zip(x_ND, v_ND, strict=True):
            # one query's graph at a time: all of them together would hold a gigabyte of copied weights
            f_D = tailored(leaves, scales, law, rate, x_D, differentiable=True)
            (task_error(scales, f_D, v_D) / len(x_ND)).backward()
        adam.step()
        kept.append([p.detach().clone() for p in parameters])
    means = iter([torch.stack(history).mean(0) for history in zip(*kept[-averaged:], strict=True)])
    return tuple((next(means), next(means)) for _ in weights)


def _leaves(weights: Weights) -> Weights:
    return tuple((matrix.clone().requires_grad_(), bias.clone().requires_grad_()) for matrix, bias in weights)
