"""The commands. Each reads, calls, writes; there is no arithmetic here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from .completion import completion, systems
from .config import Configured, config_options
from .config import save_config as write_config
from .doctor import doctor
from .groups import QUIET, _Group
from .options import (
    a_place,
    data_options,
    derived_options,
    grammar_options,
    group_options,
    latex_options,
    rank_options,
    read,
    read_options,
    resume_option,
    say_note,
    search_options,
    settings_from,
    work_options,
)
from .reporting import plot, report
from .showing import NOTHING_CONSERVED, aside_for, keep_and_next, leave, next_of_check, put, show_discovery
from .suggesting import Choice
from .video import video

FILES = click.argument("files", nargs=-1, required=True, metavar="DATA...")
RUN = click.argument("run", metavar="RUN.noether")


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=False)
@click.version_option(package_name="noether-discover")
def group() -> None:
    """What is conserved along measured trajectories?

    Feed a CSV with a trajectory column, a time column and units in the header; get conserved quantities as formulas
    with units and uncertainties, ranked by whether enforcing them improves a learned predictor.

    \b
    Examples:
      noether-discover data make pendulum -o pendulum.csv
      noether-discover discover pendulum.csv
    """


@group.command(
    cls=Configured,
    short_help="All of it: enumerate, fit, filter, rank, print.",
    epilog="noether-discover discover pendulum.csv --no-rank\n"
    "noether-discover discover pendulum.csv -o run.noether --max-nodes 8\n"
    "noether-discover discover pendulum.csv -o run.noether --max-nodes 8 --resume\n"
    "noether-discover discover runs/*.csv --unit q=rad --oracle 'p**2 - 3*cos(q)'",
)
@FILES
@click.option("-o", "--output", metavar="RUN.noether", callback=a_place, help="Keep the run in a file.")
@click.option(
    "--rank/--no-rank", default=True, show_default=True, help="Rank the laws by what they do for a predictor."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--latex", metavar="FILE.tex", callback=a_place, help="Also write the table as a LaTeX document.")
@latex_options
@config_options
@resume_option
@QUIET
@data_options
@derived_options
@group_options
@grammar_options
@search_options
@rank_options
@work_options
def discover(
    files: tuple[str, ...],
    output: str | None,
    resume: bool | None,
    rank: bool,
    as_json: bool,
    latex: str | None,
    style: str | None,
    symbols: tuple[str, ...],
    save_config: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """All of it: enumerate, fit, filter, rank, and print what is conserved.

    DATA is a CSV, TSV or parquet file with units in its header, such as t [s],q [rad],p [kg*m/s]; several files are
    several trajectories. Exit code 0 when something is conserved, 3 when nothing is.
    """
    from ..discovery import run_stages
    from ..report.tex import check_names, read_symbols
    from ..settings import Settings
    from ..stages import Clock, grammar_of, oracle_quantity
    from . import progress
    from .signals import stopping

    if resume is not None and not output:
        raise click.UsageError("--resume and --restart are about a run file; name it with -o RUN.noether")
    if (style or symbols) and not latex:
        raise click.UsageError("--style and --symbol are about the LaTeX document; name it with --latex FILE.tex")
    chosen = read_symbols(symbols)
    options.pop("config")  # it was read before the options were
    clock = Clock()
    trajectories, reading, strict = read(files, options, quiet)
    check_names(chosen, {*trajectories.names, *trajectories.symbols, *(name for name, _ in trajectories.vectors)})
    settings = Settings(strict_angles=strict, **settings_from(options))
    grammar_of(trajectories, settings)  # what is misspelled is told now, before an old run file is replaced
    if settings.oracle is not None:
        oracle_quantity(settings.oracle, trajectories)
    if save_config:
        write_config(save_config, click.get_current_context())
    clock.lap("read")
    before = aside_for(output, resume)
    with progress.shown(quiet) as bars, stopping(bars) as (stop, tell):
        found = run_stages(
            trajectories, settings, clock=clock, rank=rank, run=output, resume=resume, sources=files,
            reading=reading, progress=tell, stop=stop,
        )  # fmt: skip
    if latex:
        from ..placing import write_whole

        write_whole(latex, found.to_latex(standalone=True, style=style or "booktabs", symbols=chosen))
    show_discovery(found, as_json=as_json, quiet=quiet)
    if not quiet:
        for name, path in (("LaTeX", latex), ("options", save_config)):
            if path:
                click.echo(f"{name}: {path}", err=as_json)
        if output or not as_json:
            keep_and_next(found, output, files, before=before, err=as_json)
    leave(found)


@group.command(
    "enumerate",
    short_help="Every formula for these columns and units, each once.",
    epilog="noether-discover enumerate pendulum.csv --count\nnoether-discover enumerate pendulum.csv -o run.noether",
)
@FILES
@click.option("-o", "--output", metavar="RUN.noether", callback=a_place, help="The run file to begin.")
@click.option("--count", "only_count", is_flag=True, help="Print how many formulas there are by nodes, and stop.")
@click.option("--list", "show", is_flag=True, help="Print the formulas, one a line.")
@resume_option
@QUIET
@data_options
@derived_options
@group_options
@grammar_options
@search_options
@work_options
def enumerate_(
    files: tuple[str, ...],
    output: str | None,
    only_count: bool,
    show: bool,
    resume: bool | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Every formula of the language for these columns and units, each once."""
    from ..settings import Settings
    from ..stages import Clock, enumerated
    from . import progress

    if not (output or only_count or show):
        raise click.UsageError("say what to do with the formulas: -o RUN.noether, --count or --list")
    trajectories, reading, strict = read(files, options, quiet)
    settings = Settings(strict_angles=strict, **settings_from(options))
    before = aside_for(output, resume)
    clock = Clock()
    with progress.shown(quiet) as tell:
        enumeration = enumerated(trajectories, settings, tell)
    clock.lap("enumerate")
    if output:
        from ..discovery import begun

        with begun(output, trajectories, settings, resume, files, reading) as file:
            if not file.has("enumerate"):
                file.write_enumeration(enumeration, clock.seconds["enumerate"])
            if file.unfinished == "enumerate":
                file.finished()
    if show:
        for formula in enumeration.formulas:
            click.echo(str(formula))
        return
    from ..report.screen import counts_table

    counts = [
        (n + 1, raw, enumeration.searched[n] if n < len(enumeration.searched) else 0)
        for n, raw in enumerate(enumeration.raw)
    ]
    put([counts_table(counts, settings.form)])
    if output:
        click.echo(f"run file: {output}{before}   next: noether-discover fit {output}")


