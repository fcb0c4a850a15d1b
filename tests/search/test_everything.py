"""Laws that a part of the data proposes, judged on all of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from noether_discover.data import reduction
from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import discover
from noether_discover.search.everything import figures
from noether_discover.search.evidence import gather
from noether_discover.search.fitting import ratios
from noether_discover.search.judging import drift_of
from noether_discover.settings import Settings
from noether_discover.stages import enumerated, searched
from noether_discover.verification import verify


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_trajectory_by_trajectory_gives_the_figures_of_all_together(noise: float) -> None:
    data = simulate("pendulum_hnn", noise=noise, seed=2)
    evidence = gather(data)
    settings = Settings(max_nodes=7, strict_angles=True, jobs=1)
    _, found, _ = searched(evidence, enumerated(data, settings), settings)
    (law,) = found.laws
    mine = figures(law.formula, law.values, data, evidence.noise_D)
    frames = evidence.whole_frame, evidence.whole_noise_frame
    ratio, chi2 = (float(ratios([law.formula], [law.values], frame)[0]) for frame in frames)
    drift = drift_of(law.formula, law.values, evidence)
    assert mine.chi2 == pytest.approx(chi2, rel=1e-6)
    assert mine.drift.rate == pytest.approx(drift.rate, rel=1e-6, abs=1e-15)
    assert mine.drift.error == pytest.approx(drift.error, rel=1e-6)
    if noise:
        assert mine.ratio == pytest.approx(ratio, rel=0.02)  # less what noise adds to a curved quantity
    else:
        assert mine.ratio < 1e-18  # what the assumed noise of rounding adds


def in_a_part(data: Trajectories, monkeypatch: pytest.MonkeyPatch) -> Trajectories:
    """Make the data too many: 20 of their trajectories propose."""
    monkeypatch.setattr(reduction, "MOST_ROWS", 1000)
    monkeypatch.setattr(reduction, "TRAJECTORIES", 20)
    part = reduction.reduced(data, 0)
    assert len(part) == 20
    return part


def test_what_holds_along_all_data_is_a_law(monkeypatch: pytest.MonkeyPatch) -> None:
    data = simulate("pendulum_hnn", trajectories=60, noise=0.01, seed=4)
    in_a_part(data, monkeypatch)
    answer = discover(data, rank=False, jobs=1)
    (law,) = answer.laws
    assert (law["formula"], law["verdict"]) == ("p**2 - a*cos(q)", "LAW")
    assert "along all 2,700 samples, found in 900 of them" in answer.reason


def test_a_run_of_a_part_is_verified_on_everything(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The figures that it reports are those of all rows, and so are those that are computed anew."""
    data = simulate("pendulum_hnn", trajectories=60, noise=0.01, seed=4)
    in_a_part(data, monkeypatch)
    discover(data, rank=False, jobs=1, run=tmp_path / "run.noether")
    found = verify(tmp_path / "run.noether", data)
    assert (found.same_data, found.holds, len(found.laws)) == (True, True, 1), found
    other = verify(tmp_path / "run.noether", simulate("pendulum_hnn", trajectories=60, noise=0.01, seed=5))
    assert (other.same_data, other.holds) == (False, True), other
    rng = np.random.default_rng(0)
    mixed = replace(data, states=tuple(rng.permutation(data.stacked)[: len(x)] for x in data.states))
    wrong = verify(tmp_path / "run.noether", mixed)
    assert not wrong.holds


def test_what_fails_along_trajectories_that_were_not_searched_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    data = simulate("pendulum_hnn", trajectories=60, noise=0.01, seed=3)
    part = in_a_part(data, monkeypatch)
    rng = np.random.default_rng(0)
    states = tuple(
        x if label in part.labels else rng.permutation(data.stacked)[: len(x)]
        for x, label in zip(data.states, data.labels, strict=True)
    )
    answer = discover(replace(data, states=states), rank=False, jobs=1)
    assert answer.laws == ()
    assert answer.verdict in ("NONE", "UNDECIDED")
