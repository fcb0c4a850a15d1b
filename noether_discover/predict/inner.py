"""Inner steps on any network: weights of its own for every state, or every sequence, by automatic differentiation.

K queries (states or sequences), T samples of a sequence, D state columns.

`tailoring` has the closed form of one step on our own multilayer perceptron; this is the same for any `torch.nn.Module`
and any number of steps, with `torch.func`: the gradient of one query's Noether loss by the weights, mapped over the
queries. Nothing is summed over a batch, so that a query alone and the same query in a batch get the same weights.

    theta_k = theta - rate * d/dtheta L_k,      L_k = t^2 (mean over samples, sum over laws of r^2),      `steps` times

with the unit of time t from `clock`, in which a rate is the share of a violation that one step removes.

A step that leaves a larger loss than it found, or none that is finite, has diverged: the query keeps its plain weights.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import PredictorError

Adapted = dict[str, Tensor]
"""Names of parameters -> their values, with a leading axis [K, ...] once they are tailored."""

Query = tuple[Tensor, ...]
"""What a query's loss depends on besides the weights; [K, ...] each where there are K of them."""

Loss = Callable[[Mapping[str, Tensor], Query], Tensor]
"""(all parameters, one query) -> its Noether loss, a number."""


@dataclass(frozen=True)
class InnerSteps:
    """How weights are tailored.

    rate: the share of a violation that one step removes, to first order (`clock`). steps: how many. pattern: a regular
    expression; parameters whose names it finds are adapted, all of them by default.
    """

    rate: float
    steps: int = 1
    pattern: str = ""

    def chosen(self, model: nn.Module) -> Adapted:
        """The parameters that are adapted. Raises PredictorError when no name fits."""
        names = dict(model.named_parameters())
        found: Adapted = {name: p for name, p in names.items() if re.search(self.pattern, name)}
        if not found:
            shown = ", ".join(list(names)[:6]) or "none at all"
            raise PredictorError(f'no parameter of the network has a name like "{self.pattern}"; there are {shown}')
        return found


def tailored(
    model: nn.Module, loss: Loss, queries: Query, how: InnerSteps, *, create_graph: bool
) -> tuple[Adapted, Tensor]:
    """Every query's own weights [K, ...], and which queries they are better for than the plain ones, [K].

    create_graph: keep the way from the plain weights, for training through the inner steps (second order).
    Raises PredictorError where the network cannot be differentiated by its weights, query by query.
    """
    from torch.func import grad, vmap

    chosen = how.chosen(model)
    fixed = {name: p for name, p in model.named_parameters() if name not in chosen}
    mine = {name: (p if create_graph else p.detach()) for name, p in chosen.items()}

    def value(some: Adapted, query: Query) -> Tensor:
        return loss({**fixed, **some}, query)

    def each(query: Query) -> tuple[Adapted, Tensor, Tensor]:
        weights, before = dict(mine), value(mine, query)
        for _ in range(how.steps):
            slopes = grad(value)(weights, query)
            weights = {name: p - how.rate * slopes[name] for name, p in weights.items()}
        return weights, before, value(weights, query)

    with torch.set_grad_enabled(create_graph and torch.is_grad_enabled()):
        try:
            found, before_K, after_K = vmap(each, randomness="same")(queries)
        except RuntimeError as problem:
            raise PredictorError(
                f"the network cannot be tailored query by query ({_first_line(problem)}); "
                'use method="projection", which needs no gradients by the weights'
            ) from problem
    better_K = torch.isfinite(after_K) & (after_K <= before_K)
    kept = {
        name: torch.where(better_K.reshape(-1, *[1] * p.dim()), found[name], p.expand_as(found[name]))
        for name, p in mine.items()
    }
    return kept, better_K.detach()


def clock(model: nn.Module, loss: Loss, queries: Query, how: InnerSteps) -> float:
    """The factor t^2 on a loss for which an inner step at rate 1 removes the violations, to first order.

    With L = r^2 a step changes r by -2 rate |dr/dtheta|^2 r, and 2 |dr/dtheta|^2 = |dL/dtheta|^2 / (2 L): the factor is
    one over its mean over the queries, as `tailoring.clocked` has it in closed form.
    """
    from torch.func import grad, vmap

    chosen = {name: p.detach() for name, p in how.chosen(model).items()}
    fixed = {name: p.detach() for name, p in model.named_parameters() if name not in chosen}

    def value(some: Adapted, query: Query) -> Tensor:
        return loss({**fixed, **some}, query)

    def each(query: Query) -> tuple[Tensor, Tensor]:
        slopes = grad(value)(chosen, query)
        return value(chosen, query), torch.stack([s.square().sum() for s in slopes.values()]).sum()

    with torch.no_grad():
        try:
            loss_K, square_K = vmap(each, randomness="same")(queries)
        except RuntimeError as problem:
            raise PredictorError(
                f'the network cannot be differentiated by its weights ({_first_line(problem)}); use method="projection"'
            ) from problem
    use_K = torch.isfinite(loss_K) & torch.isfinite(square_K) & (loss_K > 0)
    mean = float((square_K[use_K] / (2 * loss_K[use_K])).mean()) if bool(use_K.any()) else 0.0
    if not mean > 0:
        raise PredictorError(
            "no gradient of the Noether loss reaches the network's parameters; is something in it detached?"
        )
    return 1 / mean


def _first_line(problem: Exception) -> str:
    return str(problem).strip().splitlines()[0][:120] if str(problem).strip() else type(problem).__name__
