"""Known systems: what is simulated obeys its laws, its equations and its settings."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from noether_dsl.dimension import Dimension
from noether_dsl.reading import evaluate
from noether_dsl.text import parse_sentence
from noether_dsl.units import coherent_units

from noether_discover.data.headers import symbols_of
from noether_discover.data.systems import SYSTEMS, System, constraints_of, laws_of, simulate, solve, system_named
from noether_discover.data.tables import read_tables
from noether_discover.data.trajectories import Trajectories
from noether_discover.data.writing import write_csv
from noether_discover.errors import OptionError

WITH_LAWS = [name for name, system in SYSTEMS.items() if system.laws]
CONSTRAINED = [name for name, system in SYSTEMS.items() if system.constraints]
WITHOUT_LAWS = {"damped_oscillator", "van_der_pol", "lorenz", "duffing_forced", "abc_flow"}


@cache
def simulated(name: str) -> Trajectories:
    """The system as its row has it, but for fewer trajectories and samples."""
    return simulate(name, trajectories=16, samples=40)


def value(formula: str, symbols: tuple[str, ...], x_TD: np.ndarray) -> np.ndarray:
    """The formula's value along a trajectory, read as a user's formula is."""
    sentence = parse_sentence(formula, symbols)
    assert None not in sentence.values, "nothing in it but columns and numbers"
    return evaluate(sentence.formula, dict(zip(symbols, x_TD.T, strict=True)), sentence.values)


def gradients(formulas: tuple[str, ...], symbols: tuple[str, ...], x_D: np.ndarray) -> np.ndarray:
    """One row per formula, by central differences."""
    step = 1e-6 * np.eye(len(x_D))
    slopes = [value(f, symbols, x_D + step) - value(f, symbols, x_D - step) for f in formulas]
    return np.array(slopes) / 2e-6


@pytest.mark.parametrize("name", WITH_LAWS)
def test_every_law_holds_along_every_trajectory(name: str) -> None:
    """A thousandth of the 4e-8 that the table was checked to: the search's own floor must not be met."""
    data = simulated(name)
    for law in laws_of(name):
        values = [value(law, data.symbols, x) for x in data.states]
        between = np.std([v[0] for v in values])
        assert max(np.ptp(v) for v in values) < (1e-9 if SYSTEMS[name].stiff else 4e-11) * between


@pytest.mark.parametrize("name", CONSTRAINED)
def test_every_constraint_has_its_value_everywhere(name: str) -> None:
    data = simulated(name)
    for formula, constant in constraints_of(name):
        assert np.abs(value(formula, data.symbols, data.stacked) - constant).max() < 1e-11


@pytest.mark.parametrize("name", WITH_LAWS)
def test_as_many_laws_are_independent_as_the_row_says(name: str) -> None:
    """Also beside the constraints. Differences of 1e-6 leave errors of 1e-9 of the gradients."""
    data, row = simulated(name), SYSTEMS[name]
    x, constraints = data.states[1][7], tuple(formula for formula, _ in constraints_of(name))
    assert np.linalg.matrix_rank(gradients(laws_of(name), data.symbols, x), tol=1e-5) == row.independent
    both = gradients((*laws_of(name), *constraints), data.symbols, x)
    assert np.linalg.matrix_rank(both, tol=1e-5) == row.independent + len(constraints)


def test_only_kepler_states_laws_that_follow_from_others() -> None:
    assert {name: row.independent for name, row in SYSTEMS.items() if row.independent < len(row.laws)} == {"kepler": 3}


@pytest.mark.parametrize("name", SYSTEMS)
def test_laws_and_data_speak_the_same_names_with_hints_and_without(name: str) -> None:
    row = SYSTEMS[name]
    for hints in (True, False):
        data = simulate(name, trajectories=2, samples=3, span=0.01, hints=hints)
        assert (data.names, data.symbols) == (row.names(hints), row.symbols(hints))
        for formula in (*laws_of(name, hints), *(c for c, _ in constraints_of(name, hints))):
            value(formula, data.symbols, data.stacked)
    assert laws_of(name, hints=False) == row.laws
    assert not any("." in column for column in data.names)
    assert all(unit.dimension.is_pure for unit in (*data.units, data.time_unit))


def test_hints_say_the_units_and_the_vectors() -> None:
    data = simulate("kepler", trajectories=2, samples=3)
    assert data.names == ("q.x", "q.y", "v.x", "v.y")
    assert data.symbols == symbols_of(data.names)
    assert [str(unit) for unit in (*data.units, data.time_unit)] == ["m", "m", "m/s", "m/s", "s"]
    assert laws_of("kepler")[1] == "q_x*v_y - q_y*v_x"
    assert SYSTEMS["kepler"].vectors == {"q": ("x", "y"), "v": ("vx", "vy")}
    assert SYSTEMS["two_body"].hinted == ("q1.x", "q1.y", "q2.x", "q2.y", "p1.x", "p1.y", "p2.x", "p2.y")
    assert SYSTEMS["lotka_volterra"].vectors == {}


