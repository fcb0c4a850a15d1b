"""Vectors on the command line: named in the header, grouped by an option, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noether_discover.data.systems import simulate
from noether_discover.data.tables import read_tables
from noether_discover.data.writing import write_csv
from noether_discover.discovery import load
from noether_discover.report.export import FORMATS


@pytest.fixture(scope="module")
def orbits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("orbits") / "orbits.csv"
    write_csv(simulate("kepler", trajectories=12, samples=40, span=12.0), path)
    assert path.read_text().startswith("trajectory,t [s],q.x [m],q.y [m],v.x [m/s],v.y [m/s]")
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plain") / "plain.csv"
    write_csv(simulate("kepler", trajectories=6, samples=12, hints=False), path)
    return path


def test_laws_of_vectors_from_file_to_exports(told: Callable[..., Any], orbits: Path, tmp_path: Path) -> None:
    run = tmp_path / "run.noether"
    found = told("discover", orbits, "--no-rank", "--jobs", "1", "-o", run)
    assert found.code == 0
    assert "v**2 - a/norm(q)" in found.out
    assert "vectors: q is (q_x, q_y); v is (v_x, v_y)" in found.out
    assert "q (q.x, q.y), v (v.x, v.y) are vectors" in found.err
    kept = load(run)
    assert {"cross(q, v)", "v**2 - a/norm(q)"} < {law["formula"] for law in kept.laws}
    (vector_law,) = [law["component_of"] for law in kept.laws if law["component_of"]]
    assert vector_law == "q*v**2 - a*(q/norm(q)) - v*dot(q, v)"  # Laplace, Runge, Lenz
    x_ND = read_tables(orbits).stacked
    facts = kept.to_json()
    modules: dict[str, dict[str, Any]] = {"python": {}, "torch": {}}
    for name, module in modules.items():
        exec(FORMATS[name][1](facts), module)
    for number in range(len(kept.laws)):
        value = kept.quantity(number)(x_ND)
        law = modules["python"][f"law_{number + 1}"]
        of_vectors = bool(kept.laws[number]["vectors"])  # a component of a vector law reads columns
        assert ("The vector q is (q_x, q_y)." in law.__doc__) == of_vectors
        np.testing.assert_allclose(law(*x_ND.T), value, rtol=1e-12)
        by_torch = modules["torch"][f"Law{number + 1}"]()(torch.tensor(x_ND))
        np.testing.assert_allclose(by_torch.detach().numpy(), value, rtol=1e-12)
    written = kept.to_latex()
    assert r"\mathbf{q} \times \mathbf{v}" in written
    assert r"\mathbf{v}^{2} - \frac{a}{\left|\mathbf{q}\right|}" in written
    assert "/sqrt(q_x**2 + q_y**2),v**2 - a/norm(q),m^2/s^2,LAW" in FORMATS["csv"][1](facts)


def test_columns_without_dots_are_grouped_by_an_option(told: Callable[..., Any], plain: Path) -> None:
    grouped = told("enumerate", plain, "--list", "--max-nodes", "3", "--group", "q=x,y", "--group", "v=vx,vy")
    assert (grouped.code, grouped.err) == (0, "")
    assert {"cross(q, v)", "q**2", "dot(q, v)"} <= set(grouped.out.splitlines())
    apart = told("enumerate", plain, "--list", "--max-nodes", "3")
    assert "vy*x" in apart.out.splitlines()
    assert "dot" not in apart.out


def test_no_groups_keeps_numbers(told: Callable[..., Any], orbits: Path) -> None:
    found = told("enumerate", orbits, "--list", "--max-nodes", "3", "--no-groups")
    assert (found.code, found.err) == (0, "")
    assert {"q_x", "q_x*v_y"} <= set(found.out.splitlines())
    mixed = told("enumerate", orbits, "--list", "--max-nodes", "2", "--no-groups", "--group", "r=q.x,q.y")
    assert set(mixed.out.splitlines()) == {"v_x", "v_y", "v_x**2", "v_y**2", "r**2"}


def test_a_check_shows_the_vectors(told: Callable[..., Any], orbits: Path, plain: Path) -> None:
    assert "vectors: q (q_x, q_y), v (v_x, v_y)" in told("data", "check", orbits).out
    found = json.loads(told("data", "check", plain, "--json", "--group", "q=x,y").out)
    assert found["summary"]["vectors"] == {"q": ["x", "y"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--group", "q"), '"q" cannot be read; write --group q=x,y'),
        (("--group", "q=x,,y"), '"x,,y" names nothing between two commas; write --group q=x,y'),
        (("--group", "q="), "plain.csv: --group q=: names 0 columns. A vector has two or three components"),
        (("--group", "q=x,y", "--group", "q=vx,vy"), '--group makes the vector "q" twice'),
        (("--group", "q=x,yy"), 'there is no state column "yy" (--group q=x,yy), did you mean "y"?'),
        (("--group", "q=x,y", "--group", "r=y,vx"), 'column "y" is in two groups'),
        (("--group", "norm=x,y"), '"norm" is the name of an operator. Choose another name.'),
    ],
)
def test_a_bad_group_gets_one_sentence(
    told: Callable[..., Any], plain: Path, words: tuple[str, ...], message: str
) -> None:
    found = told("enumerate", plain, "--count", *words)
    assert found.code == 2
    assert len(found.errors) == 1
    assert message in found.errors[0]
