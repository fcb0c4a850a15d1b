"""The table of libraries in docs/laws.md is that of the code."""

from __future__ import annotations

from pathlib import Path

from noether_dsl.dimension import PURE

from noether_discover.search.kinds import Kinds
from noether_discover.search.libraries import _MAKERS, vector_libraries

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "laws.md"
SPACE = tuple(f"{name}_{axis}" for name in ("q", "r", "v", "u") for axis in "xyz")


def test_every_library_is_in_the_table_and_no_other() -> None:
    lines = DOCUMENT.read_text().split("<!-- libraries:")[1].splitlines()
    rows = [line.split("|")[1].strip() for line in lines if line.startswith("| ")][1:]
    vectors = tuple((name, tuple(s for s in SPACE if s.startswith(name))) for name in ("q", "r", "v", "u"))
    rates = {s: s.replace("q", "v").replace("r", "u") for s in SPACE if s[0] in "qr"}
    kinds = Kinds(SPACE, dict.fromkeys(SPACE, PURE), rates=rates, vectors=vectors)
    of_vectors = {library.name.removesuffix(" in space") for library in vector_libraries(kinds)}
    assert len(rows) == len(set(rows))
    assert set(rows) == {name for name, _ in _MAKERS} | of_vectors