@group.command(epilog="noether-discover fit run.noether --filter paper\nnoether-discover fit run.noether --resume")
@RUN
@resume_option
@QUIET
@search_options
@work_options
@click.pass_context
def fit(ctx: click.Context, run: str, resume: bool | None, quiet: bool, **options: Any) -> None:
    """Fit the formulas of a run file and judge them."""
    from ..discovery import fit_again
    from . import progress
    from .signals import stopping

    with progress.shown(quiet) as bars, stopping(bars) as (stop, tell):
        found = fit_again(run, settings_from(_given(ctx, options)), tell, resume=resume, stop=stop)
    show_discovery(found, quiet=quiet)
    if not quiet:
        click.echo(f"run file: {run}   next: noether-discover rank {run}")
    leave(found)


@group.command(
    short_help="Rank the laws of a run file by what they do for a predictor.",
    epilog="noether-discover rank run.noether --oracle 'p**2 - 3*cos(q)'",
)
@RUN
@resume_option
@QUIET
@click.option("--seed", type=int, metavar="N", default=0, help="Seed of everything random; default: the run's own.")
@rank_options
@work_options
@click.pass_context
def rank(ctx: click.Context, run: str, resume: bool | None, quiet: bool, **options: Any) -> None:
    """Rank the laws of a run file by what enforcing them does for a learned predictor."""
    from ..discovery import rank_again
    from . import progress
    from .signals import stopping

    with progress.shown(quiet) as bars, stopping(bars) as (stop, tell):
        found = rank_again(run, settings_from(_given(ctx, options)), tell, resume=resume, stop=stop)
    show_discovery(found, quiet=quiet)
    if not quiet:
        keep_and_next(found, run)
    leave(found)


