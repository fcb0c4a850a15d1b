"""Clips from files: there and back, and what a user is told about files that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from noether_discover.errors import DataError, OptionError
from noether_discover.video.clips import Clips
from noether_discover.video.reading import read_clips
from noether_discover.video.resizing import grey, resized
from noether_discover.video.worlds import pendulum
from noether_discover.video.writing import write_clips, write_video

rng = np.random.default_rng(0)
LOSSY = 12
"""Grey levels that H.264 may change a flat square of 16 pixels by; neighbours in time differ by 20 or more here."""


def numbered(frames: int, height: int = 32, width: int = 48, start: int = 0) -> np.ndarray:
    """Flat frames [T, H, W, 3] whose brightness is 20 times their number."""
    level = 20 * (start + np.arange(frames, dtype=np.uint8))
    return np.broadcast_to(level[:, None, None, None], (frames, height, width, 3)).copy()


def levels(frames: np.ndarray) -> list[int]:
    """The frames' numbers, back from their brightness."""
    return np.rint(frames.mean(axis=(1, 2, 3)) / 20).astype(int).tolist()


def same(a: Clips, b: Clips) -> None:
    assert dict(a.facts) == dict(b.facts)
    assert a.fps == b.fps
    for left, right in ((a.frames, b.frames), (a.actions, b.actions), (a.states, b.states)):
        assert (left is None) == (right is None)
        for x, y in zip(left or (), right or (), strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


# npz and npy


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    channels=st.sampled_from([1, 3]),
    actions=st.booleans(),
    states=st.booleans(),
    fps=st.sampled_from([None, 15.0, 29.97]),
    word=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
def test_clips_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory,
    lengths: list[int],
    channels: int,
    actions: bool,
    states: bool,
    fps: float | None,
    word: str,
) -> None:
    path = tmp_path_factory.mktemp("npz") / "clips.npz"
    clips = Clips(
        tuple(rng.integers(0, 256, (n, 4, 5, channels), dtype=np.uint8) for n in lengths),
        tuple(rng.normal(size=(n, 2)).astype(np.float32) for n in lengths) if actions else None,
        tuple(rng.normal(size=(n, 3)) for n in lengths) if states else None,
        {"object": tuple(f"{word}{i}" for i in range(len(lengths))), "a column, with Σ": (word,) * len(lengths)},
        fps,
    )
    write_clips(path, clips)
    same(read_clips(path), clips)
    assert [p.name for p in path.parent.iterdir()] == ["clips.npz"]


def test_a_generated_world_comes_back(tmp_path: Path) -> None:
    clips = pendulum(3, 10)
    write_clips(tmp_path / "p.npz", clips)
    same(read_clips(tmp_path / "p.npz"), clips)


@pytest.mark.parametrize("shape", [(2, 3, 8, 9, 3), (2, 3, 8, 9, 1), (2, 3, 8, 9), (3, 8, 9, 3)])
def test_arrays_of_bytes_and_of_floats_are_the_same_clips(tmp_path: Path, shape: tuple[int, ...]) -> None:
    frames = rng.integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "bytes.npy", frames)
    np.save(tmp_path / "floats.npy", frames / np.float32(255))
    np.savez(tmp_path / "only.npz", frames)
    read = read_clips(tmp_path / "bytes.npy")
    same(read, read_clips(tmp_path / "floats.npy"))
    same(read, read_clips(tmp_path / "only.npz"))
    assert len(read) == (1 if len(shape) == 4 and shape[-1] == 3 else 2)
    np.testing.assert_array_equal(np.array(read.frames).ravel(), frames.ravel())


