"""The bench on which laws are measured: one trained network, its data as tensors, and the errors of its rollouts.

N samples, K trajectories, T samples of one, D state columns.

Measured states are smoothed (`smoothing.smoothed`, which leaves clean data as they are) before the network learns from
them, and before rollouts start from them and are compared with them. A network that sees noisy states learns a field
that is too slow (errors in variables), and the noise of one first state is most of every rollout's error.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..data.noise import FLOOR, noise
from ..data.smoothing import Scheme, derivatives, smoothed, unwrapped
from ..data.trajectories import Trajectories
from ..errors import OptionError
from . import predictors, tailoring
from .measured import Measured
from .predictors import Field, Integrator, Pull, Scales, Weights

DIVERGED = 100.0
"""A rollout whose error exceeds this many standard deviations of the data has diverged."""


MOMENTS = 60
"""Neighbouring samples are taken together until an error over time has no more moments than this."""

SETTLED_OVER = 60
"""Samples from the first one on that say what it was; later ones say what the field does."""

_SETTLING = 3
"""Gauss-Newton steps towards the likeliest first state; it is near from the beginning."""


@dataclass(frozen=True)
class NetworkSettings:
    """The network and its training; the defaults are the paper's.

    steps: of its training. hidden: its width. epochs: of what comes after (meta-training, and the control).
    scheme: how derivatives are estimated. integrator: of rollouts, by default the one that fits the scheme: Runge-Kutta
    for "central" (and for derivatives that the data brought), Euler for "forward".
    smooth: whether states are smoothed first; the paper does not. samples: the network learns from at most so many,
    evenly spread. horizon: rollouts end after so many samples.
    """

    steps: int = 2000
    hidden: int = 200
    epochs: int = 100
    scheme: Scheme = "central"
    integrator: Integrator | None = None
    smooth: bool = True
    samples: int = 2000
    horizon: int = 500
    seed: int = 0

    @property
    def averaged(self) -> int:
        """The second half of the extra training is averaged, for the network, the control and every law alike."""
        return max(self.epochs // 2, 1)


@dataclass(frozen=True)
class Errors:
    """Root mean square errors of rollouts: in standard deviations, and over the coordinates as they are.

    over_time: (time since the first state, error in standard deviations) as the rollouts go on, at most `MOMENTS` of
    them; empty where nobody asked.
    """

    standard: float
    raw: float
    over_time: tuple[tuple[float, float], ...] = ()

    @property
    def diverged(self) -> bool:
        """Whether the rollouts left the data, or are no numbers."""
        return not self.standard <= DIVERGED


@dataclass(frozen=True)
class Bench:
    """Everything that laws are measured with.

    weights: of the trained network. scales: of the data. states, rates_of_change: what it learnt from, [N, D].
    step: the data's typical time step. train: the training trajectories, smoothed; measured: as they were measured.
    noise: each column's measurement noise, [D].
    """

    weights: Weights
    scales: Scales
    states: Tensor
    rates_of_change: Tensor
    step: float
    train: Measured
    measured: Measured
    noise: Tensor
    settings: NetworkSettings

    @property
    def is_noisy(self) -> bool:
        """Whether the noise is more than the least that is assumed of any data."""
        return bool((self.noise > 1.5 * FLOOR * self.scales.spread).any())

    @property
    def integrator(self) -> Integrator:
        """What rollouts are made with."""
        consistent: Integrator = "euler" if self.settings.scheme == "forward" else "rk4"
        return self.settings.integrator or consistent

    def field(self, weights: Weights | None = None) -> Field:
        """The network (or one with other weights) as a field, in float64."""
        return predictors.field(predictors.cast(weights or self.weights, torch.float64), self.scales)

    def rollout(self, f: Field, data: Measured, pull: Pull | None = None, start: Tensor | None = None) -> Tensor:
        """Rollouts [..., K, T, D] from the first states of the data, or from others [..., K, D]."""
        x0 = data.states[:, 0] if start is None else start
        return predictors.rollout(f, x0, data.times, self.integrator, self.scales.time, pull)

    def training_errors(self, f: Field, pull: Pull | None = None) -> Errors:
        """Of the training rollouts, beyond what the noise explains: what laws are ordered and chosen by.

        Every rollout starts from the first state that its trajectory makes most likely (`_settled`), and the noise's
        variance is taken off. On clean data both change nothing.
        """
        x0_KD = self._settled(f, pull) if self.is_noisy else self.train.states[:, 0]
        difference = (self.rollout(f, self.measured, pull, x0_KD) - self.measured.states)[:, 1:]
        square_D = difference[self.measured.counts[:, 1:]].square().mean(0)
        left_D = (square_D - self.noise.square()).clamp(min=0)
        return Errors(float((left_D / self.scales.spread.square()).mean().sqrt()), float(left_D.mean().sqrt()))

    def _settled(self, f: Field, pull: Pull | None) -> Tensor:
        """First states [K, D] of the training trajectories: measured to within the noise, and then followed by `f`.

        Gauss-Newton steps on (x0 - measured)^2 / noise^2 + sum of (rollout - measured)^2 / (noise^2 + e^2), where e is
        the field's own error: without noise the measured states stay, with much of it the whole trajectory decides.
        """
        data, x0_KD = self.measured.beginning(SETTLED_OVER), self.train.states[:, 0]
        counts_KT1 = data.counts[:, 1:, None]
        moves = torch.diag(0.5 * self.noise)

        def away(start: Tensor) -> Tensor:
            return torch.where(counts_KT1, (self.rollout(f, data, pull, start) - data.states)[..., 1:, :], 0.0)

        now_KTD = away(x0_KD)
        for _ in range(_SETTLING):
            own_D = now_KTD.square().sum((0, 1)) / counts_KT1.sum()
            weight_D = 1 / (self.noise.square() + own_D)
            both = away(torch.stack([x0_KD + sign * move for move in moves for sign in (1, -1)]))
            slopes_DKTD = (both[0::2] - both[1::2]) / self.noise[:, None, None, None]
            if not (slopes_DKTD.isfinite().all() and now_KTD.isfinite().all()):
                break
            from_measured_KD = x0_KD - data.states[:, 0]
            hessian = torch.einsum("aktd,bktd,d->kab", slopes_DKTD, slopes_DKTD, weight_D)
            hessian = hessian + torch.diag(1 / self.noise.square())
            right = torch.einsum("aktd,ktd,d->ka", slopes_DKTD, now_KTD, weight_D)
            right = right + from_measured_KD / self.noise.square()
            tried_KD = x0_KD - torch.linalg.solve(hessian, right)
            tried_KTD = away(tried_KD)

            def cost(start: Tensor, difference: Tensor, weight_D: Tensor = weight_D) -> Tensor:
                prior_K = ((start - data.states[:, 0]) / self.noise).square().sum(-1)
                return prior_K + (difference.square() * weight_D).sum((-1, -2))

            better_K = cost(tried_KD, tried_KTD) < cost(x0_KD, now_KTD)
            x0_KD = torch.where(better_K[:, None], tried_KD, x0_KD)
            now_KTD = torch.where(better_K[:, None, None], tried_KTD, now_KTD)
        return x0_KD

    def errors(self, f: Field, data: Measured, pull: Pull | None = None) -> Errors:
        """Of the rollouts at all samples but the first ones, which are given."""
        difference_KTD = (self.rollout(f, data, pull) - data.states)[:, 1:]
        counts_KT = data.counts[:, 1:]
        difference_ND = difference_KTD[counts_KT]
        standard_KT = (difference_KTD / self.scales.spread).square().mean(-1)
        return Errors(
            float((difference_ND / self.scales.spread).square().mean().sqrt()),
            float(difference_ND.square().mean().sqrt()),
            over_time(standard_KT, (data.times - data.times[:, :1])[:, 1:], counts_KT),
        )


def over_time(square_KT: Tensor, times_KT: Tensor, counts_KT: Tensor) -> tuple[tuple[float, float], ...]:
    """Root mean squares over trajectories as time goes on: pairs of a mean time and an error, at most `MOMENTS`.

    Neighbouring samples are taken together; ragged trajectories count while they last, and what is no number is left
    out. square_KT: squared errors. times_KT: since the first state. counts_KT: which samples there are.
    """
    found = []
    for samples in torch.arange(square_KT.shape[1]).tensor_split(min(MOMENTS, square_KT.shape[1])):
        there = counts_KT[:, samples]
        time, error = times_KT[:, samples][there].mean(), square_KT[:, samples][there].mean().sqrt()
        if bool(torch.isfinite(time) & torch.isfinite(error)):
            found.append((float(time), float(error)))
    return tuple(found)


def prepared(train: Trajectories, settings: NetworkSettings) -> Bench:
    """The bench with an untrained network."""
    clean = without_noise(train)
    # a forward difference belongs to the two measured states that it was taken from, whatever their noise
    as_measured = settings.scheme == "forward" or not settings.smooth
    x_ND = torch.tensor((unwrapped(train) if as_measured else clean).stacked)
    v_ND = torch.tensor(np.concatenate(derivatives(train, scheme=settings.scheme)))
    known_N = v_ND.isfinite().all(1)
    x_ND, v_ND = x_ND[known_N], v_ND[known_N]
    scales = Scales.of(x_ND, v_ND, train.angles)
    if len(x_ND) > settings.samples:
        spread_out = torch.linspace(0, len(x_ND) - 1, settings.samples).round().long()
        x_ND, v_ND = x_ND[spread_out], v_ND[spread_out]
    sizes = (scales.inputs, settings.hidden, settings.hidden, train.dimension)
    weights = predictors.initial_weights(sizes, settings.seed)
    return Bench(
        weights,
        scales,
        x_ND,
        v_ND,
        train.typical_step,
        Measured.of(clean, settings.horizon),
        Measured.of(train, settings.horizon),
        torch.tensor(noise(train)).clamp(min=FLOOR * scales.spread),
        settings,
    )


def trained(bench: Bench, steps: int, tick: Callable[[int], None] | None = None) -> Weights:
    """The bench's network after so many more steps on its task, its last weights averaged."""
    loss = tailoring.task_loss(bench.weights, bench.scales, bench.states, bench.rates_of_change)
    return predictors.train(bench.weights, loss, steps, averaged=bench.settings.averaged, tick=tick)


