"""A run as one HTML page: what is said, in which order. How it looks is in `page.html` and `page.css`.

Everything from a file passes through jinja's escaping. What does not is made here: MathML of formulas that the
language's own parser has read, and pictures.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from ..search.verdicts import CONSTRAINT
from .export import chance_in_words, drift_in_words
from .mathml import mathml
from .panels import Material
from .pictures.style import Panel, Table, figure, inline_svg, unit_in_print
from .screen import provenance_lines
from .wording import how_enforced, were_judged, with_error

VERDICTS: Mapping[str, tuple[str, str]] = {
    "LAW": ("Conserved", "as far as the noise lets one see"),
    "APPROXIMATE": (
        "Conserved approximately",
        "it varies far less than on random sequences, and more than noise explains",
    ),
    "CONSTRAINT": ("A constraint", "one value on all trajectories: a relation between columns, no law of the motion"),
    "NONE": ("Nothing is conserved", "of what was searched"),
    "UNDECIDED": ("Undecided", "the data cannot tell"),
    "NOT_CONSERVED": ("Not conserved", "it varies along trajectories"),
    "TRIVIAL": ("Trivial", "a mere number, or a function of columns that never change"),
    "UNDEFINED": ("Undefined", "it has no value somewhere on the data"),
    "NOT_JUDGED": ("Not judged", "sums of terms had said it all"),
}
"""Verdicts in words, and what they mean."""
NEAREST = 8
"""Formulas that came nearest to a law, where there is none."""
MOST_FORMS = 40


@dataclass(frozen=True)
class Whence:
    """Where a page's facts come from.

    run: name of the run file. origin, drawn: the run's own data, and those that the laws are drawn on. given: whether
    the reader gave those. trajectories, samples: of them. counts: (nodes, raw formulas, searched ones). reasons:
    (verdict, reason, formulas). provenance: as `RunFile.provenance`.
    """

    run: str
    origin: str
    drawn: str
    given: bool
    trajectories: int
    samples: int
    counts: Sequence[tuple[int, int, int]]
    reasons: Sequence[tuple[str, str, int]]
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A picture with its number on the page, what is said of it, and its table."""

    number: int
    title: str
    alt: str
    svg: Markup
    table: Table


class _Figures:
    """Numbers the page's pictures."""

    def __init__(self) -> None:
        self.count = 0

    def of(self, panel: Panel) -> Figure:
        self.count += 1
        title = panel.title[0].upper() + panel.title[1:]
        svg = Markup(inline_svg(panel, f"f{self.count}"))
        return Figure(self.count, title, panel.alt, svg, panel.table())


def page(material: Material, whence: Whence) -> str:
    """The whole page."""
    figures = _Figures()
    found = material.found
    laws = [_law(material, number, figures) for number in range(len(material.laws))]
    facts = {
        "found": found,
        "whence": whence,
        "data": material.data,
        "verdict": _verdict(found["verdict"]),
        "reason": found["reason"].partition(" (--")[0],  # what else could be searched is said further down
        "laws": laws,
        "judged": were_judged(found["searched"]["by_verdict"]),
        "constraints": sum(law["verdict"] == CONSTRAINT for law in material.laws),
        "pareto": figures.of(material.pareto),
        "rollouts": figures.of(material.rollouts) if material.rollouts.curves else None,
        "ranking": [_ranked(row) for row in found["ranking"]],
        "nearest": [_near(j) for j in material.pareto.nearest(NEAREST)],
        "verdicts": _by_verdict(whence.reasons),
        "completeness": _completeness(found, whence),
        "sizes": Table.of(("nodes", "formulas", "searched"), whence.counts),
        "columns": _columns(material),
        "constants": [
            (one["column"], figure(one["min"]), figure(one["max"]), unit_in_print(one["unit"]))
            for one in found.get("parameters", ())
        ],
        "window": material.window,
        "own_data": material.own_data,
        "reduced": material.data.samples < whence.samples,
        "provenance": [line.partition(": ")[::2] for line in provenance_lines(whence.provenance)],
    }
    return _template().render(facts, css=Markup(_beside("page.css")))


def _template() -> Any:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(unit=unit_in_print)
    return environment.from_string(_beside("page.html"))


