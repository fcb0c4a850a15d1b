"""From text to formulas: a small operator-precedence parser. Text is read, never evaluated.

| text              | reading                                                |
|-------------------|--------------------------------------------------------|
| `p**2 - a*cos(q)` | parameters are the names that are no inputs            |
| `p**2 - 3*cos(q)` | a number is a parameter with a value                   |
| `dot(p, p) - q.x` | names of vectors, and of their components              |
| `` `q 1`**2 ``    | a name that is no identifier stands in backquotes      |
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .formula import PARAMETER, Formula, FormulaError, fold, node, parameter, rank_clash, variable, vector
from .operators import ATOM, OPERATORS
from .suggesting import nearest

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)|`(?P<quoted>[^`]+)`"
    r"|(?P<name>[^\W\d]\w*(?:\.\w+)*)|(?P<sign>\*\*|[-+*/^(),]))"
)
_LONGEST = 80_000  # characters
_SHOWN = 120  # characters of a text that a message repeats
_DEEPEST = 100  # nested parts of a text
_LARGEST = 300  # nodes; both limits together keep every recursion over a parsed formula within Python's own
_TOO_DEEP = f"more than {_DEEPEST} nested parts; no formula is that deep"
_INFIX = {"+": ("add", 1), "-": ("sub", 1), "*": ("mul", 2), "/": ("div", 2)}
_POWER = 4


@dataclass(frozen=True)
class Sentence:
    """What a text says: the formula, the parameters' names in the order of `fold`, and the values of numbers.

    values: one per parameter; None for a parameter that was written as a name.
    """

    formula: Formula
    names: tuple[str, ...]
    values: tuple[float | None, ...]


@dataclass(frozen=True)
class _Part:
    formula: Formula
    names: tuple[str, ...]
    values: tuple[float | None, ...]
    number: float | None = None  # set while the part is a bare number, so that exponents and signs can be read
    nodes: int = 1
    rank: int = 0
    deep: int = 1  # nested parts of the formula as it is written again


Inputs = Iterable[str] | Callable[[str], bool] | None
Vectors = Mapping[str, Sequence[str]]
"""Names of vectors, and the symbols of the inputs that are their components."""

COMPONENTS = ("x", "y", "z")
"""What the components of a vector q are called: q.x, q.y and, in space, q.z."""

_NO_VECTORS: Vectors = {}


def parse(text: str, inputs: Inputs = None, vectors: Vectors = _NO_VECTORS) -> Formula:
    """The formula of a text; names that are not in `inputs` are parameters. See `parse_sentence`."""
    return parse_sentence(text, inputs, vectors).formula


def parse_sentence(text: str, inputs: Inputs = None, vectors: Vectors = _NO_VECTORS) -> Sentence:
    """Reads ``+ - * / ** ( )``, functions by their operators' names, numbers, and names.

    inputs: the symbols that are inputs, or a function that tells; the other names are parameters. When None, single
        letters from a to o are parameters.
    vectors: names that are vectors. The components of a vector q are read as q.x, q.y and q.z, and by their symbols.

    Raises FormulaError with the position for anything else, and for numbers where vectors belong or the other way
    round.
    """
    if inputs is None:
        is_input: Callable[[str], bool] = _is_no_letter
    else:
        is_input = inputs if callable(inputs) else frozenset(inputs).__contains__
    part = _Parser(text, is_input, vectors).whole()
    return Sentence(part.formula, part.names, part.values)


def _is_no_letter(name: str) -> bool:
    return re.fullmatch(r"[a-o]\d*", name) is None


class _Parser:
    def __init__(self, text: str, is_input: Callable[[str], bool], vectors: Vectors) -> None:
        self.text, self.is_input, self.deep = text, is_input, 0
        self.vectors = vectors
        dotted = {
            f"{name}.{axis}": s for name, own in vectors.items() for axis, s in zip(COMPONENTS, own, strict=False)
        }
        self.components = {symbol: symbol for symbol in dotted.values()} | dotted
        if len(text) > _LONGEST:
            raise FormulaError(f'"{text[:20]}..." has {len(text)} characters; no formula is that long')
        self.tokens: list[tuple[str, str, int]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                at = len(text) - len(text[at:].lstrip())
                raise FormulaError(f'cannot read "{text[at:].strip()[:12]}" at position {at + 1} of "{self.shown(at)}"')
            self.tokens.append((match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
            at = match.end()
        self.tokens.append(("end", "", len(text)))
        self.at = 0

    def whole(self) -> _Part:
        part = self.expression(0)
        if self.tokens[self.at][0] != "end":
            self.fail()
        return part

    def fail(self, wanted: str = "") -> None:
        kind, token, at = self.tokens[self.at]
        found = "the end" if kind == "end" else f'"{token if len(token) <= _SHOWN else token[:20] + "..."}"'
        raise FormulaError(f'{found} at position {at + 1} of "{self.shown(at)}" was not expected{wanted}')

    def shown(self, at: int) -> str:
        """The text as a message repeats it: of a long one what stands around a position."""
        if len(self.text) <= _SHOWN:
            return self.text
        begin, end = max(at - _SHOWN // 2, 0), at + _SHOWN // 2
        return f"{'...' * (begin > 0)}{self.text[begin:end]}{'...' * (end < len(self.text))}"

    def take(self, sign: str) -> bool:
        if self.tokens[self.at][:2] == ("sign", sign):
            self.at += 1
            return True
        return False

    def expression(self, loosest: int) -> _Part:
        self.deep += 1
        if self.deep > _DEEPEST:
            raise FormulaError(_TOO_DEEP)
        left = self.prefix()
        while True:
            kind, token, _ = self.tokens[self.at]
            if kind == "sign" and token in ("**", "^") and loosest <= _POWER:
                self.at += 1
                left = self.power(left, self.expression(_POWER))
            elif kind == "sign" and token in _INFIX and _INFIX[token][1] > loosest:
                self.at += 1
                name, binds = _INFIX[token]
                left = _binary(name, left, self.expression(binds))
            else:
                self.deep -= 1
                return left

    def prefix(self) -> _Part:
        if self.take("-"):
            part = self.expression(3)
            if part.number is not None:
                return _number(-part.number)
            return _binary("mul", _number(-1.0), part)
        if self.take("+"):
            return self.expression(3)
        if self.take("("):
            part = self.expression(0)
            if not self.take(")"):
                self.fail('; a ")" is missing')
            return part
        kind, token, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            if math.isinf(float(token)):
                self.at -= 1
                self.fail("; the number is too large")
            return _number(float(token))
        if kind == "name" and self.tokens[self.at][:2] == ("sign", "("):
            return self.call(token)
        if kind in ("name", "quoted"):
            return self.leaf(token)
        self.at -= 1
        self.fail()
        raise AssertionError

    def call(self, name: str) -> _Part:
        row = OPERATORS.get(name.lower())
        if row is None or not (row.called or row.arity == 1):
            known = [n for n, r in OPERATORS.items() if r.called or r.arity == 1]
            raise FormulaError(f'there is no function "{name}"; known are {", ".join(known)}{nearest(name, known)}')
        self.at += 1
        parts = [self.expression(0)]
        while len(parts) < row.arity and self.take(","):
            parts.append(self.expression(0))
        if len(parts) < row.arity:
            self.fail(f"; {row.name} takes {row.arity} operands, with a comma between them")
        if not self.take(")"):
            self.fail('; a ")" is missing')
        return _applied(row.name, *parts)

    def leaf(self, name: str) -> _Part:
        if name in self.vectors:
            return _Part(vector(name, self.vectors[name]), (), (), rank=len(self.vectors[name]))
        if name in self.components or self.is_input(name):
            return _Part(variable(self.components.get(name, name)), (), ())
        return _Part(parameter(), (name,), (None,))

    def power(self, base: _Part, exponent: _Part) -> _Part:
        value = exponent.number
        if value is None or value != int(value) or not 1 <= abs(value) <= 12:
            self.at -= 1
            self.fail("; an exponent is a whole number from -12 to 12, other than 0")
        assert value is not None
        if base.number is None:
            return _whole_power(base, int(value))
        try:
            return _number(base.number ** int(value))
        except ArithmeticError as problem:
            said = self.shown(self.tokens[self.at][2])
            raise FormulaError(f'{base.number:g}**{value:g} in "{said}" is no number') from problem


def _number(value: float) -> _Part:
    return _Part(parameter(), ("",), (value,), value)


def _binary(name: str, left: _Part, right: _Part) -> _Part:
    a, b = left.number, right.number
    if a is not None and b is not None and not (name == "div" and b == 0):
        value = {"add": a + b, "sub": a - b, "mul": a * b, "div": a / b if b else 0.0}[name]
        if math.isinf(value):
            raise FormulaError(f"{name} of {a:g} and {b:g} is too large a number")
        return _number(value)
    return _applied(name, left, right)


def _applied(name: str, *parts: _Part) -> _Part:
    """An operator over parts; names and values follow the operands into their canonical order."""
    nodes = 1 + sum(part.nodes for part in parts)
    if nodes > _LARGEST:
        raise FormulaError(f"more than {_LARGEST} nodes; no formula is that large")
    ranks = tuple([part.rank for part in parts])
    rank = OPERATORS[name].ranks.result(ranks)
    if rank is None:
        said = parts[0].formula if len(parts) == 1 else f"{parts[0].formula} and {parts[1].formula}"
        raise FormulaError(f"{rank_clash(name, ranks)} ({said})")
    formula = node(name, *(part.formula for part in parts))
    if formula.operands[0] is not parts[0].formula:
        parts = parts[::-1]
    deep = _nested(name, parts)
    if deep > _DEEPEST:
        raise FormulaError(_TOO_DEEP)
    names = tuple(name for part in parts for name in part.names)
    return _Part(formula, names, tuple(value for part in parts for value in part.values), None, nodes, rank, deep)


def _nested(name: str, parts: Sequence[_Part]) -> int:
    """How many nested parts an operator over these parts has when it is written: x - (y - z) has three."""
    row = OPERATORS[name]
    begins = row.text.startswith("{")  # with its first operand, which is then no deeper than the whole
    binds = [OPERATORS[part.formula.head].binds if part.formula.operands else ATOM for part in parts]
    return max(
        part.deep + (tight < need) + (place > 0 or not begins)
        for place, (part, tight, need) in enumerate(zip(parts, binds, row.holds, strict=True))
    )


def _whole_power(base: _Part, exponent: int) -> _Part:
    for row in OPERATORS.values():
        if row.exponent == exponent:
            return _applied(row.name, base)
    if exponent < 0:
        return _binary("div", _number(1.0), _whole_power(base, -exponent) if exponent < -1 else base)
    if exponent == 1:
        return base
    half = _whole_power(base, exponent // 2)
    squared = _applied("square", half)
    return squared if exponent % 2 == 0 else _binary("mul", squared, base)


def parameter_names(formula: Formula, taken: Iterable[str] = ()) -> tuple[str, ...]:
    """Letters for the parameters, left to right, that are no inputs: a, b, c, ... (e and i are left out)."""
    avoid = set(taken) | formula.inputs | formula.vectors.keys() | {"e", "i"}
    letters = [letter for letter in "abcdfghjklmno" if letter not in avoid]
    names = letters + [f"{letter}{number}" for number in range(1, 100) for letter in "abc"]
    return tuple([n for n in names if n not in avoid][: formula.parameters])


def parameter_units(formula: Formula) -> tuple[str, ...]:
    """The units that the grammar fixed for the parameters, "" where they are inferred."""
    units: list[str] = []
    fold(formula, lambda leaf, _: units.append(leaf.name) if leaf.head == PARAMETER else None, lambda *_: None)
    return tuple(units)
