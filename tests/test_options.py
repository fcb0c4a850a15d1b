"""What Python gives as an option is of its kind, or a sentence says so before anything is done."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from noether_discover import discover
from noether_discover.data.reading import ReadOptions
from noether_discover.errors import OptionError
from noether_discover.settings import Settings

FRAME = pd.DataFrame({"t": range(9), "q": np.sin(range(9)), "p": np.cos(range(9))})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_nodes": "x"}, "max_nodes is a whole number; it cannot be 'x'"),
        ({"max_nodes": 3.5}, "max_nodes is a whole number; it cannot be 3.5"),
        ({"seed": True}, "seed is a whole number; it cannot be True"),
        ({"alpha": None}, "alpha is a number; it cannot be None"),
        ({"alpha": "0.05"}, "alpha is a number; it cannot be '0.05'"),
        ({"operators": "sin"}, "operators is a list of words; it cannot be 'sin'"),
        ({"operators": ["sin", 3]}, "operators is a list of words; it cannot be"),
        ({"parameter_units": "kg"}, "parameter_units is a list of words; it cannot be 'kg'"),
        ({"form": 3}, "form is text; it cannot be 3"),
        ({"inputs": "qp"}, "inputs is a list of words; it cannot be 'qp'"),
        ({"units": "m"}, "units is a dictionary; it cannot be 'm'"),
        ({"trajectory": 0}, "trajectory is text; it cannot be 0"),
        ({"with_time": "yes"}, "with_time is True or False; it cannot be 'yes'"),
        ({"jobs": 0}, "--jobs 0 cannot be used"),
    ],
)
def test_a_value_of_another_kind_is_told(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as told:
        discover(FRAME, **options)
    assert str(told.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "meant"), [("max_node", "max_nodes"), ("trajectories", "trajectory"), ("unit", "units"), ("xyz", None)]
)
def test_an_option_that_there_is_not_is_told_the_nearest(name: str, meant: str | None) -> None:
    with pytest.raises(TypeError) as told:
        discover(FRAME, **{name: 3})
    hint = f'; did you mean "{meant}"?' if meant else ""
    assert str(told.value) == f'discover() has no option "{name}"{hint}'


def test_lists_and_numbers_of_numpy_are_as_good_as_pythons() -> None:
    numpys: dict[str, Any] = {"max_nodes": np.int64(5), "alpha": np.float64(0.01), "operators": ["sin", "add"]}
    settings = Settings(**numpys, jobs=1)
    assert settings == Settings(max_nodes=5, alpha=0.01, operators=("sin", "add"), jobs=1)
    assert [type(value) for value in (settings.max_nodes, settings.alpha)] == [int, float]
    for some in (["q", "p"], FRAME.columns[1:], FRAME.columns[1:].to_numpy(), dict.fromkeys("qp").keys()):
        assert ReadOptions(inputs=some) == ReadOptions(inputs=("q", "p"))
    truth: dict[str, Any] = {"with_time": np.True_}
    assert ReadOptions(**truth).with_time is True


def test_settings_come_back_as_they_went() -> None:
    settings = Settings(max_nodes=5, parameter_units=("kg",), oracle="p**2", jobs=1)
    assert Settings.from_plain(settings.plain()).plain() == settings.plain()
    for wrong in ({"alpha": "a"}, {"max_nodes": 99}, {"operators": "sin"}, {"seed": None}):
        with pytest.raises(ValueError, match=next(iter(wrong)).replace("_", ".")):
            Settings.from_plain({**settings.plain(), **wrong})
