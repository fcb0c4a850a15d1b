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
    left_KP, mean_P = ((x_K.sum() - x_K) / 39)[:, None], x_K.mean(keepdims=True)
    (error,) = standard_errors(mean_P, mean_P, left_KP, mean_P[None])
    assert error == pytest.approx(x_K.std(ddof=1) / np.sqrt(40), rel=1e-12)


def test_a_shift_of_other_measurements_and_making_a_number_simple_count_as_errors() -> None:
    whole_P, left_KP = np.array([2.0]), np.full((10, 1), 2.0)
    assert standard_errors(whole_P, whole_P, left_KP, np.array([[2.5], [2.3]])) == pytest.approx([0.4])
    assert standard_errors(np.array([2.3]), whole_P, left_KP, np.array([[2.5], [2.3]])) == pytest.approx([0.5])


def test_every_sequence_is_left_out_once() -> None:
    m = material(pendulum(1.0), 0.02, 0)
    found = final(ENERGY, m)
    assert found.refits is not None
    assert len(found.refits.left_out) == len(m.train.counts) + len(m.held.counts)
    assert len(found.refits.measured) == len(m.train.replicas)
    if found.free == 2:
        assert found.refits.whole.coefficients == pytest.approx(found.coefficients, rel=1e-9)
    assert {refit.coefficients[0] for refit in found.refits.left_out} == {1.0}
    assert np.std([refit.coefficients[1] for refit in found.refits.left_out]) > 0  # be it made simple or not


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
    whole_P = np.array([found.refits.whole.factor])
    (error,) = standard_errors(whole_P, whole_P, factors, measured)
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
        assert found.refits is not None
        stated_P, whole_P = (np.array([n.coefficients[1]]) for n in (found, found.refits.whole))
        left_KP, measured_BP = (
            np.array([[n.coefficients[1]] for n in some]) for some in (found.refits.left_out, found.refits.measured)
        )
        (error,) = standard_errors(stated_P, whole_P, left_KP, measured_BP)
        true = -2.0 * gravity if found.terms[0] == ENERGY.terms[0] else -0.5 / gravity
        distances.append((stated_P[0] - true) / error)
    z = np.abs(distances)
    assert np.mean(z <= 1.0) >= 0.5
    assert np.mean(z <= 2.0) >= 0.85
