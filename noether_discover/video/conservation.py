"""The Noether loss of predicted frames (Alet et al. 2021, Eq. 2), clip by clip.

B clips, K given frames, T predicted frames, F frames stacked for the embedding, C channels, H, W pixels, d embedding.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import PredictorError

Form = Literal["first", "prev", "free"]
"""first: Eq. 2a, each prediction against the last given frames. prev: Eq. 2b, each against the one before it.
free: the sum of squares of the embedding itself, a learned loss that is not a conservation: the paper's ablation."""

FORMS = ("first", "prev", "free")


def stack_size(embedding: nn.Module) -> int:
    """How many frames the embedding sees at once."""
    frames = getattr(embedding, "frames", 1)
    return frames if isinstance(frames, int) else 1


def stacked(context: Tensor, frames: Tensor, count: int) -> Tensor:
    """Windows of `count` frames ending at the last given frame and at every predicted one: [B, 1 + T, count * C, H, W].

    Raises PredictorError when fewer frames than that are given.
    """
    if context.shape[1] < count:
        raise PredictorError(f"the embedding sees {count} frames, but only {context.shape[1]} are given")
    whole = torch.cat([context[:, -count:], frames], 1)
    steps = frames.shape[1] + 1
    return torch.cat([whole[:, i : i + steps] for i in range(count)], 2)


def embedded(embedding: nn.Module, context: Tensor, frames: Tensor) -> Tensor:
    """The embedding along a prediction, [B, 1 + T, d]; the first is that of the given frames."""
    windows = stacked(context, frames, stack_size(embedding))
    values = embedding(windows.flatten(0, 1))
    return values.reshape(*windows.shape[:2], -1)


def noether_loss(g_BTd: Tensor, form: Form) -> Tensor:
    """Eq. 2 for each clip, [B]: summed over time and the embedding's dimensions, never over clips."""
    if form == "free":
        return g_BTd[:, 1:].square().sum((1, 2))
    before = g_BTd[:, :1] if form == "first" else g_BTd[:, :-1]
    return (g_BTd[:, 1:] - before).square().sum((1, 2))
