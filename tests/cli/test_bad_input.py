"""Bad input gets one sentence, exit code 2, no traceback, and leaves nothing half written."""

from __future__ import annotations

import gzip
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noether_discover.runs import RunFile
from noether_discover.stages import Answer

ROWS = [f"{0.1 * i:.1f},{np.sin(0.1 * i):.4f},{np.cos(0.1 * i):.4f}" for i in range(60)]
HEADER = "t [s],q [rad],p [kg*m/s]"
TABLE = "\n".join([HEADER, *ROWS]) + "\n"


def with_row(number: int, row: str) -> str:
    """The table with one line, as an editor counts, replaced."""
    lines = TABLE.splitlines()
    lines[number - 1] = row
    return "\n".join(lines) + "\n"


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty. Give it a header"),
    "header only": (HEADER + "\n", "has a header and no rows"),
    "one column": ("q [rad]\n1\n2\n3\n", 'has only one state column ("q")'),
    "text in a number column": (with_row(17, "1.5,0.3,abc"), 'column "p" row 17: "abc" is not a number. Correct'),
    "missing value": (with_row(17, "1.5,0.3,n/a"), 'row 17: "n/a" is not a number. Use --missing drop-row or'),
    "duplicate columns": (TABLE.replace("q [rad]", "p [m]"), 'the column "p" appears twice. Rename or delete'),
    "unknown unit": (TABLE.replace("[rad]", "[radd]"), 'column "q": unknown unit "radd", did you mean "rad"?'),
    "nan": (with_row(5, "0.3,NaN,1"), 'column "q" row 5: "NaN" is not a number. Use --missing'),
    "infinite": (with_row(5, "0.3,inf,1"), 'column "q" row 5 is infinite. Correct the cell'),
    "constant": (
        "\n".join([HEADER, *(f"{i},{i * i},7" for i in range(9))]),
        'column "p" never changes (always 7). Leave it out',
    ),
    "two samples": ("\n".join([HEADER, *ROWS[:2]]), "no trajectory has 3 samples or more"),
    "time goes back": (with_row(17, "0.7,0.1,0.2"), 'column "t" row 17: time goes back from 1.4 to 0.7'),
    "an operator's name": (TABLE.replace("q [rad]", "sin [rad]"), 'column "sin" is also the name of an operator'),
    "interleaved": (
        "t,q,p\n" + "".join(f"{i},{i},{i * i}\n{i},{-i},{i}\n" for i in range(9)),
        "Several trajectories seem to stand here, interleaved: name the column that tells them apart",
    ),
    "one below the other, by a number": (
        "t,my bob,q,p\n" + "".join(f"{i},{k},{i * k},{i * i}\n" for k in (3, 1, 7) for i in range(9)),
        "one below the other: column \"my bob\" seems to tell them apart: --trajectory 'my bob'.",
    ),
    "interleaved, by a number": (
        "t,q,bob,p\n" + "".join(f"{i},{i * k},{k},{i * i}\n" for i in range(9) for k in (3, 1, 7)),
        'interleaved: column "bob" seems to tell them apart: --trajectory bob.',
    ),
    "latin-1": (TABLE.replace("q ", "ö ").encode("latin-1"), "is not UTF-8 text (byte 0xf6"),
    "delimiter": (TABLE.replace(",", ":"), 'Is ":" the delimiter?'),
    "binary": (bytes(range(256)), "is a binary file"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(90), "is a picture, not a table of text"),
    "torn archive": (gzip.compress(TABLE.encode())[:60], "cannot be unpacked; the file is damaged"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a good table, and a run that was enumerated from it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(TABLE)
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.fixture
def enumerated(folder: Path, told: Callable[..., Any]) -> Path:
    """A run file without a fit."""
    assert told("enumerate", "good.csv", "--max-nodes", 3, "-o", "run.noether").code == 0
    return folder / "run.noether"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("table", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_table_is_refused_in_one_sentence(
    folder: Path, told: Callable[..., Any], table: str | bytes, words: str
) -> None:
    (folder / "pendulum.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    before = contents(folder)
    for command in (
        ["discover", "pendulum.csv", "-o", "run.noether", "--latex", "table.tex"],
        ["discover", "pendulum.csv", "--json"],
        ["enumerate", "pendulum.csv", "-o", "run.noether"],
    ):
        found = told(*command)
        assert (found.code, found.out) == (2, "")
        assert len(found.errors) == 1
        assert found.errors[0].startswith("Error: pendulum.csv: ")
        assert words in found.errors[0]
    checked = told("data", "check", "pendulum.csv")
    assert (checked.code, checked.err) == (2, "")
    assert f"problem: {found.errors[0].removeprefix('Error: ')}" in checked.out.splitlines()
    assert contents(folder) == before


OPTIONS = {
    "discover missing.csv": "missing.csv: there is no such file",
    "discover goood.csv": 'Did you mean "good.csv"?',
    "discover folder": "folder: is a folder. Name the files in it, e.g. folder/*.csv.",
    "discover": "Missing argument 'DATA...'",
    "discover good.csv --inputs q,pp": 'there is no column "pp" (--inputs), did you mean "p"?',
    "discover good.csv --inputs q": 'only one state column ("q")',
    "discover good.csv --inputs q,,p": '"q,,p" names nothing between two commas; write --inputs q,p',
    "discover good.csv --unit zz=m": 'there is no column "zz" (--unit). The columns are t, q, p.',
    "discover good.csv --trajectory run": 'there is no column "run" (--trajectory). The columns are t, q, p.',
    "discover good.csv --time tt": 'there is no column "tt" (--time), did you mean "t"?',
    "discover good.csv --derivative q=v": 'there is no column "v" (--derivative)',
    "discover good.csv --unit rad": '"rad" cannot be read; write --unit q=rad',
    "discover good.csv --unit =rad": '"=rad" cannot be read; write --unit q=rad',
    "discover good.csv --unit q=radd": 'unknown unit "radd", did you mean "rad"?',
    "discover good.csv --missing drop": "'drop' is not one of 'error', 'drop-row', 'split'",
    "discover good.csv --operators add,coss": 'there is no operator "coss"; known are',
    "discover good.csv --operators +lgo": 'there is no operator "lgo"; known are',
    "discover good.csv --operators ,": '"," names nothing between two commas; write --operators',
    "discover good.csv --parameter-units foo": '--parameter-units: unknown unit "foo", did you mean "foot"?',
    "discover good.csv --max-nodes 0": "--max-nodes 0 cannot be searched; it is from 1 to 14",
    "discover good.csv --max-nodes 99": "--max-nodes 99 cannot be searched; it is from 1 to 14",
    "discover good.csv --depth seven": "'seven' is not a valid integer",
    "discover good.csv --max-formulas 0": "--max-formulas 0 cannot be used; it is 1 or more",
    "discover good.csv --window 1": "--window 1 is too short; a window has at least 3 samples",
    "discover good.csv --window -5": "--window -5 is too short",
    "discover good.csv --share 1.5": "--share 1.5 leaves nothing to fit or nothing to judge",
    "discover good.csv --seed -1": "--seed -1 cannot be used; it is 0 or more",
    "discover good.csv --steps 0": "--steps 0 cannot be used; it is 1 or more",
    "discover good.csv --jobs 0": "--jobs 0 cannot be used; it is 1 or more",
    "discover good.csv --oracle 'p**2 -'": 'the end at position 7 of "p**2 -" was not expected',
    "discover good.csv --oracle 'p**2 - 3*coss(q)'": '--oracle: there is no function "coss"; known are',
    "discover good.csv --oracle 'p**2 - 3*x'": '--oracle "p**2 - 3*x": "x" is no column; there are q, p',
    "discover good.csv --oracle 3": '--oracle "3" is a mere number',
    "discover good.csv --oracle ''": "--oracle: ",
    "discover good.csv -o nowhere/run.noether": 'there is no folder "nowhere"; make it first',
    "discover good.csv --latex nowhere/a.tex": '--latex "nowhere/a.tex": there is no folder "nowhere"',
    "discover good.csv -o folder": '-o "folder" is a folder; name a file in it',
    "discover good.csv -o good.csv": "good.csv: is no run file of noether-discover; choose another name with -o",
    "discover good.csv --fast": "No such option '--fast'",
    "enumerate good.csv": "say what to do with the formulas: -o RUN.noether, --count or --list",
    "enumerate good.csv --count --max-nodes 0": "--max-nodes 0 cannot be searched",
    "discovr good.csv": 'there is no command "discovr"; did you mean "discover"?',
    "frobnicate": "No such command 'frobnicate'",
    "data mke": 'there is no command "mke"; did you mean "make"?',
    "data make pendulm -o a.csv": 'there is no system "pendulm", did you mean "pendulum"?',
    "data make pendulum": "Missing option '-o'",
    "data make pendulum -o nowhere/a.csv": 'there is no folder "nowhere"; make it first',
    "data make pendulum -o /dev/null": "is no plain file",
    "data make pendulum -o a.csv --noise -1": "cannot add noise of -1.0",
    "data make pendulum -o a.csv --span 0": "cannot simulate a span of 0.0",
    "data make pendulum -o a.csv --seed -1": "-1 is not in the range",
    "data make pendulum -o a.csv --samples 2": "2 is not in the range",
    "export run.noether --format doc": "'doc' is not one of 'latex'",
    "export run.noether --format csv --standalone": "--standalone is for --format latex",
    "export run.noether --format csv --style plain": "--style is for --format latex",
    "export run.noether --citation --symbol q=x": "--symbol is for --format latex, without --citation",
    "export run.noether --symbol 'q=\\input{a}'": "\\input is no command that a symbol may hold",
    "discover good.csv --symbol q=x": "--style and --symbol are about the LaTeX document",
    "discover good.csv --latex a.tex --symbol nobody=x": 'there is no column or vector "nobody"',
}


@pytest.mark.parametrize(("line", "words"), OPTIONS.items(), ids=OPTIONS.keys())
def test_an_impossible_option_is_refused_in_one_sentence(
    folder: Path, told: Callable[..., Any], line: str, words: str
) -> None:
    before = contents(folder)
    found = told(*shlex.split(line))
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Error: ")
    assert words in found.errors[0]
    assert contents(folder) == before


@pytest.mark.parametrize("options", ["--operators foo", "--oracle 'p**'", "--max-nodes 0", "--window 1", "--seed -1"])
def test_an_earlier_run_survives_a_misspelled_command(enumerated: Path, told: Callable[..., Any], options: str) -> None:
    before = contents(enumerated.parent)
    assert told("discover", "good.csv", "-o", "run.noether", *shlex.split(options)).code == 2
    assert contents(enumerated.parent) == before


def foreign(path: Path) -> None:
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE songs (name TEXT)")
    db.commit()
    db.close()


def of_the_future(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:6000])


NO_RUNS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "there is no such run file; make one with `noether-discover enumerate DATA.csv -o run."),
    "foreign": (foreign, "is a database, but no run file of noether-discover"),
    "text": (lambda path: path.write_text(TABLE), "is no run file of noether-discover; begin a run with"),
    "empty": (lambda path: path.write_text(""), "is empty, and no run file"),
    "truncated": (cut, "is damaged (database disk image is malformed)"),
    "version": (of_the_future, "was written by another version (format 99, this is 2)"),
    "folder": (lambda path: (path.unlink(), path.mkdir()), "is a folder; name a run file in it"),
}


