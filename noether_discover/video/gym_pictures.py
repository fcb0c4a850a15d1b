"""Gymnasium's own pictures of its pendulum. gymnasium and pygame are imported when asked for, not before."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np

from .extras import extra
from .resizing import grey, resized

Array = np.ndarray


def gym_poles(
    angles_F: Array,
    torques_F: Array | None,
    size: int,
    *,
    grey_only: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Array:
    """Pictures [F, S, S, C] that Gymnasium draws of its pendulum, brought from 500 pixels to `size`; uint8.

    angles_F: [rad], zero upright, counterclockwise. torques_F: the torque that Gymnasium shows as an arrow, which is
    the one that led to the frame; NaN, or no torques at all: no arrow. progress: told (done, total).

    Raises OptionError when gymnasium or pygame is not installed.
    """
    os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    extra("pygame", "drawing the pendulum with Gymnasium")
    gymnasium = extra("gymnasium", "drawing the pendulum with Gymnasium")
    world = gymnasium.make("Pendulum-v1", render_mode="rgb_array").unwrapped
    out = np.empty((len(angles_F), size, size, 1 if grey_only else 3), np.uint8)
    try:
        world.reset(seed=0)
        for i, angle in enumerate(angles_F):
            world.state = np.array([angle, 0.0])
            world.last_u = None if torques_F is None or np.isnan(torques_F[i]) else float(torques_F[i])
            picture = resized(np.asarray(world.render())[None], size)
            out[i] = (grey(picture) if grey_only else picture)[0]
            if progress and i % 50 == 49:
                progress(i + 1, len(angles_F))
    finally:
        world.close()
    if progress:
        progress(len(angles_F), len(angles_F))
    return out
