"""From a configuration to clips and networks, and from a description of a network to the network itself."""

from __future__ import annotations

import difflib
import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import DataError, OptionError, PredictorError
from .archives import read_archive
from .arms import Arm, Bench, Recipe, folds_of, network_of
from .batches import Batches, Windows
from .clips import Clips
from .config import Config, Data, EmbeddingOptions, PredictorOptions
from .embeddings import PooledEmbedding, embedding_named
from .latent import LatentPredictor
from .noether_network import Inner, NoetherNetwork
from .physics101 import read_physics101
from .reading import read_clips
from .rollout import wanted_actions
from .svg import SVG
from .targets import target_named
from .worlds import world_named

Progress = Callable[[str, int, int], None]

PREDICTORS: dict[str, type[LatentPredictor] | type[SVG]] = {"latent": LatentPredictor, "svg": SVG}


@dataclass(frozen=True)
class Shape:
    """What a predictor has to know of the clips."""

    channels: int
    size: int
    actions: int


def whole_clips(data: Data, kept: Path | None = None, progress: Progress | None = None) -> Clips:
    """All clips of the source (of data.test_path: see `divided`). kept: a file in which a world was kept.

    Raises DataError or OptionError that names the file or the option.
    """
    if data.path is not None:
        return _read(data, data.path, progress)
    if data.physics101 is not None:
        given = {"size": data.size, "frames": data.frames, "fps": data.fps}
        chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return read_physics101(data.physics101, cache=data.cache or True, progress=progress, **chosen)
    if kept is not None and kept.is_file():
        return read_archive(kept)
    return world_of(data, progress)


def divided(data: Data, clips: Clips, progress: Progress | None = None) -> tuple[Clips, Clips]:
    """Training and test clips. Raises DataError for test clips of their own that are of another shape."""
    if data.test_path is None:
        return clips.split(list(data.test) if isinstance(data.test, tuple) else data.test, data.by, data.seed)
    test = _read(data, data.test_path, progress)
    here, there = (
        f"{c.size[1]} x {c.size[0]} pixels, {c.size[2]} channels and {c.action_size} actions" for c in (clips, test)
    )
    if here != there:
        raise DataError(f"{data.test_path}: has {there}, but {data.path} has {here}. Make them alike (data.size).")
    return clips, test


def _read(data: Data, path: str, progress: Progress | None) -> Clips:
    return read_clips(path, size=data.size, grey=data.grey, fps=data.fps, cache=data.cache, progress=progress)


def world_of(data: Data, progress: Progress | None = None) -> Clips:
    """The clips of a world. Raises OptionError for a world or an option that does not exist."""
    assert data.world is not None
    world = world_named(data.world)
    named = {"episodes": data.episodes, "frames": data.frames, "size": data.size}
    chosen: dict[str, Any] = {**world.defaults} | {name: value for name, value in named.items() if value is not None}
    known = _world_options(world.make)
    options = ({"grey": True} if data.grey else {}) | dict(data.options)
    for name in options:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise OptionError(f"data.options: the world {data.world} has no option {name}; {hint}")
    try:
        return world.make(seed=data.seed, progress=progress, **chosen, **options)
    except TypeError as problem:
        raise OptionError(f"data.options: the world {data.world} cannot use {options}: {problem}") from problem


def _world_options(make: Callable[..., Any]) -> list[str]:
    """The options of a world beside those that all have."""
    from .ramps import make_ramps
    from .worlds import ramp

    own = inspect.signature(make_ramps if make is ramp else make).parameters
    return [name for name, one in own.items() if one.kind is one.KEYWORD_ONLY and name != "progress"] + (
        ["objects"] if make is ramp else []
    )


def digest(*sets: Clips) -> str:
    """A fingerprint of frames, actions and facts, in order."""
    found = hashlib.blake2b(digest_size=16)
    for clips in sets:
        found.update(repr((clips.size, clips.lengths.tolist(), sorted(clips.facts.items()))).encode())
        for frames in clips.frames:
            found.update(memoryview(frames.tobytes()))
        for actions in clips.actions or ():
            found.update(memoryview(actions.tobytes()))
    return found.hexdigest()


def shape_of(config: Config, clips: Clips) -> Shape:
    """What a predictor has to know. Raises DataError for frames that are no squares, PredictorError for no actions."""
    height, width, channels = clips.size
    if height != width:
        raise DataError(
            f"frames are {width} x {height} pixels, and the predictors take squares: set data.size to 16, 32, 64 or 128"
        )
    if config.predictor.actions and not clips.action_size:
        raise PredictorError(
            "predictor.actions = true, but the clips have no actions; give an actions file beside each of them"
        )
    return Shape(channels, height, 0 if config.predictor.actions is False else clips.action_size)


def predictor_facts(options: PredictorOptions, shape: Shape) -> dict[str, Any]:
    """A predictor as plain data."""
    own = {name: value for name, value in asdict(options).items() if value is not None and name != "actions"}
    return own | asdict(shape)


