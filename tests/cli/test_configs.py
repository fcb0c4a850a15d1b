"""`--config` and `--save-config`: every option is a key, and what is saved is what is read."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noether_discover.cli.commands import discover, group
from noether_discover.cli.config import THEMSELVES, config_text, key_of, keys_of, read_config

PENDULUM = Path(__file__).parents[2] / "noether_discover" / "data" / "examples" / "pendulum.csv"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def values_of(param: click.Parameter) -> st.SearchStrategy[Any]:
    """What click can give for a parameter."""
    if isinstance(param, click.Option) and param.is_flag:
        return st.booleans() if param.name != "resume" else st.none() | st.booleans()
    if isinstance(param, click.Argument) or param.multiple:
        return st.lists(TEXT, max_size=3).map(tuple)
    if isinstance(param.type, click.Choice):
        return st.sampled_from(list(param.type.choices))
    if isinstance(param.type, click.types.IntParamType):
        return st.none() | st.integers()
    if isinstance(param.type, click.types.FloatParamType):
        return st.none() | st.floats(allow_nan=False)
    return st.none() | TEXT


ALL = st.fixed_dictionaries({str(p.name): values_of(p) for p in keys_of(discover).values()})


@settings(max_examples=60, deadline=None)
@given(ALL)
def test_what_is_saved_is_what_is_read_for_every_option(tmp_path_factory: Any, values: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("config") / "run.toml"
    path.write_text(config_text(discover, values), encoding="utf-8", newline="")
    found = read_config(str(path), discover)
    wanted = {name: list(v) if isinstance(v, tuple) else v for name, v in values.items() if v is not None}
    assert found == wanted
    assert [type(found[name]) for name in found] == [type(wanted[name]) for name in found]


def test_every_option_of_the_command_line_is_a_key_of_its_own() -> None:
    params = [param for param in discover.params if param.name not in THEMSELVES]
    assert len(keys_of(discover)) == len(params) > 30
    for param in params:
        assert param.opts[0] == "files" or f"--{key_of(param)}" in param.opts


def parsed(words: list[str]) -> dict[str, Any]:
    return discover.make_context("discover", words, parent=click.Context(group)).params


def test_the_command_line_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        f'data = ["{PENDULUM.as_posix()}"]\nmax-nodes = 5\nrank = false\nseed = 3\nunit = ["q=rad"]\n'
        'inputs = ["q", "p"]\n'
    )
    found = parsed(["--config", str(file), "--seed", "4", "--unit", "p=kg*m/s"])
    assert (found["max_nodes"], found["rank"], found["seed"]) == (5, False, 4)
    assert (found["units"], found["inputs"], found["files"]) == (("p=kg*m/s",), "q,p", (PENDULUM.as_posix(),))
    assert parsed(["--config", str(file), "--rank", "other.csv"])["rank"]
    assert parsed(["other.csv", "--config", str(file)])["files"] == ("other.csv",)
    assert parsed(["--config", str(file)])["alpha"] == 0.05


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("max-node = 3", 'line 1: there is no option "max-node"; did you mean "max-nodes"?'),
        ("\n\nmax_nodes = 3", 'line 3: there is no option "max_nodes"; did you mean "max-nodes"?'),
        ("no-rank = true", 'line 1: there is no option "no-rank"; write rank = false'),
        ("depth = 3", 'there is no option "depth"; its key is "max-nodes"'),
        ('config = "x"', 'there is no option "config"; it is for the command line only'),
        ("zzz = 1", 'there is no option "zzz"; the keys are data, output'),
        ("seed = 1.5", 'line 1: "seed" is a whole number, not 1.5'),
        ("seed = true", 'line 1: "seed" is a whole number, not true'),
        ('rank = "no"', "\"rank\" is true or false, not 'no'"),
        ('unit = "q=rad"', '"unit" is a list of texts'),
        ("[keep]\nx = 1", 'line 1: "keep" is a whole number, not a table'),
        ('form = "norml"', "'norml' is not one of 'normal', 'raw'; did you mean \"normal\"?"),
        ("seed = ", "this is no TOML: Invalid value"),
        ("a = 1\na = 2", "this is no TOML"),
        ("data = " + "[" * 3000, "this is no TOML"),
        (b"\xff\xfe", "no UTF-8 text (byte 0)"),
    ],
)
def test_a_bad_file_is_one_sentence_with_the_place(
    told: Callable[..., Any], tmp_path: Path, text: str | bytes, says: str
) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = told("discover", "--config", file, PENDULUM)
    assert (found.code, found.out, len(found.errors)) == (2, "", 1)
    assert f"--config {file}" in found.errors[0]
    assert says in found.errors[0]


def test_a_file_that_is_not_there_is_said(told: Callable[..., Any], tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        found = told("discover", "--config", path)
        assert (found.code, len(found.errors)) == (2, 1)
        assert "cannot be read" in found.errors[0]


def test_a_saved_file_is_the_command_and_nothing_is_saved_when_it_cannot_run(
    told: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "run.toml"
    bad = told("discover", PENDULUM, "--save-config", file, "--operators", "sine")
    assert (bad.code, file.exists()) == (2, False)
    words = ["discover", PENDULUM, "--no-rank", "--max-nodes", "3", "--quiet", "--jobs", "1"]
    first = told(*words, "--save-config", file)
    assert tomllib.loads(file.read_text())["max-nodes"] == 3
    again = told("discover", "--config", file)
    assert (again.code, again.out) == (first.code, first.out) == (0, "p**2 - 3*cos(q)\n")
