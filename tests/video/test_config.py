"""Configurations: what is shipped can be read, and what is wrong is told with its file, key and remedy."""

from __future__ import annotations

import contextlib
import re
import tomllib
from pathlib import Path

import pytest

from noether_discover.errors import DataError, NoetherError, OptionError
from noether_discover.video.arms import ARMS
from noether_discover.video.config import (
    SECTIONS,
    TOP,
    Config,
    _keys,
    differences,
    from_table,
    load_config,
    shipped,
    shipped_text,
)

SMALL = 'seed = 3\narms = ["noether"]\n[data]\nworld = "ball"\n'


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def loaded(name: str, tmp_path: Path, *sets: str) -> Config:
    (tmp_path / "phys101").mkdir(exist_ok=True)
    more = [f"data.physics101={tmp_path / 'phys101'}"] if name == "phys101_ramp" else []
    return load_config(name, [*more, *sets])


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_can_be_read_and_written_and_read_again(name: str, tmp_path: Path) -> None:
    config = loaded(name, tmp_path)
    assert from_table(config.plain(), "again") == config
    assert differences(config.plain(), config.plain()) == []


@pytest.mark.parametrize("name", shipped())
def test_every_key_that_is_shipped_has_a_comment(name: str) -> None:
    bare = [line for line in shipped_text(name).splitlines() if "=" in line and " # " not in line and line[0] != "#"]
    assert bare == []


def test_the_paper_s_numbers_are_in_its_configurations(tmp_path: Path) -> None:
    ramp, pendulum = loaded("phys101_ramp", tmp_path), load_config("pendulum")
    assert (ramp.data.size, ramp.data.given, ramp.data.horizon, ramp.data.by) == (128, 2, 20, "object")
    assert (ramp.recipe.inner.rate, ramp.recipe.inner.steps, ramp.recipe.inner.form) == (1e-4, 1, "prev")
    assert (ramp.recipe.target, ramp.recipe.train, ramp.recipe.inner.optimiser) == ("normalisation", "joint", "sgd")
    assert (ramp.recipe.schedule.epochs, ramp.recipe.schedule.batch, ramp.recipe.schedule.rate) == (400, 2, 1e-4)
    assert (ramp.embedding.frames, ramp.embedding.dim) == (2, 64)
    assert (pendulum.data.given, pendulum.data.horizon, pendulum.data.test, pendulum.data.episodes) == (4, 26, 195, 200)
    assert (pendulum.base.schedule.epochs, pendulum.recipe.schedule.epochs) == (50, 20)
    assert (pendulum.recipe.target, pendulum.recipe.train, pendulum.predictor.noise) == ("latents", "frozen", 0)


def test_what_is_left_out_has_the_defaults_of_the_dataclasses(small: Path) -> None:
    config = load_config(small)
    assert config.recipe == from_table({"data": {"world": "ball"}}, "x").recipe
    assert (config.seed, config.device, config.arms) == (3, "cpu", ("noether",))
    assert from_table({"data": {"world": "ball"}}, "x").arms == tuple(ARMS)


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        ("base.ratee=1", "there is no key base.ratee; did you mean base.rate?"),
        ("data.zzz=1", "there is no key data.zzz; there are path, test_path, world,"),
        ("bas.rate=1", "there is no section bas; did you mean base?"),
        ("sed=1", "there is no key sed; did you mean seed?"),
        ("base.rate=fast", 'base.rate = "fast": a number was expected'),
        ("base.batch=true", "base.batch = true: a whole number was expected"),
        ("inner.steps=1.5", "inner.steps = 1.5: a whole number was expected"),
        ("inner.rate=inf", "inner.rate = inf: a number was expected"),
        ("inner.learn_rate=1", "inner.learn_rate = 1: true or false was expected"),
        ("data.test={}", "data.test = {}: a number or a whole number or a list of texts was expected"),
        ("data.options=3", "data.options = 3: a table { key = value } was expected"),
        ("arms=noether", 'arms = "noether": a list of texts was expected'),
        ("base=3", "base = 3: a section [base] was expected"),
        ("base.steps=0", "base.steps = 0: give 1 or more"),
        ("base.decay=linear", 'base.decay = "linear": there are cosine, constant'),
        ("inner.rate=-1", "inner.rate = -1.0: give a positive number, or leave it out"),
        ("inner.optimiser=sdg", 'inner.optimiser = "sdg": there are sgd, adam'),
        ("predictor.kind=rnn", 'predictor.kind = "rnn": there are latent, svg'),
        ("predictor.noise=3", "[predictor]: noise is of kind"),
        ("noether.target=bias", 'there is no adaptation target "bias"; there are: latents, state'),
        ("noether.pattern=x", 'the target "latents" takes no pattern'),
        ("noether.folds=1", "noether.folds = 1: give 0, or 2 and more"),
        ('arms=["nother"]', 'there is no arm "nother"; there are: base, more_steps'),
        ("device=gpu", 'device = "gpu": there are cpu, cuda'),
        ("seed=-1", "seed = -1: give 0 or more"),
        ("data.given=0", "data.given = 0: give 1 or more"),
        ("data.fps=15", "[data]: fps goes with data.path or data.physics101, not with data.world; leave it out"),
        ("evaluate.batch=0", "evaluate.batch = 0: give 1 or more"),
        ("embedding.kind=pool", 'embedding.kind = "pool": there are conv, pooled'),
    ],
)
def test_a_wrong_key_or_value_is_told_with_its_place(small: Path, sets: str, said: str) -> None:
    with pytest.raises(OptionError) as problem:
        load_config(small, [sets])
    assert str(problem.value).startswith(f"{small}: ")
    assert said in str(problem.value)


