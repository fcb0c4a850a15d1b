"""Trajectories: whole, ragged, disjoint when split, covered by windows, recognised by their digest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noether_dsl.dimension import Dimension
from noether_dsl.units import Unit

from noether_discover.data.trajectories import Trajectories
from noether_discover.errors import DataError

RAD, MOMENTUM = Unit(Dimension.of(rad=1)), Unit(Dimension.of(kg=1, m=1, s=-1))


def made(*lengths: int, given: bool = False) -> Trajectories:
    """Trajectories of these lengths, in which no two values are equal."""
    values = np.random.default_rng(0).permutation(2 * sum(lengths)).astype(float).reshape(-1, 2)
    states = tuple(np.split(values, np.cumsum(lengths)[:-1]))
    return Trajectories(
        names=("q", "p"),
        symbols=("q", "p"),
        units=(RAD, MOMENTUM),
        states=states,
        times=tuple(np.arange(float(n)) for n in lengths),
        labels=tuple(f"run {k}" for k in range(len(lengths))),
        given_derivatives=tuple(-x for x in states) if given else None,
    )


several = st.lists(st.integers(3, 40), min_size=2, max_size=8)


@given(several, st.floats(0.05, 0.95), st.integers(0, 1000))
def test_a_split_is_disjoint_and_complete(lengths: list[int], share: float, seed: int) -> None:
    data = made(*lengths, given=True)
    a, b = data.split(share, seed)
    assert len(a) >= 1
    assert len(b) >= 1
    assert sorted(a.labels + b.labels) == sorted(data.labels)
    again, _ = data.split(share, seed)
    assert again.labels == a.labels
    for part in (a, b):
        assert part.given_derivatives is not None
        for label, x, v in zip(part.labels, part.states, part.given_derivatives, strict=True):
            assert np.array_equal(x, data.states[data.labels.index(label)])
            assert np.array_equal(v, -x)


def test_a_split_has_about_the_share_that_was_asked_for() -> None:
    a, b = made(*[5] * 20).split(0.7, 0)
    assert (len(a), len(b)) == (14, 6)


@given(several, st.integers(4, 20))
def test_windows_cover_every_sample_once_and_in_order(lengths: list[int], length: int) -> None:
    data = made(*lengths, given=True)
    windows = data.windows(length)
    assert np.array_equal(windows.stacked, data.stacked)
    assert windows.given_derivatives is not None
    assert np.array_equal(np.concatenate(windows.given_derivatives), -data.stacked)
    assert len(set(windows.labels)) == len(windows)
    long = [len(t) for t, label in zip(windows.times, windows.labels, strict=True) if "/" in label]
    assert all(length / 2 <= n <= 2 * length for n in long)


def test_a_gap_ends_a_piece() -> None:
    data = made(10)
    holed = replace(data, times=(np.array([0, 1, 2, 3, 10, 11, 12, 20, 21, 22], dtype=float),))
    assert [len(t) for t in holed.contiguous().times] == [4, 3, 3]
    assert np.array_equal(holed.contiguous().stacked, data.stacked)
    assert holed.contiguous(gap=100).labels == data.labels


@given(several, st.integers(3, 50))
def test_thinning_keeps_the_ends_and_at_most_so_many_samples(lengths: list[int], samples: int) -> None:
    data = made(*lengths, given=True)
    thin = data.thinned(samples)
    assert thin.given_derivatives is not None
    for x, t, v, whole in zip(thin.states, thin.times, thin.given_derivatives, data.states, strict=True):
        assert len(t) == min(samples, len(whole))
        assert np.array_equal(x[[0, -1]], whole[[0, -1]])
        assert np.array_equal(x, whole[t.astype(int)])
        assert np.array_equal(v, -x)


def test_rows_know_their_trajectory() -> None:
    data = made(3, 5, 4)
    for k, x in enumerate(data.states):
        assert np.array_equal(data.stacked[data.sequence_numbers == k], x)
    assert (len(data), data.samples, data.dimension, data.typical_step) == (3, 12, 2, 1.0)
    assert np.array_equal(data.columns()["p"], data.stacked[:, 1])


def test_angles_are_columns_in_plain_radians() -> None:
    assert made(3).angles == (True, False)
    assert replace(made(3), units=(Unit(Dimension.of(rad=1, s=-1)), Unit())).angles == (False, False)


@given(st.integers(0, 2), st.integers(0, 2), st.integers(0, 1))
def test_the_digest_sees_every_value(k: int, row: int, column: int) -> None:
    data = made(3, 4, 5)
    states = [x.copy() for x in data.states]
    states[k][row, column] += 1e-9
    assert replace(data, states=tuple(states)).digest() != data.digest()


def test_the_digest_sees_names_units_times_and_labels_and_not_the_origin() -> None:
    data = made(3, 4)
    others = [
        replace(data, names=("q", "v")),
        replace(data, units=(RAD, RAD)),
        replace(data, labels=("a", "b")),
        replace(data, times=(data.times[0] * 2, data.times[1])),
        data.pick([1, 0]),
        data.pick([0]),
    ]
    assert len({data.digest(), *(other.digest() for other in others)}) == 1 + len(others)
    assert replace(data, origin="elsewhere").digest() == data.digest() == made(3, 4).digest()


def changed(data: Trajectories, what: str) -> Trajectories:
    x, t = data.states[0].copy(), data.times[0].copy()
    if what == "nan":
        x[1, 0] = np.nan
    elif what == "inf":
        t[-1] = np.inf
    elif what == "repeated":
        t[1] = t[0]
    elif what == "short":
        x, t = x[:2], t[:2]
    return replace(data, states=(x,), times=(t,))


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("nan", "not finite"),
        ("inf", "not finite"),
        ("repeated", "time does not increase in trajectory run 0"),
        ("short", "trajectory run 0 has 2 samples; at least 3"),
    ],
)
def test_what_cannot_be_used_is_refused(what: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        changed(made(5), what)
    with pytest.raises(DataError, match="no trajectory"):
        made(5).pick([])
