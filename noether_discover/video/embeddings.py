"""What is conserved: embeddings of stacked frames, learned or written by hand.

N rows, F stacked frames, C channels, H height, W width, d embedding size. An embedding is any module
[N, F * C, H, W] -> [N, d] with an attribute `frames` = F (1 where it has none).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import OptionError


class ConvEmbedding(nn.Module):
    """The paper's: conv 5x5 to 32, ReLU, pool, conv 5x5 to 64, ReLU, pool, linear to d (appendix D)."""

    def __init__(self, channels: int, size: int, frames: int = 2, dim: int = 64, width: int = 32) -> None:
        super().__init__()
        self.frames = frames
        self.features = nn.Sequential(
            nn.Conv2d(frames * channels, width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.last = nn.Linear(2 * width * (size // 4) ** 2, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x).flatten(1))


class PooledEmbedding(nn.Module):
    """What is in the frames and not where: convolutions, the mean over the foreground's pixels, linear to d.

    A shift of the picture by an even number of pixels changes it only at the border, so that a moving object's
    appearance is conserved by construction of g, and learning has only to find which appearance. A pixel counts by how
    far the frame is from the background there, s = r / (r + FAINT^2) with r the squared difference (mean over
    channels): without that the mean is kept by smearing a missing colour faintly over the whole background. Smooth
    activations: the second derivatives of a ReLU are zero.

    background [C, H, W]: the frame that `r` is measured from, such as the mean training frame.
    """

    background: Tensor

    def __init__(
        self, channels: int, size: int, frames: int = 1, dim: int = 32, width: int = 16, kernel: int = 3
    ) -> None:
        super().__init__()
        self.frames = frames
        self.features = nn.Sequential(
            nn.Conv2d(frames * channels, width, kernel, padding=kernel // 2), nn.SiLU(),
            nn.Conv2d(width, 2 * width, kernel, stride=2, padding=kernel // 2), nn.SiLU(),
        )  # fmt: skip
        self.last = nn.Linear(2 * width, dim)
        self.register_buffer("background", torch.zeros(channels, size, size))

    def forward(self, x: Tensor) -> Tensor:
        inside = x - self.background.repeat(self.frames, 1, 1)
        apart = inside.square().mean(1, keepdim=True)
        seen = nn.functional.avg_pool2d(apart / (apart + FAINT**2), 2, ceil_mode=True)
        return self.last((seen * self.features(inside)).mean((-2, -1)))


FAINT = 0.1
"""The difference from the background at which a pixel counts half, of a range of 1."""


class QuantityEmbedding(nn.Module):
    """A quantity written by hand: any differentiable function of stacked frames [N, F * C, H, W] -> [N] or [N, d]."""

    def __init__(self, quantity: Callable[[Tensor], Tensor], frames: int = 1) -> None:
        super().__init__()
        self.quantity = quantity
        self.frames = frames

    def forward(self, x: Tensor) -> Tensor:
        value = self.quantity(x)
        return value[:, None] if value.ndim == 1 else value


def brightness(x: Tensor) -> Tensor:
    """The mean over all pixels of each channel: [N, C, H, W] -> [N, C]."""
    return x.mean((-2, -1))


EMBEDDINGS: dict[str, type[ConvEmbedding] | type[PooledEmbedding]] = {"conv": ConvEmbedding, "pooled": PooledEmbedding}


def embedding_named(name: str, channels: int, size: int, frames: int, dim: int, width: int | None = None) -> nn.Module:
    """A fresh embedding of the table. Raises OptionError for a name that is not in it."""
    if name not in EMBEDDINGS:
        raise OptionError(f'there is no embedding "{name}"; there are: {", ".join(EMBEDDINGS)}')
    given = {} if width is None else {"width": width}
    return EMBEDDINGS[name](channels, size, frames=frames, dim=dim, **given)
