"""Pictures of predicted video: error against the step, the study of inner steps, frames side by side, heat maps.

T frames or steps, C channels, H height, W width, K components.

Each function writes one file, whole or not at all, in the format of its suffix: .png, .pdf or .svg; a place that cannot
be written and another suffix raise OptionError. Colours are Okabe and Ito's, which colour-blind readers tell apart;
arms differ in line style as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.textpath import text_to_path
from matplotlib.ticker import MaxNLocator

from ..errors import DataError, OptionError
from ..placing import placed

if TYPE_CHECKING:
    from torch import Tensor

Array = np.ndarray
Curve = tuple[Array, Array, Array]
"""A mean and the ends of its interval, [T] each."""

SUFFIXES = (".png", ".pdf", ".svg")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
DPI, PLOT_DPI = 100, 150


class Look(NamedTuple):
    """How a metric is spoken of."""

    title: str
    better: str


METRICS = {
    "mse": Look("MSE", "lower is better"),
    "psnr": Look("PSNR [dB]", "higher is better"),
    "ssim": Look("SSIM", "higher is better"),
    "lpips": Look("LPIPS", "lower is better"),
}

RAISES, LOWERS = np.array([0.835, 0.369, 0.0]), np.array([0.0, 0.447, 0.698])
"""Colours of a component's two signs: vermilion and blue."""


