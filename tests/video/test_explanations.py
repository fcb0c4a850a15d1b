"""Components and Grad-CAM: known answers, and nothing left behind in the embedding."""

import pytest
import torch
from torch import nn

from noether_discover.errors import PredictorError
from noether_discover.video import explanations

SIZE, PATCH = 32, (slice(4, 20), slice(12, 28))
"""Frames of 32 pixels with a red patch of 16, on cells of both embeddings' maps."""


class Conv(nn.Conv2d):
    def __init__(self, weights, bias):
        super().__init__(weights.shape[1], weights.shape[0], weights.shape[-1], padding=weights.shape[-1] // 2)
        self.weight.data, self.bias.data = weights, torch.as_tensor(bias)


class Reading(nn.Module):
    """Sums the maps at one place only: [N, Q, h, w] -> [N, Q]."""

    def __init__(self, mask):
        super().__init__()
        self.mask = mask

    def forward(self, maps):
        return (maps * self.mask).sum((-2, -1))


def stacks(count=3):
    """Two frames each, grey noise with the red patch; [N, 6, H, W]."""
    x = 0.3 + 0.2 * torch.rand(count, 2, 1, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    x = x.expand(-1, -1, 3, -1, -1).clone()
    x[:, :, :, *PATCH] = torch.tensor([0.9, 0.1, 0.1]).view(3, 1, 1)
    return x.flatten(1, 2)


def mask(cells):
    m = torch.zeros(SIZE, SIZE)
    m[PATCH] = 1
    return nn.functional.avg_pool2d(m[None], SIZE // cells)[0]


RED = torch.tensor([1.0, -0.5, -0.5] * 2).view(1, 6, 1, 1) / 2
"""Redness of both frames: 0.8 on the patch, 0 on grey."""


def one_layer():
    """Redness and greyness by a convolution, read where the patch is."""
    weights = torch.cat([RED, torch.full_like(RED, 1 / 6)]).expand(-1, -1, 3, 3) / 9
    return nn.Sequential(Conv(weights.contiguous(), [-0.1, 0.0]), nn.ReLU(), Reading(mask(SIZE)))


def two_layers():
    """The same behind another convolution and a pooling."""
    first = torch.cat([RED, torch.full_like(RED, 1 / 6)])
    second = torch.eye(2).view(2, 2, 1, 1)
    return nn.Sequential(
        Conv(first, [-0.1, 0.0]),
        nn.ReLU(),
        nn.MaxPool2d(2),
        Conv(second, [-0.1, 0.0]),
        nn.ReLU(),
        Reading(mask(SIZE // 2)),
    )


def share_on_patch(map_HW):
    return (map_HW[PATCH].sum() / map_HW.sum()).item()


@pytest.mark.parametrize("make", [one_layer, two_layers])
def test_a_component_that_looks_at_a_patch_has_its_map_there(make):
    embedding = make()
    frames = stacks()
    maps = explanations.grad_cam(embedding, explanations.last_maps(embedding), frames, torch.tensor([1.0, 0.0]))
    assert maps.positive.shape == maps.negative.shape == (3, SIZE, SIZE)
    for positive, negative in zip(*maps, strict=True):
        # the ring around the patch gets what a 3 x 3 kernel spills, 5.8 %, or bilinear drawing, 1 - (15.5 / 16)^2
        assert share_on_patch(positive) > 0.9
        assert positive.max() == 1
        assert not negative.any()


@pytest.mark.parametrize("make", [one_layer, two_layers])
def test_what_a_rectifier_cuts_off_would_light_up_the_opposite_map(make):
    """Why `last_maps` is not simply the last convolution."""
    embedding = make()
    maps = explanations.grad_cam(embedding, explanations.last_conv(embedding), stacks(), torch.tensor([1.0, 0.0]))
    assert maps.negative.any()
    assert all(share_on_patch(negative) < 0.05 for negative in maps.negative)  # bilinear drawing spills inwards


def test_the_other_sign_of_a_direction_swaps_the_two_maps():
    embedding, direction = two_layers(), torch.tensor([1.0, -0.4])
    layer = explanations.last_conv(embedding)
    one = explanations.grad_cam(embedding, layer, stacks(), direction)
    other = explanations.grad_cam(embedding, layer, stacks(), -3 * direction)
    torch.testing.assert_close(one.positive, other.negative)
    torch.testing.assert_close(one.negative, other.positive)
    assert one.positive.any()
    assert one.negative.any()


def test_maps_weigh_each_channel_by_its_mean_slope():
    """For a linear reading of the last maps the slopes are the reading's own weights."""
    generator = torch.Generator().manual_seed(1)
    conv = Conv(torch.randn(4, 6, 3, 3, generator=generator, dtype=torch.float64), torch.zeros(4, dtype=torch.float64))
    reading = torch.randn(5, 4 * 16 * 16, generator=generator, dtype=torch.float64)
    linear = nn.Linear(4 * 16 * 16, 5).double()
    linear.weight.data = reading
    embedding = nn.Sequential(conv, nn.Flatten(), linear)
    x = torch.rand(2, 6, 16, 16, generator=generator, dtype=torch.float64)
    direction = torch.randn(5, generator=generator, dtype=torch.float64)
    weights_Q = (direction @ reading).view(4, 16, 16).mean((-2, -1))
    raw = torch.einsum("q,nqhw->nhw", weights_Q, conv(x))
    raw = raw / raw.abs().amax((-2, -1), keepdim=True)
    maps = explanations.grad_cam(embedding, conv, x, direction)
    torch.testing.assert_close(maps.positive, raw.clamp(min=0))
    torch.testing.assert_close(maps.negative, (-raw).clamp(min=0))


def test_a_stack_is_explained_as_it_is_alone():
    embedding, frames = two_layers(), stacks()
    layer, direction = explanations.last_conv(embedding), torch.tensor([0.6, 0.8])
    together = explanations.grad_cam(embedding, layer, frames, direction)
    alone = explanations.grad_cam(embedding, layer, frames[1:2], direction)
    torch.testing.assert_close(together.positive[1:2], alone.positive)


@pytest.mark.parametrize("context", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_an_embedding_is_left_as_it_was(context):
    embedding = nn.Sequential(two_layers(), nn.BatchNorm1d(2), nn.Dropout(0.5)).train()
    embedding[1].eval()
    for p in embedding[0][0].parameters():
        p.requires_grad_(False)
    kept = embedding[0][3].weight
    kept.grad = torch.full_like(kept, 7)
    before = {name: value.clone() for name, value in embedding.state_dict().items()}
    frames = stacks()
    with context():
        explanations.grad_cam(embedding, explanations.last_conv(embedding), frames, torch.tensor([1.0, 0.0]))
    assert all(torch.equal(value, before[name]) for name, value in embedding.state_dict().items())
    assert (kept.grad == 7).all()
    assert all(p.grad is None for p in embedding.parameters() if p is not kept)
    assert not any(m._forward_hooks or m._backward_hooks for m in embedding.modules())
    assert embedding.training
    assert embedding[2].training
    assert not embedding[1].training
    assert not embedding[0][0].weight.requires_grad
    assert not frames.requires_grad


def test_a_failing_embedding_keeps_no_hook_either():
    embedding = one_layer()
    with pytest.raises(RuntimeError):
        explanations.grad_cam(embedding, embedding[0], torch.zeros(1, 5, 8, 8), torch.ones(2))
    assert not embedding[0]._forward_hooks


def test_the_maps_of_an_inplace_rectifier_are_the_same():
    one, other = two_layers(), two_layers()
    other[4] = nn.ReLU(inplace=True)
    direction = torch.tensor([1.0, 0.3])
    expected = explanations.grad_cam(one, one[4], stacks(), direction)
    found = explanations.grad_cam(other, other[4], stacks(), direction)
    torch.testing.assert_close(found.positive, expected.positive)


def test_the_last_convolution_is_found_and_its_rectifier():
    embedding = two_layers()
    assert explanations.last_conv(embedding) is embedding[3]
    assert explanations.last_maps(embedding) is embedding[4]
    assert explanations.last_maps(nn.Sequential(embedding[:4], embedding[4:])) is embedding[3]
    with pytest.raises(PredictorError, match="no convolution"):
        explanations.last_conv(nn.Sequential(nn.Flatten(), nn.Linear(8, 2)))


def test_layers_without_maps_are_refused():
    embedding = two_layers()
    direction = torch.tensor([1.0, 0.0])
    with pytest.raises(PredictorError, match="does not use this layer"):
        explanations.grad_cam(embedding, nn.Conv2d(1, 1, 1), stacks(), direction)
    with pytest.raises(PredictorError, match="not maps"):
        explanations.grad_cam(embedding, embedding[5], stacks(), direction)

    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(6, 2, 1)

        def forward(self, x):
            self.conv(x)
            return x.flatten(1)[:, :2]

    blind = Blind()
    with pytest.raises(PredictorError, match="does not depend on"):
        explanations.grad_cam(blind, blind.conv, stacks(), direction)


def test_components_are_orthonormal_sorted_and_find_a_planted_direction():
    generator = torch.Generator().manual_seed(2)
    axes = torch.linalg.qr(torch.randn(5, 5, generator=generator, dtype=torch.float64))[0]
    scales = torch.tensor([4.0, 2.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    g = 3 + (scales * torch.randn(4000, 5, generator=generator, dtype=torch.float64)) @ axes.T
    found = explanations.components(g)
    torch.testing.assert_close(found.directions @ found.directions.T, torch.eye(5, dtype=torch.float64))
    assert found.explained.sum().item() == pytest.approx(1)
    # a variance from 4000 values is known to sqrt(2 / 4000) = 2 %
    torch.testing.assert_close(found.explained[:3], scales[:3] ** 2 / 21, rtol=0.08, atol=0)
    assert (found.directions[0] @ axes[:, 0]).abs() > 0.999
    assert (found.directions.gather(1, found.directions.abs().argmax(1, keepdim=True)) > 0).all()
    projected = found.project(g)
    torch.testing.assert_close(
        projected.var(0, correction=0)[0] / projected.var(0, correction=0).sum(), found.explained[0]
    )
    torch.testing.assert_close(projected @ found.directions + found.mean, g)


def test_few_outputs_have_fewer_components_and_equal_ones_none():
    g = torch.randn(3, 8, generator=torch.Generator().manual_seed(3))
    assert explanations.components(g).directions.shape == (2, 8)
    with pytest.raises(PredictorError, match="the same for every frame"):
        explanations.components(torch.full((50, 4), 0.1))
    with pytest.raises(PredictorError, match="at least two"):
        explanations.components(g[:1])
    with pytest.raises(PredictorError, match="not finite"):
        explanations.components(g * torch.nan)


def test_maps_of_all_components_are_those_of_each():
    embedding, frames = two_layers(), stacks()
    found = explanations.Components(torch.zeros(2), torch.tensor([[0.8, 0.6], [-0.6, 0.8]]), torch.tensor([0.9, 0.1]))
    maps = explanations.component_maps(embedding, frames, found)
    assert maps.positive.shape == (2, 3, SIZE, SIZE)
    for k in range(2):
        one = explanations.grad_cam(embedding, embedding[4], frames, found.directions[k])
        torch.testing.assert_close(maps.positive[k], one.positive)
        torch.testing.assert_close(maps.negative[k], one.negative)
