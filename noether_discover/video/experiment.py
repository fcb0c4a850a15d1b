"""A run folder: a base, its folds and the arms, trained in turn and taken up again after any interruption.

config.json                     the configuration with all defaults, the clips' fingerprint, versions
clips.npz                       the clips of a world, so that it is filmed once
log.csv                         a row for every epoch of every part
base.safetensors, base.json     the base predictor: weights; how it is built again, and how it was trained
folds/<k>.*, arms/<name>.*      the same for the bases of the folds and for the arms
checkpoints/<part>.safetensors  the part that is being trained: weights, optimiser, progress
evaluation/, study/, explain/   tables and pictures (reports)
"""

from __future__ import annotations

import copy
import platform
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import OptionError, RunFileError
from ..predict.predictors import one_thread
from .arms import (
    ARMS,
    Arm,
    Bench,
    arms_named,
    fold_training,
    longer_arm,
    network_of,
    noether_arm,
    steps_for_steps,
    steps_for_time,
)
from .building import (
    bench_of,
    check_device,
    described,
    digest,
    divided,
    embedding_facts,
    fresh_embedding,
    predictor_facts,
    preflight,
    rebuilt,
    shape_of,
    whole_clips,
)
from .checkpoints import Checkpoint, load_tensors, locked, read_json, save_tensors, write_csv, write_json
from .clips import Clips
from .config import Config, differences, from_table
from .extras import extra
from .noether_network import NoetherNetwork
from .training import Progress, Training
from .writing import write_clips

Tell = Callable[[str, int, int], None]

