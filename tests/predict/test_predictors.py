"""Rollouts of fields that are known, and training."""

import math

import pytest
import torch

from noether_discover.predict import predictors
from noether_discover.predict.predictors import Scales, rollout


def turn(x):
    """The harmonic oscillator, whose solutions are rotations."""
    return torch.stack([x[..., 1], -x[..., 0]], dim=-1)


def rotation(x0_KD, t_KT):
    q, p = x0_KD[:, :1], x0_KD[:, 1:]
    return torch.stack([q * t_KT.cos() + p * t_KT.sin(), p * t_KT.cos() - q * t_KT.sin()], dim=-1)


@pytest.fixture
def starts():
    return torch.tensor([[1.0, 0.0], [0.3, -0.4], [-2.0, 1.0]], dtype=torch.float64)


def test_the_true_field_reproduces_every_trajectory_at_its_own_times(starts):
    steps = 0.02 + 0.06 * torch.rand(3, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    times = torch.cat([torch.tensor([[0.0], [5.0], [-1.0]]), steps.cumsum(1)], dim=1)
    times[:, 1:] += times[:, :1]
    exact = rotation(starts, times - times[:, :1])
    # h^5/120 a step, 60 steps of at most 0.08
    torch.testing.assert_close(rollout(turn, starts, times), exact, rtol=0, atol=5e-6)


def test_long_steps_are_divided(starts):
    times = torch.linspace(0, 12, 13, dtype=torch.float64).expand(3, -1)
    exact = rotation(starts, times)
    assert (rollout(turn, starts, times) - exact).abs().max() > 0.05
    torch.testing.assert_close(rollout(turn, starts, times, time=1.0), exact, rtol=0, atol=1e-3)


def test_a_trajectory_that_has_ended_stays_where_it_is(starts):
    times = torch.linspace(0, 1, 11, dtype=torch.float64).repeat(3, 1)
    times[1, 6:] = times[1, 5]
    states = rollout(turn, starts, times)
    assert (states[1, 6:] == states[1, 5]).all()


def test_an_euler_step_inverts_a_forward_difference(starts):
    times = torch.linspace(0, 2, 21, dtype=torch.float64).expand(3, -1)
    exact = rotation(starts, times)
    learnt = iter(exact.diff(dim=1).unbind(1))
    states = rollout(lambda x: next(learnt) / 0.1, starts, times, "euler", time=1e-9)
    torch.testing.assert_close(states, exact, rtol=0, atol=1e-12)


def test_several_fields_are_rolled_out_at_once(starts):
    times = torch.linspace(0, 2, 21, dtype=torch.float64).expand(3, -1)
    speeds = torch.tensor([1.0, 2.0], dtype=torch.float64)[:, None, None]
    both = rollout(lambda x: speeds * turn(x), starts.expand(2, -1, -1), times)
    torch.testing.assert_close(both[1], rollout(lambda x: 2 * turn(x), starts, times))


def test_a_rollout_that_explodes_is_a_number_not_an_exception(starts):
    times = torch.linspace(0, 50, 51, dtype=torch.float64).expand(3, -1)
    assert not rollout(lambda x: x**3, starts, times).isfinite().all()


def test_training_finds_a_linear_map_and_leaves_the_first_weights_alone():
    x = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
    target = turn(x)
    first = predictors.initial_weights((2, 20, 2), seed=0)
    before = first[0][0].clone()
    seen = []

    def loss(weights):
        return (predictors.output(weights, x) - target).square().mean()

    trained = predictors.train(first, loss, 1500, rate=3e-3, averaged=100, tick=seen.append)
    assert float(loss(trained)) < 1e-3 < 0.1 < float(loss(first))
    assert torch.equal(first[0][0], before)
    assert seen[-1] == 1500
    assert not trained[0][0].requires_grad


def test_an_angle_that_goes_round_is_seen_as_sine_and_cosine():
    angle = torch.linspace(0, 30, 50, dtype=torch.float64)
    x = torch.stack([angle, angle.sin()], dim=1)
    scales = Scales.of(x, torch.ones_like(x), (True, True))
    assert scales.turning == (True, False)
    assert scales.inputs == 3
    later = x + torch.tensor([2 * math.pi, 0.0], dtype=torch.float64)
    torch.testing.assert_close(scales.inputs_of(x), scales.inputs_of(later))


def test_a_column_that_never_changes_does_not_divide_by_zero():
    x = torch.tensor([[1.0, 2.0], [1.0, 3.0]], dtype=torch.float64)
    scales = Scales.of(x, torch.zeros_like(x), (False, False))
    assert scales.inputs_of(x).isfinite().all()
    assert (scales.speed == 1).all()


def test_one_thread_puts_the_threads_back():
    def interrupted():
        with predictors.one_thread():
            seen.append(torch.get_num_threads())
            raise KeyboardInterrupt

    before, seen = torch.get_num_threads(), []
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert seen == [1]
    assert torch.get_num_threads() == before
