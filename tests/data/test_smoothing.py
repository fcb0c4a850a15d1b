"""Derivatives with known answers, and angles that go round."""

import numpy as np
import pytest
from noether_dsl.dimension import ANGLE, Dimension
from noether_dsl.units import Unit

from noether_discover.data.smoothing import derivatives, pieces, smoothed, unwrapped
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


@pytest.mark.parametrize("degree", range(5))
@pytest.mark.parametrize("given", [None, 0.0, 0.1])
def test_smoothing_leaves_polynomials_up_to_degree_four_as_they_are(degree, given):
    t = np.linspace(-1, 2, 30) + np.random.default_rng(0).uniform(-0.04, 0.04, 30)
    x = np.polyval(np.arange(1, degree + 2), t)
    (smooth,) = smoothed(one_column((t, x)), noise_D=None if given is None else np.array([given]))
    # rounding of values up to 60, times the condition of a local fit
    np.testing.assert_allclose(smooth[:, 0], x, atol=1e-12)


def test_smoothing_leaves_clean_data_as_they_are():
    t = np.linspace(0, 10, 101)
    (smooth,) = smoothed(one_column((t, 100 + np.sin(2 * t))))
    # five samples determine a polynomial of degree 4
    np.testing.assert_allclose(smooth[:, 0], 100 + np.sin(2 * t), atol=1e-12)


@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_smoothing_takes_most_of_the_noise_away(noise):
    t = np.arange(0, 20, 0.05)
    series = [np.sin(t + phase) for phase in (0.0, 1.0)]
    random = np.random.default_rng(1)
    measured = one_column(*((t, x + noise * random.standard_normal(len(t))) for x in series))
    for exact, smooth in zip(series, smoothed(measured), strict=True):
        # about sqrt(P / W) of it is left, with five coefficients and windows of 25 to 45 samples
        assert np.std(smooth[:, 0] - exact) < 0.5 * noise
        assert abs(np.mean(smooth[:, 0] - exact)) < 0.2 * noise


def test_smoothing_gives_each_column_a_window_of_its_own():
    t = np.arange(0, 20, 0.05)
    noisy = np.sin(t) + 0.05 * np.random.default_rng(1).standard_normal(len(t))
    both = Trajectories(("a", "b"), ("a", "b"), (Unit(), Unit()), (np.stack([noisy, np.sin(t)], axis=1),), (t,), ("0",))
    (smooth,) = smoothed(both)
    np.testing.assert_allclose(smooth[:, 1], np.sin(t), atol=1e-12)
    np.testing.assert_array_equal(smooth[:, 0], smoothed(one_column((t, noisy)))[0][:, 0])


def test_smoothing_does_not_look_across_a_hole_and_leaves_a_sample_alone():
    t = np.concatenate([np.arange(0, 4, 0.1), [6.0], np.arange(8, 12, 0.1)])
    exact = np.where(t < 5, 0.0, np.where(t < 7, 50.0, 100.0))
    noisy = exact + 0.1 * np.random.default_rng(2).standard_normal(len(t))
    (smooth,) = smoothed(one_column((t, noisy)))
    assert smooth[40, 0] == noisy[40]
    # a single sample from beyond the hole would count by 50 and more
    assert np.abs(smooth[:, 0] - exact).max() < 0.3


def test_smoothing_counts_the_turns_of_an_angle():
    t = np.linspace(0, 10, 101)
    angle = 2 * t + 0.3 * np.sin(t)
    (smooth,) = smoothed(one_column((t, wrapped(angle)), unit=RADIAN))
    np.testing.assert_allclose(smooth[:, 0], angle, atol=1e-12)


def test_smoothing_leaves_a_series_too_short_for_a_polynomial_as_it_is():
    t = np.array([0.0, 1.0, 2.5])
    (smooth,) = smoothed(one_column((t, [1.0, -3.0, 2.0])), noise_D=np.array([10.0]))
    np.testing.assert_allclose(smooth[:, 0], [1.0, -3.0, 2.0], atol=1e-12)


def test_smoothing_does_not_care_whether_the_data_brought_derivatives():
    t = np.linspace(0, 10, 101)
    noisy = np.sin(t) + 0.05 * np.random.default_rng(1).standard_normal(len(t))
    brought = one_column((t, noisy), given=(np.cos(t)[:, None],))
    np.testing.assert_array_equal(smoothed(brought)[0], smoothed(one_column((t, noisy)))[0])
