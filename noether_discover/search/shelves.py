"""A library under search: its forms, and a sum from it refitted, snapped and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from .known import LAW, Sum, without_known
from .libraries import Library
from .material import Material
from .pencils import Pencil, Sample, pencil, ranks_of, trust
from .precision import refits
from .snapping import snapped
from .sparse import price, quotient, refitted, smallest
from .terms import Term, with_number

Array = NDArray[np.float64]

PASSES = 1.3
"""The reduced chi-square of a law besides chance: noise is known to a few per cent, and smoothing leaves bias."""
LARGEST_RATIO = 0.35
"""Noise may explain at most this share of a law's variance; beyond it a law cannot be told from noise."""
OVER_APART = 2.0
"""So many times must a law vary more where its columns do not belong together."""
SHORT, OVER_SHORT = 0.01, 10.0
"""The same where even columns from elsewhere give a ratio below the first, and ten times as much for every number that
was fitted: in so short a piece of a motion all is linear in time, and every number turns a slope so that it cancels."""
LARGER, SURELY = 3.0, 10.0
"""A number inside terms must be told from one larger by the first, by so much of the logarithm of the likelihood."""
HOPELESS = 1e30
"""A chi-square that stands for none."""
MOST_NUMBERS = 3
"""Numbers inside terms that a library is searched with."""
TOLERABLE = 6.0
"""A library none of whose best sums has a chi-square below this holds no law, whatever number is inside its terms."""
NEAR = 0.3
"""How far, in its logarithm, a number inside terms may be from where the whole library had it."""
LEAST_INFORMATIVE = 1e-8
OVERESTIMATED, NEARLY_EXACT = 0.1, 1e-3
"""With a chi-square below the first the noise is less than a third of what is assumed; then only a sum that is
conserved to the second says something."""
MOST_FREE, LONGEST = 8, 24.0
"""Numbers that are fitted under noise, and the price of the terms: beyond, a sum is a Taylor series of something, be it
of a function of other laws. (The energy of a ring of five masses and quadratic springs costs 21.)"""
LEAST_TRUSTED = 0.4
"""Of the samples: a law that only holds where noise hardly moves it may be one of a corner of the data."""
_EXACT_RATIO = 3e-7


@dataclass
class Shelf:
    """A library, its forms on training, held-out and shuffled states, and which terms are still to be searched."""

    name: str
    terms: list[Term]
    complexity_M: Array
    train: Pencil
    held: Pencil
    shuffled: Pencil
    allowed_M: NDArray[np.bool_]
    forgotten_M: tuple[NDArray[np.bool_], ...] = ()

    @property
    def keep(self) -> NDArray[np.int64]:
        """The terms that are left."""
        return self.keeps[0]

    @property
    def keeps(self) -> list[NDArray[np.int64]]:
        """The terms that are left, by every way of taking away what is known."""
        ways = [self.allowed_M & way for way in self.forgotten_M] or [self.allowed_M]
        return [np.flatnonzero(w) for i, w in enumerate(ways) if not any((w == v).all() for v in ways[:i])]

    def forget(self, known: list[Sum], m: Material) -> None:
        """Take away what follows from known laws and constraints, in two ways.

        Of p1 + p2 + p3 squared, p1*p2 goes, so that p1^2 + p2^2 + ... can be found; or p1^2, so that p1*p2*p3 can.
        """
        whole = np.floor(self.complexity_M)
        self.forgotten_M = tuple(
            without_known(
                self.terms, self.allowed_M, order_M, self.train.scale_M, known, m.train, m.shuffled, m.kinds.symbols
            )
            for order_M in (self.complexity_M, 2.0 * whole - self.complexity_M + 1e-3 * whole)
        )

    def drop_leading(self, support: NDArray[np.int64]) -> None:
        """Take away the most complex term of a sum that is of no use."""
        self.allowed_M[support[int(np.lexsort((np.arange(len(support)), self.complexity_M[support]))[-1])]] = False


def shelves_of(library: Library, m: Material) -> list[Shelf]:
    """A library with its forms; one with a number inside its terms once for every number where some sum of them is more
    conserved than with numbers nearby: what grows at one rate is found beside what grows at another, or not at all."""
    ways = [library.terms] if library.soft is None else _softened(library, m)
    return [_shelf(library.name, list(terms), m) for terms in ways]