@pytest.mark.parametrize("name", SYSTEMS)
def test_units_are_coherent_and_allow_the_functions_of_the_laws(name: str) -> None:
    """Components of a vector share a unit; logarithms and exponentials take pure numbers, sinusoids take angles."""
    row = SYSTEMS[name]
    units = coherent_units({"": row.time_unit, **dict(zip(row.columns, row.units, strict=True))})
    assert all(unit.scale == 1 for unit in units.values())
    for columns in row.vectors.values():
        assert len({units[column] for column in columns}) == 1
    angles = {column for column in row.columns if units[column].dimension == Dimension.of({"rad": 1})}
    pure = {column for column in row.columns if units[column].dimension.is_pure}
    for law in row.laws:
        for function, allowed in (("log", pure), ("exp", pure), ("cos", angles)):
            for argument in re.findall(rf"{function}\(+([^()]*)\)", law):
                assert set(re.findall(r"[a-z]\w*", argument, re.IGNORECASE)) <= allowed


@pytest.mark.parametrize("hints", [True, False])
@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_can_be_written_and_read(name: str, hints: bool, tmp_path: Path) -> None:
    data = simulate(name, trajectories=2, samples=3, span=0.01, hints=hints)
    write_csv(data, tmp_path / "data.csv")
    assert read_tables(tmp_path / "data.csv").digest() == data.digest()


@pytest.mark.parametrize("name", SYSTEMS)
def test_trajectories_follow_the_equations(name: str) -> None:
    data = simulate(name, trajectories=4, samples=21, span=2e-5 if SYSTEMS[name].stiff else 2e-3)
    for x, t in zip(data.states, data.times, strict=True):
        slope = (x[2:] - x[:-2]) / (t[2:] - t[:-2])[:, None]
        rates = SYSTEMS[name].rates(x[1:-1])
        assert np.allclose(slope, rates, atol=1e-4 * np.abs(rates).max())  # the central difference errs by h^2 x'''/6


def test_stiff_rates_agree_with_a_slow_method_that_does_not_know_it() -> None:
    """Robertson's transient of 3e-4 by the explicit method, and then by the implicit one."""
    world = SYSTEMS["robertson"]
    start, t = world.start(np.random.default_rng(0), 3), np.linspace(0, 0.05, 4)
    explicit = solve(replace(world, stiff=False, accuracy=1e-9), start, t)
    assert np.allclose(solve(world, start, t), explicit, rtol=1e-8, atol=0)


def test_robertson_ends_where_the_literature_says() -> None:
    """From (1, 0, 0) at t = 40 (Hairer, Wanner IV.10; Mazzia, Magherini 2008)."""
    x = solve(SYSTEMS["robertson"], np.array([[1.0, 0.0, 0.0]]), np.array([0.0, 20.0, 40.0]))[-1, 0]
    assert np.allclose(x, [0.7158270687, 9.185534765e-06, 0.2841637458], rtol=1e-8, atol=0)


def test_where_chaos_has_no_bounds_every_step_is_exact() -> None:
    """Three bodies: two accuracies part by a millionfold of rounding, yet both conserve energy."""
    world, start = SYSTEMS["three_body"], simulated("three_body").stacked[::160]
    assert world.accuracy == np.inf
    x_SND = solve(world, start, np.linspace(0, 5, 100))
    for n in range(len(start)):
        energy = value(world.laws[0], world.columns, x_SND[:, n])
        assert np.ptp(energy) < 1e-10


def test_a_spring_swings_as_cosines_do() -> None:
    data = simulate("spring_hnn", seed=3)
    for x, t in zip(data.states, data.times, strict=True):
        (q, p), c, s = x[0], np.cos(2 * t), np.sin(2 * t)
        assert np.allclose(x, np.stack([q * c + p * s, p * c - q * s], axis=1), atol=1e-11)


def test_a_damped_oscillator_loses_energy() -> None:
    data = simulate("damped_oscillator")
    for x in data.states:
        assert (np.diff((x**2).sum(axis=1)) <= 1e-12).all()


def test_worlds_without_laws_are_marked() -> None:
    assert {name for name, system in SYSTEMS.items() if system.is_null} == WITHOUT_LAWS
    assert len(SYSTEMS) == 22 + 5


def test_every_row_says_what_it_is_in_a_line() -> None:
    assert all(row.about and len(f"{name}: {row.about}") <= 80 for name, row in SYSTEMS.items())


def test_the_pendulum_is_the_papers() -> None:
    data = simulate("pendulum_hnn", seed=5, trajectories=200)
    assert (len(data), data.samples, data.names, data.time_name) == (200, 200 * 45, ("q", "p"), "t")
    assert [str(u) for u in (*data.units, data.time_unit)] == ["rad", "kg*m/s", "s"]
    radius = np.array([np.hypot(*x[0]) for x in data.states])
    assert radius.min() > 1.3
    assert radius.max() < 2.3
    assert abs(radius.mean() - 1.8) < 0.1
    assert data.times[0][0] == 0
    assert data.times[0][-1] == 3


def test_henon_heiles_begins_inside_its_well() -> None:
    system = SYSTEMS["henon_heiles"]
    energy = value(system.laws[0], system.columns, system.start(np.random.default_rng(0), 500))
    assert energy.min() > 0.0099
    assert energy.max() < 0.1201


