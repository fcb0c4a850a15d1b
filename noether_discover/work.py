"""Work that falls into pieces: where it is done, what is kept of it, and what stops it.

    Work       the pieces of a step, in order: those that were kept are not done again
    Workers    this process, several, or those of a cluster; a killed one is replaced
    Keeper     what remembers results: a run file
    Stop       a signal asks, the piece under way is finished

What a piece gives is plain data (lists, mappings, text, numbers, None), so that it can be sent and kept. How work is
cut into pieces does not depend on who does it: the results are the same.
"""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from .errors import WorkError
from .memory import ANY, Memory

Piece = tuple[Any, ...]

TRIES = 3
"""So many times in a row may workers die without finishing a piece."""


class Interrupted(BaseException):
    """A signal asked to stop, and what was under way is finished. No error, so that nobody handles it as one."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stop:
    """Whether a signal asked to stop. One that nobody tells is never asked."""

    def __init__(self) -> None:
        self.number: int | None = None

    def check(self) -> None:
        """Raise Interrupted where it was asked."""
        if self.number is not None:
            raise Interrupted(self.number)


class Keeper(Protocol):
    """What remembers the results of pieces."""

    def kept(self, step: str) -> set[int]:
        """The numbers of a step's pieces whose results were kept."""

    def result(self, step: str, number: int) -> Any:
        """One of these results."""

    def keep(self, step: str, number: int, result: Any) -> None:
        """Remember a result, for good."""


@dataclass(frozen=True)
class Workers:
    """Who works: `jobs` processes, this one alone where that is 1, or a cluster's.

    cluster: the address of a Dask scheduler (tcp://host:8786); jobs do not count then.
    """

    jobs: int = 1
    cluster: str | None = None

    def done(
        self, function: Callable[..., Any], pieces: Sequence[Piece], common: Piece = (), few: int = 0
    ) -> Generator[tuple[int, Any]]:
        """Each piece's number and what function(*common, *piece) gives, as they finish.

        few: fewer pieces than that are done here, since starting processes costs more than it saves.

        Raises WorkError when workers die again and again, or the cluster is gone.
        """
        if not pieces:
            return
        if self.cluster is None and (self.jobs == 1 or len(pieces) < max(few, 2)):
            for number, piece in enumerate(pieces):
                yield number, function(*common, *piece)
            return
        left, failures = dict(enumerate(pieces)), 0
        while left:
            before = len(left)
            try:
                with closing(self._parallel(function, left, common)) as results:
                    for number, result in results:
                        del left[number]
                        yield number, result
            except BrokenProcessPool as problem:
                failures = failures + 1 if len(left) == before else 0
                if failures == TRIES:
                    raise WorkError(
                        f"worker processes were killed {TRIES} times before one finished; is memory short? "
                        "try fewer --jobs"
                    ) from problem

    def _parallel(
        self, function: Callable[..., Any], pieces: Mapping[int, Piece], common: Piece
    ) -> Generator[tuple[int, Any]]:
        from joblib import Parallel, delayed

        tasks = [delayed(_numbered)(number, function, *common, *piece) for number, piece in pieces.items()]
        with self._place(common) as jobs:
            results: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")(tasks)
            with _closing_quietly(results):
                for result in results:  # noqa: UP028, as `yield from` would close the results before, and not quietly
                    yield result

    @contextmanager
    def _place(self, common: Piece) -> Iterator[int]:
        if self.cluster is None:
            yield self.jobs
            return
        from .cluster import connected

        with connected(self.cluster, common):
            yield -1

    @contextmanager
    def waking(self) -> Iterator[None]:
        """Worker processes start, and import torch, while this one does something else; joblib keeps them for later."""
        if self.cluster is not None or self.jobs == 1:
            yield
            return
        from joblib import Parallel, delayed

        started: Any = Parallel(n_jobs=self.jobs, return_as="generator")(
            delayed(_numbered)(number, _nothing) for number in range(self.jobs)
        )
        with _closing_quietly(started):
            yield
            try:
                for _ in started:
                    pass
            except BrokenProcessPool:  # who works will find out, and start others
                pass


def _anything(piece: Piece, result: Any) -> bool:
    return True


@dataclass(frozen=True)
class Work:
    """The pieces of every step of a search: done by workers, remembered by a keeper, stopped by a signal.

    prefix: of the steps' names, which are unique in a run. memory: what may be in use after a piece.
    """

    workers: Workers = field(default_factory=Workers)
    keeper: Keeper | None = None
    stop: Stop = field(default_factory=Stop)
    prefix: str = ""
    memory: Memory = ANY

    def under(self, name: str) -> Work:
        """The same, for steps that are parts of another."""
        return replace(self, prefix=f"{self.prefix}{name}/")

    def each(
        self,
        step: str,
        function: Callable[..., Any],
        pieces: Sequence[Piece],
        *,
        common: Piece = (),
        few: int = 0,
        sound: Callable[[Piece, Any], bool] = _anything,
    ) -> Iterator[Any]:
        """What function(*common, *piece) gives for every piece, in order, each kept as soon as it is there.

        few: fewer pieces than that are done by this process. sound: whether what was kept can be of a piece.

        Raises Interrupted where a signal asked to stop, WorkError where more memory is in use than allowed; what was
        finished is kept. WorkError also where what was kept is damaged.
        """
        name = self.prefix + step
        kept = set() if self.keeper is None else self.keeper.kept(name)
        left = [number for number in range(len(pieces)) if number not in kept]
        results = self.workers.done(function, [pieces[number] for number in left], common, few)
        ready: dict[int, Any] = {}
        with closing(results):
            for given in range(len(pieces)):
                self.stop.check()
                if self.keeper is not None and given in kept:
                    result = self.keeper.result(name, given)
                    if not sound(pieces[given], result):
                        raise WorkError(f"finished piece {given} of {name} is damaged; --restart begins the run anew")
                    yield result
                    continue
                while given not in ready:
                    place, result = next(results)
                    if self.keeper is not None:
                        self.keeper.keep(name, left[place], result)
                    ready[left[place]] = result
                    self.stop.check()
                    self.memory.check()
                yield ready.pop(given)


HERE = Work()
"""In this process, nothing kept."""


_ignoring = threading.local()


def _numbered(number: int, function: Callable[..., Any], *arguments: Any) -> tuple[int, Any]:
    """A piece in a worker, which leaves it to the process that asked what to do about Ctrl-C."""
    if threading.current_thread() is threading.main_thread() and not hasattr(_ignoring, "done"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _ignoring.done = True
    return number, function(*arguments)


def _nothing() -> None:
    """What a process does to be there."""


@contextmanager
def _closing_quietly(results: Any) -> Iterator[None]:
    try:
        yield
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "(?s).*(have been cancelled|but not used)")  # that is what closing is for
            results.close()
