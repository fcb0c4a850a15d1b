"""Numbers and laws in words: how many digits, which sign, which symbol."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from noether_dsl.components import valued_components
from noether_dsl.formula import PARAMETER, Formula, fold
from noether_dsl.operators import OPERATORS
from noether_dsl.reading import latex, latex_symbol, text
from noether_dsl.text import Sentence, parse_sentence

from .tex import words


def significant(value: float, error: float) -> str:
    """A number with two digits beyond its standard error, at least 3 and at most 15: what a computer should get."""
    if value == 0 or not math.isfinite(value):
        return repr(value)
    digits = 15
    if math.isfinite(error) and error > 0:
        digits = min(max(math.ceil(math.log10(abs(value) / error)) + 2, 3), 15)
    elif not math.isfinite(error):
        digits = 6
    return f"{value:.{digits}g}"


def with_error(value: float, error: float, *, tex: bool = False) -> str:
    """A number with its standard error, as people read it: ``2.457 ± 0.007``, ``3`` where the error is negligible."""
    if not math.isfinite(value):
        return "undetermined"
    if not math.isfinite(error):  # infinite: the data do not determine it; nan: the error cannot be computed
        shown = f"{value:.4g} ({'no error' if math.isnan(error) else 'undetermined'})"
    elif error <= 1e-9 * abs(value):
        shown = f"{value:.10g}"
    else:
        place = math.floor(math.log10(error))
        decimals = max(1 - place if error / 10**place < 2 else -place, 0)
        if abs(value) >= 1e6 or abs(value) < 1e-4:
            exponent = math.floor(math.log10(abs(value)))
            inner = with_error(value / 10**exponent, error / 10**exponent, tex=tex)
            return rf"({inner}) \times 10^{{{exponent}}}" if tex else f"({inner})e{exponent}"
        shown = f"{value:.{decimals}f} {chr(92) + 'pm' if tex else '±'} {error:.{decimals}f}"
    if tex and "e" in shown and math.isfinite(error):
        mantissa, _, power = shown.partition("e")
        shown = rf"{mantissa} \times 10^{{{int(power)}}}"
    return shown


def short(value: float | None) -> str:
    """A figure for a table: three digits."""
    return "" if value is None or not math.isfinite(value) else f"{value:.2e}" if _extreme(value) else f"{value:.3g}"


def how_enforced(row: Mapping[str, Any]) -> str:
    """How a ranked law was enforced: the inner rate of its tailoring, or the share of the violation that is removed."""
    if row.get("rate") is not None:
        return f"rate {short(row['rate'])}"
    return "" if row.get("strength") is None else f"{100 * row['strength']:.0f} %"


def _extreme(value: float) -> bool:
    return value != 0 and not 1e-3 <= abs(value) < 1e5


_TWICE = re.compile(r"\((\([^()]*\))\)")
"""Parentheses in parentheses, as of a scaled column that is all of a function's argument."""


def expression(formula: Formula, numbers: Sequence[str], scales: Mapping[str, float]) -> str:
    """The formula with its numbers in, in the column symbols, readable by sympy and Python. Vectors are written by
    their components.

    scales: the factor from a column as the file has it to its coherent unit (degrees to radians), 1 for most.
    """

    if formula.vectors:
        ((formula, numbers),) = valued_components(formula, numbers)
    formula, numbers = _without_ones(formula, numbers)

    def leaf(part: Formula, number: int) -> str:
        if part.head == PARAMETER:
            return numbers[number]
        scale = scales.get(part.name, 1.0)
        return part.name if scale == 1.0 else f"({scale!r}*{part.name})"

    return _TWICE.sub(r"\1", text(formula, leaf))


def _without_ones(formula: Formula, numbers: Sequence[str]) -> tuple[Formula, tuple[str, ...]]:
    """The formula without the factors that are written 1, and the numbers that are left."""

    def leaf(part: Formula, number: int) -> tuple[Formula, tuple[str, ...]]:
        return part, (numbers[number],) if number >= 0 else ()

    def inner(part: Formula, operands: tuple[tuple[Formula, tuple[str, ...]], ...]) -> tuple[Formula, tuple[str, ...]]:
        rest = [(inside, words) for inside, words in operands if (inside.head, words) != (PARAMETER, ("1",))]
        if part.head == "mul" and len(rest) == 1:
            return rest[0]
        parts = tuple(operand for operand, _ in operands)
        return replace(part, operands=parts), tuple(word for _, words in operands for word in words)

    return fold(formula, leaf, inner)


def law_sentence(law: Mapping[str, Any]) -> Sentence:
    """A law's formula read back, as `plain_law` wrote it."""
    letters = {p["name"] for p in law["parameters"]}  # a column that the law does not use may have the same name
    return parse_sentence(law["formula"], lambda name: name not in letters, law.get("vectors", {}))


def converted(found: Mapping[str, Any]) -> dict[float, list[str]]:
    """Factors from the file's numbers to coherent units, where they are not 1, and which columns and vectors of laws
    have them. found: what `Discovery.to_json` gives."""
    scales = dict(zip(found.get("columns", ()), found.get("scales", ()), strict=False))
    factors: dict[float, list[str]] = {}
    for law in found["laws"]:
        formula = law_sentence(law).formula
        within = {symbol: name for name, group in formula.vectors.items() for symbol in group}
        for symbol in sorted(formula.inputs):
            name = within.get(symbol, symbol)
            if scales.get(symbol, 1.0) != 1.0 and name not in factors.setdefault(scales[symbol], []):
                factors[scales[symbol]].append(name)
    return factors


