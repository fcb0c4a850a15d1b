"""What "conserved" means: variation within sequences against variation at large.

A quantity g is judged in a *frame*: the samples with their sequences, and a reference that says how much g could have
varied. `numerator` and `denominator` are linear maps of g's values whose squared norms are the within-trajectory
variance and the reference variance, so that

    ratio(g) = |numerator(g)|^2 / |denominator(g)|^2

is 0 for a conserved quantity and about 1 for one that is not, and does not see scale or offset. With the noise as
reference the same quotient is a reduced chi-square.

Legend: N samples, R reference points, K sequences, D columns; ... any leading axes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..data.constants import constant_columns
from ..data.smoothing import without_turns
from ..data.trajectories import Trajectories

Array = NDArray[np.float64]


CONSTANT = 1e-12
"""A quantity whose variance is below this share of its mean square is a constant, up to rounding."""


_QUARTILES = 1.3489795003921634  # between the quartiles of a normal distribution, in deviations


@dataclass(frozen=True)
class Frame:
    """Samples, sequences and a reference.

    columns: values by symbol at all points: the N samples, then the R reference points.
    sequence_N: each sample's sequence, 0 to K - 1.
    reference: "samples" (the variance over all samples), "points" (the variance over the reference points), or
        "noise" (R = 2 D N reference points, x + s_d e_d and x - s_d e_d for each column d: what noise does to g).
    """

    columns: Mapping[str, Array]
    sequence_N: Tensor
    weight_N: Tensor
    reference: str = "samples"

    @property
    def samples(self) -> int:
        """N."""
        return len(self.sequence_N)

    @property
    def sequences(self) -> int:
        """K."""
        return int(self.sequence_N[-1]) + 1

    def centred(self, g_N: Tensor) -> Tensor:
        """Values less their sequence's mean, [..., N]."""
        sums = torch.zeros((*g_N.shape[:-1], self.sequences), dtype=g_N.dtype)
        sums.index_add_(-1, self.sequence_N, g_N)
        counts = torch.bincount(self.sequence_N, minlength=self.sequences)
        return g_N - (sums / counts)[..., self.sequence_N]

    def numerator(self, g: Tensor) -> Tensor:
        """Its squared norm is the variance along a sequence, averaged over sequences. [..., N + R] -> [..., N]"""
        n = self.samples
        g_N = g[..., :n]
        if self.reference == "noise":  # noise shifts a curved quantity's mean; take that off
            pairs = self._pairs(g)
            g_N = g_N - 0.5 * (pairs.sum(dim=(-3, -2)) - 2 * pairs.shape[-3] * g_N)
        return self.centred(g_N) * self.weight_N.sqrt()

    def denominator(self, g: Tensor) -> Tensor:
        """Its squared norm is the reference variance. [..., N + R] -> [..., N or R or D N]"""
        n = self.samples
        if self.reference == "samples":
            g_N = g[..., :n]
            return (g_N - (g_N * self.weight_N).sum(-1, keepdim=True)) * self.weight_N.sqrt()
        if self.reference == "points":
            g_R = g[..., n:]
            return (g_R - g_R.mean(-1, keepdim=True)) / np.sqrt(g_R.shape[-1])
        pairs = self._pairs(g)
        slopes = 0.5 * (pairs[..., 0, :] - pairs[..., 1, :])
        # a sequence of T samples keeps T - 1 degrees of freedom once its mean is known
        counts = torch.bincount(self.sequence_N, minlength=self.sequences).to(g.dtype)[self.sequence_N]
        return (slopes * (self.weight_N * (counts - 1) / counts).sqrt()).flatten(-2)

    def _pairs(self, g: Tensor) -> Tensor:
        """The values at x + s_d e_d and x - s_d e_d, [..., D, 2, N]."""
        n = self.samples
        return g[..., n:].unflatten(-1, (-1, 2, n))

    def ratio(self, g: Tensor) -> Tensor:
        """|numerator|^2 / |denominator|^2 of values [..., N + R]; infinite where it has no finite value."""
        below = self.denominator(g).square().sum(-1)
        found = self.numerator(g).square().sum(-1) / below
        least = 0.0 if self.reference == "noise" else CONSTANT * g.square().mean(-1)
        return torch.where(torch.isfinite(found) & (below > least), found, torch.inf)

    def robust_ratio(self, g_NR: Array) -> float:
        """The ratio with the reference's variance from its quartiles, so that a pole's few values do not count."""
        if self.reference == "noise":
            raise ValueError("noise has no quartiles here")
        reference = g_NR[self.samples :] if self.reference == "points" else g_NR[: self.samples]
        low, high = np.quantile(reference, (0.25, 0.75))
        within = float(self.numerator(torch.from_numpy(g_NR)).square().sum())
        return within / ((high - low) / _QUARTILES) ** 2 if high > low else np.inf

    def rank_ratio(self, g_NR: Array) -> float:
        """The ratio of g's ranks among the reference: blind to monotone wrappers and to a few extreme values."""
        reference = g_NR[self.samples :] if self.reference == "points" else g_NR[: self.samples]
        step = CONSTANT * max(float(np.abs(g_NR).max()), 1e-300)
        rounded, known = np.round(g_NR / step), np.sort(np.round(reference / step))
        below, upto = np.searchsorted(known, rounded, "left"), np.searchsorted(known, rounded, "right")
        return float(self.ratio(torch.from_numpy(0.5 * (below + upto))))

    def typical_ratio(self, g: Tensor) -> float:
        """The median over sequences of each one's own ratio: no few sequences can make it small."""
        above, below = self.numerator(g).square(), self.denominator(g).square()
        below = below.unflatten(-1, (-1, self.samples)).sum(-2)
        tops, bottoms = (
            torch.zeros(self.sequences, dtype=g.dtype).index_add_(0, self.sequence_N, x) for x in (above, below)
        )
        return float((tops / bottoms).nan_to_num(nan=0.0).median())


