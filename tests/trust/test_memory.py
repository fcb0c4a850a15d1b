"""A run under a limit of memory stays under it and finds the same; what does not fit is told before."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest_of_trust import tables
from noether_dsl.dimension import Dimension
from noether_dsl.enumeration import Formulas, enumerate_formulas
from noether_dsl.grammar import Grammar
from test_workers import Remembered, square

from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import discover
from noether_discover.errors import OptionError, WorkError
from noether_discover.memory import PROCESS, Memory, in_use, read_size, shown
from noether_discover.settings import Settings
from noether_discover.work import Work

MEASURED = """
import re, resource, sys
from noether_discover.cli import main
sys.argv[0] = "noether-discover"
try:
    main()
finally:
    own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
    print("peak", 1024 * own, 1024 * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
"""The command line, which says at its end how much memory it had at most, and the largest of its children."""
SETTINGS = {"max_nodes": 7, "rank": False, "jobs": 1}


def measured(folder: Path, *words: object) -> tuple[subprocess.CompletedProcess[str], int, int]:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, words)], cwd=folder, text=True, capture_output=True, timeout=590,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    own, child = map(int, done.stderr.splitlines()[-1].split()[1:])
    return done, own, child


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GB", 4e9), ("1.5 GB", 1.5e9), ("500MB", 5e8), ("2GiB", 2**31), ("4g", 4e9), (" 800 mb ", 8e8), ("1TB", 1e12)],
)
def test_a_size_has_a_unit(text: str, size: float) -> None:
    assert read_size(text) == size
    assert Settings(memory=text).allowed == Memory(int(size))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("4", "--memory 4 has no unit; write 4GB or 4MB"),
        ("4XB", "--memory 4XB: there is no such unit; write 4GB"),
        ("much", '--memory "much" is no size; write a number and a unit, such as 4GB'),
        ("-1GB", "is no size"),
        ("0GB", "--memory 0GB is nothing"),
        ("", "is no size"),
        ("1e9", "is no"),
        ("nanGB", "is no size"),
        ("9" * 400, "is no size"),
        ("٤GB", "is no size"),
    ],
)
def test_what_is_no_size_is_refused_with_one_that_is(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=r"^--memory ") as refused:
        Settings(memory=text)
    assert says.replace("is no", "") in str(refused.value) if says == "is no" else says in str(refused.value)
    assert len(str(refused.value)) < 200


def test_sizes_are_told_rounded_up() -> None:
    assert [shown(size) for size in (1, 4e9, 1.01e9, 12.3e9)] == ["0.1 GB", "4.0 GB", "1.1 GB", "13 GB"]


def test_as_many_processes_work_as_fit() -> None:
    used = psutil.Process().memory_info().rss  # of this process alone: others may be left from other tests
    assert Memory().fitting(8, 1e12, 0) == 8
    assert Memory(int(used + 6.5 * PROCESS)).fitting(4, PROCESS, 0) == 4
    assert Memory(int(used + 3.5 * PROCESS)).fitting(4, PROCESS, 0) == 3
    assert Memory(int(used + 3.5 * PROCESS)).fitting(4, PROCESS, PROCESS) == 2
    assert Memory(int(used + 1.5 * PROCESS)).fitting(4, PROCESS, 0) == 1  # this process, and no other


def test_work_stops_when_more_is_in_use_than_allowed_and_keeps_what_was_finished() -> None:
    keeper = Remembered()
    pieces = [(1, n) for n in range(5)]
    with pytest.raises(WorkError, match=r"GB are in use; a run file \(-o\) keeps what was finished, and --resume with"):
        list(Work(keeper=keeper, memory=Memory(1000)).each("s", square, pieces))
    assert keeper.results == {("s", 0): 1}
    assert list(Work(keeper=keeper, memory=Memory(10**12)).each("s", square, pieces)) == [1, 2, 5, 10, 17]


@pytest.mark.parametrize(
    ("more", "settings", "says"),
    [
        (-(10**7), {}, "is too little for the program and the data"),
        (10**8, {"form": "raw", "max_nodes": 11, "max_formulas": 10**9}, "formulas of 11 nodes"),
        (4 * 10**7, {"max_nodes": 11, "max_formulas": 10**9}, "classes of"),
        (5 * 10**7, {}, "is too little for judging 1,714 formulas of up to 7 nodes"),
    ],
    ids=["nothing", "raw", "normal", "fit"],
)
def test_what_does_not_fit_is_told_before_it_is_begun(
    tmp_path: Path, pendulum: Trajectories, more: int, settings: dict[str, object], says: str
) -> None:
    with pytest.raises(OptionError, match=r"^--memory .* GB in all; use --memory \d+(\.\d)?GB") as refused:
        discover(pendulum, run=tmp_path / "run.noether", memory=f"{in_use() + more}B", **{**SETTINGS, **settings})  # type: ignore[arg-type]
    assert says in str(refused.value), refused.value
    assert list(tmp_path.iterdir()) == []


def test_a_run_under_a_limit_stays_under_it_and_finds_the_same(tmp_path: Path, pendulum_csv: Path) -> None:
    words = "discover", "pendulum.csv", "--max-nodes", 7, "--no-rank", "--memory", "0.9GB", "-o", "run.noether"
    done, own, child = measured(tmp_path, *words)
    assert done.returncode == 0, done.stderr
    assert own > 200e6
    assert own + child < 0.9e9
    discover(pendulum_csv, run=tmp_path / "free.noether", **SETTINGS)  # type: ignore[arg-type]
    here, there = (tables(tmp_path / f"{name}.noether") for name in ("run", "free"))
    assert {name: rows for name, rows in here.items() if name != "facts"} == {
        name: rows for name, rows in there.items() if name != "facts"
    }


@pytest.mark.slow
def test_with_many_formulas_no_more_processes_start_than_the_limit_allows(tmp_path: Path, pendulum_csv: Path) -> None:
    words = "discover", "pendulum.csv", "--max-nodes", 9, "--no-rank"
    done, own, child = measured(tmp_path, *words, "--jobs", 4, "--memory", "2.1GB", "-o", "run.noether")
    assert done.returncode == 0, done.stderr
    assert own + 3 * child < 2.1e9
    free, *_ = measured(tmp_path, *words, "--jobs", 1, "-o", "free.noether")
    assert free.returncode == 0
    here, there = (tables(tmp_path / f"{name}.noether") for name in ("run", "free"))
    assert here["judgements"] == there["judgements"]
    assert here["laws"] == there["laws"]


@pytest.mark.slow
def test_a_million_raw_formulas_are_enumerated_and_saved_in_little_memory(tmp_path: Path, pendulum_csv: Path) -> None:
    words = "enumerate", "pendulum.csv", "--max-nodes", 9, "--form", "raw", "--max-formulas", 2_000_000
    done, own, child = measured(tmp_path, *words, "--memory", "0.5GB", "-o", "run.noether")
    assert done.returncode == 0, done.stderr
    assert own + child < 0.5e9


def test_formulas_are_numbers_until_they_are_asked_for() -> None:
    grammar = Grammar((("q", Dimension.of(rad=1)), ("p", Dimension.of(kg=1))), max_nodes=5)
    table = enumerate_formulas(grammar)
    formulas = Formulas(table, table.rows())
    each = tuple(table.formula(row) for row in table.rows().tolist())
    assert tuple(formulas) == each
    assert len(formulas) == len(each)
    assert tuple(formulas[7:20]) == each[7:20]
    assert isinstance(formulas[7:20], Formulas)
    assert formulas[-1] == each[-1]
    import pickle

    assert pickle.loads(pickle.dumps(formulas[3:6])) == each[3:6]
