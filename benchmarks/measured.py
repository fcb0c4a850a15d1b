"""The command line in a fresh process: its seconds, and the memory that it and the processes it starts take at most."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

import psutil

COMMAND = [sys.executable, "-m", "noether_discover"]
EVERY = 0.05
"""Seconds between two looks at the memory of all processes together."""


def run(*words: object, expected: tuple[int, ...] = (0, 3)) -> dict[str, Any]:
    """Run the command line to its end: seconds, processor seconds, peak_GB (resident, all processes together), output.

    Raises RuntimeError with what it said when it fails.
    """
    begin = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    before = os.times()
    process = subprocess.Popen([*COMMAND, *map(str, words)], text=True, **pipes)
    root, peak = psutil.Process(process.pid), 0
    while True:
        try:
            out, errors = process.communicate(timeout=EVERY)
            break
        except subprocess.TimeoutExpired:
            peak = max(peak, resident(root))
    seconds, after = time.perf_counter() - begin, os.times()
    if process.returncode not in expected:
        raise RuntimeError(f"{' '.join(map(str, words))} ended with {process.returncode}\n{errors[-2000:]}")
    busy = after.children_user + after.children_system - before.children_user - before.children_system
    return {"seconds": seconds, "processor_seconds": busy, "peak_GB": peak / 1e9, "output": out}


def resident(root: psutil.Process) -> int:
    """Resident bytes of a process and all that it started."""
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:  # it ended just now
        pass
    return total
