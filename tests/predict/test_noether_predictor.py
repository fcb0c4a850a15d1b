"""A user's network with laws inside: what is kept, what stays as it was, and whether its gradients are right.

The plane's oscillator, columns x, y, px, py; its energy and its angular momentum are conserved. N states, K sequences.
"""

import math

import pytest
import torch
from torch import nn

from noether_discover import NoetherPredictor, OptionError, PredictorError
from noether_discover.predict import predictors
from noether_discover.predict.protocols import STRENGTHS

STEP = 0.1
TIMES = STEP * torch.arange(31, dtype=torch.float64)


def energy(x):
    return x.square().sum(-1) / 2


def momentum(x):
    return x[..., 0] * x[..., 3] - x[..., 1] * x[..., 2]


def oscillator(first, times, damping=0.0):
    """The exact motion [K, T, 4]; damping: of all four columns alike."""
    turn, fade = times[:, None], (-damping * times)[:, None].exp()
    x, p = first[:, None, :2], first[:, None, 2:]
    return fade * torch.cat([x * turn.cos() + p * turn.sin(), p * turn.cos() - x * turn.sin()], dim=-1)


def normal(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


FIRST = normal(6, 4)
DATA = oscillator(FIRST, TIMES), TIMES
FEW = DATA[0][:3, :16], TIMES[:16]
STATES = DATA[0].reshape(-1, 4)[::17]
LAWS = {"energy": (energy,), "both": (energy, momentum)}


class Motion(nn.Module):
    """The oscillator's own prediction, and an error that a small network makes."""

    def __init__(self, predicts="derivative", columns=4, error=0.1, seed=0):
        super().__init__()
        self.predicts = predicts
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            layers = nn.Linear(columns, 8), nn.Tanh(), nn.Linear(8, columns)
        self.error = nn.Sequential(*layers).double()
        self.size = error if predicts == "derivative" else error * STEP

    def forward(self, x):
        right = torch.cat([x[..., 2:], -x[..., :2]], dim=-1)
        if self.predicts == "next":
            right = x * math.cos(STEP) + right * math.sin(STEP)
        return right + self.size * self.error(x)


def predictor(laws=(energy,), predicts="derivative", model=None, **how):
    return NoetherPredictor(model or Motion(predicts), laws, predicts=predicts, **how).fit(DATA, epochs=0)


def drift(law, states):
    g = law(states)
    return float((g - g[:, :1]).abs().max())


# --- the laws are kept -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS.keys())
@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_along_a_projected_rollout_all_laws_hold(laws, predicts):
    forecast = predictor(laws, predicts).predict(FIRST, TIMES)
    assert forecast.states.shape == forecast.plain.shape == (6, 31, 4)
    assert forecast.fallbacks == 0 < forecast.asked
    for law in laws:
        assert drift(law, forecast.plain) > 0.05
        # Runge-Kutta steps of a tenth leave 1e-6 of a level, Newton's steps what FLAT leaves them
        assert drift(law, forecast.states) < (1e-5 if predicts == "derivative" else 1e-8)


@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_one_law_alone_is_not_the_other(predicts):
    forecast = predictor((energy,), predicts).predict(FIRST, TIMES)
    assert drift(momentum, forecast.states) > 0.05


@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_laws_make_a_rollout_better(predicts):
    forecast = predictor(LAWS["both"], predicts).predict(FIRST, TIMES)
    away, plain_away = ((states - DATA[0]).square().mean() for states in (forecast.states, forecast.plain))
    assert float(away) < 0.7 * float(plain_away)


@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_a_strength_of_zero_is_the_network_itself(predicts):
    plain = predictor(LAWS["both"], predicts, strength=0.0)
    assert torch.equal(plain(STATES), plain.model(STATES))
    forecast = plain.predict(FIRST, TIMES)
    assert torch.equal(forecast.states, forecast.plain)


def test_half_the_strength_removes_half_of_the_violation():
    whole, half = predictor(strength=1.0), predictor(strength=0.5)
    with torch.no_grad():
        left, all_of_it = ((STATES * found(STATES)).sum(-1) for found in (half, half.model))
        torch.testing.assert_close(left, all_of_it / 2, rtol=1e-6, atol=1e-8)
        assert float((STATES * whole(STATES)).sum(-1).abs().max()) < 1e-6  # FLAT over squared gradients above 0.01


def test_the_true_motion_stays_as_it_is():
    right = predictor(LAWS["both"], model=Motion(error=0.0))
    torch.testing.assert_close(right(STATES), right.model(STATES), rtol=0, atol=1e-12)


# --- a head ----------------------------------------------------------------------------------------------------------


def head(outputs, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, outputs)).double()


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS.keys())
def test_a_head_of_any_network_keeps_all_laws(laws):
    structured = NoetherPredictor(head(6), laws, method="structured").fit(DATA, epochs=0)
    forecast = structured.predict(FIRST, TIMES)
    assert forecast.plain is None
    for law in laws:
        assert drift(law, forecast.states) < 3e-5  # of Runge-Kutta steps
    assert float((forecast.states - forecast.states[:, :1]).abs().max()) > 0.3


