"""What fewer of a sum's terms reach: the least generalised eigenvalue over all subsets of one size."""

from __future__ import annotations

import numpy as np
import pytest
from noether_dsl.text import parse_sentence

from noether_discover.search.parts import MOST_TERMS, best_parts, sum_of, terms_of


@pytest.mark.parametrize(
    ("words", "values", "terms", "shortened"),
    [
        ("p**2 - a*cos(q)", [3.0], ["p**2", "cos(q)"], "p**2 + a*cos(q)"),
        ("p - a/q + b*q**2", [2.0, 5.0], ["p", "a/q", "q**2"], "p + a*(b/q) + c*q**2"),
        ("p*q", [], ["p*q"], "p*q"),
    ],
)
def test_summands_lose_their_coefficients(words: str, values: list[float], terms: list[str], shortened: str) -> None:
    found = terms_of(parse_sentence(words, ("p", "q")).formula, values)
    assert [str(formula) for formula, _ in found] == terms
    assert [numbers for _, numbers in found] == [(2.0,) if "a" in term else () for term in terms]
    assert str(sum_of(found)) == shortened


def test_the_best_terms_are_the_best_of_all_subsets() -> None:
    rng = np.random.default_rng(0)
    sequences = []
    for _ in range(6):
        x, y, z = rng.normal(size=(3, 40))
        energy = rng.normal()
        sequences.append([x, energy - x, y, z])  # the first two add up to a constant of the sequence
    values = [[sequence[m] for sequence in sequences] for m in range(4)]
    pool = [np.concatenate(some) for some in values]
    one, two, three = best_parts(values, pool)
    assert len(one.terms) == 1
    assert one.ratio > 0.3
    assert two.terms == (0, 1)
    assert two.ratio < 1e-12
    assert set(two.terms) < set(three.terms)
    assert three.ratio <= two.ratio + 1e-12


def test_what_has_no_value_somewhere_has_no_parts() -> None:
    x = np.random.default_rng(1).normal(size=30)
    with np.errstate(invalid="ignore"):
        logarithm = np.log(x)
    assert best_parts([[x], [logarithm]], [x, logarithm]) == []
    assert best_parts([[x]], [x]) == []
    assert best_parts([[x]] * (MOST_TERMS + 1), [x] * (MOST_TERMS + 1)) == []
