"""What a terminal shows of a run: tables that fit 80 columns, from the plain data of `reports`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..report.wording import short

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


def evaluation_screen(found: Mapping[str, Any]) -> list[RenderableType]:
    """Errors of the arms, their ratios by thirds of the horizon, gates and remarks."""
    return [_errors(found), *_thirds(found), _gates(found), *_remarks(found)]


def study_screen(found: Mapping[str, Any]) -> list[RenderableType]:
    """Both losses by number of inner steps."""
    rates = ", ".join(sorted({short(rate) for rate in found["rates"].values()}))
    table = _table(f"inner steps of {found['optimiser']}, rate {_cut(rates, 40)}; {found['windows']} test windows")
    for name in ("inner steps", "Noether loss", "MSE", "MSE over no steps", "fell back"):
        table.add_column(name, justify="right")
    for row in found["rows"]:
        table.add_row(
            f"{row['steps']:,}", short(row["inner"]), short(row["outer"]),
            _interval(row["over_none"], row["over_none_low"], row["over_none_high"]), f"{row['fell_back']:,}",
        )  # fmt: skip
    best = min(found["rows"], key=lambda row: row["outer"] if row["outer"] is not None else float("inf"))
    trained = found["trained_with"]
    many = f"{best['steps']:,} inner step{'' if best['steps'] == 1 else 's'}"
    return [table, f"least error after {many}; trained with {trained['steps']} of {trained['optimiser']}"]


def explanation_screen(found: Mapping[str, Any], shown: int = 6) -> list[RenderableType]:
    """The components, and in words whether the embedding is conserved."""
    parts: list[RenderableType] = []
    if "components" in found:
        table = _table(f"the embedding of {found['arm']} on {found['windows']:,} test windows, true frames")
        for name in ("component", "variance explained", "within / between windows"):
            table.add_column(name, justify="right")
        for k, one in enumerate(found["components"][:shown]):
            table.add_row(f"PC {k + 1}", f"{100 * one['explained']:.1f} %", short(one["within_over_between"]))
        parts.append(table)
        parts.append(_conserved_in_words(found))
    if "reason" in found:
        parts.append(f"no picture: {found['reason']}")
    loss = found["losses"]
    parts.append(
        f"Noether loss: {short(loss['truth'])} of the true frames, {short(loss['base'])} of the base prediction, "
        f"{short(loss['tailored'])} after the inner steps"
    )
    return parts


def _conserved_in_words(found: Mapping[str, Any]) -> str:
    ratio, verdict = found.get("within_over_between"), found.get("conserved")
    if verdict is None or ratio is None:
        return "whether it is conserved cannot be said of a single window"
    if verdict == "not conserved":
        return (
            f"the embedding is NOT conserved: along the true frames it varies {short(ratio)} times as much within a "
            "window as between windows"
        )
    share = f"its variance within a window is {short(ratio)} of that between windows"
    return f"the embedding is {verdict}: {share}"


def _errors(found: Mapping[str, Any]) -> Table:
    measured = found["lpips"] is not None
    table = _table(
        f"{found['windows']:,} test windows of {found['clips']:,} clips, {found['horizon']} predicted frames"
    )
    table.add_column("arm")
    for name in ("MSE", "PSNR", "SSIM", *(["LPIPS"] if measured else []), "train MSE", "/ base", "/ more_steps"):
        table.add_column(name, justify="right", no_wrap=name == "/ more_steps")
    for name, facts in (found["arms"] | found["references"]).items():
        mean = facts["test"]["mean"]
        table.add_row(
            name, short(mean["mse"]), short(mean["psnr"]), short(mean["ssim"]),
            *([short(mean["lpips"])] if measured else []), short(facts["train"]["mean"]["mse"]),
            _ratio(found, "base", name, "all", interval=False), _ratio(found, "more_steps", name, "all"),
        )  # fmt: skip
    return table


def _thirds(found: Mapping[str, Any]) -> list[RenderableType]:
    over = "more_steps" if "more_steps" in found["ratios"] else "base"
    rows = [n for n, one in found["ratios"].get(over, {}).items() if "early" in one.get("mse", {}) and n != "base"]
    if not rows:
        return []
    table = _table(f"MSE over {over} by thirds of the horizon, with 95 % intervals over clips")
    table.add_column("arm")
    for span in ("early", "middle", "late"):
        table.add_column(span, justify="right", no_wrap=True)
    for name in rows:
        table.add_row(name, *(_ratio(found, over, name, span) for span in ("early", "middle", "late")))
    return [table]


def _gates(found: Mapping[str, Any]) -> Table:
    table = _table("may it be believed? (one seed; take three and more)")
    table.add_column("condition", overflow="fold", ratio=1)
    table.add_column("found", justify="right")
    table.add_column("")
    for gate in found["gates"].values():
        table.add_row(gate["says"], short(gate["measured"]), "holds" if gate["holds"] else "[bold]FAILS")
    return table


def _remarks(found: Mapping[str, Any]) -> list[str]:
    said = []
    for name, facts in found["arms"].items():
        inner = facts["test"]["inner"]
        if inner is None or name == "zero_steps":
            continue
        count = found["windows"]
        back, still = (round((inner[key] or 0) * count) for key in ("fell_back", "still"))
        if back:
            said.append(
                f"{name}: {back:,} of {count:,} windows fell back to the base prediction: their updates ran away or "
                "were not finite"
            )
        if still > back:
            said.append(f"{name}: {still - back:,} of {count:,} windows were left as they were by the inner steps")
        if inner["motion"] is not None and inner["motion"] < 0.8:
            said.append(f"{name}: frozen, it moves {inner['motion']:.2f} of what its base prediction moves")
        if inner["sharpness"] is not None and inner["sharpness"] < 0.9:
            said.append(f"{name}: blurred, {inner['sharpness']:.2f} as sharp as its base prediction")
    for name, facts in found["arms"].items():
        if facts["trained"]["skipped"] and name != "zero_steps":
            said.append(f"{name}: {facts['trained']['skipped']:,} training steps were left out (not finite)")
    for over, ratios in found["ratios"].items():
        for name, one in ratios.items():
            if "windows_left_out" in one and over == "base":
                said.append(
                    f"{name}: {one['windows_left_out']:,} windows without a finite error are left out of ratios"
                )
    if found["not_trained"]:
        said.append(f"not trained yet: {', '.join(found['not_trained'])}")
    if found["lpips_reason"]:
        said.append(f"LPIPS {found['lpips_reason']} (--lpips-weights)")
    return said


def _ratio(found: Mapping[str, Any], over: str, name: str, span: str, interval: bool = True) -> str:
    ratios = found["ratios"].get(over, {}).get(name, {}).get("mse", {})
    if span not in ratios:
        return ""
    one = ratios[span]
    return _interval(one["value"], one["low"], one["high"]) if interval else f"{one['value']:.3f}"


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None:
        return "-"
    middle = _three(value)
    return middle if low is None or high is None or low != low else f"{middle} [{_three(low)}, {_three(high)}]"


def _three(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 10 else short(value)


def _table(title: str) -> Table:
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)


def _cut(words: str, width: int) -> str:
    return words if len(words) <= width else f"{words[: width - 3]}..."