CONFIG, CLIPS, LOG = "config.json", "clips.npz", "log.csv"
FILES = (CONFIG, CLIPS, LOG, "base.safetensors", "base.json")
FOLDERS = ("folds", "arms", "checkpoints", "evaluation", "study", "explain")
FORMAT = 1
LOGGED = (
    "part", "epoch", "step", "loss", "rollout", "base", "inner", "moved", "fell_back", "conserved", "skipped",
    "cpu_seconds",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run folder that was opened: its configuration and its clips."""

    folder: Path
    config: Config
    train: Clips
    test: Clips


@one_thread()
def train(
    config: Config,
    folder: str | Path,
    *,
    restart: bool = False,
    progress: Tell | None = None,
    said: Callable[[str], None] | None = None,
) -> None:
    """Train everything that the configuration names; what a run folder holds already is not trained again.

    Interrupted at any epoch and called again it ends with the losses of an undisturbed run. restart: what was trained
    there is deleted first. progress: told (part, done, total); said: told a line when a part is finished.

    Raises RunFileError when the folder holds a run of another configuration or other clips (it names what differs),
    something else, or is in use; OptionError, DataError, PredictorError for what cannot be trained, before anything is.
    """
    where = Path(folder)
    check_device(config.device)
    extra("safetensors.torch", "keeping weights")  # told before anything is trained or written
    with locked(where):
        earlier = None if restart and (where / CONFIG).is_file() else _earlier(where, config)
        clips = whole_clips(config.data, where / CLIPS if earlier is not None else None, progress)
        train_clips, test_clips = divided(config.data, clips, progress)
        mark = digest(train_clips, test_clips)
        if earlier is not None and mark != earlier.get("data_digest"):
            raise RunFileError(
                f"{where}: was trained on other clips than {_source(config)} holds now; choose another folder with -o, "
                "or start over with --restart"
            )
        preflight(config, train_clips, test_clips)
        if earlier is None:
            _emptied(where)
        if config.data.world is not None and not (where / CLIPS).is_file():
            write_clips(where / CLIPS, clips)
        write_json(
            where / CONFIG,
            {
                "format": FORMAT,
                "config": config.plain(),
                "seed": config.seed,
                "data_digest": mark,
                "clips": {"training": len(train_clips), "test": len(test_clips), "size": list(train_clips.size)},
                "versions": _versions(),
            },
        )
        _Parts(where, config, train_clips, progress, said).all()


def open_run(folder: str | Path, *, device: str | None = None, progress: Tell | None = None) -> Run:
    """A run folder with its clips. device: other than the one it was trained on.

    Raises RunFileError when it is none, is of another version, or its clips have changed; DataError when they are gone.
    """
    where = Path(folder)
    if not (where / CONFIG).is_file():
        what = "is no run folder" if where.exists() else "there is no such run folder"
        raise RunFileError(f"{folder}: {what}; make one with `noether-discover video train pendulum_small -o {folder}`")
    facts = _config_facts(where)
    config = from_table(facts["config"], str(where / CONFIG))
    if device is not None:
        config = replace(config, device=device)
    check_device(config.device)
    clips = divided(config.data, whole_clips(config.data, where / CLIPS, progress), progress)
    if digest(*clips) != facts["data_digest"]:
        raise RunFileError(f"{folder}: {_source(config)} holds other clips now than it was trained on; put them back")
    return Run(where, config, *clips)


def load_arm(folder: str | Path, name: str, device: str = "cpu") -> nn.Module:
    """A trained arm, in evaluation mode: a predictor, or a NoetherNetwork for an arm with an embedding.

    name: of arms.ARMS. Raises OptionError for another name, RunFileError when it is not trained yet.
    """
    if name not in ARMS:
        raise OptionError(f'there is no arm "{name}"; there are: {", ".join(ARMS)}')
    if name == "zero_steps":
        network = load_arm(folder, "noether", device)
        assert isinstance(network, NoetherNetwork)
        network.inner = replace(network.inner, steps=0)
        return network
    return _loaded(Path(folder), "base" if name == "base" else f"arms/{name}", device)


def trained_arms(run: Run) -> tuple[list[str], list[str]]:
    """The arms of the configuration that are trained, and those that are not yet."""
    there: list[str] = []
    missing: list[str] = []
    for name, arm in arms_named(run.config.arms).items():
        file = "base" if name == "base" else f"arms/{'noether' if arm.kind == 'zero' else name}"
        (there if _finished(run.folder, file) else missing).append(name)
    return there, missing


def training_facts(folder: Path, name: str) -> dict[str, Any]:
    """How an arm was trained: steps, CPU seconds, steps that were left out."""
    facts = read_json(folder / ("base.json" if name == "base" else f"arms/{name}.json"))["training"]
    return {"steps": facts["step"], "cpu_seconds": facts["seconds"], "skipped": facts["skipped"]}


class _Parts:
    """The parts of an experiment in their order, each from files to files."""

    def __init__(
        self, folder: Path, config: Config, clips: Clips, tell: Tell | None, said: Callable[[str], None] | None
    ) -> None:
        self.folder, self.config, self.tell, self.said = folder, config, tell, said
        self.bench: Bench = bench_of(config, clips)
        shape = shape_of(config, clips)
        self.predictor = predictor_facts(config.predictor, shape)
        self.embedding = embedding_facts(config.embedding, shape)
        self.fresh_embedding = fresh_embedding(config, clips)
        self.rows: list[dict[str, Any]] = []

    def all(self) -> None:
        """Base, folds, and the arms that need them."""
        arms = arms_named(self.config.arms)
        recipe = self.config.recipe
        base = self._part("base", "base", ARMS["base"], self._base)
        own: list[Progress] = []
        if any(arm.kind == "noether" for arm in arms.values()):
            for k in range(recipe.folds):
                own.append(
                    self._part(
                        f"fold {k + 1}", f"folds/{k + 1}", ARMS["base"], partial(fold_training, self.bench, recipe, k)
                    )
                )
        ordered = sorted((arm for arm in arms.values() if arm.kind == "noether"), key=lambda arm: arm.name != "noether")
        for arm in ordered:
            done = self._part(arm.name, f"arms/{arm.name}", arm, partial(self._noether, arm))
            if arm.name == "noether":
                own.append(done)
        for arm in arms.values():
            if arm.kind == "longer":
                steps = steps_for_steps(own) if arm.length == "steps" else steps_for_time(own, base)
                self._part(arm.name, f"arms/{arm.name}", arm, partial(self._longer, steps))

    def _base(self) -> tuple[nn.Module, Training]:
        assert self.bench.fresh is not None
        predictor = self.bench.fresh(self.config.seed).to(self.config.device)
        return predictor, self.bench.base_training(predictor, self.bench.clips, self.bench.base)

    def _noether(self, arm: Arm) -> tuple[nn.Module, Training | None]:
        recipe, device = self.config.recipe, self.config.device
        base = _loaded(self.folder, "base", device).train()
        embedding = copy.deepcopy(self.fresh_embedding)
        if not arm.learned and recipe.train == "frozen" and not recipe.inner.learn_rate:
            network = network_of(base, embedding, recipe, arm.form)
            batch = next(self.bench.batches(self.bench.clips, recipe.schedule.batch).epoch(0)).to(device)
            network.calibrate(batch.frames[:, : self.bench.given], self.bench.horizon, batch.actions)
            return network, None
        folds = [_loaded(self.folder, f"folds/{k + 1}", device).train() for k in range(recipe.folds)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.config.seed + 2_000)  # what a stochastic predictor draws while rates are calibrated
            return noether_arm(arm, self.bench, recipe, base, embedding, folds)

    def _longer(self, steps: int) -> tuple[nn.Module, Training]:
        return longer_arm(self.bench, self.config.recipe, _loaded(self.folder, "base", self.config.device), steps)

    def _part(self, name: str, file: str, arm: Arm, make: Callable[[], tuple[nn.Module, Training | None]]) -> Progress:
        """One part trained to its end, or its progress when it is there already."""
        place = self.folder / f"{file}.json"
        if _finished(self.folder, file):
            facts = read_json(place)["training"]
            at = Progress(int(facts["step"]), float(facts["seconds"]), int(facts["skipped"]), facts["rows"])
            self.rows += _told_of(name, at.rows)
            return at
        module, training = make()
        at = Progress()
        if training is not None:
            checkpoint = Checkpoint(self.folder / "checkpoints" / f"{name.replace(' ', '_')}.safetensors")
            checkpoint.restore(module, training)
            told = None if self.tell is None else (lambda done, total: self.tell(f"training {name}", done, total))  # type: ignore[misc]
            if training.progress.step:
                self._log(name, training.progress.rows)
                if told is not None:
                    told(training.progress.step, training.total)
            while not training.finished:
                training.run_epoch(told)
                self._log(name, training.progress.rows)
                checkpoint.save(module, training)
            at = training.progress
        place.parent.mkdir(exist_ok=True)
        save_tensors(place.with_suffix(".safetensors"), module.state_dict(), {})
        network = described(arm, self.config.recipe, self.predictor, self.embedding)
        facts = {"step": at.step, "seconds": at.seconds, "skipped": at.skipped, "rows": at.rows}
        write_json(place, {"format": FORMAT, "name": name, "says": arm.says, "network": network, "training": facts})
        if training is not None:
            checkpoint.forget()
        self.rows += _told_of(name, at.rows)
        if self.said is not None:
            self.said(_in_words(name, at))
        return at

    def _log(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """log.csv: the finished parts and this one."""
        table = [*self.rows, *_told_of(name, rows)]
        more = [key for row in table for key in row if key not in LOGGED]
        write_csv(self.folder / LOG, table, [*LOGGED, *dict.fromkeys(more)])


def _told_of(name: str, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{"part": name, **row, "epoch": int(row["epoch"]), "step": int(row["step"])} for row in rows]


def _in_words(name: str, at: Progress) -> str:
    if not at.step:
        return f"{name:10}  nothing to train"
    last = at.rows[-1].get("loss")
    words = f"{name:10}  {at.step:,} steps, loss {'never finite' if last is None else format(last, '.4g')}"
    words += f", {at.seconds:,.0f} s of CPU"
    if at.skipped:
        words += f"; {at.skipped:,} steps left out, their gradients were not finite"
    return words


def _loaded(folder: Path, file: str, device: str) -> nn.Module:
    if not _finished(folder, file):
        name = file.removeprefix("arms/")
        raise RunFileError(
            f"{folder}: {name} is not trained yet; run `noether-discover video train CONFIG -o {folder}` to the end, "
            "with that arm among its arms"
        )
    facts = read_json(folder / f"{file}.json")
    tensors, _ = load_tensors(folder / f"{file}.safetensors")
    try:
        network = rebuilt(
            facts["network"], {name: value for name, value in tensors.items() if name.startswith("log_rates.")}
        )
        network.load_state_dict(tensors)
    except (RuntimeError, KeyError, TypeError) as problem:
        raise RunFileError(f"{folder}: {file} cannot be built again ({problem}); train it again") from problem
    return network.to(device).eval()


def _finished(folder: Path, file: str) -> bool:
    """The JSON is written last."""
    return (folder / f"{file}.json").is_file()


def _config_facts(where: Path) -> dict[str, Any]:
    facts = read_json(where / CONFIG)
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise RunFileError(f"{where}: was written by another version, or is no run folder of noether-discover")
    return facts


def _earlier(where: Path, config: Config) -> dict[str, Any] | None:
    """What a folder says of the run in it, none when it is empty. Raises RunFileError as `train` does."""
    others = [path.name for path in where.iterdir() if path.name != ".lock"]
    if not (where / CONFIG).is_file():
        if others:
            raise RunFileError(f"{where}: is no run folder, it holds {others[0]}; choose another place with -o")
        return None
    facts = _config_facts(where)
    changed = differences(facts["config"], config.plain())
    if changed:
        more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
        raise RunFileError(
            f"{where}: holds a run with {changed[0]}{more}; choose another folder with -o, or start over with --restart"
        )
    for leftover in where.rglob(".*.part*"):
        leftover.unlink(missing_ok=True)
    return facts


def _emptied(where: Path) -> None:
    """Without what a run writes; anything else stays."""
    (where / CONFIG).unlink(missing_ok=True)
    for name in FILES:
        (where / name).unlink(missing_ok=True)
    for name in FOLDERS:
        shutil.rmtree(where / name, ignore_errors=True)


def _source(config: Config) -> str:
    data = config.data
    return data.path or data.physics101 or f"the world {data.world}"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in ("noether-discover", "torch", "numpy", "safetensors", "av"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