def test_a_head_learns_the_motion():
    structured = NoetherPredictor(head(6), energy, method="structured")
    before = structured.fit(DATA, epochs=0).predict(FIRST, TIMES).states
    after = structured.fit(DATA, epochs=60, learning_rate=0.03).predict(FIRST, TIMES).states
    wrong, right = (float((states - DATA[0]).square().mean()) for states in (before, after))
    assert right < 0.1 * wrong


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS.keys())
def test_constants_are_fitted_where_there_is_no_network(laws):
    structured = NoetherPredictor(None, laws, method="structured").fit(FEW)
    assert structured.constants is not None
    forecast = structured.predict(FIRST, TIMES)
    # grad energy = x, turned by constants: the oscillator exactly, to the error of derivatives from samples
    torch.testing.assert_close(forecast.states, DATA[0], rtol=0, atol=1e-4)
    assert all(drift(law, forecast.states) < 1e-5 for law in laws)


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS.keys())
def test_a_head_of_an_approximate_law_has_friction_of_its_own(laws):
    """Only momenta fade: within a period the energy does not decay as its level does in the mean."""

    def field(x):
        return torch.cat([x[..., 2:], -x[..., :2] - 0.3 * x[..., 2:]], dim=-1)

    few = predictors.rollout(field, FIRST[:3], TIMES[:16].expand(3, -1), time=0.1), TIMES[:16]
    structured = NoetherPredictor(None, laws, method="structured", approximate=True).fit(few)
    assert float(structured.constants.friction.abs().max()) > 0.01
    forecast = structured.predict(FIRST[:3], TIMES[:16])
    torch.testing.assert_close(forecast.states, few[0], rtol=0, atol=1e-3)  # as the constants are found
    network = NoetherPredictor(head(10), laws, method="structured", approximate=True).fit(few, epochs=0)
    assert network(STATES).shape == STATES.shape


# --- levels that decay -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_an_approximate_law_follows_its_decay_as_far_as_rollouts_like_it(predicts):
    states = oscillator(FIRST, TIMES, damping=0.1)
    lengths = [31, 31, 31, 31, 20, 9]  # ragged: what stands in for missing samples is nobody's step
    data = [x[:n] for x, n in zip(states, lengths, strict=True)], [TIMES[:n] for n in lengths]
    errors = {}
    for strength in (*STRENGTHS, "auto"):
        soft = NoetherPredictor(Motion(predicts), energy, predicts=predicts, approximate=True, strength=strength)
        found = soft.fit(data, epochs=0).predict(FIRST[:4], TIMES).states
        errors[strength] = float((found - states[:4]).square().mean())
        if strength == 1:
            torch.testing.assert_close(energy(found), energy(states[:4]), rtol=0.02, atol=0.01)  # as decay is fitted
    assert soft.used_strength in STRENGTHS
    assert errors["auto"] == errors[soft.used_strength]
    assert errors["auto"] <= 1.05 * min(errors.values())  # which was chosen on the ragged ones as well


# --- gradients -------------------------------------------------------------------------------------------------------


