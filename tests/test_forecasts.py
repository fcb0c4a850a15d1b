"""Forecasts from a run file: what is kept, from which first states, in whose units, at which times."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from noether_dsl.units import Unit

from noether_discover import DataError, OptionError, PredictorError, ReadOptions, RunFileError, discover, forecast
from noether_discover.data.tables import read_tables, survey
from noether_discover.data.trajectories import Trajectories
from noether_discover.forecasts import _times
from noether_discover.predict import bench, heads
from noether_discover.predict.bench import NetworkSettings
from noether_discover.predict.forecasting import forecaster
from noether_discover.predict.table import Candidate

PENDULUM = Path(__file__).parents[1] / "noether_discover" / "data" / "examples" / "pendulum.csv"
STARTS = "trajectory,q [rad],p [kg*m/s]\na,1.0,0.0\nb,-0.5,1.0\n"
Write = Callable[..., Path]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small network."""
    path = tmp_path_factory.mktemp("run") / "pendulum.noether"
    few = read_tables(PENDULUM).pick(range(8))
    discover(few, run=path, jobs=1, rank=False, steps=60, epochs=10, operators=("square", "cos", "sub", "mul"))
    return path


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(text: str, name: str = "starts.csv") -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks: nothing here asks how good they are."""
    monkeypatch.setattr(bench, "NetworkSettings", functools.partial(NetworkSettings, hidden=16))
    monkeypatch.setattr(heads, "fitted_network", functools.partial(heads.fitted_network, steps=5))


def energy(states: np.ndarray) -> np.ndarray:
    return states[..., 1] ** 2 - 3 * np.cos(states[..., 0])


# --- what is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["projection", "auto"])
def test_the_law_holds_along_a_forecast_and_not_along_the_plain_one(run: Path, write: Write, method: str) -> None:
    found = forecast(run, write(STARTS), until=2, step=0.05, method=method)
    assert len(found.states) == len(found.plain) == len(found.times) == 2
    for x, plain, t in zip(found.states, found.plain, found.times, strict=True):
        assert x.shape == plain.shape == (41, 2)
        np.testing.assert_allclose(t, np.linspace(0, 2, 41), atol=1e-12)
        assert np.array_equal(x[0], plain[0])
        assert np.ptp(energy(x)) < 1e-4 < 0.1 < np.ptp(energy(plain))  # of Runge-Kutta steps, of a hasty network
    wanted = {"projection", "structured"} if method == "auto" else {method}
    assert set(found.errors) == {*wanted, "plain"}
    assert found.method == min(wanted, key=lambda way: found.errors[way])
    assert found.fallbacks == 0 < found.asked


def oscillator(sequences: int = 4, samples: int = 25) -> Trajectories:
    """In the plane: x, y, px, py."""
    first = np.random.default_rng(0).normal(size=(sequences, 1, 4))
    t = 0.1 * np.arange(samples)
    cos, sin = np.cos(t)[:, None], np.sin(t)[:, None]
    x, p = first[..., :2], first[..., 2:]
    states = np.concatenate([x * cos + p * sin, p * cos - x * sin], axis=-1)
    names = ("x", "y", "px", "py")
    return Trajectories(names, names, (Unit(),) * 4, tuple(states), (t,) * sequences, tuple("abcd"[:sequences]))


def skewed(x: torch.Tensor) -> torch.Tensor:
    """Conserved, with a gradient that is not at right angles to the energy's."""
    return x[..., 0] * x[..., 3] - x[..., 1] * x[..., 2] + x.square().sum(-1)


LAWS = (Candidate("energy", lambda x: x.square().sum(-1) / 2), Candidate("skewed", skewed))


@pytest.mark.parametrize("method", ["projection", "structured"])
def test_two_laws_hold_at_once(method: str) -> None:
    data = oscillator()
    made = forecaster(data, LAWS, NetworkSettings(steps=40, hidden=16, epochs=5), method)
    first, times = (torch.tensor(np.stack(part)) for part in ([x[0] for x in data.states], data.times))
    states, plain, tally = made.rollouts(first, times)
    for law in LAWS:
        kept, lost = (law.quantity(x) for x in (states, plain))
        assert float((kept - kept[:, :1]).abs().max()) < 1e-4 < 0.1 < float((lost - lost[:, :1]).abs().max())
    assert tally.plain == 0 < tally.asked


