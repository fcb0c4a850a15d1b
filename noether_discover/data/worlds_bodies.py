"""Known worlds: bodies that move in the plane and pull at one another.

N trajectories, B bodies, D columns: all positions (x and y of the first body, of the second...), then all momenta.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from .worlds import Array, System, box, columnwise

_SOFTENING = 0.1
STRENGTHS = (1.0, 1.0, -0.5, 0.7)
"""Of the four vortices: circulations over 2 pi."""


def _orbits(rng: np.random.Generator, N: int) -> Array:
    """Bound planar orbits about a unit mass, begun at an apsis: eccentricity up to about 0.44."""
    radius, angle, factor = rng.uniform(0.8, 1.5, N), rng.uniform(0, 2 * np.pi, N), rng.uniform(0.75, 1.15, N)
    speed = factor / np.sqrt(radius)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([radius * cos, radius * sin, -speed * sin, speed * cos], axis=1)


def _kepler(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    cube = (x * x + y * y) ** 1.5
    return vx, vy, -x / cube, -y / cube


def _gravity(x_ND: Array) -> Array:
    """Unit masses, unit constant of gravity, potential -1/sqrt(r^2 + softening^2)."""
    N, D = x_ND.shape
    q_NB2, p_NB2 = x_ND.reshape(N, 2, D // 4, 2).swapaxes(0, 1)
    away_NBB2 = q_NB2[:, None] - q_NB2[:, :, None]
    square_NBB = away_NBB2[..., 0] ** 2 + away_NBB2[..., 1] ** 2 + _SOFTENING**2
    weight_NBB = 1 / (square_NBB * np.sqrt(square_NBB))
    force_NB2 = (weight_NBB[:, :, None] @ away_NBB2)[:, :, 0]
    return np.concatenate([p_NB2, force_NB2], axis=1).reshape(N, D)


def _numbered(*letters: str, bodies: int) -> tuple[str, ...]:
    """The columns of bodies: x1, y1, x2, y2..."""
    return tuple(f"{letter}{body}" for body in range(1, bodies + 1) for letter in letters)


def _components(*vectors: str, bodies: int) -> tuple[str, ...]:
    """The same with vectors: q1.x, q1.y, q2.x..."""
    return tuple(f"{v}{body}.{axis}" for v in vectors for body in range(1, bodies + 1) for axis in "xy")


def _total(term: str, bodies: int) -> str:
    """A term, with # for the body's number, summed over bodies."""
    return " + ".join(term.replace("#", str(body)) for body in range(1, bodies + 1))


def _distance2(first: int, second: int) -> str:
    return f"(x{first} - x{second})**2 + (y{first} - y{second})**2"


def _laws_of_gravity(bodies: int) -> tuple[str, ...]:
    """Energy, momentum, angular momentum, and how the centre of mass moves."""
    pairs = combinations(range(1, bodies + 1), 2)
    kinetic = _total("px#**2 + py#**2", bodies)
    potential = " - ".join(f"1/sqrt({_distance2(i, j)} + {_SOFTENING**2:g})" for i, j in pairs)
    px, py, x, y = (_total(f"{column}#", bodies) for column in ("px", "py", "x", "y"))
    return (
        f"({kinetic})/2 - {potential}",
        px,
        py,
        _total("x#*py# - y#*px#", bodies),
        f"(({x})*({py}) - ({y})*({px}))/{bodies}",
    )


def _bodies(name: str, bodies: int, span: float, accuracy: float, *starts: tuple[float, float]) -> System:
    momenta = [(-0.4, 0.4)] * (2 * bodies)
    return System(
        name, (*_numbered("x", "y", bodies=bodies), *_numbered("px", "py", bodies=bodies)), _gravity,
        box(*starts, *momenta), span, _laws_of_gravity(bodies), ("m",) * 2 * bodies + ("kg*m/s",) * 2 * bodies, "s",
        accuracy=accuracy, hinted=_components("q", "p", bodies=bodies),
        about=f"{bodies} unit masses in the plane, gravity softened at 0.1",
    )  # fmt: skip


def _vortices(x_ND: Array) -> Array:
    """Point vortices carry one another: G_i x_i' = dH/dy_i, G_i y_i' = -dH/dx_i, H = -sum G_i G_j ln r_ij."""
    r_NB2 = x_ND.reshape(len(x_ND), -1, 2)
    away_NBB2 = r_NB2[:, :, None] - r_NB2[:, None]
    square_NBB = away_NBB2[..., 0] ** 2 + away_NBB2[..., 1] ** 2 + np.eye(len(STRENGTHS))  # none moves itself: 0/1
    weight_NBB = np.array(STRENGTHS) / square_NBB
    pull_NB2 = (weight_NBB[:, :, None] @ away_NBB2)[:, :, 0]
    return np.stack([-pull_NB2[..., 1], pull_NB2[..., 0]], axis=-1).reshape(x_ND.shape)


def _by_strength(term: str) -> str:
    return " + ".join(
        f"{strength:g}*{term.replace('#', str(body))}" if strength != 1 else term.replace("#", str(body))
        for body, strength in enumerate(STRENGTHS, start=1)
    ).replace("+ -", "- ")


def _energy_of_vortices() -> str:
    pairs = combinations(range(len(STRENGTHS)), 2)
    terms = [f"{-STRENGTHS[i] * STRENGTHS[j] / 2:g}*log({_distance2(i + 1, j + 1)})" for i, j in pairs]
    return " + ".join(terms).replace("+ -", "- ")


_CORNERS = ((1, 1), (-1, 1), (-1, -1), (1, -1))

BODIES = (
    System(
        "kepler", ("x", "y", "vx", "vy"), columnwise(_kepler), _orbits, 25.0,
        (
            "(vx**2 + vy**2)/2 - 1/sqrt(x**2 + y**2)",
            "x*vy - y*vx",
            "vy*(x*vy - y*vx) - x/sqrt(x**2 + y**2)",
            "-vx*(x*vy - y*vx) - y/sqrt(x**2 + y**2)",
        ),
        ("m", "m", "m/s", "m/s"), "s", hinted=("q.x", "q.y", "v.x", "v.y"), independent=3,
        about="a planet about a fixed sun, in the plane, mu = 1",
    ),
    _bodies("two_body", 2, 10.0, 1e-8, (-1.5, -0.5), (-0.5, 0.5), (0.5, 1.5), (-0.5, 0.5)),
    _bodies("three_body", 3, 5.0, math.inf, *[(-1.5, 1.5)] * 6),
    System(
        "point_vortices_4", _numbered("x", "y", bodies=4), _vortices,
        box(*[(corner - 0.3, corner + 0.3) for place in _CORNERS for corner in place]), 10.0,
        (_energy_of_vortices(), _by_strength("x#"), _by_strength("y#"), _by_strength("(x#**2 + y#**2)")),
        hinted=_components("r", bodies=4), accuracy=1e-8,
        about="four point vortices of strengths 1, 1, -0.5, 0.7",
    ),
)  # fmt: skip
