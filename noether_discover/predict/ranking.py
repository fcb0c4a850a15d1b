"""Which law helps a predictor most? Candidates against the plain network and against as much training without a law.

The protocol is the paper's (sections 3 and 4.2):

    1. the network learns dx/dt once;
    2. every candidate tailors it, one inner step, with every inner rate: training loss;
    3. the best `keep` are meta-tailored from that network, at the best rate by loss and the best one by rollouts;
    4. the error of whole rollouts of the training trajectories orders them, and that of the test trajectories is told.

What differs is written where it happens: the loss and its unit of time (noether_loss, tailoring.clocked), the control,
averaged weights (predictors.train), the integrator (predictors.rollout).

This is where trajectories become tensors and processes are started; the arithmetic is in the modules beside it.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..data.smoothing import GAP, Scheme, derivatives, unwrapped
from ..data.trajectories import Trajectories
from . import predictors, tailoring
from .noether_loss import LossForm, NoetherLoss, Quantity, spread
from .predictors import Scales, Weights

DIVERGED = 100.0
"""A rollout whose error exceeds this many standard deviations of the data has diverged."""

RATES = tuple(10 ** (k / 2) for k in range(-6, 3))
"""The paper's nine inner rates, 10^-3 to 10."""

Kind = Literal["mlp", "control", "candidate", "oracle"]
Status = Literal["ok", "diverged", "not kept"]
Progress = Callable[[str, int, int], None]
"""Told the stage ("train", "tailor", "meta-tailor"), how much is done, and of how much."""


@dataclass(frozen=True)
class Candidate:
    """A quantity with the name it has in the table. The quantity must survive pickling to be ranked by several jobs."""

    name: str
    quantity: Quantity


@dataclass(frozen=True)
class RankingSettings:
    """How candidates are ranked; the defaults are the paper's where the paper says something.

    steps, hidden: of the network's training, and its width. epochs: of meta-tailoring, and of the control.
    keep: how many candidates are meta-tailored. rates: the inner rates.
    loss_form: see noether_loss. scheme: how derivatives are estimated, and hence the integrator: Runge-Kutta for
    "central" (and for derivatives that the data brought), Euler for "forward".
    samples: the network learns from at most so many, evenly spread. horizon: rollouts end after so many samples.
    jobs: processes; they change nothing but the time.
    """

    rates: tuple[float, ...] = RATES
    epochs: int = 100
    steps: int = 2000
    keep: int = 20
    loss_form: LossForm = "derivative"
    scheme: Scheme = "central"
    hidden: int = 200
    samples: int = 2000
    horizon: int = 500
    seed: int = 0
    jobs: int = 1


@dataclass(frozen=True)
class Row:
    """One predictor's line of the table.

    status: "not kept" had not one of the best `keep` tailored losses and was not meta-tailored; "diverged" left the
    training or the test data by `DIVERGED` standard deviations, or is undefined or constant on them.
    rate: the inner rate, where there is a law.
    tailored_train_loss: of dx/dt in squared standard deviations, tailored but not yet meta-tailored.
    train_rollout, test_rollout: root mean square error of whole rollouts from the first state, each column in its own
    standard deviations, so that columns of different units can be summed.
    train_rmse, test_rmse: the same over the coordinates as they are, which is what the paper prints.
    to_control: test_rollout over the control's.
    A number that is not finite, or was never computed, is None.
    """

    name: str
    kind: Kind
    status: Status
    rate: float | None = None
    tailored_train_loss: float | None = None
    train_rollout: float | None = None
    test_rollout: float | None = None
    train_rmse: float | None = None
    test_rmse: float | None = None
    to_control: float | None = None
    chosen: bool = False


@dataclass(frozen=True)
class Ranking:
    """The baselines, the oracle, then the candidates from best to worst by their training rollouts; diverged ones last.

    seconds: wall time by stage; no part of the table.
    """

    rows: tuple[Row, ...]
    settings: RankingSettings
    seconds: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def chosen(self) -> Row | None:
        """The candidate with the best training rollouts; None when every one of them diverged."""
        return next((row for row in self.rows if row.chosen), None)

    @property
    def control(self) -> Row:
        """The network with as much extra training and no law."""
        return next(row for row in self.rows if row.kind == "control")


