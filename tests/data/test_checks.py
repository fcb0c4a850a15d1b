"""Checks: every problem at once, and a summary in plain numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from noether_discover.data.checks import Check, check, summary
from noether_discover.data.systems import simulate
from noether_discover.data.tables import ReadOptions, read_tables
from noether_discover.data.writing import write_csv
from noether_discover.errors import DataError


def saved(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_three_problems_are_three_sentences(tmp_path: Path) -> None:
    rows = "".join(f"{i},{i},{i * i}\n" for i in range(20))
    rows = rows.replace("\n4,4,16\n", "\n4,four,16\n").replace("\n9,9,81\n", "\n9,9,n/a\n")
    found = check(saved(tmp_path, "t [s],q [radd],p\n" + rows))
    assert not found.usable
    assert found.summary == {}
    assert len(found.problems) == 3
    joined = "\n".join(found.problems)
    assert 'a.csv: column "q" row 6: "four" is not a number' in joined
    assert 'a.csv: column "p" row 11: "n/a" is not a number. Use --missing drop-row or --missing split.' in joined
    assert 'a.csv: column "q": unknown unit "radd", did you mean "rad"?' in joined


def test_problems_of_many_kinds_are_found_together(tmp_path: Path) -> None:
    text = "run,t,sin,p,c\n" + "a,0,1,2,7\na,2,2,inf,7\na,1,4,5,7\na,3,4,,7\nb,0,1,3,7\nb,0,2,4,7\nb,1,3,4,7\n"
    found = check([saved(tmp_path, text), tmp_path / "missing.csv"])
    for words in (
        "there is no such file",
        '"sin" is also the name of an operator',
        'column "p" row 3 is infinite',
        'column "p" row 5 is empty',
        'column "c" never changes',
        "row 7: time repeats 0 in trajectory b",
    ):
        assert any(words in problem for problem in found.problems), words
    assert len(found.problems) == len(set(found.problems))


def test_reading_raises_the_first_problem_of_the_check(tmp_path: Path) -> None:
    path = saved(tmp_path, "t,q,p\n0,x,1\n1,2,y\n2,3,4\n3,4,6\n")
    with pytest.raises(DataError) as caught:
        read_tables(path)
    assert str(caught.value) == check(path).problems[0]


def test_the_summary_counts_what_is_there(tmp_path: Path) -> None:
    text = "run,t [s],x [m],angle [deg]\n" + "".join(
        f"{k},{t},{k + t},{90 * t}\n" for k, times in enumerate([(0, 1, 2), (0, 1, 2, 3, 7)]) for t in times
    )
    found = check(saved(tmp_path, text))
    assert found.problems == ()
    assert any("converted from deg to rad" in note for note in found.notes)
    said = found.summary
    assert (said["trajectories"], said["samples"]) == (2, 8)
    assert said["lengths"] == {"min": 3, "median": 4, "max": 5}
    assert said["time"]["step"] == {"min": 1, "median": 1, "max": 4}
    assert (said["time"]["name"], said["time"]["unit"], said["time"]["start"], said["time"]["end"]) == ("t", "s", 0, 7)
    assert said["time"]["gaps"] == 1
    x, angle = said["columns"]
    assert (x["name"], x["symbol"], x["unit"], x["min"], x["max"], x["angle"]) == ("x", "x", "m", 0, 8, False)
    assert (angle["unit"], angle["angle"]) == ("rad", True)
    assert np.isclose(angle["max"], 3.5 * np.pi)
    assert np.isclose(x["std"], np.std([0, 1, 2, 1, 2, 3, 4, 8]))
    assert json.loads(json.dumps(said)) == said


def test_a_simulated_table_has_no_problems(tmp_path: Path) -> None:
    data = simulate("pendulum_hnn", trajectories=5)
    write_csv(data, tmp_path / "a.csv")
    assert check(tmp_path / "a.csv") == Check(summary=summary(data))


def test_options_are_passed_on(tmp_path: Path) -> None:
    path = saved(tmp_path, "t,q,p\n0,1,1\n1,,2\n2,3,4\n3,4,6\n")
    assert not check(path).usable
    assert check(path, ReadOptions(missing="drop-row")).summary["samples"] == 3
