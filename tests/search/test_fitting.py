"""Fits: exact where they can be, the same in any company, with honest errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from noether_dsl.enumeration import enumerate_formulas
from noether_dsl.grammar import Grammar
from noether_dsl.reading import evaluate
from noether_dsl.text import parse

from noether_discover.data.systems import simulate
from noether_discover.search.conservation import frame, noise_frame
from noether_discover.search.fitting import fit, ratios, refine, uncertainty
from noether_discover.search.gram import linear, solve
from noether_discover.search.programs import Features, Programs

PENDULUM = simulate("pendulum_hnn", seed=0)
FRAME = frame(PENDULUM.thinned(10))
GRAMMAR = Grammar((("q", PENDULUM.units[0].dimension), ("p", PENDULUM.units[1].dimension)), strict_angles=True)


def formulas_of(nodes: int) -> list:
    table = enumerate_formulas(Grammar(GRAMMAR.inputs, strict_angles=True, max_nodes=nodes))
    return [table.formula(row) for row in range(len(table))]


def test_programs_agree_with_reading_one_formula_at_a_time() -> None:
    formulas = formulas_of(5)
    features = Features()
    programs = Programs(formulas, features)
    rng = np.random.default_rng(0)
    theta = torch.from_numpy(rng.uniform(0.5, 2, (len(formulas), 2, programs.parameters)))
    points = {name: column[:40] for name, column in FRAME.columns.items()}
    found = programs.values(theta, torch.from_numpy(features.values(points)))
    with np.errstate(all="ignore"):
        for row, formula in enumerate(formulas):
            for start in range(2):
                expected = np.broadcast_to(evaluate(formula, points, theta[row, start].numpy()), (40,))
                assert np.allclose(found[row, start], expected, rtol=1e-12, equal_nan=True), formula


def test_jacobians_agree_with_differences() -> None:
    formulas = [f for f in formulas_of(5) if f.parameters]
    features = Features()
    programs = Programs(formulas, features)
    rng = np.random.default_rng(1)
    theta = torch.from_numpy(rng.uniform(0.5, 2, (len(formulas), 1, programs.parameters)))
    points = {name: np.abs(column[:30]) + 0.5 for name, column in FRAME.columns.items()}
    values_MN = torch.from_numpy(features.values(points))
    _, slopes = programs.values_and_jacobian(theta, values_MN)
    step = 1e-6
    for k in range(programs.parameters):
        up, down = theta.clone(), theta.clone()
        up[..., k] += step
        down[..., k] -= step
        expected = (programs.values(up, values_MN) - programs.values(down, values_MN)) / (2 * step)
        gap = (slopes[:, :, k] - expected).abs() / (1 + expected.abs())
        bad = ~(gap < 1e-5) & torch.isfinite(expected)
        assert not bad[expected.abs() < 1e4].any()  # differences are worth nothing beside a pole


def test_the_linear_form_says_the_same_as_the_formula() -> None:
    rng = np.random.default_rng(2)
    points = {name: np.abs(column[:20]) + 0.5 for name, column in FRAME.columns.items()}
    seen = 0
    for formula in formulas_of(6):
        form = linear(formula)
        if form is None or formula.parameters == 0:
            continue
        seen += 1
        a = rng.uniform(-2, 2, formula.parameters)
        with np.errstate(all="ignore"):
            total = sum(sign * evaluate(part, points, ()) for sign, part in form.fixed) + sum(
                value * (1.0 if part is None else evaluate(part, points, ()))
                for value, part in zip(a, form.free, strict=True)
            )
            assert np.allclose(total, evaluate(formula, points, a), rtol=1e-9, equal_nan=True), formula
    assert seen > 100


def test_linear_parameters_are_solved_exactly() -> None:
    found = fit([parse("p**2 - a*cos(q)", ["p", "q"]), parse("p**2 + a*cos(q)", ["p", "q"])], FRAME)
    assert found.parameters[1][0] == pytest.approx(-3.0, abs=1e-9)
    assert found.parameters[0][0] == pytest.approx(3.0, abs=1e-6)
    assert (found.ratio_F < 1e-12).all()


def test_the_exact_solution_is_the_least_ratio() -> None:
    """No other coefficient does better, also for a formula that is not conserved."""
    formula = parse("q**2 + a*p*sin(q)", ["p", "q"])
    found = fit([formula], FRAME)
    for a in np.linspace(-20, 20, 401):
        assert ratios([formula], [(a,)], FRAME)[0] >= found.ratio_F[0] - 1e-12


def test_a_combination_without_variance_is_refused() -> None:
    q = torch.from_numpy(FRAME.columns["q"])
    _, ratio = solve(torch.stack([torch.sin(q) ** 2, torch.cos(q) ** 2])[None], FRAME)
    assert ratio[0] == torch.inf


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p**2 - a*cos(b*q)", (3.0, 1.0)),
        ("p**2 + a*sin(q + b)", None),
        ("a*cos(q)/p**2 + b/p**2 + c*q", None),
    ],
)
def test_nonlinear_parameters_are_found(text: str, expected: tuple[float, ...] | None) -> None:
    formula = parse(text, ["p", "q"])
    found = fit([formula], FRAME)
    if expected is not None:
        assert np.abs(found.parameters[0]) == pytest.approx(expected, abs=1e-5)
    if text.startswith("p**2"):
        assert found.ratio_F[0] < 1e-12


def test_a_formula_fits_alike_in_any_company() -> None:
    formulas = [f for f in formulas_of(5) if f.parameters][:300]
    together = fit(formulas, FRAME)
    for k in (3, 100, 250):
        alone = fit([formulas[k]], FRAME)
        assert alone.ratio_F[0] == pytest.approx(together.ratio_F[k], rel=1e-6)


@pytest.mark.parametrize(
    ("system", "text", "start"), [("pendulum_hnn", "p**2 - a*cos(q)", 3.0), ("spring_hnn", "q**2 + a*p**2", 1.0)]
)
def test_standard_errors_agree_with_a_bootstrap_over_trajectories(system: str, text: str, start: float) -> None:
    data = simulate(system, noise=0.1, seed=4)
    formula, deviations = parse(text, ["p", "q"]), np.array([0.1, 0.1])
    judged = noise_frame(data, deviations)
    best = refine([formula], [(start,)], judged).parameters[0]
    (error,) = uncertainty(formula, best, judged)
    rng = np.random.default_rng(0)
    again = []
    for _ in range(80):
        sample = data.pick(rng.integers(0, len(data), len(data)))
        again.append(refine([formula], [best], noise_frame(sample, deviations)).parameters[0][0])
    # 80 draws know a deviation to 8 %, and the bootstrap's own deviation to about as much
    assert error == pytest.approx(np.std(again), rel=0.35)


def test_standard_errors_cover_the_truth() -> None:
    inside = 0
    for seed in range(20):
        data = simulate("pendulum_hnn", noise=0.05, seed=seed)
        judged = noise_frame(data, np.array([0.05, 0.05]))
        formula = parse("p**2 - a*cos(q)", ["p", "q"])
        (a,) = refine([formula], [(3.0,)], judged).parameters[0]
        (error,) = uncertainty(formula, (a,), judged)
        inside += abs(a - 3) < 2 * error
    assert inside >= 16


def test_where_a_formula_has_no_value_its_parameters_have_no_errors() -> None:
    """Noise makes a small population negative, which has no logarithm; the denoised states of the search had one."""
    formula = parse("p - a*log(q)", ["p", "q"])
    assert np.isnan(uncertainty(formula, (1.0,), noise_frame(PENDULUM, np.array([0.1, 0.1])))).all()
