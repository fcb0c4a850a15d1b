"""Predictors: rolling on again from a state, causes before effects, SVG, any next-frame module, LSTM cells.

B clips, K given frames, T predicted frames, A actions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from noether_discover.errors import OptionError, PredictorError
from noether_discover.video.latent import LatentPredictor
from noether_discover.video.networks import STYLES, Cells, Frames, stages
from noether_discover.video.rollout import StepPredictor, wanted_actions
from noether_discover.video.svg import SVG

Make = Callable[..., Any]

KINDS = ("latent", "svg", "step")


def close(one: Tensor, other: Tensor) -> None:
    """Equal but for the order of float64 sums."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def rolled(case: Any, **options: Any) -> Any:
    given = {"actions": case.actions, "noise": case.noise, **options}
    with torch.no_grad():
        return case.network.predictor.rollout(case.context, 3, given.pop("actions"), **given)


# rolling on


@pytest.mark.parametrize("predictor", ["latent", "svg"])
def test_rolling_on_from_the_state_gives_the_same_frames(tiny: Make, predictor: str) -> None:
    case = tiny("state", predictor)
    base = rolled(case)
    again = rolled(case, state=base.state, noise=base.noise)
    close(again.frames, base.frames)
    close(again.latents, base.latents)
    assert {name: value.shape[0] for name, value in again.state.items()} == dict.fromkeys(base.state, 2)
    for name in base.state:
        assert torch.equal(again.state[name], base.state[name])


@pytest.mark.parametrize("predictor", ["latent", "svg"])
def test_frames_are_decoded_latents(tiny: Make, predictor: str) -> None:
    case = tiny("latents", predictor)
    base = rolled(case)
    with torch.no_grad():
        close(case.network.predictor.decode(base.latents, base), base.frames)
    assert base.latents.shape == (2, 3, 3)


@pytest.mark.parametrize("predictor", KINDS)
def test_a_longer_rollout_begins_like_a_shorter_one(tiny: Make, predictor: str) -> None:
    case = tiny("normalisation", predictor)
    with torch.no_grad():
        short = case.network.predictor.rollout(case.context, 1, case.actions, noise=case.noise)
    close(short.frames, rolled(case).frames[:, :1])


@pytest.mark.parametrize("predictor", KINDS)
def test_an_action_changes_what_comes_after_it_and_nothing_before(tiny: Make, predictor: str) -> None:
    case = tiny("normalisation", predictor)
    before = rolled(case).frames
    for t in range(5):
        actions = case.actions.clone()
        actions[:, t] += 1
        after = rolled(case, actions=actions).frames
        changed = [not torch.equal(after[:, j], before[:, j]) for j in range(3)]
        # frame j is K + j; the action at t leads from frame t to t + 1; only a module that remembers knows the older
        remembers = predictor != "step" or t >= 1
        assert changed == [remembers and t < 2 + j for j in range(3)]


def test_a_module_without_memory_rolls_on_from_its_own_frames(tiny: Make) -> None:
    case = tiny("normalisation", "step")
    frames = rolled(case).frames
    with torch.no_grad():
        on = case.network.predictor.rollout(torch.cat([case.context, frames[:, :1]], 1), 2, case.actions)
    close(on.frames, frames[:, 1:])


def test_the_mean_frame_is_what_a_silent_decoder_draws() -> None:
    predictor = LatentPredictor(2, 16, code=4, hidden=4, width=2)
    mean = torch.rand(2, 16, 16)
    predictor.pixels.learn(mean, 0.2)
    for weight in predictor.decoder.last.parameters():
        nn.init.zeros_(weight)
    frames = predictor.rollout(torch.rand(1, 2, 2, 16, 16), 3).frames
    assert torch.equal(frames, mean.expand(1, 3, -1, -1, -1))
    assert set(predictor.pixels.state_dict()) == {"mean", "spread"}  # kept with the weights


def test_frames_are_drawn_in_the_units_they_are_seen_in() -> None:
    pixels = Frames(1, 8)
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(pixels.centred(x), x)
    pixels.learn(torch.full((1, 8, 8), 0.25), 0.5)
    assert torch.equal(pixels.drawn(pixels.centred(x)), x)
    pixels.learn(torch.zeros(1, 8, 8), 0.0)  # a film of one still picture
    assert torch.isfinite(pixels.centred(x)).all()


def test_frames_seen_again_pass_encoder_and_decoder_one_by_one() -> None:
    predictor = LatentPredictor(1, 8, code=3, hidden=4, width=2).double()
    x = torch.rand(2, 3, 1, 8, 8, dtype=torch.float64)
    again = predictor.seen_again(x)
    assert again.shape == x.shape
    close(again[1, 2], predictor.seen_again(x[1:, 2:])[0, 0])
    assert not torch.equal(again, x)
    skipping = LatentPredictor(1, 8, code=3, hidden=4, width=2, skips=True)
    assert skipping.seen_again(x) is x


