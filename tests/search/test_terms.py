"""Terms: the summands of laws, counted, named and computed."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from noether_dsl.formula import node, parameter, variable, vector

from noether_discover.search.terms import Term, Values, distance2, monomial, monomials, power, product, total

COLUMNS = {s: np.random.default_rng(i).uniform(0.5, 2.0, 30) for i, s in enumerate(("x", "y", "z"))}


@pytest.mark.parametrize(("symbols", "degree"), [("x", 3), ("xy", 2), ("xyz", 3), ("wxyz", 4)])
def test_monomials_are_all_products_and_each_once(symbols: str, degree: int) -> None:
    terms = monomials(tuple(symbols), degree)
    assert len(terms) == len(set(terms)) == comb(len(symbols) + degree, degree) - 1
    powers = [term.complexity for term in monomials("x", degree)]
    assert powers == sorted(powers)


def test_terms_are_computed_as_they_are_written() -> None:
    x, y, z = COLUMNS.values()
    inside = node("sqrt", node("add", distance2([("x", "y"), ("z", None)]), parameter()))
    terms = [
        Term(power("x", 1), 1.0), Term(power("x", 4), 4.0), Term(monomial(("x", "y", "x")), 3.0),
        Term(product(variable("x"), node("log", variable("y"))), 3.0), Term(total([variable("x"), variable("z")]), 2.0),
        Term(node("inverse", inside), 4.0, (0.3,)),
    ]  # fmt: skip
    expected = [x, x**4, x**2 * y, x * np.log(y), x + z, 1 / np.sqrt((x - y) ** 2 + z**2 + 0.3)]
    np.testing.assert_allclose(Values(COLUMNS).of(terms), expected, rtol=1e-14)


def test_outside_its_domain_a_term_has_no_value_and_the_others_do() -> None:
    values = Values({"x": np.array([-1.0, 0.0, 1.0])})
    found = values.of([Term(node("log", variable("x")), 2.0), Term(variable("x"), 1.0)])
    assert not np.isfinite(found[0, :2]).any()
    np.testing.assert_array_equal(found[1], [-1.0, 0.0, 1.0])


def test_of_a_vector_the_components_are_computed() -> None:
    terms = [Term(node("mul", node("norm", q := vector("q", ("x", "y", "z"))), q), 2.0)]
    values = Values(COLUMNS)
    size = np.sqrt(sum(c**2 for c in COLUMNS.values()))
    for component, column in enumerate(COLUMNS.values()):
        np.testing.assert_allclose(values.of(terms, component)[0], size * column, rtol=1e-14)
