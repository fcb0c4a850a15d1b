"""`video data`: what the commands print, write and refuse."""

from __future__ import annotations

import inspect
import shlex
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from noether_discover.cli.video_data import data
from noether_discover.errors import DataError
from noether_discover.video.clips import Clips
from noether_discover.video.reading import read_clips
from noether_discover.video.worlds import WORLDS
from noether_discover.video.writing import write_clips, write_video


def run(*words: object) -> Result:
    return CliRunner().invoke(data, [str(word) for word in words])


def lines(result: Result) -> dict[str, str]:
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) < 80
    return {line[:13].strip(): line[14:] for line in result.stdout.splitlines()}


@pytest.mark.parametrize("world", WORLDS)
def test_worlds_are_filmed_with_one_command_and_checked_with_another(tmp_path: Path, world: str) -> None:
    path = tmp_path / "clips.npz"
    made = run(world, "--episodes", 6, "--frames", 24, "--seed", 1, "-o", path)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("6 clips, 144 frames of ")
    expected = WORLDS[world].make(episodes=6, frames=24, size=WORLDS[world].defaults["size"], seed=1)
    np.testing.assert_array_equal(np.array(read_clips(path).frames), np.array(expected.frames))
    found = lines(run("check", path))
    assert found["clips"] == "6"
    assert found["frames"] == "24 each"
    assert found["actions"].startswith("1 a frame" if world == "pendulum" else "none")


@pytest.mark.parametrize("world", WORLDS)
def test_the_command_line_s_numbers_are_the_worlds_own(world: str) -> None:
    params = {param.name: param.default for param in data.commands[world].params}
    own = {name: p.default for name, p in inspect.signature(WORLDS[world].make).parameters.items()}
    for name, number in WORLDS[world].defaults.items():
        assert params[name] == number == own[name]


def test_options_of_the_pendulum_reach_it(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    assert run("pendulum", "--episodes", 2, "--frames", 5, "--free", "--grey", "--size", 20, "-o", path).exit_code == 0
    assert read_clips(path).size == (20, 20, 1)
    assert read_clips(path).actions is None
    words = ("--renderer", "gymnasium", "--episodes", 1, "--frames", 3, "--quiet", "-o", path)
    quiet = run("pendulum", *words)
    assert (quiet.exit_code, quiet.output) == (0, "")
    assert read_clips(path).size == (16, 16, 3)


def test_a_folder_is_converted_and_checked(tmp_path: Path) -> None:
    films, path = tmp_path / "films", tmp_path / "clips.npz"
    frames = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 3), dtype=np.uint8)
    for name in ("cone/a.mp4", "cone/b.mp4", "a ball with a very long name that no line could hold/a.mp4"):
        (films / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(films / name, frames, 30)
        frames = frames[:-1]
    (films / "cone" / "broken").mkdir()
    assert run("convert", films, "--size", 16, "--fps", 15, "-o", path).exit_code == 0
    found = lines(run("check", path))
    assert found["frames"] == "2 to 3, 8 in all"
    assert found["size"] == "16 x 16 pixels, 3 channels"
    assert found["frames/second"] == "15"
    assert found["object"] == "2 values: a ball with a very long nam... and 1 more" or "cone (2)" in found["object"]
    assert found["file"].startswith("3 values: ")
    assert lines(run("check", films, "--grey"))["size"] == "48 x 32 pixels, grey"
    refused = run("convert", path, "-o", path)
    assert refused.exit_code == 2
    assert "would replace what is read" in refused.output


def test_what_will_make_learning_hard_is_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    moving = rng.integers(0, 256, (5, 8, 8, 1), dtype=np.uint8)
    frozen = np.repeat(moving[:1], 20, axis=0)
    write_clips(tmp_path / "c.npz", Clips((moving, frozen, moving), facts={"object": ("a",) * 3}))
    found = run("check", tmp_path / "c.npz")
    assert lines(found)["still frames"].startswith("70.4 %")  # 19 of 27
    assert found.stderr.splitlines() == [
        "note: nothing ever moves in 1 clip, first clip 1",
        "note: most frames show what the frame before showed: a network will learn to copy it",
        "note: 1 clip also there under another name, first clip 0 and clip 2: the test would know them from training",
        'note: all clips have one object: split by another column than "object"',
    ]
    write_clips(tmp_path / "c.npz", Clips((moving,)))
    assert "there is one clip" in run("check", tmp_path / "c.npz").stderr


def test_physics101_is_written_as_one_file(tmp_path: Path) -> None:
    trial = tmp_path / "phys101/scenarios/ramp/cone/20_01"
    (trial / "2").mkdir(parents=True)
    (trial / "1").mkdir()
    write_video(trial / "1" / "Kinect_RGB_1.mp4", np.zeros((50, 32, 32, 3), np.uint8), 30)
    words = ("--size", 16, "--cache", tmp_path / "cache", "-o", tmp_path / "x.npz")
    done = run("physics101", tmp_path, *words)
    assert done.exit_code == 0
    assert done.stderr == f"note: passed over 1 trial without Kinect_RGB_1.mp4, first {trial / '2'}\n"
    clips = read_clips(tmp_path / "x.npz")
    assert clips.size == (16, 16, 3)
    assert clips.lengths.tolist() == [22]
    assert clips.facts["object"] == ("cone",)
    assert isinstance(run("physics101", tmp_path / "cache", *words).exception, DataError)


def test_a_place_that_cannot_be_written_is_told_before_any_work(tmp_path: Path) -> None:
    refused = run("pendulum", "-o", tmp_path)
    assert refused.exit_code == 2
    assert "is a folder; name a file in it" in refused.output


@pytest.mark.parametrize("name", data.commands)
def test_every_command_has_an_example_that_can_be_read(name: str) -> None:
    command = data.commands[name]
    assert command.epilog
    for example in command.epilog.splitlines():
        words = shlex.split(example)
        assert words[:4] == ["noether-discover", "video", "data", name]
        command.make_context(name, words[4:], resilient_parsing=False)
    assert [p.name for p in command.params if isinstance(p, click.Option) and not p.help] == []


def test_making_and_checking_do_not_import_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from noether_discover.cli.video_data import data\n"
        "path = sys.argv[1]\n"
        "data.main(['pendulum', '--episodes', '2', '--frames', '3', '-o', path], standalone_mode=False)\n"
        "data.main(['check', path], standalone_mode=False)\n"
        "print('torch' in sys.modules)"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "p.npz")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
