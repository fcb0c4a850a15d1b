"""What a run file may hold. It may come from anybody: what is read from it is checked before it is believed.

A law's text ends in tables, in LaTeX and in code that people run. So nothing derived is taken from the file: the
formula is parsed by the language's own parser, and what follows from it must be what stands there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from noether_dsl.dimension import Dimension
from noether_dsl.operators import OPERATORS
from noether_dsl.units import Unit, read_unit

from .report.wording import expression, latex_formula, law_sentence, significant
from .search.verdicts import APPROXIMATE, CONSTRAINT, LAW

_EXPONENT = re.compile(r"-?\d{1,4}(/\d{1,4})?")
_FIGURES = (
    "ratio", "ratio_heldout", "ratio_random", "noise_chi2", "drift_per_time", "drift_standard_error", "time_scale",
    "spread", "p_value",
)  # fmt: skip
_WORDS = ("reason", "library", "drift_unit", "time_unit")


def unit_of(facts: Mapping[str, Any]) -> Unit:
    """A unit from its exponents and scale. Raises ValueError or TypeError for what is none."""
    exponents = {}
    for base, power in facts["exponents"].items():
        _require(isinstance(power, str) and _EXPONENT.fullmatch(power) is not None, f"{power!r} is no exponent")
        _require(isinstance(base, str) and base.isprintable() and len(base) < 50, "a unit has no name")
        exponents[base] = Fraction(power)
    scale = facts["scale"]
    _require(isinstance(scale, float | int) and math.isfinite(scale) and scale > 0, f"{scale!r} is no scale")
    return Unit(Dimension.of(exponents), float(scale))


def check_columns(names: Sequence[Any], symbols: Sequence[Any]) -> None:
    """Columns have names, and symbols that formulas can use."""
    _require(len(names) == len(symbols) > 0, "there are no columns")
    _require(all(isinstance(name, str) for name in names), "a column has no name")
    for symbol in symbols:
        _require(isinstance(symbol, str) and symbol.isidentifier(), f"{symbol!r} is no symbol of a column")
    _require(len(set(symbols)) == len(symbols), "two columns have one symbol")


def checked_law(
    law: Any, scales: Mapping[str, float], vectors: Mapping[str, Sequence[str]] | None = None
) -> dict[str, Any]:
    """A law as `report.wording.plain_law` wrote it. scales: of the columns, by symbol. vectors: of the data, by name.
    How the formula is spelled, as an expression and in LaTeX, is made anew, as this version spells it.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    _require(isinstance(law, dict), "a law is no table of facts")
    for parameter in law["parameters"]:
        name, error = parameter["name"], parameter["standard_error"]
        _require(isinstance(name, str) and name.isidentifier() and name not in OPERATORS, f"{name!r} is no parameter")
        _require(_is_number(parameter["value"]), f"the parameter {name} has no value")
        _require(error is None or _is_number(error), f"the parameter {name} has no error")
        read_unit(parameter["unit"])
    for name, group in law.get("vectors", {}).items():
        _require(name.isidentifier() and set(group) <= set(scales), f"{name!r} is no vector of columns")
    said = law_sentence(law)
    used = {name for part in (said.formula.inputs, *law.get("vectors", {}).values()) for name in part}
    _require(used <= set(scales), f"the law knows {', '.join(sorted(used - set(scales)))}, which is no column")
    read_unit(law["unit"])
    _require(law["verdict"] in (LAW, APPROXIMATE, CONSTRAINT), f"{law['verdict']!r} is no verdict of a law")
    for figure in _FIGURES:
        _require(law[figure] is None or _is_number(law[figure]), f"the {figure} of a law is no number")
    for word in _WORDS:
        _require(isinstance(law[word], str) and law[word].isprintable(), f"the {word} of a law is no text")
    why = law.get("errors_missing", "")  # older files do not say
    _require(isinstance(why, str) and why.isprintable(), "why a law has no errors is no text")
    for text in (*law["forms"], *([law["component_of"]] if law["component_of"] else [])):
        law_sentence({**law, "formula": text, "parameters": [], "vectors": {**(vectors or {}), **law["vectors"]}})
    values = [p["value"] for p in law["parameters"]]
    errors = [math.inf if p["standard_error"] is None else p["standard_error"] for p in law["parameters"]]
    numbers = [significant(value, error) for value, error in zip(values, errors, strict=True)]
    return {**law, "latex": latex_formula(said.formula), "expression": expression(said.formula, numbers, scales)}


def checked_answer(facts: Any) -> dict[str, Any]:
    """What a fit answered: verdict, reason and how many formulas ended with which verdict.

    Raises ValueError, TypeError or KeyError for anything else, as the other checks do.
    """
    _require(set(facts) == {"verdict", "reason", "by_verdict"}, "the answer is no table of its facts")
    _require(_is_text(facts["verdict"]) and _is_text(facts["reason"]), "the answer is no text")
    for verdict, number in facts["by_verdict"].items():
        _require(_is_text(verdict) and type(number) is int, "the answer counts no formulas")
    return facts


def checked_provenance(facts: dict[str, Any]) -> dict[str, Any]:
    """Where a run came from, as far as pages and screens show it."""
    machine, versions = facts["machine"], facts["versions"]
    texts = [facts["begun"], facts["data_digest"], machine["name"], machine["system"], *versions, *versions.values()]
    for name in ("command", "sources"):
        _require(isinstance(facts[name], list), f"the {name} is no list")
        texts += facts[name]
    _require(all(isinstance(text, str) for text in texts), "the provenance is no text")
    _require(isinstance(facts["reading"], dict), "how the data were read is no table of facts")
    return facts


_KINDS = ("mlp", "control", "candidate", "oracle")
_ERRORS = ("rate", "strength", "enforced_train_loss", "train_rollout", "test_rollout", "train_rmse", "test_rmse",
           "to_control")  # fmt: skip


def checked_row(row: Any, laws: int) -> dict[str, Any]:
    """A row of the ranked table. laws: how many there are.

    Raises ValueError, TypeError or KeyError for anything else.
    """
    _require(isinstance(row, dict), "a row of the ranking is no table of facts")
    _require(isinstance(row["name"], str) and row["name"].isprintable(), "a ranked predictor has no name")
    _require(row["kind"] in _KINDS, f"{row['kind']!r} is no kind of predictor")
    _require(isinstance(row["status"], str) and isinstance(row["chosen"], bool), "a ranked predictor has no status")
    for error in _ERRORS:
        _require(row.get(error) is None or _is_number(row[error]), f"the {error} of a ranked predictor is no number")
    for time, error in row.get("over_time", ()):
        _require(_is_number(time) and _is_number(error), "an error over time is no number")
    law = row.get("law")
    _require(law is None or (type(law) is int and 0 <= law < laws), "a ranked law has no number among the laws")
    return row


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def text_of(value: Any) -> str:
    """Text; ValueError for anything else."""
    _require(isinstance(value, str), f"text was expected, not {type(value).__name__}")
    return str(value)


def whole_of(value: Any) -> int:
    """A whole number; ValueError for anything else."""
    _require(type(value) is int, f"a whole number was expected, not {type(value).__name__}")
    return int(value)


def number_of(value: Any) -> float:
    """A finite number; ValueError for anything else."""
    _require(_is_number(value), f"a number was expected, not {type(value).__name__}")
    return float(value)
