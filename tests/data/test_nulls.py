"""Nulls: what each keeps of its data, and that nothing else is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from noether_discover.data.nulls import permuted_labels, short_windows, shuffled_blocks, walkers
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.errors import DataError, OptionError

Null = Callable[[Trajectories, int], Trajectories]
DEALT = [permuted_labels, shuffled_blocks]


def spring() -> Trajectories:
    return simulate("spring", trajectories=30, samples=40)


def ragged() -> Trajectories:
    data = spring()
    lengths = [40, 40, 33, 33, 20, 7, *[40] * 24]
    return replace(
        data,
        states=tuple(x[:n] for x, n in zip(data.states, lengths, strict=True)),
        times=tuple(t[:n] + k for k, (t, n) in enumerate(zip(data.times, lengths, strict=True))),
    )


def kept_share(data: Trajectories) -> float:
    """The variance of the spring's energy within trajectories over that of all samples: 0 conserved, 1 not."""
    energies = [(x**2).sum(axis=1) for x in data.states]
    return float(np.mean([e.var() for e in energies]) / np.concatenate(energies).var())


def neighbours_apart(data: Trajectories) -> np.ndarray:
    """How far consecutive samples are apart, [K, T - 1]."""
    return np.stack([np.linalg.norm(np.diff(x, axis=0), axis=1) for x in data.states])


@pytest.mark.parametrize("null", DEALT)
def test_dealing_keeps_lengths_times_and_the_states_of_every_sample_number(null: Null) -> None:
    data = ragged()
    dealt = null(data, 3)
    assert all(np.array_equal(a, b) for a, b in zip(dealt.times, data.times, strict=True))
    assert (dealt.names, dealt.units, dealt.labels) == (data.names, data.units, data.labels)
    for number in range(40):
        before, after = (
            sorted(tuple(x[number]) for x in some.states if len(x) > number) for some in (data, dealt)
        )  # fmt: skip
        assert before == after


@pytest.mark.parametrize("null", DEALT)
def test_dealing_destroys_the_law(null: Null) -> None:
    """Ten blocks of 30 trajectories leave a tenth of the variance to the means of trajectories."""
    data = spring()
    assert kept_share(data) < 1e-20
    assert kept_share(null(data, 0)) > 0.8


@pytest.mark.parametrize("null", DEALT)
def test_dealing_is_decided_by_its_seed_and_leaves_the_data_alone(null: Null) -> None:
    data = spring()
    before = data.digest()
    assert null(data, 1).digest() == null(data, 1).digest() != null(data, 2).digest()
    assert data.digest() == before


@pytest.mark.parametrize("null", DEALT)
def test_given_derivatives_would_tell_the_law_and_go(null: Null) -> None:
    data = spring()
    given = replace(data, given_derivatives=tuple(np.stack([x[:, 1], -x[:, 0]], axis=1) for x in data.states))
    assert null(given, 0).given_derivatives is None


@pytest.mark.parametrize("null", DEALT)
def test_one_trajectory_has_no_other_to_exchange_with(null: Null) -> None:
    with pytest.raises(DataError, match="one trajectory has none to exchange samples with"):
        null(spring().pick([0]), 0)


def test_permuted_labels_leave_no_motion() -> None:
    data = spring()
    assert neighbours_apart(permuted_labels(data, 0)).mean() > 3 * neighbours_apart(data).mean()


def test_blocks_keep_the_motion_within_and_break_it_between() -> None:
    data = spring()
    speeds = neighbours_apart(shuffled_blocks(data, 0, block=8))
    between = np.arange(39) % 8 == 7
    assert speeds[:, ~between].max() <= neighbours_apart(data).max() + 1e-12
    assert np.median(speeds[:, between]) > 2 * np.median(speeds[:, ~between])
    assert np.array_equal(shuffled_blocks(data, 0).stacked, shuffled_blocks(data, 0, block=4).stacked)


def test_a_block_must_fit_twice() -> None:
    for block in (0, 21):
        with pytest.raises(OptionError, match="ask for 1 to 20"):
            shuffled_blocks(spring(), 0, block)


def test_walkers_are_slow_and_have_means_of_their_own() -> None:
    """Correlation exp(-lag/20); means of deviation 2 about which they walk with deviation 1."""
    data = walkers(0, trajectories=400, samples=200, columns=2, correlation=20.0, spread=2.0)
    x_KTD = np.stack(data.states)
    assert (len(data), data.dimension, data.names) == (400, 2, ("x1", "x2"))
    assert np.allclose(x_KTD[:, 0].var(axis=0), 5.0, rtol=0.2)  # 400 draws: 7 %
    assert np.allclose(x_KTD[:, -1].var(axis=0), 5.0, rtol=0.2)
    lagged = np.mean((x_KTD[:, 20:] - x_KTD[:, :-20]) ** 2)
    assert lagged == pytest.approx(2 * (1 - np.exp(-1)), rel=0.05)
    assert np.abs(np.corrcoef(x_KTD[:, 0].T)[0, 1]) < 0.15  # columns have nothing to do with one another
    assert walkers(1).digest() == walkers(1).digest() != walkers(2).digest()


@pytest.mark.parametrize("settings", [{"columns": 0}, {"samples": 2}, {"correlation": 0.0}, {"spread": -1.0}])
def test_impossible_walkers_are_refused(settings: dict) -> None:
    with pytest.raises(OptionError, match="cannot"):
        walkers(0, **settings)


def test_in_a_short_window_all_columns_look_constant() -> None:
    data = short_windows("van_der_pol", 0)
    within = np.mean([x.var(axis=0) for x in data.states], axis=0)
    assert (within / data.stacked.var(axis=0)).max() < 0.01
    assert (len(data), data.samples) == (50, 50 * 100)
    assert data.times[0][-1] == pytest.approx(0.1)


@pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
def test_a_window_is_a_share_of_the_span(share: float) -> None:
    with pytest.raises(OptionError, match="ask for a share such as"):
        short_windows("lorenz", 0, share=share)