def built_predictor(facts: Mapping[str, Any]) -> nn.Module:
    """The untrained predictor of these facts. Raises OptionError for a style or size that does not exist."""
    given = dict(facts)
    return PREDICTORS[given.pop("kind")](**given)


def embedding_facts(options: EmbeddingOptions, shape: Shape) -> dict[str, Any]:
    """An embedding as plain data."""
    own = {name: value for name, value in asdict(options).items() if value is not None}
    return own | {"channels": shape.channels, "size": shape.size}


def built_embedding(facts: Mapping[str, Any]) -> nn.Module:
    """The untrained embedding of these facts."""
    given = dict(facts)
    return embedding_named(given.pop("kind"), given.pop("channels"), given.pop("size"), **given)


def bench_of(config: Config, clips: Clips) -> Bench:
    """What the arms share, with a maker of fresh predictors that know the mean frame and the spread of the clips."""
    facts = predictor_facts(config.predictor, shape_of(config, clips))
    mean, spread = torch.from_numpy(clips.mean_frame()), clips.spread()

    def fresh(seed: int) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            predictor = built_predictor(facts)
        predictor.pixels.learn(mean, spread)  # type: ignore[union-attr, operator]
        return predictor

    data = config.data
    return Bench(
        clips=clips, given=data.given, horizon=data.horizon, stride=data.stride, base=config.base.schedule,
        base_loss=config.base.loss, beta=config.base.beta, mirror=data.mirror, mirror_actions=data.mirror_actions,
        workers=data.workers, seed=config.seed, device=config.device, fresh=fresh,
    )  # fmt: skip


def fresh_embedding(config: Config, clips: Clips) -> nn.Module:
    """The untrained embedding with which all arms that have one begin."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed + 1_000)
        embedding = built_embedding(embedding_facts(config.embedding, shape_of(config, clips)))
    if isinstance(embedding, PooledEmbedding):
        embedding.background.copy_(torch.from_numpy(clips.mean_frame()))
    return embedding.to(config.device)


def check_device(device: str) -> None:
    """Raises OptionError when torch does not see the device."""
    if device.startswith("cuda"):
        seen = torch.cuda.device_count() if torch.cuda.is_available() else 0
        number = int(device.partition(":")[2] or 0)
        if number >= seen:
            there = "no CUDA device" if not seen else f"{seen} CUDA device{'s' * (seen > 1)}"
            raise OptionError(
                f'device = "{device}": torch {torch.__version__} sees {there} here; take --device cpu, or install a '
                "torch with CUDA on a machine that has one"
            )


def preflight(config: Config, train: Clips, test: Clips) -> None:
    """One window through every part that will be used, so that what cannot be is told before anything is trained.

    Raises DataError, OptionError or PredictorError in the words of the part.
    """
    data, recipe = config.data, config.recipe
    length = data.given + data.horizon
    for clips, which in ((train, "training"), (test, "test")):
        try:
            clips.windows(length)
        except DataError as problem:
            raise DataError(f"{which} clips: {problem}") from None
    if recipe.folds:
        for rest, part in folds_of(train, recipe.folds, config.seed):
            rest.windows(length)
            part.windows(length)
    bench = bench_of(replace(config, device="cpu"), train)
    assert bench.fresh is not None
    base = bench.fresh(config.seed)
    batch = next(Batches(Windows(train, length), 1, shuffled=False).epoch(0))
    context = batch.frames[:, : data.given]
    wanted_actions(batch.actions, data.given, data.horizon, shape_of(config, train).actions)
    bench.base_training(base, train, config.base.schedule)
    if {"noether", "random", "free"} & set(config.arms):
        network = network_of(base, fresh_embedding(replace(config, device="cpu"), train), recipe).eval()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            network.calibrate(context, min(data.horizon, 2), batch.actions)
            network(context, min(data.horizon, 2), batch.actions)


def described(arm: Arm, recipe: Recipe, predictor: Mapping[str, Any], embedding: Mapping[str, Any]) -> dict[str, Any]:
    """How an arm's network is built again: plain data."""
    if arm.kind != "noether":
        return {"predictor": dict(predictor)}
    inner = recipe.inner if arm.form is None else replace(recipe.inner, form=arm.form)
    return {
        "predictor": dict(predictor),
        "embedding": dict(embedding),
        "target": recipe.target,
        "pattern": recipe.pattern,
        "trains_predictor": recipe.train == "joint",
        "inner": asdict(inner),
    }


def rebuilt(facts: Mapping[str, Any], leaves: Mapping[str, torch.Tensor]) -> nn.Module:
    """The untrained network that `described` told of. leaves: its log_rates by their names in the state dict."""
    predictor = built_predictor(facts["predictor"])
    if "embedding" not in facts:
        return predictor
    network = NoetherNetwork(
        predictor,  # type: ignore[arg-type]
        built_embedding(facts["embedding"]),
        target_named(facts["target"], facts["pattern"]),
        Inner(**facts["inner"]),
        trains_predictor=facts["trains_predictor"],
    )
    for name, rate in leaves.items():
        network.log_rates[name.removeprefix("log_rates.")] = nn.Parameter(rate.clone())
    return network
