"""A law's formula in the order in which people write sums: powers of columns first, a positive term in front.

The formula that is kept and parsed stays as it is, its letters are the same; only what a screen shows is ordered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noether_dsl.formula import Formula, fold
from noether_dsl.operators import ADDITIVE, ATOM, OPERATORS, POWER
from noether_dsl.reading import text

from .wording import law_sentence

LARGEST_POWER = 12
"""The largest exponent that the language reads back."""


@dataclass(frozen=True)
class _Term:
    """A summand. kind: 0 a power or product of columns, 1 the same with a letter, 2 and 3 anything else."""

    sign: int
    words: str
    kind: int


@dataclass(frozen=True)
class _Piece:
    """A written part. terms: its summands where it is a sum. base, exponent: what it is a power of."""

    words: str
    binds: int
    kind: int
    terms: tuple[_Term, ...] = ()
    base: str = ""
    exponent: int = 1

    def summands(self, sign: int) -> tuple[_Term, ...]:
        if not self.terms:
            return (_Term(sign, self.words, self.kind),)
        return tuple(_Term(sign * term.sign, term.words, term.kind) for term in self.terms)

    def within(self, need: int) -> str:
        return self.words if self.binds >= need else f"({self.words})"


def ordered_formula(law: Mapping[str, Any]) -> str:
    """The law's formula, readable and parseable, with its own letters.

    ``-a*cos(q) + p**2`` becomes ``p**2 - a*cos(q)``, and ``(x**2)**2`` becomes ``x**4``.
    """
    sentence = law_sentence(law)
    spelled = zip(sentence.names, sentence.values, strict=True)
    return _written(sentence.formula, tuple(name or f"{value:.10g}" for name, value in spelled)).words


def _written(formula: Formula, names: tuple[str, ...]) -> _Piece:
    def leaf(part: Formula, number: int) -> _Piece:
        return _Piece(names[number] if number >= 0 else text(part), ATOM, int(number >= 0))

    def inner(part: Formula, operands: tuple[_Piece, ...]) -> _Piece:
        row = OPERATORS[part.head]
        kind = max(piece.kind % 2 for piece in operands)
        if part.head in ("add", "sub"):
            left, right = operands
            terms = left.summands(1) + right.summands(1 if part.head == "add" else -1)
            return _Piece(_sum_of(terms), ADDITIVE, max(t.kind for t in terms), terms)
        polynomial = part.head == "mul" or (row.exponent or 0) > 0
        kind += 0 if polynomial and all(piece.kind < 2 for piece in operands) else 2
        if (row.exponent or 0) > 0 and not part.operands[0].rank:
            (inside,) = operands
            power = (row.exponent or 1) * inside.exponent
            if not inside.base or power > LARGEST_POWER:
                base, power = inside.within(ATOM), row.exponent or 1
                return _Piece(f"{base}**{power}", POWER, kind, (), base, power)
            return _Piece(f"{inside.base}**{power}", POWER, kind, (), inside.base, power)
        words = row.text.format(*(piece.within(need) for piece, need in zip(operands, row.holds, strict=True)))
        return _Piece(words, row.binds, kind)

    return fold(formula, leaf, inner)


def _sum_of(terms: tuple[_Term, ...]) -> str:
    """Those without a letter first, powers before functions, by the alphabet; negative terms alone keep their sign."""
    rows = sorted(terms, key=lambda term: (term.kind // 2, term.kind % 2, term.words))
    front = next((term for term in rows if term.sign > 0), rows[0])
    rows.remove(front)
    words = front.words if front.sign > 0 else f"-{front.words}"
    return words + "".join(f" {'+' if term.sign > 0 else '-'} {term.words}" for term in rows)