def _shelf(name: str, terms: list[Term], m: Material) -> Shelf:
    train = pencil(terms, m.train, weight_N=weights(terms, m.train, m))
    held = train if m.clean else pencil(terms, m.held, train.scale_M, weight_N=weights(terms, m.held, m))
    shuffled = pencil(terms, m.shuffled, train.scale_M) if ranks_of(terms) == 1 else train
    complexity_M = np.array([term.complexity for term in terms])
    return Shelf(name, terms, complexity_M, train, held, shuffled, train.usable_M & held.usable_M)


def weights(terms: Sequence[Term], sample: Sample, m: Material) -> Array | None:
    """How much the samples count: all alike where there is no noise."""
    return None if m.clean else trust(terms, sample)


def _softened(library: Library, m: Material) -> list[tuple[Term, ...]]:
    """The library at the numbers inside where some sum of its terms has less chi-square than nearby, best first."""
    assert library.soft is not None
    soft = library.soft

    fixed_N = weights(soft(library.scales[0]), m.train, m)  # or a spikier library would count fewer spikes

    def least(log_s: float) -> float:
        p = pencil(soft(float(np.exp(log_s))), m.train, weight_N=fixed_N)
        p = p.part(np.flatnonzero(p.usable_M))
        if not len(p.scale_M):
            return HOPELESS
        values, _ = smallest(p.within, p.noise, 1)
        return float(values[0])

    grid = np.log(np.array(library.scales))
    height = np.array([least(g) for g in grid])
    beside = np.concatenate([[np.inf], height, [np.inf]])
    lows = np.flatnonzero((height <= beside[:-2]) & (height <= beside[2:]) & (height < HOPELESS))
    lows = lows[np.argsort(height[lows], kind="stable")][:MOST_NUMBERS]
    options = {"xatol": 1e-9 if m.clean else 1e-2, "maxiter": 40}  # a parabola near its least: a few steps
    found = []
    for low in lows:
        bounds = grid[max(low - 1, 0)], grid[min(low + 1, len(grid) - 1)]
        found.append(scipy.optimize.minimize_scalar(least, bounds=bounds, method="bounded", options=options))
    ways = [float(np.exp(f.x)) for f in found if m.clean or f.fun < TOLERABLE] or [library.scales[0]]
    return [soft(s) for s in ways]


def _sharp(terms: list[Term], sample: Sample, m: Material) -> list[Term]:
    """The terms with the number inside them where their own sum has the least chi-square, near where it was."""
    if m.clean or not any(t.values for t in terms):
        return terms
    weight_N = weights(terms, sample, m)

    def least(log_factor: float) -> float:
        p = pencil(with_number(terms, float(np.exp(log_factor))), sample, weight_N=weight_N)
        return quotient(refitted(p.within, p.noise), p.within, p.noise) if p.usable_M.all() else HOPELESS

    found = scipy.optimize.minimize_scalar(least, bounds=(-NEAR, NEAR), method="bounded", options={"xatol": 1e-3})
    return with_number(terms, float(np.exp(found.x))) if found.fun < least(0.0) else terms


def _is_settled(terms: list[Term], chi2: float, m: Material) -> bool:
    """Whether the data tell the number inside the terms from a larger one: of sqrt(v**2 + s) with a large s nothing is
    left but v**2."""
    larger = with_number(terms, LARGER)
    p = pencil(larger, m.train, weight_N=weights(terms, m.train, m))
    if not p.usable_M.all():
        return True
    with_larger = quotient(refitted(p.within, p.noise), p.within, p.noise)
    return bool(m.effective * np.log(max(with_larger, 1e-12) / max(chi2, 1e-12)) > SURELY)


def stated(shelf: Shelf, support: NDArray[np.int64], m: Material) -> Sum:
    """A sum of these terms: fitted to the training states, its coefficients made simple, judged on the held-out ones.

    Its samples are weighted by its own terms, since those of a whole library may rest on few samples. Where there is a
    number inside them, the library found it with all of its terms: what only made up for a number slightly off, goes.
    """
    law = _stated([shelf.terms[i] for i in support], shelf.name, m, on_all=False)
    while not m.clean and len(law.terms) > 1 and any(term.values for term in law.terms):
        fewer = [[t for t in law.terms if t is not left] for left in law.terms]
        leaner = min((_stated(terms, shelf.name, m, on_all=False) for terms in fewer), key=lambda one: one.score)
        if leaner.score >= law.score:
            break
        law = leaner
    return law


