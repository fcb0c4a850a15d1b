"""Sources: a path or a frame as a table, whatever kind of file it is."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ..errors import DataError
from .cells import Table
from .textfile import TextFile

_FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUM": "a numpy file",
    b"SQLi": "an SQLite file",
    b"\x89PNG": "a picture",
}
_LONGEST = 200  # characters of a path that a message repeats


def open_table(path: Path, origin: str, notes: list[str]) -> Table:
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a folder. Name the files in it, e.g. {path}/*.csv.")
        if not path.exists():
            if path.is_symlink():
                raise DataError(f"{path}: is a link that leads to no file. Name the file itself.")
            near = difflib.get_close_matches(path.name, _neighbours(path), n=1, cutoff=0.8)
            hint = f'Did you mean "{path.with_name(near[0])}"?' if near else "Check the path."
            raise DataError(f"{path}: there is no such file. {hint}")
        if not path.is_file():  # a pipe can be read once, and may never begin
            raise DataError(f"{path}: is no plain file. Write the table to a file, and name that.")
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as problem:
        shown = path if len(str(path)) <= _LONGEST else f"{str(path)[:20]}..."
        raise DataError(
            f"{shown}: cannot be opened ({problem.strerror}). Check the path and its permissions."
        ) from problem
    if start in _FOREIGN:
        raise DataError(f"{origin}: is {_FOREIGN[start]}, not a table of text. Save it as CSV.")
    if start == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, origin)
    return TextFile(path, origin, _stem(path), packed=start[:2] == b"\x1f\x8b", notes=notes)


def _neighbours(path: Path) -> list[str]:
    try:
        return [p.name for p in path.parent.iterdir()]
    except OSError:
        return []


def _parquet(path: Path, origin: str) -> Table:
    try:
        frame = pd.read_parquet(path)
    except ImportError as problem:
        raise DataError(
            f'{origin}: reading parquet needs pyarrow. Install "noether-discover[parquet]" or save the table as CSV.'
        ) from problem
    except Exception as problem:  # pyarrow has errors of its own, and they come and go with versions
        raise DataError(f"{origin}: cannot be read as parquet; the file is damaged or something else.") from problem
    return Frame(frame, origin, _stem(path))


def _stem(path: Path) -> str:
    return re.sub(r"\.(csv|tsv|txt|dat|parquet|pq|gz)$", "", re.sub(r"\.gz$", "", path.name), flags=re.IGNORECASE)


class Frame:
    """A pandas frame as a table."""

    def __init__(self, frame: pd.DataFrame, origin: str, stem: str | None = None) -> None:
        self.origin, self.stem, self.decimal, self._frame = origin, stem or origin, ".", frame
        self.headers = tuple(str(name).strip() for name in frame.columns)
        if not len(frame.columns):
            raise DataError(f"{origin}: has no columns.")
        if not len(frame):
            raise DataError(f"{origin}: has a header and no rows.")

    def frame(self, numbers: Sequence[int], label: int | None) -> pd.DataFrame:
        return self._frame

    def rows(self, indices: set[int]) -> dict[int, tuple[int, Sequence[str]]]:
        return {i: (i + 2, ["" if pd.isna(v) else str(v) for v in self._frame.iloc[i]]) for i in sorted(indices)}
