"""Pieces of work, done by processes that die, kept by somebody who remembers, stopped by a signal."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from noether_discover.errors import WorkError
from noether_discover.work import HERE, Interrupted, Stop, Work, Workers


class Remembered:
    """A keeper in memory."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, int], Any] = {}

    def kept(self, step: str) -> set[int]:
        return {number for name, number in self.results if name == step}

    def result(self, step: str, number: int) -> Any:
        return self.results[step, number]

    def keep(self, step: str, number: int, result: Any) -> None:
        assert (step, number) not in self.results
        self.results[step, number] = result


def square(offset: int, n: int) -> int:
    return n * n + offset


def slow_square(n: int) -> int:
    time.sleep(0.03)
    return n * n


def square_once_killed(folder: str, n: int) -> int:
    """Dies at its first sight of some numbers, as if memory had run out."""
    if n % 5 == 2:
        try:
            Path(folder, str(n)).touch(exist_ok=False)
        except FileExistsError:
            return n * n
        os.kill(os.getpid(), signal.SIGKILL)
    return n * n


def killed(n: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return n


def failing(n: int) -> int:
    if n == 3:
        raise ZeroDivisionError("three")
    return n


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_order_whoever_works(jobs: int) -> None:
    work = Work(Workers(jobs))
    assert list(work.each("s", square, [(n,) for n in range(20)], common=(1,))) == [n * n + 1 for n in range(20)]
    assert list(HERE.each("s", square, [])) == []


def test_what_was_kept_is_not_done_again() -> None:
    memory = Remembered()
    memory.results = {("a/s", 1): "kept", ("s", 0): "of another step"}
    work = Work(keeper=memory).under("a")
    assert list(work.each("s", square, [(0, n) for n in range(3)])) == [0, "kept", 4]
    assert [memory.result("a/s", number) for number in sorted(memory.kept("a/s"))] == [0, "kept", 4]


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    memory = Remembered()
    work = Work(Workers(2), memory)
    pieces = [(n,) for n in range(12)]
    assert list(work.each("s", square_once_killed, pieces, common=(str(tmp_path),))) == [n * n for n in range(12)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2", "7"]
    assert len(memory.results) == 12


def test_workers_that_always_die_are_told(tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="killed 3 times before one finished; is memory short"):
        list(Work(Workers(2)).each("s", killed, [(n,) for n in range(4)]))


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_piece_s_error_is_raised_and_the_others_stay(jobs: int) -> None:
    memory = Remembered()
    with pytest.raises(ZeroDivisionError, match="three"):
        list(Work(Workers(jobs), memory).each("s", failing, [(n,) for n in range(6)]))
    assert 3 not in memory.kept("s")


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_stop_leaves_what_was_finished(jobs: int) -> None:
    memory, stop = Remembered(), Stop()
    results = Work(Workers(jobs), memory, stop).each("s", slow_square, [(n,) for n in range(60)])
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    stop.number = signal.SIGTERM
    with pytest.raises(Interrupted) as asked:
        next(results)
    assert asked.value.number == signal.SIGTERM
    assert 3 <= len(memory.results) < 60
    again = Work(Workers(jobs), memory).each("s", slow_square, [(n,) for n in range(60)])
    assert list(again) == [n * n for n in range(60)]
