"""Measured trajectories as tensors of one shape, for rollouts to be compared with.

K trajectories, T samples of the longest, D state columns.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..data.smoothing import GAP, unwrapped
from ..data.trajectories import FEWEST_SAMPLES, Trajectories


@dataclass(frozen=True)
class Measured:
    """States [K, T, D] at times [K, T]; short trajectories end in repetitions, where `counts` [K, T] is False."""

    states: Tensor
    times: Tensor
    counts: Tensor

    @staticmethod
    def of(trajectories: Trajectories, horizon: int) -> Measured:
        """Each trajectory from its beginning, at most `horizon` samples; one with a hole begins anew after it."""
        parts = unwrapped(trajectories).contiguous(GAP)
        longest = min(max(len(t) for t in parts.times), horizon)
        last = [np.minimum(np.arange(longest), len(t) - 1) for t in parts.times]
        counts = [np.arange(longest) < len(t) for t in parts.times]
        return Measured(
            torch.tensor(np.stack([x[rows] for x, rows in zip(parts.states, last, strict=True)])),
            torch.tensor(np.stack([t[rows] for t, rows in zip(parts.times, last, strict=True)])),
            torch.tensor(np.stack(counts)),
        )

    def beginning(self, samples: int) -> Measured:
        """The first samples of every trajectory."""
        return Measured(self.states[:, :samples], self.times[:, :samples], self.counts[:, :samples])

    def cut(self, length: int) -> Measured:
        """The same data in stretches of at most about `length` samples; neighbours share a sample."""
        T = self.states.shape[1]
        if length >= T:
            return self
        number = -(-(T - 1) // (length - 1))
        bounds = torch.linspace(0, T - 1, number + 1, dtype=torch.float64).round().long().tolist()
        longest = max(b - a for a, b in itertools.pairwise(bounds)) + 1
        pieces = []
        for a, b in itertools.pairwise(bounds):
            rows = torch.arange(a, a + longest).clamp(max=b)
            inside = torch.arange(longest) <= b - a
            pieces.append((self.states[:, rows], self.times[:, rows], self.counts[:, rows] & inside))
        states, times, counts = (torch.cat(part) for part in zip(*pieces, strict=True))
        use = counts.sum(1) >= FEWEST_SAMPLES
        return Measured(states[use], times[use], counts[use])
