"""Formulas with vectors: all readings agree, components say the same, and nothing depends on the axes."""

from __future__ import annotations

import pickle
import time
from typing import Any

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from noether_dsl.canonical import normal_forms
from noether_dsl.components import components, valued_components
from noether_dsl.dimension import PURE, Dimension, DimensionError
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.formula import Formula, FormulaError, node, parameter, variable, vector
from noether_dsl.grammar import Grammar
from noether_dsl.operators import FREE
from noether_dsl.reading import (
    dimension_of,
    divisors,
    evaluate,
    inside_domain,
    latex,
    numpy_code,
    parameter_dimensions,
    to_sympy,
    torch_code,
)
from noether_dsl.text import parameter_names, parse
from noether_dsl.vector import Vector

METRE, SPEED = Dimension.of(m=1), Dimension.of(m=1, s=-1)
PLANE = {"q": ("q.x", "q.y"), "v": ("v.x", "v.y")}
SPACE = {"q": ("q.x", "q.y", "q.z"), "v": ("v.x", "v.y", "v.z")}
UNITS = {name: METRE if name.startswith("q") else SPEED for name in (*SPACE["q"], *SPACE["v"])}
BOTH = pytest.mark.parametrize("vectors", [PLANE, SPACE], ids=["plane", "space"])


def grammar(vectors: dict[str, tuple[str, ...]], nodes: int, pure: bool = False) -> Grammar:
    inputs = tuple((name, PURE if pure else UNITS[name]) for group in vectors.values() for name in group)
    return Grammar(inputs, max_nodes=nodes, vectors=tuple(vectors.items()))


def formulas(vectors: dict[str, tuple[str, ...]], nodes: int) -> list[Formula]:
    """Numbers and vectors of up to so many nodes."""
    table = enumerate_formulas(grammar(vectors, nodes, pure=True))
    return [table.formula(row) for row in range(len(table))]


SOME = {len(vectors["q"]): formulas(vectors, 5)[::7] + formulas(vectors, 3) for vectors in (PLANE, SPACE)}


def states(vectors: dict[str, tuple[str, ...]], seed: int = 0, samples: int = 5) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.3, 1.7, samples) for group in vectors.values() for name in group}


def parts(value: Any, samples: int = 5) -> np.ndarray:
    """[n, N]"""
    each = value if isinstance(value, Vector) else (value,)
    return np.array([np.broadcast_to(np.asarray(part, float), samples) for part in each])


def numbers(formula: Formula) -> list[float]:
    return [0.7 + 0.3 * k for k in range(formula.parameters)]


@BOTH
def test_numpy_torch_sympy_code_and_components_agree(vectors: dict[str, tuple[str, ...]]) -> None:
    """1e-9: sums are taken in another order, and differences of nearly equal products magnify that."""
    columns = states(vectors)
    tensors: dict[str, Any] = {name: torch.tensor(x) for name, x in columns.items()}
    spelled = {name: name.replace(".", "_") for name in columns}
    for formula in SOME[len(vectors["q"])]:
        given, names = numbers(formula), parameter_names(formula)
        fitted = [torch.tensor(number, dtype=torch.float64) for number in given]
        with np.errstate(all="ignore"):
            expected = parts(evaluate(formula, columns, given))
            by_parts = [parts(evaluate(f, columns, v))[0] for f, v in valued_components(formula, given)]
        assert len(by_parts) == max(formula.rank, 1)
        close = {"rtol": 1e-9, "atol": 1e-9 * max(1.0, float(np.abs(expected[np.isfinite(expected)]).max(initial=0)))}
        np.testing.assert_allclose(by_parts, expected, **close)
        np.testing.assert_allclose(parts(evaluate(formula, tensors, fitted, torch)), expected, **close)

        def leaf(part: Formula, number: int, names: tuple[str, ...] = names) -> str:
            return names[number] if number >= 0 else spelled[part.name]

        known = {**{spelled[name]: x for name, x in columns.items()}, **dict(zip(names, given, strict=True))}
        with np.errstate(all="ignore"):
            by_code = np.asarray(eval(numpy_code(formula, leaf), {"np": np}, known))
        by_code = by_code.T if formula.rank else np.broadcast_to(by_code, 5)[None]
        np.testing.assert_allclose(by_code, expected, **close)
    for formula in SOME[len(vectors["q"])][::9]:
        given = numbers(formula)
        expected = parts(evaluate(formula, {name: x[0] for name, x in columns.items()}, given), 1)[:, 0]
        if np.isfinite(expected).all():
            by_sympy = to_sympy(formula, given).subs({name: float(x[0]) for name, x in columns.items()})
            assert [float(x) for x in (by_sympy if formula.rank else [by_sympy])] == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20)
