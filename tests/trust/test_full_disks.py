"""Places that are full, or that cannot be written: one sentence, and what was there before is there still."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest_of_trust import PROGRAM, tables

from noether_discover.runs import RunFile


def in_small_disk(
    folder: Path, kilobytes: int, script: str, read_only: bool = False
) -> subprocess.CompletedProcess[str]:
    """A shell script in which $DISK is a real file system of that size, and $RUN the command line; skips where nobody
    may mount one."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: a full disk cannot be made without mounting one")
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    words = " ".join(f"'{word}'" for word in PROGRAM)
    again = 'mount -o remount,ro "$DISK";' if read_only else ""
    setup = f'mount -t tmpfs -o size={kilobytes}k none "$DISK" || exit 77; cp good/* "$DISK"/ 2>/dev/null; {again}'
    whole = f'{setup}\nrun() {{ {words} "$@"; }}\n{script}\n'
    found = subprocess.run(
        ["unshare", "-rm", "sh", "-c", whole], cwd=folder, text=True, capture_output=True, timeout=300,
        env={**os.environ, "DISK": str(disk), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    if found.returncode == 77 or "unshare failed" in found.stderr or "Operation not permitted" in found.stderr:
        pytest.skip("nobody may mount a file system here, so that no disk can be filled")
    return found


def test_a_full_disk_is_one_sentence_and_the_run_file_stays(tmp_path: Path, pendulum_csv: Path) -> None:
    """There is room for the data and the formulas, and none for the verdicts."""
    good = tmp_path / "good"
    good.mkdir()
    shutil.copy(pendulum_csv, good)
    script = (
        'cd "$DISK"; run enumerate pendulum.csv -o run.noether > /dev/null || exit 70\n'
        "head -c 200k /dev/zero > filler; cat /dev/zero > more 2>/dev/null\n"
        "run fit run.noether --jobs 1 2> ../errors > ../out; echo $? > ../code\n"
        "rm filler more; cp run.noether ../kept.noether\n"
        "run fit run.noether --jobs 1 --resume > /dev/null 2> ../errors2; echo $? > ../code2\n"
        "cp run.noether ../whole.noether\n"
    )
    found = in_small_disk(tmp_path, 2000, script)
    assert found.returncode == 0, found.stderr
    errors = (tmp_path / "errors").read_text().splitlines()
    assert ((tmp_path / "code").read_text(), (tmp_path / "out").read_text()) == ("2\n", "")
    assert len(errors) == 1
    assert errors[0].startswith("Error: run.noether: cannot be "), errors
    assert "disk" in errors[0]
    with RunFile(tmp_path / "kept.noether") as file:
        assert file.has("enumerate")
        assert not file.has("fit")
    assert (tmp_path / "code2").read_text() == "0\n", (tmp_path / "errors2").read_text()
    assert ("fit",) in tables(tmp_path / "whole.noether")["stages"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("discover pendulum.csv --no-rank --latex table.tex --jobs 1", marks=pytest.mark.slow),
        "data make pendulum -o other.csv",
    ],
)
def test_an_export_to_a_full_disk_leaves_nothing_half(tmp_path: Path, pendulum_csv: Path, words: str) -> None:
    good = tmp_path / "good"
    good.mkdir()
    shutil.copy(pendulum_csv, good)
    script = (
        'cd "$DISK"; cat /dev/zero > filler 2>/dev/null\n'
        f"run {words} 2> ../errors > ../out; echo $? > ../code; rm filler; ls -a > ../left\n"
    )
    found = in_small_disk(tmp_path, 400, script)
    assert found.returncode == 0, found.stderr
    errors = (tmp_path / "errors").read_text().splitlines()
    assert (tmp_path / "code").read_text() == "2\n"
    assert len(errors) == 1
    assert "cannot be written (No space left on device)" in errors[0]
    assert (tmp_path / "left").read_text().split() == [".", "..", "pendulum.csv"]


@pytest.mark.slow
def test_a_place_that_is_read_only_is_one_sentence_and_can_be_read(tmp_path: Path, pendulum_csv: Path) -> None:
    good = tmp_path / "good"
    good.mkdir()
    shutil.copy(pendulum_csv, good)
    made = subprocess.run(
        [sys.executable, *PROGRAM[1:], "discover", "pendulum.csv", "-o", "run.noether", "--no-rank", "--jobs", "1"],
        cwd=good, capture_output=True, text=True,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    reading = "show run.noether", "export run.noether", "verify run.noether pendulum.csv"
    writing = (
        "fit run.noether", "discover pendulum.csv -o new.noether", "discover pendulum.csv -o run.noether",
        "export run.noether -o laws.tex",
    )  # fmt: skip
    lines = [f"run {words} > /dev/null 2>> ../read || echo {words} >> ../failed" for words in reading]
    lines += [f"run {words} >> ../out 2>> ../errors; echo $? >> ../codes" for words in writing]
    script = "\n".join(['cd "$DISK"', *lines])
    found = in_small_disk(tmp_path, 4000, script, read_only=True)
    assert found.returncode == 0, found.stderr
    assert not (tmp_path / "failed").exists(), (tmp_path / "read").read_text()
    errors = (tmp_path / "errors").read_text().splitlines()
    assert (tmp_path / "codes").read_text().split() == ["2"] * 4, errors
    assert len(errors) == 4
    assert all(line.startswith("Error: ") and "cannot be written" in line for line in errors), errors
