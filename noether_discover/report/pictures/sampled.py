"""A law's values on data: along each trajectory, what noise does to them, and along random sequences.

K sequences, T samples of one, N of all, D columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ...data.constants import constant_columns
from ...data.shuffling import scrambled, shuffled_states
from ...data.smoothing import without_turns
from ...data.trajectories import FEWEST_SAMPLES, Array, Trajectories

Quantity = Callable[[Array], Array]
"""States [..., D] to values [...]."""


@dataclass(frozen=True)
class Sampled:
    """A law on data.

    runs, run_times: its values along the trajectories as measured, K arrays [T].
    values, times: along the sequences that are judged: the trajectories, or windows of them, with time from their
        beginning.
    noise: the standard deviation that measurement noise gives each of `values`.
    random: values along random sequences of the same lengths: states dealt out at random, or with columns shuffled.
    labels, names: of runs and of sequences. windows: samples in a window, None where trajectories are judged whole.
    shuffled: whether random sequences have shuffled columns.
    """

    runs: tuple[Array, ...]
    run_times: tuple[Array, ...]
    values: tuple[Array, ...]
    times: tuple[Array, ...]
    noise: tuple[Array, ...]
    random: tuple[Array, ...]
    labels: tuple[str, ...]
    names: tuple[str, ...]
    window: int | None
    shuffled: bool

    @property
    def what(self) -> str:
        """What the judged sequences are called."""
        return "trajectory" if self.window is None else "window"

    @property
    def pool(self) -> Array:
        """Its values at large: over all trajectories, or over random states."""
        return np.concatenate(self.random if self.shuffled else self.values)

    @property
    def at_large(self) -> float:
        """The standard deviation that the law could have had."""
        pool = self.pool
        finite = pool[np.isfinite(pool)]
        return float(finite.std()) if len(finite) else float("nan")


def sampled(
    quantity: Quantity, data: Trajectories, noise_D: Array, window: int | None, seed: int, constraint: bool = False
) -> Sampled:
    """The law on these data. window: as the search judged. constraint: whether it has one value on all of them, so that
    only states with shuffled columns leave it."""
    sequences = data if window is None else _windows(data, window)
    shuffled = window is not None or constraint
    random = _shuffled(sequences, seed + 2) if shuffled else scrambled(sequences, seed + 2)
    return Sampled(
        runs=tuple(_along(quantity, x) for x in data.states),
        run_times=data.times,
        values=tuple(_along(quantity, x) for x in sequences.states),
        times=tuple(t - t[0] for t in sequences.times),
        noise=tuple(_noise(quantity, x, noise_D) for x in sequences.states),
        random=tuple(_along(quantity, x) for x in random.states),
        labels=data.labels,
        names=sequences.labels,
        window=window,
        shuffled=shuffled,
    )


def _windows(data: Trajectories, window: int) -> Trajectories:
    cut = data.contiguous().windows(window)
    whole = [i for i, t in enumerate(cut.times) if len(t) >= max(window // 2, FEWEST_SAMPLES)]
    return without_turns(cut.pick(whole)) if whole else cut


def _shuffled(sequences: Trajectories, seed: int) -> Trajectories:
    mixed = shuffled_states(sequences, seed, sequences.samples)
    mixed = np.where(constant_columns(sequences), sequences.stacked, mixed)
    cuts = np.cumsum([len(t) for t in sequences.times])[:-1]
    return replace(sequences, states=tuple(np.split(mixed, cuts)), given_derivatives=None)


def _along(quantity: Quantity, x_TD: Array) -> Array:
    with np.errstate(all="ignore"):
        return np.array(quantity(x_TD), dtype=float)


def _noise(quantity: Quantity, x_TD: Array, noise_D: Array) -> Array:
    """What noise does to the law, to first order: half the difference between one deviation up and one down, or that to
    the side on which the law has a value."""
    here_T = _along(quantity, x_TD)
    variance_T = np.zeros(len(x_TD))
    for d, deviation in enumerate(noise_D):
        step = np.zeros(x_TD.shape[-1])
        step[d] = deviation
        up_T, down_T = _along(quantity, x_TD + step), _along(quantity, x_TD - step)
        with np.errstate(invalid="ignore"):
            sides = np.stack([0.5 * (up_T - down_T), up_T - here_T, here_T - down_T])
        first = np.isfinite(sides).argmax(axis=0)
        variance_T += np.square(sides[first, np.arange(len(x_TD))])
    return np.sqrt(variance_T)
