"""The bench: measured trajectories as tensors, the errors of rollouts, what noise explains of them, training.

K trajectories, T samples, D columns.
"""

import dataclasses
import math

import numpy as np
import pytest
import torch
from noether_dsl.dimension import ANGLE, Dimension
from noether_dsl.units import Unit

from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.errors import OptionError
from noether_discover.predict import predictors
from noether_discover.predict.bench import (
    DIVERGED,
    Errors,
    NetworkSettings,
    bench_of,
    hamiltonian,
    prepared,
    trained,
    without_noise,
)
from noether_discover.predict.measured import Measured
from noether_discover.predict.predictors import Scales, rollout

SMALL = NetworkSettings(hidden=16, steps=60, epochs=20)


def float64(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def turning(*lengths, noise=0.0, columns=2, angles=False, seed=0):
    """Rotations with a rate of 2, sampled every 0.05, from radii and phases of their own; further columns are 0."""
    random = np.random.default_rng(seed)
    states, times = [], []
    for number, length in enumerate(lengths):
        t = 0.05 * np.arange(length)
        phase = 2 * t + number
        x = (1 + 0.2 * number) * np.stack([np.sin(phase), np.cos(phase)], axis=1)
        x = x + noise * random.standard_normal(x.shape)
        states.append(np.pad(x, ((0, 0), (0, columns - 2))))
        times.append(t)
    names = tuple("qpz"[:columns])
    unit = Unit(Dimension.of({ANGLE: 1})) if angles else Unit()
    labels = tuple(map(str, range(len(lengths))))
    return Trajectories(names, names, (unit, *(Unit(),) * (columns - 1)), tuple(states), tuple(times), labels)


def turn(rate=2.0):
    def f(x):
        return rate * torch.cat([x[..., 1:2], -x[..., :1], torch.zeros_like(x[..., 2:])], dim=-1)

    return f


def without(trajectories, number, rows):
    """The same without some samples of one trajectory."""
    states, times = list(trajectories.states), list(trajectories.times)
    states[number] = np.delete(states[number], rows, axis=0)
    times[number] = np.delete(times[number], rows)
    return dataclasses.replace(trajectories, states=tuple(states), times=tuple(times))


RUNGE_KUTTA = 5e-6
"""Of rollouts of 30 steps of 0.05 with a rate of 2: each is wrong by (0.1)^5 / 120, at radii up to 1.4."""


def rollout_error(data):
    """Of the true field's rollouts."""
    difference = rollout(turn(), data.states[:, 0], data.times) - data.states
    return float(difference[data.counts].abs().max())


# --- measured trajectories -------------------------------------------------------------------------------------------


def test_short_trajectories_end_in_repetitions_that_do_not_count():
    trajectories = turning(12, 7, 9)
    data = Measured.of(trajectories, 500)
    assert data.states.shape == (3, 12, 2)
    assert data.counts.sum(1).tolist() == [12, 7, 9]
    for k, (x, t) in enumerate(zip(trajectories.states, trajectories.times, strict=True)):
        np.testing.assert_array_equal(data.states[k, : len(t)], x)
        np.testing.assert_array_equal(data.times[k, : len(t)], t)
        assert data.counts[k].tolist() == [True] * len(t) + [False] * (12 - len(t))
        assert (data.states[k, len(t) :] == data.states[k, len(t) - 1]).all()
        assert (data.times[k, len(t) :] == data.times[k, len(t) - 1]).all()


def test_nothing_beyond_the_horizon_is_compared():
    data = Measured.of(turning(12, 7, 9), 8)
    assert data.states.shape == (3, 8, 2)
    assert data.counts.sum(1).tolist() == [8, 7, 8]


def test_a_trajectory_begins_anew_after_a_hole():
    data = Measured.of(without(turning(30, 20), 0, slice(8, 20)), 500)
    assert data.counts.sum(1).tolist() == [8, 10, 20]
    assert float(data.times[1, 0]) == pytest.approx(1.0)
    assert rollout_error(data) < RUNGE_KUTTA


def test_an_angle_is_compared_without_its_jumps():
    t = 0.05 * np.arange(100)
    angle = (2 * t + 3) % (2 * np.pi) - np.pi
    jumping = dataclasses.replace(turning(100, angles=True), states=(np.stack([angle, t], axis=1),))
    assert float(Measured.of(jumping, 500).states[0, :, 0].diff().abs().max()) == pytest.approx(0.1)


@pytest.mark.parametrize("length", [4, 7, 10, 29, 30, 99])
def test_stretches_hold_every_sample_and_share_their_ends(length):
    data = Measured.of(turning(30, 30, 30), 500)
    cut = data.cut(length)
    assert cut.states.shape[1] <= length
    assert cut.counts.sum(1).amin() >= 3
    for k in range(3):
        here = (cut.states[:, :1, :] - data.states[k]).abs().amax(-1).amin(1) == 0
        stretches = [t[c].tolist() for t, c in zip(cut.times[here], cut.counts[here], strict=True)]
        ends = [(stretch[0], stretch[-1]) for stretch in stretches]
        assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]
        assert sorted({t for stretch in stretches for t in stretch}) == data.times[k].tolist()
    # each stretch but a trajectory's first repeats one sample
    assert int(cut.counts.sum()) == int(data.counts.sum()) + len(cut.states) - 3
    assert rollout_error(cut) < RUNGE_KUTTA


