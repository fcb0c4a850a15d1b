"""What several tests need: the paper's systems, a formula's search, the folder of real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories

torch.set_num_threads(1)
REAL_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def pendulum() -> Trajectories:
    """The paper's pendulum without noise."""
    return simulate("pendulum_hnn", seed=0)


@pytest.fixture(scope="session")
def noisy_pendulum() -> Trajectories:
    """The paper's pendulum with HNN's noise."""
    return simulate("pendulum_hnn", noise=0.1, seed=0)


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A path to a file of real measurements; skips when the folder is not there."""

    def path(name: str) -> Path:
        if not REAL_DATA.is_dir():
            pytest.skip(f"no real data: {name} is read from a folder beside the repository that is not here")
        return REAL_DATA / name

    return path
