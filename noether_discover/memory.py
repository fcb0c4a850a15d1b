"""What a run may take of the machine's memory: a size with a unit, what is in use, and what does not fit.

What counts is resident memory (RSS) of this process and of those that it started. A limit is kept in three ways: what
a step will take is estimated before it begins, as many worker processes are used as fit, and what is in use is
measured between pieces of work, which are small. Where it cannot be kept, one sentence says so; a run file keeps what
was finished.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from .errors import OptionError, WorkError, shortened

if TYPE_CHECKING:
    import psutil

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)\s*([A-Za-z]*)", re.ASCII)

PROCESS = 400e6
"""Bytes of a process that has imported what a search needs: 0.33 GB were measured, and its own copy of the data."""


def read_size(text: str) -> int:
    """The bytes in a size such as 4GB, 1.5 GB, 500MB or 2GiB; 4G is 4GB.

    Raises OptionError for a number without a unit, and for what is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise OptionError(f'--memory "{shortened(text)}" is no size; write a number and a unit, such as 4GB or 500MB')
    number, unit = found[1], found[2].upper()
    if not unit:
        raise OptionError(f"--memory {number} has no unit; write {number}GB or {number}MB")
    factor = UNITS.get(unit) or UNITS.get(f"{unit}B")
    if factor is None:
        raise OptionError(f"--memory {number}{shortened(found[2], 40)}: there is no such unit; write {number}GB")
    size = int(float(number) * factor)
    if size < 1:
        raise OptionError(f"--memory {text.strip()} is nothing; write a size such as 4GB")
    return size


def shown(size: float) -> str:
    """A size as a message says it, rounded up: 0.6 GB, 12 GB."""
    gigabytes = size / 1e9
    return f"{-(-gigabytes * 10 // 1) / 10:.1f} GB" if gigabytes < 10 else f"{-(-gigabytes // 1):,.0f} GB"


@dataclass(frozen=True)
class Memory:
    """How many bytes may be in use at a time; None for any number."""

    limit: int | None = None

    def check(self) -> None:
        """Raise WorkError where more is in use than allowed."""
        if self.limit is None:
            return
        used = in_use()
        if used > self.limit:
            raise WorkError(
                f"--memory {shown(self.limit)}: {shown(used)} are in use; a run file (-o) keeps what was finished, and "
                f"--resume with --memory {_more(used)} or fewer --jobs goes on"
            )

    def check_room(self, more: float, what: str, remedy: str = "") -> None:
        """Raise OptionError where so many more bytes than are in use would not fit.

        what: that takes them, in words. remedy: what else than more memory would help, if anything.
        """
        if self.limit is None:
            return
        needed = in_use() + more
        if needed > self.limit:
            raise OptionError(
                f"--memory {shown(self.limit)} is too little for {what}, about {shown(needed)} in all; use --memory "
                f"{_more(needed)}{remedy and f', or {remedy}'}"
            )

    def fitting(self, jobs: int, each: float, room: float) -> int:
        """How many of `jobs` worker processes fit, of `each` so many bytes, beside `room` for this one; 1 where this
        process works alone."""
        if self.limit is None or jobs == 1:
            return jobs
        workers = int((self.limit - _own().memory_info().rss - room) // each)
        return max(min(jobs, workers), 1) if workers >= 2 else 1


ANY = Memory()


def in_use() -> int:
    """Resident bytes of this process and of those that it started."""
    import psutil

    total = 0
    for process in (_own(), *_own().children(recursive=True)):
        try:
            total += process.memory_info().rss
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it ended just now
            continue
    return total


@lru_cache(maxsize=1)
def _process_of(pid: int) -> psutil.Process:
    import psutil

    return psutil.Process(pid)


def _own() -> psutil.Process:
    import os

    return _process_of(os.getpid())


def _more(size: float) -> str:
    """A size with a tenth to spare, as the option takes it."""
    return shown(1.1 * size).replace(" ", "").replace(",", "")
