"""The ranking, on networks that take a second to train."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from noether_dsl.units import Unit

from noether_discover.data.trajectories import Trajectories
from noether_discover.predict.ranking import PROCESSES_PAY_FROM, Candidate, RankingSettings, rank
from noether_discover.work import Work, Workers

SMALL = RankingSettings(hidden=40, steps=1200, epochs=60, seed=1)


def energy(x):
    return x[:, 1] ** 2 - 3 * torch.cos(x[:, 0])


def circle(x):
    return x[:, 1] ** 2 + x[:, 0] ** 2


def undefined(x):
    return torch.log(x[:, 0])


def constant(x):
    return torch.ones(len(x), dtype=x.dtype)


def steep(x):
    return torch.sin(1e6 * x[:, 0] * x[:, 1])


TRUE, WRONG = Candidate("p^2 - 3 cos q", energy), Candidate("p^2 + q^2", circle)
UNDEFINED, CONSTANT, STEEP = Candidate("log q", undefined), Candidate("1", constant), Candidate("sin", steep)


def pendulum(trajectories, seed):
    """The paper's pendulum by small Runge-Kutta steps."""

    def f(x):
        return np.stack([2 * x[:, 1], -3 * np.sin(x[:, 0])], axis=1)

    random = np.random.default_rng(seed)
    angle, radius = random.uniform(0, 2 * np.pi, trajectories), random.uniform(1.3, 2.3, trajectories)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    t = np.linspace(0, 3, 45)
    states, h = [x], (t[1] - t[0]) / 10
    for _ in t[1:]:
        for _ in range(10):
            k1 = f(x)
            k2 = f(x + h / 2 * k1)
            k3 = f(x + h / 2 * k2)
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + f(x + h * k3))
        states.append(x)
    labels = tuple(str(k) for k in range(trajectories))
    units = (Unit(), Unit())
    return Trajectories(("q", "p"), ("q", "p"), units, tuple(np.stack(states, axis=1)), (t,) * trajectories, labels)


@pytest.fixture(scope="module")
def data():
    both = pendulum(16, seed=0)
    return both.pick(range(10)), both.pick(range(10, 16))


@pytest.fixture(scope="module")
def ranking(data):
    return rank(*data, [UNDEFINED, WRONG, TRUE, CONSTANT, STEEP], SMALL, oracle=Candidate("oracle", energy))


def test_a_true_law_comes_before_a_wrong_one_and_helps(ranking):
    names = [row.name for row in ranking.rows if row.kind == "candidate"]
    assert names[0] == TRUE.name
    assert ranking.chosen.name == TRUE.name
    assert ranking.chosen.train_rollout < ranking.control.train_rollout
    assert [row.chosen for row in ranking.rows].count(True) == 1


def test_baselines_and_oracle_stand_first(ranking):
    assert [row.kind for row in ranking.rows[:3]] == ["mlp", "control", "oracle"]
    assert ranking.control.to_control == 1


def test_the_oracle_is_treated_as_any_candidate(ranking):
    oracle = next(row for row in ranking.rows if row.kind == "oracle")
    assert dataclasses.replace(oracle, name=TRUE.name, kind="candidate", chosen=True) == ranking.chosen


def test_what_diverges_or_is_undefined_comes_last_and_says_so(ranking):
    last = {row.name: row for row in ranking.rows[-2:]}
    assert set(last) == {UNDEFINED.name, CONSTANT.name}
    assert all(row.status == "diverged" and row.test_rollout is None for row in last.values())


def test_a_ranking_is_plain_data(ranking):
    text = json.dumps([dataclasses.asdict(row) for row in ranking.rows], allow_nan=False)
    assert json.loads(text)[0]["kind"] == "mlp"


def test_the_table_is_the_same_for_any_number_of_jobs(data):
    quick = dataclasses.replace(SMALL, steps=200, epochs=20)
    candidates = [TRUE, WRONG, UNDEFINED, CONSTANT, STEEP, dataclasses.replace(WRONG, name="soft", approximate=True)]
    assert len(candidates) >= PROCESSES_PAY_FROM
    alone = rank(*data, candidates, quick)
    together = rank(*data, candidates, quick, work=Work(Workers(2)))
    assert alone.rows == together.rows


@pytest.mark.parametrize("form", ["derivative", "euler"])
def test_only_the_best_are_meta_tailored(form, data):
    quick = dataclasses.replace(SMALL, steps=100, epochs=4, keep=1, protocol="paper", loss_form=form)
    rows = [row for row in rank(*data, [TRUE, WRONG], quick).rows if row.kind == "candidate"]
    assert [row.status for row in rows] == ["ok", "not kept"]
    assert rows[0].enforced_train_loss < rows[1].enforced_train_loss
    assert rows[1].test_rollout is None


def test_forward_differences_go_with_euler_steps(data):
    quick = dataclasses.replace(SMALL, scheme="forward")
    consistent = rank(*data, [], quick)
    assert consistent.chosen is None
    assert consistent.control.test_rollout < 0.3


def test_ragged_trajectories_with_holes_and_few_samples_are_ranked(data):
    train, test = data
    rows = [np.delete(np.arange(45 - 3 * k), slice(10, 20)) for k in range(len(train))]
    ragged = dataclasses.replace(
        train,
        states=tuple(x[r] for x, r in zip(train.states, rows, strict=True)),
        times=tuple(t[r] for t, r in zip(train.times, rows, strict=True)),
    )
    quick = dataclasses.replace(SMALL, steps=100, epochs=4, samples=100, horizon=20)
    assert all(row.train_rollout is not None for row in rank(ragged, test, [TRUE], quick).rows)


def test_progress_is_told_and_ctrl_c_passes_through(data):
    quick = dataclasses.replace(SMALL, steps=10, epochs=4)
    told = []
    rank(*data, [TRUE, WRONG], quick, progress=lambda *news: told.append(news))
    assert ("train", 10, 10) in told
    assert told[-1] == ("improve", 2, 2)

    def interrupt(stage, done, total):
        if stage == "improve":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rank(*data, [TRUE, WRONG], quick, progress=interrupt, work=Work(Workers(2)))
