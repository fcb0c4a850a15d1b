"""Claim: on two cores 200 candidates of the paper's pendulum are ranked by projection in at most 10 s once the network
is trained; by the paper's own protocol 200 x 9 are tailored in at most 15 s and 20 x 100 epochs meta-tailored in at
most 60 s. `discover` with its ranking, everything included, takes at most 60 s. The paper needed about 4 hours on a
V100 and 10 cores.

    python benchmarks/speed_of_ranking.py             10 minutes on two cores
    python benchmarks/speed_of_ranking.py --quick     small in every way, and leaves nothing behind

Every measurement is made by a fresh process, three times; the median and the worst are kept. `discover` is measured
from outside, from the start of the process to its end. The rankings tell their seconds by stage, the start of their
processes included; the network's training is common to all candidates and stands in a row of its own. The candidates
are what the search leaves on these data: the 200 formulas with the least held-out ratio, with the parameters that they
were fitted with, each enforced as a law (approximate laws, of which there is none here, are tried at five strengths).

The naive loop (naive_loop.py) has one copy of the weights for each query, and torch.autograd. It is measured beside the
paper's protocol in the same process, on a part, and extrapolated linearly: the queries are independent of each other,
and so are candidates and rates, and one epoch costs what another does. Ratios are taken within a process, as machines
are noisy, and the loop is granted as many processes as the ranking has, without losses. That both give the same numbers
is tests/predict/test_naive_loop.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import record
import tables
from speed_of_discovery import COMMAND, PENDULUM

JOBS = 2
WHOLE = "the whole process"


@dataclass(frozen=True)
class Size:
    """How much is measured, and how often. queries: states that the naive loop is measured on, None for all."""

    candidates: int = 200
    keep: int = 20
    epochs: int = 100
    steps: int = 2000
    hidden: int = 200
    queries: int | None = None
    repeats: int = 3


QUICK = Size(candidates=12, keep=3, epochs=4, steps=50, hidden=20, queries=40, repeats=1)


def from_the_search(size: Size) -> tuple[Any, Any, list[Any]]:
    """Training and test trajectories, and the candidates: what varies least along the held-out ones."""
    import numpy as np

    from noether_discover.data.systems import simulate
    from noether_discover.data.tables import angles_are_strict
    from noether_discover.predict.table import Candidate
    from noether_discover.search.fitting import ratios
    from noether_discover.search.quantity import Quantity
    from noether_discover.settings import Settings
    from noether_discover.stages import enumerated, searched

    data = simulate("pendulum_hnn", seed=0)
    settings = Settings(strict_angles=angles_are_strict(data), jobs=1)
    formulas = enumerated(data, settings)
    evidence, found, _ = searched(data, formulas, settings)
    fitted = [
        (formula, j.parameters)
        for formula, j in zip(formulas.formulas, found.judgements, strict=True)
        if np.isfinite(j.ratio)
    ]
    held_F = ratios([f for f, _ in fitted], [p for _, p in fitted], evidence.held_frame)
    best = [k for k in np.argsort(held_F, kind="stable") if np.isfinite(held_F[k])][: size.candidates]
    assert len(best) == size.candidates, f"the search left {len(best)} candidates only"
    candidates = [Candidate(str(fitted[k][0]), Quantity(*fitted[k], data.symbols)) for k in best]
    return evidence.train, evidence.held, candidates


def ranked(protocol: str, size: Size) -> dict[str, Any]:
    """The seconds of one ranking by stage; for the paper's protocol the naive loop's beside them. In this process."""
    from noether_discover.predict.ranking import RankingSettings, rank
    from noether_discover.work import Work, Workers

    train, test, candidates = from_the_search(size)
    settings = RankingSettings(
        protocol=protocol, keep=size.keep, epochs=size.epochs, steps=size.steps, hidden=size.hidden
    )
    ranking = rank(train, test, candidates, settings, work=Work(Workers(JOBS)))
    rows = [row for row in ranking.rows if row.kind == "candidate"]
    measured: dict[str, Any] = {
        "seconds": dict(ranking.seconds),
        "chosen": ranking.chosen and ranking.chosen.name,
        "status": {status: sum(row.status == status for row in rows) for status in ("ok", "not kept", "diverged")},
    }
    if protocol == "paper":
        measured["naive"] = naive(train, candidates, settings, size)
    return measured


def naive(train: Any, candidates: list[Any], settings: Any, size: Size) -> dict[str, Any]:
    """The naive loop's seconds for one candidate at one rate and for one epoch, and for all of them.

    On the network before its training, whose arithmetic is the same.
    """
    import naive_loop

    from noether_discover.predict import predictors, tailoring
    from noether_discover.predict.bench import prepared
    from noether_discover.predict.noether_loss import NoetherLoss, spread

    bench = prepared(train, settings)
    data = bench.states[: size.queries], bench.rates_of_change[: size.queries]
    quantity = candidates[0].quantity
    law = NoetherLoss(quantity, spread(quantity, bench.states), 1.0, bench.step)
    law = tailoring.clocked(law, bench.weights, bench.scales, bench.states)
    rate = settings.rates[len(settings.rates) // 2]
    some = data[0][:1], data[1][:1]
    with predictors.one_thread():
        naive_loop.meta_tailored(bench.weights, bench.scales, law, rate, *some, epochs=1)  # imports what torch puts off
        screen, loss = timed(lambda: naive_loop.tailored_losses(bench.weights, bench.scales, law, (rate,), *data))
        epoch, _ = timed(lambda: naive_loop.meta_tailored(bench.weights, bench.scales, law, rate, *data, epochs=1))
        ours = tailoring.tailored_losses(bench.weights, bench.scales, law, (rate,), *data)
    return {
        "queries": len(data[0]),
        "one candidate, one rate": screen,
        "one epoch": epoch,
        "screen": screen * size.candidates * len(settings.rates) / JOBS,
        "improve": epoch * size.keep * size.epochs / JOBS,
        "loss_off_by": abs(float(loss / ours) - 1),
    }


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds, and what came of it."""
    begin = time.perf_counter()
    result = function()
    return time.perf_counter() - begin, result


