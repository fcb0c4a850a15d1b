"""The house: imports point one way, and light commands stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import noether_discover

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "noether_discover"
FLOORS = [
    "errors", "options", "placing", "memory", "cluster", "work", "data", "systems", "search", "predict", "report",
    "video", "settings", "stages", "holding", "stored", "runs", "law_module", "law", "found", "notebook_progress",
    "discovery", "estimator", "forecasts", "verification", "reporting", "health", "cli",
]  # fmt: skip
"""A floor uses only the floors above it in this list."""
KNOW_FILES = {
    "predict": {"ranking"},
    "video": {
        "actions", "archives", "building", "caching", "checkpoints", "config", "decoding", "experiment", "lpips",
        "physics101", "pictures", "reading", "reports", "screen", "writing",
    },
}  # fmt: skip
"""Modules of the numeric packages that read, write or show."""
NUMERICS = [
    path
    for package in ("search", "predict", "video")
    for path in (TOOL / package).glob("*.py")
    if path.stem not in KNOW_FILES.get(package, set())
]


def imported(path: Path, package: str) -> set[str]:
    """The modules that a file imports, those of its own distribution by their full names."""
    found = set()
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(here[: len(here) - node.level]) if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


def test_floors_use_only_the_floors_above_them() -> None:
    wrong = []
    for path in TOOL.rglob("*.py"):
        floor = path.relative_to(TOOL).parts[0].removesuffix(".py")
        if floor not in FLOORS:
            continue
        below = FLOORS[FLOORS.index(floor) + 1 :]
        for name in imported(path, "noether_discover"):
            parts = name.split(".")
            if parts[0] == "noether_discover" and len(parts) > 1 and parts[1] in below:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong, wrong


@pytest.mark.parametrize("path", NUMERICS, ids=lambda path: str(path.relative_to(TOOL)))
def test_numerics_know_no_files_and_no_screens(path: Path) -> None:
    forbidden = {"pandas", "click", "rich", "joblib", "sqlite3", "pathlib"}
    assert not {name.split(".")[0] for name in imported(path, "noether_discover")} & forbidden


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["enumerate", "PENDULUM", "--count"],
        ["data", "check", "PENDULUM"],
        ["video", "--help"],
        ["video", "data", "--help"],
        ["video", "train", "--help"],
    ],
)
def test_light_commands_do_not_import_torch(arguments: list[str]) -> None:
    pendulum = str(TOOL / "data" / "examples" / "pendulum.csv")
    program = (
        "import sys; sys.argv = ['noether-discover', *sys.argv[1:]]\n"
        "from noether_discover.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    words = [pendulum if word == "PENDULUM" else word for word in arguments]
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip().endswith("False")


def test_no_two_test_files_share_a_name() -> None:
    """pytest imports them by their name alone, and would stop at the second."""
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, number in names.items() if number > 1] == []


def test_all_names_what_there_is() -> None:
    assert sorted(noether_discover.__all__) == list(noether_discover.__all__)
    assert set(noether_discover.__all__) == set(noether_discover._HOMES)
    for name in noether_discover.__all__:
        what = getattr(noether_discover, name)
        assert what.__name__.rpartition(".")[2] == name
        assert len((what.__doc__ or "").split()) > 3, name


def test_everything_can_be_imported_where_scikit_learn_is_not() -> None:
    """It is an extra. The name that needs it is not in `__all__` then, and says what to install when asked for."""
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "from noether_discover import *\n"
        "import noether_discover\n"
        "assert 'ConservedQuantities' not in noether_discover.__all__ and callable(discover)\n"
        "try: noether_discover.ConservedQuantities\n"
        "except noether_discover.OptionError as said: print(said)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install 'noether-discover[sklearn]'" in done.stdout, done.stderr
