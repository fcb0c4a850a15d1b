"""The normal form loses nothing: tested by numbers, against the raw enumeration.

Legend: C conserved cores (one raw formula each); M states; R starts; P parameters.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from noether_dsl.canonical import NormalForms, normal_forms
from noether_dsl.dimension import PURE, Dimension
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.formula import Formula, node
from noether_dsl.grammar import Grammar, GrammarError
from noether_dsl.operators import DEFAULT_OPERATORS, OPERATORS
from noether_dsl.reading import dimension_of, divisors, evaluate
from noether_dsl.text import parse
from noether_dsl.vector import Vector
from numpy.typing import NDArray

Array = NDArray[np.float64]
RAD, METRE = Dimension.of(rad=1), Dimension.of(m=1)
MOMENTUM = Dimension.of(kg=1, m=1, s=-1)
PENDULUM = (("q", RAD), ("p", MOMENTUM))
SPRING = (("q", METRE), ("p", MOMENTUM))
PURE_INPUTS = (("q", PURE), ("p", PURE))
SPEED = Dimension.of(m=1, s=-1)
PLANE = {"vectors": (("q", ("x", "y")), ("v", ("u", "w")))}
MOVING = (("x", METRE), ("y", METRE), ("u", SPEED), ("w", SPEED))
NUMBERS = tuple((name, PURE) for name, _ in MOVING)
SPACE = {"vectors": (("q", ("x", "y", "z")), ("v", ("t", "u", "w")), ("r", ("l", "m", "n")))}
IN_SPACE = tuple((name, METRE) for name in "xyztuwlmn")
MIXED = {"vectors": (("q", ("x", "y")),)}
SIGNS = ("add", "sub", "mul", "div")
STATES = 24


def representatives(forms: NormalForms) -> list[Formula]:
    return [forms.table.formula(row) for row in forms.roots_F.tolist()]


def core(formula: Formula) -> Formula:
    """What is left of a formula when wrappers that do not change whether it is conserved are taken off its root.

    Coefficients, shifts, one-to-one functions, even powers of what is never negative; x + x and f(x) f(y). The norm of
    a vector is never negative, and its square is conserved with it.
    """
    while formula.operands and formula.inputs:
        parts, row = formula.operands, OPERATORS[formula.head]
        moving = [part for part in parts if part.inputs]
        even = row.multiplicative and row.parity == 1
        twice = len(parts) == 2 and parts[0] == parts[1] and not formula.parameters
        if len(parts) == 2 and len(moving) == 1:
            formula = moving[0]
        elif (row.arity == 1 and row.injective) or (formula.head == "add" and twice):
            formula = parts[0]
        elif formula.head == "norm" or (
            twice and (formula.head == "dot" or (formula.head == "mul" and parts[0].operands))
        ):
            formula = node("square", parts[0])
        elif even and (is_positive(parts[0])):
            formula = parts[0]
        elif row.multiplicative and parts[0].head in ("mul", "div") and len(kept := moving_parts(parts[0])) == 1:
            formula = node(formula.head, kept[0])
        elif formula.head in ("mul", "div") and same_power(*parts):
            formula = node(parts[0].head, node(formula.head, parts[0].operands[0], parts[1].operands[0]))
        else:
            break
    return formula


def moving_parts(formula: Formula) -> list[Formula]:
    return [part for part in formula.operands if part.inputs]


def is_positive(formula: Formula) -> bool:
    if not formula.operands:
        return False
    twice = formula.head == "mul" and formula.operands[0] == formula.operands[1] and not formula.parameters
    return OPERATORS[formula.head].nonnegative or twice


def same_power(x: Formula, y: Formula) -> bool:
    if x.head != y.head or x.head not in OPERATORS or not OPERATORS[x.head].multiplicative:
        return False
    return not any(part.rank for part in (*x.operands, *y.operands))


def distance(
    values_CM: Array, formula: Formula, inverted: bool, states: dict[str, Array], starts: int, seed: int
) -> Array:
    """How far each target is from the family c + b*formula(parameters), or c + b/formula: 0 a member, 1 a stranger.

    Levenberg-Marquardt on the parameters, with b and c eliminated; the best of several starts. There is no c for
    vectors.
    """
    rng, parameters = np.random.default_rng(seed), formula.parameters
    target_CRM = values_CM if formula.rank else values_CM - values_CM.mean(1, keepdims=True)
    target_CRM = (target_CRM / np.linalg.norm(target_CRM, axis=1, keepdims=True))[:, None, :]
    theta_CRP = rng.normal(0, 1.6, (len(values_CM), starts if parameters else 1, parameters))

    def residual(theta_CRP: Array) -> Array:
        values = evaluate(formula, states, [theta_CRP[..., k, None] for k in range(parameters)])
        values = 1 / values if inverted else values
        values = flat(values, theta_CRP.shape[:2])
        values = values if formula.rank else values - values.mean(-1, keepdims=True)
        square = (values * values).sum(-1, keepdims=True)
        rest = target_CRM - values * ((values * target_CRM).sum(-1, keepdims=True) / square)
        return np.where(np.isfinite(rest) & (square > 1e-20), rest, 1e3)

    with np.errstate(all="ignore"):
        rest = residual(theta_CRP)
        best = (rest * rest).sum(-1)
        damping = np.full(best.shape, 1e-2)
        for _ in range(30 if parameters else 0):
            steps = 1e-7 * np.eye(parameters)
            jacobian = np.stack([(residual(theta_CRP + step) - rest) / 1e-7 for step in steps], -1)
            curvature = np.einsum("crmp,crmq->crpq", jacobian, jacobian)
            slope = np.einsum("crmp,crm->crp", jacobian, rest)
            diagonal = np.einsum("crpp->crp", curvature) * damping[..., None] + 1e-12
            step = np.linalg.solve(curvature + diagonal[..., None] * np.eye(parameters), slope[..., None])[..., 0]
            moved = residual(theta_CRP - step)
            after = (moved * moved).sum(-1)
            better = after < best
            theta_CRP = np.where(better[..., None], theta_CRP - step, theta_CRP)
            rest, best = np.where(better[..., None], moved, rest), np.where(better, after, best)
            damping = np.clip(np.where(better, damping * 0.2, damping * 5), 1e-14, 1e10)
    if parameters:  # sin(a f) with a -> 0 comes as near to f as one likes, and is not f
        size = np.abs(theta_CRP)
        best = np.where((size.max(-1) < 60) & (size.min(-1) > 5e-3), best, 1.0)
    return np.sqrt(best.min(1))


def flat(value: Any, shape: tuple[int, ...] = ()) -> Array:
    """A value at all states, the components of a vector one after the other."""
    parts = value if isinstance(value, Vector) else (value,)
    return np.concatenate([np.broadcast_to(part, (*shape, STATES)) for part in parts], axis=-1)


def root_of_one_sign(values: Array) -> Array:
    """The root of what never changes its sign, which is conserved with it; nan otherwise."""
    return np.sqrt(np.abs(values)) if abs(np.sign(values).sum()) == values.size else np.full(values.size, np.nan)


def square_of_one_sign(values: Array) -> Array:
    """The square of what never changes its sign, which says as much; nan otherwise."""
    return root_of_one_sign(values) ** 4


def itself(values: Array) -> Array:
    return values


def reciprocal(values: Array) -> Array:
    return 1 / values


READINGS: tuple[Callable[[Array], Array], ...] = (itself, root_of_one_sign, square_of_one_sign, reciprocal)


def drawn_values(formula: Formula, states: dict[str, Array], rng: np.random.Generator) -> Array:
    """The formula at drawn parameters, if possible none that puts a pole between states, which no fit would cross."""
    for attempt in range(20):
        size = rng.uniform(0.4, 1.3, formula.parameters) * (1 + attempt / 8)
        drawn = (rng.choice([-1, 1], formula.parameters) * size).tolist()
        with np.errstate(all="ignore"):
            values = flat(evaluate(formula, states, drawn))
        sides = [np.broadcast_to(np.sign(divisor), STATES) for divisor in divisors(formula, states, drawn)]
        turned = [-number for number in drawn]
        others = [np.broadcast_to(np.sign(divisor), STATES) for divisor in divisors(formula, states, turned)]
        moving = any(not np.array_equal(x * x[0], y * y[0]) for x, y in zip(sides, others, strict=True))
        if np.isfinite(values).all() and not moving:
            break
    return values


def lost(raw: list[Formula], kept: list[Formula], seed: int, attempts: tuple[int, ...] = (2, 8, 40)) -> list[str]:
    """The raw formulas whose family, at drawn parameters and states, no kept formula of at most their size contains.

    1e-6: the fit stops far below it for a member, and strangers stay far above.
    """
    rng = np.random.default_rng(seed)
    symbols = sorted(set().union(*(formula.inputs for formula in raw)))
    states = {symbol: rng.choice([-1, 1], STATES) * rng.uniform(0.5, 1.4, STATES) for symbol in symbols}
    sizes: dict[Formula, int] = {}
    for formula in raw:
        sizes.setdefault(core(formula), formula.nodes)
        sizes[core(formula)] = min(sizes[core(formula)], formula.nodes)
    targets: dict[Formula, Array] = {}
    for formula in (c for c in sizes if c.inputs):
        values = drawn_values(formula, states, rng)
        size = np.abs(values).max()
        if np.isfinite(values).all() and values.std() > 1e-9 * size > 1e-21:  # x - x, x/x and cross(x, x) say nothing
            targets[formula] = values
    for starts in attempts:
        for form in sorted(kept, key=lambda f: (f.parameters, f.nodes)):
            some = [f for f in targets if sizes[f] >= form.nodes and f.inputs >= form.inputs]
            for reading, inverted in itertools.product(READINGS, (False, True)):
                if not some:
                    break
                if reading in (root_of_one_sign, square_of_one_sign) and form.parameters and form.head != "norm":
                    continue
                if reading is reciprocal and inverted:
                    continue
                if form.rank and (inverted or reading is not itself):
                    continue
                with np.errstate(all="ignore"):
                    values_CM = np.array([reading(targets[f]) for f in some])
                usable = np.isfinite(values_CM).all(1)
                found = np.zeros(len(some), bool)
                if usable.any():
                    found[usable] = distance(values_CM[usable], form, inverted, states, starts, seed) < 1e-6
                for formula in (f for f, hit in zip(some, found, strict=True) if hit):
                    del targets[formula]
                some = [f for f, hit in zip(some, found, strict=True) if not hit]
    return [f"{formula} of {sizes[formula]} nodes" for formula in targets]


@pytest.mark.parametrize(
    ("inputs", "strict", "operators", "nodes", "sample"),
    [
        pytest.param(PENDULUM, True, DEFAULT_OPERATORS, 5, 350, id="pendulum"),
        pytest.param(SPRING, True, DEFAULT_OPERATORS, 5, 350, id="spring"),
        pytest.param(SPRING, False, DEFAULT_OPERATORS, 5, 300, id="spring, pure angles"),
        pytest.param(PURE_INPUTS, False, DEFAULT_OPERATORS, 4, 400, id="pure inputs"),
        pytest.param(PURE_INPUTS, False, (*SIGNS, "square"), 6, 150, id="algebra"),
        pytest.param((("q", PURE),), False, (*SIGNS, "square"), 7, 120, id="algebra of one input"),
        pytest.param(PURE_INPUTS, False, (*SIGNS, "exp", "tanh"), 4, 300, id="exp and tanh"),
        pytest.param(PURE_INPUTS, False, (*SIGNS, "square", "cube", "inverse"), 4, 300, id="powers"),
        pytest.param(PURE_INPUTS, False, ("sub", "mul", "sin"), 5, 300, id="without a plus"),
        pytest.param(PURE_INPUTS, False, ("add", "sub", "div", "cos"), 5, 300, id="without a times"),
        pytest.param(PURE_INPUTS, False, ("add", "mul", "sin"), 5, 300, id="without squares"),
        pytest.param(PURE_INPUTS, False, ("add", "sin"), 6, 300, id="sums of sines"),
    ],
)
def test_every_raw_formula_belongs_to_the_family_of_a_kept_one_of_no_more_nodes(
    inputs: Any, strict: bool, operators: tuple[str, ...], nodes: int, sample: int
) -> None:
    grammar = Grammar(inputs, operators=operators, strict_angles=strict, max_nodes=nodes)
    table = enumerate_formulas(grammar)
    rng = np.random.default_rng(5)
    rows = rng.choice(len(table), min(sample, len(table)), replace=False).tolist()
    raw = [table.formula(row) for row in rows]
    assert lost(raw, representatives(normal_forms(grammar)), seed=5) == []


@pytest.mark.parametrize(
    ("inputs", "vectors", "operators", "nodes", "sample"),
    [
        pytest.param(MOVING, PLANE, DEFAULT_OPERATORS, 6, 300, id="plane"),
        pytest.param(NUMBERS, PLANE, (*SIGNS, "square"), 6, 300, id="plane, pure numbers"),
        pytest.param(IN_SPACE, SPACE, DEFAULT_OPERATORS, 6, 250, id="three vectors of space"),
        pytest.param(NUMBERS, PLANE, (*SIGNS, "exp"), 5, 300, id="plane, exp"),
        pytest.param(NUMBERS[:3], MIXED, (*SIGNS, "square"), 6, 300, id="a vector and a number"),
        pytest.param(NUMBERS, PLANE, ("sub", "mul"), 6, 250, id="plane, without squares and a plus"),
        pytest.param(NUMBERS, PLANE, ("add", "div", "square"), 6, 250, id="plane, without a minus"),
    ],
)
def test_nothing_is_lost_of_vectors_and_what_is_made_of_them(
    inputs: Any, vectors: Any, operators: tuple[str, ...], nodes: int, sample: int
) -> None:
    """Numbers as above; vectors are members of a family b*f, whose components are conserved together."""
    grammar = Grammar(inputs, operators=operators, max_nodes=nodes, **vectors)
    table, forms, rng = enumerate_formulas(grammar), normal_forms(grammar), np.random.default_rng(5)
    for rank, kept in ((0, forms.roots_F), (len(vectors["vectors"][0][1]), forms.vectors_F)):
        rows = table.rows(rank)
        raw = [table.formula(row) for row in rng.choice(rows, min(sample, len(rows)), replace=False).tolist()]
        assert sorted(lost(raw, [forms.table.formula(row) for row in kept.tolist()], seed=5)) == []


@pytest.mark.parametrize(
    ("text", "form", "operators"),
    [
        ("(a/q**2 + b)**2", "(a/q**2 + b)**2", (*SIGNS, "square")),
        ("a/q**2 + b/(q**2)**2", "a/q**2 + b/(q**2)**2", ("add", "div", "square")),
        ("(q*p)**2 + a/q", "a/q + (p*q)**2", ("add", "mul", "div", "square")),
        ("sin(a*q) - sin(b*q)", "sin(a*q) + sin(b*q)", ("add", "sub", "mul", "sin")),
        ("sin(a*q)*sin(b*q)", "sin(a*q)*sin(b*q)", ("add", "mul", "sin")),
        ("sin(a*q)/sin(b*q)", "sin(a*q)/sin(b*q)", ("mul", "div", "sin")),
        ("(q + a)*(q + b)", "(q + a)*(q + b)", ("add", "mul")),
        ("q - (a - p)", "p + q", ("sub",)),
        ("q/a - p", "p + a*q", ("sub", "div")),
        ("a*(q*(q*q))", "q*q*q", ("mul",)),
        ("sin(q + q)", "sin(a*q)", ("add", "sin")),
    ],
)
def test_formulas_that_were_once_lost(text: str, form: str, operators: tuple[str, ...]) -> None:
    formula = parse(text, ["q", "p"])
    inputs = tuple((symbol, PURE) for symbol in sorted(formula.inputs))
    forms = representatives(normal_forms(Grammar(inputs, operators=operators, max_nodes=formula.nodes)))
    (stands,) = [some for some in forms if str(some) == form]
    assert lost([formula], [stands], seed=1) == []


def test_a_family_that_is_left_out_is_missed() -> None:
    """The test of completeness can fail: without the energy's own form the energy is lost."""
    grammar = Grammar(SPRING, operators=(*SIGNS, "square"), strict_angles=True)
    energy = parse("p**2 + a*q**2", ["q", "p"])
    forms = representatives(normal_forms(grammar))
    others = [form for form in forms if str(form) not in ("q**2 + a*p**2", "p**2 + a*q**2")]
    assert len(others) == len(forms) - 1
    own = [form for form in forms if form not in others]
    assert lost([energy], own, seed=2) == []
    assert lost([energy], [form for form in others if form.nodes < 6], seed=2, attempts=(2,)) != []


