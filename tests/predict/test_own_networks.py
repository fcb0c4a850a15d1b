"""A user's network is trained, and everything about it that can be wrong.

The pendulum, columns q, p; its energy p^2 - 3 cos q is conserved.
"""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from noether_discover import NoetherPredictor, OptionError, PredictorError
from noether_discover.predict import predictors

TIMES = 0.1 * torch.arange(16, dtype=torch.float64)


def energy(x):
    return x[..., 1] ** 2 - 3 * torch.cos(x[..., 0])


def pendulum(x):
    return torch.stack([2 * x[..., 1], -3 * torch.sin(x[..., 0])], dim=-1)


FIRST = 1.2 * torch.randn(5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
SWINGS = predictors.rollout(pendulum, FIRST, TIMES.expand(5, -1), time=0.02)
DATA = SWINGS, TIMES
STATES = SWINGS.reshape(-1, 2)


# --- training --------------------------------------------------------------------------------------------------------


WAYS = {
    "projection": {},
    "next": {"predicts": "next"},
    "tailoring": {"method": "tailoring"},
    "sequences": {"method": "tailoring", "adapt": "sequence"},
    "structured": {"method": "structured"},
}


def network(outputs=2, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, outputs)).double()


def task_error(predictor, predicts):
    with torch.no_grad():
        if predicts == "next":
            return float((predictor(SWINGS[:, :-1]) - SWINGS[:, 1:]).square().mean())
        return float((predictor(SWINGS) - pendulum(SWINGS)).square().mean())


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
def test_training_through_the_law_improves_the_prediction(how):
    predictor = NoetherPredictor(network(1 if how.get("method") == "structured" else 2), energy, **how)
    untrained = copy.deepcopy(predictor.model.state_dict())
    assert predictor.fit(DATA, epochs=0) is predictor
    assert all(torch.equal(p, untrained[name]) for name, p in predictor.model.state_dict().items())
    before = task_error(predictor, how.get("predicts"))
    assert predictor.fit(DATA, epochs=40, learning_rate=0.02) is predictor
    assert task_error(predictor, how.get("predicts")) < 0.5 * before
    assert all(p.grad is None or not p.grad.any() for p in predictor.parameters())


def test_the_last_half_of_the_weights_is_averaged():
    """With a strength of zero it is the user's own training loop."""
    predictor = NoetherPredictor(network(), energy, strength=0.0).fit(DATA, epochs=6, learning_rate=0.01)
    model, v_ND = network(), pendulum(STATES)
    adam = torch.optim.Adam(model.parameters(), lr=0.01)
    kept = []
    for _ in range(6):
        adam.zero_grad()
        ((model(STATES) - v_ND) / v_ND.std(0, correction=0)).square().mean().backward()
        adam.step()
        kept.append([p.detach().clone() for p in model.parameters()])
    for p, *last in zip(predictor.model.parameters(), *kept[3:], strict=True):
        # derivatives from samples are good to 1e-3, and Adam's steps hardly mind
        torch.testing.assert_close(p.detach(), torch.stack(last).mean(0), rtol=0, atol=1e-4)


def test_nothing_of_a_network_changes_without_epochs():
    model = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8), nn.Dropout(), nn.Linear(8, 2))
    model[2].eval()
    before, modes = copy.deepcopy(model.state_dict()), [part.training for part in model.modules()]
    NoetherPredictor(model, energy).fit(DATA, epochs=0).predict(FIRST, TIMES)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [part.training for part in model.modules()] == modes


def test_a_predictor_is_a_module_that_can_be_copied_and_trained_by_anybody():
    predictor = NoetherPredictor(network(), energy, method="tailoring").fit(DATA, epochs=0)
    twin = copy.deepcopy(predictor)
    adam = torch.optim.Adam(predictor.parameters(), lr=0.01)
    for _ in range(30):
        adam.zero_grad()
        (predictor(STATES) - pendulum(STATES)).square().mean().backward()
        adam.step()
    assert task_error(predictor, "derivative") < 0.7 * task_error(twin, "derivative")
    twin.load_state_dict(predictor.state_dict())
    assert torch.equal(twin(STATES), predictor(STATES))


