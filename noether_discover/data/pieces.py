"""Pieces: the trajectories of one table, cut from its rows, and everything that can be wrong with them.

N rows, C columns in use, T samples of one trajectory. Rows are counted as an editor counts lines.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from noether_dsl.units import UnitError, coherent_units
from numpy.typing import NDArray

from .cells import Cells, Table, cells_of
from .reading import ReadOptions, Survey, listed, so_many_rows, so_many_times
from .roles import Roles, headers_of
from .trajectories import FEWEST_SAMPLES, Array

LARGEST = 1e60
"""Of a value, and one over it the least of a column's largest: fourth powers of what lies between are numbers."""
_SHOWN = 5  # of many alike problems, so many are spelled out


_MORE = "\0"  # in a sentence; no name holds it
_USE_MISSING = "Use --missing drop-row or --missing split."


@dataclass(frozen=True)
class Piece:
    """One trajectory in the file's own numbers: times [T], states and rates [T, C]."""

    label: str
    times: Array
    numbers: Array


def pieces_of(table: Table, roles: Roles, options: ReadOptions, prefix: str, found: Survey) -> list[Piece]:
    """The trajectories of one table; everything wrong with its cells and its times goes to `found`."""
    names = [name for name, _ in headers_of(table)]
    places = [names.index(n) for n in roles.numbers]
    label = None if roles.trajectory is None else names.index(roles.trajectory)
    cells = cells_of(table, places, label)
    spots = _Spots(table, roles, found)
    spots.refused(cells, places)
    spots.infinite(cells)
    absent_N = np.isnan(cells.numbers).any(axis=1) | (cells.label_numbers < 0)
    if options.missing == "error":
        spots.missing(cells, places)
    elif absent_N.any():
        done = "is left out" if options.missing == "drop-row" else "ends a piece of trajectory"
        count = so_many_rows(int(absent_N.sum()))
        found.notes.append(f"{table.origin}: every row with a missing value {done} ({count})")
    use_N = ~absent_N & ~np.isinf(cells.numbers).any(axis=1)
    pieces: list[Piece] = []
    for name, rows in zip(cells.labels, _groups(cells.label_numbers, len(cells.labels)), strict=True):
        kept = np.flatnonzero(use_N[rows])
        x_TC = cells.numbers[rows[kept]]
        t_T = kept.astype(float)
        if roles.time is not None:
            t_T, x_TC = x_TC[:, 0], x_TC[:, 1:]
            spots.time(rows[kept], t_T, x_TC, name)
        whole = "/".join(part for part in (prefix, name if roles.trajectory or not prefix else "") if part)
        cuts = (np.flatnonzero(np.diff(kept) > 1) + 1).tolist() if options.missing == "split" else []
        for number, (a, b) in enumerate(pairwise([0, *cuts, len(kept)])):
            pieces.append(Piece(f"{whole}/{number}" if cuts else whole, t_T[a:b], x_TC[a:b]))
    spots.report()
    return pieces


