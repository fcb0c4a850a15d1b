"""Units of measurement: text on one side, dimensions and scales on the other.

The only module that knows pint, and it imports pint only when a unit has to be read.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

from .dimension import ANGLE, PURE, Dimension

_PURE_SPELLINGS = frozenset({"", "1", "-", "–", "—", "none", "pure", "dimensionless", "unitless"})
_EXPONENT_DENOMINATOR = 12
_LARGEST_EXPONENT = 12
_LONGEST = 200  # characters
_POWER = re.compile(
    r"(?:\*\*|\^)\s*[({]?\s*[-+]?\d{1,3}(?:\.\d+)?(?:\s*/\s*\d{1,3})?\s*[)}]?(?!\s*(?:\*\*|\^|[\d.]|[eE][-+]?\d))"
)
_DEGREE = re.compile("°(?![CFR])")
_NUMBER = re.compile(r"(?<![\w.])(?!1(?:\.0*)?(?![\w.]))\d")
_NO_SIGNS = re.compile(r"[,;:!?#@~|\\<>=&`'\"$\[\]\x00-\x08\x0e-\x1f]")


class UnitError(ValueError):
    """A unit that cannot be read; the message names the nearest known one."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One column's unit in a file's own coherent system.

    dimension: over the base units that the file itself uses (``AU`` and ``day`` stay what they are).
    scale: the factor that takes a number in this unit to the coherent unit (0.01745... for degrees), 1 for most.
    """

    dimension: Dimension = PURE
    scale: float = 1.0

    def __str__(self) -> str:
        return str(self.dimension)


@cache
def _registry() -> Any:
    import pint

    registry: Any = pint.UnitRegistry(on_redefinition="ignore", cache_folder=None)
    registry.define("radian = [angle] = rad")
    registry.define("AU = astronomical_unit")
    registry.define("individual = [] = individuals")
    registry._build_cache()  # pint keeps the old radian inside derived units (rpm) until its cache is made anew
    return registry


def read_unit(text: str) -> dict[str, Fraction]:
    """The atoms of a unit with their exponents: ``kg*m/s`` -> {kg: 1, m: 1, s: -1}.

    Raises UnitError for a unit that nobody knows, with the nearest known spelling.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise UnitError(f'"{text[:20]}..." has {len(text)} characters; no unit is that long')
    return dict(_read_unit(text))


@cache
def _read_unit(text: str) -> tuple[tuple[str, Fraction], ...]:
    if text.lower() in _PURE_SPELLINGS:
        return ()
    registry = _registry()
    without_powers = _POWER.sub(" ", text)  # pint would compute 9**9**9**9, and passes over signs that it does not know
    if "**" in without_powers or "^" in without_powers or _NUMBER.search(without_powers) or _NO_SIGNS.search(text):
        raise UnitError(f'unknown unit "{text}"{_nearest(text)}')
    try:
        parsed = registry.parse_units(_DEGREE.sub("degree", text).replace("·", "*"))
        zero = registry.Quantity(0.0, parsed).to_root_units().magnitude
    except Exception as problem:  # pint raises its own, tokenizer, syntax and overflow errors for text that is no unit
        raise UnitError(f'unknown unit "{text}"{_nearest(text)}') from problem
    if not math.isfinite(zero):
        raise UnitError(f'the unit "{text}" is out of the range of numbers')
    if zero != 0:
        raise UnitError(f'"{text}" counts from an arbitrary zero; convert the column to an absolute unit such as K')
    atoms: dict[str, Fraction] = {}
    for name, power in dict(parsed._units).items():
        symbol = _symbol(name)
        exponent = Fraction(power).limit_denominator(_EXPONENT_DENOMINATOR)
        if abs(exponent - power) > 1e-3 or abs(exponent) > _LARGEST_EXPONENT:
            raise UnitError(f'the exponent {power:g} in "{text}" is no fraction of a unit, such as 2 or 1/2')
        atoms[symbol] = atoms.get(symbol, Fraction(0)) + exponent
    return tuple(sorted(item for item in atoms.items() if item[1]))


@cache
def _symbol(name: str) -> str:
    """A unit's symbol; its name where the symbol would be read as another unit (µ) or as none (R_∞)."""
    registry = _registry()
    symbol: str = registry.get_symbol(name)
    try:
        same = dict(registry.parse_units(symbol)._units) == {name: 1}
    except Exception:  # as in _read_unit
        same = False
    symbol = symbol if same else name
    return {"astronomical_unit": "AU", "au": "AU", "d": "day", "a": "yr"}.get(symbol, symbol)


def _nearest(text: str) -> str:
    registry = _registry()
    known = [name for name in registry._units if not name.startswith("_")]
    word = max((w for w in _words(text) if not _is_known(w)), key=len, default=text)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f', did you mean "{close[0]}"?' if close else "; leave the brackets out for a pure number"


