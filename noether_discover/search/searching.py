"""From formulas and trajectories to verdicts and laws: the search in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from noether_dsl.formula import Formula
from noether_dsl.grammar import Grammar

from .evidence import Evidence
from .judging import Progress, Runner, judged, judged_by_paper, screened, with_constraints
from .laws import Law, stated
from .verdicts import Judgement


@dataclass(frozen=True)
class Search:
    """What a search found: one judgement per formula, in their order, and the laws, best first."""

    judgements: tuple[Judgement, ...]
    laws: tuple[Law, ...]


def serially(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]]) -> Iterable[Any]:
    """Run tasks one after the other, in order."""
    return (function(*task) for task in tasks)


def search(
    formulas: Sequence[Formula],
    grammar: Grammar,
    evidence: Evidence,
    *,
    rule: str = "noise",
    run: Runner = serially,
    progress: Progress | None = None,
) -> Search:
    """Judge every formula and state the laws.

    rule: "noise" (ours) or "paper" (fits on true and on random sequences, accepted where the latter's ratio is a
        hundred times larger).
    run: runs tasks in order, in processes if it likes; the result does not depend on it.
    progress: called with (stage, done, total).
    """
    report = progress or (lambda stage, done, total: None)
    judgements = screened(formulas, evidence, run, report)
    if rule == "paper":
        judgements = judged_by_paper(formulas, judgements, evidence, report)
    else:
        judgements = judged(formulas, judgements, evidence, report)
        judgements = with_constraints(formulas, judgements, evidence)
    judgements, laws = stated(formulas, judgements, grammar, evidence)
    report("judge", 1, 1)
    return Search(tuple(judgements), laws)
