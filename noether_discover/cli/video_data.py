"""The commands that make clips, read them, and say what was read. The group `data` belongs to `video`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .groups import QUIET, _Group
from .options import a_place, stacked
from .suggesting import Choice

if TYPE_CHECKING:
    from ..video.clips import Clips

OUTPUT = click.option("-o", "--output", metavar="FILE.npz", required=True, callback=a_place, help="Where to write it.")
GREY = click.option("--grey", is_flag=True, help="One channel instead of three.")
CLIPS = click.argument("path", metavar="CLIPS")
FPS = click.option("--fps", type=click.FloatRange(min=0, min_open=True), metavar="X", help="Take so many a second.")


def world_options(episodes: int, frames: int, size: int) -> Callable[[Any], Any]:
    """The options that all worlds have, with this world's numbers; a test compares them to `worlds.WORLDS`."""
    return stacked(
        OUTPUT,
        click.option(
            "--episodes", type=click.IntRange(min=1), metavar="N", default=episodes, show_default=True, help="Clips."
        ),
        click.option(
            "--frames", type=click.IntRange(min=1), metavar="N", default=frames, show_default=True, help="In each."
        ),
        click.option(
            "--size", type=click.IntRange(min=8), metavar="N", default=size, show_default=True, help="Pixels of a side."
        ),
        click.option(
            "--seed",
            type=click.IntRange(min=0),
            metavar="N",
            default=0,
            show_default=True,
            help="Of everything random.",
        ),
        QUIET,
    )


@click.group("data", cls=_Group)
def data() -> None:
    """Make clips, read them, and see what was read."""


@data.command(
    short_help="Film a pole that is driven by a torque, or free.",
    epilog="noether-discover video data pendulum -o pendulum.npz\n"
    "noether-discover video data pendulum --free --episodes 50 -o free.npz",
)
@world_options(200, 200, 16)
@click.option(
    "--controlled/--free",
    default=True,
    show_default=True,
    help="Driven by a torque that pumps energy to changing goals, or released and left alone.",
)
@click.option(
    "--renderer",
    type=Choice(["numpy", "gymnasium"]),
    default="numpy",
    show_default=True,
    help="numpy: drawn at the small size; gymnasium: its own pictures, made smaller (4 ms a frame).",
)
@GREY
def pendulum(output: str, quiet: bool, **options: Any) -> None:
    """Film Gymnasium's Pendulum-v1, 20 frames a second.

    Actions are the torque; states are cos, sin, angular velocity and energy, or, when it is free, angle, angular
    velocity and energy.
    """
    _make("pendulum", output, quiet, options)


@data.command(
    short_help="Film a ball between walls, of constant brightness.",
    epilog="noether-discover video data ball -o ball.npz\n"
    "noether-discover video data ball --size 32 --grey -o ball.npz",
)
@world_options(200, 60, 16)
@GREY
def ball(output: str, quiet: bool, **options: Any) -> None:
    """Film a ball between four walls whose pixels sum to the same number in every frame.

    States are its place and velocity, in sides of the picture and in frames.
    """
    _make("ball", output, quiet, options)


@data.command(
    short_help="Film objects of many shapes that slide down ramps.",
    epilog="noether-discover video data ramp -o ramp.npz\n"
    "noether-discover video data ramp --episodes 100 --objects 20 -o ramp.npz",
)
@world_options(40, 24, 32)
@click.option(
    "--objects",
    type=click.IntRange(min=2),
    metavar="N",
    default=12,
    show_default=True,
    help="Different ones that slide.",
)
def ramp(output: str, quiet: bool, **options: Any) -> None:
    """Film objects of many shapes and colours that slide down ramps; the column "object" tells them apart."""
    _make("ramp", output, quiet, options)


