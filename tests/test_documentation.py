"""The documentation is built without a warning and without the network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_documentation_is_built_without_a_warning(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", str(DOCS), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "Ten minutes with a pendulum" in page
    assert "https://fonts" not in page
    assert 'id="noether_discover.discover"' in (tmp_path / "api.html").read_text(encoding="utf-8")
    assert (tmp_path / "_images" / "law.svg").is_file()
