"""A run file in which somebody changed something is believed where it can be, and refused in one sentence where not."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from test_workers import Remembered, square

from noether_discover.data.systems import simulate
from noether_discover.discovery import discover
from noether_discover.errors import RunFileError, WorkError
from noether_discover.runs import RunFile
from noether_discover.search.judging import _are_judgements
from noether_discover.work import Work


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("sound") / "run.noether"
    discover(simulate("pendulum_hnn", trajectories=8, samples=30, seed=0), rank=False, run=run, jobs=1, max_nodes=3)
    return run


EDITS = {
    "seconds that are words": "UPDATE seconds SET seconds = 'abc'",
    "seconds that are bytes": "UPDATE seconds SET seconds = x'00ff'",
    "counts that are words": "UPDATE counts SET raw = 'abc'",
    "no nodes": "DELETE FROM facts WHERE name = 'nodes'",
    "nodes that are words": "UPDATE facts SET value = '\"many\"' WHERE name = 'nodes'",
    "a window that is markup": "UPDATE facts SET value = '\"<b>x</b>\"' WHERE name = 'window'",
    "a verdict that is bytes": "UPDATE judgements SET verdict = x'00ff'",
    "a deep law": "UPDATE laws SET law = replace(hex(zeroblob(50000)), '00', '[')",
    "a seed that is no whole number": "UPDATE facts SET value = json_set(value, '$.seed', 1.5) WHERE name = 'settings'",
    "a form that is a number": "UPDATE facts SET value = json_set(value, '$.form', 7) WHERE name = 'settings'",
}
COMMANDS = (
    "show RUN", "show RUN --provenance", "show RUN --reasons", "report RUN -o page.html", "plot RUN -o plot.svg",
    "export RUN --format json", "export RUN --format latex", "export RUN --format python",
)  # fmt: skip


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_what_was_edited_is_read_or_refused(
    here: Callable[..., CompletedProcess[str]], tmp_path: Path, sound: Path, edit: str
) -> None:
    run = tmp_path / "run.noether"
    shutil.copy(sound, run)
    with closing(sqlite3.connect(run)) as database:
        database.execute(edit)
        database.commit()
    ends = []
    for words in COMMANDS:
        found = here(*words.replace("RUN", "run.noether").split())
        ends.append(found.returncode)
        if found.returncode:
            assert (found.returncode, found.stdout, found.stderr.count("\n")) == (2, "", 1)
            assert found.stderr.startswith("Error: run.noether: is damaged (")
    assert 2 in ends


def test_numbers_and_letters_that_no_picture_holds_are_no_remarks(
    here: Callable[..., CompletedProcess[str]], tmp_path: Path, sound: Path
) -> None:
    run = tmp_path / "run.noether"
    shutil.copy(sound, run)
    with closing(sqlite3.connect(run)) as database:
        ((law,),) = database.execute("SELECT law FROM laws LIMIT 1")
        changed = {**json.loads(law), "ratio_heldout": 1e308}
        database.execute("UPDATE laws SET law = ? WHERE position = 0", (json.dumps(changed),))
        database.execute("UPDATE facts SET value = replace(value, '\"q\"', '\"\ufdfd\"') WHERE name = 'columns'")
        database.commit()
    found = here("report", "run.noether", "-o", "page.html")
    assert "Warning" not in found.stderr
    assert found.stderr.count("\n") <= 1


def test_a_formula_is_spelled_as_this_version_spells_it(tmp_path: Path, sound: Path) -> None:
    run = tmp_path / "run.noether"
    shutil.copy(sound, run)
    with closing(sqlite3.connect(run)) as database:
        ((law,),) = database.execute("SELECT law FROM laws LIMIT 1")
        changed = {**json.loads(law), "expression": "1 + 1", "latex": r"\input{secrets}"}
        database.execute("UPDATE laws SET law = ? WHERE position = 0", (json.dumps(changed),))
        database.commit()
    with RunFile(run) as file, RunFile(sound) as untouched:
        assert file.laws() == untouched.laws()


def kept(tmp_path: Path, result: str) -> RunFile:
    """A run file that keeps one piece, of which somebody made this."""
    with RunFile(tmp_path / "run.noether", create=True) as file:
        file.keep("fit/screen", 0, [["NOT_CONSERVED", "it varies", [], 0.9, float("nan"), float("inf"), 1]])
        assert _are_judgements((["a formula"],), file.result("fit/screen", 0))
    with closing(sqlite3.connect(tmp_path / "run.noether")) as database:
        database.execute("UPDATE pieces SET result = ?", (result,))
        database.commit()
    return RunFile(tmp_path / "run.noether")


@pytest.mark.parametrize("result", ["null", '"x"', "[]", "[[]]", '[["LAW", "", [1.0], "a", 1, 1, 1]]'])
def test_a_piece_that_is_none_is_not_gone_on_with(tmp_path: Path, result: str) -> None:
    with kept(tmp_path, result) as file:
        assert not _are_judgements((["a formula"],), file.result("fit/screen", 0))


def test_a_piece_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    with kept(tmp_path, "[" * 100_000) as file, pytest.raises(RunFileError, match="is damaged"):
        file.result("fit/screen", 0)


def test_a_kept_result_that_is_not_sound_is_told() -> None:
    keeper = Remembered()
    keeper.results["s", 0] = "nonsense"
    with pytest.raises(WorkError, match=r"finished piece 0 of s is damaged; --restart begins the run anew"):
        list(Work(keeper=keeper).each("s", square, [(1, 2)], sound=lambda piece, result: isinstance(result, int)))
