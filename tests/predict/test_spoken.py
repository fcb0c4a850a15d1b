"""Data of any kind, put into the columns and units that a user's network speaks.

The pendulum, columns q, p; its energy p^2 - 3 cos q is conserved.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from noether_dsl.units import coherent_units
from torch import nn

from noether_discover import DataError, Discovery, NoetherPredictor, PredictorError
from noether_discover.data.given import conversion, in_their_own_numbers, trajectories_of
from noether_discover.data.trajectories import Trajectories
from noether_discover.predict import predictors

TIMES = 0.1 * torch.arange(16, dtype=torch.float64)
DEGREE = np.pi / 180


def energy(x):
    return x[..., 1] ** 2 - 3 * torch.cos(x[..., 0])


def pendulum(x):
    return torch.stack([2 * x[..., 1], -3 * torch.sin(x[..., 0])], dim=-1)


FIRST = 1.2 * torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SWINGS = predictors.rollout(pendulum, FIRST, TIMES.expand(5, -1), time=0.02)
DATA = SWINGS, TIMES
STATES = SWINGS.reshape(-1, 2)


class Nearly(nn.Module):
    """The pendulum's motion with an error, for states in other units and another order.

    sizes: of a unit of each of its columns, in order. order: which of q, p those are.
    """

    def __init__(self, sizes=(1.0, 1.0), order=(0, 1)):
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double()
        self.sizes, self.order = torch.tensor(sizes, dtype=torch.float64), list(order)

    def forward(self, x):
        usual = torch.zeros_like(x).index_copy(-1, torch.tensor(self.order), x * self.sizes)
        return (pendulum(usual) + 0.1 * self.net(usual))[..., self.order] / self.sizes


def discovery(columns=("q", "p"), units=("rad", "kg*m/s"), scales=(1.0, 1.0), symbols=None, verdict="LAW"):
    law = {"formula": "p**2 - a*cos(q)", "parameters": [{"name": "a", "value": 3.0}], "verdict": verdict}
    return Discovery(verdict, "because", (law,), (), {}, {}, symbols or {}, columns, scales, units)


def table(header="trajectory,t [s],q [rad],p [kg*m/s]", q=1.0, reorder=False):
    """The data as a file's text, in other units and another order."""
    names = header.split(",")
    rows = [
        [str(k), repr(float(t)), *(repr(float(c)) for c in (x * np.array([q, 1.0]))[:: -1 if reorder else 1])]
        for k, x_TD in enumerate(SWINGS.numpy())
        for t, x in zip(TIMES, x_TD, strict=True)
    ]
    return "\n".join(",".join(row[: len(names)]) for row in [names, *rows]) + "\n"


