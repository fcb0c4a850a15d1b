"""What an inner step adapts: where it starts, that each clip has its own, and two ways to the same frames.

B clips, K given frames, T predicted frames.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from noether_discover.errors import OptionError, PredictorError
from noether_discover.video.embeddings import QuantityEmbedding, brightness
from noether_discover.video.rollout import Rollout, StepPredictor
from noether_discover.video.targets import TARGETS, Latents, Normalisation, States, Weights, target_named

Make = Callable[..., Any]


def predicted(case: Any, leaves: dict[str, Tensor], base: Rollout) -> Tensor:
    return case.network.target.predict(case.network.predictor, leaves, base, case.context, 3, case.actions)


def started(case: Any) -> tuple[Rollout, dict[str, Tensor]]:
    """The base rollout and the leaves it was made with."""
    with torch.no_grad():
        base = case.network.predictor.rollout(case.context, 3, case.actions, noise=case.noise)
        return base, case.network.target.leaves(case.network.predictor, base)


def altered(leaves: dict[str, Tensor], seed: int = 3) -> dict[str, Tensor]:
    """Leaves that differ from clip to clip."""
    random = torch.Generator().manual_seed(seed)
    return {
        name: leaf + 0.3 * torch.randn(leaf.shape, generator=random, dtype=leaf.dtype) for name, leaf in leaves.items()
    }


ALL = [
    *((predictor, target) for predictor in ("latent", "svg") for target in TARGETS),
    ("step", "normalisation"),
    ("step", "weights"),
]


@pytest.mark.parametrize(("predictor", "target"), ALL)
def test_untouched_leaves_predict_what_the_base_predicts(tiny: Make, predictor: str, target: str) -> None:
    case = tiny(target, predictor)
    base, leaves = started(case)
    assert all(len(leaf) == 2 for leaf in leaves.values())
    # the same operations; under vmap in another order, at 1e-16 each
    torch.testing.assert_close(predicted(case, leaves, base), base.frames, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("predictor", "target"), ALL)
def test_each_clip_has_leaves_of_its_own(tiny: Make, predictor: str, target: str) -> None:
    case = tiny(target, predictor)
    base, leaves = started(case)
    other = {name: torch.cat([leaf[:1], one[1:]]) for (name, leaf), one in zip(
        leaves.items(), altered(leaves).values(), strict=True)}  # fmt: skip
    frames = predicted(case, other, base)
    torch.testing.assert_close(frames[0], base.frames[0], rtol=0, atol=1e-12)
    assert not torch.allclose(frames[1], base.frames[1], rtol=0, atol=1e-3)


@pytest.mark.parametrize(("predictor", "target"), ALL)
def test_every_leaf_is_used(tiny: Make, predictor: str, target: str) -> None:
    case = tiny(target, predictor)
    base, leaves = started(case)
    leaves = {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}
    frames = predicted(case, leaves, base)
    slopes = torch.autograd.grad(frames.square().sum(), [*leaves.values()], materialize_grads=True)
    unused = [name for name, slope in zip(leaves, slopes, strict=True) if not slope.any()]
    # after the given frames SVG does not ask its posterior again; no layer's weights are unused
    assert unused == (["posterior.h", "posterior.c"] if (predictor, target) == ("svg", "state") else [])


@pytest.mark.parametrize("predictor", ["latent", "svg", "step"])
def test_a_clips_weights_are_those_of_a_predictor_that_has_them(tiny: Make, predictor: str) -> None:
    case = tiny(Weights(""), predictor)
    base, leaves = started(case)
    leaves = altered(leaves)
    frames = predicted(case, leaves, base)
    for b in range(2):
        alone = copy.deepcopy(case.network.predictor)
        for name, weight in alone.named_parameters():
            weight.data = leaves[name][b].clone()
        noise = None if case.noise is None else case.noise[b : b + 1]
        expected = alone.rollout(case.context[b : b + 1], 3, case.actions[b : b + 1], noise=noise).frames[0]
        torch.testing.assert_close(frames[b], expected, rtol=0, atol=1e-12)


def folded_in(predictor: nn.Module, leaves: dict[str, Tensor], b: int) -> nn.Module:
    """A copy whose norm layers' own weights hold a clip's gamma and beta."""
    alone = copy.deepcopy(predictor)
    for name, layer in alone.named_modules():
        if f"{name}.gamma" in leaves:
            gamma, beta = leaves[f"{name}.gamma"][b], leaves[f"{name}.beta"][b]
            layer.weight.data, layer.bias.data = gamma * layer.weight, gamma * layer.bias + beta
    return alone


@pytest.mark.parametrize("predictor", ["latent", "svg", "step"])
def test_a_clips_scale_and_shift_are_those_of_a_predictor_that_has_them(tiny: Make, predictor: str) -> None:
    # the decoder of `latent` folds time into the batch, its encoder the given frames
    case = tiny("normalisation", predictor)
    base, leaves = started(case)
    leaves = altered(leaves)
    frames = predicted(case, leaves, base)
    for b in range(2):
        noise = None if case.noise is None else case.noise[b : b + 1]
        alone = folded_in(case.network.predictor, leaves, b)
        expected = alone.rollout(case.context[b : b + 1], 3, case.actions[b : b + 1], noise=noise).frames[0]
        torch.testing.assert_close(frames[b], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("norm", "shape"),
    [
        (nn.GroupNorm(2, 4), (4,)), (nn.GroupNorm(2, 4), (4, 5)), (nn.GroupNorm(1, 4), (4, 6, 5)),
        (nn.LayerNorm(4), (4,)), (nn.LayerNorm(4), (7, 4)), (nn.LayerNorm(4), (3, 5, 4)),
        (nn.InstanceNorm1d(4, affine=True), (4, 6)), (nn.InstanceNorm2d(4, affine=True), (4, 6, 5)),
        (nn.InstanceNorm3d(4, affine=True), (4, 2, 3, 5)),
    ],
    ids=str,
)  # fmt: skip
def test_scale_and_shift_go_to_the_channels_of_every_norm_layer(norm: nn.Module, shape: tuple[int, ...]) -> None:
    predictor = StepPredictor(nn.Sequential(norm, nn.Tanh())).double()
    context = torch.rand(3, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        base = predictor.rollout(context, 2)
        leaves = altered(Normalisation().leaves(predictor, base))
        assert {name: tuple(leaf.shape) for name, leaf in leaves.items()} == {
            "step.0.gamma": (3, 4), "step.0.beta": (3, 4),
        }  # fmt: skip
        frames = Normalisation().predict(predictor, leaves, base, context, 2, None)
        for b in range(3):
            expected = folded_in(predictor, leaves, b).rollout(context[b : b + 1], 2).frames[0]
            torch.testing.assert_close(frames[b], expected, rtol=0, atol=1e-12)


def test_hooks_are_gone_after_a_prediction_and_after_one_that_failed(tiny: Make) -> None:
    for target in ("normalisation", "weights"):
        case = tiny(target)
        base, leaves = started(case)
        predicted(case, altered(leaves), base)
        broken = copy.copy(case)
        with pytest.raises(PredictorError, match="the clips have none"):
            broken.network.target.predict(broken.network.predictor, leaves, base, case.context, 3, None)
        layers = [*case.network.predictor.modules()]
        assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in layers)
        again = case.network.predictor.rollout(case.context, 3, case.actions).frames
        assert torch.equal(again, base.frames)


def test_rows_that_are_not_whole_clips_are_told() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.LayerNorm(2)

        def forward(self, x: Tensor) -> Tensor:
            return self.norm(torch.cat([x, x[:1]]))[: len(x)]

    predictor = StepPredictor(Odd())
    context = torch.rand(3, 1, 2)
    base = predictor.rollout(context, 2)
    leaves = Normalisation().leaves(predictor, base)
    with pytest.raises(PredictorError, match=r"sees 4 rows for 3 clips; fold time behind the clips, row b \* T \+ t"):
        Normalisation().predict(predictor, leaves, base, context, 2, None)


def test_a_pattern_picks_layers_and_weights_by_name(tiny: Make) -> None:
    case = tiny(Normalisation(r"^decoder\.stages"))
    _, leaves = started(case)
    assert set(leaves) == {"decoder.stages.0.1.gamma", "decoder.stages.0.1.beta"}
    case = tiny(Weights(r"^latent\."))
    _, leaves = started(case)
    assert {name: leaf.shape for name, leaf in leaves.items()} == {"latent.weight": (2, 3, 4), "latent.bias": (2, 3)}
    assert {name.partition(".")[0] for name in started(tiny("weights"))[1]} == {"decoder"}


def test_a_weight_may_be_a_single_number(tiny: Make) -> None:
    class Fading(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.kept = nn.Parameter(torch.tensor(0.9))

        def forward(self, x: Tensor, a: Tensor) -> Tensor:
            return self.kept * x

    embedding = QuantityEmbedding(brightness)
    case = tiny(Weights("kept"), StepPredictor(Fading(), actions=True), embedding, steps=50, loud=20.0, form="first")
    case.network.eval()
    prediction = case()
    # the one number that keeps the brightness is 1; the base's 0.9 is off by a ninth of itself
    torch.testing.assert_close(prediction.frames, case.context[:, -1:].expand_as(case.truth), rtol=0, atol=1e-3)
    torch.testing.assert_close(prediction.moved, torch.full((2,), 1 / 9, dtype=torch.float64), rtol=0, atol=1e-3)


# what cannot be


def test_a_next_frame_module_has_no_latents_and_no_state() -> None:
    predictor = StepPredictor(nn.Linear(2, 2))
    base = predictor.rollout(torch.rand(1, 1, 2), 2)
    with pytest.raises(PredictorError, match=r"has no latents to adapt.*normalisation.*weights"):
        Latents().leaves(predictor, base)
    with pytest.raises(PredictorError, match=r"has no recurrent state.*normalisation.*weights"):
        States().leaves(predictor, base)


def test_missing_norm_layers_are_told(tiny: Make) -> None:
    frames = torch.rand(1, 1, 2)
    plain = StepPredictor(nn.Linear(2, 2))
    with pytest.raises(PredictorError, match=r"no norm layer \(GroupNorm, LayerNorm, InstanceNorm\).*weights"):
        Normalisation().leaves(plain, plain.rollout(frames, 1))
    batch = StepPredictor(nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))).eval()
    with pytest.raises(PredictorError, match="only batch normalisation, through which clips see each other"):
        Normalisation().leaves(batch, batch.rollout(frames, 1))
    case = tiny("normalisation")
    with pytest.raises(PredictorError, match='has a name with "head"'):
        Normalisation("head").leaves(case.network.predictor, started(case)[0])


def test_missing_weights_are_told(tiny: Make) -> None:
    case = tiny("weights")
    with pytest.raises(
        PredictorError, match=r'no weight has a name with "head"; names begin with: cells, decoder, encoder, latent$'
    ):
        Weights("head").leaves(case.network.predictor, started(case)[0])


def test_a_predictor_that_is_no_module_has_latents_only(tiny: Make) -> None:
    class Plain:
        """Rolls out and decodes, and is nothing else."""

        def rollout(self, context: Tensor, horizon: int, actions: Any = None, *, noise: Any = None, state: Any = None):
            latents = context[:, -1:, 0, 0].expand(-1, horizon, -1)
            return Rollout(self.decode(latents, None), latents)

        def decode(self, latents: Tensor, rollout: Any) -> Tensor:
            return latents[:, :, None, None].expand(-1, -1, 1, 8, -1)

    case = tiny("latents", Plain())
    assert not torch.equal(case().frames, case().base_frames)
    for target in ("normalisation", "weights"):
        with pytest.raises(PredictorError, match='no torch module has no layers to adapt; take the target "latents"'):
            tiny(target, Plain())


@pytest.mark.parametrize(
    ("name", "pattern", "sentence"),
    [
        ("weight", None, 'no adaptation target "weight"; there are: latents, state, normalisation, weights'),
        ("latents", "x", 'the target "latents" takes no pattern'),
        ("state", "x", 'the target "state" takes no pattern'),
        ("weights", "(", r'the pattern "\(" is no regular expression'),
    ],
)
def test_targets_that_are_not_in_the_table_are_told(name: str, pattern: str | None, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        target_named(name, pattern)


def test_targets_of_the_table() -> None:
    assert [target_named(name) for name in TARGETS] == [Latents(), States(), Normalisation(), Weights()]
    assert target_named("weights", "cells") == Weights("cells")
    assert target_named("normalisation", "decoder") == Normalisation("decoder")
