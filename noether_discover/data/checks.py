"""Is this table usable, and what is in it: all answers at once, without running anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .noise import noise as noise_of
from .tables import USUAL, ReadOptions, survey
from .trajectories import Trajectories

GAP = 1.5
"""A step longer than this many median steps of its trajectory is a gap."""


@dataclass(frozen=True)
class Check:
    """What is wrong with a table, what was assumed about it, and what it holds.

    problems: one sentence each, with remedy; empty for a usable table.
    notes: what was assumed, converted or left out.
    summary: of the trajectories (see `summary`); empty when there are problems.
    """

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    summary: dict[str, Any] = field(default_factory=dict)

    @property
    def usable(self) -> bool:
        """Whether a search can use the table."""
        return not self.problems


def check(paths: str | Path | Sequence[str | Path], options: ReadOptions = USUAL) -> Check:
    """Everything that reading these files would meet, not only the first problem. Raises nothing."""
    found = survey(paths, options)
    return Check(
        problems=tuple(str(problem) for problem in found.problems),
        notes=tuple(found.notes),
        summary={} if found.trajectories is None else summary(found.trajectories),
    )


def summary(data: Trajectories) -> dict[str, Any]:
    """What was measured, in plain numbers (coherent units), ready for JSON.

    {"trajectories", "samples", "lengths": {min, median, max},
     "time": {"name", "unit", "start", "end", "step": {min, median, max}, "gaps"},
     "columns": [{"name", "symbol", "unit", "min", "max", "mean", "std", "noise", "angle"}],
     noise: the measurement's deviation, as the verdicts reckon with it; nothing in the file says it.
     "vectors": {name: symbols of the components} where there are any, "derivatives": bool, "digest"}
    """
    steps = [np.diff(t) for t in data.times]
    gaps = sum(int((step > GAP * np.median(step)).sum()) for step in steps)
    stacked = data.stacked
    columns = [
        {
            "name": name,
            "symbol": symbol,
            "unit": str(unit),
            "min": float(x.min()),
            "max": float(x.max()),
            "mean": float(x.mean()),
            "std": float(x.std()),
            "noise": float(noise),
            "angle": bool(angle),
        }
        for name, symbol, unit, angle, x, noise in zip(
            data.names, data.symbols, data.units, data.angles, stacked.T, noise_of(data), strict=True
        )
    ]
    return {
        "trajectories": len(data),
        "samples": data.samples,
        "lengths": _spread(np.array([len(t) for t in data.times])),
        "time": {
            "name": data.time_name,
            "unit": str(data.time_unit),
            "start": float(min(t[0] for t in data.times)),
            "end": float(max(t[-1] for t in data.times)),
            "step": _spread(np.concatenate(steps)),
            "gaps": gaps,
        },
        "columns": columns,
        **({"vectors": {name: list(group) for name, group in data.vectors}} if data.vectors else {}),
        "derivatives": data.given_derivatives is not None,
        "digest": data.digest(),
    }


def _spread(values: np.ndarray) -> dict[str, float]:
    low, middle, high = float(values.min()), float(np.median(values)), float(values.max())
    return {"min": low, "median": middle, "max": high}
