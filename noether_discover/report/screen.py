"""What a terminal shows: tables that fit 80 columns."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from .export import chance_in_words, constants_in_words, drift_in_words, parameters_in_words
from .ordering import ordered_formula
from .wording import converted, how_enforced, short, tally_in_words

if TYPE_CHECKING:
    from rich.console import RenderableType


def answer_table(found: Mapping[str, Any]) -> list[RenderableType]:
    """Verdict and reason, the laws, the ranking, and what was searched."""
    from rich.text import Text

    colour = {"LAW": "bold green", "APPROXIMATE": "bold yellow"}.get(found["verdict"], "bold")
    shown: list[RenderableType] = [Text.assemble((found["verdict"], colour), f": {found['reason']}.")]
    if found["laws"]:
        shown.append(_laws(found["laws"]))
    if found["ranking"]:
        shown.append(_ranking(found["ranking"], found["laws"]))
    if found.get("parameters"):
        shown.append(Text(f"constant along each trajectory, no law of the motion: {constants_in_words(found)}"))
    if any(law.get("errors_missing") for law in found["laws"]):
        why = next(law["errors_missing"] for law in found["laws"] if law.get("errors_missing"))
        shown.append(Text(f"no error: {why}, so that no standard error can be computed there", style="dim"))
    shown.append(Text(tally_in_words(found["searched"]["by_verdict"]), style="dim"))
    if factors := converted(found):
        said = "; ".join(
            f"{', '.join(names)}: the file's numbers times {factor:.6g}" for factor, names in factors.items()
        )
        shown.append(Text(f"in coherent units ({said})", style="dim"))
    if found.get("symbols"):
        renamed = ", ".join(f"{symbol} is {name}" for symbol, name in found["symbols"].items())
        shown.append(Text(f"symbols: {renamed}", style="dim"))
    if found.get("vectors"):
        groups = "; ".join(f"{name} is ({', '.join(group)})" for name, group in found["vectors"].items())
        shown.append(Text(f"vectors: {groups}", style="dim"))
    return shown


def _laws(laws: Sequence[Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table

    table = Table(box=_box(), pad_edge=False)
    table.add_column("law", overflow="fold", ratio=3)
    table.add_column("parameters", overflow="fold", ratio=3)
    table.add_column("held-out ratio", justify="right", max_width=9)
    table.add_column("chi2", justify="right")
    significant = any(law.get("p_value") is not None for law in laws)
    if significant:
        table.add_column("p", justify="right")
    table.add_column("verdict", overflow="fold")
    for law in laws:
        verdict = law["verdict"] + (f"\ndrift {drift}" if (drift := drift_in_words(law)) else "")
        formula = ordered_formula(law)
        parameters = parameters_in_words({**law, "parameters": _as_read(law, formula)}).replace(", ", "\n") or "none"
        unit = "no unit" if law["unit"] == "1" else f"in {law['unit']}"
        whole = f"one of {law['component_of']}, " if law.get("component_of") else ""
        words = f"{formula}\n[dim]{whole}{unit}" + (
            f", {len(law['forms'])} more form{'s' * (len(law['forms']) > 1)}" if law["forms"] else ""
        )
        figures = [short(law["ratio_heldout"]), short(law["noise_chi2"])]
        if significant:
            figures.append(chance_in_words(law))
        table.add_row(words, parameters, *figures, verdict)
    return table


def _as_read(law: Mapping[str, Any], formula: str) -> list[Mapping[str, Any]]:
    """The law's parameters in the order in which the shown formula has them."""
    places = {word[0]: word.start() for word in reversed(list(re.finditer(r"\w+", formula)))}
    return sorted(law["parameters"], key=lambda p: places.get(p["name"], len(formula)))


def _ranking(rows: Sequence[Mapping[str, Any]], laws: Sequence[Mapping[str, Any]]) -> RenderableType:
    from rich.table import Table

    table = Table(
        title="ranked by what enforcing it does for a learned predictor",
        title_justify="left",
        box=_box(),
        pad_edge=False,
    )
    table.add_column("predictor", overflow="fold", ratio=3)
    for name in ("enforced", "train rollout", "test rollout", "/ control"):
        table.add_column(name, justify="right", max_width=9)
    table.add_column("")
    names = {"mlp": "MLP", "control": "MLP, more steps"}
    for row in rows:
        name = ordered_formula(laws[row["law"]]) if row.get("law") is not None else names.get(row["kind"], row["name"])
        name = f"oracle {name}" if row["kind"] == "oracle" else name
        mark = "chosen" if row["chosen"] else "" if row["status"] == "ok" else row["status"]
        table.add_row(
            name, how_enforced(row), short(row["train_rollout"]), short(row["test_rollout"]),
            short(row["to_control"]), mark,
        )  # fmt: skip
    return table


