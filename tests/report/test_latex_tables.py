"""The table of LaTeX: compiled by a real pdflatex in every style, in a narrow column, whatever columns are called."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from noether_dsl.dimension import PURE
from noether_dsl.text import parameter_names, parse

from noether_discover.data.headers import symbols_of
from noether_discover.discovery import Discovery
from noether_discover.errors import NoetherError, OptionError
from noether_discover.report.breaking import breakable
from noether_discover.report.latex import STYLES, citation, latex_table
from noether_discover.report.tex import COMMANDS, read_symbols, symbol_of, words
from noether_discover.report.wording import plain_law
from noether_discover.search.laws import Law, Parameter

HOSTILE = (
    r"\input{/etc/passwd}",
    "$x^2$",
    "a & b # c ~ d % e",
    "}\\end{document}",
    "汉字",
    "über",
    "`|'<>\"",
    "y" * 300,
)
PENDULUM = ("p**2 - a*cos(q)", ("p", "q"), ())
KEPLER = ("v**2 - a/norm(q)", ("q.x", "q.y", "v.x", "v.y"), ("q", "v"))
LENZ = (
    "q_x*(v_x**2 + v_y**2) - a*(q_x/sqrt(q_x**2 + q_y**2)) - v_x*(q_x*v_x + q_y*v_y)",
    ("q.x", "q.y", "v.x", "v.y"),
    (),
)
LOTKA_VOLTERRA = ("x + y - a*log(y) - b*log(x)", ("x", "y"), ())
MANY_TERMS = (
    "theta1_dot**2 + a*theta2_dot**2 + b*theta1_dot*theta2_dot*cos(theta1 - theta2) - c*cos(theta1) - d*cos(theta2) "
    "+ e*q1_x**2 + f*q1_x*omega - g*omega**2*sin(theta1)**2 + h*speed_of_sound*temperature",
    ("theta1", "theta2", "theta1_dot", "theta2_dot", "q1_x", "omega", "speed_of_sound", "temperature"),
    (),
)
WIDE_FRACTION = (
    "(x_dot**2*sin(theta) + y_dot**2*cos(theta) + x*y*z_dot)/(sqrt(x**2 + y**2 + z_dot**2 + x_dot**2 + y_dot**2)*a) "
    "- abs(x*y*theta*x_dot - z_dot*y_dot*theta*x - x_dot*y_dot + x**3*y - y**3*x + x_dot*z_dot*x*y + y*z_dot)",
    ("x", "y", "x_dot", "y_dot", "z_dot", "theta"),
    (),
)


def discovered(formula: str, titles: Sequence[str], vectors: Sequence[str] = (), *, verdict: str = "LAW") -> Discovery:
    """A discovery of one law with everything that a row can say, ranked."""
    symbols = symbols_of(titles)
    groups = {name: tuple(s for s in symbols if s.startswith(f"{name}_")) for name in vectors}
    said = parse(formula, lambda name: name in symbols, groups)
    letters = parameter_names(said)
    values = [-2.4571e-7, 735.0, 1234567.0, 0.25, 3.0, 1.5, 2.5, 9.81]
    errors = [2e-10, 18.0, 2345.0, float("inf"), 0.0, 0.1, 0.02, 0.003]
    units = ["m^3/s^2", "kg*m^2/s^2", "1", "µm", "pixel^(1/2)/s", "%", "rad", "1"]
    parameters = tuple(Parameter(*one) for one in zip(letters, values, errors, units, strict=False))
    law = Law(said, parameters, 0, PURE, verdict, "", 1e-25, 2.3e-26, 0.9, 1.1, -0.0063, 0.1, 1.0, (), p_value=3e-5)
    row = {
        "kind": "candidate", "name": "x", "law": 0, "status": "ok", "chosen": True, "test_rollout": 1.2e-5,
    }  # fmt: skip
    oracle = {**row, "kind": "oracle", "name": r"p**2 - 3*cos(q) \input{x}", "law": None, "chosen": False}
    mlp = {**oracle, "kind": "mlp", "test_rollout": None, "status": "not_finite"}
    return Discovery(
        verdict, "", (plain_law(law, dict.fromkeys(symbols, 1.0), "s"),), (row, oracle, mlp),
        {"formulas": 38001, "nodes": 7, "by_verdict": {"LAW": 1}},
        {}, {s: t for s, t in zip(symbols, titles, strict=True) if s != t},
        symbols, vectors=groups,
    )  # fmt: skip


def unranked(verdict: str, ratio: float, p: float | None) -> Discovery:
    """A pendulum's energy that no predictor was given, with these figures."""
    made = discovered(*PENDULUM, verdict=verdict)
    return replace(made, laws=({**made.laws[0], "ratio_heldout": ratio, "p_value": p},), ranking=())


