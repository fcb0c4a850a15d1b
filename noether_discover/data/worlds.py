"""What a known system is, and how experiments with it begin.

N trajectories, D columns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .headers import symbols_of
from .trajectories import FEWEST_SAMPLES

Array = NDArray[np.float64]
Start = Callable[[np.random.Generator, int], Array]

ACCURACY = 1e-10
"""How much a simulated state may change when it is computed more finely, relative to the size of its column."""

_NAME = re.compile(r"(?<![\w.])[^\W\d]\w*")


@dataclass(frozen=True)
class System:
    """A world: x' = rates(x).

    columns, units: of the state; `time_unit` of the time, "" for a pure number. The units are coherent; constants of
        the world (a mass of 1, a gravity of 1) carry theirs silently.
    rates: states [N, D] -> their time derivatives [N, D].
    start: generator, N -> N initial states [N, D].
    span, samples, trajectories: what one experiment is, unless the caller says otherwise.
    laws: a complete set of laws, as formulas over the columns; `independent` of them are functionally independent (all,
        unless it says otherwise).
    constraints: formulas over the columns with the one value that they have on all trajectories.
    hinted: the columns by the names that say what belongs together: "q.x" and "q.y" are components of the vector q.
        The columns themselves where nothing does.
    about: what it is, in a line.
    stiff: whether its rates differ so much that an implicit method has to solve it.
    accuracy: what can be asked for; chaos magnifies rounding errors. Infinite where two close encounters can magnify
        them beyond all bounds: every step is exact then, and so are the laws.
    """

    name: str
    columns: tuple[str, ...]
    rates: Callable[[Array], Array]
    start: Start
    span: float
    laws: tuple[str, ...]
    units: tuple[str, ...] = ()
    time_unit: str = ""
    samples: int = 100
    trajectories: int = 50
    accuracy: float = ACCURACY
    constraints: tuple[tuple[str, float], ...] = ()
    hinted: tuple[str, ...] = ()
    independent: int = -1
    about: str = ""
    stiff: bool = False

    def __post_init__(self) -> None:
        for field, value in (
            ("units", self.units or ("",) * len(self.columns)),
            ("hinted", self.hinted or self.columns),
            ("independent", len(self.laws) if self.independent < 0 else self.independent),
        ):
            object.__setattr__(self, field, value)
        assert len(self.units) == len(self.hinted) == len(self.columns), "one unit and one name per column"
        assert self.span > 0
        assert self.samples >= FEWEST_SAMPLES
        assert self.independent <= len(self.laws)

    @property
    def is_null(self) -> bool:
        """Whether nothing is conserved here."""
        return not self.laws

    @property
    def vectors(self) -> dict[str, tuple[str, ...]]:
        """Which columns are the components of which vector: {"q": ("x", "y")}; empty where none is."""
        found: dict[str, tuple[str, ...]] = {}
        for column, name in zip(self.columns, self.hinted, strict=True):
            vector, dot, _ = name.rpartition(".")
            if dot:
                found[vector] = (*found.get(vector, ()), column)
        return found

    def names(self, hints: bool) -> tuple[str, ...]:
        """What the columns are called in a table with hints, or without."""
        return self.hinted if hints else self.columns

    def symbols(self, hints: bool) -> tuple[str, ...]:
        """What the columns are called in formulas about a table with hints, or without."""
        return symbols_of(self.names(hints))


def renamed(formula: str, symbols: Mapping[str, str]) -> str:
    """The formula with other names for its columns.

    >>> renamed("x*vy - exp(x)", {"x": "q_x", "vy": "v_y"})
    'q_x*v_y - exp(q_x)'
    """
    return _NAME.sub(lambda found: symbols.get(found[0], found[0]), formula)


def columnwise(equations: Callable[..., tuple[Array, ...]]) -> Callable[[Array], Array]:
    """Rates written column by column, as the textbook has them."""
    return lambda x_ND: np.stack(equations(*x_ND.T), axis=1)


def box(*bounds: tuple[float, float]) -> Start:
    """Initial states uniform in a box, one (low, high) per column."""
    low, high = zip(*bounds, strict=True)
    return lambda rng, N: rng.uniform(low, high, (N, len(bounds)))


def ring(inner: float, outer: float) -> Start:
    """Initial states in the plane with uniform radius and uniform direction."""

    def start(rng: np.random.Generator, N: int) -> Array:
        radius, angle = rng.uniform(inner, outer, N), rng.uniform(0, 2 * np.pi, N)
        return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)

    return start


def followed_by(first: Start, constants: tuple[float, ...]) -> Start:
    """Initial states whose last columns begin with the same values on every trajectory."""
    return lambda rng, N: np.hstack([first(rng, N), np.tile(constants, (N, 1))])
