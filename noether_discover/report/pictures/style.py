"""How panels look, and how they become files: colours by role, sizes, inline SVG, PDF.

Colours are Okabe and Ito's, which colour-blind readers tell apart; what differs in colour differs in line or mark too.
On a page the roles are CSS variables, so that the page's style sheet says what they are in light and in dark.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError
from ...placing import placed
from ..wording import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Colours = Mapping[str, str]

PRINT: Colours = {
    "ink": "#1a1a1a",  # words and axes
    "muted": "#767676",  # what is beside the point: baselines, level sets
    "random": "#9a9a9a",  # random sequences
    "law": "#0072b2",
    "noise": "#e69f00",
    "mark": "#d55e00",  # what is pointed at
    "other": "#009e73",
}
"""The colour of each role."""
_SCREEN: Colours = {role: f"#0{place}0{place}0{place}" for place, role in enumerate(PRINT, start=1)}
"""Colours that stand for CSS variables until the SVG is written."""

SUFFIXES = (".pdf", ".svg", ".png")
INCHES = {"single": 3.5, "double": 7.2}
"""Widths of columns: 89 and 183 mm."""
PANEL_WIDTH, PANEL_HEIGHT = 4.1, 2.75
"""Inches of a panel on a page."""
DPI = 300
LONGEST_NAME = 36
"""Characters of a column's name beside an axis."""
MOST_ROWS = 120
"""Of a table beside a picture."""

_RC = {
    "font.family": "DejaVu Sans",
    "text.parse_math": False,  # columns may be called $x$
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "axes.formatter.limits": (-4, 5),
    "axes.formatter.useoffset": False,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "pdf.fonttype": 42,
    "lines.solid_capstyle": "round",
}


@dataclass(frozen=True)
class Table:
    """What a panel shows, as rows. note: what was left out, empty where nothing was."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    @classmethod
    def of(cls, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
        """Numbers with three digits; of very many rows some, evenly spread."""
        chosen = spread_out(len(rows), MOST_ROWS)
        shown = tuple(tuple(_cell(value) for value in rows[i]) for i in chosen)
        note = f"{len(shown):,} of {len(rows):,} rows, evenly spread" if len(shown) < len(rows) else ""
        return cls(tuple(header), shown, note)


class Panel(Protocol):
    """One picture: see the package."""

    @property
    def title(self) -> str:
        """A few words."""
        ...

    @property
    def alt(self) -> str:
        """What it shows, in words."""
        ...

    def draw(self, axes: Axes, colours: Colours) -> None:
        """Into these axes."""
        ...

    def table(self) -> Table:
        """The same as rows."""
        ...


def _cell(value: object) -> str:
    if isinstance(value, float | np.floating):
        return figure(float(value)) or "none"
    return f"{value:,}" if isinstance(value, int | np.integer) else str(value)


def spread_out(count: int, most: int) -> list[int]:
    """At most so many of 0 ... count - 1, evenly spread."""
    return [int(i) for i in np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))] if count else []


# --- axes ----------------------------------------------------------------------------------------------------------

_RAISED = str.maketrans("0123456789-/", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᐟ")


def raised(number: str) -> str:
    """An exponent in small raised characters."""
    return number.translate(_RAISED)


def unit_in_print(unit: str) -> str:
    """``kg^2*m^2/s^2`` as ``kg² m²/s²``; empty for a pure number."""
    if unit == "1":
        return ""
    spaced = unit.replace("*", " ")
    return re.sub(r"\^(?:\((-?\d+(?:/\d+)?)\)|(-?\d+))", lambda found: raised(found[1] or found[2]), spaced)


def figure(value: float | None) -> str:
    """A number with three digits, ``1.62×10⁻¹⁵``; empty for none and for what is no number."""
    return re.sub(r"e([+-]?)0*(\d+)$", lambda e: f"×10{raised(e[1].replace('+', '') + e[2])}", short(value))


def axis_label(name: str, unit: str) -> str:
    """A name, cut where it is longer than an axis, with its unit in brackets."""
    shown, name = unit_in_print(unit), name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return f"{name} [{shown}]" if shown else name


def logarithmic(axes: Axes, axis: str = "y") -> None:
    """A logarithmic axis whose labels are plain characters."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    (axes.set_yscale if axis == "y" else axes.set_xscale)("log")
    which = axes.yaxis if axis == "y" else axes.xaxis
    low, high = axes.get_ylim() if axis == "y" else axes.get_xlim()
    whole = np.log10(high / low) >= 1.5
    if whole:
        which.set_major_locator(LogLocator(numticks=7))
        which.set_major_formatter(FuncFormatter(lambda x, _: f"10{raised(str(round(np.log10(x))))}" if x > 0 else ""))
    else:
        which.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        which.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    which.set_minor_formatter(NullFormatter())


