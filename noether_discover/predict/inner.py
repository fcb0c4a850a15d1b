"""Inner steps on any network: weights of its own for every state, or every sequence, by automatic differentiation.

K queries (states or sequences), D state columns.

`tailoring` has the closed form of one step on our own multilayer perceptron; this is the same for any module and any
number of steps. The losses are mapped over the queries (`torch.func.vmap`), each with a copy of the weights, and the
gradient of their sum by all the copies is each one's own: a query alone and the same query in a batch get the same
weights. (`torch.func.grad` inside the map would do too, but its derivative is wrong for `LayerNorm` in torch 2.13.)

    theta' = theta - rate t^2 d/dtheta L,      L = mean over samples, sum over laws of r^2,      `steps` times

with t^2 a `clock`, in which a rate is the share of a violation that one step removes, to first order.

A query for which the last step leaves a larger loss than the first one found, or none that is finite, has diverged: no
weights come back for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import vmap

from ..errors import PredictorError
from .own_network import first_line

Adapted = dict[str, Tensor]
"""Names of parameters -> their values, with a leading axis [K, ...] once they are tailored."""

Query = tuple[Tensor, ...]
"""What a query's loss depends on besides the weights; [K, ...] each where there are K of them."""

Loss = Callable[[Mapping[str, Tensor], Query], Tensor]
"""(all parameters, one query) -> its Noether loss, a number."""

AT_ONCE = 20_000_000
"""Adapted numbers (queries times parameters) that are held at once where no graph is kept: 160 MB."""


@dataclass(frozen=True)
class InnerSteps:
    """How weights are tailored.

    rate: the share of a violation that one step removes, to first order. steps: how many. pattern: a regular
    expression; parameters whose names it finds are adapted, all of them by default.
    """

    rate: float
    steps: int = 1
    pattern: str = ""

    def chosen(self, model: nn.Module) -> Adapted:
        """The parameters that are adapted. Raises PredictorError when there is none."""
        names = dict(model.named_parameters())
        if not names:
            raise PredictorError('the network has no parameters to tailor; use method="projection"')
        try:
            found: Adapted = {name: p for name, p in names.items() if re.search(self.pattern, name)}
        except re.error as problem:
            raise PredictorError(f'"{self.pattern}" is no regular expression ({problem})') from problem
        if not found:
            shown = ", ".join(list(names)[:6])
            raise PredictorError(f'no parameter of the network has a name like "{self.pattern}"; there are {shown}')
        return found


