"""Runs as a user starts them: processes, files, and what is left of them."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from noether_discover.data.systems import simulate
from noether_discover.data.writing import write_csv

PROGRAM = [sys.executable, "-c", "from noether_discover.cli import main; main()"]
SMALL = ("--max-nodes", "7", "--steps", "60", "--epochs", "5", "--jobs", "1")
"""A run with every stage, in seconds."""
OF_THE_DAY = ("begun", "command", "underway")
"""Facts that differ from run to run."""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the command line in the test's folder; what is still running at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def started(*words: object, **how: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", **how.pop("environment", {})}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        process = subprocess.Popen(
            [*PROGRAM, *map(str, words)], cwd=tmp_path, env=environment, text=True, start_new_session=True,
            **{**pipes, **how},
        )  # fmt: skip
        running.append(process)
        return process

    yield started
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def done(start: Start) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in the test's folder to its end."""

    def run(*words: object, **how: Any) -> subprocess.CompletedProcess[str]:
        process = start(*words, **how)
        out, err = process.communicate(timeout=300)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    return run


@pytest.fixture
def here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command line in the test's folder, in this process: for what is said, where no process matters."""
    from noether_discover.cli import main

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["noether-discover", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        written = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return subprocess.CompletedProcess(words, stop.value.code, written.out, written.err)

    return run


@pytest.fixture
def pendulum_csv(tmp_path: Path) -> Path:
    """A small noisy pendulum, in the test's folder."""
    path = tmp_path / "pendulum.csv"
    write_csv(simulate("pendulum_hnn", trajectories=12, samples=30, noise=0.03, seed=3), path)
    return path


def tables(path: Path) -> dict[str, list[Any]]:
    """Everything in a run file but seconds and the facts of the day."""
    database = sqlite3.connect(path)
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {
        name: sorted(database.execute(f"SELECT * FROM {name}").fetchall(), key=repr)
        for name in names
        if name != "seconds"
    }
    found["facts"] = [fact for fact in found["facts"] if fact[0] not in OF_THE_DAY]
    found["stages"] = sorted(database.execute("SELECT stage FROM seconds").fetchall())
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
    return found
