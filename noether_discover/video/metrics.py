"""How far predicted frames are from the true ones, and whether they are frozen or blurred.

B clips, T frames, C channels, H height, W width; F frames of all clips together, Q channels of all of them, P, R
positions of a window down and across.

Frames are floats in [0, 1]; nothing is clamped, so that a network which leaves that range pays for it. Every measure is
one number for each frame, as the paper's Figures 3 and 4 need; a mean over clips is a mean of these (for PSNR: of
decibels, not the decibels of a mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import DataError

Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Two batches of frames [..., C, H, W] -> a distance [...], such as `lpips.LPIPS`."""

CEILING = 100.0
"""Decibels that stand for equal frames. Two 8-bit frames of up to 150,000 values that differ at all have fewer."""

GAUSSIAN, SIGMA = 11, 1.5
"""Pixels across the window of Wang et al. (2004), and its standard deviation."""

UNIFORM = 7
"""Pixels across the flat window for frames smaller than the Gaussian one."""

FROZEN, BLURRED = 0.8, 0.9
"""Motion and sharpness, as a share of the base's, under which a tailored prediction is flagged."""

AT_ONCE = 1 << 21
"""Pixels whose local moments are held at once: about 200 MB."""


def mse(pred: Tensor, true: Tensor) -> Tensor:
    """Mean squared error of every frame, [..., C, H, W] twice -> [...]. Raises DataError as `ssim` does."""
    _check(pred, true)
    return (pred - true).square().mean((-3, -2, -1))


def psnr(pred: Tensor, true: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of every frame in decibels, -10 log10(mse) for frames of range 1; [...].

    At most `CEILING`, so that one equal frame does not make a mean infinite. Raises DataError as `ssim` does.
    """
    return -10 * mse(pred, true).clamp(min=10 ** (-CEILING / 10)).log10()


def ssim(pred: Tensor, true: Tensor) -> Tensor:
    """Structural similarity of every frame (Wang et al. 2004), [..., C, H, W] twice -> [...], at most 1.

    Gaussian windows of 11 pixels (sigma 1.5), population moments, constants 0.01^2 and 0.03^2 for a range of 1,
    windows that lie inside the frame only, mean over windows and channels: `structural_similarity(..., data_range=1,
    gaussian_weights=True, sigma=1.5, use_sample_covariance=False)` of scikit-image. The released code of the paper
    gives no data range, which is not comparable.

    A frame under 11 pixels on a side has no such window; there it is scikit-image's flat window of 7 pixels
    (`gaussian_weights=False`), or the largest odd one that fits. The two are not comparable either.

    Moments are float64, since the variance of a bright flat region is a difference of nearly equal numbers; the answer
    has the frames' dtype.

    Raises DataError for frames that are not floats or whose shapes differ.
    """
    _check(pred, true)
    height, width = pred.shape[-2:]
    weights = _window(height, width).to(pred.device)
    down_PH, across_RW = _sliding(weights, height), _sliding(weights, width)

    def local(x_QHW: Tensor) -> Tensor:
        return down_PH @ (x_QHW @ across_RW.T)

    means = []
    for x_QHW, y_QHW in zip(*(_in_parts(frames) for frames in (pred, true)), strict=True):
        x_QHW, y_QHW = x_QHW.double(), y_QHW.double()
        mx, my = local(x_QHW), local(y_QHW)
        mxx, myy, mxy = mx * mx, my * my, mx * my
        light = (2 * mxy + 0.01**2) / (mxx + myy + 0.01**2)
        both = 2 * (local(x_QHW * y_QHW) - mxy) + 0.03**2
        each = local(x_QHW * x_QHW) + local(y_QHW * y_QHW) - mxx - myy + 0.03**2
        means.append((light * both / each).mean((-2, -1)))
    return torch.cat(means).reshape(pred.shape[:-2]).mean(-1).to(pred.dtype)


def by_horizon(pred_BTCHW: Tensor, true_BTCHW: Tensor, lpips: Perceptual | None = None) -> dict[str, Tensor]:
    """Every measure of every predicted frame: "mse", "psnr", "ssim", and "lpips" where one is given; [B, T] each.

    Raises DataError as `ssim` does.
    """
    measures: dict[str, Perceptual] = {"mse": mse, "psnr": psnr, "ssim": ssim}
    if lpips is not None:
        measures["lpips"] = lpips
    return {name: measure(pred_BTCHW, true_BTCHW) for name, measure in measures.items()}


def sharpness(frames: Tensor) -> Tensor:
    """Mean length of the brightness gradient of every frame, in units of the range a pixel; [..., C, H, W] -> [...].

    Forward differences, over the (H - 1) (W - 1) pixels that have both; it falls when a frame is blurred.
    """
    down = (frames[..., 1:, :] - frames[..., :-1, :])[..., :, :-1]
    across = (frames[..., :, 1:] - frames[..., :, :-1])[..., :-1, :]
    return torch.hypot(down, across).mean((-3, -2, -1))


def motion(frames: Tensor) -> Tensor:
    """Mean absolute difference between consecutive frames of every clip; [..., T, C, H, W] -> [...].

    Zero for a still picture. Raises DataError for fewer than two frames.
    """
    if frames.shape[-4] < 2:
        raise DataError("the motion of one frame is not defined; predict at least two")
    return (frames[..., 1:, :, :, :] - frames[..., :-1, :, :, :]).abs().mean((-4, -3, -2, -1))


@dataclass(frozen=True)
class Flags:
    """Whether a prediction got closer to the truth by moving or showing less.

    motion, sharpness: of the tailored prediction as a share of the base's, over all clips (nan where the base has
    none).
    """

    motion: float
    sharpness: float

    @property
    def frozen(self) -> bool:
        """It moves less than 0.8 of what the base moves."""
        return self.motion < FROZEN

    @property
    def blurred(self) -> bool:
        """It is less than 0.9 as sharp as the base."""
        return self.sharpness < BLURRED


def flags(tailored_BTCHW: Tensor, base_BTCHW: Tensor) -> Flags:
    """The flags of a tailored prediction beside the base's of the same clips. Raises DataError as `motion` does."""
    _check(tailored_BTCHW, base_BTCHW)
    moved, sharp = (
        (of(tailored_BTCHW).double().mean() / of(base_BTCHW).double().mean()).item() for of in (motion, sharpness)
    )
    return Flags(moved, sharp)


