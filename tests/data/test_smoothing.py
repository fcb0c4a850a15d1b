"""Derivatives with known answers, and angles that go round."""

import numpy as np
import pytest
from noether_dsl.dimension import ANGLE, Dimension
from noether_dsl.units import Unit

from noether_discover.data.smoothing import derivatives, pieces, unwrapped
from noether_discover.data.trajectories import Trajectories

RADIAN = Unit(Dimension.of({ANGLE: 1}))


def one_column(*series, unit=None, given=None):
    """Trajectories of a single column from pairs (times, values)."""
    return Trajectories(
        names=("x",),
        symbols=("x",),
        units=(unit or Unit(),),
        states=tuple(np.asarray(x, dtype=float)[:, None] for _, x in series),
        times=tuple(np.asarray(t, dtype=float) for t, _ in series),
        labels=tuple(str(k) for k in range(len(series))),
        given_derivatives=given,
    )


def wrapped(angle):
    return (angle + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("steps", ["regular", "irregular"])
def test_polynomials_up_to_degree_four_are_exact_to_the_ends(degree, steps):
    t = np.linspace(-1, 2, 30)
    if steps == "irregular":
        t = t + np.random.default_rng(0).uniform(-0.04, 0.04, 30)
    coefficients = np.arange(1, degree + 2)
    (v,) = derivatives(one_column((t, np.polyval(coefficients, t))))
    exact = np.polyval(np.polyder(coefficients), t)
    # rounding of the values over the shortest step: 1e-16 * 30 / 0.02, times the condition of a local fit
    np.testing.assert_allclose(v[:, 0], exact, atol=1e-10)


def test_clean_data_have_an_error_of_fourth_order_in_the_step():
    def error(samples):
        t = np.linspace(0, 3, samples)
        (v,) = derivatives(one_column((t, np.sin(2 * t))), noise_D=np.zeros(1))
        return np.abs(v[2:-2, 0] - 2 * np.cos(2 * t[2:-2])).max()

    assert error(46) < 1e-4
    assert error(46) / error(91) == pytest.approx(16, rel=0.05)


@pytest.mark.parametrize("given", [None, 0.05])
def test_noisy_data_have_a_wider_window(given):
    t = np.arange(0, 20, 0.05)
    noisy = np.sin(t) + 0.05 * np.random.default_rng(1).standard_normal(len(t))
    (v,) = derivatives(one_column((t, noisy)), noise_D=None if given is None else np.array([given]))
    (five_points,) = derivatives(one_column((t, noisy)), noise_D=np.zeros(1))
    exact = np.cos(t)
    assert np.std(v[:, 0] - exact) < 0.1 < 0.8 < np.std(five_points[:, 0] - exact)


def test_each_column_has_a_window_of_its_own():
    t = np.arange(0, 20, 0.05)
    noisy = np.sin(t) + 0.05 * np.random.default_rng(1).standard_normal(len(t))
    both = Trajectories(("a", "b"), ("a", "b"), (Unit(), Unit()), (np.stack([noisy, np.sin(t)], axis=1),), (t,), ("0",))
    (v,) = derivatives(both)
    assert np.abs(v[:, 1] - np.cos(t)).max() < 1e-5
    np.testing.assert_array_equal(v[:, 0], derivatives(one_column((t, noisy)))[0][:, 0])


def test_a_wrapped_angle_turns_as_fast_as_the_same_angle_unwrapped():
    t = np.linspace(0, 10, 101)
    angle = 2 * t + 0.3 * np.sin(t)
    jumping = one_column((t, wrapped(angle)), (t, wrapped(angle + 1)), unit=RADIAN)
    np.testing.assert_allclose(unwrapped(jumping).states[0][:, 0], angle, atol=1e-12)
    np.testing.assert_allclose(derivatives(jumping)[0][:, 0], 2 + 0.3 * np.cos(t), atol=1e-4)
    np.testing.assert_allclose(derivatives(jumping, scheme="forward")[0][:-1, 0], np.diff(angle) / 0.1, atol=1e-12)


def test_an_angle_that_counts_its_turns_and_a_column_that_is_no_angle_stay_as_they_are():
    t = np.linspace(0, 10, 6)
    counting = one_column((t, 3.5 * t), unit=RADIAN)  # steps of 7 rad, which unwrapping would shorten
    assert unwrapped(counting) is counting
    lengths = one_column((t, [3.1, -3.1, 3.1, -3.1, 3.1, -3.1]))
    assert unwrapped(lengths) is lengths


def test_nothing_looks_across_a_hole():
    t = np.concatenate([np.arange(0, 2, 0.1), np.arange(5, 7, 0.1)])
    x = np.where(t < 3, t**2, 7 - 3 * t)
    (v,) = derivatives(one_column((t, x)))
    np.testing.assert_allclose(v[:, 0], np.where(t < 3, 2 * t, -3), atol=1e-10)
    (forward,) = derivatives(one_column((t, x)), scheme="forward")
    assert np.flatnonzero(np.isnan(forward[:, 0])).tolist() == [19, 39]


def test_a_sample_alone_between_holes_has_no_derivative():
    t = np.array([0, 1, 2, 3, 4, 100, 200, 201, 202, 203])
    assert [p.stop - p.start for p in pieces(t)] == [5, 1, 4]
    (v,) = derivatives(one_column((t, 2.0 * t)))
    assert np.flatnonzero(np.isnan(v[:, 0])).tolist() == [5]
    np.testing.assert_allclose(np.delete(v[:, 0], 5), 2)


def test_short_series_have_the_degree_they_can_bear():
    t = np.array([0.0, 1.0, 2.5])
    np.testing.assert_allclose(derivatives(one_column((t, t**2)))[0][:, 0], 2 * t, atol=1e-12)


def test_derivatives_that_the_data_brought_are_kept_unless_forward_differences_are_asked_for():
    t = np.linspace(0, 1, 11)
    given = (np.full((11, 1), 7.0),)
    brought = one_column((t, t), given=given)
    assert derivatives(brought) is given
    np.testing.assert_allclose(derivatives(brought, scheme="forward")[0][:-1], 1)
