"""Run files to be reported: one of each kind, each made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from noether_discover.data.systems import simulate
from noether_discover.discovery import discover
from noether_discover.reporting import write_report

QUICK = {"max_nodes": 3, "jobs": 1}
HOSTILE = ("<script>alert(1)</script>", '"><img src="http://192.0.2.1/x" onerror="alert(2)"> $x_', "'; }--></style><b>")
"""Names of two columns and of a trajectory."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the runs are."""
    return tmp_path_factory.mktemp("reported")


@pytest.fixture(scope="session")
def page_of() -> Callable[[Path], Path]:
    """The page of a run, written once."""

    def path(run: Path) -> Path:
        page = run.with_suffix(".html")
        return page if page.exists() else write_report(run, page)

    return path


@pytest.fixture(scope="session")
def ranked_run(folder: Path) -> Path:
    """A noisy pendulum with its energy, ranked by a small network beside an oracle."""
    data = simulate("pendulum_hnn", trajectories=12, samples=30, noise=0.05, seed=0)
    discover(
        data, run=folder / "ranked.noether", oracle="p**2 - 3*cos(q)", steps=60, epochs=4, strict_angles=True, **QUICK
    )
    return folder / "ranked.noether"


@pytest.fixture(scope="session")
def run_without_laws(folder: Path) -> Path:
    """A damped oscillator."""
    data = simulate("damped_oscillator", trajectories=10, samples=40, noise=0.02, seed=0)
    discover(data, run=folder / "none.noether", rank=False, **QUICK)
    return folder / "none.noether"


@pytest.fixture(scope="session")
def vector_run(folder: Path) -> Path:
    """Kepler's laws, not ranked."""
    data = simulate("kepler", trajectories=10, samples=50, seed=0)
    discover(data, run=folder / "vectors.noether", rank=False, **QUICK)
    return folder / "vectors.noether"


@pytest.fixture(scope="session")
def lone_run(folder: Path) -> Path:
    """One long run of a weakly damped oscillator, judged in windows: its energy is conserved approximately."""
    t = np.arange(0, 60, 0.1)
    fade = np.exp(-0.004 * t)
    frame = pd.DataFrame({"t [s]": t, "x [m]": fade * np.cos(t), "v [m/s]": -fade * np.sin(t)})
    frame += np.random.default_rng(0).normal(scale=[0, 1e-3, 1e-3], size=frame.shape)
    discover(frame, run=folder / "lone.noether", rank=False, **QUICK)
    return folder / "lone.noether"


@pytest.fixture(scope="session")
def hostile_run(folder: Path) -> Path:
    """A spring whose columns, trajectories and file have names that would do harm in a page that believed them."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(8):
        t, size, phase = np.arange(40) * 0.1, rng.uniform(0.5, 2), rng.uniform(0, 6)
        label = HOSTILE[2] + str(k)
        x, v = size * np.cos(t + phase), -size * np.sin(t + phase)
        rows.append(pd.DataFrame({"trajectory": label, "t": t, HOSTILE[0]: x, HOSTILE[1] + "y" * 300: v}))
    path = folder / "<script>alert(3)<&script>.csv"
    pd.concat(rows).to_csv(path, index=False)
    discover(path, run=folder / "hostile.noether", steps=40, epochs=3, **QUICK)
    return folder / "hostile.noether"
