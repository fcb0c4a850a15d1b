"""The benchmark's scoring: sets that say the same score the same, in any form; what is wrong or missing shows."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from noether_dsl.text import parse_sentence

from noether_discover.data.systems import SYSTEMS, simulate
from noether_discover.search.quantity import Quantity

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import laws_score
from laws_coefficients import coefficient_error

KEPLER = SYSTEMS["kepler"].laws
ENERGY = "(vx**2 + vy**2)/2 - 1/sqrt(x**2 + y**2)"


@cache
def clean(system: str) -> tuple:
    return simulate(system, trajectories=20, samples=60, hints=False, seed=3).states


def score(system: str, *laws: str, **claims):
    world = SYSTEMS[system]
    answer = laws_score.Answer(
        tuple(laws_score.read(law, world.columns) for law in laws),
        tuple(laws_score.read(law, world.columns) for law in claims.pop("constraints", ())),
        **claims,
    )
    return laws_score.score(world, answer, clean(system))


def claim(columns: str, formula: str, **values: float):
    """A formula with coefficients."""
    sentence = parse_sentence(formula, lambda name: name not in values)
    symbols = tuple(columns.split())
    return laws_score.Claim(
        lambda x, theta: Quantity(sentence.formula, tuple(theta), symbols)(x),
        tuple(values[name] for name in sentence.names),
    )


def error_of(law: laws_score.Claim, trajectories: tuple) -> float | None:
    return coefficient_error(law.at, law.parameters, trajectories)


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_true_set_is_exact(name: str) -> None:
    row = SYSTEMS[name]
    found = score(name, *row.laws, constraints=[formula for formula, _ in row.constraints])
    assert found.exact
    assert found.right == found.wanted == row.independent
    assert found.constraints == (len(row.constraints),) * 3


@pytest.mark.parametrize(
    ("system", "laws"),
    [
        ("pendulum", ["p**2 - 2*cos(q) + 3"]),
        ("pendulum", ["exp(cos(q) - p**2/2)"]),
        ("oscillator_2d", ["x**2 + px**2 + 3*(x*py - y*px)", "y**2 + py**2 - x**2 - px**2", "(x*py - y*px)**3"]),
        ("kepler", [f"2*({ENERGY}) + x*vy - y*vx", *KEPLER[1:3]]),
        ("kepler", [ENERGY, KEPLER[2], KEPLER[3]]),
        ("kepler", [*KEPLER, f"({ENERGY})*(x*vy - y*vx)"]),
        ("pendulum_cartesian", ["(vx**2 + vy**2)/2 + y + 3*(x**2 + y**2) - 2*(x*vx + y*vy)"]),
    ],
)
def test_other_forms_of_the_same_laws_are_exact(system: str, laws: list[str]) -> None:
    """Shifted, scaled, wrapped, added to one another or to a constraint, one of a dependent set or all of it."""
    found = score(system, *laws)
    assert found.exact
    assert max(found.missing) < 1e-5  # differences of 1e-4 of a deviation err by 1e-8; Kepler's third law magnifies it


def test_a_missing_law_shows() -> None:
    found = score("kepler", *KEPLER[:2])
    assert not found.exact
    assert (found.right, found.false) == (2, 0)
    assert [residual > 0.3 for residual in found.missing] == [False, False, True, True]


def test_the_same_law_twice_is_one() -> None:
    found = score("euler_top", SYSTEMS["euler_top"].laws[0], f"({SYSTEMS['euler_top'].laws[0]})**2")
    assert (found.claimed, found.right, found.wanted, found.exact) == (2, 1, 2, False)


def test_a_series_in_the_place_of_a_cosine_is_no_law() -> None:
    found = score("pendulum", "p**2/2 + q**2/2 - q**4/24")
    assert not found.exact
    assert found.missing[0] > laws_score.MISSING


def test_what_is_not_conserved_is_spurious() -> None:
    assert score("spring", "q**2 + p**2", "q").false == 1
    assert score("spring", "q**2 + 1.5*p**2").false == 1
    assert score("spring", "log(q)").false == 1  # not even defined at half of the states
    assert score("spring", "0*q").false == 1


def test_the_momentum_of_a_top_may_be_told_as_a_constant_column() -> None:
    energy, other, momentum = SYSTEMS["lagrange_top"].laws
    assert momentum == "M3"
    assert score("lagrange_top", "(M1**2 + M2**2)/2 + g3", other, columns=(2,)).exact
    assert not score("lagrange_top", energy, other).exact
    assert not score("lagrange_top", energy, other, columns=(2, 3)).exact


def test_a_constraint_that_is_called_a_law_is_none() -> None:
    assert score("pendulum_cartesian", *SYSTEMS["pendulum_cartesian"].laws, "x**2 + y**2").false == 1
    assert not score("duffing_forced", "c**2 + s**2").exact
    assert score("duffing_forced", constraints=["c**2 + s**2", "c"]).constraints == (1, 2, 1)


def test_where_nothing_is_conserved_silence_is_exact() -> None:
    assert score("lorenz").exact
    assert score("lorenz", approximate=1).exact
    assert not score("lorenz", "x + y").exact
    assert not score("spring").exact


@pytest.mark.parametrize(
    ("formula", "values", "off"),
    [
        ("p**2 - a*cos(q)", {"a": 2.02}, 0.01),
        ("a*p**2 + b*cos(q)", {"a": 5.0, "b": -10.1}, 0.01),
        ("p**2 - a*cos(q) + b", {"a": 2.02, "b": 7.0}, 0.01),
        ("p**2 - a*cos(b*q)", {"a": 2.0, "b": 1.01}, 0.01),
        ("p**2 - a*cos(b*q)", {"a": 2.0, "b": 1.0}, 0.0),
    ],
)
def test_a_coefficient_that_is_off_by_one_percent_is_off_by_one_percent(
    formula: str, values: dict[str, float], off: float
) -> None:
    """However the law is scaled and shifted, inside a function as outside; linearly, so to 2 % of the percent."""
    error = error_of(claim("q p", formula, **values), clean("pendulum"))
    assert error == pytest.approx(off, rel=0.02, abs=1e-7)


def test_adding_another_law_is_no_error_of_coefficients() -> None:
    formula, energies = "a*(x**2 + px**2) + b*(y**2 + py**2) + c*x*py - d*y*px", {"a": 1.0, "b": 3.7}
    mixed = claim("x y px py", formula, **energies, c=0.3, d=0.3)
    assert error_of(mixed, clean("oscillator_2d")) == pytest.approx(0, abs=1e-9)
    torn = claim("x y px py", formula, **energies, c=1.02, d=0.98)  # the nearest: 1 and 1
    assert error_of(torn, clean("oscillator_2d")) == pytest.approx(0.02, rel=0.05)


def test_a_term_that_does_not_belong_counts_by_its_size() -> None:
    """A thousandth of the largest term is a hundredth of the tenth that it is compared with, about: p**2 and q vary
    alike."""
    also = claim("q p", "p**2 - a*cos(q) + b*q", a=2.0, b=0.001)
    assert 0.003 < error_of(also, clean("pendulum")) < 0.03


def test_terms_that_no_coefficients_conserve_have_no_error_of_coefficients() -> None:
    series = claim("q p", "p**2 + a*q**2 + b*q**4", a=1.0, b=-1 / 12)
    assert error_of(series, clean("pendulum")) is None
    assert error_of(claim("q p", "p**2 + q**2"), clean("pendulum")) is None
    assert error_of(claim("q p", "p**2 + q**2"), clean("spring")) == 0.0


def test_gradients_are_told_per_deviation() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) * [1.0, 1e-3]
    slopes = laws_score.gradient(laws_score.read("q*p", ("q", "p")), x, x.std(axis=0))
    assert np.allclose(slopes, x[:, ::-1] * x.std(axis=0), rtol=1e-6, atol=1e-12)
