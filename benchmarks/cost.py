"""Claim: what a search costs grows with nodes, columns, samples and trajectories as `results/cost` says; with
--memory 4GB, 10 nodes for two inputs in the normal form and 9 raw ones run to their end.

Fresh processes, wall time and resident memory of all of them. Cost against samples and trajectories is fitted by a
power (log-log), that against nodes and columns by an exponential; intervals are bootstrap over the measured points.
The runs within --memory are long (raw, 9 nodes: 1.35 million formulas, an hour or more); without --large they are left
out, and those of the last record stay. With --large --keep the points of the last record stay.

    python benchmarks/cost.py [--large] [--repeats 3]
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import measured
import numpy as np
import record
from numpy.typing import NDArray
from tables import COLOURS, figure, markdown, write_csv

from noether_discover.data.systems import simulate
from noether_discover.data.writing import write_csv as write_data
from noether_discover.runs import RunFile

matplotlib.use("Agg")
import matplotlib.pyplot as plt

NODES = (5, 6, 7, 8, 9)
INPUTS = (2, 3, 4, 5, 6)
SAMPLES = (50, 150, 500, 1500, 5000)
TRAJECTORIES = (10, 30, 100, 300, 1000)
EXPONENTIAL = ("nodes", "inputs")
DRAWS = 2000
MEMORY = "4GB"
LARGE = {
    "10 nodes, enumerate": ("enumerate", "--max-nodes", 10),
    "10 nodes, discover": ("discover", "--no-rank", "--max-nodes", 10),
    "raw 9 nodes, enumerate": ("enumerate", "--max-nodes", 9, "--form", "raw", "--max-formulas", 2_000_000),
    "raw 9 nodes, discover": (
        "discover", "--no-rank", "--max-nodes", 9, "--form", "raw", "--max-formulas", 2_000_000,
    ),
}  # fmt: skip
"""On two inputs with units, each into a run file and within --memory 4GB."""
PENDULUM = Path(__file__).resolve().parents[1] / "noether_discover" / "data" / "examples" / "pendulum.csv"


def columns(place: Path, number: int) -> Path:
    """Columns without a law and without units, along 30 trajectories of 50 samples."""
    rng = np.random.default_rng(number)
    t = np.linspace(0.0, 5.0, 50)
    lines = [",".join(["trajectory", "t", *(f"x{k}" for k in range(number))])]
    for trajectory in range(30):
        phase, rate = rng.uniform(0, 6.28, number), rng.uniform(1, 2, number)
        x_TD = np.sin(rate * t[:, None] + phase) + 0.3 * np.cos(math.sqrt(2) * rate * t[:, None])
        lines += [
            ",".join([str(trajectory), f"{a:.17g}", *(f"{v:.17g}" for v in x)]) for a, x in zip(t, x_TD, strict=True)
        ]
    path = place / f"columns_{number}.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def pendulum(place: Path, trajectories: int, samples: int) -> Path:
    """The paper's pendulum, of that size."""
    path = place / f"pendulum_{trajectories}_{samples}.csv"
    write_data(simulate("pendulum_hnn", trajectories=trajectories, samples=samples, noise=0.01, seed=0), path)
    return path


def cases(place: Path) -> dict[str, list[tuple[int, tuple[object, ...]]]]:
    """For each axis its values, and the command line of each."""
    seven = ("--no-rank", "--max-nodes", 7, "--jobs", 1)
    return {
        "nodes": [
            (n, ("discover", PENDULUM, "--no-rank", "--max-nodes", n, "--max-formulas", 10**7, "--jobs", 1))
            for n in NODES
        ],
        "inputs": [
            (n, ("discover", columns(place, n), "--no-rank", "--max-nodes", 5, "--max-formulas", 10**7, "--jobs", 1))
            for n in INPUTS
        ],
        "samples": [(n, ("discover", pendulum(place, 50, n), *seven)) for n in SAMPLES],
        "trajectories": [(n, ("discover", pendulum(place, n, 50), *seven)) for n in TRAJECTORIES],
    }


def growth(axis: str, values: Sequence[float], costs: Sequence[float]) -> dict[str, float]:
    """The exponent (or base, for an axis of exponential growth) of a least-squares fit, with its interval over draws
    of the points."""
    x = np.array(values, dtype=float) if axis in EXPONENTIAL else np.log(values)
    y = np.log(costs)
    rng, slopes = np.random.default_rng(0), []
    while len(slopes) < DRAWS:
        chosen = rng.integers(len(x), size=len(x))
        if len(set(x[chosen])) > 1:
            slopes.append(_slope(x[chosen], y[chosen]))
    low, high = np.quantile(slopes, [0.025, 0.975])
    found = {"value": _slope(x, y), "low": float(low), "high": float(high)}
    return {name: math.exp(v) for name, v in found.items()} if axis in EXPONENTIAL else found


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    centred = x - x.mean()
    return float(centred @ y / (centred @ centred))


