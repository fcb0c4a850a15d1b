"""The command line in this process: what it prints and the code it exits with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Told:
    """What one command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of stderr without click's two lines of usage."""
        return [line for line in self.err.splitlines() if line and not line.startswith(("Usage: ", "Try '"))]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Runs the entry point with these words."""
    from noether_discover.cli import main

    def run(*words: object) -> Told:
        monkeypatch.setattr(sys, "argv", ["noether-discover", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        written = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Told(stop.value.code, written.out, written.err)

    return run
