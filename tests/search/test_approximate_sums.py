"""What is nearly conserved: damping, a weak pull from outside, one long run; and what only looks like it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from noether_dsl.units import coherent_units

from noether_discover import systems
from noether_discover.data.integration import solution
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import Discovery, discover

DRAG = 0.02


def rolled(drag: float, noise: float, seed: int, trajectories: int = 30) -> Trajectories:
    """A weight on a hard spring, x'' = -3 x - x^3 - drag x', in SI units."""
    rng = np.random.default_rng(seed)
    start = rng.normal(size=(trajectories, 2))
    t = np.linspace(0, 6, 80)

    def rates(x: np.ndarray) -> np.ndarray:
        q, v = x[..., 0], x[..., 1]
        return np.stack([v, -3 * q - q**3 - drag * v], axis=-1)

    exact = solution(rates, start, t, 1e-9)
    assert exact is not None
    states = tuple(x + noise * rng.standard_normal(x.shape) for x in exact.swapaxes(0, 1))
    unit = coherent_units({"x": "m", "v": "m/s", "t": "s"})
    return Trajectories(
        ("x", "v"), ("x", "v"), (unit["x"], unit["v"]), states, (t,) * trajectories,
        tuple(map(str, range(trajectories))), time_name="t", time_unit=unit["t"],
    )  # fmt: skip


def found(data: Trajectories) -> Discovery:
    return discover(data, rank=False, jobs=1)


@pytest.mark.parametrize("noise", [0.002, pytest.param(0.0, marks=pytest.mark.slow)])
def test_the_energy_of_a_damped_motion_with_its_time_scale(noise: float) -> None:
    answer = found(rolled(DRAG, noise, 0))
    (law,) = answer.laws
    assert (law["verdict"], answer.verdict) == ("APPROXIMATE", "APPROXIMATE")
    assert law["formula"] in ("v**2 + a*x**2 + b*x**4", "v**2 + a*(x**2)**2 + b*x**2", "v**2 + a*x**2 + b*(x**2)**2")
    data = rolled(0.0, 0.0, 0)
    x, v = data.stacked.T
    energy = v**2 + 3 * x**2 + x**4 / 2
    loss = 2 * DRAG * np.mean(v**2)  # of v^2 + ..., which is twice the energy
    assert law["drift_per_time"] == pytest.approx(-loss, rel=0.15)
    assert law["time_scale"] == pytest.approx(energy.std() / loss, rel=0.2)
    assert law["drift_unit"] == "(m^2/s^2)/s"
    values = sorted(one["value"] for one in law["parameters"])
    assert values == pytest.approx([0.5, 3.0], rel=0.1)


@pytest.mark.slow
def test_without_drag_it_is_a_law() -> None:
    answer = found(rolled(0.0, 0.002, 0))
    assert [law["verdict"] for law in answer.laws] == ["LAW"]


def test_strong_damping_leaves_nothing() -> None:
    assert found(rolled(1.0, 0.0, 1)).laws == ()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_slow_columns_are_no_approximate_law(seed: int) -> None:
    answer = found(systems.walkers(seed, columns=3, correlation=300.0, spread=5.0))
    assert answer.laws == ()


def test_one_long_damped_run_is_judged_in_windows() -> None:
    """Cut into pieces of about a period, with the energy of each its own."""
    t = np.linspace(0, 60, 1200)
    rng = np.random.default_rng(0)

    def rates(x: np.ndarray) -> np.ndarray:
        return np.stack([x[..., 1], -4 * np.sin(x[..., 0]) - 0.01 * x[..., 1]], axis=-1)

    exact = solution(rates, np.array([[2.0, 0.0]]), t, 1e-9)
    assert exact is not None
    states = exact[:, 0]
    data = replace(
        rolled(0.0, 0.0, 0, trajectories=1), names=("q", "w"), symbols=("q", "w"), times=(t,),
        units=tuple(coherent_units({"q": "rad", "w": "rad/s"}).values()),
        states=(states + 0.002 * rng.standard_normal(states.shape),),
    )  # fmt: skip
    answer = found(data)
    (law,) = answer.laws
    assert (law["formula"], law["verdict"]) == ("w**2 - a*cos(q)", "APPROXIMATE")
    assert law["parameters"][0]["value"] == pytest.approx(8, rel=0.02)
    assert law["drift_per_time"] < 0
