"""Forecasts from a run file: its laws and data, somebody's first states, a table of what happens next.

K sequences, T samples of one, D state columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from noether_dsl.units import Unit, coherent_units
from numpy.typing import NDArray

from .data.reading import USUAL, ReadOptions
from .data.tables import survey as surveyed
from .data.trajectories import Trajectories
from .discovery import law_quantity, rankable
from .errors import DataError, OptionError, RunFileError
from .runs import RunFile
from .stages import Progress

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
MOST_SAMPLES = 100_000
"""Of one forecast sequence."""


@dataclass(frozen=True)
class Forecasts:
    """What happens after the first states of some data.

    starts: the data, in the run's units. times: [T] of each sequence. states, plain: with the laws and without, [T, D].
    method: how the laws were enforced. errors: of training rollouts in standard deviations, by method. asked,
    fallbacks: how often laws were to be enforced, and how often the plain prediction stood.
    """

    starts: Trajectories
    times: tuple[Array, ...]
    states: tuple[Array, ...]
    plain: tuple[Array, ...]
    method: str
    errors: dict[str, float]
    asked: int
    fallbacks: int
    notes: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Sequence, time, the columns with the laws and the plain ones, with units in the headers."""
        import pandas as pd

        from .data.headers import format_header

        data = self.starts
        columns: dict[str, Any] = {
            "trajectory": np.repeat(np.array(data.labels, dtype=object), [len(t) for t in self.times]),
            format_header(data.time_name or "t", data.time_unit): np.concatenate(self.times),
        }
        for kind, states in (("", self.states), (" plain", self.plain)):
            stacked = np.concatenate(states)
            for name, unit, x in zip(data.names, data.units, stacked.T, strict=True):
                columns[format_header(f"{name}{kind}", unit)] = x
        return pd.DataFrame(columns)


def forecast(
    run: str | Path,
    data: Sequence[str | Path],
    *,
    method: str = "auto",
    until: float | None = None,
    step: float | None = None,
    seed: int | None = None,
    options: ReadOptions = USUAL,
    progress: Progress | None = None,
) -> Forecasts:
    """Roll out the laws of a run file from the first state of every trajectory in some data.

    A network learns the run's own data, and the laws are enforced on it (`predict.forecasting`). until, step: forecasts
    cover so much time in such steps, in the run's unit of time; by default they are made for the data's own times.

    Raises RunFileError for a run without laws, DataError for data with other columns, OptionError for an impossible
    until or step.
    """
    with RunFile(run) as file:
        trained_on, laws, settings = file.read_data(), file.laws(), file.settings()
    numbers = rankable(laws)
    if not numbers:
        raise RunFileError(f"{run}: holds no law to be enforced; a forecast needs one")
    starts, notes, lone = _starts(trained_on, data, options)
    times = _times(starts, until, step, lone)
    if seed is not None:
        settings = replace(settings, seed=seed)

    import torch

    from .predict.bench import NetworkSettings
    from .predict.forecasting import forecaster
    from .predict.table import Candidate

    candidates = [
        Candidate(laws[k]["expression"], law_quantity(laws[k], trained_on.symbols), laws[k]["verdict"] == "APPROXIMATE")
        for k in numbers
    ]
    found = forecaster(
        trained_on,
        candidates,
        NetworkSettings(steps=settings.steps, epochs=settings.epochs, seed=settings.seed),
        method,
        progress,
    )
    longest = max(len(t) for t in times)
    padded = torch.tensor(np.stack([t[np.minimum(np.arange(longest), len(t) - 1)] for t in times]))
    first = torch.tensor(np.stack([x[0] for x in starts.states]))
    with_laws, plain = (states.numpy() for states in found.rollouts(first, padded))
    cut = [slice(0, len(t)) for t in times]
    return Forecasts(
        starts,
        times,
        tuple(x[rows] for x, rows in zip(with_laws, cut, strict=True)),
        tuple(x[rows] for x, rows in zip(plain, cut, strict=True)),
        found.method,
        found.errors,
        found.tally.asked,
        found.tally.plain,
        notes,
    )


def _starts(
    trained_on: Trajectories, paths: Sequence[str | Path], options: ReadOptions
) -> tuple[Trajectories, tuple[str, ...], bool]:
    """The data in the run's columns and units, remarks, and whether they say no times."""
    survey = surveyed(list(paths), replace(options, starts=True, inputs=options.inputs or trained_on.names))
    found = survey.unwrap()
    scales = []
    mine, theirs = (*found.units, found.time_unit), (*trained_on.units, trained_on.time_unit)
    for name, unit, wanted in zip((*found.names, found.time_name or "time"), mine, theirs, strict=True):
        if unit is found.time_unit and found.time_name is None:
            scales.append(1.0)
            continue
        both = coherent_units({"run": str(wanted), "data": str(unit)})
        if both["run"].dimension != both["data"].dimension:
            if name == found.time_name or not unit.dimension.is_pure:
                raise DataError(f'{found.origin}: column "{name}" is in {unit}, the run has it in {wanted}')
            raise DataError(f'{found.origin}: column "{name}" has no unit, the run has it in {wanted}; use --unit')
        scales.append(both["data"].scale / both["run"].scale)
    scale_D, clock = np.array(scales[:-1]), scales[-1]
    converted = replace(
        found,
        states=tuple(x * scale_D for x in found.states),
        times=tuple(t * clock for t in found.times),
        units=tuple(Unit(unit.dimension) for unit in trained_on.units),
        time_unit=Unit(trained_on.time_unit.dimension),
        given_derivatives=None,
    )
    return converted, tuple(survey.notes), found.time_name is None or survey.lengthened > 0


def _times(starts: Trajectories, until: float | None, step: float | None, lone: bool) -> tuple[Array, ...]:
    """lone: whether the data hold first states alone, or no times."""
    if lone and (until is None or step is None):
        raise OptionError(f"{starts.origin}: there are first states and no times; say how far with --until and --step")
    if until is None and step is None:
        return starts.times
    if step is None:
        step = starts.typical_step
    if not step > 0 or (until is not None and not until > 0):
        raise OptionError(f"--until {until} --step {step}: both are positive times")
    spans = [until if until is not None else float(t[-1] - t[0]) for t in starts.times]
    if max(spans) / step > MOST_SAMPLES:
        raise OptionError(f"--step {step:g} gives more than {MOST_SAMPLES:,} samples; use a longer one")
    return tuple(t[0] + step * np.arange(round(span / step) + 1) for t, span in zip(starts.times, spans, strict=True))
