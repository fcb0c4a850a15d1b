"""The ranked table: what one predictor's line says, and in which order the lines stand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .bench import Errors
from .noether_loss import Quantity

Kind = Literal["mlp", "control", "candidate", "oracle"]
Status = Literal["ok", "diverged", "not kept"]


@dataclass(frozen=True)
class Candidate:
    """A quantity with the name it has in the table. The quantity must survive pickling to be ranked by several jobs.

    approximate: whether its level may change along the data, so that a part of the violation is its own.
    """

    name: str
    quantity: Quantity
    approximate: bool = False


@dataclass(frozen=True)
class Row:
    """One predictor's line of the table.

    status: "not kept" had not one of the best `keep` enforced losses and was not trained further; "diverged" left the
    training or the test data by `bench.DIVERGED` standard deviations, or is undefined or constant on them.
    rate: the inner rate, where a law was tailored. strength: the share of the violation that is removed, where one was
    projected.
    enforced_train_loss: of dx/dt in squared standard deviations, with the law enforced on the network as it is.
    train_rollout, test_rollout: root mean square error of whole rollouts from the first state, each column in its own
    standard deviations, so that columns of different units can be summed; the training ones beyond what the noise
    explains (`Bench.training_errors`).
    train_rmse, test_rmse: the same over the coordinates as they are, which is what the paper prints.
    to_control: test_rollout over the control's.
    over_time: (time since the first state, error in standard deviations) of the test rollouts.
    A number that is not finite, or was never computed, is None.
    """

    name: str
    kind: Kind
    status: Status
    rate: float | None = None
    strength: float | None = None
    enforced_train_loss: float | None = None
    train_rollout: float | None = None
    test_rollout: float | None = None
    train_rmse: float | None = None
    test_rmse: float | None = None
    to_control: float | None = None
    chosen: bool = False
    over_time: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "over_time", tuple((time, error) for time, error in self.over_time))  # JSON has lists

    def with_errors(self, train: Errors, test: Errors) -> Row:
        """The row with the errors of its rollouts."""
        return replace(
            self,
            status="diverged" if train.diverged or test.diverged else self.status,
            train_rollout=finite(train.standard),
            test_rollout=finite(test.standard),
            train_rmse=finite(train.raw),
            test_rmse=finite(test.raw),
            over_time=test.over_time,
        )


def finite(number: float) -> float | None:
    """The number, or None for one that a table cannot hold."""
    return number if math.isfinite(number) else None


def ordered(mlp: Row, control: Row, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Baselines and oracle first, then candidates: by training rollout, those not kept by loss, diverged ones."""
    ranks = {"ok": 0, "not kept": 1, "diverged": 2}

    def place(row: Row) -> tuple[int, float, float]:
        return ranks[row.status], _or_infinite(row.train_rollout), _or_infinite(row.enforced_train_loss)

    candidates = sorted((row for row in rows if row.kind == "candidate"), key=place)
    if candidates and candidates[0].status == "ok":
        candidates[0] = replace(candidates[0], chosen=True)
    oracles = [row for row in rows if row.kind == "oracle"]
    return tuple(_against(control, row) for row in (mlp, control, *oracles, *candidates))


def _against(control: Row, row: Row) -> Row:
    if row.test_rollout is None or not control.test_rollout:
        return row
    return replace(row, to_control=row.test_rollout / control.test_rollout)


def _or_infinite(number: float | None) -> float:
    return math.inf if number is None else number
