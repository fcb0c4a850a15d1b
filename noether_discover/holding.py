"""Whose a file is: a lock of the operating system that dies with the process, and names that nothing has yet."""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # a system without it has no locks here: two writers would wait for each other's transactions
    fcntl = None  # type: ignore[assignment]


def locked(path: Path) -> int | None:
    """A descriptor that holds the file which has this name, None where the system knows no such locks.

    Raises BlockingIOError when somebody else holds it, OSError when it cannot be opened.
    """
    while fcntl is not None:
        lock = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # another file has taken the name
    return None


def linked(new: Path, path: Path) -> bool:
    """Give a file a name that nothing has; False where something has it, or names cannot be given so."""
    try:
        os.link(new, path)
    except OSError:
        return False
    return True
