"""The script for Slurm that docs/scaling.md shows is Python, and asks Slurm for what it says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "scaling.md").read_text(encoding="utf-8")
SCRIPT = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[0]


def call_of_cluster() -> ast.Call:
    calls = [node for node in ast.walk(ast.parse(SCRIPT)) if isinstance(node, ast.Call)]
    return next(call for call in calls if ast.unparse(call.func) == "SLURMCluster")


def test_its_command_line_is_one_that_the_program_has() -> None:
    from noether_discover.cli.commands import discover

    known = {option for parameter in discover.params for option in parameter.opts + parameter.secondary_opts}
    lines = [node for node in ast.walk(ast.parse(SCRIPT)) if isinstance(node, ast.List)]
    words = next(line for line in lines if ast.unparse(line.elts[0]) == "'discover'").elts
    options = [word.value for word in words if isinstance(word, ast.Constant) and str(word.value).startswith("-")]
    assert options == ["--max-nodes", "-o", "--resume", "--cluster"]
    assert set(options) <= known


def test_slurm_is_asked_for_jobs_of_one_thread_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed; only the documents need it")
    monkeypatch.chdir(tmp_path)
    facts = {word.arg: ast.literal_eval(word.value) for word in call_of_cluster().keywords}
    facts.pop("interface")  # a network that this machine need not have
    job = jobqueue.slurm.SLURMJob("tcp://10.0.0.1:8786", name="noether", **facts)
    script = job.job_script()
    for line in ("#SBATCH -p compute", "#SBATCH -A my-account", "#SBATCH --cpus-per-task=16", "#SBATCH -t 04:00:00"):
        assert line in script
    assert "--nthreads 1" in script
    assert "--nworkers 16" in script
    assert "export OMP_NUM_THREADS=1" in script
