"""Claim: complete sets of laws, and nothing else, on 22 systems whose laws are known and 5 that have none, at noise of
0, 1, 5 and 10 % of each column's deviation, with the default settings.

50 trajectories of 100 samples (as a system's row has it), over five seeds, without any hint, and with the units and
vectors that a header can tell. Beside it the plain generalised eigenproblem (laws_by_eigenproblem.py). What counts as
exact stands in laws_score.py, what an error of a coefficient is in laws_coefficients.py. Seconds are those of one
processor for `discover`, imports left out.

    python benchmarks/known_systems.py                      # everything, some hours; goes on where it was interrupted
    python benchmarks/known_systems.py --quick              # three systems, in minutes
    python benchmarks/known_systems.py --systems kepler sir --levels 0 0.05 --seeds 0 1 --hints no

Every run is a row of results/known_systems/runs.jsonl with what was found; it is measured again when the search has
changed, and scored again when the scoring has. Only a complete run writes the other files there; others write to
out/known_systems/.
"""

from __future__ import annotations

import argparse
from typing import Any

import known_systems_report as report
import record
from kept_runs import ROOT, Row, keep_only, measured
from laws_methods import JUDGE, METHODS, OURS, case_of, measure

from noether_discover.data.systems import SYSTEMS

CLAIM = "known_systems"
LEVELS = (0.0, 0.01, 0.05, 0.1)
SEEDS = tuple(range(5))
HINTS = {"no": (False,), "yes": (True,), "both": (False, True)}
BASELINES = ("eigenproblem", "eigenproblem, tuned")
QUICK = {"systems": ["pendulum", "euler_top", "damped_oscillator"], "levels": [0.0, 0.05], "seeds": [0, 1]}


def cases(systems: list[str], levels: list[float], seeds: list[int], hints: str) -> list[dict[str, Any]]:
    """The runs: ours seed by seed, so that a first seed of everything comes early, then the cheap baselines."""
    grid = [(system, level, seed) for seed in seeds for level in levels for system in systems]
    baselines = [dict(case_of(method, *one)) for method in BASELINES for one in grid]
    ours = [
        dict(case_of(OURS, system, level, seed, told))
        for seed in seeds
        for told in HINTS[hints]
        for level in levels
        for system in systems
    ]
    return [*ours, *baselines]


def told(row: Row) -> str:
    """A run in a line."""
    case, judged = row["case"], row["score"]
    words = f"{case['method']}: {case['system']} {case['level']:.0%} seed {case['seed']}" + ", hints" * case["hints"]
    answer = "exact" if row["exact"] else f"{judged['right']} of {judged['wanted']}, {row['false']} false"
    return f"{words}: {answer}, {row['seconds']:.1f} s {row['problem']}"


def options() -> argparse.Namespace:
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--levels", nargs="+", type=float, choices=LEVELS, default=list(LEVELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--hints", choices=list(HINTS), default="both")
    parser.add_argument("--quick", action="store_true", help="three systems, two levels, two seeds")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.quick:
        vars(chosen).update(QUICK)
    return chosen


def main() -> None:
    """Measure, print, record."""
    chosen = options()
    everything = cases(list(SYSTEMS), list(LEVELS), list(SEEDS), "both")
    wanted = cases(chosen.systems, chosen.levels, chosen.seeds, chosen.hints)
    path = record.folder(CLAIM) / "runs.jsonl"
    codes = {name: method.code for name, method in METHODS.items()}
    rows = measured(path, wanted, measure, codes, JUDGE, jobs=chosen.jobs, told=told)
    complete = {str(case) for case in everything} <= {str(case) for case in wanted}
    place = record.folder(CLAIM) if complete else ROOT / "out" / CLAIM
    place.mkdir(parents=True, exist_ok=True)
    if complete:
        keep_only(path, rows)
    report.write(place, rows, complete)


if __name__ == "__main__":
    main()
