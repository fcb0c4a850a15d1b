"""Embeddings and the Noether loss; a pendulum whose network loses energy, held by a law that was found in data.

N rows, B clips, K given frames, T predicted frames, F stacked frames, d embedding, D state.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from noether_dsl.text import parse
from torch import Tensor, nn

from noether_discover.data.systems import simulate
from noether_discover.errors import OptionError, PredictorError
from noether_discover.search.quantity import Quantity
from noether_discover.video.conservation import FORMS, embedded, noether_loss, stack_size, stacked
from noether_discover.video.embeddings import (
    EMBEDDINGS,
    ConvEmbedding,
    PooledEmbedding,
    QuantityEmbedding,
    brightness,
    embedding_named,
)
from noether_discover.video.noether_network import Inner, NoetherNetwork
from noether_discover.video.rollout import StepPredictor
from noether_discover.video.targets import Normalisation, Weights


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# embeddings


@pytest.mark.parametrize("name", EMBEDDINGS)
@pytest.mark.parametrize(("channels", "size", "frames"), [(1, 8, 1), (3, 16, 2), (1, 32, 3), (3, 64, 2)])
def test_embeddings_of_the_table_take_stacked_frames(name: str, channels: int, size: int, frames: int) -> None:
    embedding = embedding_named(name, channels, size, frames, 5, width=2)
    assert isinstance(embedding, EMBEDDINGS[name])
    assert stack_size(embedding) == frames
    values = embedding(torch.rand(4, frames * channels, size, size))
    assert values.shape == (4, 5)
    assert values.var(0).min() > 0


def test_the_papers_embedding_is_the_default() -> None:
    embedding = embedding_named("conv", 3, 32, 2, 64)
    shapes = [tuple(weight.shape) for weight in embedding.parameters() if weight.ndim > 1]
    assert shapes == [(32, 6, 5, 5), (64, 32, 5, 5), (64, 64 * 8 * 8)]  # Alet et al. 2021, appendix D
    assert stack_size(embedding) == 2


def test_an_embedding_that_is_not_in_the_table_is_told() -> None:
    with pytest.raises(OptionError, match='there is no embedding "mlp"; there are: conv, pooled'):
        embedding_named("mlp", 1, 16, 2, 8)


def test_a_pooled_embedding_knows_what_and_not_where() -> None:
    torch.manual_seed(0)
    embedding = PooledEmbedding(1, 24, dim=4, width=3).double()
    picture = torch.zeros(3, 1, 24, 24, dtype=torch.float64)
    picture[0, 0, 8:12, 8:12] = picture[1, 0, 12:16, 10:14] = 1.0  # the same square, even numbers of pixels away
    picture[2, 0, 8:12, 8:11] = 1.0  # a narrower one
    here, there, other = embedding(picture)
    torch.testing.assert_close(here, there, rtol=0, atol=1e-12)
    assert (here - other).abs().max() > 1e-6
    background = drawn(1, 24, 24)
    embedding.background.copy_(background)
    torch.testing.assert_close(embedding(picture + background)[0], here, rtol=0, atol=1e-12)
    assert "background" in embedding.state_dict()
    torch.testing.assert_close(embedding(background[None])[0], embedding.last.bias, rtol=0, atol=1e-12)


def test_a_pooled_embedding_subtracts_its_background_from_every_stacked_frame() -> None:
    torch.manual_seed(0)
    embedding = PooledEmbedding(2, 8, frames=3, dim=4, width=3).double()
    x, background = drawn(2, 6, 8, 8), drawn(2, 8, 8, seed=1)
    plain = embedding(x - torch.cat([background] * 3))
    embedding.background.copy_(background)
    torch.testing.assert_close(embedding(x), plain, rtol=0, atol=1e-12)


def test_a_smooth_embedding_has_a_second_derivative_everywhere() -> None:
    torch.manual_seed(0)
    embedding = PooledEmbedding(1, 8, dim=2, width=2).double()
    x = drawn(1, 1, 8, 8).requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: embedding(x).sum(), x)


def test_a_quantity_may_be_a_number_or_several_for_each_row() -> None:
    x = drawn(5, 3, 4, 4)
    assert torch.equal(QuantityEmbedding(brightness)(x), x.mean((2, 3)))
    assert QuantityEmbedding(lambda x: x.sum((1, 2, 3)))(x).shape == (5, 1)
    assert stack_size(QuantityEmbedding(brightness)) == 1
    assert stack_size(QuantityEmbedding(brightness, frames=3)) == 3
    assert stack_size(nn.Identity()) == 1


# the loss


@pytest.mark.parametrize("count", [1, 2, 3])
def test_stacks_end_at_the_last_given_frame_and_at_every_predicted_one(count: int) -> None:
    context, frames = drawn(2, 3, 2, 4, 4), drawn(2, 5, 2, 4, 4, seed=1)
    whole = torch.cat([context, frames], 1)
    found = stacked(context, frames, count)
    assert found.shape == (2, 6, 2 * count, 4, 4)
    for t in range(6):
        assert torch.equal(found[:, t], whole[:, 3 + t - count : 3 + t].flatten(1, 2))


def test_stacks_need_as_many_given_frames() -> None:
    with pytest.raises(PredictorError, match="the embedding sees 3 frames, but only 2 are given"):
        stacked(drawn(1, 2, 1, 4, 4), drawn(1, 5, 1, 4, 4), 3)


def test_embedded_is_the_embedding_of_every_stack() -> None:
    embedding = ConvEmbedding(1, 8, dim=3, width=2).double()
    context, frames = drawn(2, 2, 1, 8, 8), drawn(2, 4, 1, 8, 8, seed=1)
    g = embedded(embedding, context, frames)
    assert g.shape == (2, 5, 3)
    whole = torch.cat([context, frames], 1)
    for b in range(2):
        for t in range(5):
            torch.testing.assert_close(g[b, t], embedding(whole[b, t : t + 2].flatten(0, 1)[None])[0])


def test_noether_loss_is_equation_2() -> None:
    g = drawn(3, 5, 2)
    first = [sum(float((g[b, t] - g[b, 0]).square().sum()) for t in range(1, 5)) for b in range(3)]
    prev = [sum(float((g[b, t] - g[b, t - 1]).square().sum()) for t in range(1, 5)) for b in range(3)]
    free = [sum(float(g[b, t].square().sum()) for t in range(1, 5)) for b in range(3)]
    for form, expected in zip(("first", "prev", "free"), (first, prev, free), strict=True):
        assert noether_loss(g, form).tolist() == pytest.approx(expected)
    assert set(FORMS) == {"first", "prev", "free"}


@pytest.mark.parametrize("form", ["first", "prev"])
def test_what_is_conserved_costs_nothing_and_its_level_does_not_matter(form: str) -> None:
    g = drawn(3, 1, 2).expand(3, 5, 2)
    assert not noether_loss(g, form).any()
    moving = drawn(3, 5, 2, seed=1)
    torch.testing.assert_close(noether_loss(moving + 7, form), noether_loss(moving, form))
    torch.testing.assert_close(noether_loss(3 * moving, form), 9 * noether_loss(moving, form))


# states in the place of frames


class Leaky(nn.Module):
    """A step of a pendulum by the leapfrog integrator, plus a network for what else changes p: it loses energy."""

    STEP = 0.1

    def __init__(self, leak: float) -> None:
        super().__init__()
        self.net = nn.Linear(1, 1)
        nn.init.constant_(self.net.weight, -leak)
        nn.init.zeros_(self.net.bias)

    def forward(self, x: Tensor) -> Tensor:
        q, p = x.unbind(-1)
        p = p - self.STEP / 2 * 3 * q.sin()  # H = p^2 - 3 cos q, as the paper's pendulum
        q = q + self.STEP * 2 * p
        p = p - self.STEP / 2 * 3 * q.sin()
        return torch.stack([q, p + self.net(p[..., None])[..., 0]], -1)


def energy() -> Quantity:
    """H = p^2 - c cos q as `discover` gives it: a formula with its numbers."""
    return Quantity(parse("p**2 - c*cos(q)"), (3.0,), ("q", "p"))


def drift(values_BT: Tensor) -> float:
    """The root mean square distance from the first value."""
    return (values_BT - values_BT[:, :1]).square().mean().sqrt().item()


def test_the_energy_of_a_leaky_pendulum_is_held_by_a_symbolic_law() -> None:
    horizon = 30
    truth = torch.tensor(np.stack(simulate("pendulum_hnn", seed=0).states[:6]))[:, :1]
    ideal = StepPredictor(Leaky(0.0)).double().rollout(truth, horizon).frames
    network = NoetherNetwork(
        StepPredictor(Leaky(0.05)).double(),
        QuantityEmbedding(energy()),
        Weights("net"),
        Inner(steps=60, optimiser="adam", rate=2e-3, form="prev"),
    )
    network.calibrate(truth, horizon)
    prediction = network.eval()(truth, horizon)
    assert not prediction.fell_back.any()
    before, after = (
        drift(embedded(network.embedding, truth, frames)[..., 0])
        for frames in (prediction.base_frames, prediction.frames)
    )
    assert after < 0.1 * before
    away = [(frames - ideal)[:, 10:].square().mean() for frames in (prediction.base_frames, prediction.frames)]
    assert away[1] < 0.1 * away[0]


def test_states_work_with_norm_layers_and_a_learned_embedding() -> None:
    torch.manual_seed(0)
    step = nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 2))
    embedding = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
    network = NoetherNetwork(StepPredictor(step), embedding, Normalisation(), Inner(steps=2))
    x = torch.randn(4, 3, 2)
    network.calibrate(x, 5)
    prediction = network(x, 5)
    assert prediction.frames.shape == (4, 5, 2)
    assert (prediction.moved > 0).all()
    (prediction.frames.square().sum()).backward()
    assert all(weight.grad is not None for weight in embedding.parameters() if weight is not embedding[2].bias)
