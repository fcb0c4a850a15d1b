"""`noether-discover predict`: a forecast that reads back, or one sentence and nothing written."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noether_discover.data.tables import ReadOptions, read_tables
from noether_discover.data.writing import write_csv
from noether_discover.discovery import discover
from noether_discover.predict import bench, heads
from noether_discover.predict.bench import NetworkSettings

PENDULUM = Path(__file__).parents[2] / "noether_discover" / "data" / "examples" / "pendulum.csv"
STARTS = "trajectory,q [rad],p [kg*m/s]\na,1.0,0.0\nb,-0.5,1.0\n"
HEADER = "trajectory,t [s],q [rad],p [kg*m/s],q plain [rad],p plain [kg*m/s]"
TIMES = ("--until", "1", "--step", "0.1")
Told = Callable[..., Any]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few trajectories and a small network."""
    path = tmp_path_factory.mktemp("run") / "pendulum.noether"
    few = read_tables(PENDULUM).pick(range(8))
    discover(few, run=path, jobs=1, rank=False, steps=60, epochs=10, operators=("square", "cos", "sub", "mul"))
    return path


@pytest.fixture
def folder(tmp_path: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: two first states, and some trajectories; networks are small."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench, "NetworkSettings", functools.partial(NetworkSettings, hidden=16))
    monkeypatch.setattr(heads, "fitted_network", functools.partial(heads.fitted_network, steps=5))
    (tmp_path / "starts.csv").write_text(STARTS)
    (tmp_path / "folder").mkdir()
    write_csv(read_tables(PENDULUM).pick(range(3)), tmp_path / "swings.csv")
    return tmp_path


def drift(states: np.ndarray) -> float:
    return float(np.ptp(states[:, 1] ** 2 - 3 * np.cos(states[:, 0])))


def test_trajectories_are_forecast_at_their_own_times_with_the_plain_ones_beside(
    folder: Path, run: Path, told: Told
) -> None:
    done = told("predict", run, "swings.csv", "-o", "forecast.csv", "--method", "projection")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "3 forecasts, 135 samples: forecast.csv"
    assert lines[1] == "the laws are enforced by projection"
    assert lines[2].startswith("error of training rollouts, in the columns' deviations: ")
    assert len(lines) == 3
    assert Path("forecast.csv").read_text().splitlines()[0] == HEADER
    back, data = read_tables("forecast.csv"), read_tables("swings.csv")
    assert back.labels == data.labels
    for x, t, measured, times in zip(back.states, back.times, data.states, data.times, strict=True):
        np.testing.assert_allclose(t, times, rtol=1e-12)
        np.testing.assert_array_equal(x[0], [*measured[0], *measured[0]])
        assert drift(x[:, :2]) < 1e-3 < drift(x[:, 2:])  # of Runge-Kutta steps, of a hasty network


@pytest.mark.parametrize("method", ["structured", "auto"])
def test_first_states_alone_are_forecast_as_far_as_is_said(folder: Path, run: Path, told: Told, method: str) -> None:
    done = told("predict", run, "starts.csv", *TIMES, "-o", "forecast.csv", "--method", method)
    assert done.code == 0
    assert "2 forecasts, 22 samples: forecast.csv" in done.out
    assert f"enforced by {'' if method == 'auto' else method}" in done.out
    back = read_tables("forecast.csv")
    assert back.labels == ("a", "b")
    np.testing.assert_allclose(back.times[0], np.linspace(0, 1, 11), atol=1e-12)


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(folder: Path, run: Path, told: Told) -> None:
    for name, seed in (("one.csv", 3), ("two.csv", 3), ("other.csv", 4)):
        words = ("--method", "projection", "--seed", seed, "--quiet")
        done = told("predict", run, "starts.csv", *TIMES, "-o", name, *words)
        assert (done.code, done.out, done.err) == (0, "", "")
    one, two, other = (Path(name).read_bytes() for name in ("one.csv", "two.csv", "other.csv"))
    assert one == two != other


def test_other_units_are_converted_and_said_to_be(folder: Path, run: Path, told: Told) -> None:
    degrees = "run number,angle,p [g*m/s]\n1,57.29577951308232,0\n2,-28.64788975654116,1000\n"
    Path("degrees.csv").write_text(degrees)
    words = ("--inputs", "angle,p", "--unit", "angle=deg", "--trajectory", "run number", "--method", "projection")
    done = told("predict", run, "degrees.csv", *TIMES, "-o", "a.csv", *words)
    assert done.code == 0
    assert 'column "angle" is converted from deg to rad' in done.err
    assert told("predict", run, "starts.csv", *TIMES, "-o", "b.csv", "--method", "projection").code == 0
    assert Path("a.csv").read_text().splitlines()[0] == HEADER.replace("q", "angle")
    for x, y in zip(read_tables("a.csv").states, read_tables("b.csv").states, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_a_forecast_is_first_states_for_another(folder: Path, run: Path, told: Told) -> None:
    assert told("predict", run, "starts.csv", *TIMES, "-o", "one.csv", "--method", "projection").code == 0
    assert told("predict", run, "one.csv", "-o", "two.csv", "--method", "projection").code == 0
    one, two = (read_tables(name, ReadOptions(inputs=("q", "p"))) for name in ("one.csv", "two.csv"))
    for x, y in zip(one.states, two.states, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12)


REFUSED = {
    "no times": (STARTS, [], "starts.csv: there are first states and no times; say how far with --until and --step"),
    "half the times": (STARTS, ["--until", "3"], "say how far with --until and --step"),
    "no step": (STARTS, ["--until", "1", "--step", "0"], "--until 1.0 --step 0.0: both are positive times"),
    "too many": (STARTS, ["--until", "1e9", "--step", "1"], "--step 1 gives more than 100,000 samples"),
    "a column missing": (STARTS.replace("p [", "v ["), TIMES, 'starts.csv: there is no column "p"'),
    "another unit": (STARTS.replace("[rad]", "[m]"), TIMES, 'starts.csv: column "q" is in m, the run has it in rad'),
    "no unit": (STARTS.replace(" [rad]", ""), TIMES, 'starts.csv: column "q" has no unit, the run has it in rad'),
    "no rows": (STARTS.splitlines()[0], TIMES, "starts.csv: has a header and no rows"),
    "a word": (STARTS.replace("1.0,0.0", "one,0.0"), TIMES, '"one" is not a number'),
    "an empty cell": (STARTS.replace("1.0,0.0", ",0.0"), TIMES, 'column "q" row 2 is empty'),
    "infinite": (STARTS.replace("1.0,0.0", "inf,0.0"), TIMES, 'column "q" row 2 is infinite'),
    "other inputs": (STARTS, [*TIMES, "--inputs", "q"], 'only one state column ("q")'),
    "three inputs": (
        "x,q [rad],p [kg*m/s]\n1,2,3\n", [*TIMES, "--inputs", "x,q,p"],
        "--inputs names x, q, p; the run has the columns q, p",
    ),
    "a folder": (STARTS, [*TIMES, "-o", "folder"], '-o "folder" is a folder; name a file in it'),
    "no such folder": (STARTS, [*TIMES, "-o", "nowhere/a.csv"], '-o "nowhere/a.csv": there is no folder "nowhere"'),
    "no such method": (STARTS, [*TIMES, "--method", "tailoring"], "'tailoring' is not one of 'auto', 'projection'"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_forecast_is_refused_in_one_sentence_and_nothing_is_written(
    folder: Path, run: Path, told: Told, text: str, words: list[str], sentence: str
) -> None:
    Path("starts.csv").write_text(text)
    before = sorted(folder.rglob("*"))
    done = told("predict", run, "starts.csv", "-o", "forecast.csv", *words)
    assert (done.code, done.out) == (2, "")
    assert len(done.errors) == 1
    assert sentence in done.errors[0]
    assert sorted(folder.rglob("*")) == before


def test_an_output_is_asked_for(folder: Path, run: Path, told: Told) -> None:
    done = told("predict", run, "starts.csv", *TIMES)
    assert done.code == 2
    assert "Missing option '-o'" in done.errors[-1]


RUNS = {
    "none": ("missing.noether", "missing.noether: there is no such run file"),
    "a table": ("starts.csv", "starts.csv"),
    "a folder": ("folder", "folder: is a folder"),
    "no fit": ("enumerated.noether", "enumerated.noether"),
    "no laws": ("nothing.noether", "nothing.noether: holds no law to be enforced; a forecast needs one"),
}


@pytest.mark.parametrize(("name", "sentence"), RUNS.values(), ids=RUNS.keys())
def test_a_run_that_has_no_laws_or_cannot_be_read_is_refused(
    folder: Path, told: Told, name: str, sentence: str
) -> None:
    if name == "enumerated.noether":
        assert told("enumerate", "swings.csv", "--max-nodes", "3", "-o", name).code == 0
    if name == "nothing.noether":
        few = {"max_nodes": 3, "operators": ("mul", "add"), "rule": "paper"}  # which knows no sums
        assert discover(read_tables(PENDULUM).pick(range(8)), run=name, jobs=1, rank=False, **few).laws == ()
    before = sorted(folder.rglob("*"))
    done = told("predict", name, "starts.csv", *TIMES, "-o", "forecast.csv")
    assert (done.code, done.out, len(done.errors)) == (2, "", 1)
    assert done.errors[0].startswith(f"Error: {sentence}")
    assert sorted(folder.rglob("*")) == before


def test_an_interrupted_forecast_leaves_an_older_one_as_it_was(
    folder: Path, run: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("forecast.csv").write_text("older")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "trained", stop)
    assert told("predict", run, "starts.csv", *TIMES, "-o", "forecast.csv").code == 130
    assert Path("forecast.csv").read_text() == "older"
    assert len(list(folder.iterdir())) == 4
