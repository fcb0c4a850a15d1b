"""`report` and `plot`: what they write and say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from noether_discover.data.systems import simulate
    from noether_discover.data.writing import write_csv
    from noether_discover.discovery import discover

    folder = tmp_path_factory.mktemp("run")
    write_csv(simulate("spring_hnn", trajectories=8, samples=30, seed=0), folder / "spring.csv")
    discover(folder / "spring.csv", run=folder / "run.noether", rank=False, max_nodes=3, jobs=1)
    return folder / "run.noether"


def test_a_page_and_a_picture_are_written_where_they_are_wanted(told: Callable[..., Any], run: Path) -> None:
    page, picture = run.with_name("a.html"), run.with_name("a.png")
    found = told("report", run, run.with_name("spring.csv"), "-o", page)
    assert (found.code, found.out, found.err) == (0, f"written: {page}\n", "")
    assert "to the last bit" in page.read_text(encoding="utf-8")
    found = told("plot", run, "--kind", "levels", "--width", "single", "-o", picture)
    assert (found.code, found.out, found.err) == (0, f"written: {picture}\n", "")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_mistakes_are_one_sentence(told: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    for words, said in (
        (("report", run), "Missing option '-o'"),
        (("report", run, "-o", tmp_path / "no" / "a.html"), "there is no folder"),
        (("report", tmp_path / "no.noether", "-o", tmp_path / "a.html"), "there is no such run file"),
        (("plot", run, "-o", tmp_path / "a.gif"), '".gif" is none of them'),
        (("plot", run, "--kind", "level", "-o", tmp_path / "a.pdf"), "'level' is not one of"),
        (("plot", run, "--kind", "rollout", "-o", tmp_path / "a.pdf"), "noether-discover rank"),
    ):
        found = told(*words)
        assert found.code == 2
        assert len(found.errors) == 1
        assert said in found.errors[0]
    assert list(tmp_path.iterdir()) == []
