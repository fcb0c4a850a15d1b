"""Forecasts from a run file: its laws and data, somebody's first states, a table of what happens next.

K sequences, T samples of one, D state columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from noether_dsl.units import Unit
from numpy.typing import NDArray

from .data.given import conversion
from .data.reading import USUAL, ReadOptions, Survey, listed
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
    method: how the laws were enforced, "plain" where they were not, since training rollouts are better without.
    errors: of training rollouts in standard deviations, by method. asked, fallbacks: how often laws were to be
    enforced, and how often the plain prediction stood.
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
            for name, unit, origin, x in zip(data.names, data.units, data.origins, stacked.T, strict=True):
                if origin is None or origin.kind != "time":
                    columns[format_header(f"{name}{kind}", unit)] = x
        return pd.DataFrame(columns)


def forecast(
    run: str | Path,
    data: str | Path | Sequence[str | Path],
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
    options: how the data are read; inputs that are not called as in the run are the run's columns in its order.

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
    *both, tally = found.rollouts(first, padded)
    states, plain = ([x[: len(t)] for x, t in zip(each.numpy(), times, strict=True)] for each in both)
    return Forecasts(
        starts,
        times,
        tuple(states),
        tuple(plain),
        found.method,
        found.errors,
        tally.asked,
        tally.plain,
        (*notes, *_without_end(starts, states, plain)),
    )


def _without_end(starts: Trajectories, states: Sequence[Array], plain: Sequence[Array]) -> list[str]:
    """Remarks on forecasts that are no numbers at their end."""
    notes = []
    for kind, forecasts in (("", states), ("plain ", plain)):
        lost = [label for label, x in zip(starts.labels, forecasts, strict=True) if not np.isfinite(x).all()]
        if lost:
            notes.append(f"{len(lost)} of {len(states)} {kind}forecasts end in no numbers: {listed(lost, 6)}")
    return notes


def _starts(
    run: Trajectories, data: str | Path | Sequence[str | Path], options: ReadOptions
) -> tuple[Trajectories, tuple[str, ...], bool]:
    """The data in the run's columns and units, remarks, and whether they say no times."""
    survey = _surveyed(run, data, options)
    found = survey.unwrap()
    if found.dimension != run.dimension:
        raise OptionError(f"--inputs names {', '.join(found.names)}; the run has the columns {', '.join(run.names)}")
    same = set(found.names) == set(run.names)
    places = [found.names.index(name) for name in run.names] if same else list(range(run.dimension))
    names = tuple(found.names[place] for place in places)
    factor_D = np.array(
        [
            _factor(found, name, found.units[place], unit)
            for name, place, unit in zip(names, places, run.units, strict=True)
        ]
    )
    clock = 1.0
    if found.time_name is not None:
        clock = _factor(found, found.time_name, found.time_unit, run.time_unit)
    converted = replace(
        found,
        names=names,
        symbols=tuple(found.symbols[place] for place in places),
        states=tuple(x[:, places] * factor_D for x in found.states),
        times=tuple(t * clock for t in found.times),
        units=tuple(Unit(unit.dimension) for unit in run.units),
        time_unit=Unit(run.time_unit.dimension),
        given_derivatives=None,
        derived=run.derived,
    )
    notes = list(survey.notes)
    more = sum(bool((x != x[0]).any()) for x in found.states)
    if found.time_name is None and more:
        notes.append(
            f"{found.origin}: without times only the first row of a trajectory is used, and {more} of {len(found)} "
            "have more; name the column that tells them apart, --trajectory"
        )
    return converted, tuple(notes), found.time_name is None or survey.lengthened > 0


def _surveyed(run: Trajectories, data: str | Path | Sequence[str | Path], options: ReadOptions) -> Survey:
    """The data as they are read: velocities of a run are columns with the run's names, or else made from positions."""
    kinds = [origin.kind if origin is not None else "" for origin in run.origins]
    columns = tuple(name for name, kind in zip(run.names, kinds, strict=True) if kind != "time")
    how = replace(options, starts=True, groups={}, dotted=False, with_time="time" in kinds)
    found = surveyed(data, replace(how, inputs=options.inputs or columns))
    if found.problems and "velocity" in kinds and not options.inputs:
        positions = tuple(name for name, kind in zip(run.names, kinds, strict=True) if not kind)
        made = surveyed(data, replace(how, inputs=positions, velocities=True))
        if made.trajectories is not None and made.trajectories.dimension == run.dimension:
            return made
    return found


def _factor(data: Trajectories, name: str, unit: Unit, wanted: Unit) -> float:
    """From the data's numbers in a column to the run's."""
    factor = conversion(str(unit), str(wanted))
    if factor is not None:
        return factor
    here = f'{data.origin}: column "{name}"'
    if unit.dimension.is_pure:
        raise DataError(f"{here} has no unit, the run has it in {wanted}; write it into the header, or use --unit")
    if wanted.dimension.is_pure:
        raise DataError(f"{here} is in {unit}, and in the run it has no unit; leave the unit out")
    raise DataError(f"{here} is in {unit}, the run has it in {wanted}; convert it, or correct the header with --unit")


def _times(starts: Trajectories, until: float | None, step: float | None, lone: bool) -> tuple[Array, ...]:
    """The times of every forecast. lone: whether the data hold first states alone, or no times."""
    if lone and (until is None or step is None):
        raise OptionError(f"{starts.origin}: there are first states and no times; say how far with --until and --step")
    if until is None and step is None:
        return starts.times
    if step is None:
        step = starts.typical_step
    spans = [until if until is not None else float(t[-1] - t[0]) for t in starts.times]
    if not (step > 0 and min(spans) > 0):
        raise OptionError(f"--until {until} --step {step}: both are positive times")
    if max(spans) / step > MOST_SAMPLES:
        raise OptionError(f"--step {step:g} gives more than {MOST_SAMPLES:,} samples; use a longer one")
    if min(spans) < step:
        raise OptionError(f"--step {step:g} is longer than a forecast, {min(spans):g}; use a shorter one")
    # a millionth of a step: 2 / 0.1 may come out as 19.99...
    return tuple(t[0] + step * np.arange(int(s / step + 1e-6) + 1) for t, s in zip(starts.times, spans, strict=True))
