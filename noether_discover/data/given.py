"""Data as people have them at hand: a file, a frame, arrays; as trajectories in their own numbers.

K sequences, T samples of one, D columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from noether_dsl.units import Unit

from ..errors import DataError
from .trajectories import Trajectories

if TYPE_CHECKING:
    import pandas as pd

Given: TypeAlias = "Trajectories | pd.DataFrame | str | Path | Sequence[str | Path] | tuple[Any, Any]"
"""A path or several, a frame, Trajectories, or (states, times): K arrays [T, D] with K arrays [T], or one for all."""


def in_their_own_numbers(data: Given) -> Trajectories:
    """Data of any kind as trajectories in the file's own numbers: what a user's network is fed.

    Raises DataError for a table that cannot be used, and for arrays whose shapes do not agree.
    """
    if isinstance(data, tuple) and len(data) == 2 and not isinstance(data[0], str | Path):
        return _from_arrays(*data)
    if not isinstance(data, Trajectories):
        from .tables import from_frame, read_tables

        data = read_tables(data) if isinstance(data, str | Path | Sequence) else from_frame(data)
    scale_D = np.array([unit.scale for unit in data.units])
    given = data.given_derivatives
    return replace(
        data,
        states=tuple(x / scale_D for x in data.states),
        times=tuple(t / data.time_unit.scale for t in data.times),
        given_derivatives=None if given is None else tuple(v / scale_D * data.time_unit.scale for v in given),
        units=tuple(replace(unit, scale=1.0) for unit in data.units),
        time_unit=replace(data.time_unit, scale=1.0),
    )


def _from_arrays(states: Any, times: Any) -> Trajectories:
    arrays = [np.array(x, dtype=np.float64) for x in states]
    if not arrays or any(x.ndim != 2 or x.shape[1] != arrays[0].shape[1] for x in arrays):
        raise DataError("states are K arrays [T, D] with the same columns")
    clocks = np.asarray(times, dtype=np.float64) if not isinstance(times, list | tuple) else None
    if clocks is not None and clocks.ndim == 1:
        each = [clocks] * len(arrays)
    else:
        each = [np.array(t, dtype=np.float64) for t in times]
    if len(each) != len(arrays) or any(len(t) != len(x) for t, x in zip(each, arrays, strict=False)):
        raise DataError("times are [T], the same for all sequences, or one [T] for each")
    names = tuple(f"x{d}" for d in range(1, arrays[0].shape[1] + 1))
    labels = tuple(str(k) for k in range(len(arrays)))
    return Trajectories(names, names, (Unit(),) * len(names), tuple(arrays), tuple(each), labels)