@data.command(
    short_help="Read the ramp of Physics 101 as it was unpacked.",
    epilog="noether-discover video data physics101 phys101 --size 128 -o physics101.npz",
)
@click.argument("folder")
@OUTPUT
@click.option(
    "--size", type=click.IntRange(min=1), metavar="N", default=128, show_default=True, help="Pixels of a side."
)
@click.option(
    "--frames", type=click.IntRange(min=1), metavar="N", default=22, show_default=True, help="The middle ones of each."
)
@click.option(
    "--fps",
    type=click.FloatRange(min=0, min_open=True),
    metavar="X",
    default=15.0,
    show_default=True,
    help="Frames a second.",
)
@click.option("--cache", metavar="FOLDER", help="Where decoded clips are kept; default: ~/.cache/noether-discover.")
@QUIET
def physics101(folder: str, output: str, size: int, frames: int, fps: float, cache: str | None, quiet: bool) -> None:
    """Read the ramps of 20 degrees below FOLDER, the folder in which phys101 was unpacked. Nothing is downloaded.

    Of every film the middle frames, and of these the middle square. Films are decoded once and kept.
    """
    from ..video.physics101 import VIDEO, find_trials, read_physics101
    from . import progress

    without = find_trials(folder).without
    if without and not quiet:
        many = f"1 trial without {VIDEO}" if len(without) == 1 else f"{len(without)} trials without {VIDEO}"
        click.echo(f"note: passed over {many}, first {without[0]}", err=True)
    with progress.shown(quiet) as tell:
        clips = read_physics101(folder, size=size, frames=frames, fps=fps, cache=cache or True, progress=tell)
    _write(clips, output, quiet)


@data.command(
    short_help="Read videos, pictures or arrays and write them as npz.",
    epilog="noether-discover video data convert films --size 32 -o clips.npz\n"
    "noether-discover video data convert clip.mp4 --grey --fps 15 -o clip.npz",
)
@CLIPS
@OUTPUT
@click.option(
    "--size", type=click.IntRange(min=1), metavar="N", help="The middle square, so many pixels; default: as it is."
)
@GREY
@FPS
@QUIET
def convert(path: str, output: str, size: int | None, grey: bool, fps: float | None, quiet: bool) -> None:
    """Read clips and write them as one npz.

    CLIPS is a video, a folder of videos, a folder of folders of pictures, an npy or an npz.
    """
    from ..video.reading import read_clips
    from . import progress

    if Path(output).exists() and Path(path).exists() and Path(output).samefile(path):
        raise click.UsageError(f'-o "{output}" would replace what is read; choose another name')
    with progress.shown(quiet) as tell:
        clips = read_clips(path, size=size, grey=grey, fps=fps, progress=tell)
    _write(clips, output, quiet)


@data.command(
    short_help="Say what was read: frames, size, actions, objects.",
    epilog="noether-discover video data check pendulum.npz\nnoether-discover video data check films --size 32",
)
@CLIPS
@click.option(
    "--size", type=click.IntRange(min=1), metavar="N", help="The middle square, so many pixels; default: as it is."
)
@GREY
@FPS
@QUIET
def check(path: str, size: int | None, grey: bool, fps: float | None, quiet: bool) -> None:
    """Read clips and say what was read, without running anything.

    CLIPS is a video, a folder of videos, a folder of folders of pictures, an npy or an npz.
    """
    from ..video.reading import read_clips
    from ..video.summary import NAME_WIDTH, summary
    from . import progress

    with progress.shown(quiet) as tell:
        clips = read_clips(path, size=size, grey=grey, fps=fps, progress=tell)
    lines, notes = summary(clips)
    for name, words in lines:
        click.echo(f"{name:{NAME_WIDTH}} {words}")
    for note in () if quiet else notes:
        click.echo(f"note: {note}", err=True)


def _make(world: str, output: str, quiet: bool, options: dict[str, Any]) -> None:
    from ..video.worlds import world_named
    from . import progress

    with progress.shown(quiet) as tell:
        clips = world_named(world).make(**options, progress=tell)
    _write(clips, output, quiet)


def _write(clips: Clips, output: str, quiet: bool) -> None:
    from ..video.writing import write_clips

    write_clips(output, clips)
    if quiet:
        return
    height, width, channels = clips.size
    many = "" if len(clips) == 1 else "s"
    click.echo(
        f"{len(clips)} clip{many}, {clips.lengths.sum()} frames of {width} x {height}, "
        f"{channels} channel{'s' * (channels > 1)}: {output}"
    )
    click.echo(f"next: noether-discover video data check {output}")
