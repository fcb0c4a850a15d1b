"""Real measurements: what was found in them before computers, from the numbers alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from noether_discover.discovery import Discovery, discover

Real = Callable[[str], Path]
LENZ = "q*v**2 - a*(q/norm(q)) - v*dot(q, v)"
GM = 2.959122e-4
"""Of the sun, AU^3/day^2: the square of Gauss's constant."""


@pytest.fixture(scope="module")
def planets(real_data: Real) -> Discovery:
    return discover(real_data("planets.csv"), rank=False, jobs=1)


@pytest.mark.slow
def test_five_laws_of_the_planets(planets: Discovery) -> None:
    """Energy, angular momentum and one more component of Laplace, Runge and Lenz; they pull at one another."""
    assert planets.verdict == "APPROXIMATE"
    assert {law["verdict"] for law in planets.laws} == {"APPROXIMATE"}
    formulas = [law["formula"] for law in planets.laws]
    momenta = [law for law in planets.laws if law["component_of"] == "cross(q, v)"]
    lenz = [law for law in planets.laws if law["component_of"] == LENZ]
    assert (len(formulas), formulas.count("v**2 - a/norm(q)"), len(momenta), len(lenz)) == (5, 1, 3, 1), formulas


@pytest.mark.slow
def test_gm_of_the_sun(planets: Discovery) -> None:
    (energy,) = [law for law in planets.laws if law["formula"] == "v**2 - a/norm(q)"]
    (lenz,) = [law for law in planets.laws if law["component_of"] == LENZ]
    assert energy["parameters"][0]["value"] / 2 == pytest.approx(GM, rel=1e-3)
    assert lenz["parameters"][0]["value"] == pytest.approx(GM, rel=1e-3)
    assert energy["parameters"][0]["unit"] == "AU^3/day^2"


def test_the_energy_of_a_real_double_pendulum(real_data: Real) -> None:
    answer = discover(real_data("real_double_pendulum.csv"), rank=False, jobs=1)
    (law,) = answer.laws
    assert law["verdict"] == answer.verdict == "APPROXIMATE"
    assert law["formula"] == (
        "a*omega1**2 + omega1*omega2*cos(theta1 - theta2) + b*omega2**2 - c*cos(theta1) - d*cos(theta2)"
    )
    a, b, c, d = (one["value"] for one in law["parameters"])
    assert min(a, b, c, d) > 0
    assert 4 * a * b > 1  # the kinetic energy is positive whichever way the arms turn
    assert law["drift_per_time"] < -3 * law["drift_standard_error"]  # it loses energy
    assert 0 < law["time_scale"] < 100


@pytest.mark.slow
def test_the_damped_energy_of_a_driven_pendulum_with_an_encoder(real_data: Real) -> None:
    answer = discover(real_data("encoder_pendulum.csv"), rank=False, jobs=1)
    (law,) = answer.laws
    assert (law["formula"], law["verdict"]) == ("omega**2 + a*cos(phi)", "APPROXIMATE")
    assert law["drift_per_time"] < -3 * law["drift_standard_error"]
    assert law["parameters"][0]["value"] == pytest.approx(128, rel=0.01)
