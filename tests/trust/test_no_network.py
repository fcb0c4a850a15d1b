"""Nothing is sent anywhere: with sockets forbidden, everything works."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys

def forbid(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        raise PermissionError(f"{event} {arguments}")

sys.addaudithook(forbid)
from noether_discover.cli import main
main()
"""


@pytest.mark.parametrize(
    "words",
    [
        "discover pendulum.csv --max-nodes 5 --steps 60 --epochs 5 --jobs 1 -o run.noether --latex table.tex",
        pytest.param("discover pendulum.csv --max-nodes 9 --no-rank --jobs 2 -o run.noether", marks=pytest.mark.slow),
    ],
)
def test_no_socket_is_opened(tmp_path: Path, pendulum_csv: Path, words: str) -> None:
    def done(line: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM, *line.split()], cwd=tmp_path, env=environment, text=True,
            capture_output=True, timeout=300,
        )  # fmt: skip

    for line in (
        words,
        "export run.noether --format json",
        "show run.noether --provenance",
        "verify run.noether pendulum.csv",
        "report run.noether -o report.html",
        "plot run.noether --kind pareto -o plot.pdf",
    ):
        found = done(line)
        assert found.returncode == 0, found.stderr
        assert "PermissionError" not in found.stderr


def test_a_run_file_names_no_scheduler(tmp_path: Path, pendulum_csv: Path) -> None:
    """Whoever can write a run file must not choose where it is computed: a scheduler's workers run code."""
    run, words = tmp_path / "run.noether", [sys.executable, "-c", PROGRAM]
    begun = subprocess.run(
        [*words, "discover", "pendulum.csv", "--no-rank", "--max-nodes", "3", "--jobs", "1", "-o", run],
        cwd=tmp_path, text=True, capture_output=True,
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    database = sqlite3.connect(run)
    ((settings,),) = database.execute("SELECT value FROM facts WHERE name = 'settings'")
    assert not {"cluster", "jobs", "memory"} & set(json.loads(settings))
    evil = json.dumps({**json.loads(settings), "cluster": "tcp://127.0.0.1:9", "jobs": 10_000, "memory": "1MB"})
    database.execute("UPDATE facts SET value = ? WHERE name = 'settings'", (evil,))
    database.commit()
    database.close()
    again = subprocess.run([*words, "fit", run, "--jobs", "1", "--quiet"], cwd=tmp_path, text=True, capture_output=True)
    assert (again.returncode, again.stderr) == (0, ""), again.stderr


def test_the_check_notices_a_socket() -> None:
    code = PROGRAM.split("from noether_discover")[0] + "import socket; socket.create_connection(('127.0.0.1', 9))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "PermissionError: socket." in found.stderr