def picture(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Seconds and memory against each axis."""
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    figure_, grid = plt.subplots(2, len(axes), figsize=(3.2 * len(axes), 5.2), sharey="row", squeeze=False)
    for k, axis in enumerate(axes):
        mine = [row for row in rows if row["axis"] == axis]
        for line, (name, label) in enumerate((("seconds", "seconds"), ("peak_GB", "peak GB"))):
            place = grid[line][k]
            place.plot([row["value"] for row in mine], [row[name] for row in mine], "o", color=COLOURS[4 + line])
            place.set_yscale("log")
            if axis not in EXPONENTIAL:
                place.set_xscale("log")
            place.grid(alpha=0.3)
            place.set_xlabel(axis)
            if k == 0:
                place.set_ylabel(label)
    figure_.tight_layout()
    figure_.savefig(path, dpi=120)
    plt.close(figure_)


def large(place: Path, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The largest runs, within their memory."""
    found = {}
    for name in names:
        command, *options = LARGE[name]
        run = place / f"{name.replace(' ', '_').replace(',', '')}.noether"
        found[name] = measured.run(command, PENDULUM, *options, "--memory", MEMORY, "-o", run)
        found[name].pop("output")
        found[name]["file_GB"] = run.stat().st_size / 1e9
        found[name]["within"] = found[name]["peak_GB"] <= 4.0
        print(name, json.dumps(found[name]), flush=True)
    return found


def writer(place: Path, pieces: int = 300) -> dict[str, float]:
    """How fast a run file takes pieces of 1,024 formulas: pieces a second, megabytes a second, kilobytes of one."""
    judged = ["NOT_CONSERVED", "it varies along trajectories as it does at large", [1.25], 0.9, math.inf, math.inf]
    result = [judged] * 1024
    with RunFile(place / "written.noether", create=True) as file:
        begin = time.perf_counter()
        for number in range(pieces):
            file.keep("fit/screen", number, result)
        seconds = time.perf_counter() - begin
    size = len(json.dumps(result))
    rate = pieces / seconds
    return {"pieces_per_s": rate, "MB_per_s": rate * size / 1e6, "kB_of_a_piece": size / 1e3}


def main() -> None:
    """Measure, print, record."""
    parsing = argparse.ArgumentParser()
    parsing.add_argument("--large", nargs="?", const="all", help="also the runs under --memory; or one of them by name")
    parsing.add_argument("--keep", action="store_true", help="measure no cost against nodes, columns and rows anew")
    parsing.add_argument("--repeats", type=int, default=3)
    chosen = parsing.parse_args()
    folder = record.folder("cost")
    rows: list[dict[str, Any]] = []
    last = folder / "cost.json"
    before = json.loads(last.read_text(encoding="utf-8")) if last.exists() else {"large": {}, "rows": []}
    most = before["large"]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        written = writer(place)
        if chosen.large:
            most |= large(place, list(LARGE) if chosen.large == "all" else [chosen.large])
        rows += before["rows"] if chosen.keep else []
        for axis, points in {} if chosen.keep else cases(place).items():
            for value, words in points:
                runs = [measured.run(*words, "--json") for _ in range(chosen.repeats)]
                best = min(runs, key=lambda run: run["seconds"])
                what = json.loads(best["output"])
                rows.append(
                    {
                        "axis": axis, "value": value, "seconds": best["seconds"],
                        "processor_seconds": best["processor_seconds"],
                        "peak_GB": max(run["peak_GB"] for run in runs), "fit_seconds": what["seconds"]["fit"],
                        "formulas": what["searched"]["formulas"], "classes": what["searched"]["classes"],
                    }
                )  # fmt: skip
                print(json.dumps(rows[-1]), flush=True)
    fits = {}
    for axis in dict.fromkeys(row["axis"] for row in rows):
        mine = [row for row in rows if row["axis"] == axis]
        fits[axis] = {
            name: growth(axis, [row["value"] for row in mine], [row[name] for row in mine])
            for name in ("seconds", "fit_seconds", "peak_GB", "classes")
        }
    write_csv(folder / "cost.csv", list(rows[0]), [list(row.values()) for row in rows])
    picture(folder / "cost.png", rows)
    header = ["against", "law", "seconds", "seconds of the fit", "peak GB", "classes"]
    lines = [
        [axis, "base per one more" if axis in EXPONENTIAL else "exponent", *(_spanned(f) for f in fit.values())]
        for axis, fit in fits.items()
    ]
    table = markdown(header, lines) + "\n"
    table += markdown(
        [f"within --memory {MEMORY}", "seconds", "peak GB", "run file GB", ""],
        [
            [
                name,
                figure(row["seconds"]),
                figure(row["peak_GB"]),
                figure(row["file_GB"]),
                "kept" if row["within"] else "NOT kept",
            ]
            for name, row in most.items()
        ],
    )
    rate, size = figure(written["pieces_per_s"]), figure(written["kB_of_a_piece"])
    table += f"\nThe run file takes {rate} pieces of {size} kB a second.\n"
    table += "\n![Seconds and memory](cost.png)\n"
    record.keep("cost", {"rows": rows, "growth": fits, "large": most, "writer": written}, table)


def _spanned(fit: Mapping[str, float]) -> str:
    return f"{figure(fit['value'])} [{figure(fit['low'])}, {figure(fit['high'])}]"


if __name__ == "__main__":
    main()
