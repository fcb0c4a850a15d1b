"""What the tutorial says of the real pendulum is what the tool says, where the data are."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import noether_discover
from noether_discover.cli.commands import group
from noether_discover.discovery import load

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "tutorial.md").read_text(encoding="utf-8").split("## A real one")[1].split("## In Python")[0]


def test_the_tutorial_tells_of_the_real_pendulum_what_the_tool_says(
    real_data: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(real_data("real_pendulum.csv"), tmp_path / "real_pendulum.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["noether-discover"])
    for command in re.findall(r"^\$ noether-discover (.+)$", PAGE, flags=re.M):
        words = command.split() + (["--jobs", "1"] if command.startswith("discover") else [])
        done = CliRunner().invoke(group, words, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        if words[0] == "discover":
            shown = re.search(r"^APPROXIMATE: .+$", PAGE, flags=re.M)
            assert shown is not None
            assert done.stdout.splitlines()[0].strip() == shown.group()
    (law,) = load("real.noether").laws
    (number,) = law["parameters"]
    for figure, told in (
        (number["value"], r"a = (\S+) ±"),
        (number["standard_error"], r"a = \S+ ± (\S+)"),
        (law["drift_per_time"], r"drift of (\S+) ±"),
        (law["ratio_heldout"], r"ratio is small\s+\((\S+)\)"),
        (law["noise_chi2"], r"chi2 is (\d+)"),
        (law["time_scale"], r"(\d+) s as it varies"),
    ):
        found = re.search(told, PAGE)
        assert found is not None, told
        digits = len(found.group(1).lstrip("-0.").replace(".", ""))
        assert float(f"{figure:.{digits}g}") == pytest.approx(float(found.group(1))), told
    assert (tmp_path / "real.html").stat().st_size > 10_000
    assert "\\omega^{2}" in (tmp_path / "real.tex").read_text(encoding="utf-8")


def test_the_page_on_the_python_interface_has_every_public_name() -> None:
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r":: noether_discover\.(\w+)$", page, flags=re.M)) == sorted(noether_discover.__all__)
