"""What the benchmarks of laws stand on: runs that are kept, a bound on a rate, answers read back, the baseline."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from noether_discover.data.systems import SYSTEMS, simulate

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import kept_runs
import laws_by_eigenproblem
import laws_methods
import laws_score
import no_false_laws

CASES = [{"method": "a", "number": number} for number in range(3)]


def doubled(case: dict, old: dict | None) -> dict:
    """What a benchmark measures: it says whether it measured, or only judged what was there."""
    return {"twice": 2 * case["number"], "measured": old is None}


def rows(path: Path, code: str = "1", judge: str = "1", cases: list = CASES) -> list[dict]:
    return kept_runs.measured(path, cases, doubled, {"a": code}, judge, jobs=1, told=lambda row: "")


def test_what_was_measured_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    first = rows(path, cases=CASES[:2])
    path.write_text(path.read_text() + '{"case": {"method": "a", "num')  # cut off while it was written
    path.write_text(path.read_text() + "\n")
    assert rows(path)[:2] == first
    assert [row["twice"] for row in rows(path)] == [0, 2, 4]
    assert len(path.read_text().splitlines()) == 4


def test_other_code_measures_again_and_another_judge_only_judges(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert all(row["measured"] for row in rows(path))
    assert not any(row["measured"] for row in rows(path, judge="2"))
    again = rows(path, code="2", judge="2")
    assert all(row["measured"] for row in again)
    kept_runs.keep_only(path, again)
    assert [json.loads(line) for line in path.read_text().splitlines()] == again


@pytest.mark.parametrize(("false", "of", "at_most"), [(0, 300, 0.0099361), (1, 330, 0.0142941), (3, 3, 1.0)])
def test_the_bound_on_a_rate_is_clopper_and_pearsons(false: int, of: int, at_most: float) -> None:
    """The 95 % quantile of a beta distribution with false + 1 and of - false, from a table."""
    assert no_false_laws.bound(false, of) == pytest.approx(at_most, rel=1e-4)


def test_no_data_set_is_drawn_twice() -> None:
    drawn = [kept_runs.name(case) for case in no_false_laws.cases()]
    assert len(set(drawn)) == len(drawn) >= 300


@pytest.mark.parametrize("number", [0, 110, 220, 300])
def test_every_kind_of_data_set_can_be_made(number: int) -> None:
    case = no_false_laws.cases()[number]
    assert len(no_false_laws.data_of(case)) == case["trajectories"]


def test_a_vector_is_as_many_laws_as_it_has_components() -> None:
    """The momentum of two bodies, as a discovery of grouped columns says it."""
    world = SYSTEMS["two_body"]
    data = simulate(world, trajectories=10, samples=20)
    momentum = {
        "verdict": "LAW",
        "formula": "p1 + p2",
        "parameters": [],
        "vectors": {name: list(group) for name, group in data.vectors if name in ("p1", "p2")},
    }
    answer = laws_methods.answer_of({"symbols": list(data.symbols), "constant": [], "laws": [momentum]})
    judged = laws_score.score(world, answer, data.states)
    assert (judged.claimed, judged.right, judged.wanted, judged.false) == (2, 2, 5, 0)
    assert judged.coefficients == (0.0, 0.0)


def test_the_baseline_is_perfect_where_the_laws_are_polynomials_and_there_is_no_noise() -> None:
    data = simulate("oscillator_2d", hints=False)
    claims = laws_by_eigenproblem.default(data, 0.0)
    judged = laws_score.score(SYSTEMS["oscillator_2d"], laws_score.Answer(claims), data.states)
    assert judged.exact
    assert judged.coefficients == ()  # nobody is told any


def test_polynomials_are_products_of_standardised_columns() -> None:
    data = simulate("euler_top", trajectories=5, samples=10, hints=False)
    library = laws_by_eigenproblem.Polynomials(data)
    z = (data.stacked - data.stacked.mean(axis=0)) / data.stacked.std(axis=0)
    assert len(library.terms) == 34
    assert np.allclose(library(data.stacked)[:, library.terms.index((0, 0, 2, 2))], z[:, 0] ** 2 * z[:, 2] ** 2)
