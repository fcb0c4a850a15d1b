"""Training: the base predictor, then Algorithm 1 (Alet et al. 2021), as one loop over batches that can be resumed.

B clips, K given frames, T predicted frames.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from ..errors import OptionError, PredictorError
from .batches import Batch, Batches
from .conservation import embedded
from .noether_network import NoetherNetwork
from .rollout import Predictor

LossOf = Callable[[Batch, int], tuple[Tensor, Mapping[str, float]]]
"""A batch and a seed -> the loss and what a log should say beside it."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast: Adam with warm-up, then constant or down a cosine to zero; gradients clipped.

    steps or epochs, one of them. A fresh Adam without warm-up ruins a predictor that is trained already. scale_rate:
    the rate for the logarithms of inner rates, which have further to go than weights.
    """

    steps: int | None = None
    epochs: int | None = None
    batch: int = 8
    rate: float = 2e-3
    warmup: int = 0
    decay: Literal["cosine", "constant"] = "cosine"
    clip: float = 0.5
    scale_rate: float = 0.02

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise OptionError("give a schedule either steps or epochs")
        for name, value in (("steps", self.steps), ("epochs", self.epochs), ("batch", self.batch)):
            if value is not None and value < 1:
                raise OptionError(f"{name} = {value}: give 1 or more")
        if self.warmup < 0:
            raise OptionError(f"warmup = {self.warmup}: give 0 or more steps")
        for name, number in (("rate", self.rate), ("clip", self.clip), ("scale_rate", self.scale_rate)):
            if not number > 0:
                raise OptionError(f"{name} = {number}: give a positive number")
        if self.decay not in ("cosine", "constant"):
            raise OptionError(f'decay = "{self.decay}": there are cosine, constant')

    def total(self, batches: int) -> int:
        """Optimiser steps, for so many batches an epoch."""
        return self.steps if self.steps is not None else cast(int, self.epochs) * batches

    def factor(self, step: int, total: int) -> float:
        """What multiplies the rate at a step."""
        rise = min(1.0, (step + 1) / self.warmup) if self.warmup else 1.0
        return rise * (0.5 * (1 + math.cos(math.pi * step / total)) if self.decay == "cosine" else 1.0)


@dataclass
class Progress:
    """Where a training is: steps done, the log's rows, CPU seconds, steps that were left out. Plain data."""

    step: int = 0
    seconds: float = 0.0
    skipped: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counted: int = 0


