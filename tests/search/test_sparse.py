"""From a space of conserved sums to the ones with few terms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from noether_discover.search.sparse import (
    deletion,
    eliminated,
    exchanged,
    exhausted,
    grown,
    pivots,
    price,
    quotient,
    refitted,
    simplest_exact,
    smallest,
    spectrum,
)

M = 9
LAW = (1, 4, 6)
RNG = np.random.default_rng(0)


def forms(law: tuple[int, ...] = LAW, noise: float = 1e-3, samples: int = 4000) -> tuple[np.ndarray, ...]:
    """W, N and T of M terms that vary at random, but for one sum with coefficients 1 that varies by noise only."""
    rng = np.random.default_rng(1)
    f_NM = rng.normal(size=(samples, M))
    f_NM[:, law[-1]] = -f_NM[:, list(law[:-1])].sum(axis=1) + 0.0
    e_NM = np.sqrt(noise) * rng.normal(size=(samples, M))
    within = np.cov((f_NM + e_NM).T)
    return within, noise * np.eye(M), within + np.eye(M)


def test_the_price_of_a_sum_rises_with_terms_complexity_and_misfit() -> None:
    base = price([1.0, 2.0], 1.0)
    assert base == price([1.0, 2.0], 0.3)  # noise overestimated is no merit
    assert price([1.0, 2.0, 1.0], 1.0) > base
    assert price([1.0, 3.0], 1.0) > base
    assert price([1.0, 2.0], 1.5) > base


def test_elimination_leaves_the_law() -> None:
    for dearest_first in (True, False):
        found = eliminated(*forms(), np.ones(M), dearest_first=dearest_first)
        assert found is not None
        assert found.support == LAW
        assert found.chi2 == pytest.approx(1.0, abs=0.15)  # sqrt(2 / 4000) of chance, and the least of three


@pytest.mark.parametrize("law", [(3, 5), (0, 2, 7), (1, 4, 6)])
def test_exhaustion_misses_no_small_law(law: tuple[int, ...]) -> None:
    assert law in exhausted(*forms(law), np.ones(M))


def test_without_a_law_the_best_sum_is_dear() -> None:
    within = np.cov(RNG.normal(size=(4000, M)).T)
    found = eliminated(within, 1e-3 * np.eye(M), within, np.ones(M))
    assert found is not None
    assert found.chi2 > 100


def test_the_cost_of_every_deletion_is_that_of_the_form_without_the_term() -> None:
    """The secular equation against an eigenvalue problem for each term."""
    within, _, total = forms(noise=0.1)
    deleted = deletion(*spectrum(within, total))
    for m in range(M):
        rest = np.delete(np.arange(M), m)
        values, _ = smallest(within[np.ix_(rest, rest)], total[np.ix_(rest, rest)], 1)
        assert deleted[m] == pytest.approx(values[0], rel=1e-6)


def test_no_sum_of_the_terms_fits_better_than_the_refitted_one() -> None:
    within, noise, _ = forms()
    least = quotient(refitted(within, noise), within, noise)
    assert all(quotient(c, within, noise) >= least for c in RNG.normal(size=(200, M)))


def test_the_simplest_vector_of_a_space_is_found() -> None:
    """Terms 0 .. 5, the later the more complex: of sums of a = (0, 1) and b = (0, 3, 5) it is a."""
    a, b = np.zeros(6), np.zeros(6)
    a[[0, 1]], b[[0, 3, 5]] = (1, -2), (1, 1, 1)
    mixed = np.stack([a + 2 * b, a - b], axis=1)
    found = simplest_exact(mixed, np.arange(6)[::-1])
    np.testing.assert_allclose(found / found[0], a, atol=1e-12)


def test_without_its_pivots_a_space_is_empty() -> None:
    vectors = RNG.normal(size=(8, 3))
    complexity = np.arange(8.0)
    gone = pivots(vectors, complexity)
    assert sorted(gone) == [5, 6, 7]  # the most complex ones
    assert np.linalg.matrix_rank(vectors[gone]) == 3
    assert pivots(np.zeros((8, 0)), complexity) == []
    for chosen in combinations(range(3), 2):  # a space with fewer vectors has fewer
        assert len(pivots(vectors[:, list(chosen)], complexity)) == 2


@pytest.mark.parametrize("law", [(3, 5), (0, 2, 7), (1, 4, 6, 8)])
def test_a_sum_grown_from_a_part_of_the_law_reaches_it(law: tuple[int, ...]) -> None:
    assert law in grown(law[:1], *forms(law), np.ones(M))


def test_a_wrong_term_is_exchanged_for_the_right_one_and_a_needless_one_left_out() -> None:
    assert exchanged((1, 4, 7), *forms(), np.ones(M)) == LAW
    assert exchanged((1, 4, 6, 8), *forms(), np.ones(M)) == LAW
    assert exchanged((1, 4, 6, 8), *forms(), np.ones(M), shorter=False) != LAW