def scaled(axes: Axes, name: str, unit: str) -> None:
    """Label the upright axis, with a power of ten in the label where its numbers are very large or small."""
    from matplotlib.ticker import FuncFormatter

    size = max(map(abs, axes.get_ylim()))
    power = 0 if 1e-3 < size < 1e4 or not size > 0 else int(np.floor(np.log10(size)))
    if power:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y / 10.0**power:.4g}".replace("-", "−")))
    ten = f"10{raised(str(power))}" if power else ""
    shown = " ".join(part for part in (ten, unit_in_print(unit)) if part)
    axes.set_ylabel(f"{name} [{shown}]" if shown else name)


def limits(*parts: Array, share: float = 0.08) -> tuple[float, float]:
    """From the least to the largest finite value with room on both sides; never empty."""
    finite = np.concatenate([part[np.isfinite(part)] for part in parts] or [np.zeros(1)])
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    room = share * (high - low) or max(abs(high), 1e-12) * share
    return low - room, high + room


# --- figures -------------------------------------------------------------------------------------------------------


@contextmanager
def _styled(colours: Colours, size: float, **more: object) -> Iterator[None]:
    import matplotlib.style

    words = dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color", "text.color"), colours["ink"]
    )
    sizes = dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "legend.fontsize"), size)
    ticks = dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), size - 0.5)
    own = {**_RC, **words, **sizes, **ticks, **more}
    with matplotlib.style.context("default"), matplotlib.rc_context(own):  # type: ignore[arg-type]
        yield  # whatever the reader's matplotlibrc says


