"""The same states, but for what makes them motion: what a law is compared with.

Legend: K sequences, T samples of one, N samples of all, R of some, D columns.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .constants import constant_columns
from .trajectories import Array, Trajectories


def shuffled_states(trajectories: Trajectories, seed: int, at_most: int = 2000) -> Array:
    """States [R, D] in which each column is drawn independently of the others: the product of the marginals."""
    rng = np.random.default_rng(seed)
    x_ND = trajectories.stacked
    chosen = rng.permutation(len(x_ND))[:at_most]
    return np.stack([rng.permutation(column[chosen]) for column in x_ND.T], axis=1)


def scrambled(trajectories: Trajectories, seed: int) -> Trajectories:
    """Random sequences: the same states, dealt out to sequences of the same lengths at random.

    Columns that are constant along each trajectory stay: what is constant without the motion is no law of it.
    """
    order = np.random.default_rng(seed).permutation(trajectories.samples)
    x_ND = trajectories.stacked
    mixed = np.where(constant_columns(trajectories), x_ND, x_ND[order])
    cuts = np.cumsum([len(t) for t in trajectories.times])[:-1]
    return replace(trajectories, states=tuple(np.split(mixed, cuts)), given_derivatives=None)
