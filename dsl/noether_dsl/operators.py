"""The operators of the language: one row holds everything that is known about one.

A new operator is a new row (`OPERATORS["atan"] = Operator(...)`, or `register`) and nothing else: typing, enumeration,
normal form, parser, numbers, torch, sympy, LaTeX and the documentation's table all read the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from .dimension import PURE, Dimension
from .ranks import ALIKE, EACH, MEASURED, NUMBER, NUMBERS, OVER_NUMBER, SCALED, TURNED, RankRule
from .vector import Value, cross, dot, squared

FREE = None
"""The dimension of a sub-formula whose parameters can give it any unit. Free combines with anything."""

Operand = Dimension | None

Kind = tuple[Operand, int]
"""What a sub-formula is: its dimension and its rank."""


class UnitRule(Protocol):
    """How an operator types: forwards for enumeration, backwards to learn the parameters' units.

    power: the exact power that it raises its operand's dimension to, None for other rules.
    """

    @property
    def power(self) -> Fraction | None: ...

    def forward(self, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Operand] | None:
        """The result's dimension in a 1-tuple, or None when the operands are incompatible."""

    def backward(self, result: Dimension, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Dimension, ...]:
        """The operands' dimensions, once the result's is known: fills in the free ones."""


@dataclass(frozen=True)
class _Same:
    """Both operands and the result have one dimension (+, -)."""

    power = None

    def forward(self, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Operand] | None:
        left, right = operands
        if left is FREE or right is FREE:
            return (right if left is FREE else left,)
        return (left,) if left == right else None

    def backward(self, result: Dimension, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Dimension, ...]:
        return (result,) * len(operands)


@dataclass(frozen=True)
class _Product:
    """Dimensions multiply, the second one with `sign` as exponent (*, /)."""

    sign: int
    power = None

    def forward(self, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Operand] | None:
        left, right = operands
        return (FREE,) if left is FREE or right is FREE else (left * right**self.sign,)

    def backward(self, result: Dimension, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Dimension, ...]:
        left, right = operands
        if left is FREE and right is FREE:
            right = PURE  # nothing in the formula tells them apart; the first one carries the unit
        if left is FREE:
            assert right is not None
            return result / right**self.sign, right
        if right is FREE:
            return left, (result / left) ** self.sign
        return left, right


@dataclass(frozen=True)
class _Power:
    """The dimension is raised to a fixed exact power (square, cube, sqrt, inverse, abs)."""

    power: Fraction

    def forward(self, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Operand] | None:
        (operand,) = operands
        return (FREE if operand is FREE else operand**self.power,)

    def backward(self, result: Dimension, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Dimension, ...]:
        (operand,) = operands
        return (result ** (1 / self.power) if operand is FREE else operand,)


@dataclass(frozen=True)
class _Maps:
    """Takes one kind of number and gives one kind: angle to pure (sin), pure to pure (exp), pure to angle (atan)."""

    takes_angle: bool
    gives_angle: bool = False
    power = None

    def forward(self, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Operand] | None:
        (operand,) = operands
        if operand is not FREE and operand != (angle if self.takes_angle else PURE):
            return None
        return (angle if self.gives_angle else PURE,)

    def backward(self, result: Dimension, operands: tuple[Operand, ...], angle: Dimension) -> tuple[Dimension, ...]:
        return (angle if self.takes_angle else PURE,)


SAME, PRODUCT, QUOTIENT = _Same(), _Product(1), _Product(-1)
OF_ANGLE, OF_NUMBER, TO_ANGLE = _Maps(takes_angle=True), _Maps(takes_angle=False), _Maps(False, gives_angle=True)


def power(exponent: int | Fraction) -> UnitRule:
    """The unit rule of a fixed exact power."""
    return _Power(Fraction(exponent))


ADDITIVE, VECTORIAL, MULTIPLICATIVE, POWER, ATOM = 1, 2, 3, 4, 5
"""How tightly text binds; an operand that binds more loosely than its place demands gets parentheses. VECTORIAL are
the signs of vector products, which stand in a sum without parentheses and in a product with them."""