# recurrent cells


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_cells_are_those_of_torch(layers: int) -> None:
    torch.manual_seed(0)
    cells = Cells(5, 4, layers)
    lstm = nn.LSTM(5, 4, layers, batch_first=True)
    with torch.no_grad():
        for i, layer in enumerate(cells.layers):
            inputs = layer.in_features - 4
            getattr(lstm, f"weight_ih_l{i}").copy_(layer.weight[:, :inputs])
            getattr(lstm, f"weight_hh_l{i}").copy_(layer.weight[:, inputs:])
            getattr(lstm, f"bias_ih_l{i}").copy_(layer.bias)
            getattr(lstm, f"bias_hh_l{i}").zero_()
        x = torch.randn(3, 7, 5)
        expected, (h, c) = lstm(x)
        state = cells.begin(x[:, 0])
        for t in range(7):
            state = cells(x[:, t], state)
            # float32 in another order; values under 1
            torch.testing.assert_close(state[0][:, -1], expected[:, t], rtol=0, atol=1e-6)
    torch.testing.assert_close(state[0], h.transpose(0, 1), rtol=0, atol=1e-6)
    torch.testing.assert_close(state[1], c.transpose(0, 1), rtol=0, atol=1e-6)


# SVG


def test_the_same_noise_gives_the_same_frames(tiny: Make) -> None:
    case = tiny("latents", "svg")
    first = rolled(case)
    assert torch.equal(rolled(case).frames, first.frames)
    assert first.noise is case.noise
    with torch.random.fork_rng():
        torch.manual_seed(5)
        one, other = rolled(case, noise=None), rolled(case, noise=None)
        torch.manual_seed(5)
        assert torch.equal(rolled(case, noise=None).frames, one.frames)
    assert not torch.equal(one.frames, other.frames)
    assert torch.equal(rolled(case, noise=one.noise).frames, one.frames)


def test_noise_changes_what_comes_after_it_and_nothing_before(tiny: Make) -> None:
    case = tiny("latents", "svg")
    before = rolled(case).frames
    for t in range(3):
        noise = case.noise.clone()
        noise[:, t] += 1
        after = rolled(case, noise=noise).frames
        assert [not torch.equal(after[:, j], before[:, j]) for j in range(3)] == [t <= j for j in range(3)]


def test_prior_and_posterior_exist_only_with_noise() -> None:
    stochastic, plain = (SVG(1, 16, noise=noise, code=3, hidden=4, width=2) for noise in (2, 0))
    assert stochastic.prior is not None
    assert stochastic.posterior is not None
    assert plain.prior is None
    assert plain.posterior is None
    assert not any(name.startswith(("prior", "posterior")) for name, _ in plain.named_parameters())
    rollout = plain.rollout(torch.rand(1, 2, 1, 16, 16), 3)
    assert rollout.noise is None
    assert set(rollout.state) == {"h", "c"}
    names = {"h", "c", "prior.h", "prior.c", "posterior.h", "posterior.c"}
    assert set(stochastic.rollout(torch.rand(1, 2, 1, 16, 16), 3).state) == names


@pytest.mark.parametrize("noise", [0, 2])
@pytest.mark.parametrize(("style", "size"), [(style, size) for style in STYLES for size in (16, 32, 64, 128)])
def test_svg_of_every_style_and_size(style: str, size: int, noise: int) -> None:
    predictor = SVG(1, size, actions=1, noise=noise, code=2, hidden=3, layers=1, style=style, width=1)
    frames, actions = torch.rand(1, 3, 1, size, size), torch.rand(1, 3, 1)
    rollout = predictor.rollout(frames[:, :2], 2, actions)
    assert rollout.frames.shape == (1, 2, 1, size, size)
    assert torch.isfinite(rollout.frames).all()
    assert torch.isfinite(predictor.taught(frames, 2, actions))


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("size", [0, 4, 7, 24, 63, 96, 100])
def test_sizes_that_cannot_be_halved_are_refused(style: str, size: int) -> None:
    with pytest.raises(OptionError, match=f"frames of {size} pixels cannot be halved down to 4"):
        SVG(1, size, style=style, width=2)
    with pytest.raises(OptionError, match="resize them to 16, 32, 64 or 128"):
        LatentPredictor(1, size, style=style)


def test_an_encoder_that_does_not_exist_is_told() -> None:
    with pytest.raises(OptionError, match='there is no encoder "resnet"; there are: small, dcgan, vgg'):
        SVG(1, 16, style="resnet")


def test_channels_double_up_to_the_limit() -> None:
    assert stages("dcgan", 128) == [64, 128, 256, 512, 512]  # Denton and Fergus 2018, appendix
    assert stages("vgg", 64) == [64, 128, 256, 512]
    assert stages("small", 32) == [16, 32, 64]
    assert stages("dcgan", 128, width=2) == [2, 4, 8, 16, 16]


