"""Laws and discoveries as notebooks show them. Whatever comes from a file is escaped; nothing is loaded or run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from .mathml import mathml
from .wording import latex_unit, short, with_error

_LAW = Markup(
    '<div style="margin:.4em 0"><div style="font-size:1.25em;margin:.2em 0">{formula}</div>'
    "<div><b>{verdict}</b>{unit}</div>{parameters}<div>{figures}</div></div>"
)


def law_html(law: Mapping[str, Any]) -> Markup:
    """A law with its parameters and figures; the formula as MathML."""
    unit = "a pure number" if law["unit"] == "1" else law["unit"]
    rows = Markup("").join(
        Markup("<tr><td>{}</td><td>{}</td><td>{}</td></tr>").format(p["name"], _value(p), _no_one(p["unit"]))
        for p in law["parameters"]
    )
    head = Markup("<tr><th>parameter</th><th>value ± standard error</th><th>unit</th></tr>")
    figures = [
        f"{words} {short(law[key])}"
        for key, words in (("ratio_heldout", "held-out ratio"), ("noise_chi2", "reduced chi-square"))
        if law[key] is not None
    ]
    return _LAW.format(
        formula=mathml(law["latex"], law["formula"]),
        verdict=law["verdict"],
        unit=f", {unit}",
        parameters=Markup("<table>{}{}</table>").format(head, rows) if rows else "",
        figures=", ".join(figures),
    )


def discovery_html(found: Mapping[str, Any]) -> Markup:
    """The answer, the laws and, where there is one, the ranked table. found: what `Discovery.to_json` gives."""
    laws = Markup("").join(Markup("<li>{}</li>").format(law_html(law)) for law in found["laws"])
    rows = Markup("").join(
        Markup("<tr><td>{}{}</td><td>{}</td><td>{}</td></tr>").format(
            "★ " if row["chosen"] else "", row["name"], row["status"], short(row["test_rollout"])
        )
        for row in found["ranking"]
    )
    head = Markup("<tr><th>predictor</th><th>status</th><th>rollout error</th></tr>")
    return Markup("<div><div><b>{}</b>: {}</div>{}{}</div>").format(
        found["verdict"],
        found["reason"],
        Markup("<ol>{}</ol>").format(laws) if laws else Markup("<div>No conserved quantity was found.</div>"),
        Markup("<table>{}{}</table>").format(head, rows) if rows else "",
    )


def law_latex(laws: Sequence[Mapping[str, Any]]) -> str:
    """Laws as a notebook's LaTeX: each with its unit, one a line."""
    if not laws:
        return r"$\text{No conserved quantity was found.}$"
    lines = []
    for law in laws:
        unit = latex_unit(law["unit"])
        pieces = [law["latex"]]
        if unit:
            pieces.append(rf"\;\,[{unit}]")
        if law["parameters"]:
            pieces.append(r",\quad " + r",\; ".join(_tex_parameter(p) for p in law["parameters"]))
        lines.append("".join(pieces))
    body = lines[0] if len(lines) == 1 else r"\begin{gathered}" + r" \\ ".join(lines) + r"\end{gathered}"
    return rf"$\displaystyle {body}$"


def _value(p: Mapping[str, Any]) -> str:
    return with_error(p["value"], float("inf") if p["standard_error"] is None else p["standard_error"])


def _tex_parameter(p: Mapping[str, Any]) -> str:
    error = p["standard_error"]
    value = with_error(p["value"], float("inf") if error is None else error, tex=True)
    value = value.replace(" (undetermined)", r"\ \text{(undetermined)}")
    unit = latex_unit(p["unit"])
    if unit:
        value = rf"({value})\,{unit}" if r"\pm" in value else rf"{value}\,{unit}"
    return f"{p['name']} = {value}"


def _no_one(unit: str) -> str:
    return "" if unit == "1" else unit
