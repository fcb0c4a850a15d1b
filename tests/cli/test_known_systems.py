"""`data list` and `data make`: what is listed can be made, with its hints and without."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from noether_discover import systems
from noether_discover.data.tables import read_tables


def test_every_system_is_listed_within_eighty_columns(told: Callable[..., Any]) -> None:
    found = told("data", "list")
    lines = found.out.splitlines()
    assert (found.code, found.err) == (0, "")
    assert max(map(len, lines)) <= 80
    assert [line.partition(":")[0] for line in lines if line and not line.startswith(" ")] == list(systems.names())
    assert found.out.count("laws         none") == 5
    said = " ".join(found.out.split())
    for row in systems.SYSTEMS.values():
        assert all(formula in said for formula in (*row.laws, *(c for c, _ in row.constraints)))


def test_json_tells_the_same(told: Callable[..., Any]) -> None:
    rows = json.loads(told("data", "list", "--json").out)["systems"]
    assert [row["name"] for row in rows] == list(systems.names())
    (rod,) = json.loads(told("data", "list", "pendulum_cartesian", "--json").out)["systems"]
    assert rod["laws"] == ["(vx**2 + vy**2)/2 + y"]
    assert rod["constraints"][0] == {"formula": "x**2 + y**2", "value": 1.0}
    assert rod["vectors"] == {"q": ["x", "y"], "v": ["vx", "vy"]}


@pytest.mark.parametrize("command", [("data", "list"), ("data", "make", "-o", "a.csv")])
def test_a_mistyped_name_gets_the_nearest(told: Callable[..., Any], command: tuple[str, ...]) -> None:
    found = told(*command, "keplr")
    assert (found.code, found.errors) == (2, ['Error: there is no system "keplr", did you mean "kepler"?'])


def test_a_table_is_made_with_hints_or_plain(told: Callable[..., Any], tmp_path: Path) -> None:
    few = ("--trajectories", 3, "--samples", 5, "--span", 1)
    headers = []
    for options in ([], ["--plain"]):
        path = tmp_path / f"{len(options)}.csv"
        assert told("data", "make", "kepler", *few, *options, "-o", path).code == 0
        headers.append(path.read_text(encoding="utf-8").splitlines()[0])
        made = systems.simulate("kepler", trajectories=3, samples=5, span=1.0, hints=not options)
        assert read_tables(path).digest() == made.digest()
    assert headers == ["trajectory,t [s],q.x [m],q.y [m],v.x [m/s],v.y [m/s]", "trajectory,t,x,y,vx,vy"]


def test_relative_noise_reaches_the_table(told: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "spring.csv"
    assert told("data", "make", "spring", "--relative-noise", "0.1", "-o", path).code == 0
    clean = systems.simulate("spring").stacked
    error = read_tables(path).stacked - clean
    assert np.allclose(error.std(axis=0), 0.1 * clean.std(axis=0), rtol=0.05)
    refused = told("data", "make", "spring", "--relative-noise", "-1", "-o", path)
    assert (refused.code, refused.errors[0][:34]) == (2, "Error: cannot add relative noise o")


def test_the_public_door_names_what_there_is() -> None:
    assert len(set(systems.__all__)) == len(systems.__all__)
    assert all(hasattr(systems, name) for name in systems.__all__)
    assert systems.simulate("spring", trajectories=2).origin == "simulated spring"