def rank(
    train: Trajectories,
    test: Trajectories,
    candidates: Sequence[Candidate],
    settings: RankingSettings | None = None,
    *,
    oracle: Candidate | None = None,
    progress: Progress | None = None,
) -> Ranking:
    """Candidates by what each does for a predictor trained on `train`; see the module for the protocol.

    A candidate that diverges, or is undefined on the data, is a row that says so. The same seed gives the same table.
    """
    settings = settings or RankingSettings()
    tell = progress or (lambda stage, done, total: None)
    seconds: dict[str, float] = {}
    with predictors.one_thread():
        with _clock(seconds, "train"):
            bench, mlp, control = _baselines(train, test, settings, lambda step: tell("train", step, settings.steps))
        with _clock(seconds, "tailor"):
            entries = []
            for done, candidate in enumerate(candidates, start=1):
                entries.append(_entry(candidate, "candidate", bench))
                tell("tailor", done, len(candidates))
            kept = set(sorted(range(len(entries)), key=lambda i: entries[i].best_loss)[: settings.keep])
            if oracle is not None:
                kept.add(len(entries))
                entries.append(_entry(oracle, "oracle", bench))
        with _clock(seconds, "meta-tailor"):
            tried = [entry for i, entry in enumerate(entries) if i in kept]
            rows = [
                entry.row("not kept" if math.isfinite(entry.best_loss) else "diverged")
                for i, entry in enumerate(entries)
                if i not in kept
            ]
            with closing(_in_parallel(_meta_tailored, tried, bench, settings.jobs)) as results:
                for done, row in enumerate(results, start=1):
                    rows.append(row)
                    tell("meta-tailor", done, len(tried))
    return Ranking(_table(mlp, control, rows), settings, seconds)


@dataclass(frozen=True)
class _Rollouts:
    """Measured states [K, T, D] at times [K, T]; short trajectories end in repetitions, where `counts` is False."""

    states: Tensor
    times: Tensor
    counts: Tensor

    @staticmethod
    def of(trajectories: Trajectories, horizon: int) -> _Rollouts:
        """Each trajectory from its beginning; one with a hole begins anew after it."""
        parts = unwrapped(trajectories).contiguous(GAP)
        longest = min(max(len(t) for t in parts.times), horizon)
        last = [np.minimum(np.arange(longest), len(t) - 1) for t in parts.times]
        counts = [np.arange(longest) < len(t) for t in parts.times]
        return _Rollouts(
            torch.tensor(np.stack([x[rows] for x, rows in zip(parts.states, last, strict=True)])),
            torch.tensor(np.stack([t[rows] for t, rows in zip(parts.times, last, strict=True)])),
            torch.tensor(np.stack(counts))[:, 1:],
        )


@dataclass(frozen=True)
class _Errors:
    """Of rollouts: in standard deviations, and over the coordinates as they are."""

    standard: float
    raw: float

    @property
    def diverged(self) -> bool:
        return not self.standard <= DIVERGED


