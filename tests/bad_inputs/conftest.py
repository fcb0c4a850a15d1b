"""The command line in this process, for input that may do anything: what it says, and that it comes to an end."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

LONGEST = 20
"""Seconds that a refusal may take, imports included; beyond, it hangs."""


@dataclass(frozen=True)
class Outcome:
    """What one command left: its exit code, what it wrote, and the traceback of what nobody caught."""

    code: int | None
    out: str
    err: str
    traceback: str

    @property
    def errors(self) -> list[str]:
        """The lines of stderr without notes and click's two lines of usage."""
        return [line for line in self.err.splitlines() if line and not line.startswith(("Usage: ", "Try '", "note: "))]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current directory. What a case took the rights from is given them again at the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for path in tmp_path.iterdir():
        if not path.is_symlink():
            path.chmod(0o755)


@pytest.fixture
def outcome(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the entry point with these words, and stops it when it hangs."""
    from noether_discover.cli import main

    def late(*_: object) -> None:
        raise AssertionError(f"it hangs: no end after {LONGEST} s")

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["noether-discover", *map(str, words)])
        capsys.readouterr()
        code, said = None, ""
        before = signal.signal(signal.SIGALRM, late)
        signal.alarm(LONGEST)
        try:
            main()
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else None
        except BaseException:
            said = traceback.format_exc()
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, before)
        written = capsys.readouterr()
        return Outcome(code, written.out, written.err, said)

    return run