@group.command(
    short_help="Write the laws as a table or as code.",
    epilog="noether-discover export run.noether --format latex --standalone -o table.tex\n"
    "noether-discover export run.noether --symbol 'omega=\\dot\\theta'\n"
    "noether-discover export run.noether --citation -o references.bib\n"
    "noether-discover export run.noether --format python > laws.py\n"
    "noether-discover export run.noether --format torch -o laws.py",
)
@RUN
@click.option(
    "--format",
    "kind",
    type=Choice(["latex", "csv", "json", "markdown", "python", "torch"]),  # FORMATS would import numpy for --help
    default="latex",
    show_default=True,
    help="What to write; python gives numpy functions, torch gives modules.",
)
@click.option("--standalone", is_flag=True, help="LaTeX: a whole document that compiles with pdflatex.")
@latex_options
@click.option("--citation", is_flag=True, help="Write BibTeX of this tool and of its paper instead of the laws.")
@click.option("-o", "--output", metavar="FILE", callback=a_place, help="Write there instead of to the screen.")
def export(
    run: str,
    kind: str,
    standalone: bool,
    style: str | None,
    symbols: tuple[str, ...],
    citation: bool,
    output: str | None,
) -> None:
    """Write the laws: as a table with their ranking, or as Python code with units in its docstrings."""
    from ..discovery import load
    from ..placing import write_whole
    from ..report.export import FORMATS
    from ..report.latex import citation as bibtex
    from ..report.tex import read_symbols

    for option, given in {"--standalone": standalone, "--style": style, "--symbol": symbols}.items():
        if given and (kind != "latex" or citation):
            raise click.UsageError(f"{option} is for --format latex{', without --citation' if citation else ''}")
    chosen = read_symbols(symbols)
    found = load(run)
    if citation:
        written = bibtex()
    elif kind == "latex":
        written = found.to_latex(standalone=standalone, style=style or "booktabs", symbols=chosen)
    else:
        written = FORMATS[kind][1](found.to_json())
    if output:
        write_whole(output, written)
        click.echo(f"written: {output}")
    else:
        click.echo(written, nl=False)


@group.command(epilog="noether-discover show run.noether --json\nnoether-discover show run.noether --provenance")
@RUN
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--reasons", "why", is_flag=True, help="Count the formulas by verdict and reason.")
@click.option(
    "--provenance", "whence", is_flag=True, help="Versions, seed, command, data and their digest, machine, settings."
)
def show(run: str, as_json: bool, why: bool, whence: bool) -> None:
    """Show what a run file holds."""
    from ..runs import RunFile

    if whence:
        with RunFile(run) as file:
            facts = file.provenance()
        if as_json:
            click.echo(json.dumps(facts, indent=2))
        else:
            from ..report.screen import provenance_lines

            click.echo("\n".join(provenance_lines(facts)))
        return
    with RunFile(run) as file:
        fitted = file.has("fit")
        counts, form = file.counts(), file.settings().form
        reasons = file.reasons() if why else []
    if why:
        from ..report.screen import reasons_table

        put([reasons_table(reasons)])
        return
    if not fitted and not as_json:
        from ..report.screen import counts_table

        put([counts_table(counts, form)])
        click.echo(f"nothing was fitted yet   next: noether-discover fit {run}")
        return
    from ..discovery import load

    show_discovery(load(run), as_json=as_json)


