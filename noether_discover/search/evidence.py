"""What a search judges by: training and held-out sequences, references, noise.

Many trajectories are judged as they are: half of them fit, half judge, and a quantity is informative when it differs
between them. A few long ones are cut into windows of about one period, which then play the part of trajectories; since
the windows of one run need not differ in what is conserved, the reference is then states with independently shuffled
columns (method: a single trajectory has no between-trajectory variance).

Legend: N samples, D columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..data.constants import constant_columns, constants_of, with_constants
from ..data.noise import noise
from ..data.shuffling import scrambled, shuffled_states
from ..data.smoothing import unwrapped, without_turns
from ..data.trajectories import FEWEST_SAMPLES, Trajectories
from ..errors import DataError, OptionError
from .conservation import Frame, frame, mismatched, noise_frame

Array = NDArray[np.float64]

FEWEST_TRAJECTORIES = 6
"""With fewer trajectories, windows are judged instead."""
FEWEST_WINDOWS, SHORTEST_WINDOW = 8, 8
SCREEN_SAMPLES, SCREEN_SEQUENCES = 8, 25
"""How many samples of how many training sequences a formula is screened on."""
FIT_SAMPLES = 4000
"""About how many training samples a fit uses; held-out sequences judge with all of theirs."""


@dataclass(frozen=True)
class Evidence:
    """Data made ready for judgement.

    runs: the trajectories as measured. sequences: what is judged, trajectories or windows of them.
    window: the windows' length in samples, None when trajectories are judged as they are.
    noise_D: each column's measurement noise.
    training, heldout: numbers of the sequences that fit and of those that judge.
    """

    runs: Trajectories
    sequences: Trajectories
    window: int | None
    noise_D: Array
    training: tuple[int, ...]
    heldout: tuple[int, ...]
    seed: int

    @cached_property
    def constant(self) -> frozenset[str]:
        """The symbols of the columns that do not change along any run, but for noise."""
        return frozenset(s for s, c in zip(self.runs.symbols, constant_columns(self.runs), strict=True) if c)

    @property
    def reference(self) -> str:
        """In words, what a quantity's variation is compared with."""
        if self.window is None:
            return "the variance over all trajectories"
        return f"states with shuffled columns (windows of {self.window} samples play the part of trajectories)"

    def _shuffled(self, trajectories: Trajectories) -> Array | None:
        return None if self.window is None else shuffled_states(trajectories, self.seed + 1)

    @cached_property
    def train(self) -> Trajectories:
        """The sequences that fit."""
        return self.sequences.pick(self.training)

    @cached_property
    def held(self) -> Trajectories:
        """The sequences that judge."""
        return self.sequences.pick(self.heldout)

    @cached_property
    def screen_frame(self) -> Frame:
        """A few samples of the training sequences."""
        some = np.unique(np.linspace(0, len(self.train) - 1, SCREEN_SEQUENCES).round().astype(int))
        thin = self.train.pick(some).thinned(SCREEN_SAMPLES)
        return frame(thin, None if self.window is None else shuffled_states(thin, self.seed + 1, 200))

    @cached_property
    def fitting(self) -> Trajectories:
        """The training sequences, thinned where they hold more samples than a fit needs."""
        return self.train.thinned(max(FIT_SAMPLES // len(self.train), SCREEN_SAMPLES))

    @cached_property
    def train_frame(self) -> Frame:
        """The training sequences, for fits."""
        return frame(self.fitting, self._shuffled(self.fitting))

    @cached_property
    def held_frame(self) -> Frame:
        """All samples of the held-out sequences."""
        return frame(self.held, self._shuffled(self.held))

    @cached_property
    def whole_frame(self) -> Frame:
        """All samples."""
        return frame(self.sequences, self._shuffled(self.sequences))

    @cached_property
    def random_frame(self) -> Frame:
        """Random sequences: training states dealt out anew, or with shuffled columns where windows are judged."""
        data = self.fitting
        if self.window is None:
            return frame(scrambled(data, self.seed + 2))
        shuffled_ND = shuffled_states(data, self.seed + 2, data.samples)
        mixed = np.where(constant_columns(data), data.stacked, shuffled_ND)
        cuts = np.cumsum([len(t) for t in data.times])[:-1]
        shuffled = replace(data, states=tuple(np.split(mixed, cuts)), given_derivatives=None)
        return frame(shuffled, self._shuffled(data))

    @cached_property
    def mismatched_frame(self) -> Frame:
        """Sequences whose columns come from different sequences: what slow columns and short sequences do alone."""
        runs = None if self.window is None else self.runs.contiguous()
        apart = mismatched(self.train, self.seed + 4, runs).thinned(max(FIT_SAMPLES // len(self.train), SCREEN_SAMPLES))
        return frame(apart, self._shuffled(self.train))

    @cached_property
    def shuffled_frame(self) -> Frame:
        """Training sequences, thinned, against states with shuffled columns: where constraints show."""
        thin = self.train.thinned(SCREEN_SAMPLES)
        return frame(thin, shuffled_states(thin, self.seed + 3, 500))

    @cached_property
    def train_noise_frame(self) -> Frame:
        """The training sequences against the noise, for fits."""
        return noise_frame(self.fitting, self.noise_D)

    @cached_property
    def held_noise_frame(self) -> Frame:
        """The held-out sequences against the noise."""
        return noise_frame(self.held, self.noise_D)

    @cached_property
    def whole_noise_frame(self) -> Frame:
        """All sequences against the noise."""
        return noise_frame(self.sequences, self.noise_D)


def gather(trajectories: Trajectories, *, window: int | None = None, share: float = 0.5, seed: int = 0) -> Evidence:
    """Make data ready for judgement.

    window: length of windows in samples; None decides by the number of trajectories (fewer than 6: windows of about
        one period), 0 asks for trajectories as they are.

    Raises DataError when there are too few sequences to hold some out, OptionError for an impossible window.
    """
    if window is not None and window != 0 and window < FEWEST_SAMPLES:
        raise OptionError(f"--window {window} is too short; a window has at least {FEWEST_SAMPLES} samples")
    noise_D = noise(trajectories)
    trajectories = with_constants(trajectories, constants_of(trajectories, noise_D))
    asked = bool(window)
    if window is None and len(trajectories) < FEWEST_TRAJECTORIES:
        window = default_window(trajectories)
    if not window:
        training, heldout = trajectories.split_numbers(share, seed)
        return Evidence(trajectories, trajectories, None, noise_D, training, heldout, seed)
    sequences = trajectories.contiguous().windows(window)
    whole = [i for i, t in enumerate(sequences.times) if len(t) >= max(window // 2, FEWEST_SAMPLES)]
    if len(whole) < 4:
        remedy = "use a smaller --window or more data" if asked else "more or longer trajectories are needed"
        raise DataError(
            f"{trajectories.origin}: only {len(whole)} windows of {window} samples fit into the data, "
            f"too few to hold some out; {remedy}"
        )
    sequences = without_turns(sequences.pick(whole))
    numbers = range(len(whole))
    return Evidence(trajectories, sequences, window, noise_D, tuple(numbers[0::2]), tuple(numbers[1::2]), seed)


def windows_worth_trying(evidence: Evidence) -> int | None:
    """The length of windows of about a period, when the trajectories hold at least three of them; else None."""
    if evidence.window is not None:
        return None
    window = default_window(evidence.runs)
    return window if np.median([len(t) for t in evidence.runs.times]) >= 3 * window else None


def default_window(trajectories: Trajectories) -> int:
    """About one period of the slowest column, in samples, and never so long that fewer than eight windows are left.

    The period is four times the lag at which a column's autocorrelation first falls below zero.
    """
    quarter = 2
    for x_TD in unwrapped(trajectories).states:
        centred = x_TD - x_TD.mean(axis=0)
        for column in centred.T:
            size = 1 << (2 * len(column)).bit_length()
            power = np.abs(np.fft.rfft(column, size)) ** 2
            correlation = np.fft.irfft(power)[: len(column)]
            below = np.flatnonzero(correlation < 0)
            quarter = max(quarter, int(below[0]) if len(below) else len(column) // 4)
    window = max(4 * quarter, SHORTEST_WINDOW)
    lengths = [len(t) for t in trajectories.contiguous().times]
    while window > SHORTEST_WINDOW and sum(length // window for length in lengths) < FEWEST_WINDOWS:
        window -= max(window // 10, 1)
    return max(window, SHORTEST_WINDOW)