@pytest.fixture
def written(tmp_path):
    def write(text, name="swings.csv"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.fixture(scope="module")
def reference():
    """What a network in the usual columns and units forecasts."""
    return NoetherPredictor(Nearly(), energy).fit(DATA, epochs=0).predict(FIRST, TIMES).states


# --- data of any kind, in the network's columns ----------------------------------------------------------------------


def frame():
    names = ["trajectory", "t [s]", "q [rad]", "p [kg*m/s]"]
    columns = np.repeat(range(5), 16), TIMES.repeat(5), STATES[:, 0], STATES[:, 1]
    return pd.DataFrame({name: np.asarray(column) for name, column in zip(names, columns, strict=True)})


def trajectories():
    units = coherent_units({"q": "rad", "p": "kg*m/s"})
    parts = tuple(x.numpy() for x in SWINGS), (TIMES.numpy(),) * 5, tuple("abcde")
    return Trajectories(("q", "p"), ("q", "p"), (units["q"], units["p"]), *parts)


def test_data_of_any_kind_are_the_same_data(written):
    path = written(table())
    kinds = [path, str(path), [path], frame(), trajectories(), DATA, (SWINGS.tolist(), TIMES.tolist())]
    kinds += [(list(SWINGS), [TIMES] * 5), (SWINGS.numpy(), TIMES.expand(5, -1))]
    wanted = NoetherPredictor(Nearly(), energy).fit(DATA, epochs=0)(STATES)
    for laws in (energy, discovery()):
        for data in kinds:
            found = NoetherPredictor(Nearly(), laws).fit(data, epochs=0)(STATES)
            torch.testing.assert_close(found, wanted, rtol=0, atol=1e-9)


def test_a_network_speaks_the_file_s_degrees(written, reference):
    path = written(table("trajectory,t [s],q [deg],p [kg*m/s]", q=1 / DEGREE))
    found = discovery(scales=(DEGREE, 1.0))
    predictor = NoetherPredictor(Nearly((DEGREE, 1.0)), found).fit(path, epochs=0)
    forecast = predictor.predict(FIRST * torch.tensor([1 / DEGREE, 1.0]), TIMES)
    # speeds, by which columns are weighed, are estimated from samples that differ by rounding
    torch.testing.assert_close(forecast.states * torch.tensor([DEGREE, 1.0]), reference, rtol=0, atol=1e-6)
    # the same network, wherever its data come from
    for other in (written(table(), "radians.csv"), trajectories()):
        again = predictor.fit(other, epochs=0).predict(FIRST * torch.tensor([1 / DEGREE, 1.0]), TIMES)
        torch.testing.assert_close(again.states, forecast.states, rtol=0, atol=1e-6)


@pytest.mark.parametrize("angles", ["rad", "1"])
def test_a_network_s_own_columns_are_found_and_converted(angles, written, reference):
    columns = ("p [g*m/s]", "q [deg]")
    sizes = torch.tensor([1e-3, DEGREE], dtype=torch.float64)
    predictor = NoetherPredictor(Nearly(sizes.tolist(), (1, 0)), discovery(units=(angles, "kg*m/s")), columns=columns)
    for text in (table(), table("trajectory,t [s],p [kg*m/s],q [deg]", q=1 / DEGREE, reorder=True)):
        forecast = predictor.fit(written(text), epochs=0).predict(FIRST.flip(-1) / sizes, TIMES)
        torch.testing.assert_close((forecast.states * sizes).flip(-1), reference, rtol=0, atol=1e-8)


def test_columns_may_be_called_as_the_file_or_the_formula_calls_them(written, reference):
    found = discovery(columns=("q", "p"), symbols={"q": "the angle"})
    for columns in (None, ("the angle [rad]", "p [kg*m/s]"), ("q [rad]", "p [kg*m/s]")):
        predictor = NoetherPredictor(Nearly(), found, columns=columns)
        predictor.fit(written(table("trajectory,t [s],the angle [rad],p [kg*m/s]")), epochs=0)
        torch.testing.assert_close(predictor.predict(FIRST, TIMES).states, reference, rtol=0, atol=1e-9)


def test_columns_that_the_network_does_not_know_are_left_out(written, reference):
    lines = table().splitlines()
    extra = ["remark,length [m],trajectory,t [s],q [rad],p [kg*m/s]", *(f"fine,2,{line}" for line in lines[1:])]
    predictor = NoetherPredictor(Nearly(), discovery()).fit(written("\n".join(extra)), epochs=0)
    torch.testing.assert_close(predictor.predict(FIRST, TIMES).states, reference, rtol=0, atol=1e-9)


def test_angles_in_degrees_count_their_turns_and_small_ones_are_left_alone():
    turning = np.linspace(0, 3 * np.pi, 30)
    data = {"t [s]": 0.1 * np.arange(30), "q [deg]": np.rad2deg(np.angle(np.exp(1j * turning))), "p [m]": turning}
    whole = in_their_own_numbers(trajectories_of(pd.DataFrame(data))).states[0]
    np.testing.assert_allclose(whole[:, 0], np.rad2deg(turning), atol=1e-9)
    data["q [deg]"] = 3.9 * np.sin(1.7 * np.arange(30))  # jumps of more than pi, in degrees
    small = in_their_own_numbers(pd.DataFrame(data)).states[0]
    np.testing.assert_allclose(small[:, 0], data["q [deg]"], rtol=1e-12)


def test_derivatives_that_the_data_brought_are_in_the_file_s_units():
    data = {"t [ms]": 100.0 * np.arange(9), "q [deg]": 0.5 * np.arange(9.0), "p [m]": np.arange(9.0) ** 2}
    data |= {"dq/dt": np.full(9, 0.005), "dp/dt": 0.02 * np.arange(9.0)}
    found = in_their_own_numbers(pd.DataFrame(data))
    np.testing.assert_allclose(found.times[0], data["t [ms]"])
    np.testing.assert_allclose(found.given_derivatives[0][:, 0], 0.005)
    np.testing.assert_allclose(found.given_derivatives[0][:, 1], 0.02 * np.arange(9.0), atol=1e-12)


@pytest.mark.parametrize(
    ("given", "wanted", "factor"),
    [
        ("deg", "rad", DEGREE), ("rad", "1", 1.0), ("deg/s", "1/s", DEGREE), ("1", "rad", None), ("m", "s", None),
        ("cm", "m", 0.01), ("m", "cm", 100.0), ("", "1", 1.0), ("AU/day", "AU/day", 1.0), ("J", "kg*m^2/s^2", 1.0),
    ],
)  # fmt: skip
def test_numbers_are_converted_where_units_allow_it(given, wanted, factor):
    assert conversion(given, wanted) == (factor if factor is None else pytest.approx(factor, rel=1e-12))


BAD_DATA = {
    "no such thing": (None, DataError, "data are a path, paths, a frame, Trajectories, or a tuple (states, times)"),
    "a list of both": ([SWINGS, TIMES], DataError, "data are a path, paths, a frame, Trajectories, or a tuple"),
    "one sequence": ((SWINGS[0], TIMES), DataError, "states are K arrays [T, D]"),
    "times too short": ((SWINGS, TIMES[:-1]), DataError, "times are [T], the same for all sequences, or one [T]"),
    "words": (([["a", "b"]], [0.0]), DataError, "states and times are arrays of numbers"),
    "no sequence": (([], []), DataError, "states are K arrays [T, D]"),
    "time goes back": ((SWINGS, -TIMES), DataError, "arrays: time does not increase"),
}


@pytest.mark.parametrize(("data", "kind", "words"), BAD_DATA.values(), ids=BAD_DATA.keys())
def test_data_that_are_none_are_refused(data, kind, words):
    with pytest.raises(kind) as refused:
        NoetherPredictor(Nearly(), energy).fit(data, epochs=0)
    assert words in str(refused.value)


BAD_COLUMNS = {
    "unit of the data": (
        "t [s],q [m],p [kg*m/s]",
        'swings.csv: column "q" has the unit m, and the network has it in rad',
    ),
    "no unit": ("t [s],q,p [kg*m/s]", 'swings.csv: column "q" has no unit, and the network has it in rad'),
    "no column": ("t [s],q [rad],v [m/s]", 'swings.csv: the network has a column "p" and the data have none'),
}


@pytest.mark.parametrize(("header", "words"), BAD_COLUMNS.values(), ids=BAD_COLUMNS.keys())
def test_data_in_other_columns_or_units_are_refused(header, words, written):
    with pytest.raises(PredictorError) as refused:
        NoetherPredictor(Nearly(), discovery()).fit(written(table(f"trajectory,{header}")), epochs=0)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (("q [m]", "p [kg*m/s]"), 'the network has column "q" in m, the law has it in rad; convert one'),
        (("q", "p [kg*m/s]"), 'the network has column "q" in a pure number, the law has it in rad'),
        (("q [rad]", "v [m/s]"), 'the law has a column "p" and the network has none; it has q, v'),
        (("q [radd]", "p [kg*m/s]"), 'column "q" of the network: unknown unit "radd", did you mean "rad"?'),
        (("q [rad]", "p [kg*m/s]", "q [m]"), "a column of the network is named twice"),
    ],
)
def test_columns_that_are_not_the_law_s_are_refused(columns, words):
    with pytest.raises(PredictorError) as refused:
        NoetherPredictor(Nearly(), discovery(), columns=columns)
    assert words in str(refused.value)


def test_arrays_have_the_network_s_columns():
    three = torch.cat([SWINGS, SWINGS[..., :1]], dim=-1)
    with pytest.raises(PredictorError, match="the arrays have 3 columns and the network 2: q, p"):
        NoetherPredictor(Nearly(), discovery()).fit((three, TIMES), epochs=0)


@pytest.mark.parametrize("verdict", ["NONE", "CONSTRAINT", "UNDECIDED"])
def test_a_discovery_without_laws_is_refused(verdict):
    with pytest.raises(PredictorError, match=rf"holds no law to be enforced; it says {verdict}: because"):
        NoetherPredictor(Nearly(), discovery(verdict=verdict))
