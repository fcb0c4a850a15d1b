"""Did a search find the laws? The score of what any method claims beside the complete set that is known.

Laws are compared by what they say, not by how they are written: H + 3, 2 H + L and H**2 all say what H and L say. Two
sets say the same where the gradients of one lie in the span of the gradients of the other, at states of the clean data,
in units of the columns' deviations.

    modulo constraints   on a rod x**2 + y**2 = 1, E and E + x**2 + y**2 are one law: the part of every gradient along
                         the gradients of the true constraints is taken out first
    residual             of one gradient beside a set: the root mean square over states of the share that lies off the
                         set's span. The span has as many directions as the set has independent members, the leading
                         ones of its unit gradients. Where the last of them is nearly lost (a singular value under 0.05:
                         one component of Kepler's vector where it vanishes) a state is left out, if 30 % remain
    exact                as many independent laws as there are, every true one off the found by less than 2 %, every
                         found one off the true by less than 10 %. A constraint that is called a law is no law

N states, D columns, L laws, P parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from laws_coefficients import coefficient_error
from noether_dsl.reading import evaluate
from noether_dsl.text import parse_sentence
from numpy.typing import NDArray

from noether_discover.data.worlds import System

Array = NDArray[np.float64]

MISSING, SPURIOUS = 0.02, 0.10
"""How much of a true law's gradient may lie off the found ones, and of a found one's off the true."""
INDEPENDENT = 0.05
"""A law of which less lies off the others is none of its own (of the known ones 0.27 and more does)."""
DEGENERATE, REMAIN = 0.05, 0.3
STATES = 400


@dataclass(frozen=True)
class Claim:
    """A quantity that a method calls conserved: at(states [N, D], parameters [P]) -> [N].

    stated: whether the parameters are coefficients that somebody is told, and so can be right or wrong.
    """

    at: Callable[[Array, Sequence[float]], Array]
    parameters: tuple[float, ...] = ()
    stated: bool = True

    def __call__(self, x_ND: Array) -> Array:
        return np.broadcast_to(np.asarray(self.at(x_ND, self.parameters), dtype=float), len(x_ND))


@dataclass(frozen=True)
class Answer:
    """What a method claims about some data. columns: those that it says are constant along each trajectory, which is a
    law too. approximate: how many quantities it calls nearly conserved; they do not count."""

    laws: tuple[Claim, ...] = ()
    constraints: tuple[Claim, ...] = ()
    columns: tuple[int, ...] = ()
    approximate: int = 0


@dataclass(frozen=True)
class Score:
    """wanted: independent laws that there are. claimed: laws and constant columns. right: how many independent ones of
    the claimed are true. missing: the residual of every true law. spurious: of every claimed one.
    constraints: wanted, claimed, and how many of the claimed are true. coefficients: for every true law that was stated
    the error of its worst coefficient, None where no choice of coefficients conserves its terms.
    """

    wanted: int
    claimed: int
    right: int
    missing: tuple[float, ...] = ()
    spurious: tuple[float, ...] = ()
    constraints: tuple[int, int, int] = (0, 0, 0)
    coefficients: tuple[float | None, ...] = ()
    approximate: int = 0

    @property
    def exact(self) -> bool:
        """The right count, nothing missing, nothing spurious."""
        return self.right == self.wanted and max(self.missing, default=0) < MISSING and not self.false

    @property
    def false(self) -> int:
        """How many of the claimed laws are none."""
        return sum(residual >= SPURIOUS for residual in self.spurious)


def read(formula: str, columns: Sequence[str]) -> Claim:
    """A formula over the columns, without parameters."""
    sentence = parse_sentence(formula, columns)
    assert None not in sentence.values, "nothing in it but columns and numbers"
    values = tuple(float(v) for v in sentence.values if v is not None)

    def at(x_ND: Array, _: Sequence[float]) -> Array:
        return evaluate(sentence.formula, dict(zip(columns, x_ND.T, strict=True)), values)

    return Claim(at)


def truth_of(world: System) -> Answer:
    """The laws and constraints of a known system."""
    return Answer(
        tuple(read(law, world.columns) for law in world.laws),
        tuple(read(constraint, world.columns) for constraint, _ in world.constraints),
    )


def score(world: System, answer: Answer, clean: Sequence[Array]) -> Score:
    """What an answer about a known system is worth. clean: its trajectories without noise, [T, D] each."""
    stacked = np.concatenate(clean)
    x_ND = stacked[np.unique(np.linspace(0, len(stacked) - 1, STATES).round().astype(int))]
    scale_D = stacked.std(axis=0)
    truth = truth_of(world)
    surface = Span.of([gradient(c, x_ND, scale_D) for c in truth.constraints], x_ND)
    true = [surface.off(gradient(c, x_ND, scale_D)) for c in truth.laws]
    claims = (*answer.laws, *(_column(d) for d in answer.columns))
    found = [surface.off(gradient(c, x_ND, scale_D)) for c in claims]
    spurious = _residuals(found, Span.of(true, x_ND))
    right = [g for g, residual in zip(found, spurious, strict=True) if residual < SPURIOUS]
    stated = [c for c, residual in zip(claims, spurious, strict=True) if residual < SPURIOUS and c.stated]
    ties = [gradient(c, x_ND, scale_D) for c in answer.constraints]
    return Score(
        wanted=world.independent,
        claimed=len(claims),
        right=Span.of(right, x_ND).rank,
        missing=_residuals(true, Span.of(found, x_ND)),
        spurious=spurious,
        constraints=(len(truth.constraints), len(ties), sum(r < SPURIOUS for r in _residuals(ties, surface))),
        coefficients=tuple(coefficient_error(c.at, c.parameters, clean) for c in stated),
        approximate=answer.approximate,
    )


def _column(d: int) -> Claim:
    return Claim(lambda x_ND, _: x_ND[:, d])


def gradient(claim: Claim, x_ND: Array, scale_D: Array) -> Array:
    """Central differences [N, D] in units of the columns' deviations; not finite where the quantity is not."""
    slopes = []
    for d, scale in enumerate(scale_D):
        step_D = np.zeros(len(scale_D))
        step_D[d] = 1e-4 * scale
        with np.errstate(all="ignore"):
            slopes.append((claim(x_ND + step_D) - claim(x_ND - step_D)) / 2e-4)
    return np.stack(slopes, axis=1)


