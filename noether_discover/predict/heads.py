"""Law-structured heads fitted on a bench: constants by multi-shooting, and what a small network adds to them.

N samples, K trajectories, D state columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from . import predictors
from .bench import Bench
from .noether_loss import Quantity, spread
from .predictors import Field
from .structured import (
    Constants,
    HeadNetwork,
    Measure,
    ParametricQuantity,
    head_network,
    least_squares_constants,
    refine,
)

NETWORK_STEPS = 2000
"""Of training the small network: a second for a thousand samples."""

NOISE_HIDES = 0.5
"""Training errors below this share of the noise tell nothing apart: they scatter up to 0.4 of it for the true field."""


@dataclass(frozen=True)
class Heads:
    """The two heads of one law. chosen: "constants" or "network", by the rollouts of the training data."""

    constants: Constants
    network: HeadNetwork
    chosen: str

    def field(self) -> Field:
        """The chosen head as a field."""
        return self.constants.field() if self.chosen == "constants" else self.network.field()


def parametric(quantity: Quantity) -> tuple[ParametricQuantity, Tensor]:
    """A quantity with its parameters as an argument, and their values; none for a callable that shows none."""
    if hasattr(quantity, "at") and hasattr(quantity, "parameters"):
        return quantity.at, torch.tensor(quantity.parameters, dtype=torch.float64)
    return lambda x, parameters: _over_rows(quantity, x), torch.zeros(0, dtype=torch.float64)


def _over_rows(quantity: Quantity, x: Tensor) -> Tensor:
    rows_ND = x.reshape(-1, x.shape[-1])
    return quantity(rows_ND).expand(len(rows_ND)).reshape(x.shape[:-1])


def fitted_constants(
    quantity: Quantity, bench: Bench, *, damped: bool, tick: Callable[[int, int], None] | None = None
) -> Constants:
    """Constants and the law's parameters from the bench's data. damped: with friction, for an approximate law."""
    law, parameters = parametric(quantity)
    scales = bench.scales
    measure = Measure(scales.speed * scales.time, scales.time, spread(quantity, bench.states))
    start = least_squares_constants(law, parameters, measure, bench.states, bench.rates_of_change, damped=damped)
    refined = refine(start, bench.measured, bench.noise, scales.time, damped=damped, tick=tick)
    # where the dynamics have no such constants, long rollouts say so and what short ones had found is better
    return min((refined, start), key=lambda head: _or_infinite(bench.training_errors(head.field()).standard))


def fitted_network(base: Constants, bench: Bench, *, damped: bool, steps: int = NETWORK_STEPS) -> HeadNetwork:
    """A small network that adds to the constants, trained on derivatives."""
    head = head_network(base, bench.scales, bench.settings.seed, damped=damped)
    loss = head.loss(bench.states, bench.rates_of_change)
    weights = predictors.train(head.weights, loss, steps, averaged=bench.settings.averaged)
    return replace(head, weights=predictors.cast(weights, torch.float64))


def fitted(quantity: Quantity, bench: Bench, *, damped: bool) -> Heads:
    """Both heads, and which of them has the better training rollouts."""
    constants = fitted_constants(quantity, bench, damped=damped)
    network = fitted_network(constants, bench, damped=damped)
    of_constants, of_network = (bench.training_errors(head.field()).standard for head in (constants, network))
    # a network that is hardly better, or better by less than can be seen, is not worth its thousand weights
    seen = NOISE_HIDES * float((bench.noise / bench.scales.spread).square().mean().sqrt())
    better = _or_infinite(of_network) < 0.9 * _or_infinite(of_constants) and not of_constants < seen
    return Heads(constants, network, "network" if better else "constants")


def _or_infinite(number: float) -> float:
    return number if number == number else float("inf")
