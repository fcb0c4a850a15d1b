"""Pieces of motion so short that every column looks constant, or linear in time: there much looks like a law."""

from __future__ import annotations

import pytest
from noether_dsl.text import parse

from noether_discover import discover, systems
from noether_discover.search.evidence import gather
from noether_discover.search.known import LAW
from noether_discover.search.searching import search
from noether_discover.search.sums import summed
from noether_discover.search.verdicts import TRIVIAL
from noether_discover.settings import Settings
from noether_discover.stages import grammar_of


@pytest.mark.parametrize(
    ("system", "seed"), [pytest.param("duffing_forced", 251, marks=pytest.mark.slow), ("robertson", 211)]
)
def test_slopes_that_fitted_numbers_turn_are_no_law(system: str, seed: int) -> None:
    """Every one of these had such a sum that noise explained: x - a*s*v - b*c*v, (A - C)^2 - a*A^2."""
    data = systems.short_windows(system, seed, relative_noise=0.01, hints=False, trajectories=50, samples=40)
    assert [str(one) for one in summed(gather(data)).of_kind(LAW)] == []


@pytest.mark.slow
def test_a_column_that_moves_little_is_no_law_beside_one_that_is_constant() -> None:
    """The noise of the constant column hides what the other one does."""
    settings = {"relative_noise": 0.01, "hints": False, "trajectories": 30, "samples": 60}
    data = systems.short_windows("lagrange_top", 101, **settings)  # type: ignore[arg-type]
    evidence = gather(data)
    assert evidence.constant == {"M3"}
    formula = parse("M3 + cos(g3)", data.symbols)
    found = search([formula], grammar_of(data, Settings()), evidence)
    assert [j.verdict for j in found.judgements] == [TRIVIAL]
    assert [str(law.formula) for law in found.laws if law.verdict == "LAW"] == []


@pytest.mark.slow
def test_a_column_that_noise_hides_the_drift_of_is_no_law_of_its_own() -> None:
    """In half a percent of two bodies' orbits a momentum moves less than its noise; constant columns have a test."""
    data = systems.short_windows("two_body", 141, trajectories=30, samples=60, relative_noise=0.01, hints=False)
    answer = discover(data, rank=False, jobs=1)  # sums and whole formulas
    assert [law.expression for law in answer.laws if law.verdict == "LAW"] == []
