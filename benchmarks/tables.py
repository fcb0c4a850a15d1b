"""From per-seed measurements to what a claim shows: geometric means, bootstrap intervals, CSV, LaTeX, a picture.

S seeds, R rows.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

DRAWS = 10_000
COLOURS = ("#999999", "#000000", "#E69F00", "#56B4E9", "#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, which people with any colour vision can tell apart."""


def geometric(values: Sequence[float]) -> float:
    """The geometric mean; not finite when a value is not."""
    logs = [math.log(max(value, 1e-300)) if math.isfinite(value) else math.inf for value in values]
    mean = sum(logs) / len(logs)
    return math.exp(mean) if mean < 700 else math.inf


def interval(values: Sequence[float], share: float = 0.95) -> tuple[float, float]:
    """The bootstrap interval of a geometric mean over the seeds (percentiles of 10,000 draws, fixed seed)."""
    if not all(math.isfinite(v) for v in values):
        return (math.nan, math.inf)
    logs = np.log(np.maximum(values, 1e-300))
    draws = np.random.default_rng(0).choice(logs, (DRAWS, len(logs))).mean(axis=1)
    low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2])
    return float(np.exp(low)), float(np.exp(high))


def with_interval(values: Sequence[float]) -> dict[str, Any]:
    """Mean, interval and the seeds' own values, for a record."""
    low, high = interval(values)
    return {"geometric_mean": geometric(values), "low": low, "high": high, "seeds": list(values)}


def ratios(values: Sequence[float], control: Sequence[float]) -> list[float]:
    """Seed by seed."""
    return [v / c for v, c in zip(values, control, strict=True)]


def figure(value: float) -> str:
    """Three digits, as a table has them."""
    if not math.isfinite(value):
        return "diverged"
    return f"{value:.2e}" if value != 0 and not 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def spanned(values: Sequence[float]) -> str:
    """A geometric mean with its interval."""
    low, high = interval(values)
    mean = geometric(values)
    return figure(mean) if not math.isfinite(mean) else f"{figure(mean)} [{figure(low)}, {figure(high)}]"


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table of numbers."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_latex(path: Path, caption: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A booktabs table."""
    lines = [
        r"\begin{table}", r"  \centering", rf"  \caption{{{_escaped(caption)}}}",
        rf"  \begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", r"    \toprule",
        "    " + " & ".join(map(_escaped, header)) + r" \\", r"    \midrule",
        *("    " + " & ".join(map(_escaped, row)) + r" \\" for row in rows),
        r"    \bottomrule", r"  \end{tabular}", r"\end{table}",
    ]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _escaped(text: str) -> str:
    for character in "%&#_":
        text = text.replace(character, f"\\{character}")
    return text.replace("<=", r"$\le$").replace(">=", r"$\ge$")


def verdicts(bars: Mapping[str, tuple[float, float]]) -> str:
    """What was wanted beside what was measured: name -> (at most, measured)."""
    rows = [
        [name, figure(wanted), figure(measured), "reached" if measured <= wanted else "NOT reached"]
        for name, (wanted, measured) in bars.items()
    ]
    return markdown(["wanted", "at most", "measured", ""], rows)