def test_stretches_of_ragged_trajectories_hold_what_was_measured_and_short_ones_are_dropped():
    data = Measured.of(turning(31, 12, 23), 500)
    cut = data.cut(11)
    # 10 steps each; the second trajectory's last 2 samples and the third's last 3 are stretches of their own
    assert sorted(cut.counts.sum(1).tolist()) == [3, 11, 11, 11, 11, 11, 11]
    assert rollout_error(cut) < RUNGE_KUTTA
    assert data.cut(31) is data


# --- the errors of rollouts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standard", [math.nan, math.inf, 1.01 * DIVERGED])
def test_rollouts_that_left_the_data_have_diverged(standard):
    assert Errors(standard, 1.0).diverged


@pytest.mark.parametrize("standard", [0.0, 1.0, DIVERGED])
def test_rollouts_that_are_merely_wrong_have_not(standard):
    assert not Errors(standard, 1e9).diverged


def test_the_error_of_a_rollout_that_explodes_is_a_value():
    bench = prepared(turning(40, 40), SMALL)
    for f in (lambda x: 1e3 * x, lambda x: x**9 * 1e9, lambda x: x * math.nan):
        assert bench.errors(f, bench.train).diverged
        assert bench.training_errors(f).diverged
    noisy = prepared(turning(40, 40, noise=0.05), SMALL)
    assert noisy.training_errors(lambda x: x**9 * 1e9).diverged


def test_errors_are_those_of_all_samples_but_the_first_that_count():
    trajectories = turning(30, 12, 23)
    bench = prepared(trajectories, SMALL)
    wrong = turn(2.1)
    squares = []
    for x, t in zip(trajectories.states, trajectories.times, strict=True):
        states = rollout(wrong, torch.tensor(x[:1]), torch.tensor(t)[None])[0].numpy()
        squares.append((states - x)[1:] ** 2)
    square_ND = np.concatenate(squares)
    spread_D = trajectories.stacked.std(axis=0)
    found = bench.errors(wrong, Measured.of(trajectories, 500))
    assert found.raw == pytest.approx(np.sqrt(square_ND.mean()), rel=1e-10)
    assert found.standard == pytest.approx(np.sqrt((square_ND / spread_D**2).mean()), rel=1e-10)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_what_stands_where_nothing_was_measured_does_not_matter(noise):
    bench = prepared(turning(30, 12, 23, noise=noise), SMALL)
    measured = bench.measured
    other = dataclasses.replace(measured, states=torch.where(measured.counts[..., None], measured.states, 7.0))
    assert bench.errors(turn(2.1), measured) == bench.errors(turn(2.1), other)
    assert bench.training_errors(turn(2.1)) == dataclasses.replace(bench, measured=other).training_errors(turn(2.1))


def test_on_clean_data_training_errors_are_the_plain_ones():
    trajectories = turning(40, 30)
    bench = prepared(trajectories, SMALL)
    assert not bench.is_noisy
    for rate in (2.05, 3.0):
        plain = bench.errors(turn(rate), Measured.of(trajectories, 500))
        ours = bench.training_errors(turn(rate))
        # the least noise, 1e-5 of a deviation, squared beside errors of 0.02 and more
        assert (ours.standard, ours.raw) == pytest.approx((plain.standard, plain.raw), rel=1e-6)
    assert bench.training_errors(turn()).standard < 1e-5


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_noise_explains_the_errors_of_the_true_field_and_of_no_other(noise):
    bench = prepared(turning(*[60] * 6, noise=noise), SMALL)
    assert bench.is_noisy
    spread = float(bench.scales.spread.mean())
    assert float(bench.errors(turn(), bench.measured).standard) > 0.9 * noise / spread
    # 360 samples give the noise to a tenth, its variance to a fifth, and it is the root of that which is left
    assert bench.training_errors(turn()).standard < 0.5 * noise / spread
    # in 3 units of time a rate that is wrong by 0.2 is wrong by 0.6 radians, by 0.3 about its middle
    wrong = bench.training_errors(turn(2.2)).standard
    assert 0.1 < wrong < 0.4
    clean = prepared(turning(*[60] * 6), SMALL)
    from_first_states = clean.training_errors(turn(2.2)).standard
    assert wrong < 1.1 * from_first_states


