"""Forecasts with laws: which way of enforcing them suits these data, and rollouts from first states.

K sequences, T samples of one, D state columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data.trajectories import Trajectories
from ..errors import OptionError, PredictorError
from . import heads, predictors, protocols
from .bench import Bench, NetworkSettings, bench_of
from .beside import beside_head
from .predictors import Field
from .projection import LevelSet, Tally, enforceable, projected_field
from .table import Candidate

METHODS = ("auto", "projection", "structured")
PLAIN = "plain"

Tick = Callable[[str, int, int], None]

Enforced = Callable[[Tally], Field]
"""A field with laws inside, which counts the states at which they could not be enforced: the network's stands there."""


@dataclass(frozen=True)
class Forecaster:
    """A predictor with laws inside, beside the network that it began with.

    method: how the laws are enforced, "plain" where they are not. errors: of training rollouts beyond noise in standard
    deviations, by what was tried; "plain" is the network alone.
    """

    bench: Bench
    method: str
    enforced: Enforced
    errors: dict[str, float]

    def rollouts(self, first_KD: Tensor, times_KT: Tensor) -> tuple[Tensor, Tensor, Tally]:
        """With the laws and plain: states [K, T, D] each; and how often the laws could be enforced."""
        time, tally = self.bench.scales.time, Tally()
        with predictors.one_thread():
            with_laws = predictors.rollout(self.enforced(tally), first_KD, times_KT, time=time)
            return with_laws, predictors.rollout(self.bench.field(), first_KD, times_KT, time=time), tally


def forecaster(
    train: Trajectories,
    laws: Sequence[Candidate],
    settings: NetworkSettings,
    method: str = "auto",
    tick: Tick | None = None,
) -> Forecaster:
    """A network learns the data, and the laws are enforced on it: the way with the best training rollouts is taken.

    projection: all laws together, the network trained through them. structured: (A - R) grad g of the first law, the
    others beside it. auto: the better of the two, or the plain network where both have worse training rollouts: a law
    that the search got wrong from few or noisy data must not spoil a forecast.

    Raises PredictorError for laws that cannot be enforced on these data (`projection.enforceable`).
    """
    if method not in METHODS:
        raise OptionError(f'there is no method "{method}"; there are {", ".join(METHODS)}')
    tell = tick or (lambda stage, done, total: None)
    if not laws:
        raise PredictorError("there is no law to be enforced")
    with predictors.one_thread():
        bench = bench_of(train, settings, lambda step: tell("train", step, settings.steps))
        together = protocols.level_set(laws, bench)
        enforceable(together, bench.states)
        tried: dict[str, tuple[float, Enforced]] = {}
        ways = [way for way in METHODS[1:] if method in ("auto", way)]
        for done, way in enumerate(ways):
            tell("improve", done, len(ways))
            tried[way] = (_projected if way == "projection" else _head)(together, laws, bench)
        tell("improve", len(ways), len(ways))
        plain = bench.field()
        tried[PLAIN] = bench.training_errors(plain).standard, lambda tally: plain
        errors = {way: error for way, (error, _) in tried.items()}
        chosen = min(errors, key=lambda way: _order(errors[way])) if method == "auto" else method
    return Forecaster(bench, chosen, tried[chosen][1], errors)


def _projected(laws: LevelSet, candidates: Sequence[Candidate], bench: Bench) -> tuple[float, Enforced]:
    """The network trained through the projection, with the strength whose training rollouts are best."""

    def trained(strength: float) -> tuple[float, Enforced]:
        network, plain = bench.field(protocols.trained_through(laws, strength, bench)), bench.field()

        def with_a_law(x: Tensor) -> Tensor:
            *_, good = laws.slopes(x)  # where nothing is enforced, what was trained through it is of no use
            return network(x) if bool(good.all()) else torch.where(good[..., None], network(x), plain(x))

        enforced = lambda tally: projected_field(with_a_law, laws, strength, tally=tally)  # noqa: E731
        return bench.training_errors(enforced(Tally())).standard, enforced

    strengths = protocols.STRENGTHS if any(law.approximate for law in candidates) else (1.0,)
    return min(map(trained, strengths), key=lambda one: _order(one[0]))


def _head(laws: LevelSet, candidates: Sequence[Candidate], bench: Bench) -> tuple[float, Enforced]:
    """The head of the first law, fitted, and the other laws beside it."""
    head, plain = heads.fitted(candidates[0].quantity, bench, damped=candidates[0].approximate).field(), bench.field()

    def enforced(tally: Tally) -> Field:
        f = beside_head(head, laws, tally=tally)

        def or_plain(x: Tensor) -> Tensor:
            v = f(x)
            known = v.isfinite().all(-1, keepdim=True)
            return v if bool(known.all()) else torch.where(known, v, plain(x))

        return or_plain

    return bench.training_errors(enforced(Tally())).standard, enforced


def _order(error: float) -> tuple[bool, float]:
    """What is no number comes last."""
    return error != error, error
