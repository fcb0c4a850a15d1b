"""Sums of small terms: known systems have exactly their laws, whatever the columns are called, and nothing has none."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from noether_discover.data.nulls import permuted_labels
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.search.evidence import gather
from noether_discover.search.known import CONSTRAINT, LAW, Sum
from noether_discover.search.sums import Sums, summed
from noether_discover.search.terms import Values


@cache
def data_of(system: str, noise: float = 0.0, hints: bool = False, trajectories: int = 40) -> Trajectories:
    """noise: relative to the columns' deviations."""
    data = simulate(system, trajectories=trajectories, seed=0, hints=hints)
    if not noise:
        return data
    rng, size_D = np.random.default_rng(1), data.stacked.std(axis=0)
    states = tuple(x + noise * size_D * rng.normal(size=x.shape) for x in data.states)
    return replace(data, states=states, given_derivatives=None)


@cache
def found_in(system: str, noise: float = 0.0, hints: bool = False) -> Sums:
    return summed(gather(data_of(system, noise, hints)))


def gradient_rank(sums: tuple[Sum, ...], data: Trajectories) -> int:
    """How many of the sums are functionally independent at a typical state, by differences on exact data."""
    rng = np.random.default_rng(0)
    rows = data.stacked[rng.choice(data.samples, 40, replace=False)]
    size_D = data.stacked.std(axis=0)
    ranks = []
    for x_D in rows:
        moved = np.concatenate([x_D + 1e-5 * np.diag(size_D), x_D - 1e-5 * np.diag(size_D)])
        values = Values(dict(zip(data.symbols, moved.T, strict=True)))
        g_LD = []
        for s in sums:
            for component in s.new:
                high, low = np.split(s.at(values, component), 2)
                g_LD.append((high - low) / max(float(np.linalg.norm(high - low)), 1e-300))
        ranks.append(np.linalg.matrix_rank(np.array(g_LD), tol=1e-3))
    return int(np.median(ranks))


def along(sums: tuple[Sum, ...], data: Trajectories) -> list[float]:
    """Each component's variance along the trajectories, over its variance."""
    values = Values(dict(zip(data.symbols, data.stacked.T, strict=True)))
    cuts = np.cumsum([len(x) for x in data.states])[:-1]
    out = []
    for s in sums:
        for c in s.new:
            g_N = s.at(values, c)
            out.append(float(np.mean([part.var() for part in np.split(g_N, cuts)]) / g_N.var()))
    return out


def coefficients(one: Sum) -> dict[str, float]:
    return {str(term): c for term, c in zip(one.terms, one.coefficients, strict=True)}


# --- known systems ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "number"), [("kepler", 3), ("euler_top", 2), ("sir", 2), ("lotka_volterra", 1), ("pendulum", 1)]
)
def test_exact_data_have_exactly_their_laws(system: str, number: int) -> None:
    """As many as their gradients are independent, and constant to the rounding of the simulation."""
    sums, data = found_in(system), data_of(system)
    laws = sums.of_kind(LAW)
    assert sums.clean
    assert sum(s.number for s in laws) == number == gradient_rank(laws, data)
    assert max(along(laws, data)) < 1e-9
    assert all(s.p_value < 1e-3 for s in laws)
    assert not sums.unsure


@pytest.mark.parametrize(
    ("system", "number", "noise"),
    [pytest.param("euler_top", 2, 0.02, marks=pytest.mark.slow), ("lotka_volterra", 1, 0.05)],
)
def test_so_have_noisy_data(system: str, number: int, noise: float) -> None:
    """The coefficients are so good that the laws hold on the data before the noise."""
    laws = found_in(system, noise).of_kind(LAW)
    assert sum(s.number for s in laws) == number == gradient_rank(laws, data_of(system))
    assert max(along(laws, data_of(system))) < 0.01


@pytest.mark.slow
def test_kepler_with_five_per_cent_of_noise() -> None:
    """With vectors named: energy and the two others, or functions of them, and nothing else."""
    laws = found_in("kepler", 0.05, True).of_kind(LAW)
    exact = data_of("kepler", 0.0, True)
    assert 2 <= sum(s.number for s in laws) == gradient_rank(laws, exact) <= 3
    assert max(along(laws, exact)) < 0.02


def test_coefficients_of_predators_and_prey() -> None:
    """With all rates 1, x + y - log x - log y."""
    (law,) = found_in("lotka_volterra").of_kind(LAW)
    found = coefficients(law)
    assert set(found) == {"x", "y", "log(x)", "log(y)"}
    data = data_of("lotka_volterra")
    assert along((law,), data)[0] < 1e-12


# --- vectors ---------------------------------------------------------------------------------------------------------


def test_vectors_of_a_planet() -> None:
    """The angular momentum as a cross product, and the Laplace-Runge-Lenz vector as a vector with one set of
    coefficients for its components: v x (q x v) - q/|q|."""
    laws = found_in("kepler", 0.0, True).of_kind(LAW)
    (momentum,) = [s for s in laws if set(coefficients(s)) == {"cross(q, v)"}]
    assert momentum.rank == 1
    for s in laws:
        if s.rank == 2:
            c = coefficients(s)
            assert set(c) == {"q/norm(q)", "q*v**2", "v*dot(q, v)"}
            assert c["q*v**2"] == pytest.approx(-c["q/norm(q)"], rel=1e-6)
            assert c["v*dot(q, v)"] == pytest.approx(c["q/norm(q)"], rel=1e-6)
    assert sum(s.number for s in laws) == 3 == gradient_rank(laws, data_of("kepler", 0.0, True))