def _drawn(panels: Sequence[Panel], width: float, colours: Colours, size: float) -> Figure:
    """Panels side by side as far as there is room, more than two inches each, with letters where there are several."""
    from matplotlib.figure import Figure

    columns = min(len(panels), max(int(width // 2.2), 1))
    columns = -(-len(panels) // -(-len(panels) // columns))  # four are two and two, not three and one
    rows = -(-len(panels) // columns)
    figure = Figure(
        figsize=(width, rows * min((0.95 if columns > 2 else 0.8) * width / columns, 3.0)), layout="constrained"
    )
    every = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for place, axes in enumerate(every):
        if place >= len(panels):
            axes.set_axis_off()
            continue
        panels[place].draw(axes, colours)
        _legend(axes, width / columns, size)
        if len(panels) > 1:
            letter = "abcdefghijklmnopqrstuvwxyz"[place % 26]
            axes.annotate(
                letter, (0, 1), xycoords="axes fraction", xytext=(-3.2 * size, 0.7 * size), textcoords="offset points",
                weight="bold", size=size + 1,
            )  # fmt: skip
    return figure


def _legend(axes: Axes, width: float, size: float) -> None:
    """Above the axes, where it covers nothing, in as many columns as there is room for."""
    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    room, wide = 72 * width - 6 * size, [(0.56 * len(label) + 3.0) * size for label in labels]
    columns = len(labels)
    while columns > 1 and sum(max(wide[i::columns]) for i in range(columns)) > room:
        columns -= 1
    axes.legend(
        handles, labels, loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, columnspacing=1.0,
        borderpad=0.1, handletextpad=0.4, labelspacing=0.25,
    )  # fmt: skip


def save(path: str | Path, panels: Sequence[Panel], width: float, headline: str = "", formula: str = "") -> None:
    """Panels to one file, in the format of its suffix; the same panels give the same bytes.

    width: inches. headline: over everything, plain text; formula: LaTeX that stands after it where it can be set.

    Raises OptionError for a suffix that is none of `SUFFIXES`, or a place that cannot be written.
    """
    suffix = check_suffix(path)
    bare: dict[str, str | None] = {
        ".pdf": {"CreationDate": None, "Producer": None, "Creator": "noether-discover"},
        ".svg": {"Date": None, "Creator": "noether-discover"},
        ".png": {"Software": "noether-discover"},
    }[suffix]  # type: ignore[assignment]
    with _styled(PRINT, 7.0, **{"svg.hashsalt": "noether-discover"}):
        figure = _drawn(panels, width, PRINT, 7.0)
        if headline or formula:
            typeset = _sets(formula)
            words = figure.suptitle(f"{headline}{f'  ${formula}$' if typeset else ''}", fontsize=8, x=0.01, ha="left")
            words.set_parse_math(typeset)
        with placed(path) as temporary, _no_remarks():
            figure.savefig(temporary, format=suffix[1:], dpi=DPI, metadata=bare)


def check_suffix(path: str | Path) -> str:
    """The suffix, in small letters. Raises OptionError for one that no picture has."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f'{path}: pictures are written as {", ".join(SUFFIXES)}; "{suffix}" is none of them')
    return suffix


def _sets(formula: str) -> bool:
    """Whether matplotlib can set this LaTeX."""
    from matplotlib.mathtext import MathTextParser

    if not formula:
        return False
    try:
        MathTextParser("path").parse(f"${formula}$")
    except (ValueError, KeyError):
        return False
    return True


@contextmanager
def _no_remarks() -> Iterator[None]:
    """Letters that no font has become boxes, and numbers that no axis holds are left out: nothing is said of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def inline_svg(panel: Panel, key: str) -> str:
    """A panel as an SVG element for a page: words are words, colours are CSS variables, nothing outside is named.

    key: tells the panel's marks and clip paths from those of the page's other panels.
    """
    with _styled(_SCREEN, 8.0, **{"svg.fonttype": "none", "svg.hashsalt": key}):
        figure = _drawn([panel], PANEL_WIDTH, _SCREEN, 8.0)
        figure.set_figheight(PANEL_HEIGHT)
        figure.patch.set_visible(False)
        for axes in figure.axes:
            axes.patch.set_visible(False)
        written = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        with _no_remarks():
            figure.savefig(written, format="svg", metadata=nothing)
    return _for_a_page(written.getvalue(), key)


_NUMBER = re.compile(r"-?\d+\.\d{3,}")


def _for_a_page(written: str, key: str) -> str:
    """matplotlib's file without its head, with short numbers, names of its own, and variables for colours."""
    body = written[written.index("<svg") :]
    body = re.sub(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", "", body, count=1, flags=re.DOTALL)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'(id="|url\(#|href="#)', rf"\g<1>{key}-", body)
    body = re.sub(r"<svg[^>]*viewBox=\"([^\"]*)\"[^>]*>", r'<svg viewBox="\1" aria-hidden="true">', body, count=1)
    body = re.sub(r'(?<= d=")[^"]*', lambda d: _NUMBER.sub(lambda n: f"{float(n[0]):.2f}", d[0]), body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for role, stand_in in _SCREEN.items():
        body = body.replace(stand_in, f"var(--{role})")
    return re.sub(r">\s*\n\s*<", ">\n<", body).strip()
