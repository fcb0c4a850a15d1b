"""Tables <-> Trajectories.

    trajectory, t [s], q [rad], p [kg*m/s]         units in the header, in brackets or parentheses, at the end

Everything that can be wrong with a table is found here, once: `survey` collects all of it, `read_tables` raises the
first. A problem is one sentence with file, column, row and remedy. Rows are counted as an editor counts lines.

N rows, C columns in use, T samples of one trajectory, D state columns.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import keyword
import os
import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
import pandas as pd
from noether_dsl.dimension import ANGLE, Dimension
from noether_dsl.operators import OPERATORS
from noether_dsl.units import Unit, UnitError, coherent_units
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from .trajectories import FEWEST_SAMPLES, Array, Trajectories

TRAJECTORY_NAMES = (
    "trajectory", "trajectory id", "trajectory number", "traj", "traj id", "run", "run id", "trial", "sequence",
    "sequence id", "seq", "episode", "experiment", "particle", "body", "id",
)  # fmt: skip
"""What a trajectory column is usually called, likeliest first; case, spaces and punctuation do not matter."""

TIME_NAMES = ("t", "time", "timestamp", "times", "seconds", "sec", "time s", "t s")
"""What a time column is usually called."""

MISSING = ("", "nan", "na", "n/a", "#n/a", "#na", "<na>", "null", "none", "nil", "missing", "-nan", "-", "--", "?")
"""Cells that say "not measured"; case does not matter. Any other text in a number column is a mistake."""

_SHOWN = 5  # of many alike problems, so many are spelled out
_HEAD = 65536
_FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUM": "a numpy file",
    b"SQLi": "an SQLite file",
    b"\x89PNG": "a picture",
}
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_EXACT: Any = (  # pandas 3.1 reads to the last bit unasked, and warns when asked
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)
_USE_MISSING = "Use --missing drop-row or --missing split."


@dataclass(frozen=True)
class ReadOptions:
    """How a table is to be understood. Columns are named as the file names them, without their unit.

    trajectory, time: their columns; None: found by their usual names. No time column: sample numbers are the time.
    inputs: the state's columns; empty: all that are left.
    units: column -> unit, where the header lacks it or is wrong.
    missing: error | drop-row | split (a row with a missing value ends a piece of trajectory).
    angles: auto | strict | pure; auto is strict when some input carries an angle unit.
    derivatives: column -> column with its time derivative, for all inputs or none.
    """

    trajectory: str | None = None
    time: str | None = None
    inputs: tuple[str, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)
    missing: str = "error"
    angles: str = "auto"
    derivatives: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
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

    def problem(self, sentence: str) -> None:
        self.problems.append(DataError(sentence))

    def unwrap(self) -> Trajectories:
        """The trajectories; raises the first problem."""
        if self.problems:
            raise self.problems[0]
        assert self.trajectories is not None, "no problem, no trajectories"
        return self.trajectories


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
    _understand([_Frame(frame, origin)], options, found)
    return found.unwrap()


def survey(paths: str | Path | Sequence[str | Path], options: ReadOptions = USUAL) -> Survey:
    """Everything that can be said about these files; raises nothing."""
    found = Survey()
    listed = [Path(p) for p in ([paths] if isinstance(paths, str | Path) else paths)]
    if not listed:
        found.problem("no file was named")
    names = Counter(path.name for path in listed)
    tables: list[_Table] = []
    for path in listed:
        origin = path.name if names[path.name] == 1 else str(path)
        try:
            tables.append(_open(path, origin, found.notes))
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


def write_csv(trajectories: Trajectories, path: str | Path) -> None:
    """A file that reads back as the same trajectories, to the last bit; gzipped if its name says so.

    Columns with unusual names for time or trajectories need to be named again on reading. Sample numbers are not
    written unless some are left out. The file appears whole or not at all.
    """
    names = trajectories.names
    taken = {*names, trajectories.time_name}
    data: dict[str, Any] = {
        next(n for n in TRAJECTORY_NAMES if n not in taken): np.repeat(
            np.array(trajectories.labels, dtype=object), [len(t) for t in trajectories.times]
        )
    }
    time, counted = trajectories.time_name, all(np.array_equal(t, np.arange(len(t))) for t in trajectories.times)
    if time is None and not counted:
        time = next(n for n in TIME_NAMES if n not in names)
    if time is not None:
        data[format_header(time, trajectories.time_unit)] = np.concatenate(trajectories.times)
    for name, unit, x in zip(names, trajectories.units, trajectories.stacked.T, strict=True):
        data[format_header(name, unit)] = x
    if trajectories.given_derivatives is not None:
        rates = np.concatenate(trajectories.given_derivatives).T
        for name, unit, v in zip(names, trajectories.units, rates, strict=True):
            rate = Unit(unit.dimension / trajectories.time_unit.dimension)
            data[format_header(_rate_name(name, time), rate)] = v
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    packing: Any = "gzip" if target.suffix == ".gz" else None
    try:
        pd.DataFrame(data).to_csv(temporary, index=False, lineterminator="\n", compression=packing)
        temporary.replace(target)
    except OSError as problem:
        raise DataError(f"{target}: cannot be written ({problem.strerror}). Name another place.") from problem
    finally:
        temporary.unlink(missing_ok=True)


# ---------------------------------------------------------------------------------------------------------------- names


def parse_header(text: str) -> tuple[str, str | None]:
    """A column's name and its unit's text, None without brackets.

    >>> parse_header("p [kg*m/s]"), parse_header("q.x (m/s^(2))"), parse_header("n")
    (('p', 'kg*m/s'), ('q.x', 'm/s^(2)'), ('n', None))
    """
    text = text.strip()
    if text[-1:] not in ("]", ")"):
        return text, None
    closing, opening, depth = text[-1], "[" if text[-1] == "]" else "(", 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == closing) - (text[place] == opening)
        if depth == 0:
            name = text[:place].strip()
            return (name, text[place + 1 : -1].strip()) if name else (text, None)
    return text, None


def format_header(name: str, unit: Unit) -> str:
    """The header that `parse_header` reads back."""
    if unit.dimension.is_pure and parse_header(name) == (name, None):
        return name
    return f"{name} [{unit}]"


def symbols_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns as formulas spell them: distinct identifiers.

    >>> symbols_of(["q.x", "q x", "lambda", "2nd", "θ"])
    ('q_x', 'q_x_2', 'lambda_', '_2nd', 'θ')
    """
    symbols: list[str] = []
    for name in names:
        plain = unicodedata.normalize("NFKC", name.strip())  # as Python itself reads identifiers
        symbol = "".join(c if f"a{c}".isidentifier() else "_" for c in plain)
        if not symbol.isidentifier():
            symbol = f"_{symbol}"
        symbols.append(f"{symbol}_" if keyword.iskeyword(symbol) else symbol)
    return _distinct(symbols, reserved=symbols, joint="_")


