"""Tables: what is written reads back, what is meant is understood, what is wrong is said."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noether_dsl.dimension import Dimension
from noether_dsl.units import Unit

from noether_discover.data.headers import format_header, parse_header, symbols_of
from noether_discover.data.tables import (
    ReadOptions,
    angles_are_strict,
    from_frame,
    read_tables,
    read_tables_with_notes,
    survey,
)
from noether_discover.data.trajectories import Trajectories
from noether_discover.data.writing import write_csv
from noether_discover.errors import DataError, OptionError

ROWS = [(0.1 * i, np.sin(i), np.cos(i)) for i in range(20)]
HEADER = "t [s],q [rad],p [kg*m/s]\n"
BODY = "".join(f"{t:.1f},{q:.3f},{p:.3f}\n" for t, q, p in ROWS)
GOOD = HEADER + BODY


def with_row(number: int, text: str, table: str = GOOD) -> str:
    """The table with one line, as an editor counts, replaced."""
    lines = table.splitlines(keepends=True)
    lines[number - 1] = text + "\n"
    return "".join(lines)


def saved(folder: Path, text: str | bytes, name: str = "pendulum.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def same(a: Trajectories, b: Trajectories) -> bool:
    """Equal in everything but what messages call them."""
    arrays = zip((*a.states, *a.times), (*b.states, *b.times), strict=True)
    given_a, given_b = a.given_derivatives or (), b.given_derivatives or ()
    return (
        all(np.array_equal(x, y) for x, y in arrays)
        and all(np.array_equal(x, y) for x, y in zip(given_a, given_b, strict=True))
        and (a.names, a.symbols, a.units, a.labels) == (b.names, b.symbols, b.units, b.labels)
        and (a.time_name, a.time_unit) == (b.time_name, b.time_unit)
    )


# headers


@pytest.mark.parametrize(
    ("text", "name", "unit"),
    [
        ("p [kg*m/s]", "p", "kg*m/s"),
        ("p (kg m/s)", "p", "kg m/s"),
        (" p ", "p", None),
        ("p[m]", "p", "m"),
        ("a (m/s^(2))", "a", "m/s^(2)"),
        ("a [m^(1/2)]", "a", "m^(1/2)"),
        ("q.x [AU]", "q.x", "AU"),
        ("Winkel θ [°]", "Winkel θ", "°"),
        ("x []", "x", ""),
        ("[x]", "[x]", None),
        ("f(x) + 1", "f(x) + 1", None),
        ("x)", "x)", None),
    ],
)
def test_units_stand_in_brackets_at_the_end_of_a_header(text: str, name: str, unit: str | None) -> None:
    assert parse_header(text) == (name, unit)


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
exponents = st.fractions(min_value=-3, max_value=3, max_denominator=4).filter(bool)
dimensions = st.dictionaries(st.sampled_from(["kg", "m", "s", "rad", "AU"]), exponents, max_size=3).map(Dimension.of)


@given(names, dimensions)
def test_a_formatted_header_reads_back(name: str, dimension: Dimension) -> None:
    found, unit = parse_header(format_header(name, Unit(dimension)))
    assert found == name
    assert unit in ([None, "1"] if dimension.is_pure else [str(dimension)])


@given(st.lists(st.text(max_size=6), max_size=6))
def test_symbols_are_distinct_identifiers_that_python_reads_as_they_are(texts: list[str]) -> None:
    symbols = symbols_of(texts)
    assert len(set(symbols)) == len(texts)
    for symbol in symbols:
        assert compile(symbol, "symbol", "eval").co_names == (symbol,)


def test_symbols_of_awkward_names() -> None:
    assert symbols_of(["q.x", "q x", "lambda", "2nd", "θ", "x₁"]) == ("q_x", "q_x_2", "lambda_", "_2nd", "θ", "x1")
    assert symbols_of(["a.b", "a b", "a_b_2"]) == ("a_b", "a_b_3", "a_b_2")


# there and back

numbers = st.floats(min_value=-1e59, max_value=1e59).filter(lambda x: x == 0 or abs(x) >= 1e-59)
labels = st.text("abcXYZ0123456789_äé,;'\"# ", min_size=1, max_size=6).map(str.strip).filter(bool)


@st.composite
def trajectories(draw: st.DrawFn) -> Trajectories:
    D = draw(st.integers(2, 3))
    lengths = draw(st.lists(st.integers(3, 5), min_size=1, max_size=3))
    column_names = draw(
        st.lists(st.sampled_from(["q", "p.x", "θ", "a b", "x,y", "f(x)", "class"]), min_size=D, max_size=D, unique=True)
    )
    basis = st.sampled_from(["kg", "m", "rad", "pixel"])  # independent: m and AU together are not coherent
    units = tuple(Unit(Dimension.of(draw(st.dictionaries(basis, exponents, max_size=2)))) for _ in range(D))
    distinct = draw(st.lists(labels, min_size=len(lengths), max_size=len(lengths), unique=True))
    states = [
        np.array(draw(st.lists(numbers, min_size=n * D, max_size=n * D, unique=True))).reshape(n, D) for n in lengths
    ]
    steps = st.floats(min_value=1e-3, max_value=1e3)
    timed = draw(st.booleans())
    times = [
        np.cumsum(draw(st.lists(steps, min_size=n, max_size=n))) if timed else np.arange(float(n)) for n in lengths
    ]
    return Trajectories(
        names=tuple(column_names),
        symbols=symbols_of(column_names),
        units=units,
        states=tuple(states),
        times=tuple(times),
        labels=tuple(distinct),
        given_derivatives=tuple(2 * x + 1 for x in states) if draw(st.booleans()) else None,
        time_name="t" if timed else None,
        time_unit=Unit(Dimension.of(s=1)) if timed else Unit(),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=trajectories(), packed=st.booleans())
def test_what_is_written_reads_back_to_the_last_bit(tmp_path: Path, data: Trajectories, packed: bool) -> None:
    path = tmp_path / ("data.csv.gz" if packed else "data.csv")
    write_csv(data, path)
    back = read_tables(path)
    assert same(back, data)
    assert back.digest() == data.digest()


def test_columns_without_a_pure_derivative_keep_their_scale(tmp_path: Path) -> None:
    table = "t [min],x [m],dx/dt [m/s],y [m],dy/dt\n" + "".join(f"{i},{i**2},{2 * i},{-i},{3 * i}\n" for i in range(4))
    data = read_tables(saved(tmp_path, table))
    assert data.names == ("x", "y")
    assert data.given_derivatives is not None
    assert np.allclose(data.given_derivatives[0][:, 0], 2 * np.arange(4))
    assert np.allclose(data.given_derivatives[0][:, 1], 3 * np.arange(4) / 60)  # per minute, as t counts


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    data = read_tables(saved(tmp_path, GOOD))
    with pytest.raises(DataError, match="cannot be written"):
        write_csv(data, tmp_path / "nowhere" / "a.csv")
    write_csv(data, tmp_path / "a.csv")
    assert sorted(os.listdir(tmp_path)) == ["a.csv", "pendulum.csv"]


# what is meant


def test_units_and_times_are_read_from_the_header(tmp_path: Path) -> None:
    data, notes = read_tables_with_notes(saved(tmp_path, GOOD))
    assert [str(u) for u in data.units] == ["rad", "kg*m/s"]
    assert (data.names, data.labels, data.time_name, str(data.time_unit)) == (("q", "p"), ("pendulum",), "t", "s")
    assert notes == ()
    assert np.allclose(data.states[0][:, 0], np.sin(np.arange(20)), atol=5e-4)
    assert np.allclose(data.times[0], 0.1 * np.arange(20))


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("a.csv", GOOD.replace(",", ";")),
        ("a.csv", GOOD.replace(",", ";").replace(".", ",")),
        ("a.tsv", GOOD.replace(",", "\t")),
        ("a.txt", GOOD.replace(",", "   ")),
        ("a.txt", GOOD.replace(",", "|")),
        ("a.csv", GOOD.replace("\n", "\r\n")),
        ("a.csv", GOOD.replace("\n", "\r")),
        ("a.csv", GOOD.replace(",", ", ").replace("\n", " \n")),
        ("a.csv", GOOD.replace("\n", "\n\n")),
        ("a.csv", "# made by x's \"machine\n#\n\n" + GOOD),
        ("a.csv", '"t [s]","q [rad]","p [kg*m/s]"\n' + BODY),
        ("a.csv", "# t [s],q [rad],p [kg*m/s]\n" + BODY),
        (
            "a.csv",
            "p [kg*m/s],t [s],q [rad]\n"
            + "".join(",".join(line.split(",")[i] for i in (2, 0, 1)) + "\n" for line in BODY.split()),
        ),
        ("a.csv", GOOD.encode("utf-8-sig")),
        ("a.csv", GOOD.encode("utf-16")),
        ("a.csv.gz", gzip.compress(GOOD.encode())),
        ("a.csv", gzip.compress(GOOD.encode())),
        ("a.csv", ",t [s],q [rad],p [kg*m/s]\n" + "".join(f"{i},{line}\n" for i, line in enumerate(BODY.split()))),
        ("a.csv", HEADER + BODY.replace("\n", ",\n")),
        ("a.csv", GOOD.replace("q [rad]", "q (rad)").replace("[kg*m/s]", "(kg m/s)")),
        ("a.csv", GOOD.replace("t [s]", "Time (s)")),
    ],
)
def test_one_table_in_many_spellings(tmp_path: Path, name: str, table: str | bytes) -> None:
    plain = read_tables(saved(tmp_path, GOOD, "plain.csv"))
    other = read_tables(saved(tmp_path, table, name))
    columns = [other.names.index(n) for n in plain.names]
    assert np.array_equal(other.states[0][:, columns], plain.states[0])
    assert np.array_equal(other.times[0], plain.times[0])
    assert [other.units[c] for c in columns] == list(plain.units)


def test_parquet_and_frames_are_read_like_files(tmp_path: Path) -> None:
    plain = read_tables(saved(tmp_path, GOOD))
    frame = pd.read_csv(tmp_path / "pendulum.csv")
    assert from_frame(frame).digest() != plain.digest()  # the label differs
    assert same(from_frame(frame, origin="pendulum"), plain)
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "pendulum.parquet")
    assert same(read_tables(tmp_path / "pendulum.parquet"), plain)


def test_a_frame_may_hold_nullable_numbers_text_and_moments() -> None:
    frame = pd.DataFrame(
        {
            "time": pd.date_range("2024-01-01", periods=4, freq="500ms"),
            "run": [1.0, 1.0, 1.0, 1.0],
            "q": pd.array([1, 2, None, 4], dtype="Int64"),
            "p": ["1.5", "2", " 3 ", "nan"],
        }
    )
    with pytest.raises(DataError, match='frame: column "q" row 4 is empty'):
        from_frame(frame)
    whole = frame.assign(q=[1, 2, 3, 4], p=["1.5", "2", " 3 ", "4"])
    read = from_frame(whole)
    assert read.labels == ("1",)
    assert np.allclose(read.times[0], [0, 0.5, 1, 1.5])
    assert read.states[0][:, 1].tolist() == [1.5, 2, 3, 4]


def test_trajectories_are_told_apart_by_a_column_in_order_of_appearance(tmp_path: Path) -> None:
    rows = [(i // 3, i + 0.5, i * i, "cab"[i % 3]) for i in range(12)]
    text = "t,q,p,Run ID\n" + "".join(f"{t},{q},{p},{run} \n" for t, q, p, run in rows)
    data = read_tables(saved(tmp_path, text))
    assert data.labels == ("c", "a", "b")
    assert data.states[1][:, 0].tolist() == [1.5, 4.5, 7.5, 10.5]


@pytest.mark.parametrize("name", ["trajectory", "traj_id", "Run", "trial", "SEQ", "episode", "id", "body", "particle"])
def test_trajectory_columns_are_found_by_their_usual_names(tmp_path: Path, name: str) -> None:
    text = f"t,q,p,{name}\n" + "".join(f"{i % 4},{i},{i * i},00{i // 4}\n" for i in range(8))
    assert read_tables(saved(tmp_path, text)).labels == ("000", "001")


def test_a_temperature_is_no_time(tmp_path: Path) -> None:
    data, notes = read_tables_with_notes(saved(tmp_path, GOOD.replace("t [s]", "T [K]")))
    assert data.names == ("T", "q", "p")
    assert data.time_name is None
    assert data.times[0].tolist() == list(range(20))
    assert "no time column" in notes[0]


def test_the_only_column_in_a_unit_of_time_is_the_time(tmp_path: Path) -> None:
    days = GOOD.replace("t [s]", "age [d]")
    data, notes = read_tables_with_notes(saved(tmp_path, days))
    assert (data.time_name, data.names) == ("age", ("q", "p"))
    assert notes[0].endswith('column "age" [d] is taken for the time; --time names another')
    assert read_tables(saved(tmp_path, days), ReadOptions(inputs=("age", "q", "p"))).time_name is None
    assert read_tables(saved(tmp_path, days.replace("q [rad]", "q [h]"))).time_name is None  # which one?


def test_several_files_are_several_trajectories(tmp_path: Path) -> None:
    text = "run,t,q,p\n" + "".join(f"{i // 4},{i},{i},{i * i}\n" for i in range(8))
    a, b = saved(tmp_path, GOOD, "a.csv"), saved(tmp_path, "p [kg*m/s],q [rad],t [s]\n1,2,3\n2,3,4\n4,5,6\n", "b.csv")
    data = read_tables([a, b])
    assert data.labels == ("a", "b")
    assert data.states[1].tolist() == [[2, 1], [3, 2], [5, 4]]
    several = read_tables([saved(tmp_path, text, "c.csv"), saved(tmp_path, text, "d.csv")])
    assert several.labels == ("c/0", "c/1", "d/0", "d/1")


def test_options_choose_columns_and_correct_units(tmp_path: Path) -> None:
    options = ReadOptions(inputs=("p", "q"), units={"q": "deg", "t": "ms"})
    data, notes = read_tables_with_notes(
        saved(tmp_path, GOOD.replace("\n", ",7\n").replace("s],7", "s],junk")), options
    )
    assert data.names == ("p", "q")
    assert np.allclose(data.states[0][:, 1], np.deg2rad(np.sin(np.arange(20))), atol=1e-4)
    assert np.isclose(data.units[1].scale, np.pi / 180)
    assert data.time_unit.scale == 0.001  # the inputs' seconds are the base
    assert any("converted from deg to rad" in note for note in notes)


def test_numbers_are_converted_to_coherent_units(tmp_path: Path) -> None:
    data = read_tables(saved(tmp_path, "t [s],x [m],y [cm],v [km/h]\n0,1,2,36\n1,2,3,72\n2,3,5,108\n"))
    assert np.allclose(data.states[0], [[1, 0.02, 36e3], [2, 0.03, 72e3], [3, 0.05, 108e3]])
    assert [str(u) for u in data.units] == ["m", "m", "m/h"]
    assert np.allclose(data.times[0], [0, 1 / 3600, 2 / 3600])


def test_a_unit_keeps_the_factor_between_its_column_and_the_coherent_unit(tmp_path: Path) -> None:
    text = "t [s],q [deg],p [kg*m/min],f [%]\n0,90,1,50\n1,60,3,40\n2,30,2,10\n"
    path = saved(tmp_path, text)
    for data in (read_tables(path), from_frame(pd.read_csv(path))):
        scales = [unit.scale for unit in data.units]
        assert np.allclose(scales, [np.pi / 180, 1, 0.01])
        assert np.allclose(data.time_unit.scale, 1 / 60)
        assert np.allclose(data.states[0] / scales, [[90, 1, 50], [60, 3, 40], [30, 2, 10]])


def test_what_is_written_is_coherent_and_reads_back_with_scale_one(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i**2},{-i},{i},{3 * i}\n" for i in range(4))
    data = read_tables(saved(tmp_path, "t [%],q [deg],dq/dt [deg/%],x [m],dx/dt [km]\n" + rows))
    assert data.time_unit.scale == 0.01
    assert data.times[0].tolist() == [0, 0.01, 0.02, 0.03]
    write_csv(data, tmp_path / "again.csv")
    back = read_tables(tmp_path / "again.csv")
    assert data.units[0].scale != 1
    assert same(replace(back, labels=data.labels), replace(data, units=coherent(data.units), time_unit=back.time_unit))
    assert back.time_unit == coherent([data.time_unit])[0]


def coherent(units: Iterable[Unit]) -> tuple[Unit, ...]:
    return tuple(replace(unit, scale=1.0) for unit in units)


def test_angles_are_strict_when_a_column_is_measured_in_them(tmp_path: Path) -> None:
    path, bare = saved(tmp_path, GOOD), saved(tmp_path, GOOD.replace(" [rad]", ""), "bare.csv")
    assert angles_are_strict(read_tables(path))
    assert not angles_are_strict(read_tables(bare))
    pure = ReadOptions(angles="pure")
    assert not angles_are_strict(read_tables(path, pure), pure)
    assert read_tables(path, pure).units[0].dimension.is_pure
    assert angles_are_strict(read_tables(bare), ReadOptions(angles="strict"))


def test_missing_rows_are_dropped_or_end_a_piece(tmp_path: Path) -> None:
    path = saved(tmp_path, with_row(17, "1.5,0.3,n/a"))
    dropped, notes = read_tables_with_notes(path, ReadOptions(missing="drop-row"))
    assert [len(t) for t in dropped.times] == [19]
    assert "1 row" in notes[0]
    pieces = read_tables(path, ReadOptions(missing="split"))
    assert pieces.labels == ("pendulum/0", "pendulum/1")
    assert [len(t) for t in pieces.times] == [15, 4]
    assert np.array_equal(np.concatenate(pieces.times), dropped.times[0])


def test_dropped_rows_leave_a_gap_in_counted_time(tmp_path: Path) -> None:
    path = saved(tmp_path, "q,p\n1,2\n,3\n3,5\n4,7\n")
    assert read_tables(path, ReadOptions(missing="drop-row")).times[0].tolist() == [0, 2, 3]


def test_short_trajectories_are_left_out_and_said(tmp_path: Path) -> None:
    text = "run,t,q,p\na,0,1,2\nb,0,1,2\nb,1,2,3\nb,2,4,5\n"
    data, notes = read_tables_with_notes(saved(tmp_path, text))
    assert data.labels == ("b",)
    assert "1 of 2 trajectories" in notes[0]


def test_a_wrapped_angle_is_noticed(tmp_path: Path) -> None:
    angle = (np.arange(40) * 0.4 + np.pi) % (2 * np.pi) - np.pi
    text = "t,q [rad],w\n" + "".join(f"{i},{a},{i * i}\n" for i, a in enumerate(angle))
    _, notes = read_tables_with_notes(saved(tmp_path, text))
    assert 'column "q" is an angle within one turn; it jumps' in notes[0]


def test_given_derivatives_are_no_inputs(tmp_path: Path) -> None:
    text = "t [s],x [m],v [m/s],a [m/s^2]\n" + "".join(f"{i},{i**3},{3 * i * i},{6 * i}\n" for i in range(5))
    path = saved(tmp_path, text)
    data = read_tables(path, ReadOptions(derivatives={"x": "v", "v": "a"}))
    assert data.names == ("x", "v")
    assert data.given_derivatives is not None
    assert np.array_equal(data.given_derivatives[0][:, 0], data.states[0][:, 1])


# what is wrong

BROKEN = {
    "empty": ("", "is empty"),
    "blank": ("\n\n", "is empty"),
    "header only": (HEADER, "has a header and no rows"),
    "no header": (BODY, "has no header: row 1 holds only numbers"),
    "one column": ("q\n1\n2\n3\n", 'only one state column ("q")'),
    "one column of numbers": ("1\n2\n3\n", "one column and no header"),
    "unknown delimiter": (GOOD.replace(",", ":"), 'Is ":" the delimiter?'),
    "not a number": (
        with_row(17, "1.5,0.3,n/a"),
        'column "p" row 17: "n/a" is not a number. Use --missing drop-row or --missing split.',
    ),
    "empty cell": (with_row(17, "1.5,,0.3"), 'column "q" row 17 is empty. Use --missing drop-row or --missing split.'),
    "empty time": (with_row(3, ",1,0.3"), 'column "t" row 3 is empty'),
    "text": (with_row(17, "1.5,0.3,abc"), 'column "p" row 17: "abc" is not a number. Correct the cell'),
    "text after a comment": ("# by hand\n" + with_row(17, "1.5,0.3,abc"), 'column "p" row 18: "abc" is not a number'),
    "text after blank lines": (
        GOOD.replace("\n", "\n\n").replace("0.1,0.841", "0.1,o.841"),
        'column "q" row 5: "o.841"',
    ),
    "text, decimal commas": (
        with_row(17, "1.5,abc,0.3").replace(",", ";").replace(".", ","),
        'column "q" row 17: "abc"',
    ),
    "truth": (with_row(5, "0.3,True,0.2"), 'column "q" row 5: "True" is not a number'),
    "underscore": (with_row(5, "0.3,1_0,0.2"), 'column "q" row 5: "1_0" is not a number'),
    "column of text": (
        "t,q,p,kind\n" + BODY.replace("\n", ",red\n"),
        'column "kind" row 2: "red" is not a number. Nor is the rest of the column; if it tells trajectories apart, '
        "--trajectory kind, else leave it out",
    ),
    "moments": ("time,q,p\n" + "".join(f"12:00:{i:02d},{i},{i * i}\n" for i in range(9)), "write times as numbers"),
    "row of units": ("t,q,p\ns,rad,kg*m/s\n" + BODY, "row 2 seems to hold units"),
    "nan": (with_row(5, "0.3,NaN,0.2"), 'column "q" row 5: "NaN" is not a number. Use --missing'),
    "infinite": (with_row(5, "0.3,-inf,0.2"), 'column "q" row 5 is infinite'),
    "overflow": (with_row(5, "0.3,1e999,0.2"), 'column "q" row 5 is infinite'),
    "short row": (with_row(5, "0.3,0.1"), 'column "p" row 5: the row has 2 of 3 cells'),
    "long row": (with_row(5, "0.3,0.1,0.2,0.5"), "row 5 has 4 cells where the header names 3"),
    "long row far below": (
        GOOD + "".join(f"{2 + i},{i},{i}\n" for i in range(90)) + "99,1,2,3\n",
        "row 112 has 4 cells",
    ),
    "decimal commas between commas": ("t,q,p\n0,5,1,5,2,5\n1,5,1,5,2,5\n", "write numbers with a decimal point"),
    "open quote": (with_row(5, '0.3,"0.1,0.2'), "row 5 opens a quotation that never ends"),
    "duplicate columns": (GOOD.replace("q [rad]", "p [m]"), 'the column "p" appears twice'),
    "unknown unit": (
        GOOD.replace("kg*m/s", "kg*mter/s"),
        'column "p": unknown unit "kg*mter/s", did you mean "meter"?',
    ),
    "offset unit": (GOOD.replace("rad", "degC"), "absolute unit"),
    "constant": ("t,q,p\n0,1,3\n1,2,3\n2,5,3\n", 'column "p" never changes (always 3). Leave it out with --inputs.'),
    "too few": (HEADER + "0,1,2\n1,2,3\n", "no trajectory has 3 samples or more"),
    "too few each": ("id,t,q,p\n" + "".join(f"{i},{i},{i * i},{i**3}\n" for i in range(9)), 'told apart by "id"'),
    "time goes back": (with_row(17, "0.7,0.1,0.2"), 'column "t" row 17: time goes back from 1.4 to 0.7. Sort'),
    "time repeats": (with_row(17, "1.4,0.1,0.2"), 'column "t" row 17: time repeats 1.4'),
    "time goes back within": ("run,t,q,p\na,0,1,2\na,2,2,3\na,1,4,5\na,3,4,6\n", "in trajectory a"),
    "one below the other": (GOOD + BODY + BODY, "row 22: time goes back from 1.9 to 0"),
    "one below the other, remedy": (
        GOOD + BODY,
        "one below the other: name the column that tells them apart, --trajectory",
    ),
    "interleaved": (
        "t,q,p\n" + "".join(f"{i},{i},{i * i}\n{i},{-i},{i}\n" for i in range(9)),
        "interleaved: name the column",
    ),
    "operator's name": (
        GOOD.replace("q [rad]", "sin [rad]"),
        'column "sin" is also the name of an operator. Rename it',
    ),
    "no label": ("run,t,q,p\na,0,1,2\n,2,2,3\na,1,4,5\na,3,4,6\n", 'column "run" row 3 names no trajectory'),
    "latin-1": (
        GOOD.replace("q ", "ö ").encode("latin-1"),
        "is not UTF-8 text (byte 0xf6 at position 6, row 1). Save it as UTF-8",
    ),
    "latin-1 far below": (GOOD.encode() + b"2.0,1,2\n" * 20000 + b"2.0,\xff,1\n", "row 20022)"),
    "binary": (bytes(range(256)), "is a binary file"),
    "Excel": (b"PK\x03\x04" + bytes(100), "is an Excel or zip file, not a table of text. Save it as CSV."),
    "torn archive": (gzip.compress(GOOD.encode())[:60], "the file is damaged"),
    "derivative of another unit": (
        "t [s],x [m],dx/dt [m],y,dy/dt\n0,1,2,3,4\n1,2,3,4,5\n2,4,5,6,7\n",
        "cannot be the time derivative",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("table", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_file_is_refused_in_one_sentence(tmp_path: Path, table: str | bytes, words: str) -> None:
    path = saved(tmp_path, table)
    with pytest.raises(DataError) as caught:
        read_tables(path)
    message = str(caught.value)
    assert message.startswith("pendulum.csv: ")
    assert words in message
    assert "\n" not in message


def test_the_sentence_of_the_style_guide(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_tables(saved(tmp_path, with_row(17, "1.5,0.3,n/a")))
    assert str(caught.value) == (
        'pendulum.csv: column "p" row 17: "n/a" is not a number. Use --missing drop-row or --missing split.'
    )


@pytest.mark.parametrize("missing", ["drop-row", "split"])
@pytest.mark.parametrize("cell", ["abc", "inf"])
def test_only_what_was_not_measured_can_be_dropped(tmp_path: Path, missing: str, cell: str) -> None:
    with pytest.raises(DataError, match="row 17"):
        read_tables(saved(tmp_path, with_row(17, f"1.5,0.3,{cell}")), ReadOptions(missing=missing))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (ReadOptions(inputs=("q", "pp")), 'there is no column "pp" (--inputs), did you mean "p"?'),
        (ReadOptions(time="tt"), 'there is no column "tt" (--time), did you mean "t"?'),
        (ReadOptions(trajectory="run"), 'there is no column "run" (--trajectory). The columns are t, q, p.'),
        (ReadOptions(units={"Q": "m"}), 'there is no column "Q" (--unit), did you mean "q"?'),
        (ReadOptions(derivatives={"q": "v"}), 'there is no column "v" (--derivative)'),
        (ReadOptions(derivatives={"q": "p"}, inputs=("q", "t")), 'the derivative of "t" is not given'),
        (ReadOptions(inputs=("q",)), "only one state column"),
        (ReadOptions(units={"q": "radd"}), 'unknown unit "radd", did you mean "rad"?'),
    ],
)
def test_an_option_that_names_no_column_is_refused(tmp_path: Path, options: ReadOptions, words: str) -> None:
    with pytest.raises(DataError) as caught:
        read_tables(saved(tmp_path, GOOD), options)
    assert words in str(caught.value)


def test_options_are_checked_at_birth() -> None:
    with pytest.raises(OptionError, match="drop-row, split"):
        ReadOptions(missing="ignore")
    with pytest.raises(OptionError, match="auto, strict, pure"):
        ReadOptions(angles="loose")


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    saved(tmp_path, GOOD)
    with pytest.raises(DataError, match=r"there is no such file. Did you mean .*pendulum.csv"):
        read_tables(tmp_path / "pendulm.csv")
    with pytest.raises(DataError, match="is a folder"):
        read_tables([tmp_path])
    with pytest.raises(DataError, match="no file was named"):
        read_tables([])
    with pytest.raises(DataError, match=r"a.parquet: (cannot be read as|reading) parquet"):
        read_tables(saved(tmp_path, "junk", "a.parquet"))


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (GOOD.replace("p [kg*m/s]", "v [m/s]"), 'b.csv: lacks the column "p", which a.csv has'),
        (GOOD.replace("\n", ",7\n").replace("s],7", "s],extra"), 'a.csv: lacks the column "extra", which b.csv has'),
        (GOOD.replace("rad", "deg"), 'b.csv: column "q" has the unit deg, and the unit rad in a.csv'),
        (GOOD.replace(" [rad]", ""), 'b.csv: column "q" has no unit, and the unit rad in a.csv'),
    ],
)
def test_several_files_must_agree(tmp_path: Path, second: str, words: str) -> None:
    paths = [saved(tmp_path, GOOD, "a.csv"), saved(tmp_path, second, "b.csv")]
    with pytest.raises(DataError) as caught:
        read_tables(paths)
    assert words in str(caught.value)


def test_frames_are_refused_in_the_same_words() -> None:
    with pytest.raises(DataError, match="has no columns"):
        from_frame(pd.DataFrame())
    with pytest.raises(DataError, match="has a header and no rows"):
        from_frame(pd.DataFrame({"q": [], "p": []}))
    with pytest.raises(DataError, match='frame: column "q" row 3: "x" is not a number'):
        from_frame(pd.DataFrame({"q": [1, "x", 3], "p": [1, 2, 4]}))
    with pytest.raises(DataError, match='column "q" row 2: "True" is not a number'):
        from_frame(pd.DataFrame({"q": [True, False, True], "p": [1, 2, 4]}))


def test_many_alike_problems_are_counted(tmp_path: Path) -> None:
    lines = "".join(f"{i},{'x' if i % 2 else i},{i * i}\n" for i in range(40))
    problems = [str(p) for p in survey(saved(tmp_path, "t,q,p\n" + lines)).problems]
    assert len(problems) == 6
    assert 'column "q": 15 more cells are not numbers' in problems[-1]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.binary(max_size=200), st.text("tqp01.,;\t\n\r\"'#[]() -einfa", max_size=120).map(str.encode)))
def test_no_file_is_answered_with_anything_but_a_sentence(tmp_path: Path, content: bytes) -> None:
    found = survey(saved(tmp_path, content, "any.csv"))
    assert (found.trajectories is None) == bool(found.problems)
    for problem in found.problems:
        assert str(problem).startswith("any.csv: ")


def test_half_powers_of_units_survive(tmp_path: Path) -> None:
    unit = Unit(Dimension.of({"m": Fraction(1, 2), "s": -1}))
    states = (np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 5.0]]),)
    data = Trajectories(("a", "b"), ("a", "b"), (unit, unit), states, (np.arange(3.0),), ("0",))
    write_csv(data, tmp_path / "a.csv")
    assert read_tables(tmp_path / "a.csv").units == (unit, unit)
