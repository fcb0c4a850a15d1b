"""The formats that docs/formats.md describes are those that the tool writes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from click.testing import CliRunner

from noether_discover.cli.commands import group

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_the_keys_of_the_answer_are_the_documented_ones(tmp_path: Path) -> None:
    data = str(tmp_path / "swings.csv")
    CliRunner().invoke(group, ["data", "make", "spring", "-o", data], catch_exceptions=False)
    done = CliRunner().invoke(group, ["discover", data, "--no-rank", "--jobs", "1", "--json"], catch_exceptions=False)
    answer = json.loads(done.stdout)
    words, table = PAGE.split("A law:")[0], PAGE.split("A law:")[1].split("## The run file")[0]
    assert set(re.findall(r"`(\w+)`", words.split("One document:")[1])) == set(answer)
    assert set(re.findall(r"^\| `(\w+)`", table, flags=re.M)) == set(answer["laws"][0])
