"""Known worlds: springs, pendulums, wells, tops and chains.

N trajectories, D columns.
"""

from __future__ import annotations

import numpy as np

from .worlds import Array, System, box, columnwise, ring

_PLANE = ("x", "y", "px", "py")
_PLANE_UNITS = ("m", "m", "kg*m/s", "kg*m/s")
_PLANE_VECTORS = ("q.x", "q.y", "p.x", "p.y")


def _on_the_rod(rng: np.random.Generator, N: int) -> Array:
    """Positions and velocities of a pendulum of length 1, angle from below and rate uniform in (-1, 1)."""
    angle, rate = rng.uniform(-1, 1, (2, N))
    sin, cos = np.sin(angle), np.cos(angle)
    return np.stack([sin, -cos, rate * cos, rate * sin], axis=1)


def _rod(x: Array, y: Array, vx: Array, vy: Array) -> tuple[Array, ...]:
    tension = (vx * vx + vy * vy - y) / (x * x + y * y)
    return vx, vy, -tension * x, -tension * y - 1


def _double_pendulum(t1: Array, t2: Array, w1: Array, w2: Array) -> tuple[Array, ...]:
    cos, sin = np.cos(t1 - t2), np.sin(t1 - t2)
    first, second = -w2 * w2 * sin - 2 * np.sin(t1), w1 * w1 * sin - np.sin(t2)
    below = 2 - cos * cos
    return w1, w2, (first - cos * second) / below, (2 * second - cos * first) / below


def _inside_the_well(rng: np.random.Generator, N: int) -> Array:
    """Hénon-Heiles states of energy 0.01 to 0.12 (it escapes above 1/6), in a uniform direction of phase space."""
    energy = rng.uniform(0.01, 0.12, N)
    ray = rng.normal(size=(N, 4))
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    cubic = ray[:, 0] ** 2 * ray[:, 1] - ray[:, 1] ** 3 / 3  # |cubic| <= 1/3: energy rises along a ray up to length 1
    low, high = np.zeros(N), np.ones(N)
    for _ in range(60):
        middle = (low + high) / 2
        below = middle**2 / 2 + cubic * middle**3 < energy
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return ray * low[:, None]


def _spinning(rng: np.random.Generator, N: int) -> Array:
    """Angular momenta in the cube (-1, 1)^3, verticals of length 1 in any direction."""
    momentum, vertical = rng.uniform(-1, 1, (N, 3)), rng.normal(size=(N, 3))
    return np.hstack([momentum, vertical / np.linalg.norm(vertical, axis=1, keepdims=True)])


def _lagrange_top(x_ND: Array) -> Array:
    """M' = M x w + gamma x e3, gamma' = gamma x w, with w = (M1, M2, M3/0.5)."""
    M1, M2, M3, g1, g2, g3 = x_ND.T
    w1, w2, w3 = M1, M2, 2 * M3
    return np.stack(
        [
            M2 * w3 - M3 * w2 + g2, M3 * w1 - M1 * w3 - g1, M1 * w2 - M2 * w1,
            g2 * w3 - g3 * w2, g3 * w1 - g1 * w3, g1 * w2 - g2 * w1,
        ],
        axis=1,
    )  # fmt: skip


def _chain(x_ND: Array) -> tuple[Array, Array]:
    """Momenta, and how much farther the next particle of the ring is."""
    q_NB, p_NB = np.split(x_ND, 2, axis=1)
    return p_NB, np.roll(q_NB, -1, axis=1) - q_NB


def _toda(x_ND: Array) -> Array:
    p_NB, apart_NB = _chain(x_ND)
    push = np.exp(-apart_NB)
    return np.hstack([p_NB, np.roll(push, 1, axis=1) - push])


def _fput(x_ND: Array) -> Array:
    p_NB, apart_NB = _chain(x_ND)
    pull = apart_NB + apart_NB**2 / 2
    return np.hstack([p_NB, pull - np.roll(pull, 1, axis=1)])


def _ring_of(particles: int) -> tuple[tuple[str, ...], list[str], str, str]:
    """Columns x1.., p1..; the neighbours' differences x2 - x1..; kinetic energy; total momentum."""
    numbers = range(1, particles + 1)
    columns = tuple(f"{letter}{number}" for letter in "xp" for number in numbers)
    apart = [f"x{number % particles + 1} - x{number}" for number in numbers]
    kinetic = " + ".join(f"p{number}**2" for number in numbers)
    return columns, apart, f"({kinetic})/2", " + ".join(f"p{number}" for number in numbers)


def _toda_laws() -> tuple[str, ...]:
    _, _, kinetic, momentum = _ring_of(3)
    return (
        momentum,
        f"{kinetic} + exp(x1 - x2) + exp(x2 - x3) + exp(x3 - x1)",
        "p1*p2*p3 - p1*exp(x2 - x3) - p2*exp(x3 - x1) - p3*exp(x1 - x2)",
    )


def _fput_laws() -> tuple[str, ...]:
    _, apart, kinetic, momentum = _ring_of(5)
    springs = " + ".join(f"({d})**2" for d in apart)
    cubes = " + ".join(f"({d})**3" for d in apart)
    return f"{kinetic} + ({springs})/2 + ({cubes})/6", momentum


