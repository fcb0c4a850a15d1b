"""Which sums follow from known laws, by how they vary from sequence to sequence."""

from __future__ import annotations

import numpy as np
import pytest
from noether_dsl.formula import variable

from noether_discover.search.known import CONSTRAINT, Sum, follows
from noether_discover.search.pencils import Sample
from noether_discover.search.terms import Term, product

RNG = np.random.default_rng(0)
K, T = 40, 10


def column(symbol: str) -> Sum:
    return Sum((Term(variable(symbol), 1.0),), (1.0,), "test")


@pytest.fixture
def sample() -> Sample:
    a, b = np.repeat(RNG.normal(size=(2, K)), T, axis=1)
    return Sample.of({"a": a, "b": b, "c": a * b + 0.01 * RNG.normal(size=K * T)}, [T] * K)


def test_a_quadratic_function_of_the_laws_follows_from_them(sample: Sample) -> None:
    assert follows(column("c"), [column("a"), column("b")], [sample]) > 0.99
    assert follows(column("c"), [column("a")], [sample]) < 0.7


def test_nothing_follows_from_nothing_or_from_constraints_or_from_an_independent_law(sample: Sample) -> None:
    assert follows(column("c"), [], [sample]) == 0.0
    assert follows(column("c"), [Sum(column("a").terms, (1.0,), "test", CONSTRAINT)], [sample]) == 0.0
    assert abs(follows(column("b"), [column("a")], [sample])) < 0.3


def test_with_few_sequences_it_is_not_asked() -> None:
    a, b = RNG.normal(size=(2, 12))
    few = Sample.of({"a": a, "b": b}, [4, 4, 4])
    both = Sum((Term(product(variable("a"), variable("b")), 2.0),), (1.0,), "test")
    assert follows(both, [column("a"), column("b")], [few]) == 0.0
