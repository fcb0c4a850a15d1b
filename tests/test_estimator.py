"""`ConservedQuantities` is a scikit-learn transformer, and its columns are conserved."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator

from noether_discover import ConservedQuantities, DataError
from noether_discover.data.trajectories import Trajectories

TOO_FEW = "ignore:.*transform gives no columns:UserWarning"
"""What the checks' small random tables end in; a test below says so."""

SEARCHED = {"check_dtype_object", "check_positive_only_tag_during_fit"}
"""Checks whose tables are long enough to be searched, which takes seconds."""


def checks() -> list[Any]:
    """Scikit-learn's checks as it yields them, none of them expected to fail, the long ones marked."""
    rows = []
    for number, (estimator, check) in enumerate(estimator_checks_generator(ConservedQuantities())):
        name = check.func.__name__
        marks = [pytest.mark.slow] if name in SEARCHED else []
        rows.append(pytest.param(estimator, check, id=f"{number}-{name}", marks=marks))
    return rows


@pytest.fixture(scope="module")
def frame(pendulum: Trajectories) -> pd.DataFrame:
    """States of the pendulum, 50 trajectories one below the other."""
    headers = [f"{name} [{unit}]" for name, unit in zip(pendulum.names, pendulum.units, strict=True)]
    return pd.DataFrame(pendulum.stacked, columns=headers)


@pytest.fixture(scope="module")
def labels(pendulum: Trajectories) -> np.ndarray:
    return np.repeat(np.array(pendulum.labels), [len(t) for t in pendulum.times])


@pytest.fixture(scope="module")
def times(pendulum: Trajectories) -> np.ndarray:
    return np.concatenate(pendulum.times)


@pytest.fixture(scope="module")
def fitted(frame: pd.DataFrame, labels: np.ndarray, times: np.ndarray) -> ConservedQuantities:
    return ConservedQuantities(time_unit="s").fit(frame, groups=labels, times=times)


@pytest.mark.parametrize(("estimator", "check"), checks())
@pytest.mark.filterwarnings(TOO_FEW)
def test_scikit_learn_s_own_checks_pass(estimator: ConservedQuantities, check: Any) -> None:
    check(estimator)


def test_the_pendulum_s_energy_is_a_column_that_is_constant_along_trajectories(
    fitted: ConservedQuantities, frame: pd.DataFrame, labels: np.ndarray
) -> None:
    assert fitted.verdict_ == "LAW"
    values = fitted.transform(frame)
    assert values.shape == (len(frame), len(fitted.laws_)) == (len(frame), 1)
    within = pd.Series(values[:, 0]).groupby(labels).std()
    assert within.max() < 1e-6 * values.std()  # the simulation is exact to 1e-9


def test_columns_are_named_by_their_laws(fitted: ConservedQuantities, frame: pd.DataFrame) -> None:
    names = list(fitted.get_feature_names_out())
    assert names == [law["expression"] for law in fitted.laws_]
    assert list(fitted.get_feature_names_out(list(frame.columns))) == names
    with pytest.raises(ValueError, match="feature_names_in_"):
        fitted.get_feature_names_out(["a", "b"])
    assert list(fitted.feature_names_in_) == list(frame.columns)
    assert fitted.n_features_in_ == 2


def test_a_pickled_estimator_and_a_clone_in_a_pipeline_give_the_same(
    fitted: ConservedQuantities, frame: pd.DataFrame, labels: np.ndarray, times: np.ndarray
) -> None:
    expected = fitted.transform(frame)
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).transform(frame), expected)
    pipeline = Pipeline([("laws", clone(fitted))]).set_output(transform="pandas")
    table = pipeline.fit_transform(frame, laws__groups=labels, laws__times=times)
    assert list(table.columns) == list(fitted.get_feature_names_out())
    assert np.array_equal(table.to_numpy(), expected)


def test_of_too_few_data_nothing_is_said_and_a_warning_is() -> None:
    few = np.random.default_rng(0).normal(size=(20, 3))
    with pytest.warns(UserWarning, match=r"only 2 windows .* transform gives no columns"):
        model = ConservedQuantities().fit(few)
    assert model.verdict_ == "UNDECIDED"
    assert model.laws_ == ()
    assert model.transform(few).shape == (20, 0)
    assert len(model.get_feature_names_out()) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"times": np.zeros(20)}, "time"),
        ({"times": ["now"] * 20}, "times: are not numbers"),
        ({"times": np.full(20, np.nan)}, "times: some are not finite"),
        ({"groups": [None] * 20}, "groups: some rows name no trajectory"),
        ({"groups": [1, 2]}, "inconsistent numbers of samples"),
    ],
)
def test_labels_and_times_that_cannot_be_used_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConservedQuantities().fit(np.random.default_rng(0).normal(size=(20, 3)), **given)


def test_columns_that_never_change_take_no_part_and_one_that_does_is_not_enough() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3))
    x[:, 1:] = 1.0
    with pytest.raises(DataError, match="at least two"):
        ConservedQuantities().fit(x)


def test_scikit_learn_is_imported_with_the_estimator_only() -> None:
    program = "import sys, noether_discover as n; n.discover; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_documentation_s_example_runs() -> None:
    text = (Path(__file__).resolve().parents[1] / "docs" / "scikit_learn.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    exec(compile(block, "docs/scikit_learn.md", "exec"), {})
