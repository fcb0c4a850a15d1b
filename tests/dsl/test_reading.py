"""The readings of a formula agree with one another."""

from __future__ import annotations

import re

import numpy as np
import pytest
from noether_dsl.dimension import PURE, Dimension, DimensionError
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.formula import PARAMETER, Formula, fold, node, parameter, variable
from noether_dsl.grammar import Grammar
from noether_dsl.operators import FREE, OPERATORS
from noether_dsl.reading import (
    angle_dimension,
    dimension_of,
    divisors,
    evaluate,
    inside_domain,
    latex,
    latex_symbol,
    numpy_code,
    parameter_dimensions,
    text,
    to_sympy,
)
from noether_dsl.text import parameter_names, parse

RAD, METRE, MOMENTUM = Dimension.of(rad=1), Dimension.of(m=1), Dimension.of(kg=1, m=1, s=-1)
PENDULUM = {"q": RAD, "p": MOMENTUM}
GRAMMAR = Grammar(tuple(PENDULUM.items()), strict_angles=True, max_nodes=5)
EVERY = Grammar((("q", PURE), ("p", PURE)), operators=tuple(OPERATORS), max_nodes=4)


def formulas(grammar: Grammar) -> list[Formula]:
    table = enumerate_formulas(grammar)
    return [table.formula(row) for row in range(len(table))]


SMALL, WIDE = formulas(GRAMMAR), formulas(EVERY)
COLUMNS = {"q": np.array([0.4, -1.1, 2.3]), "p": np.array([1.7, 0.6, -0.9])}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("p**2 - a*cos(q)", r"p^{2} - a \, \cos\left(q\right)"),
        ("(p + q)**2/(q - p)", r"\frac{\left(p + q\right)^{2}}{q - p}"),
        ("(q/p)**2", r"\left(\frac{q}{p}\right)^{2}"),
        ("(q**2)**2", r"\left(q^{2}\right)^{2}"),
        ("a*(q + p)", r"a \, \left(p + q\right)"),
        ("q - (p - a)", r"q - \left(p - a\right)"),
        ("sqrt(q + p)", r"\sqrt{p + q}"),
        ("abs(q) + log(p)", r"\left|q\right| + \ln\left(p\right)"),
        ("inverse(q)", r"q^{-1}"),
        ("theta1**2", r"\theta_{1}^{2}"),
        ("q.x*omega", r"\omega \, q_{x}"),
    ],
)
def test_latex_of_known_formulas(written: str, expected: str) -> None:
    assert latex(parse(written, ["p", "q", "theta1", "q.x", "omega"])) == expected


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("q", "q"),
        ("speed", r"\mathrm{speed}"),
        ("theta", r"\theta"),
        ("theta1", r"\theta_{1}"),
        ("Omega_2", r"\Omega_{2}"),
        ("Alpha", r"\alpha"),
        ("θ", r"\theta"),
        ("Δ_x", r"\Delta_{x}"),
        ("x_dot", r"\dot{x}"),
        ("thetadot", r"\dot{\theta}"),
        ("x" + "_dot" * 3000, r"\dot{x}_{" + ",".join([r"\mathrm{dot}"] * 2999) + "}"),  # a name may be anything
        ("speed_dot", r"\mathrm{speed}_{\mathrm{dot}}"),
        ("q.x", "q_{x}"),
        ("a_b_c", "a_{b,c}"),
        ("100%", r"\mathrm{100\%}"),
        ("q_%", r"q_{\mathrm{\%}}"),
        ("cost $", r"\mathrm{cost\ \$}"),
        ("12", r"\mathrm{12}"),
    ],
)
def test_names_of_columns_as_symbols(name: str, symbol: str) -> None:
    assert latex_symbol(name) == symbol


def test_latex_is_balanced() -> None:
    for formula in SMALL + WIDE:
        written = latex(formula)
        level = 0
        for character in re.sub(r"\\[{}]", "", written):
            level += (character == "{") - (character == "}")
            assert level >= 0, written
        assert level == 0, written
        assert written.count(r"\left") == written.count(r"\right"), written
        assert "{{" not in written.replace("{{{", "")


def test_latex_of_different_formulas_is_different() -> None:
    assert len({latex(formula) for formula in SMALL}) >= 0.97 * len(SMALL)  # p (q a) and p q a look alike
    assert len({text(formula) for formula in SMALL}) == len(SMALL)


