"""The actions file beside a clip: clip.actions.csv or clip.actions.npy for clip.mp4 or the folder clip."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..errors import DataError

Array = np.ndarray

ENDINGS = (".actions.csv", ".actions.npy")


def actions_beside(places: Sequence[Path], called: Sequence[str], folder: Path | None) -> tuple[Array, ...] | None:
    """Actions [T, A] as float32 of every clip, or none when no clip has any.

    places: the clips' files or folders; called: how messages name them; folder: where actions files of no clip are
    looked for; none: nowhere.

    Raises DataError: some clips have actions and others have not, a clip has two files, a file belongs to no clip,
    a file cannot be read.
    """
    places = [place if place.name else place.resolve() for place in places]
    found = [[p for ending in ENDINGS if (p := place.with_name(_stem(place) + ending)).is_file()] for place in places]
    for files, name in zip(found, called, strict=True):
        if len(files) > 1:
            raise DataError(f"{name}: has two actions files, {files[0].name} and {files[1].name}. Delete one of them.")
    given = {files[0] for files in found if files}
    everywhere = [] if folder is None else [p for ending in ENDINGS for p in folder.rglob(f"*{ending}")]
    stray = sorted(set(everywhere) - given)
    if stray:
        raise DataError(
            f"{stray[0]}: is an actions file beside no clip; clip.mp4 has its actions in clip.actions.csv. Rename it."
        )
    if not given:
        return None
    for files, name, place in zip(found, called, places, strict=True):
        if not files:
            there = next(n for n, f in zip(called, found, strict=True) if f)
            raise DataError(
                f"{name}: has no actions, but {there} has. Write {_stem(place)}{ENDINGS[0]} beside it, one row a frame."
            )
    return tuple(read_actions(files[0]) for files in found)


def read_actions(path: Path) -> Array:
    """Rows of numbers [T, A] as float32 from csv, with or without a header, or npy; a single column may be flat in npy.

    Raises DataError that names the file and the row.
    """
    rows = _from_npy(path) if path.suffix == ".npy" else _from_csv(path)
    if not np.isfinite(rows).all():
        row = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0]) + 1
        raise DataError(f"{path}: the actions of frame {row} are not finite. Correct them.")
    return rows.astype(np.float32)


def _from_npy(path: Path) -> Array:
    try:
        with path.open("rb") as file:
            rows = np.load(file, allow_pickle=False)
    except Exception as problem:  # numpy reads headers as Python: a damaged one raises nearly anything
        told = str(problem).partition("\n")[0]
        reason = "pickled objects are never loaded" if "pickle" in told else told or "it ends too soon"
        raise DataError(f"{path}: cannot be read as npy ({reason}). Save a plain array of numbers.") from problem
    if not isinstance(rows, np.ndarray) or rows.ndim not in (1, 2) or rows.dtype.kind not in "fiub" or not rows.size:
        shape = f"{rows.dtype} {list(rows.shape)}" if isinstance(rows, np.ndarray) else "several arrays"
        raise DataError(f"{path}: holds {shape}; numbers [frames, actions] are needed")
    return rows.reshape(len(rows), -1)


def _from_csv(path: Path) -> Array:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeError) as problem:
        raise DataError(f"{path}: cannot be read as text ({problem}). Save it as CSV in UTF-8.") from problem
    rows: list[list[float]] = []
    seen = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        seen += 1
        cells = _cells(line)
        try:
            values = [float(cell) for cell in cells]
        except ValueError:
            if seen == 1:
                continue  # the header
            wrong = next(cell for cell in cells if not _is_number(cell))
            raise DataError(f'{path}: row {number}: "{wrong}" is not a number. Correct it.') from None
        if rows and len(values) != len(rows[0]):
            raise DataError(f"{path}: row {number} has {len(values)} actions, the rows above have {len(rows[0])}")
        rows.append(values)
    if not rows:
        raise DataError(f"{path}: has no rows. Write the actions of one frame a row.")
    return np.array(rows)


def _cells(line: str) -> list[str]:
    """Cells between commas, semicolons, tabs or spaces."""
    mark = next((mark for mark in ";\t," if mark in line), None)
    cells = re.split(r"\s+", line.strip()) if mark is None else next(csv.reader([line], delimiter=mark))
    return [cell.strip() for cell in cells]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _stem(place: Path) -> str:
    return place.name if place.is_dir() else place.stem
