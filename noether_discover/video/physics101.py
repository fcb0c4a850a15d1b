"""Physics 101 (Wu et al. 2016), the ramp, as its archive unpacks. Nothing is downloaded.

phys101/scenarios/ramp/<object>/<20_01 | 20_02>/<trial>/Kinect_RGB_1.mp4
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, OptionError
from .caching import kept, usual_folder
from .clips import Clips
from .decoding import Film, film
from .reading import assembled, natural
from .resizing import Size, height_and_width, resized

Array = np.ndarray
Progress = Callable[[str, int, int], None]

RAMP = Path("phys101/scenarios/ramp")
VIDEO = "Kinect_RGB_1.mp4"
SETTINGS = ("20_01", "20_02")
"""The ramps of 20 degrees."""


@dataclass(frozen=True)
class Trials:
    """What lies on disk. root: the folder of the objects; videos: in natural order; without: trials that lack one."""

    root: Path
    videos: tuple[Path, ...]
    without: tuple[Path, ...]


def find_trials(folder: str | Path, settings: Sequence[str] = SETTINGS) -> Trials:
    """The trials below `folder`, which is ramp, scenarios, phys101, or the folder that holds phys101.

    Raises DataError, with the path that was expected, when there are none.
    """
    given = Path(folder)
    tails = [Path(*RAMP.parts[i:]) for i in range(len(RAMP.parts) + 1)]
    for root in (given / tail for tail in tails):
        trials = [p for s in settings for p in root.glob(f"*/{s}/*") if p.is_dir() and not p.name.startswith(".")]
        if trials:
            trials.sort(key=natural)
            videos = tuple(trial / VIDEO for trial in trials if (trial / VIDEO).is_file())
            without = tuple(trial for trial in trials if not (trial / VIDEO).is_file())
            if videos:
                return Trials(root, videos, without)
    wanted = RAMP / "<object>" / f"<{' | '.join(settings)}>" / "<trial>" / VIDEO
    raise DataError(f"{folder}: holds no {wanted}. Give the folder in which phys101 was unpacked.")


def read_physics101(
    folder: str | Path,
    *,
    size: Size = 128,
    frames: int = 22,
    fps: float = 15,
    settings: Sequence[str] = SETTINGS,
    cache: str | Path | bool | None = True,
    progress: Progress | None = None,
) -> Clips:
    """The ramp's films: of each the middle `frames` at `fps` frames a second, and the middle square at `size` pixels.

    Facts: object, setting, trial, file. The defaults are those of Alet et al. (2021, appendix D).
    cache: the folder in which decoded clips are kept (`caching.kept`); True: the usual one; False or None: nowhere.
    progress: told (stage, done, total).

    Raises DataError that names the film: not there, not readable, too slow, or shorter than the window.
    """
    height_and_width(size)
    if frames < 1:
        raise OptionError(f"clips of {frames} frames cannot be; ask for at least 1")
    if not fps > 0:
        raise OptionError(f"{fps:g} frames a second cannot be; give a positive number")
    trials = find_trials(folder, settings)

    def make() -> Clips:
        films = []
        for video in trials.videos:
            films.append(_middle(video, str(video.relative_to(trials.root)), size, frames, fps))
            if progress:
                progress("reading clips", len(films), len(trials.videos))
        where = [video.relative_to(trials.root).parts for video in trials.videos]
        facts = {name: tuple(parts[i] for parts in where) for i, name in enumerate(("object", "setting", "trial"))}
        return assembled(films, {**facts, "file": tuple("/".join(parts) for parts in where)})

    kind = (str(trials.root.resolve()), height_and_width(size), frames, fps, tuple(settings))
    place = usual_folder() if cache is True else None if cache is False else cache
    return kept(place, "physics101", kind, trials.videos, make)


def _middle(video: Path, called: str, size: Size, frames: int, fps: float) -> Film:
    """The window of so many frames in the middle; one frame more before it than after when it cannot be even."""
    found = film(video, called, lambda frame: resized(frame, size), fps)
    spare = len(found.frames) - frames
    if spare < 0:
        raise DataError(
            f"{called}: has {len(found.frames)} frames at {fps:g} a second, and the middle {frames} are asked for. "
            "Ask for fewer, or move the film elsewhere."
        )
    start = (spare + 1) // 2
    return Film(found.frames[start : start + frames].copy(), fps)
