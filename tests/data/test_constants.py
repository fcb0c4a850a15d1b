"""What is constant along each trajectory, and what only looks like it."""

from __future__ import annotations

import numpy as np
import pytest
from noether_dsl.units import Unit

from noether_discover.data.constants import constant_columns, constants_of, parameters_of, with_constants
from noether_discover.data.derived import with_time, with_velocities
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories

T, K = 60, 30
TIME = np.linspace(0, 6, T)


def observed(*columns: np.ndarray, times: np.ndarray = TIME) -> Trajectories:
    """Trajectories from columns [K, T], called a, b, ..."""
    names = tuple("abcdef"[: len(columns)])
    states = tuple(np.stack(rows, axis=1) for rows in zip(*columns, strict=True))
    return Trajectories(
        names, names, (Unit(),) * len(names), states, (times,) * len(states), tuple(map(str, range(len(states))))
    )


def swinging(rng: np.random.Generator, noise: float = 0.0) -> np.ndarray:
    phase = rng.uniform(0, 2 * np.pi, (K, 1))
    return np.sin(TIME + phase) + noise * rng.standard_normal((K, T))


def test_a_column_that_does_not_change_is_a_parameter_where_trajectories_differ() -> None:
    rng = np.random.default_rng(0)
    mass = np.repeat(rng.uniform(1, 2, (K, 1)), T, axis=1)
    data = observed(swinging(rng), mass, np.full((K, T), 9.81))
    found = constants_of(data)
    assert [(one.symbol, one.differs, one.chi2) for one in found] == [("b", True, 0.0), ("c", False, 0.0)]
    assert (found[0].low, found[0].high) == (pytest.approx(mass.min()), pytest.approx(mass.max()))
    assert parameters_of(data) == ("b",)
    assert constant_columns(data).tolist() == [False, True, True]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("noise", [1e-3, 0.05, 0.3])
def test_a_momentum_that_is_conserved_by_itself_is_one_for_all_its_noise(noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    momentum = rng.normal(size=(K, 1)) + noise * rng.standard_normal((K, T))
    data = observed(swinging(rng, noise), momentum)
    (one,) = constants_of(data)
    assert (one.symbol, one.differs) == ("b", True)
    assert one.chi2 == pytest.approx(1.0, abs=0.2)
    known = with_constants(data, (one,))
    assert constant_columns(known).tolist() == constant_columns(known.windows(10)).tolist() == [False, True]


SLOW = {
    "a drift": lambda rng: 0.3 * (TIME / 6 - 0.5),
    "drifts of their own": lambda rng: 0.4 * rng.choice([-1, 1], (K, 1)) * (TIME / 6 - 0.5),
    "an oscillation": lambda rng: 0.15 * np.sin(3 * TIME + rng.uniform(0, 6, (K, 1))),
    "a random walk": lambda rng: 0.02 * np.cumsum(rng.standard_normal((K, T)), axis=1),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("change", SLOW.values(), ids=SLOW.keys())
def test_what_changes_slowly_under_noise_is_no_constant(change: object, seed: int) -> None:
    """Changes of about the noise's size, 0.1, or less."""
    rng = np.random.default_rng(seed)
    moving = rng.normal(size=(K, 1)) + 0.1 * rng.standard_normal((K, T)) + change(rng)  # type: ignore[operator]
    assert constants_of(observed(swinging(rng), moving)) == ()


def test_noise_alone_has_the_same_value_everywhere() -> None:
    rng = np.random.default_rng(1)
    data = observed(swinging(rng), 3 + 0.1 * rng.standard_normal((K, T)))
    (one,) = constants_of(data)
    assert (one.symbol, one.differs) == ("b", False)
    assert parameters_of(data) == ()


def test_a_level_that_differs_by_less_than_the_noise_is_left_open() -> None:
    rng = np.random.default_rng(2)
    level = 0.1 * rng.normal(size=(K, 1)) + 0.1 * rng.standard_normal((K, T))
    assert constants_of(observed(swinging(rng), level)) == ()


def test_the_time_is_no_constant_and_a_constant_velocity_is_one() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(K, 1)) + rng.normal(size=(K, 1)) * TIME + 0.01 * rng.standard_normal((K, T))
    moving = with_time(with_velocities(observed(x)))
    assert moving.symbols == ("a", "a_dot", "t")
    assert parameters_of(moving) == ("a_dot",)


@pytest.mark.parametrize("noise", [0.0, pytest.param(0.01, marks=pytest.mark.slow), 0.1])
def test_known_systems_have_the_constants_that_they_have(noise: float) -> None:
    assert parameters_of(simulate("lagrange_top", relative_noise=noise)) == ("M_z",)
    for system in ("pendulum", "kepler", "three_body", "damped_oscillator", "lorenz"):
        assert constants_of(simulate(system, relative_noise=noise)) == ()
