"""Claim: a complete set of laws needs little data: Kepler's three come from 10 orbits of 50 samples.

Five systems, trajectories by samples over the same span, clean and with noise of 1 and 5 %, three seeds, no hints. What
counts as exact stands in laws_score.py.

    python benchmarks/data_needed.py                  # an hour; goes on where it was interrupted
    python benchmarks/data_needed.py --systems kepler --seeds 0   # a part of it; writes to out/data_needed/
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import record
import tables
from kept_runs import ROOT, Row, keep_only, measured
from laws_methods import JUDGE, METHODS, OURS, case_of, measure

CLAIM = "data_needed"
SYSTEMS = ("kepler", "pendulum", "lotka_volterra", "euler_top", "toda_3")
LEVELS = (0.0, 0.01, 0.05)
TRAJECTORIES = (5, 10, 20, 50)
SAMPLES = (25, 50, 100)
SEEDS = (0, 1, 2)
BAR = {"system": "kepler", "level": 0.0, "trajectories": 10, "samples": 50}


def cases(systems: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Every run, small data first."""
    return [
        dict(case_of(OURS, system, level, seed, trajectories=trajectories, samples=samples))
        for seed in seeds
        for trajectories in TRAJECTORIES
        for samples in SAMPLES
        for level in LEVELS
        for system in systems
    ]


def share(rows: Sequence[Row], **wanted: Any) -> tuple[int, int]:
    """How many of the runs with these values are exact, and how many there are."""
    mine = [row["exact"] for row in rows if wanted.items() <= row["case"].items()]
    return sum(mine), len(mine)


def table(rows: Sequence[Row], systems: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """A row for every system, noise and length, a column for every number of trajectories."""
    header = ["system", "noise", "samples", *(f"{trajectories} trajectories" for trajectories in TRAJECTORIES)]
    lines = []
    for system in systems:
        for level in LEVELS:
            for samples in SAMPLES:
                shares = [
                    share(rows, system=system, level=level, samples=samples, trajectories=trajectories)
                    for trajectories in TRAJECTORIES
                ]
                lines.append([system, f"{level:.0%}", str(samples), *(f"{n} of {of}" for n, of in shares)])
    return header, lines


def picture(path: Path, rows: Sequence[Row], systems: Sequence[str]) -> None:
    """Success against trajectories, a curve for each number of samples; systems across, noise down."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = (1.2 + 1.9 * len(systems), 0.9 + 1.5 * len(LEVELS))
    figure, axes = plt.subplots(
        len(LEVELS), len(systems), figsize=size, sharex=True, sharey=True, squeeze=False, layout="constrained"
    )
    for down, level in enumerate(LEVELS):
        for across, system in enumerate(systems):
            axis = axes[down][across]
            for n, samples in enumerate(SAMPLES):
                shares = [
                    share(rows, system=system, level=level, samples=samples, trajectories=t) for t in TRAJECTORIES
                ]
                # curves that lie on one another are set apart by a little
                heights = [exact / of + 0.03 * (n - 1) for exact, of in shares]
                axis.plot(TRAJECTORIES, heights, "os^"[n] + "-", color=tables.COLOURS[2 + 2 * n], ms=4, lw=1.2,
                          label=f"{samples} samples")  # fmt: skip
            axis.set_xscale("log")
            axis.set_xticks(TRAJECTORIES, [str(t) for t in TRAJECTORIES])
            axis.minorticks_off()
            axis.set_ylim(-0.1, 1.1)
            axis.grid(color="0.9")
            if down == 0:
                axis.set_title(system, fontsize=9)
        axes[down][0].set_ylabel(f"noise {level:.0%}", fontsize=9)
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=len(SAMPLES), fontsize=8)
    figure.supxlabel("trajectories", fontsize=9)
    figure.supylabel(f"share of {len({row['case']['seed'] for row in rows})} seeds with the exact set", fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def told(row: Row) -> str:
    """A run in a line."""
    case, judged = row["case"], row["score"]
    answer = "exact" if row["exact"] else f"{judged['right']} of {judged['wanted']}, {row['false']} false"
    data = f"{case['system']} {case['level']:.0%} {case['trajectories']} x {case['samples']}"
    return f"{data} seed {case['seed']}: {answer}, {row['seconds']:.1f} s {row['problem']}"


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    complete = set(chosen.systems) >= set(SYSTEMS) and set(chosen.seeds) >= set(SEEDS)
    path = record.folder(CLAIM) / "runs.jsonl"
    code = {OURS: METHODS[OURS].code}
    rows = measured(path, cases(chosen.systems, chosen.seeds), measure, code, JUDGE, jobs=chosen.jobs, told=told)
    place = record.folder(CLAIM) if complete else ROOT / "out" / CLAIM
    place.mkdir(parents=True, exist_ok=True)
    header, lines = table(rows, chosen.systems)
    picture(place / f"{CLAIM}.png", rows, chosen.systems)
    tables.write_csv(place / f"{CLAIM}.csv", header, lines)
    exact, of = share(rows, **BAR)
    text = f"Kepler, clean, 10 trajectories of 50 samples: {exact} of {of} exact.\n\n" + tables.markdown(header, lines)
    if complete:
        keep_only(path, rows)
        record.keep(CLAIM, {"bar": {**BAR, "exact": exact, "of": of}, "rows": lines}, text)
    else:
        (place / f"{CLAIM}.md").write_text(text, encoding="utf-8")
        print(text)


if __name__ == "__main__":
    main()
