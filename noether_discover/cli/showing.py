"""What `discover`, `fit`, `rank` and `show` print of a discovery, what comes next, and the code they exit with."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..discovery import Discovery

NOTHING_CONSERVED = 3
LONGEST = 200
"""Characters of a command that is repeated; beyond, it is told in words."""


def show_discovery(found: Discovery, *, as_json: bool = False, quiet: bool = False) -> None:
    """On stdout: one JSON object, or tables, or (quiet) each law with its numbers on a line of its own, parseable."""
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
        return
    if quiet:
        for law in found.laws:
            click.echo(law["expression"])
        return
    from ..report.screen import answer_table

    put(answer_table(found.to_json()))


def put(parts: Iterable[RenderableType]) -> None:
    """On stdout, without the blanks that fill tables up to the width of a terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    with console.capture() as written:
        for part in parts:
            console.print(part)
    click.echo("\n".join(line.rstrip() for line in written.get().splitlines()), color=True)  # rich decided on them


def keep_and_next(
    found: Discovery, run: str | None, files: Sequence[str] = (), *, before: str = "", err: bool = False
) -> None:
    """The next two commands one would want, which can be run as they stand; without a run file, how to keep the run.
    before: of an earlier run in the file."""
    if run is not None:
        click.echo(f"run file: {run}{before}", err=err)
        commands = next_commands(run, bool(found.laws))
    else:
        keep = _same_command_kept(_free_name(files))
        if keep is None:
            click.echo("next: the same command with -o run.noether keeps the run", err=err)
            return
        click.echo("the run is not kept; this keeps it, for reports and exports:", err=err)
        commands = [keep]
    for number, command in enumerate(commands):
        click.echo(f"{'next:' if not number else '':<6}{command}", err=err)


def aside_for(run: str | None, resume: bool | None) -> str:
    """What to say of the laws of an earlier run whose name a new run takes; nothing where there are none."""
    from ..runs import aside_of, holds_laws

    if not run or resume or not Path(run).is_file() or not holds_laws(Path(run)):
        return ""
    return f" (the one before: {aside_of(Path(run))})"


def next_commands(run: str, has_laws: bool) -> list[str]:
    """A page to look at, and a table for a paper; where nothing was found, why."""
    place = f"./{run}" if run.startswith("-") else run
    stem = place.removesuffix(Path(place).suffix)
    page, table = f"{stem}.html", f"{stem}.tex"
    commands = [["report", place, "-o", page]]
    commands.append(["export", place, "--format", "latex", "-o", table] if has_laws else ["show", place, "--reasons"])
    return [shlex.join(["noether-discover", *command]) for command in commands]


def leave(found: Discovery) -> None:
    """End with the exit code that tells nothing from something."""
    if not found.laws or found.verdict in ("NONE", "UNDECIDED"):
        raise click.exceptions.Exit(NOTHING_CONSERVED)


def _free_name(files: Sequence[str]) -> str:
    stem = Path(files[0]).name.partition(".")[0] if files else ""
    name = f"{stem or 'run'}.noether"
    return name if not Path(name).exists() and not name.startswith("-") else "run.noether"


def _same_command_kept(name: str) -> str | None:
    """The command that was run, with a run file; None where it is too long to repeat, or is not this one."""
    return _repeated(["discover"], ["discover", "-o", name])


def next_of_check() -> None:
    """The search of what was looked at, where the command can be repeated."""
    command = _repeated(["data", "check"], ["discover"])
    if command is not None:
        click.echo(f"next: {command}")


def _repeated(begun: list[str], instead: list[str]) -> str | None:
    words = sys.argv[1:]
    if words[: len(begun)] != begun:
        return None
    command = shlex.join(["noether-discover", *instead, *words[len(begun) :]])
    return command if len(command) <= LONGEST and command.isprintable() else None
