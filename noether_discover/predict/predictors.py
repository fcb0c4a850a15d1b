"""Predictors of dx/dt, how they are trained, and what becomes of them when they are rolled out.

N samples, K trajectories, T steps, D state columns, I network inputs, H hidden units.

A network is plain data, its weights; `scales` take states to its inputs and its outputs to derivatives. Weights are
float32 while a network is trained (8 ms a step of the paper's pendulum against 17 in float64, and the rounding is far
below Adam's own jitter) and float64 wherever it is rolled out, because a rollout is judged.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.optim.adam import adam

Field = Callable[[Tensor], Tensor]
"""States [..., D] -> dx/dt [..., D]."""

Weights = tuple[tuple[Tensor, Tensor], ...]
"""Layer by layer the matrix [out, in] and the bias [out]; tanh between the layers."""

Pull = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Predicted states [..., K, D], the first states of their rollouts, the time since then [K] -> states [..., K, D]."""

Integrator = Literal["rk4", "euler"]

LONGEST_STEP = 0.25
"""In units of the time in which a state moves by its own spread; longer steps are divided. The error of a Runge-Kutta
step is then below 1e-5, less than any network's."""

STEADY = 1e-6
"""Of its size, the least deviation of a rate."""

MOST_PARTS = 20
"""No step is divided further: samples five such times apart say little of what happens between them."""


@dataclass(frozen=True)
class Scales:
    """What makes states and derivatives of order one: centre and spread of both, [D] each, float64.

    turning: columns whose angle goes round; the network sees their sine and cosine, which do not grow. moving: columns
    that move along a trajectory [D].
    """

    centre: Tensor
    spread: Tensor
    drift: Tensor
    speed: Tensor
    turning: tuple[bool, ...]
    moving: Tensor

    @staticmethod
    def of(x_ND: Tensor, v_ND: Tensor, angles: Sequence[bool]) -> Scales:
        """The means and standard deviations of states and derivatives; 1 in place of a deviation of zero.

        A rate that is the same in every state (the time's own is 1) has a deviation all the same, but a tiny one, so
        that no law is enforced by another rate of the time.
        """
        span_D, fastest_D = x_ND.amax(0) - x_ND.amin(0), v_ND.abs().amax(0)
        spread_D, speed_D = x_ND.std(0, correction=0), v_ND.std(0, correction=0)
        speed_D = torch.maximum(speed_D, STEADY * fastest_D)
        return Scales(
            centre=x_ND.mean(0),
            spread=torch.where(spread_D > 0, spread_D, 1.0),
            drift=v_ND.mean(0),
            speed=torch.where(speed_D > 0, speed_D, 1.0),
            moving=fastest_D > 0,
            turning=tuple(bool(angle and span > 2 * math.pi) for angle, span in zip(angles, span_D, strict=True)),
        )

    @property
    def inputs(self) -> int:
        """How many numbers the network sees."""
        return len(self.turning) + sum(self.turning)

    @property
    def time(self) -> float:
        """The time in which a state moves by its own spread: the shortest over the columns."""
        return float((self.spread / self.speed).min())

    def inputs_of(self, x_ND: Tensor) -> Tensor:
        """States [..., D] as the network sees them [..., I]."""
        standard_ND = (x_ND - self.centre) / self.spread
        if not any(self.turning):
            return standard_ND
        turning = torch.tensor(self.turning)
        angle_NA = x_ND[..., turning]
        return torch.cat([standard_ND[..., ~turning], angle_NA.sin(), angle_NA.cos()], dim=-1)


def initial_weights(sizes: Sequence[int], seed: int) -> Weights:
    """Orthogonal matrices and small biases for layers of these sizes, float32 (Greydanus et al. 2019)."""
    generator = torch.Generator().manual_seed(seed)
    layers = []
    for inputs, outputs in itertools.pairwise(sizes):
        matrix = torch.empty(outputs, inputs)
        torch.nn.init.orthogonal_(matrix, generator=generator)
        bias = torch.empty(outputs).uniform_(-1, 1, generator=generator) / math.sqrt(inputs)
        layers.append((matrix, bias))
    return tuple(layers)


def cast(weights: Weights, dtype: torch.dtype) -> Weights:
    """The same weights in another precision, always a copy."""
    return tuple((matrix.to(dtype, copy=True), bias.to(dtype, copy=True)) for matrix, bias in weights)


def output(weights: Weights, a_NI: Tensor) -> Tensor:
    """The network's raw output [..., D] for its inputs [..., I]."""
    *hidden, (last_matrix, last_bias) = weights
    a = a_NI
    for matrix, bias in hidden:
        a = torch.tanh(torch.nn.functional.linear(a, matrix, bias))
    return torch.nn.functional.linear(a, last_matrix, last_bias)


def field(weights: Weights, scales: Scales) -> Field:
    """The network as a vector field: states [..., D] -> dx/dt [..., D], in the weights' precision."""
    dtype = weights[0][0].dtype

    def f(x_ND: Tensor) -> Tensor:
        out_ND = output(weights, scales.inputs_of(x_ND).to(dtype))
        return scales.drift + scales.speed * out_ND.to(x_ND.dtype)

    return f