WAYS = {
    "projection": {},
    "two laws": {"laws": LAWS["both"]},
    "next": {"predicts": "next"},
    "next, two laws": {"predicts": "next", "laws": LAWS["both"]},
    "tailoring": {"method": "tailoring"},
    "three inner steps": {"method": "tailoring", "steps": 3},
    "two laws, two inner steps": {"method": "tailoring", "steps": 2, "laws": LAWS["both"]},
    "next, two inner steps": {"method": "tailoring", "predicts": "next", "steps": 2},
}


def differentiated(model, x_ND):
    """A predictor as a function of states and weights, and both of them."""
    names = [name for name, _ in model.named_parameters()]
    weights = [p.detach().clone().requires_grad_() for p in model.parameters()]

    def f(x, *some):
        return torch.func.functional_call(model, dict(zip(names, some, strict=True)), (x,))

    return f, (x_ND.clone().requires_grad_(), *weights)


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_gradients_by_states_and_weights_are_differences(how):
    """Through inner steps that is second order: the gradient of what gradients have made of the weights."""
    f, inputs = differentiated(predictor(**how), STATES[:3])
    assert torch.autograd.gradcheck(f, inputs, atol=1e-5, rtol=1e-5, fast_mode=True)


@pytest.mark.parametrize("laws", LAWS.values(), ids=LAWS.keys())
def test_gradients_of_heads_are_differences(laws):
    f, inputs = differentiated(NoetherPredictor(head(6), laws, method="structured").fit(DATA, epochs=0), STATES[:3])
    assert torch.autograd.gradcheck(f, inputs, atol=1e-5, rtol=1e-5, fast_mode=True)
    constants = NoetherPredictor(None, laws, method="structured").fit(FEW)
    assert torch.autograd.gradcheck(constants, (STATES[:3].clone().requires_grad_(),), atol=1e-5, rtol=1e-5)


def test_inner_steps_change_the_gradient_and_weights_adapted_without_a_graph_would_not():
    """The meta-gradient is not that of the plain network at the adapted weights."""
    one, plain = predictor(method="tailoring", rate=1.0), Motion()
    (through,) = torch.autograd.grad(one(STATES).sum(), one.model.error[0].bias)
    (without,) = torch.autograd.grad(plain(STATES).sum(), plain.error[0].bias)
    assert float((through - without).abs().max()) > 0.01


