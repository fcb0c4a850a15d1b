"""Tailoring in closed form against automatic differentiation, and the laws of the Noether loss."""

import itertools

import pytest
import torch
from torch.func import functional_call, grad, vmap

from noether_discover.predict import noether_loss, predictors, tailoring
from noether_discover.predict.noether_loss import NoetherLoss
from noether_discover.predict.predictors import Scales


def energy(x_ND):
    return x_ND[:, 1] ** 2 - 3 * torch.cos(x_ND[:, 0])


def pendulum(x_ND):
    return torch.stack([2 * x_ND[..., 1], -3 * torch.sin(x_ND[..., 0])], dim=-1)


@pytest.fixture
def states():
    return 2 * torch.randn(12, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def scales(states):
    return Scales.of(states, pendulum(states), (False, False))


@pytest.fixture
def weights():
    """A network with two hidden layers whose field is far from the pendulum's."""
    return predictors.cast(predictors.initial_weights((2, 8, 8, 2), seed=3), torch.float64)


def law(form):
    return NoetherLoss(energy, scale=1.7, time=0.3, step=0.07, form=form)


def named(weights):
    return {
        f"{2 * i}.{kind}": p
        for i, layer in enumerate(weights)
        for kind, p in zip(("weight", "bias"), layer, strict=True)
    }


def by_autograd(weights, scales, the_law, rate, x_ND):
    """Every query's own inner step, with nothing but torch.func."""
    widths = [weights[0][0].shape[1], *(len(bias) for _, bias in weights)]
    layers = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [torch.nn.Linear(inputs, outputs, dtype=torch.float64), torch.nn.Tanh()]
    network = torch.nn.Sequential(*layers[:-1])

    def f(parameters, x_D):
        return scales.drift + scales.speed * functional_call(network, parameters, scales.inputs_of(x_D))

    def r2(parameters, x_D):
        f_D = f(parameters, x_D)
        if the_law.form == "derivative":
            slope_D = grad(lambda x: the_law.quantity(x[None])[0])(x_D)
            return (the_law.time * (slope_D @ f_D) / the_law.scale) ** 2
        there, here = the_law.quantity((x_D + the_law.step * f_D)[None])[0], the_law.quantity(x_D[None])[0]
        return ((there - here) / the_law.scale) ** 2

    def tailored(x_D):
        slopes = grad(r2)(named(weights), x_D)
        return f({name: p - rate * slopes[name] for name, p in named(weights).items()}, x_D)

    return vmap(tailored)(x_ND)


@pytest.mark.parametrize("form", ["derivative", "euler"])
@pytest.mark.parametrize("rate", [0.0, 0.01, 1.0])
def test_the_closed_form_is_one_step_of_gradient_descent_for_every_query(form, rate, weights, scales, states):
    ours = tailoring.tailored_field(weights, scales, law(form), rate)(states)
    torch.testing.assert_close(ours, by_autograd(weights, scales, law(form), rate, states), rtol=1e-12, atol=1e-12)


def test_several_rates_at_once_are_each_of_them_alone(weights, scales, states):
    rates = torch.tensor([0.01, 0.1, 1.0], dtype=torch.float64)
    together = tailoring.tailored_field(weights, scales, law("derivative"), rates[:, None, None])(states)
    for f_ND, rate in zip(together, rates.tolist(), strict=True):
        alone = tailoring.tailored_field(weights, scales, law("derivative"), rate)(states)
        torch.testing.assert_close(f_ND, alone, rtol=1e-13, atol=1e-13)


def test_a_rate_of_zero_is_the_network_itself(weights, scales, states):
    tailored = tailoring.tailored_field(weights, scales, law("derivative"), 0.0)(states)
    torch.testing.assert_close(tailored, predictors.field(weights, scales)(states), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("form", ["derivative", "euler"])
def test_meta_tailoring_differentiates_through_the_inner_step(form, weights, scales, states):
    """The task loss's gradient after tailoring against central differences, for some weights of every layer."""
    target = pendulum(states)
    rate = 0.05

    def task(some_weights):
        return (tailoring.tailored_field(some_weights, scales, law(form), rate)(states) - target).square().mean()

    leaves = tuple(tuple(p.clone().requires_grad_() for p in layer) for layer in weights)
    task(leaves).backward()
    step = 1e-5
    for number, layer in enumerate(leaves):
        for kind, p in enumerate(layer):
            moved = []
            for sign in (1, -1):
                changed = [[q.detach().clone() for q in some] for some in leaves]
                changed[number][kind].view(-1)[1] += sign * step
                moved.append(float(task(tuple(map(tuple, changed)))))
            # central differences are off by step^2 times the third derivative
            assert float(p.grad.view(-1)[1]) == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-6, abs=1e-8)


def test_the_derivative_form_vanishes_for_the_true_field_and_the_euler_form_does_not(states):
    assert float(noether_loss.noether_loss(law("derivative"), states, pendulum(states))) < 1e-28
    assert float(noether_loss.noether_loss(law("euler"), states, pendulum(states))) > 1e-4


def test_the_euler_form_tends_to_the_derivative_form_with_the_step(states):
    wrong = pendulum(states) + 0.5
    step = 1e-6
    small = NoetherLoss(energy, scale=1.0, time=1.0, step=step, form="euler")
    euler = float(noether_loss.noether_loss(small, states, wrong)) / step**2
    derivative = NoetherLoss(energy, scale=1.0, time=1.0, step=step)
    assert euler == pytest.approx(float(noether_loss.noether_loss(derivative, states, wrong)), rel=1e-4)


def test_a_constant_quantity_has_no_gradient_and_a_loss_of_zero(states):
    nothing = NoetherLoss(lambda x: torch.ones(()), scale=1.0, time=1.0, step=0.1)
    assert float(noether_loss.noether_loss(nothing, states, states)) == 0


def test_tailoring_at_the_clock_s_rate_of_one_undoes_a_small_violation(scales, states):
    """A field that is almost right: the first-order change then is all of the change."""
    network = predictors.initial_weights((2, 30, 30, 2), seed=0)
    data = states, pendulum(states)
    network = predictors.train(network, tailoring.task_loss(network, scales, *data), 1500, rate=3e-3, averaged=50)
    network = predictors.cast(network, torch.float64)
    clocked = tailoring.clocked(law("derivative"), network, scales, states)

    def violation(rate):
        f = tailoring.tailored_field(network, scales, clocked, rate)
        return float(noether_loss.noether_loss(clocked, states, f(states)))

    assert violation(0.1) < violation(0.01) < violation(0.0)
    # the mean share removed is 1; single queries have more or less
    assert violation(1.0) < 0.5 * violation(0.0)
    assert violation(10.0) > violation(0.0)


def test_the_clock_does_not_care_about_the_quantity_s_size_or_the_unit_of_time(weights, scales, states):
    slow = Scales(scales.centre, scales.spread, scales.drift / 60, scales.speed / 60, scales.turning, scales.moving)
    hundredfold = NoetherLoss(lambda x: 100 * energy(x), scale=1.0, time=5.0, step=1.0)
    minutes = tailoring.tailored_field(weights, slow, tailoring.clocked(hundredfold, weights, slow, states), 0.3)
    seconds = tailoring.tailored_field(
        weights, scales, tailoring.clocked(law("derivative"), weights, scales, states), 0.3
    )
    torch.testing.assert_close(60 * minutes(states), seconds(states), rtol=1e-10, atol=1e-10)


def test_tailored_losses_are_the_task_loss_of_each_tailored_field(weights, scales, states):
    target = pendulum(states)
    losses = tailoring.tailored_losses(weights, scales, law("derivative"), (0.01, 1.0), states, target)
    for loss, rate in zip(losses.tolist(), (0.01, 1.0), strict=True):
        f_ND = tailoring.tailored_field(weights, scales, law("derivative"), rate)(states)
        assert loss == pytest.approx(float(((f_ND - target) / scales.speed).square().mean()), rel=1e-12)