def counts_table(counts: Sequence[tuple[int, int, int]], form: str) -> RenderableType:
    """Formulas by number of nodes."""
    from rich.table import Table

    table = Table(box=_box(), pad_edge=False)
    second = "normal form" if form == "normal" else "searched"
    for name in ("nodes", "formulas (raw)", "up to here", second):
        table.add_column(name, justify="right")
    total = 0
    for nodes, raw, searched in counts:
        total += raw
        table.add_row(str(nodes), f"{raw:,}", f"{total:,}", f"{searched:,}")
    return table


def reasons_table(reasons: Sequence[tuple[str, str, int]]) -> RenderableType:
    """How many formulas ended with which verdict, and why."""
    from rich.table import Table

    table = Table(box=_box(), pad_edge=False)
    table.add_column("verdict")
    table.add_column("formulas", justify="right")
    table.add_column("reason", overflow="fold")
    for verdict, reason, number in reasons:
        table.add_row(verdict, f"{number:,}", reason)
    return table


def provenance_lines(facts: Mapping[str, Any]) -> list[str]:
    """Where a run came from, a fact a line."""
    words = " ".join(["noether-discover", *facts["command"]])
    machine, seconds = facts["machine"], facts["seconds"]
    lines = [
        f"command: {words}",
        f"begun: {facts['begun']}",
        f"data: {', '.join(facts['sources'])}",
        f"digest of the data: sha256 {facts['data_digest']}",
        f"seed: {facts['seed']}",
        "versions: " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        f"machine: {machine['name']}, {machine['system']}, {machine['processors']} processors",
        "seconds: " + (", ".join(f"{stage} {time:.1f}" for stage, time in seconds.items()) or "no stage is finished"),
    ]
    chosen = [("settings", facts["settings"]), ("how it was read", facts["reading"])]
    return lines + [f"{name}: " + ", ".join(f"{k} {_plainly(v)}" for k, v in found.items()) for name, found in chosen]


def _plainly(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{k}={_plainly(v)}" for k, v in value.items()) or "none"
    return "none" if value is None else str(value)


def verification_table(found: Mapping[str, Any]) -> list[RenderableType]:
    """What `verify` found: each law's figures as reported and as computed now."""
    from rich.table import Table
    from rich.text import Text

    data = "the run's own data" if found["same_data"] else "other data than the run's"
    words = "every law holds" if found["holds"] else "not every law holds"
    if not found["laws"]:
        return [Text(f"the run reports no law; these are {data}")]
    table = Table(box=_box(), pad_edge=False)
    table.add_column("law", overflow="fold", ratio=3)
    for name in ("figure", "reported", "now"):
        table.add_column(name, justify="left" if name == "figure" else "right")
    table.add_column("holds", overflow="fold", ratio=2)
    for law in found["laws"]:
        for i, figure in enumerate(law["figures"]):
            says = "yes" if law["holds"] else f"no: {law['reason']}"
            table.add_row(
                f"{law['formula']}\n{law['verdict']}" if not i else "",
                figure["name"].replace("_", " "), short(figure["reported"]), short(figure["now"]), "" if i else says,
            )  # fmt: skip
    return [Text(f"{words}, on {data}"), table]


def _box() -> Any:
    from rich import box

    return box.SIMPLE_HEAD


def data_summary(summary: Mapping[str, Any]) -> list[RenderableType]:
    """What `data check` found: sizes, steps, columns."""
    from rich.table import Table
    from rich.text import Text

    time, gaps = summary["time"], summary["time"]["gaps"]
    many = summary["trajectories"]
    lines = [f"{many:,} trajector{'y' if many == 1 else 'ies'} of {_spread(summary['lengths'], _whole)} samples"]
    if time["name"] is None:
        lines.append("no time column: samples are numbered")
    else:
        unit = "" if time["unit"] == "1" else f" [{time['unit']}]"
        told = f"{gaps:,} gap{'s' if gaps > 1 else ''}" if gaps else "no gaps"
        lines.append(
            f'"{time["name"]}" is the time{unit}: {short(time["start"])} to {short(time["end"])}, step '
            f"{_spread(time['step'])}, {told}"
        )
    table = Table(box=_box(), pad_edge=False)
    renamed = any(column["name"] != column["symbol"] for column in summary["columns"])
    table.add_column("column", overflow="fold")
    names = ["symbol"] * renamed + ["unit"]
    figures = ["min", "max", "mean", "std", "noise"]
    for name in names:
        table.add_column(name, overflow="fold")
    for name in figures:
        table.add_column(name, justify="right")
    for column in summary["columns"]:
        table.add_row(column["name"], *(column[n] for n in names), *(short(column[f]) for f in figures))
    vectors = [f"{name} ({', '.join(own)})" for name, own in summary.get("vectors", {}).items()]
    after = [f"vectors: {', '.join(vectors)}"] if vectors else []
    if summary["derivatives"]:
        after.append("the file gives the time derivatives of the columns")
    return [Text("\n".join(lines)), table, *map(Text, after)]


def _whole(number: float) -> str:
    return f"{number:,.0f}"


def _spread(of: Mapping[str, float], told: Callable[[float], str] = short) -> str:
    low, middle, high = (told(of[name]) for name in ("min", "median", "max"))
    return middle if low == high else f"{middle} ({low} to {high})"
