"""Columns that are made of others: what they hold, how they are called, and how well they are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from noether_dsl.units import Unit, coherent_units

from noether_discover.data.derived import (
    derivative_of,
    derived_notes,
    lacks_velocities,
    measured,
    with_derived,
    with_time,
    with_velocities,
)  # fmt: skip
from noether_discover.data.noise import noise
from noether_discover.data.systems import simulate
from noether_discover.data.tables import ReadOptions, read_tables, read_tables_with_notes
from noether_discover.data.trajectories import Derived, Trajectories
from noether_discover.data.writing import write_csv
from noether_discover.errors import DataError


def observed(*states: np.ndarray, names: tuple[str, ...] = ("q",), step: float = 0.1, **more: object) -> Trajectories:
    """Trajectories [T, D] at even times."""
    facts = {"units": (Unit(),) * len(names), "time_name": "t", **more}
    return Trajectories(
        names=names, symbols=names, states=states,
        times=tuple(step * np.arange(len(x)) for x in states), labels=tuple(map(str, range(len(states)))), **facts,
    )  # type: ignore[arg-type]  # fmt: skip


def positions(data: Trajectories, *places: int) -> Trajectories:
    """These columns alone."""
    return replace(
        data,
        names=tuple(data.names[d] for d in places),
        symbols=tuple(data.symbols[d] for d in places),
        units=tuple(data.units[d] for d in places),
        states=tuple(np.ascontiguousarray(x[:, places]) for x in data.states),
    )


def saved(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text)
    return path


# --- velocities --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", range(1, 5))
def test_velocities_of_polynomials_are_exact(degree: int) -> None:
    t = 0.1 * np.arange(30)
    coefficients = np.arange(1.0, degree + 2)
    found = with_velocities(observed(np.polyval(coefficients, t)[:, None], np.polyval(-coefficients, t)[:, None]))
    for sign, x_TD, t_T in zip((1, -1), found.states, found.times, strict=True):
        assert len(t_T) >= 15
        np.testing.assert_allclose(x_TD[:, 0], sign * np.polyval(coefficients, t_T), atol=1e-12)
        # rounding of values up to 300 over a step
        np.testing.assert_allclose(x_TD[:, 1], sign * np.polyval(np.polyder(coefficients), t_T), atol=1e-9)


def test_names_symbols_and_units(tmp_path: Path) -> None:
    rows = "".join(f"{100 * i},{20 * np.sin(0.1 * i):.12g},{0.1 * i * i:.12g}\n" for i in range(40))
    data = read_tables(saved(tmp_path, "t [ms],the angle [deg],s [m]\n" + rows), ReadOptions(velocities=True))
    assert data.names == ("the angle", "s", "dthe angle/dt", "ds/dt")
    assert data.symbols == ("the_angle", "s", "the_angle_dot", "s_dot")
    assert [str(unit) for unit in data.units] == ["rad", "m", "rad/ms", "m/ms"]
    assert data.units[2].scale == pytest.approx(np.deg2rad(1))  # a degree per millisecond
    i = data.times[0] / 100
    np.testing.assert_allclose(data.states[0][:, 2], np.deg2rad(20) * 0.1 * np.cos(0.1 * i) / 100, atol=1e-9)
    np.testing.assert_allclose(data.states[0][:, 3], 0.2 * i / 100, atol=1e-9)
    assert data.derived[:2] == (None, None)
    assert [(made.kind, made.of) for made in data.derived[2:] if made] == [
        ("velocity", "the_angle"),
        ("velocity", "s"),
    ]


def test_names_that_are_taken_are_not_taken_twice() -> None:
    t = 0.1 * np.arange(30)
    data = observed(np.stack([np.sin(t), np.cos(2 * t), t**2], axis=1), names=("q", "q_dot", "t"))
    found = with_derived(data, velocities=True, time=True)
    assert len(set(found.names)) == len(set(found.symbols)) == 7
    assert found.symbols[3:6] == ("q_dot_2", "q_dot_dot", "t_dot")
    np.testing.assert_allclose(found.states[0][:, 3], np.cos(found.times[0]), atol=1e-6)
    np.testing.assert_array_equal(found.states[0][:, 6], found.times[0])


def test_an_angle_within_one_turn_has_the_velocity_of_the_same_angle_unwrapped() -> None:
    t = 0.05 * np.arange(200)
    angle = 2 * t + 0.3 * np.sin(t)
    radian = coherent_units({"q": "rad"})["q"]
    found = with_velocities(observed(((angle + np.pi) % (2 * np.pi) - np.pi)[:, None], units=(radian,), step=0.05))
    np.testing.assert_allclose(found.states[0][:, 1], 2 + 0.3 * np.cos(found.times[0]), atol=1e-8)
    assert np.ptp(found.states[0][:, 0]) < 2 * np.pi  # the measured column stays what it was


def test_holes_take_their_neighbours_with_them_and_short_trajectories_fall_away() -> None:
    t = np.concatenate([np.arange(0, 3, 0.1), np.arange(6, 9, 0.1)])
    short = 0.1 * np.arange(4)
    data = Trajectories(
        ("q",), ("q",), (Unit(),), (np.sin(t)[:, None], np.sin(short)[:, None]), (t, short), ("long", "short"),
        time_name="t",
    )  # fmt: skip
    found = with_velocities(data)
    assert found.labels == ("long",)
    assert all(np.isfinite(x).all() for x in found.states)
    np.testing.assert_allclose(found.states[0][:, 1], np.cos(found.times[0]), atol=1e-6)
    near = np.abs(found.times[0][:, None] - [0, 2.9, 6, 8.9]).min(axis=0)
    assert (near > 0.05).all()
    (said,) = derived_notes(data, found)
    assert "dq/dt is a column now, by local polynomials" in said
    assert f"{data.samples - found.samples} of 64 samples are left out" in said
    with pytest.raises(DataError, match="at least 7 samples"):
        with_velocities(data.pick([1]))


def test_a_column_that_does_not_change_has_no_velocity() -> None:
    rng, t = np.random.default_rng(0), 0.1 * np.arange(50)
    states = [
        np.stack([np.sin(t + p), np.full(50, m), m + 0.1 * rng.standard_normal(50)], axis=1)
        for p, m in rng.uniform(1, 4, (20, 2))
    ]
    assert with_velocities(observed(*states, names=("q", "m", "noisy"))).symbols == ("q", "m", "noisy", "q_dot")


def test_derivatives_that_the_file_gives_become_columns() -> None:
    t = 0.1 * np.arange(30)
    given = (np.stack([np.full(30, 7.0), np.cos(t)], axis=1),)
    data = observed(np.stack([np.cos(t), np.sin(t)], axis=1), names=("q", "p"), given_derivatives=given)
    found = with_time(with_velocities(data))
    assert found.symbols == ("q", "p", "q_dot", "p_dot", "t")
    np.testing.assert_array_equal(found.states[0][:, 2:4], given[0])
    assert [made.error for made in found.derived[2:4] if made] == [None, None]
    assert found.given_derivatives is not None
    # of the columns as the file gives them, of velocities by their slope, of the time 1
    np.testing.assert_array_equal(found.given_derivatives[0][:, :2], given[0])
    np.testing.assert_allclose(found.given_derivatives[0][2:-2, 3], -np.sin(t)[2:-2], atol=1e-4)
    np.testing.assert_array_equal(found.given_derivatives[0][:, 4], 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("deviation", [0.003, 0.02, 0.1])
def test_the_noise_of_a_velocity_is_its_error(deviation: float) -> None:
    """Monte Carlo: the pendulum's angle with white noise, against its true velocity."""
    square, said = [], []
    for seed in range(3):
        noisy, clean = (simulate("pendulum", noise=s, seed=seed, samples=200) for s in (deviation, 0.0))
        found = with_velocities(positions(noisy, 0))
        true = with_velocities(positions(clean, 0))
        for k, t_T in enumerate(found.times):
            both = np.intersect1d(t_T, true.times[k])
            rows, others = np.searchsorted(t_T, both), np.searchsorted(true.times[k], both)
            square.append((found.states[k][rows, 1] - true.states[k][others, 1]) ** 2)
        said.append(noise(found)[1])
        assert noise(found)[0] == pytest.approx(deviation, rel=0.1)
        assert noise(found.pick(range(5)).thinned(20))[1] == noise(found)[1]
    assert np.sqrt(np.mean(np.concatenate(square))) == pytest.approx(np.sqrt(np.mean(np.square(said))), rel=0.15)


