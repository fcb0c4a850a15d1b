"""The Python door: `discover` a frame or a file, get a `Discovery`.

from noether_discover import discover
found = discover("pendulum.csv")
print(found.laws[0]["expression"])
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from noether_dsl.suggesting import nearest

from .data.derived import with_derived
from .data.groups import regrouped
from .data.tables import USUAL, ReadOptions, angles_are_strict, from_frame, read_tables
from .data.trajectories import Trajectories
from .found import Discovery, Kept, assembled, law_quantity, load, read_back
from .notebook_progress import in_a_notebook, notebook_progress
from .report.wording import plain_law
from .settings import Settings
from .stages import Clock, Enumeration, Progress, enumerated, gathered, ranked, searched, work_of
from .work import Stop, Work

__all__ = ["Discovery", "discover", "fit_again", "law_quantity", "load", "rank_again", "run_stages"]

if TYPE_CHECKING:
    import pandas as pd

    from .runs import RunFile
    from .search.evidence import Evidence


def discover(
    data: pd.DataFrame | Trajectories | str | Path | Sequence[str | Path],
    *,
    trajectory: str | None = None,
    time: str | None = None,
    inputs: Sequence[str] = (),
    units: Mapping[str, str] | None = None,
    missing: str = "error",
    angles: str = "auto",
    derivatives: Mapping[str, str] | None = None,
    velocities: bool = False,
    with_time: bool = False,
    groups: Mapping[str, Sequence[str]] | None = None,
    dotted: bool = True,
    rank: bool = True,
    run: str | Path | None = None,
    resume: bool | None = None,
    progress: Progress | Literal[False] | None = None,
    **settings: Any,
) -> Discovery:
    """What is conserved along the trajectories in a frame or in files.

    data: a DataFrame, `Trajectories`, a path, or paths (several files are several trajectories).
    trajectory, time, inputs, units, missing, angles, derivatives: how the table is read; see `ReadOptions`.
    velocities: add a column with the time derivative of every other. with_time: let the time enter laws, as a column t.
    groups: vectors and the columns that are their components, ``{"q": ("x", "y")}``; columns "q.x" and "q.y" are the
        vector q anyway, unless `dotted` is False.
    rank: whether the laws are ranked by what they do for a learned predictor (takes a minute).
    run: a run file to keep everything in. resume: go on with the unfinished run that is in it (True), or begin anew
        (False); None refuses to replace an unfinished one. Laws that were in it stay beside it, as ``RUN.noether~``.
    progress: called with (stage, done, total); None shows it in notebooks and nowhere else, False nowhere.
    settings: fields of `Settings`, such as ``max_nodes=9`` or ``operators=(*DEFAULT_OPERATORS, "log")``.

    Raises NoetherError and its kin (all ValueErrors) for data and options that cannot be used, TypeError for an option
    that there is not.
    """
    asked = _settings(settings)
    options = ReadOptions(
        trajectory=trajectory,
        time=time,
        inputs=inputs,
        units=units or {},
        missing=missing,
        angles=angles,
        derivatives=derivatives or {},
        velocities=velocities,
        with_time=with_time,
        groups=groups or {},
        dotted=dotted,
    )
    clock = Clock()
    import pandas as pd

    if isinstance(data, Trajectories):
        data = regrouped(data, options)
        trajectories, sources = with_derived(data, velocities, with_time), [data.origin]
    elif isinstance(data, pd.DataFrame):
        trajectories, sources = from_frame(data, options), ["frame"]
    else:
        paths = [data] if isinstance(data, str | Path) else list(data)
        trajectories, sources = read_tables(paths, options), [str(path) for path in paths]
    if progress is None and in_a_notebook():
        progress = notebook_progress()
    chosen = replace(asked, strict_angles=settings.get("strict_angles", angles_are_strict(trajectories, options)))
    clock.lap("read")
    return run_stages(
        trajectories, chosen, clock=clock, rank=rank, run=run, resume=resume, sources=sources, reading=options,
        progress=progress or None,
    )  # fmt: skip


def _settings(given: Mapping[str, Any]) -> Settings:
    """Raises TypeError for a name that no setting has, and OptionError for values that cannot be."""
    known = [field.name for field in fields(Settings)]
    for name in given:
        if name not in known:
            others = [*known, *inspect.signature(discover).parameters]
            raise TypeError(f'discover() has no option "{name}"{nearest(name, others)}')
    return Settings(**given)


def run_stages(
    trajectories: Trajectories,
    settings: Settings,
    *,
    clock: Clock,
    rank: bool,
    run: str | Path | None = None,
    resume: bool | None = None,
    sources: Sequence[str] = (),
    reading: ReadOptions = USUAL,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> Discovery:
    """All stages in order, each kept in the run file (when there is one) piece by piece, as it is done.

    resume: see `discover`. reading: how the sources were read. stop: asked after every piece.
    """
    evidence = gathered(trajectories, settings)  # what cannot be judged leaves an older run file as it was
    enumeration = enumerated(trajectories, settings, progress)
    work_of(settings, len(enumeration.formulas), evidence)  # and so does what does not fit into the memory
    clock.lap("enumerate")
    if run is None:
        kept = (tuple(sources), reading)
        return _computed(trajectories, evidence, settings, enumeration, clock, rank, progress, stop, kept)
    with begun(run, trajectories, settings, resume, sources, reading) as file:
        if not file.has("enumerate"):
            file.write_enumeration(enumeration, clock.seconds["enumerate"])
        clock.lap("save")
        if not file.has("fit"):
            evidence = _fit(file, trajectories, evidence, settings, enumeration, clock, progress, stop, resume=True)
        elif file.window() != evidence.window:
            evidence = _as_the_fit_judged(file, trajectories, settings)
        if rank and not file.has("rank"):
            _rank(file, evidence, settings, clock, progress, stop, resume=True)
        file.finished()
        found = read_back(file, trajectories)
    return replace(found, seconds={**found.seconds, **clock.seconds})


def _computed(
    trajectories: Trajectories,
    evidence: Evidence,
    settings: Settings,
    enumeration: Enumeration,
    clock: Clock,
    rank: bool,
    progress: Progress | None,
    stop: Stop | None,
    whence: tuple[tuple[str, ...], ReadOptions],
) -> Discovery:
    """The stages after the enumeration; what they leave is kept in memory. whence: the sources, and how they were
    read."""
    work = work_of(settings, len(enumeration.formulas), evidence, None, stop)
    evidence, found, answer = searched(evidence, enumeration, settings, progress, work, trajectories)
    laws = [plain_law(law, _scales(trajectories), str(trajectories.time_unit)) for law in found.laws]
    clock.lap("fit")
    rows: list[dict[str, Any]] = []
    if rank and rankable(laws):
        rows = ranking_rows(laws, settings, evidence, progress, work)
        clock.lap("rank")
    kept = Kept(trajectories, settings, *whence, enumeration, tuple(found.judgements), evidence.window)
    return replace(
        assembled(
            trajectories, enumeration_facts(enumeration), answer, laws, json.loads(json.dumps(rows)), clock.seconds,
            settings.seed,
        ),
        kept=kept,
    )  # fmt: skip


def _fit(
    file: RunFile,
    trajectories: Trajectories,
    evidence: Evidence,
    settings: Settings,
    enumeration: Enumeration,
    clock: Clock,
    progress: Progress | None,
    stop: Stop | None,
    resume: bool | None,
) -> Evidence:
    """The fit stage, kept piece by piece; what was judged by in the end."""
    work = work_of(settings, len(enumeration.formulas), evidence, file, stop)
    file.under_way("fit", settings, resume)
    evidence, found, answer = searched(evidence, enumeration, settings, progress, work, trajectories)
    laws = [plain_law(law, _scales(trajectories), str(trajectories.time_unit)) for law in found.laws]
    clock.lap("fit")
    file.write_search(found.judgements, laws, answer, evidence.window, clock.seconds["fit"], settings)
    return evidence


def _as_the_fit_judged(file: RunFile, trajectories: Trajectories, settings: Settings) -> Evidence:
    """The evidence of a fit that is finished: windows that it chose itself, or whole trajectories."""
    return gathered(trajectories, replace(settings, window=file.window() or 0))


def _rank(
    file: RunFile,
    evidence: Evidence,
    settings: Settings,
    clock: Clock,
    progress: Progress | None,
    stop: Stop | None,
    resume: bool | None,
) -> None:
    """The rank stage, kept piece by piece."""
    laws = file.laws()
    if not rankable(laws):
        return
    file.under_way("rank", settings, resume)
    rows = ranking_rows(laws, settings, evidence, progress, work_of(settings, keeper=file, stop=stop))
    clock.lap("rank")
    file.write_ranking(rows, clock.seconds["rank"], settings)


@contextmanager
def begun(
    run: str | Path,
    trajectories: Trajectories,
    settings: Settings,
    resume: bool | None,
    sources: Sequence[str],
    reading: ReadOptions,
) -> Iterator[RunFile]:
    """The run file of these data and settings: a new one, or the unfinished one that is to be gone on with."""
    from .runs import RunFile, check_replaceable, is_begun

    if Path(run).is_file() and resume is None:
        check_replaceable(Path(run))
    if Path(run).is_file() and resume and is_begun(Path(run)):
        with RunFile(run) as file:
            if file.has("data"):
                file.check_the_same(settings, data=trajectories)
                yield file
                return
    with RunFile(run, create=True) as file:
        file.write_data(trajectories, settings, sources, reading)
        file.under_way("enumerate", settings, resume=False)
        yield file


def ranking_rows(
    laws: Sequence[Mapping[str, Any]],
    settings: Settings,
    evidence: Evidence,
    progress: Progress | None,
    work: Work,
) -> list[dict[str, Any]]:
    """The ranked table as plain rows; a candidate's name is its law's expression."""
    quantities = {str(k): law_quantity(laws[k], evidence.runs.symbols) for k in rankable(laws)}
    approximate = [number for number in quantities if laws[int(number)]["verdict"] == "APPROXIMATE"]
    table = ranked(evidence, quantities, settings, progress, approximate, work)
    rows = []
    for row in table.rows:
        facts = asdict(row)
        facts["over_time"] = [list(pair) for pair in row.over_time]  # as a run file gives them back
        if row.kind == "candidate":
            facts["law"] = int(row.name)
            facts["name"] = laws[int(row.name)]["expression"]
        elif row.kind == "oracle":
            facts["name"] = settings.oracle
        rows.append(facts)
    return rows


def rankable(laws: Sequence[Mapping[str, Any]]) -> list[int]:
    """The numbers of the laws that can be enforced: constraints hold anyway."""
    return [k for k, law in enumerate(laws) if law["verdict"] != "CONSTRAINT"]


def enumeration_facts(enumeration: Enumeration) -> dict[str, Any]:
    """What was searched, as plain data."""
    return {
        "formulas": enumeration.raw_total,
        "classes": len(enumeration.formulas),
        "nodes": enumeration.nodes,
        "max_nodes": enumeration.grammar.max_nodes,
    }


def fit_again(
    path: str | Path,
    changes: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    resume: bool | None = None,
    stop: Stop | None = None,
) -> Discovery:
    """Run the fit stage of a run file (again), with some settings changed; a ranking that it had is gone.

    resume: go on with an unfinished fit (True), or begin it anew (False); None refuses where there is one.
    """
    from .runs import RunFile

    with RunFile(path) as file:
        trajectories = file.read_data()
        file.counts()
        limit = {"max_formulas": None} if "max_nodes" in changes else {}  # that of the new number of nodes
        settings = replace(file.settings(), **{**limit, **changes})
        clock = Clock()
        enumeration = enumerated(trajectories, settings, progress)
        clock.lap("enumerate")
        evidence = gathered(trajectories, settings)
        _fit(file, trajectories, evidence, settings, enumeration, clock, progress, stop, resume)
        file.finished()
        return read_back(file, trajectories)


def rank_again(
    path: str | Path,
    changes: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    resume: bool | None = None,
    stop: Stop | None = None,
) -> Discovery:
    """Run the rank stage of a run file (again), with some settings changed; `resume` as in `fit_again`."""
    from .runs import RunFile

    with RunFile(path) as file:
        trajectories, settings = file.read_data(), replace(file.settings(), **changes)
        file.laws()
        evidence = _as_the_fit_judged(file, trajectories, settings)
        _rank(file, evidence, settings, Clock(), progress, stop, resume)
        file.finished()
        return read_back(file, trajectories)


def _scales(trajectories: Trajectories) -> dict[str, float]:
    return {s: unit.scale for s, unit in zip(trajectories.symbols, trajectories.units, strict=True)}