ZEROS = np.zeros((2, 3, 8, 9, 3), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"frames": np.array([{"a": 1}], object)}, "pickled objects, which are never loaded"),
        ({"images": ZEROS, "labels": np.zeros(2)}, 'has no array "frames"; its arrays are "images", "labels"'),
        ({"frames": ZEROS[0, 0, 0]}, r"frames are uint8 \[9, 3\]; uint8, or floats in \[0, 1\]"),
        ({"frames": ZEROS[:0]}, "there is nothing in them"),
        ({"frames": np.moveaxis(ZEROS, -1, 2)}, r"Use np\.moveaxis\(frames, 2, -1\)"),
        ({"frames": ZEROS.astype(int)}, r"frames are int64; .* Use frames\.astype\(np\.uint8\)"),
        ({"frames": ZEROS + 255.0}, "floats from 255 to 255"),
        ({"frames": np.where(ZEROS == 0, np.nan, 0.0)}, "floats not finite"),
        ({"frames": ZEROS, "actions": np.zeros((2, 2, 1))}, r"actions are \[2, 2, 1\]; for 2 clips of 3 frames"),
        ({"frames": ZEROS, "states": np.full((2, 3, 1), np.inf)}, "clip 0: states are not finite"),
        ({"frames": ZEROS, "actions": np.full((2, 3, 1), "x")}, "numbers are needed"),
        ({"frames": ZEROS, "lengths": np.array([3, 4])}, "lengths go from 3 to 4, but a clip has 1 to 3 frames"),
        ({"frames": ZEROS, "lengths": np.array([3])}, "2 whole numbers are needed"),
        ({"frames": ZEROS, "fact_object": np.array(["a"])}, r'"fact_object" is \[1\]; one word for each of 2 clips'),
        ({"frames": ZEROS, "fps": np.array(-1.0)}, "a positive number of frames a second is needed"),
    ],
)
def test_an_archive_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, arrays: dict[str, Any], sentence: str
) -> None:
    path = tmp_path / "clips.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=sentence) as told:
        read_clips(path)
    assert str(told.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["clips.npz", "clips.npy"])
@pytest.mark.parametrize("content", [b"", b"hello" * 50, b"PK\x03\x04" + b"\0" * 50, b"\x93NUMPY\x01\x00v\x00{'a"])
def test_a_damaged_archive_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=re.escape(str(tmp_path / name))):
        read_clips(tmp_path / name)


@given(seed=st.integers(0, 2**32 - 1), suffix=st.sampled_from(["npz", "npy"]))
def test_an_archive_that_was_damaged_anywhere_is_named_or_read(
    tmp_path_factory: pytest.TempPathFactory, seed: int, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("damaged") / f"clips.{suffix}"
    if suffix == "npz":
        write_clips(path, pendulum(2, 5))
    else:
        np.save(path, np.array(pendulum(2, 5).frames))
    dice = np.random.default_rng(seed)
    content = bytearray(path.read_bytes())
    start = int(dice.integers(min(len(content), 200) if dice.random() < 0.5 else len(content)))
    content[start : start + int(dice.integers(100))] = dice.bytes(int(dice.integers(100)))
    path.write_bytes(content)
    sentence = f"{path}: can be read all the same"
    try:
        read_clips(path)
    except DataError as told:
        sentence = str(told)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"No such file or directory"):
        write_clips(tmp_path / "nowhere" / "clips.npz", pendulum(1, 2))
    with pytest.raises(OptionError, match=r"ends in \.npz"):
        write_clips(tmp_path / "clips.npy", pendulum(1, 2))
    with pytest.raises(OptionError, match=r"choose a name like clip\.mp4"):
        write_video(tmp_path / "clip.txt", numbered(2))
    assert not list(tmp_path.iterdir())


# videos


@pytest.mark.parametrize("suffix", ["mp4", "avi", "mov"])
def test_a_video_has_the_frames_that_were_filmed(tmp_path: Path, suffix: str) -> None:
    frames = numbered(8)
    frames[:, :16, :16] = 255
    write_video(tmp_path / f"clip.{suffix}", frames, 15)
    clips = read_clips(tmp_path / f"clip.{suffix}")
    assert clips.facts == {"file": (f"clip.{suffix}",)}
    assert clips.fps == 15
    assert np.abs(clips.frames[0].astype(int) - frames)[:, ::8, ::8].mean() < LOSSY
    assert levels(clips.frames[0][:, 20:, 20:]) == list(range(8))


@pytest.mark.parametrize(("fps", "kept"), [(30, list(range(12))), (15, [0, 2, 4, 6, 8, 10]), (10, [0, 3, 6, 9])])
def test_fewer_frames_a_second_are_those_at_their_times(tmp_path: Path, fps: float, kept: list[int]) -> None:
    write_video(tmp_path / "clip.mp4", numbered(12), 30)
    clips = read_clips(tmp_path / "clip.mp4", fps=fps)
    assert levels(clips.frames[0]) == kept
    assert clips.fps == fps