@group.command(
    short_help="Compute the laws of a run file anew from data.",
    epilog="noether-discover verify run.noether pendulum.csv\nnoether-discover verify run.noether tomorrow.csv --json",
)
@RUN
@FILES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def verify(run: str, files: tuple[str, ...], as_json: bool) -> None:
    """Compute every law that a run file reports anew from DATA, and say whether its figures still hold.

    DATA are read as the run's own data were. From the same data the figures must be the same; on other data of the same
    columns a law holds where its verdict would be given again. Exit code 0 when all hold, 1 when one does not, 3 when
    the run has no law.
    """
    from ..verification import verify as verified

    found = verified(run, list(files))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        from ..report.screen import verification_table

        put(verification_table(found.to_json()))
    if not found.laws:
        raise click.exceptions.Exit(NOTHING_CONSERVED)
    if not found.holds:
        raise click.exceptions.Exit(1)


@group.command(
    short_help="Forecast from first states with the laws of a run file.",
    epilog="noether-discover predict run.noether starts.csv -o forecast.csv\n"
    "noether-discover predict run.noether starts.csv --until 9 --step 0.1 -o f.csv",
)
@RUN
@FILES
@click.option("-o", "--output", metavar="FILE.csv", required=True, callback=a_place, help="Where to write it.")
@click.option(
    "--method",
    type=Choice(["auto", "projection", "structured"]),
    default="auto",
    show_default=True,
    help="How the laws are enforced: by projecting a network's motion, or by dynamics written with the law.",
)
@click.option(
    "--until", type=float, metavar="T", help="Time that each forecast covers at most; default: the data's own times."
)
@click.option("--step", type=float, metavar="H", help="Time between its samples; default: the data's typical step.")
@click.option("--seed", type=click.IntRange(min=0), metavar="N", help="Of the network; default: the run's own.")
@QUIET
@data_options
def predict(
    run: str,
    files: tuple[str, ...],
    output: str,
    method: str,
    until: float | None,
    step: float | None,
    seed: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Forecast from the first state of every trajectory in DATA, with the laws of a run file enforced.

    A network learns the run's data (half a minute); DATA may hold one row per trajectory, its first state. The forecast
    has the run's columns and units, with the laws (where they help on the run's own data) and, as "plain", those of the
    network without them.
    """
    from ..forecasts import forecast
    from ..placing import write_whole
    from ..report.wording import short
    from . import progress

    if any(Path(output).exists() and Path(output).samefile(file) for file in (run, *files) if Path(file).exists()):
        raise click.UsageError(f'-o "{output}" would replace what is read; choose another name')
    with progress.shown(quiet) as tell:
        found = forecast(
            run, files, method=method, until=until, step=step, seed=seed, options=read_options(options), progress=tell
        )
    for note in () if quiet else found.notes:
        say_note(note)
    write_whole(output, found.to_frame().to_csv(index=False, lineterminator="\n"))
    if quiet:
        return
    tried = ", ".join(f"{name} {short(error)}" for name, error in sorted(found.errors.items(), key=lambda e: e[1]))
    many = "" if len(found.times) == 1 else "s"
    click.echo(f"{len(found.times)} forecast{many}, {sum(map(len, found.times))} samples: {output}")
    if found.method == "plain":
        click.echo("no law is enforced: training rollouts are better without; --method projection enforces them anyway")
    else:
        click.echo(f"the laws are enforced by {found.method}")
    click.echo(f"error of training rollouts, in the columns' deviations: {tried}")
    if found.fallbacks:
        click.echo(
            f"at {found.fallbacks:,} of {found.asked:,} states a law could not be enforced (undefined or flat there); "
            "the plain prediction stood"
        )


group.add_command(completion)
group.add_command(doctor)
group.add_command(report)
group.add_command(plot)
group.add_command(video)


@group.group(cls=_Group)
def data() -> None:
    """Look at data, or make some."""


@data.command(
    short_help="Report what is wrong or noteworthy in a file.",
    epilog="noether-discover data check pendulum.csv\nnoether-discover data check runs/*.csv --missing split",
)
@FILES
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@data_options
@derived_options
@group_options
def check(files: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Report everything that is wrong or noteworthy in a file, without running anything."""
    from ..data.checks import check as checked

    found = checked(list(files), read_options(options))
    if as_json:
        click.echo(json.dumps({"problems": found.problems, "notes": found.notes, "summary": found.summary}, indent=2))
    else:
        for problem in found.problems:
            click.echo(f"problem: {problem}")
        for note in found.notes:
            click.echo(f"note: {note}")
        if found.summary:
            from ..report.screen import data_summary

            put(data_summary(found.summary))
            click.echo(f"nothing is wrong with it{'' if not found.notes else ', but see the notes'}")
            next_of_check()
    if found.problems:
        raise click.exceptions.Exit(2)