@dataclass(frozen=True)
class Span:
    """What the gradients of a set of quantities span at each state. basis: orthonormal [N, D, rank]; good: the states
    at which no direction is nearly lost, or all of them where hardly any is so."""

    basis: Array
    good: NDArray[np.bool_]

    @classmethod
    def of(cls, gradients: Sequence[Array], x_ND: Array) -> Span:
        """The span of all of them. Only the independent ones make it larger."""
        span, kept = cls(np.zeros((*x_ND.shape, 0)), np.ones(len(x_ND), dtype=bool)), 0
        for number, g_ND in enumerate(gradients, start=1):
            if kept < x_ND.shape[1] and residual(g_ND, span) >= INDEPENDENT:
                kept += 1
                span = cls._leading(gradients[:number], kept)
        return cls._leading(gradients, kept) if kept else span

    @classmethod
    def _leading(cls, gradients: Sequence[Array], rank: int) -> Span:
        units_NDL = np.stack([_unit(g_ND) for g_ND in gradients], axis=-1)
        left, values, _ = np.linalg.svd(units_NDL, full_matrices=False)
        good = values[:, rank - 1] >= DEGENERATE
        return cls(left[:, :, :rank], good if good.mean() >= REMAIN else np.ones(len(good), dtype=bool))

    @property
    def rank(self) -> int:
        """How many independent quantities there are."""
        return self.basis.shape[-1]

    def off(self, g_ND: Array) -> Array:
        """What of a gradient lies off the span. Nothing at all where only SPURIOUS of it does: then it says nothing
        new."""
        if not self.rank:
            return g_ND
        left_ND = g_ND - np.einsum("ndr,ner,ne->nd", self.basis, self.basis, g_ND)
        return left_ND if residual(g_ND, self) >= SPURIOUS else np.zeros_like(g_ND)


def _unit(g_ND: Array) -> Array:
    """Of length one; zero where there is no gradient."""
    size_N = np.linalg.norm(g_ND, axis=1, keepdims=True)
    fine = np.isfinite(size_N) & (size_N > 0)
    return np.where(fine, g_ND / np.where(fine, size_N, 1.0), 0.0)


def residual(g_ND: Array, span: Span) -> float:
    """The root mean square share of a gradient off a span; 1 for one that is zero, or not finite, at most states."""
    unit_ND = _unit(g_ND)[span.good]
    used = unit_ND.any(axis=1)
    if used.mean() < 1 - REMAIN:
        return 1.0
    unit_ND, basis_NDR = unit_ND[used], span.basis[span.good][used]
    inside_NR = np.einsum("nd,ndr->nr", unit_ND, basis_NDR)
    off_ND = unit_ND - np.einsum("ndr,nr->nd", basis_NDR, inside_NR)
    return float(np.sqrt(np.mean((off_ND**2).sum(axis=1))))


def _residuals(gradients: Sequence[Array], span: Span) -> tuple[float, ...]:
    return tuple(residual(g_ND, span) for g_ND in gradients)