@dataclass(frozen=True)
class _Bench:
    """Everything that candidates are measured with: the trained network, its scales, and the data as tensors."""

    weights: Weights
    scales: Scales
    states: Tensor
    rates_of_change: Tensor
    step: float
    train: _Rollouts
    test: _Rollouts
    settings: RankingSettings

    def errors(self, f: predictors.Field, data: _Rollouts) -> _Errors:
        difference_ND = self._differences(f, data, data.states[:, 0])
        return _Errors(
            float((difference_ND / self.scales.spread).square().mean().sqrt()),
            float(difference_ND.square().mean().sqrt()),
        )

    def best_rate(self, law: NoetherLoss) -> float | None:
        """The rate with the best training rollouts of the network as it is, tailored; None when all diverge."""
        settings = self.settings
        rates_R11 = torch.tensor(settings.rates, dtype=torch.float64)[:, None, None]
        f = tailoring.tailored_field(predictors.cast(self.weights, torch.float64), self.scales, law, rates_R11)
        start_RKD = self.train.states[:, 0].expand(len(settings.rates), -1, -1)
        difference_RND = self._differences(f, self.train, start_RKD) / self.scales.spread
        errors = zip(difference_RND.square().mean((1, 2)).tolist(), settings.rates, strict=True)
        return min(((error, rate) for error, rate in errors if math.isfinite(error)), default=(0, None))[1]

    def _differences(self, f: predictors.Field, data: _Rollouts, start: Tensor) -> Tensor:
        """Predicted less measured states [..., N, D] of all samples but the first ones, which are given."""
        integrator: predictors.Integrator = "euler" if self.settings.scheme == "forward" else "rk4"
        predicted = predictors.rollout(f, start, data.times, integrator, self.scales.time)
        return (predicted - data.states)[..., 1:, :][..., data.counts, :]


@dataclass(frozen=True)
class _Entry:
    """A candidate after tailoring: its loss with scale and clock, and the training loss at each rate."""

    name: str
    kind: Kind
    law: NoetherLoss
    losses: tuple[float, ...]

    @property
    def best_loss(self) -> float:
        return min((loss for loss in self.losses if math.isfinite(loss)), default=math.inf)

    def best_rate(self, rates: Sequence[float]) -> float:
        """The rate with the best loss, for a candidate that has one."""
        return rates[self.losses.index(self.best_loss)]

    def row(self, status: Status) -> Row:
        return Row(self.name, self.kind, status, tailored_train_loss=_finite(self.best_loss))


def _baselines(
    train: Trajectories, test: Trajectories, settings: RankingSettings, tick: Callable[[int], None]
) -> tuple[_Bench, Row, Row]:
    """The network, and the rows of the network itself and of the control."""
    x_ND = torch.tensor(unwrapped(train).stacked)
    v_ND = torch.tensor(np.concatenate(derivatives(train, scheme=settings.scheme)))
    known_N = v_ND.isfinite().all(1)
    x_ND, v_ND = x_ND[known_N], v_ND[known_N]
    scales = Scales.of(x_ND, v_ND, train.angles)
    if len(x_ND) > settings.samples:
        spread_out = torch.linspace(0, len(x_ND) - 1, settings.samples).round().long()
        x_ND, v_ND = x_ND[spread_out], v_ND[spread_out]

    sizes = (scales.inputs, settings.hidden, settings.hidden, train.dimension)
    weights = predictors.initial_weights(sizes, settings.seed)
    loss = tailoring.task_loss(weights, scales, x_ND, v_ND)
    averaged = _averaged(settings)
    weights = predictors.train(weights, loss, settings.steps, averaged=min(averaged, settings.steps), tick=tick)
    more = predictors.train(weights, loss, settings.epochs, averaged=averaged)
    bench = _Bench(
        weights,
        scales,
        x_ND,
        v_ND,
        train.typical_step,
        _Rollouts.of(train, settings.horizon),
        _Rollouts.of(test, settings.horizon),
        settings,
    )
    rows = []
    kinds: tuple[tuple[str, Kind, Weights], ...] = (("MLP", "mlp", weights), ("MLP, more steps", "control", more))
    for name, kind, network in kinds:
        f = predictors.field(predictors.cast(network, torch.float64), scales)
        row = Row(name, kind, "ok", tailored_train_loss=_finite(float(loss(network))))
        rows.append(_with_errors(row, bench.errors(f, bench.train), bench.errors(f, bench.test)))
    return bench, rows[0], rows[1]


def _entry(candidate: Candidate, kind: Kind, bench: _Bench) -> _Entry:
    settings = bench.settings
    law = NoetherLoss(candidate.quantity, spread(candidate.quantity, bench.states), 1.0, bench.step, settings.loss_form)
    if not 0 < law.scale < math.inf:
        return _Entry(candidate.name, kind, law, (math.nan,) * len(settings.rates))
    if law.form == "derivative":
        law = tailoring.clocked(law, bench.weights, bench.scales, bench.states)
    losses = tailoring.tailored_losses(
        bench.weights, bench.scales, law, settings.rates, bench.states, bench.rates_of_change
    )
    return _Entry(candidate.name, kind, law, tuple(losses.tolist()))


