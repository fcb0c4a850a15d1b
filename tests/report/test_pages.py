"""A run as a page: everything is said, nothing is believed, nothing is needed besides."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from noether_discover import DataError, OptionError, RunFileError, discover, load, write_plot, write_report
from noether_discover.data.systems import simulate
from noether_discover.runs import RunFile

Pages = Callable[[Path], Path]
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements with their attributes, and the words that are not in a style sheet; raises where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", ["ranked_run", "run_without_laws", "vector_run", "lone_run", "hostile_run"])
def test_a_page_needs_nothing_and_runs_nothing(run: str, request: pytest.FixtureRequest, page_of: Pages) -> None:
    page = read(page_of(request.getfixturevalue(run)))
    assert not page.all("script")
    assert not {tag for tag, _ in page.elements} & {"img", "iframe", "object", "embed", "base", "form", "foreignobject"}
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "xlink:href", "action"):
            target = attributes.get(name)
            assert target is None or target.startswith("#") or (tag == "link" and target == "data:,")
    names = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(names) == len(set(names)), "an id is given twice"
    assert {
        target[1:] for _, a in page.elements if (target := a.get("xlink:href") or a.get("href") or "")[:1] == "#"
    } <= {name for name in names if name is not None}


@pytest.mark.parametrize("run", ["ranked_run", "run_without_laws", "vector_run", "lone_run"])
def test_every_picture_has_words_and_a_table(run: str, request: pytest.FixtureRequest, page_of: Pages) -> None:
    page = read(page_of(request.getfixturevalue(run)))
    pictures = [a for a in page.all("div") if a.get("role") == "img"]
    assert len(pictures) == len(page.all("figure")) == len(page.all("svg")) > 0
    assert all(len(a["aria-label"] or "") > 60 for a in pictures)
    assert "nan" not in " ".join(str(a["aria-label"]) for a in pictures).split()
    for number in range(1, len(pictures) + 1):
        assert f"Figure {number} as a table" in page.words


def test_laws_parameters_and_figures_are_those_of_the_run(ranked_run: Path, page_of: Pages) -> None:
    page, found = read(page_of(ranked_run)), load(ranked_run)
    assert found.verdict == "LAW"
    (law,) = found.laws
    assert law["expression"] in page.words
    (p,) = law["parameters"]
    assert f"{p['value']:.3f}"[:4] in page.words
    assert "kg² m²/s²" in page.words
    assert "Conserved" in page.words
    for row in found.ranking:
        assert f"{row['test_rollout']:.3g}" in page.words
    assert "with the oracle" in page.words


def test_a_page_says_what_was_searched_and_what_was_not(ranked_run: Path, page_of: Pages) -> None:
    words = " ".join(read(page_of(ranked_run)).words.split())
    found = load(ranked_run)
    assert "with up to 3 nodes in q, p, numbers with units, and the operators" in words
    assert f"{found.searched['formulas']:,} formulas." in words
    assert "Formulas of more than 3 nodes were not searched" in words
    with RunFile(ranked_run) as file:
        assert file.provenance()["data_digest"] in words
        for verdict, reason, number in file.reasons():
            assert f"{number:,}: {reason}" in words, verdict


def test_nothing_conserved_is_said_with_what_came_nearest(run_without_laws: Path, page_of: Pages) -> None:
    page = read(page_of(run_without_laws))
    assert "Nothing is conserved" in page.words
    assert "What came nearest" in page.words
    assert "There is no law to be ranked" in page.words
    with RunFile(run_without_laws) as file:
        judged = [j for j in file.judged() if j[2] == "NOT_CONSERVED" and j[3] is not None]
    nearest = min(judged, key=lambda j: (j[3], j[0]))
    assert nearest[1] in page.words


def test_an_approximate_law_is_drawn_with_its_drift(lone_run: Path, page_of: Pages) -> None:
    page = read(page_of(lone_run))
    assert load(lone_run).verdict == "APPROXIMATE"
    assert "Conserved approximately" in page.words
    assert re.search(r"Fig. \d. Drift.", page.words)
    assert "Windows of" in page.words


def test_a_constraint_is_no_law_and_has_no_ratio(folder: Path) -> None:
    rng, rows = np.random.default_rng(0), []
    for k in range(8):
        angle, height = rng.uniform(0.5, 2) * 0.1 * np.arange(40) + rng.uniform(0, 6), rng.uniform(0.5, 2)
        moving = {"x": np.cos(angle), "y": np.sin(angle), "z": 0.3 * np.sin(5 * height * angle) + height * angle}
        rows.append(pd.DataFrame({"trajectory": k, "t": 0.1 * np.arange(40), **moving}))
    run = folder / "constraint.noether"
    found = discover(pd.concat(rows), run=run, rank=False, max_nodes=3, jobs=1)
    assert [law["verdict"] for law in found.laws] == ["CONSTRAINT"]
    page = read(write_report(run, folder / "constraint.html"))
    assert "The constraint" in page.words
    assert "laws0constraints1" in "".join(page.words.split())
    assert "What came nearest" in page.words
    assert "held-out ratio" not in page.words


def test_a_law_without_a_value_on_given_data_is_not_drawn(vector_run: Path, tmp_path: Path) -> None:
    data = simulate("kepler", trajectories=10, samples=50, seed=1)
    states = [x.copy() for x in data.states]
    states[3][7, :2] = 0.0  # at the sun
    page = read(write_report(vector_run, tmp_path / "a.html", replace(data, states=tuple(states))))
    assert "no finite value on some state of the data shown here" in page.words
    assert 3 < len(page.all("figure")) < len(read(write_report(vector_run, tmp_path / "b.html")).all("figure"))
    with pytest.raises(OptionError, match="no finite value on some state"):
        write_plot(vector_run, tmp_path / "a.pdf", "conservation", replace(data, states=tuple(states)), law=2)


def test_a_run_that_keeps_no_errors_over_time_says_what_gives_them(ranked_run: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.noether"
    old.write_bytes(ranked_run.read_bytes())
    with sqlite3.connect(old) as db:
        for position, row in db.execute("SELECT position, row FROM ranking").fetchall():
            facts = json.loads(row)
            del facts["over_time"]
            db.execute("UPDATE ranking SET row = ? WHERE position = ?", (json.dumps(facts), position))
    db.close()
    assert "keeps no errors over time" in read(write_report(old, tmp_path / "a.html")).words


def test_hostile_names_stay_words(hostile_run: Path, page_of: Pages) -> None:
    page = read(page_of(hostile_run))
    assert "<script>alert(1)</script>" in page.words
    assert "<script>alert(3)<&script>.csv" in page.words
    assert 'onerror="alert(2)"' in page.words


@pytest.mark.parametrize(
    "change", [{"name": "<script>\n"}, {"kind": "x"}, {"test_rollout": "<b>"}, {"over_time": [[1]]}]
)
def test_a_forged_ranking_is_refused(ranked_run: Path, tmp_path: Path, change: dict[str, Any]) -> None:
    forged = tmp_path / "forged.noether"
    forged.write_bytes(ranked_run.read_bytes())
    with sqlite3.connect(forged) as db:
        (row,) = db.execute("SELECT row FROM ranking WHERE position = 0").fetchone()
        db.execute("UPDATE ranking SET row = ? WHERE position = 0", (json.dumps({**json.loads(row), **change}),))
    db.close()
    with pytest.raises(RunFileError, match="is damaged"):
        write_report(forged, tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()


def test_a_page_says_whether_given_data_are_the_run_s_own(ranked_run: Path, tmp_path: Path) -> None:
    own = simulate("pendulum_hnn", trajectories=12, samples=30, noise=0.05, seed=0)
    other = simulate("pendulum_hnn", trajectories=5, samples=30, noise=0.05, seed=7)
    assert "to the last bit" in read(write_report(ranked_run, tmp_path / "own.html", own)).words
    words = read(write_report(ranked_run, tmp_path / "other.html", other)).words
    assert "other data than those" in words
    assert "all 5 trajectories" in words
    with pytest.raises(DataError, match="give data with the same header"):
        write_report(ranked_run, tmp_path / "no.html", simulate("lorenz", trajectories=5, samples=30, seed=7))
    assert not (tmp_path / "no.html").exists()


def test_what_cannot_be_reported_is_refused_and_writes_nothing(ranked_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="there is no such run file"):
        write_report(tmp_path / "no.noether", tmp_path / "a.html")
    with pytest.raises(OptionError, match="cannot be written"):
        write_report(ranked_run, tmp_path / "no folder" / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_the_same_run_gives_the_same_page_without_torch(ranked_run: Path, tmp_path: Path, page_of: Pages) -> None:
    program = (
        "import sys\n"
        "from noether_discover.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    words = ["report", str(ranked_run), "-o", str(tmp_path / "a.html")]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["False"]
    assert done.stdout == f"written: {tmp_path / 'a.html'}\n"
    assert (tmp_path / "a.html").read_bytes() == page_of(ranked_run).read_bytes()