@data.command(
    short_help="Simulate a system whose laws are known.",
    epilog="noether-discover data make pendulum -o pendulum.csv\n"
    "noether-discover data make spring_hnn --noise 0.1 --seed 1 -o spring.csv\n"
    "noether-discover data make kepler --relative-noise 0.05 --plain -o kepler.csv",
)
@click.argument("system", shell_complete=systems)
@click.option("-o", "--output", metavar="FILE.csv", required=True, callback=a_place, help="Where to write it.")
@click.option(
    "--noise",
    type=float,
    metavar="X",
    default=0.0,
    show_default=True,
    help="Standard deviation of Gaussian noise, in the columns' units.",
)
@click.option(
    "--relative-noise", type=float, metavar="X", default=0.0, show_default=True,
    help="The same as a share of each column's standard deviation, e.g. 0.05.",
)  # fmt: skip
@click.option("--plain", is_flag=True, help="No hints: no units in the header, and x instead of q.x.")
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="N", default=0, show_default=True, help="Of starts and noise."
)
@click.option(
    "--trajectories", type=click.IntRange(min=1), metavar="N", help="How many; default: the system's own number."
)
@click.option(
    "--samples", type=click.IntRange(min=3), metavar="N", help="Samples in each; default: the system's own number."
)
@click.option("--span", type=float, metavar="X", help="Time that each covers; default: the system's own.")
def make(system: str, output: str, plain: bool, **options: Any) -> None:
    """Simulate a system whose laws are known; `data list` has them all.

    The paper's two are pendulum_hnn and spring_hnn.
    """
    from ..data.systems import simulate
    from ..data.writing import write_csv

    trajectories = simulate(system, hints=not plain, **options)
    write_csv(trajectories, output)
    click.echo(f"{len(trajectories)} trajectories, {trajectories.samples} samples: {output}")
    click.echo(f"next: noether-discover discover {output}")


@data.command(
    "list",
    short_help="List the systems whose laws are known.",
    epilog="noether-discover data list\nnoether-discover data list kepler lorenz --json",
)
@click.argument("systems", nargs=-1, metavar="[SYSTEM]...", shell_complete=systems)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def list_systems(systems: tuple[str, ...], as_json: bool) -> None:
    """List the systems that `data make` simulates, with their laws; all of them, or those that are named."""
    from ..data.systems import names, system_named
    from .listing import facts, paragraphs

    rows = [system_named(name) for name in systems or names()]
    if as_json:
        click.echo(json.dumps({"systems": [facts(row) for row in rows]}, indent=2))
    else:
        click.echo("\n\n".join(paragraphs(row) for row in rows))


def _given(ctx: click.Context, options: dict[str, Any]) -> dict[str, Any]:
    """The options that were written on the command line; the run file knows the others."""
    default = click.core.ParameterSource.DEFAULT
    return {name: value for name, value in options.items() if ctx.get_parameter_source(name) != default}
