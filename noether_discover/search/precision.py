"""How sure the numbers of a sum are, from its samples: leaving sequences out, and measuring again.

A sum under noise has the coefficients of the least chi-square over denoised states. What they would have been

    without one of the K sequences           shows how far chance moved them: the jackknife's variance,
                                             (K - 1)/K times the sum of squares (Efron & Stein 1981)
    from other measurements of the motions   shows by how much noise, and denoising, shifts them: the denoised states
                                             are to their own replicas what the true ones are to them

The standard error is the root of the sum of both squares. Coefficients that were found alike stay so; what was made a
simple ratio otherwise is fitted freely, and its distance from that fit counts like a shift. A number inside terms moves
along a parabola through three values of it, and the coefficients with it.

Legend: M terms, G groups, N samples, K sequences, B replicas, S values of a number inside, P parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .known import Numbers, Refits, Sum
from .material import Material
from .pencils import LARGEST, Sample, pencil, ranks_of, trust
from .snapping import least
from .terms import Term, Values, with_number

Array = NDArray[np.float64]

NEARBY = 0.03
"""How far apart, in its logarithm, the values are at which a number inside terms is tried."""
FARTHEST = 30.0
"""Of these steps: beyond, the parabola says nothing."""


@dataclass(frozen=True)
class _Forms:
    """Of some terms, summed up over samples: variance along each sequence, and what noise makes of it [K, M, M]; the
    former in each replica [B, M, M]."""

    within: Array
    noise: Array
    measured: Array


def refits(law: Sum, m: Material) -> Refits:
    """The numbers of a sum from other samples."""
    terms = list(law.terms)
    weights = [trust(terms, sample) for sample in (m.train, m.held)]
    scale_M = pencil(terms, m.train, weight_N=weights[0]).scale_M
    merge_MG = _alike(law) * scale_M[:, None]
    steps = (0.0, -NEARBY, NEARBY) if any(term.values for term in terms) else (0.0,)
    forms = [_forms(with_number(terms, float(np.exp(step))), m, scale_M, weights) for step in steps]

    within_SKMM, noise_SKMM, measured_SBMM = (
        np.stack([getattr(form, name) for form in forms]) for name in ("within", "noise", "measured")
    )
    within_SMM, noise_SMM = within_SKMM.sum(axis=1), noise_SKMM.sum(axis=1)

    def fitted(w_SMM: Array, n_SMM: Array) -> Numbers:
        return _fitted(w_SMM, n_SMM, merge_MG, scale_M)

    return Refits(
        whole=fitted(within_SMM, noise_SMM),
        left_out=tuple(
            fitted(within_SMM - within_SKMM[:, k], noise_SMM - noise_SKMM[:, k]) for k in range(within_SKMM.shape[1])
        ),
        measured=tuple(fitted(measured_SBMM[:, b], noise_SMM) for b in range(measured_SBMM.shape[1])),
    )


def _fitted(within_SMM: Array, noise_SMM: Array, merge_MG: Array, scale_M: Array) -> Numbers:
    """The numbers of the least chi-square; of three values inside the terms that of the parabola through them."""
    coefficients, heights = [], []
    for within, noise in zip(within_SMM, noise_SMM, strict=True):
        c_G, chi2 = least(within, noise, merge_MG)
        own_M = merge_MG @ c_G / scale_M
        coefficients.append(own_M / own_M[0])
        heights.append(np.log(max(chi2, 1e-300)))
    if len(heights) == 1:
        return Numbers(tuple(coefficients[0].tolist()))
    slope, curvature = (heights[2] - heights[1]) / 2.0, heights[1] + heights[2] - 2.0 * heights[0]
    x = float(np.clip(-slope / curvature, -FARTHEST, FARTHEST)) if curvature > 0 else np.copysign(FARTHEST, -slope)
    moved = coefficients[0] + x * (coefficients[2] - coefficients[1]) / 2.0
    return Numbers(tuple(moved.tolist()), float(np.exp(x * NEARBY)))


def _alike(law: Sum) -> Array:
    """Of which terms the coefficients are one number up to their sign, [M, G]. Other ratios that were made simple are
    fitted again: that 3 was taken for 2.9 makes it no surer."""
    rows: list[tuple[int, float]] = []
    signs = np.zeros((len(law.terms), len(law.terms)))
    for i, (group, ratio) in enumerate(law.ties):
        same = (group, abs(ratio))
        rows += [same] if same not in rows else []
        signs[i, rows.index(same)] = np.sign(ratio)
    return signs[:, : len(rows)]


def standard_errors(stated_P: Array, whole_P: Array, left_KP: Array, measured_BP: Array) -> tuple[float, ...]:
    """Of the numbers that are stated, beside those of the free fit; not finite where nothing determines them."""
    number = len(left_KP)
    variance_P = (number - 1) / number * ((left_KP - left_KP.mean(axis=0)) ** 2).sum(axis=0)
    shift_P, away_P = measured_BP.mean(axis=0) - whole_P, stated_P - whole_P
    return tuple(np.sqrt(variance_P + shift_P**2 + away_P**2).tolist())


def _forms(terms: Sequence[Term], m: Material, scale_M: Array, weights: Sequence[Array]) -> _Forms:
    parts = [_of(terms, sample, scale_M, w) for sample, w in zip((m.train, m.held), weights, strict=True)]
    return _Forms(
        np.concatenate([p.within for p in parts]),
        np.concatenate([p.noise for p in parts]),
        np.asarray(sum(p.measured for p in parts)),
    )


def _of(terms: Sequence[Term], sample: Sample, scale_M: Array, weight_N: Array) -> _Forms:
    freedom = float(weight_N.sum()) * (1.0 - len(sample.counts) / sample.size)
    shape, rank = (len(sample.counts), len(terms), len(terms)), ranks_of(terms)
    within, noise, measured = np.zeros(shape), np.zeros(shape), np.zeros((len(sample.replicas), *shape[1:]))

    def by_sequence(f_MN: Array) -> Array:
        products = f_MN[:, None] * f_MN[None]
        return np.add.reduceat(products, sample.starts, axis=-1).transpose(2, 0, 1) / freedom / rank

    def values(of: Values, component: int) -> Array:
        f_MN = np.nan_to_num(of.of(terms, component) / scale_M[:, None], nan=0.0, posinf=0.0, neginf=0.0)
        return f_MN.clip(-LARGEST, LARGEST)

    for c in range(rank):
        f_MN = values(sample.values, c)
        within += by_sequence(sample.centred(f_MN, weight_N))
        for b, replica in enumerate(sample.replicas):
            other_MN = values(replica, c)
            measured[b] += by_sequence(sample.centred(other_MN, weight_N)).sum(axis=0)
            noise += by_sequence(sample.centred(other_MN - f_MN, weight_N)) / len(sample.replicas)
    return _Forms(within, noise, measured)