@pytest.mark.parametrize("inputs", [PENDULUM, SPRING, PURE_INPUTS], ids=["pendulum", "spring", "pure"])
def test_no_representative_is_another_up_to_commutativity(inputs: Any) -> None:
    forms = representatives(normal_forms(Grammar(inputs, strict_angles=inputs != PURE_INPUTS, max_nodes=6)))
    assert len(set(forms)) == len(forms)


@pytest.mark.parametrize("strict", [True, False], ids=["strict", "pure"])
@pytest.mark.parametrize("inputs", [PENDULUM, SPRING], ids=["pendulum", "spring"])
def test_representatives_are_well_typed_raw_formulas(inputs: Any, strict: bool) -> None:
    grammar = Grammar(inputs, strict_angles=strict, max_nodes=6)
    forms, table = normal_forms(grammar), enumerate_formulas(grammar)
    assert set(representatives(forms)) <= {table.formula(row) for row in range(len(table))}
    for row in forms.roots_F.tolist():
        formula = forms.table.formula(row)
        assert dimension_of(formula, grammar.dimensions, grammar.angle) == forms.table.units[forms.table.unit_F[row]]
        assert forms.table.size_F[row] == formula.nodes


@pytest.mark.parametrize(
    ("inputs", "strict", "by_nodes"),
    [
        (PENDULUM, True, [2, 4, 4, 28, 98, 317, 1261, 4793, 18020, 70723]),
        (PENDULUM, False, [2, 4, 10, 58, 267, 1273, 6328, 32176, 166004, 869536]),
        (SPRING, True, [2, 2, 2, 19, 47, 162, 569, 1923, 6894, 24682]),
        (SPRING, False, [2, 2, 2, 19, 63, 250, 977, 3871, 15506, 62690]),
    ],
)
def test_recorded_numbers_of_representatives(inputs: Any, strict: bool, by_nodes: list[int]) -> None:
    """No law, a record: a change of the rules shows here, and in docs/language.md."""
    forms = normal_forms(Grammar(inputs, strict_angles=strict, max_nodes=10))
    assert forms.by_nodes().tolist() == by_nodes


