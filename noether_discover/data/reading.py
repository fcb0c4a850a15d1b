"""What a reader of tables is told, and what it finds; how findings are counted in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import DataError, OptionError
from ..options import of_their_kinds
from .trajectories import Trajectories


@dataclass(frozen=True)
class ReadOptions:
    """How a table is to be understood. Columns are named as the file names them, without their unit.

    trajectory, time: their columns; None: found by their usual names. No time column: sample numbers are the time.
    inputs: the state's columns, kept as a tuple; empty: all that are left.
    units: column -> unit, where the header lacks it or is wrong.
    missing: error | drop-row | split (a row with a missing value ends a piece of trajectory).
    angles: auto | strict | pure; auto is strict when some input carries an angle unit.
    derivatives: column -> column with its time derivative, for all inputs or none.
    velocities: the time derivatives become columns too, given ones or else computed ones (`derived.with_velocities`).
    with_time: so does the time (`derived.with_time`).
    starts: only first states matter: a trajectory of one row is allowed (and lasts three samples), so is a column that
        never changes. Without a trajectory and a time column every row is a start.
    groups: name of a vector -> the two or three columns that are its components.
    dotted: whether columns q.x, q.y are components of the vector q without being named in `groups`.
    """

    trajectory: str | None = None
    time: str | None = None
    inputs: Sequence[str] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    missing: str = "error"
    angles: str = "auto"
    derivatives: Mapping[str, str] = field(default_factory=dict)
    velocities: bool = False
    with_time: bool = False
    starts: bool = False
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    dotted: bool = True

    def __post_init__(self) -> None:
        of_their_kinds(self)
        for name, known in (("missing", ("error", "drop-row", "split")), ("angles", ("auto", "strict", "pure"))):
            if getattr(self, name) not in known:
                raise OptionError(f'--{name} cannot be "{getattr(self, name)}"; it is one of {", ".join(known)}')


USUAL = ReadOptions()
"""Nothing named: everything is found by its usual name."""


@dataclass
class Survey:
    """What reading a table brought to light; `trajectories` is None when there are problems."""

    problems: list[DataError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    trajectories: Trajectories | None = None
    lengthened: int = 0

    def problem(self, sentence: str) -> None:
        self.problems.append(DataError(sentence))

    def unwrap(self) -> Trajectories:
        """The trajectories; raises the first problem."""
        if self.problems:
            raise self.problems[0]
        assert self.trajectories is not None, "no problem, no trajectories"
        return self.trajectories


def listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def so_many_times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def so_many_rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
