"""The Noether loss: how far a predicted motion leaves the level set of a quantity.

N samples, D state columns. For every sample the loss is the square of a violation r and reaches the predictor only
through its field f = dx/dt, so that r and its slope dr/df are all that tailoring has to know of a law.

    derivative form    r = time * grad g(x) . f            zero for the true field
    Euler form         r = g(x + f dt) - g(x)              Eq. 2 of the paper with T = 1 and a predictor of dx/dt; the
                                                           true field violates it at order dt^2

both over the standard deviation of g on the training data, so that one grid of inner rates serves every quantity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Quantity = Callable[[Tensor], Tensor]
"""States [N, D] (float64) -> values [N]: a fitted formula, a neural embedding; differentiable by torch."""

LossForm = Literal["derivative", "euler"]

Violation = Callable[[Tensor], tuple[Tensor, Tensor]]
"""dx/dt [..., D] -> (r [...], dr/df [..., D])."""


def gradient(quantity: Quantity, x_ND: Tensor, *, differentiable: bool = False) -> tuple[Tensor, Tensor]:
    """Values [...] and gradients [..., D] of a quantity at states [..., D].

    differentiable: keep the graph, so that the gradient can be differentiated in its turn.
    """
    with torch.enable_grad():
        rows_ND = x_ND.reshape(-1, x_ND.shape[-1])
        if not rows_ND.requires_grad:
            rows_ND = rows_ND.detach().requires_grad_()
        value_N = quantity(rows_ND).expand(len(rows_ND))
        if not value_N.requires_grad:
            slope_ND = torch.zeros_like(rows_ND)
        else:
            (slope_ND,) = torch.autograd.grad(
                value_N.sum(), rows_ND, create_graph=differentiable, materialize_grads=True
            )
    if not differentiable:
        value_N = value_N.detach()
    return value_N.reshape(x_ND.shape[:-1]), slope_ND.reshape(x_ND.shape)


@dataclass(frozen=True)
class NoetherLoss:
    """A quantity with its scale and clock, in one of the two forms.

    scale: standard deviation of the quantity over the training data. time: the unit of time that makes the derivative
    form a pure number (tailoring.clocked chooses it). step: the dt of the Euler form.
    """

    quantity: Quantity
    scale: float
    time: float
    step: float
    form: LossForm = "derivative"

    def at(self, x_ND: Tensor) -> Violation:
        """The violation at these states as a function of the field's values there.

        The derivative form is linear in them and asks the quantity for its gradient just once.
        """
        if self.form == "derivative":
            _, gradient_ND = gradient(self.quantity, x_ND)
            slope_ND = self.time / self.scale * gradient_ND
            return lambda f_ND: ((slope_ND * f_ND).sum(-1), slope_ND)
        with torch.no_grad():
            here_N = self.quantity(x_ND.reshape(-1, x_ND.shape[-1])).reshape(x_ND.shape[:-1])

        def euler(f_ND: Tensor) -> tuple[Tensor, Tensor]:
            next_ND = x_ND + self.step * f_ND
            there_N, gradient_ND = gradient(self.quantity, next_ND, differentiable=f_ND.requires_grad)
            return (there_N - here_N) / self.scale, self.step / self.scale * gradient_ND

        return euler


def noether_loss(law: NoetherLoss, x_ND: Tensor, f_ND: Tensor) -> Tensor:
    """The mean squared violation over the samples: 0 for a conserved quantity's derivative form and the true field."""
    violation_N, _ = law.at(x_ND)(f_ND)
    return violation_N.square().mean()


def spread(quantity: Quantity, x_ND: Tensor) -> float:
    """The standard deviation of a quantity over states; not finite where the quantity is undefined."""
    with torch.no_grad():
        return float(quantity(x_ND).expand(len(x_ND)).std(correction=0))