MECHANICS = (
    System(
        "spring", ("q", "p"), columnwise(lambda q, p: (p, -q)), box((-1, 1), (-1, 1)), 10.0,
        ("q**2 + p**2",), ("m", "kg*m/s"), "s", about="a mass on a spring, all constants 1",
    ),
    System(
        "spring_hnn", ("q", "p"), columnwise(lambda q, p: (2 * p, -2 * q)), ring(0.1, 1.0), 3.0,
        ("p**2 + q**2",), ("m", "kg*m/s"), "s", samples=30,
        about="the spring of Greydanus et al. 2019 and Alet et al. 2021",
    ),
    System(
        "pendulum", ("q", "p"), columnwise(lambda q, p: (p, -np.sin(q))), box((-1.5, 1.5), (-1.5, 1.5)), 20.0,
        ("p**2/2 - cos(q)",), ("rad", "kg*m^2/s"), "s", about="an ideal pendulum, all constants 1",
    ),
    System(
        "pendulum_hnn", ("q", "p"), columnwise(lambda q, p: (2 * p, -3 * np.sin(q))), ring(1.3, 2.3), 3.0,
        ("p**2 - 3*cos(q)",), ("rad", "kg*m/s"), "s", samples=45,
        about="the pendulum of Greydanus et al. 2019 and Alet et al. 2021",
    ),
    System(
        "pendulum_cartesian", ("x", "y", "vx", "vy"), columnwise(_rod), _on_the_rod, 10.0,
        ("(vx**2 + vy**2)/2 + y",), ("m", "m", "m/s", "m/s"), "s",
        constraints=(("x**2 + y**2", 1.0), ("x*vx + y*vy", 0.0)), hinted=("q.x", "q.y", "v.x", "v.y"),
        about="a pendulum on a rod of length 1, in Cartesian coordinates",
    ),
    System(
        "oscillator_2d", _PLANE, columnwise(lambda x, y, px, py: (px, py, -x, -y)), box(*[(-1, 1)] * 4), 10.0,
        ("x**2 + px**2", "y**2 + py**2", "x*py - y*px"), _PLANE_UNITS, "s", hinted=_PLANE_VECTORS,
        about="an isotropic oscillator in the plane",
    ),
    System(
        "oscillator_2d_1_2", _PLANE, columnwise(lambda x, y, px, py: (px, py, -x, -4 * y)), box(*[(-1, 1)] * 4), 10.0,
        ("x**2 + px**2", "4*y**2 + py**2", "4*x*y*px + px**2*py - x**2*py"), _PLANE_UNITS, "s", hinted=_PLANE_VECTORS,
        about="an oscillator in the plane, frequencies 1 and 2",
    ),
    System(
        "double_pendulum", ("t1", "t2", "w1", "w2"), columnwise(_double_pendulum),
        box((-1.5, 1.5), (-1.5, 1.5), (-0.5, 0.5), (-0.5, 0.5)), 20.0,
        ("w1**2 + w2**2/2 + w1*w2*cos(t1 - t2) - 2*cos(t1) - cos(t2)",), ("rad", "rad", "rad/s", "rad/s"), "s",
        accuracy=1e-7, about="two equal pendulums, one hung on the other",
    ),
    System(
        "henon_heiles", _PLANE,
        columnwise(lambda x, y, px, py: (px, py, -x - 2 * x * y, -y - x * x + y * y)), _inside_the_well, 50.0,
        ("(px**2 + py**2 + x**2 + y**2)/2 + x**2*y - y**3/3",), _PLANE_UNITS, "s", hinted=_PLANE_VECTORS,
        about="a star in a well with three corners, energies below the escape",
    ),
    System(
        "euler_top", ("w1", "w2", "w3"),
        columnwise(lambda w1, w2, w3: (-w2 * w3, w1 * w3, -w1 * w2 / 3)), box(*[(-1, 1)] * 3), 20.0,
        ("w1**2 + 2*w2**2 + 3*w3**2", "w1**2 + 4*w2**2 + 9*w3**2"), ("rad/s",) * 3, "s",
        hinted=("w.x", "w.y", "w.z"), about="a free rigid body, moments of inertia 1, 2, 3",
    ),
    System(
        "lagrange_top", ("M1", "M2", "M3", "g1", "g2", "g3"), _lagrange_top, _spinning, 15.0,
        ("(M1**2 + M2**2)/2 + M3**2 + g3", "M1*g1 + M2*g2 + M3*g3", "M3"),
        ("kg*m^2/s",) * 3 + ("",) * 3, "s", constraints=(("g1**2 + g2**2 + g3**2", 1.0),),
        hinted=("M.x", "M.y", "M.z", "gamma.x", "gamma.y", "gamma.z"),
        about="a heavy symmetric top in its own frame, inertia 1, 1, 0.5",
    ),
    System(
        "toda_3", _ring_of(3)[0], _toda, box(*[(-0.7, 0.7)] * 6), 15.0, _toda_laws(), ("",) * 3 + ("1/s",) * 3, "s",
        about="three particles on a ring, springs that push exponentially",
    ),
    System(
        "fput_5", _ring_of(5)[0], _fput, box(*[(-0.3, 0.3)] * 10), 20.0, _fput_laws(),
        ("m",) * 5 + ("kg*m/s",) * 5, "s",
        about="Fermi, Pasta, Ulam, Tsingou: five particles on a ring, alpha = 0.5",
    ),
)  # fmt: skip
