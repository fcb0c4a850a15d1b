"""The Python door: `discover` a frame or a file, get a `Discovery`.

from noether_discover import discover
found = discover("pendulum.csv")
print(found.laws[0]["expression"])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .data.constants import Constant, constants_of
from .data.derived import with_derived
from .data.groups import regrouped
from .data.reduction import reduced
from .data.tables import USUAL, ReadOptions, angles_are_strict, from_frame, read_tables
from .data.trajectories import Trajectories
from .errors import OptionError
from .report.wording import law_sentence, plain_law
from .stages import Answer, Clock, Enumeration, Progress, Settings, enumerated, gathered, ranked, searched, work_of
from .work import Stop, Work

if TYPE_CHECKING:
    import pandas as pd

    from .runs import RunFile
    from .search.evidence import Evidence
    from .search.quantity import Quantity


@dataclass(frozen=True)
class Discovery:
    """What was found in some data, as plain data; `to_json` is what the command line prints.

    verdict: LAW, APPROXIMATE, NONE or UNDECIDED. reason: one sentence.
    laws: one mapping per functionally independent law, best first, with expression, formula, latex, unit, verdict,
        parameters (name, value, standard_error, unit) and figures.
    ranking: rows of the ranked table, empty when nothing was ranked.
    searched: formulas, classes, nodes, by_verdict. seconds: wall time by stage.
    symbols: formula symbol -> column name, for columns whose names are no identifiers.
    columns: the formula symbols of all columns, in the order of the file. column_units: their coherent units.
    parameters: one mapping per column that is constant along each trajectory but differs between them (column, unit,
        min, max, chi2): such columns may enter laws and are none themselves.
    scales: for each column, the factor from the file's number to the coherent unit (0.01745... for degrees).
    vectors: name of a vector -> the formula symbols of its components.
    """

    verdict: str
    reason: str
    laws: tuple[dict[str, Any], ...]
    ranking: tuple[dict[str, Any], ...]
    searched: dict[str, Any]
    seconds: dict[str, float]
    symbols: dict[str, str]
    columns: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    column_units: tuple[str, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    vectors: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """One JSON-able object."""
        facts = {
            "verdict": self.verdict,
            "reason": self.reason,
            "laws": list(self.laws),
            "ranking": list(self.ranking),
            "searched": self.searched,
            "seconds": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "columns": list(self.columns),
            "column_units": list(self.column_units),
            "scales": list(self.scales),
            "parameters": list(self.parameters),
        }
        if self.vectors:
            facts["vectors"] = {name: list(group) for name, group in self.vectors.items()}
        return {**facts, "symbols": self.symbols} if self.symbols else facts

    def to_frame(self) -> pd.DataFrame:
        """The laws as a table, one row each."""
        import pandas as pd

        return pd.DataFrame(
            [{k: v for k, v in law.items() if k not in ("forms", "number", "vectors")} for law in self.laws]
        )

    def to_latex(
        self, *, standalone: bool = False, style: str = "booktabs", symbols: Mapping[str, str] | None = None
    ) -> str:
        r"""The laws as a table of LaTeX; `standalone` gives a whole document.

        style: booktabs, plain or siunitx. symbols: LaTeX for columns and vectors by name, {"omega": r"\dot\theta"}.
        Raises OptionError for a style that there is not and a symbol that cannot be one.
        """
        from .report.latex import STYLES, latex_table
        from .report.tex import read_symbols

        if style not in STYLES:
            raise OptionError(f'there is no style "{style}"; there are {", ".join(STYLES)}')
        chosen = read_symbols(f"{name}={symbol}" for name, symbol in (symbols or {}).items())
        return latex_table(self.to_json(), standalone=standalone, style=style, symbols=chosen)

    def quantity(self, number: int = 0) -> Quantity:
        """A law as a callable on states [..., D] in coherent units (see `columns` for the order)."""
        return law_quantity(self.laws[number], self.columns)


def law_quantity(law: Mapping[str, Any], symbols: Sequence[str]) -> Quantity:
    """A law of the run file or of `Discovery.laws` as a callable on states in coherent units."""
    from .search.quantity import Quantity

    return Quantity(law_sentence(law).formula, tuple(p["value"] for p in law["parameters"]), tuple(symbols))


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
    progress: Progress | None = None,
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
        (False); None refuses to replace an unfinished one. progress: called with (stage, done, total).
    settings: fields of `Settings`, such as ``max_nodes=9`` or ``operators=(*DEFAULT_OPERATORS, "log")``.

    Raises NoetherError and its kin (all ValueErrors) for data and options that cannot be used.
    """
    options = ReadOptions(
        trajectory=trajectory,
        time=time,
        inputs=tuple(inputs),
        units=dict(units or {}),
        missing=missing,
        angles=angles,
        derivatives=dict(derivatives or {}),
        velocities=velocities,
        with_time=with_time,
        groups=dict(groups or {}),
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
    chosen = Settings(**{"strict_angles": angles_are_strict(trajectories, options), **settings})
    clock.lap("read")
    return run_stages(
        trajectories, chosen, clock=clock, rank=rank, run=run, resume=resume, sources=sources, reading=options,
        progress=progress,
    )  # fmt: skip


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
        return _computed(trajectories, evidence, settings, enumeration, clock, rank, progress, stop)
    with begun(run, trajectories, settings, resume, sources, reading) as file:
        if not file.has("enumerate"):
            file.write_enumeration(enumeration, clock.seconds["enumerate"])
        clock.lap("save")
        if not file.has("fit"):
            evidence = _fit(file, trajectories, evidence, settings, enumeration, clock, progress, stop, resume=True)
        elif file.fact("window") != evidence.window:
            evidence = _as_the_fit_judged(file, trajectories, settings)
        if rank and not file.has("rank"):
            _rank(file, evidence, settings, clock, progress, stop, resume=True)
        file.finished()
        found = _loaded(file, trajectories)
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
) -> Discovery:
    """The stages after the enumeration, nothing kept."""
    work = work_of(settings, len(enumeration.formulas), evidence, None, stop)
    evidence, found, answer = searched(evidence, enumeration, settings, progress, work, trajectories)
    laws = [plain_law(law, _scales(trajectories), str(trajectories.time_unit)) for law in found.laws]
    clock.lap("fit")
    rows: list[dict[str, Any]] = []
    if rank and rankable(laws):
        rows = ranking_rows(laws, settings, evidence, progress, work)
        clock.lap("rank")
    return assembled(trajectories, enumeration_facts(enumeration), answer, laws, rows, clock.seconds, settings.seed)


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
    return gathered(trajectories, replace(settings, window=file.fact("window") or 0))


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