def test_first_order_steps_on_a_frozen_predictor_are_refused(small: Path) -> None:
    with pytest.raises(OptionError, match="give the embedding no gradient"):
        load_config(small, ["inner.second_order=false", "noether.train=frozen"])


def test_steps_take_the_place_of_epochs_and_a_path_that_of_a_world(small: Path, tmp_path: Path) -> None:
    config = load_config(small, ["base.epochs=3", "noether.steps=7"])
    assert (config.base.schedule.epochs, config.base.schedule.steps) == (3, None)
    assert (config.recipe.schedule.epochs, config.recipe.schedule.steps) == (None, 7)
    with pytest.raises(OptionError, match="either steps or epochs"):
        load_config(small, ["base.epochs=3", "base.steps=7"])
    (tmp_path / "films").mkdir()
    data = load_config("pendulum_small", [f"data.path={tmp_path / 'films'}", "data.size=32"]).data
    assert (data.path, data.world, data.episodes, data.size) == (str(tmp_path / "films"), None, None, 32)


def test_exactly_one_source_of_clips_is_needed() -> None:
    with pytest.raises(OptionError, match="path, world or physics101; there is none"):
        from_table({"data": {}}, "x")
    with pytest.raises(OptionError, match="there are path and world"):
        from_table({"data": {"path": "a", "world": "ball"}}, "x")
    with pytest.raises(OptionError, match=r"a section \[data\] is missing"):
        from_table({}, "x")


def test_clips_are_looked_for_beside_the_file_and_then_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "both.npz").touch()
    (here / "only.npz").touch()
    monkeypatch.chdir(here)
    file = beside / "c.toml"
    file.write_text('[data]\npath = "both.npz"\n')
    assert load_config(file).data.path == str(beside / "both.npz")
    assert load_config(file, ["data.path=only.npz"]).data.path == str(here / "only.npz")
    with pytest.raises(DataError, match="nor") as problem:
        load_config(file, ["data.path=nowhere.npz"])
    assert str(beside / "nowhere.npz") in str(problem.value)
    assert str(here / "nowhere.npz") in str(problem.value)


def test_values_are_set_as_toml_and_words_without_quotes(small: Path) -> None:
    config = load_config(
        small,
        ["inner.optimiser=adam", "inner.rate=1e-4", 'data.test=["ball-3"]', "arms.names=['random']", "data.by = file"],
    )
    assert (config.recipe.inner.optimiser, config.recipe.inner.rate) == ("adam", 1e-4)
    assert (config.data.test, config.data.by, config.arms) == (("ball-3",), "file", ("random",))
    assert load_config(small, device="cuda:1").device == "cuda:1"
    for wrong in ("nothing", "=3", "a b=3"):
        with pytest.raises(OptionError, match="cannot be read; write --set"):
            load_config(small, [wrong])


def test_a_file_that_is_no_configuration_is_told(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match='did you mean "pendulum_small"'):
        load_config("pendulum_smal")
    broken = tmp_path / "broken.toml"
    broken.write_text("[data\n")
    with pytest.raises(OptionError, match="is not TOML"):
        load_config(broken)
    broken.write_bytes(b"\xff\xfe")  # clips given for a configuration: the message says how they are named in one
    with pytest.raises(OptionError, match=r"is not TOML. Clips are named .*--set data.path="):
        load_config(broken)
    broken.write_text('[data]\nworld = "ball"\n[arms]\nname = ["base"]\n')
    with pytest.raises(OptionError, match=r"there is no key arms\.name"):
        load_config(broken)


def test_what_differs_is_named_except_what_changes_no_loss(small: Path) -> None:
    one = load_config(small).plain()
    apart = ["device=cuda", "data.workers=2", "arms=['base']", "evaluate.batch=1"]
    assert differences(one, load_config(small, apart).plain()) == []
    other = load_config(small, [*apart, "inner.rate=0.1", "base.epochs=2"]).plain()
    found = {"base.steps = 2000, now left out", "inner.rate left out, now 0.1", "base.epochs left out, now 2"}
    assert set(differences(one, other)) == found


def test_the_documentation_names_every_key() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "video.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`\[?([a-z_0-9]+)\]?`", page))
    known = set(TOP) | {key for cls in SECTIONS.values() for key in _keys(cls)} | set(SECTIONS) - {"arms"}
    assert known - named == set()


def test_every_problem_is_for_the_user(small: Path) -> None:
    for section, cls in SECTIONS.items():
        for key in _keys(cls):
            for value in ("[]", "'?'", "-5", "true", "0", "1979-05-27"):
                with contextlib.suppress(NoetherError):
                    load_config(small, [f"{section}.{key}={value}"])


def test_shipped_files_are_printed_as_they_are() -> None:
    assert tomllib.loads(shipped_text("pendulum_small"))["data"]["world"] == "pendulum"
    with pytest.raises(OptionError, match='"small" is shipped'):
        shipped_text("small")
