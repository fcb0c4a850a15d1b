"""Claim: where nothing is conserved nothing is called a law, in under 1 % of data sets.

330 randomised data sets (`noether_discover.systems` says what each kind destroys): labels permuted sample by sample and
blocks shuffled across trajectories, from all 27 known systems, clean and noisy; Ornstein-Uhlenbeck walkers with a mean
per trajectory, 1 to 6 columns; and all systems watched for half a percent of their span, where only what is none of the
system's own laws is false. Numbers of trajectories and samples vary.

    python benchmarks/no_false_laws.py            # an hour; goes on where it was interrupted
    python benchmarks/no_false_laws.py --every 20 # one of 20, to see it work; writes to out/no_false_laws/

"False" is a verdict LAW. What is APPROXIMATE is counted apart: it promises nothing. So are columns that look constant
along every trajectory: in a short window with noise nobody could tell. The bound is Clopper's and Pearson's, one-sided,
95 %.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

import record
import tables
from kept_runs import ROOT, Case, Row, digest, keep_only, measured
from laws_methods import JUDGE, METHODS, OURS, answer_of, ask
from laws_score import Answer, score

from noether_discover import systems
from noether_discover.data.systems import SYSTEMS
from noether_discover.data.trajectories import Trajectories

CLAIM = "no_false_laws"
SIZES = ((50, 100), (20, 100), (50, 40), (30, 60))
"""Trajectories, samples."""
NOISE = (0.0, 0.01, 0.05, 0.1)
DIMENSIONS = (2, 3, 4, 6, 1, 5)
CORRELATIONS = (5.0, 20.0, 80.0)
"""Of walkers, in samples."""
KINDS = ("permuted labels", "shuffled blocks", "walkers", "short windows")


def cases() -> list[Case]:
    """All data sets: 27 systems x 4 levels of noise x 2 shuffles, 60 walkers, 27 systems x 2 short windows."""
    return [{"method": OURS, **case} for case in (*_shuffled(), *_walkers(), *_short())]


def _sized(number: int) -> dict[str, int]:
    trajectories, samples = SIZES[number % len(SIZES)]
    return {"trajectories": trajectories, "samples": samples}


def _shuffled() -> Iterator[Case]:
    """Every level of noise once for each system; sizes run past the levels so that all meet."""
    for kind in KINDS[:2]:
        for s, system in enumerate(SYSTEMS):
            for n, level in enumerate(NOISE):
                yield {"kind": kind, "system": system, "level": level, "seed": 10 * s + n, **_sized(s + n)}


def _walkers() -> Iterator[Case]:
    for number in range(60):
        yield {
            "kind": "walkers", "columns": DIMENSIONS[number % len(DIMENSIONS)], "seed": number,
            "correlation": CORRELATIONS[number // len(DIMENSIONS) % len(CORRELATIONS)], **_sized(number // 2),
        }  # fmt: skip


def _short() -> Iterator[Case]:
    for s, system in enumerate(SYSTEMS):
        for n, level in enumerate((0.0, 0.01)):
            yield {"kind": "short windows", "system": system, "level": level, "seed": 10 * s + n, **_sized(s + n)}


def data_of(case: Case) -> Trajectories:
    """The data set of a case."""
    size = {"trajectories": case["trajectories"], "samples": case["samples"]}
    if case["kind"] == "walkers":
        return systems.walkers(case["seed"], columns=case["columns"], correlation=case["correlation"], **size)
    noise = {"relative_noise": case["level"], "hints": False, **size}
    if case["kind"] == "short windows":
        return systems.short_windows(case["system"], case["seed"], **noise)
    data = systems.simulate(case["system"], seed=case["seed"], **noise)
    shuffled = systems.permuted_labels if case["kind"] == KINDS[0] else systems.shuffled_blocks
    return shuffled(data, case["seed"])


def measure(case: Case, old: Row | None = None) -> Row:
    """Search a data set and count what is false in the answer."""
    if old is None or old["found"] is None:
        row, answer = ask(METHODS[OURS], data_of(case), case.get("level", 0.0))
    else:
        row, answer = {k: old[k] for k in ("seconds", "wall", "problem", "found")}, answer_of(old["found"])
    false = len(answer.laws)
    if case["kind"] == "short windows" and false:
        clean = data_of({**case, "level": 0.0}).states
        false = score(SYSTEMS[case["system"]], Answer(answer.laws), clean).false
    return {**row, "false": false, "columns": len(answer.columns), "approximate": answer.approximate}


def bound(false: int, of: int, confidence: float = 0.95) -> float:
    """The largest rate at which so few would come with more than 5 % probability (Clopper and Pearson 1934)."""
    if false >= of:
        return 1.0
    low, high = false / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(false, of, middle) > 1 - confidence else (low, middle)
    return high


def _at_most(few: int, of: int, rate: float) -> float:
    """The probability of at most so few."""
    term = total = (1 - rate) ** of
    for k in range(few):
        term *= (of - k) / (k + 1) * rate / (1 - rate)
        total += term
    return total


def summary(rows: list[Row]) -> list[list[str]]:
    """Data sets, those with a false law, the bound on their rate, approximate ones; for each kind and together."""
    lines = []
    for kind in (*KINDS, "all"):
        mine = [row for row in rows if kind in (row["case"]["kind"], "all")]
        if mine:
            false, near, still = (sum(row[key] > 0 for row in mine) for key in ("false", "approximate", "columns"))
            failed, seconds = sum(bool(row["problem"]) for row in mine), sorted(row["seconds"] for row in mine)
            counts = [kind, len(mine), false, f"{bound(false, len(mine)):.2%}", near, still, failed]
            lines.append([*map(str, counts), f"{seconds[len(seconds) // 2]:.1f}", f"{seconds[-1]:.1f}"])
    return lines


def told(row: Row) -> str:
    """A run in a line."""
    case = {k: v for k, v in row["case"].items() if k != "method"}
    laws = [law["expression"] for law in (row["found"] or {}).get("laws", ()) if law["verdict"] == "LAW"]
    words = f"FALSE {laws}" if row["false"] else "none"
    return f"{', '.join(map(str, case.values()))}: {words}, {row['seconds']:.1f} s {row['problem']}"


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th data set")
    parser.add_argument("--jobs", type=int, default=2)
    chosen = parser.parse_args()
    path = record.folder(CLAIM) / "runs.jsonl"
    judge = digest("benchmarks/no_false_laws.py") + JUDGE
    wanted = cases()[:: chosen.every]
    rows = measured(path, wanted, measure, {OURS: METHODS[OURS].code}, judge, jobs=chosen.jobs, told=told)
    header = ["data", "sets", "with a false law", "rate at most (95 %)", "an approximate one", "a constant column",
              "failed", "median s", "worst s"]  # fmt: skip
    lines = summary(rows)
    text = tables.markdown(header, lines) + "\n" + "\n".join(f"* {told(row)}" for row in rows if row["false"]) + "\n"
    if chosen.every > 1:
        (ROOT / "out" / CLAIM).mkdir(parents=True, exist_ok=True)
        (ROOT / "out" / CLAIM / f"{CLAIM}.md").write_text(text, encoding="utf-8")
        print(text)
        return
    keep_only(path, rows)
    rate = bound(sum(row["false"] > 0 for row in rows), len(rows))
    facts: dict[str, Any] = {"summary": [dict(zip(header, line, strict=True)) for line in lines], "bound": rate}
    record.keep(CLAIM, facts, text + "\n" + tables.verdicts({"rate of data sets with a false law": (0.01, rate)}))


if __name__ == "__main__":
    main()
