"""Tables -> Trajectories.

    trajectory, t [s], q [rad], p [kg*m/s]         units in the header, in brackets or parentheses, at the end

Everything that can be wrong with a table is found here, once: `survey` collects all of it, `read_tables` raises the
first. A problem is one sentence with file, column, row and remedy. Rows are counted as an editor counts lines.

    sources, textfile    a path or a frame as headers and rows
    headers, roles       what the columns mean, and their units
    groups               which of them are components of vectors
    cells, pieces        what stands in the rows, trajectory by trajectory
    derived              columns made of others, where they are asked for
    writing              the way back

D state columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from noether_dsl.dimension import ANGLE
from noether_dsl.units import Unit

from ..errors import DataError
from .cells import Table
from .derived import derived_notes, with_derived
from .groups import vectors_of
from .headers import distinct, symbols_of
from .pieces import Piece, drop_short, each_row, lengthened, look_at_sizes, look_for_constants, pieces_of
from .reading import USUAL, ReadOptions, Survey, so_many_times
from .roles import Roles, agrees, roles_of, units_of
from .sources import Frame, open_table
from .trajectories import FEWEST_SAMPLES, Trajectories

__all__ = ["USUAL", "ReadOptions", "angles_are_strict", "from_frame", "read_tables", "read_tables_with_notes", "survey"]


def read_tables(paths: str | Path | Sequence[str | Path], options: ReadOptions = USUAL) -> Trajectories:
    """The trajectories in these files, in coherent units. Each file holds one, or several told apart by a column.

    Raises DataError: one sentence with file, column, row and remedy.
    """
    return survey(paths, options).unwrap()


def read_tables_with_notes(
    paths: str | Path | Sequence[str | Path], options: ReadOptions = USUAL
) -> tuple[Trajectories, tuple[str, ...]]:
    """`read_tables`, and what was assumed, converted or left out on the way."""
    found = survey(paths, options)
    return found.unwrap(), tuple(found.notes)


def from_frame(frame: pd.DataFrame, options: ReadOptions = USUAL, origin: str = "frame") -> Trajectories:
    """The trajectories in a frame whose column names follow the grammar of headers.

    Raises DataError. A row is counted as in a spreadsheet: the first one below the column names is row 2.
    """
    found = Survey()
    _understand([Frame(frame, origin)], options, found)
    return found.unwrap()


def survey(paths: str | Path | Sequence[str | Path], options: ReadOptions = USUAL) -> Survey:
    """Everything that can be said about these files; raises nothing."""
    found = Survey()
    listed = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not listed:
        found.problem("no file was named")
    names = Counter(path.name for path in listed)
    tables: list[Table] = []
    for path in listed:
        origin = path.name if names[path.name] == 1 else str(path)
        try:
            tables.append(open_table(path, origin, found.notes))
        except DataError as problem:
            found.problems.append(problem)
    if tables:
        _understand(tables, options, found)
    if found.problems:
        found.trajectories = None
    return found


def angles_are_strict(trajectories: Trajectories, options: ReadOptions = USUAL) -> bool:
    """Whether an angle is a dimension of its own here, which sinusoids insist on, or a pure number."""
    if options.angles == "auto":
        return any(base == ANGLE for unit in trajectories.units for base, _ in unit.dimension.exponents)
    return options.angles == "strict"


def _understand(tables: Sequence[Table], options: ReadOptions, found: Survey) -> None:
    """From tables to trajectories: roles from the headers, pieces from the rows, units last."""
    roles = roles_of(tables[0], options, found)
    if roles is None:
        return
    pieces: list[Piece] = []
    prefixes = distinct([table.stem for table in tables])
    for table, prefix in zip(tables, prefixes, strict=True):
        if table is not tables[0] and not agrees(table, tables[0], roles, options, found):
            continue
        try:
            pieces += pieces_of(table, roles, options, prefix if len(tables) > 1 else "", found)
        except DataError as problem:
            found.problems.append(problem)
    origin = tables[0].origin if len(tables) == 1 else f"{tables[0].origin} and {len(tables) - 1} more"
    units = units_of(tables[0].origin, roles, options, found)
    vectors = vectors_of(tables[0].origin, roles.inputs, units, options, found)
    if options.starts:
        pieces = [piece for piece in pieces if len(piece.times)]
        if roles.trajectory is None and roles.time is None:
            pieces = each_row(pieces)
        found.lengthened = sum(len(piece.times) < FEWEST_SAMPLES for piece in pieces)
        pieces = [lengthened(piece) for piece in pieces]
    else:
        drop_short(origin, pieces, roles, found)
        if pieces:
            look_for_constants(origin, pieces, roles, found)
            look_at_sizes(origin, pieces, roles, found)
    if found.problems:
        return
    try:
        measured = replace(_assembled(origin, pieces, roles, units), vectors=vectors)
        found.trajectories = with_derived(measured, options.velocities, options.with_time)
    except DataError as problem:
        found.problems.append(problem)
        return
    _note_wrapped(measured, found.notes)
    found.notes += derived_notes(measured, found.trajectories)


def _assembled(origin: str, pieces: Sequence[Piece], roles: Roles, units: Mapping[str, Unit]) -> Trajectories:
    D = len(roles.inputs)
    columns = (*roles.inputs, *roles.rates)
    scale = np.array([units[name].scale for name in columns])
    time = units[roles.time] if roles.time else Unit()
    numbers = [piece.numbers * scale if (scale != 1).any() else piece.numbers for piece in pieces]
    return Trajectories(
        names=roles.inputs,
        symbols=symbols_of(roles.inputs),
        units=tuple(units[name] for name in roles.inputs),
        states=tuple(np.ascontiguousarray(x[:, :D]) for x in numbers),
        times=tuple(np.ascontiguousarray(piece.times * time.scale) for piece in pieces),
        labels=distinct([piece.label for piece in pieces]),
        given_derivatives=tuple(np.ascontiguousarray(x[:, D:]) for x in numbers) if roles.rates else None,
        time_name=roles.time,
        time_unit=time,
        origin=origin,
    )


def _note_wrapped(trajectories: Trajectories, notes: list[str]) -> None:
    """An angle that is kept within one turn jumps; that is said, not repaired."""
    for d in np.flatnonzero(trajectories.angles):
        turn = max(float(x[:, d].max()) for x in trajectories.states) - min(
            float(x[:, d].min()) for x in trajectories.states
        )
        jumps = sum(int((np.abs(np.diff(x[:, d])) > np.pi).sum()) for x in trajectories.states)
        if jumps and turn <= 2 * np.pi * (1 + 1e-6):
            notes.append(
                f'{trajectories.origin}: column "{trajectories.names[d]}" is an angle within one turn; '
                f"it jumps {so_many_times(jumps)}"
            )
