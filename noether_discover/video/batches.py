"""Batches of windows: every window once an epoch, in an order that depends on seed and epoch alone.

B windows of a batch, T frames of a window, C channels, H height, W width, A actions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from ..errors import OptionError
from .clips import Clips


@dataclass(frozen=True)
class Batch:
    """frames [B, T, C, H, W] in [0, 1]; actions [B, T, A], or none; window [B]: which of the windows they are.

    fold: which of several data sets they are of (Folds); 0 where there is one.
    """

    frames: Tensor
    actions: Tensor | None
    window: Tensor
    fold: int = 0

    def to(self, device: torch.device | str) -> Batch:
        """The same on a device."""
        actions = None if self.actions is None else self.actions.to(device)
        return replace(self, frames=self.frames.to(device), actions=actions)


class Windows(Dataset[Batch]):
    """Windows of `length` frames of some clips; an item is asked for by (window, whether it is mirrored).

    stride: frames between the beginnings; default: length. mirror: left and right are exchanged in half of the
    windows; mirror_actions: the sign that an action has in the mirror, -1 for a torque.
    """

    def __init__(
        self,
        clips: Clips,
        length: int,
        stride: int | None = None,
        *,
        mirror: bool = False,
        mirror_actions: float = -1.0,
    ) -> None:
        self.clips = clips
        self.length = length
        self.mirror = mirror
        self.mirror_actions = mirror_actions
        self.rows = clips.windows(length, stride)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: tuple[int, bool]) -> Batch:
        window, mirrored = key
        frames, actions = self.clips.window(int(self.rows[window, 0]), int(self.rows[window, 1]), self.length)
        if mirrored:
            frames = np.ascontiguousarray(frames[..., ::-1])
            actions = None if actions is None else np.float32(self.mirror_actions) * actions
        return Batch(
            torch.from_numpy(frames), None if actions is None else torch.from_numpy(actions), torch.tensor(window)
        )

    @property
    def clip(self) -> np.ndarray:
        """Which clip each window is of."""
        return self.rows[:, 0]


class Recoloured(Windows):
    """Every window in every exchange of its colour channels, the true colours left out: objects of new colours.

    To a predictor that was trained on the true colours these are clips that it has not seen, of objects that it has
    not seen. Raises OptionError for frames of one channel.
    """

    def __init__(
        self,
        clips: Clips,
        length: int,
        stride: int | None = None,
        *,
        mirror: bool = False,
        mirror_actions: float = -1.0,
    ) -> None:
        super().__init__(clips, length, stride, mirror=mirror, mirror_actions=mirror_actions)
        channels = clips.size[2]
        if channels == 1:
            raise OptionError("noether.recolour = true, but the clips are grey: there are no colours to exchange")
        self.orders = list(permutations(range(channels)))[1:]
        self.rows = np.repeat(self.rows, len(self.orders), axis=0)

    def __getitem__(self, key: tuple[int, bool]) -> Batch:
        batch = super().__getitem__(key)
        return replace(batch, frames=batch.frames[:, list(self.orders[key[0] % len(self.orders)])])


class _Order(Sampler[list[tuple[int, bool]]]):
    """The batches of an epoch."""

    def __init__(self, count: int, batch: int, seed: int, mirror: bool, shuffled: bool) -> None:
        self.count, self.batch, self.seed, self.mirror, self.shuffled = count, batch, seed, mirror, shuffled
        self.epoch = 0

    def __len__(self) -> int:
        return -(-self.count // self.batch)

    def __iter__(self) -> Iterator[list[tuple[int, bool]]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(self.count) if self.shuffled else np.arange(self.count)
        mirrored = random.random(self.count) < 0.5 if self.mirror else np.zeros(self.count, bool)
        starts = range(0, self.count, self.batch)
        # at once, not one by one: another epoch may be asked for before this one is read
        return iter([[(int(i), bool(mirrored[i])) for i in order[start : start + self.batch]] for start in starts])


class Batches:
    """Epochs of batches of windows. workers: processes that load; they change nothing but the time."""

    def __init__(self, windows: Windows, batch: int, *, seed: int = 0, workers: int = 0, shuffled: bool = True) -> None:
        self._order = _Order(len(windows), batch, seed, windows.mirror, shuffled)
        self._loader = DataLoader(
            windows,
            batch_sampler=self._order,
            num_workers=workers,
            collate_fn=_together,
            persistent_workers=workers > 0,
        )

    def __len__(self) -> int:
        return len(self._order)

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; all windows, each once."""
        self._order.epoch = number
        return iter(self._loader)


class Folds(Batches):
    """Batches of several data sets, taken in turn; each batch says which it is of."""

    def __init__(self, folds: Sequence[Batches]) -> None:
        self.folds = list(folds)

    def __len__(self) -> int:
        return sum(len(fold) for fold in self.folds)

    def epoch(self, number: int) -> Iterator[Batch]:
        """All windows of all data sets, each once."""
        running = [(i, fold.epoch(number)) for i, fold in enumerate(self.folds)]
        while running:
            for turn in list(running):
                batch = next(turn[1], None)
                if batch is None:
                    running.remove(turn)
                else:
                    yield replace(batch, fold=turn[0])


def _together(items: list[Batch]) -> Batch:
    actions = [item.actions for item in items if item.actions is not None]
    return Batch(
        torch.stack([item.frames for item in items]),
        torch.stack(actions) if actions else None,
        torch.stack([item.window for item in items]),
    )
