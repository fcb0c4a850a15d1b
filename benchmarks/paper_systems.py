"""Claim: the paper's systems give their energies with the right coefficient, with and without noise; real data give
APPROXIMATE laws with a drift; systems without a law give none.

    python benchmarks/paper_systems.py

Ten seeds a row (each draws its own trajectories and noise); the real data are read from the folder beside the
repository and left out when it is not there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import record

from noether_discover.data.noise import noise as noise_of
from noether_discover.data.systems import simulate
from noether_discover.data.tables import read_tables
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import Discovery, discover
from noether_discover.report.pictures.along import Values
from noether_discover.report.pictures.levels import Levels
from noether_discover.report.pictures.sampled import sampled
from noether_discover.report.pictures.style import save
from noether_discover.search.evidence import default_window

SEEDS = range(10)
NULLS = (("damped_oscillator", 0.0), ("damped_oscillator", 0.1), ("van_der_pol", 0.0), ("lorenz", 0.0))
NULL_SEEDS = range(3)


def answer(data: Trajectories) -> Discovery:
    """The default search, without ranking."""
    strict = any(base == "rad" for unit in data.units for base, _ in unit.dimension.exponents)
    return discover(data, rank=False, strict_angles=strict)


def known(system: str, form: tuple[str, ...], truth: float, noise: float) -> dict[str, Any]:
    """How often the true form comes first as a LAW, and how far its coefficient is off."""
    off, first, covered, worst_chi2 = [], 0, 0, 0.0
    for seed in SEEDS:
        found = answer(simulate(system, noise=noise, seed=seed))
        if not found.laws or found.laws[0]["formula"] not in form or found.laws[0]["verdict"] != "LAW":
            continue
        first += 1
        (parameter,) = found.laws[0]["parameters"]
        off.append(abs(parameter["value"] / truth - 1))
        covered += abs(parameter["value"] - truth) <= 2 * parameter["standard_error"] + 1e-12
        worst_chi2 = max(worst_chi2, found.laws[0]["noise_chi2"])
    return {
        "first_and_LAW": first, "of": len(SEEDS), "rms_off": float(np.sqrt(np.mean(np.square(off)))),
        "worst_off": float(max(off)), "within_two_errors": covered, "worst_chi2": worst_chi2,
    }  # fmt: skip


def main() -> None:
    """Measure, print, record."""
    measured: dict[str, Any] = {}
    rows = [
        "| system | noise | first and LAW | coefficient off, rms | worst | within 2 errors |",
        "|---|---|---|---|---|---|",
    ]
    for system, form, truth in (
        ("pendulum_hnn", ("p**2 - a*cos(q)",), 3.0), ("spring_hnn", ("q**2 + a*p**2", "p**2 + a*q**2"), 1.0),
    ):  # fmt: skip
        for noise in (0.0, 0.1):
            measured[f"{system}, noise {noise}"] = m = known(system, form, truth, noise)
            rows.append(
                f"| {system} | {noise} | {m['first_and_LAW']} of {m['of']} | {m['rms_off']:.2g} | {m['worst_off']:.2g} "
                f"| {m['within_two_errors']} of {m['first_and_LAW']} |"
            )
    rows += ["", "| system without a law | noise | answers | seconds |", "|---|---|---|---|"]
    for system, noise in NULLS:
        found = [answer(simulate(system, noise=noise, seed=seed)) for seed in NULL_SEEDS]
        seconds = max(sum(one.seconds.values()) for one in found)
        measured[f"{system}, noise {noise}"] = {"answers": [one.verdict for one in found], "seconds": seconds}
        rows.append(f"| {system} | {noise} | {', '.join(one.verdict for one in found)} | {seconds:.1f} |")
    if record.SHARED_DATA.is_dir():
        rows += ["", "| real data | first law | verdict | drift per time | ratio held out |", "|---|---|---|---|---|"]
        for name in ("real_pendulum", "real_spring"):
            data = read_tables([record.SHARED_DATA / f"{name}.csv"])
            law = (found := answer(data)).laws[0]
            measured[name] = found.to_json()
            rows.append(
                f"| {name} | `{law['expression']}` | {law['verdict']} | {law['drift_per_time']:.3g} "
                f"+- {law['drift_standard_error']:.1g} | {law['ratio_heldout']:.2g} |"
            )
            picture(data, found, name)
    else:
        print("skipped: no real data")
    record.keep("paper_systems", measured, "\n".join(rows) + "\n")


def picture(data: Trajectories, found: Discovery, name: str) -> None:
    """The law along the run against shuffled columns, and its level sets under the trajectory."""
    law, quantity = found.laws[0], found.quantity()
    units = [str(unit) for unit in data.units]
    on = sampled(quantity, data, noise_of(data), default_window(data), seed=0)
    levels = Levels.of(
        quantity, data.states, data.labels, (0, 1), (data.names[0], data.names[1]), (units[0], units[1]), law["unit"]
    )
    panels = [Values(on, law["unit"], str(data.time_unit)), levels]
    save(record.folder("paper_systems") / f"{name}.png", panels, 7.2, formula=law["latex"])


if __name__ == "__main__":
    main()
