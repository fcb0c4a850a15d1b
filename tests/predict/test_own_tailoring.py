"""Inner steps on a user's own network: against the closed form, state by state and sequence by sequence.

The pendulum, columns q, p; its energy p^2 - 3 cos q is conserved. N states, K sequences.
"""

import itertools

import pytest
import torch
from torch import nn

from noether_discover import NoetherPredictor, PredictorError
from noether_discover.predict import predictors, tailoring
from noether_discover.predict.inner import InnerSteps
from noether_discover.predict.noether_loss import NoetherLoss, spread
from noether_discover.predict.predictors import Scales

TIMES = 0.1 * torch.arange(16, dtype=torch.float64)


def energy(x):
    return x[..., 1] ** 2 - 3 * torch.cos(x[..., 0])


def pendulum(x):
    return torch.stack([2 * x[..., 1], -3 * torch.sin(x[..., 0])], dim=-1)


FIRST = 1.2 * torch.randn(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SWINGS = predictors.rollout(pendulum, FIRST, TIMES.expand(4, -1), time=0.05)
DATA = SWINGS, TIMES
STATES = SWINGS.reshape(-1, 2)
"""64 of them: all that a clock is taken from."""


def network(weights):
    """A plain torch network with these weights."""
    layers = []
    for matrix, bias in weights:
        layer = nn.Linear(matrix.shape[1], len(bias)).double()
        layer.weight.data, layer.bias.data = matrix.clone(), bias.clone()
        layers += [layer, nn.Tanh()]
    return nn.Sequential(*layers[:-1])


WEIGHTS = predictors.cast(predictors.initial_weights((2, 8, 8, 2), seed=3), torch.float64)
IDENTITY = Scales(
    *(torch.full((2,), number, dtype=torch.float64) for number in (0, 1, 0, 1)), (False, False), torch.ones(2).bool()
)


class Nearly(nn.Module):
    """The pendulum with the error of a small network."""

    def __init__(self, error=0.02):
        super().__init__()
        self.net, self.error = network(WEIGHTS), error

    def forward(self, x):
        return pendulum(x) + self.error * self.net(x)


def tailored(model=None, laws=energy, **how):
    return NoetherPredictor(model or network(WEIGHTS), laws, method="tailoring", **how).fit(DATA, epochs=0)


def violation(predictor, x=STATES):
    """The mean squared rate of change of the energy that is predicted."""
    with torch.no_grad():
        f_ND = predictor(x)
        return float((6 * x[:, 0].sin() / 2 * f_ND[:, 0] + 2 * x[:, 1] * f_ND[:, 1]).square().mean())


def loss(states):
    """Each sequence's mean squared distance from its own level."""
    g = energy(states)
    return (g - g[:, :1])[:, 1:].square().mean(-1)


# --- states ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.03, 0.3, 1.0])
def test_one_step_is_the_closed_form_with_its_clock(rate):
    law = NoetherLoss(energy, spread(energy, STATES), 1.0, 0.1)
    law = tailoring.clocked(law, WEIGHTS, IDENTITY, STATES)
    wanted = tailoring.tailored_field(WEIGHTS, IDENTITY, law, rate)(STATES)
    found = tailored(rate=rate)
    with torch.no_grad():
        plain, ours = found.model(STATES), found(STATES)
        # where the closed form makes the loss larger, ours goes back to the plain prediction
        violations = law.at(STATES)
        stepped = violations(wanted)[0].abs() <= violations(plain)[0].abs()
    assert float(stepped.double().mean()) > 0.6
    wanted = torch.where(stepped[:, None], wanted, plain)
    torch.testing.assert_close(ours, wanted, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("how", [{"adapt": "state"}, {"adapt": "sequence"}], ids=str)
def test_no_inner_steps_are_the_network_itself_bit_by_bit(how):
    none = tailored(steps=0, **how)
    assert torch.equal(none(STATES), none.model(STATES))
    forecast = none.predict(FIRST, TIMES)
    assert torch.equal(forecast.states, forecast.plain)
    assert forecast.asked == forecast.fallbacks == 0


def test_more_steps_leave_less_of_a_violation():
    left = [violation(tailored(Nearly(), rate=0.3, steps=steps)) for steps in (0, 1, 2, 5)]
    assert all(after < 0.8 * before for before, after in itertools.pairwise(left))


def test_at_a_rate_of_one_nearly_all_of_a_small_violation_is_gone():
    assert violation(tailored(Nearly(), rate=1.0)) < 0.5 * violation(tailored(Nearly(), steps=0))


def test_the_law_s_size_and_offset_do_not_matter():
    other = tailored(laws=lambda x: 100 * energy(x) + 7)
    torch.testing.assert_close(other(STATES), tailored()(STATES), rtol=1e-9, atol=1e-9)


def test_the_same_law_twice_is_that_law():
    """Twice the loss, and half the clock."""
    torch.testing.assert_close(tailored(laws=(energy, energy))(STATES), tailored()(STATES), rtol=1e-10, atol=1e-10)


def test_only_the_parameters_that_are_named_are_adapted():
    """With nothing but its last bias to change, a network changes along grad g: the clock is then known by heart."""
    found = tailored(Nearly(), adapted=r"net\.4\.bias", rate=0.7)
    x, error = STATES, found.model.error
    slope = torch.stack([3 * x[:, 0].sin(), 2 * x[:, 1]], dim=-1)
    with torch.no_grad():
        rate_N1 = (slope * found.model(x)).sum(-1, keepdim=True)
        mean = (2 * (error * slope).square().sum(-1)).mean()
        wanted = found.model(x) - 0.7 * error**2 * 2 * rate_N1 * slope / mean
        better = (slope * wanted).sum(-1).abs() <= rate_N1[:, 0].abs()
        torch.testing.assert_close(found(x)[better], wanted[better], rtol=1e-9, atol=1e-12)
        assert torch.equal(found(x)[~better], found.model(x)[~better])
    everything, nothing = tailored(Nearly(), rate=0.7), {"adapted": "no such layer"}
    assert float((everything(x) - found(x)).detach().abs().max()) > 1e-4
    with pytest.raises(PredictorError, match=r'has a name like "no such layer"; there are net\.0\.weight'):
        tailored(Nearly(), **nothing)
    with pytest.raises(PredictorError, match="is no regular expression"):
        tailored(adapted="(")
    assert set(InnerSteps(1.0, 1, "bias").chosen(network(WEIGHTS))) == {"0.bias", "2.bias", "4.bias"}


def test_frozen_parameters_are_adapted_and_not_trained():
    model = network(WEIGHTS)
    model[0].requires_grad_(False)
    found = NoetherPredictor(model, energy, method="tailoring").fit(DATA, epochs=2)
    assert torch.equal(model[0].weight, WEIGHTS[0][0])
    assert not torch.equal(model[2].weight, WEIGHTS[1][0])
    assert not torch.equal(found(STATES), model(STATES))


# --- steps that diverge ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1e6, 1e200], ids=["astray", "beyond all numbers"])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_step_that_diverges_is_a_plain_prediction_that_is_counted(rate, steps):
    found = tailored(rate=rate, steps=steps)
    plain = found.model(STATES)
    out = found(STATES)
    astray = (out == plain).all(-1)
    assert float(astray.double().mean()) > 0.5
    forecast = found.predict(FIRST, TIMES[:3])
    assert 0 < forecast.fallbacks <= forecast.asked == 4 * 2 * 4  # sequences, steps, Runge-Kutta's four
    assert forecast.states.isfinite().all()
    # and it does not spoil the gradients of those that did not
    out.square().mean().backward()
    assert all(p.grad.isfinite().all() for p in found.model.parameters())


def test_sequences_whose_steps_diverge_are_rolled_out_plainly_and_counted():
    forecast = tailored(rate=1e6, adapt="sequence").predict(FIRST, TIMES)
    assert forecast.fallbacks == forecast.asked == 4
    assert torch.equal(forecast.states, forecast.plain)


def test_one_query_that_diverges_leaves_the_gradient_of_the_others_alone():
    """A state where the loss is steep beside one where it is not."""
    found = tailored(rate=3.0)
    with torch.no_grad():
        kept = (found(STATES) != found.model(STATES)).any(-1)
    assert 0 < int(kept.sum()) < len(kept)
    parameters = list(found.model.parameters())
    both = torch.autograd.grad(found(STATES)[kept].sum(), parameters)
    alone = torch.autograd.grad(found(STATES[kept]).sum(), parameters)
    for one, other in zip(both, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


# --- sequences -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("predicts", ["derivative", "next"])
@pytest.mark.parametrize("steps", [1, 4])
def test_no_sequence_leaves_its_level_further_than_before(steps, predicts):
    model = Nearly(0.3) if predicts == "derivative" else Step(Nearly(0.3))
    found = tailored(model, adapt="sequence", steps=steps, predicts=predicts)
    forecast = found.predict(FIRST, TIMES)
    before, after = loss(forecast.plain), loss(forecast.states)
    assert (after <= before).all()
    assert float(after.sum()) < (0.7 if steps == 1 else 0.3) * float(before.sum())
    assert (forecast.asked, forecast.fallbacks) == (4, 0)
    assert torch.equal(found(STATES), found.model(STATES))  # a state alone is no sequence


class Step(nn.Module):
    """The next state by a Runge-Kutta step of a field."""

    def __init__(self, field):
        super().__init__()
        self.field = field

    def forward(self, x):
        return predictors.runge_kutta(self.field, x, torch.tensor(0.1, dtype=torch.float64))


def test_a_rate_is_the_share_of_a_sequence_s_violation_that_a_step_removes():
    for rate in (0.01, 0.02):
        forecast = tailored(Nearly(), adapt="sequence", rate=rate).predict(FIRST, TIMES)
        left = (loss(forecast.states) / loss(forecast.plain)).sqrt()
        # to first order in the rate, whatever the sequence
        torch.testing.assert_close(left, torch.full_like(left, 1 - rate), rtol=0, atol=3 * rate**2)


def test_what_happens_to_one_sequence_does_not_matter_to_another():
    found = tailored(Nearly(0.3), adapt="sequence", steps=2)
    together = found.predict(FIRST, TIMES).states
    alone = found.predict(FIRST[1], TIMES).states[0]
    other = FIRST.clone()
    other[0] *= 1.5
    torch.testing.assert_close(alone, together[1], rtol=0, atol=1e-10)
    torch.testing.assert_close(found.predict(other, TIMES).states[1:], together[1:], rtol=0, atol=1e-10)


def test_a_sequence_that_begins_where_a_law_is_undefined_is_plain_and_the_others_are_not():
    def law(x):
        return torch.log(2.5 + x[..., 0]) + x[..., 1] ** 2

    found = tailored(Nearly(0.3), laws=law, adapt="sequence")
    first = FIRST.clone()
    first[2, 0] = -4.0
    forecast = found.predict(first, TIMES)
    same = (forecast.states == forecast.plain).all(-1).all(-1)
    assert same.tolist() == [False, False, True, False]
    assert forecast.fallbacks == 1
    assert forecast.states.isfinite().all()


def test_all_sequences_may_be_undefined():
    found = tailored(laws=lambda x: torch.log(4 + x[..., 0]) + x[..., 1] ** 2, adapt="sequence")
    forecast = found.predict([[-9.0, 0.0]], TIMES[:3])
    assert (forecast.asked, forecast.fallbacks) == (1, 1)
    assert torch.equal(forecast.states, forecast.plain)


def test_a_clock_is_one_where_nothing_is_violated():
    found = tailored(laws=lambda x: x[..., 0], model=Still())
    assert torch.equal(found(STATES), found.model(STATES))
    for adapt in ("state", "sequence"):
        forecast = tailored(laws=lambda x: x[..., 0], model=Still(), adapt=adapt).predict(FIRST, TIMES[:3])
        assert torch.equal(forecast.states, forecast.plain)
        assert forecast.fallbacks == 0 < forecast.asked


class Still(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(self, x):
        return self.scale * torch.stack([torch.zeros_like(x[..., 0]), x[..., 1]], dim=-1)