@pytest.mark.parametrize("noise", [0, 2])
def test_the_taught_loss_depends_on_its_generator_alone(noise: int) -> None:
    torch.manual_seed(0)
    predictor = SVG(1, 16, actions=1, noise=noise, code=3, hidden=4, width=2)
    frames, actions = torch.rand(2, 5, 1, 16, 16), torch.rand(2, 5, 1)

    def loss(seed: int) -> Tensor:
        return predictor.taught(frames, 2, actions, torch.Generator().manual_seed(seed))

    state = torch.get_rng_state()
    assert torch.equal(loss(0), loss(0))
    assert torch.equal(loss(0), loss(1)) == (noise == 0)
    assert torch.equal(torch.get_rng_state(), state)
    loss(0).backward()
    assert all(weight.grad is not None and torch.isfinite(weight.grad).all() for weight in predictor.parameters())


def test_the_taught_loss_of_a_perfect_predictor_is_its_divergence() -> None:
    torch.manual_seed(0)
    predictor = SVG(1, 16, noise=2, code=3, hidden=4, width=2)
    still = torch.rand(1, 16, 16)
    predictor.pixels.learn(still, 1.0)
    for part in (predictor.decoder.last, predictor.prior.mean, predictor.prior.log_variance):
        for weight in part.parameters():
            nn.init.zeros_(weight)
    mean, log_variance = predictor.posterior.mean, predictor.posterior.log_variance
    for weight in (mean.weight, log_variance.weight):
        nn.init.zeros_(weight)
    with torch.no_grad():
        mean.bias.copy_(torch.tensor([0.5, -1.0]))
        log_variance.bias.copy_(torch.tensor([0.3, -0.2]))
    q = torch.distributions.Normal(mean.bias, (log_variance.bias / 2).exp())
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0)).sum()
    frames = still.expand(3, 6, 1, 16, 16)
    # the mean over frames, for error and divergence alike, so that beta does not depend on the length of a clip
    for length in (4, 6):
        torch.testing.assert_close(predictor.taught(frames[:, :length], 2, None, beta=0.7), 0.7 * expected)


def test_the_taught_loss_is_the_error_of_frames_predicted_from_the_true_ones(tiny: Make) -> None:
    case = tiny("latents", "svg")
    predictor = SVG(1, 8, actions=1, noise=0, code=3, hidden=4, width=2).double()
    loss = predictor.taught(case.frames, 4, case.actions)
    # with every frame but the last given, a rollout of one frame is what is taught
    errors = []
    for given in range(1, 5):
        one = predictor.rollout(case.frames[:, :given], 1, case.actions).frames[:, 0]
        errors.append((one - case.frames[:, given]).square().mean())
    torch.testing.assert_close(loss, torch.stack(errors).mean())


# any next-frame module


def test_a_next_frame_module_is_applied_to_its_own_frames() -> None:
    predictor = StepPredictor(lambda x: 2 * x)
    context = torch.rand(3, 2, 5)
    close(
        predictor.rollout(context, 3).frames, torch.stack([2 * context[:, 1], 4 * context[:, 1], 8 * context[:, 1]], 1)
    )


def test_a_module_may_see_several_frames_oldest_first() -> None:
    def fibonacci(x: Tensor) -> Tensor:
        older, newer = x.chunk(2, 1)
        return older + newer

    ones = torch.ones(1, 3, 1, 4, 4) * torch.tensor([9.0, 1.0, 1.0])[:, None, None, None]
    frames = StepPredictor(fibonacci, given=2).rollout(ones, 5).frames
    assert frames[0, :, 0, 0, 0].tolist() == [2, 3, 5, 8, 13]

    def straight(x: Tensor) -> Tensor:
        older, newer = x.chunk(2, 1)
        return 2 * newer - older

    ramp = torch.arange(2.0)[None, :, None]
    assert StepPredictor(straight, given=2).rollout(ramp, 3).frames.flatten().tolist() == [2, 3, 4]


def test_what_a_module_cannot_use_is_told() -> None:
    context = torch.rand(2, 1, 3)
    with pytest.raises(PredictorError, match="sees 2 frames, but only 1 are given"):
        StepPredictor(lambda x: x, given=2).rollout(context, 3)
    with pytest.raises(PredictorError, match=r"turns frames \[2, 3\] into \[2, 2\]; the same shape is needed"):
        StepPredictor(lambda x: x[:, :2]).rollout(context, 3)
    with pytest.raises(PredictorError, match="takes actions, but the clips have none"):
        StepPredictor(lambda x, a: x, actions=True).rollout(context, 3)


def test_actions_reach_to_the_last_predicted_frame() -> None:
    actions = torch.rand(1, 4, 1)
    assert wanted_actions(actions, 2, 3, 1) is actions
    assert wanted_actions(actions, 2, 30, 0) is None
    assert wanted_actions(None, 2, 3, 0) is None
    with pytest.raises(PredictorError, match="2 given and 4 predicted frames need 5 actions; there are 4"):
        wanted_actions(actions, 2, 4, 1)
