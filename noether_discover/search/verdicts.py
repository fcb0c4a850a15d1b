"""From figures to verdicts: the rules by which a quantity counts as conserved, in one place.

A quantity is conserved as far as one can see (LAW) when its variation along held-out trajectories is what the
measurement noise makes it, it varies more at large than along trajectories, and random sequences vary at least twice
as much (`LAW_OVER_RANDOM`; under noise no more can be asked). It is APPROXIMATE when it varies a hundred times less
along held-out trajectories than along random ones (the paper's two orders of magnitude) but more than noise explains.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from noether_dsl.formula import Formula, fold
from noether_dsl.operators import OF_ANGLE, OPERATORS
from noether_dsl.reading import column_of, divisors, inside_domain
from numpy.typing import NDArray

Array = NDArray[np.float64]

LAW, APPROXIMATE, CONSTRAINT = "LAW", "APPROXIMATE", "CONSTRAINT"
TRIVIAL, NOT_CONSERVED, UNDEFINED = "TRIVIAL", "NOT_CONSERVED", "UNDEFINED"
NOT_JUDGED = "NOT_JUDGED"
NONE, UNDECIDED = "NONE", "UNDECIDED"

FOLLOWED_RATIO = 0.5
"""A formula whose ratio on the training subsample is above this is not conserved by any reading."""
LAW_RATIO = 0.35
"""Noise may explain at most this share of a law's variance; beyond it a law cannot be told from noise."""
LAW_OVER_RANDOM = 2.0
APPROXIMATE_OVER_RANDOM = 100.0
DRIFT_SIGNIFICANCE = 6.0
DRIFT_SHARE = 0.05
"""A drift counts when it is significant and makes up this share of the noise variance."""
DRIFT_ALONE = 4.0
"""The significance that is enough for a function of one column, as in `data.constants`."""
LARGEST_ARGUMENT = 60.0
"""Radians that the argument of a sinusoid may span; beyond, it can be fitted to anything."""


@dataclass(frozen=True)
class Judgement:
    """What was found about one formula.

    verdict and reason: one of the constants above, and why in words.
    parameters: left to right; empty when it was not followed.
    ratio, ratio_heldout, ratio_random, noise_chi2: nan where not computed.
    """

    verdict: str
    reason: str
    parameters: tuple[float, ...] = ()
    ratio: float = np.nan
    ratio_heldout: float = np.nan
    ratio_random: float = np.nan
    noise_chi2: float = np.nan


def chi2_limit(samples: int, sequences: int) -> float:
    """The largest reduced chi-square that noise alone explains: 15 % for the noise estimate, 3 sigma for chance."""
    freedom = max(samples - sequences, 1)
    return 1.15 + 3.0 * float(np.sqrt(2.0 / freedom))


def judge(
    ratio_heldout: float,
    ratio_robust: float,
    ratio_random: float,
    noise_chi2: float,
    limit: float,
    drifts: bool = False,
) -> tuple[str, str]:
    """Verdict and reason from a quantity's figures. See the module's docstring for the rule.

    ratio_robust: the held-out ratio by quartiles and ranks, which no few extreme values can make small.
    drifts: whether it changes steadily, by more than chance.
    """
    explained = noise_chi2 <= limit and ratio_heldout <= LAW_RATIO
    worst = max(ratio_heldout, ratio_robust)
    if explained and ratio_random >= LAW_OVER_RANDOM * ratio_heldout and not drifts:
        return LAW, "its variation along held-out trajectories is explained by the measurement noise"
    if ratio_random >= APPROXIMATE_OVER_RANDOM * worst:
        if explained:
            return APPROXIMATE, "it drifts, slowly but significantly"
        return APPROXIMATE, "it varies a hundred times less than along random sequences, but more than noise explains"
    if ratio_heldout > FOLLOWED_RATIO:
        return NOT_CONSERVED, "it varies along held-out trajectories as it does at large"
    if explained:
        return NOT_CONSERVED, "the noise explains its variation, but random sequences vary little more"
    return NOT_CONSERVED, "it varies along held-out trajectories more than noise explains"


