"""Claim (Table 2 of the paper): on the ideal spring the law keeps the energy and hardly improves the error beyond the
control, which is phase; the structured head, whose constant sets the phase, makes it exact.

    python benchmarks/ideal_spring.py        9 minutes on two cores

An error of the spring's rollouts can be split: along the circle (phase) and across it (energy). No energy corrects the
phase. The table's last column is the share of the squared error that is across: what any energy can take away at most.
"""

from __future__ import annotations

from typing import Any

import ideal
from torch import Tensor


def energy(x: Tensor) -> Tensor:
    """The true law, p^2 + q^2: the oracle."""
    return x[..., 1] ** 2 + x[..., 0] ** 2


def ellipse(x: Tensor) -> Tensor:
    """A wrong law, p^2 + 2 q^2."""
    return x[..., 1] ** 2 + 2 * x[..., 0] ** 2


def bars(settings: Any) -> dict[str, tuple[float, float]]:
    """What the issue wants, and what was measured."""

    def mean(setting: str, row: str, what: str) -> float:
        return settings[setting]["rows"][row][what]["geometric_mean"]

    soft, constants = "soft projection, meta-trained", "head (A - R) grad g, constants"
    return {
        "projection, RMSE 3 s, exact": (0.012, mean("exact", soft, "short")),
        "projection, drift, exact": (1e-3, mean("exact", soft, "drift")),
        "head, constants, RMSE 3 s, exact": (1e-4, mean("exact", constants, "short")),
        "head, constants, RMSE 3 s, noisy states": (0.006, mean("noisy states", constants, "short")),
    }


if __name__ == "__main__":
    ideal.run(
        "ideal_spring", ideal.Experiment("spring_hnn", energy, ellipse, strict_angles=False), "Ideal spring", bars,
        "The paper has RMSE 0.0174 (MLP), 0.0165 (Noether network), 0.0166 (oracle) at 3 s, without a control.",
    )  # fmt: skip
