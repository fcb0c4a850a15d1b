"""The example notebook runs top to bottom in a real kernel, and shows what a reader should see and nothing else."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "docs" / "examples" / "pendulum.ipynb"
SECONDS = 300
"""For one cell, on a machine that does other things."""


def _read(path: Path) -> Any:
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat, which nbclient brings")
    return nbformat.read(path, as_version=4)


def _texts(cell: Any, kind: str) -> list[str]:
    """What a cell's outputs hold of one kind: a MIME type, or "stdout" or "stderr"."""
    named = [one["text"] for one in cell["outputs"] if one["output_type"] == "stream" and one["name"] == kind]
    return named + [one["data"][kind] for one in cell["outputs"] if kind in one.get("data", {})]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook after it was run, in a folder of its own, by a kernel that imports this checkout."""
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient")
    pytest.importorskip("ipykernel", reason="needs ipykernel")
    folder, patch = tmp_path_factory.mktemp("notebook"), pytest.MonkeyPatch()
    try:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "dsl"), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")
        client = nbclient.NotebookClient(
            _read(NOTEBOOK), timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        )
        notebook = client.execute()
    finally:
        patch.undo()
    notebook["folder"] = str(folder)
    return notebook


def _cell(notebook: Any, words: str) -> Any:
    (cell,) = [one for one in notebook["cells"] if one["cell_type"] == "code" and words in one["source"]]
    return cell


def test_the_notebook_is_kept_without_outputs() -> None:
    notebook = _read(NOTEBOOK)
    assert all(not cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    assert all(cell["execution_count"] is None for cell in notebook["cells"] if cell["cell_type"] == "code")


@pytest.mark.slow
def test_no_cell_of_the_notebook_writes_to_stderr(shown: Any) -> None:
    code = [cell for cell in shown["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [text for cell in code for text in _texts(cell, "stderr")]


@pytest.mark.slow
def test_progress_in_a_kernel_is_one_output_without_escape_codes_or_carriage_returns(shown: Any) -> None:
    cell = _cell(shown, "discover(swings")
    progress, result = cell["outputs"]
    assert progress["output_type"] == "display_data"
    assert "<progress" in progress["data"]["text/html"]
    assert result["output_type"] == "execute_result"
    for output in cell["outputs"]:
        assert not {"\x1b", "\r"} & set("".join(map(str, output["data"].values())))


@pytest.mark.slow
def test_the_discovery_and_its_law_are_typeset(shown: Any) -> None:
    for cell in (_cell(shown, "discover(swings"), _cell(shown, "energy = found.laws[0]")):
        result = cell["outputs"][-1]["data"]
        assert "<math" in result["text/html"]
        assert r"\cos" in result["text/latex"]


@pytest.mark.slow
def test_the_number_of_the_notebook_is_written_as_the_fraction_that_its_text_speaks_of(shown: Any) -> None:
    """Of accuracy this says nothing: 3 is a ratio that numbers are drawn to."""
    (text,) = _texts(_cell(shown, "energy.parameters.items()"), "text/plain")
    ((value, error, unit),) = ast.literal_eval(text).values()
    assert unit == "kg^2*m^2/s^2"
    assert value == pytest.approx(3, rel=1e-12)
    assert 1e-4 < error < 0.05


@pytest.mark.slow
def test_the_law_tells_a_free_swing_from_a_damped_one(shown: Any) -> None:
    spread, loss = ast.literal_eval(_texts(_cell(shown, "free.std()"), "text/plain")[0])
    assert spread < 1e-6
    assert loss < -0.2
    assert _texts(_cell(shown, "plt.subplots"), "image/png")


@pytest.mark.slow
def test_the_notebook_leaves_a_table_a_run_and_a_page(shown: Any) -> None:
    (table,) = _texts(_cell(shown, "to_latex"), "stdout")
    assert r"\toprule" in table
    assert r"\cos" in table
    assert {path.name for path in Path(shown["folder"]).iterdir()} == {"swings.noether", "swings.html"}
