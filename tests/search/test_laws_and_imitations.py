"""A law that noise explains stands before whatever imitates it."""

from __future__ import annotations

import numpy as np
import pytest
from noether_dsl.units import coherent_units

from noether_discover.data.integration import solution
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import discover


def spherical_pendulum(noise: float, seed: int) -> Trajectories:
    """A weight on a string that swings in all directions; g/l = 9.81. Angles from below and around the vertical."""
    rng, t = np.random.default_rng(seed), np.linspace(0.0, 4.0, 120)

    def rates(x: np.ndarray) -> np.ndarray:
        th, _, thd, phd = np.moveaxis(x, -1, 0)
        turn = np.sin(th) * np.cos(th) * phd**2 - 9.81 * np.sin(th)
        return np.stack([thd, phd, turn, -2 * thd * phd / np.tan(th)], axis=-1)

    start = np.stack(
        [rng.uniform(0.5, 1.3, 40), rng.uniform(-3, 3, 40), rng.normal(0, 1, 40), rng.uniform(1, 3, 40)], axis=1
    )
    exact = solution(rates, start, t, 1e-8)
    assert exact is not None
    kept = exact[:, :, [0, 2, 3]]
    size = noise * kept.std(axis=(0, 1))
    states = tuple(x + size * rng.standard_normal(x.shape) for x in kept.swapaxes(0, 1))
    unit = coherent_units({"th": "rad", "thd": "rad/s", "phd": "rad/s", "t": "s"})
    names = ("th", "thd", "phd")
    return Trajectories(
        names, names, tuple(unit[name] for name in names), states, (t,) * 40, tuple(map(str, range(40))),
        time_name="t", time_unit=unit["t"],
    )  # fmt: skip


@pytest.mark.slow
def test_an_exact_formula_is_no_form_of_a_sum_that_imitates_it() -> None:
    """phd*th^3 - a*phd*th^2 follows phd*sin(th)^2 to a thousandth, and no library of sums holds that."""
    answer = discover(spherical_pendulum(0.0, 0), rank=False, jobs=1)
    assert answer.verdict == "LAW"
    assert [law["formula"] for law in answer.laws if law["verdict"] == "LAW"] == ["phd*sin(th)**2"]


@pytest.mark.slow
def test_under_much_noise_the_answer_says_that_other_forms_can_fit() -> None:
    noisy, quiet = (
        discover(simulate("spring", relative_noise=noise, seed=0), rank=False, jobs=1) for noise in (0.15, 0.01)
    )
    assert noisy.verdict == quiet.verdict == "LAW"
    assert "other forms of a law can fit as well" in noisy.reason
    assert "other forms" not in quiet.reason
