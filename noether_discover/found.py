"""A discovery: what was found in some data, to be read, drawn, kept and used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from .data.constants import Constant, constants_of
from .data.reading import ReadOptions
from .data.reduction import reduced
from .data.trajectories import Trajectories
from .errors import OptionError, RunFileError
from .law import Law, columns_of
from .placing import placed
from .report.notebook import discovery_html, law_latex
from .report.wording import law_sentence
from .runs import RunFile, check_replaceable
from .settings import Settings
from .stages import Answer, Enumeration

if TYPE_CHECKING:
    import pandas as pd

    from .search.quantity import Quantity
    from .search.verdicts import Judgement


@dataclass(frozen=True)
class Kept:
    """What a discovery was made of, and every formula's judgement, in memory."""

    trajectories: Trajectories
    settings: Settings
    sources: tuple[str, ...]
    reading: ReadOptions
    enumeration: Enumeration
    judgements: tuple[Judgement, ...]
    window: int | None


@dataclass(frozen=True)
class Discovery:
    """What was found in some data, as plain data; `to_json` is what the command line prints.

    verdict: LAW, APPROXIMATE, NONE or UNDECIDED. reason: one sentence.
    laws: one `Law` per functionally independent law, best first: a function of states, and a mapping with expression,
        formula, latex, unit, verdict, parameters (name, value, standard_error, unit) and figures.
    ranking: rows of the ranked table, empty when nothing was ranked.
    searched: formulas, classes, nodes, by_verdict. seconds: wall time by stage.
    symbols: formula symbol -> column name, for columns whose names are no identifiers.
    columns: the formula symbols of all columns, in the order of the file. column_units: their coherent units.
    parameters: one mapping per column that is constant along each trajectory but differs between them (column, unit,
        min, max, chi2): such columns may enter laws and are none themselves.
    scales: for each column, the factor from the file's number to the coherent unit (0.01745... for degrees).
    vectors: name of a vector -> the formula symbols of its components.
    kept: what `save` writes, where no run file has it. run: the run file that has it.
    """

    verdict: str
    reason: str
    laws: tuple[Law, ...]
    ranking: tuple[dict[str, Any], ...]
    searched: dict[str, Any]
    seconds: dict[str, float] = field(compare=False)
    symbols: dict[str, str]
    columns: tuple[str, ...] = ()
    scales: tuple[float, ...] = ()
    column_units: tuple[str, ...] = ()
    parameters: tuple[dict[str, Any], ...] = ()
    vectors: dict[str, tuple[str, ...]] = field(default_factory=dict)
    kept: Kept | None = field(default=None, compare=False, repr=False)
    run: Path | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Laws given as plain mappings, as `to_json` has them, become laws."""
        if all(isinstance(law, Law) for law in self.laws):
            return
        units, scales = self.column_units or ("1",) * len(self.columns), self.scales or (1.0,) * len(self.columns)
        columns = columns_of(self.columns, self.symbols, units, scales)
        laws = tuple(law if isinstance(law, Law) else Law(law, columns) for law in self.laws)
        object.__setattr__(self, "laws", laws)

    def to_json(self) -> dict[str, Any]:
        """One JSON-able object."""
        facts = {
            "verdict": self.verdict,
            "reason": self.reason,
            "laws": [law.to_json() for law in self.laws],
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

    def save(self, path: str | Path) -> Path:
        """Keep everything in a run file, from which `load` gives the same numbers, bit for bit.

        Raises RunFileError where nothing can be written, where something else stands there, and where the run file
        that this discovery came from is gone or holds other laws by now.
        """
        target = Path(path)
        if self.run is not None and target.exists() and target.resolve() == self.run.resolve():
            self._check_own()
            return target
        if not target.absolute().parent.is_dir():
            raise RunFileError(
                f"{path}: there is no folder {target.absolute().parent}; make it, or choose another place"
            )
        if target.exists():
            check_replaceable(target)
        with placed(target, RunFileError) as temporary:
            if self.kept is not None:
                self._write(temporary, self.kept)
            else:
                self._check_own().copy_to(temporary)
        return target

    def _check_own(self) -> RunFile:
        """The run file that it came from, as long as it holds the same laws."""
        if self.run is None:
            raise RunFileError("this discovery was put together by hand; only what `discover` or `load` gave is saved")
        with RunFile(self.run) as file:
            if list(self.laws) != file.laws() or list(self.ranking) != file.ranking():
                raise RunFileError(f"{self.run}: holds other laws than this discovery; load it again")
            return file

    def _write(self, path: Path, kept: Kept) -> None:
        answer = Answer(self.verdict, self.reason, self.searched["by_verdict"])
        with RunFile(path, create=True) as file:
            file.write_data(kept.trajectories, kept.settings, kept.sources, kept.reading)
            file.write_enumeration(kept.enumeration, self.seconds.get("enumerate", 0.0))
            laws = [law.to_json() for law in self.laws]
            file.write_search(kept.judgements, laws, answer, kept.window, self.seconds.get("fit", 0.0))
            if self.ranking:
                file.write_ranking(self.ranking, self.seconds.get("rank", 0.0))

    @classmethod
    def load(cls, path: str | Path) -> Discovery:
        """The discovery that a run file holds; raises RunFileError as `noether_discover.load` does."""
        return load(path)

    def report(self, path: str | Path) -> Path:
        """One HTML page with laws, pictures and where everything came from; see `noether_discover.write_report`.

        Raises RunFileError as `save` does, OptionError for a place that cannot be written.
        """
        import noether_discover

        if self.run is not None:
            self._check_own()
            return Path(noether_discover.write_report(self.run, path))
        with TemporaryDirectory() as folder:
            return Path(noether_discover.write_report(self.save(Path(folder) / "discovery.noether"), path))

    def _repr_html_(self) -> str:
        return str(discovery_html(self.to_json()))

    def _repr_latex_(self) -> str:
        return law_latex(self.laws)


def law_quantity(law: Mapping[str, Any], symbols: Sequence[str]) -> Quantity:
    """A law of the run file or of `Discovery.laws` as a callable on states in coherent units."""
    from .search.quantity import Quantity

    return Quantity(law_sentence(law).formula, tuple(p["value"] for p in law["parameters"]), tuple(symbols))


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
    units, scales = tuple(str(unit) for unit in trajectories.units), tuple(unit.scale for unit in trajectories.units)
    columns = columns_of(trajectories.symbols, spelled, units, scales)
    return Discovery(
        verdict=answer.verdict,
        reason=answer.reason,
        laws=tuple(Law(law, columns) for law in laws),
        ranking=tuple(ranking),
        searched={**what, "by_verdict": answer.by_verdict},
        seconds=dict(seconds),
        symbols={symbol: name for symbol, name in spelled.items() if symbol != name},
        columns=trajectories.symbols,
        scales=scales,
        column_units=units,
        parameters=tuple(_plain_constant(one) for one in constants_of(reduced(trajectories, seed)) if one.differs),
        vectors=dict(trajectories.vectors),
    )


def _plain_constant(one: Constant) -> dict[str, Any]:
    return {"column": one.symbol, "unit": one.unit, "min": one.low, "max": one.high, "chi2": one.chi2}


def load(path: str | Path) -> Discovery:
    """The discovery that a run file holds.

    Raises RunFileError when it is no run file, or nothing was fitted yet.
    """
    with RunFile(path) as file:
        return read_back(file, file.read_data())


def read_back(file: RunFile, trajectories: Trajectories) -> Discovery:
    """The discovery in a run file that is open."""
    counts, nodes, settings = file.counts(), file.nodes(), file.settings()
    what = {
        "formulas": sum(raw for n, raw, _ in counts if n <= nodes),
        "classes": sum(searched_ for _, _, searched_ in counts),
        "nodes": nodes,
        "max_nodes": settings.max_nodes,
    }
    seconds, laws = file.seconds(), file.laws()
    found = assembled(trajectories, what, file.answer(), laws, file.ranking(), seconds, settings.seed)
    return replace(found, run=file.path)
