"""Every command and every Python block of README and docs is run, page by page, in the order in which it stands.

A block is a shell session where lines begin with `noether-discover` (with or without `$`); other lines of it are what
comes out. `<!-- not run: why -->` before a block, or `# not run: why` at the end of a command, says what cannot be run.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from noether_discover.cli import main
from noether_discover.data.systems import simulate
from noether_discover.data.writing import write_csv

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = {"README.md", "prediction.md", "report.md", "tutorial.md"}
"""Pages that train networks."""
_BLOCK = re.compile(
    r"(?P<before><!-- not run: (?P<why>[^>]+) -->\s*)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.M | re.S
)
FOUND_OR_NOT = {0, 3}


def _simulated(name: str, path: Path, **settings: object) -> None:
    write_csv(simulate(name, seed=0, trajectories=20, **settings), path)  # type: ignore[arg-type]


def _positions(path: Path) -> None:
    _simulated("kepler", path, hints=False, samples=200, span=15.0)
    table = pd.read_csv(path)
    table[[c for c in table if c.split()[0] not in ("vx", "vy")]].to_csv(path, index=False)


def _falling(path: Path) -> None:
    rng, t = np.random.default_rng(0), np.linspace(0, 2, 30)
    rows = [
        pd.DataFrame({"trajectory": k, "t [s]": t, "x [m]": x + v * t, "v [m/s]": v})
        for k, (x, v) in enumerate(rng.normal(size=(12, 2)))
    ]
    pd.concat(rows).to_csv(path, index=False)


def _starts(path: Path) -> None:
    pd.DataFrame({"q [rad]": [0.5, 1.0], "p [kg*m/s]": [0.0, 0.4]}).to_csv(path, index=False)


FILES: dict[str, Callable[[Path], None]] = {
    "pendulum.csv": lambda path: _simulated("pendulum_hnn", path, noise=0.02),
    "tomorrow.csv": lambda path: _simulated("pendulum_hnn", path, noise=0.02, samples=40),
    "predators.csv": lambda path: _simulated("lotka_volterra", path),
    "orbits.csv": lambda path: _simulated("kepler", path, hints=False),
    "planets.csv": lambda path: _simulated("kepler", path),
    "positions.csv": _positions,
    "falling.csv": _falling,
    "starts.csv": _starts,
}
"""What a reader is said to have."""


@dataclass(frozen=True)
class Block:
    """A fenced block of a page. line: of the page; why: it is not run."""

    page: Path
    line: int
    language: str
    text: str
    why: str = ""

    @property
    def commands(self) -> list[str]:
        """The shell commands in it that can run here."""
        lines = [
            line.removeprefix("$ ").split("  #")[0].rstrip()
            for line in self.text.splitlines()
            if "# not run" not in line
        ]
        return [line for line in lines if line.startswith("noether-discover ")] if self.language in ("", "bash") else []


def blocks_of(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page, text.count("\n", 0, found.start("language")) + 1, found["language"], found["text"], found["why"] or ""
        )
        for found in _BLOCK.finditer(text)
    ]


def _run(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    words = shlex.split(command)
    if words[1] in ("discover", "fit", "rank") and "--jobs" not in words:
        words += ["--jobs", "1"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as stop:
        main()
    shown = capsys.readouterr()
    assert stop.value.code in FOUND_OR_NOT, f"{command}: {stop.value.code}\n{shown.err}"
    return shown.out


def _network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2)).double()


PARAMETERS = [
    pytest.param(page, id=page.name, marks=[pytest.mark.slow] if page.name in SLOW else [])
    for page in PAGES
    if any(block.commands or block.language == "python" for block in blocks_of(page) if not block.why)
]


@pytest.mark.parametrize("page", PARAMETERS)
def test_what_a_page_says_can_be_done(
    page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, made in FILES.items():
        if re.search(rf"\b{re.escape(name)}\b", page.read_text(encoding="utf-8")):
            made(tmp_path / name)
    names = {
        "network": _network(),
        "first_states": np.array([[0.5, 0.0], [1.0, 0.4]]),
        "times": np.linspace(0.0, 1.0, 11),
    }
    for block in blocks_of(page):
        if block.why:
            continue
        for command in block.commands:
            _run(command, capsys, monkeypatch)
        if block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    assert all(len(block.why) > 10 for block in blocks_of(page) if block.why)
    for words in re.findall(r"# not run(.*)", page.read_text(encoding="utf-8")):
        assert re.match(r": \w.{8,}", words)