def _check(pred: Tensor, true: Tensor) -> None:
    if pred.shape != true.shape:
        raise DataError(f"predicted frames are {list(pred.shape)}, true ones {list(true.shape)}; give the same frames")
    if not (pred.is_floating_point() and true.is_floating_point()):
        kind = true.dtype if pred.is_floating_point() else pred.dtype
        raise DataError(f"frames are {kind}; floats in [0, 1] are needed. Divide 8-bit frames by 255.")


def _window(height: int, width: int) -> Tensor:
    """The weights of the window for frames of this size, float64."""
    least = min(height, width)
    if least >= GAUSSIAN:
        offsets = torch.arange(GAUSSIAN, dtype=torch.float64) - GAUSSIAN // 2
        weights = torch.exp(-offsets.square() / (2 * SIGMA**2))
        return weights / weights.sum()
    size = min(least - 1 + least % 2, UNIFORM)
    return torch.full((size,), 1 / size, dtype=torch.float64)


def _sliding(weights: Tensor, size: int) -> Tensor:
    """The window at each of its positions, [positions, size].

    A band of a matrix: as a product it is 5 to 20 times as fast as `conv2d` of one channel in float64 on a CPU, up to
    128 pixels.
    """
    positions = size - len(weights) + 1
    band = torch.zeros(positions, size, dtype=weights.dtype, device=weights.device)
    for i in range(positions):
        band[i, i : i + len(weights)] = weights
    return band


def _in_parts(frames: Tensor) -> tuple[Tensor, ...]:
    """Channels [Q, H, W] of all frames, as many at once as memory should hold."""
    flat_QHW = frames.reshape(-1, *frames.shape[-2:])
    return flat_QHW.split(max(1, AT_ONCE // (flat_QHW.shape[-2] * flat_QHW.shape[-1])))
