"""Files of positions only, and laws that know the time, as a user has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from noether_discover.data.systems import simulate
from noether_discover.data.writing import write_csv
from noether_discover.discovery import load
from noether_discover.runs import RunFile

QUICK = ("--no-rank", "--jobs", 1)
ENERGY = (*QUICK, "--operators", "square,sub,mul,cos")


@pytest.fixture
def angle_alone(tmp_path: Path) -> Path:
    """A pendulum of which t and q were measured, and nothing else."""
    data = simulate("pendulum_hnn", noise=0.003, seed=0)
    path = tmp_path / "angle.csv"
    states = tuple(np.ascontiguousarray(x[:, :1]) for x in data.states)
    write_csv(replace(data, names=("q",), symbols=("q",), units=data.units[:1], states=states), path)
    return path


def test_positions_alone_conserve_nothing_and_the_answer_says_what_to_try(
    told: Callable[..., Any], angle_alone: Path, tmp_path: Path
) -> None:
    without = told("discover", angle_alone, *ENERGY)
    assert without.code == 3
    assert "try --derivatives" in " ".join(without.out.split())
    assert "its velocity with --derivatives" in without.err
    run = tmp_path / "run.noether"
    with_them = told("discover", angle_alone, *ENERGY, "--derivatives", "--json", "-o", run)
    answer = json.loads(with_them.out)
    assert with_them.code == 0
    assert "dq/dt is a column now, by local polynomials" in with_them.err
    (law,) = answer["laws"]
    assert (law["formula"], law["verdict"], law["unit"]) == ("q_dot**2 - a*cos(q)", "LAW", "rad^2/s^2")
    assert law["parameters"][0]["value"] == pytest.approx(12, rel=0.005)
    assert (answer["columns"], answer["column_units"]) == (["q", "q_dot"], ["rad", "rad/s"])
    assert answer["symbols"] == {"q_dot": "dq/dt"}
    # a run file holds the columns that were made: its stages need no flag
    again = told("fit", run, "--jobs", 1)
    assert again.code == 0
    assert load(run).laws[0]["formula"] == law["formula"]
    assert "q_dot is dq/dt" in again.out


def test_two_positions_of_an_oscillator(told: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "plane.csv"
    data = simulate("oscillator_2d", seed=0, trajectories=20, hints=False)
    write_csv(data, path)
    quick = (*QUICK, "--inputs", "x,y", "--operators", "square,add,mul", "--max-nodes", 5)
    nothing = told("discover", path, *quick)
    assert nothing.code == 3
    assert "No column is the time derivative of another" in " ".join(nothing.out.split())
    found = told("discover", path, *quick, "--derivatives", "--json")
    assert found.code == 0
    formulas = {law["formula"] for law in json.loads(found.out)["laws"]}
    assert {"x**2 + x_dot**2", "y**2 + y_dot**2"} <= formulas


def test_the_time_enters_laws_and_a_constant_velocity_is_listed(told: Callable[..., Any], tmp_path: Path) -> None:
    rng, t = np.random.default_rng(0), np.linspace(0, 3, 30)
    rows = [
        (k, s, x + v * s + 0.01 * rng.standard_normal(), v + 0.01 * rng.standard_normal())
        for k, (x, v) in enumerate(rng.normal(size=(20, 2)))
        for s in t
    ]
    path = tmp_path / "free.csv"
    pd.DataFrame(rows, columns=["run", "t [s]", "x [m]", "v [m/s]"]).to_csv(path, index=False)
    told_ = told("discover", path, *QUICK, "--with-time", "--max-nodes", 5, "-o", tmp_path / "run.noether")
    assert told_.code == 0
    assert "x - t*v" in told_.out
    assert "constant along each trajectory, no law of the motion: v (" in " ".join(told_.out.split())
    assert told("discover", path, *QUICK, "--max-nodes", 5).code == 3
    with RunFile(tmp_path / "run.noether") as file:
        assert file.read_data().origins[2] is not None
    markdown = told("export", tmp_path / "run.noether", "--format", "markdown").out
    assert "Constant along each trajectory: v (" in markdown
    checked = json.loads(told("data", "check", path, "--with-time", "--json").out)
    assert [column["symbol"] for column in checked["summary"]["columns"]] == ["x", "v", "t"]


@pytest.mark.slow
def test_forecasts_of_a_run_with_velocities_take_them_from_the_file_or_make_them(
    told: Callable[..., Any], angle_alone: Path, tmp_path: Path
) -> None:
    run, output = tmp_path / "run.noether", tmp_path / "forecast.csv"
    assert told("discover", angle_alone, *ENERGY, "--derivatives", "--with-time", "--steps", 60, "-o", run).code == 0
    made = told("predict", run, angle_alone, "-o", output, "--method", "projection")
    assert made.code == 0, made.err
    assert list(pd.read_csv(output).columns) == [
        "trajectory", "t [s]", "q [rad]", "dq/dt [rad/s]", "q plain [rad]", "dq/dt plain [rad/s]",
    ]  # fmt: skip
    starts = tmp_path / "starts.csv"
    starts.write_text("t [s],q [rad],dq/dt [rad/s]\n0,1,0.5\n")
    given = told("predict", run, starts, "-o", output, "--until", 1, "--step", 0.1, "--method", "projection")
    assert given.code == 0, given.err
    assert pd.read_csv(output).iloc[0, 1:4].tolist() == [0, 1, 0.5]
    starts.write_text("t [s],q [rad]\n0,1\n")
    lacking = told("predict", run, starts, "-o", output, "--until", 1, "--step", 0.1)
    assert lacking.code == 2
    assert 'there is no column "dq/dt"' in lacking.err


def test_help_tells_the_two_options_apart(told: Callable[..., Any]) -> None:
    words = " ".join(told("discover", "--help").out.split())
    assert "Compare --derivatives, which makes columns" in words
    assert "files of positions only" in words
