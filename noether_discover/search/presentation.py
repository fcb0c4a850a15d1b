"""Formulas as people would write them: the same quantity, with other signs and another leading term."""

from __future__ import annotations

from noether_dsl.formula import PARAMETER, Formula, Valued, fold, joined, node


def presentable(formula: Formula, parameters: tuple[float, ...]) -> Valued:
    """The same quantity with the signs and the leading term that people would choose.

    A negative coefficient becomes a difference; of two like terms the one with the larger coefficient leads not.
    """
    if formula.head == "add" and formula.parameters == 1:
        lead, scaled = formula.operands
        if scaled.parameters == 0:
            lead, scaled = scaled, lead
        if scaled.head == "mul" and scaled.operands[0].head == PARAMETER and abs(parameters[0]) < 1:
            other = scaled.operands[1]
            if _skeleton(other) == _skeleton(lead):
                return _signed(node("add", other, node("mul", scaled.operands[0], lead)), (1 / parameters[0],))
    return _signed(formula, parameters)


def _skeleton(formula: Formula) -> str:
    return fold(formula, lambda leaf, _: leaf.head, lambda part, operands: f"{part.head}({','.join(operands)})")


def _signed(formula: Formula, parameters: tuple[float, ...]) -> Valued:
    def leaf(part: Formula, number: int) -> Valued:
        return part, () if number < 0 else (parameters[number],)

    def inner(part: Formula, operands: tuple[Valued, ...]) -> Valued:
        if part.head in ("add", "sub"):
            for place in (1, 0) if part.head == "add" else (1,):
                term, numbers = operands[place]
                lone = term if term.head == PARAMETER else term.operands[0] if term.operands else term
                if lone.head == PARAMETER and term.head in (PARAMETER, "mul", "div") and numbers[0] < 0:
                    other = "sub" if part.head == "add" else "add"
                    return joined(other, operands[1 - place], (term, (-numbers[0], *numbers[1:])))
        return joined(part.head, *operands)

    return fold(formula, leaf, inner)
