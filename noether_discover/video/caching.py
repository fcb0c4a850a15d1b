"""Clips that were decoded once are kept as npz, under a name that says from which files and with which settings."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import DataError, OptionError
from .archives import read_archive
from .clips import Clips
from .writing import write_clips

_FORMAT = 1  # raised when frames are decoded or resized in another way


def usual_folder() -> Path:
    """Where clips are kept unless somebody says otherwise: $XDG_CACHE_HOME or ~/.cache, noether-discover/video."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "noether-discover" / "video"


def kept(
    folder: str | Path | None, name: str, settings: Sequence[object], sources: Sequence[Path], make: Callable[[], Clips]
) -> Clips:
    """The clips that `make` gives, from `folder` when it holds them already; no folder: always made.

    The file is called after the settings, and after the names, sizes and times of change of all sources: when a source
    changes the clips are made again, and the file of before is deleted. A damaged file is replaced.

    Raises OptionError when the folder cannot be made or written, before anything is decoded.
    """
    if folder is None:
        return make()
    where = Path(folder)
    facts = [(str(p.resolve()), s.st_size, s.st_mtime_ns) for p in sources if (s := p.stat())]
    beginning = f"{name}-{_digest(_FORMAT, *settings)}-"
    path = where / f"{beginning}{_digest(*sorted(facts))}.npz"
    if path.is_file():
        try:
            return read_archive(path)
        except DataError:
            path.unlink(missing_ok=True)
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OptionError(f"{where}: cannot be made ({problem.strerror}); choose another cache folder") from problem
    if not os.access(where, os.W_OK):
        raise OptionError(f"{where}: cannot be written; choose another cache folder")
    clips = make()
    write_clips(path, clips)
    for old in where.glob(f"{beginning}*.npz"):
        if old != path:
            old.unlink(missing_ok=True)
    return clips


def _digest(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
