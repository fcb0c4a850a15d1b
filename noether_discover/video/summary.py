"""What clips hold, in lines of fewer than 80 columns, and what about them will make learning hard."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np

from .clips import Clips

Array = np.ndarray

STILL = 2
"""Grey levels, of 255, that no pixel changes by when nothing moves: compression flickers so much."""
MOSTLY_STILL = 0.5
NAME_WIDTH = 13
_WIDTH = 79 - NAME_WIDTH - 1


def summary(clips: Clips) -> tuple[list[tuple[str, str]], list[str]]:
    """Lines (name, words), to be shown in columns of NAME_WIDTH and what is left of 79; and notes, each a sentence."""
    height, width, channels = clips.size
    least, most, total = clips.lengths.min(), clips.lengths.max(), clips.lengths.sum()
    still = _still_frames(clips)
    followers = int(np.maximum(clips.lengths - 1, 0).sum())
    share = still.sum() / max(followers, 1)
    lines = [
        ("clips", f"{len(clips):,}"),
        ("frames", f"{least:,} each" if least == most else f"{least:,} to {most:,}, {total:,} in all"),
        ("size", f"{width} x {height} pixels, {'grey' if channels == 1 else f'{channels} channels'}"),
        ("frames/second", "unknown" if clips.fps is None else f"{clips.fps:.4g}"),
        ("actions", _range(clips.actions)),
        ("states", _range(clips.states)),
        *((_cut(name, NAME_WIDTH), _values(words)) for name, words in clips.facts.items()),
        ("brightness", _brightness(clips)),
        ("still frames", f"{100 * share:.1f} % (no pixel changes by more than {STILL} of 255)"),
        ("memory", f"{total * height * width * channels / 2**20:,.1f} MiB"),
    ]
    return lines, _notes(clips, still, float(share))


def _still_frames(clips: Clips) -> Array:
    """Of each clip, how many frames show what the frame before them showed."""
    return np.array([sum(_is_still(a, b) for a, b in pairwise(f)) for f in clips.frames])


def _is_still(a: Array, b: Array) -> bool:
    return bool((np.maximum(a, b) - np.minimum(a, b)).max() <= STILL)


def _notes(clips: Clips, still: Array, share: float) -> list[str]:
    notes = []
    if frozen := [i for i, n in enumerate(clips.lengths) if n > 1 and still[i] == n - 1]:
        notes.append(f"nothing ever moves in {_so_many(len(frozen))}, first {clips.called(frozen[0])}")
    if share > MOSTLY_STILL:
        notes.append("most frames show what the frame before showed: a network will learn to copy it")
    first: dict[int, int] = {}
    twins = [(first[key], i) for i, f in enumerate(clips.frames) if first.setdefault(key := hash(f.tobytes()), i) != i]
    if twins:
        a, b = twins[0]
        notes.append(
            f"{_so_many(len(twins))} also there under another name, first {clips.called(a)} and {clips.called(b)}: "
            "the test would know them from training"
        )
    if len(clips) == 1:
        notes.append("there is one clip: nothing would be left to test on")
    elif len(set(clips.facts.get("object", ("", " ")))) == 1:
        notes.append('all clips have one object: split by another column than "object"')
    return notes


def _so_many(count: int) -> str:
    return "1 clip" if count == 1 else f"{count:,} clips"


def _range(rows: tuple[Array, ...] | None) -> str:
    if rows is None:
        return "none"
    low, high = min(float(row.min()) for row in rows), max(float(row.max()) for row in rows)
    return f"{rows[0].shape[1]} a frame, from {low:.4g} to {high:.4g}"


def _values(words: tuple[str, ...]) -> str:
    """How many different words, and the words with their numbers of clips as far as there is room."""
    counts = Counter(words)
    many = f"{len(counts):,} value{'s' * (len(counts) > 1)}: "
    spelled = [_cut(word, 30) if n == 1 else f"{_cut(word, 30)} ({n:,})" for word, n in counts.items()]
    for shown in range(len(spelled), 0, -1):
        rest = len(spelled) - shown
        line = many + ", ".join(spelled[:shown]) + (f" and {rest:,} more" if rest else "")
        if len(line) <= _WIDTH:
            return line
    raise AssertionError("one word always fits")


def _brightness(clips: Clips) -> str:
    low, high = min(int(f.min()) for f in clips.frames), max(int(f.max()) for f in clips.frames)
    mean = sum(float(f.sum(dtype=np.int64)) for f in clips.frames) / sum(f.size for f in clips.frames)
    return f"{low} to {high} of 255, mean {mean:.1f}"


def _cut(word: str, width: int) -> str:
    return word if len(word) <= width else f"{word[: width - 3]}..."
