"""Denoising: what is left of the noise is less, and replicas of the measurement say how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noether_discover.data.denoising import Denoised, denoised
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories


def orbits(lengths: tuple[int, ...] = (60,) * 40) -> Trajectories:
    """Smooth motion in two columns, x = a cos(t + b) and its velocity, exact; dt = 0.1."""
    rng = np.random.default_rng(5)
    data = simulate("spring_hnn", trajectories=len(lengths), samples=60, seed=0)
    states, times = [], []
    for length in lengths:
        t = 0.1 * np.arange(length)
        size, phase = rng.uniform(0.5, 1.5), rng.uniform(0, 2 * np.pi)
        states.append(size * np.stack([np.cos(t + phase), -np.sin(t + phase)], axis=1))
        times.append(t)
    return replace(data, states=tuple(states), times=tuple(times), given_derivatives=None)


def with_noise(data: Trajectories, noise: float, seed: int = 1) -> Trajectories:
    rng = np.random.default_rng(seed)
    return replace(data, states=tuple(x + noise * rng.normal(size=x.shape) for x in data.states))


def error(found: Denoised, truth: Trajectories) -> np.ndarray:
    return np.asarray(np.sqrt(np.mean((found.trajectories.stacked - truth.stacked) ** 2, axis=0)))


@pytest.mark.parametrize("noise", [0.01, 0.05, 0.2])
def test_noise_shrinks_and_replicas_scatter_as_what_is_left_of_it(noise: float) -> None:
    """Two directions hold the motion of any window: most of the noise can go. Replicas agree within a quarter; Stein's
    estimate of the best of many filters is lower than their error, and not to be taken for more than a bound."""
    truth = orbits()
    found = denoised(with_noise(truth, noise), np.full(2, noise))
    left_D = error(found, truth)
    assert (left_D < 0.4 * noise).all()
    assert (found.error_D <= 1.25 * left_D).all()
    changes = [np.concatenate(r) - found.trajectories.stacked for r in found.replicas(3, seed=2)]
    assert np.sqrt(np.mean(np.square(changes), axis=(0, 1))) == pytest.approx(left_D, rel=0.25)


@pytest.mark.parametrize("system", ["pendulum_hnn", "lotka_volterra"])
def test_noise_shrinks_on_curved_motion(system: str) -> None:
    truth = simulate(system, seed=0)
    noise_D = 0.05 * truth.stacked.std(axis=0)
    rng = np.random.default_rng(0)
    data = replace(truth, states=tuple(x + noise_D * rng.normal(size=x.shape) for x in truth.states))
    assert (error(denoised(data, noise_D), truth) < 0.75 * noise_D).all()


def test_data_without_noise_stay_as_they_are() -> None:
    truth = orbits()
    noise_D = np.full(2, 1e-9)
    assert (error(denoised(truth, noise_D), truth) <= 1e-9).all()


def test_columns_that_are_to_stay_do_and_teach_nothing() -> None:
    data = with_noise(orbits(), 0.1)
    found = denoised(data, np.full(2, 0.1), np.array([False, True]))
    np.testing.assert_array_equal(found.trajectories.stacked[:, 1], data.stacked[:, 1])
    assert not np.array_equal(found.trajectories.stacked[:, 0], data.stacked[:, 0])
    shuffled = np.random.default_rng(0).permutation
    other = replace(data, states=tuple(np.column_stack([x[:, 0], shuffled(x[:, 1])]) for x in data.states))
    again = denoised(other, np.full(2, 0.1), np.array([False, True]))
    np.testing.assert_array_equal(again.trajectories.stacked[:, 0], found.trajectories.stacked[:, 0])
    nothing = denoised(data, np.full(2, 0.1), np.array([True, True]))
    np.testing.assert_array_equal(nothing.trajectories.stacked, data.stacked)


@pytest.mark.parametrize(
    "lengths", [(60, 40, 25, 60) * 8, (60,), (3,) * 12, (3, 4)], ids=["ragged", "one", "short", "two"]
)
def test_any_lengths_will_do(lengths: tuple[int, ...]) -> None:
    """One trajectory cannot judge a filter that it made, and stays; so do those that are shorter than windows."""
    truth = orbits(lengths)
    data = with_noise(truth, 0.1)
    found = denoised(data, np.full(2, 0.1))
    assert [len(x) for x in found.trajectories.states] == list(lengths)
    assert np.isfinite(found.trajectories.stacked).all()
    assert (error(found, truth) < 1.05 * error(Denoised(data, *[np.ones(2)] * 2, np.arange(2), (), 0), truth)).all()
    if len(lengths) == 1:
        np.testing.assert_allclose(found.trajectories.stacked, data.stacked, rtol=1e-13, atol=1e-15)
    assert [len(x) for x in found.replicas(1, 0)[0]] == list(lengths)


def test_nothing_is_averaged_across_a_hole() -> None:
    """After the hole the motion is elsewhere: a window across it would smear the jump."""
    truth = orbits()
    t = np.concatenate([0.1 * np.arange(30), 3.0 + 0.1 * np.arange(30) + 3.1])
    size = [np.hypot(*x[0]) for x in truth.states]
    states = tuple(s * np.stack([np.cos(t + k), -np.sin(t + k)], axis=1) for k, s in enumerate(size))
    truth = replace(truth, states=states, times=(t,) * len(states))
    found = denoised(with_noise(truth, 0.05), np.full(2, 0.05))
    off = np.abs(np.stack(found.trajectories.states) - np.stack(truth.states))
    beside, away = off[:, 28:32].mean(), off[:, 10:20].mean()
    assert beside < 3 * away
    assert (error(found, truth) < 0.02).all()


def test_the_same_seed_gives_the_same_replicas() -> None:
    found = denoised(with_noise(orbits(), 0.1), np.full(2, 0.1))
    one, same, other = (found.replicas(1, seed)[0][0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)
