"""Sums of products of components, written with the vectors whose components they are: v_x**2 + v_y**2 is v**2."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations_with_replacement

from noether_dsl.formula import INPUT, Formula, fold, node, vector

from .known import Sum
from .terms import difference, total

Named = Sequence[tuple[str, tuple[str, ...]]]
Factors = tuple[str, ...]

_EQUAL = 1e-12


def with_vectors(found: Sum, like: Sum, vectors: Named) -> tuple[Sum, Sum]:
    """Both sums, which have the same terms, with squares, scalar products and (in the plane) cross products of vectors
    in place of their summands, where these have one coefficient in `like`; in distances inside terms, too."""
    if not vectors or found.rank > 1:
        return found, like
    formulas = {i: _inside(term.formula, vectors) for i, term in enumerate(like.terms)}
    numbers = [list(one.coefficients) for one in (found, like)]
    places = {factors: i for i, formula in formulas.items() if (factors := _factors(formula))}
    for whole, signs in _products(vectors):
        at = [places[factors] for factors in signs if factors in places]
        told = [numbers[1][i] * sign for i, sign in zip(at, signs.values(), strict=False)]
        if len(at) < len(signs) or any(abs(c - told[0]) > _EQUAL * abs(told[0]) for c in told):
            continue
        first, *others = at
        for row in numbers:
            row[first] = sum(row[i] * sign for i, sign in zip(at, signs.values(), strict=True)) / len(at)
        formulas[first] = whole
        for i in others:
            del formulas[i]
        for factors in signs:
            del places[factors]
    return _of_rows(found, formulas, numbers[0]), _of_rows(like, formulas, numbers[1])


def _of_rows(sum_: Sum, formulas: dict[int, Formula], numbers: Sequence[float]) -> Sum:
    terms = tuple(replace(sum_.terms[i], formula=formula) for i, formula in formulas.items())
    return replace(sum_, terms=terms, coefficients=tuple(numbers[i] for i in formulas))


def _products(vectors: Named) -> Iterator[tuple[Formula, dict[Factors, int]]]:
    """Every number that two vectors of one length make, and the signs of its summands by their factors."""
    for (one, ours), (other, theirs) in combinations_with_replacement(vectors, 2):
        if len(ours) != len(theirs):
            continue
        u, v = vector(one, ours), vector(other, theirs)
        pairs = [tuple(sorted(pair)) for pair in zip(ours, theirs, strict=True)]
        yield node("square", u) if u == v else node("dot", u, v), dict.fromkeys(pairs, 1)
        if u != v and len(ours) == 2:
            signs = {tuple(sorted((ours[0], theirs[1]))): 1, tuple(sorted((ours[1], theirs[0]))): -1}
            yield node("cross", u, v), signs


def _factors(formula: Formula) -> Factors:
    """The two columns whose product it is; nothing where it is none."""
    if formula.head == "square" and formula.operands[0].head == INPUT and not formula.operands[0].components:
        return (formula.operands[0].name,) * 2
    if formula.head == "mul" and all(o.head == INPUT and not o.components for o in formula.operands):
        return tuple(sorted(o.name for o in formula.operands))
    return ()


def _inside(formula: Formula, vectors: Named) -> Formula:
    """The formula with squares of vectors and of their differences in place of the sums that they are, where at most
    one number stands in it: which is which cannot change then."""
    if formula.parameters > 1:
        return formula

    def leaf(part: Formula, number: int) -> Formula:
        return part

    def inner(part: Formula, operands: tuple[Formula, ...]) -> Formula:
        if part.head == "sqrt" and operands[0].head == "square" and operands[0].operands[0].rank:
            return node("norm", operands[0].operands[0])
        rebuilt = node(part.head, *operands)
        return _squares_in(rebuilt, vectors) if part.head == "add" else rebuilt

    return fold(formula, leaf, inner)


def _squares_in(formula: Formula, vectors: Named) -> Formula:
    """A sum with the squares of vectors, and of differences of two, in place of all their components' squares."""
    summands = list(_summands(formula))
    for whole, parts in _lengths(vectors):
        if all(part in summands for part in parts):
            summands = [whole, *(s for s in summands if s not in parts)]
    return total(summands)


def _lengths(vectors: Named) -> Iterator[tuple[Formula, list[Formula]]]:
    for one, ours in vectors:
        yield node("square", vector(one, ours)), [node("square", difference(x, None)) for x in ours]
        for other, theirs in vectors:
            if one != other and len(ours) == len(theirs):
                whole = node("square", node("sub", vector(one, ours), vector(other, theirs)))
                yield whole, [node("square", difference(*pair)) for pair in zip(ours, theirs, strict=True)]


def _summands(formula: Formula) -> Iterator[Formula]:
    if formula.head != "add":
        yield formula
        return
    for operand in formula.operands:
        yield from _summands(operand)