def hamiltonian_field(weights: Weights, scales: Scales) -> Field:
    """The field J grad H of a network with one output, H (Greydanus et al. 2019): states [..., D] -> dx/dt [..., D].

    The columns are q_1 ... q_n, p_1 ... p_n. In closed form: with t_l = 1 - a_l^2 the gradient of an MLP is
    W_1' t_1 W_2' t_2 ... w.
    """
    *hidden, (last_matrix, _) = weights
    dtype = last_matrix.dtype

    def f(x_ND: Tensor) -> Tensor:
        a = scales.inputs_of(x_ND).to(dtype)
        turns = []
        for matrix, bias in hidden:
            a = torch.tanh(torch.nn.functional.linear(a, matrix, bias))
            turns.append(1 - a.square())
        slope = last_matrix.expand(*a.shape[:-1], -1)
        for (matrix, _), turn in zip(reversed(hidden), reversed(turns), strict=True):
            slope = (slope * turn) @ matrix
        slope_ND = _by_states(slope, scales, x_ND.to(dtype))
        half = slope_ND.shape[-1] // 2
        turned_ND = torch.cat([slope_ND[..., half:], -slope_ND[..., :half]], dim=-1)
        # H is a pure number; this makes dx/dt come out in the right size for weights of order one
        unit = (scales.speed * torch.cat([scales.spread[half:], scales.spread[:half]])).mean()
        return unit * turned_ND.to(x_ND.dtype)

    return f


def _by_states(slope_NI: Tensor, scales: Scales, x_ND: Tensor) -> Tensor:
    """A gradient by the network's inputs [..., I] as one by the states [..., D]."""
    turning = torch.tensor(scales.turning)
    plain = int((~turning).sum())
    slope_ND = torch.empty_like(x_ND)
    slope_ND[..., ~turning] = slope_NI[..., :plain] / scales.spread[~turning].to(slope_NI.dtype)
    if bool(turning.any()):
        by_sine, by_cosine = slope_NI[..., plain:].chunk(2, dim=-1)
        angle = x_ND[..., turning]
        slope_ND[..., turning] = by_sine * angle.cos() - by_cosine * angle.sin()
    return slope_ND


def train(
    weights: Weights,
    loss: Callable[[Weights], Tensor],
    steps: int,
    *,
    rate: float = 1e-3,
    decay: float = 1e-5,
    averaged: int = 1,
    tick: Callable[[int], None] | None = None,
) -> Weights:
    """`steps` full-batch Adam steps on `loss`, from `weights`; the mean of the weights after the last `averaged` steps.

    In one thread: two threads on two busy cores were 40 times slower.
    Averaging removes Adam's last-step jitter, which alone moves a rollout's error by a factor of three. The decay is
    HNN's 1e-4 brought to standardised targets: with 1e-4 the pendulum's rollouts were 1.6 times worse than without
    standardising, with 1e-5 as good (three seeds).
    """
    layers = [tuple(p.clone().requires_grad_() for p in layer) for layer in weights]
    current: Weights = tuple((matrix, bias) for matrix, bias in layers)
    parameters = [p for layer in current for p in layer]
    firsts, seconds = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    counts = [torch.zeros(()) for _ in parameters]
    sums = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
    averaged = min(averaged, steps)
    with one_thread():
        for step in range(steps):
            slopes = list(torch.autograd.grad(loss(current), parameters, materialize_grads=True))
            with torch.no_grad():
                # the class around this function imports torch's compiler and sympy: a second in every process
                adam(
                    parameters, slopes, firsts, seconds, [], counts, fused=True, amsgrad=False, beta1=0.9, beta2=0.999,
                    lr=rate, weight_decay=decay, eps=1e-8, maximize=False,
                )  # fmt: skip
            if step >= steps - averaged:
                for total, p in zip(sums, parameters, strict=True):
                    total += p.detach()
            if tick is not None:
                tick(step + 1)
    means = iter((total / averaged).to(p.dtype) for total, p in zip(sums, parameters, strict=True))
    return tuple((next(means), next(means)) for _ in weights)


@torch.no_grad()
def rollout(
    f: Field,
    x0_KD: Tensor,
    times_KT: Tensor,
    integrator: Integrator = "rk4",
    time: float = math.inf,
    pull: Pull | None = None,
) -> Tensor:
    """The states [..., K, T, D] that the field `f` predicts at each trajectory's own times from its first state alone.

    x0: [..., K, D]; leading axes are further rollouts of the same trajectories. Shorter trajectories repeat their last
    time to the end. Runge-Kutta steps longer than a quarter of `time` are divided; Euler's never are, since a field
    learnt from forward differences is right only for the data's own step. Values that are not finite stay so.
    pull: what is done to each predicted state, such as bringing it back to a level set.
    """
    steps_KT = times_KT.diff(dim=-1)
    parts_T = parts(steps_KT, time)
    x = x0_KD
    states = [x]
    since_KT = times_KT - times_KT[..., :1]
    for number, (step_K, divided) in enumerate(zip(steps_KT.unbind(-1), parts_T, strict=True), start=1):
        if integrator == "euler":
            x = x + step_K[:, None] * f(x)
        else:
            for _ in range(divided):
                x = runge_kutta(f, x, step_K[:, None] / divided)
        if pull is not None:
            x = pull(x, x0_KD, since_KT[..., number])
        states.append(x)
    return torch.stack(states, dim=-2)


def parts(steps_KT: Tensor, time: float) -> list[int]:
    """Into how many parts each step [K, T] is divided, so that none is longer than a quarter of `time`."""
    divided: list[int] = (steps_KT.amax(0) / (LONGEST_STEP * time)).ceil().clamp(1, MOST_PARTS).int().tolist()
    return divided


def runge_kutta(f: Field, x: Tensor, h: Tensor) -> Tensor:
    """One step of the classical method of order four, of length h."""
    k1 = f(x)
    k2 = f(x + h / 2 * k1)
    k3 = f(x + h / 2 * k2)
    k4 = f(x + h * k3)
    return x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@contextmanager
def one_thread() -> Iterator[None]:
    """torch computes with a single thread inside, as the parallel unit is the process.

    It is also what makes sums come out the same, bit by bit, on any number of cores.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
