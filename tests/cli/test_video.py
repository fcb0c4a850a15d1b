"""`video`: a run from the command line, what it prints within 80 columns, and how it refuses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TINY = """
[data]
world = "ball"
episodes = 8
frames = 14
size = 16
test = 4
given = 3
horizon = 5
stride = 2
[predictor]
code = 8
hidden = 8
width = 4
[base]
epochs = 2
[embedding]
dim = 4
width = 4
[noether]
epochs = 1
"""

Run = Callable[..., Any]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return path


def shown(found: Any) -> str:
    assert (found.code, found.err) == (0, "")
    assert max(map(len, found.out.splitlines())) <= 80
    return found.out


def test_a_run_from_clips_to_pictures(told: Run, config: Path) -> None:
    out = shown(told("video", "train", config, "-o", "run"))
    parts = [line.split()[0] for line in out.splitlines()]
    assert parts == ["base", "noether", "random", "free", "more_steps", "more_time", "run"]
    assert out.splitlines()[-1].endswith("next: noether-discover video evaluate run")
    again = told("video", "train", config, "-o", "run", "--quiet")
    assert (again.code, again.out, again.err) == (0, "", "")

    out = shown(told("video", "evaluate", "run"))
    for word in (
        "mean frame",
        "copy last",
        "/ more_steps",
        "early",
        "may it be believed?",
        "FAILS",
        "LPIPS not measured",
    ):
        assert word in out
    written = [line.removeprefix("written: ") for line in out.splitlines() if line.startswith("written: ")]
    assert [Path(file).name for file in written] == [
        "table.csv", "by_step.csv", "evaluation.json", "horizon.png", "clips.png",
    ]  # fmt: skip
    assert all(Path(file).is_file() for file in written)
    found = json.loads(told("video", "evaluate", "run", "--json").out)
    assert found["horizon"] == 5

    out = shown(told("video", "study", "run", "--steps", "5", "--windows", "2"))
    assert [line.split()[0] for line in out.splitlines()[4:8]] == ["0", "1", "2", "5"]
    assert "trained with 1 of sgd" in out

    out = shown(told("video", "explain", "run", "--sheets", "2", "--components", "3"))
    assert "within / between windows" in out
    assert "conserved" in out
    assert sorted(path.name for path in Path("run/explain").iterdir()) == ["clip_1.png", "clip_2.png", "explain.json"]


def test_a_rate_that_is_far_too_large_is_counted_and_printed(told: Run, config: Path) -> None:
    shown(told("video", "train", config, "--set", "inner.rate=1e6", "--set", "arms=['noether']", "-o", "run"))
    out = shown(told("video", "evaluate", "run"))
    assert "noether: 4 of 4 windows fell back to the base prediction" in " ".join(out.split())


def test_clips_made_by_one_command_are_trained_on_by_the_next(told: Run, config: Path) -> None:
    shown(told("video", "data", "pendulum", "--episodes", "4", "--frames", "12", "--size", "16", "-o", "p.npz"))
    sets = ("--set", "data.path=p.npz", "--set", "data.test=1", "--set", "arms=['base']")
    shown(told("video", "train", config, *sets, "-o", "run"))
    assert json.loads(Path("run/base.json").read_text())["network"]["predictor"]["actions"] == 1
    Path("p.npz").unlink()
    gone = told("video", "evaluate", "run")
    assert gone.code == 2
    assert "p.npz: does not exist" in gone.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing.toml"], "nothing.toml: there is no such file, and no such configuration is shipped"),
        (["tiny.toml", "--set", "base.ratee=1"], "tiny.toml: there is no key base.ratee; did you mean base.rate?"),
        (["tiny.toml", "--set", "data.given=90"], "windows of 95 frames do not fit: the longest clip, clip 0, has 14"),
        (["tiny.toml", "--set", "predictor.actions=true"], "the clips have no actions"),
        (["tiny.toml", "--device", "cuda:9"], 'device = "cuda:9": torch'),
        (["tiny.toml", "--set", "inner.second_order=false", "--set", "noether.train=frozen"], "no gradient"),
        (["tiny.toml", "--set", "data.size=20"], "frames of 20 pixels cannot be halved"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence_and_leaves_nothing(
    told: Run, config: Path, words: list[str], said: str
) -> None:
    found = told("video", "train", *words, "-o", "run")
    assert found.code == 2
    assert len(found.errors) == 1
    assert said in found.errors[0]
    assert [path.name for path in Path().iterdir()] == ["tiny.toml"]


def test_what_is_no_run_is_told(told: Run, config: Path) -> None:
    for command in ("evaluate", "study", "explain"):
        found = told("video", command, "run")
        assert (found.code, found.out) == (2, "")
        assert "there is no such run folder; make one with" in found.err


def test_an_interruption_says_how_to_go_on(told: Run, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from noether_discover.video.training import Training

    epoch = Training.run_epoch

    def interrupted(self: Training, told: Any = None) -> Any:
        if self.progress.step:
            raise KeyboardInterrupt
        return epoch(self, told)

    monkeypatch.setattr(Training, "run_epoch", interrupted)
    found = told("video", "train", config, "-o", "run")
    assert found.code == 130
    assert found.errors == ["interrupted; the same command again goes on from the last epoch that was kept"]
    assert Path("run/checkpoints/base.safetensors").is_file()
    monkeypatch.undo()
    monkeypatch.chdir(config.parent)
    changed = told("video", "train", config, "--set", "seed=1", "-o", "run")
    assert changed.code == 2
    assert "holds a run with seed = 0, now 1; choose another folder" in changed.err
    shown(told("video", "train", config, "--set", "arms=['base']", "-o", "run"))


def test_weights_that_are_not_there_are_told(told: Run, config: Path) -> None:
    shown(told("video", "train", config, "--set", "arms=['base']", "-o", "run"))
    found = told("video", "evaluate", "run", "--lpips-weights", "alex.pth")
    assert found.code == 2
    assert "alex.pth: there is no such file" in found.err
    assert not Path("run/evaluation").exists()


def test_shipped_configurations_are_listed_and_printed(told: Run) -> None:
    assert told("video", "config").out.split() == ["pendulum", "pendulum_small", "phys101_ramp", "ramps"]
    assert tomllib.loads(told("video", "config", "pendulum").out)["data"]["size"] == 64
    assert told("video", "config", "pendulun").code == 2
