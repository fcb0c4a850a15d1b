"""Files may be anything, whatever their names: one sentence, exit code 2, no pickle loaded, nothing left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_files import FILES, Make
from hostile_tables import TABLE


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file with a law."""
    from noether_discover import discover

    place = tmp_path_factory.mktemp("fitted")
    (place / "good.csv").write_text(TABLE)
    discover(place / "good.csv", max_nodes=3, rank=False, run=place / "run.noether")
    return place / "run.noether"


def listing(place: Path) -> dict[str, Any]:
    """Every name, what kind of thing it is, and what stands in it where that can be read."""
    found: dict[str, Any] = {}
    for path in sorted(place.rglob("*")):
        facts = path.lstat()
        readable = path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
        found[str(path.relative_to(place))] = (facts.st_mode, path.read_bytes() if readable else None)
    return found


@pytest.mark.parametrize(
    ("make", "line", "says"),
    [pytest.param(*case, id=name) for name, case in FILES.items()],
)
def test_a_file_that_is_something_else_is_refused_in_one_sentence(
    place: Path, outcome: Callable[..., Any], fitted: Path, make: Make, line: str, says: str
) -> None:
    (place / "good.csv").write_text(TABLE)
    shutil.copy(fitted, place / "run.noether")
    make(place)
    if os.getuid() == 0 and any(path.lstat().st_mode & 0o777 == 0 for path in place.iterdir()):
        pytest.skip("whoever is root may read everything")
    before = listing(place)
    found = outcome(*line.split(" "))
    assert found.traceback == ""
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Error: ")
    assert says in found.errors[0]
    assert len(found.errors[0]) < 600
    assert listing(place) == before