@given(st.floats(0.1, 6.2), st.integers(0, 99))
@pytest.mark.parametrize("vectors", [PLANE, SPACE], ids=["plane", "space"])
def test_numbers_do_not_depend_on_the_axes_and_vectors_turn_with_them(
    vectors: dict[str, tuple[str, ...]], angle: float, seed: int
) -> None:
    n = len(vectors["q"])
    turn_nn = np.eye(n)
    turn_nn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    if n == 3:
        turn_nn = np.roll(turn_nn, seed % 3, axis=(0, 1)) @ turn_nn
    columns = states(vectors, seed)
    turned = {}
    for group in vectors.values():
        turned |= dict(zip(group, turn_nn @ np.array([columns[name] for name in group]), strict=True))
    for formula in SOME[n][::3]:
        with np.errstate(all="ignore"):
            here, there = (parts(evaluate(formula, x, numbers(formula))) for x in (columns, turned))
        size = np.abs(here).max()
        if size < 1e6:  # a denominator that is nearly zero magnifies rounding
            np.testing.assert_allclose(there, turn_nn @ here if formula.rank else here, atol=1e-7 * max(size, 1.0))


@BOTH
def test_what_is_written_is_read_back(vectors: dict[str, tuple[str, ...]]) -> None:
    for formula in SOME[len(vectors["q"])]:
        assert parse(str(formula), formula.inputs, vectors) == formula
        assert parse(str(formula), formula.inputs, formula.vectors) == formula
        assert pickle.loads(pickle.dumps(formula)) == formula
        assert eval(repr(formula)) == formula


def test_components_are_read_by_the_dot_and_by_their_symbols() -> None:
    plane = {"q": ("q_x", "q_y"), "v": ("u", "w")}
    assert parse("v.x*q.y - q_x*w", [], plane) == parse("u*q_y - q_x*w", ["u", "q_y", "q_x", "w"])
    assert parse("v.z", [], plane).parameters == 1
    assert parse("norm(q)", ["q"], plane).inputs == {"q_x", "q_y"}
    assert parse("Dot(q, a*v)", [], plane).vectors == {"q": ("q_x", "q_y"), "v": ("u", "w")}


def test_a_vector_stands_for_its_components() -> None:
    def written(text: str, vectors: dict[str, tuple[str, ...]]) -> list[str]:
        return [str(part) for part in components(parse(text, [], vectors))]

    plane, space = {"q": ("x", "y"), "v": ("u", "w")}, {"q": ("x", "y", "z"), "v": ("t", "u", "w")}
    assert written("cross(q, v)", plane) == ["w*x - u*y"]
    assert written("cross(q, v)", space) == ["w*y - u*z", "t*z - w*x", "u*x - t*y"]
    assert written("v**2 - a/norm(q)", plane) == ["u**2 + w**2 - a/sqrt(x**2 + y**2)"]
    assert written("dot(q, q)", plane) == ["x**2 + y**2"]
    assert written("a*q/norm(v)", plane) == ["a*x/sqrt(u**2 + w**2)", "a*y/sqrt(u**2 + w**2)"]
    assert written("sin(a)*v", plane) == ["u*sin(a)", "w*sin(a)"]
    assert written("sin(s)", plane) == ["sin(a)"]


def test_a_parameter_beside_a_vector_stands_in_every_component() -> None:
    formula = parse("b*norm(q + a*v)", [], PLANE)
    ((written, values),) = valued_components(formula, (2.0, 3.0))
    assert str(written) == "a*sqrt((q.x + b*v.x)**2 + (q.y + c*v.y)**2)"
    assert values == (2.0, 3.0, 3.0)
    ((_, places),) = valued_components(formula, range(2))
    assert places == (0, 1, 1)
    assert [places for _, places in valued_components(parse("a*q + b*v", [], SPACE), "ab")] == [("a", "b")] * 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dot(q, v)", r"\mathbf{q} \cdot \mathbf{v}"),
        ("cross(q, v)", r"\mathbf{q} \times \mathbf{v}"),
        ("v**2 - a/norm(q)", r"\mathbf{v}^{2} - \frac{a}{\left|\mathbf{q}\right|}"),
        ("norm(q - v)", r"\left|\mathbf{q} - \mathbf{v}\right|"),
        ("cross(v, cross(q, v))", r"\mathbf{v} \times \left(\mathbf{q} \times \mathbf{v}\right)"),
        ("dot(q + v, v)", r"\mathbf{v} \cdot \left(\mathbf{q} + \mathbf{v}\right)"),
        ("v - a*dot(q, v)*q", r"\mathbf{v} - a \, \left(\mathbf{q} \cdot \mathbf{v}\right) \, \mathbf{q}"),
        ("q.x - dot(q, v)", r"q_{x} - \mathbf{q} \cdot \mathbf{v}"),
        ("dot(q, v)**2", r"\left(\mathbf{q} \cdot \mathbf{v}\right)^{2}"),
        ("dot(q1, omega)", r"\boldsymbol{\omega} \cdot \mathbf{q}_{1}"),
        ("norm(speed_2)", r"\left|\mathbf{speed}_{2}\right|"),
    ],
)
def test_latex_sets_vectors_in_bold(text: str, expected: str) -> None:
    more = {name: (f"{name}.x", f"{name}.y", f"{name}.z") for name in ("q1", "omega", "speed_2")}
    assert latex(parse(text, [], {**SPACE, **more})) == expected


