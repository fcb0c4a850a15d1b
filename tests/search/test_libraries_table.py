"""The table of libraries in docs/laws.md is that of the code; and their terms fit the columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from noether_dsl.dimension import PURE
from noether_dsl.reading import dimension_of

from noether_discover.data.systems import names, simulate
from noether_discover.search.kinds import Kinds, kinds_of
from noether_discover.search.libraries import _MAKERS, libraries, vector_libraries
from noether_discover.settings import Settings
from noether_discover.stages import grammar_of

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


@pytest.mark.parametrize("system", names())
@pytest.mark.parametrize("hints", [True, False])
def test_every_term_fits_the_units_of_the_columns(system: str, hints: bool) -> None:
    """As formulas do: no logarithm of a length, no sum of a length and a time."""
    data = simulate(system, trajectories=8, samples=30, hints=hints)
    kinds = kinds_of(data)
    grammar = grammar_of(data, Settings(strict_angles=hints and bool(kinds.angles)))
    for library in libraries(kinds):
        terms = library.terms if library.soft is None else library.soft(1.0)
        for term in terms:
            assert dimension_of(term.formula, grammar.dimensions, grammar.angle) is not None, term
