"""A search over vectors: programs compute them by components, and Kepler's laws are found in seven nodes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from noether_dsl.canonical import normal_forms
from noether_dsl.components import components
from noether_dsl.dimension import Dimension
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.grammar import Grammar
from noether_dsl.reading import evaluate
from noether_dsl.text import parse

from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import discover
from noether_discover.search.conservation import frame
from noether_discover.search.fitting import fit, natural_sizes
from noether_discover.search.programs import Features, Programs
from noether_discover.search.quantity import Quantity
from noether_discover.settings import Settings
from noether_discover.stages import enumerated, oracle_quantity

SPACE = {"q": ("q_x", "q_y", "q_z"), "v": ("v_x", "v_y", "v_z")}
METRE, SPEED = Dimension.of(m=1), Dimension.of(m=1, s=-1)
GRAMMAR = Grammar(
    tuple((name, METRE if name.startswith("q") else SPEED) for group in SPACE.values() for name in group),
    vectors=tuple(SPACE.items()),
    max_nodes=6,
)


@pytest.fixture(scope="module")
def kepler() -> Trajectories:
    return simulate("kepler", trajectories=20, samples=40, span=12.0)


def points(seed: int = 0, samples: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.uniform(0.4, 1.6, samples) for name, _ in GRAMMAR.inputs}


def test_programs_with_vectors_agree_with_reading_one_formula_at_a_time() -> None:
    table = enumerate_formulas(GRAMMAR)
    formulas = [table.formula(row) for row in table.rows()[::5].tolist()]
    assert any("cross" in str(f) and f.parameters for f in formulas)
    features = Features()
    programs = Programs(formulas, features)
    theta = torch.from_numpy(np.random.default_rng(0).uniform(0.5, 2, (len(formulas), 2, programs.parameters)))
    known = torch.from_numpy(features.values(points()))
    assert known.shape == (len(features), 20)
    found = programs.values(theta, known)
    with np.errstate(all="ignore"):
        for row, formula in enumerate(formulas):
            for start in range(2):
                expected = np.broadcast_to(evaluate(formula, points(), theta[row, start].numpy()), (20,))
                assert np.allclose(found[row, start], expected, rtol=1e-12, equal_nan=True), formula


def test_jacobians_of_formulas_with_vectors_agree_with_differences() -> None:
    forms = normal_forms(GRAMMAR)
    formulas = [f for row in forms.roots_F.tolist() if (f := forms.table.formula(row)).parameters]
    formulas += [parse(text, [], SPACE) for text in ("norm(q + a*v - b*cross(q, v))", "dot(q*a, cross(v + q/b, q))")]
    features = Features()
    programs = Programs(formulas, features)
    theta = torch.from_numpy(np.random.default_rng(1).uniform(0.5, 2, (len(formulas), 1, programs.parameters)))
    values_MN = torch.from_numpy(features.values(points()))
    _, slopes = programs.values_and_jacobian(theta, values_MN)
    for k in range(programs.parameters):
        step = torch.zeros_like(theta)
        step[..., k] = 1e-6
        expected = (programs.values(theta + step, values_MN) - programs.values(theta - step, values_MN)) / 2e-6
        assert float(((slopes[:, :, k] - expected).abs() / (1 + expected.abs())).max()) < 1e-5


def test_features_that_are_known_are_not_computed_again() -> None:
    features = Features()
    numbers = [features.number(parse(text, [], SPACE)) for text in ("q", "norm(q)", "cross(q, v)")]
    assert numbers == [0, 3, 4]
    first = features.values(points())
    assert features.number(parse("q", [], SPACE)) == 0
    assert features.number(parse("dot(q, cross(q, v))", [], SPACE)) == 7
    again = features.values(points(), first)
    np.testing.assert_array_equal(again[:7], first)
    np.testing.assert_allclose(again[7], 0.0, atol=1e-15)
    assert features.rows(parse("cross(q, v)", [], SPACE)) == slice(4, 7)


def test_a_parameter_inside_a_norm_is_found(kepler: Trajectories) -> None:
    """|q + a v| with a = 0.7: conserved along q' = -0.7 w, v' = w, whatever w is."""
    rng = np.random.default_rng(0)
    drift = [np.cumsum(rng.normal(0, 0.1, (40, 2)), axis=0) for _ in kepler.states]
    states = tuple(x[:1] + np.concatenate([-0.7 * w, w], axis=1) for x, w in zip(kepler.states, drift, strict=True))
    data = replace(kepler, states=states)
    formula = parse("norm(q + a*v)", [], dict(data.vectors))
    found = fit([formula], frame(data))
    assert found.ratio_F[0] < 1e-12
    assert found.parameters[0][0] == pytest.approx(0.7, rel=1e-6)
    assert 0 < natural_sizes(formula, frame(data).columns)[0] < 10


def test_quantities_of_vectors_are_called_like_others() -> None:
    x_ND = np.random.default_rng(0).normal(size=(4, 6))
    symbols = tuple(name for name, _ in GRAMMAR.inputs)
    momentum = Quantity(parse("cross(q, v)", [], SPACE), (), symbols)
    np.testing.assert_allclose(momentum(x_ND), np.cross(x_ND[:, :3], x_ND[:, 3:]), atol=1e-14)
    np.testing.assert_allclose(momentum(torch.tensor(x_ND)).numpy(), momentum(x_ND))
    apart = np.stack([Quantity(part, (), symbols)(x_ND) for part in components(momentum.formula)], axis=-1)
    np.testing.assert_allclose(apart, momentum(x_ND), atol=1e-14)
    energy = Quantity(parse("v**2 - a/norm(q)", [], SPACE), (2.0,), symbols)
    assert energy(x_ND).shape == (4,)
    at = energy.at(torch.tensor(x_ND), torch.full((4, 1), 2.0, dtype=torch.float64))
    np.testing.assert_allclose(at.numpy(), energy(x_ND))


def test_energy_and_angular_momentum_of_kepler_are_found(kepler: Trajectories) -> None:
    found = discover(kepler, rank=False, jobs=1)
    laws = {law["formula"]: law for law in found.laws}
    assert {"cross(q, v)", "v**2 - a/norm(q)"} < set(laws)
    assert len(laws) == 3  # the third, of four columns, is a component of the Laplace-Runge-Lenz vector
    assert (laws["cross(q, v)"]["nodes"], laws["v**2 - a/norm(q)"]["nodes"]) == (3, 7)
    energy = laws["v**2 - a/norm(q)"]
    assert energy["verdict"] == "LAW"
    assert energy["parameters"][0]["value"] == pytest.approx(2.0, rel=1e-9)
    assert energy["parameters"][0]["unit"] == "m^3/s^2"
    assert energy["expression"].startswith("v_x**2 + v_y**2 - ")
    assert energy["expression"].endswith("/sqrt(q_x**2 + q_y**2)")
    assert energy["vectors"] == {"q": ["q_x", "q_y"], "v": ["v_x", "v_y"]}
    value = found.quantity(list(laws).index(energy["formula"]))(kepler.stacked)
    qx, qy, vx, vy = kepler.stacked.T
    np.testing.assert_allclose(value, vx**2 + vy**2 - 2 / np.hypot(qx, qy), rtol=1e-9)


def test_the_raw_form_searches_numbers_only(kepler: Trajectories) -> None:
    found = enumerated(kepler, Settings(max_nodes=4, form="raw"))
    assert len(found.formulas) == sum(found.raw) == 140
    assert {formula.rank for formula in found.formulas} == {0}


def test_an_oracle_may_speak_of_vectors_and_of_their_components(kepler: Trajectories) -> None:
    x_ND = kepler.stacked
    for text in ("cross(q, v)", "q.x*v.y - q.y*v.x", "q_x*v_y - q_y*v_x"):
        np.testing.assert_allclose(
            oracle_quantity(text, kepler)(x_ND), x_ND[:, 0] * x_ND[:, 3] - x_ND[:, 1] * x_ND[:, 2]
        )
    with pytest.raises(ValueError, match='--oracle "q/2" is a vector'):
        oracle_quantity("q/2", kepler)
    with pytest.raises(ValueError, match="--oracle: dot cannot take a vector of 2 and a number"):
        oracle_quantity("dot(q, 3)", kepler)
    scaled = replace(kepler, units=tuple(replace(unit, scale=0.01) for unit in kepler.units))
    np.testing.assert_allclose(oracle_quantity("norm(q)", scaled)(x_ND), 100 * np.hypot(x_ND[:, 0], x_ND[:, 1]))
