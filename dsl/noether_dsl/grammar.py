"""Grammar: which formulas there are. An enumeration is a function of it alone, and its digest names the enumeration."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from .dimension import ANGLE, PURE, Dimension
from .operators import DEFAULT_OPERATORS, FREE, OPERATORS, Operand
from .units import read_unit


class GrammarError(ValueError):
    """A grammar that cannot be searched."""


@dataclass(frozen=True)
class Grammar:
    """Inputs with units, operators, how parameters get their units, what an angle is, and the node limit.

    inputs: symbols and dimensions, in the order of the columns.
    operators: names of rows of `OPERATORS`.
    parameter_units: None when each parameter takes whatever unit its formula needs (inferred); else the finite list
        of units, as text, that a parameter can have.
    strict_angles: the paper's rule, an angle is a dimension of its own and sinusoids take nothing else; otherwise
        radians are pure numbers.
    max_nodes: the largest tree (the paper's "depth").

    Raises GrammarError when an operator is unknown, an input doubles, or nothing can be built.
    """

    inputs: tuple[tuple[str, Dimension], ...]
    operators: tuple[str, ...] = DEFAULT_OPERATORS
    parameter_units: tuple[str, ...] | None = None
    strict_angles: bool = False
    max_nodes: int = 7

    def __post_init__(self) -> None:
        unknown = [name for name in self.operators if name not in OPERATORS]
        if unknown:
            raise GrammarError(f'there is no operator "{unknown[0]}"; known are {", ".join(OPERATORS)}')
        names = [name for name, _ in self.inputs]
        if not names or len(set(names)) < len(names):
            raise GrammarError("a grammar needs inputs, each with a name of its own")
        if self.max_nodes < 1:
            raise GrammarError("a formula has at least one node")
        if not self.strict_angles:
            object.__setattr__(self, "inputs", tuple((n, d.without(ANGLE)) for n, d in self.inputs))

    @property
    def angle(self) -> Dimension:
        """What sinusoids take."""
        return Dimension.of({ANGLE: 1}) if self.strict_angles else PURE

    @property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The inputs' dimensions by symbol."""
        return dict(self.inputs)

    def leaves(self) -> list[tuple[str, str, Operand]]:
        """Every leaf: head, name and dimension, inputs first."""
        leaves: list[tuple[str, str, Operand]] = [("input", name, dimension) for name, dimension in self.inputs]
        if self.parameter_units is None:
            return [*leaves, ("parameter", "", FREE)]
        for unit in self.parameter_units:
            dimension = Dimension.of(read_unit(unit))
            if not self.strict_angles:
                dimension = dimension.without(ANGLE)
            leaves.append(("parameter", unit, dimension))
        return leaves

    def digest(self) -> str:
        """SHA-256 of everything that the enumeration depends on."""
        facts = [str((name, str(dimension))) for name, dimension in self.inputs]
        facts += [",".join(self.operators), str(self.parameter_units), str(self.strict_angles), str(self.max_nodes)]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()
