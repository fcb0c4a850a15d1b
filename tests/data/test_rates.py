"""Rates with known answers, and errors that are what they are said to be."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from noether_dsl.units import Unit

from noether_discover.data.rates import rates
from noether_discover.data.trajectories import Trajectories

Course = Callable[[np.ndarray, np.random.Generator], tuple[np.ndarray, np.ndarray]]


def observed(*series: tuple[np.ndarray, np.ndarray]) -> Trajectories:
    """Trajectories of a single column from pairs (times, values)."""
    return Trajectories(
        ("x",), ("x",), (Unit(),),
        tuple(np.asarray(x, dtype=float)[:, None] for _, x in series),
        tuple(np.asarray(t, dtype=float) for t, _ in series),
        tuple(str(k) for k in range(len(series))),
    )  # fmt: skip


def wave(t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    amplitude, phase = rng.uniform(0.5, 2), rng.uniform(0, 2 * np.pi)
    return amplitude * np.sin(t + phase), amplitude * np.cos(t + phase)


def overtones(t: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    (x, v), phase = wave(t, rng), rng.uniform(0, 2 * np.pi)
    return x + 0.3 * np.sin(3 * t + phase), v + 0.9 * np.cos(3 * t + phase)


def measured(
    course: Course, noise: float, seed: int, uneven: float, step: float = 0.1
) -> tuple[Trajectories, np.ndarray]:
    """50 trajectories of 100 samples with white noise, and the true rates one below the other."""
    rng, series, true = np.random.default_rng(seed), [], []
    for _ in range(50):
        t = np.cumsum(step * (1 + uneven * rng.uniform(-1, 1, 100)))
        x, v = course(t, rng)
        series.append((t, x + noise * rng.standard_normal(100)))
        true.append(v)
    return observed(*series), np.concatenate(true)


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("uneven", [0.0, 0.4])
@pytest.mark.parametrize("given", [None, 0.0, 0.1])
def test_polynomials_up_to_degree_four_are_exact(degree: int, uneven: float, given: float | None) -> None:
    t = np.linspace(-1, 2, 30) + uneven * np.random.default_rng(0).uniform(-0.05, 0.05, 30)
    coefficients = np.arange(1, degree + 2)
    found = rates(observed((t, np.polyval(coefficients, t))), None if given is None else np.array([given]))
    (v,) = found.values
    known = np.isfinite(v[:, 0])
    assert known.sum() >= 15
    # rounding of values up to 60 over the shortest step, times the condition of a local fit
    np.testing.assert_allclose(v[known, 0], np.polyval(np.polyder(coefficients), t)[known], atol=1e-9)


@pytest.mark.parametrize("noise", [1e-2, *(pytest.param(s, marks=pytest.mark.slow) for s in (1e-6, 1e-3, 0.1))])
@pytest.mark.parametrize("uneven", [0.0, 0.5])
@pytest.mark.parametrize("course", [wave, overtones])
def test_the_error_is_what_it_is_said_to_be(course: Course, uneven: float, noise: float) -> None:
    """Root mean square over three times 5000 samples; the noise itself is known to about 3 %."""
    true, said = [], []
    for seed in range(3):
        data, v_N = measured(course, noise, seed, uneven)
        found = rates(data)
        error_N = np.concatenate(found.values)[:, 0] - v_N
        true.append(np.nanmean(error_N**2))
        said.append(found.error_D[0] ** 2)
    assert np.sqrt(np.mean(true)) == pytest.approx(np.sqrt(np.mean(said)), rel=0.15)


def test_little_noise_takes_high_degrees_and_much_of_it_wide_windows() -> None:
    clean, slight, noisy = (rates(measured(wave, noise, 0, 0.0)[0]) for noise in (0.0, 1e-3, 0.1))
    assert clean.degree_D[0] == 8 > noisy.degree_D[0]
    assert clean.window_D < slight.window_D <= noisy.window_D
    assert clean.error_D[0] < 1e-8
    # the five-point difference leaves 0.95 of the noise over the step
    assert noisy.error_D[0] < 0.1 * 0.95 * 0.1 / 0.1


def test_each_column_has_a_degree_and_a_window_of_its_own() -> None:
    noisy, _ = measured(wave, 0.05, 0, 0.0)
    clean, _ = measured(wave, 0.0, 0, 0.0)
    both = Trajectories(
        ("a", "b"), ("a", "b"), (Unit(), Unit()),
        tuple(np.concatenate(pair, axis=1) for pair in zip(noisy.states, clean.states, strict=True)),
        noisy.times, noisy.labels,
    )  # fmt: skip
    found, alone = rates(both), rates(noisy)
    assert found.window_D[0] > found.window_D[1]
    assert found.error_D[0] == alone.error_D[0]
    for pair, one in zip(found.values, alone.values, strict=True):
        np.testing.assert_array_equal(pair[:, 0], one[:, 0])


def test_nothing_looks_across_a_hole_and_its_edges_are_not_known() -> None:
    t = np.concatenate([np.arange(0, 2, 0.1), np.arange(5, 7, 0.1)])
    x = np.where(t < 3, t**2, 7 - 3 * t)
    (v,) = rates(observed((t, x))).values
    known = np.isfinite(v[:, 0])
    assert not known[[0, 19, 20, 39]].any()
    assert known[5:15].all()
    assert known[25:35].all()
    np.testing.assert_allclose(v[known, 0], np.where(t < 3, 2 * t, -3)[known], atol=1e-10)


def test_a_series_shorter_than_a_window_has_no_rates() -> None:
    t = np.arange(4.0)
    assert np.isnan(rates(observed((t, t**2))).values[0]).all()
