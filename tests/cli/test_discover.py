"""From a file to laws in LaTeX, as a user does it."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import sympy
import torch
from noether_dsl.text import parse

from noether_discover.cli import commands
from noether_discover.data.systems import simulate
from noether_discover.data.tables import read_tables
from noether_discover.data.writing import write_csv
from noether_discover.discovery import Discovery, discover, load
from noether_discover.report.export import FORMATS
from noether_discover.report.latex import latex_table
from noether_discover.report.wording import converted, expression, latex_unit, significant, with_error

Run = Callable[..., tuple[int, str, str]]
PENDULUM = Path(__file__).parents[2] / "noether_discover" / "data" / "examples" / "pendulum.csv"


@pytest.fixture
def run(told: Callable[..., Any]) -> Run:
    """The command line in this process: exit code, stdout, stderr."""
    return lambda *words: astuple(told(*words))


@pytest.fixture(scope="module")
def ranked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with a ranking, of a small network."""
    path = tmp_path_factory.mktemp("run") / "pendulum.noether"
    discover(PENDULUM, run=path, jobs=1, steps=60, epochs=10, oracle="p**2 - 3*cos(q)")
    return path


def test_json_is_one_object_and_nothing_else(run: Run) -> None:
    code, out, err = run("discover", PENDULUM, "--no-rank", "--json", "--jobs", "1")
    answer = json.loads(out)
    assert (code, err, answer["verdict"]) == (0, "", "LAW")
    law = answer["laws"][0]
    wanted = {
        "expression", "formula", "latex", "unit", "verdict", "parameters", "ratio", "ratio_heldout", "ratio_random",
        "noise_chi2", "drift_per_time", "nodes", "forms",
    }  # fmt: skip
    assert wanted <= set(law)
    assert set(law["parameters"][0]) == {"name", "value", "standard_error", "unit"}
    assert answer["searched"]["formulas"] == 36_283
    assert {"formulas", "classes", "by_verdict"} <= set(answer["searched"])


def test_the_expression_is_conserved_when_sympy_reads_it(run: Run) -> None:
    _, out, _ = run("discover", PENDULUM, "--no-rank", "--json", "--jobs", "1")
    read = sympy.sympify(json.loads(out)["laws"][0]["expression"])
    data = read_tables([PENDULUM])
    energy = sympy.lambdify([sympy.Symbol(s) for s in data.symbols], read)
    for x_TD in data.states[:5]:
        assert np.ptp(energy(*x_TD.T)) < 1e-8


def test_degrees_and_odd_names_are_written_back(run: Run, tmp_path: Path) -> None:
    data = simulate("pendulum_hnn", seed=0)
    rows = [
        f"{k},{1000 * t},{np.rad2deg(q):.12g},{p:.12g}"
        for k, (times, x) in enumerate(zip(data.times, data.states, strict=True))
        for t, (q, p) in zip(times, x, strict=True)
    ]
    path = tmp_path / "degrees.csv"
    path.write_text("\n".join(["run,t [ms],the angle [deg],p [kg*m/s]", *rows]) + "\n")
    code, out, _ = run("discover", path, "--no-rank", "--json", "--jobs", "1")
    answer = json.loads(out)
    assert code == 0
    (symbol,) = answer["symbols"]
    assert answer["symbols"][symbol] == "the angle"
    assert list(converted(answer).values()) == [[symbol]]
    assert "the file's numbers times $0.01745329252$" in latex_table(answer)
    energy = sympy.lambdify([sympy.Symbol("p"), sympy.Symbol(symbol)], sympy.sympify(answer["laws"][0]["expression"]))
    table = np.genfromtxt(path, delimiter=",", skip_header=1)
    first = table[table[:, 0] == 0]
    assert np.ptp(energy(first[:, 3], first[:, 2])) < 1e-6


