"""Laws: what is left when every formula has its verdict.

Quantities that are functions of one another (parallel gradients) are one law with many forms; the laws together are
functionally independent. Each is stated once, as people write it, with final parameters from all data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from noether_dsl.dimension import PURE, Dimension
from noether_dsl.formula import Formula
from noether_dsl.grammar import Grammar
from noether_dsl.reading import dimension_of, parameter_dimensions
from noether_dsl.text import parameter_names
from numpy.typing import NDArray

from ..data.constants import constant_columns
from .evidence import Evidence
from .fitting import ratios, refine, uncertainty
from .independence import directions, independent_share, parallel_share
from .judging import drift_of, reference_variance
from .presentation import presentable
from .verdicts import APPROXIMATE, CONSTRAINT, LAW, NOT_CONSERVED, Judgement

Array = NDArray[np.float64]

SAME_CLEAN, SAME_NOISY, IMITATES = 1e-6, 5e-4, 0.05
"""Two quantities are one law when the squared sine between their gradients is below the first (exact laws) or second;
below the third, the weaker one is an imitation of the stronger."""
CLEAN_RATIO = 1e-6
NOISE_MATTERS = 0.05
"""Below this chi-square the assumed noise is the floor, and the least ratio is the better estimate of parameters."""

DRIFT_SEEN = 3.0
"""Standard errors from which a drift has a time scale."""


@dataclass(frozen=True)
class Parameter:
    """A fitted number: name in the formula, value, standard error and unit."""

    name: str
    value: float
    standard_error: float
    unit: str


@dataclass(frozen=True)
class Law:
    """A conserved quantity as it is reported.

    formula with parameters: the smallest of its class, of those the one with the fewest divisions. number: its row
    among the formulas that were searched.
    dimension: of the quantity itself. ratio on all data, ratio_heldout and noise_chi2 on held-out sequences with
    parameters fitted to the training ones, ratio_random the least ratio that it reaches on random sequences.
    drift, drift_error: change per time, in the quantity's unit over the file's time unit.
    spread: the quantity's standard deviation over the reference. forms: other formulas that say the same.
    p_value: of sums of terms, how often the best of all on randomised data is as good (`significance`); nan for whole
    formulas. library: the sums' library, empty for whole formulas. component_of: the vector law that it is one of.
    """

    formula: Formula
    parameters: tuple[Parameter, ...]
    number: int
    dimension: Dimension
    verdict: str
    reason: str
    ratio: float
    ratio_heldout: float
    ratio_random: float
    noise_chi2: float
    drift: float
    drift_error: float
    spread: float
    forms: tuple[str, ...]
    p_value: float = float("nan")
    library: str = ""
    component_of: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """The parameters' values."""
        return tuple(parameter.value for parameter in self.parameters)

    @property
    def time_scale(self) -> float:
        """The time in which the drift makes up the spread, in the file's time unit; nan where no drift is seen."""
        if not abs(self.drift) > DRIFT_SEEN * self.drift_error:
            return float("nan")
        return self.spread / abs(self.drift)


_ORDER = {LAW: 0, APPROXIMATE: 1, CONSTRAINT: 2}


def _score(formula: Formula, j: Judgement, evidence: Evidence) -> tuple[int, float, int]:
    """What is left unexplained, a price per node (the number of formulas grows sixfold a node), and what random
    sequences reach as well; among equals, divisions: less is better."""
    if j.verdict == APPROXIMATE:
        left = 4 * len(evidence.held) * np.log(max(j.ratio_heldout, 1e-300))
    else:
        left = (evidence.held.samples - len(evidence.held)) * np.log(max(j.noise_chi2, 0.5))
    random = max(0.0, -np.log(max(j.ratio_random, 1e-300)) - 1.0)
    return _ORDER[j.verdict], float(left + 2 * np.log(6.0) * formula.nodes + random), str(formula).count("/")


