"""Coefficients become simple fractions where the data allow it, and stay what they are where not."""

from __future__ import annotations

import numpy as np
import pytest

from noether_discover.search.snapping import snapped


def fitted(true: tuple[float, ...], noise: float, seed: int = 0, samples: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """W and N of terms of which one sum, with these coefficients, is constant but for white noise on the terms."""
    rng = np.random.default_rng(seed)
    c = np.array(true)
    f_NM = rng.normal(size=(samples, len(c)))
    f_NM -= np.outer(f_NM @ c, c) / (c @ c)
    f_NM += noise * rng.normal(size=f_NM.shape)
    return f_NM.T @ f_NM / samples, noise**2 * np.eye(len(c))


def ratios(found: np.ndarray) -> np.ndarray:
    return np.asarray(found / found[0])


@pytest.mark.parametrize("true", [(1.0, 1.0, 1.0), (1.0, -1.0, 2.0), (1.0, 0.5, -0.25), (2.0, 3.0, 3.0)])
@pytest.mark.parametrize("noise", [0.01, 0.1])
def test_true_fractions_are_found_exactly(true: tuple[float, ...], noise: float) -> None:
    """Each merge passes by chance in about 19 of 20 data sets: most of these seeds must come out exact, all close."""
    exact = 0
    for seed in range(6):
        found = snapped(*fitted(true, noise, seed), np.ones(3), 2000)
        assert ratios(found.coefficients) == pytest.approx(ratios(np.array(true)), rel=0.5 * noise)
        exact += bool(np.allclose(ratios(found.coefficients), ratios(np.array(true)), rtol=1e-12)) and found.free == 1
    assert exact >= 4


def test_what_is_no_fraction_is_not_made_one() -> None:
    true = (1.0, 1.618, -0.7071)
    found = snapped(*fitted(true, 0.01), np.ones(3), 2000)
    assert found.free == 3
    assert ratios(found.coefficients) == pytest.approx(np.array(true), rel=0.005)


def test_equal_ones_are_merged_beside_another() -> None:
    found = snapped(*fitted((1.0, 1.0, 1.37), 0.01), np.ones(3), 2000)
    assert found.free == 2
    assert found.coefficients[1] == pytest.approx(found.coefficients[0], rel=1e-12)
    assert found.coefficients[2] / found.coefficients[0] == pytest.approx(1.37, rel=0.01)


def test_ratios_are_those_of_the_terms_in_their_own_units() -> None:
    """Scaled features: 3 and 5 are their deviations, 1 and 2 the coefficients to be seen."""
    scale = np.array([3.0, 5.0])
    within, noise = fitted(tuple(np.array([1.0, 2.0]) * scale), 0.01)
    c = snapped(within, noise, scale, 2000).coefficients / scale
    assert c[1] / c[0] == pytest.approx(2.0, rel=1e-12)


def test_where_noise_is_no_matter_only_the_distance_counts() -> None:
    off = 1e-5
    within, noise = fitted((1.0, 2.0 * (1 + off)), 1e-9)
    assert snapped(within, noise, np.ones(2), 2000, exact=1e-7).free == 2
    assert snapped(within, noise, np.ones(2), 2000, exact=1e-4).free == 1


def test_a_single_term_needs_no_snapping() -> None:
    found = snapped(np.array([[0.5]]), np.array([[1.0]]), np.array([2.0]), 100)
    assert (found.free, found.chi2) == (1, pytest.approx(0.5))


@pytest.mark.parametrize("ratio", [1.37, 2.0])
def test_what_has_no_error_at_all_is_compared_all_the_same(ratio: float) -> None:
    c = np.array([1.0, -1.0 / ratio])
    within = np.outer([1.0, ratio], [1.0, ratio])
    for chi2 in (0.0, -1e-18):
        found = snapped(within + chi2 * np.eye(2), np.eye(2), np.ones(2), 100)
        assert found.coefficients[1] / found.coefficients[0] == pytest.approx(c[1], rel=1e-6)
