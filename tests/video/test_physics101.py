"""Physics 101 as it lies on disk, in a small tree of our own films."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from noether_discover.errors import DataError, OptionError
from noether_discover.video.physics101 import RAMP, VIDEO, find_trials, read_physics101
from noether_discover.video.writing import write_video

LEVEL = 5
"""Grey levels between neighbours in time; H.264 changes flat frames by less than half of it."""


def filmed(path: Path, frames: int = 52, fps: float = 30) -> None:
    """A film 96 x 64 whose middle square tells the frame's number by its brightness; the rest is white."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = np.full((frames, 64, 96, 3), 255, np.uint8)
    pictures[:, :, 16:80] = (LEVEL * np.arange(frames, dtype=np.uint8))[:, None, None, None]
    write_video(path, pictures, fps)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("unpacked")
    for trial in ("block_blue/20_01/10", "block_blue/20_01/9", "block_blue/20_02/1", "cone/20_01/3"):
        filmed(root / RAMP / trial / VIDEO)
    filmed(root / RAMP / "cone/30_01/1" / VIDEO)  # another slope
    filmed(root / RAMP / "cone/20_01/3" / "Camera_1.mp4")  # another camera
    (root / RAMP / "cone/20_02/4").mkdir(parents=True)  # no film
    return root


def test_the_middle_of_every_film_is_read(unpacked: Path) -> None:
    clips = read_physics101(unpacked, size=32, cache=None)
    assert clips.facts == {
        "object": ("block_blue", "block_blue", "block_blue", "cone"),
        "setting": ("20_01", "20_01", "20_02", "20_01"),
        "trial": ("9", "10", "1", "3"),
        "file": tuple(
            f"{trial}/{VIDEO}"
            for trial in ("block_blue/20_01/9", "block_blue/20_01/10", "block_blue/20_02/1", "cone/20_01/3")
        ),
    }
    assert clips.lengths.tolist() == [22] * 4
    assert clips.size == (32, 32, 3)
    assert clips.fps == 15
    for frames in clips.frames:  # 52 frames at 30 a second are 26 at 15, 2 of them before the middle 22 and 2 after
        assert np.ptp(frames.astype(int), axis=(1, 2, 3)).max() < LEVEL, "more than the middle square is seen"
        found = np.rint(frames[:, 8:24, 8:24].mean(axis=(1, 2, 3)) / LEVEL)
        np.testing.assert_array_equal(found, 2 * np.arange(2, 24))


def test_the_folder_may_be_any_on_the_way(unpacked: Path) -> None:
    roots = [unpacked, unpacked / "phys101", unpacked / "phys101/scenarios", unpacked / RAMP]
    found = [find_trials(root) for root in roots]
    assert len({trials.videos for trials in found}) == 1
    assert len(found[0].videos) == 4
    assert found[0].without == (unpacked / RAMP / "cone/20_02/4",)
    with pytest.raises(DataError, match=r"holds no phys101/scenarios/ramp/<object>/<20_01 \| 20_02>/<trial>/Kinect"):
        find_trials(unpacked / RAMP / "cone")


def test_films_are_decoded_once(unpacked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    told: list[tuple[str, int, int]] = []
    first = read_physics101(unpacked, size=8, progress=lambda *words: told.append(words))
    assert told == [("reading clips", i, 4) for i in (1, 2, 3, 4)]
    again = read_physics101(unpacked, size=8, progress=lambda *words: told.append(words))
    assert len(told) == 4
    assert again.facts == first.facts
    np.testing.assert_array_equal(np.array(again.frames), np.array(first.frames))
    assert [path.parent.name for path in tmp_path.rglob("physics101-*.npz")] == ["video"]


def test_a_film_that_is_too_short_is_named(tmp_path: Path) -> None:
    filmed(tmp_path / RAMP / "cone/20_01/1" / VIDEO, frames=20)
    with pytest.raises(
        DataError, match=r"^cone/20_01/1/Kinect_RGB_1\.mp4: has 10 frames at 15 a second, and the middle 22"
    ):
        read_physics101(tmp_path, cache=None)
    assert read_physics101(tmp_path, frames=10, cache=None).lengths.tolist() == [10]
    with pytest.raises(OptionError, match="clips of 0 frames"):
        read_physics101(tmp_path, frames=0, cache=None)
