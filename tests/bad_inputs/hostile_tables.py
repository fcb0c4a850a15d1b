"""Broken and hostile tables: what stands in data.csv, and what is said about it."""

from __future__ import annotations

import gzip
import math

ROWS = [f"{0.1 * i:.1f},{math.sin(0.1 * i):.4f},{math.cos(0.1 * i):.4f}" for i in range(60)]
HEADER = "t [s],q [rad],p [kg*m/s]"
TABLE = "\n".join([HEADER, *ROWS]) + "\n"


def headed(header: str) -> str:
    """The good rows below another header."""
    return "\n".join([header, *ROWS]) + "\n"


def with_row(number: int, row: str) -> str:
    """The good table with one line, as an editor counts, replaced."""
    lines = TABLE.splitlines()
    lines[number - 1] = row
    return "\n".join(lines) + "\n"


def column(*cells: str) -> str:
    """The good table with these cells in place of the first ones of q."""
    rows = [row.split(",") for row in ROWS]
    for row, cell in zip(rows, cells, strict=False):
        row[1] = cell
    return "\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n"


def counted(form: str) -> str:
    """Rows that are made of their number."""
    return "\n".join([HEADER, *(form.format(i) for i in range(60))]) + "\n"


def dated(form: str) -> str:
    """The good table with days in place of seconds."""
    rows = [",".join([form.format(i % 28 + 1), *row.split(",")[1:]]) for i, row in enumerate(ROWS)]
    return "\n".join([HEADER, *rows]) + "\n"


MANY_LINES = gzip.compress(b"t,q,p\n" + b"\n" * 20_000_000)
ONE_LINE = gzip.compress(b"t,q,p" * 10_000_000)
"""Tens of megabytes in tens of kilobytes."""

