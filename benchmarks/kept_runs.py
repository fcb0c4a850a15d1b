"""Runs that are kept as they finish: an interrupted benchmark goes on where it stopped, and one whose code has changed
measures again.

A row of the file is a run: {"case": what was run, "code": hash of what ran it, "judge": hash of what judged it, ...}.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed, parallel_config

Case = Mapping[str, Any]
Row = dict[str, Any]
Measure = Callable[[Case, Row | None], Row]
"""A case, and its row where only the judge has changed, to what is to be kept."""

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"


def digest(*places: str | Path) -> str:
    """A hash of all Python sources at these places, relative to the repository."""
    seen = hashlib.sha256()
    for place in places:
        path = ROOT / place
        for source in [path] if path.is_file() else sorted(path.rglob("*.py")):
            seen.update(str(source.relative_to(ROOT)).encode() + b"\0" + source.read_bytes())
    return seen.hexdigest()[:12]


def rows_of(path: Path) -> dict[str, Row]:
    """The last row of every case in a file; a line that was cut off is left out."""
    rows = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        rows[name(row["case"])] = row
    return rows


def measured(
    path: Path,
    cases: Sequence[Case],
    measure: Measure,
    code: Mapping[str, str],
    judge: str,
    *,
    jobs: int,
    told: Callable[[Row], str],
) -> list[Row]:
    """A row for every case, in their order: kept ones, and the others measured in `jobs` processes.

    code: for each value of a case's "method" the hash of what runs it. told: a row in a few words.
    """
    rows, todo = rows_of(path), []
    for case in cases:
        old = rows.get(name(case))
        same = old is not None and old["code"] == code[case["method"]]
        if not same or old["judge"] != judge:
            todo.append((case, old if same else None))
    begin = time.perf_counter()
    print(f"{len(cases)} runs, {len(cases) - len(todo)} kept, {len(todo)} to do", file=sys.stderr, flush=True)
    with parallel_config("loky", inner_max_num_threads=1), path.open("a", encoding="utf-8") as file:
        run = Parallel(n_jobs=jobs, return_as="generator_unordered")
        for done, (case, facts) in enumerate(run(delayed(_one)(measure, *task) for task in todo), start=1):
            row = {"case": dict(case), "code": code[case["method"]], "judge": judge, **facts}
            rows[name(case)] = row
            file.write(json.dumps(row) + "\n")
            file.flush()
            left = (time.perf_counter() - begin) / done * (len(todo) - done) / 60
            print(f"[{done}/{len(todo)}, {left:.0f} min left] {told(row)}", file=sys.stderr, flush=True)
    return [rows[name(case)] for case in cases]


def keep_only(path: Path, rows: Sequence[Row]) -> None:
    """Let go of what was measured with other code, and of other cases."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def _one(measure: Measure, case: Case, old: Row | None) -> tuple[Case, Row]:
    return case, measure(case, old)


def name(case: Case) -> str:
    """A case as a key."""
    return json.dumps(case, sort_keys=True)
