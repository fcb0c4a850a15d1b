"""Claim: 1,000 trajectories of 10,000 samples (10 million rows) are read and searched at 7 nodes in at most 120 s of
wall time and 4 GB on two cores, and the law is the true one.

The file is written by this script (0.6 GB, pendulum, noise 0.01); the command line is a fresh process.

    python benchmarks/many_rows.py
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import IO

import measured
import numpy as np
import record
from tables import verdicts

from noether_discover.data.systems import simulate

TRAJECTORIES, SAMPLES, TOGETHER = 1_000, 10_000, 50
SECONDS, GIGABYTES = 120.0, 4.0


def write(file: IO[str], trajectories: int, samples: int) -> int:
    """The table, some trajectories at a time; how many rows it has."""
    file.write("trajectory,t [s],q [rad],p [kg*m/s]\n")
    rows = 0
    for first in range(0, trajectories, TOGETHER):
        many = min(TOGETHER, trajectories - first)
        data = simulate("pendulum_hnn", trajectories=many, samples=samples, noise=0.01, seed=first)
        for k, (t_T, x_TD) in enumerate(zip(data.times, data.states, strict=True)):
            np.savetxt(file, np.column_stack([np.full(len(t_T), first + k), t_T, x_TD]), "%d,%.6f,%.9f,%.9f")
            rows += len(t_T)
    return rows


def main() -> None:
    """Measure, print, record."""
    parsing = argparse.ArgumentParser()
    parsing.add_argument("--trajectories", type=int, default=TRAJECTORIES)
    parsing.add_argument("--samples", type=int, default=SAMPLES)
    chosen = parsing.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "pendulum.csv"
        with path.open("w", encoding="utf-8") as file:
            rows = write(file, chosen.trajectories, chosen.samples)
        size = path.stat().st_size / 1e9
        found = measured.run("discover", path, "--no-rank", "--max-nodes", 7, "--jobs", 2, "--memory", "4GB", "--json")
    said = json.loads(found.pop("output"))
    law = said["laws"][0] if said["laws"] else None
    facts = {
        "rows": rows, "file_GB": size, **found, "stages_s": said["seconds"], "verdict": said["verdict"],
        "law": law and law["expression"], "verdict_of_law": law and law["verdict"],
    }  # fmt: skip
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in said["seconds"].items())
    table = (
        f"{rows:,} rows, {size:.2f} GB: {said['verdict']}, `{facts['law']}`; seconds by stage: {stages}\n\n"
        + verdicts({"seconds": (SECONDS, found["seconds"]), "peak GB": (GIGABYTES, found["peak_GB"])})
    )
    record.keep("many_rows", facts, table)


if __name__ == "__main__":
    main()
