"""A real Dask scheduler and two real worker processes on this machine: the same tables, whoever dies."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest_of_trust import Start, tables
from test_killed_runs import exported, pieces

from noether_discover.work import Work, Workers

Done = Callable[..., subprocess.CompletedProcess[str]]
DASK = [sys.executable, "-m", "dask"]
WORDS = ("discover", "pendulum.csv", "--max-nodes", "9", "--no-rank")
"""Some twenty-five pieces of work."""


@dataclass
class Cluster:
    """What runs, and where."""

    address: str
    scheduler: subprocess.Popen[str]
    workers: list[subprocess.Popen[str]]


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A scheduler at a free port and two workers of one thread."""
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'noether-discover[cluster]'")
    folder = tmp_path / "dask"
    folder.mkdir()

    def started(*words: str) -> subprocess.Popen[str]:
        with (folder / f"{words[0]}.log").open("a") as log:
            here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}  # they run this file's functions
            return subprocess.Popen([*DASK, *words], stdout=log, stderr=log, text=True, cwd=folder, env=here)

    scheduler = started("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
    running = [scheduler]
    try:
        address = said(folder / "scheduler.log", r"Scheduler at: +(tcp://\S+)")
        worker = (
            "worker",
            address,
            "--nthreads",
            "1",
            "--no-dashboard",
            "--no-nanny",
            "--local-directory",
            str(folder),
        )
        workers = [started(*worker) for _ in range(2)]
        running += workers
        said(folder / "worker.log", r"(Registered to[\s\S]*Registered to)")
        yield Cluster(address, scheduler, workers)
    finally:
        for process in running:
            process.kill()
            process.wait()


def said(log: Path, what: str) -> str:
    """What a log says, once it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = re.search(what, log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"{log.name} does not say {what}: {log.read_text()}")


def begun(start: Start, cluster: Cluster, run: Path) -> subprocess.Popen[str]:
    """A run on the cluster of which some pieces are finished, and not all."""
    process = start(*WORDS, "--cluster", cluster.address, "-o", run.name)
    deadline = time.monotonic() + 120
    while not pieces(run):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def check_the_same(done: Done, folder: Path, run: str) -> None:
    assert done(*WORDS, "--jobs", 2, "-o", "here.noether").returncode == 0
    assert tables(folder / run) == tables(folder / "here.noether")
    assert exported(done, run) == exported(done, "here.noether")


class Data:
    """Something large, which leaves a mark in a folder whenever a process gets it."""

    def __init__(self, marks: Path) -> None:
        self.marks, self.numbers = marks, np.arange(20_000.0)

    def __setstate__(self, facts: dict[str, Any]) -> None:
        self.__dict__ = facts
        (self.marks / f"{os.getpid()}-{time.monotonic_ns()}").touch()


def summed(data: Data, n: int) -> float:
    time.sleep(0.02)
    return float(data.numbers.sum()) + n


def test_data_travel_to_each_worker_and_not_with_each_piece(cluster: Cluster, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    marks.mkdir()
    data = Data(marks)
    work = Work(Workers(cluster=cluster.address))
    found = list(work.each("s", summed, [(n,) for n in range(60)], common=(data,)))
    assert found == [data.numbers.sum() + n for n in range(60)]
    travelled = [int(path.name.partition("-")[0]) for path in marks.iterdir()]
    assert len(travelled) >= 2
    # from the client or from a peer, and where the two cross each other, twice
    assert all(travelled.count(worker.pid) <= 2 for worker in cluster.workers), travelled


def once_killed(folder: str, n: int) -> int:
    """Takes its worker along, at the first sight of a number."""
    if n == 11:
        try:
            Path(folder, str(n)).touch(exist_ok=False)
        except FileExistsError:
            return n
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_a_worker_that_dies_leaves_its_pieces_to_the_others(cluster: Cluster, tmp_path: Path) -> None:
    work = Work(Workers(cluster=cluster.address))
    assert list(work.each("s", once_killed, [(n,) for n in range(20)], common=(str(tmp_path),))) == list(range(20))


@pytest.mark.slow
def test_the_tables_are_those_of_this_machine_even_where_a_worker_dies(
    cluster: Cluster, start: Start, done: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    process = begun(start, cluster, tmp_path / "there.noether")
    cluster.workers[0].send_signal(signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    check_the_same(done, tmp_path, "there.noether")


@pytest.mark.slow
def test_without_its_scheduler_a_run_stops_and_goes_on_here(
    cluster: Cluster, start: Start, done: Done, tmp_path: Path, pendulum_csv: Path
) -> None:
    process = begun(start, cluster, tmp_path / "there.noether")
    cluster.scheduler.send_signal(signal.SIGKILL)
    out, errors = process.communicate(timeout=120)
    assert (process.returncode, out) == (2, "")
    assert errors.splitlines()[-1] == (
        f"Error: the scheduler at {cluster.address} is gone; a run file keeps what was finished, and --resume goes on "
        "without it"
    )
    assert "Traceback" not in errors
    assert done(*WORDS, "--jobs", 1, "-o", "there.noether", "--resume").returncode == 0
    check_the_same(done, tmp_path, "there.noether")


@pytest.mark.slow
def test_where_no_scheduler_answers_it_is_said(done: Done, pendulum_csv: Path) -> None:
    found = done(*WORDS, "--cluster", "tcp://127.0.0.1:9")
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.splitlines()[-1].startswith("Error: --cluster tcp://127.0.0.1:9: no scheduler answers there")
    assert "Traceback" not in found.stderr
