"""How a candidate is enforced on the bench's network: screened as the network is, then trained through its enforcement.

    Tailored    the paper's: one inner gradient step at nine rates (Eq. 3), then meta-tailoring
    Projected   the field nearest to the network's that keeps the law (projection), then training through that

Both are used in the same two strides: `screened` gives every candidate a loss on the training data, `improved` gives
the best of them 100 more epochs and the errors of their rollouts. N samples, D columns, R rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import OptionError
from . import predictors, tailoring
from .bench import Bench, Errors
from .noether_loss import LossForm, NoetherLoss, Quantity, spread
from .predictors import Field, Pull, Weights
from .projection import Decay, LevelSet, Projector, Tally, decay_of, projected_field, pulled_back
from .table import Candidate, Kind, Row, Status, finite

RATES = tuple(10 ** (k / 2) for k in range(-6, 3))
"""The paper's nine inner rates, 10^-3 to 10."""

STRENGTHS = (0.25, 0.5, 0.75, 0.9, 1.0)
"""Shares of the violation that are tried for an approximate law."""


@dataclass(frozen=True)
class Entry:
    """A candidate on the network as it is. loss: the least training loss that it reaches, infinite where it fails."""

    candidate: Candidate
    kind: Kind
    loss: float

    def row(self, status: Status) -> Row:
        """Its line while nothing else is known."""
        return Row(self.candidate.name, self.kind, status, enforced_train_loss=finite(self.loss))


@dataclass(frozen=True)
class Improved:
    """A predictor with a law inside, for rollouts on its bench.

    pull: what is done to each predicted state. on_training: the errors it was chosen by. rate or strength: how much of
    the law there is, as its protocol counts.
    """

    field: Field
    pull: Pull | None
    on_training: Errors
    rate: float | None = None
    strength: float | None = None


class Enforcement(Protocol):
    """A protocol of the ranking."""

    def screened(self, candidate: Candidate, kind: Kind, bench: Bench) -> Entry:
        """The candidate enforced on the network as it is."""
        ...

    def improved(self, entry: Entry, bench: Bench) -> Improved | None:
        """The network trained through the candidate's enforcement; None when every way of it diverges."""
        ...


# --- the paper's ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TailoredEntry(Entry):
    """A candidate after one inner step: its loss with scale and clock, and the training loss at each rate."""

    law: NoetherLoss
    losses: tuple[float, ...]


@dataclass(frozen=True)
class Tailored:
    """Tailoring and meta-tailoring (sections 3 and 4.2 of the paper). loss_form: see noether_loss."""

    rates: tuple[float, ...] = RATES
    loss_form: LossForm = "derivative"

    def screened(self, candidate: Candidate, kind: Kind, bench: Bench) -> TailoredEntry:
        """One inner step with every rate: the best training loss."""
        law = NoetherLoss(candidate.quantity, spread(candidate.quantity, bench.states), 1.0, bench.step, self.loss_form)
        if not 0 < law.scale < math.inf:
            return TailoredEntry(candidate, kind, math.inf, law, (math.nan,) * len(self.rates))
        if law.form == "derivative":
            law = tailoring.clocked(law, bench.weights, bench.scales, bench.states)
        found = tailoring.tailored_losses(
            bench.weights, bench.scales, law, self.rates, bench.states, bench.rates_of_change
        )
        losses = tuple(found.tolist())
        return TailoredEntry(
            candidate, kind, min((x for x in losses if math.isfinite(x)), default=math.inf), law, losses
        )

    def improved(self, entry: Entry, bench: Bench) -> Improved | None:
        """Meta-tailored at the best rates; the one with the best training rollouts is reported.

        The best rate by loss and the best one by training rollouts before meta-tailoring: clean data name the same one,
        but where derivatives are estimated from noise their loss hardly moves (rollouts know better), and on a damped
        pendulum rollouts prefer no law at all until meta-tailoring has made up for the damping (the loss knows better).
        """
        assert isinstance(entry, TailoredEntry)
        if not math.isfinite(entry.loss):
            return None
        by_loss = self.rates[entry.losses.index(entry.loss)]
        by_rollout = self._best_rate(entry.law, bench) or by_loss
        tried = []
        for rate in {by_loss: None, by_rollout: None}:
            f = self.field(entry.law, rate, meta_tailored(entry.law, rate, bench), bench)
            tried.append(Improved(f, None, bench.training_errors(f), rate=rate))
        return _best(tried)

    def field(self, law: NoetherLoss, rate: Tensor | float, weights: Weights, bench: Bench) -> Field:
        """The network with its tailoring step inside."""
        return tailoring.tailored_field(predictors.cast(weights, torch.float64), bench.scales, law, rate)

    def _best_rate(self, law: NoetherLoss, bench: Bench) -> float | None:
        """The rate with the best training rollouts of the network as it is, tailored; None when all diverge."""
        f = self.field(law, torch.tensor(self.rates, dtype=torch.float64)[:, None, None], bench.weights, bench)
        start_RKD = bench.train.states[:, 0].expand(len(self.rates), -1, -1)
        difference = (bench.rollout(f, bench.train, start=start_RKD) - bench.train.states) / bench.scales.spread
        difference_RND = difference[:, :, 1:][:, bench.train.counts[:, 1:]]
        errors = zip(difference_RND.square().mean((1, 2)).tolist(), self.rates, strict=True)
        return min(((error, rate) for error, rate in errors if math.isfinite(error)), default=(0, None))[1]


