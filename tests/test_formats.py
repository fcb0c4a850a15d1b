"""The formats that docs/formats.md describes are those that the tool writes."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

from click.testing import CliRunner

from noether_discover.cli.commands import group
from noether_discover.discovery import Discovery
from noether_discover.runs import RunFile

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")


def test_the_keys_of_the_answer_are_the_documented_ones(tmp_path: Path) -> None:
    data = str(tmp_path / "swings.csv")
    CliRunner().invoke(group, ["data", "make", "spring", "-o", data], catch_exceptions=False)
    done = CliRunner().invoke(group, ["discover", data, "--no-rank", "--jobs", "1", "--json"], catch_exceptions=False)
    answer = json.loads(done.stdout)
    words, table = PAGE.split("A law:")[0], PAGE.split("A law:")[1].split("## The run file")[0]
    with_names = Discovery("NONE", "", (), (), {}, {}, symbols={"q_1": "q 1"}, vectors={"q": ("q_x", "q_y")})
    documented = set(re.findall(r"`(\w+)`", words.split("One document:")[1]))
    assert documented == set(with_names.to_json())
    assert documented - set(answer) == {"vectors", "symbols"}  # only where there are some
    assert set(re.findall(r"^\| `(\w+)`", table, flags=re.M)) == set(answer["laws"][0])


def test_the_tables_of_a_run_file_are_the_documented_ones(tmp_path: Path) -> None:
    documented = {
        name: set(re.findall(r"`(\w+)`", columns))
        for name, columns in re.findall(
            r"^\| `(\w+)` \| (.+?) \| \w[\w ]* \|$", PAGE.split("## The run file")[1], flags=re.M
        )
    }
    data, run = str(tmp_path / "spring.csv"), tmp_path / "spring.noether"
    CliRunner().invoke(group, ["data", "make", "spring", "-o", data], catch_exceptions=False)
    words = ["discover", data, "-o", str(run), "--no-rank", "--max-nodes", "3", "--jobs", "1"]
    CliRunner().invoke(group, words, catch_exceptions=False)
    with RunFile(run) as file:
        file.write_ranking([], 0.0)
    with closing(sqlite3.connect(run)) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        written = {name: {row[1] for row in db.execute(f"PRAGMA table_info({name})")} for name in tables}
    assert documented == written