def hamiltonian(bench: Bench, tick: Callable[[int], None] | None = None) -> Field:
    """A Hamiltonian network on the bench's data, trained like its network (Greydanus et al. 2019), as a field.

    The columns are q_1 ... q_n, p_1 ... p_n. Raises OptionError for an odd number of them.
    """
    settings, scales = bench.settings, bench.scales
    if len(scales.spread) % 2:
        raise OptionError(f"a Hamiltonian network needs pairs of columns, q and p; there are {len(scales.spread)}")
    weights = predictors.initial_weights((scales.inputs, settings.hidden, settings.hidden, 1), settings.seed)
    target_ND = (bench.rates_of_change / scales.speed).to(weights[0][0].dtype)

    def loss(w: Weights) -> Tensor:
        v_ND = predictors.hamiltonian_field(w, scales)(bench.states)
        return (v_ND / scales.speed - target_ND).square().mean()

    weights = predictors.train(weights, loss, settings.steps, averaged=settings.averaged, tick=tick)
    return predictors.hamiltonian_field(predictors.cast(weights, torch.float64), scales)


def bench_of(train: Trajectories, settings: NetworkSettings, tick: Callable[[int], None] | None = None) -> Bench:
    """The bench with its network trained."""
    bench = prepared(train, settings)
    return replace(bench, weights=trained(bench, settings.steps, tick))


def without_noise(trajectories: Trajectories) -> Trajectories:
    """The same trajectories with smoothed states."""
    return replace(trajectories, states=smoothed(trajectories))
