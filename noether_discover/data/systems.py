"""Worlds whose laws we know.

One row per system: how its state moves, how experiments with it begin, and every law that it obeys. The rows without a
law are as important as the others: a search must come back from them with empty hands.

N trajectories, D columns, S samples.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from noether_dsl.units import coherent_units
from numpy.typing import NDArray

from ..errors import OptionError
from .trajectories import FEWEST_SAMPLES, Trajectories

Array = NDArray[np.float64]

ACCURACY = 1e-10
"""How much a simulated state may change when the step is halved, relative to the size of its column."""

_STAGES = 7
_FINEST = 128


@dataclass(frozen=True)
class System:
    """A world: x' = rates(x).

    columns, units: of the state; `time_unit` of the time, "" for a pure number.
    rates: states [N, D] -> their time derivatives [N, D].
    start: generator, N -> N initial states [N, D].
    span, samples, trajectories: what one experiment is, unless the caller says otherwise.
    laws: a complete set of functionally independent laws, as formulas over the columns.
    accuracy: what can be asked for; chaos magnifies rounding errors.
    """

    name: str
    columns: tuple[str, ...]
    rates: Callable[[Array], Array]
    start: Callable[[np.random.Generator, int], Array]
    span: float
    laws: tuple[str, ...]
    units: tuple[str, ...] = ()
    time_unit: str = ""
    samples: int = 100
    trajectories: int = 50
    accuracy: float = ACCURACY

    def __post_init__(self) -> None:
        if not self.units:
            object.__setattr__(self, "units", ("",) * len(self.columns))
        assert len(self.units) == len(self.columns), "one unit per column"
        assert self.span > 0
        assert self.samples >= FEWEST_SAMPLES

    @property
    def is_null(self) -> bool:
        """Whether nothing is conserved here."""
        return not self.laws


def _box(*bounds: tuple[float, float]) -> Callable[[np.random.Generator, int], Array]:
    """Initial states uniform in a box, one (low, high) per column."""
    low, high = zip(*bounds, strict=True)
    return lambda rng, N: rng.uniform(low, high, (N, len(bounds)))


def _ring(inner: float, outer: float) -> Callable[[np.random.Generator, int], Array]:
    """Initial states in the plane with uniform radius and uniform direction."""

    def start(rng: np.random.Generator, N: int) -> Array:
        radius, angle = rng.uniform(inner, outer, N), rng.uniform(0, 2 * np.pi, N)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    return start


def _orbits(rng: np.random.Generator, N: int) -> Array:
    """Bound planar orbits about a unit mass, begun at an apsis: eccentricity up to about 0.44."""
    radius, angle, factor = rng.uniform(0.8, 1.5, N), rng.uniform(0, 2 * np.pi, N), rng.uniform(0.75, 1.15, N)
    speed = factor / np.sqrt(radius)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([radius * cos, radius * sin, -speed * sin, speed * cos], axis=1)


def _inside_the_well(rng: np.random.Generator, N: int) -> Array:
    """Hénon-Heiles states of energy 0.01 to 0.12 (it escapes above 1/6), in a uniform direction of phase space."""
    energy = rng.uniform(0.01, 0.12, N)
    ray = rng.normal(size=(N, 4))
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    cubic = ray[:, 0] ** 2 * ray[:, 1] - ray[:, 1] ** 3 / 3  # |cubic| <= 1/3: energy rises along a ray up to length 1
    low, high = np.zeros(N), np.ones(N)
    for _ in range(60):
        middle = (low + high) / 2
        below = middle**2 / 2 + cubic * middle**3 < energy
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return ray * low[:, None]


def _columnwise(equations: Callable[..., tuple[Array, ...]]) -> Callable[[Array], Array]:
    """Rates written column by column, as the textbook has them."""
    return lambda x_ND: np.stack(equations(*x_ND.T), axis=1)


def _kepler(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    cube = (x * x + y * y) ** 1.5
    return vx, vy, -x / cube, -y / cube


SYSTEMS: dict[str, System] = {
    row.name: row
    for row in (
        System(
            "pendulum", ("q", "p"), _columnwise(lambda q, p: (2 * p, -3 * np.sin(q))), _ring(1.3, 2.3), 3.0,
            ("p**2 - 3*cos(q)",), ("rad", "kg*m/s"), "s", samples=45,
        ),
        System(
            "spring", ("q", "p"), _columnwise(lambda q, p: (2 * p, -2 * q)), _ring(0.1, 1.0), 3.0,
            ("p**2 + q**2",), ("m", "kg*m/s"), "s", samples=30,
        ),
        System(
            "oscillator_2d", ("x", "y", "px", "py"), _columnwise(lambda x, y, px, py: (px, py, -x, -y)),
            _box(*[(-1, 1)] * 4), 10.0, ("x**2 + px**2", "y**2 + py**2", "x*py - y*px"),
        ),
        System(
            "kepler", ("x", "y", "vx", "vy"), _columnwise(_kepler), _orbits, 25.0,
            (
                "(vx**2 + vy**2)/2 - 1/sqrt(x**2 + y**2)",
                "x*vy - y*vx",
                "vy*(x*vy - y*vx) - x/sqrt(x**2 + y**2)",
            ),
        ),
        System(
            "henon_heiles", ("x", "y", "px", "py"),
            _columnwise(lambda x, y, px, py: (px, py, -x - 2 * x * y, -y - x * x + y * y)), _inside_the_well, 50.0,
            ("(px**2 + py**2 + x**2 + y**2)/2 + x**2*y - y**3/3",),
        ),
        System(
            "lotka_volterra", ("x", "y"), _columnwise(lambda x, y: (x - x * y, x * y - y)), _box((0.5, 2), (0.5, 2)),
            15.0, ("x + y - log(x) - log(y)",),
        ),
        System(
            "lotka_volterra_3", ("x", "y", "z"),
            _columnwise(lambda x, y, z: (x * (y - z), y * (z - x), z * (x - y))), _box(*[(0.3, 2)] * 3), 15.0,
            ("x + y + z", "x*y*z"),
        ),
        System(
            "euler_top", ("w1", "w2", "w3"),
            _columnwise(lambda w1, w2, w3: (-w2 * w3, w1 * w3, -w1 * w2 / 3)), _box(*[(-1, 1)] * 3), 20.0,
            ("w1**2 + 2*w2**2 + 3*w3**2", "w1**2 + 4*w2**2 + 9*w3**2"),
        ),
        System(
            "damped_oscillator", ("x", "v"), _columnwise(lambda x, v: (v, -x - 0.5 * v)), _box((-1, 1), (-1, 1)),
            10.0, (), ("m", "m/s"), "s",
        ),
        System(
            "van_der_pol", ("x", "v"), _columnwise(lambda x, v: (v, (1 - x * x) * v - x)), _box((-2, 2), (-2, 2)),
            20.0, (),
        ),
        System(
            "lorenz", ("x", "y", "z"),
            _columnwise(lambda x, y, z: (10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z)),
            _box((-10, 10), (-10, 10), (10, 40)), 10.0, (), accuracy=1e-5,
        ),
    )
}  # fmt: skip
"""Every system by name."""


def system_named(name: str) -> System:
    """The row with this name. Raises OptionError, with the nearest name."""
    if name in SYSTEMS:
        return SYSTEMS[name]
    close = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f', did you mean "{close[0]}"?' if close else "."
    raise OptionError(f'there is no system "{name}"{hint} The systems are {", ".join(SYSTEMS)}.')


def simulate(
    system: str | System,
    *,
    trajectories: int | None = None,
    noise: float = 0.0,
    seed: int = 0,
    samples: int | None = None,
    span: float | None = None,
) -> Trajectories:
    """Measurements of a known world: evenly spaced samples over `span`, exact to the system's accuracy, plus noise.

    noise: standard deviation of the Gaussian noise that is added to every value, in the column's own unit.
    The same seed gives the same initial states and, scaled by `noise`, the same errors.

    Raises OptionError for an unknown system or a setting that no experiment can have.
    """
    world = system if isinstance(system, System) else system_named(system)
    count = world.trajectories if trajectories is None else trajectories
    length = world.samples if samples is None else samples
    duration = world.span if span is None else span
    if count < 1:
        raise OptionError(f"cannot simulate {count} trajectories; ask for at least 1")
    if length < FEWEST_SAMPLES:
        raise OptionError(f"cannot use trajectories of {length} samples; ask for at least {FEWEST_SAMPLES}")
    if not (duration > 0 and math.isfinite(duration)):
        raise OptionError(f"cannot simulate a span of {duration}; it must be a positive number")
    if not (noise >= 0 and math.isfinite(noise)):
        raise OptionError(f"cannot add noise of {noise}; it is a standard deviation, 0 or more")
    rng = np.random.default_rng(seed)
    t_S = np.linspace(0.0, duration, length)
    x_SND = solve(world, world.start(rng, count), t_S)
    if noise:
        x_SND = x_SND + noise * rng.normal(size=x_SND.shape)
    time_key = ""  # no column is called so
    units = coherent_units({time_key: world.time_unit, **dict(zip(world.columns, world.units, strict=True))})
    assert all(unit.scale == 1 for unit in units.values()), "the rates are written in coherent units"
    return Trajectories(
        names=world.columns,
        symbols=world.columns,
        units=tuple(units[c] for c in world.columns),
        states=tuple(np.ascontiguousarray(x_SND[:, n]) for n in range(count)),
        times=tuple(t_S.copy() for _ in range(count)),
        labels=tuple(str(n) for n in range(count)),
        time_name="t",
        time_unit=units[time_key],
        origin=f"simulated {world.name}",
    )


def solve(world: System, start_ND: Array, t_S: Array) -> Array:
    """States [S, N, D] at the times t_S, the first of which is the start's.

    The number of steps between samples is doubled until no state changes by more than `accuracy` of its column's size.
    Raises OptionError where that cannot be reached (chaos over a long span).
    """
    steps, coarse = 1, _stepped(world.rates, start_ND, t_S, 1)
    while steps < _FINEST:
        steps *= 2
        fine = _stepped(world.rates, start_ND, t_S, steps)
        size = np.abs(fine).max(axis=(0, 1))
        if np.isfinite(fine).all() and (np.abs(fine - coarse) <= world.accuracy * size).all():
            return fine
        coarse = fine
    raise OptionError(f"{world.name} cannot be computed over a span of {t_S[-1] - t_S[0]:g}; ask for a shorter one")


def _stepped(rates: Callable[[Array], Array], start_ND: Array, t_S: Array, steps: int) -> Array:
    x, out = start_ND, [start_ND]
    with np.errstate(over="ignore", invalid="ignore"):  # steps that are too long overflow and are refused
        for duration in np.diff(t_S):
            for _ in range(steps):
                x = _extrapolated(rates, x, duration / steps)
            out.append(x)
    return np.stack(out)


def _extrapolated(rates: Callable[[Array], Array], x_ND: Array, h: float) -> Array:
    """One step of order 2 * _STAGES: midpoint rules with 2, 4, 6... substeps, extrapolated to infinitely many.

    The midpoint rule's error is a series in the square of its substep (Gragg 1965; Hairer, Nørsett, Wanner II.9), so
    that Neville's scheme removes one term per column.
    """
    rate = rates(x_ND)
    table: list[Array] = []
    for j in range(1, _STAGES + 1):
        n = 2 * j
        before, now = x_ND, x_ND + h / n * rate
        for _ in range(n - 1):
            before, now = now, before + 2 * h / n * rates(now)
        row = [now]
        for k, above in enumerate(table, start=1):
            row.append(row[-1] + (row[-1] - above) / ((n / (n - 2 * k)) ** 2 - 1))
        table = row
    return table[-1]
