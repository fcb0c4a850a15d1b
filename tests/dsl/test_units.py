"""Units: known answers, one exact system per file, and no exception but UnitError."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noether_dsl.dimension import ANGLE, PURE, Dimension
from noether_dsl.units import Unit, UnitError, coherent_units, read_unit


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("", {}),
        ("1", {}),
        ("-", {}),
        ("unitless", {}),
        ("kg*m/s", {"kg": 1, "m": 1, "s": -1}),
        ("kg m/s", {"kg": 1, "m": 1, "s": -1}),
        ("kg·m²·s⁻²", {"kg": 1, "m": 2, "s": -2}),
        ("m/s/s", {"m": 1, "s": -2}),
        ("m^{2}", {"m": 2}),
        ("m**-2", {"m": -2}),
        ("m^0.333", {"m": Fraction(1, 3)}),
        ("s^(-1/2)", {"s": Fraction(-1, 2)}),
        ("km/h", {"km": 1, "h": -1}),
        ("°", {"deg": 1}),
        ("degree/s", {"deg": 1, "s": -1}),
        ("AU/day", {"AU": 1, "day": -1}),
        ("rpm", {"rpm": 1}),
        ("pixel", {"pixel": 1}),
        ("µm", {"µm": 1}),
        ("m/m", {}),
    ],
)
def test_a_unit_is_atoms_with_exponents(text: str, atoms: dict[str, Fraction | int]) -> None:
    assert read_unit(text) == atoms


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("radd", 'unknown unit "radd", did you mean "rad"?'),
        ("metrr", 'did you mean "metre"?'),
        ("kg*secnd", 'did you mean "second"?'),
        ("qqqqqq", "leave the brackets out for a pure number"),
        ("degC", "counts from an arbitrary zero; convert the column to an absolute unit such as K"),
        ("°C", "counts from an arbitrary zero"),
        ("2 m", 'unknown unit "2 m"'),
        ("m!", 'unknown unit "m!"'),
        ("m^13", "the exponent 13"),
        ("m^(7/13)", "no fraction of a unit"),
    ],
)
def test_a_unit_that_cannot_be_read_gets_a_sentence(text: str, words: str) -> None:
    with pytest.raises(UnitError) as caught:
        read_unit(text)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        *("9**9**9**9", "m**9**9**9", "(((9**99)**99)**99)**99", "m**1e999", "m**nan", "m**(1/0)", "1/0", "1e999*m"),
        *("__import__('os')", "().__class__", "lambda: 0", "m + s", "m**m", "((((", "kg*", "\x00", "define", "m#s"),
        *("m*" * 500 + "m**", "(" * 500, "Quantity", "9" * 400, "-m", "if", "e5", "[m]"),
    ],
)
def test_arithmetic_and_code_are_no_units(text: str) -> None:
    with pytest.raises(UnitError):
        read_unit(text)


@settings(max_examples=400)
@given(st.one_of(st.text(), st.text("kgmsradµ°%12./*^()-+ \t", max_size=14)))
def test_text_is_a_unit_or_a_unit_error(text: str) -> None:
    try:
        atoms = read_unit(text)
        unit = coherent_units({"x": text})["x"]
    except UnitError:
        return
    assert all(isinstance(power, Fraction) and power for power in atoms.values())
    assert 0 < unit.scale < math.inf


def test_every_unit_that_is_read_is_written_so_that_it_is_read_again() -> None:
    for text in (
        "micron",
        "R_inf",
        "mu_0",
        "delta_degC",
        "ohm",
        "angstrom",
        "percent",
        "hbar",
        "year",
        "au",
        "mas",
        "d",
    ):
        atoms = read_unit(text)
        assert read_unit(str(Dimension.of(atoms))) == atoms, text


MECHANICS = {"q": "m", "p": "kg*m/s", "F": "N", "E": "J", "v": "km/h", "t": "s"}


def test_units_of_one_file_share_one_basis() -> None:
    units = coherent_units(MECHANICS)
    assert units["q"] == Unit(Dimension.of(m=1), 1.0)
    assert units["p"] == Unit(Dimension.of(kg=1, m=1, s=-1), 1.0)
    assert units["F"].dimension == Dimension.of(kg=1, m=1, s=-2)
    assert units["E"].dimension == units["F"].dimension * units["q"].dimension
    assert units["F"].scale == pytest.approx(1.0, rel=1e-14)
    assert units["v"].dimension == Dimension.of(m=1, s=-1)
    assert units["v"].scale == pytest.approx(1 / 3.6, rel=1e-14)


def test_a_files_own_units_stay_what_they_are() -> None:
    units = coherent_units({"x": "AU", "v": "AU/day", "size": "pixel"})
    assert [str(unit) for unit in units.values()] == ["AU", "AU/day", "pixel"]
    assert {unit.scale for unit in units.values()} == {1.0}


@pytest.mark.parametrize(
    ("text", "scale", "dimension"),
    [
        ("rad", 1.0, Dimension.of(rad=1)),
        ("deg", math.pi / 180, Dimension.of(rad=1)),
        ("turn", 2 * math.pi, Dimension.of(rad=1)),
        ("rpm", 2 * math.pi / 60, Dimension.of(rad=1, s=-1)),
        ("deg/s", math.pi / 180, Dimension.of(rad=1, s=-1)),
        ("percent", 0.01, PURE),
    ],
)
def test_angles_are_measured_in_radians(text: str, scale: float, dimension: Dimension) -> None:
    unit = coherent_units({"t": "s", "x": text})["x"]
    assert unit.dimension == dimension
    assert unit.scale == pytest.approx(scale, rel=1e-14)
    pure = coherent_units({"t": "s", "x": text}, angles_are_pure=True)["x"]
    assert pure == Unit(dimension.without(ANGLE), unit.scale)


LENGTHS = {"m": 1.0, "cm": 1e-2, "km": 1e3, "inch": 0.0254}
TIMES = {"s": 1.0, "minute": 60.0, "h": 3600.0, "ms": 1e-3}


@given(
    st.lists(st.tuples(st.sampled_from(sorted(LENGTHS)), st.sampled_from(sorted(TIMES))), min_size=2, max_size=4),
    st.integers(-3, 3),
    st.integers(-3, 3),
)
def test_one_quantity_in_two_units_is_one_number(columns: list[tuple[str, str]], x: int, y: int) -> None:
    """value * scale does not depend on the unit in which a column was written."""
    units = coherent_units({f"c{i}": f"{a}^({x})*{b}^({y})" for i, (a, b) in enumerate(columns)})
    assert len({unit.dimension for unit in units.values()}) == 1
    in_si = [LENGTHS[a] ** x * TIMES[b] ** y for a, b in columns]
    numbers = [unit.scale / si for unit, si in zip(units.values(), in_si, strict=True)]
    assert numbers == pytest.approx([numbers[0]] * len(numbers), rel=1e-12)


@given(st.permutations(sorted(MECHANICS)))
def test_relations_between_units_do_not_depend_on_the_order_of_the_columns(order: list[str]) -> None:
    units = coherent_units({name: MECHANICS[name] for name in order})
    energy, force, length = units["E"], units["F"], units["q"]
    assert energy.dimension == force.dimension * length.dimension
    assert energy.scale == pytest.approx(force.scale * length.scale, rel=1e-12)
    power = units["F"].dimension * units["v"].dimension
    assert power == units["E"].dimension / units["t"].dimension


def test_an_unknown_unit_names_its_column() -> None:
    with pytest.raises(UnitError, match=r'column "p": unknown unit "kgg\*m"'):
        coherent_units({"q": "m", "p": "kgg*m"})


def test_a_unit_beyond_the_range_of_numbers_is_refused() -> None:
    with pytest.raises(UnitError, match="out of the range of numbers"):
        coherent_units({"q": "m", "p": "Ypc^12*km^12"})