# --- the time ----------------------------------------------------------------------------------------------------


def test_the_time_as_a_column(tmp_path: Path) -> None:
    rows = "".join(f"{7 + 0.1 * i:.12g},{i * i}\n" for i in range(9))
    data, notes = read_tables_with_notes(saved(tmp_path, "clock [min],x [m]\n" + rows), ReadOptions(
        with_time=True, time="clock"
    ))  # fmt: skip
    assert (data.names, data.symbols) == (("x", "clock"), ("x", "t"))
    assert data.units[1] == data.time_unit
    np.testing.assert_array_equal(data.states[0][:, 1], data.times[0])
    assert data.derived == (None, Derived("time"))
    assert notes == ()
    assert noise(data)[1] < 1e-10
    assert with_time(data) is data


def test_without_a_time_column_samples_are_counted(tmp_path: Path) -> None:
    text = "trajectory,x,y\n" + "".join(f"{k},{i * k},{i * i}\n" for k in (1, 2) for i in range(9))
    data, notes = read_tables_with_notes(saved(tmp_path, text), ReadOptions(with_time=True))
    assert [x[:, 2].tolist() for x in data.states] == [list(range(9))] * 2
    assert "t is the number of the sample" in notes[-1]


# --- all of it ---------------------------------------------------------------------------------------------------


