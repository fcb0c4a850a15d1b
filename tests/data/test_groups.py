"""Groups: which columns are the components of a vector, and what is said of those that are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from noether_dsl.text import parse

from noether_discover.data.checks import check
from noether_discover.data.derived import with_velocities
from noether_discover.data.groups import named_vectors, regrouped
from noether_discover.data.systems import simulate
from noether_discover.data.tables import ReadOptions, from_frame, read_tables_with_notes
from noether_discover.data.trajectories import Trajectories
from noether_discover.data.writing import write_csv
from noether_discover.discovery import discover
from noether_discover.errors import DataError
from noether_discover.runs import RunFile
from noether_discover.settings import Settings
from noether_discover.stages import grammar_of

METRES = ("x [m]", "y [m]", "z [m]")


def frame(*headers: str) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"t [s]": np.arange(9.0), **{header: rng.normal(size=9) for header in headers}})


def read(*headers: str, **options: Any) -> Trajectories:
    return from_frame(frame(*headers), ReadOptions(**options))


def notes(folder: Path, *headers: str, **options: Any) -> tuple[Trajectories, list[str]]:
    path = folder / "orbit.csv"
    frame(*headers).to_csv(path, index=False)
    data, said = read_tables_with_notes(path, ReadOptions(**options))
    return data, [note.removeprefix("orbit.csv: ") for note in said]


def test_columns_with_dots_are_vectors(tmp_path: Path) -> None:
    data, said = notes(tmp_path, "q.x [m]", "q.y [m]", "m [kg]", "p.x [kg*m/s]", "p.y [kg*m/s]", "p.z [kg*m/s]")
    assert data.vectors == (("q", ("q_x", "q_y")), ("p", ("p_x", "p_y", "p_z")))
    assert said == ["q (q.x, q.y), p (p.x, p.y, p.z) are vectors; --no-groups keeps numbers"]
    grammar = grammar_of(data, Settings())
    assert [leaf.name for leaf, _ in grammar.leaves()] == ["m", "q", "p", ""]


def test_several_bodies_and_names_of_several_words() -> None:
    data = read(
        "q1.y [m]", "q1.x [m]", "q2.x [m]", "q2.y [m]", "centre of mass.x", "centre of mass.y", "a.b.x", "a.b.y"
    )
    assert data.vectors == (
        ("q1", ("q1_x", "q1_y")),
        ("q2", ("q2_x", "q2_y")),
        ("centre_of_mass", ("centre_of_mass_x", "centre_of_mass_y")),
        ("a_b", ("a_b_x", "a_b_y")),
    )


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (("q.x [m]", "q.z [m]"), 'q.x, q.z stay numbers, since there is no "q.y"'),
        (("q.y [m]", "q.z [m]"), 'q.y, q.z stay numbers, since there is no "q.x"'),
        (("q.x [m]", "q.y [s]"), "q.x, q.y stay numbers, since their units differ (m, s)"),
        (("q.x [m]", "q.y"), "q.x, q.y stay numbers, since their units differ (m, no unit)"),
        (("q.x [m]", "q.y [m]", "q [m]"), 'q.x, q.y stay numbers, since there is a column "q" too'),
        (("norm.x", "norm.y"), 'norm.x, norm.y stay numbers, since "norm" is the name of an operator'),
    ],
)
def test_what_only_looks_like_a_vector_stays_numbers_and_is_told(
    tmp_path: Path, headers: tuple[str, ...], words: str
) -> None:
    data, said = notes(tmp_path, *headers)
    assert data.vectors == ()
    assert words in said


def test_a_lone_component_and_numbered_columns_are_nothing_special(tmp_path: Path) -> None:
    data, said = notes(tmp_path, "q.x [m]", "v [m/s]", "x", "x.1", "x.2")
    assert (data.vectors, said) == ((), [])


def test_options_make_groups_and_take_them_away() -> None:
    headers = ("q.x [m]", "q.y [m]", "x [m]", "y [m]", "z [m]")
    assert read(*headers, dotted=False).vectors == ()
    assert read(*headers, groups={"r": ("z", "x", "y")}).vectors == (("r", ("z", "x", "y")), ("q", ("q_x", "q_y")))
    assert read(*headers, groups={"r": ("q.y", "x")}).vectors == (("r", ("q_y", "x")),)
    assert read(*headers, groups={"q": ("x", "y")}).vectors == (("q", ("x", "y")),)
    assert read(*headers, groups={"r": ("x [m]", "q_x")}, dotted=False).vectors == (("r", ("x", "q_x")),)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"q": ("x", "w")}, 'frame: there is no state column "w" (--group q=x,w). The columns are x, y, z, p, v.'),
        ({"q": ("x",)}, "--group q=x: names one column. A vector has two or three components: --group q=x,y."),
        ({"q": ("x", "y", "z", "p")}, "--group q=x,y,z,p: names 4 columns. A vector has two or three"),
        ({"q": ("x", "x")}, '--group q=x,x: names "x" twice. Name each component once.'),
        ({"q": ("x", "y"), "r": ("z", "y")}, 'frame: column "y" is in two groups. Leave it out of one --group.'),
        ({"q": ("x", "v")}, 'have different units ("x" in m, "v" in m/s). Correct one with --unit'),
        ({"q": ("x", "p")}, '("x" in m, "p" in 0.01 m)'),
        ({"v": ("x", "y")}, '--group v=x,y: there is a column "v" too. Choose another name.'),
        ({"x": ("x", "y")}, 'there is a column "x" too'),
        ({"sin": ("x", "y")}, '"sin" is the name of an operator. Choose another name.'),
    ],
)
def test_a_group_that_cannot_be_gets_one_sentence(groups: dict[str, tuple[str, ...]], words: str) -> None:
    headers = (*METRES, "p [cm]", "v [m/s]")
    with pytest.raises(DataError) as caught:
        read(*headers, groups=groups)
    assert words in str(caught.value)
    with pytest.raises(DataError) as again:
        regrouped(read(*headers), ReadOptions(groups=groups))
    assert str(again.value) == str(caught.value)


@given(st.permutations(["q.x", "q.y", "q.z", "v.x", "v.y", "m"]))
def test_the_order_of_the_columns_does_not_matter(names: list[str]) -> None:
    data = read(*names)
    assert dict(data.vectors) == {"q": ("q_x", "q_y", "q_z"), "v": ("v_x", "v_y")}
    for name, group in data.vectors:
        for axis, symbol in zip("xyz", group, strict=False):
            assert parse(f"{name}.{axis}", data.symbols, dict(data.vectors)) == parse(symbol, data.symbols)


def test_trajectories_keep_their_vectors(tmp_path: Path) -> None:
    data = simulate("kepler", trajectories=4, samples=12)
    assert data.vectors == (("q", ("q_x", "q_y")), ("v", ("v_x", "v_y")))
    assert simulate("kepler", trajectories=4, samples=12, hints=False).vectors == ()
    for part in (data.pick([2, 0]), data.windows(5), data.thinned(6), *data.split(0.5, 0), *data.cut_at(0.5)):
        assert part.vectors == data.vectors
    assert data.digest() != replace(data, vectors=()).digest()
    write_csv(data, tmp_path / "kepler.csv")
    back, _ = read_tables_with_notes(tmp_path / "kepler.csv")
    assert back.vectors == data.vectors
    assert back.digest() == data.digest()
    with RunFile(tmp_path / "run.noether", create=True) as file:
        file.write_data(data, Settings(), [])
        assert file.read_data().vectors == data.vectors


def test_a_vector_without_one_of_its_columns_falls_away() -> None:
    data = read("q.x", "q.y", "v.x", "v.y")
    less = replace(
        data, names=data.names[:3], symbols=data.symbols[:3], units=data.units[:3],
        states=tuple(x[:, :3] for x in data.states),
    )  # fmt: skip
    assert less.vectors == (("q", ("q_x", "q_y")),)


def test_velocities_of_components_are_the_vectors_velocity() -> None:
    data = simulate("kepler", trajectories=3, samples=60, span=5.0)
    positions = replace(
        data, names=data.names[:2], symbols=data.symbols[:2], units=data.units[:2],
        states=tuple(x[:, :2] for x in data.states),
    )  # fmt: skip
    moving = with_velocities(positions)
    assert moving.vectors == (("q", ("q_x", "q_y")), ("q_dot", ("q_x_dot", "q_y_dot")))
    both = with_velocities(data)
    assert ("v_dot", ("v_x_dot", "v_y_dot")) in both.vectors


def test_a_check_says_what_the_vectors_are(tmp_path: Path) -> None:
    frame("q.x", "q.y").to_csv(tmp_path / "orbit.csv", index=False)
    assert check(tmp_path / "orbit.csv").summary["vectors"] == {"q": ["q_x", "q_y"]}
    assert "vectors" not in check(tmp_path / "orbit.csv", ReadOptions(dotted=False)).summary


def test_trajectories_that_are_given_can_be_regrouped() -> None:
    data = simulate("kepler", trajectories=6, samples=12)
    assert regrouped(data, ReadOptions(dotted=False)).vectors == ()
    assert regrouped(data, ReadOptions(groups={"r": ("q.x", "q_y")})).vectors == (
        ("r", ("q_x", "q_y")), ("v", ("v_x", "v_y")),
    )  # fmt: skip
    found = discover(data, groups={"q": ("q.y", "q.x")}, rank=False, jobs=1, max_nodes=3)
    assert found.vectors == {"q": ("q_y", "q_x"), "v": ("v_x", "v_y")}


def test_names_tell_vectors_by_themselves() -> None:
    units = simulate("kepler", trajectories=1, samples=3).units
    assert named_vectors(("q.X", "q.Y", "v.x", "v.y"), units)[0] == (("q", ("q_X", "q_Y")), ("v", ("v_x", "v_y")))
    assert named_vectors(("q.x", "q.y", "v.x", "v.y"), units, {"v.x"})[0] == (("q", ("q_x", "q_y")),)
