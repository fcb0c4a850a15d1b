"""Frames of another size or without colour. Arrays in, arrays out.

T frames, H height, W width, C channels, K pixels that one new pixel is made of.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from ..errors import OptionError

Array = np.ndarray
Size = int | tuple[int, int]

LUMA = (0.299, 0.587, 0.114)
"""Brightness of red, green and blue (ITU-R BT.601)."""


def height_and_width(size: Size) -> tuple[int, int]:
    """A size as (height, width); one number is a square. Raises OptionError below one pixel."""
    height, width = (size, size) if isinstance(size, int) else size
    if height < 1 or width < 1:
        raise OptionError(f"frames cannot be {width} x {height} pixels; give a size of at least 1")
    return height, width


def resized(frames_THWC: Array, size: Size) -> Array:
    """The largest rectangle of the wanted shape in the middle, without aliasing at the wanted size; uint8.

    An axis that shrinks by any factor is averaged over area: a new pixel is the mean of what it covers, in fractions of
    pixels, and the mean brightness of the rectangle is kept but for rounding. One that grows is interpolated linearly.
    Mirrored frames give mirrored results.

    Raises OptionError for a size below one pixel.
    """
    height, width = height_and_width(size)
    _, H, W, _ = frames_THWC.shape
    if (height, width) == (H, W):
        return frames_THWC
    scale = min(H / height, W / width)
    return (
        np.stack([_resized(frame, height, width, scale) for frame in frames_THWC])
        if len(frames_THWC)
        else (np.zeros((0, height, width, frames_THWC.shape[3]), np.uint8))
    )


def grey(frames: Array) -> Array:
    """Brightness, [..., 1], of frames [..., 3]; frames of one channel are left as they are; uint8.

    Raises OptionError for another number of channels.
    """
    channels = frames.shape[-1]
    if channels == 1:
        return frames
    if channels != 3:
        raise OptionError(f"frames of {channels} channels cannot be made grey; 3 (red, green, blue) are needed")
    brightness = frames[..., 0] * np.float32(LUMA[0])
    for channel in (1, 2):
        brightness += frames[..., channel] * np.float32(LUMA[channel])
    return np.rint(brightness).astype(np.uint8)[..., None]


def _resized(frame_HWC: Array, height: int, width: int, scale: float) -> Array:
    columns = frame_HWC.reshape(len(frame_HWC), -1)
    rows = _mixed(columns, *_sources(frame_HWC.shape[0], height, scale))
    turned = np.ascontiguousarray(rows.reshape(height, *frame_HWC.shape[1:]).transpose(1, 0, 2))
    mixed = _mixed(turned.reshape(len(turned), -1), *_sources(frame_HWC.shape[1], width, scale))
    out = mixed.reshape(width, height, frame_HWC.shape[2]).transpose(1, 0, 2)
    return np.rint(out).astype(np.uint8)


def _mixed(lines: Array, indices: Array, weights: Array) -> Array:
    """Weighted sums of lines: row i of the result is the sum over k of weights[k, i] * lines[indices[k, i]]."""
    total = np.zeros((indices.shape[1], lines.shape[1]), np.float32)
    for index, weight in zip(indices, weights, strict=True):
        total += lines[index] * weight[:, None]
    return total


@lru_cache(maxsize=64)
def _sources(length: int, wanted: int, scale: float) -> tuple[Array, Array]:
    """Which old pixels make the new ones along an axis, and with which weights: two arrays [K, wanted].

    New pixel i covers the stretch from start + i * scale to start + (i + 1) * scale. Weights sum to one.
    """
    edges = (length - wanted * scale) / 2 + scale * np.arange(wanted + 1)
    if scale >= 1:
        first = np.clip(np.floor(edges[:-1] + 1e-9).astype(int), 0, length - 1)
        indices = first + np.arange(int(np.ceil(scale)) + 1)[:, None]
        covered = np.minimum(edges[1:], indices + 1) - np.maximum(edges[:-1], indices)
        weights = np.clip(covered, 0, None)
    else:
        centre = np.clip((edges[:-1] + edges[1:]) / 2 - 0.5, 0, length - 1)
        indices = np.floor(centre).astype(int) + np.arange(2)[:, None]
        weights = np.abs(1 - np.abs(centre - indices))
    indices = np.clip(indices, 0, length - 1)
    return indices, (weights / weights.sum(axis=0)).astype(np.float32)
