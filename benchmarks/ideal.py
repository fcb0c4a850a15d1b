"""What the two ideal systems of the paper (Tables 1 and 2) share: seeds, settings, rungs, horizons, tables, picture.

25 trajectories train (the law is searched on them too), 25 test; rollouts start from the true first state and are
compared with the true trajectory at 3 s and at 20 s. Seeds draw trajectories, noise and networks.

    exact          derivatives exact, states exact (what the paper's appendix says)
    noisy          HNN's generator: derivatives exact, noise of deviation 0.1 on the states
    noisy states   nothing but states with that noise

"Across levels" is the share of the squared error (to 3 s) that is along the gradient of the true energy; the rest is
along the level set, phase, which no conserved quantity corrects.

S seeds, K trajectories, T samples.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import ladder
import numpy as np
import record
import tables
import torch
from joblib import Parallel, delayed
from ladder import CONTROL

from noether_discover.data.systems import simulate, system_named
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import discover
from noether_discover.predict.bench import NetworkSettings, bench_of
from noether_discover.predict.measured import Measured
from noether_discover.predict.noether_loss import Quantity, gradient

SEEDS = range(6)
TRAIN, LONG = 25, 20.0
NOISE = 0.1
SETTINGS = ("exact", "noisy", "noisy states")


@dataclass(frozen=True)
class Experiment:
    """A system with its controls. oracle, wrong: laws that are typed in, as controls must be."""

    system: str
    oracle: Quantity
    wrong: Quantity
    strict_angles: bool


def data(system: str, setting: str, seed: int) -> tuple[Trajectories, Measured, int]:
    """Training trajectories; the true test trajectories to 20 s; how many of their samples reach 3 s."""
    world = system_named(system)
    noise = 0.0 if setting == "exact" else NOISE
    train = simulate(system, seed=seed, noise=noise).pick(range(TRAIN))
    if setting != "noisy states":
        clean = simulate(system, seed=seed).pick(range(TRAIN))
        train = replace(train, given_derivatives=tuple(world.rates(x) for x in clean.states))
    samples = round(LONG / world.span * (world.samples - 1)) + 1
    test = simulate(system, seed=seed, span=LONG, samples=samples).pick(range(TRAIN, 2 * TRAIN))
    return train, Measured.of(test, samples), world.samples


def climbed(experiment: Experiment, setting: str, seed: int) -> dict[str, Any]:
    """Every rung of one seed: errors at both horizons, drift, error over time, seconds."""
    torch.set_num_threads(1)
    train, test, short = data(experiment.system, setting, seed)
    seen = replace(train, given_derivatives=None)
    found = discover(seen, rank=False, strict_angles=experiment.strict_angles, jobs=1)
    quantity, approximate = ladder.law_of(found)
    laws = ladder.Laws(quantity, experiment.oracle, experiment.wrong, approximate)
    begin = time.perf_counter()
    ours = bench_of(train, NetworkSettings(seed=seed))
    seconds = {"MLP": time.perf_counter() - begin}
    raw = ours if setting == "exact" else bench_of(train, NetworkSettings(seed=seed, smooth=False))
    rows: dict[str, Any] = {}
    energy_KT, slope_KTD = gradient(experiment.oracle, test.states)
    across_KTD = slope_KTD / slope_KTD.norm(dim=-1, keepdim=True)
    for name, rung in ladder.rungs(raw, ours, laws).items():
        begin = time.perf_counter()
        predictor = rung()
        seconds[name] = time.perf_counter() - begin
        states = ours.rollout(predictor.field, test, predictor.pull)
        away_KTD = states - test.states
        square_KT = away_KTD.square().mean(-1)
        energy = (away_KTD * across_KTD).sum(-1)[:, 1:short].square().sum()
        g_KT = experiment.oracle(states)
        rows[name] = {
            "short": float(square_KT[:, 1:short].mean().sqrt()),
            "long": float(square_KT[:, 1:].mean().sqrt()),
            "drift": float((g_KT - g_KT[:, :1]).abs().mean() / energy_KT[:, 0].std()),
            "across": float(energy / away_KTD[:, 1:short].square().sum()),
            "over_time": square_KT.mean(0).sqrt().tolist(),
            "note": predictor.note,
        }
    return {
        "seed": seed,
        "law": found.laws[0]["expression"],
        "verdict": found.verdict,
        "rows": rows,
        "seconds": seconds,
    }


def run(
    claim: str, experiment: Experiment, title: str, bars: Callable[[Any], dict[str, tuple[float, float]]], words: str
) -> None:
    """Measure all settings and seeds, write the table (CSV, LaTeX, Markdown), the picture and the record."""
    tasks = [(setting, seed) for setting in SETTINGS for seed in SEEDS]
    results = Parallel(n_jobs=2, verbose=5)(delayed(climbed)(experiment, setting, seed) for setting, seed in tasks)
    by_setting = {
        setting: [r for (s, _), r in zip(tasks, results, strict=True) if s == setting] for setting in SETTINGS
    }
    place = record.folder(claim)
    measured: dict[str, Any] = {"seeds": list(SEEDS), "settings": {}}
    text, lines = [], []
    for setting, runs in by_setting.items():
        rows, summary = [], {}
        control = {k: [r["rows"][CONTROL][k] for r in runs] for k in ("short", "long")}
        for name in runs[0]["rows"]:
            values = {k: [r["rows"][name][k] for r in runs] for k in ("short", "long", "drift", "across")}
            over = {k: tables.ratios(values[k], control[k]) for k in control}
            summary[name] = {
                **{k: tables.with_interval(v) for k, v in values.items()},
                **{f"{k}_to_control": tables.with_interval(v) for k, v in over.items()},
                "notes": [r["rows"][name]["note"] for r in runs],
                "seconds": [r["seconds"].get(name) for r in runs],
            }
            shown = [
                name, tables.figure(tables.geometric(values["short"])), tables.spanned(over["short"]),
                tables.figure(tables.geometric(values["long"])), tables.spanned(over["long"]),
                tables.figure(tables.geometric(values["drift"])), f"{100 * np.mean(values['across']):.0f} %",
            ]  # fmt: skip
            rows.append(shown)
            means = [summary[name][k]["geometric_mean"] for k in ("short", "long", "drift")]
            spans = [summary[name][f"{k}_to_control"][b] for k in control for b in ("geometric_mean", "low", "high")]
            lines.append([setting, name, *means, *spans])
        measured["settings"][setting] = {
            "laws": [r["law"] for r in runs], "rows": summary,
            "MLP_seconds": [r["seconds"]["MLP"] for r in runs],
        }  # fmt: skip
        header = ["predictor", "RMSE 3 s", "/ control", "RMSE 20 s", "/ control", "drift", "across levels"]
        text.append(
            f"**{setting}** (laws found: {', '.join(sorted({r['law'] for r in runs}))})\n\n"
            + tables.markdown(header, rows)
        )
        tables.write_latex(
            place / f"{claim}_{setting.replace(' ', '_')}.tex",
            f"{title}, {setting}: geometric means over {len(SEEDS)} seeds, 95 % bootstrap intervals of the ratio to "
            "the control with as many steps.", header, rows,
        )  # fmt: skip
    tables.write_csv(
        place / f"{claim}.csv",
        ["setting", "predictor", "rmse_3s", "rmse_20s", "drift"]
        + [f"ratio_{h}_{b}" for h in ("3s", "20s") for b in ("mean", "low", "high")],
        lines,
    )  # fmt: skip
    wanted = bars(measured["settings"])
    measured["bars"] = {name: {"at_most": w, "measured": m} for name, (w, m) in wanted.items()}
    picture(place / f"{claim}.png", by_setting, title)
    record.keep(claim, measured, "\n".join([words, "", *text, tables.verdicts(wanted)]))


def picture(path: Any, by_setting: dict[str, list[dict[str, Any]]], title: str) -> None:
    """Error over time, and the ratio to the control at 20 s, for each setting."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(by_setting), figsize=(14, 9), layout="constrained", sharey="row")
    for (setting, runs), above, below in zip(by_setting.items(), *axes, strict=True):
        for name, colour in zip(ladder.SHOWN, tables.COLOURS, strict=False):
            logs = np.log(np.maximum([r["rows"][name]["over_time"][1:] for r in runs], 1e-12))
            t = np.linspace(0, LONG, logs.shape[1] + 1)[1:]
            above.plot(t, np.exp(logs.mean(0)), color=colour, label=name, lw=1.5)
        above.set(yscale="log", xlabel="time [s]", title=setting)
        names = [name for name in runs[0]["rows"] if name != CONTROL]
        for place, name in enumerate(names):
            over = tables.ratios(*([r["rows"][n]["long"] for r in runs] for n in (name, CONTROL)))
            low, high = tables.interval(over)
            below.plot([low, high], [place, place], color="#0072B2", lw=1.5)
            below.plot(over, [place] * len(over), ".", color="0.7", ms=4, zorder=0)
            below.plot(tables.geometric(over), place, "o", color="#0072B2", ms=5)
        below.axvline(1, color="0.4", lw=0.8, ls="--")
        below.set(xscale="log", xlabel="error at 20 s / control")
        below.set_yticks(range(len(names)), names)
    axes[1][0].invert_yaxis()
    axes[0][0].set_ylabel("RMSE of rollouts")
    axes[0][0].legend(fontsize=7, loc="lower right")
    figure.suptitle(
        f"{title}: geometric means over {len(SEEDS)} seeds; bars are 95 % bootstrap intervals, dots are seeds"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
