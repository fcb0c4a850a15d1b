r"""The ranked table in LaTeX, ready for a paper or, standalone, for pdflatex.

Every style fits the width of the text, of one column too: formulas break in a column of paragraphs, which is as wide as
the others leave it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from noether_dsl.formula import PARAMETER, Formula
from noether_dsl.reading import latex, latex_symbol
from noether_dsl.text import parameter_names

from .breaking import breakable
from .tex import symbols_for, width, words
from .wording import converted, latex_unit, law_sentence, were_judged, with_error


@dataclass(frozen=True)
class Style:
    """What a table is made of. packages: what it needs. top, middle, bottom: its rules. si: numbers by siunitx."""

    packages: tuple[str, ...]
    top: str
    middle: str
    bottom: str
    si: bool = False


STYLES = {
    "booktabs": Style(("amsmath", "booktabs"), r"\toprule", r"\midrule", r"\bottomrule"),
    "plain": Style(("amsmath",), r"\hline", r"\hline", r"\hline"),
    "siunitx": Style(("amsmath", "booktabs", "siunitx"), r"\toprule", r"\midrule", r"\bottomrule", si=True),
}
"""The first is the one that is meant when none is named."""
DEFAULT_STYLE = next(iter(STYLES))

CITATION = """\
@software{noether_discover,
  author  = {{The noether-discover developers}},
  title   = {noether-discover: conserved quantities of measured trajectories as formulas},
  version = {%s},
}

@inproceedings{alet2021noether,
  author    = {Alet, Ferran and Doblar, Dylan and Zhou, Allan and Tenenbaum, Joshua B. and Kawaguchi, Kenji and
               Finn, Chelsea},
  title     = {Noether Networks: meta-learning useful conserved quantities},
  booktitle = {Advances in Neural Information Processing Systems},
  volume    = {34},
  year      = {2021},
}
"""


def citation() -> str:
    """BibTeX of this tool, with its version, and of the paper that it builds on."""
    from importlib.metadata import version

    return CITATION % version("noether-discover")


def latex_table(
    found: Mapping[str, Any],
    *,
    standalone: bool = False,
    style: str = DEFAULT_STYLE,
    symbols: Mapping[str, str] | None = None,
) -> str:
    r"""The laws with parameters, ratio, p-value, verdict and, where they were ranked, the rollout error beside the
    baselines.

    found: what `Discovery.to_json` gives. style: of STYLES. symbols: LaTeX for columns and vectors by name, as
    `tex.read_symbols` checked it. The chosen row is marked with a star. Raises OptionError for a symbol of an unknown
    column or one that means two things.
    """
    look = STYLES[style]
    formulas = [law_sentence(law).formula for law in found["laws"]]
    leaves = dict.fromkeys(leaf for formula in formulas for leaf in _leaves(formula))
    letters = {latex_symbol(p["name"]) for law in found["laws"] for p in law["parameters"]}
    spelled, explained = symbols_for(found, symbols or {}, list(leaves), letters)
    said = [_spelled(formula, spelled) for formula in formulas]
    ranked = bool(found["ranking"])
    cells = [
        _law_cells(number, law, text, found["ranking"], look)
        for number, (law, text) in enumerate(zip(found["laws"], said, strict=True))
    ]
    baselines = [_baseline_cells(row, look) for row in found["ranking"] if row["kind"] != "candidate"]
    head = ["Conserved quantity", "Ratio", "$p$", "Verdict", *(["Rollout"] if ranked else [])]
    others = len(head) - 1
    wide = [max(len(head[k + 1]), *(_across(row[k + 1]) for row in [*cells, *baselines]), 1) for k in range(others)]
    room = sum(0.5 * letters + 0.3 for letters in wide)
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{_caption(found, explained, spelled)}}}",
        r"  \vspace{6pt}\footnotesize",
        r"  \setlength{\tabcolsep}{4pt}",
        rf"  \begin{{tabular}}{{@{{}}p{{\dimexpr\linewidth-{room:.1f}em-{8 * others}pt\relax}}{'l' * others}@{{}}}}",
        f"    {look.top}",
        f"    {' & '.join(head)} \\\\",
        f"    {look.middle}",
        *(f"    {' & '.join(row[: others + 1])} \\\\[3pt]" for row in cells),
    ]
    if not cells:
        lines.append(rf"    \multicolumn{{{others + 1}}}{{@{{}}l@{{}}}}{{No conserved quantity was found.}} \\")
    if baselines:
        lines += [f"    {look.middle}", *(f"    {' & '.join(row)} \\\\" for row in baselines)]
    lines += [f"    {look.bottom}", r"  \end{tabular}", r"\end{table}"]
    table = "\n".join(lines) + "\n"
    needs = f"% needs {', '.join(look.packages)}\n"
    return f"{_preamble(look)}{table}\\end{{document}}\n" if standalone else needs + table


def _preamble(look: Style) -> str:
    packages = "".join(f"\\usepackage{{{name}}}\n" for name in look.packages)
    return (
        "\\documentclass{article}\n\\usepackage[T1]{fontenc}\n\\usepackage{textcomp}\n"
        f"{packages}\\pagestyle{{empty}}\n\\begin{{document}}\n"
    )


def _leaves(formula: Formula) -> list[tuple[str, bool]]:
    """Names of a formula's inputs, and whether each is a vector."""
    if formula.head == PARAMETER:
        return []
    if not formula.operands:
        return [(formula.name, bool(formula.components))]
    return [leaf for operand in formula.operands for leaf in _leaves(operand)]


