"""Trajectories: what was observed.

K trajectories of T_k samples of D columns; never concatenated, ragged lengths allowed, one unit per column.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from noether_dsl.units import Unit
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[np.float64]

Vectors = tuple[tuple[str, tuple[str, ...]], ...]
"""Names of vectors with the symbols of the columns that are their components."""

ROUNDING = 1e-12
"""The share of its size to which a number that does not change is the same again."""
FEWEST_SAMPLES = 3
"""A trajectory with fewer samples says nothing about conservation."""


@dataclass(frozen=True)
class Derived:
    """Where a column comes from that is no measurement of the state.

    kind: "velocity" (the time derivative of the column with the symbol `of`) or "time".
    error: its root mean square error in the column's unit, where it is known from how the column was made; None for a
        velocity that the file gave, whose noise shows in its own scatter.
    """

    kind: str
    of: str = ""
    error: float | None = None


@dataclass(frozen=True)
class Trajectories:
    """Measured states with their sequences, times and units.

    names: the D columns as the file spells them.
    symbols: the D columns as formulas spell them (identifiers).
    units: D units over the file's own coherent system. `states` are in the coherent units already; a unit's `scale` is
        the factor that brought the file's column there (0.01745... for degrees).
    states: K arrays [T_k, D], finite float64.
    times: K arrays [T_k], strictly increasing.
    labels: K names, as the file spells them.
    given_derivatives: K arrays [T_k, D] of dx/dt where the file gave them, else None.
    time_name, time_unit: of the time column, likewise; None when the file had none (times are then sample numbers).
    origin: what messages call the data.
    derived: for each of the D columns where it comes from, None for a measured one; empty when all were measured.
    constants: symbols of columns that are known not to change along any trajectory but for noise (`constants` finds
        them); those that do not change at all need not be named.
    vectors: the columns that are components of vectors, which have one unit; those of which a column was left out fall
        away.

    Raises DataError when any of this does not hold.
    """

    names: tuple[str, ...]
    symbols: tuple[str, ...]
    units: tuple[Unit, ...]
    states: tuple[Array, ...]
    times: tuple[Array, ...]
    labels: tuple[str, ...]
    given_derivatives: tuple[Array, ...] | None = None
    time_name: str | None = None
    time_unit: Unit = field(default_factory=Unit)
    origin: str = "data"
    derived: tuple[Derived | None, ...] = ()
    constants: tuple[str, ...] = ()
    vectors: Vectors = ()

    def __post_init__(self) -> None:
        if not self.states:
            raise DataError(f"{self.origin}: no trajectory has {FEWEST_SAMPLES} samples or more")
        assert len(self.names) == len(self.symbols) == len(self.units) > 0
        assert len(self.states) == len(self.times) == len(self.labels)
        assert len(self.derived) in (0, len(self.names)), "all columns or none"
        whole = tuple(vector for vector in self.vectors if set(vector[1]) <= set(self.symbols))
        object.__setattr__(self, "vectors", whole)
        unit_of = dict(zip(self.symbols, self.units, strict=True))
        assert all(len({unit_of[symbol] for symbol in group}) == 1 for _, group in whole), "a vector has one unit"
        for x_TD, t_T, label in zip(self.states, self.times, self.labels, strict=True):
            assert x_TD.shape == (len(t_T), len(self.names)), "states are [T, D]"
            if len(t_T) < FEWEST_SAMPLES:
                raise DataError(f"{self.origin}: trajectory {label} has {len(t_T)} samples; at least 3 are needed")
            if not (np.isfinite(x_TD).all() and np.isfinite(t_T).all()):
                raise DataError(f"{self.origin}: trajectory {label} holds values that are not finite")
            if not (np.diff(t_T) > 0).all():
                raise DataError(f"{self.origin}: time does not increase in trajectory {label}")

    def __len__(self) -> int:
        return len(self.states)

    @property
    def dimension(self) -> int:
        """How many columns a state has."""
        return len(self.names)

    @property
    def samples(self) -> int:
        """How many samples there are in all trajectories together."""
        return sum(len(t) for t in self.times)

    @property
    def angles(self) -> tuple[bool, ...]:
        """Which columns are angles (their unit is one plain radian)."""
        from noether_dsl.dimension import ANGLE, Dimension

        return tuple(u.dimension == Dimension.of({ANGLE: 1}) for u in self.units)

    @property
    def origins(self) -> tuple[Derived | None, ...]:
        """Where each of the D columns comes from, None for a measured one."""
        return self.derived or (None,) * self.dimension

    @property
    def still(self) -> NDArray[np.bool_]:
        """Which columns move by no more than rounding along every trajectory (a mass, a stiffness), [D]."""
        within_D = np.max([np.ptp(x_TD, axis=0) for x_TD in self.states], axis=0)
        still_D: NDArray[np.bool_] = within_D <= ROUNDING * np.abs(self.stacked).max(axis=0)
        return still_D

    @property
    def stacked(self) -> Array:
        """All states one below the other, [sum T_k, D]. For statistics that do not care about sequences."""
        return np.concatenate(self.states)

    @property
    def sequence_numbers(self) -> NDArray[np.int64]:
        """For each row of `stacked`, the number of its trajectory."""
        return np.repeat(np.arange(len(self)), [len(t) for t in self.times])

    @property
    def typical_step(self) -> float:
        """The median time step."""
        return float(np.median(np.concatenate([np.diff(t) for t in self.times])))

    def pick(self, numbers: Sequence[int] | NDArray[np.int64]) -> Trajectories:
        """The trajectories with these numbers, in this order."""
        given = None if self.given_derivatives is None else tuple(self.given_derivatives[i] for i in numbers)
        return replace(
            self,
            states=tuple(self.states[i] for i in numbers),
            times=tuple(self.times[i] for i in numbers),
            labels=tuple(self.labels[i] for i in numbers),
            given_derivatives=given,
        )

    def split_numbers(self, share: float, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The numbers of two disjoint sets of trajectories, the first with about `share` of them, drawn with `seed`.

        Raises DataError for a single trajectory.
        """
        if len(self) < 2:
            raise DataError(f"{self.origin}: one trajectory alone cannot be held out; use --window N")
        order = np.random.default_rng(seed).permutation(len(self))
        cut = min(max(round(share * len(self)), 1), len(self) - 1)
        return tuple(np.sort(order[:cut]).tolist()), tuple(np.sort(order[cut:]).tolist())

    def split(self, share: float, seed: int) -> tuple[Trajectories, Trajectories]:
        """Two disjoint sets of whole trajectories; see `split_numbers`."""
        first, second = self.split_numbers(share, seed)
        return self.pick(first), self.pick(second)

    def thinned(self, samples: int) -> Trajectories:
        """At most `samples` samples of each trajectory, evenly spread."""
        rows = [np.unique(np.linspace(0, len(t) - 1, min(samples, len(t))).round().astype(int)) for t in self.times]
        given = self.given_derivatives
        return replace(
            self,
            states=tuple(x[r] for x, r in zip(self.states, rows, strict=True)),
            times=tuple(t[r] for t, r in zip(self.times, rows, strict=True)),
            given_derivatives=None if given is None else tuple(v[r] for v, r in zip(given, rows, strict=True)),
        )

    def contiguous(self, gap: float = 1.5) -> Trajectories:
        """Cut wherever a step is longer than `gap` times the trajectory's median step; short pieces are dropped."""
        return self._cut(lambda t: np.flatnonzero(np.diff(t) > gap * np.median(np.diff(t))) + 1)

    def windows(self, length: int) -> Trajectories:
        """Windows of about `length` samples that cover each trajectory without overlap."""
        return self._cut(lambda t: np.linspace(0, len(t), max(len(t) // length, 1) + 1).round().astype(int)[1:-1])

    def _cut(self, places: Callable[[Array], NDArray[np.int64]]) -> Trajectories:
        states, times, labels, given = [], [], [], []
        for k, (x, t, label) in enumerate(zip(self.states, self.times, self.labels, strict=True)):
            bounds = [0, *places(t).tolist(), len(t)]
            for number, (a, b) in enumerate(pairwise(bounds)):
                if b - a >= FEWEST_SAMPLES:
                    states.append(x[a:b])
                    times.append(t[a:b])
                    labels.append(f"{label}/{number}" if len(bounds) > 2 else label)
                    if self.given_derivatives is not None:
                        given.append(self.given_derivatives[k][a:b])
        return replace(
            self,
            states=tuple(states),
            times=tuple(times),
            labels=tuple(labels),
            given_derivatives=tuple(given) if self.given_derivatives is not None else None,
        )

    def cut_at(self, share: float) -> tuple[Trajectories, Trajectories]:
        """The first `share` of every trajectory's samples, and the rest.

        Raises DataError when no trajectory is long enough for both.
        """
        long = [k for k, t in enumerate(self.times) if len(t) >= 2 * FEWEST_SAMPLES]
        if not long:
            raise DataError(f"{self.origin}: no trajectory is long enough to be cut in two")
        at = [min(max(round(share * len(self.times[k])), FEWEST_SAMPLES), len(self.times[k]) - 3) for k in long]
        return self._parts(long, [slice(0, n) for n in at]), self._parts(long, [slice(n, None) for n in at])

    def _parts(self, numbers: list[int], parts: list[slice]) -> Trajectories:
        picked = self.pick(numbers)
        given = picked.given_derivatives
        return replace(
            picked,
            states=tuple(x[part] for x, part in zip(picked.states, parts, strict=True)),
            times=tuple(t[part] for t, part in zip(picked.times, parts, strict=True)),
            given_derivatives=None if given is None else tuple(v[p] for v, p in zip(given, parts, strict=True)),
        )

    def columns(self) -> Mapping[str, Array]:
        """The stacked states by symbol, ready for a formula."""
        return dict(zip(self.symbols, self.stacked.T, strict=True))

    def digest(self) -> str:
        """SHA-256 of all that a later stage can see: columns, units, states, times, labels, given derivatives."""
        hasher = hashlib.sha256()
        units = [(str(u), u.scale) for u in (*self.units, self.time_unit)]
        hasher.update(repr((self.names, units, self.labels)).encode())
        if self.derived:
            hasher.update(repr(self.derived).encode())
        if self.vectors:
            hasher.update(repr(self.vectors).encode())
        for v in self.given_derivatives or ():
            hasher.update(np.ascontiguousarray(v).tobytes())
        for x, t in zip(self.states, self.times, strict=True):
            hasher.update(np.ascontiguousarray(x).tobytes())
            hasher.update(np.ascontiguousarray(t).tobytes())
        return hasher.hexdigest()
