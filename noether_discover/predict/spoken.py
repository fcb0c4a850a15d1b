"""Laws in the numbers that a user's network speaks: the order of its columns, and their units.

D state columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from noether_dsl.units import UnitError, coherent_units
from torch import Tensor

from ..errors import PredictorError
from .noether_loss import Quantity


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


def spoken(
    laws: Any, columns: Sequence[str] | None, approximate: bool = False
) -> tuple[tuple[Quantity, ...], tuple[bool, ...]]:
    """The laws on the network's states, and which of them are approximate.

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
        places, factors = _matched(laws, columns)
        quantities = tuple(SpokenLaw(laws.quantity(k), places, factors) for k in numbers)
        return quantities, tuple(laws.laws[k]["verdict"] == "APPROXIMATE" for k in numbers)
    if columns is not None:
        raise PredictorError("columns and units are matched with a Discovery; a callable takes the states as they are")
    listed = (laws,) if callable(laws) else tuple(laws) if isinstance(laws, Iterable) else ()
    if not listed or not all(callable(law) for law in listed):
        raise PredictorError("laws are a Discovery, a callable states [N, D] -> values [N], or several of those")
    flat: tuple[Callable[[Tensor], Tensor], ...] = listed
    return flat, (approximate,) * len(flat)


def _matched(found: Any, columns: Sequence[str] | None) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Where each of the law's columns stands among the network's, and the factor to the law's coherent unit."""
    from ..data.headers import parse_header

    symbols = tuple(found.columns)
    if columns is None:
        return tuple(range(len(symbols))), tuple(found.scales)
    mine = dict(map(parse_header, columns))
    names = [found.symbols.get(symbol, symbol) for symbol in symbols]
    order = list(mine)
    places, factors = [], []
    for symbol, name, unit in zip(symbols, names, found.column_units, strict=True):
        key = name if name in mine else symbol
        if key not in mine:
            raise PredictorError(f'the law has a column "{name}" and the network has none; it has {", ".join(order)}')
        try:
            units = coherent_units({"law": unit, "network": mine[key] or ""})
        except UnitError as problem:
            raise PredictorError(f'column "{key}" of the network: {problem}') from problem
        if units["law"].dimension != units["network"].dimension:
            shown = mine[key] or "a pure number"
            raise PredictorError(f'the network has column "{key}" in {shown}, the law has it in {unit}; convert one')
        places.append(order.index(key))
        factors.append(units["network"].scale / units["law"].scale)
    return tuple(places), tuple(factors)