def _alike(one: Judgement, other: Judgement) -> bool:
    """Whether two quantities with parallel gradients can be forms of one law: both exact, or both within noise.

    Under noise a wrapper that saturates may look better conserved than what it wraps; that makes it no other law.
    """
    both = (one.verdict == CONSTRAINT) == (other.verdict == CONSTRAINT)
    return both and (one.ratio_heldout < CLEAN_RATIO) == (other.ratio_heldout < CLEAN_RATIO)


def stated(
    formulas: Sequence[Formula], judgements: list[Judgement], grammar: Grammar, evidence: Evidence
) -> tuple[list[Judgement], tuple[Law, ...]]:
    """Functionally independent laws, each with its forms; what only imitates one of them loses its verdict."""
    kept = [i for i, j in enumerate(judgements) if j.verdict in _ORDER]
    kept.sort(key=lambda i: (_score(formulas[i], judgements[i], evidence), i))
    free = int((~constant_columns(evidence.sequences)).sum())
    settled = list(judgements)
    leaders: list[int] = []
    gradients: list[Array] = []
    forms: dict[int, list[int]] = {}
    for i in kept:
        j = judgements[i]
        gradient = directions(formulas[i], j.parameters, evidence.sequences)
        clean = j.ratio_heldout < CLEAN_RATIO or j.verdict == CONSTRAINT
        same = SAME_CLEAN if clean else SAME_NOISY
        shares = [parallel_share(gradient, other) for other in gradients]
        together = independent_share(gradient, gradients)
        nearest = leaders[int(np.argmin(shares))] if shares else i
        if shares and min(shares) < same and _alike(j, judgements[nearest]):
            forms[nearest].append(i)
        elif together < same:
            settled[i] = replace(j, reason="it is a function of the laws together")
        elif together < (SAME_CLEAN if clean else IMITATES) or len(leaders) >= free - (j.verdict != CONSTRAINT):
            settled[i] = replace(j, verdict=NOT_CONSERVED, reason="it imitates a law that explains more")
        else:
            leaders.append(i)
            gradients.append(gradient)
            forms[i] = []
    laws = []
    for leader in leaders:
        alike = sorted(
            [leader, *forms[leader]], key=lambda i: (formulas[i].nodes, str(formulas[i]).count("/"), kept.index(i))
        )
        smallest, *others = alike
        laws.append(
            _state(smallest, formulas[smallest], judgements[smallest], [formulas[i] for i in others], grammar, evidence)
        )
    return settled, tuple(laws)


def _state(
    number: int, formula: Formula, j: Judgement, others: list[Formula], grammar: Grammar, evidence: Evidence
) -> Law:
    """One law as it is reported: written as people do, parameters from all data, with errors and units."""
    noisy = j.verdict in (LAW, CONSTRAINT) and j.noise_chi2 > NOISE_MATTERS
    frame = evidence.whole_noise_frame if noisy or j.verdict == CONSTRAINT else evidence.whole_frame
    formula, start = presentable(formula, j.parameters)
    parameters = refine([formula], [start], frame).parameters[0]
    errors = uncertainty(formula, parameters, frame)
    own = dimension_of(formula, grammar.dimensions, grammar.angle)
    units = parameter_dimensions(formula, grammar.dimensions, grammar.angle)
    found = drift_of(formula, parameters, evidence)
    names = parameter_names(formula)
    return Law(
        formula=formula,
        parameters=tuple(
            Parameter(name, value, error, str(unit))
            for name, value, error, unit in zip(names, parameters, errors, units, strict=True)
        ),
        number=number,
        dimension=PURE if own is None else own,
        verdict=j.verdict,
        reason=j.reason,
        ratio=float(ratios([formula], [parameters], evidence.whole_frame)[0]),
        ratio_heldout=j.ratio_heldout,
        ratio_random=j.ratio_random,
        noise_chi2=j.noise_chi2,
        drift=found.rate,
        drift_error=found.error,
        spread=float(np.sqrt(reference_variance(formula, parameters, evidence.whole_frame))),
        forms=tuple(str(other) for other in sorted(others, key=lambda f: (f.nodes, str(f)))),
    )
