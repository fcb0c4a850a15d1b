"""The wheel holds all that the program reads, and is built without a network."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_both_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "noether_discover", "dsl/noether_dsl"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    for name in listed:  # a build beside the sources would leave its own folders there
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*command, "--wheel-dir", str(tmp_path / "out"), str(tmp_path)], check=True, capture_output=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {name.removeprefix("dsl/") for name in listed}
    assert wanted <= held, wanted - held
    assert {"noether_discover/py.typed", "noether_dsl/py.typed", "noether_discover/report/page.html"} <= held
    assert any(name.startswith("noether_discover/data/examples/") for name in held)
    assert any(name.startswith("noether_discover/video/configs/") for name in held)
