"""`doctor`: whether this installation works, as `health` finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from .groups import _Command

if TYPE_CHECKING:
    from ..health import Finding

BROKEN = 1
WIDTH = 80


@click.command(
    cls=_Command,
    short_help="Versions, threads, memory, extras and a self test.",
    epilog="noether-discover doctor\nnoether-discover doctor --json --no-self-test",
)
@click.option(
    "--self-test/--no-self-test", "test", default=True, show_default=True,
    help="Also discover a known law, and none where there is none (ten seconds).",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(test: bool, as_json: bool) -> None:
    """Say whether this installation works: versions, threads, memory, optional parts, and a self test.

    The self test discovers the energy of a simulated spring, keeps it in a run file and reads it back, and finds
    nothing in a damped oscillator. Exit code 0 when all is well, 1 when something is broken.
    """
    found = []
    for finding in _findings(test):
        found.append(finding)
        if not as_json:
            click.echo(_line(finding))
    broken = [finding.name for finding in found if finding.state == "broken"]
    if as_json:
        click.echo(json.dumps({"broken": broken, "findings": [asdict(finding) for finding in found]}, indent=2))
    else:
        click.echo(f"broken: {', '.join(broken)}" if broken else "all is well" if test else "nothing is missing")
    if broken:
        raise click.exceptions.Exit(BROKEN)


def _findings(test: bool) -> Iterator[Finding]:
    from .. import health

    yield from health.versions()
    yield from health.extras()
    yield from health.machine()
    if test:
        yield from health.self_test()


def _line(finding: Finding) -> str:
    import textwrap

    from ..errors import one_line

    indent = " " * 27
    title = f"{finding.state:<7}{finding.name:<20}"
    return textwrap.fill(one_line(finding.says), WIDTH, initial_indent=title, subsequent_indent=indent)