def hostile() -> Discovery:
    """A sum of every hostile name."""
    return discovered(" + ".join(f"{symbol}**2" for symbol in symbols_of(HOSTILE)), HOSTILE)


EVERY: dict[str, Callable[[], Discovery]] = {
    "pendulum": lambda: discovered(*PENDULUM),
    "kepler": lambda: discovered(*KEPLER),
    "lenz": lambda: discovered(*LENZ, verdict="APPROXIMATE"),
    "lotka_volterra": lambda: discovered(*LOTKA_VOLTERRA),
    "many terms": lambda: discovered(*MANY_TERMS),
    "wide fraction": lambda: discovered(*WIDE_FRACTION, verdict="CONSTRAINT"),
    "hostile": hostile,
    "approximate": lambda: unranked("APPROXIMATE", 0.00088, None),
    "certain": lambda: unranked("LAW", 0.0, 1e-12),
    "likely": lambda: unranked("LAW", 8.2e-26, 1e-12),
    "constraint": lambda: unranked("CONSTRAINT", 0.00088, 0.012),
}


def compiled(tables: Sequence[str], packages: Sequence[str], columns: str, folder: Path) -> str:
    """What pdflatex says of a document of these tables."""
    body = "\n\\clearpage\n".join(tables)
    used = "".join(f"\\usepackage{{{name}}}\n" for name in packages)
    document = f"\\documentclass[{columns}]{{article}}\n\\usepackage[T1]{{fontenc}}\n\\usepackage{{textcomp}}\n{used}"
    (folder / "laws.tex").write_text(f"{document}\\begin{{document}}\n{body}\n\\end{{document}}\n", encoding="ascii")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "laws.tex"],
        cwd=folder, capture_output=True, text=True, check=False, encoding="latin-1",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1500:]
    return done.stdout


@pytest.mark.parametrize("style", STYLES)
def test_every_law_compiles_in_the_width_of_the_text(style: str, tmp_path: Path) -> None:
    if shutil.which("pdflatex") is None:
        pytest.skip("there is no pdflatex to compile the tables with")
    tables = [make().to_latex(style=style) for make in EVERY.values()]
    said = compiled(tables, STYLES[style].packages, "onecolumn", tmp_path)
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([0-9.]+)pt too wide\)", said)]
    assert max(wide, default=0) <= 2, said[-3000:]
    assert "invalid in math mode" not in said
    assert (tmp_path / "laws.pdf").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("name", "vector", "symbol"),
    [
        ("theta1", False, r"\theta_{1}"),
        ("q_x", False, "q_{x}"),
        ("q1_x", False, "q_{1,x}"),
        ("omega", False, r"\omega"),
        ("theta_dot", False, r"\dot{\theta}"),
        ("theta1_dot", False, r"\dot{\theta}_{1}"),
        ("q_x_dot", False, r"\dot{q}_{x}"),
        ("x_ddot", False, r"\ddot{x}"),
        ("xdot", False, r"\dot{x}"),
        ("q_dot", True, r"\dot{\mathbf{q}}"),
        ("omega", True, r"\boldsymbol{\omega}"),
        ("speed_dot", False, r"\mathrm{speed}_{\mathrm{dot}}"),
        ("dot", False, r"\mathrm{dot}"),
        ("汉字", False, ""),
        ("___", False, ""),
    ],
)
def test_names_become_symbols(name: str, vector: bool, symbol: str) -> None:
    assert symbol_of(name, vector) == symbol


def test_hostile_names_are_inert_and_told_in_the_caption() -> None:
    written = hostile().to_latex()
    assert written.isascii()
    assert r"\input" not in written
    assert written.count(r"\end{document}") == 0
    assert r"\textbackslash{}input\{/etc/passwd\}" in written
    assert "[U+6C49]" in written


@settings(max_examples=50)
@given(st.text(max_size=40))
def test_any_text_becomes_ascii_with_balanced_braces(text: str) -> None:
    written = words(text)
    bare = re.sub(r"\\(textbackslash|textless|textgreater|textbar|textquotedbl|textasciigrave|textquotesingle){}|"
                  r"\\[\^~]{}|\\[{}$&#_%]", "", written)  # fmt: skip
    assert written.isascii()
    assert not set(bare) & set("\\{}$&#_%^~")


