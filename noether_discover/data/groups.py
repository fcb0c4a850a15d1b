"""Groups: columns that are the components of a vector.

q.x [m], q.y [m], q.z [m]      named so in the header
--group q=x,y                  said by an option
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from noether_dsl.operators import OPERATORS
from noether_dsl.text import COMPONENTS
from noether_dsl.units import Unit

from .headers import parse_header, symbols_of
from .reading import ReadOptions, Survey, listed
from .roles import unknown_column
from .trajectories import Trajectories, Vectors

_DOTTED = re.compile(rf"(?P<vector>.+)\.(?P<axis>[{''.join(COMPONENTS)}])", re.IGNORECASE)


def vectors_of(
    here: str, names: Sequence[str], units: Mapping[str, Unit], options: ReadOptions, found: Survey
) -> Vectors:
    """The vectors that state columns make, those of the options first; what is wrong with these goes to `found`.

    here: what messages call the file. names, units: of the state columns.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    for vector, wanted in options.groups.items():
        group = _asked_for(here, vector, tuple(wanted), names, units, found)
        twice = next((name for name in group if any(name in other for other in chosen.values())), None)
        if twice is not None:
            found.problem(f'{here}: column "{twice}" is in two groups. Leave it out of one --group.')
        elif group:
            chosen[vector] = group
    asked = _spelled(chosen, names)
    if not options.dotted:
        return asked
    taken = {name for group in chosen.values() for name in group}
    dotted, notes = named_vectors(names, [units[name] for name in names], taken | set(chosen))
    found.notes += [f"{here}: {note}" for note in notes]
    return (*asked, *dotted)


def named_vectors(
    names: Sequence[str], units: Sequence[Unit], taken: set[str] | None = None
) -> tuple[Vectors, list[str]]:
    """The vectors that the columns' names tell of (q.x, q.y and, in space, q.z), and what is to be said of them.

    taken: columns that are in another group already, and names of other vectors. Columns that look like components and
    make no vector (one is missing, units differ) stay numbers.
    """
    used = taken or set()
    unit_of = dict(zip(names, units, strict=True))
    axes: dict[str, dict[str, str]] = {}
    for name in names:
        match = _DOTTED.fullmatch(name)
        if match is not None and name not in used:
            axes.setdefault(match["vector"], {})[match["axis"].lower()] = name
    groups: dict[str, tuple[str, ...]] = {}
    notes = []
    for vector, parts in axes.items():
        group = tuple(parts[axis] for axis in COMPONENTS if axis in parts)
        why = _no_vector(vector, parts, unit_of, names, used)
        if not why:
            groups[vector] = group
        elif len(group) > 1:
            notes.append(f"{listed(group)} stay numbers, since {why}")
    if groups:
        said = listed([f"{vector} ({', '.join(group)})" for vector, group in groups.items()])
        notes.append(f"{said} {'is a vector' if len(groups) == 1 else 'are vectors'}; --no-groups keeps numbers")
    return _spelled(groups, names), notes


def regrouped(trajectories: Trajectories, options: ReadOptions) -> Trajectories:
    """Trajectories with the groups of the options, and with those that they have unless columns are in both.

    Without `options.dotted` they keep none of their own. Raises DataError for a group that cannot be.
    """
    found = Survey()
    units = dict(zip(trajectories.names, trajectories.units, strict=True))
    asked = vectors_of(trajectories.origin, trajectories.names, units, replace(options, dotted=False), found)
    for problem in found.problems:
        raise problem
    taken = {part for name, group in asked for part in (name, *group)}
    own = tuple(v for v in trajectories.vectors if options.dotted and not taken & {v[0], *v[1]})
    return replace(trajectories, vectors=(*asked, *own))


def with_vectors_of_rates(trajectories: Trajectories) -> Trajectories:
    """The trajectories whose velocities of a vector's components make a vector too: q_dot of q_x_dot and q_y_dot."""
    rate_of = {
        origin.of: symbol
        for symbol, origin in zip(trajectories.symbols, trajectories.origins, strict=True)
        if origin is not None and origin.kind == "velocity"
    }
    taken = {*trajectories.symbols, *OPERATORS, *(name for name, _ in trajectories.vectors)}
    inside = {symbol for _, group in trajectories.vectors for symbol in group}
    more = []
    for name, group in trajectories.vectors:
        rates = tuple(rate_of[symbol] for symbol in group if symbol in rate_of)
        if len(rates) == len(group) and f"{name}_dot" not in taken and not inside & set(rates):
            more.append((f"{name}_dot", rates))
    return replace(trajectories, vectors=(*trajectories.vectors, *more)) if more else trajectories


def _asked_for(
    here: str, vector: str, wanted: tuple[str, ...], names: Sequence[str], units: Mapping[str, Unit], found: Survey
) -> tuple[str, ...]:
    """The columns of a group that an option names; () when it is no group."""
    said = f"--group {vector}={','.join(wanted)}"
    symbols = dict(zip(symbols_of(names), names, strict=True))
    group = []
    for text in wanted:
        name = next((n for n in (text.strip(), parse_header(text)[0]) if n in names), symbols.get(text))
        if name is None:
            found.problem(f"{here}: {unknown_column(text, said, names, 'state column')}")
            return ()
        group.append(name)
    problem = None
    if len(group) not in (2, 3):
        count = "one column" if len(group) == 1 else f"{len(group)} columns"
        problem = f"names {count}. A vector has two or three components: --group q=x,y"
    elif len(set(group)) < len(group):
        problem = f'names "{Counter(group).most_common(1)[0][0]}" twice. Name each component once'
    else:
        problem = _clash(vector, names)
    if problem is None and len({units[name] for name in group}) > 1:
        each = listed([f'"{name}" in {_unit(units[name])}' for name in group])
        problem = f"the columns have different units ({each}). Correct one with --unit, or ungroup them"
    if problem is not None:
        found.problem(f"{here}: {said}: {problem}.")
        return ()
    return tuple(group)


def _no_vector(
    vector: str, parts: Mapping[str, str], units: Mapping[str, Unit], names: Sequence[str], taken: set[str]
) -> str:
    """Why columns that are called like components make no vector; empty when they do."""
    for axis in COMPONENTS[:2]:
        if axis not in parts:
            return f'there is no "{vector}.{axis}"'
    if len({units[name] for name in parts.values()}) > 1:
        return f"their units differ ({listed([_unit(units[name]) for name in parts.values()])})"
    if vector in taken:
        return f'--group makes another vector "{vector}"'
    return (_clash(vector, names) or "").partition(". ")[0]


def _clash(vector: str, names: Sequence[str]) -> str | None:
    """What a vector cannot be called: a column or an operator."""
    symbol = symbols_of([vector])[0]
    if symbol in symbols_of(names) or vector in names:
        return f'there is a column "{vector}" too. Choose another name'
    if symbol in OPERATORS:
        return f'"{vector}" is the name of an operator. Choose another name'
    return None


def _spelled(groups: Mapping[str, tuple[str, ...]], names: Sequence[str]) -> Vectors:
    """Vectors and columns by the symbols that formulas have for them."""
    symbols = dict(zip(names, symbols_of(names), strict=True))
    own = symbols_of(list(groups))
    return tuple(
        (name, tuple(symbols[part] for part in group)) for name, group in zip(own, groups.values(), strict=True)
    )


def _unit(unit: Unit) -> str:
    if unit.scale == 1:
        return "no unit" if unit.dimension.is_pure else str(unit)
    return f"{unit.scale:.6g} {unit}" if not unit.dimension.is_pure else f"units of {unit.scale:.6g}"