def assembled(
    trajectories: Trajectories,
    what: Mapping[str, Any],
    answer: Answer,
    laws: Sequence[dict[str, Any]],
    ranking: Sequence[dict[str, Any]],
    seconds: Mapping[str, float],
    seed: int,
) -> Discovery:
    """A discovery from what the stages left. seed: that of the search, which says what part of large data it saw."""
    spelled = dict(zip(trajectories.symbols, trajectories.names, strict=True))
    return Discovery(
        verdict=answer.verdict,
        reason=answer.reason,
        laws=tuple(laws),
        ranking=tuple(ranking),
        searched={**what, "by_verdict": answer.by_verdict},
        seconds=dict(seconds),
        symbols={symbol: name for symbol, name in spelled.items() if symbol != name},
        columns=trajectories.symbols,
        scales=tuple(unit.scale for unit in trajectories.units),
        column_units=tuple(str(unit) for unit in trajectories.units),
        parameters=tuple(_plain_constant(one) for one in constants_of(reduced(trajectories, seed)) if one.differs),
        vectors=dict(trajectories.vectors),
    )


def _plain_constant(one: Constant) -> dict[str, Any]:
    return {"column": one.symbol, "unit": one.unit, "min": one.low, "max": one.high, "chi2": one.chi2}


def load(path: str | Path) -> Discovery:
    """The discovery that a run file holds.

    Raises RunFileError when it is no run file, or nothing was fitted yet.
    """
    from .runs import RunFile

    with RunFile(path) as file:
        return _loaded(file, file.read_data())


def _loaded(file: RunFile, trajectories: Trajectories) -> Discovery:
    counts, nodes, settings = file.counts(), file.fact("nodes"), file.settings()
    what = {
        "formulas": sum(raw for n, raw, _ in counts if n <= nodes),
        "classes": sum(searched_ for _, _, searched_ in counts),
        "nodes": nodes,
        "max_nodes": settings.max_nodes,
    }
    return assembled(trajectories, what, file.answer(), file.laws(), file.ranking(), file.seconds(), settings.seed)


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
        return _loaded(file, trajectories)


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
        return _loaded(file, trajectories)


def _scales(trajectories: Trajectories) -> dict[str, float]:
    return {s: unit.scale for s, unit in zip(trajectories.symbols, trajectories.units, strict=True)}
