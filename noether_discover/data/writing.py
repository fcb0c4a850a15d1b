"""Trajectories -> a table that reads back as the same trajectories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from noether_dsl.units import Unit

from ..errors import DataError
from ..placing import placed
from .derived import measured
from .headers import TIME_NAMES, TRAJECTORY_NAMES, format_header, rate_name
from .trajectories import Trajectories


def write_csv(trajectories: Trajectories, path: str | Path) -> None:
    """A file that reads back as the same trajectories, to the last bit; gzipped if its name says so.

    Columns that were made of others are left out: they are made anew from what is written.

    Numbers and units are the coherent ones, so that a scale which the original file had is 1 after reading back.

    Columns with unusual names for time or trajectories need to be named again on reading. Sample numbers are not
    written unless some are left out. The file appears whole or not at all.
    """
    trajectories = measured(trajectories)
    names = trajectories.names
    taken = {*names, trajectories.time_name}
    data: dict[str, Any] = {
        next(n for n in TRAJECTORY_NAMES if n not in taken): np.repeat(
            np.array(trajectories.labels, dtype=object), [len(t) for t in trajectories.times]
        )
    }
    time, counted = trajectories.time_name, all(np.array_equal(t, np.arange(len(t))) for t in trajectories.times)
    if time is None and not counted:
        time = next(n for n in TIME_NAMES if n not in names)
    if time is not None:
        data[format_header(time, trajectories.time_unit)] = np.concatenate(trajectories.times)
    for name, unit, x in zip(names, trajectories.units, trajectories.stacked.T, strict=True):
        data[format_header(name, unit)] = x
    if trajectories.given_derivatives is not None:
        rates = np.concatenate(trajectories.given_derivatives).T
        for name, unit, v in zip(names, trajectories.units, rates, strict=True):
            rate = Unit(unit.dimension / trajectories.time_unit.dimension)
            data[format_header(rate_name(name, time), rate)] = v
    target = Path(path)
    packing: Any = "gzip" if target.suffix == ".gz" else None
    with placed(target, DataError) as temporary:
        pd.DataFrame(data).to_csv(temporary, index=False, lineterminator="\n", compression=packing)
