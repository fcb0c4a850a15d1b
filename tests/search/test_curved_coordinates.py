"""Laws in angles, distances, near the speed of light and in molecules' wells: their terms are products and roots."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from noether_discover.data.systems import simulate
from noether_discover.data.worlds import Array, System, box, columnwise
from noether_discover.discovery import Discovery, discover


def cart(x: Array, a: Array, v: Array, w: Array) -> tuple[Array, ...]:
    """A pendulum that hangs from a cart of its mass."""
    below = 2 - np.cos(a) ** 2
    pull = (w * w * np.sin(a) + np.sin(a) * np.cos(a)) / below
    return v, w, pull, (-2 * np.sin(a) - w * w * np.sin(a) * np.cos(a)) / below


def elastic(r: Array, a: Array, u: Array, w: Array) -> tuple[Array, ...]:
    """A pendulum on a spring."""
    return u, w, r * w * w + np.cos(a) - 4 * (r - 1), (-2 * u * w - np.sin(a)) / r


def hoop(a: Array, w: Array) -> tuple[Array, ...]:
    """A bead on a hoop that turns about the vertical."""
    return w, np.sin(a) * (1.5 * np.cos(a) - 1)


ANGLES = ("m", "rad", "m/s", "rad/s")
WORLDS = {
    row.name: row
    for row in (
        System("cart", ("x", "a", "v", "w"), columnwise(cart),
               box((-1, 1), (-1.3, 1.3), (-0.6, 0.6), (-0.8, 0.8)), 15.0,
               ("2*v + w*cos(a)", "v**2 + v*w*cos(a) + w**2/2 - cos(a)"), ANGLES, "s"),
        System("elastic", ("r", "a", "u", "w"), columnwise(elastic),
               box((0.9, 1.3), (-0.8, 0.8), (-0.2, 0.2), (-0.5, 0.5)), 15.0,
               ("u**2/2 + r**2*w**2/2 - r*cos(a) + 2*r**2 - 4*r",), ANGLES, "s"),
        System("hoop", ("a", "w"), columnwise(hoop), box((-1.5, 1.5), (-0.8, 0.8)), 20.0,
               ("w**2/2 - 0.75*sin(a)**2 - cos(a)",), ("rad", "rad/s"), "s"),
        System("relativistic", ("x", "p"), columnwise(lambda x, p: (p / np.sqrt(1 + p * p), -x)),
               box((-2, 2), (-2, 2)), 15.0, ("sqrt(1 + p**2) + x**2/2",), ("m", "kg*m/s"), "s"),
        System("molecule", ("x", "p"), columnwise(lambda x, p: (p, -2 * (1 - np.exp(-x)) * np.exp(-x))),
               box((-0.5, 0.8), (-0.6, 0.6)), 20.0, ("p**2/2 + (1 - exp(-x))**2",), ("m", "kg*m/s"), "s"),
    )
}  # fmt: skip


def spread(law: Callable[[Array], Array], exact: tuple[Array, ...]) -> float:
    """The deviation along exact trajectories over that of all."""
    along = np.sqrt(np.mean([law(x).var() for x in exact]))
    return float(along / np.concatenate([law(x) for x in exact]).std())


def found(name: str, noise: float, seed: int) -> Discovery:
    return discover(simulate(WORLDS[name], relative_noise=noise, seed=seed, trajectories=30), rank=False, jobs=1)


@pytest.mark.parametrize(
    ("name", "noise"),
    [(name, 0.0) for name in WORLDS]
    + [pytest.param("hoop", 0.01, marks=pytest.mark.slow)]
    + [pytest.param(name, 0.05, marks=pytest.mark.slow) for name in ("cart", "relativistic", "molecule")],
)
def test_as_many_laws_as_there_are_and_each_is_conserved_along_exact_trajectories(name: str, noise: float) -> None:
    world = WORLDS[name]
    answer = found(name, noise, 3)
    laws = [law for law in answer.laws if law["verdict"] == "LAW"]
    exact = simulate(world, seed=4, trajectories=10).states
    assert answer.verdict == "LAW"
    assert len(laws) == len(world.laws)
    for number in range(len(laws)):
        assert spread(answer.quantity(number), exact) < max(0.5 * noise, 1e-5)


@pytest.mark.parametrize("name", ["molecule", "relativistic"])
def test_without_noise_a_number_inside_a_term_is_exact(name: str) -> None:
    (law,) = found(name, 0.0, 0).laws
    numbers = [abs(p["value"]) for p in law["parameters"]]
    assert min(abs(n - 1.0) for n in numbers) < 1e-6


def test_a_root_whose_number_the_data_do_not_tell_is_no_law() -> None:
    """Slow motions are not relativistic: of sqrt(p^2 + s) with a large s nothing is left but p^2."""
    data = simulate("spring", relative_noise=0.05, seed=1)
    assert all("sqrt" not in law["formula"] for law in discover(data, rank=False, jobs=1).laws)