def test_an_approximate_law_is_enforced_as_far_as_training_rollouts_like_it() -> None:
    data = oscillator()
    damped = Trajectories(
        data.names, data.symbols, data.units,
        tuple(x * np.exp(-0.05 * t)[:, None] for x, t in zip(data.states, data.times, strict=True)),
        data.times, data.labels,
    )  # fmt: skip
    law = Candidate("energy", LAWS[0].quantity, approximate=True)
    made = forecaster(damped, [law], NetworkSettings(steps=40, hidden=16, epochs=5))
    assert min(made.errors.values()) == made.errors[made.method] < made.errors["plain"]


def test_a_law_that_does_harm_is_not_enforced_unless_it_is_asked_for() -> None:
    settings = NetworkSettings(steps=600, hidden=16, epochs=20)
    wrong = Candidate("wrong", lambda x: x[..., 0] * x[..., 3])
    made = forecaster(oscillator(), [wrong], settings)
    assert made.method == "plain"
    assert made.errors["plain"] == min(made.errors.values())
    with_law, plain, _ = made.rollouts(torch.ones(1, 4, dtype=torch.float64), torch.linspace(0, 1, 5)[None].double())
    assert torch.equal(with_law, plain)
    assert forecaster(oscillator(), [wrong], settings, "projection").method == "projection"


def test_laws_that_cannot_be_enforced_are_refused() -> None:
    settings = NetworkSettings(steps=2, hidden=4, epochs=1)
    with pytest.raises(PredictorError, match="there is no law to be enforced"):
        forecaster(oscillator(), [], settings)
    with pytest.raises(PredictorError, match="law 1 of 1 is undefined somewhere on the data"):
        forecaster(oscillator(), [Candidate("log", lambda x: x[..., 0].log())], settings)
    with pytest.raises(OptionError, match="there are auto, projection, structured"):
        forecaster(oscillator(), LAWS, settings, "tailoring")


@pytest.mark.parametrize("method", ["projection", "structured"])
def test_where_the_law_is_undefined_the_plain_prediction_stands_and_is_counted(method: str) -> None:
    law = Candidate("log", lambda x: torch.log(x[..., 0] + 9) + x[..., 1])
    made = forecaster(oscillator(2, 12), [law], NetworkSettings(steps=2, hidden=4, epochs=1), method)
    first = torch.tensor([[-99.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]).double()
    states, plain, tally = made.rollouts(first, 0.1 * torch.arange(3).double().expand(2, -1))
    assert torch.equal(states[0], plain[0])
    assert tally.plain == tally.asked / 2 > 0


# --- first states in anybody's units ---------------------------------------------------------------------------------


def test_first_states_are_converted_to_the_run_s_units_and_put_into_its_order(run: Path, write: Write) -> None:
    wanted = forecast(run, write(STARTS), until=1, step=0.5, method="projection")
    other = write("p [g*m/s],q [deg],trajectory\n0,57.29577951308232,a\n1000,-28.64788975654116,b\n", "other.csv")
    found = forecast(run, str(other), until=1, step=0.5, method="projection")
    assert list(found.to_frame()) == list(wanted.to_frame())
    for x, y in zip(found.states, wanted.states, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-9)


def test_columns_of_other_names_are_the_run_s_in_its_order(run: Path, write: Write) -> None:
    wanted = forecast(run, write(STARTS), until=1, step=0.5, method="projection")
    text = STARTS.replace("q [", "angle [").replace("p [", "momentum [")
    options = ReadOptions(inputs=("angle", "momentum"))
    found = forecast(run, write(text), until=1, step=0.5, method="projection", options=options)
    assert np.array_equal(found.states, wanted.states)
    assert "angle plain [rad]" in found.to_frame()
    swapped = forecast(
        run, write(STARTS), until=1, step=0.5, method="projection", options=ReadOptions(inputs=("p", "q"))
    )
    assert np.array_equal(swapped.states, wanted.states)
    with pytest.raises(DataError, match='column "momentum" is in kg\\*m/s, the run has it in rad'):
        forecast(run, write(text), until=1, step=1, options=ReadOptions(inputs=("momentum", "angle")))


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("trajectory,q [rad],v [m/s]", 'there is no column "p"'),
        ("trajectory,q [m],p [kg*m/s]", 'column "q" is in m, the run has it in rad; convert it'),
        ("trajectory,q,p [kg*m/s]", 'column "q" has no unit, the run has it in rad'),
    ],
)
def test_first_states_in_other_columns_or_units_are_refused(run: Path, write: Write, header: str, words: str) -> None:
    path = write(STARTS.replace("trajectory,q [rad],p [kg*m/s]", header))
    with pytest.raises(DataError) as refused:
        forecast(run, path, until=1, step=0.1)
    assert str(refused.value).startswith("starts.csv: ")
    assert words in str(refused.value)


