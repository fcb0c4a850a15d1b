"""p-values are shown where there are some, and take no room where there are none."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from rich.console import Console

from noether_discover.report.export import chance_in_words, drift_in_words, to_csv, to_markdown
from noether_discover.report.screen import answer_table


def found(p_value: float | None) -> dict[str, Any]:
    law = {
        "formula": "p**2 - a*cos(q)", "expression": "p**2 - 3*cos(q)", "unit": "kg^2*m^2/s^2", "verdict": "LAW",
        "nodes": 7, "forms": ["cos(q) - a*p**2"], "ratio": 1e-3, "ratio_heldout": 1.23e-3, "ratio_random": 0.9,
        "noise_chi2": 1.05, "p_value": p_value, "drift_per_time": 0.0,
        "parameters": [{"name": "a", "value": 3.0, "standard_error": 0.02, "unit": "kg^2*m^2/s^2"}],
    }  # fmt: skip
    return {"verdict": "LAW", "reason": "one", "laws": [law], "ranking": [], "searched": {"by_verdict": {"LAW": 1}}}


def shown(p_value: float | None) -> list[str]:
    console = Console(width=80, file=io.StringIO())
    for part in answer_table(found(p_value)):
        console.print(part)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    ("p", "words"), [(1e-15, "< 1e-9"), (2.4e-6, "2e-06"), (0.0123, "0.012"), (0.5, "0.5"), (None, "")]
)
def test_a_chance_is_one_figure(p: float | None, words: str) -> None:
    law = found(p)["laws"][0]
    assert chance_in_words(law) == words
    lines = shown(p)
    assert max(map(len, lines)) <= 80
    assert any(" p " in line for line in lines) == (p is not None)
    assert any(words in line for line in lines)
    assert f"| {words} | LAW |" in to_markdown(found(p))
    (row,) = csv.DictReader(io.StringIO(to_csv(found(p))))
    assert row["p_value"] == ("" if p is None else repr(p))


def test_a_drift_has_a_time_scale_where_it_is_seen() -> None:
    drifting = {
        "verdict": "APPROXIMATE", "drift_per_time": -0.0155, "drift_standard_error": 0.0008,
        "drift_unit": "(rad^2/s^2)/s", "time_unit": "s", "time_scale": 412.3,
    }  # fmt: skip
    assert drift_in_words(drifting) == "-0.0155 ± 0.0008 (rad^2/s^2)/s, time scale 412 s"
    assert drift_in_words({**drifting, "time_unit": "1"}).endswith("time scale 412 samples")
    assert drift_in_words({**drifting, "time_scale": None}) == "-0.0155 ± 0.0008 (rad^2/s^2)/s"
    assert drift_in_words({**drifting, "verdict": "LAW"}) == ""
