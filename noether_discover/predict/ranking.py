"""Which law helps a predictor most? Candidates against the plain network and against as much training without a law.

The order of things is the paper's (sections 3 and 4.2):

    1. the network learns dx/dt once;
    2. every candidate is enforced on it as it is: training loss;
    3. the best `keep` are enforced while the network is trained further;
    4. the error of whole rollouts of the training trajectories orders them, and that of the test trajectories is told.

How a law is enforced is the protocol's business (`protocols`): by projection, or by the paper's tailoring. Everything
else is common to both: the control, averaged weights, the integrator, smoothed states (`bench`).

The arithmetic is in the modules beside it; who does it is the business of `work`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from ..data.trajectories import Trajectories
from ..work import HERE, Work
from . import predictors
from .bench import Bench, NetworkSettings, bench_of, trained, without_noise
from .measured import Measured
from .noether_loss import LossForm
from .protocols import RATES, Enforcement, Entry, protocol
from .table import Candidate, Row, finite, ordered
from .tailoring import task_loss

__all__ = ["Candidate", "Ranking", "RankingSettings", "Row", "rank"]

Progress = Callable[[str, int, int], None]
"""Told the stage ("train", "screen", "improve"), how much is done, and of how much."""


PROCESSES_PAY_FROM = 6
"""Candidates to be trained further below which starting processes costs more than it saves."""


@dataclass(frozen=True)
class RankingSettings(NetworkSettings):
    """How candidates are ranked; the defaults are the paper's where the paper says something.

    protocol: "projection" or "paper". keep: how many candidates are trained further. rates, loss_form: of tailoring
    (`protocols.Tailored`).
    """

    protocol: str = "projection"
    keep: int = 20
    rates: tuple[float, ...] = RATES
    loss_form: LossForm = "derivative"

    @property
    def enforcement(self) -> Enforcement:
        """The protocol itself."""
        return protocol(self.protocol, self.rates, self.loss_form)


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
    work: Work = HERE,
) -> Ranking:
    """Candidates by what each does for a predictor trained on `train`; see the module for the order of things.

    A candidate that diverges, or is undefined on the data, is a row that says so. The same seed gives the same table,
    whoever does the work.
    """
    settings = settings or RankingSettings()
    tell = progress or (lambda stage, done, total: None)
    seconds: dict[str, float] = {}
    enforcement = settings.enforcement
    parallel = min(len(candidates), settings.keep) >= PROCESSES_PAY_FROM
    with predictors.one_thread():
        with _clock(seconds, "train"), work.workers.waking() if parallel else nullcontext():
            bench = bench_of(train, settings, lambda step: tell("train", step, settings.steps))
            tests = Measured.of(without_noise(test), settings.horizon)
            mlp, control = _baselines(bench, tests)
        with _clock(seconds, "screen"):
            entries = []
            for done, candidate in enumerate(candidates, start=1):
                entries.append(enforcement.screened(candidate, "candidate", bench))
                tell("screen", done, len(candidates))
            kept = set(sorted(range(len(entries)), key=lambda i: entries[i].loss)[: settings.keep])
            if oracle is not None:
                kept.add(len(entries))
                entries.append(enforcement.screened(oracle, "oracle", bench))
        with _clock(seconds, "improve"):
            tried = [entry for i, entry in enumerate(entries) if i in kept]
            rows = [
                entry.row("not kept" if math.isfinite(entry.loss) else "diverged")
                for i, entry in enumerate(entries)
                if i not in kept
            ]
            results = work.each(
                "improve", _improved, [(entry,) for entry in tried], common=(enforcement, bench, tests),
                few=PROCESSES_PAY_FROM, sound=_is_row,
            )  # fmt: skip
            for done, row in enumerate(results, start=1):
                rows.append(Row(**row))
                tell("improve", done, len(tried))
    return Ranking(ordered(mlp, control, rows), settings, seconds)


def _baselines(bench: Bench, tests: Measured) -> tuple[Row, Row]:
    """The rows of the network itself and of the control, as many extra steps without a law."""
    loss = task_loss(bench.weights, bench.scales, bench.states, bench.rates_of_change)
    rows = []
    more = trained(bench, bench.settings.epochs)
    for row, weights in ((Row("MLP", "mlp", "ok"), bench.weights), (Row("MLP, more steps", "control", "ok"), more)):
        f = bench.field(weights)
        row = replace(row, enforced_train_loss=finite(float(loss(weights))))
        rows.append(row.with_errors(bench.training_errors(f), bench.errors(f, tests)))
    return rows[0], rows[1]


def _is_row(piece: tuple[Any, ...], plain: Any) -> bool:
    """Whether kept data can be the line of an entry."""
    return (
        isinstance(plain, dict)
        and set(plain) == {f.name for f in fields(Row)}
        and plain["name"] == piece[0].candidate.name
    )


def _improved(enforcement: Enforcement, bench: Bench, tests: Measured, entry: Entry) -> dict[str, Any]:
    with predictors.one_thread():
        found = enforcement.improved(entry, bench)
        if found is None:
            return asdict(entry.row("diverged"))
        row = replace(entry.row("ok"), rate=found.rate, strength=found.strength)
        return asdict(row.with_errors(found.on_training, bench.errors(found.field, tests, found.pull)))


@contextmanager
def _clock(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - start
