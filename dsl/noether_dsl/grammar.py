"""Grammar: which formulas there are. An enumeration is a function of it alone, and its digest names the enumeration."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from .dimension import ANGLE, PURE, Dimension
from .formula import Formula, parameter, variable, vector
from .operators import DEFAULT_OPERATORS, FREE, OPERATORS, VECTOR_OPERATORS, Operand
from .suggesting import nearest
from .units import read_unit


class GrammarError(ValueError):
    """A grammar that cannot be searched."""


@dataclass(frozen=True)
class Grammar:
    """Inputs with units, operators, how parameters get their units, what an angle is, and the node limit.

    inputs: symbols and dimensions, in the order of the columns.
    operators: names of rows of `OPERATORS`; with vectors, `VECTOR_OPERATORS` are added to them.
    parameter_units: None when each parameter takes whatever unit its formula needs (inferred); else the finite list
        of units, as text, that a parameter can have.
    strict_angles: the paper's rule, an angle is a dimension of its own and sinusoids take nothing else; otherwise
        radians are pure numbers.
    max_nodes: the largest tree (the paper's "depth").
    vectors: names, and the symbols of the two or three inputs that are the components. Formulas know a vector's
        components only together, as the vector.

    Raises GrammarError when an operator is unknown, an input doubles, nothing can be built, or a vector has other than
    two or three components of its own, of one dimension.
    """

    inputs: tuple[tuple[str, Dimension], ...]
    operators: tuple[str, ...] = DEFAULT_OPERATORS
    parameter_units: tuple[str, ...] | None = None
    strict_angles: bool = False
    max_nodes: int = 7
    vectors: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        unknown = [name for name in self.operators if name not in OPERATORS]
        if unknown:
            hint = nearest(unknown[0], OPERATORS)
            raise GrammarError(f'there is no operator "{unknown[0]}"; known are {", ".join(OPERATORS)}{hint}')
        names = [name for name, _ in self.inputs]
        if not names or len(set(names)) < len(names):
            raise GrammarError("a grammar needs inputs, each with a name of its own")
        if self.max_nodes < 1:
            raise GrammarError("a formula has at least one node")
        if not self.strict_angles:
            object.__setattr__(self, "inputs", tuple((n, d.without(ANGLE)) for n, d in self.inputs))
        if self.vectors:
            self._look_at_vectors()
            object.__setattr__(self, "operators", tuple(dict.fromkeys((*self.operators, *VECTOR_OPERATORS))))

    def _look_at_vectors(self) -> None:
        known = self.dimensions
        places = Counter(symbol for _, symbols in self.vectors for symbol in symbols)
        for name, count in Counter([*known, *(name for name, _ in self.vectors)]).items():
            if count > 1:
                raise GrammarError(f'the vector "{name}" needs a name of its own')
        for name, symbols in self.vectors:
            if len(symbols) not in (2, 3):
                raise GrammarError(f'the vector "{name}" has {len(symbols)} components; it must be two or three')
            for symbol in symbols:
                if symbol not in known:
                    raise GrammarError(f'the vector "{name}" has a component "{symbol}", which is no input')
                if places[symbol] > 1:
                    raise GrammarError(f'the input "{symbol}" can be a component only once')
            if len({known[symbol] for symbol in symbols}) > 1:
                units = ", ".join(str(known[symbol]) for symbol in symbols)
                raise GrammarError(f'the components of the vector "{name}" need one unit, not {units}')

    @property
    def angle(self) -> Dimension:
        """What sinusoids take."""
        return Dimension.of({ANGLE: 1}) if self.strict_angles else PURE

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The inputs' dimensions by symbol."""
        return dict(self.inputs)

    def leaves(self) -> list[tuple[Formula, Operand]]:
        """Every leaf with its dimension: numbers, then vectors, then parameters."""
        inside = {symbol for _, symbols in self.vectors for symbol in symbols}
        known = self.dimensions
        leaves: list[tuple[Formula, Operand]] = [
            (variable(name), dimension) for name, dimension in self.inputs if name not in inside
        ]
        leaves += [(vector(name, symbols), known[symbols[0]]) for name, symbols in self.vectors]
        if self.parameter_units is None:
            return [*leaves, (parameter(), FREE)]
        for unit in self.parameter_units:
            dimension = Dimension.of(read_unit(unit))
            if not self.strict_angles:
                dimension = dimension.without(ANGLE)
            leaves.append((parameter(unit), dimension))
        return leaves

    def digest(self) -> str:
        """SHA-256 of everything that the enumeration depends on."""
        facts = [str((name, str(dimension))) for name, dimension in self.inputs]
        facts += [",".join(self.operators), str(self.parameter_units), str(self.strict_angles), str(self.max_nodes)]
        facts += [str(vector) for vector in self.vectors]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()