def test_a_network_of_next_states_learns_from_neighbours_only():
    """A hole in the data is no step, and a column that never changes has no size."""
    held = torch.cat([SWINGS, torch.full_like(SWINGS[..., :1], 7.0)], dim=-1)
    rows = [k for k in range(16) if k not in (7, 8)]
    predictor = NoetherPredictor(nn.Linear(3, 3).double(), energy, predicts="next")
    predictor.fit((held[:, rows], TIMES[rows]), epochs=30, learning_rate=0.1)
    assert all(p.isfinite().all() for p in predictor.parameters())
    predictor.predict(held[:, 0], TIMES)


# --- laws and networks that cannot be used ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("law", "words"),
    [
        (lambda x: torch.log(x[..., 0] - 9), "law 1 of 1 is undefined somewhere on the data"),
        (lambda x: torch.tensor(1.0).double(), "law 1 of 1 is constant on the data; it cannot be enforced"),
        (lambda x: x, "a law gives (2, 2) for states (2, 2); wanted is (2,)"),
        (lambda x: x[..., :1], "a law gives (2, 1) for states (2, 2)"),
        (lambda x: 3.0, "a law gives float"),
        (lambda x: x[..., 0].detach(), "a law cannot be differentiated by the states"),
        (lambda x: torch.tensor(np.cos(x.numpy()[..., 0])), "a law cannot be computed at states"),
        (lambda x: x[..., 5], "a law cannot be computed at states (2, 2)"),
        (nn.Sequential(nn.Linear(2, 1), nn.Flatten(0)), "a law cannot be computed at states (2, 2) in torch.float64"),
    ],
)  # fmt: skip
def test_laws_that_cannot_be_enforced_are_refused(law, words):
    with pytest.raises(PredictorError) as refused:
        NoetherPredictor(network(), law).fit(DATA, epochs=0)
    assert words in str(refused.value)


class Says(nn.Module):
    """A network with an output of some other kind."""

    def __init__(self, what):
        super().__init__()
        self.net, self.what = network(), what

    def forward(self, x):
        return self.what(self.net(x))


@pytest.mark.parametrize("how", [{}, {"method": "tailoring"}, {"predicts": "next"}], ids=str)
@pytest.mark.parametrize(
    ("model", "words"),
    [
        (network(3), "the network puts out (2, 3) for states (2, 2); wanted is (2, 2)"),
        (Says(lambda y: y[:, 0]), "the network puts out (2,) for states (2, 2)"),
        (Says(lambda y: (y, y)), "the network puts out a tuple for states (2, 2)"),
        (Says(lambda y: y.sum()), "the network puts out () for states (2, 2)"),
        (nn.Linear(3, 2), "the network cannot take states (2, 2) (mat1 and mat2"),
        (Says(lambda y: 1 / 0), "the network cannot take states (2, 2) (division by zero)"),
        (nn.Linear(2, 2, device="meta"), "the network is on meta, and laws are computed by the processor"),
    ],
)
def test_a_network_with_another_output_is_refused(model, words, how):
    with pytest.raises(PredictorError) as refused:
        NoetherPredictor(model, energy, **how).fit(DATA, epochs=0)
    assert words in str(refused.value)


def test_a_head_s_network_puts_out_its_coefficients():
    with pytest.raises(PredictorError, match=r"puts out \(2, 2\) for states \(2, 2\); wanted is \(2, 1\)"):
        NoetherPredictor(network(), energy, method="structured").fit(DATA, epochs=0)
    with pytest.raises(PredictorError, match=r"wanted is \(2, 3\)"):
        NoetherPredictor(network(), energy, method="structured", approximate=True).fit(DATA, epochs=0)


class NextState(nn.Module):
    """The true next state."""

    def forward(self, x):
        return predictors.runge_kutta(pendulum, x, torch.tensor(0.1).double())


class Rates(nn.Module):
    """The true derivative."""

    def forward(self, x):
        return pendulum(x)