def test_times_count_not_the_order_when_a_camera_stumbles(tmp_path: Path) -> None:
    times = [0, 1, 2, 3, 9, 10, 11, 12]  # in thirtieths: five frames were lost
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        for time, picture in zip(times, numbered(8), strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    kept = levels(read_clips(tmp_path / "clip.mp4", fps=10).frames[0])
    assert kept == [0, 3, 3, 4, 7] or kept == [0, 3, 4, 4, 7]  # at 0, 3, 6, 9, 12; 6 is as far from 3 as from 9


def test_folders_become_columns(tmp_path: Path) -> None:
    for name in ("set/cone/20_01/2.mp4", "set/cone/20_01/10.mp4", "set/ball/20_02/1.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(tmp_path / name, numbered(2), 15)
    clips = read_clips(tmp_path)
    assert clips.facts == {
        "object": ("ball", "cone", "cone"),
        "folder_2": ("20_02", "20_01", "20_01"),
        "file": ("set/ball/20_02/1.mp4", "set/cone/20_01/2.mp4", "set/cone/20_01/10.mp4"),
    }
    assert read_clips(tmp_path / "set/cone").facts == {"file": ("20_01/2.mp4", "20_01/10.mp4")}
    write_video(tmp_path / "set/alone.mp4", numbered(2), 15)
    assert read_clips(tmp_path / "set").facts["object"] == (".", "ball/20_02", "cone/20_01", "cone/20_01")


def test_a_film_that_is_to_be_turned_is_turned(tmp_path: Path) -> None:
    frames = np.zeros((2, 32, 64, 3), np.uint8)
    frames[:, :8, :16] = 255  # bright in the upper left
    write_video(tmp_path / "clip.mp4", frames)
    film = (tmp_path / "clip.mp4").read_bytes()
    one, none = (0x10000).to_bytes(4, "big"), bytes(12)
    place = film.index(one + none + one, film.index(b"tkhd"))
    turned = [0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000]  # a quarter to the right
    matrix = b"".join(number.to_bytes(4, "big", signed=True) for number in turned)
    (tmp_path / "clip.mp4").write_bytes(film[:place] + matrix + film[place + len(matrix) :])
    found = read_clips(tmp_path / "clip.mp4").frames[0]
    assert found.shape == (2, 64, 32, 3)
    assert found[0, :16, -8:].min() > 255 - LOSSY
    assert found[0, 16:].max() < LOSSY


def no_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        container.start_encoding()


def sound_only(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())


def unknown_codec(path: Path) -> None:
    write_video(path, numbered(2))
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzzz"))


def cut_off(path: Path) -> None:
    write_video(path, numbered(2))
    path.write_bytes(path.read_bytes()[:-100])


def damaged(path: Path) -> None:
    write_video(path, rng.integers(0, 256, (10, 64, 64, 3), dtype=np.uint8))
    film = bytearray(path.read_bytes())
    middle = film.index(b"mdat") + 3000
    film[middle : middle + 4000] = rng.bytes(4000)
    path.write_bytes(film)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_bytes(b""), "cannot be read as a video"),
        (lambda path: path.write_bytes(b"hello" * 100), "cannot be read as a video"),
        (cut_off, "has no frames"),
        (damaged, "cannot be read as a video"),
        (unknown_codec, "cannot be read as a video"),
        (sound_only, "has no video in it, only audio"),
        (no_frames, "has no frames|has no video in it"),
    ],
)
def test_a_video_that_cannot_be_read_is_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], None], sentence: str
) -> None:
    write_video(tmp_path / "a.mp4", numbered(2))
    make(tmp_path / "b.mp4")
    with pytest.raises(DataError, match=sentence) as told:
        read_clips(tmp_path)
    assert str(told.value).startswith("b.mp4: ")
    assert "\n" not in str(told.value)
    assert capfd.readouterr().err == ""


def test_clips_of_two_sizes_are_named_and_a_size_cures_it(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered(2, 32, 48))
    write_video(tmp_path / "b.mp4", numbered(2, 64, 32))
    with pytest.raises(DataError, match=r"b\.mp4: frames of 32 x 64 pixels.*Give a size"):
        read_clips(tmp_path)
    assert read_clips(tmp_path, size=16).size == (16, 16, 3)
    assert read_clips(tmp_path, size=(16, 24), grey=True).size == (16, 24, 1)


