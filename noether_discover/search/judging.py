"""A verdict for every formula.

    screen   every formula, on a subsample                        -> most are not conserved
    polish   those that are left, on all training sequences
    judge    held-out sequences, noise, random sequences          -> a verdict for each

Legend: F formulas, N samples, D columns, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import astuple, fields, replace
from typing import Any

import numpy as np
import torch
from noether_dsl.formula import Formula
from numpy.typing import NDArray

from ..work import Work
from . import verdicts
from .conservation import CONSTANT, Drift, Frame, drift
from .evidence import Evidence
from .fitting import FIRST_STEPS, MORE_STEPS, fit, is_linear, natural_sizes, ratios, refine, values
from .independence import directions
from .verdicts import APPROXIMATE, CONSTRAINT, LAW, NOT_CONSERVED, TRIVIAL, UNDEFINED, Judgement

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]

OF_CONSTANTS = "it is made of columns that never change along a trajectory"
MOST_FOLLOWED = 600
RANKS_ALLOW = 1.5
"""How much larger the ratio of ranks may be than that of values."""
CHUNK, JUDGED_TOGETHER = 1024, 50
"""Formulas that are screened, and judged, as one piece of work."""
PROCESSES_PAY_FROM = 12
"""Pieces below which starting processes costs more than it saves (each imports torch)."""


def _screened(frame: Frame, constant: frozenset[str], seed: int, formulas: Sequence[Formula]) -> list[list[Any]]:
    torch.set_num_threads(1)
    fits = fit(formulas, frame, seed)
    return [
        _plain(_first_look(formula, parameters, float(ratio), frame, constant))
        for formula, parameters, ratio in zip(formulas, fits.parameters, fits.ratio_F, strict=True)
    ]


def _plain(judgement: Judgement) -> list[Any]:
    """A judgement as plain data; `_read` gives it back."""
    verdict, reason, parameters, *figures = astuple(judgement)
    return [verdict, reason, list(parameters), *map(float, figures)]


def _read(plain: Sequence[Any]) -> Judgement:
    verdict, reason, parameters, *figures = plain
    return Judgement(verdict, reason, tuple(parameters), *figures)


def _are_judgements(piece: Sequence[Any], plain: Any) -> bool:
    """Whether kept data can be the judgements of a piece, whose first part are its formulas."""
    figures = len(fields(Judgement)) - 3

    def is_one(row: Any) -> bool:
        if not (isinstance(row, list) and len(row) == 3 + figures and isinstance(row[2], list)):
            return False
        numbers = (*row[2], *row[3:])
        return all(isinstance(w, str) for w in row[:2]) and all(type(x) in (int, float) for x in numbers)

    return isinstance(plain, list) and len(plain) == len(piece[0]) and all(map(is_one, plain))


def screened(formulas: Sequence[Formula], evidence: Evidence, work: Work, report: Progress) -> list[Judgement]:
    """A first fit of every formula: not followed, without a value, or to be followed (verdict "")."""
    pieces = [(formulas[i : i + CHUNK],) for i in range(0, len(formulas), CHUNK)]
    common = evidence.screen_frame, evidence.constant, evidence.seed
    judgements: list[Judgement] = []
    for chunk in work.each("screen", _screened, pieces, common=common, few=PROCESSES_PAY_FROM, sound=_are_judgements):
        judgements += map(_read, chunk)
        report("fit", len(judgements), len(formulas))
    followed = [i for i, j in enumerate(judgements) if not j.verdict]
    followed.sort(key=lambda i: (max(judgements[i].ratio, CONSTANT), formulas[i].nodes))  # below it is all rounding
    for i in followed[MOST_FOLLOWED:]:
        judgements[i] = replace(judgements[i], verdict=NOT_CONSERVED, reason="hundreds of others vary less")
    return judgements


def _first_look(
    formula: Formula, parameters: tuple[float, ...], ratio: float, frame: Frame, constant: frozenset[str]
) -> Judgement:
    if not formula.inputs:
        return Judgement(TRIVIAL, "it is made of parameters alone")
    if constant.issuperset(formula.inputs):
        return Judgement(TRIVIAL, OF_CONSTANTS)
    if np.isfinite(ratio):
        if ratio > verdicts.FOLLOWED_RATIO:
            return Judgement(NOT_CONSERVED, "it varies along trajectories as it does at large", parameters, ratio)
        away = verdicts.runaway(parameters, natural_sizes(formula, frame.columns)) if parameters else None
        return Judgement(*(away or ("", "")), parameters, ratio)
    g_N = values(formula, parameters or (1.0,) * formula.parameters, frame.columns)
    if not np.isfinite(g_N).all():
        return Judgement(UNDEFINED, "an operation has no finite value somewhere on the data")
    size = float(np.abs(g_N).max())
    if size == 0.0 or (g_N / size).var() <= CONSTANT * np.square(g_N / size).mean():
        return Judgement(TRIVIAL, "it is the same number in every state")
    return Judgement(NOT_CONSERVED, "degenerate: a parameter runs to infinity, what is left is a smaller formula")


def judged(
    formulas: Sequence[Formula], judgements: Sequence[Judgement], evidence: Evidence, work: Work, report: Progress
) -> list[Judgement]:
    """Polish what was followed and judge it on held-out sequences, noise and random sequences."""
    rows = [i for i, j in enumerate(judgements) if not j.verdict]
    parts = [rows[k : k + JUDGED_TOGETHER] for k in range(0, len(rows), JUDGED_TOGETHER)]
    pieces = [([formulas[i] for i in part], [_plain(judgements[i]) for i in part]) for part in parts]
    settled, done = list(judgements), 0
    results = work.each("judge", _judged, pieces, common=(evidence,), few=PROCESSES_PAY_FROM, sound=_are_judgements)
    for part, chunk in zip(parts, results, strict=True):
        for i, plain in zip(part, chunk, strict=True):
            settled[i] = _read(plain)
        done += len(part)
        report("judge", done, len(rows))
    return settled


def _judged(evidence: Evidence, formulas: Sequence[Formula], first: Sequence[Sequence[Any]]) -> list[list[Any]]:
    torch.set_num_threads(1)
    judgements, rows = _polished(formulas, [_read(plain) for plain in first], evidence)
    sequence_N = evidence.sequences.sequence_numbers
    left = []
    for i in rows:
        parameters, ratio = judgements[i].parameters, judgements[i].ratio
        natural = natural_sizes(formulas[i], evidence.train_frame.columns)
        bad = verdicts.unusable(formulas[i], parameters, natural, evidence.whole_frame.columns, sequence_N)
        if bad is not None:
            judgements[i] = Judgement(*bad, parameters, ratio)
        else:
            left.append(i)
    for i, held in zip(left, _ratios(formulas, judgements, left, evidence.held_frame), strict=True):
        judgements[i] = replace(judgements[i], ratio_heldout=held)
    judgements = _settled(judgements, left, lambda j: j.ratio_heldout > verdicts.FOLLOWED_RATIO)
    judgements = _without_motion(formulas, judgements, left, evidence)
    left = [i for i in left if not judgements[i].verdict]
    judgements = _against_noise(formulas, judgements, left, evidence)
    limit = verdicts.chi2_limit(evidence.held.samples, len(evidence.held))
    promising = [
        i
        for i in left
        if judgements[i].noise_chi2 <= limit or judgements[i].ratio_heldout <= 1.5 / verdicts.APPROXIMATE_OVER_RANDOM
    ]
    judgements = _settled(judgements, sorted(set(left) - set(promising)), lambda j: True)
    exact = [judgements[i].noise_chi2 <= limit for i in promising]
    random = _random_ratios([formulas[i] for i in promising], exact, evidence)
    for i, least in zip(promising, random, strict=True):
        judgements[i] = _final(formulas[i], replace(judgements[i], ratio_random=least), evidence, limit)
    return list(map(_plain, judgements))


def _random_ratios(formulas: Sequence[Formula], exact: Sequence[bool], evidence: Evidence) -> list[float]:
    """The least ratio that each formula reaches on random sequences, the harder of two kinds.

    States dealt out at random; and columns that come from different sequences, which leaves slow columns slow: a slow
    variable is not a law. The latter says nothing of a single column that is conserved exactly, alone or with the time,
    which is the same for all.
    """
    dealt = fit(formulas, evidence.random_frame, evidence.seed).ratio_F
    apart = fit(formulas, evidence.mismatched_frame, evidence.seed).ratio_F
    time = {s for s, o in zip(evidence.runs.symbols, evidence.runs.origins, strict=True) if o and o.kind == "time"}
    alone = [len(f.inputs - time) == 1 and e and evidence.window is None for f, e in zip(formulas, exact, strict=True)]
    return np.minimum(np.where(alone, dealt, np.minimum(dealt, apart)), 1.0).tolist()


def _polished(
    formulas: Sequence[Formula], judgements: list[Judgement], evidence: Evidence
) -> tuple[list[Judgement], list[int]]:
    """Fits on all training sequences of what was followed: a few steps for all, the rest for those that stay low."""
    settled = list(judgements)
    rows = [i for i, j in enumerate(settled) if not j.verdict]
    for steps in (FIRST_STEPS, MORE_STEPS):
        starts = [settled[i].parameters for i in rows]
        fits = refine([formulas[i] for i in rows], starts, evidence.train_frame, steps)
        for i, parameters, ratio in zip(rows, fits.parameters, fits.ratio_F, strict=True):
            verdict, reason = "", ""
            if not ratio <= verdicts.FOLLOWED_RATIO:
                verdict, reason = NOT_CONSERVED, "it varies along trajectories as it does at large"
            settled[i] = Judgement(verdict, reason, parameters, float(ratio))
        rows = [i for i in rows if not settled[i].verdict]
    return settled, rows


def _ratios(formulas: Sequence[Formula], judgements: list[Judgement], rows: list[int], frame: Frame) -> list[float]:
    return ratios([formulas[i] for i in rows], [judgements[i].parameters for i in rows], frame).tolist()


def _settled(judgements: list[Judgement], rows: list[int], hopeless: Callable[[Judgement], bool]) -> list[Judgement]:
    """The same judgements, those of the rows that are hopeless now with a verdict."""
    settled = list(judgements)
    for i in rows:
        j = settled[i]
        if hopeless(j):
            verdict, reason = verdicts.judge(j.ratio_heldout, j.ratio_heldout, 0.0, np.inf, 0.0)
            settled[i] = replace(j, verdict=verdict, reason=reason)
    return settled


def _without_motion(
    formulas: Sequence[Formula], judgements: list[Judgement], rows: list[int], evidence: Evidence
) -> list[Judgement]:
    """The same judgements, TRIVIAL for what stays as constant where the motion is dealt out at random.

    A column that is constant along each trajectory makes anything look conserved in which it outweighs the others.
    """
    settled = list(judgements)
    rows = [i for i in rows if not settled[i].verdict and not evidence.constant.isdisjoint(formulas[i].inputs)]
    dealt = _ratios(formulas, settled, rows, evidence.random_frame)
    for i, random in zip(rows, dealt, strict=True):
        if random < verdicts.LAW_OVER_RANDOM * max(settled[i].ratio, settled[i].ratio_heldout):
            settled[i] = replace(settled[i], verdict=TRIVIAL, reason=f"{OF_CONSTANTS}, in all that is conserved of it")
    return settled


def _against_noise(
    formulas: Sequence[Formula], judgements: list[Judgement], rows: list[int], evidence: Evidence
) -> list[Judgement]:
    """Chi-squares on held-out sequences; where noise is what matters, parameters are refitted against it.

    The least ratio is biased by noise (errors in variables); the least chi-square is not.
    """
    settled = list(judgements)
    chi2 = _ratios(formulas, judgements, rows, evidence.train_noise_frame)
    noisy = [i for i, c in zip(rows, chi2, strict=True) if c < 5.0 and settled[i].parameters]
    again = refine([formulas[i] for i in noisy], [settled[i].parameters for i in noisy], evidence.train_noise_frame)
    for i, parameters in zip(noisy, again.parameters, strict=True):
        settled[i] = replace(settled[i], parameters=parameters)
    held = _ratios(formulas, settled, noisy, evidence.held_frame)
    train = _ratios(formulas, settled, noisy, evidence.train_frame)
    for i, here, there in zip(noisy, train, held, strict=True):
        settled[i] = replace(settled[i], ratio=here, ratio_heldout=there)
    for i, c in zip(rows, _ratios(formulas, settled, rows, evidence.held_noise_frame), strict=True):
        settled[i] = replace(settled[i], noise_chi2=c)
    return settled


def _final(formula: Formula, j: Judgement, evidence: Evidence, limit: float) -> Judgement:
    g = values(formula, j.parameters, evidence.held_frame.columns)
    robust = max(evidence.held_frame.robust_ratio(g), evidence.held_frame.rank_ratio(g) / RANKS_ALLOW)
    pairs = torch.from_numpy(values(formula, j.parameters, evidence.held_noise_frame.columns))
    chi2 = max(j.noise_chi2, evidence.held_noise_frame.typical_ratio(pairs))
    found = drift_of(formula, j.parameters, evidence)
    span = float(np.median([t[-1] - t[0] for t in evidence.sequences.times]))
    noise_variance = (
        j.ratio_heldout * reference_variance(formula, j.parameters, evidence.held_frame) / max(j.noise_chi2, 1e-300)
    )
    share = (found.rate * span) ** 2 / 12 / noise_variance if noise_variance > 0 else np.inf
    drifts = found.significance > verdicts.DRIFT_SIGNIFICANCE and share > verdicts.DRIFT_SHARE
    if len(formula.inputs) == 1:  # nothing cancels in a column alone: where it drifts, be it little, it is a slow one
        drifts = found.significance > verdicts.DRIFT_ALONE
    verdict, reason = verdicts.judge(j.ratio_heldout, robust, j.ratio_random, chi2, limit, drifts)
    alone = len(formula.inputs - evidence.constant) == 1 and not evidence.constant.isdisjoint(formula.inputs)
    flat = not directions(formula, j.parameters, evidence.sequences).any()
    if verdict in (LAW, APPROXIMATE) and (alone or flat):  # with one column that moves nothing can cancel
        verdict, reason = TRIVIAL, OF_CONSTANTS
    if verdict == LAW and len(formula.inputs) == 1:
        verdict, reason = NOT_CONSERVED, "a column alone is conserved where it is found constant, and this one is not"
    return replace(j, verdict=verdict, reason=reason)


def drift_of(formula: Formula, parameters: tuple[float, ...], evidence: Evidence) -> Drift:
    """Along the runs as measured, with windows or trajectories as the independent pieces."""
    g_N = values(formula, parameters, evidence.runs.columns())
    return drift(g_N, evidence.runs, evidence.window)


def reference_variance(formula: Formula, parameters: tuple[float, ...], frame: Frame) -> float:
    return float(frame.denominator(torch.from_numpy(values(formula, parameters, frame.columns))).square().sum())


def judged_by_paper(
    formulas: Sequence[Formula], judgements: list[Judgement], evidence: Evidence, report: Progress
) -> list[Judgement]:
    """The paper's filter: fitted separately on true and random sequences, kept at a hundred times."""
    rows = [i for i, j in enumerate(judgements) if not j.verdict]
    true = refine([formulas[i] for i in rows], [judgements[i].parameters for i in rows], evidence.train_frame)
    random = fit([formulas[i] for i in rows], evidence.random_frame, evidence.seed)
    settled = list(judgements)
    for i, parameters, here, there in zip(rows, true.parameters, true.ratio_F, random.ratio_F, strict=True):
        kept = here * verdicts.APPROXIMATE_OVER_RANDOM <= there
        settled[i] = Judgement(
            APPROXIMATE if kept else NOT_CONSERVED,
            "paper's rule: a hundred times below random sequences" if kept else "paper's rule: not far below random",
            parameters,
            float(here),
            ratio_random=float(there),
        )
    held = [i for i in rows if settled[i].verdict == APPROXIMATE]
    for i, ratio in zip(held, _ratios(formulas, settled, held, evidence.held_frame), strict=True):
        settled[i] = replace(settled[i], ratio_heldout=ratio)
    for i, chi2 in zip(held, _ratios(formulas, settled, held, evidence.held_noise_frame), strict=True):
        settled[i] = replace(settled[i], noise_chi2=chi2)
    return settled


