"""Encoders, decoders and recurrent cells, without batch normalisation so that clips do not see each other.

B clips (or frames of clips), C channels, H height, W width, L code size. Layer normalisation over channels and pixels
(GroupNorm with one group) stands where DCGAN and VGG have batch normalisation (Alet et al. 2021, appendix D).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import OptionError


def _down(style: str, before: int, after: int) -> nn.Sequential:
    """One stage of an encoder: half the height and width."""
    if style == "vgg":
        return nn.Sequential(*_convolved(before, after), *_convolved(after, after), nn.MaxPool2d(2))
    return nn.Sequential(nn.Conv2d(before, after, 4, 2, 1), nn.GroupNorm(1, after), nn.LeakyReLU(0.2))


def _up(style: str, before: int, after: int) -> nn.Sequential:
    """One stage of a decoder: twice the height and width."""
    if style == "vgg":
        return nn.Sequential(nn.Upsample(scale_factor=2), *_convolved(before, after), *_convolved(after, after))
    return nn.Sequential(nn.ConvTranspose2d(before, after, 4, 2, 1), nn.GroupNorm(1, after), nn.LeakyReLU(0.2))


def _convolved(before: int, after: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(before, after, 3, 1, 1), nn.GroupNorm(1, after), nn.LeakyReLU(0.2)


@dataclass(frozen=True)
class Style:
    """Facts of a family of encoders: the channels of the first stage, their limit, the frame sizes it was made for."""

    name: str
    width: int
    limit: int
    sizes: tuple[int, ...]


STYLES = {
    style.name: style
    for style in (
        Style("small", 16, 64, (16, 32)),
        Style("dcgan", 64, 512, (64, 128)),
        Style("vgg", 64, 512, (64, 128)),
    )
}


def stages(style: str, size: int, width: int | None = None) -> list[int]:
    """Channels after each halving, down to 4 x 4 pixels.

    Raises OptionError for a style or a size that does not exist.
    """
    if style not in STYLES:
        raise OptionError(f'there is no encoder "{style}"; there are: {", ".join(STYLES)}')
    halvings = 0
    while 4 << halvings < size:
        halvings += 1
    if size < 8 or 4 << halvings != size:
        raise OptionError(f"frames of {size} pixels cannot be halved down to 4; resize them to 16, 32, 64 or 128")
    first = STYLES[style].width if width is None else width
    limit = STYLES[style].limit * first // STYLES[style].width
    return [min(first << stage, limit) for stage in range(halvings)]


class Encoder(nn.Module):
    """Frames [B, C, H, W] -> codes [B, L] and one feature map a stage, for a decoder with skips."""

    def __init__(self, channels: int, size: int, code: int, style: str = "small", width: int | None = None) -> None:
        super().__init__()
        widths = stages(style, size, width)
        self.stages = nn.ModuleList(
            _down(style, before, after) for before, after in zip([channels, *widths[:-1]], widths, strict=True)
        )
        self.last = nn.Linear(widths[-1] * 16, code)

    def forward(self, frames: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        features, skips = frames, []
        for stage in self.stages:
            features = stage(features)
            skips.append(features)
        return self.last(features.flatten(1)), tuple(skips)


class Decoder(nn.Module):
    """Codes [B, L] (and an encoder's feature maps) -> frames [B, C, H, W], without a final nonlinearity."""

    def __init__(
        self, channels: int, size: int, code: int, style: str = "small", width: int | None = None, skips: bool = False
    ) -> None:
        super().__init__()
        widths = stages(style, size, width)[::-1]
        self.first = nn.Linear(code, widths[0] * 16)
        self.norm = nn.GroupNorm(1, widths[0])
        double = 2 if skips else 1
        self.stages = nn.ModuleList(
            _up(style, double * before, after) for before, after in zip(widths, widths[1:] + widths[-1:], strict=True)
        )
        self.last = nn.Conv2d(widths[-1], channels, 3, 1, 1)

    def forward(self, codes: Tensor, skips: tuple[Tensor, ...] = ()) -> Tensor:
        features = nn.functional.leaky_relu(self.norm(self.first(codes).unflatten(1, (-1, 4, 4))), 0.2)
        for i, stage in enumerate(self.stages):
            features = stage(torch.cat([features, skips[-1 - i]], 1) if skips else features)
        return self.last(features)


class Frames(nn.Module):
    """The mean training frame and the spread of the frames around it: the units of an encoder and a decoder.

    mean [C, H, W], spread a scalar; 0 and 1 until `learn`.
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels, size, size))
        self.register_buffer("spread", torch.ones(()))

    def learn(self, mean: Tensor, spread: float) -> None:
        """Take them from training clips (Clips.mean_frame, Clips.spread)."""
        with torch.no_grad():
            self.mean.copy_(mean)
            self.spread.fill_(max(spread, 1e-3))

    def centred(self, frames: Tensor) -> Tensor:
        """What an encoder sees."""
        return (frames - self.mean) / self.spread

    def drawn(self, rows: Tensor) -> Tensor:
        """What a decoder puts out, as frames."""
        return self.mean + self.spread * rows


class Cells(nn.Module):
    """An LSTM of several layers, one step at a time, in plain operations.

    nn.LSTMCell has no batching rule under vmap (torch 2.13), which per-clip weights need. State: (h, c), each
    [B, layers, size]. (Hochreiter and Schmidhuber 1997; forget bias 1)
    """

    def __init__(self, inputs: int, size: int, layers: int) -> None:
        super().__init__()
        self.size = size
        self.layers = nn.ModuleList(nn.Linear((inputs if i == 0 else size) + size, 4 * size) for i in range(layers))
        for layer in self.layers:
            assert isinstance(layer, nn.Linear)
            nn.init.uniform_(layer.weight, -(size**-0.5), size**-0.5)
            nn.init.zeros_(layer.bias)
            with torch.no_grad():
                layer.bias[size : 2 * size] = 1.0

    def begin(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The state before anything was seen."""
        zero = like.new_zeros(len(like), len(self.layers), self.size)
        return zero, zero

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """One step: input [B, inputs] and state to state; the output is h[:, -1]."""
        hs, cs = [], []
        for i, layer in enumerate(self.layers):
            h, c = state[0][:, i], state[1][:, i]
            enter, forget, cell, leave = layer(torch.cat([x, h], -1)).chunk(4, -1)
            c = torch.sigmoid(forget) * c + torch.sigmoid(enter) * torch.tanh(cell)
            x = torch.sigmoid(leave) * torch.tanh(c)
            hs.append(x)
            cs.append(c)
        return torch.stack(hs, 1), torch.stack(cs, 1)


def per_frame(module: Callable[..., Tensor], x_BTL: Tensor, *shared: Tensor) -> Tensor:
    """A module of rows applied to [B, T, ...] in one batch, row b * T + t; `shared` [B, ...] is repeated over T."""
    steps = x_BTL.shape[1]
    rows = module(x_BTL.flatten(0, 1), *(one.repeat_interleave(steps, 0) for one in shared))
    return rows.unflatten(0, (-1, steps))