class Training:
    """One optimisation of a module's parameters: state that can be saved after any epoch and taken up again.

    After `restore` the remaining losses are those of an undisturbed training: the order of the clips depends on seed
    and epoch, what is drawn at random on seed and step.
    """

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss_of: LossOf,
        batches: Batches,
        schedule: Schedule,
        *,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not parameters:
            raise PredictorError("there is nothing to train: every parameter is frozen")
        self.parameters = dict(parameters)
        self.loss_of = loss_of
        self.batches = batches
        self.schedule = schedule
        self.seed = seed
        self.device = device
        groups: list[dict[str, Any]] = [
            {"params": [weight for name, weight in self.parameters.items() if _is_scale(name) == scale], "peak": peak}
            for scale, peak in ((False, schedule.rate), (True, schedule.scale_rate))
        ]
        self.optimiser = torch.optim.Adam([group for group in groups if group["params"]], lr=schedule.rate)
        self.total = schedule.total(len(batches))
        self.progress = Progress()

    @property
    def finished(self) -> bool:
        """Whether all steps were made."""
        return self.progress.step >= self.total

    def run_epoch(self, told: Callable[[int, int], None] | None = None) -> dict[str, float]:
        """The steps of the next epoch (fewer where the schedule ends), and the row of the log.

        A step whose gradient is not finite changes nothing and is counted. told(done, total) after every step.
        """
        at, began = self.progress, time.process_time()
        number = at.step // len(self.batches)
        at.sums, at.counted = {}, 0
        skipped = at.skipped
        for batch in self.batches.epoch(number):
            self._step(batch.to(self.device))
            if told is not None:
                told(at.step, self.total)
            if self.finished:
                break
        at.seconds += time.process_time() - began
        row = {"epoch": float(number), "step": float(at.step)}
        row |= {name: value / max(at.counted, 1) for name, value in at.sums.items()}
        row |= {"skipped": float(at.skipped - skipped), "cpu_seconds": at.seconds}
        at.rows.append(row)
        return row

    def run(self, told: Callable[[int, int], None] | None = None) -> Progress:
        """All remaining epochs."""
        while not self.finished:
            self.run_epoch(told)
        return self.progress

    def _step(self, batch: Batch) -> None:
        at = self.progress
        self.optimiser.zero_grad(set_to_none=True)
        loss, said = self.loss_of(batch, self.seed * 1_000_003 + at.step)
        good = bool(torch.isfinite(loss))
        if good:
            if loss.requires_grad:
                loss.backward()
            norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.schedule.clip)
            good = bool(torch.isfinite(norm))
        if good:
            for group in self.optimiser.param_groups:
                group["lr"] = group["peak"] * self.schedule.factor(at.step, self.total)
            self.optimiser.step()
            at.counted += 1
            for name, value in {"loss": float(loss.detach()), **said}.items():
                at.sums[name] = at.sums.get(name, 0.0) + value
        else:
            at.skipped += 1
        at.step += 1

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The optimiser's tensors by name, and plain data: all that `restore` needs beside the module's own weights."""
        tensors = {}
        for name, parameter in self.parameters.items():
            for kind, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"{kind}:{name}"] = value.detach().clone()
        at = self.progress
        return tensors, {"step": at.step, "seconds": at.seconds, "skipped": at.skipped, "rows": [*at.rows]}

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Take up where `state` was taken."""
        self.optimiser.state.clear()
        for label, value in tensors.items():
            kind, _, name = label.partition(":")
            parameter = self.parameters[name]
            self.optimiser.state[parameter][kind] = value.clone() if kind == "step" else value.to(parameter).clone()
        self.progress = Progress(
            int(facts["step"]), float(facts["seconds"]), int(facts["skipped"]), [dict(row) for row in facts["rows"]]
        )


def _is_scale(name: str) -> bool:
    return name.startswith("log_rates.")


