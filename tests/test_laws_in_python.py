"""Laws in Python: mappings, functions of arrays and frames, expressions, torch modules, cells of a notebook."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from noether_discover import DataError, Discovery, discover, load
from noether_discover.data.systems import simulate
from noether_discover.law import Column, Law

DEGREES = 0.5
FACTS = {
    "expression": "p**2 - 2.457*cos((0.5*q))", "formula": "p**2 - a*cos(q)", "vectors": {}, "unit": "1",
    "latex": r"p^{2} - a \, \cos\left(q\right)", "verdict": "LAW", "forms": ["cos(q) - a*p**2"],
    "parameters": [{"name": "a", "value": 2.4571, "standard_error": 0.007, "unit": "1"}],
    "ratio_heldout": 1e-3, "noise_chi2": 1.0,
}  # fmt: skip
LAW = Law(FACTS, (Column("the angle", "q", "rad", DEGREES), Column("p", "p")))
STATES = np.random.default_rng(0).normal(size=(3, 4, 2))
EXPECTED = STATES[..., 1] ** 2 - 2.4571 * np.cos(DEGREES * STATES[..., 0])


def test_a_law_is_a_mapping_of_its_facts() -> None:
    assert FACTS == LAW == {**LAW} == LAW.to_json()
    assert LAW["formula"] == LAW.formula
    assert json.loads(json.dumps(LAW.to_json())) == FACTS


def test_a_law_is_a_function_of_arrays_with_the_files_own_numbers() -> None:
    np.testing.assert_allclose(LAW(STATES), EXPECTED, rtol=1e-14)
    with pytest.raises(DataError, match="must be the columns the angle, p"):
        LAW(np.zeros((3, 5)))


def test_a_law_is_a_function_of_frames_by_column_names() -> None:
    flat = STATES.reshape(-1, 2)
    frame = pd.DataFrame({"more": 0.0, "p": flat[:, 1], "the angle": flat[:, 0]}, index=range(7, 19))
    value = LAW(frame)
    assert list(value.index) == list(frame.index)
    np.testing.assert_allclose(value, EXPECTED.ravel(), rtol=1e-14)
    radians = pd.DataFrame({"p": flat[:, 1], "the angle [rad]": DEGREES * flat[:, 0]})
    np.testing.assert_allclose(LAW(radians), EXPECTED.ravel(), rtol=1e-14)


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        ({"p": [1.0]}, 'has no column "the angle"'),
        ({"p": [1.0], "the angle [kg]": [1.0]}, "is in kg, the law reads it in rad"),
        ({"p": ["one"], "the angle": [1.0]}, "is no number"),
    ],
)
def test_a_frame_that_cannot_be_used_is_refused_in_one_sentence(frame: dict[str, list[object]], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        LAW(pd.DataFrame(frame))


def test_sympy_has_all_digits_and_the_files_own_numbers() -> None:
    import sympy

    function = sympy.lambdify(sympy.symbols("q p"), LAW.sympy)
    np.testing.assert_allclose(function(STATES[..., 0], STATES[..., 1]), EXPECTED, rtol=1e-13)


def test_gradients_flow_through_the_torch_module_to_states_and_numbers() -> None:
    module, states = LAW.torch(), torch.tensor(STATES, requires_grad=True)
    value = module(states)
    assert value.dtype == torch.float64
    np.testing.assert_allclose(value.detach(), EXPECTED, rtol=1e-14)
    value.sum().backward()
    np.testing.assert_allclose(states.grad[..., 1], 2 * STATES[..., 1], rtol=1e-14)
    np.testing.assert_allclose(module.numbers.grad, [-np.cos(DEGREES * STATES[..., 0]).sum()], rtol=1e-12)


def test_units_parameters_and_forms_have_names() -> None:
    assert LAW.units == {"the angle": "rad", "p": "1"}
    assert (LAW.parameters["a"].value, LAW.parameters["a"].standard_error, LAW.parameters["a"].unit) == (
        2.4571,
        0.007,
        "1",
    )
    assert LAW.forms == ("cos(q) - a*p**2",)


def test_what_a_file_says_is_escaped_in_a_notebook() -> None:
    hostile = "<script>alert(1)</script>"
    shown = Law({**FACTS, "verdict": hostile, "latex": hostile, "formula": hostile, "unit": hostile}, ())._repr_html_()
    assert "<script" not in shown
    assert "&lt;script" in shown


@pytest.fixture(scope="module")
def found() -> Discovery:
    """A spring's energy."""
    return discover(simulate("spring_hnn", trajectories=6, samples=25, seed=0), rank=False, max_nodes=3, jobs=1)


def test_saved_numbers_are_equal_bit_for_bit(found: Discovery, tmp_path: Path) -> None:
    again = load(found.save(tmp_path / "one.noether"))
    assert again == found
    assert Discovery.load(again.save(tmp_path / "two.noether")) == found
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.noether", "two.noether"]


def test_plain_mappings_become_laws_in_a_discovery(found: Discovery) -> None:
    again = replace(found, laws=tuple(law.to_json() for law in found.laws))
    assert again == found
    np.testing.assert_array_equal(again.laws[0](STATES), found.laws[0](STATES))


def test_what_is_no_run_file_is_not_replaced(found: Discovery, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ValueError, match="no run file"):
        found.save(tmp_path / "thesis.txt")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_public_modules_are_checked_strictly() -> None:
    import tomllib

    import noether_discover

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    strict = next(o for o in project["tool"]["mypy"]["overrides"] if o.get("disallow_any_generics"))
    assert {f"noether_discover.{home}" for home in noether_discover._HOMES.values()} <= set(strict["module"])
    assert "noether_discover.law" in sys.modules
