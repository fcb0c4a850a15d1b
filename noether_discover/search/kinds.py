"""What the columns are, as far as units and data tell, before terms are made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from noether_dsl.dimension import ANGLE, PURE, Dimension

from ..data.constants import constant_columns
from ..data.derived import derivative_of
from ..data.trajectories import Trajectories


@dataclass(frozen=True)
class Kinds:
    """What is known of the columns.

    symbols: those that have more than one value. constant: those of them that never change along a trajectory.
    dimensions: theirs. angles: columns in radians. typed: whether any column has a unit.
    rates: column -> the column that is its rate of change. positive, nonzero: columns without other values.
    groups: columns that a linear law adds up, and so are of one kind; and the positions whose rates are.
    vectors: name -> component symbols. time: the column that is the time, if any; span: how long a trajectory is.
    sizes: the columns' deviations.
    """

    symbols: tuple[str, ...]
    dimensions: Mapping[str, Dimension]
    rates: Mapping[str, str] = field(default_factory=dict)
    positive: frozenset[str] = frozenset()
    nonzero: frozenset[str] = frozenset()
    angles: frozenset[str] = frozenset()
    groups: tuple[frozenset[str], ...] = ()
    constant: tuple[str, ...] = ()
    vectors: tuple[tuple[str, tuple[str, ...]], ...] = ()
    time: str | None = None
    span: float = 0.0
    sizes: Mapping[str, float] = field(default_factory=dict)

    @property
    def typed(self) -> bool:
        """Whether dimensions tell anything."""
        return any(dimension != PURE for dimension in self.dimensions.values())

    @property
    def positions(self) -> tuple[str, ...]:
        """The columns that have a rate; all that move where none has."""
        found = tuple(s for s in self.symbols if s in self.rates)
        return found or tuple(s for s in self.symbols if s not in self.constant and s != self.time)

    @property
    def velocities(self) -> tuple[str, ...]:
        """The rates of the positions; all that move where there is none."""
        found = tuple(dict.fromkeys(self.rates[s] for s in self.symbols if s in self.rates))
        return found or tuple(s for s in self.symbols if s not in self.constant and s != self.time)

    def pure(self, *symbols: str) -> bool:
        """Whether exp and log can take them."""
        return all(self.dimensions[s] == PURE and s not in self.angles for s in symbols)

    def turning(self, *symbols: str) -> bool:
        """Whether sin and cos can take them."""
        return all(s in self.angles or (not self.typed and self.dimensions[s] == PURE) for s in symbols)

    def alike(self, *symbols: str) -> bool:
        """Whether they can be subtracted from one another, or be components of a vector."""
        return len({self.dimensions[s] for s in symbols}) == 1 and len({s in self.angles for s in symbols}) == 1

    def same_axis(self, one: str, other: str) -> bool:
        """Whether two columns may be two bodies' coordinates along one axis: in one group, where groups are known."""
        own = [group for group in self.groups if one in group or other in group]
        return not own or any(one in group and other in group for group in own)


def kinds_of(trajectories: Trajectories) -> Kinds:
    """The kinds of the columns of some trajectories (denoised ones, best)."""
    x_ND = trajectories.stacked
    names = trajectories.symbols
    low, high = x_ND.min(axis=0), x_ND.max(axis=0)
    varied = high - low > 1e-12 * np.abs(x_ND).max(axis=0)
    still = constant_columns(trajectories)
    angle = Dimension.of({ANGLE: 1})
    origins = dict(zip(names, trajectories.origins, strict=True))
    rates = {s: v for s, v in derivative_of(trajectories).items() if varied[names.index(s)] and varied[names.index(v)]}
    return Kinds(
        symbols=tuple(s for s, d in zip(names, varied, strict=True) if d),
        dimensions={
            s: PURE if u.dimension == angle else u.dimension for s, u in zip(names, trajectories.units, strict=True)
        },
        rates=rates,
        positive=frozenset(s for s, a in zip(names, low, strict=True) if a > 0),
        nonzero=frozenset(s for s, a, b in zip(names, low, high, strict=True) if a > 0 or b < 0),
        angles=frozenset(s for s, is_angle in zip(names, trajectories.angles, strict=True) if is_angle),
        constant=tuple(s for s, d, c in zip(names, varied, still, strict=True) if d and c),
        vectors=trajectories.vectors,
        time=next((s for s in names if (o := origins[s]) is not None and o.kind == "time"), None),
        sizes=dict(zip(names, x_ND.std(axis=0).tolist(), strict=True)),
        span=float(np.median([t[-1] - t[0] for t in trajectories.times])),
    )