def kept(inputs: Any = PENDULUM, **more: Any) -> set[str]:
    grammar = Grammar(inputs, strict_angles=inputs != PURE_INPUTS, **more)
    return {str(form) for form in representatives(normal_forms(grammar))}


def test_the_laws_of_the_paper_are_kept() -> None:
    assert "p**2 + a*cos(q)" in kept()
    assert "q**2 + a*p**2" in kept(SPRING)


def test_the_root_keeps_squares_and_drops_what_is_one_to_one() -> None:
    more = (*DEFAULT_OPERATORS, "exp", "log", "cube", "sqrt", "tanh", "inverse")
    some = kept(PURE_INPUTS, operators=more, max_nodes=5)
    assert {"q", "p", "q**2", "p**2", "(p + q)**2", "(p*q)**2", "sin(q)", "cos(q)", "tanh(q)**2"} <= some
    assert not {"(q**2)**2", "exp(q)", "log(q)", "q**3", "sqrt(q)", "tanh(q)", "exp(q**2)", "exp(q)**2"} & some
    assert not {"a*q", "q + a", "a", "a*q**2", "q**2 + a", "q - a", "q/a", "a/q", "q**(-1)"} & some
    assert len({"q/p", "p/q"} & some) == 1


def test_parameters_alone_cancelling_terms_and_second_phases_are_gone() -> None:
    some = kept(PURE_INPUTS, max_nodes=6)
    assert {"sin(q + a)", "sin(a*q)", "cos(a*q)"} <= some
    assert not {"sin(a)", "q - q", "q/q", "q + q", "q*q", "a*(b*q)", "cos(q + a)", "sin(q + a + b)", "p/q/p"} & some
    assert len({"p + a*q", "q + a*p"} & some) == 1


def test_a_limit_on_their_number_stops_before_the_level_that_exceeds_it() -> None:
    grammar = Grammar(PENDULUM, strict_angles=True, max_nodes=9)
    forms = normal_forms(grammar, at_most=500)
    assert forms.by_nodes().tolist() == [2, 4, 4, 28, 98, 317]
    seen: list[tuple[int, int]] = []
    normal_forms(grammar, lambda nodes, found: seen.append((nodes, found)), at_most=500)
    assert seen == [(2, 6), (3, 10), (4, 38), (5, 136), (6, 453)]


def test_listed_units_have_no_normal_form() -> None:
    with pytest.raises(GrammarError, match="use the raw form with a list of units"):
        normal_forms(Grammar(PENDULUM, parameter_units=("kg",)))