def horizon_plot(path: str | Path, curves: Mapping[str, Mapping[str, Curve]]) -> None:
    """The paper's Figures 3 and 4: a panel for each metric against the predicted step, a line for each arm.

    curves: arm -> metric -> (mean, low, high), [T] each; the first predicted frame is step 1. An arm may lack a metric.
    """
    metrics = list(dict.fromkeys(metric for arm in curves.values() for metric in arm))
    if not metrics:
        raise DataError("there are no curves to draw")
    figure = Figure(figsize=(0.6 + 3.6 * len(metrics), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(metrics)))
    for axes, metric in zip(panels, metrics, strict=True):
        look = METRICS.get(metric, Look(metric, ""))
        for i, (arm, of) in enumerate(curves.items()):
            if metric in of:
                _curve(axes, np.arange(1, len(of[metric][0]) + 1), of[metric], i, arm)
        axes.set_title(look.title + (f" ({look.better})" if look.better else ""), fontsize="medium")
        axes.set_xlabel("predicted step")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        _bare(axes)
    handles = {arm: line for axes in panels for line, arm in zip(*axes.get_legend_handles_labels(), strict=True)}
    drawn = [arm for arm in curves if arm in handles]
    columns = max(1, int(figure.get_figwidth() * DPI // (1.2 * max(_words_wide(arm) for arm in drawn) + 60)))
    figure.legend(
        [handles[arm] for arm in drawn],
        drawn,
        loc="outside lower center",
        ncols=min(columns, len(drawn)),
        frameon=False,
    )
    _save(figure, path, PLOT_DPI)


def study_plot(
    path: str | Path, steps: Sequence[int] | Array, inner: Curve, outer: Curve, trained: int | None = None
) -> None:
    """The paper's Figure 6: the Noether loss (above) and the task's loss (below) as inner steps are taken.

    steps: numbers of inner steps [T], which the losses (mean, low, high) belong to. trained: with how many the network
    was trained; marked. Where steps begin with 0, the task's loss without tailoring is drawn through.
    """
    x_T = np.asarray(steps)
    figure = Figure(figsize=(5.2, 5.0), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    for i, (axes, curve, word) in enumerate(
        ((above, inner, "inner (Noether) loss"), (below, outer, "outer (task) loss"))
    ):
        _curve(axes, x_T, curve, i, "")
        if trained is not None:
            axes.axvline(trained, color="0.45", lw=1, ls=":", label=f"trained with {trained}")
        axes.set_ylabel(word)
        _bare(axes)
    if x_T[0] == 0:
        below.axhline(float(np.asarray(outer[0])[0]), color="0.45", lw=1, ls="--", label="without tailoring")
    if below.get_legend_handles_labels()[0]:
        below.legend(frameon=False, fontsize="small")
    below.set_xlabel("inner steps")
    below.xaxis.set_major_locator(MaxNLocator(integer=True))
    _save(figure, path, PLOT_DPI)


def contact_sheet(
    path: str | Path,
    rows: Mapping[str, Array | Tensor],
    every: int = 1,
    scale: int | None = None,
    first: int = 1,
) -> None:
    """Frames side by side: a row for each label, time from left to right.

    rows: label -> frames [T, C, H, W] in [0, 1], 1 or 3 channels, the same in all rows. every: so many steps from
    column to column. scale: screen pixels for a frame's pixel, which stays a sharp square; by default such that a frame
    is about 64 pixels high. first: the step of the first frame (1: the first predicted one).

    Raises DataError for frames that are no pictures or differ in shape.
    """
    pictures = {label: _colours(frames, label)[::every] for label, frames in rows.items()}
    shapes = {label: picture.shape for label, picture in pictures.items()}
    if len(set(shapes.values())) != 1:
        raise DataError("a contact sheet needs rows of the same frames; they are " + (_listed(shapes) or "missing"))
    columns, height, width, _ = next(iter(shapes.values()))
    times = [str(first + every * i) for i in range(columns)]
    _sheet(path, list(pictures.items()), times, scale or max(1, round(64 / max(height, width))))


def cam_sheet(
    path: str | Path,
    frames: Array | Tensor,
    positive: Array | Tensor,
    negative: Array | Tensor,
    explained: Array | Tensor,
    every: int = 1,
    scale: int | None = None,
    first: int = 1,
) -> None:
    """The paper's Figure 5: where each component of an embedding comes from, over the frames.

    frames [T, C, H, W] in [0, 1]; the two `explanations.Maps` [K, T, H, W] in [0, 1]; explained [K], shares of the
    variance. A row for each component with its share, below the frames themselves; what raises the component is
    vermilion, what lowers it blue, over the frame in grey. every, scale, first: as for `contact_sheet`.

    Raises DataError for shapes that do not belong together.
    """
    picture = _colours(frames, "frames")
    raising, lowering, shares = _plain(positive), _plain(negative), _plain(explained)
    wanted = (len(shares), *picture.shape[:3])
    if raising.shape != wanted or lowering.shape != wanted:
        raise DataError(
            f"maps are {list(raising.shape)} and {list(lowering.shape)}; {list(wanted)} belong to the frames"
        )
    # pale, so that dark frames do not swallow the colours
    grey = 0.35 + 0.65 * (picture @ np.array([0.299, 0.587, 0.114]))[..., None]
    rows = [("frame", picture[::every])]
    for k, share in enumerate(shares):
        up, down = (np.clip(m[k], 0, 1)[..., None] for m in (raising, lowering))
        alpha = 0.85 * np.maximum(up, down)
        hue = (up * RAISES + down * LOWERS) / np.maximum(up + down, 1e-12)
        rows.append((f"PC {k + 1}: {_share(float(share))} of variance", ((1 - alpha) * grey + alpha * hue)[::every]))
    times = [str(first + every * i) for i in range(len(rows[0][1]))]
    key = {"raises the component": RAISES, "lowers it (signs are arbitrary)": LOWERS}
    _sheet(path, rows, times, scale or max(1, round(64 / max(picture.shape[1:3]))), key)


def _share(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else "< 0.1 %"


def _listed(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{label} {list(shape)}" for label, shape in shapes.items())


def _plain(x: Array | Tensor) -> Array:
    """The numbers of an array or tensor, whatever device it is on."""
    return np.asarray(x if isinstance(x, np.ndarray) else x.detach().cpu().numpy(), dtype=float)


def _colours(frames: Array | Tensor, label: str) -> Array:
    """Frames [T, C, H, W] as [T, H, W, 3]; what leaves [0, 1] is cut off, what is not finite is refused."""
    x = _plain(frames)
    if x.ndim != 4 or x.shape[1] not in (1, 3) or not x.size:
        raise DataError(f"{label}: {list(x.shape)} cannot be shown; frames [T, C, H, W] of 1 or 3 channels are needed")
    if not np.isfinite(x).all():
        raise DataError(f"{label}: frames are not finite")
    return np.clip(np.broadcast_to(x.transpose(0, 2, 3, 1), (len(x), *x.shape[2:], 3)), 0, 1)


def _curve(axes: Axes, x_T: Array, curve: Curve, which: int, label: str) -> None:
    mean, low, high = (np.asarray(c, dtype=float) for c in curve)
    colour = COLOURS[which % len(COLOURS)]
    axes.fill_between(x_T, low, high, color=colour, alpha=0.18, lw=0)
    marker = "o" if len(x_T) == 1 else ""
    axes.plot(x_T, mean, marker=marker, color=colour, ls=LINES[which % len(LINES)], lw=1.6, label=label or "_nolegend_")


def _bare(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="0.92", lw=0.8)
    axes.set_axisbelow(True)


GAP, MARGIN, FONT = 3, 6, 9
"""Pixels between frames and around a sheet; points of its words."""


def _sheet(
    path: str | Path,
    rows: Sequence[tuple[str, Array]],
    times: Sequence[str],
    scale: int,
    key: Mapping[str, Array] | None = None,
) -> None:
    """Rows of frames [T, H, W, 3] with words at the left and times on top, every pixel `scale` screen pixels.

    All places are whole pixels of the picture, so that nothing is interpolated.
    """
    high, wide = (size * scale for size in rows[0][1].shape[1:3])
    line = round(FONT * DPI / 72)
    left = MARGIN + max(_words_wide("step"), *(_words_wide(label) for label, _ in rows)) + 2 * GAP
    top, bottom = MARGIN + line + 2 * GAP, MARGIN + (2 * line if key else 0)
    sheet = np.ones((len(rows) * (high + GAP) - GAP, len(times) * (wide + GAP) - GAP, 3))
    for i, (_, frames) in enumerate(rows):
        for j, frame in enumerate(frames):
            y, x = i * (high + GAP), j * (wide + GAP)
            sheet[y : y + high, x : x + wide] = frame.repeat(scale, axis=0).repeat(scale, axis=1)
    need = sum(_words_wide(word) + 4 * line for word in key) if key else 0
    width, height = max(left + sheet.shape[1] + MARGIN, need + 2 * MARGIN), top + sheet.shape[0] + bottom
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    axes = figure.add_axes((left / width, bottom / height, sheet.shape[1] / width, sheet.shape[0] / height))
    axes.imshow(np.round(255 * sheet).astype(np.uint8), interpolation="none", aspect="auto")
    axes.set_axis_off()

    def write(x: float, y: float, word: str, horizontal: str, vertical: str) -> None:
        figure.text(x / width, 1 - y / height, word, ha=horizontal, va=vertical, fontsize=FONT)

    for i, (label, _) in enumerate(rows):
        write(left - 2 * GAP, top + i * (high + GAP) + high / 2, label, "right", "center")
    write(left - 2 * GAP, top - 2 * GAP, "step", "right", "baseline")
    last = -1.0
    for j, word in enumerate(times):
        x = left + j * (wide + GAP) + wide / 2
        if x - _words_wide(word) / 2 > last:  # a word that would touch the one before is left out
            write(x, top - 2 * GAP, word, "center", "baseline")
            last = x + _words_wide(word) / 2 + 2 * GAP
    if key:
        patches = [Patch(color=tuple(colour), label=word) for word, colour in key.items()]
        figure.legend(
            handles=patches, loc="lower center", ncols=len(patches), frameon=False, fontsize=FONT, borderpad=0
        )
    _save(figure, path)


def _words_wide(words: str) -> int:
    """Pixels across a line of words; hinted letters on a screen are up to a twentieth wider than their outlines."""
    wide, _, _ = text_to_path.get_text_width_height_descent(words, FontProperties(size=FONT), ismath=False)
    return int(np.ceil(1.05 * wide * DPI / 72))


def _save(figure: Figure, path: str | Path, dpi: int = DPI) -> None:
    """Write beside the target, then rename."""
    target = Path(path)
    suffix = target.suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f'{path}: pictures are written as {", ".join(SUFFIXES)}; "{target.suffix}" is none of them')
    with placed(target) as temporary:
        figure.savefig(temporary, format=suffix[1:], dpi=dpi)
