"""LPIPS: how different two frames look to a network that learned to see (Zhang et al. 2018).

F frames, C channels, H height, W width; K channels of a layer, h, w its positions.

    d(x, y) = sum over layers of mean over positions of sum_K w_K (a_K(x) / |a(x)| - a_K(y) / |a(y)|)^2

a are the activations of AlexNet or VGG-16, w what was fitted to human judgements. Both are files that the user gives:
nothing is downloaded, and without them there is no such number (`LPIPS_REASON`).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..errors import DataError, OptionError

LPIPS_REASON = (
    "not measured: no weight files were given. LPIPS needs those of AlexNet or VGG-16 and of its linear layers."
)
"""Why a table's LPIPS is null."""

AT_ONCE = 1 << 21
"""Pixels that go through the backbone at once: about 1 GB for VGG-16."""


@dataclass(frozen=True)
class Backbone:
    """The convolutional part of a classifier, as torchvision numbers it.

    layers: "C<out>,<kernel>,<stride>,<padding>" a convolution, "R" a rectifier, "T" a rectifier whose output is
    compared, "P<kernel>" a pooling of stride 2. smallest: pixels on a side below which a layer would be empty.
    """

    name: str
    layers: tuple[str, ...]
    smallest: int

    def build(self) -> nn.Sequential:
        """The layers with their places as names, so that "features.<place>.weight" fits."""
        made: list[nn.Module] = []
        channels = 3
        for layer in self.layers:
            numbers = [int(word) for word in layer[1:].split(",") if word]
            if layer[0] == "C":
                made.append(nn.Conv2d(channels, numbers[0], numbers[1], numbers[2], numbers[3]))
                channels = numbers[0]
            elif layer[0] == "P":
                made.append(nn.MaxPool2d(numbers[0], 2))
            else:
                made.append(nn.ReLU())
        return nn.Sequential(*made)

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """What its weight files must hold: the convolutions' weights and biases, and one row for each linear layer."""
        shapes: dict[str, tuple[int, ...]] = {}
        channels, compared = 3, 0
        for place, layer in enumerate(self.layers):
            if layer[0] == "C":
                out, kernel, *_ = (int(word) for word in layer[1:].split(","))
                shapes[f"features.{place}.weight"] = (out, channels, kernel, kernel)
                shapes[f"features.{place}.bias"] = (out,)
                channels = out
            elif layer == "T":
                shapes[f"lin{compared}.model.1.weight"] = (1, channels, 1, 1)
                compared += 1
        return shapes


def _vgg(*blocks: tuple[int, int]) -> tuple[str, ...]:
    layers: list[str] = []
    for channels, depth in blocks:
        layers += [*[f"C{channels},3,1,1", "R"] * (depth - 1), f"C{channels},3,1,1", "T", "P2"]
    return tuple(layers[:-1])