def _groups(which_N: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """For each label the rows that carry it, in the file's order."""
    if (np.diff(which_N) >= 0).all():
        order = np.arange(len(which_N))
        bounds = np.searchsorted(which_N, np.arange(count + 1))
    else:
        order = np.argsort(which_N, kind="stable")
        bounds = np.searchsorted(which_N[order], np.arange(count + 1))
    return [order[a:b] for a, b in pairwise(bounds)]


class _Spots:
    """Problems at certain rows of one table; the rows' numbers and texts are looked up together, at the end."""

    def __init__(self, table: Table, roles: Roles, found: Survey) -> None:
        self._table, self._roles, self._found = table, roles, found
        self._pending: list[tuple[int, Callable[[int, Sequence[str]], str]]] = []
        self._disordered = 0

    def _at(self, indices: NDArray[np.int64], sentence: Callable[[int, Sequence[str]], str], others: str = "") -> None:
        """The first few of these rows each get their sentence, the others, if they are several, are counted in one, in
        the place of `_MORE`."""
        shown = _SHOWN if len(indices) > _SHOWN + 1 else len(indices)
        self._pending += [(int(index), sentence) for index in indices[:shown]]
        if len(indices) > shown:
            self._pending.append((-1, lambda *_: others.replace(_MORE, f"{len(indices) - shown} more")))

    def refused(self, cells: Cells, places: Sequence[int]) -> None:
        if self._second_header(cells, places):
            remedy = "Write them into the header, such as q [rad], and delete the row."
            self._at(np.zeros(1, dtype=int), lambda row, _: f"row {row} seems to hold units. {remedy}")
            return
        for name, place, refused_N in zip(self._roles.numbers, places, cells.refused.T, strict=True):
            where, now = np.flatnonzero(refused_N), "Correct the cell, or empty it and use --missing."
            if 1 < len(where) >= 0.9 * len(refused_N):
                where, now = where[:1], "Nor is the rest of the column; leave it out with --inputs."
                if self._roles.trajectory is None:
                    label = f"if it tells trajectories apart, --trajectory {shlex.quote(name)}"
                    now = f"Nor is the rest of the column; {label}, else leave it out with --inputs."
                if name == self._roles.time:
                    now = "Nor is the rest of the column; write times as numbers, e.g. seconds from the start."

            def sentence(row: int, texts: Sequence[str], name: str = name, place: int = place, now: str = now) -> str:
                text = texts[place].strip() if place < len(texts) else ""
                shown = text if len(text) <= 40 else f"{text[:40]}..."
                return f'column "{name}" row {row}: "{shown}" is not a number. {now}'

            self._at(where, sentence, f'column "{name}": {_MORE} cells are not numbers. Correct or empty them.')

    def _second_header(self, cells: Cells, places: Sequence[int]) -> bool:
        """Whether the only text among the numbers is a line of units below the header."""
        if cells.refused[1:].any() or cells.refused[0].sum() < 2:
            return False
        _, texts = self._table.rows({0})[0]
        try:
            coherent_units(
                {str(p): texts[p].strip(" []()") for p, no in zip(places, cells.refused[0], strict=True) if no}
            )
        except UnitError:
            return False
        return True

    def infinite(self, cells: Cells) -> None:
        for name, x_N in zip(self._roles.numbers, cells.numbers.T, strict=True):

            def sentence(row: int, texts: Sequence[str], name: str = name) -> str:
                return f'column "{name}" row {row} is infinite. Correct the cell, or empty it. {_USE_MISSING}'

            self._at(np.flatnonzero(np.isinf(x_N)), sentence, f'column "{name}": {_MORE} cells are infinite.')

    def missing(self, cells: Cells, places: Sequence[int]) -> None:
        width = len(self._table.headers)
        absent_NC = np.isnan(cells.numbers) & ~cells.refused
        for name, place, absent_N in zip(self._roles.numbers, places, absent_NC.T, strict=True):

            def sentence(row: int, texts: Sequence[str], name: str = name, place: int = place) -> str:
                if len(texts) <= place:
                    return f'column "{name}" row {row}: the row has {len(texts)} of {width} cells. {_USE_MISSING}'
                text = texts[place].strip()
                said = f': "{text}" is not a number' if text else " is empty"
                return f'column "{name}" row {row}{said}. {_USE_MISSING}'

            others = f'column "{name}": {_MORE} cells are missing. {_USE_MISSING}'
            self._at(np.flatnonzero(absent_N), sentence, others)
        if self._roles.trajectory is not None:
            name = self._roles.trajectory
            self._at(
                np.flatnonzero(cells.label_numbers < 0),
                lambda row, _: f'column "{name}" row {row} names no trajectory. {_USE_MISSING}',
                f'column "{name}": {_MORE} rows name no trajectory. {_USE_MISSING}',
            )

    def time(self, rows_T: NDArray[np.int64], t_T: Array, x_TC: Array, label: str) -> None:
        step = np.diff(t_T)
        wrong = np.flatnonzero(~(step > 0))
        if not len(wrong):
            return
        self._disordered += 1
        if self._disordered > _SHOWN:
            return
        before, after = t_T[wrong[0]], t_T[wrong[0] + 1]
        what = f"repeats {after:.10g}" if before == after else f"goes back from {before:.10g} to {after:.10g}"
        if len(wrong) > 1:
            what += f", and fails to increase {so_many_times(len(wrong) - 1)} more"
        whose = "" if self._roles.trajectory is None else f" in trajectory {label}"
        hint = "Sort the rows by time and delete repeated ones."
        if len(wrong) > 1 or after <= t_T[0]:
            seem = "interleaved" if len(wrong) > 0.2 * len(step) else "one below the other"
            apart = self._telling_apart(t_T, x_TC)
            now = (
                "name the column that tells them apart, --trajectory."
                if apart is None
                else f'column "{apart}" seems to tell them apart: --trajectory {shlex.quote(apart)}.'
            )
            hint = f"Several trajectories seem to stand here, {seem}: {now}"
        self._at(
            rows_T[wrong[:1] + 1],
            lambda row, _: f'column "{self._roles.time}" row {row}: time {what}{whose}. {hint}',
            "",
        )

    def _telling_apart(self, t_T: Array, x_TC: Array) -> str | None:
        """A column of whole numbers within each of which times increase."""
        for name, x_T in zip(self._roles.inputs, x_TC.T, strict=False):
            order = np.argsort(x_T, kind="stable")
            values, alike = x_T[order], np.diff(x_T[order]) == 0
            several = FEWEST_SAMPLES * np.count_nonzero(~alike) < len(t_T) - FEWEST_SAMPLES
            if several and (values == np.round(values)).all() and (np.diff(t_T[order])[alike] > 0).all():
                return name
        return None

    def report(self) -> None:
        if self._disordered > _SHOWN:
            more = self._disordered - _SHOWN
            self._pending.append((-1, lambda *_: f"time does not increase in {more} more trajectories."))
        where = self._table.rows({index for index, _ in self._pending if index >= 0})
        for index, sentence in self._pending:
            self._found.problem(f"{self._table.origin}: {sentence(*where.get(index, (0, ())))}")


def drop_short(origin: str, pieces: list[Piece], roles: Roles, found: Survey) -> None:
    short = [piece.label for piece in pieces if len(piece.times) < FEWEST_SAMPLES]
    if short and len(short) < len(pieces):
        found.notes.append(
            f"{origin}: fewer than {FEWEST_SAMPLES} samples in {len(short)} of {len(pieces)} trajectories, "
            f"which are left out ({listed(short, 6)})"
        )
    elif short and not found.problems:
        hint = (
            "Measure longer."
            if roles.trajectory is None
            else f'They are told apart by "{roles.trajectory}"; name another column with --trajectory, or delete it.'
        )
        found.problem(f"{origin}: no trajectory has {FEWEST_SAMPLES} samples or more. {hint}")
    pieces[:] = [piece for piece in pieces if len(piece.times) >= FEWEST_SAMPLES]


def each_row(pieces: Sequence[Piece]) -> list[Piece]:
    """Every row as a piece of its own, numbered from 1 (after its file's name, where there are several)."""

    def label(piece: Piece, row: int) -> str:
        if len(pieces) == 1:
            return str(row + 1)
        return piece.label if len(piece.times) == 1 else f"{piece.label}/{row + 1}"

    return [
        Piece(label(piece, row), piece.times[row : row + 1], numbers)
        for piece in pieces
        for row, numbers in enumerate(np.split(piece.numbers, len(piece.numbers)))
    ]


def lengthened(piece: Piece) -> Piece:
    """A piece of at least `FEWEST_SAMPLES`: a shorter one stays where it ends, a unit of time a sample."""
    missing = FEWEST_SAMPLES - len(piece.times)
    if missing <= 0 or not len(piece.times):
        return piece
    times = np.concatenate([piece.times, piece.times[-1] + np.arange(1, missing + 1)])
    return Piece(piece.label, times, np.concatenate([piece.numbers, piece.numbers[-1:].repeat(missing, axis=0)]))


def look_for_constants(origin: str, pieces: Sequence[Piece], roles: Roles, found: Survey) -> None:
    D = len(roles.inputs)
    low = np.min([piece.numbers[:, :D].min(axis=0) for piece in pieces], axis=0)
    high = np.max([piece.numbers[:, :D].max(axis=0) for piece in pieces], axis=0)
    for name, a, b in zip(roles.inputs, low, high, strict=True):
        if a == b:
            digits = " to 16 digits" if abs(a) >= 2**53 else ""
            found.problem(
                f'{origin}: column "{name}" never changes{digits} (always {a:g}). Leave it out with --inputs.'
            )


def look_at_sizes(origin: str, pieces: Sequence[Piece], roles: Roles, found: Survey) -> None:
    """Columns whose powers no computer holds, and times likewise."""
    D = len(roles.inputs)
    sizes = np.max([np.abs(piece.numbers[:, :D]).max(axis=0) for piece in pieces], axis=0).tolist()
    named = [(f'column "{name}"', "values of", size) for name, size in zip(roles.inputs, sizes, strict=True)]
    spans = [float(piece.times[-1] - piece.times[0]) for piece in pieces]
    named += [("the time", "trajectories of", span) for span in (min(spans), max(spans))]
    for what, of, size in dict.fromkeys(named):
        if size > 0 and not 1 / LARGEST <= size <= LARGEST:
            found.problem(
                f"{origin}: {what} has {of} {size:.0e}, of which nothing can be computed. Give it in a unit in which "
                f"they are between {1 / LARGEST:.0e} and {LARGEST:.0e}."
            )