# --- one law is one law ----------------------------------------------------------------------------------------------


def test_functions_of_a_law_are_no_further_laws() -> None:
    """Columns H-like redundant: with x, v and their squares as columns there is one law, and two relations."""
    data = data_of("spring")
    wider = replace(
        data,
        names=(*data.names, "a", "b"), symbols=(*data.symbols, "a", "b"), units=(*data.units, *[data.units[0]] * 2),
        states=tuple(np.column_stack([x, x[:, 0] ** 2, x[:, 1] ** 2]) for x in data.states), given_derivatives=None,
    )  # fmt: skip
    wider = replace(wider, units=tuple(replace(u, dimension=type(u.dimension)()) for u in wider.units))
    sums = summed(gather(wider))
    assert sum(s.number for s in sums.of_kind(LAW)) == 1
    assert sum(s.number for s in sums.found if s.kind in (LAW, CONSTRAINT)) <= 3


def test_a_rod_is_a_constraint_and_the_energy_a_law() -> None:
    sums = found_in("pendulum_cartesian")
    (energy,) = sums.of_kind(LAW)
    assert along((energy,), data_of("pendulum_cartesian"))[0] < 1e-9
    rods = [set(coefficients(s)) for s in sums.of_kind(CONSTRAINT)]
    assert {"x**2", "y**2"} in rods
    assert 1 <= len(rods) <= 2


def test_columns_that_never_change_are_no_laws() -> None:
    data = data_of("spring")
    mass = np.random.default_rng(0).uniform(1, 2, len(data))
    states = tuple(np.column_stack([x, np.full(len(x), m)]) for x, m in zip(data.states, mass, strict=True))
    wider = replace(
        data, names=(*data.names, "m"), symbols=(*data.symbols, "m"), units=(*data.units, data.units[0]), states=states,
        given_derivatives=None,
    )  # fmt: skip
    (law,) = summed(gather(wider)).of_kind(LAW)
    assert not law.inputs <= {"m"}
    assert law.inputs >= {"q", "p"}


# --- nothing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize("system", ["damped_oscillator", "van_der_pol", pytest.param("lorenz", marks=pytest.mark.slow)])
def test_nothing_is_found_where_nothing_is_conserved(system: str, noise: float) -> None:
    assert found_in(system, noise).of_kind(LAW) == ()


@pytest.mark.parametrize("seed", range(2))
def test_nothing_is_found_where_columns_do_not_belong_together(seed: int) -> None:
    """Samples dealt to trajectories at random: the states are those of a pendulum, the sequences nobody's."""
    assert summed(gather(permuted_labels(data_of("pendulum", 0.05), seed))).of_kind(LAW) == ()


# --- metamorphic -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, pytest.param(0.03, marks=pytest.mark.slow)])
def test_columns_in_other_units_have_the_same_law(noise: float) -> None:
    data = data_of("pendulum", noise)
    factor = np.array([1.0, 250.0])
    other = replace(data, states=tuple(x * factor for x in data.states), given_derivatives=None)
    (one,), (scaled,) = (summed(gather(d)).of_kind(LAW) for d in (data, other))
    assert set(coefficients(one)) == set(coefficients(scaled)) == {"p**2", "cos(q)"}
    a, b = coefficients(one), coefficients(scaled)
    assert b["cos(q)"] / b["p**2"] == pytest.approx(250.0**2 * a["cos(q)"] / a["p**2"], rel=1e-6 + 0.2 * noise)


@pytest.mark.parametrize("factor", [1e30, 1e59, 1e-34, 1e-59])
def test_the_momentum_of_a_planet_and_that_of_an_electron_are_numbers_like_others(factor: float) -> None:
    data = data_of("spring")
    other = replace(data, states=tuple(x * factor for x in data.states), given_derivatives=None)
    (law,) = summed(gather(other)).of_kind(LAW)
    assert set(coefficients(law)) == {"q**2", "p**2"}


@pytest.mark.parametrize("noise", [0.0, pytest.param(0.02, marks=pytest.mark.slow)])
def test_columns_in_another_order_have_the_same_laws(noise: float) -> None:
    data = data_of("euler_top", noise)
    order = [2, 0, 1]
    other = replace(
        data,
        names=tuple(data.names[i] for i in order), symbols=tuple(data.symbols[i] for i in order),
        units=tuple(data.units[i] for i in order), states=tuple(np.ascontiguousarray(x[:, order]) for x in data.states),
        given_derivatives=None,
    )  # fmt: skip
    one, two = (summed(gather(d)).of_kind(LAW) for d in (data, other))
    assert sum(s.number for s in one) == sum(s.number for s in two) == 2
    assert gradient_rank((*one, *two), data_of("euler_top")) == 2


def test_the_same_seed_gives_the_same_sums() -> None:
    one, two = (summed(gather(data_of("pendulum", 0.05))) for _ in range(2))
    assert [str(s) for s in one.found] == [str(s) for s in two.found]
    assert [s.p_value for s in one.found] == [s.p_value for s in two.found]
