"""Sums of components are written with the vectors that they are of, without a change of value."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from noether_dsl.dimension import PURE
from noether_dsl.formula import Formula
from noether_dsl.grammar import Grammar
from noether_dsl.reading import evaluate
from noether_dsl.text import parse_sentence

from noether_discover.search.known import Numbers, Sum
from noether_discover.search.summed_laws import as_formula
from noether_discover.search.terms import Term

PLANE: Mapping[str, tuple[str, ...]] = {"q": ("x", "y"), "v": ("vx", "vy")}
SPACE: Mapping[str, tuple[str, ...]] = {"q": ("x", "y", "z"), "v": ("vx", "vy", "vz")}
CASES = [
    (PLANE, {"vx**2": 1.0, "vy**2": 1.0, "sqrt(x**2 + y**2)**(-1)": -2.0}, "v**2 - a/norm(q)"),
    (PLANE, {"vx**2": 1.0, "vy**2": 1.0, "x**2": 3.0, "y**2": 3.0, "x": 2.0}, "v**2 + a*q**2 + b*x"),
    (PLANE, {"vx**2": 1.0, "vy**2": 1.0, "x**2": 3.0, "y**2": 2.0}, "v**2 + a*x**2 + b*y**2"),
    (PLANE, {"x*vy": 1.0, "vx*y": -1.0}, "cross(q, v)"),
    (PLANE, {"x*vx": 1.0, "vy*y": 1.0, "x*vy": 1.3, "vx*y": -1.3}, "dot(q, v) + a*cross(q, v)"),
    (PLANE, {"x*vy": 1.0, "vx*y": 1.0}, "x*vy + vx*y"),
    (SPACE, {"vx**2": 1.0, "vy**2": 1.0, "vz**2": 1.0, "x**2": 2.0, "y**2": 2.0}, "v**2 + a*x**2 + b*y**2"),
    (SPACE, {"log((x - vx)**2 + (y - vy)**2 + (z - vz)**2)": 1.0, "z": 1.0}, "z + log((q - v)**2)"),
]


def _formula(words: str, symbols: list[str], vectors: Mapping[str, tuple[str, ...]]) -> Formula:
    return parse_sentence(words, lambda name: name in symbols or name in vectors, vectors).formula


@pytest.mark.parametrize(("vectors", "terms", "wanted"), CASES, ids=[case[2] for case in CASES])
def test_a_sum_of_components_is_written_with_its_vectors(
    vectors: Mapping[str, tuple[str, ...]], terms: dict[str, float], wanted: str
) -> None:
    symbols = [symbol for group in vectors.values() for symbol in group]
    grammar = Grammar(tuple((s, PURE) for s in symbols), vectors=tuple(vectors.items()))
    plain = Grammar(tuple((s, PURE) for s in symbols))
    found = Sum(tuple(Term(_formula(words, symbols, {}), 1.0) for words in terms), tuple(terms.values()), "test")
    formula, values = as_formula(found, grammar)
    apart, numbers = as_formula(found, plain)
    assert formula == _formula(wanted, symbols, vectors)
    columns = dict(zip(symbols, np.random.default_rng(0).uniform(0.5, 2.0, (len(symbols), 20)), strict=True))
    np.testing.assert_allclose(evaluate(formula, columns, values), evaluate(apart, columns, numbers), rtol=1e-12)
    # numbers of a refit, which differ a little, are shared by the same rule
    rng = np.random.default_rng(1)
    shaken = Numbers(tuple(c * (1.0 + 1e-4 * rng.normal()) for c in found.coefficients))
    again, others = as_formula(found.with_numbers(shaken), grammar, like=found)
    assert again == formula
    np.testing.assert_allclose(others, values, rtol=1e-3)