def _weights(sequence_N: Tensor) -> Tensor:
    counts = torch.bincount(sequence_N).to(torch.float64)
    return 1.0 / (counts[sequence_N] * len(counts))


def frame(trajectories: Trajectories, shuffled: Array | None = None) -> Frame:
    """Samples judged against their own variance over all trajectories, or against the states `shuffled` [R, D].

    The latter is needed where the trajectories do not differ enough (one run cut into windows): see `shuffled_states`.
    """
    states = trajectories.stacked if shuffled is None else np.concatenate([trajectories.stacked, shuffled])
    sequence = torch.from_numpy(trajectories.sequence_numbers)
    columns = dict(zip(trajectories.symbols, np.ascontiguousarray(states.T), strict=True))
    return Frame(columns, sequence, _weights(sequence), "samples" if shuffled is None else "points")


def noise_frame(trajectories: Trajectories, noise_D: Array) -> Frame:
    """Samples judged against the measurement noise (standard deviations [D]): the ratio is a reduced chi-square."""
    x_ND = trajectories.stacked
    points = [x_ND]
    for d, deviation in enumerate(noise_D):
        step = np.zeros(len(noise_D))
        step[d] = deviation
        points += [x_ND + step, x_ND - step]
    sequence = torch.from_numpy(trajectories.sequence_numbers)
    columns = dict(zip(trajectories.symbols, np.ascontiguousarray(np.concatenate(points).T), strict=True))
    return Frame(columns, sequence, _weights(sequence), "noise")


def mismatched(trajectories: Trajectories, seed: int, runs: Trajectories | None = None) -> Trajectories:
    """Sequences in which each column comes from elsewhere: every column's own course, no relation between them.

    A slow column stays slow, and a short sequence short; a law that needs its columns to go together does not survive.
    Columns that are constant along each trajectory stay where they are. The time as a column is the same everywhere, so
    it runs backwards in every second sequence.
    runs: what windows were cut from; their columns come from other moments of the runs (windows of one period all begin
    at one phase). Otherwise they come from other trajectories.
    """
    rng = np.random.default_rng(seed)
    donors = (trajectories if runs is None else runs).states
    states, times = [], []
    still_D = constant_columns(trajectories)
    is_time = [origin is not None and origin.kind == "time" for origin in trajectories.origins]
    for k, t_T in enumerate(trajectories.times):
        taken = [
            trajectories.states[k][:, d] if still_D[d] else _elsewhere(donors, d, k, len(t_T), runs is not None, rng)
            for d in range(trajectories.dimension)
        ]
        length = min(map(len, taken))
        if k % 2:
            taken = [column[:length][::-1] if time else column for column, time in zip(taken, is_time, strict=True)]
        states.append(np.stack([column[:length] for column in taken], axis=1))
        times.append(t_T[:length])
    mixed = replace(trajectories, states=tuple(states), times=tuple(times), given_derivatives=None)
    return mixed if runs is None else without_turns(mixed)


def _elsewhere(
    donors: tuple[Array, ...], column: int, own: int, length: int, any_moment: bool, rng: np.random.Generator
) -> Array:
    """At most `length` samples of a column: from another donor, or from any moment of any that is long enough."""
    if any_moment:
        long = [x for x in donors if len(x) >= length] or [max(donors, key=len)]
        donor = long[rng.integers(len(long))]
        begin = rng.integers(len(donor) - min(length, len(donor)) + 1)
        return donor[begin : begin + length, column]
    other = int(rng.integers(len(donors) - 1)) if len(donors) > 1 else 0
    return donors[other + (other >= own and len(donors) > 1)][:length, column]


@dataclass(frozen=True)
class Drift:
    """How a quantity runs away with time, over all sequences together.

    rate: change per time, in units of g per unit of time. error: its standard error.
    """

    rate: float
    error: float

    @property
    def significance(self) -> float:
        """The rate in units of its error."""
        return abs(self.rate) / self.error if self.error > 0 else np.inf if self.rate else 0.0


def drift(g_N: Array, trajectories: Trajectories, piece: int | None = None) -> Drift:
    """The common slope of g against time within trajectories, with an error from the scatter between pieces.

    g_N: values at the stacked samples.
    piece: samples in a piece that counts as independent of the others; None for whole trajectories.
    """
    scores, spread, start = [], 0.0, 0
    centred = []
    for t_T in trajectories.times:
        g_T = g_N[start : start + len(t_T)]
        start += len(t_T)
        time = t_T - t_T.mean()
        centred.append((time, g_T - g_T.mean()))
        spread += float(time @ time)
    rate = sum(float(time @ g) for time, g in centred) / spread
    for time, g in centred:
        score_T = time * (g - rate * time)
        pieces = max(len(time) // piece, 1) if piece else 1
        scores += [float(part.sum()) for part in np.array_split(score_T, pieces)]
    freedom = max(len(scores) - 1, 1)
    return Drift(rate, float(np.sqrt(np.square(scores).sum() * len(scores) / freedom) / spread))
