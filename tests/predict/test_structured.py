"""The law-structured head: it keeps its law whatever it learns, and its constants are found again.

N states, D columns, K trajectories, T samples, Q constants.
"""

import dataclasses
import functools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from noether_dsl.text import parse

from noether_discover.data.systems import simulate
from noether_discover.predict import heads, predictors
from noether_discover.predict.bench import NetworkSettings, prepared
from noether_discover.predict.noether_loss import spread
from noether_discover.predict.predictors import Scales, initial_weights, output, rollout
from noether_discover.predict.structured import (
    Constants,
    Measure,
    head_field,
    head_network,
    least_squares_constants,
    pairs,
    refine,
    turned,
)
from noether_discover.search.quantity import Quantity

SMALL = NetworkSettings(hidden=8, steps=10, epochs=100)


def float64(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def smooth_law(dimension):
    """A random function without critical points to speak of."""
    weights = predictors.cast(initial_weights((dimension, 12, 1), seed=dimension), torch.float64)
    return lambda x: output(weights, x)[..., 0] + x[..., 0]


def pendulum_law(x, parameters):
    return x[..., 1] ** 2 - parameters[..., 0] * torch.cos(x[..., 0])


def pendulum(x):
    return torch.stack([2 * x[..., 1], -3 * torch.sin(x[..., 0])], dim=-1)


def oscillator_law(x, parameters):
    return x.square().sum(-1) / 2


def slopes(law, x):
    leaf = x.detach().requires_grad_()
    return torch.autograd.grad(law(leaf).sum(), leaf)[0]


def rates(law, f, x):
    return (slopes(law, x) * f(x)).sum(-1)


def matrix(head):
    """A and R in the columns' own units, from the head's pure numbers."""
    D = len(head.measure.metric)
    A = torch.zeros(D, D, dtype=torch.float64)
    for entry, (i, j) in zip(head.entries, pairs(D), strict=True):
        A[i, j], A[j, i] = entry, -entry
    unit = head.measure.metric[:, None] * head.measure.metric / (head.measure.time * head.measure.deviation)
    return A * unit, head.friction * unit.diagonal()


# --- the law is kept -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_a_head_keeps_its_law_whatever_its_entries_are(dimension):
    law, x = smooth_law(dimension), normal(30, dimension)
    measure = Measure(normal(dimension, seed=1).exp(), 0.7, 2.3)
    mixing = normal(dimension, len(pairs(dimension)), seed=2)
    f = head_field(law, measure, lambda x: ((3 * x @ mixing).sin(), torch.zeros_like(x)))
    assert f(x).abs().mean() > 0.1
    torch.testing.assert_close(rates(law, f, x), torch.zeros(30).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_friction_lowers_the_law_by_the_square_of_its_gradient(dimension):
    law, x = smooth_law(dimension), normal(30, dimension)
    measure = Measure(normal(dimension, seed=1).exp(), 0.7, 2.3)
    mixing = normal(dimension, len(pairs(dimension)), seed=2)
    f = head_field(law, measure, lambda x: ((3 * x @ mixing).sin(), x.square()))
    lowered = x.square() * (measure.metric * slopes(law, x)).square()
    torch.testing.assert_close(rates(law, f, x), -lowered.sum(-1) / (0.7 * 2.3), rtol=1e-12, atol=1e-12)
    assert (rates(law, f, x) < 0).all()


def test_turning_is_a_product_with_an_antisymmetric_matrix_whose_entries_stand_row_by_row():
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    a, b, c = 2.0, 3.0, 5.0
    A = float64([0, a, b], [-a, 0, c], [-b, -c, 0])
    friction, u = float64(0.1, 0.2, 0.3), normal(7, 3)
    torch.testing.assert_close(turned(float64(a, b, c), friction, u), u @ (A - friction.diag()).T)


def test_a_head_s_law_and_field_take_any_leading_axes():
    entries, parameters, x = normal(6, 1), 3 + normal(6, 1, seed=1), normal(6, 5, 2, seed=2)
    many = Constants(
        pendulum_law, Measure(float64(1.0, 2.0), 0.5, 3.0), entries, torch.zeros(6, 2).double(), parameters
    )
    together = many.field()(x)
    for number in range(6):
        one = dataclasses.replace(
            many, entries=entries[number], friction=float64(0.0, 0.0), parameters=parameters[number]
        )
        torch.testing.assert_close(one.field()(x[number]), together[number])
        torch.testing.assert_close(one.field()(x)[number], together[number])


def test_a_single_state_has_a_single_rate():
    head = Constants(oscillator_law, Measure(float64(1.0, 1.0), 1.0, 1.0), float64(1.0), float64(0.0, 0.0), float64())
    torch.testing.assert_close(head.field()(float64(1.0, 2.0)), float64(2.0, -1.0))


def test_a_head_of_a_constant_law_stands_still():
    f = head_field(lambda x: torch.ones(x.shape[:-1]), Measure(float64(1.0, 1.0), 1.0, 1.0), lambda x: (x[:, :1], x))
    assert (f(normal(3, 2)) == 0).all()


# --- constants by least squares --------------------------------------------------------------------------------------


def fitted_to(law, parameters, f, x, *, damped=False):
    scales = Scales.of(x, f(x), (False,) * x.shape[1])
    measure = Measure(scales.speed * scales.time, scales.time, spread(lambda x: law(x, parameters), x))
    return least_squares_constants(law, parameters, measure, x, f(x), damped=damped)


def test_a_pendulum_s_derivatives_say_that_it_is_hamiltonian():
    head = fitted_to(pendulum_law, float64(3.0), pendulum, normal(40, 2))
    A, R = matrix(head)
    torch.testing.assert_close(A, float64([0, 1], [-1, 0]), rtol=1e-12, atol=1e-12)
    assert (R == 0).all()
    torch.testing.assert_close(head.field()(normal(5, 2, seed=1)), pendulum(normal(5, 2, seed=1)))


def test_the_constants_of_three_columns_are_all_found():
    """As with Euler's top about its other law: x' = A grad g, where g is a quadratic form of full rank."""
    A = float64([0, 1, -2], [-1, 0, 0.5], [2, -0.5, 0])
    inertia = float64(1.0, 2.0, 3.0)

    def law(x, parameters):
        return (x.square() * inertia).sum(-1) / 2

    found, _ = matrix(fitted_to(law, float64(), lambda x: (x * inertia) @ A.T, normal(40, 3)))
    torch.testing.assert_close(found, A, rtol=1e-12, atol=1e-12)


def test_friction_is_found_beside_the_turning():
    def damped(x):
        return torch.stack([x[..., 1], -x[..., 0] - 0.3 * x[..., 1]], dim=-1)

    A, R = matrix(fitted_to(oscillator_law, float64(), damped, normal(40, 2), damped=True))
    torch.testing.assert_close(A, float64([0, 1], [-1, 0]), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(R, float64(0.0, 0.3), rtol=1e-12, atol=1e-12)


def test_states_where_the_law_or_a_derivative_is_not_known_are_left_out():
    x = normal(40, 2)
    v = pendulum(x)
    v[3], x[5] = torch.nan, torch.inf
    head = least_squares_constants(pendulum_law, float64(3.0), Measure(float64(1.0, 1.0), 1.0, 1.0), x, v, damped=False)
    torch.testing.assert_close(head.entries, float64(1.0), rtol=1e-12, atol=1e-12)


# --- multi-shooting --------------------------------------------------------------------------------------------------


def swings(noise=0.0, samples=50, trajectories=2):
    """Pendulums for a period or so."""
    return simulate("pendulum_hnn", trajectories=trajectories, samples=samples, span=samples / 20, noise=noise, seed=3)


def begun(trajectories, parameters, *, damped=False, law=pendulum_law, f=pendulum):
    """What is given to `refine`: constants that fit the true field with these parameters, data, noise, unit of time."""
    bench = prepared(trajectories, SMALL)
    x = bench.states
    head = fitted_to(law, parameters, f, x, damped=damped)
    return head, bench.measured, bench.noise, bench.scales.time


def of_head(head):
    """A_01, the law's parameter: the numbers that have a meaning."""
    return torch.stack([matrix(head)[0][0, 1], head.parameters[0]])


def test_a_coefficient_and_the_constants_are_found_again_in_clean_data():
    head, *given = begun(swings(samples=30), float64(3.09))
    found = refine(head, *given, damped=False)
    # Runge-Kutta's steps of 0.025 at a rate of sqrt(6): the phase's rate is wrong by (0.06)^4 / 120 = 1e-7
    torch.testing.assert_close(of_head(found), float64(1.0, 3.0), rtol=1e-6, atol=0)
    torch.testing.assert_close(found.law(normal(5, 2)), pendulum_law(normal(5, 2), found.parameters))
    assert (found.friction == 0).all()


def standard_errors(head, data, noise_D, time):
    """Of the entry and the parameter: the inverse of the Fisher information of all rollouts and their first states."""

    def residuals(unknown):
        theta, x0_KD = unknown[:2], unknown[2:].reshape(data.states[:, 0].shape)
        f = dataclasses.replace(head, entries=theta[:1], parameters=theta[1:]).field()
        states = rollout(f, x0_KD, data.times, time=time)
        return ((states - data.states) * data.counts[..., None] / noise_D).flatten()

    unknown = torch.cat([head.entries, head.parameters, data.states[:, 0].flatten()])
    moves = 1e-5 * torch.eye(len(unknown), dtype=torch.float64)
    J = torch.stack([(residuals(unknown + move) - residuals(unknown - move)) / 2e-5 for move in moves], dim=1)
    errors = torch.linalg.inv(J.T @ J).diagonal().sqrt()[:2]
    return errors * float64(float(of_head(head)[0] / head.entries[0]), 1.0)


def test_noisy_data_give_the_constants_to_within_their_standard_errors():
    head, data, noise_D, time = begun(swings(noise=0.02), float64(3.09))
    found = refine(head, data, noise_D, time, damped=False)
    error = standard_errors(found, data, noise_D, time)
    assert (error < 0.02).all()
    # three standard errors are exceeded once in 370 times, and the seed is fixed; 3.09 is six away
    assert ((of_head(found) - float64(1.0, 3.0)).abs() < 3 * error).all()


def ragged(trajectories):
    """The first without ten samples in its middle, the others shorter and shorter."""
    rows = [
        np.delete(np.arange(len(t) - 11 * k), slice(20, 30) if k == 0 else slice(0, 0))
        for k, t in enumerate(trajectories.times)
    ]
    return dataclasses.replace(
        trajectories,
        states=tuple(x[r] for x, r in zip(trajectories.states, rows, strict=True)),
        times=tuple(t[r] for t, r in zip(trajectories.times, rows, strict=True)),
    )


def test_ragged_trajectories_with_a_hole_give_the_same_constants():
    head, data, *given = begun(ragged(swings(trajectories=3)), float64(3.09))
    assert data.counts.sum(1).tolist() == [20, 20, 39, 28]
    found = refine(head, data, *given, damped=False)
    # steps of 0.05: (0.12)^4 / 120
    torch.testing.assert_close(of_head(found), float64(1.0, 3.0), rtol=3e-6, atol=0)


def test_what_stands_where_nothing_was_measured_does_not_matter():
    head, data, *given = begun(ragged(swings(noise=0.02, trajectories=3)), float64(3.09))
    other = dataclasses.replace(data, states=torch.where(data.counts[..., None], data.states, 7.0))
    found, same = (refine(head, some, *given, damped=False) for some in (data, other))
    assert torch.equal(of_head(found), of_head(same))


def test_constants_that_cannot_be_bettered_stay_as_they_are():
    head, data, *given = begun(swings(samples=15), float64(3.0))
    exact = rollout(head.field(), data.states[:, 0], data.times, time=given[1] / 2)
    found = refine(head, dataclasses.replace(data, states=exact), *given, damped=False)
    assert torch.equal(found.entries, head.entries)
    assert torch.equal(found.parameters, head.parameters)


@pytest.mark.parametrize("entry", [1e300, 1e30, math.nan])
def test_constants_whose_rollouts_are_no_numbers_stay_as_they_are(entry):
    head, *given = begun(swings(samples=15), float64(3.0))
    # friction that drives: x' = -R grad g with R < 0 grows without end
    wild = dataclasses.replace(head, entries=float64(entry), friction=float64(-1e3, -1e3))
    found = refine(wild, *given, damped=True)
    torch.testing.assert_close(found.entries, wild.entries, equal_nan=True, rtol=0, atol=0)
    assert torch.equal(found.parameters, wild.parameters)


def test_a_law_that_is_undefined_on_the_data_is_no_exception():
    def undefined(x, parameters):
        return torch.sqrt(-parameters[..., 0] - x[..., 0].square())

    head, *given = begun(swings(samples=15), float64(3.0))
    other = dataclasses.replace(head, quantity=undefined)
    assert torch.equal(refine(other, *given, damped=False).parameters, other.parameters)


def test_a_damped_oscillator_s_friction_is_found_again():
    """The system's x'' = -x - 0.5 x', from constants whose friction is a tenth off."""
    trajectories = simulate("damped_oscillator", trajectories=2, samples=30, span=3.0, seed=1)

    def wrong(x):
        return torch.stack([x[..., 1], -x[..., 0] - 0.55 * x[..., 1]], dim=-1)

    head, *given = begun(trajectories, float64(), damped=True, law=oscillator_law, f=wrong)
    assert matrix(head)[1].tolist() == pytest.approx([0, 0.55])
    A, R = matrix(refine(head, *given, damped=True))
    # steps of 0.1: (0.1)^4 / 120
    torch.testing.assert_close(A[0, 1], float64(1.0)[0], rtol=0, atol=2e-6)
    torch.testing.assert_close(R, float64(0.0, 0.5), rtol=0, atol=2e-6)


def test_every_stage_is_told():
    head, *given = begun(swings(samples=15), float64(3.09))
    told = []
    refine(head, *given, damped=False, tick=lambda *news: told.append(news))
    assert told == [(1, 2), (2, 2)]


def test_a_column_that_is_always_zero_does_not_keep_the_others_from_being_refined():
    flat = swings(samples=30)
    flat = dataclasses.replace(
        flat,
        names=("q", "p", "z"),
        symbols=("q", "p", "z"),
        units=(*flat.units, flat.units[0]),
        states=tuple(np.pad(x, ((0, 0), (0, 1))) for x in flat.states),
    )

    def still(x):
        return torch.cat([pendulum(x), torch.zeros_like(x[..., :1])], dim=-1)

    head, *given = begun(flat, float64(3.09), f=still)
    assert float(refine(head, *given, damped=False).parameters) == pytest.approx(3.0, rel=1e-4)


# --- what a network adds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damped", [False, True])
def test_an_untrained_network_is_its_constants_field(damped):
    x = normal(30, 2)
    constants = Constants(
        pendulum_law, Measure(float64(1.1, 0.7), 0.4, 2.0), float64(0.3), float64(0.0, 0.2), float64(3.0)
    )
    network = head_network(constants, Scales.of(x, pendulum(x), (False, False)), seed=0, damped=damped)
    assert torch.equal(network.field()(x), constants.field()(x))


def trained_a_little(constants, x, *, damped):
    """A network whose last layer is not zero any more, in double precision."""
    scales = Scales.of(x, pendulum(x), (False,) * x.shape[1])
    network = head_network(constants, scales, seed=0, damped=damped, hidden=(8,))
    weights = predictors.cast(network.weights, torch.float64)
    matrix, bias = weights[-1]
    last = 0.3 * normal(*matrix.shape, seed=4), 0.3 * normal(*bias.shape, seed=5)
    return dataclasses.replace(network, weights=(*weights[:-1], last))


@pytest.mark.parametrize("damped", [False, True])
def test_a_network_s_loss_is_the_error_of_its_own_field(damped):
    x = normal(30, 2)
    constants = Constants(
        pendulum_law, Measure(float64(1.1, 0.7), 0.4, 2.0), float64(0.3), float64(0.0, 0.2), float64(3.0)
    )
    network = trained_a_little(constants, x, damped=damped)
    of_field = ((network.field()(x) - pendulum(x)) / network.scales.speed).square().mean()
    loss = network.loss(x, pendulum(x))
    assert loss(network.weights).item() == pytest.approx(of_field.item(), rel=1e-12)
    undamped = dataclasses.replace(constants, friction=float64(0.0, 0.0))
    untrained = head_network(undamped, network.scales, seed=0, damped=damped, hidden=(8,)).weights
    # the network's own output is added, whatever the weights
    assert loss(predictors.cast(untrained, torch.float64)).item() != pytest.approx(of_field.item(), rel=1e-3)


def test_a_network_keeps_its_law_and_only_friction_lowers_it():
    x = normal(30, 2)
    constants = Constants(
        pendulum_law, Measure(float64(1.1, 0.7), 0.4, 2.0), float64(0.3), float64(0.0, 0.0), float64(3.0)
    )
    kept = rates(constants.law, trained_a_little(constants, x, damped=False).field(), x)
    torch.testing.assert_close(kept, torch.zeros(30).double(), rtol=0, atol=1e-12)
    assert rates(constants.law, trained_a_little(constants, x, damped=True).field(), x).abs().mean() > 0.1


def test_gradients_through_a_network_s_field_are_differences():
    x = normal(4, 2)
    constants = Constants(
        pendulum_law, Measure(float64(1.1, 0.7), 0.4, 2.0), float64(0.3), float64(0.0, 0.0), float64(3.0)
    )
    f = trained_a_little(constants, x, damped=True).field(differentiable=True)
    assert torch.autograd.gradcheck(f, (x.requires_grad_(),), eps=1e-6, atol=1e-6, rtol=1e-6)


# --- both heads on a bench -------------------------------------------------------------------------------------------


@pytest.fixture
def brief(monkeypatch):
    """Networks of 300 steps, which tell the two heads apart."""
    monkeypatch.setattr(heads, "fitted_network", functools.partial(heads.fitted_network, steps=300))


def test_a_pendulum_is_best_described_by_constants(brief):
    law = Quantity(parse("p**2 - c*cos(q)"), (3.05,), ("q", "p"))
    found = heads.fitted(law, prepared(swings(samples=20), SMALL), damped=False)
    assert found.chosen == "constants"
    torch.testing.assert_close(of_head(found.constants), float64(1.0, 3.0), rtol=1e-6, atol=0)
    x = normal(5, 2)
    assert torch.equal(found.field()(x), found.constants.field()(x))
    torch.testing.assert_close(found.field()(x), pendulum(x), rtol=1e-5, atol=1e-5)


def test_prey_and_predators_need_a_network(brief):
    """x' = -x y dg/dy: no constant is proportional to x y."""

    def law(x):
        return x.sum(-1) - x.log().sum(-1)

    bench = prepared(simulate("lotka_volterra", trajectories=2, samples=30, span=4.0, seed=0), SMALL)
    found = heads.fitted(law, bench, damped=False)
    assert found.chosen == "network"
    errors = [bench.training_errors(head.field()).standard for head in (found.constants, found.network)]
    assert errors[1] < 0.5 * errors[0]
    x = 1 + normal(5, 2).abs()
    assert torch.equal(found.field()(x), found.network.field()(x))
    torch.testing.assert_close(rates(law, found.field(), x), torch.zeros(5).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("of_constants", "of_network", "chosen"),
    [(1, 0.95, "constants"), (1, 0.8, "network"), (1, math.nan, "constants"), (math.nan, 1, "network"),
     (math.nan, math.nan, "constants"), (0, 0, "constants")],
)  # fmt: skip
def test_a_network_is_chosen_where_it_is_clearly_better(of_constants, of_network, chosen, monkeypatch):
    for name, error in (("fitted_constants", of_constants), ("fitted_network", of_network)):
        head = SimpleNamespace(field=lambda error=error: error)
        monkeypatch.setattr(heads, name, lambda *_, head=head, **__: head)
    bench = SimpleNamespace(
        training_errors=lambda error: SimpleNamespace(standard=error),
        noise=float64(1e-5, 1e-5),
        scales=SimpleNamespace(spread=float64(1.0, 1.0)),
    )
    assert heads.fitted(None, bench, damped=False).chosen == chosen


def test_a_formula_shows_its_parameters_and_a_callable_none():
    formula = Quantity(parse("p**2 - c*cos(q)"), (3.05,), ("q", "p"))
    law, parameters = heads.parametric(formula)
    x = normal(4, 3, 2)
    assert parameters.tolist() == [3.05]
    torch.testing.assert_close(law(x, parameters), formula(x))
    torch.testing.assert_close(law(x, float64(2.0)), pendulum_law(x, float64(2.0)))
    several = float64([1.0], [2.0], [3.0], [4.0])[:, None]
    torch.testing.assert_close(law(x, several)[2], pendulum_law(x[2], float64(3.0)))

    def rows_only(x_ND):
        assert x_ND.dim() == 2
        return pendulum_law(x_ND, float64(3.0))

    law, parameters = heads.parametric(rows_only)
    assert parameters.tolist() == []
    torch.testing.assert_close(law(x, parameters), pendulum_law(x, float64(3.0)))


def test_an_opaque_law_has_constants_all_the_same():
    bench = prepared(swings(samples=20), SMALL)
    found = heads.fitted_constants(lambda x_ND: 5 * x_ND[:, 1] ** 2 - 15 * torch.cos(x_ND[:, 0]), bench, damped=False)
    torch.testing.assert_close(matrix(found)[0], float64([0, 0.2], [-0.2, 0]), rtol=1e-6, atol=0)


def test_measured_states_that_a_damped_head_follows_have_its_friction():
    bench = prepared(simulate("damped_oscillator", trajectories=2, samples=30, span=6.0, noise=0.01, seed=1), SMALL)
    found = heads.fitted_constants(lambda x: oscillator_law(x, None), bench, damped=True)
    _, R = matrix(found)
    # a decay rate's error is about noise / amplitude / span * sqrt(12 / 60 samples) = 0.01 / 0.5 / 6 * 0.4 = 0.002
    torch.testing.assert_close(R, float64(0.0, 0.5), rtol=0, atol=0.02)