def _distinct(names: Iterable[str], reserved: Iterable[str] = (), joint: str = "#") -> tuple[str, ...]:
    """The names, later ones of equal names numbered from 2."""
    out: list[str] = []
    taken = set(reserved)
    seen: set[str] = set()
    for name in names:
        new, number = name, 2
        while new in seen or (new != name and new in taken):
            new, number = f"{name}{joint}{number}", number + 1
        seen.add(new)
        out.append(new)
    return tuple(out)


def _plain(name: str) -> str:
    """A name without what makes no difference: case, spaces, underscores, hyphens."""
    return re.sub(r"[\s_\-.]+", "", name).lower()


def _rate_name(name: str, time: str | None) -> str:
    return f"d{name}/d{time or 't'}"


def _unknown(name: str, option: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(
        name.lower(), [n.lower() for n in names], n=1
    )
    nearest = next((n for n in names if close and n.lower() == close[0].lower()), None)
    hint = f', did you mean "{nearest}"?' if nearest else "."
    return f'there is no column "{name}" ({option}){hint} The columns are {_listed(names)}.'


def _listed(names: Sequence[str], most: int = 12) -> str:
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


# --------------------------------------------------------------------------------------------------------------- tables


class _Table(Protocol):
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
class _Cells:
    """The used part of one table.

    numbers: [N, C], NaN where missing or refused. refused: [N, C], text that is neither a number nor "not measured".
    label_numbers: for each row the number of its label, -1 for none; labels: in order of appearance.
    """

    numbers: Array
    refused: NDArray[np.bool_]
    label_numbers: NDArray[np.int64]
    labels: tuple[str, ...]


def _cells(table: _Table, numbers: Sequence[int], label: int | None) -> _Cells:
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
            read = [_number(cell, table.decimal) for cell in series.tolist()]
            refused[:, place] = [number is None for number in read]
            values[:, place] = [np.nan if number is None else number for number in read]
    if label is None:
        return _Cells(values, refused, np.zeros(len(frame), dtype=np.int64), (table.stem,))
    which, found = pd.factorize(frame.iloc[:, label])
    plain = [_label(value) for value in found]
    distinct = list(dict.fromkeys(plain))
    if distinct != plain:  # they differ only in the spaces around them
        which = np.array([*(distinct.index(name) for name in plain), -1])[which]
    return _Cells(values, refused, which.astype(np.int64), tuple(distinct))


def _label(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _number(cell: Any, decimal: str = ".") -> float | None:
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


def _open(path: Path, origin: str, notes: list[str]) -> _Table:
    if path.is_dir():
        raise DataError(f"{path}: is a folder. Name the files in it, e.g. {path}/*.csv.")
    if not path.exists():
        near = difflib.get_close_matches(path.name, _neighbours(path), n=1, cutoff=0.8)
        hint = f'Did you mean "{path.with_name(near[0])}"?' if near else "Check the path."
        raise DataError(f"{path}: there is no such file. {hint}")
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError as problem:
        raise DataError(f"{path}: cannot be opened ({problem.strerror}).") from problem
    if start in _FOREIGN:
        raise DataError(f"{origin}: is {_FOREIGN[start]}, not a table of text. Save it as CSV.")
    if start == b"PAR1" or path.suffix.lower() in (".parquet", ".pq"):
        return _parquet(path, origin)
    return _TextFile(path, origin, packed=start[:2] == b"\x1f\x8b", notes=notes)


def _neighbours(path: Path) -> list[str]:
    try:
        return [p.name for p in path.parent.iterdir()]
    except OSError:
        return []


def _parquet(path: Path, origin: str) -> _Table:
    try:
        frame = pd.read_parquet(path)
    except ImportError as problem:
        raise DataError(
            f'{origin}: reading parquet needs pyarrow. Install "noether-discover[parquet]" or save the table as CSV.'
        ) from problem
    except Exception as problem:  # pyarrow has errors of its own, and they come and go with versions
        raise DataError(f"{origin}: cannot be read as parquet; the file is damaged or something else.") from problem
    return _Frame(frame, origin, _stem(path))


def _stem(path: Path) -> str:
    return re.sub(r"\.(csv|tsv|txt|dat|parquet|pq|gz)$", "", re.sub(r"\.gz$", "", path.name), flags=re.IGNORECASE)


class _Frame:
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


class _TextFile:
    """A file of lines: comments, one header, rows. pandas reads it; on trouble it is read again, line by line."""

    def __init__(self, path: Path, origin: str, *, packed: bool, notes: list[str]) -> None:
        self.origin, self.stem = origin, _stem(path)
        self._path, self._packed = path, packed
        self._encoding = self._look(path)
        self._separator: str | None = ","
        with self._text() as file:
            self._header_lines, header, sample = self._decoded(lambda: _head(file))
        if header is None:
            raise DataError(
                f"{origin}: is empty. Give it a header such as t [s],q [rad],p [kg*m/s] and rows of numbers."
            )
        self._separator = _separator(header, sample)
        self.headers = self._cells_of(header)
        rows = [self._cells_of(line) for line in sample]
        if self._header_is_numbers(notes):
            rows.insert(0, self._cells_of(header))
        if not rows:
            raise DataError(f"{origin}: has a header and no rows. Add the measurements below the header.")
        self.decimal = "," if self._separator != "," and _decimal_commas(rows) else "."
        if self._separator != "," and path.suffix.lower() == ".csv":
            spelled = {"\t": "tabs", None: "spaces"}.get(self._separator, f'"{self._separator}"')
            notes.append(f"{origin}: cells are separated by {spelled}")
        if self.decimal == ",":
            notes.append(f"{origin}: numbers are written with a decimal comma")
        if self._encoding == "utf-16":
            notes.append(f"{origin}: is encoded as UTF-16")
        self._width = self._agreed_width(rows)
        if any(len(row) > self._width for row in rows):
            raise DataError(self._uneven())

    # what kind of file

    def _look(self, path: Path) -> str:
        try:
            with self._bytes() as file:
                head = file.read(_HEAD)
        except (OSError, EOFError, zlib.error) as problem:
            raise DataError(f"{self.origin}: cannot be unpacked; the file is damaged ({problem}).") from problem
        for mark, encoding in _MARKS.items():
            if head.startswith(mark):
                return encoding
        if b"\0" in head:
            raise DataError(
                f"{self.origin}: is a binary file (byte {head.index(0)} is zero), not a table of text. Save it as CSV."
            )
        return "utf-8"

    def _bytes(self) -> IO[bytes]:
        return cast(IO[bytes], gzip.open(self._path, "rb")) if self._packed else self._path.open("rb")

    def _text(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(self._bytes(), encoding=self._encoding, newline="")

    def _decoded(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except UnicodeError:
            raise DataError(self._undecodable()) from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as problem:
            raise DataError(f"{self.origin}: cannot be unpacked; the file is damaged ({problem}).") from problem

    def _undecodable(self) -> str:
        decoder, position, line = codecs.getincrementaldecoder(self._encoding)(), 0, 1
        with self._bytes() as file:
            while True:
                piece = file.read(1 << 20)
                kept = len(decoder.getstate()[0])
                try:
                    line += decoder.decode(piece, final=not piece).count("\n")
                except UnicodeDecodeError as problem:
                    byte = f"0x{problem.object[problem.start]:02x}"
                    line += problem.object[: problem.start].count(b"\n")
                    place = position - kept + problem.start
                    return (
                        f"{self.origin}: is not {self._encoding.upper()} text (byte {byte} at position {place}, "
                        f"row {line}). Save it as UTF-8, e.g. iconv -f latin1 -t utf-8."
                    )
                position += len(piece)
                assert piece, "the whole file could be decoded"

    # header

    def _header_is_numbers(self, notes: list[str]) -> bool:
        """Whether a comment is the header. Raises DataError when there is none at all."""
        if not self.headers or not all(_is_number(cell) for cell in self.headers):
            return False
        if len(self.headers) == 1 and self._separator == ",":
            raise DataError(f"{self.origin}: has one column and no header; a state needs at least two columns.")
        comment = next((line for line in reversed(self._header_lines[:-1]) if line.startswith("#")), "")
        names = self._cells_of(comment.lstrip("#").strip())
        if len(names) == len(self.headers) and not any(_is_number(name) for name in names):
            self.headers = names
            self._header_lines = self._header_lines[:-1]
            notes.append(f"{self.origin}: the comment above the numbers is taken as the header")
            return True
        row = len(self._header_lines)
        raise DataError(
            f"{self.origin}: has no header: row {row} holds only numbers. Write the column names in a first line, "
            "such as t [s],q [rad],p [kg*m/s]."
        )

    def _agreed_width(self, rows: Sequence[Sequence[str]]) -> int:
        """How many cells a row has; empty ones after the header's last are forgiven."""
        width, extra = len(self.headers), rows[0][len(self.headers) :]
        if extra and not any(extra) and len({len(row) for row in rows}) == 1:
            return len(rows[0])
        return width

    # rows

    def _cells_of(self, line: str) -> tuple[str, ...]:
        line = line.strip("\r\n")
        if self._separator is None:
            return tuple(cell.strip('"') for cell in _WORD.findall(line))
        cells = next(csv.reader([line], delimiter=self._separator, skipinitialspace=True), [])
        return tuple(cell.strip() for cell in cells)

    def _lines(self) -> Iterator[tuple[int, list[str]]]:
        """All rows below the header, each with the number of its last line; empty lines are passed over."""
        with self._text() as file:
            above = len(self._header_lines)
            for _ in range(above):
                file.readline()
            if self._separator is None:
                for number, line in enumerate(file, start=above + 1):
                    if line.strip():
                        yield number, line.split()
                return
            reader = csv.reader(file, delimiter=self._separator, skipinitialspace=True)
            try:
                for cells in reader:
                    if len(cells) > 1 or (cells and cells[0].strip()):
                        yield above + reader.line_num, cells
            except csv.Error as problem:
                row = above + reader.line_num
                raise DataError(f"{self.origin}: row {row} cannot be read ({problem}). Correct it.") from problem

    def rows(self, indices: set[int]) -> dict[int, tuple[int, Sequence[str]]]:
        last, out = max(indices, default=-1), {}
        if last >= 0:
            for i, found in enumerate(self._lines()):
                if i in indices:
                    out[i] = found
                if i == last:
                    break
        return {i: (row, cells) for i, (row, cells) in out.items()}

    def frame(self, numbers: Sequence[int], label: int | None) -> pd.DataFrame:
        missing = sorted({form(word) for word in MISSING for form in (str, str.upper, str.title)} | {"NaN"})
        nothing: Any = dict.fromkeys(numbers, missing)
        kinds: Any = {}
        if label is not None:
            kinds[label], nothing[label] = str, [""]

        def read() -> pd.DataFrame:
            with self._text() as file:
                for _ in self._header_lines:
                    file.readline()
                return pd.read_csv(
                    file,
                    sep=self._separator or r"\s+",
                    header=None,
                    names=list(range(self._width)),
                    index_col=False,
                    dtype=kinds,
                    na_values=nothing,
                    keep_default_na=False,
                    skipinitialspace=True,
                    decimal=self.decimal,
                    low_memory=False,
                    **_EXACT,
                )

        try:
            return self._decoded(read)
        except pd.errors.ParserError as problem:
            raise DataError(self._uneven() or self._open_quote(problem)) from problem

    def _open_quote(self, problem: pd.errors.ParserError) -> str:
        place = re.search(r"inside string starting at row (\d+)", str(problem))
        if place is None:
            return f"{self.origin}: cannot be read as a table ({problem}). Save it again as CSV."
        before = int(place[1]) - 1
        row = self.rows({before})[before][0] + 1 if before >= 0 else len(self._header_lines) + 1
        return f"{self.origin}: row {row} opens a quotation that never ends. Delete the quote."

    def _uneven(self) -> str:
        """The complaint about rows with more cells than the header has names; empty when there are none."""
        wide = [(row, len(cells)) for row, cells in self._lines() if len(cells) > self._width]
        if not wide:
            return ""
        more = f" (and {_rows(len(wide) - 1)} more)" if len(wide) > 1 else ""
        return (
            f"{self.origin}: row {wide[0][0]} has {wide[0][1]} cells where the header names {len(self.headers)}{more}. "
            "Check the delimiter, and write numbers with a decimal point."
        )


_WORD = re.compile(r'"[^"]*"|[^\s\[(]+(?:\s*\[[^\]]*\]|\s*\([^)]*\))?')


def _head(file: io.TextIOWrapper) -> tuple[list[str], str | None, list[str]]:
    """The lines up to and with the header, the header itself, and the first rows."""
    above: list[str] = []
    header: str | None = None
    sample: list[str] = []
    for line in file:
        if header is None:
            above.append(line)
            if line.strip() and not line.startswith("#"):
                header = line
        elif line.strip():
            sample.append(line)
            if len(sample) == 50:
                break
    return above, header, sample


def _separator(header: str, sample: Sequence[str]) -> str | None:
    """What stands between cells: , ; tab or |; None for spaces. A comma when nothing does."""
    bare = re.sub(r'"[^"]*"|\[[^\]]*\]|\([^)]*\)', "", header)
    count = {mark: bare.count(mark) for mark in ",;\t|" if mark in bare}
    if count:
        return max(count, key=lambda mark: (bool(sample) and sample[0].count(mark) >= count[mark], count[mark]))
    words = len(_WORD.findall(header))
    return None if words > 1 and sample and len(sample[0].split()) == words else ","


def _decimal_commas(rows: Sequence[Sequence[str]]) -> bool:
    cells = [cell for row in rows for cell in row]
    return any(re.fullmatch(r"[+-]?\d*,\d+([eE][+-]?\d+)?", c) for c in cells) and not any(
        re.fullmatch(r"[+-]?\d*\.\d+([eE][+-]?\d+)?", c) for c in cells
    )


def _is_number(cell: str) -> bool:
    number = _number(cell.replace(",", "."))
    return number is not None and number == number


# ---------------------------------------------------------------------------------------------------------- understand


@dataclass(frozen=True)
class _Roles:
    """Which column is what, by name; `units` holds the text of every used column's unit."""

    trajectory: str | None
    time: str | None
    inputs: tuple[str, ...]
    rates: tuple[str, ...]
    units: Mapping[str, str]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every column that must hold numbers; time first."""
        return (*(() if self.time is None else (self.time,)), *self.inputs, *self.rates)


def _understand(tables: Sequence[_Table], options: ReadOptions, found: Survey) -> None:
    """From tables to trajectories: roles from the headers, pieces from the rows, units last."""
    roles = _roles(tables[0], options, found)
    if roles is None:
        return
    pieces: list[_Piece] = []
    prefixes = _distinct([table.stem for table in tables])
    for table, prefix in zip(tables, prefixes, strict=True):
        if table is not tables[0] and not _agrees(table, tables[0], roles, options, found):
            continue
        try:
            pieces += _pieces(table, roles, options, prefix if len(tables) > 1 else "", found)
        except DataError as problem:
            found.problems.append(problem)
    origin = tables[0].origin if len(tables) == 1 else f"{tables[0].origin} and {len(tables) - 1} more"
    units = _units(tables[0].origin, roles, options, found)
    _drop_short(origin, pieces, roles, found)
    if pieces:
        _look_for_constants(origin, pieces, roles, found)
    if found.problems:
        return
    try:
        found.trajectories = _assembled(origin, pieces, roles, units)
    except DataError as problem:
        found.problems.append(problem)
        return
    _note_wrapped(found.trajectories, found.notes)


def _headers(table: _Table) -> list[tuple[str, str | None]]:
    return [parse_header(header) for header in table.headers]


def _roles(table: _Table, options: ReadOptions, found: Survey) -> _Roles | None:
    """Which column is what. None when that cannot be told."""
    before = len(found.problems)
    here = table.origin
    headers = [(name, unit) for name, unit in _headers(table) if not _is_unnamed(name)]
    unnamed = [place + 1 for place, (name, _) in enumerate(_headers(table)) if _is_unnamed(name)]
    names = [name for name, _ in headers]
    for place in unnamed:
        found.notes.append(f"{here}: column {place} has no name and is left out")
    for name, count in Counter(names).items():
        if count > 1:
            found.problem(f'{here}: the column "{name}" appears {_times(count)}. Rename or delete one of them.')
    if len(found.problems) > before:
        return None

    def column(wanted: str, option: str) -> str | None:
        for candidate in (wanted.strip(), parse_header(wanted)[0]):
            if candidate in names:
                return candidate
        if wanted in symbols_of(names):
            return names[symbols_of(names).index(wanted)]
        found.problem(f"{here}: {_unknown(wanted, option, names)}")
        return None

    given = {}
    for wanted, text in options.units.items():
        stated = column(wanted, "--unit")
        if stated is not None:
            given[stated] = text
    texts = {name: given.get(name, unit or "") for name, unit in headers}
    if options.trajectory is not None:
        trajectory = column(options.trajectory, "--trajectory")
    else:
        spoken_for = {options.time, *options.inputs, *options.derivatives, *options.derivatives.values()}
        trajectory = _usual(TRAJECTORY_NAMES, [n for n, unit in headers if unit is None and n not in spoken_for])
    if options.time is not None:
        time = column(options.time, "--time")
    else:
        time = _usual(TIME_NAMES, [n for n in names if n != trajectory and _may_be_time(texts[n])])
    chosen = [column(wanted, "--inputs") for wanted in options.inputs]
    rate_of: dict[str, str] = {}
    for wanted, rate in options.derivatives.items():
        of, by = column(wanted, "--derivative"), column(rate, "--derivative")
        if of is not None and by is not None:
            rate_of[of] = by
    if len(found.problems) > before:
        return None
    if time is None:
        found.notes.append(f"{here}: no time column was found (name one with --time); samples are counted instead")
    left = [n for n in names if n not in (trajectory, time)]
    if not rate_of and not chosen:
        rate_of = _named_rates(left, time)
        if rate_of:
            found.notes.append(f"{here}: {_listed(list(rate_of.values()))} are taken as the time derivatives")
    inputs = tuple(dict.fromkeys(n for n in chosen if n is not None)) or tuple(
        n for n in left if n not in rate_of.values() or n in rate_of
    )
    _look_at_inputs(table, inputs, rate_of, found)
    if not inputs or len(table.headers) == 1:
        return None
    rates = tuple(rate_of[n] for n in inputs if n in rate_of)
    if rates and len(rates) < len(inputs):
        without = next(n for n in inputs if n not in rate_of)
        found.problem(
            f'{here}: the derivative of "{without}" is not given. Name the derivatives of all inputs or of none.'
        )
        rates = ()
    used = {n: texts[n] for n in dict.fromkeys((*(() if time is None else (time,)), *inputs, *rates))}
    return _Roles(trajectory, time, inputs, rates, used)


def _is_unnamed(name: str) -> bool:
    return not name or re.fullmatch(r"Unnamed: \d+", name) is not None


def _usual(usual: Sequence[str], names: Sequence[str]) -> str | None:
    """The likeliest of the names."""
    plain = {_plain(name): name for name in reversed(names)}
    return next((plain[_plain(u)] for u in usual if _plain(u) in plain), None)


def _may_be_time(unit: str) -> bool:
    """Whether a column with this unit can be the time: T [K] cannot."""
    try:
        return coherent_units({"second": "s", "column": unit})["column"].dimension.without("s").is_pure
    except UnitError:
        return True  # reported as an unknown unit, later


def _named_rates(names: Sequence[str], time: str | None) -> dict[str, str]:
    """x -> dx/dt, where the names say so for every column."""
    rate_of = {n: _rate_name(n, time) for n in names if _rate_name(n, time) in names}
    return rate_of if set(names) == {*rate_of, *rate_of.values()} else {}


def _look_at_inputs(table: _Table, inputs: Sequence[str], rate_of: Mapping[str, str], found: Survey) -> None:
    here = table.origin
    if len(inputs) < 2:
        only = f'only one state column ("{inputs[0]}")' if inputs else "no state column"
        marks = [m for m in ":!&/" if len(table.headers) == 1 and m in table.headers[0]]
        hint = (
            f'Is "{marks[0]}" the delimiter? Use a comma, semicolon, tab or |.'
            if marks
            else "A conserved quantity compares at least two; add a column."
        )
        found.problem(f"{here}: has {only}. {hint}")
    for name, symbol in zip(inputs, symbols_of(inputs), strict=True):
        if name in OPERATORS or symbol in OPERATORS:
            found.problem(
                f'{here}: column "{name}" is also the name of an operator. Rename it, or leave it out with --inputs.'
            )


def _agrees(table: _Table, first: _Table, roles: _Roles, options: ReadOptions, found: Survey) -> bool:
    """Whether a further file has the first one's columns, in any order."""
    before = len(found.problems)
    headers = [(name, unit) for name, unit in _headers(table) if not _is_unnamed(name)]
    names, firsts = [n for n, _ in headers], [n for n, _ in _headers(first) if not _is_unnamed(n)]
    for name, count in Counter(names).items():
        if count > 1:
            found.problem(f'{table.origin}: the column "{name}" appears {_times(count)}. Rename or delete one of them.')
    needed = [n for n in (roles.trajectory, *roles.numbers) if n is not None] if options.inputs else firsts
    for name in needed:
        if name not in names:
            found.problem(
                f'{table.origin}: lacks the column "{name}", which {first.origin} has. Give both the same header.'
            )
    for name in [] if options.inputs else names:
        if name not in firsts:
            found.problem(
                f'{first.origin}: lacks the column "{name}", which {table.origin} has. Give both the same header.'
            )
    for name, unit in headers:
        here, there = unit or "", roles.units.get(name, "")
        if name in roles.units and name not in options.units and here != there:
            spelled = [f"the unit {text}" if text else "no unit" for text in (here, there)]
            found.problem(
                f'{table.origin}: column "{name}" has {spelled[0]}, and {spelled[1]} in {first.origin}. '
                f"Give both the same, or say --unit {name}=..."
            )
    return len(found.problems) == before


# --------------------------------------------------------------------------------------------------------------- pieces


@dataclass(frozen=True)
class _Piece:
    """One trajectory in the file's own numbers: times [T], states and rates [T, C]."""

    label: str
    times: Array
    numbers: Array


def _pieces(table: _Table, roles: _Roles, options: ReadOptions, prefix: str, found: Survey) -> list[_Piece]:
    """The trajectories of one table; everything wrong with its cells and its times goes to `found`."""
    names = [name for name, _ in _headers(table)]
    places = [names.index(n) for n in roles.numbers]
    label = None if roles.trajectory is None else names.index(roles.trajectory)
    cells = _cells(table, places, label)
    spots = _Spots(table, roles, found)
    spots.refused(cells, places)
    spots.infinite(cells)
    absent_N = np.isnan(cells.numbers).any(axis=1) | (cells.label_numbers < 0)
    if options.missing == "error":
        spots.missing(cells, places)
    elif absent_N.any():
        done = "is left out" if options.missing == "drop-row" else "ends a piece of trajectory"
        found.notes.append(f"{table.origin}: every row with a missing value {done} ({_rows(int(absent_N.sum()))})")
    use_N = ~absent_N & ~np.isinf(cells.numbers).any(axis=1)
    pieces: list[_Piece] = []
    for name, rows in zip(cells.labels, _groups(cells.label_numbers, len(cells.labels)), strict=True):
        kept = np.flatnonzero(use_N[rows])
        x_TC = cells.numbers[rows[kept]]
        t_T = kept.astype(float)
        if roles.time is not None:
            t_T, x_TC = x_TC[:, 0], x_TC[:, 1:]
            spots.time(rows[kept], t_T, name)
        whole = "/".join(part for part in (prefix, name if roles.trajectory or not prefix else "") if part)
        cuts = (np.flatnonzero(np.diff(kept) > 1) + 1).tolist() if options.missing == "split" else []
        for number, (a, b) in enumerate(pairwise([0, *cuts, len(kept)])):
            pieces.append(_Piece(f"{whole}/{number}" if cuts else whole, t_T[a:b], x_TC[a:b]))
    spots.report()
    return pieces


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


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

    def __init__(self, table: _Table, roles: _Roles, found: Survey) -> None:
        self._table, self._roles, self._found = table, roles, found
        self._pending: list[tuple[int, Callable[[int, Sequence[str]], str]]] = []
        self._disordered = 0

    def _at(self, indices: NDArray[np.int64], sentence: Callable[[int, Sequence[str]], str], others: str = "") -> None:
        """The first few of these rows each get their sentence, the others are counted in one."""
        self._pending += [(int(index), sentence) for index in indices[:_SHOWN]]
        if len(indices) > _SHOWN:
            self._pending.append((-1, lambda *_: others.format(len(indices) - _SHOWN)))

    def refused(self, cells: _Cells, places: Sequence[int]) -> None:
        if self._second_header(cells, places):
            remedy = "Write them into the header, such as q [rad], and delete the row."
            self._at(np.zeros(1, dtype=int), lambda row, _: f"row {row} seems to hold units. {remedy}")
            return
        for name, place, refused_N in zip(self._roles.numbers, places, cells.refused.T, strict=True):
            where, now = np.flatnonzero(refused_N), "Correct the cell, or empty it and use --missing."
            if 1 < len(where) >= 0.9 * len(refused_N):
                where, now = where[:1], "Nor is the rest of the column; leave it out with --inputs."
                if name == self._roles.time:
                    now = "Nor is the rest of the column; write times as numbers, e.g. seconds from the start."

            def sentence(row: int, texts: Sequence[str], name: str = name, place: int = place, now: str = now) -> str:
                text = texts[place].strip()
                shown = text if len(text) <= 40 else f"{text[:40]}..."
                return f'column "{name}" row {row}: "{shown}" is not a number. {now}'

            self._at(where, sentence, f'column "{name}": {{}} more cells are not numbers. Correct or empty them.')

    def _second_header(self, cells: _Cells, places: Sequence[int]) -> bool:
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

    def infinite(self, cells: _Cells) -> None:
        for name, x_N in zip(self._roles.numbers, cells.numbers.T, strict=True):

            def sentence(row: int, texts: Sequence[str], name: str = name) -> str:
                return f'column "{name}" row {row} is infinite. Correct the cell, or empty it. {_USE_MISSING}'

            self._at(np.flatnonzero(np.isinf(x_N)), sentence, f'column "{name}": {{}} more cells are infinite.')

    def missing(self, cells: _Cells, places: Sequence[int]) -> None:
        width = len(self._table.headers)
        absent_NC = np.isnan(cells.numbers) & ~cells.refused
        for name, place, absent_N in zip(self._roles.numbers, places, absent_NC.T, strict=True):

            def sentence(row: int, texts: Sequence[str], name: str = name, place: int = place) -> str:
                if len(texts) <= place:
                    return f'column "{name}" row {row}: the row has {len(texts)} of {width} cells. {_USE_MISSING}'
                text = texts[place].strip()
                said = f': "{text}" is not a number' if text else " is empty"
                return f'column "{name}" row {row}{said}. {_USE_MISSING}'

            others = f'column "{name}": {{}} more cells are missing. {_USE_MISSING}'
            self._at(np.flatnonzero(absent_N), sentence, others)
        if self._roles.trajectory is not None:
            name = self._roles.trajectory
            self._at(
                np.flatnonzero(cells.label_numbers < 0),
                lambda row, _: f'column "{name}" row {row} names no trajectory. {_USE_MISSING}',
                f'column "{name}": {{}} more rows name no trajectory. {_USE_MISSING}',
            )

    def time(self, rows_T: NDArray[np.int64], t_T: Array, label: str) -> None:
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
            what += f", and fails to increase {_times(len(wrong) - 1)} more"
        whose = "" if self._roles.trajectory is None else f" in trajectory {label}"
        hint = "Sort the rows by time and delete repeated ones."
        if len(wrong) > 1 or after <= t_T[0]:
            seem = "interleaved" if len(wrong) > 0.2 * len(step) else "one below the other"
            hint = (
                f"Several trajectories seem to stand here, {seem}: name the column that tells them apart, --trajectory."
            )
        self._at(
            rows_T[wrong[:1] + 1],
            lambda row, _: f'column "{self._roles.time}" row {row}: time {what}{whose}. {hint}',
            "",
        )

    def report(self) -> None:
        if self._disordered > _SHOWN:
            more = self._disordered - _SHOWN
            self._pending.append((-1, lambda *_: f"time does not increase in {more} more trajectories."))
        where = self._table.rows({index for index, _ in self._pending if index >= 0})
        for index, sentence in self._pending:
            self._found.problem(f"{self._table.origin}: {sentence(*where.get(index, (0, ())))}")


def _drop_short(origin: str, pieces: list[_Piece], roles: _Roles, found: Survey) -> None:
    short = [piece.label for piece in pieces if len(piece.times) < FEWEST_SAMPLES]
    if short and len(short) < len(pieces):
        found.notes.append(
            f"{origin}: fewer than {FEWEST_SAMPLES} samples in {len(short)} of {len(pieces)} trajectories, "
            f"which are left out ({_listed(short, 6)})"
        )
    elif short and not found.problems:
        hint = (
            "Measure longer."
            if roles.trajectory is None
            else f'They are told apart by "{roles.trajectory}"; name another column with --trajectory, or delete it.'
        )
        found.problem(f"{origin}: no trajectory has {FEWEST_SAMPLES} samples or more. {hint}")
    pieces[:] = [piece for piece in pieces if len(piece.times) >= FEWEST_SAMPLES]


def _look_for_constants(origin: str, pieces: Sequence[_Piece], roles: _Roles, found: Survey) -> None:
    D = len(roles.inputs)
    low = np.min([piece.numbers[:, :D].min(axis=0) for piece in pieces], axis=0)
    high = np.max([piece.numbers[:, :D].max(axis=0) for piece in pieces], axis=0)
    for name, a, b in zip(roles.inputs, low, high, strict=True):
        if a == b:
            found.problem(f'{origin}: column "{name}" never changes (always {a:g}). Leave it out with --inputs.')


# ---------------------------------------------------------------------------------------------------------------- units


def _units(here: str, roles: _Roles, options: ReadOptions, found: Survey) -> dict[str, Unit]:
    """Every used column's unit, the time's first; unknown units go to `found`."""
    texts = dict(roles.units)
    for name, text in roles.units.items():
        try:
            coherent_units({name: text})
        except UnitError as problem:
            stop = "" if str(problem).endswith("?") else "."
            found.problem(f"{here}: {problem}{stop} Correct the header, or say --unit {name}=...")
            texts[name] = ""
    units = coherent_units(texts, angles_are_pure=options.angles == "pure")
    for name, unit in units.items():
        if unit.scale != 1:
            target = "a pure number" if unit.dimension.is_pure else str(unit)
            if options.angles == "pure" and unit.dimension.is_pure:
                target = "radians"
            found.notes.append(
                f'{here}: column "{name}" is converted from {texts[name]} to {target}, times {unit.scale:.10g}'
            )
    for name, rate in zip(roles.inputs, roles.rates, strict=False):
        expected = units[name].dimension / (units[roles.time].dimension if roles.time else Dimension())
        if not texts[rate]:
            per_time = units[roles.time].scale if roles.time else 1.0
            units[rate] = Unit(expected, units[name].scale / per_time)
        elif roles.time and units[rate].dimension != expected:
            found.problem(
                f'{here}: column "{rate}" [{units[rate]}] cannot be the time derivative of "{name}" [{units[name]}], '
                f"whose unit is {expected}. Correct one with --unit."
            )
    return units


def _assembled(origin: str, pieces: Sequence[_Piece], roles: _Roles, units: Mapping[str, Unit]) -> Trajectories:
    D = len(roles.inputs)
    columns = (*roles.inputs, *roles.rates)
    scale = np.array([units[name].scale for name in columns])
    time = units[roles.time] if roles.time else Unit()
    numbers = [piece.numbers * scale if (scale != 1).any() else piece.numbers for piece in pieces]
    return Trajectories(
        names=roles.inputs,
        symbols=symbols_of(roles.inputs),
        units=tuple(replace(units[name], scale=1.0) for name in roles.inputs),
        states=tuple(np.ascontiguousarray(x[:, :D]) for x in numbers),
        times=tuple(np.ascontiguousarray(piece.times * time.scale) for piece in pieces),
        labels=_distinct([piece.label for piece in pieces]),
        given_derivatives=tuple(np.ascontiguousarray(x[:, D:]) for x in numbers) if roles.rates else None,
        time_name=roles.time,
        time_unit=replace(time, scale=1.0),
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
                f"it jumps {_times(jumps)}"
            )
