"""Claim: the true law helps a predictor at every number of trajectories and at every noise, the structured head by a
factor of about 10 (with 20 % noise) to 9,000 (without). What the search finds does so without noise from two
trajectories on, and with 5 % noise from five on; from fewer it can be wrong, and a wrong law, enforced blindly, does
harm.

    python benchmarks/few_trajectories.py        8 minutes on two cores

The ideal pendulum, 2 to 50 training trajectories, noise of 0 to 20 % of each column's deviation on the states, which
are all that is given. The law is searched on the same few trajectories. Where the search finds none, there is nothing
to enforce: the row counts it, and the plain network stands in. The error is that of rollouts from true first states of
25 other trajectories, to 3 s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import ladder
import numpy as np
import record
import tables
import torch
from joblib import Parallel, delayed

from noether_discover.data.systems import simulate
from noether_discover.discovery import discover
from noether_discover.predict.bench import NetworkSettings, bench_of
from noether_discover.predict.measured import Measured

SEEDS = range(5)
SIZES = (2, 5, 15, 50)
NOISES = (0.0, 0.05, 0.2)
CONTROL = "MLP, more steps"
RUNGS = (CONTROL, "projection", "oracle: projection", "head", "oracle: head")


def measured_once(size: int, noise: float, seed: int) -> dict[str, Any]:
    """The error to 3 s of every rung, and what the search said."""
    torch.set_num_threads(1)
    clean = simulate("pendulum_hnn", trajectories=75, seed=seed)
    spread = clean.stacked.std(axis=0)
    errors = np.random.default_rng([seed, size]).normal(size=(size, *clean.states[0].shape))
    few = clean.pick(range(size))
    train = replace(few, states=tuple(x + noise * spread * e for x, e in zip(few.states, errors, strict=True)))
    test = Measured.of(clean.pick(range(50, 75)), 100)
    bench = bench_of(train, NetworkSettings(seed=seed))
    try:
        found = discover(train, rank=False, strict_angles=True, jobs=1)
        says = found.laws[0]["expression"] if found.laws else found.verdict
        law = ladder.law_of(found)[0] if found.laws and found.verdict in ("LAW", "APPROXIMATE") else None
    except ValueError as problem:  # too few data to judge anything
        says, law = str(problem), None

    from ideal_pendulum import energy

    rungs = {
        CONTROL: lambda: ladder.control(bench),
        "oracle: projection": lambda: ladder.projected(bench, energy, approximate=False),
        "oracle: head": lambda: ladder.head(bench, energy, approximate=False, network=False),
    }
    if law is not None:
        rungs["projection"] = lambda: ladder.projected(bench, law, approximate=False)
        rungs["head"] = lambda: ladder.head(bench, law, approximate=False, network=False)
    out: dict[str, Any] = {"says": says, "found": law is not None}
    for name, rung in rungs.items():
        predictor = rung()
        away = bench.rollout(predictor.field, test, predictor.pull) - test.states
        out[name] = float(away[:, 1:].square().mean().sqrt())
    for name in ("projection", "head"):
        out.setdefault(name, out[CONTROL])
    return out


def main() -> None:
    """Measure, print, record."""
    tasks = [(size, noise, seed) for noise in NOISES for size in SIZES for seed in SEEDS]
    results = Parallel(n_jobs=2, verbose=5)(delayed(measured_once)(*task) for task in tasks)
    rows, lines, cells = [], [], {}
    for noise in NOISES:
        for size in SIZES:
            runs = [r for (s, n, _), r in zip(tasks, results, strict=True) if (s, n) == (size, noise)]
            control = [r[CONTROL] for r in runs]
            over = {name: tables.ratios([r[name] for r in runs], control) for name in RUNGS[1:]}
            cells[f"{size} trajectories, noise {noise:g}"] = runs
            rows.append(
                [f"{100 * noise:.0f} %", str(size), f"{sum(r['found'] for r in runs)} of {len(runs)}",
                 tables.figure(tables.geometric(control)), *(tables.spanned(over[name]) for name in RUNGS[1:])]
            )  # fmt: skip
            spans = [x for name in RUNGS[1:] for x in (tables.geometric(over[name]), *tables.interval(over[name]))]
            lines.append([noise, size, sum(r["found"] for r in runs), tables.geometric(control), *spans])
    header = ["noise", "trajectories", "law found", "RMSE of the control", *(f"{name} / control" for name in RUNGS[1:])]
    place = record.folder("few_trajectories")
    names = [f"{name} {b}" for name in RUNGS[1:] for b in ("mean", "low", "high")]
    tables.write_csv(place / "few_trajectories.csv", ["noise", "trajectories", "found", "control", *names], lines)
    caption = "Ideal pendulum from few trajectories, 3 s: ratios to the control, geometric means, 95 % intervals."
    tables.write_latex(place / "few_trajectories.tex", caption, header, rows)
    picture(place / "few_trajectories.png", cells)
    record.keep("few_trajectories", {"seeds": list(SEEDS), "cells": cells}, tables.markdown(header, rows))


def picture(path: Any, cells: dict[str, list[dict[str, Any]]]) -> None:
    """The error of each rung against the number of trajectories, a panel for each noise."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(NOISES), figsize=(15, 4), layout="constrained", sharey=True)
    for axis, noise in zip(axes, NOISES, strict=True):
        for name, colour in zip(RUNGS, tables.COLOURS[1:], strict=False):
            seeds = [[r[name] for r in cells[f"{size} trajectories, noise {noise:g}"]] for size in SIZES]
            low, high = zip(*map(tables.interval, seeds), strict=True)
            style = "--" if name.startswith("oracle") else "-"
            axis.plot(SIZES, [tables.geometric(s) for s in seeds], style, color=colour, marker="o", ms=3, label=name)
            axis.fill_between(SIZES, low, high, color=colour, alpha=0.15, lw=0)
        axis.set(xscale="log", yscale="log", xlabel="training trajectories", title=f"noise {100 * noise:.0f} %")
        axis.set_xticks(SIZES, [str(s) for s in SIZES])
        axis.minorticks_off()
    axes[0].set_ylabel("RMSE of rollouts to 3 s")
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
