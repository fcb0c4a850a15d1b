"""The enumeration: golden numbers, each formula once, every formula well typed."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from noether_dsl.dimension import PURE, Dimension
from noether_dsl.enumeration import Table, count, enumerate_formulas
from noether_dsl.formula import Formula, node
from noether_dsl.grammar import Grammar, GrammarError
from noether_dsl.operators import FREE, OPERATORS, VECTOR_OPERATORS, Kind
from noether_dsl.reading import dimension_of

RAD, METRE = Dimension.of(rad=1), Dimension.of(m=1)
MOMENTUM = Dimension.of(kg=1, m=1, s=-1)
PENDULUM = (("q", RAD), ("p", MOMENTUM))
SPRING = (("q", METRE), ("p", MOMENTUM))
UNTYPED = (("q", PURE), ("p", PURE))
SPEED = Dimension.of(m=1, s=-1)
PLANE = (("q.x", METRE), ("q.y", METRE), ("v.x", SPEED), ("v.y", SPEED))
IN_THE_PLANE = (("q", ("q.x", "q.y")), ("v", ("v.x", "v.y")))
SPACE = (("m", PURE), ("x", METRE), ("y", METRE), ("z", METRE), ("q.x", METRE), ("q.y", METRE))
IN_SPACE = (("r", ("x", "y", "z")), ("q", ("q.x", "q.y")))
GRAMMARS: dict[str, dict[str, Any]] = {
    "pendulum": {"inputs": PENDULUM, "strict_angles": True},
    "pendulum, pure angles": {"inputs": PENDULUM, "strict_angles": False},
    "spring": {"inputs": SPRING, "strict_angles": True},
    "untyped": {"inputs": UNTYPED},
    "one input": {"inputs": (("x", METRE),), "strict_angles": True},
    "every operator": {"inputs": PENDULUM, "operators": tuple(OPERATORS), "strict_angles": True},
    "a list of units": {"inputs": PENDULUM, "parameter_units": ("kg*m/s", "1", "kg^2*m^2/s^2"), "strict_angles": True},
    "two vectors": {"inputs": PLANE, "vectors": IN_THE_PLANE, "strict_angles": True},
    "vectors of the plane and of space": {"inputs": SPACE, "vectors": IN_SPACE, "operators": ("add", "mul", "div")},
}


def grammar(name: str, max_nodes: int) -> Grammar:
    return Grammar(**GRAMMARS[name], max_nodes=max_nodes)


def formulas(table: Table) -> list[Formula]:
    return [table.formula(row) for row in table.rows().tolist()]


def test_untyped_trees_are_counted_as_published() -> None:
    untyped = grammar("untyped", 7)
    assert count(untyped) == [3, 9, 57, 333, 2277, 15903, 116481]
    assert enumerate_formulas(untyped).by_nodes().tolist() == count(untyped)


@pytest.mark.parametrize(
    ("inputs", "strict", "golden"),
    [
        (PENDULUM, True, 36_283),
        (SPRING, True, 27_705),
        (PENDULUM, False, 70_493),
        (SPRING, False, 38_001),
    ],
)
def test_typed_formulas_up_to_seven_nodes(inputs: Any, strict: bool, golden: int) -> None:
    seven = Grammar(inputs, strict_angles=strict)
    assert seven.max_nodes == 7
    assert sum(count(seven)) == golden
    assert len(enumerate_formulas(seven)) == golden


def test_the_pendulum_at_eight_and_nine_nodes() -> None:
    assert sum(count(grammar("pendulum", 8))) == 217_869
    assert sum(count(grammar("pendulum", 9))) == 1_351_839
    assert len(enumerate_formulas(grammar("pendulum", 8))) == 217_869


@pytest.mark.parametrize("name", GRAMMARS)
def test_counting_and_enumerating_agree(name: str) -> None:
    some = grammar(name, 5)
    assert enumerate_formulas(some).by_nodes().tolist() == count(some)


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_formula_is_there_once(name: str) -> None:
    found = formulas(enumerate_formulas(grammar(name, 5)))
    assert len(set(found)) == len(found)


def test_every_formula_of_six_nodes_is_there_once() -> None:
    found = formulas(enumerate_formulas(grammar("pendulum", 6)))
    assert len(set(found)) == len(found) == 6126


@pytest.mark.parametrize("name", GRAMMARS)
def test_every_formula_is_well_typed(name: str) -> None:
    some = grammar(name, 5)
    table = enumerate_formulas(some)
    for row in range(len(table)):
        formula, unit = table.formula(row), table.units[table.unit_F[row]]
        assert table.size_F[row] == formula.nodes
        assert table.ranks[table.unit_F[row]] == formula.rank
        if some.parameter_units is None or unit is not FREE:
            assert dimension_of(formula, some.dimensions, some.angle) == unit


@pytest.mark.parametrize("name", GRAMMARS)
def test_nothing_well_typed_is_missing(name: str) -> None:
    """Against the slow way: all trees of four nodes, the ill typed ones thrown away, as a set."""
    some = grammar(name, 4)
    levels: list[list[tuple[Formula, Kind]]] = [[], [(leaf, (unit, leaf.rank)) for leaf, unit in some.leaves()]]
    for size in range(2, some.max_nodes + 1):
        level: dict[Formula, Any] = {}
        for operator in some.operators:
            row = OPERATORS[operator]
            shapes = [s for s in itertools.product(range(1, size), repeat=row.arity) if sum(s) == size - 1]
            for shape in shapes:
                for parts in itertools.product(*(levels[s] for s in shape)):
                    result = row.typed(tuple(kind for _, kind in parts), some.angle)
                    if result is not None:
                        level[node(operator, *(f for f, _ in parts))] = result
        levels.append(list(level.items()))
    table = enumerate_formulas(some)
    for rank in {0, *table.ranks}:
        slowly = {formula for level in levels for formula, (_, its) in level if its == rank}
        assert {table.formula(row) for row in table.rows(rank).tolist()} == slowly


def test_operands_are_earlier_rows_and_sizes_ascend() -> None:
    table = enumerate_formulas(grammar("pendulum", 6))
    rows = range(len(table))
    assert all(table.left_F[row] < row and table.right_F[row] < row for row in rows)
    assert (table.size_F[1:] >= table.size_F[:-1]).all()


def test_progress_is_reported_node_by_node() -> None:
    seen: list[tuple[int, int]] = []
    enumerate_formulas(grammar("pendulum", 4), lambda nodes, found: seen.append((nodes, found)))
    assert seen == [(2, 10), (3, 46), (4, 204)]


def test_a_listed_parameter_has_one_of_the_listed_units() -> None:
    listed = Grammar(PENDULUM, parameter_units=("kg*m/s", "rad"), strict_angles=True, max_nodes=3)
    written = {(str(f), tuple(leaf.name for leaf in f.leaves)) for f in formulas(enumerate_formulas(listed))}
    assert ("p + a", ("p", "kg*m/s")) in written
    assert ("q + a", ("q", "rad")) in written
    assert not any(text == "p + a" and units[1] == "rad" for text, units in written)
    assert ("sin(a)", ("rad",)) in written
    assert ("sin(a)", ("kg*m/s",)) not in written


def test_strict_sinusoids_take_angles_and_pure_ones_numbers() -> None:
    strict = {str(f) for f in formulas(enumerate_formulas(grammar("pendulum", 4)))}
    pure = {str(f) for f in formulas(enumerate_formulas(grammar("pendulum, pure angles", 4)))}
    assert {"sin(q)", "cos(a*p)", "sin(q + a)"} <= strict & pure
    assert "sin(sin(q))" in pure - strict
    assert "sin(p)" not in strict | pure
    assert strict < pure


def test_vectors_bring_their_operators_and_hide_their_components() -> None:
    plane = grammar("two vectors", 3)
    assert plane.operators == ("square", "sin", "cos", "add", "sub", "mul", "div", *VECTOR_OPERATORS)
    assert {leaf.name for leaf, _ in plane.leaves()} == {"q", "v", ""}
    written = {str(f) for f in formulas(enumerate_formulas(plane))}
    assert {"dot(q, v)", "dot(v, v)", "norm(q)", "cross(q, v)", "cross(v, q)", "norm(v)**2"} <= written
    assert not {"q", "q + v", "sin(q)", "a*q", "norm(q) + norm(v)"} & written
    assert {"m", "dot(r, r)", "dot(q, q)"} <= {
        str(f) for f in formulas(enumerate_formulas(grammar("vectors of the plane and of space", 3)))
    }


def test_vectors_of_the_plane_turn_into_numbers_and_those_of_space_into_vectors() -> None:
    table = enumerate_formulas(grammar("vectors of the plane and of space", 3))
    vectors = {rank: {str(table.formula(row)) for row in table.rows(rank).tolist()} for rank in (0, 2, 3)}
    assert "cross(q, q)" in vectors[0]
    assert "cross(r, r)" in vectors[3]
    assert {"q", "m*q", "q/a"} <= vectors[2]
    assert not any("q" in text and "r" in text.replace("cross", "").replace("norm", "") for text in vectors[2])


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"inputs": ()}, "a grammar needs inputs"),
        ({"inputs": (("q", RAD), ("q", METRE))}, "each with a name of its own"),
        ({"inputs": PENDULUM, "max_nodes": 0}, "at least one node"),
        ({"inputs": PENDULUM, "operators": ("add", "foo")}, 'there is no operator "foo"; known are square'),
        ({"inputs": PENDULUM, "vectors": (("r", ("q", "p")),)}, "need one unit, not 1, kg"),
        ({"inputs": UNTYPED, "vectors": (("q", ("q", "p")),)}, 'the vector "q" needs a name of its own'),
        ({"inputs": UNTYPED, "vectors": (("r", ("q",)),)}, "has 1 components; it must be two or three"),
        ({"inputs": UNTYPED, "vectors": (("r", ("q", "z")),)}, 'a component "z", which is no input'),
        ({"inputs": UNTYPED, "vectors": (("r", ("q", "q")),)}, 'the input "q" can be a component only once'),
    ],
)
def test_a_grammar_that_cannot_be_searched_is_refused(bad: dict[str, Any], words: str) -> None:
    with pytest.raises(GrammarError, match=words):
        Grammar(**bad)


def test_the_digest_names_what_the_enumeration_depends_on() -> None:
    grammars = [grammar(name, n) for name in GRAMMARS for n in (3, 4)]
    assert len({some.digest() for some in grammars}) == len(grammars)
    assert grammar("pendulum", 4).digest() == grammar("pendulum", 4).digest()