def free_running_loss(predictor: Predictor, given: int, seen_again: float = 1.0) -> LossOf:
    """The mean squared error of the predictor's own rollout.

    seen_again: weight of the error of every third frame encoded and decoded by itself, for predictors that can
    (LatentPredictor.seen_again): the codes are learned sooner.
    """

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        context, truth = batch.frames[:, :given], batch.frames[:, given:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            frames = predictor.rollout(context, truth.shape[1], batch.actions).frames
        loss = (frames - truth).square().mean()
        return loss + seen_again * _seen_again(predictor, batch), {"rollout": float(loss.detach())}

    return loss_of


def _seen_again(predictor: Predictor, batch: Batch) -> Tensor:
    """The error of every third frame encoded and decoded by itself; 0 for predictors that cannot."""
    again = getattr(predictor, "seen_again", None)
    some = batch.frames[:, ::3]
    return batch.frames.new_zeros(()) if again is None else (again(some) - some).square().mean()


def taught_loss(predictor: Predictor, given: int, beta: float = 1e-4) -> LossOf:
    """SVG's own loss, with the true frames as inputs. Raises PredictorError for a predictor without one."""
    taught = getattr(predictor, "taught", None)
    if taught is None:
        raise PredictorError('only the "svg" predictor is taught with true frames; take base.loss = "free"')

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        generator = torch.Generator().manual_seed(seed)
        return taught(batch.frames, given, batch.actions, generator, beta), {}

    return loss_of


def meta_loss(networks: Sequence[NoetherNetwork], given: int, *, own: float = 0.0, conserved: float = 0.0) -> LossOf:
    """Algorithm 1: the task loss of the prediction after the inner steps.

    networks: one, or one for each fold of the batches; they share embedding and inner rates. own: weight of the base
    prediction's error beside it. conserved: weight of within over total variance of the embedding along the true
    clips, the symbolic search's objective; then g has to be conserved, not only useful. Where the predictor is trained
    too, it keeps the second loss of free running (`free_running_loss`), so that arms differ in the inner step alone.
    """

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        network = networks[batch.fold]
        context, truth = batch.frames[:, :given], batch.frames[:, given:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            prediction = network(context, truth.shape[1], batch.actions)
        loss = (prediction.frames - truth).square().mean()
        said = {
            "base": float((prediction.base_frames - truth).square().mean().detach()),
            "inner": float(prediction.inner_losses[0].mean()),
            "moved": float(prediction.moved.mean()),
            "fell_back": float(prediction.fell_back.float().mean()),
        }
        if network.trains_predictor:
            loss = loss + _seen_again(cast(Predictor, network.predictor), batch)
        if own:
            loss = loss + own * (prediction.base_frames - truth).square().mean()
        if conserved:
            ratio = within_over_total(embedded(network.embedding, context, truth))
            said["conserved"] = float(ratio.detach())
            loss = loss + conserved * ratio
        return loss, said

    return loss_of


def within_over_total(g_BTd: Tensor) -> Tensor:
    """How much an embedding moves within clips, over how much it moves at all: 0 for a conserved one, 1 for noise.

    The mean over the dimensions, each divided by its own total variance, so that none counts by its scale.
    """
    within = g_BTd.var(1, correction=0).mean(0)
    total = g_BTd.flatten(0, 1).var(0, correction=0)
    return (within / (total + 1e-8 * (1 + total.mean().detach()))).mean()


def base_training(
    predictor: nn.Module,
    batches: Batches,
    given: int,
    schedule: Schedule,
    *,
    loss: Literal["free", "svg"] = "free",
    beta: float = 1e-4,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Training:
    """The training of a base predictor. Raises OptionError for a loss that does not exist."""
    if loss not in ("free", "svg"):
        raise OptionError(f'base.loss = "{loss}": there are free, svg')
    rolling = cast(Predictor, predictor)
    loss_of = free_running_loss(rolling, given) if loss == "free" else taught_loss(rolling, given, beta)
    return Training(dict(predictor.named_parameters()), loss_of, batches, schedule, seed=seed, device=device)


def noether_training(
    network: NoetherNetwork | Sequence[NoetherNetwork],
    batches: Batches,
    given: int,
    schedule: Schedule,
    *,
    learn_embedding: bool = True,
    own: float = 0.0,
    conserved: float = 0.0,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Training:
    """Algorithm 1: embedding and inner rates, and the predictor with them where the network trains it.

    network: one; or several frozen predictors with one embedding and one set of inner rates between them, each for a
    fold of the batches whose clips its predictor has not seen. The inner rates are calibrated on the first batch when
    that has not happened. learn_embedding False leaves the embedding as it is (the random-embedding control).

    Raises PredictorError when several networks would train their predictors.
    """
    networks = [network] if isinstance(network, NoetherNetwork) else list(network)
    if len(networks) > 1 and any(one.trains_predictor for one in networks):
        raise PredictorError("an embedding that is trained across folds needs frozen predictors")
    if not networks[0].log_rates:
        first = next(batches.epoch(0)).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            networks[0].calibrate(first.frames[:, :given], first.frames.shape[1] - given, first.actions)
    for one in networks:
        one.embedding, one.log_rates = networks[0].embedding, networks[0].log_rates
        one.train()
        one.predictor.requires_grad_(one.trains_predictor)
    networks[0].embedding.requires_grad_(learn_embedding)
    learned = {name: weight for name, weight in networks[0].named_parameters() if weight.requires_grad}
    loss_of = meta_loss(networks, given, own=own, conserved=conserved)
    return Training(learned, loss_of, batches, schedule, seed=seed, device=device)


def longer(schedule: Schedule, steps: int) -> Schedule:
    """The same schedule with so many steps."""
    return replace(schedule, steps=steps, epochs=None)


def total_cpu(progress: Iterable[Progress]) -> float:
    """CPU seconds of several trainings."""
    return sum(one.seconds for one in progress)
