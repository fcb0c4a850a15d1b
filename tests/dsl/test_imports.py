"""What the language may know: neither the program that uses it nor heavy libraries."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import noether_dsl
import pytest

FOLDER = Path(noether_dsl.__file__).parent
MODULES = sorted(FOLDER.glob("*.py"))
FORBIDDEN = {"noether_discover", "torch", "pandas"}


def imported(tree: ast.AST) -> set[str]:
    """The top-level names that are imported anywhere below."""
    names: set[str] = set()
    for part in ast.walk(tree):
        if isinstance(part, ast.Import):
            names |= {alias.name.split(".")[0] for alias in part.names}
        elif isinstance(part, ast.ImportFrom) and not part.level:
            names.add((part.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_the_language_does_not_know_who_uses_it(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = imported(tree)
    assert not names & FORBIDDEN
    assert "pint" not in names or path.stem == "units"
    at_import = set().union(*(imported(part) for part in tree.body if isinstance(part, ast.Import | ast.ImportFrom)))
    assert not at_import & {"pint", "sympy"}


def test_importing_the_language_imports_nothing_heavy() -> None:
    modules = ", ".join(f"noether_dsl.{path.stem}" for path in MODULES if path.stem != "__init__")
    code = f"import json, sys, {modules}; print(json.dumps(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(json.loads(done.stdout)) & {*FORBIDDEN, "pint", "sympy", "scipy", "matplotlib"}


def test_the_language_is_typed() -> None:
    assert (FOLDER / "py.typed").exists()
