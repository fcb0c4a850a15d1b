"""Do a run's laws hold on the data? Every reported figure that the data give is computed anew.

Of the run's own data the figures are the same to rounding. Of other data of the same columns (new trajectories, another
day) they need not be: then a law holds where its verdict would be given again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .data.tables import read_tables
from .data.trajectories import Trajectories
from .discovery import law_quantity
from .errors import DataError
from .runs import RunFile
from .stages import gathered

if TYPE_CHECKING:
    from .search.conservation import Drift
    from .search.evidence import Evidence

SAME = 1e-6
"""Relative: figures from the same data that differ by more were not computed from them."""
NOTHING = 1e-12
"""Below it a ratio is rounding."""


@dataclass(frozen=True)
class Figure:
    """A figure as the run reports it and as the data give it, None where it is not defined."""

    name: str
    reported: float | None
    now: float | None

    @property
    def same(self) -> bool:
        """Whether they agree to rounding."""
        a, b = self.reported, self.now
        if a is None or b is None:
            return a is b
        return abs(a - b) <= SAME * max(abs(a), abs(b)) + NOTHING


@dataclass(frozen=True)
class Checked:
    """A law and what the data say of it.

    figures: ratio (within over reference variance), drift per time and its standard error, each on all data.
    noise_chi2: the reduced chi-square of the law on all data as measured. holds, reason: whether, and why not.
    """

    formula: str
    verdict: str
    figures: tuple[Figure, ...]
    noise_chi2: float
    holds: bool
    reason: str


@dataclass(frozen=True)
class Verification:
    """The run's laws on some data. same_data: whether these are the data that the run was made of, to the last bit."""

    same_data: bool
    laws: tuple[Checked, ...]

    @property
    def holds(self) -> bool:
        """Whether every law does."""
        return all(law.holds for law in self.laws)

    def to_json(self) -> dict[str, Any]:
        """One JSON-able object."""
        return {"holds": self.holds, **asdict(self)}


def verify(run: str | Path, data: str | Path | Sequence[str | Path] | Trajectories) -> Verification:
    """Compute a run's reported laws anew from data, which are read as the run's were.

    Raises RunFileError for a run without a fit, DataError for data of other columns or units.
    """
    with RunFile(run) as file:
        own, laws, settings = file.read_data(), file.laws(), file.settings()
        window, digest, reading = file.window(), file.fact("data_digest"), file.reading()
    found = data if isinstance(data, Trajectories) else read_tables(data, reading)
    check_columns(found, own)
    evidence = gathered(found, replace(settings, window=window or 0))
    same = found.digest() == digest
    return Verification(same, tuple(_checked(law, evidence, found, same) for law in laws))


def check_columns(found: Trajectories, own: Trajectories) -> None:
    """Raises DataError where some data have other columns or units than a run's own."""
    for what, here, there in (
        ("columns", found.names, own.names),
        ("units", tuple(map(str, found.units)), tuple(map(str, own.units))),
    ):
        if here != there:
            raise DataError(
                f"{found.origin}: has the {what} {', '.join(here)}, the run has {', '.join(there)}; "
                "give data with the same header"
            )


def _checked(law: Mapping[str, Any], evidence: Evidence, data: Trajectories, same: bool) -> Checked:
    from .search.everything import holds

    ratio, chi2, drift = _computed(law, evidence, data)
    figures = (
        Figure("ratio", law["ratio"], _finite(ratio)),
        Figure("drift_per_time", law["drift_per_time"], _finite(drift.rate)),
        Figure("drift_standard_error", law["drift_standard_error"], _finite(drift.error)),
    )
    off = [figure.name for figure in figures if not figure.same]
    if same:
        why = f"{', '.join(off)} differ from what the run reports" if off else ""
    elif not math.isfinite(ratio):
        why = "it has no finite value somewhere on these data"
    elif holds(law["verdict"], ratio, chi2, law["ratio"] or 0.0, data.samples, len(data)):
        why = ""
    else:
        why = "it varies along trajectories more than its verdict allows"
    return Checked(law["expression"], law["verdict"], figures, chi2, not why, why)


def _computed(law: Mapping[str, Any], evidence: Evidence, data: Trajectories) -> tuple[float, float, Drift]:
    """Ratio, chi-square and drift on all data, each as a search computes what it reports: trajectory by trajectory
    where the evidence is a part of the data."""
    from .search.everything import figures
    from .search.fitting import ratios
    from .search.judging import drift_of
    from .search.verdicts import CONSTRAINT

    quantity = law_quantity(law, evidence.runs.symbols)
    formula, values = quantity.formula, quantity.parameters
    ratio, chi2 = (
        float(ratios([formula], [values], frame)[0]) for frame in (evidence.whole_frame, evidence.whole_noise_frame)
    )
    if evidence.runs.samples == data.samples:
        return ratio, chi2, drift_of(formula, values, evidence)
    whole = figures(formula, values, data, evidence.noise_D)
    if evidence.window is not None or law["verdict"] == CONSTRAINT:
        return ratio, chi2, whole.drift
    return whole.ratio, whole.chi2, whole.drift


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
