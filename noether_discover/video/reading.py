"""Clips from files: videos, folders of pictures, npy and npz; where a clip lies becomes its facts."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..errors import DataError, OptionError
from .actions import ENDINGS, actions_beside
from .archives import read_archive
from .caching import kept
from .clips import Clips
from .decoding import PICTURES, VIDEOS, Film, film, pictures, with_channels
from .resizing import Size, grey, height_and_width, resized

Array = np.ndarray
Progress = Callable[[str, int, int], None]

ARCHIVES = (".npz", ".npy")
_RATES_APART = 0.05  # share by which the frame rates of clips may differ


def read_clips(
    path: str | Path,
    *,
    size: Size | None = None,
    grey: bool = False,
    fps: float | None = None,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Clips:
    """Clips from a video, a folder of videos, a folder (of folders) of pictures, an npy or an npz.

    videos: mp4, avi, mov; one clip a file. pictures: png, jpg; every folder that holds some is one clip, its frames in
    the order of the numbers in their names. npy, npz: see `archives.read_archive`.
    Facts: `file`, where the clip lies below `path`; `object`, the first folder on the way that is not the same for all
    clips, and `folder_2`, `folder_3` ... below it. An npz brings its own facts.
    Actions: clip.actions.csv or clip.actions.npy beside every clip, one row for each frame, or none at all.

    size: H and W, or one number for a square: the largest middle part of that shape, brought to it without aliasing.
    grey: one channel. fps: fewer frames a second, by time; not with actions, for those between would be lost.
    cache: a folder in which decoded videos and pictures are kept (`caching.kept`). progress: told (stage, done, total).

    Raises DataError that names the file: missing, unreadable, without frames, of another size, rate or number of
    actions; OptionError for a size or fps that cannot be.
    """
    source = Path(path)
    if size is not None:
        height_and_width(size)
    if fps is not None and not fps > 0:
        raise OptionError(f"{fps:g} frames a second cannot be; give a positive number")
    if not source.exists():
        raise DataError(f"{path}: does not exist. Give a video, a folder, an npy or an npz.")
    if source.is_file() and source.suffix.lower() in ARCHIVES:
        return _from_archive(source, _keeper(size, grey), fps)
    found = _videos_or_pictures(source)
    root = source if source.is_dir() else source.parent
    called = [place.relative_to(root).as_posix() if place != root else root.resolve().name for place in found]
    actions = actions_beside(list(found), called, root if source.is_dir() else None)
    if actions is not None and fps is not None:
        raise _lost_actions(source, fps)
    keep = _keeper(size, grey)

    def make() -> Clips:
        films = []
        for (place, files), name in zip(found.items(), called, strict=True):
            films.append(_filmed(place, files, name, root, keep, fps))
            if progress:
                progress("reading clips", len(films), len(found))
        return assembled(films, _facts(list(found), root, called))

    settings = (None if size is None else height_and_width(size), grey, fps)
    sources = [file for place, files in found.items() for file in files or [place]]
    clips = kept(cache, root.resolve().name, (str(source.resolve()), *settings), sources, make)
    return clips if actions is None else replace(clips, actions=actions)


def assembled(films: Sequence[Film], facts: Mapping[str, tuple[str, ...]]) -> Clips:
    """Films as clips: grey ones among coloured ones become coloured; their rate is the middle one.

    Raises DataError when sizes or rates differ.
    """
    names = facts["file"]
    known = [(f.fps, name) for f, name in zip(films, names, strict=True) if f.fps is not None]
    for rate, name in known:
        if abs(rate - known[0][0]) > _RATES_APART * known[0][0]:
            raise DataError(
                f"{name}: has {rate:.4g} frames a second, but {known[0][1]} has {known[0][0]:.4g}; "
                "clips of one rate are needed. Give a number of frames a second (fps) to take from each."
            )
    channels = max(f.frames.shape[3] for f in films)
    rate_of_all = float(np.median([rate for rate, _ in known])) if known else None
    return Clips(tuple(with_channels(f.frames, channels) for f in films), facts=facts, fps=rate_of_all)


def natural(path: Path) -> tuple[object, ...]:
    """A key that puts frame2 before frame10."""
    return tuple(
        tuple((0, int(w), w) if w[0] in "0123456789" else (1, 0, w) for w in re.findall(r"[0-9]+|[^0-9]+", piece))
        for piece in path.parts
    )


def _keeper(size: Size | None, one_channel: bool) -> Callable[[Array], Array]:
    """What is kept of frames [T, H, W, C]."""

    def keep(frames: Array) -> Array:
        smaller = frames if size is None else resized(frames, size)
        return grey(smaller) if one_channel else smaller

    return keep


def _from_archive(path: Path, keep: Callable[[Array], Array], fps: float | None) -> Clips:
    clips = read_archive(path)
    if (beside := actions_beside([path], [str(path)], None)) and clips.actions is None:
        if len(clips) > 1:
            raise DataError(
                f"{path}: {path.stem}.actions cannot hold the actions of {len(clips)} clips. Save an npz with actions."
            )
        clips = replace(clips, actions=beside)
    rate = clips.fps
    if fps is not None:
        if rate is None:
            raise OptionError(f"{path}: says nothing of its frames a second, so {fps:g} cannot be taken; no fps")
        if rate < fps * 0.99:
            raise DataError(f"{path}: has {rate:.4g} frames a second, and {fps:.4g} are asked for. Ask for less.")
        if rate > fps * 1.01:
            if clips.actions is not None:
                raise _lost_actions(path, fps)
            nearest = np.round(np.arange(clips.lengths.max()) * rate / fps).astype(int)
            picks = [nearest[nearest < n] for n in clips.lengths]
            states = clips.states and tuple(s[i] for s, i in zip(clips.states, picks, strict=True))
            frames = tuple(f[i] for f, i in zip(clips.frames, picks, strict=True))
            clips = replace(clips, frames=frames, states=states, fps=fps)
    return replace(clips, frames=tuple(map(keep, clips.frames)))


def _videos_or_pictures(source: Path) -> dict[Path, list[Path]]:
    """Every clip in natural order: a video with no files, or a folder with its pictures.

    Raises DataError when there is none, or both kinds.
    """
    if source.is_file():
        if source.suffix.lower() not in VIDEOS:
            raise DataError(
                f"{source}: is no video that can be read ({', '.join(VIDEOS)}), npy or npz. "
                "Convert it, or give the folder that holds it."
            )
        return {source: []}
    videos: list[Path] = []
    folders: dict[Path, list[Path]] = defaultdict(list)
    others: list[Path] = []
    for file in _files(source):
        kind = file.suffix.lower()
        if kind in VIDEOS:
            videos.append(file)
        elif kind in PICTURES:
            folders[file.parent].append(file)
        else:
            others.append(file)
    if videos and folders:
        one = next(iter(folders.values()))[0]
        raise DataError(
            f"{source}: holds videos ({videos[0].relative_to(source)}) and pictures ({one.relative_to(source)}). "
            "Keep one kind."
        )
    if not videos and not folders:
        archives = [file for file in others if file.suffix.lower() in ARCHIVES and not file.name.endswith(ENDINGS)]
        hint = f"Give the file itself: {archives[0]}." if archives else "Give a folder of mp4, avi, mov or png files."
        raise DataError(f"{source}: holds no videos and no pictures. {hint}")
    found: dict[Path, list[Path]] = {video: [] for video in videos} or folders
    return {place: sorted(found[place], key=natural) for place in sorted(found, key=natural)}


def _files(folder: Path) -> list[Path]:
    """All files below, without hidden ones; links are followed, each folder once."""
    found, seen = [], set()
    for here, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        found += [Path(here, name) for name in names if not name.startswith(".")]
    return found


def _filmed(
    place: Path, files: list[Path], name: str, root: Path, keep: Callable[[Array], Array], fps: float | None
) -> Film:
    if not files:
        return film(place, name, keep, fps)
    if fps is not None:
        raise OptionError(f"{name}: pictures say nothing of frames a second, so {fps:g} cannot be taken; no fps")
    return Film(pictures(files, [str(file.relative_to(root)) for file in files], keep), None)


def _facts(places: Sequence[Path], root: Path, called: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """`file`, and a column for every level of folders that tells clips apart."""
    facts = {"file": tuple(called)}
    above = [place.relative_to(root).parts[:-1] for place in places]
    depth = min(map(len, above))
    even = all(len(parts) == depth for parts in above)
    shared = 0
    while shared < depth and len({parts[shared] for parts in above}) == 1:
        shared += 1
    if not even and shared == depth:  # some clips lie where others have a further folder
        return {"object": tuple("/".join(parts[shared:]) or "." for parts in above), **facts}
    levels = range(shared, depth if even else shared + 1)
    columns = {
        "object" if level == shared else f"folder_{level - shared + 1}": tuple(parts[level] for parts in above)
        for level in levels
    }
    return {**columns, **facts}


def _lost_actions(path: Path, fps: float) -> OptionError:
    return OptionError(f"{path}: has actions, and those between the frames of {fps:g} a second would be lost; no fps")
