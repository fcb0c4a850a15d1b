"""Tailoring: every query gets weights of its own, one inner gradient step towards conservation (Eq. 3 of the paper).

R inner rates, N queries (states), D state columns, I network inputs, H hidden units.

    theta(x) = theta - rate * d/dtheta r(x, f_theta(x))^2        f_tailored(x) = f_theta(x)(x)

For a multilayer perceptron one such step has a closed form. With the activations a_l and the back-propagated errors
delta_l of the query, its matrices change by -rate * delta_l a_{l-1}' and its biases by -rate * delta_l, so

    z'_l = W_l a'_{l-1} + b_l - rate * delta_l (a_{l-1} . a'_{l-1} + 1),     a'_l = tanh(z'_l),     a'_0 = a_0

One forward and one backward pass serve all rates; no weights of a query are ever written down. Every term is an
ordinary tensor operation, so differentiating a task loss of f_tailored differentiates through the inner step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import linear

from .noether_loss import NoetherLoss
from .predictors import Field, Scales, Weights, output, train


def tailored_output(
    weights: Weights, a_NI: Tensor, cotangent: Callable[[Tensor], Tensor], rates: Tensor | float
) -> Tensor:
    """The network's output after one inner step for each query.

    cotangent: outputs [N, D] -> d loss / d output [N, D], of each query's own loss. rates: [R, 1, 1], for an output
    [R, N, D]; or a number, or one rate for each query [..., N, 1].
    """
    *hidden, (last_matrix, last_bias) = weights
    a = a_NI
    before, after = [], [a]
    for matrix, bias in hidden:
        z = linear(a, matrix, bias)
        a = torch.tanh(z)
        before.append(z)
        after.append(a)
    out_ND = linear(a, last_matrix, last_bias)

    delta = cotangent(out_ND)
    deltas = [delta]
    for (matrix, _), a in zip(reversed(weights[1:]), reversed(after[1:]), strict=True):
        delta = (delta @ matrix) * (1 - a.square())
        deltas.append(delta)
    deltas.reverse()

    # the inputs are not tailored: the first layer needs no new product of matrices
    z = before[0] - rates * (deltas[0] * (after[0].square().sum(-1, keepdim=True) + 1))
    for (matrix, bias), a_old, delta in zip(weights[1:], after[1:], deltas[1:], strict=True):
        a = torch.tanh(z)
        z = linear(a, matrix, bias) - rates * (delta * ((a_old * a).sum(-1, keepdim=True) + 1))
    return z


def clocked(law: NoetherLoss, weights: Weights, scales: Scales, x_ND: Tensor) -> NoetherLoss:
    """The law in derivative form with the unit of time in which an inner rate of 1 undoes the violations.

    An inner step changes r by -2 rate |dr/dtheta|^2 r, to first order: with the mean of 2 |dr/dtheta|^2 over these
    states for the unit, a rate is the share of the violation that is removed, whatever the network, the units, the
    sampling or the quantity.
    """
    *hidden, _ = weights
    a = scales.inputs_of(x_ND).to(weights[0][0].dtype)
    after = [a]
    for matrix, bias in hidden:
        a = torch.tanh(linear(a, matrix, bias))
        after.append(a)
    _, slope_ND = replace(law, time=1.0).at(x_ND)(torch.zeros_like(x_ND))
    delta = (slope_ND * scales.speed).to(a.dtype)
    square_N = torch.zeros(len(a), dtype=x_ND.dtype)
    for (matrix, _), a in zip(reversed(weights), reversed(after), strict=True):
        square_N += (delta.square().sum(-1) * (a.square().sum(-1) + 1)).to(x_ND.dtype)
        delta = (delta @ matrix) * (1 - a.square())
    return replace(law, time=float(1 / (2 * square_N.mean()).sqrt()))


def _cotangent(law: NoetherLoss, scales: Scales, x_ND: Tensor) -> Callable[[Tensor], Tensor]:
    """d r^2 / d output, in the output's own precision; the law itself is float64."""
    violation = law.at(x_ND)

    def cotangent(out_ND: Tensor) -> Tensor:
        r_N, slope_ND = violation(scales.drift + scales.speed * out_ND.to(x_ND.dtype))
        return (2 * r_N[..., None] * slope_ND * scales.speed).to(out_ND.dtype)

    return cotangent


def tailored_field(weights: Weights, scales: Scales, law: NoetherLoss, rates: Tensor | float) -> Field:
    """The predictor with its tailoring step inside: states [..., N, D] -> dx/dt [..., N, D].

    rates: a number, or [R, 1, 1] for rollouts with R rates at once, whose states are [R, N, D].
    """
    dtype = weights[0][0].dtype

    def f(x_ND: Tensor) -> Tensor:
        a_NI = scales.inputs_of(x_ND).to(dtype)
        out_ND = tailored_output(weights, a_NI, _cotangent(law, scales, x_ND), rates)
        return scales.drift + scales.speed * out_ND.to(x_ND.dtype)

    return f


TaskLoss = Callable[[Weights], Tensor]


def task_loss(
    weights: Weights,
    scales: Scales,
    x_ND: Tensor,
    v_ND: Tensor,
    through: Callable[[Tensor], Tensor] = lambda out_ND: out_ND,
) -> TaskLoss:
    """Mean squared error of dx/dt in standard deviations, as a function of weights like these.

    through: what becomes of the network's outputs [N, D] at these states before they are compared.
    """
    a_NI, target_ND = _standardised(weights, scales, x_ND, v_ND)
    return lambda w: (through(output(w, a_NI)) - target_ND).square().mean()


def tailored_losses(
    weights: Weights, scales: Scales, law: NoetherLoss, rates: Sequence[float], x_ND: Tensor, v_ND: Tensor
) -> Tensor:
    """The task loss after tailoring with each of the rates, [R]: all of them share one inner gradient."""
    a_NI, target_ND = _standardised(weights, scales, x_ND, v_ND)
    rates_R11 = torch.tensor(rates, dtype=a_NI.dtype)[:, None, None]
    with torch.no_grad():
        out_RND = tailored_output(weights, a_NI, _cotangent(law, scales, x_ND), rates_R11)
        return (out_RND - target_ND).square().mean((1, 2)).double()


def meta_tailor(
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
    """Weights trained to do well *after* their tailoring step: the gradient passes through it (second order).

    They are of no use without that step.
    """
    a_NI, target_ND = _standardised(weights, scales, x_ND, v_ND)
    cotangent = _cotangent(law, scales, x_ND)

    def loss(w: Weights) -> Tensor:
        return (tailored_output(w, a_NI, cotangent, rate) - target_ND).square().mean()

    return train(weights, loss, epochs, averaged=averaged)


def _standardised(weights: Weights, scales: Scales, x_ND: Tensor, v_ND: Tensor) -> tuple[Tensor, Tensor]:
    dtype = weights[0][0].dtype
    return scales.inputs_of(x_ND).to(dtype), ((v_ND - scales.drift) / scales.speed).to(dtype)
