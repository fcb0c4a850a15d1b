"""The run file: one SQLite database per run, a set of tables per stage.

    facts          name, value (JSON): settings, data digest, seed, versions, command, answer
    trajectories   the data as they were read (a run file is self-contained)
    formulas       number, formula, nodes                            enumerate
    counts         nodes, raw, searched                              enumerate
    judgements     number, verdict, reason, parameters, figures      fit
    laws           position, law (JSON)                              fit
    ranking        position, row (JSON)                              rank
    seconds        stage, seconds

A stage writes its tables in one transaction and removes those of the later stages, so that an interrupted stage leaves
the file as it was. Write-ahead logging; nothing is pickled.
"""

from __future__ import annotations

import io
import json
import math
import platform
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from noether_dsl.dimension import Dimension
from noether_dsl.units import Unit

from .data.trajectories import Derived, Trajectories
from .errors import NoetherError, RunFileError
from .stages import Answer, Enumeration, Settings

MARK = 0x4E6F6574  # "Noet": SQLite's application id, by which a run file is recognised
VERSION = 1
_SQLITE = b"SQLite format 3\0"

_TABLES = {
    "data": {"trajectories": "number INTEGER PRIMARY KEY, label TEXT, times BLOB, states BLOB, derivatives BLOB"},
    "enumerate": {
        "formulas": "number INTEGER PRIMARY KEY, formula TEXT NOT NULL, nodes INTEGER NOT NULL",
        "counts": "nodes INTEGER PRIMARY KEY, raw INTEGER NOT NULL, searched INTEGER NOT NULL",
    },
    "fit": {
        "judgements": "number INTEGER PRIMARY KEY REFERENCES formulas, verdict TEXT NOT NULL, reason TEXT NOT NULL, "
        "parameters TEXT NOT NULL, ratio REAL, ratio_heldout REAL, ratio_random REAL, noise_chi2 REAL",
        "laws": "position INTEGER PRIMARY KEY, law TEXT NOT NULL",
    },
    "rank": {"ranking": "position INTEGER PRIMARY KEY, row TEXT NOT NULL"},
}
STAGES = tuple(_TABLES)


