"""Inner steps: their derivative, one clip at a time, nothing from the future, and what happens when they fail.

B clips, K given frames, T predicted frames.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from noether_discover.errors import OptionError, PredictorError
from noether_discover.video.conservation import embedded, noether_loss
from noether_discover.video.embeddings import ConvEmbedding, QuantityEmbedding, brightness
from noether_discover.video.noether_network import Inner, NoetherNetwork
from noether_discover.video.rollout import StepPredictor
from noether_discover.video.targets import TARGETS, Latents, Normalisation, States, Weights

Make = Callable[..., Any]

ALL = [
    *((predictor, target) for predictor in ("latent", "svg") for target in TARGETS),
    ("step", "normalisation"),
    ("step", "weights"),
]
"""A next-frame module has neither latents nor state."""

REACHES = (1e-7, 1e-8, 1e-6)
"""Steps of a difference. Adam's quotient turns within 1e-6 where a slope changes its sign, so that a long step is wrong
by its curvature; float64 rounds frames at 1e-16, so that a short one is wrong where a derivative is small. A derivative
has to agree with one of them; a wrong one agrees with none."""


def weights_by_part(network: NoetherNetwork) -> dict[str, list[nn.Parameter]]:
    """What Algorithm 1 learns: the embedding, the inner rates, and the predictor where it is trained."""
    parts = {"embedding": [*network.embedding.parameters()], "rates": [*network.log_rates.parameters()]}
    if network.trains_predictor:
        parts["predictor"] = [*network.predictor.parameters()]
    return parts


def weights_by_module(network: NoetherNetwork) -> dict[str, list[nn.Parameter]]:
    """Each inner rate; of embedding and predictor each child's."""
    parts: dict[str, list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        parts.setdefault(".".join(name.split(".")[:2]), []).append(weight)
    return parts


def difference(case: Any, weights: list[nn.Parameter], along: list[Tensor], reach: float) -> float:
    """The central difference of the task loss along a direction."""
    ends = []
    with torch.no_grad():
        for sign in (1, -2, 1):
            for weight, way in zip(weights, along, strict=True):
                weight += sign * reach * way
            if len(ends) < 2:
                ends.append(case().frames)
    # of the squares, as (a - b) (a + b): the rounding of their sum would be larger than what they differ by
    return float(((ends[0] - ends[1]) * (ends[0] + ends[1] - 2 * case.truth)).sum()) / (2 * reach)


def assert_gradient_is_difference(case: Any, parts: dict[str, list[nn.Parameter]]) -> None:
    """The derivative along one random direction in each part against a central difference.

    The difference is taken in evaluation mode, so that both modes are of one function.
    """
    random = torch.Generator().manual_seed(7)
    case.network.train()
    prediction = case()
    assert not prediction.fell_back.any()
    assert (prediction.moved > 0.05).all(), "nothing moves, so there is nothing to differentiate"
    loss = (prediction.frames - case.truth).square().sum()
    everything = [weight for weights in parts.values() for weight in weights]
    slopes = dict(zip(everything, torch.autograd.grad(loss, everything, materialize_grads=True), strict=True))
    steepest = max(float(slope.norm()) for slope in slopes.values())
    case.network.eval()
    for name, weights in parts.items():
        along = [torch.randn(weight.shape, generator=random, dtype=weight.dtype) for weight in weights]
        derivative = sum(float((slopes[weight] * way).sum()) for weight, way in zip(weights, along, strict=True))
        for reach in REACHES:
            # relative to the slope; a bias before a norm layer, the embedding's bias have none, to rounding
            found = pytest.approx(difference(case, weights, along, reach), rel=1e-4, abs=3e-8 * steepest)
            if derivative == found:
                break
        assert derivative == found, name


@pytest.mark.parametrize("train", ["frozen", "joint"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("form", ["first", "prev", "free"])
@pytest.mark.parametrize("target", TARGETS)
def test_meta_gradient_is_that_of_finite_differences(
    tiny: Make, target: str, form: str, optimiser: str, train: str
) -> None:
    case = tiny(target, joint=train == "joint", form=form, optimiser=optimiser, steps=2, loud=2.7)
    assert_gradient_is_difference(case, weights_by_part(case.network))


@pytest.mark.parametrize("target", TARGETS)
def test_meta_gradient_with_the_papers_embedding_is_that_of_finite_differences(tiny: Make, target: str) -> None:
    # ReLU and the largest of four have kinks, but none within 1e-7 of these frames
    case = tiny(target, embedding="conv", joint=True, loud=2.7)
    assert_gradient_is_difference(case, weights_by_module(case.network))


@pytest.mark.parametrize(("predictor", "target"), ALL[4:])
def test_meta_gradient_of_other_predictors_is_that_of_finite_differences(
    tiny: Make, predictor: str, target: str
) -> None:
    case = tiny(target, predictor, joint=True, loud=2.7)
    assert_gradient_is_difference(case, weights_by_module(case.network))


def test_first_order_steps_differentiate_predictor_and_rates_but_not_the_embedding(tiny: Make) -> None:
    case = tiny("latents", joint=True, second_order=False)
    exact = tiny("latents", joint=True)
    for one in (case, exact):
        one.network.train()
        one.loss().backward()
    torch.testing.assert_close(case().frames, exact().frames, rtol=0, atol=1e-12)
    assert all(weight.grad is None for weight in case.network.embedding.parameters())
    rate, exact_rate = case.network.log_rates["latents"].grad, exact.network.log_rates["latents"].grad
    assert rate is not None
    assert exact_rate is not None
    assert rate != 0
    assert rate != exact_rate  # with several steps the later slopes depend on the rate too
    assert all(weight.grad is not None for weight in case.network.predictor.cells.parameters())


@pytest.mark.parametrize("target", TARGETS)
def test_a_frozen_predictor_gets_no_gradient(tiny: Make, target: str) -> None:
    case = tiny(target)
    case.network.train()
    case.loss().backward()
    assert all(weight.requires_grad and weight.grad is None for weight in case.network.predictor.parameters())
    assert any(weight.grad is not None and weight.grad.any() for weight in case.network.embedding.parameters())


# one clip at a time


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize(("predictor", "target"), ALL)
def test_a_clip_alone_is_the_same_clip_in_a_batch(
    tiny: Make, target: str, predictor: str, optimiser: str, mode: str
) -> None:
    case = tiny(target, predictor, "conv", clips=8, optimiser=optimiser, dtype=torch.float32)
    case.network.train(mode == "training")
    together = case()
    assert (together.moved > 0.01).all()
    for i in (0, 5):
        alone = case(slice(i, i + 1))
        # float32 rounds at 6e-8, in another order for another batch; three inner steps leave less than 1e-5 of it
        torch.testing.assert_close(alone.frames[0], together.frames[i], rtol=0, atol=1e-5)
        torch.testing.assert_close(alone.inner_losses[:, 0], together.inner_losses[:, i], rtol=1e-4, atol=1e-6)


# nothing to conserve, nothing changes


def constant(x: Tensor) -> Tensor:
    return torch.ones(len(x), 3, dtype=x.dtype)


def constant_with_a_slope_of_zero(x: Tensor) -> Tensor:
    return 1 + 0 * x.flatten(1).sum(1)


def dead() -> nn.Module:
    embedding = ConvEmbedding(1, 8, dim=2, width=2)
    for weight in embedding.parameters():
        nn.init.zeros_(weight)
    return embedding


CONSTANTS = {
    "constant": lambda: QuantityEmbedding(constant),
    "zero slope": lambda: QuantityEmbedding(constant_with_a_slope_of_zero),
    "dead network": dead,
}


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("predictor", ["latent", "svg"])
@pytest.mark.parametrize("target", TARGETS)
def test_no_inner_step_is_the_base_prediction_to_the_bit(tiny: Make, target: str, predictor: str, mode: str) -> None:
    case = tiny(target, predictor, dtype=torch.float32)
    case.network.train(mode == "training")
    prediction = case(steps=0)
    base = case.network.predictor.rollout(case.context, 3, case.actions, noise=case.noise).frames
    assert torch.equal(prediction.frames, base)
    assert torch.equal(prediction.frames, prediction.base_frames)
    assert not torch.equal(case().frames, base)
    assert prediction.inner_losses.shape == (1, 2)
    assert not prediction.moved.any()
    assert not prediction.fell_back.any()
    never = NoetherNetwork(case.network.predictor, case.network.embedding, case.network.target, Inner(steps=0))
    assert torch.equal(never(case.context, 3, case.actions, noise=case.noise).frames, base)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("embedding", CONSTANTS)
@pytest.mark.parametrize("predictor", ["latent", "svg"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_constant_embedding_is_the_base_prediction_to_the_bit(
    tiny: Make, target: str, predictor: str, embedding: str, optimiser: str
) -> None:
    case = tiny(target, predictor, CONSTANTS[embedding](), optimiser=optimiser, dtype=torch.float32)
    assert all(rate == pytest.approx(1.0) or optimiser == "adam" for rate in case.network.rates.values())
    case.network.eval()
    prediction = case()
    base = case.network.predictor.rollout(case.context, 3, case.actions, noise=case.noise).frames
    assert torch.equal(prediction.frames, base)
    assert not prediction.moved.any()
    assert not prediction.fell_back.any()
    case.network.train()
    # in training the prediction is made again from the same leaves, in another order of the same sums
    torch.testing.assert_close(case().frames, base, rtol=0, atol=1e-6)


# nothing from the future


@pytest.mark.parametrize(("predictor", "target"), ALL)
def test_a_future_that_is_altered_changes_nothing(tiny: Make, target: str, predictor: str) -> None:
    case = tiny(target, predictor)
    case.network.eval()
    before = case().frames
    other = copy.deepcopy(case)
    other.frames[:, case.given :] = torch.rand_like(other.truth)
    other.actions[:, -1] += 10  # acts after the last predicted frame
    assert torch.equal(other().frames, before)
    other.network.train()
    torch.testing.assert_close(other().frames, before, rtol=0, atol=1e-12)
    other.actions[:, -2] += 10  # acts between the last two predicted frames
    assert not torch.equal(other().frames[:, -1], before[:, -1])


# many inner steps


class Live(TorchDispatchMode):
    """Bytes of all tensors that were made inside and are still held by anyone, a graph included: now, and at most."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._alive: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in out if isinstance(out, tuple | list) else (out,):
            if isinstance(one, Tensor):
                self._count(one.untyped_storage())
        return out

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._alive:
            return

        def gone(_: Any) -> None:
            del self._alive[key]
            self.now -= size

        self._alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def memory(call: Callable[[], Any]) -> int:
    """Most bytes alive at one time."""
    with Live() as live:
        call()
    return live.most


@pytest.mark.parametrize(
    ("target", "predictor", "optimiser"),
    [("latents", "latent", "sgd"), ("latents", "latent", "adam"), ("state", "latent", "sgd"),
     ("normalisation", "step", "sgd"), ("weights", "step", "sgd")],
)  # fmt: skip
def test_memory_of_many_inner_steps_is_that_of_a_few(tiny: Make, target: str, predictor: str, optimiser: str) -> None:
    case = tiny(target, predictor, optimiser=optimiser, loud=0.01, dtype=torch.float32)
    case.network.eval()
    few = memory(lambda: case(steps=5))
    assert memory(lambda: case(steps=200)) <= 1.2 * few
    with torch.no_grad():
        case.network.train()  # no graph is kept either where no gradient can be asked for
        assert memory(lambda: case(steps=25)) <= 1.2 * few
    assert memory(lambda: case(steps=25)) > 3 * few, "keeping the graph has to show, or this test tests nothing"


@pytest.mark.parametrize("predictor", ["latent", "svg"])
@pytest.mark.parametrize("target", TARGETS)
def test_predictions_along_the_steps_are_those_of_so_many_steps(tiny: Make, target: str, predictor: str) -> None:
    case = tiny(target, predictor)
    case.network.eval()
    along = dict(case.network.predictions(case.context, 3, case.actions, counts=(0, 1, 4), noise=case.noise))
    for count, prediction in along.items():
        expected = case(steps=count)
        assert torch.equal(prediction.frames, expected.frames)
        assert torch.equal(prediction.inner_losses, expected.inner_losses)
        assert torch.equal(prediction.moved, expected.moved)
    assert [*along] == [0, 1, 4]


def test_an_inner_step_is_gradient_descent_on_the_summed_loss(tiny: Make) -> None:
    case = tiny("latents", steps=1)
    case.network.eval()
    predictor, inner = case.network.predictor, case.network.inner
    base = predictor.rollout(case.context, 3, case.actions)
    latents = base.latents.detach().requires_grad_()
    loss = noether_loss(
        embedded(case.network.embedding, case.context, predictor.decode(latents, base)), inner.form
    ).sum()
    (slope,) = torch.autograd.grad(loss, latents)
    rate = case.network.rates["latents"]
    expected = predictor.decode(latents - rate * slope, base)
    torch.testing.assert_close(case().frames, expected.detach(), rtol=0, atol=1e-12)


def test_adam_is_that_of_torch(tiny: Make) -> None:
    case = tiny("latents", optimiser="adam", steps=5)
    case.network.eval()
    with torch.no_grad():
        case.network.embedding.last.weight *= 1e3
    predictor = case.network.predictor
    base = predictor.rollout(case.context, 3, case.actions)
    latents = base.latents.detach().requires_grad_()
    adam = torch.optim.Adam([latents], lr=case.network.rates["latents"])
    for _ in range(5):
        frames = predictor.decode(latents, base)
        loss = noether_loss(embedded(case.network.embedding, case.context, frames), "prev").sum()
        (latents.grad,) = torch.autograd.grad(loss, latents)
        adam.step()
    # Adam's own epsilon of 1e-8 lies outside the root; of slopes of 0.05 and more that is less than a millionth
    torch.testing.assert_close(case().frames, predictor.decode(latents, base).detach(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("target", TARGETS)
def test_calibrated_steps_move_by_about_a_tenth_and_lower_the_loss(tiny: Make, target: str, optimiser: str) -> None:
    case = tiny(target, optimiser=optimiser)
    case.network.eval()
    prediction = case()
    # a tenth for all clips together if every step were like the first; steps shrink or oscillate, clips differ
    assert (prediction.moved > 0.01).all()
    assert (prediction.moved < 0.5).all()
    assert prediction.inner_losses[-1].sum() < prediction.inner_losses[0].sum()
    assert prediction.inner_losses.shape == (4, 2)


@pytest.mark.parametrize("train", ["frozen", "joint"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("predictor", ["latent", "svg"])
@pytest.mark.parametrize("target", TARGETS)
def test_training_and_evaluation_predict_the_same(
    tiny: Make, target: str, predictor: str, optimiser: str, train: str
) -> None:
    case = tiny(target, predictor, joint=train == "joint", optimiser=optimiser)
    training, evaluation = case(), case.network.eval() and case()
    torch.testing.assert_close(training.frames, evaluation.frames, rtol=0, atol=1e-10)
    torch.testing.assert_close(training.moved, evaluation.moved, rtol=1e-8, atol=0)
    torch.testing.assert_close(training.inner_losses, evaluation.inner_losses[:-1], rtol=1e-8, atol=1e-14)


def test_a_given_rate_is_taken_and_a_fixed_one_is_not_learned(tiny: Make) -> None:
    case = tiny("normalisation", rate=0.25, learn_rate=False)
    assert all(rate == pytest.approx(0.25) for rate in case.network.rates.values())
    assert {name.rpartition(".")[2] for name in case.network.rates} == {"gamma", "beta"}
    assert not any(rate.requires_grad for rate in case.network.log_rates.values())
    assert [*case.network.inner_parameters()] == [*case.network.embedding.parameters()]
    assert len([*tiny("normalisation").network.inner_parameters()]) > len([*case.network.inner_parameters()])


# failures are results


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("target", TARGETS)
def test_a_runaway_falls_back_to_the_base_prediction_and_is_counted(
    tiny: Make, target: str, steps: int, optimiser: str, mode: str
) -> None:
    case = tiny(target, rate=1e6, steps=steps, optimiser=optimiser, dtype=torch.float32)
    case.network.train(mode == "training")
    prediction = case()
    assert prediction.fell_back.all()
    assert torch.equal(prediction.frames, prediction.base_frames)
    assert not prediction.kept_base.any()


def poisoned(x: Tensor) -> Tensor:
    """The brightness; not a number where the first pixel is black."""
    return torch.where(x[:, 0, 0, 0] == 0, torch.nan, 1.0) * x.mean((1, 2, 3))


def steep(x: Tensor) -> Tensor:
    """Finite, with an infinite slope."""
    return (0 * x).abs().sum((1, 2, 3)).sqrt() + x.mean((1, 2, 3))


@pytest.mark.parametrize("mode", ["training", "evaluation"])
@pytest.mark.parametrize("target", TARGETS)
def test_a_clip_whose_embedding_is_no_number_falls_back_alone(tiny: Make, target: str, mode: str) -> None:
    case = tiny(target, embedding=QuantityEmbedding(poisoned), clips=3)
    case.network.train(mode == "training")
    before = case()
    assert not before.fell_back.any()
    case.context[1, -1, 0, 0, 0] = 0.0
    prediction = case()
    assert prediction.fell_back.tolist() == [False, True, False]
    assert torch.equal(prediction.frames[1], prediction.base_frames[1])
    assert torch.equal(prediction.frames[::2], before.frames[::2])
    assert torch.isfinite(prediction.frames).all()


@pytest.mark.parametrize("target", TARGETS)
def test_an_infinite_slope_falls_back(tiny: Make, target: str) -> None:
    case = tiny(target, embedding=QuantityEmbedding(steep))
    case.network.eval()
    prediction = case()
    assert prediction.fell_back.all()
    assert torch.equal(prediction.frames, prediction.base_frames)


def wavy(x: Tensor) -> Tensor:
    """Has many valleys in reach of a long step."""
    return torch.sin(60 * x.mean((1, 2, 3)))


@pytest.mark.parametrize("target", TARGETS)
def test_base_is_kept_where_the_loss_did_not_fall(tiny: Make, target: str) -> None:
    embedding = QuantityEmbedding(wavy)
    case = tiny(target, embedding=embedding, clips=6, accept="if_improved", steps=1, loud=6.0)
    case.network.eval()
    always = NoetherNetwork(case.network.predictor, case.network.embedding, case.network.target, Inner(steps=1)).eval()
    always.log_rates = case.network.log_rates
    prediction, without = case(), always(case.context, 3, case.actions)
    worse = ~(without.inner_losses[-1] < without.inner_losses[0])
    assert not without.fell_back.any()
    assert torch.equal(prediction.kept_base, worse)
    assert torch.equal(prediction.frames[worse], prediction.base_frames[worse])
    assert torch.equal(prediction.frames[~worse], without.frames[~worse])
    assert worse.any(), "a step of 0.6 should be too long for some clip"
    small = tiny(target, embedding=embedding, clips=6, accept="if_improved", steps=1, loud=0.01)
    small.network.eval()
    assert not small().kept_base.any()  # a small enough step lowers a smooth loss


# what cannot be


def quantity() -> nn.Module:
    return QuantityEmbedding(brightness)


def test_first_order_steps_with_a_frozen_predictor_are_refused(tiny: Make) -> None:
    with pytest.raises(PredictorError, match=r"give the embedding no gradient.*second_order = true"):
        tiny("latents", second_order=False)


def test_a_network_without_rates_asks_for_calibration(tiny: Make) -> None:
    case = tiny("latents")
    fresh = NoetherNetwork(case.network.predictor, case.network.embedding, Latents())
    with pytest.raises(PredictorError, match="call calibrate"):
        fresh(case.context, 3, case.actions)
    with pytest.raises(PredictorError, match="call calibrate"):
        list(fresh.eval().predictions(case.context, 3, case.actions, counts=[0, 2]))


def test_too_few_given_frames_for_the_embedding_are_told(tiny: Make) -> None:
    case = tiny("latents")
    with pytest.raises(PredictorError, match="the embedding sees 2 frames, but only 1 are given"):
        case.network(case.context[:, :1], 3, case.actions)


def test_missing_actions_are_told(tiny: Make) -> None:
    for kind in ("latent", "svg", "step"):
        case = tiny("normalisation", kind)
        with pytest.raises(PredictorError, match="takes actions, but the clips have none"):
            case.network(case.context, 3)
        with pytest.raises(PredictorError, match="2 given and 3 predicted frames need 4 actions; there are 3"):
            case.network(case.context, 3, case.actions[:, :3])


@pytest.mark.parametrize("target", [Latents(), States(), Weights("0"), Normalisation()])
def test_batch_normalisation_is_refused_where_clips_see_each_other(tiny: Make, target: Any) -> None:
    x = torch.rand(2, 2, 1, 8, 8)
    step = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 3, padding=1))
    network = NoetherNetwork(StepPredictor(step), quantity(), target)
    with pytest.raises(PredictorError, match=r"batch normalisation, through which .* see each other; use GroupNorm"):
        network.calibrate(x, 3)
    if isinstance(target, Weights):  # in evaluation mode it is a fixed scale and shift, so each clip stands alone
        network.eval().calibrate(x, 3)
        torch.testing.assert_close(network(x, 3).frames[:1], network(x[:1], 3).frames)
        nn.init.zeros_(step[2].weight)
        step[1] = nn.BatchNorm2d(2, track_running_stats=False).eval()
        with pytest.raises(PredictorError, match="use GroupNorm"):
            network(x, 3)


def test_inference_mode_is_refused_instead_of_nothing_being_enforced(tiny: Make) -> None:
    case = tiny("latents")
    case.network.eval()
    with torch.inference_mode(), pytest.raises(PredictorError, match=r"torch.no_grad\(\), not inference_mode"):
        case()
    with torch.no_grad():
        assert not torch.equal(case().frames, case().base_frames)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"steps": -1}, "inner.steps = -1"),
        ({"rate": 0.0}, "inner.rate = 0.0"),
        ({"rate": float("nan")}, "inner.rate = nan"),
        ({"reach": 0.0}, "inner.reach = 0.0"),
        ({"optimiser": "lion"}, 'inner.optimiser = "lion": there are sgd, adam'),
        ({"form": "last"}, 'inner.form = "last": there are first, prev, free'),
        ({"accept": "never"}, 'inner.accept = "never": there are always, if_improved'),
    ],
)
def test_inner_options_that_cannot_be_used_are_told(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Inner(**options)


def test_numbers_of_steps_that_cannot_be_made_are_told(tiny: Make) -> None:
    case = tiny("latents")
    with pytest.raises(OptionError, match="steps = -1"):
        case(steps=-1)
    with pytest.raises(PredictorError, match=r"call eval\(\) first"):
        list(case.network.predictions(case.context, 3, case.actions, counts=[1]))
    with pytest.raises(OptionError, match="rising"):
        list(case.network.eval().predictions(case.context, 3, case.actions, counts=[2, 1]))
