"""Laws and data in the numbers that a user's network speaks: the order of its columns, and their units.

N states, D state columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from noether_dsl.units import UnitError, read_unit
from torch import Tensor

from ..data.given import Given, are_arrays, conversion, in_other_numbers, in_their_own_numbers, trajectories_of
from ..data.headers import parse_header
from ..data.trajectories import Trajectories
from ..errors import PredictorError
from .noether_loss import Quantity
from .own_network import first_line


@dataclass(frozen=True)
class Column:
    """A column of the network: its number times `scale` is one in `unit`."""

    name: str
    unit: str
    scale: float = 1.0

    @property
    def shown(self) -> str:
        """For messages."""
        unit = "a pure number" if self.unit in ("", "1") else self.unit
        return unit if self.scale == 1 else f"units of {self.scale:.6g} {self.unit}"


@dataclass(frozen=True)
class SpokenLaw:
    """A law on the network's own states [..., D] -> values [...].

    places: which of the network's columns the law's columns are. factors: from the network's number to the law's.
    """

    quantity: Any
    places: tuple[int, ...]
    factors: tuple[float, ...]

    @property
    def parameters(self) -> tuple[float, ...]:
        """The law's own."""
        return tuple(getattr(self.quantity, "parameters", ()))

    def heard(self, x: Tensor) -> Tensor:
        """States as the law knows them."""
        return x[..., list(self.places)] * torch.tensor(self.factors, dtype=x.dtype)

    def __call__(self, x: Tensor) -> Tensor:
        value: Tensor = self.quantity(self.heard(x))
        return value

    def at(self, x: Tensor, parameters: Tensor) -> Tensor:
        """With other values for the law's parameters."""
        value: Tensor = self.quantity.at(self.heard(x), parameters)
        return value


@dataclass(frozen=True)
class Spoken:
    """Laws on the network's states, which of them are approximate, and the network's columns where they have names."""

    quantities: tuple[Quantity, ...]
    approximate: tuple[bool, ...]
    columns: tuple[Column, ...] | None = None

    def data(self, given: Given) -> Trajectories:
        """Data in the network's numbers: its columns, in its order and its units.

        Raises PredictorError when the data lack a column, or have it in a unit that the network's cannot have.
        """
        if self.columns is None:
            return in_their_own_numbers(given)
        names = [column.name for column in self.columns]
        found = trajectories_of(given, names)
        if are_arrays(given):
            if found.dimension != len(names):
                raise PredictorError(
                    f"the arrays have {found.dimension} columns and the network {len(names)}: {', '.join(names)}"
                )
            return found
        places, factors = [], []
        for column in self.columns:
            if column.name not in found.names:
                raise PredictorError(
                    f'{found.origin}: the network has a column "{column.name}" and the data have none; '
                    f"they have {', '.join(found.names)}"
                )
            place = found.names.index(column.name)
            factor = conversion(str(found.units[place]), column.unit)
            if factor is None:
                unit = found.units[place]
                has = "no unit" if unit.dimension.is_pure else f"the unit {unit}"
                raise PredictorError(
                    f'{found.origin}: column "{column.name}" has {has}, and the network has it in {column.shown}; '
                    "write the unit into the header, or convert the column"
                )
            places.append(place)
            factors.append(factor / column.scale)
        return in_other_numbers(found, places, factors)


def spoken(laws: Any, columns: Sequence[str] | None, approximate: bool = False) -> Spoken:
    """The laws as the network's states can be put to them.

    laws: a Discovery (all its laws but constraints), a callable on states [N, D] -> [N] (a law of a Discovery, a module
        that was exported, a function), or several of them.
    columns: the network's columns with their units, such as ("q [deg]", "p [kg*m/s]"), for a Discovery; None for the
        file's own columns, in its order and in its units. approximate: whether the levels of callables may change.

    Raises PredictorError when there is no law, or a column has a unit that the law's column cannot have.
    """
    if hasattr(laws, "laws") and hasattr(laws, "quantity"):
        numbers = [k for k, law in enumerate(laws.laws) if law["verdict"] in ("LAW", "APPROXIMATE")]
        if not numbers:
            raise PredictorError(f"the discovery holds no law to be enforced; it says {laws.verdict}: {laws.reason}")
        theirs = tuple(
            Column(laws.symbols.get(symbol, symbol), unit, scale)
            for symbol, unit, scale in zip(laws.columns, laws.column_units, laws.scales, strict=True)
        )
        mine = theirs if columns is None else tuple(_column(header, laws.symbols) for header in columns)
        places, factors = _matched(theirs, mine)
        quantities = tuple(SpokenLaw(laws.quantity(k), places, factors) for k in numbers)
        return Spoken(quantities, tuple(laws.laws[k]["verdict"] == "APPROXIMATE" for k in numbers), mine)
    if columns is not None:
        raise PredictorError("columns and units are matched with a Discovery; a callable takes the states as they are")
    listed = (laws,) if callable(laws) else tuple(laws) if isinstance(laws, Iterable) else ()
    if not listed or not all(callable(law) for law in listed):
        raise PredictorError("laws are a Discovery, a callable states [N, D] -> values [N], or several of those")
    flat: tuple[Callable[[Tensor], Tensor], ...] = listed
    return Spoken(flat, (approximate,) * len(flat))


def _column(header: str, names: Mapping[str, str]) -> Column:
    """A column from a header; names: those of columns whose symbols in formulas differ, either will do."""
    name, unit = parse_header(header)
    try:
        read_unit(unit or "")
    except UnitError as problem:
        raise PredictorError(f'column "{name}" of the network: {problem}') from problem
    return Column(names.get(name, name), unit or "")


def _matched(theirs: Sequence[Column], mine: Sequence[Column]) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Where each of the law's columns stands among the network's, and the factor to the law's coherent unit."""
    names = [column.name for column in mine]
    if len(set(names)) < len(names):
        raise PredictorError(f"a column of the network is named twice: {', '.join(names)}")
    places, factors = [], []
    for law in theirs:
        if law.name not in names:
            raise PredictorError(
                f'the law has a column "{law.name}" and the network has none; it has {", ".join(names)}'
            )
        network = mine[names.index(law.name)]
        factor = conversion(network.unit, law.unit)
        if factor is None:
            raise PredictorError(
                f'the network has column "{law.name}" in {network.shown}, the law has it in {law.unit}; convert one'
            )
        places.append(names.index(law.name))
        factors.append(factor * network.scale)
    return tuple(places), tuple(factors)


def sound(quantity: Quantity, x_ND: Tensor) -> None:
    """Raises PredictorError unless a law has a number for each of these states that torch can differentiate."""
    states = x_ND.detach().clone().requires_grad_()
    try:
        with torch.enable_grad():
            value = quantity(states)
    except Exception as problem:  # it is the user's own code
        raise PredictorError(
            f"a law cannot be computed at states {tuple(x_ND.shape)} in {x_ND.dtype} ({first_line(problem)}); "
            "it takes a tensor [N, D] and gives a tensor [N]"
        ) from problem
    if not isinstance(value, Tensor) or value.shape not in (x_ND.shape[:1], ()):
        shown = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise PredictorError(f"a law gives {shown} for states {tuple(x_ND.shape)}; wanted is ({len(x_ND)},)")
    if not value.requires_grad and value.dim() and float(value.max() - value.min()) > 0:
        raise PredictorError("a law cannot be differentiated by the states; write it with torch, without detach")