class RunFile:
    """One run on disk. Use as a context manager."""

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        """Open a run file, or begin a new one.

        Raises RunFileError when it is missing, not a run file, damaged, of another version, or cannot be written.
        """
        self.path = Path(path)
        if self.path.is_dir():
            raise RunFileError(f"{path}: is a folder; name a run file in it")
        if not create and not self.path.exists():
            raise RunFileError(
                f"{path}: there is no such run file; make one with `noether-discover enumerate DATA.csv -o {path}`"
            )
        if self.path.exists():
            _check_ours(self.path, replacing=create)
        try:
            for leftover in (self.path, *self._companions()) if create else ():
                leftover.unlink(missing_ok=True)
            self._db = sqlite3.connect(self.path, isolation_level=None)
            if create:
                self._begin()
        except (sqlite3.Error, OSError) as problem:
            raise RunFileError(f"{path}: cannot be written ({problem}); choose another place with -o") from problem

    def _companions(self) -> list[Path]:
        return [self.path.with_name(self.path.name + end) for end in ("-wal", "-shm", "-journal")]

    def _begin(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA application_id = {MARK}")
        self._db.execute(f"PRAGMA user_version = {VERSION}")
        with self._transaction():
            self._db.execute("CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            self._db.execute("CREATE TABLE seconds (stage TEXT PRIMARY KEY, seconds REAL NOT NULL)")

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave one tidy file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as problem:
            self._roll_back()
            raise RunFileError(f"{self.path}: cannot be written ({problem})") from problem
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextmanager
    def _stage(self, stage: str, seconds: float | None = None) -> Iterator[None]:
        """A transaction in which the stage's tables are empty and the later stages' are gone."""
        with self._transaction():
            for later in STAGES[STAGES.index(stage) :]:
                for table in _TABLES[later]:
                    self._db.execute(f"DROP TABLE IF EXISTS {table}")
                self._db.execute("DELETE FROM seconds WHERE stage = ?", (later,))
            for table, columns in _TABLES[stage].items():
                self._db.execute(f"CREATE TABLE {table} ({columns})")
            yield
            if seconds is not None:
                self._db.execute("INSERT INTO seconds VALUES (?, ?)", (stage, seconds))

    def _fill(self, table: str, rows: Iterable[Sequence[Any]]) -> None:
        rows = iter(rows)
        first = next(rows, None)
        if first is not None:
            marks = ", ".join("?" * len(first))
            self._db.execute(f"INSERT INTO {table} VALUES ({marks})", first)
            self._db.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)

    def _rows(self, query: str, stage: str) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query).fetchall()
        except sqlite3.OperationalError as problem:
            if "no such table" in str(problem):
                with_data = stage in ("data", "enumerate")
                command = f"enumerate DATA.csv -o {self.path}" if with_data else f"{stage} {self.path}"
                raise RunFileError(
                    f"{self.path}: has no {stage} stage yet; run `noether-discover {command}` first"
                ) from problem
            raise RunFileError(f"{self.path}: cannot be read ({problem})") from problem
        except (sqlite3.DatabaseError, UnicodeError) as problem:
            raise RunFileError(f"{self.path}: is damaged ({problem})") from problem

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """What was stored is read back; anything else means that the file was damaged."""
        try:
            yield
        except NoetherError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, EOFError, TokenError) as problem:  # json's and numpy's
            raise RunFileError(f"{self.path}: is damaged ({problem})") from problem

    def has(self, stage: str) -> bool:
        """Whether a stage was finished."""
        table = next(iter(_TABLES[stage]))
        return bool(self._rows(f"SELECT 1 FROM sqlite_master WHERE name = '{table}'", stage))

    # --- facts -----------------------------------------------------------------------------------------------------

    def fact(self, name: str, default: Any = None) -> Any:
        """One fact, or the default."""
        row = self._rows(f"SELECT value FROM facts WHERE name = '{name}'", "data")
        with self._sound():
            return json.loads(row[0][0]) if row else default

    def _say(self, name: str, value: Any) -> None:
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))

    def seconds(self) -> dict[str, float]:
        """Wall time by stage."""
        return dict(self._rows("SELECT stage, seconds FROM seconds", "data"))

    # --- data ------------------------------------------------------------------------------------------------------

    def write_data(self, trajectories: Trajectories, settings: Settings, sources: Sequence[str]) -> None:
        """Keep the data, the settings and where everything came from."""
        with self._stage("data"):
            self._fill(
                "trajectories",
                (
                    (k, label, _packed(t), _packed(x), _packed(given) if given is not None else None)
                    for k, (label, t, x, given) in enumerate(
                        zip(
                            trajectories.labels,
                            trajectories.times,
                            trajectories.states,
                            trajectories.given_derivatives or [None] * len(trajectories),
                            strict=True,
                        )
                    )
                ),
            )
            for name, value in {
                "columns": {
                    "names": trajectories.names,
                    "symbols": trajectories.symbols,
                    "units": [_unit_facts(u) for u in trajectories.units],
                    "time_name": trajectories.time_name,
                    "time_unit": _unit_facts(trajectories.time_unit),
                    "origin": trajectories.origin,
                    "derived": [None if origin is None else asdict(origin) for origin in trajectories.derived],
                    "vectors": trajectories.vectors,
                },
                "settings": settings.plain(),
                "data_digest": trajectories.digest(),
                "sources": list(sources),
                "command": sys.argv[1:],
                "versions": _versions(),
            }.items():
                self._say(name, value)

    def read_data(self) -> Trajectories:
        """The data of the run."""
        rows = self._rows("SELECT label, times, states, derivatives FROM trajectories ORDER BY number", "enumerate")
        columns = self.fact("columns")
        with self._sound():
            return Trajectories(
                names=tuple(columns["names"]),
                symbols=tuple(columns["symbols"]),
                units=tuple(_unit_of(u) for u in columns["units"]),
                states=tuple(_unpacked(x) for _, _, x, _ in rows),
                times=tuple(_unpacked(t) for _, t, _, _ in rows),
                labels=tuple(label for label, *_ in rows),
                given_derivatives=tuple(_unpacked(v) for *_, v in rows) if rows and rows[0][3] is not None else None,
                time_name=columns["time_name"],
                time_unit=_unit_of(columns["time_unit"]),
                origin=columns["origin"],
                derived=tuple(None if facts is None else Derived(**facts) for facts in columns.get("derived", ())),
                vectors=tuple((name, tuple(group)) for name, group in columns.get("vectors", ())),
            )

    def settings(self) -> Settings:
        """The settings of the run."""
        facts = self.fact("settings")
        with self._sound():
            return Settings.from_plain(facts)

    def _change(self, settings: Settings | None) -> None:
        if settings is not None:
            self._say("settings", settings.plain())

    # --- stages ----------------------------------------------------------------------------------------------------

    def write_enumeration(self, enumeration: Enumeration, seconds: float) -> None:
        """The formulas and their counts."""
        with self._stage("enumerate", seconds):
            self._fill("formulas", ((i, str(f), f.nodes) for i, f in enumerate(enumeration.formulas)))
            searched = [*enumeration.searched, *[0] * len(enumeration.raw)]
            self._fill("counts", ((n + 1, raw, searched[n]) for n, raw in enumerate(enumeration.raw)))
            self._say("grammar_digest", enumeration.grammar.digest())
            self._say("nodes", enumeration.nodes)

    def counts(self) -> list[tuple[int, int, int]]:
        """Nodes, raw formulas, formulas searched."""
        return self._rows("SELECT nodes, raw, searched FROM counts ORDER BY nodes", "enumerate")

    def write_search(
        self, judgements: Iterable[Any], laws: Sequence[Mapping[str, Any]], answer: Answer, window: int | None,
        seconds: float, settings: Settings | None = None,
    ) -> None:  # fmt: skip
        """A verdict for every formula, and the laws. settings: where they changed since the run began."""
        with self._stage("fit", seconds):
            self._change(settings)
            self._fill(
                "judgements",
                (
                    (
                        i, j.verdict, j.reason, json.dumps(j.parameters), _real(j.ratio), _real(j.ratio_heldout),
                        _real(j.ratio_random), _real(j.noise_chi2),
                    )
                    for i, j in enumerate(judgements)
                ),
            )  # fmt: skip
            self._fill("laws", ((k, json.dumps(law)) for k, law in enumerate(laws)))
            self._say("answer", {"verdict": answer.verdict, "reason": answer.reason, "by_verdict": answer.by_verdict})
            self._say("window", window)

    def laws(self) -> list[dict[str, Any]]:
        """The laws as plain data."""
        rows = self._rows("SELECT law FROM laws ORDER BY position", "fit")
        with self._sound():
            return [json.loads(law) for (law,) in rows]

    def reasons(self) -> list[tuple[str, str, int]]:
        """Verdict, reason, and how many formulas ended with them, most frequent first."""
        return self._rows(
            "SELECT verdict, reason, count(*) FROM judgements GROUP BY verdict, reason ORDER BY count(*) DESC, reason",
            "fit",
        )

    def answer(self) -> Answer:
        """What is conserved."""
        self._rows("SELECT 1 FROM judgements LIMIT 1", "fit")
        facts = self.fact("answer")
        with self._sound():
            return Answer(**facts)

    def write_ranking(
        self, rows: Sequence[Mapping[str, Any]], seconds: float, settings: Settings | None = None
    ) -> None:
        """The ranked table. settings: where they changed since the run began."""
        with self._stage("rank", seconds):
            self._change(settings)
            self._fill("ranking", ((k, json.dumps(dict(row))) for k, row in enumerate(rows)))

    def ranking(self) -> list[dict[str, Any]]:
        """The ranked table as plain data; empty when nothing was ranked."""
        if not self.has("rank"):
            return []
        rows = self._rows("SELECT row FROM ranking ORDER BY position", "rank")
        with self._sound():
            return [json.loads(row) for (row,) in rows]


