"""What CITATION.cff says of the project is what the package says of itself."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_the_citation_file_and_the_package_say_the_same() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = " ".join((ROOT / "CITATION.cff").read_text(encoding="utf-8").split())
    for said in (
        f"title: {project['name']}", f"version: {project['version']}", f"license: {project['license']}",
        f"name: {project['authors'][0]['name']}", project["description"].replace("'", '"'), "cff-version: 1.2.0",
    ):  # fmt: skip
        assert said in text, said
    for keyword in project["keywords"]:
        assert f"- {keyword}" in text
