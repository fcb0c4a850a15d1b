"""Claim (Table 1 of the paper): on the ideal pendulum the law that the search finds improves the predictor beyond a
control with as many steps, at 3 s and more at 20 s; a structured head makes it exact, from noisy states too.

    python benchmarks/ideal_pendulum.py        12 minutes on two cores

The rows of the paper's protocol stand beside ours; every ratio is over the control.
"""

from __future__ import annotations

from typing import Any

import ideal
import tables
import torch
from torch import Tensor


def energy(x: Tensor) -> Tensor:
    """The true law, p^2 - 3 cos q: the oracle."""
    return x[..., 1] ** 2 - 3 * torch.cos(x[..., 0])


def circle(x: Tensor) -> Tensor:
    """A wrong law, p^2 + q^2."""
    return x[..., 1] ** 2 + x[..., 0] ** 2


def bars(settings: Any) -> dict[str, tuple[float, float]]:
    """What the issue wants, and what was measured."""

    def mean(setting: str, row: str, what: str) -> float:
        return settings[setting]["rows"][row][what]["geometric_mean"]

    soft, constants = "soft projection, meta-trained", "head (A - R) grad g, constants"
    found, oracle = (settings["exact"]["rows"][row]["long"]["seeds"] for row in (soft, "oracle: projection"))
    return {
        "projection / control, 3 s, exact": (0.80, mean("exact", soft, "short_to_control")),
        "projection / control, 20 s, exact": (0.65, mean("exact", soft, "long_to_control")),
        "projection, drift, exact": (1e-3, mean("exact", soft, "drift")),
        "projection / control, 20 s, noisy": (0.35, mean("noisy", soft, "long_to_control")),
        "projection / control, 20 s, noisy states": (0.35, mean("noisy states", soft, "long_to_control")),
        "head, constants / control, 20 s, noisy": (0.35, mean("noisy", constants, "long_to_control")),
        "head, constants, RMSE 3 s, exact": (1e-4, mean("exact", constants, "short")),
        "head, constants, RMSE 3 s, noisy states": (0.012, mean("noisy states", constants, "short")),
        "discovered law against the oracle, exact: off by": (
            0.01, max(abs(r - 1) for r in tables.ratios(found, oracle)),
        ),
    }  # fmt: skip


if __name__ == "__main__":
    ideal.run(
        "ideal_pendulum", ideal.Experiment("pendulum_hnn", energy, circle, strict_angles=True), "Ideal pendulum", bars,
        "The paper has RMSE 0.0563 (MLP), 0.0423 (Noether network), 0.0422 (oracle) at 3 s, without a control.",
    )  # fmt: skip