def runaway(parameters: Sequence[float], natural: Sequence[float]) -> tuple[str, str] | None:
    """Verdict and reason where a parameter runs far away from the size at which it matters, else None."""
    for value, size in zip(parameters, natural, strict=True):
        if not abs(value) <= 1e4 * size:
            return NOT_CONSERVED, "degenerate: a parameter runs to infinity, what is left is a smaller formula"
        if abs(value) < 1e-4 * size:
            return NOT_CONSERVED, "degenerate: a parameter runs to zero, what is left is a smaller formula"
    return None


def unusable(
    formula: Formula,
    parameters: tuple[float, ...],
    natural: Sequence[float],
    columns: Mapping[str, Array],
    sequence_N: NDArray[np.int64],
) -> tuple[str, str] | None:
    """Why a fitted formula is no quantity at all, or None. For poles, domains and degenerate optima.

    natural: the size at which each parameter matters.
    """
    n = len(sequence_N)
    columns = {name: column[:n] for name, column in columns.items()}
    away = runaway(parameters, natural)
    if away is not None:
        return away
    if not inside_domain(formula, columns, parameters).all():
        return UNDEFINED, "an operation has no finite value somewhere on the data"
    same = sequence_N[1:] == sequence_N[:-1]
    for below in divisors(formula, columns, parameters):
        below = np.broadcast_to(below, (n,))
        if (same & (np.sign(below[1:]) != np.sign(below[:-1]))).any():
            return UNDEFINED, "a denominator passes through zero along a trajectory"
    if _widest_argument(formula, columns, parameters) > LARGEST_ARGUMENT:
        return NOT_CONSERVED, "degenerate: a sinusoid turns so fast that it fits anything"
    return None


def _widest_argument(formula: Formula, columns: Mapping[str, Array], parameters: tuple[float, ...]) -> float:
    widest = 0.0

    def inner(part: Formula, operands: tuple[Array, ...]) -> Array:
        nonlocal widest
        row = OPERATORS[part.head]
        if row.units == OF_ANGLE and part.parameters:
            widest = max(widest, float(np.ptp(operands[0])))
        return row.compute(np, *operands)

    def leaf(part: Formula, number: int) -> Array:
        return column_of(part, columns) if number < 0 else np.array(parameters[number])

    fold(formula, leaf, inner)
    return widest


SOMETHING_IS_CONSERVED = 0.3
"""Polynomials of systems without laws stay above 0.7 of the variance; below this, something is conserved."""
TOO_NOISY = 0.5
"""Noise above this share of a column's deviation would hide a law: its ratio would be that of anything."""


def no_law(
    judgements: Sequence[Judgement],
    *,
    noise_share: float,
    heldout: int,
    least_ratio_of_polynomials: float,
    degree: int,
) -> tuple[str, str]:
    """NONE or UNDECIDED when no law was found, and why.

    noise_share: the largest noise of a column in its deviations. heldout: how many sequences judged.
    least_ratio_of_polynomials: what a search without a language reached on held-out sequences, and its degree.
    """
    near = [j for j in judgements if j.verdict != TRIVIAL and j.ratio_heldout < LAW_RATIO and j.noise_chi2 < 2.0]
    if near:
        return UNDECIDED, (
            "but the noise explains one of them almost, or random sequences vary little more; more, longer or less "
            "noisy trajectories would help"
        )
    if least_ratio_of_polynomials < SOMETHING_IS_CONSERVED:
        return UNDECIDED, (
            f"yet a polynomial of degree {degree} has only {100 * least_ratio_of_polynomials:.2g} % of its variance "
            "along held-out trajectories, so something is: the library is too small, "
            "try --max-nodes or --operators, or a parameter in which the trajectories differ is no column"
        )
    if noise_share > TOO_NOISY:
        return UNDECIDED, (
            f"but the noise is {noise_share:.0%} of a column's deviation, too much to see a law; "
            "smoother or more precise data would help"
        )
    if heldout < 3:
        return UNDECIDED, f"but only {heldout} sequences could judge; more or longer trajectories would help"
    if degree:
        return NONE, (
            f"polynomials of degree {degree} neither: the best varies along held-out trajectories "
            + (
                "as much as at large"
                if least_ratio_of_polynomials > 0.995
                else f"{100 * least_ratio_of_polynomials:.2g} % as much as at large (in variance)"
            )
        )
    return NONE, "there were too few samples to ask beyond them"
