"""What the runs on known systems show: every bar with its figure, a table by system and noise, a CSV, a picture."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import record
import tables
from kept_runs import Row
from laws_methods import OURS

from noether_discover.data.systems import SYSTEMS

WITH_LAWS = tuple(name for name, world in SYSTEMS.items() if world.laws)
WITHOUT_LAWS = tuple(name for name, world in SYSTEMS.items() if not world.laws)
EXACT = {False: {0.0: 22, 0.01: 20, 0.05: 18, 0.1: 15}, True: {0.0: 22, 0.01: 21, 0.05: 20, 0.1: 17}}
"""Sets that are wanted exact, without and with hints."""
COEFFICIENTS = {0.0: 1e-6, 0.01: 0.003, 0.05: 0.015, 0.1: 0.04}
COLUMNS = (
    ("noether-discover", OURS, False), ("with hints", OURS, True), ("eigenproblem", "eigenproblem", False),
    ("eigenproblem, tuned", "eigenproblem, tuned", False),
)  # fmt: skip
FIELDS = (
    "method", "hints", "system", "level", "seed", "exact", "right", "wanted", "claimed", "false", "approximate",
    "seconds", "wall", "verdict", "worst_coefficient_error", "without_right_coefficients", "worst_missing",
    "worst_spurious", "constraints", "problem",
)  # fmt: skip


def write(place: Path, rows: Sequence[Row], complete: bool) -> None:
    """Print the table and the bars, and leave them at a place with the runs as CSV and the picture."""
    bars, by_system = bars_of(rows), table(rows)
    text = tables.markdown(["wanted", "target", "figure", ""], bars) + "\n" + tables.markdown(*by_system)
    kind = "everything" if complete else "a part of the runs"
    facts = {"conditions": record.conditions(), "measured": kind, "bars": bars}
    (place / "known_systems.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    when = facts["conditions"]["date"]
    (place / "table.md").write_text(f"Measured on {when} ({kind}).\n\n{text}", encoding="utf-8")
    tables.write_csv(place / "runs.csv", FIELDS, [[_flat(row)[field] for field in FIELDS] for row in rows])
    picture(place / "known_systems.png", rows)
    print(text)


def _flat(row: Row) -> dict[str, Any]:
    """A run as one line of a CSV."""
    judged, found = row["score"], row["found"] or {}
    return {
        **row["case"], **judged, **row,
        "verdict": found.get("verdict", ""),
        "worst_coefficient_error": max(errors_of(row), default=""),
        "without_right_coefficients": judged["coefficients"].count(None),
        "worst_missing": max(judged["missing"], default=""),
        "worst_spurious": max(judged["spurious"], default=""),
        "constraints": "{2} of {0} among {1}".format(*judged["constraints"]),
    }  # fmt: skip


def errors_of(row: Row) -> list[float]:
    """The coefficient errors of the true laws that a run found."""
    return [error for error in row["score"]["coefficients"] if error is not None]


def chosen(rows: Sequence[Row], **wanted: Any) -> list[Row]:
    """The runs whose case has these values; a tuple is a choice."""
    return [
        row
        for row in rows
        if all(row["case"][k] in v if isinstance(v, tuple) else row["case"][k] == v for k, v in wanted.items())
    ]


def bars_of(rows: Sequence[Row]) -> list[list[str]]:
    """Every bar: what is wanted, how much, what was measured, whether it is reached."""
    bars = []
    for hints, targets in EXACT.items():
        for level, target in targets.items():
            name = f"exact sets at {level:.0%}, {'units and vectors told' if hints else 'no hints'}"
            mine = chosen(rows, method=OURS, hints=hints, level=level, system=WITH_LAWS)
            bars += _exact_bar(name, target, mine)
    silent = chosen(rows, method=OURS, system=WITHOUT_LAWS)
    if silent:
        loud = sum(row["score"]["claimed"] > 0 for row in silent)
        bars.append(["systems without laws: runs with one", "0", f"{loud} of {len(silent)}", _reached(loud == 0)])
    return [*bars, *_verdict_bar(rows), *_seconds_bars(rows), *_coefficient_bars(rows)]


def _exact_bar(name: str, target: int, mine: Sequence[Row]) -> list[list[str]]:
    """The sum over systems of the share of seeds that are exact; scaled down where only some systems were run."""
    systems = {row["case"]["system"] for row in mine}
    if not mine:
        return []
    wanted = target * len(systems) / len(WITH_LAWS)
    reached = sum(_share(chosen(mine, system=system)) for system in systems)
    return [[name, f"{wanted:.3g} of {len(systems)}", f"{reached:.3g}", _reached(reached >= wanted - 1e-9)]]


def _verdict_bar(rows: Sequence[Row]) -> list[list[str]]:
    """Whether the answer in one word is LAW where there are laws, and is not where there are none."""
    ours = [row for row in chosen(rows, method=OURS) if row["found"]]
    if not ours:
        return []
    right = sum((row["found"]["verdict"] == "LAW") == (row["case"]["system"] in WITH_LAWS) for row in ours)
    return [["answers (LAW or not) that are right", "", f"{right} of {len(ours)}", ""]]


def _seconds_bars(rows: Sequence[Row]) -> list[list[str]]:
    bars = []
    for name, target, levels, of in (
        ("clean, median", 2, (0.0,), statistics.median), ("noisy, median", 8, (0.01, 0.05, 0.1), statistics.median),
        ("the slowest", 60, (0.0, 0.01, 0.05, 0.1), max),
    ):  # fmt: skip
        seconds = [row["seconds"] for row in chosen(rows, method=OURS, level=levels)]
        if seconds:
            figure = of(seconds)
            bars.append([f"seconds, {name}", f"at most {target}", f"{figure:.2f}", _reached(figure <= target)])
    return bars


def _coefficient_bars(rows: Sequence[Row]) -> list[list[str]]:
    """The worst of all true laws, beside the median, and how many are within the bar."""
    bars = []
    for level, target in COEFFICIENTS.items():
        mine = chosen(rows, method=OURS, level=level)
        errors = [error for row in mine for error in errors_of(row)]
        without = sum(row["score"]["coefficients"].count(None) for row in mine)
        if not errors:
            continue
        within = sum(error <= target for error in errors)
        figure = f"worst {max(errors):.2g}, median {statistics.median(errors):.2g}; {within} of {len(errors)} within"
        figure += f"; {without} laws with terms that no coefficients conserve" * bool(without)
        bars.append([f"coefficients at {level:.0%}", f"{target:g}", figure, _reached(within == len(errors))])
    return bars


def _reached(yes: bool) -> str:
    return "reached" if yes else "NOT reached"


def _share(rows: Sequence[Row]) -> float:
    return sum(row["exact"] for row in rows) / len(rows)


def table(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """A row for every system and level of noise."""
    header = ["system", "noise"]
    for hints in ("", ", hints"):
        header += [f"exact{hints}", f"laws{hints}", f"seconds{hints}", f"worst coefficient{hints}"]
    header += [name for name, _, _ in COLUMNS[2:]]
    lines = []
    for system in (*WITH_LAWS, *WITHOUT_LAWS):
        for level in COEFFICIENTS:
            here = chosen(rows, system=system, level=level)
            if here:
                ours = [chosen(here, method=OURS, hints=hints) for hints in (False, True)]
                others = [_exact(chosen(here, method=method)) for _, method, _ in COLUMNS[2:]]
                lines.append([system, f"{level:.0%}", *(cell for mine in ours for cell in _cells(mine)), *others])
    return header, lines


def _cells(mine: Sequence[Row]) -> list[str]:
    """Exact of how many; laws found of wanted, and false ones; seconds, median and worst; the worst coefficient."""
    if not mine:
        return [""] * 4
    right = statistics.mean(row["score"]["right"] for row in mine)
    false = sum(row["false"] for row in mine) / len(mine)
    laws = f"{right:.3g}/{mine[0]['score']['wanted']}" + (f" + {false:.2g} false" if false else "")
    seconds = [row["seconds"] for row in mine]
    errors = [error for row in mine for error in errors_of(row)]
    worst = f"{max(errors):.1e}" if errors else ""
    return [_exact(mine), laws, f"{statistics.median(seconds):.1f} ({max(seconds):.1f})", worst]


def _exact(mine: Sequence[Row]) -> str:
    return f"{sum(row['exact'] for row in mine)}/{len(mine)}" if mine else ""


def picture(path: Path, rows: Sequence[Row]) -> None:
    """Systems by levels of noise, the share of seeds that are exact: ours beside the baseline."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    systems = [name for name in (*WITH_LAWS, *WITHOUT_LAWS) if chosen(rows, system=name)]
    panels = [panel for panel in COLUMNS if chosen(rows, method=panel[1], hints=panel[2])]
    levels = [level for level in COEFFICIENTS if chosen(rows, level=level)]
    size = (1.9 + 1.9 * len(panels), 1.4 + 0.27 * len(systems))
    figure, axes = plt.subplots(1, len(panels), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, (title, method, hints) in zip(axes[0], panels, strict=True):
        grid = [[chosen(rows, method=method, hints=hints, system=s, level=level) for level in levels] for s in systems]
        image = _panel(axis, grid, levels)
        axis.set_title(title + "\n" + _totals(rows, method, hints, levels), fontsize=8)
    laws = sum(name in WITH_LAWS for name in systems)
    for axis in axes[0]:
        axis.axhline(laws - 0.5, color="black", lw=1.5)
    names = [f"{name} ({SYSTEMS[name].independent})" for name in systems]
    axes[0][0].set_yticks(range(len(systems)), names, fontsize=8)
    bar = figure.colorbar(image, ax=axes[0].tolist(), shrink=0.6)
    bar.set_label("share of seeds with the exact set", fontsize=8)
    explained = "noise in deviations of each column; in brackets how many laws there are"
    figure.supxlabel(f"{explained}; above, of {laws} systems with laws those with the exact set", fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _totals(rows: Sequence[Row], method: str, hints: bool, levels: Sequence[float]) -> str:
    """Systems with laws that are exact at each level, in the mean over seeds."""
    totals = []
    for level in levels:
        known = [chosen(rows, method=method, hints=hints, system=name, level=level) for name in WITH_LAWS]
        totals.append(f"{sum(_share(mine) for mine in known if mine):.3g}")
    return ", ".join(totals)


def _panel(axis: Any, grid: Sequence[Sequence[Sequence[Row]]], levels: Sequence[float]) -> Any:
    values = [[_share(cell) if cell else float("nan") for cell in line] for line in grid]
    image = axis.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for y, line in enumerate(grid):
        for x, cell in enumerate(line):
            if cell:
                colour = "white" if values[y][x] > 0.6 else "black"
                axis.text(x, y, _exact(cell), ha="center", va="center", fontsize=7, color=colour)
    axis.set_xticks(range(len(levels)), [f"{level:.0%}" for level in levels], fontsize=8)
    axis.tick_params(length=0)
    return image
