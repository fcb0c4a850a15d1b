"""Claim (Figure 2 of the paper): on the real, damped pendulum enforcing the approximate law brings the paper's network
more than 20 times nearer, as the paper says; and a network whose integrator fits its derivatives needs no law for that.

    python benchmarks/real_pendulum.py        4 minutes on two cores; skipped without the folder of real data

One run of 556 samples: the first 80 % train (the law is searched on them too), a rollout of the last 20 % (18 s) tests.
There is one test trajectory: seeds vary the network alone, and intervals are over those.

    forward, Runge-Kutta   HNN's: derivatives are forward differences, rollouts by Runge-Kutta. The paper's baseline
    forward, Euler         the same differences, rolled out with the step that they were taken over
    central, Runge-Kutta   local polynomials: ours

The rate of meta-tailoring is chosen, of all nine, by the rollout of the last stretch of the training part, as long as
the test's: the loss hardly depends on the rate, and rollouts of the whole training part lose their phase whatever is
done.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import ladder
import numpy as np
import record
import tables
import torch
from joblib import Parallel, delayed
from torch import Tensor

from noether_discover.data.tables import read_tables
from noether_discover.discovery import discover
from noether_discover.predict.bench import NetworkSettings, bench_of, without_noise
from noether_discover.predict.measured import Measured

SEEDS = range(6)
BASE = "MLP (paper): forward, Runge-Kutta"
SHOWN = (
    BASE, "MLP: forward, Euler (consistent)", "Hamiltonian network: forward, Runge-Kutta",
    "meta-tailored, derivative form", "soft projection, no training", "head (A - R) grad g, network",
)  # fmt: skip


def energy(x: Tensor) -> Tensor:
    """The oracle as HNN states it, omega^2 - 2.4 cos(theta)."""
    return x[..., 1] ** 2 - 2.4 * torch.cos(x[..., 0])


def circle(x: Tensor) -> Tensor:
    """A wrong law, omega^2 + theta^2."""
    return x[..., 1] ** 2 + x[..., 0] ** 2


def climbed(seed: int) -> dict[str, Any]:
    """Every rung of one seed: the mean squared error of one rollout, over time as well."""
    torch.set_num_threads(1)
    train, rest = read_tables([record.SHARED_DATA / "real_pendulum.csv"]).cut_at(0.8)
    found = discover(train, rank=False, strict_angles=True, jobs=1)
    quantity, approximate = ladder.law_of(found)
    laws = ladder.Laws(quantity, energy, circle, approximate)
    test = Measured.of(rest, 1000)
    base = NetworkSettings(seed=seed, scheme="forward", integrator="rk4")
    paper = bench_of(train, base)
    stepped = replace(paper, settings=replace(base, integrator="euler"))
    central = bench_of(train, NetworkSettings(seed=seed))
    last = train.windows(test.states.shape[1])
    stretch = Measured.of(without_noise(last.pick([len(last) - 1])), 1000)
    g, near = laws.found, approximate
    rungs = {
        BASE: (paper, lambda: ladder.plain(paper)),
        "MLP, more steps: forward, Runge-Kutta": (paper, lambda: ladder.control(paper)),
        "Hamiltonian network: forward, Runge-Kutta": (paper, lambda: ladder.hamiltonian(paper)),
        "meta-tailored, Euler form (paper)": (
            paper,
            lambda: ladder.tailored_by_validation(paper, g, form="euler", stretch=stretch),
        ),
        "meta-tailored, derivative form": (
            paper,
            lambda: ladder.tailored_by_validation(paper, g, form="derivative", stretch=stretch),
        ),
        "meta-tailored, rate by the loss or all training rollouts": (
            paper,
            lambda: ladder.tailored(paper, g, form="derivative"),
        ),
        "soft projection, no training": (paper, lambda: ladder.softly_projected(paper, g)),
        "soft projection with decay, meta-trained": (paper, lambda: ladder.projected(paper, g, approximate=near)),
        "level set with learnt decay": (paper, lambda: ladder.level_kept(paper, g)),
        "oracle: soft projection with decay": (paper, lambda: ladder.projected(paper, energy, approximate=near)),
        "coefficient off by 0.3 %: the same": (paper, lambda: ladder.projected(paper, laws.nearly, approximate=near)),
        "wrong law: the same": (paper, lambda: ladder.projected(paper, circle, approximate=near)),
        "wrong law: meta-tailored": (
            paper,
            lambda: ladder.tailored_by_validation(paper, circle, form="derivative", stretch=stretch),
        ),
        "MLP: forward, Euler (consistent)": (stepped, lambda: ladder.plain(stepped)),
        "MLP, more steps: forward, Euler": (stepped, lambda: ladder.control(stepped)),
        "level set with decay: forward, Euler": (stepped, lambda: ladder.projected(stepped, g, approximate=near)),
        "MLP: central, Runge-Kutta": (central, lambda: ladder.plain(central)),
        "MLP, more steps: central, Runge-Kutta": (central, lambda: ladder.control(central)),
        "meta-tailored: central": (central, lambda: ladder.tailored(central, g, form="derivative")),
        "soft projection with decay: central": (central, lambda: ladder.projected(central, g, approximate=near)),
        "head (A - R) grad g, constants": (central, lambda: ladder.head(central, g, approximate=near, network=False)),
        "head (A - R) grad g, network": (central, lambda: ladder.head(central, g, approximate=near, network=True)),
        "oracle: head, network": (central, lambda: ladder.head(central, energy, approximate=near, network=True)),
    }
    rows: dict[str, Any] = {}
    for name, (bench, rung) in rungs.items():
        begin = time.perf_counter()
        predictor = rung()
        seconds = time.perf_counter() - begin
        square_T = (bench.rollout(predictor.field, test, predictor.pull) - test.states)[0].square().mean(-1)
        rows[name] = {
            "mse": float(square_T[1:].mean()), "over_time": square_T.tolist(), "note": predictor.note,
            "seconds": seconds,
        }  # fmt: skip
    times = (test.times[0] - test.times[0, 0]).tolist()
    return {"seed": seed, "law": found.laws[0]["expression"], "verdict": found.verdict, "rows": rows, "times": times}


def main() -> None:
    """Measure, print, record."""
    if not record.SHARED_DATA.is_dir():
        print("skipped: no real data; real_pendulum.csv is read from a folder beside the repository that is not here")
        return
    runs = Parallel(n_jobs=2, verbose=5)(delayed(climbed)(seed) for seed in SEEDS)
    place = record.folder("real_pendulum")
    base = [r["rows"][BASE]["mse"] for r in runs]
    rows, lines, summary = [], [], {}
    for name in runs[0]["rows"]:
        values = [r["rows"][name]["mse"] for r in runs]
        below = tables.ratios(base, values)
        summary[name] = {
            "mse": tables.with_interval(values), "times_below_paper_MLP": tables.with_interval(below),
            "notes": [r["rows"][name]["note"] for r in runs], "seconds": [r["rows"][name]["seconds"] for r in runs],
        }  # fmt: skip
        rows.append([name, tables.spanned(values), tables.spanned(below), runs[0]["rows"][name]["note"]])
        lines.append([name, *(summary[name]["mse"][k] for k in ("geometric_mean", "low", "high")),
                      summary[name]["times_below_paper_MLP"]["geometric_mean"]])  # fmt: skip
    header = ["predictor", "MSE of an 18 s rollout", "times below the paper's MLP", "of the first seed"]
    tables.write_csv(place / "real_pendulum.csv", ["predictor", "mse", "low", "high", "times_below"], lines)
    caption = f"Real pendulum: geometric means over {len(SEEDS)} networks, 95 % bootstrap intervals."
    tables.write_latex(place / "real_pendulum.tex", caption, header[:3], [row[:3] for row in rows])

    def mean(name: str) -> float:
        return summary[name]["mse"]["geometric_mean"]

    best_tailored = "meta-tailored, derivative form"
    bars = {
        "meta-tailoring, share of the paper's MLP's error": (
            1 / 20, 1 / summary[best_tailored]["times_below_paper_MLP"]["geometric_mean"],
        ),
        "soft projection, no training": (0.004, mean("soft projection, no training")),
        "soft projection with decay, meta-trained": (0.004, mean("soft projection with decay, meta-trained")),
        "structured head, network": (5e-4, mean("head (A - R) grad g, network")),
        "structured head, constants": (5e-4, mean("head (A - R) grad g, constants")),
    }  # fmt: skip
    picture(place / "real_pendulum.png", runs)
    text = f"Law found on the training part: `{runs[0]['law']}` ({runs[0]['verdict']}).\n\n" + tables.markdown(
        header, rows
    )
    measured = {
        "seeds": list(SEEDS), "law": runs[0]["law"], "verdict": runs[0]["verdict"], "rows": summary,
        "bars": {name: {"at_most": w, "measured": m} for name, (w, m) in bars.items()},
    }  # fmt: skip
    record.keep("real_pendulum", measured, text + "\n" + tables.verdicts(bars))


def picture(path: Any, runs: list[dict[str, Any]]) -> None:
    """The mean squared error so far along the rollout, as Figure 2; a thin line for every network, a thick mean."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
    times = np.array(runs[0]["times"])[1:]
    for name, colour in zip(SHOWN, tables.COLOURS, strict=False):
        logs = [np.log(np.cumsum(r["rows"][name]["over_time"][1:]) / np.arange(1, len(times) + 1)) for r in runs]
        for line in logs:
            axis.plot(times, np.exp(line), color=colour, lw=0.5, alpha=0.4)
        axis.plot(times, np.exp(np.mean(logs, axis=0)), color=colour, lw=2, label=name)
    axis.set(yscale="log", xlabel="time since the start of the test rollout [s]", ylabel="mean squared error so far")
    axis.legend(fontsize=8)
    axis.set_title(f"Real pendulum, {len(runs)} networks (geometric means)")
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    main()