# --- queries and kinds of states -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_a_state_alone_is_the_same_state_in_a_batch(how):
    found = predictor(**how)
    together = found(STATES)
    for x, one in zip(STATES, together, strict=True):
        torch.testing.assert_close(found(x), one, rtol=1e-10, atol=1e-10)  # sums in another order
    assert torch.equal(found(STATES[:8].reshape(2, 4, 4)), found(STATES[:8]).reshape(2, 4, 4))


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_single_precision_gives_what_single_precision_has(how):
    found = predictor(**how)
    wanted = found(STATES)
    single = predictor(model=Motion(how.get("predicts", "derivative")).float(), **how)
    assert single(STATES).dtype == torch.float64
    assert single(STATES.float()).dtype == torch.float32
    torch.testing.assert_close(single(STATES), wanted, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(single(STATES.float()).double(), wanted, rtol=1e-4, atol=1e-5)
    forecast = single.predict(FIRST, TIMES[:4])
    torch.testing.assert_close(forecast.states, found.predict(FIRST, TIMES[:4]).states, rtol=1e-4, atol=1e-5)


def test_a_single_first_state_has_a_single_rollout():
    found = predictor()
    forecast = found.predict(FIRST[0].tolist(), TIMES.tolist())
    assert forecast.states.shape == (1, 31, 4)
    torch.testing.assert_close(forecast.states[0], found.predict(FIRST, TIMES).states[0], rtol=0, atol=1e-12)


def test_every_sequence_may_have_times_of_its_own():
    found = predictor()
    each = torch.stack([TIMES * share for share in (1.0, 0.5)])
    both = found.predict(FIRST[:2], each)
    assert torch.equal(both.times, each)
    alone = found.predict(FIRST[1], each[1])
    # steps are divided as the longest asks, and Runge-Kutta's error is then 1e-6
    torch.testing.assert_close(both.states[1:], alone.states, rtol=0, atol=1e-5)


# --- where a law says nothing ----------------------------------------------------------------------------------------


def root(x):
    """Undefined left of -1, where its gradient is no number either."""
    return (x[..., 0] + 1).sqrt() + x[..., 1]


INSIDE = tuple(x.clamp(min=-0.9) for x in DATA[0]), TIMES
UNDEFINED = torch.cat([STATES[:4].clamp(min=-0.9), torch.tensor([[-2.0, 0.1, 0.2, 0.3]]).double()])


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_where_a_law_is_undefined_the_plain_prediction_stands_and_spoils_no_gradient(how):
    how = {**how, "laws": (root, *how.get("laws", ())[1:])}
    predicts = how.get("predicts", "derivative")
    found = NoetherPredictor(Motion(predicts), **how).fit(INSIDE, epochs=0)
    x = UNDEFINED.clone().requires_grad_()
    out, plain = found(x), found.model(x)
    torch.testing.assert_close(out[4], plain[4], rtol=0, atol=0)
    assert float((out[:4] - plain[:4]).detach().abs().amax(-1).min()) > 1e-5
    out.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in found.model.parameters())
    assert x.grad.isfinite().all()
    alone = found(UNDEFINED[:4])
    torch.testing.assert_close(out[:4].detach(), alone.detach(), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_a_forecast_that_leaves_what_is_defined_is_plain_there_and_counted(how):
    how = {**how, "laws": (root, *how.get("laws", ())[1:])}
    found = NoetherPredictor(Motion(how.get("predicts", "derivative")), **how).fit(INSIDE, epochs=0)
    forecast = found.predict(UNDEFINED, TIMES[:6])
    assert 0 < forecast.fallbacks < forecast.asked
    assert forecast.states.isfinite().all()
    everywhere = found.predict(torch.tensor([[-5.0, 0.0, 0.0, 0.0]]).double(), TIMES[:3])
    assert everywhere.fallbacks == everywhere.asked > 0
    assert torch.equal(everywhere.states, everywhere.plain)


def test_a_head_s_states_are_no_numbers_from_where_its_law_is_undefined_and_counted():
    found = NoetherPredictor(head(6), root, method="structured").fit(INSIDE, epochs=0)
    forecast = found.predict(UNDEFINED[3:], TIMES[:4])
    assert forecast.states[0].isfinite().all()
    assert forecast.states[1, 1:].isnan().all()
    assert 0 < forecast.fallbacks < forecast.asked


@pytest.mark.parametrize("how", [{}, {"predicts": "next"}, {"method": "tailoring"}], ids=str)
def test_where_a_law_is_flat_the_plain_prediction_stands(how):
    found = predictor(**how)
    origin = torch.zeros(1, 4, dtype=torch.float64)
    if how.get("predicts") == "next":  # flat is what counts where the prediction is
        found.model.size = 0.0
    assert torch.equal(found(origin), found.model(origin))
    forecast = found.predict(origin, TIMES[:2])
    assert forecast.fallbacks > 0
    assert forecast.states.isfinite().all()


# --- what cannot be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"method": "projecting"}, 'method cannot be "projecting"; it is one of projection, tailoring, structured'),
        ({"predicts": "rates"}, 'predicts cannot be "rates"; it is one of derivative, next'),
        ({"adapt": "batch"}, 'adapt cannot be "batch"; it is one of state, sequence'),
        ({"strength": 1.5}, "strength 1.5 is no share of a violation"),
        ({"strength": "much"}, 'it is from 0 to 1, or "auto"'),
        ({"rate": 0.0}, "a rate is above 0"),
        ({"rate": math.nan}, "a rate is above 0"),
        ({"steps": -1}, "steps are 0 or more"),
        ({"model": None}, 'method="structured" is the one that needs none'),
        ({"model": torch.sin}, "wanted is a torch.nn.Module"),
        ({"method": "structured", "predicts": "next"}, "a structured head predicts derivatives"),
        ({"laws": ()}, "laws are a Discovery, a callable states"),
        ({"laws": "run.noether"}, "laws are a Discovery, a callable states"),
        ({"columns": ("q",)}, "columns and units are matched with a Discovery"),
    ],
)
def test_options_that_cannot_be_used_are_refused(how, words):
    with pytest.raises((OptionError, PredictorError)) as refused:
        NoetherPredictor(**{"model": Motion(), "laws": energy, **how})
    assert words in str(refused.value)
