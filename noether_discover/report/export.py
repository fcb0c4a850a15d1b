"""The exports of a run. Each takes what `Discovery.to_json` gives."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from typing import Any

from .code import to_python, to_torch
from .latex import latex_table
from .wording import how_enforced, short, with_error

Found = Mapping[str, Any]


def to_json(found: Found) -> str:
    """The whole discovery as one JSON object."""
    same = {name: value for name, value in found.items() if name != "seconds"}  # those are of one day and one machine
    return json.dumps(same, indent=2, ensure_ascii=False) + "\n"


def to_csv(found: Found) -> str:
    """One row per law: expression, unit, verdict, figures, parameters, and its rank's errors."""
    table = io.StringIO()
    figures = ("ratio", "ratio_heldout", "ratio_random", "noise_chi2", "p_value", "drift_per_time")
    errors = ("rate", "strength", "train_rollout", "test_rollout", "status", "chosen")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["expression", "formula", "unit", "verdict", "nodes", *figures, "parameters", *errors])
    for number, law in enumerate(found["laws"]):
        row = _rank_of(number, found)
        parameters = "; ".join(
            f"{p['name']} = {p['value']!r} +- {p['standard_error']!r} {p['unit']}" for p in law["parameters"]
        )
        writer.writerow(
            [law["expression"], law["formula"], law["unit"], law["verdict"], law["nodes"]]
            + [law.get(name) for name in figures]
            + [parameters]
            + [row.get(name, "") for name in errors]
        )
    return table.getvalue()


def to_markdown(found: Found) -> str:
    """The laws and the ranking as Markdown tables."""
    lines = [f"**{found['verdict']}**: {found['reason']}.", ""]
    lines += ["| law | parameters | unit | ratio (held out) | p | verdict | drift |", "|---|---|---|---|---|---|---|"]
    for law in found["laws"]:
        cells = [f"`{law['formula']}`", parameters_in_words(law), law["unit"], short(law["ratio_heldout"])]
        cells.append(chance_in_words(law))
        lines.append("| " + " | ".join([*cells, law["verdict"], drift_in_words(law)]) + " |")
    if found["ranking"]:
        lines += [
            "",
            "| predictor | enforced | train rollout | test rollout | / control | |",
            "|---|---|---|---|---|---|",
        ]
        for row in found["ranking"]:
            name = row["name"] if row.get("law") is None else f"`{found['laws'][row['law']]['formula']}`"
            cells = [name, how_enforced(row), short(row["train_rollout"]), short(row["test_rollout"])]
            mark = "chosen" if row["chosen"] else "" if row["status"] == "ok" else row["status"]
            lines.append("| " + " | ".join([*cells, short(row["to_control"]), mark]) + " |")
    if found.get("parameters"):
        lines += ["", f"Constant along each trajectory: {constants_in_words(found)}."]
    return "\n".join(lines) + "\n"


def constants_in_words(found: Found) -> str:
    """``m (1 to 2 kg), px (-0.3 to 0.4 kg*m/s)``."""
    words = []
    for one in found["parameters"]:
        unit = "" if one["unit"] == "1" else f" {one['unit']}"
        words.append(f"{one['column']} ({short(one['min'])} to {short(one['max'])}{unit})")
    return ", ".join(words)


def _rank_of(number: int, found: Found) -> Mapping[str, Any]:
    return next((row for row in found["ranking"] if row.get("law") == number), {})


def parameters_in_words(law: Mapping[str, Any]) -> str:
    """``a = 2.457 ± 0.007 rad^2/s^2``."""
    words = []
    missing = float("nan") if law.get("errors_missing") else float("inf")
    for p in law["parameters"]:
        error = p["standard_error"]
        unit = "" if p["unit"] == "1" else f" {p['unit']}"
        words.append(f"{p['name']} = {with_error(p['value'], missing if error is None else error)}{unit}")
    return ", ".join(words)


def chance_in_words(law: Mapping[str, Any]) -> str:
    """How often the best of everything looks as good where nothing is conserved: one digit, empty where not asked."""
    p = law.get("p_value")
    if p is None:
        return ""
    return "< 1e-9" if p < 1e-9 else f"{p:.0e}" if p < 1e-3 else f"{p:.2g}"


def drift_in_words(law: Mapping[str, Any]) -> str:
    """The drift of an approximate law with its error and, where it is seen, its time scale; empty for the others."""
    if law["verdict"] != "APPROXIMATE" or law["drift_per_time"] is None:
        return ""
    rate = f"{with_error(law['drift_per_time'], law['drift_standard_error'] or 0.0)} {law['drift_unit']}"
    if law.get("time_scale") is None:
        return rate
    unit = "samples" if law["time_unit"] == "1" else law["time_unit"]
    return f"{rate}, time scale {short(law['time_scale'])} {unit}"


FORMATS: dict[str, tuple[str, Callable[[Found], str]]] = {
    "latex": ("tex", latex_table),
    "csv": ("csv", to_csv),
    "json": ("json", to_json),
    "markdown": ("md", to_markdown),
    "python": ("py", to_python),
    "torch": ("py", to_torch),
}
"""Format -> file ending and writer."""
