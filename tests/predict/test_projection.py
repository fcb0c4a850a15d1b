"""Projection: the motion nearest to a predicted one that keeps what is conserved, and where a law has nothing to say.

N states of motion in the plane, columns x, y, px, py.
"""

import math

import pytest
import torch

from noether_discover.errors import PredictorError
from noether_discover.predict import predictors
from noether_discover.predict.noether_loss import spread
from noether_discover.predict.predictors import Scales, rollout, runge_kutta
from noether_discover.predict.projection import (
    Decay,
    LevelSet,
    Projector,
    Tally,
    decay_of,
    enforceable,
    projected_field,
    pulled_back,
)
from noether_discover.predict.protocols import level_keeping

LEFT = 1e-6
"""Of a violation: FLAT = 1e-8 over the squared gradients of these laws, which exceed 0.01 at these states."""


def float64(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def energy(x):
    return (x[..., 2].square() + x[..., 3].square()) / 2 - 1 / x[..., :2].norm(dim=-1)


def momentum(x):
    return x[..., 0] * x[..., 3] - x[..., 1] * x[..., 2]


def kepler(x):
    cube = x[..., :2].norm(dim=-1, keepdim=True) ** 3
    return torch.cat([x[..., 2:], -x[..., :2] / cube], dim=-1)


def square(x):
    return x.square().sum(-1)


def test_the_time_keeps_its_rate_whatever_law_it_enters():
    """Columns x, v, t of free motions: x - v t is enforced by another rate of x, not of t."""
    t = torch.rand(50, 1, dtype=torch.float64)
    x = torch.cat([torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)), t], dim=-1)
    v = torch.stack([x[:, 1], torch.zeros(50).double(), torch.ones(50).double()], dim=-1)
    scales = Scales.of(x, v, (False,) * 3)
    laws = LevelSet.of([lambda y: y[..., 0] - y[..., 1] * y[..., 2]], scales, x)
    wrong = v + float64(0.3, 0.0, 0.0)
    right = projected_field(lambda _: wrong, laws)(x)
    assert (right[:, 2] - 1).abs().max() < 1e-6
    assert (right[:, 0] - v[:, 0]).abs().max() < 1e-5
    enforceable(laws, x)


ONE, TWO = (energy,), (energy, momentum)
CONSERVED = {1: Decay.none(1), 2: Decay.none(2)}
DECAYING = {1: Decay(float64(0.3), float64(-0.7)), 2: Decay(float64(0.3, -0.1), float64(-0.7, 0.2))}