def _beside(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _verdict(name: str) -> dict[str, str]:
    said, meaning = VERDICTS.get(name, (name, ""))
    return {"name": name, "said": said, "meaning": meaning}


def _law(material: Material, number: int, figures: _Figures) -> dict[str, Any]:
    """A law with its figures and pictures."""
    law = material.laws[number]
    panels = material.conservation(number)
    levels = material.levels(number)
    names = [material.data.names[d] for d in material.columns_of(number)]
    scaled = [unit.scale != 1 for d, unit in enumerate(material.data.units) if d in material.columns_of(number)]
    return {
        "number": number + 1,
        "law": law,
        "verdict": _verdict(law["verdict"]),
        "math": mathml(law["latex"], law["formula"], block=True),
        "small": mathml(law["latex"], law["formula"]),
        "unit": unit_in_print(law["unit"]),
        "heading": _heading(material, number),
        "vectors": ["{} = ({})".format(name, ", ".join(group)) for name, group in law.get("vectors", {}).items()],
        "scaled": any(scaled),
        "parameters": [_parameter(p) for p in law["parameters"]],
        "figures": _figures(law),
        "forms": law["forms"][:MOST_FORMS],
        "more_forms": max(len(law["forms"]) - MOST_FORMS, 0),
        "pictures": [figures.of(panel) for panel in panels] + ([figures.of(levels)] if levels else []),
        "undrawn": _undrawn(names, bool(panels), levels is not None),
    }


def _heading(material: Material, number: int) -> str:
    """``Law 2``, or ``The constraint`` where there is one."""
    kind = "constraint" if material.laws[number]["verdict"] == CONSTRAINT else "law"
    alone = len(material.laws) == 1
    return f"The {kind}" if alone else f"{kind.capitalize()} {number + 1}"


def _undrawn(names: Sequence[str], along: bool, levels: bool) -> str:
    """Why a picture is missing, empty where none is."""
    if not along:
        return "It has no finite value on some state of the data shown here, so that it is not drawn."
    if levels or len(names) < 2:
        return ""
    return f"It reads {len(names)} columns ({', '.join(names)}); level sets are drawn of laws that read two."


def _parameter(p: Mapping[str, Any]) -> dict[str, Any]:
    error = p["standard_error"]
    value = with_error(p["value"], float("inf") if error is None else error)
    said = "not determined by the data" if error is None else figure(error) if error > 0 else "none: it is exact"
    return {"name": mathml(p["name"], p["name"]), "value": value, "unit": unit_in_print(p["unit"]), "error": said}


def _figures(law: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Name, figure and meaning."""
    rows = [
        ("held-out ratio", figure(law["ratio_heldout"]),
         "variance along sequences that no fit saw, over variance at large; 0 is conserved, 1 is not"),
        ("ratio on all data", figure(law["ratio"]), "the same, on all data with the final parameters"),
        ("on random sequences", figure(law["ratio_random"]), "the least that it reaches where nothing is conserved"),
        ("χ², reduced", figure(law["noise_chi2"]), "variance along sequences over what noise makes; about 1 is noise"),
        ("p", chance_in_words(law), "how often the best of everything looks as good where nothing is conserved"),
        ("drift", unit_in_print(drift_in_words(law)), "change per time, with its standard error"),
    ]  # fmt: skip
    compared = law["verdict"] != CONSTRAINT  # with variance at large, which what has one value does not have
    return [row for row in rows if row[1] and (compared or ("ratio" not in row[0] and "random" not in row[0]))]


def _ranked(row: Mapping[str, Any]) -> dict[str, Any]:
    names = {"mlp": "the network alone", "control": "the network, with as much more training"}
    name = names.get(row["kind"], row["name"])
    mark = "chosen" if row["chosen"] else "" if row["status"] == "ok" else row["status"]
    number = row["law"] + 1 if row.get("law") is not None else None
    errors = [figure(row.get(key)) for key in ("train_rollout", "test_rollout", "to_control")]
    return {
        "name": name, "kind": row["kind"], "number": number, "how": how_enforced(row), "errors": errors, "mark": mark
    }  # fmt: skip


def _near(judged: tuple[int, str, str, float | None, str]) -> dict[str, Any]:
    nodes, formula, _, ratio, reason = judged
    return {"formula": formula, "nodes": nodes, "ratio": figure(ratio), "reason": reason}


def _by_verdict(reasons: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Each verdict with its number of formulas, its share of the largest, and the reasons behind it."""
    tally: Counter[str] = Counter()
    for name, _, count in reasons:
        tally[name] += count
    largest = max(tally.values(), default=1)
    return [
        {
            **_verdict(name), "count": count, "share": round(100 * count / largest, 1),
            "reasons": [(why, number) for verdict, why, number in reasons if verdict == name],
        }
        for name, count in tally.most_common()
    ]  # fmt: skip


def _completeness(found: Mapping[str, Any], whence: Whence) -> list[str]:
    """What was searched and what was not, in sentences."""
    searched, settings = found["searched"], whence.provenance["settings"]
    nodes, most = searched["nodes"], searched["max_nodes"]
    columns = ", ".join(found["columns"])
    said = [
        f"Every formula of the language with up to {nodes} nodes in {columns}, numbers with units, and the operators "
        f"{', '.join(settings['operators'])}, was written down once, up to the order of operands that commute: "
        f"{searched['formulas']:,} formulas."
    ]
    judged = sum(count for verdict, _, count in whence.reasons if verdict != "NOT_JUDGED")
    if searched["classes"] != searched["formulas"]:
        said.append(f"Formulas that are conserved together are one class; there are {searched['classes']:,} of them.")
    said.append(
        f"{judged:,} were fitted and judged."
        if judged
        else "None of them was judged, since sums of terms were found and more than two columns move: whole formulas "
        "are searched too when --max-nodes is given."
    )
    if nodes < most:
        sizes = f"{nodes + 1} to {most}" if nodes + 1 < most else str(most)
        said.append(f"Formulas of {sizes} nodes were not searched: they are too many without --max-nodes.")
    else:
        said.append(f"Formulas of more than {most} nodes were not searched, but for sums of smaller terms.")
    return said


def _columns(material: Material) -> list[dict[str, Any]]:
    data = material.data
    rows = []
    for d, (name, symbol, unit) in enumerate(zip(data.names, data.symbols, data.units, strict=True)):
        origin = data.origins[d]
        column = data.stacked[:, d]
        rows.append({
            "name": name, "symbol": symbol, "unit": unit_in_print(str(unit)), "scale": unit.scale,
            "least": figure(float(column.min())), "largest": figure(float(column.max())),
            "noise": figure(float(material.noise[d])),
            "origin": "measured" if origin is None else origin.kind + (f" of {origin.of}" if origin.of else ""),
        })  # fmt: skip
    return rows
