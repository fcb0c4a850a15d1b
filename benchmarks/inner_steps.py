"""Claim (the state-data twin of Figure 6): with more inner steps a network tailored to its own rollout keeps the
quantity better and better, and its task error falls with it for a true law, while for a wrong law it rises.

    python benchmarks/inner_steps.py        15 minutes on two cores

One network a seed (64-64, trained on derivatives of the ideal pendulum). For every test sequence its weights are
adapted by 0 to 500 inner steps on the Noether loss of its own rollout from the first state (Eq. 2a), with nothing but
that first state known, and rolled out again. Conservation is the mean squared Noether loss that is left over the one
without inner steps; the task error is that of the rollout to 3 s against the true trajectory.
"""

from __future__ import annotations

from typing import Any

import ideal_pendulum
import numpy as np
import record
import tables
import torch
from joblib import Parallel, delayed
from torch import Tensor

from noether_discover.data.systems import simulate, system_named
from noether_discover.discovery import discover
from noether_discover.predict.noether_predictor import NoetherPredictor

SEEDS = range(5)
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
RATE = 0.02
SEQUENCES = 6
TRAINING = 1500


def nearly(x: Tensor) -> Tensor:
    """The energy with its coefficient off by 10 %."""
    return x[..., 1] ** 2 - 3.3 * torch.cos(x[..., 0])


def network(train: Any, seed: int) -> torch.nn.Module:
    """A network trained on derivatives: far from perfect, so that there is something to conserve."""
    torch.manual_seed(seed)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 64), torch.nn.Tanh(), torch.nn.Linear(64, 64), torch.nn.Tanh(), torch.nn.Linear(64, 2)
    )
    x = torch.tensor(train.stacked, dtype=torch.float32)
    v = torch.tensor(system_named("pendulum_hnn").rates(train.stacked), dtype=torch.float32)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(TRAINING):
        adam.zero_grad()
        (model(x) - v).square().mean().backward()
        adam.step()
    return model


def measured_once(seed: int) -> dict[str, Any]:
    """For every law and number of steps: conservation and task error."""
    torch.set_num_threads(1)
    data = simulate("pendulum_hnn", seed=seed)
    train, test = data.pick(range(25)), data.pick(range(25, 25 + SEQUENCES))
    found = discover(train, rank=False, strict_angles=True, jobs=1)
    model = network(train, seed)
    states_KTD = torch.tensor(np.stack(test.states))
    laws = {"found": found, "coefficient off by 10 %": nearly, "wrong law": ideal_pendulum.circle}
    out: dict[str, Any] = {}
    for name, law in laws.items():
        rows = []
        for steps in STEPS:
            predictor = NoetherPredictor(
                model, law, method="tailoring", adapt="sequence", rate=RATE, steps=steps
            ).fit(train, epochs=0)  # fmt: skip
            forecast = predictor.predict(states_KTD[:, 0], test.times[0])
            g = predictor.quantities[0](forecast.states.reshape(-1, 2)).reshape(len(states_KTD), -1)
            away = forecast.states - states_KTD
            rows.append(
                {
                    "steps": steps,
                    "violation": float((g - g[:, :1]).square().mean()),
                    "error": float(away[:, 1:].square().mean().sqrt()),
                    "fallbacks": forecast.fallbacks,
                }
            )
        out[name] = rows
    return out


def main() -> None:
    """Measure, print, record."""
    runs = Parallel(n_jobs=2, verbose=5)(delayed(measured_once)(seed) for seed in SEEDS)
    rows, lines, curves = [], [], {}
    for name in runs[0]:
        curves[name] = {"violation": [], "error": []}
        for number, steps in enumerate(STEPS):
            left = [r[name][number]["violation"] / r[name][0]["violation"] for r in runs]
            error = [r[name][number]["error"] / r[name][0]["error"] for r in runs]
            curves[name]["violation"].append(left)
            curves[name]["error"].append(error)
            back = sum(r[name][number]["fallbacks"] for r in runs)
            rows.append(
                [name, str(steps), tables.spanned(left), tables.spanned(error), f"{back} of {SEQUENCES * len(runs)}"]
            )
            lines.append([name, steps, tables.geometric(left), *tables.interval(left), tables.geometric(error),
                          *tables.interval(error), back])  # fmt: skip
    header = ["law", "inner steps", "violation left", "task error / no steps", "fallbacks"]
    place = record.folder("inner_steps")
    tables.write_csv(
        place / "inner_steps.csv",
        ["law", "steps", "violation", "low", "high", "error", "low", "high", "fallbacks"],
        lines,
    )
    tables.write_latex(
        place / "inner_steps.tex", "Inner steps: degree of conservation against task error.", header, rows
    )
    picture(place / "inner_steps.png", curves)
    record.keep("inner_steps", {"seeds": list(SEEDS), "rate": RATE, "runs": runs}, tables.markdown(header, rows))


def picture(path: Any, curves: dict[str, dict[str, list[list[float]]]]) -> None:
    """Violation and task error against the number of steps, and one against the other."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(14, 4), layout="constrained")
    for (name, curve), colour in zip(curves.items(), ("#0072B2", "#E69F00", "#D55E00"), strict=True):
        means = {k: [tables.geometric(v) for v in values] for k, values in curve.items()}
        for axis, what in zip(axes, ("violation", "error"), strict=False):
            low, high = zip(*map(tables.interval, curve[what]), strict=True)
            axis.plot(STEPS, means[what], marker="o", ms=3, color=colour, label=name)
            axis.fill_between(STEPS, low, high, color=colour, alpha=0.2, lw=0)
        axes[2].plot(means["violation"], means["error"], marker="o", ms=3, color=colour, label=name)
    for axis, title in zip(axes, ("Noether loss left", "task error / no inner steps"), strict=False):
        axis.set(xlabel="inner steps", yscale="log", title=title)
        axis.set_xscale("symlog", linthresh=1)
        axis.set_xlim(0, 1.2 * STEPS[-1])
    axes[2].set(xlabel="Noether loss left", ylabel="task error / no inner steps", xscale="log", yscale="log")
    axes[2].invert_xaxis()
    axes[0].legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    main()
