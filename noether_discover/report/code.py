"""The laws as code that needs nothing of this package: a numpy function or a torch module each.

Both take the numbers of the data file, as a law's `expression` does; a column's scale stands in the code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from noether_dsl.formula import Formula
from noether_dsl.reading import Leaf, numpy_code, text, torch_code

from ..data.headers import symbols_of
from .wording import law_sentence, short, significant

Found = Mapping[str, Any]

_TAKEN = frozenset({"np", "torch", "self", "states", "dtype", "abs", "__debug__"})
"""Names that mean something in what is written, or that Python lets nobody assign to."""


def to_python(found: Found) -> str:
    """A module with one function per law, on numpy arrays: the law's columns, then its parameters with defaults."""
    columns = _columns(found)
    lines = [
        '"""Conserved quantities as functions of numpy arrays, written by noether-discover.',
        "",
        "The arguments are columns with the numbers that the data file has; parameters have their fitted values.",
        '"""',
        "",
        "import numpy as np",
    ]
    for number, law in enumerate(found["laws"], start=1):
        lines += ["", "", *_function(number, _Law.of(law, columns))]
    return _whole(lines, found)


def to_torch(found: Found) -> str:
    """A module with one `torch.nn.Module` per law, on states whose last axis are all columns, in the file's order."""
    columns = _columns(found)
    lines = ['"""Conserved quantities as torch modules, written by noether-discover."""', "", "import torch"]
    for number, law in enumerate(found["laws"], start=1):
        lines += ["", "", *_module(number, _Law.of(law, columns))]
    return _whole(lines, found)


@dataclass(frozen=True)
class _Column:
    """A column: its name in the code, its title in the file, its coherent unit, and the factor that leads there."""

    name: str
    title: str
    unit: str
    scale: float

    @property
    def own_unit(self) -> str:
        """The unit of the file's numbers, ``0.0174533 rad`` for degrees."""
        if self.scale == 1:
            return self.unit
        return f"{self.scale:.6g}" if self.unit == "1" else f"{self.scale:.6g} {self.unit}"

    def __str__(self) -> str:
        shown = "".join(character if character.isprintable() else " " for character in self.title)
        unit = f", {_in(self.unit)}"
        if self.scale != 1:
            unit = f" as the file has it; times {self.scale:.6g} it is {_in(self.unit)}"
        return f'column "{shown}"{unit}'


def _columns(found: Found) -> dict[str, _Column]:
    """The columns by the symbols that formulas call them."""
    symbols, titles = found["columns"], found.get("symbols", {})
    names = symbols_of([f"{symbol}_" if symbol in _TAKEN else symbol for symbol in symbols])
    return {
        symbol: _Column(name, titles.get(symbol, symbol), unit, scale)
        for symbol, name, unit, scale in zip(symbols, names, found["column_units"], found["scales"], strict=True)
    }


@dataclass(frozen=True)
class _Law:
    """A law with its formula read: `leaf` spells columns and parameters as the code calls them."""

    facts: Mapping[str, Any]
    formula: Formula
    leaf: Leaf
    columns: Mapping[str, _Column]

    @classmethod
    def of(cls, law: Mapping[str, Any], columns: Mapping[str, _Column]) -> _Law:
        said = law_sentence(law)

        def leaf(part: Formula, number: int) -> str:
            return said.names[number] if number >= 0 else part.name if part.components else columns[part.name].name

        return cls(law, said.formula, leaf, columns)

    @property
    def used(self) -> dict[int, _Column]:
        """The columns that the formula reads, by their places in a state."""
        return {d: self.columns[s] for d, s in enumerate(self.columns) if s in self.formula.inputs}

    @property
    def values(self) -> dict[str, str]:
        """The parameters' values in code, by name."""
        return {p["name"]: repr(float(p["value"])) for p in self.facts["parameters"]}

    @property
    def claim(self) -> list[str]:
        """Verdict, formula and unit; then the figures."""
        law = self.facts
        names = {
            "ratio_heldout": "held-out ratio",
            "ratio_random": "ratio on random sequences",
            "noise_chi2": "reduced chi-square",
        }
        figures = "; ".join(f"{name} {short(law[key])}" for key, name in names.items() if law[key] is not None)
        lines = [f"{law['verdict']}: {text(self.formula, self.leaf)}, {_in(law['unit'])}.", ""]
        for name, group in self.formula.vectors.items():
            lines[0] += f" The vector {name} is ({', '.join(self.columns[part].name for part in group)})."
        if figures:
            lines.append(f"{figures[0].upper()}{figures[1:]}.")
        if law["drift_per_time"] is not None:
            error = _error(law["drift_standard_error"])
            lines.append(f"Drift per time {short(law['drift_per_time'])}, {error}, {_in(law['drift_unit'])}.")
        return lines

    @property
    def numbers(self) -> list[str]:
        """Each parameter with its standard error and unit."""
        words = []
        for p in self.facts["parameters"]:
            error = p["standard_error"]
            value = significant(p["value"], float("inf") if error is None else error)
            words.append(f"{p['name']}: {value}, {_error(error)}, {_in(p['unit'])}.")
        return words


