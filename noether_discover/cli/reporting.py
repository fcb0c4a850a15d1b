"""`report` and `plot`: a run as a page, and its pictures one by one."""

from __future__ import annotations

import click

from .groups import _Command
from .options import a_place
from .suggesting import Choice

RUN = click.argument("run", metavar="RUN.noether")
DATA = click.argument("files", nargs=-1, metavar="[DATA]...")


@click.command(
    cls=_Command,
    short_help="Write a run as one HTML page with pictures.",
    epilog="noether-discover report run.noether -o report.html\n"
    "noether-discover report run.noether tomorrow.csv -o report.html",
)
@RUN
@DATA
@click.option("-o", "--output", metavar="FILE.html", required=True, callback=a_place, help="Where to write it.")
def report(run: str, files: tuple[str, ...], output: str) -> None:
    """Write a run as one HTML page that needs nothing else: no network, no script.

    It holds the laws with their figures, pictures and tables of them, what was searched, and where everything came
    from. The run file keeps its data; DATA of the same columns are drawn instead where they are given, and the page
    says whether they are the same.
    """
    from ..reporting import write_report

    write_report(run, output, list(files) or None)
    click.echo(f"written: {output}")


@click.command(
    cls=_Command,
    short_help="Draw one picture of a run as PDF, SVG or PNG.",
    epilog="noether-discover plot run.noether --kind conservation -o law.pdf\n"
    "noether-discover plot run.noether --kind levels --width single -o l.svg\n"
    "noether-discover plot run.noether --kind pareto --width 5.5 -o pareto.png",
)
@RUN
@DATA
@click.option(
    "--kind",
    type=Choice(["conservation", "levels", "pareto", "rollout"]),
    default="conservation",
    show_default=True,
    help="A law along trajectories; its level sets; everything that was searched; the error of predictors over time.",
)
@click.option("--law", type=int, metavar="N", help="Which law; default: the first that has such a picture.")
@click.option(
    "--width", default="double", show_default=True, metavar="WIDTH", help="single (89 mm), double (183 mm), or inches."
)
@click.option("-o", "--output", metavar="FILE.pdf", required=True, callback=a_place, help="Where: .pdf, .svg or .png.")
def plot(run: str, files: tuple[str, ...], kind: str, law: int | None, width: str, output: str) -> None:
    """Draw one picture of a run for a paper. The same run gives the same file, byte for byte.

    Laws are drawn on the run's own data, or on DATA of the same columns.
    """
    from ..reporting import write_plot

    write_plot(run, output, kind, list(files) or None, law=law, width=width)
    click.echo(f"written: {output}")
