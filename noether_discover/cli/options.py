"""The options that several commands share, and what they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from ..data.tables import ReadOptions
    from ..data.trajectories import Trajectories

Command = TypeVar("Command", bound=Callable[..., Any])


def stacked(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several click options as one decorator, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


data_options = stacked(
    click.option("--trajectory", metavar="COLUMN", help="The trajectory column, if its name is unusual."),
    click.option("--time", metavar="COLUMN", help="The time column, if its name is unusual."),
    click.option("--inputs", metavar="Q,P", default="", help="State columns to use; default: all that are left."),
    click.option("--unit", "units", metavar="COLUMN=UNIT", multiple=True, help="Give or correct a column's unit."),
    click.option(
        "--missing", type=click.Choice(["error", "drop-row", "split"]), default="error", show_default=True,
        help="What to do with missing values; split ends a piece of trajectory there.",
    ),
    click.option(
        "--angles", type=click.Choice(["auto", "strict", "pure"]), default="auto", show_default=True,
        help="strict: an angle is a dimension of its own and sinusoids take nothing else; pure: radians are numbers; "
        "auto: strict when some column carries an angle unit.",
    ),
    click.option("--derivative", "rates", metavar="COLUMN=COLUMN", multiple=True, help="q=dqdt: a column's given time derivative."),
)  # fmt: skip

grammar_options = stacked(
    click.option(
        "--max-nodes", "--depth", "max_nodes", type=int, default=7, show_default=True,
        help="The largest formula, in nodes of its tree. --depth is the paper's word for the same number: its "
        '"depth 7" is seven nodes, p^2 - a cos(q).',
    ),
    click.option("--operators", metavar="LIST", default="", help="Comma-separated operators; +log adds to the default ones."),
    click.option(
        "--parameter-units", metavar="inferred|LIST", default="inferred", show_default=True,
        help="Units that parameters can have: whatever fits, or a comma-separated list.",
    ),
    click.option(
        "--form", type=click.Choice(["normal", "raw"]), default="normal", show_default=True,
        help="One formula per class of formulas conserved together, or every formula (the paper's).",
    ),
    click.option("--max-formulas", type=int, default=200_000, show_default=True, help="Stop before the node count that would exceed it."),
)  # fmt: skip

search_options = stacked(
    click.option(
        "--filter", "rule", type=click.Choice(["noise", "paper"]), default="noise", show_default=True,
        help="noise: held-out data, random sequences and measurement noise; paper: a hundred times below random.",
    ),
    click.option("--window", type=int, default=None, help="Judge windows of so many samples; 0: whole trajectories. Default: windows of about a period when there are fewer than 6 trajectories."),
    click.option("--share", type=float, default=0.5, show_default=True, help="Share of the trajectories that fit; the others judge."),
    click.option("--seed", type=int, default=0, show_default=True, help="Seed of everything random."),
)  # fmt: skip

rank_options = stacked(
    click.option("--oracle", metavar="FORMULA", help='A known law with its numbers, ranked beside: "p**2 - 3*cos(q)".'),
    click.option(
        "--loss", "loss_form", type=click.Choice(["derivative", "euler"]), default="derivative", show_default=True,
        help="The Noether loss: (grad g . f)^2, or the paper's literal g(x) against g(x + f dt).",
    ),
    click.option("--keep", type=int, default=20, show_default=True, help="How many laws are meta-tailored."),
    click.option("--epochs", type=int, default=100, show_default=True, help="Epochs of meta-tailoring, and of the control."),
    click.option("--steps", type=int, default=2000, show_default=True, help="Training steps of the network."),
)  # fmt: skip

jobs_option = click.option("--jobs", type=click.IntRange(min=1), default=None, help="Processes; default: all cores. Changes nothing but the time.")  # fmt: skip

GIVEN = click.core.ParameterSource.DEFAULT


def read_options(options: dict[str, Any]) -> ReadOptions:
    """How the table is to be read; takes its own options out of `options`."""
    from ..data.tables import ReadOptions

    return ReadOptions(
        trajectory=options.pop("trajectory"),
        time=options.pop("time"),
        inputs=tuple(name.strip() for name in options.pop("inputs").split(",") if name.strip()),
        units=_pairs(options.pop("units"), "--unit q=rad"),
        missing=options.pop("missing"),
        angles=options.pop("angles"),
        derivatives=_pairs(options.pop("rates"), "--derivative q=dqdt"),
    )


def read(files: tuple[str, ...], options: dict[str, Any]) -> tuple[Trajectories, bool]:
    """The trajectories in the files, and whether angles are a dimension of their own; remarks go to stderr."""
    from ..data.tables import angles_are_strict, read_tables_with_notes

    how = read_options(options)
    trajectories, notes = read_tables_with_notes(files, how)
    for note in notes:
        click.echo(f"note: {note}", err=True)
    return trajectories, angles_are_strict(trajectories, how)


def settings_from(options: dict[str, Any]) -> dict[str, Any]:
    """Options as fields of `Settings`; those that were not given are left out."""
    from noether_dsl.operators import DEFAULT_OPERATORS

    chosen = {name: value for name, value in options.items() if value is not None}
    if "operators" in chosen:
        names = [name.strip() for name in chosen.pop("operators").split(",") if name.strip()]
        added = [name[1:] for name in names if name.startswith("+")]
        plain = [name for name in names if not name.startswith("+")]
        chosen["operators"] = tuple(dict.fromkeys([*(plain or DEFAULT_OPERATORS), *added]))
    if "parameter_units" in chosen:
        units = chosen.pop("parameter_units")
        chosen["parameter_units"] = None if units == "inferred" else tuple(u.strip() for u in units.split(","))
    return chosen


def _pairs(texts: tuple[str, ...], example: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name.strip():
            raise click.UsageError(f'"{text}" cannot be read; write {example}')
        pairs[name.strip()] = value.strip()
    return pairs
