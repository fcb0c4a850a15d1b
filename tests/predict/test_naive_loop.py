"""Tailoring in closed form against the paper's protocol as the paper has it: a loop over queries, by autograd.

The loop is benchmarks/naive_loop.py, which benchmarks/speed_of_ranking.py times as well. Both ways do the same
arithmetic in another order, so that in float64 they differ by rounding alone: 4e-16 of a loss, and after five epochs
3e-14 of the way that a weight has gone (Adam divides by the gradient's size, which magnifies the rounding of small
ones). The tolerance of 1e-6 leaves that room to grow on other processors, and is far below the errors it is there to
catch: without the second-order term the weights would be off by 5e-3 or more, without the inner step by 9e-2.
"""

import importlib.util
from pathlib import Path

import pytest
import torch
from noether_dsl.text import parse_sentence

from noether_discover.predict import predictors, tailoring
from noether_discover.predict.noether_loss import NoetherLoss, spread
from noether_discover.predict.predictors import Scales
from noether_discover.predict.protocols import RATES
from noether_discover.search.quantity import Quantity

_SPEC = importlib.util.spec_from_file_location(
    "naive_loop", Path(__file__).resolve().parents[2] / "benchmarks" / "naive_loop.py"
)
naive_loop = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(naive_loop)

FORMULAS = {"p**2 + a*cos(q)": (-3.0,), "q**2 + a*p**2": (1.1,), "cos(q) + cos(a*p)": (0.9,), "q*(p**2 + a)": (2.4,)}
"""The law, and formulas that a search leaves behind: quantities with their numbers."""
RTOL = 1e-6


@pytest.fixture(scope="module")
def data():
    """States of a pendulum and their exact derivatives."""
    x_ND = 1.5 * torch.randn(15, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    return x_ND, torch.stack([2 * x_ND[:, 1], -3 * torch.sin(x_ND[:, 0])], dim=-1)


@pytest.fixture(scope="module")
def scales(data):
    return Scales.of(*data, (False, False))


@pytest.fixture(scope="module")
def weights():
    return predictors.cast(predictors.initial_weights((2, 10, 10, 2), seed=5), torch.float64)


def law_of(formula, form, weights, scales, x_ND):
    """As `protocols.Tailored` makes it."""
    quantity = Quantity(parse_sentence(formula, ("q", "p")).formula, FORMULAS[formula], ("q", "p"))
    law = NoetherLoss(quantity, spread(quantity, x_ND), 1.0, 3 / 44, form)
    return tailoring.clocked(law, weights, scales, x_ND) if form == "derivative" else law


@pytest.mark.parametrize("form", ["derivative", "euler"])
@pytest.mark.parametrize("formula", FORMULAS)
def test_tailored_losses_are_those_of_every_query_s_own_weights(formula, form, weights, scales, data):
    law = law_of(formula, form, weights, scales, data[0])
    ours = tailoring.tailored_losses(weights, scales, law, RATES, *data)
    naive = naive_loop.tailored_losses(weights, scales, law, RATES, *data)
    assert naive.isfinite().all()
    assert naive.unique().numel() == len(RATES)  # the inner step does something at every rate
    torch.testing.assert_close(ours, naive, rtol=RTOL, atol=0)


@pytest.mark.parametrize("form", ["derivative", "euler"])
@pytest.mark.parametrize("averaged", [1, 3])
def test_meta_tailored_weights_are_those_of_autograd_through_every_inner_step(form, averaged, weights, scales, data):
    law = law_of("p**2 + a*cos(q)", form, weights, scales, data[0])
    ours = tailoring.meta_tailor(weights, scales, law, 0.1, *data, 5, averaged=averaged)
    naive = naive_loop.meta_tailored(weights, scales, law, 0.1, *data, 5, averaged=averaged)
    # a weight has moved by 5e-3 at most, and by nearly as much: agreeing to 1e-6 of that is agreeing on the way
    for layer, our_layer, naive_layer in zip(weights, ours, naive, strict=True):
        for before, our_p, naive_p in zip(layer, our_layer, naive_layer, strict=True):
            assert (naive_p - before).abs().max() > 1e-3
            torch.testing.assert_close(our_p, naive_p, rtol=RTOL, atol=0)
            torch.testing.assert_close(our_p - before, naive_p - before, rtol=RTOL, atol=RTOL * 1e-3)


def test_the_clock_is_the_mean_square_of_the_violation_s_slope(weights, scales, data):
    law = law_of("q*(p**2 + a)", "derivative", weights, scales, data[0])
    leaves = [p.clone().requires_grad_() for layer in weights for p in layer]
    network = tuple(zip(leaves[::2], leaves[1::2], strict=True))
    squares = []
    for x_D in data[0]:
        r = naive_loop.violation(law, x_D, naive_loop.predicted(network, scales, x_D))
        squares.append(sum(slope.square().sum() for slope in torch.autograd.grad(r, leaves)))
    # to first order a step of rate 1 changes r by -2 |dr/dtheta|^2 r, on average all of it
    assert float(2 * torch.stack(squares).mean()) == pytest.approx(1.0, rel=RTOL)