def test_a_run_without_laws_is_refused(tmp_path: Path, write: Write) -> None:
    path = tmp_path / "none.noether"
    few = {"max_nodes": 3, "operators": ("square", "mul"), "rule": "paper"}  # which knows no sums
    assert discover(PENDULUM, run=path, jobs=1, rank=False, **few).laws == ()
    with pytest.raises(RunFileError, match="holds no law to be enforced; a forecast needs one"):
        forecast(path, write(STARTS), until=1, step=0.1)


# --- times -----------------------------------------------------------------------------------------------------------


def test_forecasts_are_made_at_the_data_s_own_times_unless_others_are_asked_for(run: Path, write: Write) -> None:
    rows = [
        f"{k},{1000 * t:g},{q},0" for k, q in (("a", 1.0), ("b", 0.5)) for t in (0.5, 0.6, 0.8, 1.2)[: 4 - (k == "b")]
    ]
    path = write("\n".join(["trajectory,t [ms],q [rad],p [kg*m/s]", *rows]))
    own = forecast(run, path, method="projection")
    for t, wanted in zip(own.times, ([0.5, 0.6, 0.8, 1.2], [0.5, 0.6, 0.8]), strict=True):
        np.testing.assert_allclose(t, wanted, rtol=1e-12)
    finer = forecast(run, path, step=0.1, method="projection")
    assert [len(t) for t in finer.times] == [8, 4]
    longer = forecast(run, path, until=3, step=0.3, method="projection")
    assert [len(t) for t in longer.times] == [11, 11]
    # the same state at the same time, to what Runge-Kutta's steps of other lengths leave
    np.testing.assert_allclose(own.states[0][-1], finer.states[0][-1], atol=1e-5)
    np.testing.assert_allclose(finer.states[0][6], longer.states[0][2], atol=1e-4)


def timed(*times: list[float]) -> Trajectories:
    states = tuple(np.zeros((len(t), 2)) for t in times)
    parts = (Unit(),) * 2, states, tuple(map(np.array, times)), tuple(map(str, range(len(times))))
    return Trajectories(("q", "p"), ("q", "p"), *parts, time_name="t")


def test_a_forecast_covers_the_time_that_was_asked_for_and_no_more() -> None:
    data = timed([0, 0.1, 0.2], [5, 6, 8.05])
    ends = [float(t[-1]) for t in _times(data, None, 0.1, lone=False)]
    assert ends == pytest.approx([0.2, 8.0])
    (t, other) = _times(data, 2.0, 0.1, lone=False)
    assert (len(t), len(other)) == (21, 21)  # although 2 / 0.1 may be a little less than 20
    assert (t[-1], other[0], other[-1]) == pytest.approx((2.0, 5.0, 7.0))
    assert _times(data, 1.0, 0.35, lone=False)[0][-1] == pytest.approx(0.7)
    assert _times(data, 1.0, None, lone=False)[0][1] == pytest.approx(0.55)  # the median step


