"""Runs that are killed, interrupted, or meet another one: nothing is lost, nothing is done twice."""

from __future__ import annotations

import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest_of_trust import SMALL, Start, tables

Done = Callable[..., subprocess.CompletedProcess[str]]


def seconds_of(done: Done, run: str, *options: str) -> float:
    """How long an undisturbed run takes."""
    begin = time.perf_counter()
    found = done("discover", "pendulum.csv", "-o", run, *SMALL, *options)
    assert found.returncode == 0, found.stderr
    return time.perf_counter() - begin


def killed_after(start: Start, seconds: float, *words: object, how: int = signal.SIGKILL) -> int:
    """Start the command and send it a signal, unless it is done before."""
    process = start(*words)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(how)
    process.communicate(timeout=60)
    return process.returncode


def exported(done: Done, run: str) -> list[str]:
    """`done` may be `here`: an export is the same whoever makes it."""
    return [
        done("export", run, "--format", kind).stdout for kind in ("latex", "csv", "python", "torch", "json", "markdown")
    ]


def check_killed(start: Start, done: Done, here: Done, folder: Path, moments: list[float]) -> None:
    whole = seconds_of(done, "whole.noether")
    wanted = tables(folder / "whole.noether")
    words = "discover", "pendulum.csv", *SMALL, "--resume"
    for number, moment in enumerate(moments):
        run = f"{number}.noether"
        killed_after(start, moment * whole, *words, "-o", run)
        if (folder / run).exists():
            with closing(sqlite3.connect(folder / run)) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = done(*words, "-o", run)
        assert found.returncode == 0, found.stderr
        assert tables(folder / run) == wanted
    assert exported(here, "0.noether") == exported(here, "whole.noether")


def test_a_killed_run_goes_on_to_the_same_end(
    start: Start, done: Done, here: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    check_killed(start, done, here, tmp_path, [0.75])


@pytest.mark.slow
def test_twenty_killed_runs_go_on_to_the_same_end(
    start: Start, done: Done, here: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    moments = random.Random(0)
    check_killed(start, done, here, tmp_path, [moments.uniform(0.1, 1.0) for _ in range(20)])


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_ends_the_same(
    start: Start, done: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    """Twenty signals on one file, and no piece of work is done a second time."""
    whole = seconds_of(done, "whole.noether", "--max-nodes", "8")
    moments, run = random.Random(1), tmp_path / "run.noether"
    before: set[tuple[str, int]] = set()
    for _ in range(20):
        words = "discover", "pendulum.csv", *SMALL, "--max-nodes", "8", "--resume", "-o", "run.noether"
        killed_after(start, moments.uniform(0.3, 0.9) * whole, *words)
        if run.exists():
            now = set(sqlite3.connect(run).execute("SELECT step, number FROM pieces"))
            assert now >= before or not now & before  # those of a stage are gone when it is whole
            before = now
    assert done(*words).returncode == 0
    assert tables(run) == tables(tmp_path / "whole.noether")


@pytest.mark.slow
@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_finishes_what_is_under_way(
    start: Start, done: Done, here: Done, tmp_path: Path, pendulum_csv: Path, how: int, code: int
) -> None:
    """With more formulas than one piece: the first signal waits for it, and it is there afterwards."""
    words = "discover", "pendulum.csv", "-o", "run.noether", "--max-nodes", "8", "--jobs", "1", "--no-rank"
    process = start(*words)
    run = tmp_path / "run.noether"
    deadline = time.monotonic() + 120
    while not pieces(run):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.1)  # the next piece is under way by then
    process.send_signal(how)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert errors.splitlines() == [
        "stopping when what is under way is finished; once more stops at once",
        "interrupted; a run file (-o) keeps what was finished, and --resume goes on with it",
    ]
    kept = pieces(run)
    assert 2 <= kept <= 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pendulum.csv", "run.noether"]

    refused = here(*words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "Error: run.noether: holds an unfinished run (fit); --resume goes on with it, --restart begins anew\n"
    )
    other = here(*words, "--resume", "--alpha", "0.01", "--seed", "5")
    assert (other.returncode, other.stdout) == (2, "")
    assert "cannot be resumed: --alpha was 0.05, now 0.01; --seed was 0, now 5" in other.stderr
    changed = tmp_path / "changed.csv"
    changed.write_text((tmp_path / "pendulum.csv").read_text().replace("0.", "0.1", 1))
    data = here("discover", "changed.csv", *words[2:], "--resume")
    assert data.returncode == 2
    assert "cannot be resumed: the data are others than those of pendulum.csv" in data.stderr
    assert pieces(run) == kept

    assert done(*words, "--resume").returncode == 0
    assert done(*words[:2], "-o", "whole.noether", *words[4:]).returncode == 0
    assert tables(run) == tables(tmp_path / "whole.noether")


def pieces(run: Path) -> int:
    """How many pieces of work a run file keeps."""
    if not run.exists():
        return 0
    database = sqlite3.connect(run)  # read only it would leave a log behind
    try:
        return int(database.execute("SELECT count(*) FROM pieces").fetchone()[0])
    except sqlite3.OperationalError:  # it is being made
        return 0
    finally:
        database.close()


def test_the_second_of_two_processes_is_told_who_holds_the_file(
    start: Start, here: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    words = "discover", "pendulum.csv", "-o", "run.noether", "--max-nodes", "8", "--jobs", "1", "--no-rank"
    first = start(*words)
    deadline = time.monotonic() + 120
    while not pieces(tmp_path / "run.noether"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    first.send_signal(signal.SIGSTOP)  # it holds the file for as long as this takes
    for more in ((), ("--resume",), ("--restart",)):
        second = here(*words, *more)
        assert (second.returncode, second.stdout) == (2, "")
        assert f"Error: run.noether: is being written by process {first.pid} on " in second.stderr
        assert '("noether-discover discover pendulum.csv -o run.noether' in second.stderr
    assert here("show", "run.noether").returncode == 0  # anybody may read
    first.send_signal(signal.SIGCONT)
    first.communicate(timeout=120)
    assert first.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [2, 4])
def test_jobs_and_threads_change_nothing(done: Done, tmp_path: Path, pendulum_csv: Path, jobs: int) -> None:
    words = "discover", "pendulum.csv", "--max-nodes", "9", "--steps", "60", "--epochs", "5"
    one = done(*words, "--jobs", 1, "-o", "one.noether")
    many = done(*words, "--jobs", jobs, "-o", "many.noether", environment={"OMP_NUM_THREADS": "2"})
    assert (one.returncode, many.returncode) == (0, 0), (one.stderr, many.stderr)
    said = re.sub(r"one\.(noether|html|tex)", r"many.\1", one.stdout)
    assert said == many.stdout
    assert tables(tmp_path / "one.noether") == tables(tmp_path / "many.noether")
    assert exported(done, "one.noether") == exported(done, "many.noether")
