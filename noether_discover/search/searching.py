"""From formulas and trajectories to verdicts and laws: the search in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from noether_dsl.formula import Formula
from noether_dsl.grammar import Grammar

from ..data.constants import constant_columns
from ..work import HERE, Work
from .evidence import Evidence
from .judging import Progress, judged, judged_by_paper, screened, with_constraints
from .known import LAW, Sum
from .laws import Law, stated
from .significance import p_value
from .summed_laws import laws_of_sums, together
from .sums import ALPHA, NO_SUMS, Sums, summed
from .verdicts import CONSTRAINT, NOT_JUDGED, Judgement

FEW_COLUMNS = 2
"""Up to so many that move, whole formulas are few, and say in how many ways a law can be written."""


@dataclass(frozen=True)
class Search:
    """What a search found: one judgement per formula, in their order, the laws, best first, and the sums."""

    judgements: tuple[Judgement, ...]
    laws: tuple[Law, ...]
    sums: Sums = NO_SUMS


def search(
    formulas: Sequence[Formula],
    grammar: Grammar,
    evidence: Evidence,
    *,
    rule: str = "noise",
    alpha: float = ALPHA,
    thorough: bool = True,
    constraints: Sequence[Sum] = (),
    work: Work = HERE,
    progress: Progress | None = None,
) -> Search:
    """Judge every formula and every sum of small terms, and state the laws.

    rule: "noise" (ours) or "paper" (fits on true and on random sequences, accepted where the latter's ratio is a
        hundred times larger); the paper's knows no sums.
    alpha: the share of the sums that may be false laws.
    thorough: judge whole formulas even where sums were found and more than two columns move; their forms of the laws,
        and laws that are no sums, cost more time than the sums.
    constraints: that are known already; see `summed`.
    work: who does it, and what was done before; the result does not depend on it.
    progress: called with (stage, done, total).
    """
    report = progress or (lambda stage, done, total: None)
    sums = NO_SUMS
    if rule != "paper":
        sums = summed(
            evidence, alpha=alpha, constraints=constraints, progress=lambda done, total: report("sums", done, total)
        )
        if not thorough and sums.of_kind(LAW) and _moving(evidence) > FEW_COLUMNS:
            skipped = Judgement(NOT_JUDGED, "sums of small terms are conserved; --max-nodes judges whole formulas too")
            laws = tuple(laws_of_sums(sums, grammar, evidence))
            return Search((skipped,) * len(formulas), laws, sums)
    judgements = screened(formulas, evidence, work, report)
    if rule == "paper":
        judgements = judged_by_paper(formulas, judgements, evidence, report)
    else:
        judgements = judged(formulas, judgements, evidence, work, report)
        judgements = with_constraints(formulas, judgements, evidence)
    judgements, laws = stated(formulas, judgements, grammar, evidence)
    report("judge", 1, 1)
    if rule != "paper":
        laws = tuple(law for law in map(partial(_with_p_value, sums), laws) if not law.p_value > alpha)
        laws = together(laws, laws_of_sums(sums, grammar, evidence), evidence, sums.clean)
    return Search(tuple(judgements), laws, sums)


def _with_p_value(sums: Sums, law: Law) -> Law:
    """A whole formula with the p-value of the best of all sums: a formula is one of fewer that were tried. A single
    column and constraints need none: the null keeps every column's own course."""
    if len(law.formula.inputs) < 2 or law.verdict == CONSTRAINT:
        return law
    return replace(law, p_value=p_value(law.ratio_heldout, np.array(sums.null_ratios)))


def _moving(evidence: Evidence) -> int:
    return int((~constant_columns(evidence.runs)).sum())
