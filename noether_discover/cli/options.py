"""The options that several commands share, and what they become."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .suggesting import Choice

if TYPE_CHECKING:
    from ..data.tables import ReadOptions
    from ..data.trajectories import Trajectories

Command = TypeVar("Command", bound=Callable[..., Any])


class SectionOption(click.Option):
    """An option that help shows under its section's title."""

    def __init__(self, *args: Any, section: str, **facts: Any) -> None:
        super().__init__(*args, **facts)
        self.section = section


def stacked(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Several click options as one decorator, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def a_place(ctx: click.Context, param: click.Parameter, path: str | None) -> str | None:
    """A click callback: where a file can be written. Told before any work is done, not after."""
    if path is None:
        return None
    target, option = Path(path), param.opts[0]
    if target.is_dir():
        raise click.UsageError(f'{option} "{path}" is a folder; name a file in it', ctx)
    if target.exists() and not target.is_file():  # renaming onto /dev/null would replace the device
        raise click.UsageError(f'{option} "{path}" is no plain file; choose another place', ctx)
    if not target.parent.is_dir():
        raise click.UsageError(f'{option} "{path}": there is no folder "{target.parent}"; make it first', ctx)
    return path


_reading = partial(click.option, cls=SectionOption, section="How the table is read")
_language = partial(click.option, cls=SectionOption, section="Which formulas are searched")
_judging = partial(click.option, cls=SectionOption, section="How they are fitted and judged")
_ranking = partial(click.option, cls=SectionOption, section="How they are ranked")

data_options = stacked(
    _reading("--trajectory", metavar="COLUMN", help="The trajectory column, if its name is unusual."),
    _reading("--time", metavar="COLUMN", help="The time column, if its name is unusual."),
    _reading("--inputs", metavar="LIST", default="", help="State columns, e.g. q,p; default: all that are left."),
    _reading("--unit", "units", metavar="COLUMN=UNIT", multiple=True, help="Give or correct a column's unit."),
    _reading(
        "--missing", type=Choice(["error", "drop-row", "split"]), default="error", show_default=True,
        help="What to do with missing values; split ends a piece of trajectory there.",
    ),
    _reading(
        "--angles", type=Choice(["auto", "strict", "pure"]), default="auto", show_default=True,
        help="strict: an angle is a dimension of its own and sinusoids take nothing else; pure: radians are numbers; "
        "auto: strict when some column carries an angle unit.",
    ),
    _reading(
        "--derivative", "rates", metavar="COLUMN=COLUMN", multiple=True,
        help="Say of two columns of the file that the second is the first one's time derivative: q=dqdt. Compare "
        "--derivatives, which makes columns.",
    ),
)  # fmt: skip

derived_options = stacked(
    _reading(
        "--derivatives", "velocities", is_flag=True,
        help="Add a column with the time derivative of every other: for files of positions only. Taken from the file "
        "where it gives them (--derivative), else computed from the samples; their noise counts in the verdict.",
    ),
    _reading("--with-time", is_flag=True, help="Let the time enter laws, as a column t: x - v*t."),
)  # fmt: skip

group_options = stacked(
    _reading(
        "--group", "groups", metavar="NAME=COLUMNS", multiple=True,
        help="Columns that are the components of a vector, e.g. q=x,y. Columns q.x, q.y are the vector q anyway.",
    ),
    _reading("--no-groups", is_flag=True, help="Columns q.x, q.y stay numbers; only --group makes vectors."),
)  # fmt: skip

grammar_options = stacked(
    _language(
        "--max-nodes", "--depth", "max_nodes", type=int, metavar="N", default=None,
        help="The largest whole formula, in nodes of its tree; default: up to 7 while they are few. --depth is the "
        'paper\'s word for the same number: its "depth 7" is seven nodes, p^2 - a cos(q).',
    ),
    _language(
        "--operators", metavar="LIST", default="",
        help="Operators, e.g. add,mul,square; +log adds one to the usual ones.",
    ),
    _language(
        "--parameter-units", metavar="LIST", default="inferred", show_default=True,
        help='Units that parameters can have, e.g. 1,kg*m; "inferred": whatever fits.',
    ),
    _language(
        "--form", type=Choice(["normal", "raw"]), default="normal", show_default=True,
        help="One formula per class of formulas conserved together, or every formula (the paper's).",
    ),
    _language(
        "--max-formulas", type=int, metavar="N", default=None,
        help="Stop before the node count that would exceed it; default: 200,000, and 2,000 without --max-nodes.",
    ),
)  # fmt: skip

search_options = stacked(
    _judging(
        "--filter", "rule", type=Choice(["noise", "paper"]), default="noise", show_default=True,
        help="noise: held-out data, random sequences and measurement noise; paper: a hundred times below random.",
    ),
    _judging(
        "--window", type=int, metavar="N", default=None,
        help="Judge windows of so many samples; 0: whole trajectories. Default: windows of about a period when there "
        "are fewer than 6 trajectories.",
    ),
    _judging(
        "--alpha", type=float, metavar="X", default=0.05, show_default=True,
        help="False-discovery rate: the share of the laws found as sums of terms that may be false.",
    ),
    _judging(
        "--share", type=float, metavar="X", default=0.5, show_default=True,
        help="Share of the trajectories that fit; the others judge.",
    ),
    _judging("--seed", type=int, metavar="N", default=0, show_default=True, help="Seed of everything random."),
)  # fmt: skip

rank_options = stacked(
    _ranking("--oracle", metavar="FORMULA", help="A known law with its numbers, ranked beside: 'p**2 - 3*cos(q)'."),
    _ranking(
        "--protocol", type=Choice(["projection", "paper"]), default="projection", show_default=True,
        help="How a law is enforced: by projecting the predicted motion, or by the paper's tailoring at nine rates.",
    ),
    _ranking(
        "--loss", "loss_form", type=Choice(["derivative", "euler"]), default="derivative", show_default=True,
        help="The Noether loss of --protocol paper: (grad g . f)^2, or the literal g(x) against g(x + f dt).",
    ),
    _ranking(
        "--keep", type=int, metavar="N", default=20, show_default=True,
        help="How many laws the network is trained with.",
    ),
    _ranking(
        "--epochs", type=int, metavar="N", default=100, show_default=True,
        help="Epochs of training with a law, and of the control.",
    ),
    _ranking(
        "--steps", type=int, metavar="N", default=2000, show_default=True, help="Training steps of the network."
    ),
)  # fmt: skip

latex_options = stacked(
    click.option(
        "--style", type=Choice(["plain", "booktabs", "siunitx"]),  # STYLES would import numpy for --help
        help="LaTeX: how the table looks and which packages it needs; default: booktabs.",
    ),
    click.option(
        "--symbol", "symbols", metavar="COLUMN=LATEX", multiple=True,
        help=r"LaTeX: a column's or vector's symbol, e.g. omega=\dot\theta; default: made of its name.",
    ),
)  # fmt: skip

resume_option = click.option(
    "--resume/--restart", "resume", default=None,
    help="Go on with the unfinished run in the run file, or begin anew. Without either, it is left alone. A "
    "finished one is kept as RUN.noether~.",
)  # fmt: skip
jobs_option = click.option(
    "--jobs", type=int, metavar="N", default=None, help="Processes; default: all cores. Changes nothing but the time."
)
cluster_option = click.option(
    "--cluster", metavar="ADDRESS",
    help="The workers of the Dask scheduler there, e.g. tcp://host:8786, instead of processes here.",
)  # fmt: skip
memory_option = click.option(
    "--memory", metavar="SIZE",
    help="What may be in use of the machine's memory, e.g. 4GB. Changes nothing but the time: fewer processes.",
)  # fmt: skip
work_options = stacked(jobs_option, cluster_option, memory_option)


def say_note(note: str) -> None:
    """A remark on stderr; on a terminal it breaks between words, in a pipe it is one line."""
    import shutil
    import sys
    import textwrap

    said = f"note: {note}"
    if sys.stderr.isatty():
        width = min(shutil.get_terminal_size().columns, 100)
        said = textwrap.fill(said, width, subsequent_indent="      ", break_on_hyphens=False)
    click.echo(said, err=True)


def read_options(options: dict[str, Any]) -> ReadOptions:
    """How the table is to be read; takes its own options out of `options`."""
    from ..data.tables import ReadOptions

    return ReadOptions(
        trajectory=options.pop("trajectory"),
        time=options.pop("time"),
        inputs=_list(options.pop("inputs"), "--inputs q,p"),
        units=_pairs(options.pop("units"), "--unit q=rad"),
        missing=options.pop("missing"),
        angles=options.pop("angles"),
        derivatives=_pairs(options.pop("rates"), "--derivative q=dqdt"),
        velocities=options.pop("velocities", False),
        with_time=options.pop("with_time", False),
        groups=_groups(options.pop("groups", ())),
        dotted=not options.pop("no_groups", False),
    )


def read(files: tuple[str, ...], options: dict[str, Any], quiet: bool) -> tuple[Trajectories, ReadOptions, bool]:
    """The trajectories in the files, how they were read, and whether angles are a dimension of their own; remarks go to
    stderr."""
    from ..data.tables import angles_are_strict, read_tables_with_notes

    how = read_options(options)
    trajectories, notes = read_tables_with_notes(files, how)
    for note in () if quiet else notes:
        say_note(note)
    return trajectories, how, angles_are_strict(trajectories, how)


def settings_from(options: dict[str, Any]) -> dict[str, Any]:
    """Options as fields of `Settings`; those that were not given are left out."""
    from noether_dsl.operators import DEFAULT_OPERATORS

    chosen = {name: value for name, value in options.items() if value is not None}
    if "operators" in chosen:
        names = _list(chosen.pop("operators"), "--operators add,mul,square, or +log")
        added = [name[1:] for name in names if name.startswith("+")]
        plain = [name for name in names if not name.startswith("+")]
        chosen["operators"] = tuple(dict.fromkeys([*(plain or DEFAULT_OPERATORS), *added]))
    if "parameter_units" in chosen:
        units = chosen.pop("parameter_units")
        chosen["parameter_units"] = None if units == "inferred" else _list(units, "--parameter-units 1,kg*m") or ("1",)
    return chosen


def _list(text: str, example: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",")) if text.strip() else ()
    if not all(names):
        raise click.UsageError(f'"{text}" names nothing between two commas; write {example}')
    return names


def _groups(texts: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    groups: dict[str, tuple[str, ...]] = {}
    for text in texts:
        ((name, columns),) = _pairs((text,), "--group q=x,y").items()
        if name in groups:
            raise click.UsageError(f'--group makes the vector "{name}" twice; give each a name of its own')
        groups[name] = _list(columns, "--group q=x,y")
    return groups


def _pairs(texts: tuple[str, ...], example: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        name, found, value = text.partition("=")
        if not found or not name.strip():
            raise click.UsageError(f'"{text}" cannot be read; write {example}')
        pairs[name.strip()] = value.strip()
    return pairs
