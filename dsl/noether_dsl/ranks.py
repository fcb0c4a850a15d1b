"""Ranks: which operands are numbers and which are vectors, and what comes out.

A number has rank 0, a vector of n components (2 in the plane, 3 in space) has rank n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NUMBER = 0
"""The rank of numbers: columns that are in no vector, parameters, and what functions give."""


@dataclass(frozen=True)
class RankRule:
    """How an operator treats vectors.

    words: the rule as the documentation has it.
    result: the operands' ranks -> that of the result, None where there is no such operation.
    numeric: whether the result is always a number.
    """

    words: str
    result: Callable[[tuple[int, ...]], int | None]
    numeric: bool = False


def _alike(ranks: tuple[int, ...]) -> int | None:
    return ranks[0] if len(set(ranks)) == 1 else None


def _scaled(ranks: tuple[int, ...]) -> int | None:
    return max(ranks) if min(ranks) == NUMBER else None


def _turned(ranks: tuple[int, ...]) -> int | None:
    of_two: dict[tuple[int, ...], int] = {(2, 2): NUMBER, (3, 3): 3}
    return of_two.get(ranks)


NUMBERS = RankRule("numbers", lambda ranks: None if any(ranks) else NUMBER, numeric=True)
EACH = RankRule("number or vector -> number", lambda ranks: NUMBER, numeric=True)
ALIKE = RankRule("alike", _alike)
SCALED = RankRule("at most one vector", _scaled)
OVER_NUMBER = RankRule("by a number", lambda ranks: None if ranks[1] else ranks[0])
MEASURED = RankRule("vectors -> number", lambda ranks: NUMBER if _alike(ranks) else None, numeric=True)
TURNED = RankRule("plane -> number, space -> vector", _turned)


def in_words(rank: int) -> str:
    """``a number``, ``a vector of 2``."""
    return "a number" if rank == NUMBER else f"a vector of {rank}"
