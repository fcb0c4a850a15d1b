"""Standard errors of sums: what samples say of the numbers that they give."""

from __future__ import annotations

import numpy as np
import pytest
from noether_dsl.formula import node, parameter, variable

from noether_discover.data.systems import simulate
from noether_discover.data.worlds import Array, System, box, columnwise
from noether_discover.search.evidence import gather
from noether_discover.search.known import Numbers, Sum
from noether_discover.search.material import Material, noisy_material
from noether_discover.search.precision import standard_errors
from noether_discover.search.shelves import final
from noether_discover.search.terms import Term, power


def pendulum(gravity: float) -> System:
    rates = columnwise(lambda q, p: (p, -gravity * np.sin(q)))
    return System("pendulum", ("q", "p"), rates, box((-1.8, 1.8), (-1.5, 1.5)), 10.0, ())


def material(world: System, noise: float, seed: int) -> Material:
    return noisy_material(gather(simulate(world, relative_noise=noise, seed=seed), seed=seed))


ENERGY = Sum((Term(power("p", 2), 2.0), Term(node("cos", variable("q")), 2.0)), (1.0, -2.0), "by hand")


def test_left_out_samples_give_the_error_of_a_mean() -> None:
    x_K = np.random.default_rng(0).normal(size=40)
    left_KP = ((x_K.sum() - x_K) / 39)[:, None]
    (error,) = standard_errors(x_K.mean(keepdims=True), left_KP, x_K.mean(keepdims=True)[None])
    assert error == pytest.approx(x_K.std(ddof=1) / np.sqrt(40), rel=1e-12)


def test_a_shift_of_other_measurements_counts_as_an_error() -> None:
    whole_P, left_KP = np.array([2.0]), np.full((10, 1), 2.0)
    assert standard_errors(whole_P, left_KP, np.array([[2.5], [2.3]])) == pytest.approx([0.4])


def test_every_sequence_is_left_out_once_and_the_ratios_stay() -> None:
    m = material(pendulum(1.0), 0.02, 0)
    found = final(ENERGY, m)
    assert found.refits is not None
    assert len(found.refits.left_out) == len(m.train.counts) + len(m.held.counts)
    assert len(found.refits.measured) == len(m.train.replicas)
    assert found.refits.whole.coefficients == pytest.approx(found.coefficients, rel=1e-9)
    if found.free == 1:  # the ratio was made simple: nothing is left to be unsure of
        for refit in found.refits.left_out:
            assert refit.coefficients == pytest.approx(found.coefficients, rel=1e-12)


def test_other_numbers_are_put_into_the_same_terms() -> None:
    soft = Sum((Term(power("p", 2), 2.0), Term(power("q", 2), 2.0, (3.0,))), (1.0, 2.0), "by hand")
    other = soft.with_numbers(Numbers((1.0, 4.0), 2.0))
    assert other.coefficients == (1.0, 4.0)
    assert [term.values for term in other.terms] == [(), (6.0,)]


def test_a_number_inside_a_root_has_an_error_that_reaches_the_truth() -> None:
    """sqrt(1 + p**2) + x**2/2: the 1 is sought by a parabola, with and without each sequence."""

    def rates(x: Array, p: Array) -> tuple[Array, ...]:
        return p / np.sqrt(1.0 + p * p), -x

    world = System("relativistic", ("x", "p"), columnwise(rates), box((-2, 2), (-2, 2)), 15.0, ())
    root = node("sqrt", node("add", power("p", 2), parameter()))
    law = Sum((Term(root, 3.0, (1.1,)), Term(power("x", 2), 2.0)), (1.0, 0.5), "by hand")
    found = final(law, material(world, 0.02, 0))
    assert found.refits is not None
    (inside,) = next(term.values for term in found.terms if term.values)
    factors = np.array([[n.factor] for n in found.refits.left_out])
    measured = np.array([[n.factor] for n in found.refits.measured])
    (error,) = standard_errors(np.array([found.refits.whole.factor]), factors, measured)
    assert 0.002 < error < 0.1
    assert abs(inside * found.refits.whole.factor - 1.0) < 3.0 * error


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_of_thirty_data_sets_the_errors_cover_the_truth(noise: float) -> None:
    """68 % and 95 % are expected; fewer than 15 of 30 within one error has a chance of 2 %."""
    distances = []
    for seed in range(30):
        gravity = float(np.random.default_rng(seed).uniform(0.9, 1.1))
        m = material(pendulum(gravity), noise, seed)
        found = final(ENERGY, m)
        if found.free == 1:
            continue
        assert found.refits is not None
        by_p = [np.array([n.coefficients[1] / n.coefficients[0]]) for n in found.refits.left_out]
        shifted = [np.array([n.coefficients[1] / n.coefficients[0]]) for n in found.refits.measured]
        value = found.coefficients[1] / found.coefficients[0]
        (error,) = standard_errors(np.array([value]), np.array(by_p), np.array(shifted))
        distances.append((abs(value) - 2.0 * gravity) / error)
    z = np.abs(distances)
    assert len(z) >= 15
    assert np.mean(z <= 1.0) >= 0.5
    assert np.mean(z <= 2.0) >= 0.85
