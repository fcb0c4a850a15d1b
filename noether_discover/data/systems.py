"""Systems whose laws we know.

One row per system: how its state moves, how experiments with it begin, and every law that it obeys. The rows without a
law are as important as the others: a search must come back from them with empty hands.

N trajectories, D columns, S samples.
"""

from __future__ import annotations

import difflib
import math

import numpy as np
from noether_dsl.units import Unit, coherent_units

from ..errors import OptionError
from .groups import named_vectors
from .integration import solution
from .trajectories import FEWEST_SAMPLES, Trajectories
from .worlds import Array, System, renamed
from .worlds_bodies import BODIES
from .worlds_mechanics import MECHANICS
from .worlds_rates import RATES
from .worlds_without_laws import WITHOUT_LAWS

__all__ = ["SYSTEMS", "System", "constraints_of", "laws_of", "names", "simulate", "solve", "system_named"]

SYSTEMS: dict[str, System] = {row.name: row for row in (*MECHANICS, *BODIES, *RATES, *WITHOUT_LAWS)}
"""Every system by name; those without a law come last."""


def names() -> tuple[str, ...]:
    """The names of all systems."""
    return tuple(SYSTEMS)


def system_named(name: str) -> System:
    """The row with this name. Raises OptionError, with the nearest name or all."""
    if name in SYSTEMS:
        return SYSTEMS[name]
    close = difflib.get_close_matches(name, SYSTEMS, n=1)
    hint = f', did you mean "{close[0]}"?' if close else f". The systems are {', '.join(SYSTEMS)}."
    raise OptionError(f'there is no system "{name}"{hint}')


def laws_of(system: str | System, hints: bool = True) -> tuple[str, ...]:
    """The laws over the columns as `simulate` names them in formulas, with the same `hints`.

    >>> laws_of("oscillator_2d")[2], laws_of("oscillator_2d", hints=False)[2]
    ('q_x*p_y - q_y*p_x', 'x*py - y*px')
    """
    world = _world(system)
    return tuple(_spelled(world, law, hints) for law in world.laws)


def constraints_of(system: str | System, hints: bool = True) -> tuple[tuple[str, float], ...]:
    """The constraints likewise, each with its value."""
    world = _world(system)
    return tuple((_spelled(world, formula, hints), value) for formula, value in world.constraints)


def _world(system: str | System) -> System:
    return system if isinstance(system, System) else system_named(system)


def _spelled(world: System, formula: str, hints: bool) -> str:
    return renamed(formula, dict(zip(world.columns, world.symbols(hints), strict=True)))


def simulate(
    system: str | System,
    *,
    trajectories: int | None = None,
    samples: int | None = None,
    span: float | None = None,
    noise: float = 0.0,
    relative_noise: float = 0.0,
    seed: int = 0,
    hints: bool = True,
) -> Trajectories:
    """Measurements of a known world: evenly spaced samples over `span`, exact to the system's accuracy, plus noise.

    noise: standard deviation of the Gaussian noise that is added to every value, in the column's own unit.
    relative_noise: the same as a share of the standard deviation of the column's exact values. With both, the variances
        add.
    hints: whether the table says what is known about the columns: units, and by a dot which are components of one
        vector ("q.x"). Without, they are pure numbers with plain names, and so is the time.
    The same seed gives the same initial states and, scaled by the noise, the same errors.

    Raises OptionError for an unknown system or a setting that no experiment can have.
    """
    world = _world(system)
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
    if not (relative_noise >= 0 and math.isfinite(relative_noise)):
        raise OptionError(f"cannot add relative noise of {relative_noise}; it is a share such as 0.05, 0 or more")
    rng = np.random.default_rng(seed)
    t_S = np.linspace(0.0, duration, length)
    x_SND = solve(world, world.start(rng, count), t_S)
    deviation_D = np.hypot(noise, relative_noise * x_SND.std(axis=(0, 1)))
    if deviation_D.any():
        x_SND = x_SND + deviation_D * rng.normal(size=x_SND.shape)
    units, time_unit = _units(world) if hints else ((Unit(),) * len(world.columns), Unit())
    return Trajectories(
        names=world.names(hints),
        symbols=world.symbols(hints),
        units=units,
        states=tuple(np.ascontiguousarray(x_SND[:, n]) for n in range(count)),
        times=tuple(t_S.copy() for _ in range(count)),
        labels=tuple(str(n) for n in range(count)),
        time_name="t",
        time_unit=time_unit,
        origin=f"simulated {world.name}",
        vectors=named_vectors(world.names(hints), units)[0],
    )


def _units(world: System) -> tuple[tuple[Unit, ...], Unit]:
    """The units of the columns, and of the time."""
    time_key = ""  # no column is called so
    units = coherent_units({time_key: world.time_unit, **dict(zip(world.columns, world.units, strict=True))})
    assert all(unit.scale == 1 for unit in units.values()), "the rates are written in coherent units"
    return tuple(units[column] for column in world.columns), units[time_key]


def solve(world: System, start_ND: Array, t_S: Array) -> Array:
    """States [S, N, D] at the times t_S, the first of which is the start's, exact to the world's accuracy.

    Raises OptionError where that cannot be reached (chaos over a long span).
    """
    x_SND = solution(world.rates, start_ND, t_S, world.accuracy, stiff=world.stiff)
    if x_SND is None:
        raise OptionError(f"{world.name} cannot be computed over a span of {t_S[-1] - t_S[0]:g}; ask for a shorter one")
    return x_SND
