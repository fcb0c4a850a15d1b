"""Known worlds where nothing is conserved: damped, driven, attracted or chaotic."""

from __future__ import annotations

import numpy as np

from .worlds import Array, System, box, columnwise, followed_by


def _duffing(x: Array, v: Array, c: Array, s: Array) -> tuple[Array, ...]:
    return v, x - x**3 - 0.3 * v + 0.5 * c, -1.2 * s, 1.2 * c


def _abc(x: Array, y: Array, z: Array) -> tuple[Array, ...]:
    A, B, C = 1.0, 0.577, 0.816
    return A * np.sin(z) + C * np.cos(y), B * np.sin(x) + A * np.cos(z), C * np.sin(y) + B * np.cos(x)


WITHOUT_LAWS = (
    System(
        "damped_oscillator", ("x", "v"), columnwise(lambda x, v: (v, -x - 0.5 * v)), box((-1, 1), (-1, 1)),
        10.0, (), ("m", "m/s"), "s", about="a mass on a spring, with friction",
    ),
    System(
        "van_der_pol", ("x", "v"), columnwise(lambda x, v: (v, (1 - x * x) * v - x)), box((-2, 2), (-2, 2)),
        20.0, (), about="an oscillator that runs into a limit cycle, mu = 1",
    ),
    System(
        "lorenz", ("x", "y", "z"),
        columnwise(lambda x, y, z: (10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z)),
        box((-10, 10), (-10, 10), (10, 40)), 10.0, (), accuracy=1e-5, about="convection on a strange attractor",
    ),
    System(
        "duffing_forced", ("x", "v", "c", "s"), columnwise(_duffing), followed_by(box((-1, 1), (-1, 1)), (1.0, 0.0)),
        60.0, (), ("m", "m/s", "", ""), "s", accuracy=1e-5, constraints=(("c**2 + s**2", 1.0),),
        about="a driven beam between two wells; c, s: the phase of the drive",
    ),
    System(
        "abc_flow", ("x", "y", "z"), columnwise(_abc), box(*[(0, 6.28)] * 3), 60.0, (), ("rad",) * 3, "s",
        accuracy=1e-7, about="a particle in a steady flow that mixes and keeps volumes",
    ),
)  # fmt: skip
