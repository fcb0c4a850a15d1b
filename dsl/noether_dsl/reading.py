"""The readings of a formula: text, LaTeX, code, numbers, units, domain, sympy. Each is one fold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dimension import ANGLE, PURE, Dimension, DimensionError
from .formula import PARAMETER, Formula, FormulaError, fold, rank_clash, variable
from .operators import ATOM, FREE, MULTIPLICATIVE, OPERATORS, POWER, Kind, Operand
from .text import parameter_names
from .vector import Value, Vector

if TYPE_CHECKING:
    import sympy

Leaf = Callable[[Formula, int], str]


def text(formula: Formula, leaf: Leaf | None = None) -> str:
    """The formula as people and `parse` read it: ``p**2 - a*cos(q)``. `leaf` spells the leaves otherwise."""
    names = parameter_names(formula)
    spell = leaf or (lambda part, number: names[number] if number >= 0 else _quoted(part.name))
    return _written(formula, spell, "text")


def latex(formula: Formula, leaf: Leaf | None = None) -> str:
    """The formula in LaTeX. `leaf` spells the leaves, by default as `latex_symbol` does."""
    names = parameter_names(formula)
    spell = leaf or (
        lambda part, number: latex_symbol(names[number] if number >= 0 else part.name, bool(part.components))
    )
    return _written(formula, spell, "latex")


def numpy_code(formula: Formula, leaf: Leaf | None = None) -> str:
    """The formula as Python code on numpy arrays, numpy called ``np``. `leaf` spells the leaves otherwise than `text`.

    It does what `evaluate` does: the code is what the rows' `compute` says when it is given names for numbers. Vectors
    are computed by components (`leaf` spells those); where the whole formula is one, they are stacked on a last axis.
    """
    return _coded(formula, leaf, "np")


def torch_code(formula: Formula, leaf: Leaf | None = None) -> str:
    """The formula as Python code on torch tensors; see `numpy_code`."""
    return _coded(formula, leaf, "torch")


def _coded(formula: Formula, leaf: Leaf | None, module: str) -> str:
    names = parameter_names(formula)
    spell = leaf or (lambda part, number: names[number] if number >= 0 else part.name)

    def spelled(part: Formula, number: int) -> _Code | Vector:
        if part.components:
            return Vector(tuple(_Code(spell(variable(symbol), -1)) for symbol in part.components))
        return _Code(spell(part, number))

    said: _Code | Vector = fold(
        formula, spelled, lambda part, operands: OPERATORS[part.head].compute(_Functions(module), *operands)
    )
    if isinstance(said, Vector):
        return f"{module}.stack(({', '.join(part.words for part in said)}), -1)"
    return said.words


@dataclass(frozen=True)
class _Code:
    """A number by the code that computes it; arithmetic with it writes more code.

    binds: how tightly, as in `Operator`. base: what it is a power of.
    """

    words: str
    binds: int = ATOM
    base: _Code | None = None
    exponent: int = 1

    def __call__(self, *arguments: Value) -> _Code:
        return _Code(f"{self.words}({', '.join(_code(argument).words for argument in arguments)})")

    def __add__(self, other: Value) -> _Code:
        return _signed("add", self, _code(other))

    def __radd__(self, other: Value) -> _Code:
        return _signed("add", _code(other), self)

    def __sub__(self, other: Value) -> _Code:
        return _signed("sub", self, _code(other))

    def __rsub__(self, other: Value) -> _Code:
        return _signed("sub", _code(other), self)

    def __mul__(self, other: Value) -> _Code:
        if isinstance(other, Vector):
            return NotImplemented
        if other is self:
            return self**2
        if self.base is not None and other is self.base:
            return self.base ** (self.exponent + 1)
        return _signed("mul", self, _code(other))

    def __rmul__(self, other: Value) -> _Code:
        return _signed("mul", _code(other), self)

    def __truediv__(self, other: Value) -> _Code:
        return _signed("div", self, _code(other))

    def __rtruediv__(self, other: Value) -> _Code:
        return _signed("div", _code(other), self)

    def __pow__(self, exponent: int) -> _Code:
        return _Code(f"{self.within(ATOM)}**{_code(exponent).within(ATOM)}", POWER, self, exponent)

    def __neg__(self) -> _Code:
        return _Code(f"-{self.within(MULTIPLICATIVE)}", 0)

    def __abs__(self) -> _Code:
        return _Code(f"abs({self.words})")

    def within(self, need: int) -> str:
        """The code where an operand must bind at least as tightly as `need`."""
        return self.words if self.binds >= need else f"({self.words})"


@dataclass(frozen=True)
class _Functions:
    """What stands for numpy or torch while code is written: whatever they have, by its full name."""

    module: str

    def __getattr__(self, name: str) -> _Code:
        return _Code(f"{self.module}.{name}")


def _code(number: Value) -> _Code:
    return number if isinstance(number, _Code) else _Code(repr(number), 0 if number < 0 else ATOM)


def _signed(name: str, *operands: _Code) -> _Code:
    row = OPERATORS[name]
    spelled = (operand.within(need) for operand, need in zip(operands, row.holds, strict=True))
    return _Code(row.text.format(*spelled), row.binds)


def _quoted(name: str) -> str:
    return name if all(piece.isidentifier() for piece in name.split(".")) else f"`{name}`"


def _written(formula: Formula, spell: Leaf, kind: str) -> str:
    """Templates of the rows, with parentheses wherever an operand binds more loosely than its place demands."""
    opening, closing = (r"\left(", r"\right)") if kind == "latex" else ("(", ")")

    def leaf(part: Formula, number: int) -> tuple[str, int]:
        spelled = spell(part, number)
        return spelled, 0 if spelled.startswith("-") or ("e-" in spelled and kind == "latex") else ATOM

    def inner(part: Formula, operands: tuple[tuple[str, int], ...]) -> tuple[str, int]:
        row = OPERATORS[part.head]
        template, holds, binds = (
            (row.latex, row.latex_holds, row.latex_binds) if kind == "latex" else (row.text, row.holds, row.binds)
        )
        spelled = [
            f"{opening}{words}{closing}" if tight < need else words
            for (words, tight), need in zip(operands, holds, strict=True)
        ]
        return template.format(*spelled), binds

    return fold(formula, leaf, inner)[0]


_GREEK = (
    *("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu"),
    *("xi", "pi", "rho", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega"),
)
_GREEK_CAPITALS = ("Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega")
_GREEK_LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK + _GREEK_CAPITALS, strict=True))


_RATE = re.compile(r"(?P<of>.+?)_?(?P<dots>d?dot)(?P<rest>(_.*)?)")
_LETTER = re.compile(r"[A-Za-z]|\\(?!mathrm)[A-Za-z]+|\\(mathbf|boldsymbol)\{\\?\w+\}")


def latex_symbol(name: str, vector: bool = False) -> str:
    r"""A column's name as a symbol, a vector's in bold.

    ``theta1`` -> ``\theta_{1}``, ``q.x`` -> ``q_{x}``, ``speed`` -> ``\mathrm{speed}``, vector ``q1`` ->
    ``\mathbf{q}_{1}``; a rate of one letter is dotted: ``theta_dot`` -> ``\dot{\theta}``, ``q1_x_dot`` ->
    ``\dot{q}_{1,x}``.
    """
    match = _RATE.fullmatch(name)
    if match is not None:
        core, *marks = re.split(r"(?=_\{)", _undotted(match["of"] + match["rest"], vector), maxsplit=1)
        if _LETTER.fullmatch(core):
            return rf"\{match['dots']}{{{core}}}{''.join(marks)}"
    return _undotted(name, vector)


def _undotted(name: str, vector: bool) -> str:
    head, *rest = name.replace(".", "_").strip("_").split("_")
    stem = head.rstrip("0123456789") or head
    marks = [mark for mark in (head[len(stem) :], *rest) if mark]
    letter = _GREEK_LETTERS.get(stem, stem)
    if letter in _GREEK or letter in _GREEK_CAPITALS:
        symbol = f"\\{letter}"
    elif letter.lower() in _GREEK:
        symbol = f"\\{letter.lower()}"
    elif vector or (len(stem) == 1 and stem.isascii() and stem.isalpha()):
        symbol = _escaped(stem or name)
    else:
        symbol = rf"\mathrm{{{_escaped(stem or name)}}}"
    if vector:
        symbol = f"\\{'boldsymbol' if letter.lower() in _GREEK else 'mathbf'}{{{symbol}}}"
    if not marks:
        return symbol
    inside = ",".join(mark if _is_plain(mark) else rf"\mathrm{{{_escaped(mark)}}}" for mark in marks)
    return f"{symbol}_{{{inside}}}"


def _is_plain(mark: str) -> bool:
    return mark.isascii() and mark.isalnum() and (len(mark) == 1 or mark.isdigit())


def _escaped(words: str) -> str:
    for character in "\\{}^~":
        words = words.replace(character, "")
    for character in "$&#_% ":
        words = words.replace(character, f"\\{character}")
    return words


def evaluate(formula: Formula, columns: Mapping[str, Value], parameters: Sequence[Value], m: Any = np) -> Value:
    """The formula's values: `m` is numpy, torch or sympy, and the columns and parameters are its objects.

    Parameters are taken left to right. Outside the domain numpy and torch give nan or inf, as they do. The value of a
    formula that is a vector is a `Vector` of its components' values.
    """

    def leaf(part: Formula, number: int) -> Value:
        return parameters[number] if number >= 0 else column_of(part, columns)

    return fold(formula, leaf, lambda part, operands: OPERATORS[part.head].compute(m, *operands))


def column_of(leaf: Formula, columns: Mapping[str, Value]) -> Value:
    """The values of an input: a column, or the `Vector` of the columns that are its components."""
    if leaf.components:
        return Vector(tuple(columns[symbol] for symbol in leaf.components))
    return columns[leaf.name]


def inside_domain(formula: Formula, columns: Mapping[str, Value], parameters: Sequence[Value]) -> NDArray[np.bool_]:
    """For each sample, whether every operation of the formula has a finite value there (numpy)."""
    shape = np.broadcast_shapes(*(np.shape(column) for column in columns.values()))
    inside = np.ones(shape, bool)

    def inner(part: Formula, operands: tuple[Value, ...]) -> Value:
        nonlocal inside
        row = OPERATORS[part.head]
        with np.errstate(all="ignore"):
            if row.inside is not None:
                inside = inside & row.inside(*operands)
            value = row.compute(np, *operands)
        for part_value in value if isinstance(value, Vector) else (value,):
            inside = inside & np.isfinite(part_value)
        return value

    fold(formula, lambda part, k: parameters[k] if k >= 0 else column_of(part, columns), inner)
    return inside


def divisors(formula: Formula, columns: Mapping[str, Value], parameters: Sequence[Value]) -> list[Value]:
    """The values of everything that the formula divides by, factor by factor: (x y)^2 as x and y.

    A pole lies where one of them changes sign (their product or square need not).
    """
    found: list[Value] = []
    Factors = tuple[Value, list[Value]]

    def leaf(part: Formula, number: int) -> Factors:
        value = column_of(part, columns) if number < 0 else parameters[number]
        return value, [value]

    def inner(part: Formula, operands: tuple[Factors, ...]) -> Factors:
        row = OPERATORS[part.head]
        if part.head in ("div", "inverse"):
            found.extend(operands[-1][1])
        with np.errstate(all="ignore"):
            value = row.compute(np, *(operand for operand, _ in operands))
        if part.head == "mul":
            return value, operands[0][1] + operands[1][1]
        if part.head in ("div", "inverse"):
            return value, operands[0][1] if part.head == "div" else []
        return value, operands[0][1] if row.multiplicative and not isinstance(operands[0][0], Vector) else [value]

    fold(formula, leaf, inner)
    return found


def dimension_of(formula: Formula, inputs: Mapping[str, Dimension], angle: Dimension = PURE) -> Operand:
    """The formula's dimension, or None (FREE) when its parameters can give it any; a vector has its components'.

    Raises DimensionError where an operation meets incompatible units, naming them, and FormulaError where it meets a
    number for a vector or the other way round.
    """

    def leaf(part: Formula, number: int) -> Kind:
        if part.head == PARAMETER:
            return _fixed(part.name) if part.name else FREE, 0
        units = {inputs[symbol] for symbol in part.components or (part.name,)}
        if len(units) > 1:
            raise DimensionError(f'the components of "{part.name}" differ in unit: {", ".join(map(str, units))}')
        return units.pop(), len(part.components)

    def inner(part: Formula, operands: tuple[Kind, ...]) -> Kind:
        row, units, ranks = OPERATORS[part.head], [unit for unit, _ in operands], [rank for _, rank in operands]
        if row.ranks.result(tuple(ranks)) is None:
            raise FormulaError(f'{rank_clash(part.head, ranks)} in "{formula}"')
        result = row.typed(operands, angle)
        if result is None:
            kinds = " and ".join("a pure number" if d is not None and d.is_pure else str(d) for d in units)
            wanted = "" if len(operands) == 2 else f"; it takes {'an angle' if angle != PURE else 'a pure number'}"
            raise DimensionError(f'cannot {part.head} {kinds} in "{formula}"{wanted}')
        return result

    return fold(formula, leaf, inner)[0]


def _fixed(unit: str) -> Dimension:
    from .units import read_unit

    return Dimension.of(read_unit(unit))


def parameter_dimensions(
    formula: Formula, inputs: Mapping[str, Dimension], angle: Dimension = PURE, result: Dimension = PURE
) -> tuple[Dimension, ...]:
    """Each parameter's dimension, left to right: what makes the formula sound, and what the fitted numbers carry.

    result: the whole formula's dimension where the formula itself leaves it free.
    """
    found: list[Dimension] = []

    def down(part: Formula, wanted: Dimension) -> None:
        if part.head == PARAMETER:
            found.append(_fixed(part.name) if part.name else wanted)
        elif part.operands:
            operands = tuple(dimension_of(operand, inputs, angle) for operand in part.operands)
            wants = OPERATORS[part.head].units.backward(wanted, operands, angle)
            for operand, want in zip(part.operands, wants, strict=True):
                down(operand, want)

    own = dimension_of(formula, inputs, angle)
    down(formula, result if own is FREE else own)
    return tuple(found)


def angle_dimension(strict: bool) -> Dimension:
    """What an angle is: a dimension of its own, or a pure number."""
    return Dimension.of({ANGLE: 1}) if strict else PURE


def to_sympy(formula: Formula, parameters: Sequence[float] | None = None) -> sympy.Expr:
    """The formula as a sympy expression, with symbols for the inputs and, without values, for the parameters.

    Vectors are written by their components; a formula that is one gives a column matrix.
    """
    import sympy

    names = parameter_names(formula)
    values = [sympy.Float(v) for v in parameters] if parameters is not None else [sympy.Symbol(n) for n in names]
    columns = {name: sympy.Symbol(name) for name in formula.inputs}
    value = evaluate(formula, columns, values, sympy)
    return sympy.Matrix(list(value)) if isinstance(value, Vector) else value
