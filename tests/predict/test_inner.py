"""Which networks inner steps can be taken on, with second derivatives, and which are refused with a remedy.

The pendulum, columns q, p; its energy p^2 - 3 cos q is conserved.
"""

import pytest
import torch
from torch import nn

from noether_discover import NoetherPredictor, PredictorError
from noether_discover.predict import predictors

TIMES = 0.1 * torch.arange(16, dtype=torch.float64)


def energy(x):
    return x[..., 1] ** 2 - 3 * torch.cos(x[..., 0])


def pendulum(x):
    return torch.stack([2 * x[..., 1], -3 * torch.sin(x[..., 0])], dim=-1)


FIRST = 1.2 * torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SWINGS = predictors.rollout(pendulum, FIRST, TIMES.expand(4, -1), time=0.05)
DATA = SWINGS, TIMES
STATES = SWINGS.reshape(-1, 2)


def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2)).double()


def tailored(model, **how):
    return NoetherPredictor(model, energy, method="tailoring", **how).fit(DATA, epochs=0)


class Detached(nn.Module):
    def __init__(self, parts):
        super().__init__()
        self.parts = parts

    def forward(self, x):
        return self.parts(x).detach()


class Frozen(nn.Module):
    def forward(self, x):
        return pendulum(x) + 0.1


class OnceOnly(torch.autograd.Function):
    """A function with a derivative that has none itself."""

    generate_vmap_rule = False

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return slope * ctx.saved_tensors[0].cos()


class OnceMapped(torch.autograd.Function):
    """The same, which torch.func can map."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return slope * ctx.saved_tensors[0].cos()


class Sine(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.net, self.function = network(), function

    def forward(self, x):
        return self.net[2:](self.function.apply(self.net[0](x)))


class Branching(nn.Module):
    """Looks at its numbers."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        return self.net(x) if float(x.sum()) > -1e9 else x


REMEDY = 'method="projection"'


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Detached(network()), "no gradient of the Noether loss reaches the network's parameters"),
        (Frozen(), "the network has no parameters to tailor"),
        (Sine(OnceOnly), "the network cannot be tailored query by query"),
        (Branching(), "the network cannot be tailored query by query"),
    ],
    ids=["detached", "no parameters", "once differentiable", "branching"],
)
@pytest.mark.parametrize("adapt", ["state", "sequence"])
def test_networks_that_cannot_be_tailored_are_refused_with_a_remedy(model, words, adapt):
    with pytest.raises(PredictorError) as refused:
        tailored(model, adapt=adapt)
    assert words in str(refused.value)
    assert REMEDY in str(refused.value)
    projected = NoetherPredictor(model, energy).fit(DATA, epochs=0)  # which is what the remedy says
    assert projected.predict(FIRST, TIMES).states.isfinite().all()


@pytest.mark.parametrize("layer", [nn.LayerNorm(8), nn.SiLU(), nn.ReLU(), nn.GroupNorm(2, 8)], ids=str)
@pytest.mark.parametrize("steps", [1, 2])
def test_layers_of_many_kinds_have_second_derivatives(layer, steps):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        found = NoetherPredictor(Wide(layer), energy, method="tailoring", steps=steps).fit(DATA, epochs=1)
    names, weights = zip(*found.named_parameters(), strict=True)

    def f(x, *some):
        return torch.func.functional_call(found, dict(zip(names, some, strict=True)), (x,))

    inputs = STATES[:3].clone().requires_grad_(), *(p.detach().clone().requires_grad_() for p in weights)
    assert torch.autograd.gradcheck(f, inputs, atol=1e-5, rtol=1e-5, fast_mode=True)


class Half(nn.Module):
    """Its own derivative is not that of its values."""

    def __init__(self):
        super().__init__()
        self.net = network()

    def forward(self, x):
        a = self.net[:2](x)
        return self.net[2:](a * a.detach())


def test_training_through_inner_steps_of_what_is_half_detached_is_refused_with_a_remedy():
    with pytest.raises(PredictorError, match="second derivatives by its weights are not those of its first ones"):
        NoetherPredictor(Half(), energy, method="tailoring").fit(DATA, epochs=1)
    NoetherPredictor(Half(), energy, method="tailoring").fit(DATA, epochs=0)


def test_training_through_inner_steps_of_what_has_one_derivative_is_refused_with_a_remedy():
    with pytest.raises(PredictorError) as refused:
        NoetherPredictor(Sine(OnceMapped), energy, method="tailoring").fit(DATA, epochs=2)
    assert REMEDY in str(refused.value)
    for function in (OnceMapped, OnceOnly):
        NoetherPredictor(Sine(function), energy).fit(DATA, epochs=2)


class Wide(nn.Module):
    """A network with a layer that depends on the batch, or on chance."""

    def __init__(self, layer):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 8), layer, nn.Tanh(), nn.Linear(8, 2)).double()

    def forward(self, x):
        return self.layers(x)


def test_batch_normalisation_is_tailored_in_evaluation_mode_and_refused_in_training():
    found = tailored(Wide(nn.BatchNorm1d(8)))
    assert found.model.training
    alone, together = (found.predict(first, TIMES[:3]).states[0] for first in (FIRST[:1], FIRST))
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-10)
    with pytest.raises(PredictorError, match=r"call eval\(\) on batch normalisation"):
        found.fit(DATA, epochs=1)
    found.model.eval()
    found.fit(DATA, epochs=1)
    assert not any(part.training for part in found.model.modules())


@pytest.mark.parametrize("adapt", ["state", "sequence"])
def test_dropout_is_for_training_and_comes_from_the_seed(adapt):
    before = None

    def trained(seed):
        nonlocal before
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            model = Wide(nn.Dropout(0.5))
        before = torch.random.get_rng_state()
        found = NoetherPredictor(model, energy, method="tailoring", adapt=adapt).fit(DATA, epochs=3, seed=seed)
        return found.predict(FIRST, TIMES[:4]).states, found.predict(FIRST, TIMES[:4]).states

    (first, again), (same, _), (other, _) = trained(1), trained(1), trained(2)
    assert torch.equal(first, again)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)