REFUSED: dict[str, tuple[str | bytes, str]] = {
    # encodings
    "utf-16 without its mark": (TABLE.encode("utf-16-le"), "is a binary file (byte 1 is zero)"),
    "utf-16 cut in a character": (TABLE.encode("utf-16")[:-3], "is not UTF-16 text (byte"),
    "utf-8 mark before nothing": (b"\xef\xbb\xbf", "is empty. Give it a header"),
    "NUL in a cell": (TABLE.replace("0.0000", "0.0\0", 1), "is a binary file (byte"),
    "lone surrogates": (TABLE.replace("rad", "\ud800").encode("utf-8", "surrogatepass"), "is not UTF-8 text (byte"),
    "latin-1 degrees": (TABLE.replace("rad", "°").encode("latin-1"), "is not UTF-8 text (byte 0xb0"),
    "only spaces": (" \n\t\n  \n", "is empty. Give it a header"),
    "only a comment": ("# t,q,p\n", "is empty. Give it a header"),
    # shape
    "ragged": (with_row(9, "0.7,1,2,3"), "row 9 has 4 cells where the header names 3"),
    "short row": (with_row(9, "0.7"), 'column "q" row 9: the row has 1 of 3 cells'),
    "quote that never ends": (with_row(9, '0.7,"1,2'), "row 9 opens a quotation that never ends. Delete the quote."),
    "quote in the header that never ends": (headed('t [s],"q [rad],p'), "row 1, the header, opens a quotation"),
    "quotes that never end, old line ends": ('#t,\r\r[rad]\r\r"q#p\n0,0\n1,2\n', "opens a quotation that never ends"),
    "no header": ("\n".join(ROWS), "has no header: row 1 holds only numbers"),
    "one row": ("\n".join([HEADER, ROWS[0]]), "no trajectory has 3 samples or more"),
    "empty names": (headed(",,"), "has no state column"),
    "names of spaces": (headed("t [s], ,  "), "has no state column"),
    "three columns alike": (headed("q,q,q"), 'the column "q" appears 3 times'),
    "columns alike but for the unit": (headed("t,q [m],q [rad]"), 'the column "q" appears twice'),
    "a name of 100,000 characters": (headed(f"t,{'q' * 100_000},p"), 'has 100000 characters ("qqqq'),
    "a name of a million characters": (headed(f"t,{'q' * 1_000_000},p"), "a line of more than 1,000,000 characters"),
    "thousands of cells in a row": (with_row(9, "," * 100_000), "row 9 has 100001 cells"),
    # cells
    "text among numbers": (column("0", "zero"), 'column "q" row 3: "zero" is not a number. Correct'),
    "a number with its unit": (column("0", "1 rad"), 'row 3: "1 rad" is not a number'),
    "decimal commas in quotes": (column(*['"0,1"'] * 60), 'column "q" row 2: "0,1" is not a number'),
    "thousands separators": (column("0", '"1,234.5"'), 'row 3: "1,234.5" is not a number'),
    "thousands separators with spaces": (column("0", "1 234.5"), 'row 3: "1 234.5" is not a number'),
    "underscores": (column("0", "1_000"), 'row 3: "1_000" is not a number'),
    "hexadecimal": (column("0", "0x10"), 'row 3: "0x10" is not a number'),
    "a formula of a spreadsheet": (column("0", "=1+1"), 'row 3: "=1+1" is not a number'),
    "a call": (column("0", "__import__('os').system('touch pwned')"), "is not a number"),
    "too large": (column("0", "1e400"), 'column "q" row 3 is infinite'),
    "an integer of 400 digits": (column("0", "9" * 400), 'column "q" row 3'),
    "minus infinity": (column("0", "-Infinity"), 'column "q" row 3 is infinite'),
    "a word for missing": (column("0", "missing"), 'row 3: "missing" is not a number. Use --missing'),
    "nothing but missing": (column(*["nan"] * 60), 'column "q" row 2: "nan" is not a number. Use --missing'),
    "no cells in a column": (column(*[""] * 60), 'column "q" row 2 is empty. Use --missing'),
    "true and false": (column(*["True", "False"] * 30), 'column "q" row 2: "True" is not a number'),
    "a cell of 100,000 characters": (column("0", "x" * 100_000), 'row 3: "xxx'),
    "a cell of 200,000 characters": (column("0", "x" * 200_000), "field larger than field limit"),
    "a cell of a million characters": (column("0", "x" * 1_000_000), "a line of more than 1,000,000 characters"),
    "complex numbers": (column("0", "1+2j"), 'row 3: "1+2j" is not a number'),
    "fullwidth letters": (column("0", "ｎａｎ"), "is not a number"),
    "a quadrillion digits to come": (column("0", "1e" + "9" * 1000), 'column "q" row 3'),
    "a value that nothing can be computed of": (with_row(9, "0.7,1e308,2"), 'column "q" has values of 1e+308'),
    "values without size": (counted("{0},{0}e-200,{0}.5"), "has values of"),
    "a time without length": (counted("{0}e-300,{0},{0}.5"), "the time has trajectories of"),
    "a time without end": (counted("{0}e300,{0},{0}.5"), "the time has trajectories of"),
    # time
    "time stands still": ("\n".join([HEADER, *(f"1,{i},{i * i}" for i in range(9))]), "time repeats 1"),
    "time runs backwards": ("\n".join([HEADER, *reversed(ROWS)]), "time goes back from 5.9 to 5.8"),
    "time repeats": (with_row(9, ROWS[6]), 'column "t" row 9: time repeats 0.6'),
    "dates": (dated("2024-02-{:02d}"), "write times as numbers, e.g. seconds from the start"),
    "times of day": (dated("12:00:{:02d}"), "write times as numbers, e.g. seconds from the start"),
    "time is infinite": (with_row(61, "inf,1,2"), 'column "t" row 61 is infinite'),
    # units
    "unknown unit": (headed("t [s],q [quux],p [m]"), 'column "q": unknown unit "quux"'),
    "two units": (headed("t [s],q [m or ft],p [m]"), 'column "q": unknown unit "m or ft"'),
    "a zero that is no zero": (headed("t [s],q [degC],p [m]"), "counts from an arbitrary zero"),
    "a tower of powers": (headed("t [s],q [m**10**10],p [m]"), 'unknown unit "m**10**10"'),
    "a tower of carets": (headed("t [s],q [9^9^9^9],p [m]"), 'unknown unit "9^9^9^9"'),
    "a power too large": (headed("t [s],q [m**99],p [m]"), 'the exponent 99 in "m**99"'),
    "a program as a unit": (headed("t [s],q [__import__('os').system('touch x')],p [m]"), 'unknown unit "__import__'),
    "a class as a unit": (headed("t [s],q [().__class__],p [m]"), 'unknown unit "().__class__"'),
    "a program as a name": (headed("t [s],__import__('os'),q"), 'column "__import__": unknown unit "\'os\'"'),
    "deep parentheses": (headed(f"t [s],q [{'(' * 5000}m{')' * 5000}],p [m]"), "has 10001 characters; no unit is that"),
    "a unit of 100,000 characters": (headed(f"t [s],q [{'m*' * 50_000}m],p [m]"), "has 100001 characters; no unit is"),
    "a unit of a million characters": (headed(f"t [s],q [{'m*' * 500_000}m],p"), "a line of more than 1,000,000"),
    "a unit of many words": (headed(f"t [s],q [{'ab cd ' * 20_000}],p [m]"), 'column "q": "ab cd ab'),
    "a unit divided by nothing": (headed("t [s],q [m/],p [m]"), 'unknown unit "m/"'),
    "a unit divided by zero": (headed("t [s],q [m/0],p [m]"), 'unknown unit "m/0"'),
    "a unit of no number": (headed("t [s],q [nan],p [m]"), 'unknown unit "nan"'),
    "units below the header": ("\n".join(["t,q,p", "s,rad,m", *ROWS]), "row 2 seems to hold units"),
    "derivative in another unit": (headed("t [s],x [m],dx/dt [kg]"), "cannot be the time derivative"),
    # names
    "a name that is an operator": (headed("t [s],cos [rad],p"), 'column "cos" is also the name of an operator'),
    # containers
    "gzip that is cut": (gzip.compress(TABLE.encode())[:-8], "cannot be unpacked; the file is damaged"),
    "gzip with a wrong sum": (gzip.compress(TABLE.encode())[:-8] + b"\0" * 8, "cannot be unpacked"),
    "gzip of nothing": (gzip.compress(b""), "is empty. Give it a header"),
    "gzip in gzip": (gzip.compress(gzip.compress(TABLE.encode())), "is a binary file"),
    "gzip of many lines": (MANY_LINES, "has a header and no rows"),
    "gzip of one line": (ONE_LINE, "a line of more than 1,000,000 characters"),
    "parquet that is damaged": (b"PAR1" + b"\0" * 400 + b"PAR1", "cannot be read as parquet; the file is damaged"),
    "parquet of nothing": (b"PAR1", "cannot be read as parquet"),
    "a zip": (b"PK\x03\x04" + bytes(99), "is an Excel or zip file"),
    "a pickle": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x02os\x94\x8c\x06system\x94\x93\x94.", "is a binary file"),
    "an old pickle": (b"cos\nsystem\n(S'touch pwned'\ntR.", 'has only one state column ("cos")'),
    "a web page": ("<!DOCTYPE html>\n<html><body>404</body></html>\n", 'has only one state column ("<!DOCTYPE html>")'),
    "JSON": ('{"t": [0, 1, 2], "q": [1, 2, 3]}\n', "has a header and no rows"),
    "a program": ("import os\nos.system('touch pwned')\n", "is not a number"),
}  # fmt: skip
"""Each is refused in one sentence that begins with the file's name."""

