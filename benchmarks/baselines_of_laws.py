"""Claim: nobody else's tool answers "which laws hold here, all of them, and is there none?" on the known systems.

The data and the score are those of known_systems.py. Seed 0, no hints; what each method is, and how PySINDy and gplearn
are made to answer at all, stands in laws_by_eigenproblem.py and laws_by_others.py. A method that is not installed is
left out and said to be.

    pip install --target /tmp/beside --constraint constraints.txt pysindy gplearn
    PYTHONPATH=/tmp/beside python benchmarks/baselines_of_laws.py
    PYTHONPATH=/tmp/beside python benchmarks/baselines_of_laws.py --tune     # what the thresholds were tuned with
"""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import laws_by_eigenproblem
import laws_by_others
import record
import tables
from joblib import Parallel, delayed
from kept_runs import Case, Row, keep_only, measured, name, rows_of
from laws_methods import JUDGE, METHODS, case_of, measure
from laws_score import Answer, score

from noether_discover.data.systems import SYSTEMS, simulate

CLAIM = "baselines_of_laws"
LEVELS = (0.0, 0.01, 0.05, 0.1)
SEED = 0
WITH_LAWS = [name for name, world in SYSTEMS.items() if world.laws]
PACKAGES = {"PySINDy": "pysindy", "gplearn": "gplearn"}
GPLEARN_LEVELS = (0.0, 0.05)
"""A run of gplearn takes a minute."""
TUNING_SEEDS = (100, 101, 102)
RATIOS = (1e-5, 1e-4, 1e-3, 3e-3, 1e-2, 2e-2, 3e-2, 5e-2, 0.1, 0.15)
LEFT = (1e-6, 1e-4, 1e-3, 1e-2, 0.03, 0.1, 0.2, 0.3, 0.5)
SMALLEST = (0.02, 0.05, 0.1)


def cases(systems: Sequence[str], kept: Mapping[str, Row]) -> list[Case]:
    """Every run of every method that is installed, and of the others what was kept when they were."""
    return [
        case
        for method in METHODS
        for level in LEVELS
        for system in systems
        if method != "gplearn" or level in GPLEARN_LEVELS
        if _answers(case := case_of(method, system, level, SEED), kept)
    ]


def _answers(case: Case, kept: Mapping[str, Row]) -> bool:
    """Whether there is a method, or what it once answered."""
    method, row = case["method"], kept.get(name(case), {"code": "", "judge": ""})
    if find_spec(PACKAGES.get(method, "numpy")):
        return True
    return (row["code"], row["judge"]) == (METHODS[method].code, JUDGE)


def summary(rows: list[Row]) -> list[list[str]]:
    """For every method and level: exact sets, false laws, and how long it takes."""
    lines = []
    for method in METHODS:
        if not any(row["case"]["method"] == method for row in rows):
            lines.append([method, *["not installed" if method in PACKAGES else ""] * 6])
        for level in LEVELS:
            mine = [row for row in rows if row["case"]["method"] == method and row["case"]["level"] == level]
            if not mine:
                continue
            known = [row for row in mine if row["case"]["system"] in WITH_LAWS]
            nothing = [row for row in mine if row["case"]["system"] not in WITH_LAWS]
            seconds = sorted(row["seconds"] for row in mine)
            lines.append([
                method, f"{level:.0%}", f"{sum(row['exact'] for row in known)} of {len(known)}",
                f"{sum(row['exact'] for row in nothing)} of {len(nothing)}", str(sum(row["false"] for row in mine)),
                f"{seconds[len(seconds) // 2]:.1f}", f"{seconds[-1]:.1f}",
            ])  # fmt: skip
    return lines


def tune(jobs: int) -> None:
    """How many sets each threshold makes exact, by level: print, for the two baselines that have one."""
    warnings.simplefilter("ignore")
    tasks = [(system, level, seed) for level in LEVELS for seed in TUNING_SEEDS for system in SYSTEMS]
    counts: Counter[tuple[Any, ...]] = Counter()
    for exact in Parallel(n_jobs=jobs)(delayed(_exact_at)(*task) for task in tasks):
        counts.update(exact)
    for level in LEVELS:
        for method in ("eigenproblem", "PySINDy"):
            best = sorted(((n, key[2:]) for key, n in counts.items() if key[:2] == (method, level)), reverse=True)
            print(f"{level:.0%} {method}: " + ", ".join(f"{n} with {setting}" for n, setting in best[:6]))


def _exact_at(system: str, level: float, seed: int) -> list[tuple[Any, ...]]:
    """The settings of each method that make this set exact."""
    data = simulate(system, relative_noise=level, seed=seed, hints=False)
    clean = simulate(system, seed=seed, hints=False).states
    solved = laws_by_eigenproblem.spectrum(data)
    claims: dict[tuple[Any, ...], Any] = {
        ("eigenproblem", level, ratio): laws_by_eigenproblem.claims_under(data, ratio, solved) for ratio in RATIOS
    }
    if find_spec("pysindy"):
        for smallest in SMALLEST:
            regressed = laws_by_others.regressed(data, smallest)
            for left in LEFT:
                claims["PySINDy", level, smallest, left] = laws_by_others.claims_leaving(data, left, regressed)
    return [key for key, laws in claims.items() if score(SYSTEMS[system], Answer(laws), clean).exact]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tune", action="store_true", help="print what thresholds were tuned with, and end")
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    if chosen.tune:
        tune(chosen.jobs)
        return
    path = record.folder(CLAIM) / "runs.jsonl"
    codes = {name: method.code for name, method in METHODS.items()}
    rows = measured(path, cases(chosen.systems, rows_of(path)), measure, codes, JUDGE, jobs=chosen.jobs, told=_told)
    lines = summary(rows)
    header = ["method", "noise", "exact", "silent where there is none", "false laws", "median s", "worst s"]
    text = tables.markdown(header, lines)
    if set(chosen.systems) < set(SYSTEMS):
        print(text)
        return
    keep_only(path, rows)
    columns = ["method", "system", "level", "seed", "exact", "right", "wanted", "false", "seconds", "problem"]
    values = [{**row["case"], **row["score"], **row} for row in rows]
    table = [[value[column] for column in columns] for value in values]
    tables.write_csv(record.folder(CLAIM) / f"{CLAIM}.csv", columns, table)
    record.keep(CLAIM, {"summary": [dict(zip(header, line, strict=True)) for line in lines]}, text)


def _told(row: Row) -> str:
    case, judged = row["case"], row["score"]
    return (
        f"{case['method']}, {case['system']} {case['level']:.0%}: {judged['right']} of {judged['wanted']}, "
        f"{row['false']} false, {row['seconds']:.1f} s {row['problem']}"
    )


if __name__ == "__main__":
    main()
