"""Each row of the table of operators keeps what it declares, and one more row is all that an operator needs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from noether_dsl.canonical import normal_forms
from noether_dsl.dimension import PURE, Dimension
from noether_dsl.enumeration import count, enumerate_formulas
from noether_dsl.formula import FormulaError, node, parameter, variable
from noether_dsl.grammar import Grammar
from noether_dsl.operators import (
    DEFAULT_OPERATORS,
    FREE,
    OPERATORS,
    TO_ANGLE,
    VECTOR_OPERATORS,
    Operand,
    Operator,
    register,
)
from noether_dsl.reading import dimension_of, evaluate, inside_domain, latex, parameter_dimensions, text, to_sympy
from noether_dsl.text import parse
from noether_dsl.vector import Vector

RAD = Dimension.of(rad=1)
METRE = Dimension.of(m=1)
EVERY = [pytest.param(row, id=name) for name, row in OPERATORS.items()]
ROWS = [pytest.param(row, id=name) for name, row in OPERATORS.items() if not row.of_vectors]
FUNCTIONS = [pytest.param(row, id=name) for name, row in OPERATORS.items() if row.arity == 1 and not row.of_vectors]
OF_VECTORS = [pytest.param(row, id=name) for name, row in OPERATORS.items() if row.of_vectors]
NUMBERS = np.array([-3.1, -2.2, -1.3, -0.4, -0.1, 0.2, 0.7, 1.1, 1.9, 2.8])
AWKWARD = np.array([-1e3, -2.0, -1.0, 0.0, 0.5, 3.0, 699.0, 701.0, 1e3])


def operands(row: Operator, numbers: np.ndarray = NUMBERS) -> list[np.ndarray]:
    """All combinations of numbers at which the row has a value."""
    columns = [np.array(column) for column in zip(*itertools.product(numbers, repeat=row.arity), strict=True)]
    inside = np.ones(len(columns[0]), bool) if row.inside is None else row.inside(*columns)
    return [column[inside] for column in columns]


def test_the_default_vocabulary_is_the_papers() -> None:
    assert set(DEFAULT_OPERATORS) == {"add", "sub", "mul", "div", "sin", "cos", "square"}
    more = {"exp", "log", "sqrt", "abs", "tan", "inverse", "cube", "tanh"}
    assert {name for name, row in OPERATORS.items() if not (row.default or row.of_vectors)} == more
    assert VECTOR_OPERATORS == ("dot", "cross", "norm")
    assert not set(VECTOR_OPERATORS) & set(DEFAULT_OPERATORS)
    assert all(name == row.name for name, row in OPERATORS.items())


@pytest.mark.parametrize("row", ROWS)
def test_numpy_torch_and_sympy_compute_the_same(row: Operator) -> None:
    """1e-13: each library rounds a function of one or two float64 numbers by itself."""
    columns = operands(row)
    by_numpy = row.compute(np, *columns)
    by_torch = row.compute(torch, *(torch.tensor(column) for column in columns))
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, rtol=1e-13, atol=1e-15)
    for i in range(0, len(by_numpy), 7):
        by_sympy = row.compute(sympy, *(sympy.Float(float(column[i]), 30) for column in columns))
        assert float(by_sympy) == pytest.approx(by_numpy[i], rel=1e-13)


@pytest.mark.parametrize("row", ROWS)
def test_inside_is_where_there_is_a_finite_value(row: Operator) -> None:
    columns = [np.array(c) for c in zip(*itertools.product(AWKWARD, repeat=row.arity), strict=True)]
    with np.errstate(all="ignore"):
        finite = np.isfinite(row.compute(np, *columns))
    inside = np.ones(len(columns[0]), bool) if row.inside is None else row.inside(*columns)
    assert not (inside & ~finite).any()
    if row.name != "exp":  # its limit is rounded down
        assert (inside == finite).all()


@pytest.mark.parametrize("row", ROWS)
def test_commutativity_is_as_declared(row: Operator) -> None:
    if row.arity == 1:
        assert not row.commutes
        return
    x, y = operands(row)
    same = np.allclose(row.compute(np, x, y), row.compute(np, y, x), rtol=1e-15)
    assert same == row.commutes


@pytest.mark.parametrize("row", FUNCTIONS)
def test_parity_is_as_declared(row: Operator) -> None:
    (x,) = operands(row)
    x = x[np.ones(len(x), bool) if row.inside is None else row.inside(-x)]
    if not len(x):
        assert row.parity == 0
        return
    there, back = row.compute(np, x), row.compute(np, -x)
    parity = -1 if np.allclose(back, -there) else 1 if np.allclose(back, there) else 0
    assert parity == row.parity


@pytest.mark.parametrize("row", FUNCTIONS)
def test_multiplicative_rows_let_a_coefficient_out(row: Operator) -> None:
    (x,) = operands(row)
    c, g = np.meshgrid(x, x)
    if row.multiplicative:
        np.testing.assert_allclose(row.compute(np, c * g), row.compute(np, c) * row.compute(np, g), rtol=1e-13)
    elif row.name != "sqrt":  # of positive numbers only, and a coefficient can be negative
        with np.errstate(all="ignore"):
            assert not np.allclose(row.compute(np, c * g), row.compute(np, c) * row.compute(np, g))


@pytest.mark.parametrize("row", FUNCTIONS)
def test_injective_rows_never_take_a_value_twice(row: Operator) -> None:
    (x,) = operands(row, np.concatenate([NUMBERS, -NUMBERS, NUMBERS + np.pi, np.linspace(-2, 2, 17)]))
    x = np.unique(x)
    distinct = len(np.unique(np.round(row.compute(np, x), 10)))
    assert (distinct == len(x)) == row.injective


@pytest.mark.parametrize("row", ROWS)
def test_nonnegative_rows_are_never_negative(row: Operator) -> None:
    assert (row.compute(np, *operands(row)) >= 0).all() == row.nonnegative


@pytest.mark.parametrize("row", FUNCTIONS)
def test_shifted_rows_are_another_row_at_another_phase(row: Operator) -> None:
    if row.shifted is None:
        return
    other = OPERATORS[row.shifted]
    np.testing.assert_allclose(row.compute(np, NUMBERS), other.compute(np, NUMBERS + np.pi / 2), atol=1e-15)


@pytest.mark.parametrize("row", FUNCTIONS)
def test_exponents_are_as_declared(row: Operator) -> None:
    (x,) = operands(row)
    if row.exponent is not None:
        np.testing.assert_allclose(row.compute(np, x), x ** float(row.exponent), rtol=1e-14)
        assert row.units.power == row.exponent
        assert str(parse(f"q**{row.exponent}")) == str(node(row.name, variable("q")))


def vectors(row: Operator, components: int, seed: int = 0) -> list[Vector]:
    """Drawn operands of vectors, a hundred of each."""
    drawn = np.random.default_rng(seed).normal(size=(row.arity, components, 100))
    return [Vector(tuple(parts)) for parts in drawn]


def parts(value: Any) -> np.ndarray:
    return np.array([np.asarray(part, float) for part in (value if isinstance(value, Vector) else (value,))])


@pytest.mark.parametrize("row", EVERY)
def test_the_rank_rule_is_what_compute_does(row: Operator) -> None:
    """Where the rule allows an operation its value has the rank that the rule says."""
    for ranks in itertools.product([0, 2, 3], repeat=row.arity):
        wanted = row.ranks.result(ranks)
        if wanted is None:
            continue
        operands = [np.array([0.3, 0.7]) if rank == 0 else vectors(row, rank)[0] for rank in ranks]
        value = row.compute(
            np, *(each.each(lambda x: x[:2]) if isinstance(each, Vector) else each for each in operands)
        )
        assert (len(value) if isinstance(value, Vector) else 0) == wanted
    assert row.of_vectors == (row.ranks.result((0,) * row.arity) is None)


@pytest.mark.parametrize("components", [2, 3])
@pytest.mark.parametrize("row", OF_VECTORS)
def test_facts_of_rows_of_vectors_are_as_declared(row: Operator, components: int) -> None:
    """1e-12: rounding of the sums of products."""
    operands = vectors(row, components)
    value = row.compute(np, *operands)
    if row.arity == 2:
        back = parts(row.compute(np, *operands[::-1]))
        assert np.allclose(back, parts(value), atol=1e-12) == row.commutes
        assert np.allclose(back, -parts(value), atol=1e-12) == row.antisymmetric
    assert (parts(value) >= 0).all() == row.nonnegative
    c = np.linspace(-2, 3, 100)
    for place in range(row.arity):
        scaled = parts(row.compute(np, *(c * v if k == place else v for k, v in enumerate(operands))))
        assert np.allclose(scaled, c * parts(value), atol=1e-12) == row.linear
        assert np.allclose(scaled, abs(c) * parts(value), atol=1e-12) == (row.multiplicative and row.parity == 1)
        moved = parts(row.compute(np, *(v + v if k == place else v for k, v in enumerate(operands))))
        np.testing.assert_allclose(moved, 2 * parts(value), atol=1e-12)


@pytest.mark.parametrize("components", [2, 3])
@pytest.mark.parametrize("row", OF_VECTORS)
def test_numpy_torch_and_sympy_compute_the_same_of_vectors(row: Operator, components: int) -> None:
    operands = vectors(row, components)
    value = parts(row.compute(np, *operands))
    by_torch = row.compute(torch, *(v.each(torch.tensor) for v in operands))
    np.testing.assert_allclose(parts(by_torch), value, rtol=1e-12, atol=1e-13)
    some = row.compute(sympy, *(v.each(lambda x: sympy.Float(float(x[7]), 30)) for v in operands))
    np.testing.assert_allclose(parts(some), value[:, 7], rtol=1e-12)


@pytest.mark.parametrize("angle", [RAD, PURE], ids=["strict", "pure"])
@pytest.mark.parametrize("row", EVERY)
def test_backwards_typing_fills_in_what_forwards_typing_accepts(row: Operator, angle: Dimension) -> None:
    kinds = [PURE, RAD, METRE, Dimension.of(m=2, s=-1), Dimension.of(kg=Fraction(1, 2))]
    accepted = 0
    for known in itertools.product(kinds, repeat=row.arity):
        result = row.units.forward(known, angle)
        if result is None:
            continue
        accepted += 1
        (dimension,) = result
        assert dimension is not FREE
        assert row.units.backward(dimension, known, angle) == known
        for hidden in itertools.product([False, True], repeat=row.arity):
            partly: tuple[Operand, ...] = tuple(FREE if h else k for h, k in zip(hidden, known, strict=True))
            assert row.units.forward(partly, angle) is not None
            filled = row.units.backward(dimension, partly, angle)
            assert row.units.forward(filled, angle) == (dimension,)
            assert all(p is FREE or p == f for p, f in zip(partly, filled, strict=True))
    assert accepted


@pytest.mark.parametrize("row", EVERY)
def test_a_power_is_known_as_one(row: Operator) -> None:
    if row.units.power is not None:
        assert row.units.forward((METRE,), RAD) == (METRE**row.units.power,)


def test_sums_of_different_units_and_sinusoids_of_lengths_do_not_exist() -> None:
    assert OPERATORS["add"].units.forward((METRE, RAD), RAD) is None
    assert OPERATORS["sin"].units.forward((METRE,), RAD) is None
    assert OPERATORS["sin"].units.forward((PURE,), RAD) is None
    assert OPERATORS["sin"].units.forward((RAD,), RAD) == (PURE,)
    assert OPERATORS["exp"].units.forward((RAD,), RAD) is None


@pytest.fixture
def atan() -> Iterator[str]:
    """One more row, for the length of a test."""
    before = dict(OPERATORS)
    register(
        Operator("atan", 1, TO_ANGLE, lambda m, x: m.atan(x), r"\arctan\left({0}\right)", injective=True, parity=-1)
    )
    yield "atan"
    OPERATORS.clear()
    OPERATORS.update(before)


def test_a_new_operator_is_one_row(atan: str) -> None:
    formula = parse("p*atan(q/p) - a", ["q", "p"])
    assert formula == node("sub", node("mul", variable("p"), node(atan, parse("q/p"))), parameter())
    assert parse(text(formula), ["q", "p"]) == formula
    assert "atan(q/p)" in str(formula)
    assert latex(node(atan, variable("theta"))) == r"\arctan\left(\theta\right)"

    metres = {"q": METRE, "p": METRE}
    assert dimension_of(parse("atan(q/p)"), metres, RAD) == RAD
    assert dimension_of(parse("sin(atan(q/p))"), metres, RAD) == PURE
    assert parameter_dimensions(parse("atan(a*q)", ["q"]), metres, RAD) == (METRE**-1,)

    q, p = np.array([0.3, -1.2]), np.array([2.0, 0.7])
    expected = p * np.arctan(q / p) - 0.5
    np.testing.assert_allclose(evaluate(formula, {"q": q, "p": p}, [0.5]), expected)
    tensors: dict[str, Any] = {"q": torch.tensor(q), "p": torch.tensor(p)}
    np.testing.assert_allclose(evaluate(formula, tensors, [0.5], torch).numpy(), expected)
    assert inside_domain(formula, {"q": q, "p": p}, [0.5]).all()
    symbols = to_sympy(formula, [0.5]).subs({"q": 0.3, "p": 2.0})
    assert float(symbols) == pytest.approx(expected[0], rel=1e-14)

    grammar = Grammar(
        (("q", METRE), ("p", METRE)), operators=(*DEFAULT_OPERATORS, atan), strict_angles=True, max_nodes=5
    )
    table, forms = enumerate_formulas(grammar), normal_forms(grammar)
    written = {str(table.formula(row)) for row in range(len(table))}
    assert {"atan(q/p)", "sin(atan(q/p))", "atan(a)"} <= written
    assert "atan(q)" not in written
    assert table.by_nodes().tolist() == count(grammar)
    kept = {str(forms.table.formula(row)) for row in forms.roots_F.tolist()}
    assert "sin(atan(q/p))" in kept
    assert "atan(q/p)" not in kept


def test_the_row_of_the_last_test_is_gone() -> None:
    assert "atan" not in OPERATORS
    with pytest.raises(FormulaError, match=re.escape('there is no function "atan"')):
        parse("atan(q)")