def _function(number: int, law: _Law) -> list[str]:
    used = law.used.values()
    arguments = [column.name for column in used] + [f"{name}={value}" for name, value in law.values.items()]
    words = [*law.claim, *(f"{column.name}: {column}." for column in used), *law.numbers]
    lines = [f"def law_{number}({', '.join(arguments)}):", *_docstring(words)]
    lines += [f"    {column.name} = {column.scale!r} * {column.name}" for column in used if column.scale != 1]
    return [*lines, f"    return {numpy_code(law.formula, law.leaf)}"]


def _module(number: int, law: _Law) -> list[str]:
    columns = law.columns.values()
    words = [
        *law.claim,
        f"Takes states [..., {len(columns)}] with the numbers that the data file has, gives values [...].",
        "The columns of a state:",
    ]
    for d, column in enumerate(columns):
        place = f"    [..., {d}]"
        words.append(f"{place} {column.name}: {column}." if d in law.used else f"{place} {column}; not in the formula.")
    if law.values:
        words += [
            "Parameters, float64, cast to the states' type; they can be trained, `requires_grad_(False)` freezes them:"
        ]
        words += [f"    {line}" for line in law.numbers]
    lines = [f"class Law{number}(torch.nn.Module):", *_docstring(words), ""]
    lines.append(f"    columns = {_tuple(column.title for column in columns)}")
    lines.append(f"    units = {_tuple(column.own_unit for column in columns)}")
    if law.values:
        lines += ["", "    def __init__(self) -> None:", "        super().__init__()"]
    for name, value in law.values.items():
        lines.append(f"        self.{name} = torch.nn.Parameter(torch.tensor({value}, dtype=torch.float64))")
    lines += ["", "    def forward(self, states: torch.Tensor) -> torch.Tensor:"]
    lines += [
        "        if states.shape[-1] != len(self.columns):",
        '            raise ValueError(f"states have {states.shape[-1]} columns; the law takes {self.columns}")',
    ]
    for d, column in law.used.items():
        factor = "" if column.scale == 1 else f"{column.scale!r} * "
        lines.append(f"        {column.name} = {factor}states[..., {d}]")
    if law.values:
        lines.append(
            "        dtype = torch.result_type(states, 1.0)"
        )  # a parameter as a whole number would be another law
    lines += [f"        {name} = self.{name}.to(dtype)" for name in law.values]
    return [*lines, f"        return {torch_code(law.formula, law.leaf)}"]


def _whole(lines: Sequence[str], found: Found) -> str:
    nothing = [] if found["laws"] else ["", "# no conserved quantity was found"]
    return "\n".join([*lines, *nothing]) + "\n"


def _docstring(lines: Sequence[str]) -> list[str]:
    """The lines as a docstring of something at the margin; whatever a column is called, it ends where it should."""
    escaped = [line.replace("\\", "\\\\").replace('"""', r"\"\"\"") for line in lines]
    first, *rest = (f"    {line}" if line else "" for line in escaped)
    return [f'    """{first.strip()}', *rest, '    """']


def _tuple(words: Iterable[str]) -> str:
    quoted = [json.dumps(word, ensure_ascii=False) for word in words]
    return f"({', '.join(quoted)}{',' if len(quoted) == 1 else ''})"


def _in(unit: str) -> str:
    return "a pure number" if unit == "1" else f"in {unit}"


def _error(error: float | None) -> str:
    return "standard error unknown" if error is None else f"standard error {short(error)}"
