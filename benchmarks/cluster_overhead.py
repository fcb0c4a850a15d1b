"""Claim: on one machine a Dask scheduler with two workers of one thread does a search of 9 nodes in at most 1.25 times
the wall time of --jobs 2.

A real `dask scheduler` and two real `dask worker` processes on loopback, which stay for all runs; both ways in turn,
each in fresh processes of the command line; the ratio is that of neighbours, its interval bootstrap over the repeats.
Needs a quiet machine: both ways use two cores all the time.

    python benchmarks/cluster_overhead.py [--repeats 5] [--nodes 9]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import measured
import record
from tables import figure, geometric, interval, markdown, verdicts

from noether_discover.work import Work, Workers

PENDULUM = Path(__file__).resolve().parents[1] / "noether_discover" / "data" / "examples" / "pendulum.csv"
MOST = 1.25


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The address of a scheduler that has two workers."""

    def started(name: str, *words: str) -> subprocess.Popen[str]:
        with (folder / f"{name}.log").open("w") as log:
            command = [sys.executable, "-m", "dask", *words]
            return subprocess.Popen(
                command, stdout=log, stderr=log, text=True, cwd=folder, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )

    running = [started("scheduler", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")]
    try:
        address = _said(folder / "scheduler.log", r"Scheduler at: +(tcp://\S+)")
        plain = ("worker", address, "--nthreads", "1", "--no-dashboard", "--no-nanny")
        for number in range(2):
            local = str(folder / f"local_{number}")
            running.append(started(f"worker_{number}", *plain, "--local-directory", local))
        for number in range(2):
            _said(folder / f"worker_{number}.log", r"(Registered to)")
        yield address
    finally:
        for process in running:
            process.kill()
            process.wait()


def _said(log: Path, what: str) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        found = re.search(what, log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"{log.name} does not say {what}: {log.read_text()}")


def pieces_per_second(address: str, pieces: int = 1000) -> float:
    """How many pieces that take no time the scheduler and its two workers finish in a second, from this process."""
    begin = time.perf_counter()
    for _ in Work(Workers(cluster=address)).each("nothing", abs, [(number,) for number in range(pieces)]):
        pass
    return pieces / (time.perf_counter() - begin)


def main() -> None:
    """Measure, print, record."""
    parsing = argparse.ArgumentParser()
    parsing.add_argument("--repeats", type=int, default=5)
    parsing.add_argument("--nodes", type=int, default=9)
    chosen = parsing.parse_args()
    words = ("discover", PENDULUM, "--no-rank", "--max-nodes", chosen.nodes, "--json")
    runs: dict[str, list[dict[str, Any]]] = {"--jobs 2": [], "--cluster": []}
    with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as address:
        ways = {"--jobs 2": ("--jobs", 2), "--cluster": ("--cluster", address)}
        measured.run(*words, *ways["--cluster"])  # workers import what they need once in their life
        rate = pieces_per_second(address)
        for repeat in range(chosen.repeats):
            for way in sorted(ways, reverse=bool(repeat % 2)):
                found = measured.run(*words, *ways[way])
                said = json.loads(found.pop("output"))
                runs[way].append({**found, "fit_seconds": said["seconds"]["fit"], "laws": said["laws"]})
                print(way, figure(found["seconds"]), figure(said["seconds"]["fit"]), flush=True)
    same = all(run["laws"] == runs["--jobs 2"][0]["laws"] for all_of in runs.values() for run in all_of)
    for all_of in runs.values():
        for run in all_of:
            run.pop("laws")
    ratios = [a["seconds"] / b["seconds"] for a, b in zip(runs["--cluster"], runs["--jobs 2"], strict=True)]
    low, high = interval(ratios)
    rows = [
        [way, *(figure(sorted(run[key] for run in all_of)[len(all_of) // 2]) for key in ("seconds", "fit_seconds"))]
        for way, all_of in runs.items()
    ]
    table = markdown(["median of", "seconds", "seconds of the fit"], rows) + "\n"
    table += f"Ratio {geometric(ratios):.3f} [{low:.3f}, {high:.3f}] over {len(ratios)} repeats, "
    table += f"{chosen.nodes} nodes; the same laws: {'yes' if same else 'NO'}.\n\n"
    table += verdicts({"--cluster / --jobs 2": (MOST, geometric(ratios))})
    table += f"\nPieces that take no time: {rate:.0f} a second.\n"
    facts = {"nodes": chosen.nodes, "ratios": ratios, "same_laws": same, "empty_pieces_per_s": rate, "runs": runs}
    record.keep("cluster_overhead", facts, table)


if __name__ == "__main__":
    main()