def test_numbers_can_stand_for_parameters() -> None:
    formula = parse("p**2 - a*cos(b*q)")
    numbers = ["-2.5", "3"]
    spelled = text(formula, lambda leaf, number: numbers[number] if number >= 0 else leaf.name)
    assert spelled == "p**2 - (-2.5)*cos(3*q)"
    assert latex(formula, lambda leaf, number: numbers[number] if number >= 0 else leaf.name) == (
        r"p^{2} - \left(-2.5\right) \, \cos\left(3 \, q\right)"
    )


def test_the_numpy_code_computes_what_evaluate_does() -> None:
    for formula in SMALL[::3] + WIDE[::7]:
        drawn = [0.3 + 0.4 * k for k in range(formula.parameters)]
        names = dict(zip(parameter_names(formula), drawn, strict=True))
        with np.errstate(all="ignore"):
            by_code = eval(numpy_code(formula), {"np": np, **COLUMNS, **names})
            np.testing.assert_allclose(by_code, evaluate(formula, COLUMNS, drawn), rtol=1e-9)


def test_sympy_computes_what_numpy_does() -> None:
    """1e-9: sympy sorts its sums and products in another order."""
    for formula in SMALL[::23]:
        drawn = [0.3 + 0.4 * k for k in range(formula.parameters)]
        if not inside_domain(formula, {"q": np.array(0.4), "p": np.array(1.7)}, drawn):
            continue
        expression = to_sympy(formula, drawn)
        expected = evaluate(formula, {"q": np.array(0.4), "p": np.array(1.7)}, drawn)
        assert float(expression.subs({"q": 0.4, "p": 1.7})) == pytest.approx(float(expected), rel=1e-9, abs=1e-12)
    assert str(to_sympy(parse("p**2 - a*cos(q)"))) == "-a*cos(q) + p**2"


def test_the_domain_is_where_every_operation_has_a_finite_value() -> None:
    q = {"q": np.array([-1.0, 0.0, 1.0, 800.0])}
    assert inside_domain(parse("1/q"), q, [1.0]).tolist() == [True, False, True, True]
    assert inside_domain(parse("sqrt(q)"), q, []).tolist() == [False, True, True, True]
    assert inside_domain(parse("1/exp(q)"), q, [1.0]).tolist() == [True, True, True, False]
    assert inside_domain(parse("log(q)**2"), q, []).tolist() == [False, False, True, True]
    assert inside_domain(parameter(), q, [2.0]).all()


def test_divisors_change_sign_at_a_pole() -> None:
    q = {"q": np.array([-1.0, 2.0])}
    found = divisors(parse("a/(q - b) + inverse(q)"), q, [1.0, 0.5])
    assert [values.tolist() for values in found] == [[-1.0, 2.0], [-1.5, 1.5]]


def test_inferred_units_make_a_formula_sound() -> None:
    """With each parameter an input of the unit that was inferred for it, the formula types as before."""
    for formula in SMALL:
        for result in (PURE, METRE):
            units = parameter_dimensions(formula, PENDULUM, RAD, result)
            named = fold(
                formula,
                lambda leaf, number: variable(f"u{number}") if leaf.head == PARAMETER else leaf,
                lambda part, operands: Formula(part.head, "", operands),
            )
            inputs = {**PENDULUM, **{f"u{k}": unit for k, unit in enumerate(units)}}
            own = dimension_of(formula, PENDULUM, RAD)
            assert dimension_of(named, inputs, RAD) == (result if own is FREE else own)


def test_the_pendulums_parameter_is_an_energy_squared_momentum() -> None:
    assert parameter_dimensions(parse("p**2 - a*cos(b*q)"), PENDULUM, RAD) == (MOMENTUM**2, PURE)
    assert parameter_dimensions(parse("q + a*p"), PENDULUM, RAD) == (RAD / MOMENTUM,)
    fixed = node("mul", parameter("kg"), variable("q"))
    assert parameter_dimensions(fixed, {"q": METRE}) == (Dimension.of(kg=1),)
    assert dimension_of(fixed, {"q": METRE}) == Dimension.of(kg=1, m=1)


def test_incompatible_units_get_a_sentence() -> None:
    with pytest.raises(DimensionError, match=r'cannot add a pure number and kg\^2\*m\^2/s\^2 in "cos\(q\) \+ p'):
        dimension_of(parse("p**2 + cos(q)"), PENDULUM, RAD)
    with pytest.raises(DimensionError, match=r'cannot sin kg\*m/s in "sin\(p\)"; it takes an angle'):
        dimension_of(parse("sin(p)"), PENDULUM, RAD)
    with pytest.raises(DimensionError, match="it takes a pure number"):
        dimension_of(parse("sin(p)"), PENDULUM, PURE)


def test_an_angle_is_a_dimension_or_a_number() -> None:
    assert angle_dimension(True) == RAD
    assert angle_dimension(False) == PURE
