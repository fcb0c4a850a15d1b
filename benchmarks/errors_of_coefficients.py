"""Claim: the standard errors of the numbers in sums under noise are what they are said to be: of the numbers, 68 % are
within one of them from the truth and 95 % within two.

Systems whose true numbers are no simple fractions (drawn anew for every seed), so that nothing is gained by making
ratios simple; 50 trajectories of 100 samples, noise of 1, 5 and 10 % of each column's deviation. Counted are laws that
can be exact, and of their numbers those that are coefficients (`laws_coefficients.nearest_right`).

    python benchmarks/errors_of_coefficients.py
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import record
from joblib import Parallel, delayed
from laws_coefficients import nearest_right
from laws_methods import warmed
from tables import figure, markdown

from noether_discover.data.systems import simulate
from noether_discover.data.worlds import Array, System, box, columnwise
from noether_discover.discovery import discover, law_quantity

CLAIM = "errors_of_coefficients"
LEVELS = (0.01, 0.05, 0.1)
SEEDS = range(8)

Row = dict[str, Any]


def pendulum(k: Array) -> System:
    """One number, that of gravity."""
    rates = columnwise(lambda q, p: (p, -k[0] * np.sin(q)))
    return System("pendulum", ("q", "p"), rates, box((-1.8, 1.8), (-1.5, 1.5)), 10.0, ())


def spring(k: Array) -> System:
    """A spring that stiffens."""
    rates = columnwise(lambda x, v: (v, -k[0] * x - k[1] * x**3))
    return System("spring", ("x", "v"), rates, box((-1.5, 1.5), (-1, 1)), 10.0, ())


def predation(k: Array) -> System:
    """Predators and prey."""
    rates = columnwise(lambda x, y: (x * (k[0] - k[1] * y), y * (k[2] * x - k[3])))
    return System("predation", ("x", "y"), rates, box((0.5, 1.5), (0.4, 1.2)), 15.0, ())


def top(k: Array) -> System:
    """A free top with three moments of inertia."""
    a, b, c = 1.0 / (0.6 + k[:3])
    rates = columnwise(lambda x, y, z: ((c - b) * y * z, (a - c) * x * z, (b - a) * x * y))
    return System("top", ("L1", "L2", "L3"), rates, box(*[(-1.5, 1.5)] * 3), 12.0, ())


def kepler(k: Array) -> System:
    """A planet in the plane."""

    def rates(x: Array, y: Array, u: Array, w: Array) -> tuple[Array, ...]:
        pull = -k[0] / (x * x + y * y) ** 1.5
        return u, w, x * pull, y * pull

    starts = box((0.8, 1.2), (-0.3, 0.3), (-0.3, 0.3), (0.8, 1.1))
    return System("kepler", ("x", "y", "u", "w"), columnwise(rates), starts, 8.0, ())


def turned(k: Array) -> System:
    """A bob in the plane, seen from a turning floor."""
    rates = columnwise(lambda x, y, u, w: (u, w, -k[1] * x + k[0] * w, -k[1] * y - k[0] * u))
    return System("turned", ("x", "y", "u", "w"), rates, box(*[(-1, 1)] * 4), 12.0, ())


WORLDS: tuple[Callable[[Array], System], ...] = (pendulum, spring, predation, top, kepler, turned)
"""Each made of four numbers between 0.5 and 1.5. No law is told: what is right is found along clean trajectories."""


def measured(make: Callable[[Array], System], level: float, seed: int) -> list[Row]:
    """The numbers of the laws of one run."""
    warmed()
    world = make(np.random.default_rng(seed).uniform(0.5, 1.5, 4))
    found = discover(simulate(world, relative_noise=level, seed=seed), rank=False, jobs=1)
    clean = simulate(world, seed=seed).states
    rows = []
    for law in found.laws:
        quantity = law_quantity(law, found.columns)
        if law["verdict"] != "LAW" or quantity.formula.rank:
            continue
        right = nearest_right(lambda x, p, q=quantity: replace(q, parameters=tuple(p))(x), quantity.parameters, clean)
        for k, parameter in enumerate(law["parameters"]):
            counts = right is not None and right[1][k] > 0
            rows.append(
                {
                    "system": world.name,
                    "level": level,
                    "seed": seed,
                    "law": law["formula"],
                    "name": parameter["name"],
                    "value": parameter["value"],
                    "standard_error": parameter["standard_error"],
                    "right": float(right[0][k]) if right is not None and counts else None,
                }
            )
    return rows


def summary(rows: Sequence[Row]) -> list[str]:
    """How many numbers, how many of them within one and two standard errors, the middle of the distances."""
    rows = [r for r in rows if r["right"] is not None]
    if not rows:
        return ["0", "", "", "", "", ""]
    right, value, error = (
        np.array([r[k] if r[k] is not None else np.inf for r in rows]) for k in ("right", "value", "standard_error")
    )
    z = (value - right) / np.maximum(error, 1e-300)
    within = [f"{np.mean(np.abs(z) <= k):.0%}" for k in (1, 2)]
    spread = [f"{np.median(np.abs(x / right)):.2%}" for x in (value - right, error)]
    return [str(len(rows)), *within, figure(float(np.median(z))), *spread]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    jobs = parser.parse_args().jobs
    grid = [(make, level, seed) for make in WORLDS for level in LEVELS for seed in SEEDS]
    rows = [row for some in Parallel(n_jobs=jobs, verbose=5)(delayed(measured)(*one) for one in grid) for row in some]
    lines = []
    for name in (*dict.fromkeys(row["system"] for row in rows), None):
        for level in (*LEVELS, None):
            own = [r for r in rows if level in (None, r["level"]) and name in (None, r["system"])]
            if name is None or level is None:
                lines.append([name or "all", "all" if level is None else f"{level:.0%}", *summary(own)])
    header = ["system", "noise", "numbers", "within 1 error", "within 2", "median distance in errors"]
    table = markdown([*header, "median distance", "median error"], lines)
    wrong = len({(r["system"], r["level"], r["seed"], r["law"]) for r in rows if r["right"] is None})
    record.keep(
        CLAIM,
        {"numbers": rows},
        f"{table}\nLaws with a number that none makes right, or that is no coefficient: {wrong}\n",
    )


if __name__ == "__main__":
    main()
