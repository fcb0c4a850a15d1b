"""Worlds that the search was not developed on: what it finds there is what it finds for a stranger.

N trajectories, D columns.
"""

from __future__ import annotations

import numpy as np

from noether_discover.data.worlds import Array, System, box, columnwise

_PLANE = ("x", "y", "vx", "vy")
_PLANE_UNITS = ("m", "m", "m/s", "m/s")
_SQUARE = box(*[(-1, 1)] * 4)


def _foucault(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    return vx, vy, -x + 0.4 * vy, -y - 0.4 * vx


def _crossed(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    return vx, vy, 1.2 * vy, 0.5 - 1.2 * vx


def _coupled(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    return vx, vy, -x - 0.6 * (x - y), -y - 0.6 * (y - x)


def _ridge(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    return vx, vy, -x * y * y - 0.5 * x, -y * x * x - 0.5 * y


def _atwood(r: Array, a: Array, u: Array, w: Array) -> tuple[Array, ...]:
    """A swinging weight on a string over a pulley, with a mass like its own at the other end."""
    return u, w, (r * w * w + np.cos(a) - 1) / 2, (-2 * u * w - np.sin(a)) / r


def _rotor(a: Array, b: Array, u: Array, w: Array) -> tuple[Array, ...]:
    """Two rotors that turn one another by the sine of the angle between them."""
    return u, w, -np.sin(a - b), 0.5 * np.sin(a - b)


def _binding(a: Array, b: Array, c: Array) -> tuple[Array, ...]:
    flow = 1.5 * a * b - 0.4 * c
    return -flow, -flow, flow


def _predation(x: Array, y: Array) -> tuple[Array, ...]:
    return x * (0.9 - 1.4 * y), y * (0.8 * x - 0.6)


def _fitzhugh(v: Array, w: Array) -> tuple[Array, ...]:
    return v - v**3 / 3 - w + 0.5, 0.08 * (v + 0.7 - 0.8 * w)


def _roessler(x: Array, y: Array, z: Array) -> tuple[Array, ...]:
    return -y - z, x + 0.2 * y, 0.2 + z * (x - 5.7)


def _rolling(a: Array, w: Array) -> tuple[Array, ...]:
    """A pendulum with dry-like and viscous friction."""
    return w, -np.sin(a) - 0.1 * w - 0.1 * np.tanh(20 * w)


FRESH = (
    System("foucault", _PLANE, columnwise(_foucault), _SQUARE, 15.0,
           ("vx**2 + vy**2 + x**2 + y**2", "x*vy - y*vx + 0.2*(x**2 + y**2)"), _PLANE_UNITS, "s",
           about="a pendulum's bob in the plane, seen from a turning floor"),
    System("crossed_fields", _PLANE, columnwise(_crossed), _SQUARE, 12.0,
           ("vx - 1.2*y", "vx**2 + vy**2 - y"), _PLANE_UNITS, "s", about="a charge in crossed fields"),
    System("coupled_springs", _PLANE, columnwise(_coupled), _SQUARE, 12.0,
           ("(vx + vy)**2 + (x + y)**2", "(vx - vy)**2 + 2.2*(x - y)**2"), _PLANE_UNITS, "s",
           about="two masses on springs, a third spring between them"),
    System("ridge", _PLANE, columnwise(_ridge), _SQUARE, 15.0,
           ("vx**2 + vy**2 + x**2*y**2 + 0.5*x**2 + 0.5*y**2",), _PLANE_UNITS, "s", about="a well with four valleys"),
    System("atwood", ("r", "a", "u", "w"), columnwise(_atwood),
           box((0.8, 1.4), (-0.9, 0.9), (-0.1, 0.1), (-0.6, 0.6)), 6.0,
           ("u**2 + 0.5*r**2*w**2 - r*cos(a) + r",), ("m", "rad", "m/s", "rad/s"), "s",
           about="a weight that swings at one end of a string over a pulley"),
    System("rotors", ("a", "b", "u", "w"), columnwise(_rotor), box((-2, 2), (-2, 2), (-1, 1), (-1, 1)), 12.0,
           ("u + 2*w", "u**2/2 + w**2 - cos(a - b)"), ("rad", "rad", "rad/s", "rad/s"), "s",
           about="two rotors, inertia 1 and 2"),
    System("binding", ("A", "B", "C"), columnwise(_binding), box((0.2, 1.5), (0.2, 1.5), (0.0, 0.5)), 4.0,
           ("A + C", "B + C"), about="A + B and C, there and back"),
    System("predation", ("x", "y"), columnwise(_predation), box((0.4, 1.4), (0.3, 1.2)), 20.0,
           ("0.8*x - 0.6*log(x) + 1.4*y - 0.9*log(y)",), about="predators and prey with rates of their own"),
    System("fitzhugh_nagumo", ("v", "w"), columnwise(_fitzhugh), box((-2, 2), (-0.5, 1.5)), 60.0, (),
           about="a nerve cell that fires"),
    System("roessler", ("x", "y", "z"), columnwise(_roessler), box((-5, 5), (-5, 5), (0, 2)), 25.0, (), accuracy=1e-6,
           about="Rössler's chaos"),
    System("friction", ("a", "w"), columnwise(_rolling), box((-1.5, 1.5), (-1, 1)), 12.0, (), ("rad", "rad/s"), "s",
           accuracy=1e-7, about="a pendulum whose pivot rubs"),
)  # fmt: skip
"""Eight with laws, three without."""