@dataclass(frozen=True)
class Operator:
    """One row of the table.

    name: how formulas call it, when it has no sign.
    arity: 1 or 2.
    units: its unit rule.
    compute: ``compute(m, *values)`` where m is numpy, torch or sympy; written once, serves all three. The value of a
        vector is a `Vector`, in all of them.
    ranks: which operands are vectors, and whether the result is one.
    commutes: whether the order of the operands is without meaning.
    inside: whether the function has a value at these operands (numpy), None for everywhere.
    text, binds, holds: template, how tightly it binds, and how tightly each operand must bind.
    latex, latex_holds: the same for LaTeX, where a fraction or a radical holds anything.
    default: whether a search uses it without being asked.
    injective: f(g) conserved <=> g conserved, so that it adds nothing at the root.
    multiplicative: f(c g) = f(c) f(g), so that a coefficient can be pulled out (of a norm as |c|).
    linear: f(c g) = c f(g) in each operand, for coefficients and all numbers c; they can be pulled out.
    antisymmetric: f(y, x) = -f(x, y).
    parity: -1 odd, +1 even, 0 neither.
    nonnegative: it never gives a negative number.
    shifted: the operator that it equals after a shift of its argument (cos: sin).
    exponent: of ``x**exponent``, for those that are written so.
    """

    name: str
    arity: int
    units: UnitRule
    compute: Callable[..., Value]
    latex: str
    text: str = ""
    binds: int = ATOM
    holds: tuple[int, ...] = (0,)
    latex_binds: int = ATOM
    latex_holds: tuple[int, ...] = (0,)
    commutes: bool = False
    inside: Callable[..., Any] | None = None
    default: bool = False
    injective: bool = False
    multiplicative: bool = False
    parity: int = 0
    nonnegative: bool = False
    shifted: str | None = None
    exponent: int | None = None
    ranks: RankRule = NUMBERS
    linear: bool = False
    antisymmetric: bool = False

    def __post_init__(self) -> None:
        assert self.arity in (1, 2), "an operator takes one or two operands"
        if not self.text:
            places = ", ".join(f"{{{place}}}" for place in range(self.arity))
            object.__setattr__(self, "text", f"{self.name}({places})")
        if len(self.holds) != self.arity:
            object.__setattr__(self, "holds", (0,) * self.arity)
        if len(self.latex_holds) != self.arity:
            object.__setattr__(self, "latex_holds", (0,) * self.arity)

    @property
    def called(self) -> bool:
        """Whether text writes it as a function: a name and operands in parentheses."""
        return self.text.startswith(f"{self.name}(")

    @property
    def of_vectors(self) -> bool:
        """Whether it says nothing about numbers alone."""
        return self.ranks.result((NUMBER,) * self.arity) is None

    def typed(self, operands: tuple[Kind, ...], angle: Dimension) -> Kind | None:
        """What the result is, by the unit rule and the rank rule; None when there is no such operation."""
        rank = self.ranks.result(tuple([rank for _, rank in operands]))
        if rank is None:
            return None
        unit = self.units.forward(tuple([unit for unit, _ in operands]), angle)
        return None if unit is None else (unit[0], rank)


OPERATORS: dict[str, Operator] = {}
"""Every operator by name, in the order in which enumeration meets them."""


def register(*rows: Operator) -> None:
    """Add rows to the table; a row with a known name replaces it."""
    OPERATORS.update({row.name: row for row in rows})


