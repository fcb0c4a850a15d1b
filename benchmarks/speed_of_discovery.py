"""Claim: a discovery at 7 nodes on the paper's pendulum takes at most 6 s of wall time on two cores, imports included,
and at most 120 s with the ranking; the normal form reaches 10 nodes in 5 s and the raw form 9 nodes in 20 s on one
core, under 4 GB.

Every time is that of a fresh process, measured from outside. The median and the worst of five are kept.

    python benchmarks/speed_of_discovery.py
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record

PENDULUM = Path(__file__).resolve().parents[1] / "noether_discover" / "data" / "examples" / "pendulum.csv"
COMMAND = [sys.executable, "-m", "noether_discover"]

_ENUMERATION = """
import json, resource, sys, time
from noether_dsl.canonical import normal_forms
from noether_dsl.dimension import Dimension
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.grammar import Grammar
q = {{"pendulum": Dimension.of(rad=1), "spring": Dimension.of(m=1)}}["{system}"]
grammar = Grammar((("q", q), ("p", Dimension.of(kg=1, m=1, s=-1))), strict_angles=True, max_nodes={nodes})
begin = time.perf_counter()
found = {function}(grammar)
seconds = time.perf_counter() - begin
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({{"formulas": len(found), "seconds": seconds, "memory_GB": memory}}))
"""


def discovery(*options: str, repeats: int) -> dict[str, Any]:
    """Wall time of whole processes, and the stages as the last of them reported them."""
    walls, stages = [], {}
    for _ in range(repeats):
        begin = time.perf_counter()
        done = subprocess.run(
            [*COMMAND, "discover", str(PENDULUM), "--json", *options], capture_output=True, text=True, check=True
        )
        walls.append(time.perf_counter() - begin)
        stages = json.loads(done.stdout)["seconds"]
    return {"median_s": statistics.median(walls), "worst_s": max(walls), "stages_s": stages, "repeats": repeats}


def enumeration(function: str, system: str, nodes: int) -> dict[str, Any]:
    """One enumeration in a process of its own."""
    program = _ENUMERATION.format(function=function, system=system, nodes=nodes)
    return json.loads(
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    )


def main() -> None:
    """Measure, print, record."""
    with tempfile.TemporaryDirectory() as place:
        measured: dict[str, Any] = {
            "discover --no-rank": discovery("--no-rank", repeats=5),
            "discover --no-rank -o": discovery("--no-rank", "-o", f"{place}/run.noether", repeats=3),
            "discover": discovery("--oracle", "p**2 - 3*cos(q)", repeats=2),
        }
    rows = ["| what | target s | median s | worst s | stages s |", "|---|---|---|---|---|"]
    for name, target in (("discover --no-rank", 6), ("discover --no-rank -o", 6), ("discover", 120)):
        found = measured[name]
        stages = ", ".join(f"{stage} {seconds:.2f}" for stage, seconds in found["stages_s"].items())
        rows.append(f"| {name} | {target} | {found['median_s']:.2f} | {found['worst_s']:.2f} | {stages} |")
    rows += ["", "| enumeration | target s | s | GB | formulas |", "|---|---|---|---|---|"]
    for function, system, nodes, target in (
        ("normal_forms", "pendulum", 10, 5), ("normal_forms", "spring", 10, 5),
        ("enumerate_formulas", "pendulum", 9, 20), ("enumerate_formulas", "spring", 9, 20),
    ):  # fmt: skip
        name = f"{'normal form' if function == 'normal_forms' else 'raw'}, {system}, {nodes} nodes"
        measured[name] = found = enumeration(function, system, nodes)
        rows.append(
            f"| {name} | {target} | {found['seconds']:.2f} | {found['memory_GB']:.2f} | {found['formulas']:,} |"
        )
    record.keep("speed_of_discovery", measured, "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
