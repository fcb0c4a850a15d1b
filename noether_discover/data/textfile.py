"""Files of lines: which encoding, which delimiter, which line is the header, and what stands in the rows."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import pandas as pd

from ..errors import DataError
from .cells import MISSING, is_number
from .reading import so_many_rows

_HEAD = 65536  # bytes in which a zero says that the file is binary
_LONGEST_LINE = 1_000_000  # characters of the header and of the first rows; a packed file can grow to anything
_MARKS = {  # the mark of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
_EXACT: Any = (  # pandas 3.1 reads to the last bit unasked, and warns when asked
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)


class TextFile:
    """A file of lines: comments, one header, rows. pandas reads it; on trouble it is read again, line by line."""

    def __init__(self, path: Path, origin: str, stem: str, *, packed: bool, notes: list[str]) -> None:
        self.origin, self.stem = origin, stem
        self._path, self._packed = path, packed
        self._encoding = self._look(path)
        self._separator: str | None = ","
        with self._text() as file:
            self._header_lines, header, sample = self._decoded(lambda: _head(file, origin))
        if header is None:
            raise DataError(
                f"{origin}: is empty. Give it a header such as t [s],q [rad],p [kg*m/s] and rows of numbers."
            )
        if _OPEN.search(header):
            row = len(self._header_lines)
            raise DataError(f"{origin}: row {row}, the header, opens a quotation that never ends. Delete the quote.")
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
        if self._encoding in ("utf-16", "utf-32"):
            notes.append(f"{origin}: is encoded as {self._encoding.upper()}")
        self._width = self._agreed_width(rows)
        if any(len(row) > self._width for row in rows):
            raise DataError(self._uneven() or self._open_quote())

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
        if not self.headers or not all(is_number(cell) for cell in self.headers):
            return False
        if len(self.headers) == 1 and self._separator == ",":
            raise DataError(f"{self.origin}: has one column and no header; a state needs at least two columns.")
        comment = next((line for line in reversed(self._header_lines[:-1]) if line.startswith("#")), "")
        names = self._cells_of(comment.lstrip("#").strip())
        if len(names) == len(self.headers) and not any(is_number(name) for name in names):
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
        try:
            cells = next(csv.reader([line], delimiter=self._separator, skipinitialspace=True), [])
        except csv.Error as problem:
            raise DataError(
                f'{self.origin}: the row that begins with "{line[:20]}" cannot be read ({problem}). Correct it.'
            ) from problem
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
            raise DataError(self._uneven() or self._unreadable(problem)) from problem

    def _unreadable(self, problem: pd.errors.ParserError) -> str:
        place = re.search(r"inside string starting at row (\d+)", str(problem))
        if place is None:
            return f"{self.origin}: cannot be read as a table ({problem}). Save it again as CSV."
        return self._open_quote(int(place[1]))

    def _open_quote(self, after: int = 0) -> str:
        """The complaint about a quotation that is never closed. after: how many rows are read before it opens."""
        above, _ = self.rows({after - 1}).get(after - 1, (len(self._header_lines), ()))
        with self._text() as file:
            row = next((row for row, line in enumerate(file, start=1) if row > above and _OPEN.search(line)), above + 1)
        return f"{self.origin}: row {row} opens a quotation that never ends. Delete the quote."

    def _uneven(self) -> str:
        """The complaint about rows with more cells than the header has names; empty when there are none."""
        wide = [(row, len(cells)) for row, cells in self._lines() if len(cells) > self._width]
        if not wide:
            return ""
        more = f" (and {so_many_rows(len(wide) - 1)} more)" if len(wide) > 1 else ""
        return (
            f"{self.origin}: row {wide[0][0]} has {wide[0][1]} cells where the header names {len(self.headers)}{more}. "
            "Check the delimiter, and write numbers with a decimal point."
        )


_OPEN = re.compile(r'(?:^|[,;\t|])[ \t]*"[^"]*$')  # the last quote of a line, where a cell begins
_WORD = re.compile(r'"[^"]*"|[^\s\[(]+(?:\s*\[[^\]]*\]|\s*\([^)]*\))?')


def _head(file: io.TextIOWrapper, origin: str) -> tuple[list[str], str | None, list[str]]:
    """The lines up to and with the header, the header itself, and the first rows."""
    above: list[str] = []
    header: str | None = None
    sample: list[str] = []
    for line in iter(lambda: file.readline(_LONGEST_LINE), ""):
        if len(line) == _LONGEST_LINE:
            raise DataError(
                f'{origin}: has a line of more than {_LONGEST_LINE:,} characters, which begins with "{line[:20]}". '
                "Write one row of the table a line."
            )
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
