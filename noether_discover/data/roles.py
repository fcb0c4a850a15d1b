"""Roles: which column is the trajectory, the time, the state, its derivatives; and in which units."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noether_dsl.dimension import Dimension
from noether_dsl.operators import OPERATORS
from noether_dsl.units import Unit, UnitError, coherent_units

from .cells import Table
from .headers import TIME_NAMES, TRAJECTORY_NAMES, bare, is_unnamed, parse_header, rate_name, symbols_of
from .reading import ReadOptions, Survey, listed, so_many_times

_SHOWN = 5  # of many alike remarks, so many are spelled out
_LONGEST_NAME = 500  # characters


@dataclass(frozen=True)
class Roles:
    """Which column is what, by name; `units` holds the text of every used column's unit."""

    trajectory: str | None
    time: str | None
    inputs: tuple[str, ...]
    rates: tuple[str, ...]
    units: Mapping[str, str]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every column that must hold numbers; time first."""
        return (*(() if self.time is None else (self.time,)), *self.inputs, *self.rates)


def headers_of(table: Table) -> list[tuple[str, str | None]]:
    return [parse_header(header) for header in table.headers]


def roles_of(table: Table, options: ReadOptions, found: Survey) -> Roles | None:
    """Which column is what. None when that cannot be told."""
    before = len(found.problems)
    here = table.origin
    headers = [(name, unit) for name, unit in headers_of(table) if not is_unnamed(name)]
    unnamed = [place + 1 for place, (name, _) in enumerate(headers_of(table)) if is_unnamed(name)]
    names = [name for name, _ in headers]
    if len(unnamed) > _SHOWN:
        found.notes.append(f"{here}: {len(unnamed)} columns have no name and are left out, first column {unnamed[0]}")
    else:
        found.notes += [f"{here}: column {place} has no name and is left out" for place in unnamed]
    for name in names:
        if len(name) > _LONGEST_NAME:
            found.problem(f'{here}: the name of a column has {len(name)} characters ("{name[:20]}..."). Shorten it.')
    for name, count in Counter(names).items():
        if count > 1:
            found.problem(_twice(here, name, count))
    if len(found.problems) > before:
        return None

    def column(wanted: str, option: str) -> str | None:
        for candidate in (wanted.strip(), parse_header(wanted)[0]):
            if candidate in names:
                return candidate
        if wanted in symbols_of(names):
            return names[symbols_of(names).index(wanted)]
        found.problem(f"{here}: {unknown_column(wanted, option, names)}")
        return None

    given = {}
    for wanted, text in options.units.items():
        stated = column(wanted, "--unit")
        if stated is not None:
            given[stated] = text
    texts = {name: given.get(name, unit or "") for name, unit in headers}
    if options.trajectory is not None:
        trajectory = column(options.trajectory, "--trajectory")
    else:
        spoken_for = {options.time, *options.inputs, *options.derivatives, *options.derivatives.values()}
        trajectory = _usual(TRAJECTORY_NAMES, [n for n, unit in headers if unit is None and n not in spoken_for])
    if options.time is not None:
        time = column(options.time, "--time")
    else:
        free = [n for n in names if n != trajectory]
        time = _usual(TIME_NAMES, [n for n in free if _may_be_time(texts[n])])
        if time is None:
            durations = [n for n in free if n not in (*options.inputs, *options.derivatives) and _lasts(texts[n])]
            time = durations[0] if len(durations) == 1 else None
            if time is not None:
                found.notes.append(
                    f'{here}: column "{time}" [{texts[time]}] is taken for the time; --time names another'
                )
    chosen = [column(wanted, "--inputs") for wanted in options.inputs]
    rate_of: dict[str, str] = {}
    for wanted, rate in options.derivatives.items():
        of, by = column(wanted, "--derivative"), column(rate, "--derivative")
        if of is not None and by is not None:
            rate_of[of] = by
    if len(found.problems) > before:
        return None
    if time is None:
        found.notes.append(f"{here}: no time column was found (name one with --time); samples are counted instead")
    left = [n for n in names if n not in (trajectory, time)]
    if not rate_of and not chosen:
        rate_of = _named_rates(left, time)
        if rate_of:
            found.notes.append(f"{here}: {listed(list(rate_of.values()))} are taken as the time derivatives")
    inputs = tuple(dict.fromkeys(n for n in chosen if n is not None)) or tuple(
        n for n in left if n not in rate_of.values() or n in rate_of
    )
    _look_at_inputs(table, inputs, time, options, found)
    if not inputs or len(table.headers) == 1:
        return None
    rates = tuple(rate_of[n] for n in inputs if n in rate_of)
    if rates and len(rates) < len(inputs):
        without = next(n for n in inputs if n not in rate_of)
        found.problem(
            f'{here}: the derivative of "{without}" is not given. Name the derivatives of all inputs or of none.'
        )
        rates = ()
    used = {n: texts[n] for n in dict.fromkeys((*inputs, *rates, *(() if time is None else (time,))))}
    return Roles(trajectory, time, inputs, rates, used)


def _twice(here: str, name: str, count: int) -> str:
    return f'{here}: the column "{name}" appears {so_many_times(count)}. Rename or delete one of them.'


def unknown_column(name: str, option: str, names: Sequence[str], what: str = "column") -> str:
    """A sentence about a column that is not there, with the nearest one."""
    close = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(
        name.lower(), [n.lower() for n in names], n=1
    )
    nearest = next((n for n in names if close and n.lower() == close[0].lower()), None)
    hint = f', did you mean "{nearest}"?' if nearest else "."
    return f'there is no {what} "{name}" ({option}){hint} The columns are {listed(names)}.'


def _usual(usual: Sequence[str], names: Sequence[str]) -> str | None:
    """The likeliest of the names."""
    by_bare = {bare(name): name for name in reversed(names)}
    return next((by_bare[bare(u)] for u in usual if bare(u) in by_bare), None)


def _may_be_time(unit: str) -> bool:
    """Whether a column with this unit can be the time: T [K] cannot. A unit that is unknown is reported later."""
    dimension = _dimension(unit)
    return dimension is None or dimension.without("s").is_pure


def _lasts(unit: str) -> bool:
    """Whether a unit is one of time."""
    dimension = _dimension(unit)
    return dimension is not None and dimension.without("s").is_pure and not dimension.is_pure


def _dimension(unit: str) -> Dimension | None:
    """Of a unit in a header, where second is a unit too; None for one that is unknown."""
    try:
        return coherent_units({"second": "s", "column": unit})["column"].dimension
    except UnitError:
        return None


def _named_rates(names: Sequence[str], time: str | None) -> dict[str, str]:
    """x -> dx/dt, where the names say so for every column."""
    rate_of = {n: rate_name(n, time) for n in names if rate_name(n, time) in names}
    return rate_of if set(names) == {*rate_of, *rate_of.values()} else {}


def _look_at_inputs(table: Table, inputs: Sequence[str], time: str | None, options: ReadOptions, found: Survey) -> None:
    here = table.origin
    if len(inputs) == 1 and (options.velocities or options.with_time) and len(table.headers) > 1:
        pass  # it will have company
    elif len(inputs) == 1 and time is not None and not options.inputs:
        found.notes.append(
            f'{here}: has only one state column ("{inputs[0]}"). A conserved quantity compares at least two; add a '
            "column, or its velocity with --derivatives"
        )
    elif len(inputs) < 2:
        only = f'only one state column ("{inputs[0]}")' if inputs else "no state column"
        marks = [m for m in ":!&/" if len(table.headers) == 1 and m in table.headers[0]]
        hint = (
            f'Is "{marks[0]}" the delimiter? Use a comma, semicolon, tab or |.'
            if marks
            else "A conserved quantity compares at least two; add a column."
        )
        found.problem(f"{here}: has {only}. {hint}")
    for name, symbol in zip(inputs, symbols_of(inputs), strict=True):
        if name in OPERATORS or symbol in OPERATORS:
            found.problem(
                f'{here}: column "{name}" is also the name of an operator. Rename it, or leave it out with --inputs.'
            )


def agrees(table: Table, first: Table, roles: Roles, options: ReadOptions, found: Survey) -> bool:
    """Whether a further file has the first one's columns, in any order."""
    before = len(found.problems)
    headers = [(name, unit) for name, unit in headers_of(table) if not is_unnamed(name)]
    names, firsts = [n for n, _ in headers], [n for n, _ in headers_of(first) if not is_unnamed(n)]
    for name, count in Counter(names).items():
        if count > 1:
            found.problem(_twice(table.origin, name, count))
    needed = [n for n in (roles.trajectory, *roles.numbers) if n is not None] if options.inputs else firsts
    for name in needed:
        if name not in names:
            found.problem(
                f'{table.origin}: lacks the column "{name}", which {first.origin} has. Give both the same header.'
            )
    for name in [] if options.inputs else names:
        if name not in firsts:
            found.problem(
                f'{first.origin}: lacks the column "{name}", which {table.origin} has. Give both the same header.'
            )
    for name, unit in headers:
        here, there = unit or "", roles.units.get(name, "")
        if name in roles.units and name not in options.units and here != there:
            spelled = [f"the unit {text}" if text else "no unit" for text in (here, there)]
            found.problem(
                f'{table.origin}: column "{name}" has {spelled[0]}, and {spelled[1]} in {first.origin}. '
                f"Give both the same, or say --unit {name}=..."
            )
    return len(found.problems) == before