def test_clips_of_two_rates_are_named_and_fps_cures_it(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", numbered(8), 30)
    write_video(tmp_path / "b.mp4", numbered(8), 15)
    with pytest.raises(DataError, match=r"b\.mp4: has 15 frames a second, but a\.mp4 has 30"):
        read_clips(tmp_path)
    assert read_clips(tmp_path, fps=15).lengths.tolist() == [4, 8]
    with pytest.raises(DataError, match=r"b\.mp4: has 15 frames a second, and 20 are asked for"):
        read_clips(tmp_path, fps=20)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "holds no videos and no pictures"),
        (["clips.npz"], r"Give the file itself: .*clips\.npz"),
        (["a.mp4", "b/1.png"], "holds videos .* and pictures"),
        (["a.txt"], "holds no videos"),
        ([".hidden.mp4"], "holds no videos"),
    ],
)
def test_a_folder_without_clips_is_told(tmp_path: Path, files: list[str], sentence: str) -> None:
    for file in files:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    with pytest.raises(DataError, match=sentence):
        read_clips(tmp_path)


def test_what_is_not_there_or_no_video_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        read_clips(tmp_path / "films")
    (tmp_path / "clip.txt").touch()
    with pytest.raises(DataError, match="no video that can be read"):
        read_clips(tmp_path / "clip.txt")
    with pytest.raises(OptionError, match="frames cannot be 0 x 0 pixels"):
        read_clips(tmp_path / "clip.txt", size=0)


# pictures


def test_pictures_are_frames_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for clip, count in (("run2", 11), ("run10", 3)):
        (tmp_path / clip).mkdir()
        for i, picture in enumerate(numbered(count, 6, 8)):
            Image.fromarray(picture).save(tmp_path / clip / f"frame{i}.png")
    clips = read_clips(tmp_path)
    assert clips.facts == {"file": ("run2", "run10")}
    assert clips.fps is None
    assert [levels(frames) for frames in clips.frames] == [list(range(11)), list(range(3))]
    assert read_clips(tmp_path / "run10").facts == {"file": ("run10",)}
    with pytest.raises(OptionError, match="say nothing of frames a second"):
        read_clips(tmp_path, fps=10)


def test_a_folder_can_be_given_as_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(numbered(1)[0]).save(tmp_path / "1.png")
    (tmp_path.parent / f"{tmp_path.name}.actions.csv").write_text("1\n")
    monkeypatch.chdir(tmp_path)
    clips = read_clips(".")
    assert clips.facts == {"file": (tmp_path.name,)}
    assert clips.actions is not None


def test_pictures_of_all_kinds_keep_their_levels(tmp_path: Path) -> None:
    level = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(level).save(tmp_path / "1.png")
    assert read_clips(tmp_path).size == (4, 6, 1)
    Image.fromarray(level.astype(np.uint16) * 257).save(tmp_path / "2.png")
    Image.fromarray(np.dstack([level] * 3)).save(tmp_path / "3.png")
    Image.fromarray(np.dstack([level] * 4)).save(tmp_path / "4.png")
    frames = read_clips(tmp_path).frames[0]
    assert frames.shape == (4, 4, 6, 3)
    np.testing.assert_array_equal(frames, np.broadcast_to(level[None, :, :, None], frames.shape))