UNDERSTOOD: dict[str, tuple[str | bytes, list[str], int]] = {
    "utf-16 with its mark": (TABLE.encode("utf-16"), ["q", "p"], 60),
    "utf-8 with its mark": (b"\xef\xbb\xbf" + TABLE.encode(), ["q", "p"], 60),
    "utf-32 with its mark": (TABLE.encode("utf-32"), ["q", "p"], 60),
    "mixed line ends": (TABLE.replace("\n", "\r\n", 20), ["q", "p"], 60),
    "old line ends": (TABLE.replace("\n", "\r"), ["q", "p"], 60),
    "no line end at the end": (TABLE.rstrip(), ["q", "p"], 60),
    "spaces around everything": (TABLE.replace(",", " , "), ["q", "p"], 60),
    "semicolons and decimal commas": (TABLE.replace(",", ";").replace(".", ","), ["q", "p"], 60),
    "keywords": (headed("t [s],lambda,class"), ["lambda", "class"], 60),
    "sympy's names": (headed("t [s],I,pi"), ["I", "pi"], 60),
    "HTML and LaTeX": (headed("t [s],<script>x</script>,\\input{x}"), ["<script>x</script>", "\\input{x}"], 60),
    "ten thousand empty columns": (headed("t,q" + "," * 10_000), ["q"], 60),
    "letters that look alike": (headed("t [s],a,а"), ["a", "а"], 60),
    "a million-digit exponent of nothing": (column("0", "1e-400"), ["q", "p"], 60),
    "inches": (headed('t [s],12" pipe [inch],p'), ['12" pipe', "p"], 60),
    "gzip": (gzip.compress(TABLE.encode()), ["q", "p"], 60),
}  # fmt: skip
"""Unusual, and read all the same: the columns and the number of samples."""
