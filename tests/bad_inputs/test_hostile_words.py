"""Words on the command line may be anything: one sentence, exit code 2, no program is run, nothing left behind."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_tables import TABLE
from hostile_words import LINES, ORACLES, UNITS, WORDS

CASES = {
    **{f"oracle {text[:40]!r}": (["discover", "good.csv", "--oracle", text], says) for text, says in ORACLES.items()},
    **{f"unit {text[:40]!r}": (["discover", "good.csv", "--unit", f"q={text}"], says) for text, says in UNITS.items()},
    **{line[:80]: (shlex.split(line), says) for line, says in LINES.items()},
    **WORDS,
}


@pytest.mark.parametrize(
    ("words", "says"),
    [pytest.param(*case, id=name) for name, case in CASES.items()],
)
def test_hostile_words_are_refused_in_one_sentence_and_nothing_is_run(
    place: Path, outcome: Callable[..., Any], words: list[str], says: str
) -> None:
    (place / "good.csv").write_text(TABLE)
    found = outcome(*words)
    assert found.traceback == ""
    assert (found.code, found.out) == (2, "")
    assert len(found.errors) == 1
    assert found.errors[0].startswith("Error: ")
    assert says in found.errors[0]
    assert len(found.errors[0]) < 600
    assert [path.name for path in place.iterdir()] == ["good.csv"]
    assert (place / "good.csv").read_text() == TABLE
