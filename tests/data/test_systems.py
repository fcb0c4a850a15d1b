"""Known worlds: what is simulated obeys its laws, its equations and its settings."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from noether_discover.data.systems import SYSTEMS, System, simulate, solve, system_named
from noether_discover.data.tables import read_tables
from noether_discover.errors import OptionError

FUNCTIONS = {"sin": np.sin, "cos": np.cos, "log": np.log, "sqrt": np.sqrt}
WITH_LAWS = [name for name, system in SYSTEMS.items() if system.laws]


def value(law: str, columns: tuple[str, ...], x_TD: np.ndarray) -> np.ndarray:
    """The law's value along a trajectory. The table is ours, so that eval is safe."""
    return np.asarray(eval(law, {"__builtins__": {}}, {**FUNCTIONS, **dict(zip(columns, x_TD.T, strict=True))}))


@pytest.mark.parametrize("name", WITH_LAWS)
def test_every_law_holds_along_every_trajectory(name: str) -> None:
    data = simulate(name, trajectories=20)
    for law in SYSTEMS[name].laws:
        values = [value(law, data.names, x) for x in data.states]
        between = np.std([v[0] for v in values])
        assert max(np.ptp(v) for v in values) < 1e-9 * between


@pytest.mark.parametrize("name", WITH_LAWS)
def test_the_laws_of_a_system_are_independent(name: str) -> None:
    data, step = simulate(name, trajectories=3), 1e-6
    x = data.states[1][7]
    nudged = [x + step * side * np.eye(len(x)) for side in (1, -1)]
    gradients = [
        (value(law, data.names, nudged[0]) - value(law, data.names, nudged[1])) / (2 * step)
        for law in SYSTEMS[name].laws
    ]
    assert np.linalg.matrix_rank(np.array(gradients), tol=1e-6) == len(SYSTEMS[name].laws)


@pytest.mark.parametrize("name", SYSTEMS)
def test_trajectories_follow_the_equations(name: str) -> None:
    data = simulate(name, trajectories=4, samples=101, span=0.01)
    for x, t in zip(data.states, data.times, strict=True):
        slope = (x[2:] - x[:-2]) / (t[2:] - t[:-2])[:, None]
        rates = SYSTEMS[name].rates(x[1:-1])
        assert np.allclose(slope, rates, atol=1e-4 * np.abs(rates).max())  # the central difference errs by h^2 x'''/6


def test_a_spring_swings_as_cosines_do() -> None:
    data = simulate("spring", seed=3)
    for x, t in zip(data.states, data.times, strict=True):
        (q, p), c, s = x[0], np.cos(2 * t), np.sin(2 * t)
        assert np.allclose(x, np.stack([q * c + p * s, p * c - q * s], axis=1), atol=1e-11)


def test_a_damped_oscillator_loses_energy() -> None:
    data = simulate("damped_oscillator")
    for x in data.states:
        assert (np.diff((x**2).sum(axis=1)) <= 1e-12).all()


def test_worlds_without_laws_are_marked() -> None:
    assert {name for name, system in SYSTEMS.items() if system.is_null} == {
        "damped_oscillator",
        "van_der_pol",
        "lorenz",
    }


def test_the_pendulum_is_the_papers() -> None:
    data = simulate("pendulum", seed=5, trajectories=200)
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


def test_the_seed_decides_everything() -> None:
    a, b, c = (simulate("spring", seed=seed, noise=0.1) for seed in (1, 1, 2))
    assert a.digest() == b.digest() != c.digest()


def test_noise_has_the_standard_deviation_that_was_asked_for() -> None:
    clean, noisy = simulate("spring", trajectories=400), simulate("spring", trajectories=400, noise=0.1)
    error = noisy.stacked - clean.stacked
    assert np.allclose(error.std(axis=0), 0.1, rtol=0.03)  # 12,000 samples: standard error 0.65 %
    assert np.abs(error.mean(axis=0)).max() < 0.005
    assert abs(np.corrcoef(error[:-1, 0], error[1:, 0])[0, 1]) < 0.05


def test_the_brought_example_is_what_the_generator_makes() -> None:
    path = resources.files("noether_discover.data") / "examples" / "pendulum.csv"
    with resources.as_file(path) as file:
        example = read_tables(file)
    made = simulate("pendulum", seed=0)
    assert example.labels == made.labels
    assert example.units == made.units
    assert np.allclose(
        example.stacked, made.stacked, rtol=0, atol=1e-12
    )  # sines differ in the last bit between machines


def test_chaos_over_a_long_span_is_refused_and_not_returned_wrong() -> None:
    with pytest.raises(OptionError, match="lorenz cannot be computed over a span of 40; ask for a shorter one"):
        simulate("lorenz", trajectories=2, samples=5, span=40.0)


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
    ],
)
def test_impossible_experiments_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        simulate("spring", **settings)


def test_an_unknown_system_is_answered_with_the_nearest() -> None:
    with pytest.raises(OptionError, match='there is no system "pendulm", did you mean "pendulum"'):
        system_named("pendulm")


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
