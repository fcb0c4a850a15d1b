"""Parameters of a motion: listed where they are columns, needed by laws, and missed where they are hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from noether_dsl.text import parse
from noether_dsl.units import coherent_units

from noether_discover.data.shuffling import scrambled
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import Discovery, discover
from noether_discover.search.conservation import mismatched
from noether_discover.search.evidence import gather
from noether_discover.search.existence import least_ratio_of_polynomials

POLYNOMIALS = ("square", "add", "mul")
MASS = 0.7


def springs(noise: float, seed: int = 0, hidden: bool = False, units: bool = True) -> Trajectories:
    """H = p^2 / 2 m + k q^2 / 2 with one mass, and a stiffness of its own for each of 40 trajectories."""
    rng, t = np.random.default_rng(seed), np.linspace(0, 6, 40)
    states = []
    for _ in range(40):
        k, size, phase = rng.uniform(0.4, 2.5), rng.uniform(0.3, 1.5), rng.uniform(0, 2 * np.pi)
        turn = np.sqrt(k / MASS)
        q, p = size * np.cos(turn * t + phase), -MASS * turn * size * np.sin(turn * t + phase)
        both = np.stack([q, p], axis=1) + noise * rng.standard_normal((40, 2))
        states.append(both if hidden else np.column_stack([both, np.full(40, k)]))
    names = ("q", "p") if hidden else ("q", "p", "k")
    texts = {"q": "m", "p": "kg*m/s", "k": "kg/s^2", "t": "s"} if units else dict.fromkeys("qpkt", "")
    unit = coherent_units(texts)
    return Trajectories(
        names, names, tuple(unit[name] for name in names), tuple(states), (t,) * 40, tuple(map(str, range(40))),
        time_name="t", time_unit=unit["t"],
    )  # fmt: skip


def found(data: Trajectories, **settings: Any) -> Discovery:
    return discover(data, rank=False, jobs=1, **settings)


@pytest.mark.parametrize(
    "noise", [0.02, pytest.param(0.0, marks=pytest.mark.slow), pytest.param(0.05, marks=pytest.mark.slow)]
)
def test_a_stiffness_that_is_a_column_enters_the_law_and_is_listed(noise: float) -> None:
    answer = found(springs(noise), max_nodes=9, operators=POLYNOMIALS)
    (law,) = answer.laws
    assert (answer.verdict, law["verdict"]) == ("LAW", "LAW")
    assert parse(law["formula"], ["q", "p", "k"]).inputs == {"q", "p", "k"}
    assert law["formula"] in ("p**2 + a*(k*q**2)", "p**2 + k*(a*q**2)", "p**2 + a*k*q**2", "k*q**2 + a*p**2")
    (value,) = (p["value"] for p in law["parameters"])
    assert value == pytest.approx(MASS if law["formula"].startswith("p") else 1 / MASS, rel=0.001 + noise)
    (stiffness,) = answer.parameters
    assert (stiffness["column"], stiffness["unit"], stiffness["chi2"]) == ("k", "kg/s^2", 0.0)
    assert 0.4 <= stiffness["min"] < stiffness["max"] <= 2.5
    assert answer.to_json()["parameters"] == [stiffness]


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("noise", [0.0, pytest.param(0.02, marks=pytest.mark.slow), 0.1])
def test_where_it_is_hidden_no_law_is_claimed(noise: float, seed: int) -> None:
    answer = found(springs(noise, seed, hidden=True))
    assert answer.laws == ()
    assert answer.parameters == ()
    assert answer.verdict in ("NONE", "UNDECIDED")
    if "so something is" in answer.reason:
        assert "a parameter in which the trajectories differ is no column" in answer.reason


def test_one_trajectory_alone_hides_nothing() -> None:
    """With a single stiffness in the data the law needs no column for it."""
    data = springs(0.0, hidden=True)
    t = np.linspace(0, 60, 600)
    one = replace(data, states=(np.stack([np.cos(t), -MASS * np.sin(t)], axis=1),), times=(t,), labels=("0",))
    assert found(one, operators=POLYNOMIALS).laws[0]["formula"] in ("p**2 + a*q**2", "q**2 + a*p**2")


def test_quantities_that_a_parameter_outweighs_are_no_laws() -> None:
    """k**8 + p**4 hardly varies along trajectories compared with what it varies between them.

    Without units it can be written; the energy has nine nodes, and is a sum of two terms.
    """
    data = springs(0.05, units=False)
    (energy,) = found(data, max_nodes=7, operators=POLYNOMIALS).laws
    assert (energy["formula"], energy["verdict"]) == ("k*q**2 + a*p**2", "LAW")
    assert energy["parameters"][0]["value"] == pytest.approx(1 / MASS, rel=0.05)
    assert found(data, max_nodes=7, operators=POLYNOMIALS, rule="paper").laws == ()
    kept = replace(data, states=tuple(np.ascontiguousarray(x[:, 1:]) for x in data.states), names=("p", "k"),
                   symbols=("p", "k"), units=data.units[1:])  # fmt: skip
    nothing = found(kept, max_nodes=7, operators=POLYNOMIALS)
    assert nothing.laws == ()
    assert nothing.searched["by_verdict"]["TRIVIAL"] > 0
    assert [one["column"] for one in nothing.parameters] == ["k"]


def test_a_momentum_that_is_conserved_by_itself_is_listed_and_not_counted() -> None:
    rng, t = np.random.default_rng(0), np.linspace(0, 6, 40)
    states = []
    for momentum, y, v in rng.normal(size=(40, 3)):
        columns = [np.full(40, momentum), y * np.cos(t) + v * np.sin(t), v * np.cos(t) - y * np.sin(t)]
        states.append(np.stack(columns, axis=1) + 0.02 * rng.standard_normal((40, 3)))
    data = replace(springs(0.0, units=False), names=("px", "y", "py"), symbols=("px", "y", "py"), states=tuple(states))
    answer = found(data, max_nodes=5, operators=POLYNOMIALS)
    assert [law["formula"] for law in answer.laws] == ["py**2 + y**2"]
    (momentum,) = answer.parameters
    assert momentum["column"] == "px"
    assert momentum["chi2"] == pytest.approx(1.0, abs=0.15)


def test_random_sequences_keep_the_constants() -> None:
    data = springs(0.0)
    for mixed in (scrambled(data, 1), mismatched(data, 1)):
        for x, y in zip(mixed.states, data.states, strict=True):
            np.testing.assert_array_equal(x[:, 2], y[:, 2])
            assert not np.array_equal(x[:, :2], y[:, :2])


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_polynomials_of_the_constants_alone_are_not_something_conserved(noise: float) -> None:
    whole = springs(noise)
    without_q = replace(whole, states=tuple(np.ascontiguousarray(x[:, 1:]) for x in whole.states), names=("p", "k"),
                        symbols=("p", "k"), units=whole.units[1:])  # fmt: skip
    assert least_ratio_of_polynomials(gather(whole))[0] < 0.05
    assert least_ratio_of_polynomials(gather(without_q))[0] > 0.3