register(
    Operator(
        "square", 1, power(2), lambda m, x: squared(x), "{0}^{{2}}", "{0}**2", POWER, (ATOM,), POWER, (ATOM,),
        default=True, multiplicative=True, parity=1, nonnegative=True, exponent=2, ranks=EACH,
    ),
    Operator("sin", 1, OF_ANGLE, lambda m, x: m.sin(x), r"\sin\left({0}\right)", default=True, parity=-1),
    Operator(
        "cos", 1, OF_ANGLE, lambda m, x: m.cos(x), r"\cos\left({0}\right)", default=True, parity=1, shifted="sin"
    ),
    Operator(
        "add", 2, SAME, lambda m, x, y: x + y, "{0} + {1}", "{0} + {1}", ADDITIVE, (ADDITIVE, MULTIPLICATIVE),
        ADDITIVE, (ADDITIVE, ADDITIVE), commutes=True, default=True, ranks=ALIKE,
    ),
    Operator(
        "sub", 2, SAME, lambda m, x, y: x - y, "{0} - {1}", "{0} - {1}", ADDITIVE, (ADDITIVE, MULTIPLICATIVE),
        ADDITIVE, (ADDITIVE, VECTORIAL), default=True, ranks=ALIKE,
    ),
    Operator(
        "mul", 2, PRODUCT, lambda m, x, y: x * y, r"{0} \, {1}", "{0}*{1}", MULTIPLICATIVE,
        (MULTIPLICATIVE, POWER), MULTIPLICATIVE, (MULTIPLICATIVE, MULTIPLICATIVE), commutes=True, default=True,
        ranks=SCALED,
    ),
    Operator(
        "div", 2, QUOTIENT, lambda m, x, y: x / y, r"\frac{{{0}}}{{{1}}}", "{0}/{1}", MULTIPLICATIVE,
        (MULTIPLICATIVE, POWER), POWER, (0, 0), default=True, inside=lambda x, y: y != 0, ranks=OVER_NUMBER,
    ),
    Operator(
        "exp", 1, OF_NUMBER, lambda m, x: m.exp(x), r"\exp\left({0}\right)", injective=True, nonnegative=True,
        inside=lambda x: x < 700,
    ),
    Operator(
        "log", 1, OF_NUMBER, lambda m, x: m.log(x), r"\ln\left({0}\right)", injective=True, inside=lambda x: x > 0
    ),
    Operator(
        "sqrt", 1, power(Fraction(1, 2)), lambda m, x: m.sqrt(x), r"\sqrt{{{0}}}", injective=True, nonnegative=True,
        inside=lambda x: x >= 0,
    ),
    Operator(
        "abs", 1, power(1), lambda m, x: abs(x), r"\left|{0}\right|", multiplicative=True, parity=1, nonnegative=True
    ),
    Operator(
        "tan", 1, OF_ANGLE, lambda m, x: m.sin(x) / m.cos(x), r"\tan\left({0}\right)", parity=-1
    ),
    Operator(
        "inverse", 1, power(-1), lambda m, x: 1 / x, r"{0}^{{-1}}", "{0}**(-1)", POWER, (ATOM,), POWER, (ATOM,),
        injective=True, multiplicative=True, parity=-1, exponent=-1, inside=lambda x: x != 0,
    ),
    Operator(
        "cube", 1, power(3), lambda m, x: x * x * x, "{0}^{{3}}", "{0}**3", POWER, (ATOM,), POWER, (ATOM,),
        injective=True, multiplicative=True, parity=-1, exponent=3,
    ),
    Operator("tanh", 1, OF_NUMBER, lambda m, x: m.tanh(x), r"\tanh\left({0}\right)", injective=True, parity=-1),
    Operator(
        "dot", 2, PRODUCT, lambda m, u, v: dot(u, v), r"{0} \cdot {1}", latex_binds=VECTORIAL,
        latex_holds=(POWER, POWER), commutes=True, ranks=MEASURED, linear=True,
    ),
    Operator(
        "cross", 2, PRODUCT, lambda m, u, v: cross(u, v), r"{0} \times {1}", latex_binds=VECTORIAL,
        latex_holds=(POWER, POWER), ranks=TURNED, linear=True, antisymmetric=True,
    ),
    Operator(
        "norm", 1, power(1), lambda m, u: m.sqrt(dot(u, u)), r"\left|{0}\right|", ranks=MEASURED, multiplicative=True,
        parity=1, nonnegative=True,
    ),
)  # fmt: skip

DEFAULT_OPERATORS = tuple(name for name, row in OPERATORS.items() if row.default)
"""The paper's vocabulary."""

VECTOR_OPERATORS = tuple(name for name, row in OPERATORS.items() if row.of_vectors)
"""What a grammar with vectors has besides."""
