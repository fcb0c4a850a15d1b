"""Formulas are plain data: equal up to commutativity means equal objects."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noether_dsl.formula import Formula, FormulaError, fold, node, parameter, variable
from noether_dsl.text import parse

LEAVES = st.sampled_from([variable("q"), variable("p"), parameter()])
FORMULAS = st.recursive(
    LEAVES,
    lambda smaller: st.one_of(
        st.builds(node, st.sampled_from(["add", "sub", "mul", "div"]), smaller, smaller),
        st.builds(node, st.sampled_from(["sin", "square"]), smaller),
    ),
    max_leaves=12,
)


@given(FORMULAS, FORMULAS)
def test_only_sums_and_products_commute(x: Formula, y: Formula) -> None:
    assert node("add", x, y) == node("add", y, x)
    assert node("mul", x, y) == node("mul", y, x)
    assert (node("sub", x, y) == node("sub", y, x)) == (x == y)
    assert (node("div", x, y) == node("div", y, x)) == (x == y)


@given(FORMULAS)
def test_sizes_agree_with_the_fold(formula: Formula) -> None:
    nodes = fold(formula, lambda leaf, number: 1, lambda part, sizes: 1 + sum(sizes))
    depth = fold(formula, lambda leaf, number: 1, lambda part, depths: 1 + max(depths))
    assert (formula.nodes, formula.depth) == (nodes, depth)
    assert formula.depth <= formula.nodes


@given(FORMULAS)
def test_parameters_are_numbered_left_to_right(formula: Formula) -> None:
    numbers: list[int] = []
    fold(formula, lambda leaf, number: numbers.append(number), lambda part, operands: None)
    assert [n for n in numbers if n >= 0] == list(range(formula.parameters))
    assert len(numbers) == len(list(formula.leaves))
    assert {leaf.name for leaf in formula.leaves if leaf.head == "input"} == formula.inputs


@given(FORMULAS)
def test_formulas_survive_pickling_and_are_keys(formula: Formula) -> None:
    copy = pickle.loads(pickle.dumps(formula))
    assert copy == formula
    assert {formula: 1}[copy] == 1


def test_the_papers_energy_has_seven_nodes() -> None:
    assert parse("p**2 - a*cos(q)").nodes == 7
    assert parse("p**2 - a*cos(q)").depth == 4


def test_a_wrong_number_of_operands_is_refused() -> None:
    with pytest.raises(FormulaError, match="add takes 2 operands, not 1"):
        node("add", variable("q"))
    with pytest.raises(FormulaError, match='there is no operator "foo"'):
        node("foo", variable("q"))