@pytest.mark.parametrize(
    "symbol", [r"\dot\theta", r"\theta_1", r"q_{1,x}", r"\mathbf{v}_{\mathrm{rel}}", "x'", r"x^{+}_{i}", r"\vec{L}"]
)
def test_symbols_of_users_are_taken(symbol: str) -> None:
    assert read_symbols([f"omega={symbol}"]) == {"omega": symbol}
    law = discovered("omega**2 - a*cos(q)", ("omega", "q"))
    assert f"{{{symbol}}}^{{2}}" in law.to_latex(symbols={"omega": symbol})


@pytest.mark.parametrize(
    "text",
    [
        r"x=\input{a}", r"x=\write18{ls}", r"x=\def\x", "x={a", "x=a}", "x=$a$", "x=a%b", "x=a&b", "x=#1", "x=a^",
        "x=_a", "x=a_b_c", "x=a''", r"x=\dot", r"x=\theta^\dot x", "x={}", "x=", "=a", "x",
        "x=é", "x=a+b", "x=a^^4d", "x=" + "a" * 99,
        "x=~", r"x=a\\b", r"x=\theta\n",
    ],
)  # fmt: skip
def test_what_is_no_symbol_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(OptionError, match=r"--symbol") as told:
        read_symbols([text])
    assert "\n" not in str(told.value)


@given(
    st.text("ab_^'{}, +\\-", max_size=12) | st.lists(st.sampled_from(["\\dot", "{", "}", "a", "_", "^"])).map("".join)
)
def test_symbols_that_are_taken_hold_known_commands_and_balanced_braces(symbol: str) -> None:
    try:
        taken = read_symbols([f"x={symbol}"])["x"]
    except NoetherError:
        return
    assert taken.count("{") == taken.count("}")
    assert set(re.findall(r"\\([A-Za-z]+)", taken)) <= COMMANDS
    assert not re.search(r"\\[^A-Za-z]|\^\^|__|\{\}", taken)


def test_a_symbol_means_one_thing_and_belongs_to_a_column() -> None:
    law = discovered(*PENDULUM)
    for symbols, wrong in (({"q": "p"}, None), ({"p": "a"}, "a parameter"), ({"nobody": "x"}, "no column or vector")):
        if wrong is None:
            assert r"p^{2}" not in law.to_latex(symbols=symbols)
        else:
            with pytest.raises(OptionError, match=wrong):
                law.to_latex(symbols=symbols)
    with pytest.raises(OptionError, match='that is "p" already'):
        law.to_latex(symbols={"p": "x", "q": "x"})
    with pytest.raises(OptionError, match="no style"):
        law.to_latex(style="baroque")


def test_columns_and_vectors_are_renamed_by_the_names_of_the_file() -> None:
    assert r"{\vec{r}}" in discovered(*KEPLER).to_latex(symbols={"q": r"\vec{r}"})
    assert "{X_1}" in discovered(*LENZ).to_latex(symbols={"q.x": "X_1"})


def test_long_fractions_and_roots_are_written_on_the_line_and_short_ones_stay() -> None:
    assert breakable(r"\frac{a}{b} + \cos\left(q\right)") == r"\frac{a}{b} + \cos(q)"
    assert breakable(r"\frac{a + b}{c}", line=2) == r"[(a + b) \mathbin{/} (c)]"
    assert breakable(r"\sqrt{a + b}", line=2) == "[a + b]^{1/2}"
    assert breakable(r"\left|x + y\right|", line=1) == r"\lvert x + y\rvert "
    assert breakable(r"\left|x\right| - \left(\frac{a}{b}\right)") == r"\left|x\right| - \bigl(\frac{a}{b}\bigr)"


def test_the_table_has_the_p_value_and_the_verdict() -> None:
    written = discovered(*PENDULUM).to_latex()
    assert r"$3 \times 10^{-5}$ & law" in written
    assert r"\num{3e-05}" in discovered(*PENDULUM).to_latex(style="siunitx")


def test_a_run_without_laws_says_so_in_every_style() -> None:
    facts: dict[str, Any] = {
        "laws": [],
        "ranking": [],
        "searched": {"formulas": 5, "nodes": 3, "by_verdict": {"LAW": 1}},
    }
    for style in STYLES:
        assert "No conserved quantity was found." in latex_table(facts, style=style)


def test_the_citation_names_tool_and_paper() -> None:
    assert citation().count("{") == citation().count("}")
    assert "Alet, Ferran" in citation()
    assert "noether-discover" in citation()
