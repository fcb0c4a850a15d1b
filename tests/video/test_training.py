"""Training: taken up again after any epoch, steps that cannot be made, arms that share nothing, what is learned.

B windows of a batch, K given frames, T predicted frames.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from noether_discover.errors import OptionError, PredictorError
from noether_discover.video.batches import Batch, Batches, Folds, Windows
from noether_discover.video.clips import Clips
from noether_discover.video.conservation import embedded
from noether_discover.video.embeddings import PooledEmbedding, QuantityEmbedding, brightness
from noether_discover.video.latent import LatentPredictor
from noether_discover.video.noether_network import Inner, NoetherNetwork
from noether_discover.video.svg import SVG
from noether_discover.video.targets import Latents, target_named
from noether_discover.video.training import (
    Progress,
    Schedule,
    Training,
    base_training,
    free_running_loss,
    longer,
    meta_loss,
    noether_training,
    taught_loss,
    total_cpu,
    within_over_total,
)

GIVEN, HORIZON, SIZE = 2, 3, 8


def clips(count: int = 7, seed: int = 0) -> Clips:
    """Noise with actions: nothing can be learned, but everything counts."""
    random = np.random.default_rng(seed)
    shape = (count, GIVEN + HORIZON, SIZE, SIZE, 1)
    actions = random.normal(size=(count, GIVEN + HORIZON, 1))
    return Clips(tuple(random.integers(0, 256, shape, dtype=np.uint8)), actions=tuple(actions))


def batches(mirror: bool = True, count: int = 7, seed: int = 0, batch: int = 3) -> Batches:
    return Batches(Windows(clips(count, seed), GIVEN + HORIZON, mirror=mirror), batch, seed=seed)


def latent(seed: int = 0) -> LatentPredictor:
    torch.manual_seed(seed)
    return LatentPredictor(1, SIZE, actions=1, code=3, hidden=4, width=2)


def svg(seed: int = 0) -> SVG:
    torch.manual_seed(seed)
    return SVG(1, SIZE, actions=1, noise=2, code=3, hidden=4, width=2)


def noether(seed: int = 0, *, joint: bool = True, predictor: nn.Module | None = None, **inner: Any) -> NoetherNetwork:
    base = latent(seed) if predictor is None else predictor
    torch.manual_seed(seed)
    embedding = PooledEmbedding(1, SIZE, frames=2, dim=2, width=2)
    return NoetherNetwork(base, embedding, Latents(), Inner(**{"steps": 2, **inner}), trains_predictor=joint)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Job:
    """A module and its training."""

    module: nn.Module
    training: Training


SCHEDULE = Schedule(epochs=3, batch=3, rate=1e-2, warmup=4)


def job(kind: str, seed: int = 0) -> Job:
    """A fresh one; seed: of the weights it begins with."""
    if kind == "free running":
        module: nn.Module = latent(seed)
        return Job(module, base_training(module, batches(), GIVEN, SCHEDULE, seed=3))
    if kind == "taught svg":
        module = svg(seed)
        return Job(module, base_training(module, batches(), GIVEN, SCHEDULE, loss="svg", seed=3))
    if kind == "noether svg":
        network = noether(seed, predictor=svg(seed))
        return Job(network, noether_training(network, batches(), GIVEN, SCHEDULE, seed=3, own=0.5))
    network = noether(seed, joint=kind == "joint")
    return Job(network, noether_training(network, batches(), GIVEN, SCHEDULE, seed=3, conserved=0.1))


JOBS = ("free running", "taught svg", "joint", "frozen", "noether svg")


def losses(progress: Progress) -> list[dict[str, float]]:
    """The log without its times."""
    return [{name: value for name, value in row.items() if name != "cpu_seconds"} for row in progress.rows]


# taken up again


@pytest.mark.parametrize("kind", JOBS)
def test_a_training_taken_up_after_any_epoch_has_the_losses_of_an_undisturbed_one(kind: str) -> None:
    whole = job(kind)
    first = {name: value.clone() for name, value in whole.module.state_dict().items()}
    expected = losses(whole.training.run())
    assert len({row["loss"] for row in expected}) == 3
    for epochs in range(3):
        part = job(kind)
        part.module.load_state_dict(first)
        for _ in range(epochs):
            part.training.run_epoch()
        tensors, facts = part.training.state()
        weights, kept = save(part.module.state_dict()), save(tensors)
        part.training.run()  # goes on without an effect on what was kept

        torch.manual_seed(99)
        again = job(kind, seed=5)
        again.module.load_state_dict(load(weights))
        again.training.restore(load(kept), facts)
        found = losses(again.training.run())
        for row, other in zip(found, expected, strict=True):
            assert row == pytest.approx(other, rel=1e-6, abs=1e-6)
        for name, value in whole.module.state_dict().items():
            torch.testing.assert_close(again.module.state_dict()[name], value, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", JOBS)
def test_a_training_depends_on_its_seed_and_on_no_other_random_numbers(kind: str) -> None:
    one, other = job(kind), job(kind)
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002  (what others may do)
    assert losses(one.training.run()) == losses(other.training.run())


def test_rates_are_calibrated_from_the_seed_alone() -> None:
    found = []
    for other in (1, 2):
        network = noether(predictor=svg())
        torch.manual_seed(other)
        noether_training(network, batches(), GIVEN, SCHEDULE, seed=3)
        found.append(network.rates)
    assert found[0] == found[1]


def test_a_state_is_restored_whole() -> None:
    one = job("free running")
    weights = copy.deepcopy(one.module.state_dict())
    start = one.training.state()
    assert not start[0]
    expected = losses(one.training.run())
    one.module.load_state_dict(weights)
    one.training.restore(*start)  # nothing of Adam's moments may be left
    assert losses(one.training.run()) == expected


def test_a_schedule_of_steps_may_end_within_an_epoch() -> None:
    module = latent()
    training = base_training(module, batches(), GIVEN, Schedule(steps=7, batch=3))
    seen: list[tuple[int, int]] = []
    progress = training.run(lambda done, total: seen.append((done, total)))
    assert seen == [(i, 7) for i in range(1, 8)]
    assert [row["step"] for row in progress.rows] == [3, 6, 7]
    assert [row["epoch"] for row in progress.rows] == [0, 1, 2]
    assert training.finished
    assert progress.seconds > 0
    assert total_cpu([progress, progress]) == 2 * progress.seconds


# arms share nothing


def test_arms_that_go_on_from_one_state_do_not_touch_each_other() -> None:
    base = job("free running")
    base.training.run_epoch()
    tensors, facts = base.training.state()
    weights = base.module.state_dict()

    def arm() -> Job:
        made = job("free running", seed=9)
        made.module.load_state_dict(weights)
        made.training.restore(tensors, facts)
        return made

    before = {name: value.clone() for name, value in tensors.items()}
    alone = losses(arm().training.run())
    one, other = arm(), arm()
    while not one.training.finished:  # in turn
        one.training.run_epoch()
        other.training.run_epoch()
    assert losses(one.training.progress) == losses(other.training.progress) == alone
    assert all(torch.equal(tensors[name], value) for name, value in before.items())
    assert facts["step"] == 3
    assert len(facts["rows"]) == 1
    assert losses(base.training.run()) == alone


# steps that cannot be made


def line(weight: nn.Parameter, bad: Mapping[int, str]) -> Training:
    """A loss of 3 w with a fault at some steps."""

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        fault = bad.get(seed)  # with seed 0 the number of the step
        loss = 3 * weight.sum()
        if fault == "loss":
            loss = loss * math.nan
        if fault == "infinite":
            loss = loss + math.inf
        if fault == "gradient":
            loss = loss + (0 * weight.sum()).abs().sqrt()
        return loss, {"said": float(seed)}

    return Training({"w": weight}, loss_of, batches(), Schedule(steps=6, batch=3, decay="constant"))


@pytest.mark.parametrize("fault", ["loss", "infinite", "gradient"])
@pytest.mark.parametrize("at", [0, 1])
def test_a_step_whose_gradient_is_not_finite_changes_nothing_and_is_counted(fault: str, at: int) -> None:
    weight = nn.Parameter(torch.ones(2))
    training = line(weight, {at: fault})
    values, states = [], []

    def told(done: int, total: int) -> None:
        values.append(weight.detach().clone())
        states.append(training.state()[0])

    training.run(told)
    before = values[at - 1] if at else torch.ones(2)
    assert torch.equal(values[at], before)
    assert all(torch.equal(states[at][name], states[at - 1][name]) for name in states[at]) if at else not states[at]
    assert torch.isfinite(weight).all()
    assert (values[at + 1] < values[at]).all()
    assert training.progress.skipped == 1
    assert [row["skipped"] for row in training.progress.rows] == [1, 0]
    good = [step for step in range(3) if step != at]
    assert training.progress.rows[0]["said"] == sum(good) / 2  # means over the steps that were made


def test_an_epoch_without_a_good_step_has_a_row() -> None:
    weight = nn.Parameter(torch.ones(2))
    training = line(weight, dict.fromkeys(range(6), "loss"))
    assert training.run_epoch()["skipped"] == 3
    assert torch.equal(weight, torch.ones(2))


def test_a_runaway_in_training_leaves_the_weights_as_they_are_or_finite() -> None:
    network = noether(rate=1e30, learn_rate=False)
    before = copy.deepcopy(network.state_dict())
    training = noether_training(network, batches(), GIVEN, SCHEDULE)
    training.run_epoch()
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    skipped = training.progress.skipped
    if skipped == 3:
        assert all(torch.equal(value, network.state_dict()[name]) for name, value in before.items())


def test_gradients_are_clipped_to_their_norm() -> None:
    weight = nn.Parameter(torch.zeros(4))
    seen = []

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, Mapping[str, float]]:
        return 100 * weight.sum(), {}

    training = Training({"w": weight}, loss_of, batches(), Schedule(steps=1, batch=3, clip=0.5))
    training.optimiser.register_step_pre_hook(lambda *_: seen.append(float(weight.grad.norm())))
    training.run()
    assert seen == [pytest.approx(0.5, rel=1e-5)]


# schedules


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({}, "either steps or epochs"),
        ({"steps": 5, "epochs": 1}, "either steps or epochs"),
        ({"steps": 0}, "steps = 0: give 1 or more"),
        ({"epochs": -2}, "epochs = -2: give 1 or more"),
        ({"steps": 5, "batch": 0}, "batch = 0: give 1 or more"),
        ({"steps": 5, "warmup": -1}, "warmup = -1: give 0 or more"),
        ({"steps": 5, "rate": 0.0}, "rate = 0.0: give a positive number"),
        ({"steps": 5, "rate": math.nan}, "rate = nan: give a positive number"),
        ({"steps": 5, "clip": -1.0}, "clip = -1.0: give a positive number"),
        ({"steps": 5, "scale_rate": 0.0}, "scale_rate = 0.0: give a positive number"),
        ({"steps": 5, "decay": "linear"}, 'decay = "linear": there are cosine, constant'),
    ],
)
def test_schedules_that_cannot_be_are_told(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Schedule(**options)


def test_the_rate_rises_to_its_peak_and_falls_along_a_cosine() -> None:
    schedule = Schedule(steps=100, warmup=10)
    factors = [schedule.factor(step, 100) for step in range(100)]
    assert all(0 < factor <= 1 for factor in factors)
    assert factors[:10] == sorted(factors[:10])
    assert factors[10:] == sorted(factors[10:], reverse=True)
    assert factors[0] == pytest.approx(0.1, rel=1e-3)
    assert factors[50] == pytest.approx(0.5)
    assert factors[-1] < 1e-3
    flat = Schedule(steps=100, decay="constant")
    assert {flat.factor(step, 100) for step in range(100)} == {1.0}
    assert Schedule(epochs=3).total(5) == 15
    assert longer(Schedule(epochs=3, rate=0.1, warmup=2), 40) == Schedule(steps=40, rate=0.1, warmup=2)


def test_the_first_step_is_as_long_as_the_schedule_says() -> None:
    network = noether()
    training = noether_training(network, batches(), GIVEN, Schedule(steps=8, rate=1e-3, scale_rate=0.05, warmup=4))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    seen = []

    def told(done: int, total: int) -> None:
        if done == 1:
            for name, weight in network.named_parameters():
                length = 0.25 * (0.05 if name.startswith("log_rates.") else 1e-3)
                step = (weight.detach() - before[name]).abs().max()
                # Adam's first step is the rate for every weight with a slope; 1e-8 beside the slope, and float32 of a
                # weight of order 1, take little from it
                seen.append((name, float(step) == pytest.approx(length, rel=0.02)))

    training.run_epoch(told)
    assert any(name.startswith("log_rates.") and right for name, right in seen)
    # no difference of embeddings depends on their bias: its slope is rounding
    assert [name for name, right in seen if not right] in ([], ["embedding.last.bias"])


# losses


def test_free_running_is_the_error_of_the_rollout() -> None:
    predictor = latent()
    batch = next(batches(mirror=False).epoch(0))
    frames = predictor.rollout(batch.frames[:, :GIVEN], HORIZON, batch.actions).frames
    error = (frames - batch.frames[:, GIVEN:]).square().mean()
    some = batch.frames[:, ::3]
    again = (predictor.seen_again(some) - some).square().mean()
    loss, said = free_running_loss(predictor, GIVEN, 0.5)(batch, 0)
    torch.testing.assert_close(loss, error + 0.5 * again)
    assert said["rollout"] == pytest.approx(float(error.detach()))
    other, _ = free_running_loss(svg(), GIVEN)(batch, 0)
    assert torch.equal(free_running_loss(svg(), GIVEN)(batch, 0)[0], other)
    assert not torch.equal(free_running_loss(svg(), GIVEN)(batch, 1)[0], other)


def test_losses_leave_the_random_numbers_of_others_alone() -> None:
    batch = next(batches().epoch(0))
    network = noether(predictor=svg(), joint=True)
    network.calibrate(batch.frames[:, :GIVEN], HORIZON, batch.actions)
    state = torch.get_rng_state()
    for loss_of in (free_running_loss(svg(), GIVEN), taught_loss(svg(), GIVEN), meta_loss([network], GIVEN)):
        torch.set_rng_state(state)
        loss_of(batch, 7)
        assert torch.equal(torch.get_rng_state(), state)


def test_the_meta_loss_is_the_task_loss_after_the_inner_steps() -> None:
    network = noether(joint=False)
    batch = next(batches().epoch(0))
    context, truth = batch.frames[:, :GIVEN], batch.frames[:, GIVEN:]
    network.calibrate(context, HORIZON, batch.actions)
    prediction = network(context, HORIZON, batch.actions)
    error = (prediction.frames - truth).square().mean()
    base = (prediction.base_frames - truth).square().mean()
    ratio = within_over_total(embedded(network.embedding, context, truth))
    loss, said = meta_loss([network], GIVEN)(batch, 0)
    torch.testing.assert_close(loss, error)
    assert said["base"] == pytest.approx(float(base))
    assert said["fell_back"] == 0
    assert said["moved"] == pytest.approx(float(prediction.moved.mean()))
    loss, said = meta_loss([network], GIVEN, own=2.0, conserved=3.0)(batch, 0)
    torch.testing.assert_close(loss, error + 2 * base + 3 * ratio)
    assert said["conserved"] == pytest.approx(float(ratio.detach()))


def test_within_over_total_is_0_for_what_is_conserved_and_1_for_noise() -> None:
    random = torch.Generator().manual_seed(0)
    level = torch.randn(40, 1, 3, generator=random, dtype=torch.float64).expand(40, 50, 3)
    noise = torch.randn(40, 50, 3, generator=random, dtype=torch.float64)
    assert float(within_over_total(level)) == 0
    # T / (T - 1) with T = 50 steps, and 1 / sqrt(40 x 50 x 3 / 2) of chance
    assert float(within_over_total(noise)) == pytest.approx(1, abs=0.04)
    mixed = level + 0.5 * noise
    scales = torch.tensor([0.1, 1.0, 10.0], dtype=torch.float64)
    # 1e-8 of the mean variance is added to each
    assert float(within_over_total(scales * mixed)) == pytest.approx(float(within_over_total(mixed)), rel=1e-5)
    by_hand = [
        float(mixed[..., d].var(1, correction=0).mean() / mixed[..., d].flatten().var(correction=0)) for d in range(3)
    ]
    assert float(within_over_total(mixed)) == pytest.approx(sum(by_hand) / 3, rel=1e-6)
    assert float(within_over_total(torch.zeros(3, 4, 2))) == 0


# what is learned


def changed(network: nn.Module, before: Mapping[str, Tensor]) -> set[str]:
    """The parts of a network of which some weight is another."""
    now = network.state_dict()
    return {name.partition(".")[0] for name, value in before.items() if not torch.equal(now[name], value)}


@pytest.mark.parametrize(
    ("joint", "learn_embedding", "learn_rate", "parts"),
    [
        (True, True, True, {"predictor", "embedding", "log_rates"}),
        (False, True, True, {"embedding", "log_rates"}),
        (False, True, False, {"embedding"}),
        (False, False, True, {"log_rates"}),
        (True, False, True, {"predictor", "log_rates"}),
    ],
)
@pytest.mark.parametrize("target", ["latents", "state", "normalisation", "weights"])
def test_training_changes_what_is_learned_and_nothing_else(
    target: str, joint: bool, learn_embedding: bool, learn_rate: bool, parts: set[str]
) -> None:
    network = noether(joint=joint, learn_rate=learn_rate)
    network.target = target_named(target)
    training = noether_training(network, batches(), GIVEN, Schedule(steps=2, batch=3), learn_embedding=learn_embedding)
    before = copy.deepcopy(network.state_dict())
    training.run()
    assert training.progress.skipped == 0
    assert changed(network, before) == parts


def test_an_embedding_is_learned_across_folds_from_frozen_predictors() -> None:
    networks = [noether(seed, joint=False) for seed in range(2)]
    folds = Folds([batches(seed=0), batches(seed=1, count=4)])
    training = noether_training(networks, folds, GIVEN, Schedule(epochs=1, batch=3))
    assert networks[1].embedding is networks[0].embedding
    assert networks[1].log_rates is networks[0].log_rates
    before = [copy.deepcopy(network.state_dict()) for network in networks]
    for batch in folds.epoch(0):
        expected, _ = meta_loss([networks[batch.fold]], GIVEN)(Batch(batch.frames, batch.actions, batch.window), 5)
        assert torch.equal(training.loss_of(batch, 5)[0], expected)
    training.run()
    assert training.progress.step == 3 + 2
    assert [changed(one, was) for one, was in zip(networks, before, strict=True)] == [{"embedding", "log_rates"}] * 2


def test_a_network_that_was_calibrated_keeps_its_rates() -> None:
    network = noether(rate=0.125)
    network.calibrate(torch.rand(2, GIVEN, 1, SIZE, SIZE), HORIZON, torch.rand(2, GIVEN + HORIZON, 1))
    rates = network.rates
    noether_training(network, batches(), GIVEN, SCHEDULE)
    assert network.rates == rates


# what cannot be


def test_what_cannot_be_trained_is_told() -> None:
    with pytest.raises(PredictorError, match='only the "svg" predictor is taught with true frames'):
        base_training(latent(), batches(), GIVEN, SCHEDULE, loss="svg")
    with pytest.raises(OptionError, match=r'base.loss = "l1": there are free, svg'):
        base_training(latent(), batches(), GIVEN, SCHEDULE, loss="l1")  # type: ignore[arg-type]
    with pytest.raises(PredictorError, match="across folds needs frozen predictors"):
        noether_training([noether(), noether()], batches(), GIVEN, SCHEDULE)
    fixed = NoetherNetwork(latent(), QuantityEmbedding(brightness), Latents(), Inner(rate=0.1, learn_rate=False))
    with pytest.raises(PredictorError, match="nothing to train: every parameter is frozen"):
        noether_training(fixed, batches(), GIVEN, SCHEDULE)


def test_a_state_of_another_network_is_not_taken() -> None:
    other = job("joint")
    other.training.run_epoch()
    tensors, facts = other.training.state()
    with pytest.raises(KeyError, match=r"predictor\.encoder"):
        job("free running").training.restore(tensors, facts)
