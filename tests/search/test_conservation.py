"""What "conserved" means, and how noise and drift are seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from noether_dsl.units import Unit

from noether_discover.data.noise import divided_difference_weights, noise
from noether_discover.data.shuffling import scrambled, shuffled_states
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.search.conservation import drift, frame, noise_frame

PENDULUM = simulate("pendulum_hnn", seed=0)
FRAME = frame(PENDULUM)


def values(function: str) -> torch.Tensor:
    q, p = torch.from_numpy(PENDULUM.stacked.T.copy())
    return {"energy": p**2 - 3 * torch.cos(q), "angle": q, "one": torch.sin(q) ** 2 + torch.cos(q) ** 2}[function]


def test_energy_is_conserved_and_the_angle_is_not() -> None:
    assert FRAME.ratio(values("energy")) < 1e-18
    assert FRAME.ratio(values("angle")) > 0.5


@given(st.floats(0.01, 100), st.floats(-1e3, 1e3), st.booleans())
def test_the_ratio_sees_neither_scale_nor_offset(scale: float, offset: float, negative: bool) -> None:
    g = values("angle")
    changed = (-scale if negative else scale) * g + offset
    # cancellation against the offset costs digits in proportion to offset / spread
    assert float(FRAME.ratio(changed)) == pytest.approx(float(FRAME.ratio(g)), rel=1e-6)


def test_an_offset_does_not_make_a_quantity_conserved() -> None:
    """std / mean would call 1000 + q conserved."""
    assert FRAME.ratio(1000 + values("angle")) > 0.5


def test_a_constant_is_no_quantity() -> None:
    assert FRAME.ratio(values("one")) == torch.inf


def test_random_sequences_do_not_conserve_the_energy() -> None:
    q, p = torch.from_numpy(scrambled(PENDULUM, 1).stacked.T.copy())
    assert frame(scrambled(PENDULUM, 1)).ratio(p**2 - 3 * torch.cos(q)) > 0.9


def test_shuffled_columns_keep_each_columns_values() -> None:
    shuffled = shuffled_states(PENDULUM, 0, at_most=10**6)
    assert (np.sort(shuffled, axis=0) == np.sort(PENDULUM.stacked, axis=0)).all()
    assert abs(np.corrcoef(shuffled.T)[0, 1]) < 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_variation_of_a_law_is_what_the_noise_makes_it(seed: int) -> None:
    data = simulate("pendulum_hnn", noise=0.1, seed=seed)
    judged = noise_frame(data, np.array([0.1, 0.1]))
    q, p = (torch.from_numpy(judged.columns[name]) for name in ("q", "p"))
    # 2,200 degrees of freedom: one standard deviation is 3 %
    assert float(judged.ratio(p**2 - 3 * torch.cos(q))) == pytest.approx(1.0, abs=0.1)
    assert float(judged.ratio(p**2 - 2 * torch.cos(q))) > 1.5


@pytest.mark.parametrize("deviation", [0.02, 0.1, 0.3])
def test_noise_is_measured(deviation: float) -> None:
    # medians of 2,000 differences, of several orders: 5 % each
    assert noise(simulate("pendulum_hnn", noise=deviation, seed=3)) == pytest.approx([deviation] * 2, rel=0.12)


def test_noise_is_measured_at_irregular_times_and_gaps() -> None:
    rng = np.random.default_rng(0)
    t = np.sort(rng.uniform(0, 30, 1500))
    t = t[(t < 10) | (t > 14)]
    x = np.stack([np.sin(t), np.cos(2 * t)], axis=1) + rng.normal(0, [0.05, 0.01], (len(t), 2))
    data = Trajectories(("x", "y"), ("x", "y"), (Unit(), Unit()), (x,), (t,), ("0",))
    assert noise(data) == pytest.approx([0.05, 0.01], rel=0.12)


def test_rounding_counts_as_noise() -> None:
    t = np.linspace(0, 20, 400)
    x = np.stack([np.round(50 * np.sin(t)), np.cos(t)], axis=1)
    data = Trajectories(("x", "y"), ("x", "y"), (Unit(), Unit()), (x,), (t,), ("0",))
    assert noise(data)[0] == pytest.approx(1 / np.sqrt(12), rel=0.3)
    assert noise(data)[1] < 1e-4


@given(st.integers(2, 8), st.integers(0, 2**31))
def test_divided_differences_vanish_on_polynomials(order: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = np.sort(rng.uniform(0, 1, order + 1)) + np.arange(order + 1) * 0.1
    weights = divided_difference_weights(t)
    assert np.linalg.norm(weights) == pytest.approx(1.0)
    for power in range(order):
        assert abs(weights @ t**power) < 1e-9


def test_a_drift_is_found_with_an_honest_error() -> None:
    """Over 60 draws the true rate lies within two errors about as often as a normal error would have it."""
    t = PENDULUM.times[0]
    inside = 0
    for seed in range(60):
        noise_values = np.random.default_rng(seed).normal(0, 0.3, PENDULUM.samples)
        found = drift(noise_values - 0.02 * np.tile(t, len(PENDULUM)), PENDULUM)
        inside += abs(found.rate + 0.02) < 2 * found.error
    assert 50 <= inside <= 60
