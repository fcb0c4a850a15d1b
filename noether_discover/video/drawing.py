"""Small pictures drawn directly, with soft edges. Arrays in, arrays out.

F frames, S pixels along a side, C channels.
"""

from __future__ import annotations

import numpy as np

from .resizing import grey

Array = np.ndarray

HALF_VIEW = 2.2
"""Lengths of the pole from the pivot, in the middle, to an edge of the picture: Gymnasium's view."""
POLE_WIDTH = 0.2
AXLE_RADIUS = 0.05
BACKGROUND, POLE, AXLE = (255, 255, 255), (204, 77, 77), (0, 0, 0)
"""Gymnasium's colours."""

_AT_ONCE = 1 << 21  # pixels worked on together


def poles(angles_F: Array, size: int, *, grey_only: bool = False) -> Array:
    """Pictures [F, S, S, C] of a pole at these angles [rad], zero upright, counterclockwise; uint8.

    What Gymnasium's pendulum shows but for the arrow of the torque. A pixel's share of the pole is how much of a
    pixel's width, centred on it and across the pole's edge, the pole covers.
    """
    pixel = 2 * HALF_VIEW / size
    right, down = np.meshgrid(*2 * [((np.arange(size) + 0.5) * pixel - HALF_VIEW).astype(np.float32)])
    axle = _covered(np.hypot(right, down), AXLE_RADIUS, pixel)[..., None]
    ink = [np.array(colour, np.uint8) for colour in (BACKGROUND, POLE, AXLE)]
    background, pole, black = [(grey(c) if grey_only else c).astype(np.float32) for c in ink]
    out = np.empty((len(angles_F), size, size, len(pole)), np.uint8)
    batch = max(_AT_ONCE // size**2, 1)
    for start in range(0, len(out), batch):
        angle = angles_F[start : start + batch, None, None].astype(np.float32)
        along = np.clip(-right * np.sin(angle) - down * np.cos(angle), 0, 1)
        distance = np.hypot(right + along * np.sin(angle), down + along * np.cos(angle))
        share = _covered(distance, POLE_WIDTH / 2, pixel)[..., None]
        picture = background + share * (pole - background)
        out[start : start + batch] = np.rint(picture + axle * (black - picture))
    return out


def discs(x_F: Array, y_F: Array, radius: float, size: int, brightness: int) -> Array:
    """Pictures [F, S, S, 1] of a soft white disc at these centres, in sides of the picture; y points down; uint8.

    Every picture's pixels sum to `brightness` exactly, wherever the disc is: what is lost by rounding down is given,
    one each, to the pixels that lost most. (1 - (distance/radius)^2)^2 before scaling.
    """
    middle = (np.arange(size, dtype=np.float32) + 0.5) / size
    out = np.empty((len(x_F), size * size), np.uint8)
    batch = max(_AT_ONCE // size**2, 1)
    for start in range(0, len(out), batch):
        x, y = (c[start : start + batch, None].astype(np.float32) for c in (x_F, y_F))
        square = ((middle - y) ** 2)[:, :, None] + ((middle - x) ** 2)[:, None, :]
        profile = np.clip(1 - square / np.float32(radius**2), 0, None).reshape(len(x), -1).astype(float) ** 2
        wanted = profile * (brightness / profile.sum(axis=1, keepdims=True))
        floor = np.floor(wanted)
        lost = (brightness - floor.sum(axis=1)).astype(int)
        order = np.argsort(floor - wanted, axis=1, kind="stable")
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(size * size)[None, :], axis=1)
        whole = floor + (rank < lost[:, None])
        assert whole.max(initial=0) <= 255, "the disc is too bright for its size"
        out[start : start + batch] = whole
    return out.reshape(len(x_F), size, size, 1)


def _covered(distance: Array, half_width: float, pixel: float) -> Array:
    """Share of a pixel's width, at this distance from an axis, that lies within half_width of the axis."""
    to_edge = np.minimum(distance + pixel / 2, half_width) - np.maximum(distance - pixel / 2, -half_width)
    return np.clip(to_edge / pixel, 0, 1)
