"""Headers: a column's name, its unit, and its symbol in formulas.

trajectory, t [s], q [rad], p [kg*m/s]         units in brackets or parentheses, at the end
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Iterable, Sequence

from noether_dsl.units import Unit

TRAJECTORY_NAMES = (
    "trajectory", "trajectory id", "trajectory number", "traj", "traj id", "run", "run id", "trial", "sequence",
    "sequence id", "seq", "episode", "experiment", "exp", "shot", "replicate", "clip", "series", "track", "track id",
    "particle", "body", "id",
)  # fmt: skip
"""What a trajectory column is usually called, likeliest first; case, spaces and punctuation do not matter."""

TIME_NAMES = ("t", "time", "timestamp", "times", "seconds", "sec", "time s", "t s", "elapsed", "elapsed time")
"""What a time column is usually called."""


def parse_header(text: str) -> tuple[str, str | None]:
    """A column's name and its unit's text, None without brackets.

    >>> parse_header("p [kg*m/s]"), parse_header("q.x (m/s^(2))"), parse_header("n")
    (('p', 'kg*m/s'), ('q.x', 'm/s^(2)'), ('n', None))
    """
    text = text.strip()
    if text[-1:] not in ("]", ")"):
        return text, None
    closing, opening, depth = text[-1], "[" if text[-1] == "]" else "(", 0
    for place in range(len(text) - 1, -1, -1):
        depth += (text[place] == closing) - (text[place] == opening)
        if depth == 0:
            name = text[:place].strip()
            return (name, text[place + 1 : -1].strip()) if name else (text, None)
    return text, None


def format_header(name: str, unit: Unit) -> str:
    """The header that `parse_header` reads back."""
    if unit.dimension.is_pure and parse_header(name) == (name, None):
        return name
    return f"{name} [{unit}]"


def symbols_of(names: Sequence[str]) -> tuple[str, ...]:
    """The columns as formulas spell them: distinct identifiers.

    >>> symbols_of(["q.x", "q x", "lambda", "2nd", "θ"])
    ('q_x', 'q_x_2', 'lambda_', '_2nd', 'θ')
    """
    symbols: list[str] = []
    for name in names:
        plain = unicodedata.normalize("NFKC", name.strip())  # as Python itself reads identifiers
        symbol = "".join(c if f"a{c}".isidentifier() else "_" for c in plain)
        if not symbol.isidentifier():
            symbol = f"_{symbol}"
        symbols.append(f"{symbol}_" if keyword.iskeyword(symbol) else symbol)
    return distinct(symbols, reserved=symbols, joint="_")


def distinct(names: Iterable[str], reserved: Iterable[str] = (), joint: str = "#") -> tuple[str, ...]:
    """The names, later ones of equal names numbered from 2."""
    out: list[str] = []
    taken = set(reserved)
    seen: set[str] = set()
    for name in names:
        new, number = name, 2
        while new in seen or (new != name and new in taken):
            new, number = f"{name}{joint}{number}", number + 1
        seen.add(new)
        out.append(new)
    return tuple(out)


def bare(name: str) -> str:
    """A name without what makes no difference: case, spaces, underscores, hyphens."""
    return re.sub(r"[\s_\-.]+", "", name).lower()


def rate_name(name: str, time: str | None) -> str:
    return f"d{name}/d{time or 't'}"


def is_unnamed(name: str) -> bool:
    return not name or re.fullmatch(r"Unnamed: \d+", name) is not None
