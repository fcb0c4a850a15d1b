"""A part of large data: spread over all trajectories, fine enough to see their periods."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from noether_discover.data.reduction import A_PERIOD, MOST_ROWS, SAMPLES, TRAJECTORIES, reduced
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories


def swinging(trajectories: int, samples: int, periods: float, noise: float = 0.02) -> Trajectories:
    """Oscillators of their own amplitudes and phases."""
    rng, data = np.random.default_rng(0), simulate("spring", trajectories=2, samples=5)
    t = np.linspace(0.0, 1.0, samples)
    states = []
    for size, phase in zip(rng.uniform(1, 2, trajectories), rng.uniform(0, 6, trajectories), strict=True):
        angle = 2 * np.pi * periods * t + phase
        x = size * np.stack([np.cos(angle), -np.sin(angle)], axis=1)
        states.append(x + noise * rng.standard_normal(x.shape))
    labels = tuple(map(str, range(trajectories)))
    return replace(data, states=tuple(states), times=(t,) * trajectories, labels=labels)


def test_small_data_are_searched_whole() -> None:
    data = swinging(6, MOST_ROWS // 6, 3.0)
    assert reduced(data, 0) is data


def test_many_trajectories_are_a_hundred_of_them() -> None:
    data = swinging(1000, 100, 3.0)
    part = reduced(data, 0)
    assert len(part) == TRAJECTORIES
    assert (part.labels[0], part.labels[-1]) == ("0", "999")
    assert part.samples == TRAJECTORIES * 100


@pytest.mark.parametrize(("periods", "covers"), [(2.0, 1.0), (2000.0, 0.02)])
def test_a_period_keeps_its_samples(periods: float, covers: float) -> None:
    """Slow motion is thinned and covered whole; of fast motion there is a stretch, as dense as a period needs."""
    data = swinging(200, 20_000, periods)
    part = reduced(data, 0)
    t = part.times[7]
    assert len(t) <= SAMPLES + 1
    assert t[-1] - t[0] == pytest.approx(covers, rel=0.05)
    in_a_period = 1 / periods / float(np.diff(t).max())
    assert in_a_period >= min(A_PERIOD, 20_000 / periods) * 0.9
    assert np.ptp(np.diff(t)) < 1e-9
    if covers < 1:
        assert len({float(t[0]) for t in part.times}) > TRAJECTORIES / 2  # not all from the beginning


def test_few_long_trajectories_keep_more() -> None:
    part = reduced(swinging(4, 100_000, 100.0), 0)
    assert len(part) == 4
    assert part.samples == pytest.approx(TRAJECTORIES * SAMPLES, rel=0.01)


def test_a_part_is_the_same_for_the_same_seed() -> None:
    data = swinging(200, 2000, 200.0)
    one, two, other = (reduced(data, seed) for seed in (1, 1, 2))
    assert one.digest() == two.digest() != other.digest()
