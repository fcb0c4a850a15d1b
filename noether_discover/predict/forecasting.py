"""Forecasts with laws: which way of enforcing them suits these data, and rollouts from first states.

K sequences, T samples of one, D state columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..data.trajectories import Trajectories
from ..errors import OptionError, PredictorError
from . import heads, predictors, protocols
from .bench import Bench, NetworkSettings, bench_of
from .predictors import Field, Pull
from .projection import LevelSet, Tally, projected_field
from .table import Candidate

METHODS = ("auto", "projection", "structured")

Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Forecaster:
    """A predictor with laws inside, beside the network that it began with.

    method: how the laws are enforced. errors: of training rollouts beyond noise in standard deviations, by what was
    tried; "plain" is the network alone. tally: counts the states of every rollout at which a law could not be enforced.
    """

    bench: Bench
    method: str
    field: Field
    pull: Pull | None
    errors: dict[str, float]
    tally: Tally

    def rollouts(self, first_KD: Tensor, times_KT: Tensor) -> tuple[Tensor, Tensor]:
        """With the laws and plain: states [K, T, D] each."""
        time = self.bench.scales.time
        with predictors.one_thread():
            with_laws = predictors.rollout(self.field, first_KD, times_KT, time=time, pull=self.pull)
            return with_laws, predictors.rollout(self.bench.field(), first_KD, times_KT, time=time)


def forecaster(
    train: Trajectories,
    laws: Sequence[Candidate],
    settings: NetworkSettings,
    method: str = "auto",
    tick: Tick | None = None,
) -> Forecaster:
    """A network learns the data, and the laws are enforced on it: the way with the best training rollouts is taken.

    projection: all laws together, the network trained through them. structured: (A - R) grad g of the first law, the
    others by projection. auto: the better of the two.

    Raises PredictorError when there is no law that has finite, different values on the data.
    """
    if method not in METHODS:
        raise OptionError(f'there is no method "{method}"; there are {", ".join(METHODS)}')
    tell = tick or (lambda stage, done, total: None)
    if not laws:
        raise PredictorError("there is no law to be enforced")
    tally = Tally()
    with predictors.one_thread():
        bench = bench_of(train, settings, lambda step: tell("train", step, settings.steps))
        together = protocols.level_set(laws, bench)
        if not together.usable:
            raise PredictorError("a law is undefined somewhere on the data, or constant on them; it cannot be enforced")
        tried: dict[str, tuple[Field, Pull | None]] = {}
        ways = [way for way in METHODS[1:] if method in ("auto", way)]
        for done, way in enumerate(ways):
            tell("improve", done, len(ways))
            make = _projected if way == "projection" else _head
            tried[way] = make(together, laws, bench, tally)
        tell("improve", len(ways), len(ways))
        errors = {way: bench.training_errors(f, pull).standard for way, (f, pull) in tried.items()}
        chosen = min(errors, key=lambda way: (errors[way] != errors[way], errors[way]))
        errors["plain"] = bench.training_errors(bench.field()).standard
    tally.asked = tally.plain = 0
    return Forecaster(bench, chosen, *tried[chosen], errors, tally)


def _projected(
    laws: LevelSet, candidates: Sequence[Candidate], bench: Bench, tally: Tally
) -> tuple[Field, Pull | None]:
    strengths = protocols.STRENGTHS if any(law.approximate for law in candidates) else (1.0,)
    best: tuple[float, Field] | None = None
    for strength in strengths:
        network = bench.field(protocols.trained_through(laws, strength, bench))
        f = projected_field(network, laws, strength, tally=tally)
        error = bench.training_errors(f).standard
        if best is None or error < best[0]:
            best = error, f
    assert best is not None
    return best[1], None


def _head(laws: LevelSet, candidates: Sequence[Candidate], bench: Bench, tally: Tally) -> tuple[Field, Pull | None]:
    f = heads.fitted(candidates[0].quantity, bench, damped=candidates[0].approximate).field()
    if len(candidates) > 1:
        f = projected_field(f, laws.without_first, 1.0, tally=tally)
    return f, None
