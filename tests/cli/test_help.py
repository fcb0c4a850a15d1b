"""Help: every command explains itself, shows an example that it accepts, and imports nothing heavy to do so."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from noether_discover.cli.commands import group

HEAVY = ("torch", "numpy", "scipy", "pandas", "pint", "sympy", "joblib", "matplotlib", "rich")


def paths(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command by its words, the group's own () first."""
    yield path
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from paths(inner, (*path, name))


def command_at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = group
    for name in path:
        assert isinstance(command, click.Group)
        command = command.commands[name]
    return command


ALL = list(paths(group))
LEAVES = [path for path in ALL if not isinstance(command_at(path), click.Group)]


@pytest.mark.parametrize("path", ALL, ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_fits_eighty_columns(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...], option: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    found = told(*path, option)
    assert (found.code, found.err) == (0, "")
    assert found.out.startswith(f"Usage: {' '.join(('noether-discover', *path))} [OPTIONS]")
    assert max(len(line) for line in found.out.splitlines()) <= 80
    assert "..." not in found.out.partition("Commands:")[2], "a summary is cut short"


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_example_is_shown_on_one_line_and_can_be_read(
    told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, path: tuple[str, ...]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    command = command_at(path)
    assert command.epilog
    shown = told(*path, "--help").out.splitlines()
    for example in command.epilog.splitlines():
        assert f"  {example}" in shown
        words = shlex.split(example.partition(">")[0])
        assert words[: 1 + len(path)] == ["noether-discover", *path]
        command.make_context(path[-1], words[1 + len(path) :], resilient_parsing=False)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_says_what_it_does(path: tuple[str, ...]) -> None:
    command = command_at(path)
    options = [param for param in command.params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert command.help


def test_the_paper_s_word_for_nodes_is_accepted_and_explained(told: Callable[..., Any]) -> None:
    help_text = " ".join(told("discover", "--help").out.split())
    assert "--depth" in help_text
    assert "the paper's word for the same number" in help_text


def test_a_group_alone_shows_its_commands(told: Callable[..., Any]) -> None:
    assert "discover" in told("--help").out
    assert "check" in told("data", "--help").out


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["discover", "--help"], ["data", "make", "--help"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    program = (
        "import sys\n"
        "from noether_discover.cli import main\n"
        f"sys.argv = ['noether-discover', *{words!r}]\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert stop.code == 0\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "HEAVY []"
