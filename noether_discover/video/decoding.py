"""Frames out of video files (PyAV) and picture files (Pillow), one after another; whoever asks decides what to keep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .extras import extra

Array = np.ndarray

VIDEOS = (".mp4", ".avi", ".mov")
PICTURES = (".png", ".jpg", ".jpeg")

_SAME_RATE = 0.01  # rates this close, as a share, are one rate: 29.97 and 30


@dataclass(frozen=True)
class Film:
    """What is kept of one file: frames [T, H, W, C] of uint8 and frames a second, where known."""

    frames: Array
    fps: float | None


def film(path: Path, called: str, keep: Callable[[Array], Array], fps: float | None = None) -> Film:
    """All frames of a video, each as `keep` leaves it; or those that make `fps` frames a second.

    called: how messages name the file. keep: a frame [1, H, W, 3] of uint8 -> what is kept of it, [1, ...].
    fps: at every multiple of 1/fps after the first frame, the frame whose time is nearest. A phone's note that the film
    is to be turned is heeded.

    Raises DataError that names the file: no video, not readable, no frames, or fewer frames a second than asked for.
    """
    av = extra("av", "reading videos")
    try:
        with av.open(str(path), metadata_errors="replace") as container:
            if not container.streams.video:
                kinds = ", ".join(dict.fromkeys(stream.type for stream in container.streams))
                inside = f"only {kinds}" if kinds else "for it is empty or was cut off"
                raise DataError(f"{called}: has no video in it, {inside}. Leave it out.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate) if stream.average_rate else None
            if fps is not None and rate is not None and rate < fps * (1 - _SAME_RATE):
                raise DataError(
                    f"{called}: has {rate:.4g} frames a second, and {fps:.4g} are asked for. Ask for fewer."
                )
            shown: Iterator[Any] = container.decode(stream)
            if fps is not None and (rate is None or rate > fps * (1 + _SAME_RATE)):
                shown, rate = _paced(shown, fps, rate or fps), fps
            frames: list[Array] = []
            last = None
            for picture in shown:
                frames.append(frames[-1] if picture is last else keep(_upright(picture)[None]))
                last = picture
    except av.error.FFmpegError as problem:
        reason = problem.strerror or type(problem).__name__
        raise DataError(
            f"{called}: cannot be read as a video ({reason}). Convert it to H.264 in mp4, or leave it out."
        ) from None
    if not frames:
        raise DataError(f"{called}: has no frames. Record it again, or leave it out.")
    return Film(_stacked(frames, called), rate)


def picture(path: Path, called: str) -> Array:
    """One picture as [H, W, C] of uint8: one channel when it is grey, else red, green, blue; transparency is dropped.

    Raises DataError that names the file when it cannot be read.
    """
    image = extra("PIL.Image", "reading pictures")
    try:
        with image.open(path) as opened:
            if opened.mode.startswith(("I;16", "I")):  # 16 bits
                return (np.asarray(opened).astype(np.uint32) >> 8).astype(np.uint8)[..., None]
            if opened.mode in ("1", "L", "LA"):
                return np.asarray(opened.convert("L"))[..., None]
            return np.asarray(opened.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, image.DecompressionBombError) as problem:
        reason = getattr(problem, "strerror", None) or "it is damaged, or something else"
        raise DataError(f"{called}: cannot be read as a picture ({reason}). Write it again.") from problem


def pictures(paths: Sequence[Path], called: Sequence[str], keep: Callable[[Array], Array]) -> Array:
    """Pictures in this order as the frames of one clip, [T, H, W, C]; grey ones among coloured ones become coloured.

    keep: as for `film`.

    Raises DataError that names the picture which cannot be read, or is of another size than the first.
    """
    frames = [keep(picture(path, name)[None]) for path, name in zip(paths, called, strict=True)]
    for frame, name in zip(frames, called, strict=True):
        if frame.shape[:3] != frames[0].shape[:3]:
            raise DataError(
                f"{name}: is {_size(frame)} pixels, but {called[0]} is {_size(frames[0])}. "
                "Give a size to resize them to."
            )
    channels = max(frame.shape[3] for frame in frames)
    return np.concatenate([with_channels(frame, channels) for frame in frames])


def with_channels(frames: Array, channels: int) -> Array:
    """Frames [..., C] with so many channels: grey ones are repeated."""
    return frames if frames.shape[-1] == channels else np.repeat(frames, channels, axis=-1)


def _paced(shown: Iterator[Any], fps: float, rate: float) -> Iterator[Any]:
    """At every multiple of 1/fps after the first frame, the frame whose time is nearest."""
    begin, before, at, count = None, None, 0.0, 0
    for i, frame in enumerate(shown):
        now = float(frame.time) if frame.time is not None else i / rate
        begin = now if begin is None else begin
        while before is not None and count / fps < (at + now) / 2 - begin:
            yield before
            count += 1
        before, at = frame, now
    if before is not None and begin is not None and count / fps < at - begin + 0.5 / rate:
        yield before


def _upright(frame: Any) -> Array:
    """A frame [H, W, 3], turned as its file says."""
    rgb: Array = frame.to_ndarray(format="rgb24")
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.rot90(rgb, quarters) if quarters else rgb


def _stacked(frames: Sequence[Array], called: str) -> Array:
    for frame in frames:
        if frame.shape != frames[0].shape:
            raise DataError(
                f"{called}: changes from {_size(frames[0])} to {_size(frame)} pixels. Give a size to resize it to."
            )
    return np.concatenate(frames)


def _size(frame: Array) -> str:
    return f"{frame.shape[2]} x {frame.shape[1]}"