def in_a_process(protocol: str, quick: bool) -> dict[str, Any]:
    """`ranked` in a fresh process, with the process's own wall time."""
    command = [sys.executable, __file__, "--only", protocol, *(["--quick"] if quick else [])]
    seconds, done = timed(lambda: subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True))
    measured = json.loads(done.stdout.splitlines()[-1])
    measured["seconds"][WHOLE] = seconds
    return measured


def discovery(protocol: str, size: Size) -> dict[str, Any]:
    """A discovery from the command line, ranking and an oracle beside it included: a fresh process's wall time."""
    options = {
        "--protocol": protocol, "--oracle": "p**2 - 3*cos(q)", "--jobs": JOBS,
        "--keep": size.keep, "--epochs": size.epochs, "--steps": size.steps,
    }  # fmt: skip
    command = [*COMMAND, "discover", str(PENDULUM), "--json", *(str(x) for pair in options.items() for x in pair)]
    seconds, done = timed(lambda: subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True))
    told = json.loads(done.stdout)
    assert told["ranking"], "nothing was ranked"
    return {"seconds": {WHOLE: seconds, **told["seconds"]}}


def summary(values: list[float], wanted: float | None = None) -> dict[str, Any]:
    """Median and worst of some seconds, beside what was wanted."""
    return {"wanted_s": wanted, "median_s": statistics.median(values), "worst_s": max(values), "all_s": values}


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description="How long rankings take.")
    parser.add_argument("--quick", action="store_true", help="small in every way; prints and records nothing")
    parser.add_argument("--only", choices=["projection", "paper"], help="one ranking in this process, as JSON")
    options = parser.parse_args()
    size = QUICK if options.quick else Size()
    if options.only:
        print(json.dumps(ranked(options.only, size)))
        return

    runs: dict[str, list[dict[str, Any]]] = {"projection": [], "paper": []}
    discoveries: dict[str, list[dict[str, Any]]] = {"projection": [], "paper": []}
    for _ in range(size.repeats):
        for protocol in runs:
            runs[protocol].append(in_a_process(protocol, options.quick))
            discoveries[protocol].append(discovery(protocol, size))

    def of(stage: str, protocol: str) -> list[float]:
        return [run["seconds"][stage] for run in runs[protocol]]

    many, kept, trained = f"{size.candidates} candidates", f"{size.keep} kept", f"{size.epochs} epochs"
    ranking, tailoring, training, whole = (10, 15, 60, 60) if not options.quick else [None] * 4
    screened, improved = of("screen", "projection"), of("improve", "projection")
    both = [a + b for a, b in zip(screened, improved, strict=True)]
    rows = {
        f"network trained, {size.steps} steps, and the baselines": summary(of("train", "projection")),
        f"projection: {many} ranked": summary(both, ranking),
        f"- {many} screened": summary(screened),
        f"- {kept}, trained through the projection for {trained}": summary(improved),
        f"paper: {size.candidates} x 9 tailored": summary(of("screen", "paper"), tailoring),
        f"paper: {size.keep} x {trained} meta-tailored": summary(of("improve", "paper"), training),
        **{
            f"discover with ranking, everything, {protocol}": summary([d["seconds"][WHOLE] for d in found], whole)
            for protocol, found in discoveries.items()
        },
    }
    header = ["what", "wanted: at most s", "median s", "worst s", "worst against wanted"]
    lines = [
        [
            what, "" if row["wanted_s"] is None else tables.figure(row["wanted_s"]), tables.figure(row["median_s"]),
            tables.figure(row["worst_s"]),
            "" if row["wanted_s"] is None else "reached" if row["worst_s"] <= row["wanted_s"] else "NOT reached",
        ]
        for what, row in rows.items()
    ]  # fmt: skip
    measured: dict[str, Any] = {"size": asdict(size), "jobs": JOBS, "rows": rows, "naive": {}}
    compared = []
    for what, stage, part in (
        (f"{size.candidates} x 9 tailored", "screen", "one candidate, one rate"),
        (f"{size.keep} x {trained} meta-tailored", "improve", "one epoch"),
    ):
        parts, loops = ([run["naive"][key] for run in runs["paper"]] for key in (part, stage))
        over = tables.ratios(loops, of(stage, "paper"))
        measured["naive"][what] = {"measured": part, "measured_s": parts, "extrapolated_s": loops, "over_ours": over}
        compared.append([
            what, f"{part}: {tables.figure(statistics.median(parts))}", tables.figure(statistics.median(loops)),
            tables.figure(statistics.median(of(stage, "paper"))),
            f"{tables.figure(statistics.median(over))} ({tables.figure(min(over))} to {tables.figure(max(over))})",
        ])  # fmt: skip
    queries = runs["paper"][0]["naive"]["queries"]
    words = (
        f"Ours: jobs={JOBS}, one thread each, screening in one process; {size.repeats} fresh processes. The naive "
        f"autograd loop was measured on {queries} states for one candidate at one rate and for one epoch, and is "
        f"extrapolated linearly from there, with {JOBS} processes granted to it without losses; ratios are within one "
        "process. The paper needed about 4 hours on a V100 and 10 cores for its whole pipeline."
    )
    measured["runs"], measured["discoveries"], measured["words"] = runs, discoveries, words
    loop_header = ["naive autograd loop", "measured s", "extrapolated s", "ours s", "naive / ours"]
    table = f"{tables.markdown(header, lines)}\n{tables.markdown(loop_header, compared)}\n{words}\n"
    if options.quick:
        print(table)
    else:
        record.keep("speed_of_ranking", measured, table)


if __name__ == "__main__":
    main()