def latex_formula(formula: Formula, symbols: Mapping[str, str] | None = None) -> str:
    """The formula in LaTeX with letters for the parameters. symbols: LaTeX for some columns."""
    from noether_dsl.text import parameter_names

    names, chosen = parameter_names(formula), symbols or {}

    def leaf(part: Formula, number: int) -> str:
        if part.head == PARAMETER:
            return names[number]
        return chosen.get(part.name, latex_symbol(part.name, bool(part.components)))

    return latex(formula, leaf)


def latex_unit(unit: str) -> str:
    r"""A unit in LaTeX, upright: ``kg^2*m^2/s^2`` -> ``\mathrm{kg^{2}\,m^{2}\,s^{-2}}``; empty for a pure number."""
    if unit in ("", "1"):
        return ""
    above, *below = re.split(r"/(?![^(]*\))", unit)
    pieces = [_unit_power(piece, 1) for piece in above.split("*")] + [_unit_power(piece, -1) for piece in below]
    return r"\mathrm{" + r"\,".join(piece for piece in pieces if piece) + "}"


def _unit_power(piece: str, sign: int) -> str:
    base, _, power = piece.partition("^")
    power = power.strip("()") or "1"
    if sign < 0:
        power = power[1:] if power.startswith("-") else f"-{power}"
    if base == "1":
        return ""
    known = {"%": r"\%", "Ω": r"\Omega", "µm": r"\mu m"}.get(base)
    base = known or (base if base.isalpha() and base.isascii() else rf"\text{{{words(base)}}}")
    return base if power == "1" else f"{base}^{{{power}}}"


def plain_law(law: Any, scales: Mapping[str, float], time_unit: str) -> dict[str, Any]:
    """A law as JSON-able data: what ``--json`` prints and the run file keeps."""
    numbers = [significant(p.value, p.standard_error) for p in law.parameters]
    return {
        "expression": expression(law.formula, numbers, scales),
        "formula": str(law.formula),
        "vectors": {name: list(group) for name, group in law.formula.vectors.items()},
        "latex": latex_formula(law.formula),
        "unit": str(law.dimension),
        "verdict": law.verdict,
        "reason": law.reason,
        "parameters": [
            {"name": p.name, "value": p.value, "standard_error": _finite(p.standard_error), "unit": p.unit}
            for p in law.parameters
        ],
        "ratio": _finite(law.ratio),
        "ratio_heldout": _finite(law.ratio_heldout),
        "ratio_random": _finite(law.ratio_random),
        "noise_chi2": _finite(law.noise_chi2),
        "drift_per_time": _finite(law.drift),
        "drift_standard_error": _finite(law.drift_error),
        "drift_unit": f"({law.dimension})/{time_unit}" if time_unit != "1" else f"({law.dimension}) per sample",
        "time_scale": _finite(law.time_scale),
        "time_unit": time_unit,
        "spread": _finite(law.spread),
        "p_value": _finite(law.p_value),
        "library": law.library,
        "component_of": law.component_of,
        "nodes": law.formula.nodes,
        "forms": list(law.forms),
        "errors_missing": _why_no_errors(law),
        "number": law.number,
    }


def _why_no_errors(law: Any) -> str:
    """Why parameters have no standard errors though they are determined; empty where they have them."""
    if not any(math.isnan(p.standard_error) for p in law.parameters):
        return ""
    limited = [name for name in _heads(law.formula) if OPERATORS[name].inside is not None]
    return "at some measured states the law has no value" + (f" ({', '.join(sorted(limited))})" if limited else "")


def _heads(formula: Formula) -> frozenset[str]:
    """The operators in a formula."""

    def leaf(part: Formula, number: int) -> frozenset[str]:
        return frozenset()

    def inner(part: Formula, operands: tuple[frozenset[str], ...]) -> frozenset[str]:
        return frozenset({part.head}).union(*operands)

    return fold(formula, leaf, inner)


_OUTCOMES = {
    "NOT_CONSERVED": "not conserved", "TRIVIAL": "trivial", "UNDEFINED": "undefined on these data",
    "NOT_JUDGED": "not judged",
}  # fmt: skip
_HOLDING = ("LAW", "APPROXIMATE", "CONSTRAINT")


def were_judged(by_verdict: Mapping[str, int]) -> bool:
    """Whether whole formulas were, or sums of terms alone."""
    return set(by_verdict) != {"NOT_JUDGED"}


def tally_in_words(by_verdict: Mapping[str, int]) -> str:
    """What became of the whole formulas that were fitted; most of any library hold nowhere, which is no fault."""
    if by_verdict and not were_judged(by_verdict):
        return f"{by_verdict['NOT_JUDGED']:,} whole formulas were not judged beside the sums"
    total, held = sum(by_verdict.values()), sum(by_verdict.get(name, 0) for name in _HOLDING)
    if not total:
        return "no whole formula was fitted"
    others = ", ".join(f"{by_verdict[n]:,} {words}" for n, words in _OUTCOMES.items() if by_verdict.get(n))
    if not held:
        return f"{total:,} whole formulas were tried besides: {others}"
    found = f"of {total:,} whole formulas tried, {held:,} hold{'s' if held == 1 else ''}"
    return found + (f"; the others: {others}" if others else "")


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None
