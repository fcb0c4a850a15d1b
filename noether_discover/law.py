"""A law as Python has it: numbers to look at, a function to call, an expression to work with.

    law = discover("pendulum.csv").laws[0]
    law(frame), law.sympy, law.torch(), law.parameters["a"].value, law["formula"]

Everything is computed from the formula, which the language's own parser reads; no text from a file is evaluated.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast, overload

import numpy as np
from noether_dsl.formula import Formula
from noether_dsl.reading import evaluate
from noether_dsl.units import UnitError, coherent_units
from noether_dsl.vector import Vector
from numpy.typing import ArrayLike, NDArray

from .data.headers import parse_header
from .errors import DataError
from .report.notebook import law_html, law_latex
from .report.wording import law_sentence

if TYPE_CHECKING:
    import pandas as pd

    from .law_module import LawModule
    from .search.quantity import Quantity

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A column: its name in the file, its symbol in formulas, its coherent unit, and the factor that leads there."""

    name: str
    symbol: str
    unit: str = "1"
    scale: float = 1.0


@dataclass(frozen=True)
class Parameter:
    """A fitted number: value and standard error in the coherent `unit`; no error (None) where it is undetermined."""

    value: float
    standard_error: float | None
    unit: str


@dataclass(frozen=True, eq=False, repr=False)
class Law(Mapping[str, Any]):
    """One conserved quantity. A mapping of its facts (``law["expression"]``), and a function of states.

    facts: what ``--json`` prints of it. columns: of its data, in the order of the file; states follow it.
    """

    facts: Mapping[str, Any]
    columns: tuple[Column, ...]

    def __getitem__(self, key: str) -> Any:
        return self.facts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)

    def __hash__(self) -> int:
        return hash((self.facts["formula"], self.columns))

    def __repr__(self) -> str:
        return f"<{self.verdict}: {self.expression}, {'a pure number' if self.unit == '1' else self.unit}>"

    @property
    def expression(self) -> str:
        """The formula with its numbers, rounded as their errors allow, for columns as the file has them."""
        return str(self.facts["expression"])

    @property
    def formula(self) -> str:
        """The formula with letters for its numbers, for columns in coherent units."""
        return str(self.facts["formula"])

    @property
    def verdict(self) -> str:
        """LAW, APPROXIMATE or CONSTRAINT."""
        return str(self.facts["verdict"])

    @property
    def unit(self) -> str:
        """The unit of the quantity itself, "1" for a pure number."""
        return str(self.facts["unit"])

    @property
    def units(self) -> dict[str, str]:
        """Coherent units of the columns that the law reads, by the names that the file gives them."""
        return {column.name: column.unit for column in self._used}

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The fitted numbers by name, in the order in which they stand in the formula."""
        return {p["name"]: Parameter(p["value"], p["standard_error"], p["unit"]) for p in self.facts["parameters"]}

    @property
    def forms(self) -> tuple[str, ...]:
        """Other formulas that were searched and say the same."""
        return tuple(self.facts["forms"])

    @cached_property
    def _formula(self) -> Formula:
        return law_sentence(self.facts).formula

    @property
    def _used(self) -> list[Column]:
        read = {*self._formula.inputs, *(s for group in self._formula.vectors.values() for s in group)}
        return [column for column in self.columns if column.symbol in read]

    @property
    def quantity(self) -> Quantity:
        """The law on states [..., D] in coherent units, as searches and predictors use it."""
        from .search.quantity import Quantity

        values = tuple(p["value"] for p in self.facts["parameters"])
        return Quantity(self._formula, values, tuple(column.symbol for column in self.columns))

    @overload
    def __call__(self, states: pd.DataFrame) -> pd.Series[float]: ...
    @overload
    def __call__(self, states: ArrayLike) -> Array: ...
    def __call__(self, states: pd.DataFrame | ArrayLike) -> pd.Series[float] | Array:
        """The quantity, in `unit`, at states with the file's own numbers (degrees stay degrees).

        states: an array [..., D] whose last axis are the columns in the order of `columns`, which gives an array
            [...]; or a frame with (at least) the columns that the law reads, by name, which gives a series with the
            frame's index. A unit in a frame's header (``q [deg]``) is believed and converted.

        Raises DataError for a missing column, a unit of another dimension, and an array of another width.
        """
        import pandas as pd

        if isinstance(states, pd.DataFrame):
            coherent = self._from_frame(states)
            return pd.Series(self.quantity(coherent), index=states.index, name=self.expression, dtype=float)
        x = np.asarray(states, dtype=np.float64)
        if x.ndim == 0 or x.shape[-1] != len(self.columns):
            names = ", ".join(column.name for column in self.columns)
            raise DataError(
                f"states have the shape {x.shape}; their last axis must be the columns {names}, in this order"
            )
        return np.array(self.quantity(x * np.array([column.scale for column in self.columns])))

    def _from_frame(self, frame: pd.DataFrame) -> Array:
        """States [N, D] in coherent units; what the law does not read is nan."""
        headers = [parse_header(str(header)) for header in frame.columns]
        x = np.full((len(frame), len(self.columns)), np.nan)
        for d, column in enumerate(self.columns):
            if column not in self._used:
                continue
            places = [k for k, header in enumerate(frame.columns) if str(header).strip() == column.name]
            places = places or [k for k, (name, _) in enumerate(headers) if name == column.name]
            if len(places) != 1:
                there = ", ".join(name for name, _ in headers)
                what = f'has no column "{column.name}"' if not places else f'has several columns "{column.name}"'
                raise DataError(f"the frame {what}, which the law reads; it has {there}")
            unit = headers[places[0]][1] if str(frame.columns[places[0]]).strip() != column.name else None
            try:
                numbers = frame.iloc[:, places[0]].to_numpy(dtype=np.float64)
            except (TypeError, ValueError) as problem:
                raise DataError(f'column "{column.name}" of the frame holds something that is no number') from problem
            x[:, d] = numbers * (column.scale if unit is None else _factor(unit, column))
        return x

    @property
    def sympy(self) -> Any:
        """A sympy expression with all digits of the numbers, in the symbols of the columns as the file has them."""
        import sympy

        columns = {
            c.symbol: sympy.Symbol(c.symbol) * (1 if c.scale == 1 else sympy.Float(c.scale)) for c in self.columns
        }
        numbers = [sympy.Float(p["value"]) for p in self.facts["parameters"]]
        value = evaluate(self._formula, columns, numbers, sympy)
        return sympy.Matrix(list(value)) if isinstance(value, Vector) else value

    def torch(self) -> LawModule:
        """A `torch.nn.Module` on states [..., D] with the file's numbers: float64, its parameters can be trained."""
        from .law_module import LawModule

        return LawModule(self.quantity, tuple(self.parameters), [column.scale for column in self.columns])

    def to_json(self) -> dict[str, Any]:
        """One JSON-able object, a copy."""
        return cast("dict[str, Any]", json.loads(json.dumps(dict(self.facts))))

    def _repr_html_(self) -> str:
        return str(law_html(self.facts))

    def _repr_latex_(self) -> str:
        return law_latex([self.facts])


def columns_of(
    symbols: Sequence[str], names: Mapping[str, str], units: Sequence[str], scales: Sequence[float]
) -> tuple[Column, ...]:
    """The columns from what a discovery says of them. names: of those that their symbol does not spell."""
    return tuple(
        Column(names.get(symbol, symbol), symbol, unit, scale)
        for symbol, unit, scale in zip(symbols, units, scales, strict=True)
    )


def _factor(text: str, column: Column) -> float:
    """From a unit that a header states to the column's coherent one."""
    try:
        both = coherent_units({"own": column.unit, "given": text}, angles_are_pure=column.unit == "1")
    except UnitError as problem:
        raise DataError(f'column "{column.name}" of the frame: {problem}') from problem
    own, given = both["own"], both["given"]
    if own.dimension != given.dimension:
        raise DataError(f'column "{column.name}" of the frame is in {text}, the law reads it in {column.unit}')
    return given.scale / own.scale