def test_parts_know_where_their_columns_come_from() -> None:
    data = with_derived(simulate("pendulum", samples=60, trajectories=5), velocities=True, time=True)
    parts = [data.pick([1, 2]), data.thinned(9), data.windows(11), data.contiguous(), *data.cut_at(0.5)]
    assert all(part.derived == data.derived for part in parts)
    assert measured(data).symbols == ("q", "p")
    assert measured(data).derived == ()
    assert data.digest() != replace(data, derived=()).digest()


def test_what_is_written_is_read_and_made_again(tmp_path: Path) -> None:
    data = simulate("kepler", trajectories=3)
    path = tmp_path / "kepler.csv"
    write_csv(with_time(data), path)
    again = read_tables(path, ReadOptions(with_time=True))
    assert again.symbols == (*data.symbols, "t")
    for x, y in zip(again.states, with_time(data).states, strict=True):
        np.testing.assert_array_equal(x, y)


def test_one_column_is_enough_where_others_are_made_of_it(tmp_path: Path) -> None:
    path = saved(tmp_path, "t,q\n" + "".join(f"{0.1 * i:.12g},{np.sin(0.1 * i):.12g}\n" for i in range(30)))
    for options, symbols in (
        (ReadOptions(velocities=True), ("q", "q_dot")),
        (ReadOptions(with_time=True), ("q", "t")),
        (ReadOptions(velocities=True, with_time=True), ("q", "q_dot", "t")),
    ):
        assert read_tables(path, options).symbols == symbols
    data, notes = read_tables_with_notes(path)
    assert data.symbols == ("q",)
    assert "its velocity with --derivatives" in notes[0]


# --- which column is which one's velocity ------------------------------------------------------------------------

KIN = {
    "pendulum": {"q": "p"},  # q' = 2 p in some of them: a momentum will do
    "spring_hnn": {"q": "p"},
    "kepler": {"x": "vx", "y": "vy"},
    "damped_oscillator": {"x": "v"},
    "toda_3": {"x1": "p1", "x2": "p2", "x3": "p3"},
    "euler_top": {},
    "lotka_volterra_3": {},
    "lorenz": {},
}


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("system", KIN)
def test_positions_are_told_from_velocities_by_their_course(system: str, share: float) -> None:
    data = simulate(system, relative_noise=share, seed=2, hints=False)
    assert derivative_of(data) == KIN[system]
    assert lacks_velocities(data) == (not KIN[system])


@pytest.mark.parametrize("samples", [20, 2000])
def test_sampling_does_not_matter_to_kinship(samples: int) -> None:
    data = simulate("damped_oscillator", samples=samples, trajectories=20, noise=0.05)
    assert derivative_of(data) == {"x": "v"}


def test_a_velocity_that_was_made_is_known_and_a_constant_one_is_found() -> None:
    rng, t = np.random.default_rng(0), 0.1 * np.arange(40)
    states = [np.stack([x + v * t, np.full(40, v), np.sin(t + x)], axis=1) for x, v in rng.normal(size=(12, 2))]
    data = observed(*states, names=("x", "v", "y"))
    assert derivative_of(data) == {"x": "v"}
    assert derivative_of(with_derived(data, True, True)) == {"x": "x_dot", "y": "y_dot"}
    assert lacks_velocities(positions(data, 0, 2))


def test_kinship_asks_for_more_than_a_few_samples() -> None:
    assert derivative_of(observed(np.stack([np.arange(4.0), np.ones(4)], axis=1), names=("x", "v"))) == {}