def meta_tailored(law: NoetherLoss, rate: float, bench: Bench) -> Weights:
    """The bench's network trained further through its tailoring step."""
    return tailoring.meta_tailor(
        bench.weights, bench.scales, law, rate, bench.states, bench.rates_of_change, bench.settings.epochs,
        averaged=bench.settings.averaged,
    )  # fmt: skip


# --- ours ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProjectedEntry(Entry):
    """A candidate projected onto: its level set."""

    laws: LevelSet


@dataclass(frozen=True)
class Projected:
    """Projection with the law's level kept (or, for an approximate law, following its own decay).

    A law is enforced fully. For an approximate one the strength with the best training rollouts is taken.
    """

    strengths: tuple[float, ...] = STRENGTHS

    def screened(self, candidate: Candidate, kind: Kind, bench: Bench) -> ProjectedEntry:
        """The network's loss with the law fully enforced."""
        laws = level_set([candidate], bench)
        loss = math.inf
        if laws.usable:
            loss = float(_projected_loss(laws, 1.0, bench)(bench.weights))
        return ProjectedEntry(candidate, kind, loss if math.isfinite(loss) else math.inf, laws)

    def improved(self, entry: Entry, bench: Bench) -> Improved | None:
        """Trained through the projection; where several strengths are tried, training rollouts choose."""
        assert isinstance(entry, ProjectedEntry)
        if not math.isfinite(entry.loss):
            return None
        tried = []
        for strength in self.strengths if entry.candidate.approximate else (1.0,):
            f, pull = enforced(entry.laws, strength, bench.field(trained_through(entry.laws, strength, bench)), bench)
            tried.append(Improved(f, pull, bench.training_errors(f, pull), strength=strength))
        return _best(tried)


def _best(tried: list[Improved]) -> Improved | None:
    """The one with the best training rollouts; the first of equals."""
    sound = [one for one in tried if not one.on_training.diverged]
    return min(sound, key=lambda one: one.on_training.standard, default=None)


def level_set(laws: Sequence[Candidate], bench: Bench) -> LevelSet:
    """The common level set of several laws; those that are approximate follow their own decay."""
    quantities: list[Quantity] = [law.quantity for law in laws]
    decay = None
    soft = torch.tensor([law.approximate for law in laws])
    if bool(soft.any()):
        data = bench.train
        found = decay_of(
            quantities,
            [x[c] for x, c in zip(data.states, data.counts, strict=True)],
            [t[c] for t, c in zip(data.times, data.counts, strict=True)],
        )
        decay = Decay(torch.where(soft, found.a, 0.0), torch.where(soft, found.b, 0.0))
    return LevelSet.of(quantities, bench.scales, bench.states, decay)


def trained_through(laws: LevelSet, strength: float, bench: Bench) -> Weights:
    """The bench's network trained further through the projection.

    Where rollouts are Euler's the network stays as it is: it is right for whole steps, and projection is done on those.
    """
    if bench.integrator == "euler":
        return bench.weights
    loss = _projected_loss(laws, strength, bench)
    return predictors.train(bench.weights, loss, bench.settings.epochs, averaged=bench.settings.averaged)


def enforced(laws: LevelSet, strength: float, f: Field, bench: Bench) -> tuple[Field, Pull | None]:
    """The field and what is done after each step of the bench's rollouts.

    Runge-Kutta: the projected field. Euler: the plain field, and each state pulled back to the level that its
    trajectory should have by then.
    """
    if bench.integrator != "euler":
        return projected_field(f, laws, strength), None
    return f, level_keeping(laws, strength)


def level_keeping(laws: LevelSet, strength: float, tally: Tally | None = None) -> Pull:
    """What brings predicted states back to the level that their trajectories have by then (Eq. 2a of the paper)."""

    def pull(x_KD: Tensor, first_KD: Tensor, time_K: Tensor) -> Tensor:
        with torch.no_grad():
            wanted_KL = laws.decay.after(laws.values(first_KD), time_K)
        return pulled_back(laws, x_KD, wanted_KL, strength, tally=tally)

    return pull


def _projected_loss(laws: LevelSet, strength: float, bench: Bench) -> tailoring.TaskLoss:
    projector = Projector.at(laws, bench.scales, bench.states).to(bench.weights[0][0].dtype)
    return tailoring.task_loss(
        bench.weights, bench.scales, bench.states, bench.rates_of_change, lambda out_ND: projector(out_ND, strength)
    )


PROTOCOLS = ("projection", "paper")
"""What `rank` can do; the first is the default."""


def protocol(name: str, rates: tuple[float, ...] = RATES, loss_form: LossForm = "derivative") -> Enforcement:
    """The protocol with this name."""
    if name == "projection":
        return Projected()
    if name == "paper":
        return Tailored(rates, loss_form)
    raise OptionError(f'there is no protocol "{name}"; there are {" and ".join(PROTOCOLS)}')