def test_a_wrong_field_s_error_is_found_below_the_noise():
    """A rate that is wrong by 0.1 is wrong by 0.15 radians about the middle, and that on one side."""
    bench = prepared(turning(*[60] * 6, noise=0.1), SMALL)
    slightly, right = (bench.training_errors(turn(rate)).standard for rate in (2.1, 2.0))
    assert slightly > 2 * right


def test_a_column_that_is_always_zero_does_not_change_what_the_noise_explains():
    plane = prepared(turning(*[60] * 6, noise=0.1), SMALL).training_errors(turn())
    space = prepared(turning(*[60] * 6, noise=0.1, columns=3), SMALL).training_errors(turn())
    # the same squares, over three columns
    assert space.raw == pytest.approx(plane.raw * math.sqrt(2 / 3), rel=1e-3, abs=1e-6)


def test_rollouts_may_start_from_several_first_states_at_once():
    bench = prepared(turning(20, 15), SMALL)
    starts = torch.stack([bench.train.states[:, 0], 2 * bench.train.states[:, 0]])
    both = bench.rollout(turn(), bench.train, start=starts)
    torch.testing.assert_close(both[0], bench.rollout(turn(), bench.train))
    torch.testing.assert_close(both[1], 2 * both[0])


@pytest.mark.parametrize(
    ("scheme", "asked", "integrator"),
    [("central", None, "rk4"), ("forward", None, "euler"), ("central", "euler", "euler"), ("forward", "rk4", "rk4")],
)
def test_rollouts_are_made_with_what_fits_the_derivatives_unless_one_is_asked_for(scheme, asked, integrator):
    bench = prepared(turning(20), dataclasses.replace(SMALL, scheme=scheme, integrator=asked))
    assert bench.integrator == integrator
    one_step = bench.rollout(turn(), bench.train)[0, 1]
    x = bench.train.states[0, 0]
    euler = x + 0.05 * turn()(x)
    assert torch.allclose(one_step, euler, rtol=0, atol=1e-12) == (integrator == "euler")


# --- what the network learns from ------------------------------------------------------------------------------------


def test_the_network_learns_from_smoothed_states_unless_differences_belong_to_the_measured_ones():
    noisy = turning(*[60] * 4, noise=0.05)
    exact = torch.tensor(turning(*[60] * 4).stacked)

    def away(**changes):
        states = prepared(noisy, dataclasses.replace(SMALL, **changes)).states
        return float((states - exact).std())

    assert away() < 0.6 * 0.05
    assert away(smooth=False) == pytest.approx(0.05, rel=0.1)
    forward = prepared(noisy, dataclasses.replace(SMALL, scheme="forward"))
    # the last sample of each trajectory has no forward difference
    assert torch.equal(forward.states, torch.tensor(np.concatenate([x[:-1] for x in noisy.states])))
    assert torch.equal(forward.measured.states, Measured.of(noisy, 500).states)


def test_at_most_so_many_samples_evenly_spread_are_learnt_from():
    bench = prepared(turning(60, 40), dataclasses.replace(SMALL, samples=12))
    everything = prepared(turning(60, 40), SMALL)
    assert torch.equal(bench.states, everything.states[[0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]])
    assert torch.equal(bench.scales.spread, everything.scales.spread)


def test_without_noise_clean_trajectories_are_what_they_were():
    clean = turning(40, 30)
    for before, after in zip(clean.states, without_noise(clean).states, strict=True):
        # five samples determine a polynomial of degree 4
        np.testing.assert_allclose(after, before, atol=1e-13)


# --- training --------------------------------------------------------------------------------------------------------


