"""A table may hold anything: one sentence with the file and the remedy, exit code 2, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_tables import REFUSED, UNDERSTOOD


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, with what stands in it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("table", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_a_hostile_table_is_refused_in_one_sentence_and_nothing_is_left(
    place: Path, outcome: Callable[..., Any], table: str | bytes, says: str
) -> None:
    (place / "data.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    before = contents(place)
    found = outcome("discover", "data.csv", "-o", "run.noether", "--latex", "table.tex", "--quiet")
    assert found.traceback == ""
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Error: data.csv: ")
    assert says in found.errors[0]
    assert len(found.errors[0]) < 600
    assert contents(place) == before


@pytest.mark.parametrize(("table", "names", "samples"), UNDERSTOOD.values(), ids=UNDERSTOOD.keys())
def test_an_unusual_table_is_understood(
    place: Path, outcome: Callable[..., Any], table: str | bytes, names: list[str], samples: int
) -> None:
    (place / "data.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    found = outcome("data", "check", "data.csv", "--json")
    assert (found.code, found.traceback) == (0, "")
    summary = json.loads(found.out)["summary"]
    assert ([column["name"] for column in summary["columns"]], summary["samples"]) == (names, samples)
