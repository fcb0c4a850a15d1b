"""Data as people have them at hand: a file, a frame, arrays; as trajectories in the numbers that somebody speaks.

K sequences, T samples of one, D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from noether_dsl.dimension import ANGLE
from noether_dsl.units import Unit, coherent_units

from ..errors import DataError
from .smoothing import unwrapped
from .trajectories import Array, Trajectories

if TYPE_CHECKING:
    import pandas as pd

Given: TypeAlias = "Trajectories | pd.DataFrame | str | Path | Sequence[str | Path] | tuple[Any, Any]"
"""A path or several, a frame, Trajectories, or (states, times): K arrays [T, D] with K arrays [T], or one for all."""


def are_arrays(data: Given) -> bool:
    """Whether data are (states, times): numbers without names and units."""
    return isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str | Path)


def trajectories_of(data: Given, needed: Sequence[str] = ()) -> Trajectories:
    """Data of any kind as trajectories in coherent units.

    needed: columns that matter; the others are left out where they keep a table from being read.
    Raises DataError for a table that cannot be used, and for arrays whose shapes do not agree.
    """
    if are_arrays(data):
        assert isinstance(data, tuple)
        return _from_arrays(*data)
    if isinstance(data, Trajectories):
        return data
    from .tables import ReadOptions, from_frame, read_tables

    paths = [data] if isinstance(data, str | Path) else data
    if hasattr(data, "columns"):
        read: Any = from_frame
    elif isinstance(paths, Sequence) and all(isinstance(path, str | Path) for path in paths):
        read, data = read_tables, paths
    else:
        raise DataError("data are a path, paths, a frame, Trajectories, or a tuple (states, times)")
    try:
        found: Trajectories = read(data)
    except DataError as problem:
        if not needed:
            raise
        try:
            found = read(data, ReadOptions(inputs=tuple(needed)))
        except DataError:
            raise problem from None
    return found


def in_their_own_numbers(data: Given) -> Trajectories:
    """Data of any kind as trajectories in the file's own numbers.

    Raises DataError as `trajectories_of` does.
    """
    found = trajectories_of(data)
    return in_other_numbers(found, range(found.dimension), [1 / unit.scale for unit in found.units])


def in_other_numbers(data: Trajectories, places: Sequence[int], factors: Sequence[float]) -> Trajectories:
    """The columns at these places times these factors, in the file's own unit of time.

    Angles count their turns before they cease to be radians; no number has a unit any more.
    """
    order, factor_D = list(places), np.array(factors)
    given, second = data.given_derivatives, data.time_unit.scale
    origins = [data.origins[place] for place in order]
    return replace(
        data,
        names=tuple(data.names[place] for place in order),
        symbols=tuple(data.symbols[place] for place in order),
        states=tuple(x[:, order] * factor_D for x in unwrapped(data).states),
        times=tuple(t / second for t in data.times),
        given_derivatives=None if given is None else tuple(v[:, order] * factor_D * second for v in given),
        units=(Unit(),) * len(order),
        time_unit=Unit(),
        derived=tuple(
            origin and replace(origin, error=origin.error and origin.error * abs(float(factor)))
            for origin, factor in zip(origins, factor_D, strict=True)
        )
        if data.derived
        else (),
    )


def conversion(given: str, wanted: str) -> float | None:
    """The factor from numbers in one unit to numbers in another; None where there is none.

    Where a pure number is wanted an angle will do, in radians.
    Raises UnitError for a unit that nobody knows.
    """
    units = coherent_units({"wanted": wanted, "given": given})
    mine, theirs = units["wanted"].dimension, units["given"].dimension
    return units["given"].scale / units["wanted"].scale if mine in (theirs, theirs.without(ANGLE)) else None


def _from_arrays(states: Any, times: Any) -> Trajectories:
    try:
        arrays, each = [_array(x) for x in states], [_array(t) for t in times]
    except (TypeError, ValueError) as problem:
        raise DataError(f"states and times are arrays of numbers ({problem})") from problem
    if not arrays or any(x.ndim != 2 or x.shape[1] != arrays[0].shape[1] for x in arrays):
        raise DataError("states are K arrays [T, D] with the same columns")
    if all(t.ndim == 0 for t in each):
        each = [np.array(each)] * len(arrays)
    if len(each) != len(arrays) or any(t.shape != x.shape[:1] for t, x in zip(each, arrays, strict=False)):
        raise DataError("times are [T], the same for all sequences, or one [T] for each")
    names = tuple(f"x{d}" for d in range(1, arrays[0].shape[1] + 1))
    labels = tuple(str(k) for k in range(len(arrays)))
    return Trajectories(names, names, (Unit(),) * len(names), tuple(arrays), tuple(each), labels, origin="arrays")


def _array(given: Any) -> Array:
    """A copy, of a tensor too."""
    return np.asarray(given.detach() if hasattr(given, "detach") else given, dtype=np.float64).copy()