def same(first, second):
    return all(
        torch.equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


def test_the_same_seed_is_the_same_network_and_another_is_another():
    data = turning(30, 30)
    bench = bench_of(data, SMALL)
    assert same(bench.weights, bench_of(data, SMALL).weights)
    assert not same(bench.weights, bench_of(data, dataclasses.replace(SMALL, seed=1)).weights)
    more = trained(bench, 20)
    assert same(more, trained(bench, 20))
    assert not same(more, bench.weights)


def test_training_brings_the_network_s_rollouts_nearer():
    data = turning(40, 40, 40)
    settings = dataclasses.replace(SMALL, hidden=24, steps=400)
    told = []
    bench = bench_of(data, settings, told.append)
    untrained = prepared(data, settings)
    assert told == list(range(1, 401))
    assert bench.training_errors(bench.field()).standard < 0.3 * untrained.training_errors(untrained.field()).standard
    assert bench.field()(bench.states).dtype == torch.float64


@pytest.mark.parametrize("steps", [1, 5])
def test_fewer_steps_than_are_averaged_are_all_averaged(steps):
    """So that the weights stay near the first ones, from which an Adam step moves each by 0.001 at most."""
    bench = prepared(turning(30), dataclasses.replace(SMALL, epochs=200))
    first = torch.cat([p.flatten() for layer in bench.weights for p in layer])
    after = torch.cat([p.flatten() for layer in trained(bench, steps) for p in layer])
    assert 0 < float((after - first).abs().max()) < 0.0011 * steps


# --- a Hamiltonian network -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dimension", [2, 4])
def test_a_hamiltonian_network_conserves_its_own_output(dimension):
    weights = predictors.cast(predictors.initial_weights((dimension, 12, 12, 1), seed=1), torch.float64)
    x = torch.randn(20, dimension, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    scales = Scales.of(3 * x + 1, x * torch.arange(1, dimension + 1), (False,) * dimension)
    f = predictors.hamiltonian_field(weights, scales)

    def hamilton_s(x):
        return predictors.output(weights, scales.inputs_of(x))[..., 0]

    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(hamilton_s(leaf).sum(), leaf)
    half = dimension // 2
    turned = torch.cat([slope[:, half:], -slope[:, :half]], dim=1)
    # J grad H in the columns' own units, but for one factor
    ratio = f(x) / turned
    torch.testing.assert_close(ratio, ratio[:1, :1].expand_as(ratio), rtol=1e-10, atol=0)
    assert float(ratio[0, 0]) > 0
    times = torch.linspace(0, 3, 301, dtype=torch.float64).expand(20, -1)
    kept = hamilton_s(rollout(f, x, times)) - hamilton_s(x)[:, None]
    assert f(x).abs().mean() > 0.1
    # Runge-Kutta's error: rates of 1 and steps of 0.01
    assert kept.abs().max() < 1e-8


def test_a_hamiltonian_network_learns_the_pendulum():
    settings = dataclasses.replace(SMALL, hidden=24, steps=400)
    bench = prepared(simulate("pendulum_hnn", trajectories=6, samples=30, span=2.0, seed=0), settings)
    told = []
    f = hamiltonian(bench, told.append)
    assert told[-1] == 400
    # where nothing moves, rollouts are wrong by more than a deviation
    assert bench.training_errors(f).standard < 0.3 < 1 < bench.training_errors(torch.zeros_like).standard
    x = bench.states[:5].clone().requires_grad_()
    jacobian = torch.stack([torch.autograd.grad(f(x)[:, d].sum(), x)[0] for d in range(2)], dim=1)
    # in the plane: Hamiltonian is divergence-free
    torch.testing.assert_close(jacobian[:, 0, 0], -jacobian[:, 1, 1], rtol=1e-10, atol=1e-10)


def test_three_columns_are_no_pairs_of_q_and_p():
    with pytest.raises(OptionError, match="pairs of columns, q and p; there are 3"):
        hamiltonian(prepared(turning(20, columns=3), SMALL))


def test_a_hamiltonian_network_may_have_an_angle_that_goes_round():
    t = 0.05 * np.arange(100)
    states = np.stack([3 * t + 0.2 * np.sin(3 * t), 3 + 0.6 * np.cos(3 * t)], axis=1)
    bench = prepared(dataclasses.replace(turning(100, angles=True), states=(states,)), SMALL)
    assert bench.scales.turning == (True, False)
    assert hamiltonian(bench)(bench.states).shape == (100, 2)


def test_a_hamiltonian_network_of_few_steps_averages_them_all():
    def after(epochs):
        bench = prepared(turning(30), dataclasses.replace(SMALL, steps=4, epochs=epochs))
        return hamiltonian(bench)(bench.states)

    torch.testing.assert_close(after(200), after(8))