@pytest.mark.parametrize(
    ("until", "step", "words"),
    [
        (0.0, 0.1, "both are positive times"),
        (-1.0, 0.1, "both are positive times"),
        (1.0, 0.0, "both are positive times"),
        (float("nan"), 0.1, "both are positive times"),
        (1.0, float("nan"), "both are positive times"),
        (float("inf"), 0.1, "more than 100,000 samples"),
        (1e9, 0.1, "more than 100,000 samples"),
        (1.0, 2.0, "is longer than a forecast, 1; use a shorter one"),
    ],
)
def test_times_that_cannot_be_are_refused(until: float, step: float, words: str) -> None:
    with pytest.raises(OptionError) as refused:
        _times(timed([0, 0.1, 0.2]), until, step, lone=False)
    assert words in str(refused.value)


@pytest.mark.parametrize("given", [{}, {"until": 1.0}, {"step": 0.1}], ids=str)
@pytest.mark.parametrize(
    "text", [STARTS, "trajectory,t [s],q [rad],p [kg*m/s]\na,2,1.0,0\na,3,1,1\na,4,2,1\nb,7,-0.5,1\n"]
)
def test_first_states_alone_need_to_be_told_how_far(
    run: Path, write: Write, text: str, given: dict[str, float]
) -> None:
    with pytest.raises(OptionError, match="first states and no times; say how far with --until and --step"):
        forecast(run, write(text), **given)


def test_rows_that_are_nobody_s_first_state_are_remarked_upon(run: Path, write: Write) -> None:
    path = write("trajectory,q [rad],p [kg*m/s]\na,1,0\na,0.5,1\na,-0.5,1\n")
    found = forecast(run, path, until=0.2, step=0.1, method="projection")
    assert len(found.states) == 1
    assert any("only the first row of a trajectory is used" in note and "--trajectory" in note for note in found.notes)
    alone = forecast(run, write(STARTS), until=0.2, step=0.1, method="projection")
    assert not any("only the first" in note for note in alone.notes)


def test_without_times_and_trajectories_every_row_is_a_first_state(run: Path, write: Write) -> None:
    found = forecast(run, write("q [rad],p [kg*m/s]\n1,0\n0.5,1\n"), until=0.2, step=0.1, method="projection")
    assert found.starts.labels == ("1", "2")
    assert [x[0].tolist() for x in found.states] == [[1, 0], [0.5, 1]]


def test_several_files_are_several_forecasts(run: Path, write: Write) -> None:
    paths = [write("q [rad],p [kg*m/s]\n1,0\n", "one.csv"), write("q [rad],p [kg*m/s]\n0.5,1\n", "two.csv")]
    found = forecast(run, paths, until=0.2, step=0.1, method="projection")
    assert set(found.to_frame()["trajectory"]) == {"one", "two"}


# --- reading first states --------------------------------------------------------------------------------------------


def test_first_states_may_be_alone_and_their_columns_need_not_change(write: Write) -> None:
    path = write("trajectory,t [s],q [rad],p [kg*m/s]\na,2,1.0,0\nb,0,1.0,1\nb,1,1.0,2\nc,0,1,1\nc,1,1,2\nc,2,1,3\n")
    with pytest.raises(DataError, match='column "q" never changes'):
        read_tables(path)
    found = survey(path, ReadOptions(starts=True))
    assert found.lengthened == 2  # of three
    data = found.unwrap()
    assert data.labels == ("a", "b", "c")
    np.testing.assert_array_equal(data.states[0], [[1, 0]] * 3)
    np.testing.assert_array_equal(data.states[1], [[1, 1], [1, 2], [1, 2]])
    np.testing.assert_array_equal(data.times[1], [0, 1, 2])
    np.testing.assert_array_equal(data.states[2], [[1, 1], [1, 2], [1, 3]])


def test_whoever_asks_for_whole_trajectories_is_still_refused_short_ones(write: Write) -> None:
    with pytest.raises(DataError, match="no trajectory has 3 samples or more"):
        read_tables(write(STARTS))
    assert survey(write(STARTS), ReadOptions(starts=True)).unwrap().labels == ("a", "b")
