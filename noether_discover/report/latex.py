"""The ranked table in LaTeX: booktabs, ready for a paper or, standalone, for pdflatex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .wording import latex_unit, with_error

_PREAMBLE = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{amsmath}
\usepackage{booktabs}
\usepackage[margin=2cm,landscape]{geometry}
\setlength{\belowcaptionskip}{8pt}
\pagestyle{empty}
\begin{document}
"""


def latex_table(found: Mapping[str, Any], *, standalone: bool = False) -> str:
    """The laws with parameters, ratio, verdict and, where they were ranked, the rollout error beside the baselines.

    found: what `Discovery.to_json` gives. The chosen row is marked with a star.
    """
    rows = [_law_row(number, law, found["ranking"]) for number, law in enumerate(found["laws"])]
    if not rows:
        rows = [r"\multicolumn{5}{l}{No conserved quantity was found.} \\"]
    baselines = [row for row in found["ranking"] if row["kind"] != "candidate"]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_caption(found)}}}",
        r"  \begin{tabular}{lllll}",
        r"    \toprule",
        r"    Conserved quantity & Parameters & Ratio & Verdict & Rollout error \\",
        r"    \midrule",
        *(f"    {row}" for row in rows),
    ]
    if baselines:
        lines += [r"    \midrule", *(f"    {_baseline_row(row)}" for row in baselines)]
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    table = "\n".join(lines) + "\n"
    return f"{_PREAMBLE}{table}\\end{{document}}\n" if standalone else table


def _caption(found: Mapping[str, Any]) -> str:
    what = found["searched"]
    searched = f"{what['formulas']:,} formulas of up to {what['nodes']} nodes".replace(",", "{,}")
    marks = " The star marks the law chosen by training rollouts." if found["ranking"] else ""
    return (
        f"Quantities conserved along trajectories, among {searched}. Ratio: variance within held-out trajectories over "
        f"the reference variance.{marks}"
    )


def _law_row(number: int, law: Mapping[str, Any], ranking: list[Mapping[str, Any]]) -> str:
    row = next((r for r in ranking if r.get("law") == number), None)
    error, star = "--", ""
    if row is not None:
        error = row["status"] if row["test_rollout"] is None else f"${_number(row['test_rollout'])}$"
        star = r"$\star$\," if row["chosen"] else ""
    parameters = ", ".join(_parameter(p) for p in law["parameters"]) or "--"
    verdict = law["verdict"].lower()
    if verdict == "approximate" and law["drift_per_time"] is not None:
        verdict += rf" (drift ${_number(law['drift_per_time'])}$ per time)"
    return rf"{star}${law['latex']}$ & {parameters} & ${_number(law['ratio_heldout'])}$ & {verdict} & {error} \\"


def _parameter(p: Mapping[str, Any]) -> str:
    error = p["standard_error"]
    value = with_error(p["value"], float("inf") if error is None else error, tex=True).replace(
        " (undetermined)", r"\ \text{(undetermined)}"
    )
    unit = latex_unit(p["unit"])
    shown = rf"({value})\,{unit}" if unit and r"\pm" in value else rf"{value}\,{unit}" if unit else value
    return rf"${p['name']} = {shown}$"


def _baseline_row(row: Mapping[str, Any]) -> str:
    names = {"mlp": "MLP", "control": "MLP, as many extra steps"}
    name = names.get(row["kind"]) or rf"oracle \texttt{{{_verbatim(row['name'])}}}"
    error = row["status"] if row["test_rollout"] is None else f"${_number(row['test_rollout'])}$"
    return rf"{name} & & & & {error} \\"


def _verbatim(text: str) -> str:
    return "".join({"_": r"\_", "^": r"\^{}", "&": r"\&", "%": r"\%", "#": r"\#"}.get(c, c) for c in text)


def _number(value: float | None) -> str:
    if value is None:
        return r"\text{--}"
    shown = f"{value:.2g}"
    mantissa, _, power = shown.partition("e")
    return rf"{mantissa} \times 10^{{{int(power)}}}" if power else shown
