"""p-values: those of nothing are not small, and of many only as many count as may be false."""

from __future__ import annotations

import numpy as np

from noether_discover.data.nulls import walkers
from noether_discover.data.systems import simulate
from noether_discover.search.kinds import kinds_of
from noether_discover.search.libraries import libraries
from noether_discover.search.significance import LEAST_P, RANDOMISED, discoveries, null_ratios, p_value


def test_p_values_of_the_null_itself_are_uniform() -> None:
    """Draws of the null's own logarithmic law against others of it: a twentieth is below 0.05 (three deviations)."""
    rng = np.random.default_rng(0)
    p = np.array([p_value(float(np.exp(d[0])), np.exp(d[1:])) for d in -rng.gumbel(size=(600, RANDOMISED + 1))])
    assert 0.45 <= np.mean(p) <= 0.6  # those that are not below all others are rounded up, (1 + k) / (R + 1)
    assert np.mean(p <= 0.05) <= 0.08
    assert 0.38 <= np.mean(p <= 0.5) <= 0.55


def test_a_smaller_ratio_is_never_less_significant() -> None:
    null = np.exp(np.random.default_rng(1).normal(-1, 0.3, RANDOMISED))
    p = [p_value(r, null) for r in np.logspace(0, -12, 60)]
    assert p == sorted(p, reverse=True)
    assert p[0] == 1.0
    assert LEAST_P <= p[-1] < 1e-9


def test_benjamini_and_hochberg() -> None:
    """Their own example of 15 p-values (1995, section 4): four are discoveries at 0.05."""
    p = [
        0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590,
        1.0,
    ]  # fmt: skip
    assert sum(discoveries(p, 0.05)) == 4
    order = np.random.default_rng(0).permutation(15)
    assert [i for i, yes in zip(order, discoveries([p[i] for i in order], 0.05), strict=True) if yes] == [
        i for i in order if i < 4
    ]
    assert discoveries([], 0.05) == []
    assert discoveries([0.04, 0.04], 0.05) == [True, True]  # the largest that passes takes the smaller ones along


def test_slow_walkers_are_as_slow_when_they_are_mixed() -> None:
    """Their columns hardly move along trajectories; the null keeps that, so that no small ratio impresses."""
    data = walkers(0, columns=4)
    found = null_ratios(data, list(libraries(kinds_of(data)))[:2], 0)
    own = (data.stacked - np.concatenate([np.broadcast_to(x.mean(axis=0), x.shape) for x in data.states])).var(axis=0)
    assert found.min() < 1.5 * (own / data.stacked.var(axis=0)).min()
    assert p_value(float((own / data.stacked.var(axis=0)).min()), found) > 0.05
    assert len(found) == RANDOMISED


def test_a_law_is_far_below_what_mixed_columns_reach() -> None:
    data = simulate("spring_hnn", noise=0.05, seed=0)
    null = null_ratios(data, list(libraries(kinds_of(data)))[:2], 0)
    assert null.min() > 0.1
    assert p_value(0.01, null) < 1e-3
