"""Functions of laws are no further laws, in whatever order they are found: a charge in crossed fields.

x' = vx, y' = vy, vx' = w vy, vy' = a - w vx conserves w y - vx, w x + vy - a t and the energy vx^2 + vy^2 - 2 a y.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from noether_dsl.formula import Formula, variable
from noether_dsl.units import Unit

from noether_discover.data.trajectories import Trajectories
from noether_discover.search.composed import gradients_of, new_of, without_composed
from noether_discover.search.evidence import gather
from noether_discover.search.known import Sum
from noether_discover.search.material import Material, noisy_material
from noether_discover.search.sums import summed
from noether_discover.search.terms import Term, power, product

W, A = 2.0, 1.5
SYMBOLS = ("s", "x", "y", "vx", "vy")
S, X, Y, VX, VY = (variable(symbol) for symbol in SYMBOLS)


@cache
def crossed_fields() -> Trajectories:
    """20 motions with 1.5 % noise; s is the time, as any other column."""
    rng = np.random.default_rng(0)
    t = np.linspace(0.0, 5.0, 100)
    states = []
    for _ in range(20):
        x0, y0, radius, phase = rng.normal(size=4) * [1.0, 1.0, 1.0, 3.0]
        turn = W * t + phase
        vx, vy = A / W + radius * W * np.cos(turn), -radius * W * np.sin(turn)
        states.append(np.stack([t, x0 + A / W * t + radius * np.sin(turn), y0 + radius * np.cos(turn), vx, vy], axis=1))
    noise_D = 0.015 * np.concatenate(states).std(axis=0) * [0, 1, 1, 1, 1]
    measured = tuple(x + rng.normal(size=x.shape) * noise_D for x in states)
    labels = tuple(map(str, range(20)))
    return Trajectories(SYMBOLS, SYMBOLS, (Unit(),) * 5, measured, (t,) * 20, labels)


@cache
def material() -> Material:
    return noisy_material(gather(crossed_fields()))


def found(*terms: tuple[float, Formula], free: int) -> Sum:
    return Sum(tuple(Term(f, 1.0) for _, f in terms), tuple(c for c, _ in terms), "a library", free=free)


ACROSS = found((1.0, Y), (-1.0 / W, VX), free=1)
ALONG = found((1.0, X), (1.0 / W, VY), (-A / W, S), free=2)
ENERGY = found((1.0, power("vx", 2)), (1.0, power("vy", 2)), (-2.0 * A, Y), free=1)
PRODUCT = found(
    (1.0, product(X, Y)), (-1.0 / W, product(X, VX)), (1.0 / W, product(Y, VY)),
    (-A / W, product(Y, S)), (-1.0 / W**2, product(VX, VY)), (A / W**2, product(S, VX)), free=5,
)  # fmt: skip
CUBIC = found(
    (1.0, product(Y, power("vx", 2))), (1.0, product(Y, power("vy", 2))), (-2.0 * A, power("y", 2)),
    (-1.0 / W, power("vx", 3)), (-1.0 / W, product(VX, power("vy", 2))), (2.0 * A / W, product(VX, Y)), free=3,
)  # fmt: skip
"""The energy times the first law."""


def quiet(line: str) -> None:
    pass


def beside(law: Sum, *known: Sum) -> list[int]:
    m = material()
    return new_of(law, m.places.gradients(law), list(known), [g for s in known for g in gradients_of(s, m)], m)


def test_a_product_goes_when_the_second_of_its_factors_comes() -> None:
    assert without_composed([ALONG, PRODUCT], material(), quiet) == [ALONG, PRODUCT]  # as good as the factor
    assert without_composed([ALONG, PRODUCT, ACROSS], material(), quiet) == [ALONG, ACROSS]


def test_independent_laws_stay() -> None:
    three = [ALONG, ACROSS, ENERGY]
    assert without_composed(three, material(), quiet) == three
    assert beside(ENERGY, ALONG, ACROSS) == [0]
    assert beside(ENERGY, *three) == []


def test_the_simpler_of_two_that_tell_each_other_is_new_beside_the_longer() -> None:
    assert beside(ENERGY, ALONG, ACROSS, CUBIC) == [0]
    assert without_composed([ALONG, ACROSS, CUBIC, ENERGY], material(), quiet) == [ALONG, ACROSS, ENERGY]


def test_it_is_not_new_beside_one_as_short_or_one_that_is_a_function_of_it_alone() -> None:
    doubled = found((2.0, power("vx", 2)), (2.0, power("vy", 2)), (-4.0 * A, Y), free=3)
    assert beside(ENERGY, ALONG, ACROSS, doubled) == []
    assert beside(ENERGY, ALONG, ENERGY) == []


def test_the_three_laws_of_a_charge_in_crossed_fields() -> None:
    laws = [s for s in summed(gather(crossed_fields())).found if s.kind == "law"]
    assert len(laws) == 3
    across, along, energy = sorted(laws, key=lambda law: (len(law.terms), "s" not in law.inputs))
    assert across.inputs == {"y", "vx"}
    assert along.inputs == {"x", "vy", "s"}
    assert energy.inputs in ({"vx", "vy", "y"}, {"vx", "vy"})  # a y and w y - vx tell a vx