def test_nothing_conserved_is_exit_code_3(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "damped.csv"
    write_csv(simulate("damped_oscillator", seed=0), path)
    code, out, _ = run("discover", path, "--jobs", "1")
    assert code == 3
    assert out.startswith("NONE: none of")


def test_several_files_are_several_trajectories(run: Run, tmp_path: Path) -> None:
    data = simulate("spring_hnn", trajectories=12, seed=2)
    for k in range(12):
        write_csv(data.pick([k]), tmp_path / f"run{k:02d}.csv")
    code, out, _ = run("discover", *sorted(tmp_path.glob("*.csv")), "--no-rank", "--json", "--jobs", "1")
    assert code == 0
    assert json.loads(out)["laws"][0]["formula"] in ("q**2 + a*p**2", "p**2 + a*q**2")


def test_stages_run_alone_and_end_like_all_of_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run.noether"
    code, out, _ = run("enumerate", PENDULUM, "-o", path, "--max-nodes", "6")
    assert code == 0
    assert "6,126" in out
    # six nodes cannot say p^2 - a cos q, and the paper's rule knows no sums
    assert run("fit", path, "--jobs", "1", "--filter", "paper")[0] == 3
    code, out, _ = run("enumerate", PENDULUM, "-o", path)
    assert code == 0
    assert f"run file: {path} (the one before: {path}~)" in out
    assert run("fit", path, "--jobs", "1")[0] == 0
    code, out, _ = run("rank", path, "--jobs", "1", "--steps", "60", "--epochs", "10")
    assert code == 0
    assert "MLP, more steps" in out
    alone, whole = load(path), discover(PENDULUM, jobs=1, steps=60, epochs=10)
    assert alone.laws == whole.laws
    assert [{**row} for row in alone.ranking] == [{**row} for row in whole.ranking]


def test_a_finite_list_of_parameter_units(run: Run) -> None:
    code, out, _ = run(
        "discover", PENDULUM, "--no-rank", "--json", "--jobs", "1", "--parameter-units", "kg^2*m^2/s^2,1",
        "--operators", "square,cos,sub,mul",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["laws"][0]["formula"] == "p**2 - a*cos(q)"


def test_every_format_is_exported(run: Run, ranked: Path, tmp_path: Path) -> None:
    found = load(ranked)
    assert json.loads(run("export", ranked, "--format", "json")[1])["laws"] == list(found.laws)
    rows = list(csv.DictReader(io.StringIO(run("export", ranked, "--format", "csv")[1])))
    assert rows[0]["expression"] == found.laws[0]["expression"]
    assert float(rows[0]["test_rollout"]) > 0
    assert "| `p**2 - a*cos(q)` |" in run("export", ranked, "--format", "markdown")[1]
    code, _, _ = run("export", ranked, "--format", "python", "-o", tmp_path / "laws.py")
    assert code == 0
    names: dict[str, Any] = {}
    exec(compile((tmp_path / "laws.py").read_text(), "laws.py", "exec"), names)
    q, p = np.linspace(-1, 1, 5), np.linspace(0, 2, 5)
    assert np.allclose(names["law_1"](p=p, q=q), p**2 - 3 * np.cos(q))
    code, out, _ = run("export", ranked, "--format", "torch", "-o", tmp_path / "modules.py")
    assert (code, out) == (0, f"written: {tmp_path / 'modules.py'}\n")
    exec(compile((tmp_path / "modules.py").read_text(), "modules.py", "exec"), names)
    states = torch.tensor(np.stack([q, p], -1))
    assert np.allclose(names["Law1"]()(states).detach(), found.quantity()(states))


def test_the_command_line_offers_every_format() -> None:
    (option,) = (param for param in commands.export.params if param.name == "kind")
    assert isinstance(option.type, click.Choice)
    assert list(option.type.choices) == list(FORMATS)


def test_a_torch_export_does_not_import_torch(ranked: Path) -> None:
    program = (
        "import sys; from noether_discover.cli import main\n"
        "try: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    words = [sys.executable, "-c", program, "export", str(ranked), "--format", "torch"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "class Law1(torch.nn.Module):" in done.stdout
    assert done.stderr.strip() == "False"


def test_the_latex_document_compiles(run: Run, ranked: Path, tmp_path: Path) -> None:
    code, _, _ = run("export", ranked, "--format", "latex", "--standalone", "-o", tmp_path / "table.tex")
    assert code == 0
    text = (tmp_path / "table.tex").read_text()
    assert r"\toprule" in text
    assert r"$\star$" in text
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex to compile the document with")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-800:]
    assert "Overfull" not in done.stdout


def test_a_run_file_shows_what_it_holds(run: Run, ranked: Path) -> None:
    code, out, _ = run("show", ranked)
    assert code == 0
    assert "p**2 - a*cos(q)" in out
    assert max(map(len, out.splitlines())) <= 80
    assert json.loads(run("show", ranked, "--json")[1])["verdict"] == "LAW"
    _, out, _ = run("show", ranked, "--reasons")
    numbers = [
        int(word.replace(",", "")) for line in out.splitlines() for word in line.split()[1:2] if word[0].isdigit()
    ]
    assert sum(numbers) == load(ranked).searched["classes"]


def test_python_says_what_the_command_line_says(ranked: Path) -> None:
    found = load(ranked)
    assert isinstance(found, Discovery)
    assert list(found.to_frame()["expression"]) == [law["expression"] for law in found.laws]
    data = read_tables([PENDULUM])
    assert np.ptp(found.quantity()(data.states[0])) < 1e-8
    assert r"\begin{tabular}" in found.to_latex()


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (2.4571, 0.0072, "2.457 ± 0.007"), (2.4571, 0.013, "2.457 ± 0.013"), (3.0, 1e-14, "3"),
        (-0.0155, 0.00078, "-0.0155 ± 0.0008"), (735.0, 18.0, "735 ± 18"), (2.9591e-6, 3e-9, "(2.959 ± 0.003)e-6"),
        (1.0, float("inf"), "1 (undetermined)"),
    ],
)  # fmt: skip
def test_numbers_carry_their_errors(value: float, error: float, words: str) -> None:
    assert with_error(value, error) == words


def test_numbers_for_computers_keep_two_digits_beyond_their_error() -> None:
    assert significant(2.45712345, 0.007) == "2.4571"
    assert float(significant(3.0000000000001, 1e-15)) == 3.0000000000001


def test_units_and_expressions() -> None:
    assert latex_unit("kg^2*m^2/s^2") == r"\mathrm{kg^{2}\,m^{2}\,s^{-2}}"
    assert latex_unit("pixel^(1/2)/s") == r"\mathrm{pixel^{1/2}\,s^{-1}}"
    assert latex_unit("1") == ""
    formula = parse("p**2 - a*cos(q)", ["p", "q"])
    assert expression(formula, ["-3"], {"q": 0.5}) == "p**2 - (-3)*cos(0.5*q)"