@pytest.mark.parametrize(("spoil", "words"), NO_RUNS.values(), ids=NO_RUNS.keys())
@pytest.mark.parametrize("command", ["fit", "rank", "export", "show"])
def test_what_is_no_run_file_is_refused_in_one_sentence(
    enumerated: Path, told: Callable[..., Any], command: str, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(enumerated)
    before = contents(enumerated.parent)
    found = told(command, "run.noether")
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Error: run.noether: ")
    assert words in found.errors[0]
    assert contents(enumerated.parent) == before


@pytest.mark.parametrize("line", ["rank run.noether", "export run.noether", "show run.noether --json"])
def test_a_stage_that_is_missing_is_named_with_its_command(
    enumerated: Path, told: Callable[..., Any], line: str
) -> None:
    found = told(*line.split())
    assert (found.code, found.out) == (2, "")
    assert found.errors == ["Error: run.noether: has no fit stage yet; run `noether-discover fit run.noether` first"]


def test_a_run_without_formulas_is_told_how_to_begin(enumerated: Path, told: Callable[..., Any]) -> None:
    with RunFile("run.noether") as file:
        data, settings = file.read_data(), file.settings()
        file.write_data(data, settings, ["good.csv"])
    for command in ("fit", "show"):
        found = told(command, "run.noether")
        assert found.code == 2
        assert "run `noether-discover enumerate DATA.csv -o run.noether` first" in found.errors[0]


@pytest.mark.parametrize("kind", ["latex", "csv", "json", "markdown", "python"])
def test_a_run_that_found_nothing_can_be_exported(enumerated: Path, told: Callable[..., Any], kind: str) -> None:
    with RunFile("run.noether") as file:
        file.write_search([], [], Answer("NONE", "none of 46 formulas is conserved", {}), None, 0.1)
    found = told("export", "run.noether", "--format", kind)
    assert (found.code, found.err) == (0, "")
    assert found.out.strip()
    assert told("export", "run.noether", "--format", kind, "-o", "nowhere/out").code == 2
    assert told("export", "run.noether", "--format", kind, "-o", "out").code == 0
    assert (enumerated.parent / "out").read_text() == found.out


def test_an_empty_file_may_become_a_run_file(folder: Path, told: Callable[..., Any]) -> None:
    (folder / "made.noether").touch()  # by mktemp, say
    assert told("enumerate", "good.csv", "--max-nodes", 2, "-o", "made.noether").code == 0
    assert told("show", "made.noether").code == 0


def test_an_interruption_is_one_sentence(
    folder: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("noether_discover.data.tables.read_tables_with_notes", interrupted)
    found = told("discover", "good.csv")
    assert found.code == 130
    assert found.errors == ["interrupted; a run file (-o) keeps what was finished, and --resume goes on with it"]


def test_a_mistake_of_ours_is_not_blamed_on_the_user(
    folder: Path, told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(*_: object) -> None:
        raise ValueError("operands could not be broadcast together")

    monkeypatch.setattr("noether_discover.data.tables.read_tables_with_notes", mistaken)
    with pytest.raises(ValueError, match="broadcast"):
        told("discover", "good.csv")


def test_a_process_of_its_own_says_the_same(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "noether_discover", "discover", "missing.csv"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: missing.csv: there is no such file. Check the path.\n"