def _meta_tailored(entry: _Entry, bench: _Bench) -> Row:
    """The row of a candidate: meta-tailored at its best rates, the one with the best training rollouts reported.

    The best rate by loss and the best one by training rollouts before meta-tailoring: clean data name the same one, but
    where derivatives are estimated from noise their loss hardly moves (rollouts know better), and on a damped pendulum
    rollouts prefer no law at all until meta-tailoring has made up for the damping (the loss knows better).
    """
    settings = bench.settings
    if not math.isfinite(entry.best_loss):
        return entry.row("diverged")
    best = None
    with predictors.one_thread():
        by_loss, by_rollout = entry.best_rate(settings.rates), bench.best_rate(entry.law)
        for rate in {by_loss: None, by_rollout or by_loss: None}:
            weights = tailoring.meta_tailor(
                bench.weights,
                bench.scales,
                entry.law,
                rate,
                bench.states,
                bench.rates_of_change,
                settings.epochs,
                averaged=_averaged(settings),
            )
            weights = predictors.cast(weights, torch.float64)
            f = tailoring.tailored_field(weights, bench.scales, entry.law, rate)
            errors = bench.errors(f, bench.train)
            if not errors.diverged and (best is None or errors.standard < best[0].standard):
                best = errors, rate, f
        if best is None:
            return entry.row("diverged")
        on_training, rate, f = best
        return _with_errors(replace(entry.row("ok"), rate=rate), on_training, bench.errors(f, bench.test))


def _averaged(settings: RankingSettings) -> int:
    """The second half of the extra training is averaged, for the network, the control and the candidates alike."""
    return max(settings.epochs // 2, 1)


def _with_errors(row: Row, train: _Errors, test: _Errors) -> Row:
    return replace(
        row,
        status="diverged" if train.diverged or test.diverged else row.status,
        train_rollout=_finite(train.standard),
        test_rollout=_finite(test.standard),
        train_rmse=_finite(train.raw),
        test_rmse=_finite(test.raw),
    )


def _table(mlp: Row, control: Row, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Baselines and oracle first, then candidates: by training rollout, those not kept by loss, diverged ones."""
    ranks = {"ok": 0, "not kept": 1, "diverged": 2}

    def place(row: Row) -> tuple[int, float, float]:
        return ranks[row.status], _or_infinite(row.train_rollout), _or_infinite(row.tailored_train_loss)

    ordered = sorted((row for row in rows if row.kind == "candidate"), key=place)
    if ordered and ordered[0].status == "ok":
        ordered[0] = replace(ordered[0], chosen=True)
    oracles = [row for row in rows if row.kind == "oracle"]
    return tuple(_against(control, row) for row in (mlp, control, *oracles, *ordered))


def _against(control: Row, row: Row) -> Row:
    if row.test_rollout is None or not control.test_rollout:
        return row
    return replace(row, to_control=row.test_rollout / control.test_rollout)


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _or_infinite(number: float | None) -> float:
    return math.inf if number is None else number


def _in_parallel(
    task: Callable[[_Entry, _Bench], Row], entries: Sequence[_Entry], bench: _Bench, jobs: int
) -> Generator[Row]:
    """task(entry, bench) for every entry, in order, in `jobs` processes."""
    if jobs == 1 or len(entries) < 2:
        yield from (task(entry, bench) for entry in entries)
        return
    from joblib import Parallel, delayed

    results: Any = Parallel(n_jobs=jobs, return_as="generator")(delayed(task)(entry, bench) for entry in entries)
    try:
        for row in results:  # noqa: UP028, as `yield from` would close the results before the finally clause
            yield row
    finally:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*have been cancelled")  # that is what closing is for
            results.close()


@contextmanager
def _clock(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
