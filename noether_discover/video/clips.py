"""Clips: frames with their actions, states and facts. Plain arrays; files are read in `reading`.

N clips, T frames, H height, W width, C channels, A actions, S state values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..errors import DataError, OptionError

Array = np.ndarray


@dataclass(frozen=True)
class Clips:
    """N clips of one frame size, never concatenated; lengths may differ.

    frames: N arrays [T, H, W, C] of uint8. actions: N arrays [T, A] (the action at t acts between the frames t and
    t + 1), or none. states: N arrays [T, S] of what a generator knows and no network is told, or none. facts: columns
    of N words each (object, setting, trial, file ...), by which clips are told apart and split.

    Raises DataError when clips differ in frame size, an action or state is missing or of another length, or a column
    has not N words.
    """

    frames: tuple[Array, ...]
    actions: tuple[Array, ...] | None = None
    states: tuple[Array, ...] | None = None
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fps: float | None = None

    def __post_init__(self) -> None:
        if not self.frames:
            raise DataError("there are no clips")
        for i, frames in enumerate(self.frames):
            if frames.dtype != np.uint8 or frames.ndim != 4:
                raise DataError(
                    f"{self.called(i)}: frames are {frames.dtype} {list(frames.shape)}; uint8 [T, H, W, C] is needed"
                )
            if frames.shape[1:] != self.frames[0].shape[1:]:
                raise DataError(
                    f"{self.called(i)}: frames of {_size(frames)}, but {self.called(0)} has {_size(self.frames[0])}; "
                    "clips of one size are needed. Give a size to resize them to."
                )
        for kind, rows in (("actions", self.actions), ("states", self.states)):
            if rows is None:
                continue
            if len(rows) != len(self.frames):
                raise DataError(f"there are {len(self.frames)} clips but {len(rows)} arrays of {kind}")
            for i, (row, frames) in enumerate(zip(rows, self.frames, strict=True)):
                if row.ndim != 2 or len(row) != len(frames):
                    raise DataError(
                        f"{self.called(i)}: {kind} are {list(row.shape)}, but the clip has {len(frames)} frames; "
                        f"one row for each frame is needed"
                    )
                if not np.isfinite(row).all():
                    raise DataError(f"{self.called(i)}: {kind} are not finite")
                if row.shape[1] != rows[0].shape[1]:
                    raise DataError(
                        f"{self.called(i)}: {row.shape[1]} {kind} a frame, but {self.called(0)} has {rows[0].shape[1]}"
                    )
        for name, words in self.facts.items():
            if len(words) != len(self.frames):
                raise DataError(f'column "{name}" has {len(words)} words for {len(self.frames)} clips')

    def __len__(self) -> int:
        return len(self.frames)

    def called(self, i: int) -> str:
        """How a message speaks of clip i: its file, or its number."""
        return self.facts["file"][i] if "file" in self.facts else f"clip {i}"

    @property
    def size(self) -> tuple[int, int, int]:
        """Height, width, channels."""
        _, height, width, channels = self.frames[0].shape
        return height, width, channels

    @property
    def action_size(self) -> int:
        """Actions a frame; 0 without actions."""
        return 0 if self.actions is None else self.actions[0].shape[1]

    @cached_property
    def lengths(self) -> Array:
        """Frames of each clip."""
        return np.array([len(frames) for frames in self.frames])

    def take(self, indices: Sequence[int] | Array) -> Clips:
        """These clips, in this order."""
        picked = [int(i) for i in indices]
        return replace(
            self,
            frames=tuple(self.frames[i] for i in picked),
            actions=None if self.actions is None else tuple(self.actions[i] for i in picked),
            states=None if self.states is None else tuple(self.states[i] for i in picked),
            facts={name: tuple(words[i] for i in picked) for name, words in self.facts.items()},
        )

    def split(self, test: float | int | Sequence[str], by: str | None = None, seed: int = 0) -> tuple[Clips, Clips]:
        """Training and test clips that share no value of the column `by`.

        test: a share of the values, a number of them, or the values themselves. by: default "object" where there is
        such a column, else every clip is a value of its own. At least one value lands on either side.

        Raises OptionError for a column or a value that is not there, DataError when there is only one value.
        """
        column = by if by is not None else ("object" if "object" in self.facts else "")
        if column and column not in self.facts:
            raise OptionError(
                f'there is no column "{column}" to split by; there are: {", ".join(self.facts) or "none"}'
            )
        words = self.facts[column] if column else tuple(str(i) for i in range(len(self)))
        values = list(dict.fromkeys(words))
        if len(values) < 2:
            raise DataError(
                f'all clips have the same {column or "clip"} "{values[0]}": nothing would be left to test on. '
                "Split by another column."
            )
        if isinstance(test, int | float):
            wanted = round(test * len(values)) if isinstance(test, float) else test
            count = min(max(wanted, 1), len(values) - 1)
            order = np.random.default_rng(seed).permutation(len(values))
            held = {values[i] for i in order[:count]}
        else:
            held = set(test)
            if unknown := held - set(values):
                which = column or "number"
                raise OptionError(f'no clip has {which} "{min(unknown)}"; there are: {", ".join(values[:12])}')
        inside = np.array([word in held for word in words])
        if inside.all():
            raise OptionError(f"every clip would be a test clip; name fewer values of {column}")
        return self.take(np.flatnonzero(~inside)), self.take(np.flatnonzero(inside))

    def windows(self, length: int, stride: int | None = None) -> Array:
        """Where windows of so many frames begin: rows (clip, first frame), [windows, 2].

        stride: frames between beginnings; default: length, so that windows do not overlap.

        Raises DataError that names the clip when every clip is too short; shorter ones among longer are left out.
        """
        step = length if stride is None else stride
        rows = [(i, start) for i, n in enumerate(self.lengths) for start in range(0, n - length + 1, step)]
        if not rows:
            longest = int(np.argmax(self.lengths))
            raise DataError(
                f"windows of {length} frames do not fit: the longest clip, {self.called(longest)}, has "
                f"{self.lengths[longest]}. Take fewer given or predicted frames."
            )
        return np.array(rows)

    def window(self, clip: int, start: int, length: int) -> tuple[Array, Array | None]:
        """Frames [length, C, H, W] as float32 in [0, 1] and actions [length, A] as float32, or none."""
        frames = self.frames[clip][start : start + length]
        actions = None if self.actions is None else self.actions[clip][start : start + length].astype(np.float32)
        return frames.transpose(0, 3, 1, 2).astype(np.float32) / 255, actions

    def mean_frame(self) -> Array:
        """The mean over all frames, [C, H, W] as float32 in [0, 1]."""
        total = sum(frames.sum(axis=0, dtype=np.int64) for frames in self.frames)
        return (np.asarray(total).transpose(2, 0, 1) / (255 * self.lengths.sum())).astype(np.float32)

    def spread(self) -> float:
        """The root mean square difference of the frames from the mean frame, in [0, 1]."""
        mean = 255 * self.mean_frame().transpose(1, 2, 0)
        total = sum(float(np.square(frames - mean).sum(dtype=np.float64)) for frames in self.frames)
        return float(np.sqrt(total / (self.lengths.sum() * mean.size)) / 255)


def _size(frames: Array) -> str:
    return f"{frames.shape[2]} x {frames.shape[1]} pixels, {frames.shape[3]} channels"
