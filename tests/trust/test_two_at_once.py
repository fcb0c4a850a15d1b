"""Two processes that begin one run file at the same moment: one does, the other is told of it, and nothing is lost."""

from __future__ import annotations

import multiprocessing
import sqlite3
from contextlib import closing
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from noether_discover.errors import RunFileError
from noether_discover.runs import RunFile

ROUNDS = 40


def begin(folder: Path, both: Barrier, told: Any, name: int) -> None:
    """In every round: begin the file when the other does, and let go of it when both have tried."""
    for number in range(ROUNDS):
        path = folder / f"{number}.noether"
        both.wait(60)
        try:
            file = RunFile(path, create=True)
        except RunFileError as problem:
            both.wait(60)
            told.put((number, name, str(problem)))
            continue
        both.wait(60)
        file.keep("step", name, [name])
        file.close()
        told.put((number, name, ""))


@pytest.mark.parametrize("there", [False, True], ids=["a new file", "a finished file"])
def test_one_of_two_that_begin_holds_the_file(tmp_path: Path, there: bool) -> None:
    for number in range(ROUNDS) if there else ():
        RunFile(tmp_path / f"{number}.noether", create=True).close()
    apart = multiprocessing.get_context("spawn")
    both, told = apart.Barrier(2), apart.Queue()
    processes = [apart.Process(target=begin, args=(tmp_path, both, told, name)) for name in range(2)]
    for process in processes:
        process.start()
    found = [told.get(timeout=120) for _ in range(2 * ROUNDS)]
    for process in processes:
        process.join(60)
    for number in range(ROUNDS):
        ((winner, _), (_, problem)) = sorted(
            ((name, words) for n, name, words in found if n == number), key=lambda p: p[1]
        )
        assert problem.startswith(f"{tmp_path / f'{number}.noether'}: is being written by ")
        with closing(sqlite3.connect(tmp_path / f"{number}.noether")) as database:
            assert database.execute("SELECT number FROM pieces").fetchall() == [(winner,)]
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".noether"] == []
