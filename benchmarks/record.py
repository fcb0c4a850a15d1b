"""Where benchmarks leave what they measured: results/<claim>/, dated, with the versions and the machine."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def folder(claim: str) -> Path:
    """The claim's folder, made when it is not there."""
    place = RESULTS / claim
    place.mkdir(parents=True, exist_ok=True)
    return place


def conditions() -> dict[str, Any]:
    """When and on what it was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in ("noether-discover", "torch", "numpy", "pandas")},
    }


def keep(claim: str, measured: dict[str, Any], table: str) -> None:
    """Write results/<claim>/<claim>.json and .md, and print the table."""
    place = folder(claim)
    facts = {"conditions": conditions(), **measured}
    (place / f"{claim}.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    when = facts["conditions"]["date"]
    (place / f"{claim}.md").write_text(f"Measured on {when}; see {claim}.json.\n\n{table}", encoding="utf-8")
    print(table)