def test_a_picture_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        Image.fromarray(numbered(1)[0]).save(tmp_path / name)
    (tmp_path / "2.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    with pytest.raises(DataError, match=r"^2\.png: cannot be read as a picture"):
        read_clips(tmp_path)
    Image.fromarray(numbered(1, 10, 20)[0]).save(tmp_path / "2.png")
    with pytest.raises(DataError, match=r"^2\.png: is 20 x 10 pixels, but 1\.png is 48 x 32\. Give a size"):
        read_clips(tmp_path)
    assert read_clips(tmp_path, size=8).size == (8, 8, 3)


# actions


def filmed(folder: Path, count: int = 2) -> None:
    for i in range(count):
        write_video(folder / f"clip{i}.mp4", numbered(3))


@pytest.mark.parametrize("text", ["torque,push\n1,2\n3,4\n5,6\n", "1;2\n3;4\n5;6", "# N m\n1 2\n3 4\n\n5 6\n"])
def test_actions_stand_beside_their_clips(tmp_path: Path, text: str) -> None:
    filmed(tmp_path)
    (tmp_path / "clip0.actions.csv").write_text(text)
    np.save(tmp_path / "clip1.actions.npy", np.array([[1, 2], [3, 4], [5, 6]]))
    clips = read_clips(tmp_path)
    assert clips.actions is not None
    for rows in clips.actions:
        assert rows.dtype == np.float32
        np.testing.assert_array_equal(rows, [[1, 2], [3, 4], [5, 6]])
    with pytest.raises(OptionError, match="would be lost"):
        read_clips(tmp_path, fps=5)
    one = read_clips(tmp_path / "clip0.mp4")
    assert one.actions is not None
    np.testing.assert_array_equal(one.actions[0], clips.actions[0])


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"clip0.actions.csv": "1\n2\n3\n"}, r"^clip1\.mp4: has no actions, but clip0\.mp4 has\. Write clip1\.actions"),
        ({"clip7.actions.csv": "1\n"}, r"clip7\.actions\.csv: is an actions file beside no clip"),
        ({"clip0.actions.csv": "1\n2\n3", "clip1.actions.csv": "1\n2"}, r"^clip1\.mp4: actions are \[2, 1\].*3 frames"),
        (
            {"clip0.actions.csv": "1\n2\n3", "clip1.actions.csv": "1\nx\n2"},
            'clip1.actions.csv: row 2: "x" is not a numb',
        ),
        (
            {"clip0.actions.csv": "1\n2\n3", "clip1.actions.csv": "1\n2,3\n2"},
            "row 2 has 2 actions, the rows above have",
        ),
        ({"clip0.actions.csv": "1\n2\n3", "clip1.actions.csv": "1\nnan\n2"}, "the actions of frame 2 are not finite"),
        ({"clip0.actions.csv": "1\n2\n3", "clip1.actions.csv": "torque\n"}, "has no rows"),
        ({"clip0.actions.csv": "1\n2\n3", "clip0.actions.npy": "x"}, "has two actions files"),
        ({"clip0.actions.csv": "1\n2\n3", "clip1.actions.npy": "x"}, "cannot be read as npy"),
    ],
)
def test_actions_that_do_not_fit_are_named(tmp_path: Path, files: dict[str, str], sentence: str) -> None:
    filmed(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=sentence):
        read_clips(tmp_path)


def test_pickled_actions_are_never_loaded(tmp_path: Path) -> None:
    filmed(tmp_path, 1)
    np.save(tmp_path / "clip0.actions.npy", np.array([{}], object))
    with pytest.raises(DataError, match="never loaded"):
        read_clips(tmp_path)


# cache


def test_decoded_clips_are_kept_until_a_file_changes(tmp_path: Path) -> None:
    films, cache = tmp_path / "films", tmp_path / "cache"
    films.mkdir()
    filmed(films)
    first = read_clips(films, size=16, cache=cache)
    (kept,) = cache.iterdir()
    np.savez(kept, frames=np.full((2, 3, 16, 16, 3), 7, np.uint8), fact_file=np.array(["a", "b"]))
    assert read_clips(films, size=16, cache=cache).frames[0].max() == 7, "the cache was not used"
    kept.write_bytes(b"broken")
    same(read_clips(films, size=16, cache=cache), first)
    write_video(films / "clip1.mp4", numbered(5))
    assert read_clips(films, size=16, cache=cache).lengths.tolist() == [3, 5]
    assert len(list(cache.iterdir())) == 1, "the stale file is still there"
    assert read_clips(films, size=8, cache=cache).size == (8, 8, 3)
    assert len(list(cache.iterdir())) == 2


def test_a_cache_that_cannot_be_made_is_told_before_anything_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    (tmp_path / "a.mp4").touch()
    with pytest.raises(OptionError, match="choose another cache folder"):
        read_clips(tmp_path, cache=tmp_path / "cache")