def with_constraints(formulas: Sequence[Formula], judgements: list[Judgement], evidence: Evidence) -> list[Judgement]:
    """Quantities with one value on all trajectories that vary off them: relations between the columns, not laws.

    Looked for among formulas that are linear in their parameters, against states with shuffled columns; only exact ones
    (explained by noise) count, since a thin attractor looks like a surface.
    """
    if evidence.window is not None:
        return judgements
    rows = [i for i, j in enumerate(judgements) if j.verdict in (NOT_CONSERVED, TRIVIAL) and is_linear(formulas[i])]
    frame = evidence.shuffled_frame
    fits = fit([formulas[i] for i in rows], frame, evidence.seed)
    near = [
        k
        for k in np.argsort(fits.ratio_F, kind="stable")[:MOST_FOLLOWED].tolist()
        if fits.ratio_F[k] <= 0.1 and _looks_constrained(formulas[rows[k]], fits.parameters[k], frame)
    ]
    rows, starts = [rows[k] for k in near], [fits.parameters[k] for k in near]
    refined = refine([formulas[i] for i in rows], starts, evidence.train_noise_frame)
    limit = verdicts.chi2_limit(evidence.held.samples, len(evidence.held))
    settled = list(judgements)
    for i, parameters in zip(rows, refined.parameters, strict=True):
        chi2 = float(ratios([formulas[i]], [parameters], evidence.held_noise_frame)[0])
        ratio = float(ratios([formulas[i]], [parameters], evidence.held_frame)[0])
        against_shuffled = float(ratios([formulas[i]], [parameters], frame)[0])
        tight = chi2 <= limit and chi2 / ratio <= 1.2 * limit and _looks_constrained(formulas[i], parameters, frame)
        if tight and _needs_its_columns(formulas[i], parameters, evidence):
            settled[i] = Judgement(
                CONSTRAINT, "it has one value on all trajectories and varies off them", parameters,
                against_shuffled, ratio, 1.0, chi2,
            )  # fmt: skip
    return settled


def _needs_its_columns(formula: Formula, parameters: tuple[float, ...], evidence: Evidence) -> bool:
    """Whether the relation breaks when the columns come from different trajectories; a flat function stays flat."""
    apart = evidence.mismatched_frame
    here, there = (
        np.subtract(*np.quantile(values(formula, parameters, frame.columns)[: frame.samples], (0.75, 0.25)))
        for frame in (evidence.train_frame, apart)
    )
    return bool(there > 5 * here)


def _looks_constrained(formula: Formula, parameters: tuple[float, ...], frame: Frame) -> bool:
    """Far less variation than in shuffled states, and not only by a few extreme values."""
    g = values(formula, parameters, frame.columns)
    return bool(np.isfinite(g).all()) and max(frame.robust_ratio(g), frame.rank_ratio(g)) <= 0.1