def test_a_trained_network_of_the_other_kind_is_found_out():
    with pytest.raises(PredictorError, match='looks like the next state, not dx/dt: say predicts="next"'):
        NoetherPredictor(NextState(), energy).fit(DATA, epochs=0)
    with pytest.raises(PredictorError, match='looks like dx/dt, not the next state: say predicts="derivative"'):
        NoetherPredictor(Rates(), energy, predicts="next").fit(DATA, epochs=0)
    for model, predicts in (
        (NextState(), "next"),
        (Rates(), "derivative"),
        (network(), "next"),
        (network(), "derivative"),
    ):
        NoetherPredictor(model, energy, predicts=predicts).fit(DATA, epochs=0)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Rates(), "the network has no parameters to train; use epochs=0"),
        (Says(torch.Tensor.detach), "no gradient reaches the network's parameters; is something in it detached?"),
    ],
)
@pytest.mark.parametrize("predicts", ["derivative", "next"])
def test_networks_that_cannot_be_trained_are_refused_with_a_remedy(model, words, predicts):
    predictor = NoetherPredictor(NextState() if isinstance(model, Rates) and predicts == "next" else model, energy,
                                 predicts=predicts)  # fmt: skip
    with pytest.raises(PredictorError) as refused:
        predictor.fit(DATA, epochs=1)
    assert words in str(refused.value)
    assert predictor.fit(DATA, epochs=0).predict(FIRST, TIMES).states.isfinite().all()


def test_next_states_need_samples_a_step_apart():
    times = torch.cumsum(torch.linspace(0.1, 0.3, 15, dtype=torch.float64), 0)
    with pytest.raises(PredictorError, match="no two samples are one typical step apart"):
        NoetherPredictor(network(), energy, predicts="next").fit((SWINGS[:, :15], times), epochs=1)


# --- questions that cannot be answered -------------------------------------------------------------------------------


@pytest.mark.parametrize("use", ["predict", "forward", "strength"])
def test_a_predictor_that_has_seen_no_data_says_so(use):
    predictor = NoetherPredictor(network(), energy)
    with pytest.raises(PredictorError, match=r"has seen no data yet; call fit\(data\), with epochs=0"):
        {"predict": lambda: predictor.predict(FIRST, TIMES), "forward": lambda: predictor(STATES),
         "strength": lambda: predictor.used_strength}[use]()  # fmt: skip


@pytest.mark.parametrize(
    ("first", "times", "words"),
    [
        (FIRST, TIMES.flip(0), "times have to be two or more, and to increase"),
        (FIRST, TIMES[:1], "times have to be two or more"),
        (FIRST, torch.zeros(4), "and to increase"),
        (FIRST, [0.0, float("nan")], "times hold values that are not finite"),
        (FIRST, [], "times hold values that are not finite, or none at all"),
        (FIRST, "soon", "times are no array of numbers"),
        (FIRST, TIMES.expand(3, -1), "times are (3, 16) for 5 first states; wanted is [T] or [K, T]"),
        ([[0.1, float("inf")]], TIMES, "first states hold values that are not finite"),
        ([[0.1, 0.2], [0.3]], TIMES, "first states are no array of numbers"),
        ([[0.1, 0.2, 0.3]], TIMES, "states are (1, 3); their last axis holds the 2 columns of the data"),
        (SWINGS, TIMES, "first states are (5, 16, 2); wanted is [K, D] or [D]"),
    ],
)
def test_rollouts_that_cannot_be_made_are_refused(first, times, words):
    predictor = NoetherPredictor(network(), energy).fit(DATA, epochs=0)
    with pytest.raises(PredictorError) as refused:
        predictor.predict(first, times)
    assert words in str(refused.value)


def test_a_network_of_next_states_cannot_reach_other_times():
    predictor = NoetherPredictor(NextState(), energy, predicts="next").fit(DATA, epochs=0)
    with pytest.raises(PredictorError, match=r"makes steps of 0\.1; the times have to be that far apart"):
        predictor.predict(FIRST, TIMES / 2)
    torch.testing.assert_close(predictor.predict(FIRST, TIMES).states, SWINGS, rtol=0, atol=2e-4)  # of its steps


def test_states_with_other_columns_are_refused():
    predictor = NoetherPredictor(network(), energy).fit(DATA, epochs=0)
    with pytest.raises(PredictorError, match=r"states are \(4,\); their last axis holds the 2 columns"):
        predictor(torch.zeros(4))
    assert predictor(torch.zeros(0, 2)).shape == (0, 2)


@pytest.mark.parametrize("how", [{"epochs": -1}, {"learning_rate": 0.0}, {"learning_rate": float("nan")}], ids=str)
def test_training_that_cannot_be_done_is_refused(how):
    with pytest.raises(OptionError, match="cannot be used"):
        NoetherPredictor(network(), energy).fit(DATA, **how)
