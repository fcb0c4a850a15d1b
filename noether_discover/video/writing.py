"""Clips as one npz file, and a video of frames to look at. Whole files or none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError
from ..placing import placed
from .clips import Clips
from .extras import extra

Array = np.ndarray


def write_clips(path: str | Path, clips: Clips) -> None:
    """Write clips as a compressed npz, which `reading.read_clips` reads back the same.

    frames [N, T, H, W, C], actions [N, T, A], states [N, T, S], `fact_<column>` [N] words, fps, and, where clips differ
    in length, lengths [N]; shorter clips are followed by zeros.

    Raises OptionError when the name does not end in .npz or the place cannot be written.
    """
    if Path(path).suffix.lower() != ".npz":
        raise OptionError(f"{path}: clips are written as npz; choose a name that ends in .npz")
    arrays: dict[str, Any] = {"frames": _padded(clips.frames)}
    if len(set(clips.lengths)) > 1:
        arrays["lengths"] = clips.lengths
    if clips.actions is not None:
        arrays["actions"] = _padded(clips.actions)
    if clips.states is not None:
        arrays["states"] = _padded(clips.states)
    if clips.fps is not None:
        arrays["fps"] = np.array(clips.fps, float)
    arrays |= {f"fact_{name}": np.array(words, str) for name, words in clips.facts.items()}
    with placed(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def write_video(path: str | Path, frames: Array, fps: float = 15, *, magnify: int = 1) -> None:
    """Write frames [T, H, W, C] of uint8, one or three channels, as a video that players understand (H.264).

    magnify: every pixel becomes a square of so many. A side of odd length is lengthened by its last pixels, for H.264
    wants even ones. Colours are kept roughly: it is for looking.

    Raises OptionError when there are no frames, PyAV is not installed, or the place or its suffix cannot be written.
    """
    av = extra("av", "writing a video")
    if not len(frames):
        raise OptionError(f"{path}: there are no frames to write")
    large = np.repeat(np.repeat(frames, magnify, axis=1), magnify, axis=2)
    large = np.pad(large, ((0, 0), (0, large.shape[1] % 2), (0, large.shape[2] % 2), (0, 0)), mode="edge")
    colour = np.broadcast_to(large, (*large.shape[:3], 3)) if frames.shape[3] == 1 else large
    rate = Fraction(fps).limit_denominator(1001)
    with placed(path) as temporary:
        try:
            with av.open(str(temporary), "w") as container:
                stream = container.add_stream("libx264", rate=rate, options={"crf": "12"})
                stream.width, stream.height, stream.pix_fmt = colour.shape[2], colour.shape[1], "yuv420p"
                for picture in colour:
                    shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                    container.mux(stream.encode(shown))
                container.mux(stream.encode())
        except (av.error.FFmpegError, ValueError) as problem:
            reason = getattr(problem, "strerror", None) or problem
            raise OptionError(f"{path}: cannot be written as a video ({reason}); choose a name like clip.mp4") from None


def _padded(rows: tuple[Array, ...]) -> Array:
    """One array [N, longest, ...]; zeros follow what is shorter."""
    out = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), np.result_type(*rows))
    for row, place in zip(rows, out, strict=True):
        place[: len(row)] = row
    return out