def test_the_rod_holds_and_the_vertical_has_length_one() -> None:
    x_ND = SYSTEMS["pendulum_cartesian"].start(np.random.default_rng(0), 200)
    assert np.allclose((x_ND[:, :2] ** 2).sum(axis=1), 1)
    assert np.abs(np.arctan2(x_ND[:, 0], -x_ND[:, 1])).max() < 1
    x_ND = SYSTEMS["lagrange_top"].start(np.random.default_rng(0), 200)
    assert np.allclose((x_ND[:, 3:] ** 2).sum(axis=1), 1)


def test_the_phase_of_the_drive_is_the_same_on_every_trajectory() -> None:
    data = simulate("duffing_forced", trajectories=3, span=10.0)
    for x, t in zip(data.states, data.times, strict=True):
        assert np.allclose(x[:, 2:], np.stack([np.cos(1.2 * t), np.sin(1.2 * t)], axis=1), atol=1e-10)


def test_the_seed_decides_everything() -> None:
    a, b, c = (simulate("spring_hnn", seed=seed, noise=0.1) for seed in (1, 1, 2))
    assert a.digest() == b.digest() != c.digest()


def test_noise_has_the_standard_deviation_that_was_asked_for() -> None:
    clean, noisy = simulate("spring_hnn", trajectories=400), simulate("spring_hnn", trajectories=400, noise=0.1)
    error = noisy.stacked - clean.stacked
    assert np.allclose(error.std(axis=0), 0.1, rtol=0.03)  # 12,000 samples: standard error 0.65 %
    assert np.abs(error.mean(axis=0)).max() < 0.005
    assert abs(np.corrcoef(error[:-1, 0], error[1:, 0])[0, 1]) < 0.05


def test_relative_noise_is_a_share_of_each_columns_deviation() -> None:
    clean, noisy = (simulate("kepler", trajectories=60, span=5.0, relative_noise=share) for share in (0.0, 0.05))
    error = noisy.stacked - clean.stacked
    assert np.allclose(error.std(axis=0), 0.05 * clean.stacked.std(axis=0), rtol=0.04)  # 6,000 samples: 0.9 %


def test_both_noises_add_their_variances() -> None:
    clean, noisy = simulate("spring"), simulate("spring", noise=0.1, relative_noise=0.2)
    expected = np.hypot(0.1, 0.2 * clean.stacked.std(axis=0))
    assert np.allclose((noisy.stacked - clean.stacked).std(axis=0), expected, rtol=0.05)


def test_the_brought_example_is_what_the_generator_makes() -> None:
    path = resources.files("noether_discover.data") / "examples" / "pendulum.csv"
    with resources.as_file(path) as file:
        example = read_tables(file)
    made = simulate("pendulum_hnn", seed=0)
    assert example.labels == made.labels
    assert example.units == made.units
    assert np.allclose(
        example.stacked, made.stacked, rtol=0, atol=1e-12
    )  # sines differ in the last bit between machines


def test_chaos_over_a_long_span_is_refused_and_not_returned_wrong() -> None:
    with pytest.raises(OptionError, match="lorenz cannot be computed over a span of 30; ask for a shorter one"):
        simulate("lorenz", trajectories=2, samples=5, span=30.0)


def test_solving_twice_as_finely_changes_nothing() -> None:
    world, start = SYSTEMS["kepler"], np.array([[1.0, 0.0, 0.0, 1.1]])
    coarse, fine = (solve(world, start, np.linspace(0, 10, n)) for n in (11, 21))
    assert np.allclose(coarse, fine[::2], atol=1e-9)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trajectories": 0}, "at least 1"),
        ({"samples": 2}, "at least 3"),
        ({"span": -1.0}, "positive"),
        ({"span": float("nan")}, "positive"),
        ({"noise": -0.1}, "standard deviation"),
        ({"noise": float("inf")}, "standard deviation"),
        ({"relative_noise": -0.1}, "a share such as 0.05"),
    ],
)
def test_impossible_experiments_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        simulate("spring_hnn", **settings)


def test_an_unknown_system_is_answered_with_the_nearest() -> None:
    with pytest.raises(OptionError, match=r'there is no system "pendulm", did you mean "pendulum"\?$'):
        system_named("pendulm")


def test_an_unknown_system_that_is_near_none_is_answered_with_all() -> None:
    with pytest.raises(OptionError, match=r"The systems are spring, spring_hnn, .*abc_flow"):
        system_named("xyzzy")


def test_a_system_of_ones_own_can_be_simulated() -> None:
    fall = System(
        "fall",
        ("x", "v"),
        lambda x: np.stack([x[:, 1], -np.ones(len(x))], 1),
        lambda rng, n: rng.normal(size=(n, 2)),
        2.0,
        ("v**2/2 + x",),
        ("m", "m/s"),
        "s",
        5,
    )
    data = simulate(fall, trajectories=3)
    assert np.allclose(data.states[0][:, 1], data.states[0][0, 1] - data.times[0])
