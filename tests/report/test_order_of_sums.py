"""What a screen says of a law: sums in the order people write them, counts that frighten nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noether_dsl.formula import Formula, node, parameter, variable
from noether_dsl.reading import evaluate
from noether_dsl.text import parameter_names, parse_sentence

from noether_discover.report.export import parameters_in_words
from noether_discover.report.ordering import ordered_formula
from noether_discover.report.wording import tally_in_words, with_error


def law_of(formula: Formula) -> dict[str, object]:
    return {"formula": str(formula), "parameters": [{"name": name} for name in parameter_names(formula)]}


@pytest.mark.parametrize(
    ("formula", "shown"),
    [
        ("a*cos(q) + p**2", "p**2 + a*cos(q)"),
        ("cos(q) - p**2", "cos(q) - p**2"),
        ("a*x**2 + (y - z)", "y - z + a*x**2"),
        ("a - (x + b*sin(y))", "a - x - b*sin(y)"),
        ("(x**2)**2 + a*y", "x**4 + a*y"),
        ("(x*y)**2", "(x*y)**2"),
        ("a*(cos(y) + x**2)", "a*(x**2 + cos(y))"),
        ("x - (y - z)", "x - y + z"),
    ],
)
def test_powers_come_first_and_the_first_term_is_positive(formula: str, shown: str) -> None:
    names = [n for n in "ab" if n in formula]
    assert ordered_formula({"formula": formula, "parameters": [{"name": n} for n in names]}) == shown


LEAVES = st.sampled_from([variable("x"), variable("y"), parameter()])
FORMULAS = st.recursive(
    LEAVES,
    lambda inside: (
        st.builds(node, st.sampled_from(["square", "cube", "sin", "inverse", "abs"]), inside)
        | st.builds(node, st.sampled_from(["add", "sub", "mul", "div"]), inside, inside)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(FORMULAS)
def test_the_order_changes_no_value_and_no_letter(formula: Formula) -> None:
    law = law_of(formula)
    letters = parameter_names(formula)
    values = {name: 0.7 + 0.31 * k for k, name in enumerate(letters)}
    again = parse_sentence(ordered_formula(law), lambda name: name not in letters)
    with np.errstate(all="ignore"):
        columns = {"x": np.float64(1.3), "y": np.float64(-0.4)}
        before = evaluate(formula, columns, [values[name] for name in letters])
        after = evaluate(again.formula, columns, [values[name] for name in again.names])
    if np.isfinite(before) and abs(before) < 1e6:
        assert after == pytest.approx(before, rel=1e-6, abs=1e-6)


def test_a_law_beside_hundreds_of_failures_is_told_calmly() -> None:
    said = tally_in_words({"LAW": 1, "NOT_CONSERVED": 806, "UNDEFINED": 3})
    assert said == "of 810 whole formulas tried, 1 holds; the others: 806 not conserved, 3 undefined on these data"
    assert tally_in_words({"NOT_CONSERVED": 806}) == "806 whole formulas were tried besides: 806 not conserved"
    assert "_" not in said


def test_an_error_that_cannot_be_computed_is_no_undetermined_number() -> None:
    assert with_error(2.5, math.nan) == "2.5 (no error)"
    law = {"parameters": [{"name": "a", "value": 2.5, "standard_error": None, "unit": "1"}]}
    assert parameters_in_words(law) == "a = 2.5 (undetermined)"
    assert parameters_in_words({**law, "errors_missing": "at some measured states (log)"}) == "a = 2.5 (no error)"


def test_formulas_that_nobody_judged_are_not_said_to_be_tried() -> None:
    assert tally_in_words({"NOT_JUDGED": 1736}) == "1,736 whole formulas were not judged beside the sums"