def _words(text: str) -> list[str]:
    return "".join(c if c.isalpha() or c == "_" else " " for c in text).split()


def _is_known(word: str) -> bool:
    try:
        _registry().parse_units(word)
    except Exception:  # as in _read_unit
        return False
    return True


def _root(atom: str) -> tuple[float, Dimension]:
    """An atom in root units: factor and dimension, e.g. cm -> 0.01, m."""
    registry = _registry()
    factor, roots = registry.get_root_units(atom)
    return float(factor), Dimension.of(
        {_symbol(n): Fraction(p).limit_denominator(_EXPONENT_DENOMINATOR) for n, p in roots._units.items()}
    )


def coherent_units(texts: Mapping[str, str], *, angles_are_pure: bool = False) -> dict[str, Unit]:
    """Each column's unit over a basis of the file's own atoms.

    The atoms are taken in order of appearance; one that is a product of powers of earlier ones (cm after m, N after
    kg, m and s) is expressed by them, with a scale, so that every relation between units stays exact and numbers keep
    the size that the file gave them. Angles are always measured in radians.

    Raises UnitError for an unknown unit, naming the column.
    """
    read: dict[str, dict[str, Fraction]] = {}
    for column, text in texts.items():
        try:
            read[column] = read_unit(text)
        except UnitError as problem:
            raise UnitError(f'column "{column}": {problem}') from problem
    basis = _Basis(atom for atoms in read.values() for atom in atoms)
    units = {}
    for column, atoms in read.items():
        dimension, scale = PURE, 1.0
        for atom, power in atoms.items():
            factor, piece = basis.express(atom)
            dimension = dimension * piece**power
            scale *= factor ** float(power)
        if not 0 < scale < math.inf:
            raise UnitError(f'column "{column}": the unit "{texts[column]}" is out of the range of numbers')
        if any(abs(power) > _LARGEST_EXPONENT for _, power in dimension.exponents):
            raise UnitError(f'column "{column}": the unit "{texts[column]}" is a power beyond {_LARGEST_EXPONENT}')
        units[column] = Unit(dimension.without(ANGLE) if angles_are_pure else dimension, scale)
    return units


class _Basis:
    """Atoms that are independent as dimensions, and every other atom by them. Exact elimination over fractions."""

    def __init__(self, atoms: Iterable[str]) -> None:
        self._rows: list[tuple[str, float, Dimension]] = [(ANGLE, 1.0, Dimension.of({ANGLE: 1}))]
        self._known: dict[str, tuple[float, Dimension]] = {ANGLE: (1.0, Dimension.of({ANGLE: 1}))}
        waiting = [atom for atom in dict.fromkeys(atoms) if atom != ANGLE]
        for atom in sorted(waiting, key=lambda a: len(_root(a)[1].exponents)):
            factor, dimension = _root(atom)
            powers = self._solve(dimension)
            if powers is None:
                self._rows.append((atom, factor, dimension))
                self._known[atom] = (1.0, Dimension.of({atom: 1}))
            else:
                scale = factor
                for (_, row_factor, _), power in zip(self._rows, powers, strict=True):
                    scale /= row_factor ** float(power)
                by_basis = Dimension.of({row[0]: p for row, p in zip(self._rows, powers, strict=True)})
                self._known[atom] = (scale, by_basis)

    def express(self, atom: str) -> tuple[float, Dimension]:
        return self._known[atom]

    def _solve(self, target: Dimension) -> list[Fraction] | None:
        """Exponents x with prod rows_i^x_i = target, or None when the target is independent of the rows."""
        bases = sorted({b for _, _, d in self._rows for b, _ in d.exponents} | {b for b, _ in target.exponents})
        columns = [dict(d.exponents) for _, _, d in self._rows]
        wanted = dict(target.exponents)
        matrix = [[c.get(b, Fraction(0)) for c in columns] + [wanted.get(b, Fraction(0))] for b in bases]
        size, row, pivots = len(columns), 0, []
        for column in range(size):
            pivot = next((r for r in range(row, len(matrix)) if matrix[r][column]), None)
            if pivot is None:
                continue
            matrix[row], matrix[pivot] = matrix[pivot], matrix[row]
            lead = matrix[row][column]
            matrix[row] = [entry / lead for entry in matrix[row]]
            for other in range(len(matrix)):
                if other != row and matrix[other][column]:
                    factor = matrix[other][column]
                    matrix[other] = [a - factor * b for a, b in zip(matrix[other], matrix[row], strict=True)]
            pivots.append(column)
            row += 1
        if any(entry[size] for entry in matrix[row:]):
            return None
        solution = [Fraction(0)] * size
        for r, column in enumerate(pivots):
            solution[column] = matrix[r][size]
        return solution
