"""The command line on real terminals of 80 columns, in pipes and under NO_COLOR; completion; doctor."""

from __future__ import annotations

import json
import os
import pty
import re
import shlex
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete

from noether_discover import health
from noether_discover.cli.commands import group
from noether_discover.cli.completion import SYSTEMS
from noether_discover.cli.progress import rate_of
from noether_discover.cli.showing import next_commands
from noether_discover.data.systems import names

PENDULUM = Path(__file__).parents[2] / "noether_discover" / "data" / "examples" / "pendulum.csv"
TOOL = [sys.executable, "-m", "noether_discover"]
SEARCH = ["discover", str(PENDULUM), "--no-rank", "--max-nodes", "3", "--jobs", "1"]


def on_terminal(words: list[str], **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of the tool where both are real terminals of 80 columns."""
    outs = [pty.openpty() for _ in range(2)]
    for _, end in outs:
        ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR")}
    env = {**kept, "TERM": "xterm-256color", **environment}
    done = subprocess.Popen([*TOOL, *words], stdout=outs[0][1], stderr=outs[1][1], stdin=subprocess.DEVNULL, env=env)
    for _, end in outs:
        os.close(end)
    texts = ["", ""]
    import selectors

    with selectors.DefaultSelector() as ready:
        for number, (end, _) in enumerate(outs):
            ready.register(end, selectors.EVENT_READ, number)
        while ready.get_map():
            for key, _ in ready.select():
                try:
                    read = os.read(key.fd, 65536)
                except OSError:  # the other side is closed
                    read = b""
                if not read:
                    ready.unregister(key.fd)
                    os.close(key.fd)
                texts[key.data] += read.decode(errors="replace")
    return done.wait(), texts[0], texts[1]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_terminal_shows_progress_with_rate_in_eighty_columns_and_colours_the_answer() -> None:
    code, out, err = on_terminal(SEARCH)
    assert code == 0
    assert "\x1b[1;32mLAW" in out
    assert max(len(line.rstrip()) for line in plain(out).splitlines() if "noether-discover" not in line) <= 80
    rows = re.split(r"[\r\n]+", plain(err))
    assert max(map(len, rows)) <= 80
    assert any(re.search(r"fitting .*/s .*\d:\d\d:\d\d", row) for row in rows)


def test_no_color_takes_the_colours_away() -> None:
    _, out, _ = on_terminal(SEARCH, NO_COLOR="1")
    assert "LAW" in out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", out)


def test_pipes_get_no_control_characters_and_no_bars() -> None:
    done = subprocess.run([*TOOL, *SEARCH], capture_output=True, text=True)
    assert all(line == line.rstrip() for line in done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert all(c.isprintable() or c == "\n" for c in done.stdout)
    assert max(len(line) for line in done.stdout.splitlines() if "noether-discover" not in line) <= 80
    assert f"discover -o pendulum.noether {shlex.quote(str(PENDULUM))}" in done.stdout.splitlines()[-1]


def test_the_next_commands_can_be_run_as_they_stand(told: Callable[..., Any], tmp_path: Path) -> None:
    run = tmp_path / "a run.noether"
    found = told(*SEARCH, "-o", run)
    last = found.out.splitlines()[-2:]
    commands = [line[6:] for line in last]
    assert commands == next_commands(str(run), has_laws=True)
    report, export = (shlex.split(command)[1:] for command in commands)
    assert told(*export).code == 0
    assert (tmp_path / "a run.tex").read_text(encoding="utf-8").count("toprule") == 1
    assert (report[0], report[-1]) == ("report", str(tmp_path / "a run.html"))
    assert told(*shlex.split(next_commands(str(run), has_laws=False)[1])[1:]).code == 0


def test_data_check_says_what_there_is_that_it_is_good_and_what_next(told: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "two words.csv"
    file.write_text("t [s],q [rad],p\n" + "".join(f"{0.5 * i},{i % 3},{i % 5}\n" for i in range(12)))
    checked = told("data", "check", file, "--trajectory", "none", "--unit", "p=m")
    assert checked.code == 2
    assert "next:" not in checked.out
    checked = told("data", "check", file, "--unit", "p=m")
    lines = checked.out.splitlines()
    assert lines[:2] == ["1 trajectory of 12 samples", '"t" is the time [s]: 0 to 5.5, step 0.5, no gaps']
    assert lines[-2].startswith("nothing is wrong with it")
    assert lines[-1] == f"next: noether-discover discover {shlex.quote(str(file))} --unit p=m"
    assert all(line == line.rstrip() for line in lines)
    assert "next:" not in told("data", "check", file, "--json").out


def test_json_is_one_document_and_the_rest_is_on_stderr(told: Callable[..., Any], tmp_path: Path) -> None:
    found = told(*SEARCH, "--json", "-o", tmp_path / "r.noether")
    assert json.loads(found.out)["verdict"] == "LAW"
    assert "next: noether-discover report" in found.err


def test_rates_below_one_are_told_as_seconds() -> None:
    assert [rate_of(1240, 1.0), rate_of(1, 3.2), rate_of(0, 3.0)] == ["1,240/s", "3.2 s each", ""]


def completed(*words: str) -> list[str]:
    """What a shell is offered for the last of these words."""
    complete = ShellComplete(group, {}, "noether-discover", "_NOETHER_DISCOVER_COMPLETE")
    return [item.value for item in complete.get_completions(list(words[:-1]), words[-1])]


def test_systems_commands_and_choices_are_completed() -> None:
    assert tuple(names()) == SYSTEMS
    assert completed("data", "make", "kep") == [name for name in SYSTEMS if name.startswith("kep")] != []
    assert completed("disc") == ["discover"]
    assert completed("discover", "--form", "n") == ["normal"]
    assert "--max-nodes" in completed("discover", "--max")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_the_shell_s_own(told: Callable[..., Any], shell: str) -> None:
    found = told("completion", shell)
    assert found.code == 0
    assert f"_NOETHER_DISCOVER_COMPLETE={shell}_complete" in found.out


def test_completing_imports_nothing_heavy() -> None:
    program = (
        "import sys, atexit\nheavy = {'torch', 'numpy', 'pandas'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from noether_discover.cli import main\nmain()"
    )
    env = {**os.environ, "_NOETHER_DISCOVER_COMPLETE": "bash_complete", "COMP_CWORD": "3",
           "COMP_WORDS": "noether-discover data make tod"}  # fmt: skip
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env)
    assert done.stderr.strip() == "[]"
    assert done.stdout.split() == [f"plain,{name}" for name in SYSTEMS if name.startswith("tod")] != []


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["discover", PENDULUM, "--operators", "add,sine"], "sin"),
        (["discover", PENDULUM, "--oracle", "p**2 - 3*sinn(q)"], "sin"),
        (["discover", PENDULUM, "--oracle", "p**2 - 3*cos(qq)"], "q"),
        (["discover", PENDULUM, "--form", "norml"], "normal"),
        (["discover", PENDULUM, "--inputs", "qq,p"], "q"),
        (["discover", PENDULUM, "--unit", "q=radd"], "rad"),
        (["data", "make", "keplr", "-o", "x.csv"], "kepler"),
        (["docter"], "doctor"),
    ],
)
def test_a_mistyped_word_gets_a_suggestion(told: Callable[..., Any], words: list[Any], meant: str) -> None:
    found = told(*words)
    assert (found.code, len(found.errors)) == (2, 1)
    assert f'did you mean "{meant}"?' in found.errors[0]


def test_the_doctor_finds_a_law_and_none(told: Callable[..., Any]) -> None:
    found = told("doctor")
    assert (found.code, found.out.splitlines()[-1]) == (0, "all is well")
    assert max(map(len, found.out.splitlines())) <= 80
    assert "p**2 + q**2" in found.out


def test_the_doctor_tells_what_is_broken(told: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks() -> str:
        raise RuntimeError("no law")

    monkeypatch.setattr(health, "SELF_TESTS", (("finds a law", breaks),))
    monkeypatch.setattr(
        health.metadata, "requires", lambda name: ["click>=99", "nothere>=2", 'pyarrow>=1; extra == "x"']
    )
    found = told("doctor", "--json")
    assert found.code == 1
    assert json.loads(found.out)["broken"] == ["click", "nothere", "finds a law"]


def test_every_command_is_known_to_click() -> None:
    assert {"completion", "doctor"} <= set(group.list_commands(click.Context(group)))