def _spelled(formula: Formula, symbols: Mapping[str, str]) -> str:
    names = parameter_names(formula)
    return latex(formula, lambda part, k: latex_symbol(names[k]) if part.head == PARAMETER else symbols[part.name])


def _caption(found: Mapping[str, Any], explained: Mapping[str, str], spelled: Mapping[str, str]) -> str:
    what = found["searched"]
    searched = f"{what['formulas']:,} formulas of up to {what['nodes']} nodes".replace(",", "{,}")
    if not were_judged(what["by_verdict"]):
        searched = "sums of small terms"
    marks = (
        " Rollout: error of predictions that keep the law. The star marks the law chosen by training rollouts."
        if found["ranking"]
        else ""
    )
    names = "; ".join(rf"${symbol}$ is the column ``{words(title, 40)}''" for symbol, title in explained.items())
    units = "; ".join(
        f"{', '.join(f'${spelled[name]}$' for name in names)}: the file's numbers times "
        f"${with_error(factor, 0.0, tex=True)}$"
        for factor, names in converted(found).items()
    )
    return (
        f"Quantities conserved along trajectories, among {searched}. Ratio: variance within held-out trajectories over "
        "the reference variance. $p$: how often the best of everything looks as good where nothing is conserved."
        f"{marks}{f' Here {names}.' if names else ''}"
        f"{f' In coherent units ({units}).' if units else ''}"
    )


def _law_cells(
    number: int, law: Mapping[str, Any], formula: str, ranking: list[Mapping[str, Any]], look: Style
) -> list[str]:
    row = next((r for r in ranking if r.get("law") == number), None)
    star = r"$\star$\," if row is not None and row["chosen"] else ""
    told = [_parameter(p, look) for p in law["parameters"]]
    verdict = law["verdict"].lower()
    if verdict == "approximate" and law["drift_per_time"] is not None:
        told.append(f"drift {_figure(law['drift_per_time'], look)} per time")
    under = rf"\newline {', '.join(told)}" if told else ""
    first = rf"\raggedright {star}${breakable(formula)}${under}"
    return [first, _figure(law["ratio_heldout"], look), _chance(law.get("p_value"), look), verdict, _error(row, look)]


def _error(row: Mapping[str, Any] | None, look: Style) -> str:
    if row is None:
        return "--"
    return words(row["status"], 16) if row["test_rollout"] is None else _figure(row["test_rollout"], look)


def _parameter(p: Mapping[str, Any], look: Style) -> str:
    error = float("inf") if p["standard_error"] is None else p["standard_error"]
    name, unit = latex_symbol(p["name"]), latex_unit(p["unit"])
    value = with_error(p["value"], error, tex=True)
    determined = "undetermined" not in value
    if look.si and determined:
        digits = with_error(p["value"], error).replace("±", "+-").replace("(", "").replace(")", "")
        literal = unit.removeprefix(r"\mathrm{").removesuffix("}").replace(r"\,", ".")
        said = rf"\qty{{{digits}}}{{{literal}}}" if unit else rf"\num{{{digits}}}"
        return rf"${name} =\nobreak {said}$"
    if value == "undetermined":
        value = r"\text{undetermined}"
    value = value.replace(" (undetermined)", r"\ \text{(undetermined)}")
    bare = r"\pm" in value and not value.startswith("(")
    value = value.replace(r"\pm", r"\pm\nobreak")
    shown = rf"({value})\,{unit}" if unit and bare else rf"{value}\,{unit}" if unit else value
    return rf"${name} =\nobreak {shown}$"


def _baseline_cells(row: Mapping[str, Any], look: Style) -> list[str]:
    names = {"mlp": "MLP", "control": "MLP, as many extra steps"}
    said = words(row["name"]).replace("+", r"+\allowbreak{}")
    name = names.get(row["kind"]) or rf"oracle \texttt{{{said}}}"
    return [rf"\raggedright {name}", "", "", "", _error(row, look)]


def _figure(value: float | None, look: Style) -> str:
    """A figure of two digits."""
    if value is None:
        return "--"
    shown = f"{value:.2g}"
    if look.si:
        return rf"\num{{{shown}}}"
    mantissa, _, power = shown.partition("e")
    return rf"${mantissa} \times 10^{{{int(power)}}}$" if power else f"${shown}$"


def _chance(p: float | None, look: Style) -> str:
    """A p-value of one or two digits; those that are too small to tell apart are bounded."""
    if p is None:
        return "--"
    if p < 1e-9:
        return r"\num{< 1e-9}" if look.si else "$< 10^{-9}$"
    return _figure(float(f"{p:.0e}") if p < 1e-3 else p, look)


def _across(cell: str) -> float:
    """About how many letters wide a cell of text or of one figure is."""
    number = re.fullmatch(r"\\num\{(.*?)(?:e(-?\+?\d+))?\}", cell)
    if number is not None:
        cell = rf"{number[1]} \times 10^{{{int(number[2])}}}" if number[2] else number[1]
    return width(cell.replace("$", "")) + (2 if r"\times" in cell else 1 if "<" in cell else 0)