@pytest.fixture(scope="module")
def states():
    """At distances of 0.5 and more, where the attraction is no larger than 4."""
    x = torch.randn(40, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    return torch.cat([x[:, :2] * (1 + 0.5 / x[:, :2].norm(dim=-1, keepdim=True)), x[:, 2:]], dim=1)


@pytest.fixture(scope="module")
def scales(states):
    return Scales.of(states, kepler(states), (False,) * 4)


@pytest.fixture(scope="module")
def weights():
    return predictors.cast(predictors.initial_weights((4, 16, 16, 4), seed=5), torch.float64)


@pytest.fixture(scope="module")
def predicted(weights, scales):
    """A network that has learnt nothing: it violates every law."""
    return predictors.field(weights, scales)


def values(laws, x):
    return torch.stack([g(x) for g in laws], dim=-1)


def slopes(laws, x):
    """Gradients [N, L, D]."""
    leaf = x.detach().requires_grad_()
    return torch.stack([torch.autograd.grad(g(leaf).sum(), leaf)[0] for g in laws], dim=1)


def rates(laws, f, x):
    """dg/dt [N, L] along a field."""
    return (slopes(laws, x) @ f(x)[..., None])[..., 0]


def unit_laws(*laws, columns=2):
    """Laws and columns with a scale and a metric of 1."""
    ones = torch.ones(max(columns, len(laws)), dtype=torch.float64)
    return LevelSet(laws, ones[: len(laws)], ones[:columns], Decay.none(len(laws)))


# --- the projected field ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decays", [CONSERVED, DECAYING], ids=["conserved", "decaying"])
@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_along_the_projected_field_the_laws_change_as_they_should(laws, decays, predicted, scales, states):
    decay = decays[len(laws)]
    f = projected_field(predicted, LevelSet.of(laws, scales, states, decay))
    wanted = decay.rate(values(laws, states))
    before = (rates(laws, predicted, states) - wanted).abs()
    after = (rates(laws, f, states) - wanted).abs()
    assert before.mean() > 0.3
    assert (after <= LEFT * before.amax(-1, keepdim=True) + 1e-12).all()


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_strength_is_the_share_of_the_violation_that_is_removed(laws, predicted, scales, states):
    levels = LevelSet.of(laws, scales, states)
    before = rates(laws, predicted, states)
    assert torch.equal(projected_field(predicted, levels, 0.0)(states), predicted(states))
    for strength in (0.25, 0.9):
        after = rates(laws, projected_field(predicted, levels, strength), states)
        torch.testing.assert_close(after, (1 - strength) * before, rtol=0, atol=LEFT * float(before.abs().max()))


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_no_smaller_change_would_do(laws, predicted, scales, states):
    """Against the solution of least norm of the constraints, column by column in units of its speed."""
    decay = DECAYING[len(laws)]
    levels = LevelSet.of(laws, scales, states, decay)
    g_NL = values(laws, states)
    G_NLD = slopes(laws, states)
    missing_NL = decay.rate(g_NL) - rates(laws, predicted, states)
    least_ND = (torch.linalg.pinv(G_NLD * scales.speed) @ missing_NL[..., None])[..., 0] * scales.speed
    change_ND = projected_field(predicted, levels)(states) - predicted(states)
    torch.testing.assert_close(change_ND, least_ND, rtol=LEFT, atol=LEFT)


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_projecting_twice_is_projecting_once(laws, predicted, scales, states):
    levels = LevelSet.of(laws, scales, states, DECAYING[len(laws)])
    once = projected_field(predicted, levels)
    torch.testing.assert_close(projected_field(once, levels)(states), once(states), rtol=LEFT, atol=LEFT)


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_true_laws_leave_the_true_motion_as_it_is(laws, scales, states):
    f = projected_field(kepler, LevelSet.of(laws, scales, states))
    torch.testing.assert_close(f(states), kepler(states), rtol=0, atol=1e-12)


def test_a_law_s_scale_and_offset_do_not_matter(predicted, scales, states):
    here = projected_field(predicted, LevelSet.of(TWO, scales, states))
    laws = (lambda x: 100 * energy(x) + 5, lambda x: 3 - 0.01 * momentum(x))
    there = projected_field(predicted, LevelSet.of(laws, scales, states))
    # rounding, which an offset of 5 over a spread of 0.01 magnifies in the scale
    torch.testing.assert_close(there(states), here(states), rtol=1e-9, atol=1e-9)


def test_units_of_columns_and_time_do_not_matter(predicted, scales, states):
    unit_D, minute = float64(1e3, 1e-2, 7.0, 1e-5), 60.0
    there = Scales.of(states * unit_D, kepler(states) * unit_D * minute, (False,) * 4)
    laws = tuple(lambda x, g=g: g(x / unit_D) for g in TWO)
    scaled = projected_field(
        lambda x: predicted(x / unit_D) * unit_D * minute, LevelSet.of(laws, there, states * unit_D)
    )
    plain = projected_field(predicted, LevelSet.of(TWO, scales, states))
    torch.testing.assert_close(scaled(states * unit_D) / unit_D / minute, plain(states), rtol=1e-10, atol=1e-10)


def test_any_leading_axes_and_a_single_state_will_do(predicted, scales, states):
    for laws in (ONE, TWO):
        f = projected_field(predicted, LevelSet.of(laws, scales, states))
        torch.testing.assert_close(f(states.reshape(2, 4, 5, 4)).reshape(-1, 4), f(states), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(f(states[3]), f(states)[3], rtol=1e-12, atol=1e-12)


def test_a_law_told_twice_is_one_law(predicted, scales, states):
    once = projected_field(predicted, LevelSet.of(ONE, scales, states))(states)
    twice = LevelSet.of((energy, lambda x: 2 * energy(x)), scales, states)
    tally = Tally()
    # equal gradients make the Gram matrix singular up to FLAT, and 1e-16 / FLAT is what rounding becomes
    torch.testing.assert_close(projected_field(predicted, twice, tally=tally)(states), once, rtol=LEFT, atol=LEFT)
    assert (tally.asked, tally.plain) == (40, 0)


def test_a_rollout_of_the_projected_field_stays_on_its_level(predicted, scales, states):
    times = torch.linspace(0, 1, 201, dtype=torch.float64).expand(40, -1)
    levels = LevelSet.of((momentum,), scales, states)
    drift = [
        (momentum(rollout(f, states, times)) - momentum(states)[:, None]).abs().max()
        for f in (predicted, projected_field(predicted, levels))
    ]
    # Runge-Kutta's own error: (0.005 * rates of 10)^4
    assert drift[1] < 1e-5 < 0.5 < drift[0]


def test_a_column_that_never_changes_is_not_moved():
    """A spring's stiffness k as a third column, another for each experiment, and a network that heats the spring."""
    x = torch.randn(40, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[:, 2] = 1.5 + x[:, 2].tanh()

    def spring(x, gain=0.0):
        return torch.stack([x[..., 1], gain * x[..., 1] - x[..., 2] * x[..., 0], torch.zeros_like(x[..., 2])], dim=-1)

    levels = LevelSet.of(
        (lambda x: (x[..., 1] ** 2 + x[..., 2] * x[..., 0] ** 2) / 2,), Scales.of(x, spring(x), (False,) * 3), x
    )
    f = projected_field(lambda x: spring(x, gain=0.1), levels)
    assert f(x)[:, 2].abs().max() < LEFT


# --- where a law says nothing ----------------------------------------------------------------------------------------


def logarithm(x):
    return torch.log(x[..., 0]) + x[..., 1]


def inverse(x):
    return 1 / x[..., 0] + x[..., 1]


def root(x):
    return torch.sqrt(x[..., 0]) + x[..., 1]


SOUND = [[1.0, 2.0], [2.0, -1.0], [0.5, 0.3]]


def shear(x):
    return torch.stack([1 + x[..., 1], 2 * x[..., 0] - 1], dim=-1)


@pytest.mark.parametrize(
    ("law", "silent"),
    [(logarithm, [-1.0, 2.0]), (inverse, [0.0, 2.0]), (root, [-1.0, 2.0]), (root, [0.0, 2.0]), (square, [0.0, 0.0])],
    ids=["log of a negative", "1 / 0", "root of a negative", "endless slope", "flat"],
)
@pytest.mark.parametrize("together", [1, 2])
def test_where_a_law_says_nothing_the_prediction_stands(law, silent, together):
    laws = unit_laws(*(law,) * together)
    x = float64(SOUND[0], silent, SOUND[1], silent, SOUND[2])
    tally = Tally()
    f = projected_field(shear, laws, tally=tally)
    found = f(x)
    assert torch.equal(found[1::2], shear(x)[1::2])
    assert (tally.asked, tally.plain) == (5, 2)
    # the sound states are what they are without the others
    torch.testing.assert_close(found[0::2], f(float64(*SOUND)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(rates((law,), f, float64(*SOUND)), torch.zeros(3, 1).double(), rtol=0, atol=LEFT)
    assert (tally.asked, tally.plain) == (11, 2)


def test_a_law_that_is_flat_does_not_keep_another_from_being_enforced():
    height = unit_laws(square, lambda x: x[..., 0] + 2 * x[..., 1])
    tally = Tally()
    origin = float64([0.0, 0.0])
    found = projected_field(shear, height, tally=tally)(origin)
    assert tally.plain == 0
    assert float(found[0, 0] + 2 * found[0, 1]) == pytest.approx(0, abs=LEFT)


def test_laws_that_are_constant_or_undefined_on_the_data_are_not_usable(scales, states):
    def usable(law):
        return LevelSet.of((energy, law), scales, states).usable

    assert usable(momentum)
    assert not usable(lambda x: torch.ones((), dtype=x.dtype))
    assert not usable(lambda x: torch.log(x[..., 0]))


# --- gradients through it --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [1.0, 0.3])
@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_the_differentiable_field_is_the_same_field(laws, strength, predicted, scales, states):
    levels = LevelSet.of(laws, scales, states, DECAYING[len(laws)])
    graph = projected_field(predicted, levels, strength, differentiable=True)
    plain = projected_field(predicted, levels, strength)
    torch.testing.assert_close(graph(states), plain(states), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_gradients_through_the_laws_own_gradients_are_differences(laws, predicted, scales, states):
    levels = LevelSet.of(laws, scales, states, DECAYING[len(laws)])
    f = projected_field(predicted, levels, 0.8, differentiable=True)
    assert torch.autograd.gradcheck(f, (states[:5].clone().requires_grad_(),), eps=1e-6, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("law", "silent"),
    [(logarithm, [-1.0, 2.0]), (inverse, [0.0, 2.0]), (root, [-1.0, 2.0]), (root, [0.0, 2.0])],
    ids=["log of a negative", "1 / 0", "root of a negative", "endless slope"],
)
@pytest.mark.parametrize("decay", [Decay.none(1), DECAYING[1]], ids=["conserved", "decaying"])
def test_an_undefined_state_leaves_the_gradients_of_its_batch_alone(law, silent, decay):
    ones = torch.ones(2, dtype=torch.float64)
    f = projected_field(shear, LevelSet((law,), ones[:1], ones, decay), differentiable=True)
    x = float64(SOUND[0], silent, *SOUND[1:]).requires_grad_()
    (slope,) = torch.autograd.grad(f(x).square().sum(), x)
    sound = float64(*SOUND).requires_grad_()
    (alone,) = torch.autograd.grad(f(sound).square().sum(), sound)
    torch.testing.assert_close(slope[[0, 2, 3]], alone, rtol=1e-12, atol=1e-12)
    # at the undefined state the plain field's own gradient
    plain = float64(silent).requires_grad_()
    (of_plain,) = torch.autograd.grad(shear(plain).square().sum(), plain)
    torch.testing.assert_close(slope[1], of_plain[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("law", [inverse, root])
def test_where_a_law_is_undefined_at_every_state_the_gradients_are_the_plain_field_s(law):
    x = float64([0.0, 1.0], [0.0, 2.0]).requires_grad_()
    f = projected_field(shear, unit_laws(law), differentiable=True)
    (slope,) = torch.autograd.grad(f(x).square().sum(), x)
    (plain,) = torch.autograd.grad(shear(x).square().sum(), x)
    torch.testing.assert_close(slope, plain)


def test_a_network_can_be_trained_through_rollouts_of_the_projected_field(weights, scales, states):
    levels = LevelSet.of(TWO, scales, states)
    step = float64(0.05)

    def after_two_steps(matrix):
        changed = (*weights[:1], (matrix, weights[1][1]), *weights[2:])
        f = projected_field(predictors.field(changed, scales), levels, differentiable=True)
        return runge_kutta(f, runge_kutta(f, states[:3], step), step).square().mean()

    matrix = weights[1][0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(after_two_steps(matrix), matrix)
    direction = torch.randn(16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ahead, behind = (after_two_steps(matrix.detach() + sign * 1e-5 * direction).item() for sign in (1, -1))
    # central differences are off by step^2 times the third derivative
    assert (slope * direction).sum().item() == pytest.approx((ahead - behind) / 2e-5, rel=1e-6, abs=1e-9)


# --- the projector of standardised outputs ---------------------------------------------------------------------------


@pytest.mark.parametrize("decays", [CONSERVED, DECAYING], ids=["conserved", "decaying"])
@pytest.mark.parametrize("laws", [ONE, TWO, (lambda x: torch.log(x[..., 0]),)], ids=["one law", "two laws", "log"])
def test_the_projector_of_outputs_is_the_projected_field(laws, decays, weights, predicted, scales, states):
    scale = float64(*[spread(g, states[states[:, 0] > 0]) for g in laws])
    levels = LevelSet(laws, scale, scales.speed * scales.time, decays[len(laws)])
    projector = Projector.at(levels, scales, states)
    out_ND = predictors.output(weights, scales.inputs_of(states))
    for strength in (1.0, 0.4, 0.0):
        field_ND = projected_field(predicted, levels, strength)(states)
        ours_ND = scales.drift + scales.speed * projector(out_ND, strength)
        torch.testing.assert_close(ours_ND, field_ND, rtol=1e-12, atol=1e-12)


def test_the_projector_loses_what_single_precision_loses(weights, scales, states):
    projector = Projector.at(LevelSet.of(TWO, scales, states), scales, states)
    out_ND = predictors.output(weights, scales.inputs_of(states))
    single = projector.to(torch.float32)(out_ND.float(), 1.0)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), projector(out_ND, 1.0), rtol=1e-5, atol=1e-5)


# --- states pulled back ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laws", [ONE, TWO], ids=["one law", "two laws"])
def test_states_are_pulled_onto_the_target_s_level_or_a_share_of_the_way(laws, scales, states):
    levels = LevelSet.of(laws, scales, states)
    target = values(laws, states)
    away = states + 0.01 * torch.randn(states.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    start = values(laws, away)
    assert (start - target).abs().mean() > 0.005
    for strength in (1.0, 0.5, 0.0):
        tally = Tally()
        x = pulled_back(levels, away, target, strength, tally=tally)
        goal = start + strength * (target - start)
        # three Newton steps square a distance of 0.01 three times, FLAT leaves 1e-8 of it each time
        torch.testing.assert_close(values(laws, x), goal, rtol=0, atol=1e-9)
        assert (tally.asked, tally.plain) == (40, 0)


def test_the_least_displacement_is_along_the_gradient(scales, states):
    """To first order: what is left is of second order in the displacement."""
    levels = LevelSet.of(ONE, scales, states)
    target = values(ONE, states) + 1e-4
    moved_ND = (pulled_back(levels, states, target) - states) / scales.speed
    G_NLD = slopes(ONE, states) * scales.speed
    least_ND = (torch.linalg.pinv(G_NLD) @ torch.full((40, 1, 1), 1e-4).double())[..., 0]
    torch.testing.assert_close(moved_ND, least_ND, rtol=0, atol=1e-6)


def test_where_newton_s_steps_go_astray_the_state_stays_and_is_counted():
    arc = unit_laws(lambda x: torch.atan(x[..., 0]))
    # Newton on the arc tangent diverges from beyond 1.39: slowly, to where it is flat, and where it is flat at once
    x = float64([1.5, 1.0], [0.5, 1.0], [3.0, 1.0], [-0.5, 1.0], [1e5, 1.0])
    tally = Tally()
    found = pulled_back(arc, x, torch.zeros(5, 1, dtype=torch.float64), tally=tally)
    assert torch.equal(found[0::2], x[0::2])
    # a step from x leaves 2/3 x^3: after three 1e-13, but for the 1e-8 of FLAT
    torch.testing.assert_close(found[1::2], float64([0.0, 1.0], [0.0, 1.0]), rtol=0, atol=1e-7)
    assert (tally.asked, tally.plain) == (5, 3)


def test_where_newton_s_steps_leave_what_is_defined_the_state_stays():
    tally = Tally()
    x = float64([10.0, 0.0], [1.0, 0.0])
    found = pulled_back(unit_laws(lambda x: torch.log(x[..., 0])), x, float64([-30.0], [0.1]), tally=tally)
    assert torch.equal(found[0], x[0])
    assert math.log(found[1, 0]) == pytest.approx(0.1, abs=1e-7)
    assert tally.plain == 1


def test_gradients_through_a_pulled_state_are_differences():
    target = float64([1.5], [0.4])

    def pulled(x):
        return pulled_back(unit_laws(square), x, target, 0.7, differentiable=True)

    assert torch.autograd.gradcheck(pulled, (float64([1.0, 0.5], [-0.3, 0.6]).requires_grad_(),), atol=1e-6)
    assert not pulled_back(unit_laws(square), float64([1.0, 0.5]).requires_grad_(), target[:1]).requires_grad


def test_an_undefined_state_leaves_the_gradients_of_pulled_states_finite():
    x = float64([1.0, 1.0], [-1.0, 1.0]).requires_grad_()
    pulled = pulled_back(unit_laws(root), x, float64([2.1], [2.1]), differentiable=True)
    (slope,) = torch.autograd.grad(pulled.sum(), x)
    torch.testing.assert_close(slope[1], torch.ones(2, dtype=torch.float64))


# --- levels that decay -----------------------------------------------------------------------------------------------


def test_a_decaying_level_solves_its_own_equation():
    decay = Decay(float64(0.3, -0.2, 0.5, 0.0, 0.3), float64(-0.7, 0.4, 0.0, 0.0, 1e-13))
    g_KL = torch.randn(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    time_K = float64(0.0, 0.5, 1.0, 3.0)
    stepped = g_KL
    for _ in range(300):
        stepped = runge_kutta(decay.rate, stepped, time_K[:, None] / 300)
    # (0.01 * 0.7)^4 / 120
    torch.testing.assert_close(decay.after(g_KL, time_K), stepped, rtol=0, atol=1e-10)
    torch.testing.assert_close(decay.after(g_KL, time_K)[:, 2], g_KL[:, 2] + 0.5 * time_K)
    assert torch.equal(Decay.none(5).after(g_KL, time_K), g_KL)


def test_after_two_times_is_after_their_sum():
    decay = DECAYING[2]
    g_L, early, late = float64(1.0, -2.0), float64(0.4)[0], float64(1.3)[0]
    torch.testing.assert_close(decay.after(decay.after(g_L, early), late), decay.after(g_L, early + late))


def decaying(g0, a, b, t, ripple=0.0, beat=0.0):
    """States [T, 2] whose first column solves dg/dt = a + b g, but for what it does within a period."""
    level = (g0 + a / b) * torch.exp(b * t) - a / b
    return torch.stack([level + ripple * torch.sin(beat * t), torch.cos(t)], dim=1)


def first_column(x):
    return x[..., 0]


def test_a_quantity_made_to_decay_is_found_to():
    a, b = 0.3, -0.5
    times = [torch.linspace(0, 1, 50 + k, dtype=torch.float64) for k in range(8)]
    states = [decaying(g0, a, b, t) for g0, t in zip(range(8), times, strict=True)]
    decay = decay_of([first_column, lambda x: 10 * x[..., 0] + 7], states, times)
    # a line through a window in which the level changes by e^2y is less steep by y^2/15, here 0.4 %
    torch.testing.assert_close(decay.b, float64(b, b), rtol=5e-3, atol=0)
    torch.testing.assert_close(decay.a, float64(a, 10 * a - 7 * b), rtol=5e-3, atol=0)


def test_what_a_quantity_does_within_a_period_counts_little():
    a, b = 0.05, -0.1
    t = torch.linspace(0, 16, 801, dtype=torch.float64)
    # eight windows of a little over six periods; a ripple's own slope is ten times the level's
    states = [decaying(g0, a, b, t, ripple=0.05, beat=20.0) for g0 in (1.0, 3.0)]
    decay = decay_of([first_column], states, [t, t])
    # a slope is wrong by at most 6 ripple / (window * beat * window / 2) = 0.002, of levels that decay by 0.05 and more
    torch.testing.assert_close(decay.b, float64(b), rtol=0.05, atol=0)
    torch.testing.assert_close(decay.a, float64(a), rtol=0.1, atol=0)


def test_a_conserved_quantity_has_no_decay():
    t = torch.linspace(0, 12, 121, dtype=torch.float64)
    states = [r * torch.stack([t.cos(), t.sin()], dim=1) for r in (0.5, 1.0, 1.5, 2.0)]
    decay = decay_of([square], states, [t] * 4)
    torch.testing.assert_close(decay.b, float64(0.0), rtol=0, atol=1e-12)
    torch.testing.assert_close(decay.a, float64(0.0), rtol=0, atol=1e-12)


def test_noise_alone_makes_a_conserved_quantity_decay_no_more_than_noise_can():
    sigma, levels, samples, span = 0.05, torch.arange(20), 120, 12.0
    t = torch.linspace(0, span, samples, dtype=torch.float64)
    random = torch.Generator().manual_seed(3)
    noise = sigma * torch.randn(20, samples, 1, dtype=torch.float64, generator=random)
    states = list(levels[:, None, None] + noise)
    decay = decay_of([first_column], states, [t] * 20)
    # the error of a slope is sigma sqrt(12 / T) / span; of a slope's slope by the level, that over their deviation
    error = sigma * math.sqrt(12 / samples) / span / math.sqrt(20)
    assert abs(float(decay.b)) < 4 * error / float(levels.double().std(correction=0))
    assert abs(float(decay.a + decay.b * 9.5)) < 4 * error


def test_noise_about_one_level_does_not_make_levels_run_away():
    """One trajectory, whose level is known to 0.05 / sqrt(201) and says nothing of how other levels change."""
    t = torch.linspace(0, 20, 201, dtype=torch.float64)
    for seed in range(10):
        noise = torch.randn(201, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        decay = decay_of([first_column], [1 + 0.05 * noise], [t])
        assert abs(decay.after(float64(1.05), t[-1]).item() - 1) < 1


def test_a_quantity_that_is_nowhere_defined_has_no_decay():
    t = torch.linspace(0, 1, 20, dtype=torch.float64)
    x = torch.stack([t, t], dim=1)
    decay = decay_of([lambda x: torch.log(-1 - x[..., 0]), first_column], [x, x], [t, t])
    torch.testing.assert_close(decay.rate(float64(0.5, 0.5)), float64(0.0, 1.0))


# --- rollouts of long steps ------------------------------------------------------------------------------------------


def turn(x):
    return torch.stack([x[..., 1], -x[..., 0]], dim=-1)


def test_euler_rollouts_keep_their_level_when_they_are_pulled_to_it():
    starts = float64([1.0, 0.0], [0.3, -0.4], [-2.0, 1.0])
    times = torch.linspace(0, 10, 51, dtype=torch.float64).repeat(3, 1)
    times[1] *= 0.5
    plain = rollout(turn, starts, times, "euler")
    # each step gains (1 + 0.2^2)
    torch.testing.assert_close(square(plain)[0], 1.04 ** torch.arange(51, dtype=torch.float64))
    for decay in (Decay.none(1), Decay(float64(0.1), float64(-0.2))):
        laws = LevelSet((square,), float64(1.0), float64(1.0, 1.0), decay)
        kept = rollout(turn, starts, times, "euler", pull=level_keeping(laws, 1.0))
        wanted = torch.stack([decay.after(square(starts)[:, None], t)[:, 0] for t in times.unbind(1)], dim=1)
        # three Newton steps from 4 % away, and FLAT
        torch.testing.assert_close(square(kept), wanted, rtol=1e-7, atol=1e-7)
        nothing = rollout(turn, starts, times, "euler", pull=level_keeping(laws, 0.0))
        torch.testing.assert_close(nothing, plain, rtol=1e-12, atol=1e-12)


def test_half_the_strength_keeps_half_of_each_step_s_gain():
    laws = unit_laws(square)
    starts = float64([1.0, 0.0])
    times = float64([0.0, 0.2, 0.4])
    states = rollout(turn, starts, times, "euler", pull=level_keeping(laws, 0.5))
    first = 1 + 0.5 * 0.04
    # the second step gains 4 % of that, and half of all that is above the first level is taken away
    torch.testing.assert_close(square(states)[0], float64(1.0, first, (first * 1.04 + 1) / 2), rtol=1e-8, atol=1e-8)


def test_as_many_independent_laws_as_columns_leave_no_motion():
    x = torch.randn(30, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    enforceable(unit_laws(square), x)
    enforceable(unit_laws(square, lambda x: 2 * square(x) + 1), x)  # two forms of one law
    with pytest.raises(PredictorError, match="2 independent laws leave no motion in 2 columns"):
        enforceable(unit_laws(square, first_column), x)
