"""The commands of the video mode. Each reads, calls, writes; there is no arithmetic here."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from .groups import QUIET, _Group
from .showing import put
from .suggesting import Choice
from .video_data import data

INTERRUPTED = 130
RUN = click.argument("run", metavar="RUNDIR")
DEVICE = click.option("--device", metavar="cpu|cuda", help="Where it runs; default: as the configuration says.")
ARM = click.option(
    "--arm",
    type=Choice(["noether", "random", "free"]),
    default="noether",
    show_default=True,
    help="Whose embedding.",
)


@click.group("video", cls=_Group, short_help="The same for video: an embedding that is conserved.")
def video() -> None:
    """What is conserved in video, and what it is worth to a predictor.

    A network learns which quantity of the frames is conserved, and predictions are corrected towards conserving it.

    \b
    Examples:
      noether-discover video train pendulum_small -o pendulum
      noether-discover video evaluate pendulum
    """


video.add_command(data)


@video.command(
    short_help="Train a base predictor and the arms beside it.",
    epilog="noether-discover video train pendulum_small -o pendulum\n"
    "noether-discover video train my.toml --set inner.rate=1e-4 -o run1",
)
@click.argument("config")
@click.option("-o", "--output", "run", metavar="RUNDIR", required=True, help="The folder of the run.")
@click.option(
    "--set", "sets", metavar="KEY=VALUE", multiple=True, help="A key of the configuration, such as base.steps=300."
)
@DEVICE
@click.option("--restart", is_flag=True, help="Delete what was trained in RUNDIR, and begin again.")
@QUIET
def train(config: str, run: str, sets: tuple[str, ...], device: str | None, restart: bool, quiet: bool) -> None:
    """Train what a configuration names: a base predictor, the Noether Network, and the arms it is compared with.

    CONFIG is a TOML file, or the name of a configuration that is shipped (video config lists them). The same command
    again goes on where it was interrupted.
    """
    from ..video.config import load_config
    from ..video.experiment import train as trained
    from . import progress

    chosen = load_config(config, sets, device)
    try:
        with progress.shown(quiet) as tell:
            trained(chosen, run, restart=restart, progress=tell, said=None if quiet else click.echo)
    except KeyboardInterrupt:
        _interrupted("the same command again goes on from the last epoch that was kept")
    if not quiet:
        click.echo(f"run folder: {run}   next: noether-discover video evaluate {run}")


@video.command(
    short_help="Compare the arms of a run on its test clips.",
    epilog="noether-discover video evaluate pendulum\n"
    "noether-discover video evaluate ramps --lpips-weights alexnet_lpips.pth",
)
@RUN
@click.option(
    "--lpips-weights",
    metavar="FILE",
    multiple=True,
    help="Weights of AlexNet or VGG-16 and of LPIPS' linear layers, for the column LPIPS; none are downloaded.",
)
@click.option(
    "--sheets", type=click.IntRange(min=1), metavar="N", default=3, show_default=True, help="Clips that are drawn."
)
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@QUIET
def evaluate(
    run: str, lpips_weights: tuple[str, ...], sheets: int, device: str | None, as_json: bool, quiet: bool
) -> None:
    """Compare the arms on clips that nobody was trained on, and say whether the comparison may be believed.

    Writes tables and pictures to RUNDIR/evaluation.
    """
    from ..video.experiment import open_run
    from ..video.reports import evaluated
    from ..video.screen import evaluation_screen
    from . import progress

    with progress.shown(quiet or as_json) as tell:
        found = evaluated(open_run(run, device=device, progress=tell), lpips_weights, sheets=sheets, tell=tell)
    _show(found, evaluation_screen, as_json, quiet)


@video.command(
    short_help="Take many inner steps, and watch both losses.",
    epilog="noether-discover video study pendulum\nnoether-discover video study pendulum --steps 50 --optimiser sgd",
)
@RUN
@click.option("--steps", metavar="N|LIST", help="Up to so many, or these; default: 0,1,2,5,10,20,50,100,200,500.")
@click.option(
    "--optimiser",
    type=Choice(["adam", "sgd"]),
    default="adam",
    show_default=True,
    help="Of the inner steps; the paper's study takes adam.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    help="Of the inner steps; default: the learned one where it fits the optimiser, else such that all steps together "
    "move what is adapted by inner.first_move of its size.",
)
@click.option("--windows", type=click.IntRange(min=1), metavar="N", default=32, show_default=True, help="Test windows.")
@ARM
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@QUIET
def study(
    run: str,
    steps: str | None,
    optimiser: Any,
    rate: float | None,
    windows: int,
    arm: str,
    device: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take many inner steps, and watch the Noether loss and the error of the prediction (the paper's Figure 6).

    Writes a table and a picture to RUNDIR/study.
    """
    from ..video.experiment import open_run
    from ..video.reports import study_written
    from ..video.screen import study_screen
    from ..video.study import counts_up_to
    from . import progress

    counts = counts_up_to(steps)
    with progress.shown(quiet or as_json) as tell:
        opened = open_run(run, device=device, progress=tell)
        found = study_written(opened, counts, optimiser, rate, windows=windows, arm=arm, tell=tell)
    _show(found, study_screen, as_json, quiet)


@video.command(
    short_help="Say and draw what the embedding looks at.",
    epilog="noether-discover video explain pendulum\nnoether-discover video explain pendulum --arm random --sheets 5",
)
@RUN
@click.option(
    "--components", type=click.IntRange(min=1), metavar="N", default=6, show_default=True, help="That are drawn."
)
@click.option(
    "--sheets", type=click.IntRange(min=1), metavar="N", default=3, show_default=True, help="Clips that are drawn."
)
@ARM
@DEVICE
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@QUIET
def explain(run: str, components: int, sheets: int, arm: str, device: str | None, as_json: bool, quiet: bool) -> None:
    """Say and draw what the embedding looks at: its components, and where on the frames they come from.

    Says too whether it is conserved along the true frames. Writes pictures to RUNDIR/explain (the paper's Figure 5).
    """
    from ..video.experiment import open_run
    from ..video.reports import explained
    from ..video.screen import explanation_screen
    from . import progress

    with progress.shown(quiet or as_json) as tell:
        opened = open_run(run, device=device, progress=tell)
        found = explained(opened, arm=arm, count=components, sheets=sheets, tell=tell)
    _show(found, explanation_screen, as_json, quiet)


@video.command(
    short_help="Print a configuration that is shipped, or their names.",
    epilog="noether-discover video config\nnoether-discover video config pendulum_small > my.toml",
)
@click.argument("name", required=False)
def config(name: str | None) -> None:
    """Print a configuration that is shipped, to be changed and trained; without NAME, print their names."""
    from ..video.config import shipped, shipped_text

    click.echo("\n".join(shipped()) if name is None else shipped_text(name), nl=name is None)


def _show(found: dict[str, Any], screen: Any, as_json: bool, quiet: bool) -> None:
    if as_json:
        import json

        from ..video.checkpoints import finite

        click.echo(json.dumps(finite(found), indent=2))
        return
    if quiet:
        return
    put(screen(found))
    for file in found["files"]:
        click.echo(f"written: {file}")


def _interrupted(words: str) -> NoReturn:
    click.echo(f"interrupted; {words}", err=True)
    raise click.exceptions.Exit(INTERRUPTED)