def final(law: Sum, m: Material) -> Sum:
    """A law with coefficients from all sequences; its figures stay those of the held-out ones."""
    found = _stated(list(law.terms), law.library, m, on_all=True)
    law = replace(law, terms=found.terms, coefficients=found.coefficients, free=found.free, ties=found.ties)
    return law if m.clean else replace(law, refits=refits(law, m))


def _stated(terms: list[Term], name: str, m: Material, *, on_all: bool) -> Sum:
    terms = _sharp(terms, m.train, m)
    weight_N = weights(terms, m.train, m)
    p = pencil(terms, m.train, weight_N=weight_N)
    h = pencil(terms, m.held, p.scale_M, weight_N=weights(terms, m.held, m))
    exact = _EXACT_RATIO if m.clean else 0.0
    if on_all:
        fitted = snapped(p.within + h.within, p.noise + h.noise, p.scale_M, 2.0 * m.effective, exact=exact)
    else:
        fitted = snapped(p.within, p.noise, p.scale_M, m.effective, exact=exact)
    c = fitted.coefficients
    group_M = np.abs(fitted.merge_MG).argmax(axis=1)
    ratio_M = fitted.merge_MG[np.arange(len(c)), group_M] / p.scale_M
    chance = float(np.sqrt(2.0 / m.effective))
    settled = m.clean or not any(t.values for t in terms) or _is_settled(terms, quotient(c, p.within, p.noise), m)

    chi2, held = quotient(c, p.within, p.noise), quotient(c, h.within, h.noise)
    pooled = quotient(c, p.within + h.within, p.noise + h.noise)
    lead = int(np.abs(c).argmax())
    own = c / p.scale_M
    order = sorted(range(len(terms)), key=lambda i: (i != lead, i))
    return Sum(
        terms=tuple(terms[i] for i in order),
        coefficients=tuple((own[order] / own[lead]).tolist()),
        library=name,
        kind=LAW,
        chi2=chi2,
        chi2_heldout=held,
        ratio_heldout=quotient(c, h.within, h.total),
        limit=PASSES + 2.0 * chance,
        score=price([term.complexity for term in terms], max(pooled, held / (1.0 + chance))),
        pooled=pooled,
        free=fitted.free,
        ties=tuple((int(group_M[i]), float(ratio_M[i])) for i in order),
        informative=float(c @ h.total @ c / (c @ c)),
        settled=settled,
        trusted=1.0 if weight_N is None else float(weight_N.mean()),
    )


def refusal(law: Sum, m: Material) -> str | None:
    """Why a sum is no law, in a few words; None for a law."""
    if not np.isfinite(law.chi2_heldout) or law.informative < LEAST_INFORMATIVE:
        return "degenerate"
    if m.clean:
        return "not conserved on held-out sequences" if law.chi2_heldout > 0.05 or law.ratio_heldout > 1e-7 else None
    if len(law.inputs - set(m.kinds.constant)) < 2:
        return "one column alone, and it is not among the constant ones"
    if law.chi2_heldout > law.limit:
        return "not explained by noise on held-out sequences"
    if law.chi2_heldout < OVERESTIMATED and law.ratio_heldout > NEARLY_EXACT:
        return "the noise is overestimated, and explains anything"
    if law.free > MOST_FREE or price([term.complexity for term in law.terms], 0.0) > LONGEST:
        return "so long a sum imitates anything"
    if not law.settled:
        return "the number inside it is not settled"
    if law.trusted < LEAST_TRUSTED:
        return "it rests on few samples"
    if law.ratio_heldout > LARGEST_RATIO:
        return "not to be told from noise"
    if law.chi2_heldout > (law.limit + 0.3) * max(law.chi2, 0.8):
        return "worse on held-out sequences"
    return None


def is_slow(law: Sum, m: Material) -> bool:
    """Whether sums of these terms vary hardly more where their columns do not belong together."""
    if len(law.inputs - set(m.kinds.constant)) < 2:
        return False
    apart = ratio_apart(law, m)
    over = OVER_APART if apart > SHORT else OVER_SHORT * 10.0**law.free
    return apart < over * law.ratio_heldout


def ratio_apart(law: Sum, m: Material) -> float:
    """The least ratio of sums of these terms where their columns do not belong together."""
    apart = pencil(list(law.terms), m.apart)
    values, _ = smallest(apart.within, apart.total + 1e-12 * np.eye(len(law.terms)), 1)
    return float(values[0].clip(0.0))