ALEXNET = Backbone(
    "AlexNet",
    ("C64,11,4,2", "T", "P3", "C192,5,1,2", "T", "P3", "C384,3,1,1", "T", "C256,3,1,1", "T", "C256,3,1,1", "T"),
    31,
)
VGG16 = Backbone("VGG-16", _vgg((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 16)
BACKBONES = (ALEXNET, VGG16)


class LPIPS(nn.Module):
    """The distance between frames; a measure, without gradients. Made by `load_lpips`.

    Zero for equal frames, symmetric, and positive where the linear layers' weights are (the published ones are not
    negative).
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, backbone: Backbone, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.backbone = backbone
        self.features = backbone.build()
        self.features.load_state_dict(
            {name.removeprefix("features."): w for name, w in weights.items() if name.startswith("features.")}
        )
        linear = [w.flatten() for name, w in sorted(weights.items()) if name.startswith("lin")]
        self.linear = nn.ParameterList(linear)
        # the mean and deviation of ImageNet, for frames in [-1, 1]
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188])[:, None, None])
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450])[:, None, None])
        self.requires_grad_(False).eval()

    @torch.no_grad()
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The distance of every pair of frames in [0, 1], [..., C, H, W] twice -> [...]; one channel is shown as grey.

        Raises DataError for other numbers of channels, shapes that differ, and frames so small that the backbone has
        nothing left of them.
        """
        if x.shape != y.shape:
            raise DataError(f"frames of {list(x.shape)} and {list(y.shape)} cannot be compared; give the same shape")
        channels, height, width = x.shape[-3:]
        if channels not in (1, 3):
            raise DataError(f"frames have {channels} channels; LPIPS is defined for colour (3) and grey (1)")
        if min(height, width) < self.backbone.smallest:
            raise DataError(
                f"frames of {width} x {height} pixels are too small for LPIPS with {self.backbone.name}: "
                f"{self.backbone.smallest} on a side are needed"
                + (f", or {VGG16.smallest} with {VGG16.name}" if self.backbone is ALEXNET else "")
            )
        flat = [frames.reshape(-1, channels, height, width).to(self.shift) for frames in (x, y)]
        part = max(1, AT_ONCE // (2 * height * width))
        parts = [self._distance(*pair) for pair in zip(*(frames.split(part) for frames in flat), strict=True)]
        return torch.cat(parts).reshape(x.shape[:-3]).to(x.dtype)

    def _distance(self, x_FCHW: Tensor, y_FCHW: Tensor) -> Tensor:
        both = torch.cat([x_FCHW, y_FCHW]).expand(-1, 3, -1, -1)
        a_FKhw = (2 * both - 1 - self.shift) / self.scale
        total_F = x_FCHW.new_zeros(len(x_FCHW))
        linear = iter(self.linear)
        for kind, layer in zip(self.backbone.layers, self.features, strict=True):
            a_FKhw = layer(a_FKhw)
            if kind == "T":
                unit = a_FKhw / (a_FKhw.norm(dim=1, keepdim=True) + 1e-10)
                apart = (unit[: len(x_FCHW)] - unit[len(x_FCHW) :]).square()
                total_F = total_F + torch.einsum("fkhw,k->fhw", apart, next(linear)).mean((-2, -1))
        return total_F


def load_lpips(paths: str | Path | Sequence[str | Path]) -> LPIPS:
    """LPIPS from weight files, in any order: a backbone as torchvision saves it (AlexNet or VGG-16, "features.0.weight"
    ...) and the linear layers as the lpips package saves them ("lin0.model.1.weight" ...), or one file with both.

    Files are read without running what is in them: .safetensors, or PyTorch's with `weights_only`.

    Raises OptionError for a file that is missing or not of weights, and for weights that are of neither backbone or of
    two different ones.
    """
    files = [Path(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    weights: dict[str, Tensor] = {}
    for file in files:
        weights |= _read(file)
    named = " and ".join(file.name for file in files)
    first = weights.get("features.0.weight")
    backbone = next((b for b in BACKBONES if first is not None and first.shape == b.shapes["features.0.weight"]), None)
    if backbone is None:
        raise OptionError(
            f'{named}: no AlexNet or VGG-16 is in there ("features.0.weight" '
            f"{'is missing' if first is None else f'is {list(first.shape)}'}); give a file that torchvision saved"
        )
    for name, shape in backbone.shapes.items():
        if name not in weights:
            remedy = "give the linear layers of LPIPS too" if name.startswith("lin") else "give the whole backbone"
            raise OptionError(f'{named}: "{name}" of {backbone.name} is missing; {remedy}')
        if weights[name].shape != shape:
            raise OptionError(
                f'{named}: "{name}" is {list(weights[name].shape)}, but {backbone.name} has {list(shape)}; '
                "give a backbone and linear layers that belong together"
            )
        if not weights[name].isfinite().all():
            raise OptionError(f'{named}: "{name}" is not finite; the file is damaged')
    return LPIPS(backbone, {name: weights[name].float() for name in backbone.shapes})


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name."""
    if not path.is_file():
        raise OptionError(f"{path}: there is no such file; LPIPS needs weight files of yours and downloads none")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError as problem:
        raise OptionError(f"{path}: safetensors is not installed; run: pip install safetensors") from problem
    except (OSError, RuntimeError, ValueError, LookupError, EOFError, pickle.UnpicklingError) as problem:
        raise _not_weights(path) from problem
    except Exception as problem:
        if type(problem).__name__ != "SafetensorError":  # its class is known only where safetensors is installed
            raise
        raise _not_weights(path) from problem
    if not isinstance(found, Mapping) or not all(isinstance(w, Tensor) for w in found.values()):
        raise _not_weights(path)
    return dict(found)


def _not_weights(path: Path) -> OptionError:
    return OptionError(
        f"{path}: not a file of weights by name; give a state dict (.pth, read without running code) or .safetensors"
    )