def tailored(
    model: nn.Module, loss: Loss, queries: Query, how: InnerSteps, clock: float | None, *, create_graph: bool
) -> tuple[Adapted, Tensor]:
    """Weights of their own for the queries that they are better for than the plain ones, and which those are, [K].

    clock: the factor on the rate; None: every query's own, one over what it would be multiplied with (`clock`).
    create_graph: keep the way from the plain weights, for training through the inner steps (second order).
    Raises PredictorError where the network cannot be mapped over queries.
    """
    if not create_graph:
        numbers = sum(p.numel() for p in how.chosen(model).values())
        chunks = zip(*(part.split(max(1, AT_ONCE // numbers)) for part in queries), strict=True)
        parts = [_stepped(model, loss, chunk, how, clock, create_graph=False) for chunk in chunks]
        better_K = torch.cat([better for _, better in parts])
        return {name: torch.cat([found[name] for found, _ in parts])[better_K] for name in parts[0][0]}, better_K
    found, better_K = _stepped(model, loss, queries, how, clock, create_graph=True)
    if not bool(better_K.all()) and bool(better_K.any()):
        # once more without the others: their gradients, zero times infinity, would spoil the whole batch's
        some = tuple(part[better_K] for part in queries)
        found, _ = _stepped(model, loss, some, how, clock, create_graph=True)
    return found, better_K


def _stepped(
    model: nn.Module, loss: Loss, queries: Query, how: InnerSteps, clock: float | None, *, create_graph: bool
) -> tuple[Adapted, Tensor]:
    """Every query's weights after the steps, and whether they are better for it, [K]."""
    losses = _Losses(model, loss, queries, how, create_graph)
    weights = losses.plain
    with torch.enable_grad():
        for number in range(how.steps):
            value_K, slopes = losses(weights)
            if number == 0:
                before_K = value_K.detach()
                rate_K = torch.full_like(before_K, how.rate * (clock or 1.0))
                if clock is None:
                    rate_K = rate_K / _steepness(value_K, slopes)
            weights = {
                name: p - rate_K.reshape(-1, *[1] * (p.dim() - 1)).to(p.dtype) * slopes[name]
                for name, p in weights.items()
            }
            if not create_graph:
                weights = {name: p.detach().requires_grad_() for name, p in weights.items()}
    with torch.no_grad():
        after_K = losses.values(weights)
    better_K = torch.isfinite(after_K) & (after_K <= before_K)
    return (weights if create_graph else {name: p.detach() for name, p in weights.items()}), better_K


def clock(model: nn.Module, loss: Loss, queries: Query, how: InnerSteps) -> float:
    """The factor t^2 on a rate of 1 that removes the queries' violations, to first order and in the mean.

    With L = r^2 a step changes r by -2 rate |dr/dtheta|^2 r, and 2 |dr/dtheta|^2 = |dL/dtheta|^2 / (2 L): the factor is
    one over its mean over the queries, as `tailoring.clocked` has it in closed form. 1 where nothing is violated.

    Raises PredictorError where the network cannot be differentiated by its weights, query by query, or no gradient
    reaches them.
    """
    losses = _Losses(model, loss, queries, how, create_graph=False)
    with torch.enable_grad():
        loss_K, slopes = losses(losses.plain)
    steep_K = _steepness(loss_K, slopes)
    use_K = torch.isfinite(steep_K)
    if not bool(use_K.any()):
        return 1.0
    mean = float(steep_K[use_K].mean())
    if not mean > 0:
        raise PredictorError(
            "no gradient of the Noether loss reaches the network's parameters; is something in it detached? "
            'method="projection" needs none'
        )
    return 1 / mean


def second_order_error(model: nn.Module, loss: Loss, queries: Query, how: InnerSteps, step: float) -> float:
    """How far the derivative of the losses' slopes is from what differences show, as a share of the larger.

    Along one direction, parameters in units of their mean size; step: of the differences, in the same. Second
    derivatives that are a ten-thousandth of the first ones are taken for none.
    """
    losses = _Losses(model, loss, queries, how, create_graph=True)
    weights = {name: p.detach().requires_grad_() for name, p in losses.plain.items()}
    random = torch.Generator().manual_seed(0)
    size = {name: p.detach().abs().mean() for name, p in weights.items()}
    along = {name: size[name] * torch.randn(p.shape, dtype=p.dtype, generator=random) for name, p in weights.items()}
    with torch.enable_grad():
        _, slopes = losses(weights)
        product = torch.stack([(slopes[name] * along[name]).sum() for name in weights]).sum()
        second = torch.autograd.grad(product, list(weights.values()), allow_unused=True, materialize_grads=True)
        ahead, behind = (losses({n: p + sign * step * along[n] for n, p in weights.items()})[1] for sign in (1, -1))
    shown = [(ahead[name] - behind[name]) / (2 * step) for name in weights]

    def norm(changes: Iterable[Tensor]) -> float:
        return sum(float((s * c.detach()).square().sum()) for s, c in zip(size.values(), changes, strict=True)) ** 0.5

    least = 1e-4 * norm(slopes.values())
    apart = norm(a - b for a, b in zip(second, shown, strict=True))
    return apart / max(norm(second), norm(shown), least, 1e-300)


class _Losses:
    """The losses of K queries, [K], and their slopes by each query's own weights.

    plain: the weights that all of them begin with, [K, ...].
    """

    def __init__(self, model: nn.Module, loss: Loss, queries: Query, how: InnerSteps, create_graph: bool) -> None:
        self._loss, self._queries, self._create_graph = loss, queries, create_graph
        chosen, K = how.chosen(model), len(queries[0])
        kept = {name: (p if create_graph else p.detach()) for name, p in model.named_parameters()}
        self._fixed = {name: p for name, p in kept.items() if name not in chosen}
        with torch.enable_grad():
            copies = {name: kept[name].expand(K, *p.shape) for name, p in chosen.items()}
        self.plain: Adapted = {name: p if p.requires_grad else p.requires_grad_() for name, p in copies.items()}

    def values(self, weights: Adapted) -> Tensor:
        """The losses alone."""
        try:
            found: Tensor = vmap(lambda mine, query: self._loss({**self._fixed, **mine}, query), randomness="same")(
                weights, self._queries
            )
        except PredictorError:
            raise
        except (RuntimeError, TypeError, ValueError) as problem:  # torch's own, and the user's module's
            raise PredictorError(
                f"the network cannot be tailored query by query ({first_line(problem)}); use "
                'method="projection", which needs no gradients by the weights, or call eval() on batch normalisation'
            ) from problem
        return found

    def __call__(self, weights: Adapted) -> tuple[Tensor, Adapted]:
        value_K = self.values(weights)
        if not value_K.requires_grad:
            return value_K, {name: torch.zeros_like(p) for name, p in weights.items()}
        slopes = torch.autograd.grad(
            value_K.sum(),
            list(weights.values()),
            create_graph=self._create_graph,
            allow_unused=True,
            materialize_grads=True,
        )
        return value_K, dict(zip(weights, slopes, strict=True))


def _steepness(value_K: Tensor, slopes: Adapted) -> Tensor:
    """|dL/dtheta|^2 / (2 L) of each query, in float64; infinite where nothing is violated, so that no step is taken."""
    squares = [s.detach().double().square().reshape(len(s), -1).sum(1) for s in slopes.values()]
    value_K = value_K.detach()
    return torch.where(value_K > 0, torch.stack(squares).sum(0) / (2 * value_K), torch.inf)