def test_sympy_gets_components_and_matrices() -> None:
    x, y, u, w = (sympy.Symbol(name) for name in ("q.x", "q.y", "v.x", "v.y"))
    assert to_sympy(parse("cross(q, v)", [], PLANE)) == x * w - y * u
    assert to_sympy(parse("q - v/2", [], PLANE), [2.0]) == sympy.Matrix([x - u / 2.0, y - w / 2.0])
    assert torch_code(parse("q*q**2", [], PLANE)) == ("torch.stack((q.x*(q.x**2 + q.y**2), q.y*(q.x**2 + q.y**2)), -1)")


def test_units_of_vectors_are_those_of_their_components() -> None:
    def dimension(text: str) -> Any:
        return dimension_of(parse(text, [], SPACE), UNITS)

    assert dimension("cross(q, v)") == dimension("dot(q, v)") == METRE * SPEED
    assert dimension("norm(q)") == dimension("q") == METRE
    assert dimension("q**2") == METRE**2
    assert dimension("a*q") is FREE
    assert parameter_dimensions(parse("v**2 - a/norm(q)", [], SPACE), UNITS) == (SPEED**2 * METRE,)
    assert parameter_dimensions(parse("norm(q + a*v)", [], SPACE), UNITS) == (METRE / SPEED,)
    with pytest.raises(DimensionError, match="cannot add m and m/s"):
        dimension("q + v")
    with pytest.raises(DimensionError, match='the components of "q" differ in unit'):
        dimension_of(parse("norm(q)", [], PLANE), {"q.x": METRE, "q.y": SPEED})
    with pytest.raises(FormulaError, match=r'dot cannot take a number and a vector of 3 in "dot\(a, q\)"'):
        dimension_of(node("dot", parameter(), vector("q", SPACE["q"])), UNITS)


def test_the_rank_of_an_unsound_formula_is_an_error() -> None:
    q, v, s = vector("q", PLANE["q"]), vector("v", SPACE["v"]), variable("s")
    sound = (q, v, s, node("mul", s, q), node("cross", q, q), node("cross", v, v))
    assert [formula.rank for formula in sound] == [2, 3, 0, 2, 0, 3]
    for unsound in (node("add", q, s), node("sub", q, v), node("mul", q, q), node("div", s, q), node("cross", q, v)):
        with pytest.raises(FormulaError, match="cannot take"):
            _ = unsound.rank


def test_poles_and_domains_of_formulas_with_vectors() -> None:
    columns = {"q.x": np.array([0.0, 3.0]), "q.y": np.array([0.0, 4.0]), "v.x": np.ones(2), "v.y": np.ones(2)}
    inverse = parse("v/norm(q)", [], PLANE)
    assert inside_domain(inverse, columns, []).tolist() == [False, True]
    assert [x.tolist() for x in divisors(inverse, columns, [])] == [[0.0, 5.0]]
    assert [x.tolist() for x in divisors(parse("a/dot(q, v)**2", [], PLANE), columns, [1.0])] == [[0.0, 7.0]]
    assert [x.tolist() for x in divisors(parse("a/(norm(q)*q**2)", [], PLANE), columns, [1.0])] == [[0, 5], [0, 25]]


def test_the_laws_of_kepler_are_kept_in_the_normal_form() -> None:
    def kept(vectors: dict[str, tuple[str, ...]]) -> tuple[set[str], set[str]]:
        forms = normal_forms(grammar(vectors, 7))
        return tuple({str(forms.table.formula(row)) for row in rows} for rows in (forms.roots_F, forms.vectors_F))

    plane, _ = kept(PLANE)
    assert {"v**2 + a/norm(q)", "cross(q, v)", "dot(q, v)"} <= plane
    assert parse("v**2 - a/norm(q)", [], PLANE).nodes == 7
    assert not {"cross(v, q)", "cross(q, q)", "norm(q)", "dot(q, q)", "q", "a*cross(q, v)"} & plane
    numbers, vectors = kept(SPACE)
    assert "v**2 + a/norm(q)" in numbers
    assert {"cross(q, v)", "cross(v, cross(q, v))", "q/norm(q)", "q + a*v"} <= vectors
    assert not {"cross(v, q)", "a*q", "dot(q, v)", "cross(a*q, v)"} & vectors


def test_two_vectors_up_to_ten_nodes_take_no_time() -> None:
    """About half a second of processor time; four times that is allowed."""
    began = time.process_time()
    assert normal_forms(grammar(SPACE, 10)).by_nodes().tolist()[:7] == [0, 2, 1, 2, 30, 89, 323]
    assert time.process_time() - began < 2


def test_grammars_with_vectors_have_a_digest_of_their_own() -> None:
    plane = grammar(PLANE, 5)
    swapped = Grammar(plane.inputs, max_nodes=5, vectors=(("q", ("q.y", "q.x")), plane.vectors[1]))
    without = Grammar(plane.inputs, max_nodes=5, operators=plane.operators)
    assert len({plane.digest(), swapped.digest(), without.digest()}) == 3
