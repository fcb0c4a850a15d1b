"""A run file as a page to be read, or one of its pictures for a paper.

    write_report("run.noether", "report.html")
    write_plot("run.noether", "levels.pdf", "levels", width="single")

The run file holds its data. Other data of the same columns (new trajectories, another day) can be given: the laws are
then drawn on those, and the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from .data.noise import noise
from .data.reduction import reduced
from .data.tables import read_tables
from .data.trajectories import Trajectories
from .discovery import load
from .errors import OptionError, RunFileError
from .placing import write_whole
from .report.page import Whence, page
from .report.panels import Material
from .report.pictures.style import INCHES, Panel, check_suffix, save
from .runs import RunFile
from .verification import check_columns

KINDS = ("conservation", "levels", "pareto", "rollout")
"""What `write_plot` can draw."""
Data = str | Path | Sequence[str | Path] | Trajectories


def write_report(run: str | Path, path: str | Path, data: Data | None = None) -> Path:
    """A run as one HTML file that needs nothing else: laws, figures, pictures, what was searched, where it came from.

    data: what the laws are drawn on, instead of the run's own data; of the same columns and units.

    Raises RunFileError for a run without a fit, DataError for data of other columns, OptionError for a place that
    cannot be written.
    """
    material, whence = _read(run, data)
    write_whole(path, page(material, whence))
    return Path(path)


def write_plot(
    run: str | Path,
    path: str | Path,
    kind: str,
    data: Data | None = None,
    *,
    law: int | None = None,
    width: str | float = "double",
) -> Path:
    """One picture of a run as PDF, SVG or PNG, by the suffix of its path; the same run gives the same bytes.

    kind: "conservation" or "levels" of a law, "pareto" or "rollout" of the run. law: its number, 1 for the first; by
    default the first that has such a picture. width: "single" (89 mm), "double" (183 mm), or inches.

    Raises OptionError for what cannot be drawn, and says why; RunFileError and DataError as `write_report`.
    """
    check_suffix(path)
    inches = _inches(width)
    if kind not in KINDS:
        raise OptionError(f'there is no picture "{kind}"; there are {", ".join(KINDS)}')
    if law is not None and kind in ("pareto", "rollout"):
        raise OptionError(f"--law is about one law, and {kind} is about the run; leave it out")
    material, _ = _read(run, data)
    if kind == "pareto":
        save(path, [material.pareto], inches)
    elif kind == "rollout":
        save(path, [_rollouts(run, material)], inches)
    else:
        number, panels = _of_a_law(run, material, kind, law)
        headline = f"Law {number + 1}:" if len(material.laws) > 1 else ""
        save(path, panels, inches, headline, material.laws[number]["latex"])
    return Path(path)


def _inches(width: str | float) -> float:
    try:
        inches = float(INCHES.get(str(width), width))
    except ValueError:
        inches = 0.0
    if not 1.5 <= inches <= 30:
        raise OptionError(f"--width {width} is no width; write single, double, or inches from 1.5 to 30")
    return inches


def _rollouts(run: str | Path, material: Material) -> Panel:
    if not material.found["ranking"]:
        raise RunFileError(f"{run}: its laws were not ranked; run `noether-discover rank {run}` first")
    if not material.rollouts.curves:
        raise RunFileError(f"{run}: keeps no errors over time; run `noether-discover rank {run}` again")
    return material.rollouts


def _of_a_law(run: str | Path, material: Material, kind: str, law: int | None) -> tuple[int, list[Panel]]:
    count = len(material.laws)
    if not count:
        raise OptionError(f"{run}: holds no law, so there is no picture of one; pareto shows what was searched")
    if law is not None and not 1 <= law <= count:
        raise OptionError(f"--law {law}: {run} holds {count}; write a number from 1 to {count}")
    numbers = range(count) if law is None else [law - 1]
    for number in numbers:
        panels: list[Panel] = []
        if kind == "conservation":
            panels = material.conservation(number)
        elif (levels := material.levels(number)) is not None:
            panels = [levels]
        if panels:
            return number, panels
    if kind == "levels":
        whose = "no law of the run does" if law is None else f"law {law} reads {len(material.columns_of(law - 1))}"
        raise OptionError(f"{run}: level sets are drawn of laws that read two columns, and {whose}; try conservation")
    raise OptionError(f"{run}: the law has no finite value on some state of these data")


def _read(run: str | Path, data: Data | None) -> tuple[Material, Whence]:
    found = load(run)
    with RunFile(run) as file:
        own, settings, window = file.read_data(), file.settings(), file.window()
        digest, reading = file.fact("data_digest"), file.reading()
        judged, counts, reasons, provenance = file.judged(), file.counts(), file.reasons(), file.provenance()
    drawn, same = own, True
    if data is not None:
        drawn = data if isinstance(data, Trajectories) else read_tables(data, reading)
        check_columns(drawn, own)
        same = drawn.digest() == digest
    part = reduced(drawn, settings.seed)
    material = Material(found.to_json(), part, noise(part), window, settings.seed, judged, same)
    whence = Whence(
        run=Path(run).name, origin=own.origin, drawn=drawn.origin, given=data is not None, trajectories=len(drawn),
        samples=drawn.samples, counts=counts, reasons=reasons, provenance=provenance,
    )  # fmt: skip
    return material, whence