def units_of(here: str, roles: Roles, options: ReadOptions, found: Survey) -> dict[str, Unit]:
    """Every used column's unit, the inputs' first, whose numbers stay what they are; unknown units go to `found`."""
    texts = dict(roles.units)
    for name, text in roles.units.items():
        try:
            coherent_units({name: text})
        except UnitError as problem:
            stop = "" if str(problem).endswith("?") else "."
            found.problem(f"{here}: {problem}{stop} Correct the header, or say --unit {name}=...")
            texts[name] = ""
    units = coherent_units(texts, angles_are_pure=options.angles == "pure")
    for name, unit in units.items():
        if unit.scale != 1:
            target = "a pure number" if unit.dimension.is_pure else str(unit)
            if options.angles == "pure" and unit.dimension.is_pure:
                target = "radians"
            found.notes.append(
                f'{here}: column "{name}" is converted from {texts[name]} to {target}, times {unit.scale:.10g}'
            )
    for name, rate in zip(roles.inputs, roles.rates, strict=False):
        expected = units[name].dimension / (units[roles.time].dimension if roles.time else Dimension())
        if not texts[rate]:
            per_time = units[roles.time].scale if roles.time else 1.0
            units[rate] = Unit(expected, units[name].scale / per_time)
        elif roles.time and units[rate].dimension != expected:
            found.problem(
                f'{here}: column "{rate}" [{units[rate]}] cannot be the time derivative of "{name}" [{units[name]}], '
                f"whose unit is {expected}. Correct one with --unit."
            )
    return units