# resizing

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(shape=SHAPES, size=SHAPES, level=st.integers(0, 255))
def test_a_flat_frame_stays_flat_at_every_size(shape: tuple[int, int], size: tuple[int, int], level: int) -> None:
    frames = np.full((1, *shape, 2), level, np.uint8)
    np.testing.assert_array_equal(resized(frames, size), np.full((1, *size, 2), level))


@given(shape=SHAPES, size=SHAPES, seed=st.integers(0, 9))
def test_mirrored_frames_give_mirrored_results(shape: tuple[int, int], size: tuple[int, int], seed: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (1, *shape, 1), dtype=np.uint8)
    for axis in (1, 2):
        mirrored = np.flip(resized(np.flip(frames, axis), size), axis).astype(int)
        assert np.abs(mirrored - resized(frames, size)).max() <= 1  # sums in another order, then rounded


@given(size=st.integers(1, 40), seed=st.integers(0, 9))
def test_shrinking_keeps_the_mean_brightness(size: int, seed: int) -> None:
    frames = np.random.default_rng(seed).integers(0, 256, (1, 40, 40, 1), dtype=np.uint8)
    rounding = 5 * np.sqrt(1 / 12) / size  # five standard deviations of the mean of size^2 roundings
    assert resized(frames, size).mean() == pytest.approx(frames.mean(), abs=rounding)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_shrinking_by_whole_factors_is_torch_s_mean_over_area(factor: int) -> None:
    frames = rng.integers(0, 256, (2, 48, 72, 3), dtype=np.uint8)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(frames).permute(0, 3, 1, 2).float(), (48 // factor, 72 // factor), mode="area"
    )
    ours = resized(frames, (48 // factor, 72 // factor)).astype(float)
    assert np.abs(ours - expected.permute(0, 2, 3, 1).numpy()).max() <= 0.5 + 1e-3  # rounding


def test_growing_is_torch_s_linear_interpolation() -> None:
    frames = rng.integers(0, 256, (1, 12, 12, 3), dtype=np.uint8)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(frames).permute(0, 3, 1, 2).float(), (30, 30), mode="bilinear"
    )
    ours = resized(frames, 30).astype(float)
    assert np.abs(ours - expected.permute(0, 2, 3, 1).numpy()).max() <= 0.5 + 1e-3  # rounding


def test_what_is_kept_is_the_middle() -> None:
    frames = np.zeros((1, 20, 60, 1), np.uint8)
    frames[:, :, 20:40] = 200
    assert (resized(frames, 10) == 200).all()
    assert (resized(frames.transpose(0, 2, 1, 3), 10) == 200).all()


def test_fine_stripes_become_grey_not_coarse_stripes() -> None:
    stripes = np.zeros((1, 130, 130, 1), np.uint8)
    stripes[:, :, ::2] = 255
    assert np.ptp(resized(stripes, 10).astype(int)) <= 20  # 13 pixels hold 6 or 7 stripes: 255/13 apart


def test_grey_is_what_the_eye_calls_bright() -> None:
    primaries = np.eye(3, dtype=np.uint8)[None] * 255
    assert grey(primaries)[0, :, 0].tolist() == [76, 150, 29]
    assert grey(np.full((1, 2, 2, 3), 255, np.uint8)).min() == 255
    with pytest.raises(OptionError, match="frames of 4 channels cannot be made grey"):
        grey(np.zeros((1, 2, 2, 4), np.uint8))


def test_an_archive_is_thinned_and_resized_too(tmp_path: Path) -> None:
    clips = pendulum(2, 21, controlled=False)
    write_clips(tmp_path / "p.npz", clips)
    thin = read_clips(tmp_path / "p.npz", fps=10, size=8, grey=True)
    assert thin.lengths.tolist() == [11, 11]
    assert thin.size == (8, 8, 1)
    assert thin.states is not None
    assert clips.states is not None
    np.testing.assert_array_equal(thin.states[1], clips.states[1][::2])
    np.testing.assert_array_equal(thin.frames[1], grey(resized(clips.frames[1][::2], 8)))


def test_a_text_that_is_called_an_archive_is_told(tmp_path: Path) -> None:
    file = tmp_path / "bad.npz"
    file.write_text("hi")
    with pytest.raises(DataError, match=r"bad\.npz: is no npy or npz file"):
        read_clips(file)
