"""Clips in one npy or npz file. Nothing that would have to be unpickled is ever loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .clips import Clips

Array = np.ndarray

_FACT = "fact_"
_WANTED = "uint8, or floats in [0, 1], of shape [clips, frames, height, width, channels] are needed"


def read_archive(path: Path) -> Clips:
    """The clips in an npz (`writing.write_clips` tells its arrays) or an npy of frames.

    frames: [N, T, H, W, C], grey [N, T, H, W], or one clip [T, H, W, C] of 1 or 3 channels; uint8 or floats in [0, 1].
    An npz whose only array bears another name is taken to hold the frames.

    Raises DataError that names the file: unreadable, pickled, no frames, another type or shape, values out of range,
    actions, states, facts or lengths that do not match.
    """
    arrays = _loaded(path)
    if "frames" not in arrays:
        if len(arrays) != 1:
            there = ", ".join(f'"{name}"' for name in arrays) or "none"
            raise DataError(f'{path}: has no array "frames"; its arrays are {there}. Save the frames under that name.')
        arrays = {"frames": next(iter(arrays.values()))}
    frames = _bytes(path, _five_axes(path, arrays["frames"]))
    N, T = frames.shape[:2]
    lengths = _lengths(path, arrays.get("lengths"), N, T)

    def cut(name: str) -> tuple[Array, ...] | None:
        if name not in arrays:
            return None
        rows = _numbers(path, name, arrays[name])
        if rows.ndim != 3 or rows.shape[:2] != (N, T):
            raise DataError(
                f"{path}: {name} are {list(rows.shape)}; for {N} clips of {T} frames [{N}, {T}, values] is needed"
            )
        return tuple(rows[i, :length] for i, length in enumerate(lengths))

    try:
        return Clips(
            frames=tuple(frames[i, :length] for i, length in enumerate(lengths)),
            actions=cut("actions"),
            states=cut("states"),
            facts={k.removeprefix(_FACT): _words(path, k, v, N) for k, v in arrays.items() if k.startswith(_FACT)},
            fps=_fps(path, arrays.get("fps")),
        )
    except DataError as problem:
        message = str(problem)
        raise problem if message.startswith(str(path)) else DataError(f"{path}: {message}") from None


def _loaded(path: Path) -> dict[str, Array]:
    try:
        with path.open("rb") as file:
            if file.read(1) not in (b"P", b"\x93", b"\x80", b""):  # zip, npy, pickle, nothing at all
                raise DataError(f"{path}: is no npy or npz file. Write it with numpy.save or numpy.savez.")
            file.seek(0)
            found: Any = np.load(file, allow_pickle=False)
            return {"frames": found} if isinstance(found, np.ndarray) else {name: found[name] for name in found.files}
    except DataError:
        raise
    except MemoryError as problem:
        raise DataError(f"{path}: does not fit into memory. Give fewer or smaller clips.") from problem
    except Exception as problem:  # numpy reads headers as Python: a damaged one raises nearly anything
        if "pickle" in str(problem):
            raise DataError(
                f"{path}: holds pickled objects, which are never loaded, for they could run any program. "
                "Save plain arrays of numbers or words."
            ) from None
        raise _damaged(path, problem) from problem


def _damaged(path: Path, problem: Exception) -> DataError:
    reason = getattr(problem, "strerror", None) or str(problem).partition("\n")[0] or "it ends too soon"
    if isinstance(problem, SyntaxError) or "malformed node" in reason:  # ast's words, about our machine's memory
        reason = "its header is damaged"
    return DataError(f"{path}: cannot be read as {path.suffix.lstrip('.').lower()} ({reason}). Write it again.")


def _five_axes(path: Path, frames: Array) -> Array:
    """[N, T, H, W, C], whatever axes were left out."""
    if frames.ndim == 4:
        frames = frames[None] if frames.shape[-1] in (1, 3) else frames[..., None]
    shape = list(frames.shape)
    if frames.ndim != 5:
        raise DataError(f"{path}: frames are {frames.dtype} {shape}; {_WANTED}")
    if 0 in shape:
        raise DataError(f"{path}: frames are {shape}: there is nothing in them")
    if shape[2] in (1, 3) and shape[4] not in (1, 3):
        raise DataError(
            f"{path}: frames are {shape}, with the channels before the height; {_WANTED}. "
            "Use np.moveaxis(frames, 2, -1)."
        )
    return frames


def _bytes(path: Path, frames: Array) -> Array:
    """uint8 from uint8 or floats in [0, 1]."""
    if frames.dtype == np.uint8:
        return frames
    if not np.issubdtype(frames.dtype, np.floating):
        raise DataError(f"{path}: frames are {frames.dtype}; {_WANTED}. Use frames.astype(np.uint8).")
    low, high = frames.min(), frames.max()
    if not (low >= 0 and high <= 1):  # NaN is caught too
        wrong = "not finite" if not np.isfinite([low, high]).all() else f"from {low:g} to {high:g}"
        raise DataError(f"{path}: frames are floats {wrong}; {_WANTED}. Scale them.")
    out = np.empty(frames.shape, np.uint8)
    for clip, place in zip(frames, out, strict=True):
        place[:] = np.rint(clip.astype(np.float32) * 255)
    return out


def _lengths(path: Path, lengths: Array | None, clips: int, longest: int) -> list[int]:
    if lengths is None:
        return [longest] * clips
    if lengths.shape != (clips,) or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(f"{path}: lengths are {lengths.dtype} {list(lengths.shape)}; {clips} whole numbers are needed")
    if lengths.min() < 1 or lengths.max() > longest:
        raise DataError(
            f"{path}: lengths go from {lengths.min()} to {lengths.max()}, but a clip has 1 to {longest} frames"
        )
    return [int(length) for length in lengths]


def _numbers(path: Path, name: str, rows: Array) -> Array:
    if not (np.issubdtype(rows.dtype, np.floating) or np.issubdtype(rows.dtype, np.integer)):
        raise DataError(f"{path}: {name} are {rows.dtype}; numbers are needed")
    return rows


def _words(path: Path, name: str, words: Array, clips: int) -> tuple[str, ...]:
    if words.shape != (clips,):
        raise DataError(f'{path}: "{name}" is {list(words.shape)}; one word for each of {clips} clips is needed')
    return tuple(word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word) for word in words.tolist())


def _fps(path: Path, fps: Array | None) -> float | None:
    if fps is None:
        return None
    if fps.size != 1 or not np.issubdtype(fps.dtype, np.number) or not (fps.item() > 0 and np.isfinite(fps.item())):
        raise DataError(f"{path}: fps is {fps.tolist()}; a positive number of frames a second is needed")
    return float(fps.item())
