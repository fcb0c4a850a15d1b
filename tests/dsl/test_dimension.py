"""Dimensions form a group, and are written as units are read."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from noether_dsl.dimension import ANGLE, PURE, Dimension
from noether_dsl.units import read_unit

POWERS = st.fractions(min_value=-4, max_value=4, max_denominator=4)
DIMENSIONS = st.dictionaries(st.sampled_from(["kg", "g", "m", "s", "rad", "K", "AU", "day"]), POWERS).map(Dimension.of)


@given(DIMENSIONS, DIMENSIONS, DIMENSIONS)
def test_dimensions_are_a_commutative_group(a: Dimension, b: Dimension, c: Dimension) -> None:
    assert (a * b) * c == a * (b * c)
    assert a * b == b * a
    assert a * PURE == a
    assert a / a == PURE
    assert (a / b) * b == a
    assert hash(a * b) == hash(b * a)


@given(DIMENSIONS, DIMENSIONS, POWERS, POWERS)
def test_powers_are_exact_and_distribute(a: Dimension, b: Dimension, x: Fraction, y: Fraction) -> None:
    assert (a * b) ** x == a**x * b**x
    assert a**x * a**y == a ** (x + y)
    assert (a**x) ** y == a ** (x * y)
    assert (a**x == PURE) == (x == 0 or a == PURE)


@given(DIMENSIONS)
def test_a_written_dimension_is_read_back(a: Dimension) -> None:
    assert Dimension.of(read_unit(str(a))) == a


@given(DIMENSIONS)
def test_zero_exponents_vanish_and_bases_are_sorted(a: Dimension) -> None:
    assert all(power for _, power in a.exponents)
    assert list(a.exponents) == sorted(a.exponents)
    assert Dimension.of({**dict(a.exponents), "mol": 0}) == a


@given(DIMENSIONS)
def test_an_angle_can_be_counted_as_a_pure_number(a: Dimension) -> None:
    assert a.without(ANGLE) * Dimension.of({ANGLE: dict(a.exponents).get(ANGLE, 0)}) == a


@pytest.mark.parametrize(
    ("dimension", "written"),
    [
        (PURE, "1"),
        (Dimension.of(m=1, kg=1, s=-1), "kg*m/s"),
        (Dimension.of(m=2, kg=1, s=-2), "kg*m^2/s^2"),
        (Dimension.of(s=-1), "s^(-1)"),
        (Dimension.of(s=-1, m=-2), "m^(-2)*s^(-1)"),
        (Dimension.of(m=Fraction(1, 2), s=-1, kg=-1), "m^(1/2)/kg/s"),
        (Dimension.of(g=1, cm=1), "g*cm"),
    ],
)
def test_dimensions_are_written_as_physicists_write_them(dimension: Dimension, written: str) -> None:
    assert str(dimension) == written


def test_momentum_squared_over_mass_is_energy() -> None:
    assert Dimension.of(kg=1, m=1, s=-1) ** 2 / Dimension.of(kg=1) == Dimension.of(kg=1, m=2, s=-2)