def _check_ours(path: Path, replacing: bool) -> None:
    """Whether a file that exists is a run file, or one that may become a run file.

    Raises RunFileError: what is no run file is neither read nor replaced.
    """
    advice = "; choose another name with -o" if replacing else ""
    try:
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        if not start and replacing:  # nothing is lost
            return
        if start != _SQLITE:
            what = "is empty, and no run file" if not start else "is no run file of noether-discover"
            raise RunFileError(f"{path}: {what}{advice or '; begin a run with `noether-discover enumerate DATA.csv`'}")
        address = f"{path.absolute().as_uri()}?mode=rw"  # ro would leave the companions of a write-ahead log behind
        with closing(sqlite3.connect(address, uri=True)) as db:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except OSError as problem:
        raise RunFileError(f"{path}: cannot be opened ({problem.strerror}){advice}") from problem
    except (sqlite3.Error, UnicodeError) as problem:
        raise RunFileError(f"{path}: is damaged ({problem}){advice}") from problem
    if mark != MARK:
        raise RunFileError(f"{path}: is a database, but no run file of noether-discover{advice}")
    if version != VERSION and not replacing:
        raise RunFileError(f"{path}: was written by another version (format {version}, this is {VERSION})")


def _packed(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(blob: bytes) -> np.ndarray:
    return np.load(io.BytesIO(blob), allow_pickle=False)


def _real(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _unit_facts(unit: Unit) -> dict[str, Any]:
    return {"exponents": {base: str(power) for base, power in unit.dimension.exponents}, "scale": unit.scale}


def _unit_of(facts: dict[str, Any]) -> Unit:
    from fractions import Fraction

    return Unit(Dimension.of({base: Fraction(power) for base, power in facts["exponents"].items()}), facts["scale"])


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in ("noether-discover", "torch", "numpy", "pandas", "pint", "sympy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
