"""Cells: from what stands in a table's columns to numbers and labels.

N rows, C columns in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .trajectories import Array

MISSING = ("", "nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "none", "nil", "missing", "-nan", "-", "--", "?")
"""Cells that say "not measured"; case does not matter. Any other text in a number column is a mistake."""


class Table(Protocol):
    """Something with headers and rows.

    decimal: how a number's fraction begins, where numbers are text.
    """

    origin: str
    stem: str
    headers: tuple[str, ...]
    decimal: str

    def frame(self, numbers: Sequence[int], label: int | None) -> pd.DataFrame:
        """All columns, by place; numbers wherever possible, labels as text."""

    def rows(self, indices: set[int]) -> dict[int, tuple[int, Sequence[str]]]:
        """For these data rows (from 0): the row's number as an editor shows it, and its cells as text."""


@dataclass(frozen=True)
class Cells:
    """The used part of one table.

    numbers: [N, C], NaN where missing or refused. refused: [N, C], text that is neither a number nor "not measured".
    label_numbers: for each row the number of its label, -1 for none; labels: in order of appearance.
    """

    numbers: Array
    refused: NDArray[np.bool_]
    label_numbers: NDArray[np.int64]
    labels: tuple[str, ...]


def cells_of(table: Table, numbers: Sequence[int], label: int | None) -> Cells:
    """The columns at these places."""
    frame = table.frame(numbers, label)
    values = np.empty((len(frame), len(numbers)))
    refused = np.zeros(values.shape, dtype=bool)
    for place, column in enumerate(numbers):
        series = frame.iloc[:, column]
        kind = pd.api.types
        if kind.is_datetime64_any_dtype(series.dtype):
            values[:, place] = (series - series.min()).dt.total_seconds().to_numpy(dtype=float, na_value=np.nan)
        elif kind.is_numeric_dtype(series.dtype) and series.dtype.kind in "iuf":
            values[:, place] = series.to_numpy(dtype=float, na_value=np.nan)
        else:
            read = [number_in(cell, table.decimal) for cell in series.tolist()]
            refused[:, place] = [number is None for number in read]
            values[:, place] = [np.nan if number is None else number for number in read]
    if label is None:
        return Cells(values, refused, np.zeros(len(frame), dtype=np.int64), (table.stem,))
    which, found = pd.factorize(frame.iloc[:, label])
    plain = [_label(value) for value in found]
    distinct = list(dict.fromkeys(plain))
    if distinct != plain:  # they differ only in the spaces around them
        which = np.array([*(distinct.index(name) for name in plain), -1])[which]
    return Cells(values, refused, which.astype(np.int64), tuple(distinct))


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def number_in(cell: Any, decimal: str = ".") -> float | None:
    """The number in a cell, NaN where it says "not measured", None for anything else."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return float(cell)
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return float("nan")
    if not isinstance(cell, str) or "_" in cell:
        return None
    try:
        return float(cell if decimal == "." else cell.replace(decimal, "."))
    except ValueError:
        return float("nan") if cell.strip().lower() in MISSING else None


def is_number(cell: str) -> bool:
    number = number_in(cell.replace(",", "."))
    return number is not None and number == number
