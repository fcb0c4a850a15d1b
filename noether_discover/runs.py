"""The run file: one SQLite database per run, a set of tables per stage.

    facts          name, value (JSON): settings, data digest, seed, versions, command, machine, answer
    trajectories   the data as they were read (a run file is self-contained)
    formulas       number, formula, nodes                            enumerate
    counts         nodes, raw, searched                              enumerate
    judgements     number, verdict, reason, parameters, figures      fit
    laws           position, law (JSON)                              fit
    ranking        position, row (JSON)                              rank
    pieces         step, number, result (JSON): of a stage that is under way
    seconds        stage, seconds: of the stages that are finished

A stage writes its tables in one transaction and removes those of the later stages, so that an interrupted stage leaves
them as they were; formulas come in chunks. While a stage is under way, each of its pieces is committed as it finishes,
and is gone when the stage is whole. Write-ahead logging; nothing is pickled.

One process writes at a time: it holds a lock of the operating system (flock) on the file, which dies with it. Anybody
may read.
"""

from __future__ import annotations

import io
import json
import math
import os
import platform
import sqlite3
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from itertools import islice
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from noether_dsl.units import Unit

from .data.reading import USUAL, ReadOptions
from .data.trajectories import Derived, Trajectories
from .errors import NoetherError, RunFileError
from .holding import linked, locked
from .settings import Settings
from .stages import Answer, Enumeration
from .stored import (
    check_columns,
    checked_answer,
    checked_law,
    checked_provenance,
    checked_row,
    number_of,
    text_of,
    unit_of,
    whole_of,
)  # fmt: skip

MARK = 0x4E6F6574  # "Noet": SQLite's application id, by which a run file is recognised
VERSION = 2
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
_NEW = (
    f"PRAGMA application_id = {MARK}",
    f"PRAGMA user_version = {VERSION}",
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE seconds (stage TEXT PRIMARY KEY, seconds REAL NOT NULL)",
    "CREATE TABLE pieces (step TEXT, number INTEGER, result TEXT NOT NULL, PRIMARY KEY (step, number))",
)
FORMULAS_AT_ONCE = 50_000
"""Formulas that are committed together."""


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
        self._lock: int | None = None
        if self.path.exists():
            _check_ours(self.path, replacing=create)
        try:
            if create:
                self._begin()
            self._db = _connected(self.path)
            if create:
                self._db.execute("PRAGMA journal_mode = WAL")
        except (sqlite3.Error, OSError) as problem:
            self._release()
            raise RunFileError(f"{path}: cannot be written ({problem}); choose another place with -o") from problem

    def _begin(self) -> None:
        """A new file with its tables, already held, takes the name at once: of two that begin, one is told of the
        other, and neither writes where the other has put something else. Laws that had it stay beside it.

        Raises RunFileError when somebody else writes.
        """
        new = self.path.with_name(f".{self.path.name}.{os.getpid()}.{threading.get_ident()}")
        mine: int | None = None
        try:
            with closing(sqlite3.connect(new, isolation_level=None)) as db:
                for words in _NEW:
                    db.execute(words)
            self._lock, mine = None, locked(new)
            if not linked(new, self.path):
                if self.path.exists():
                    self._hold()
                    if holds_laws(self.path):
                        os.replace(self.path, aside_of(self.path))
                for leftover in (self.path.with_name(self.path.name + end) for end in ("-wal", "-shm", "-journal")):
                    leftover.unlink(missing_ok=True)
                os.replace(new, self.path)
                self._release()
            self._lock, mine = mine, None
        finally:
            if mine is not None:
                os.close(mine)
            new.unlink(missing_ok=True)

    def __enter__(self) -> RunFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave one tidy file."""
        self._db.close()
        self._release()

    def copy_to(self, path: Path) -> None:
        """The same run in another file, which must not exist yet."""
        try:
            with closing(_connected(self.path)) as whole, closing(sqlite3.connect(path)) as copy:
                whole.backup(copy)
        except sqlite3.Error as problem:
            raise RunFileError(f"{self.path}: cannot be copied ({problem})") from problem

    def _hold(self) -> None:
        """Be the one who writes.

        Raises RunFileError when somebody else is, and says who.
        """
        if self._lock is not None:
            return
        try:
            self._lock = locked(self.path)
        except BlockingIOError as problem:
            who = self._writer()
            name = f'process {who["pid"]} on {who["host"]} ("{who["command"]}", since {who["since"]})' if who else ""
            raise RunFileError(
                f"{self.path}: is being written by {name or 'another process'}; wait for it, or choose another name"
            ) from problem
        except OSError as problem:
            raise RunFileError(f"{self.path}: cannot be written ({problem.strerror})") from problem

    def _writer(self) -> Mapping[str, Any]:
        """What the one who writes says of itself; nothing where it has not said so yet."""
        try:
            with closing(_connected(self.path)) as db:
                rows = db.execute("SELECT value FROM facts WHERE name = 'underway'").fetchall()
            who: Mapping[str, Any] = json.loads(rows[0][0]) if rows else {}
            return who if {"pid", "host", "command", "since"} <= set(who) else {}
        except (sqlite3.Error, ValueError, TypeError, OSError):
            return {}

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._hold()
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except sqlite3.Error as problem:
            self._roll_back()
            advice = "; make room and go on with --resume" if _is_of_the_disk(problem) else ""
            raise RunFileError(f"{self.path}: cannot be written ({problem}){advice}") from problem
        except BaseException:
            self._roll_back()
            raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    @contextmanager
    def _stage(self, stage: str, seconds: float | None = None) -> Iterator[None]:
        """A transaction in which the stage's tables are empty and the later stages' are gone. seconds: of one that is
        finished by it."""
        with self._transaction():
            for later in STAGES[STAGES.index(stage) :]:
                for table in _TABLES[later]:
                    self._db.execute(f"DROP TABLE IF EXISTS {table}")
                self._db.execute("DELETE FROM seconds WHERE stage = ?", (later,))
            for table, columns in _TABLES[stage].items():
                self._db.execute(f"CREATE TABLE {table} ({columns})")
            self._db.execute("DELETE FROM pieces")
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

    def _rows(self, query: str, stage: str, *values: Any) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.OperationalError as problem:
            if "no such table" in str(problem):
                self._need(stage)
            raise RunFileError(f"{self.path}: {_told(problem)}") from problem
        except (sqlite3.DatabaseError, UnicodeError) as problem:
            raise RunFileError(f"{self.path}: {_told(problem)}") from problem

    def _need(self, stage: str) -> None:
        """Raises RunFileError when a stage is not finished, and names the command that does it."""
        if not self.has(stage):
            with_data = stage in ("data", "enumerate")
            command = f"enumerate DATA.csv -o {self.path}" if with_data else f"{stage} {self.path}"
            raise RunFileError(f"{self.path}: has no {stage} stage yet; run `noether-discover {command}` first")

    @contextmanager
    def _sound(self) -> Iterator[None]:
        """What was stored is read back; anything else means that the file was damaged."""
        try:
            yield
        except NoetherError:
            raise
        except (
            ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, ArithmeticError, EOFError,
            TokenError, RecursionError,
        ) as problem:  # fmt: skip  # json's and numpy's, and what follows from numbers that are no numbers
            raise RunFileError(f"{self.path}: is damaged ({problem})") from problem

    def has(self, stage: str) -> bool:
        """Whether a stage was finished."""
        if stage == "data":
            return bool(self._rows("SELECT 1 FROM sqlite_master WHERE name = 'trajectories'", stage))
        return stage in self.seconds()

    # --- what is under way -----------------------------------------------------------------------------------------

    @property
    def unfinished(self) -> str:
        """The stage that was under way when its process ended, empty where none was."""
        found = self.fact("underway")
        with self._sound():
            return "" if found is None else str(found["stage"])

    def under_way(self, stage: str, settings: Settings, resume: bool | None) -> None:
        """Say that a stage is being done, by whom and with which settings; what was kept of it is gone on with.

        resume: None where the user said nothing, False to begin the stage anew.

        Raises RunFileError when somebody else writes, when an unfinished stage is there and nobody said what to do
        about it, and when it was begun with other settings or by another version.
        """
        self._hold()
        old = self.fact("underway")
        if resume is None:
            self.refuse_unfinished()
        if resume and old is not None and old["stage"] != stage and self._rows("SELECT 1 FROM pieces LIMIT 1", "data"):
            raise RunFileError(
                f"{self.path}: holds an unfinished {old['stage']}, and no {stage}: "
                f"`noether-discover {old['stage']} {self.path} --resume` goes on with it"
            )
        if resume and (old is None or old["stage"] == stage):
            self.check_the_same(settings, old)
        facts = {
            "stage": stage, "settings": settings.plain(), "version": _versions()["noether-discover"],
            "pid": os.getpid(), "host": platform.node(), "command": " ".join(["noether-discover", *sys.argv[1:]]),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        with self._transaction():
            if not resume or old is None or old["stage"] != stage:
                self._db.execute("DELETE FROM pieces")
            self._say("underway", facts)

    def refuse_unfinished(self) -> None:
        """Raises RunFileError where a stage is unfinished, or being done by somebody else: nothing is lost unasked."""
        self._hold()
        if self.unfinished:
            raise RunFileError(
                f"{self.path}: holds an unfinished run ({self.unfinished}); --resume goes on with it, "
                "--restart begins anew"
            )

    def check_the_same(
        self, settings: Settings, old: Mapping[str, Any] | None = None, data: Trajectories | None = None
    ) -> None:
        """Whether a run with these settings and data, by this version, is the one in the file.

        Raises RunFileError, which names what changed.
        """
        with self._sound():
            before = self.settings() if old is None else Settings.from_plain(old["settings"])
            version = (old or {}).get("version") or self.fact("versions")["noether-discover"]
        now = _versions()["noether-discover"]
        changed = [
            f"--{name.replace('_', '-')} was {value}, now {settings.plain()[name]}"
            for name, value in before.plain().items()
            if name not in Settings.WITHOUT_EFFECT and value != settings.plain()[name]
        ]
        if version != now:
            changed.append(f"it was begun by version {version}, this is {now}")
        if data is not None and self.fact("data_digest") != data.digest():
            changed.append(f"the data are others than those of {', '.join(self.fact('sources'))}")
        if changed:
            raise RunFileError(
                f"{self.path}: cannot be resumed: {'; '.join(changed)}; --restart begins anew, or choose another name"
            )

    def finished(self) -> None:
        """Nothing is under way any more."""
        with self._transaction():
            self._db.execute("DELETE FROM facts WHERE name = 'underway'")
            self._db.execute("DELETE FROM pieces")

    def kept(self, step: str) -> set[int]:
        """The numbers of a step's pieces that are finished."""
        return {number for (number,) in self._rows("SELECT number FROM pieces WHERE step = ?", "data", step)}

    def result(self, step: str, number: int) -> Any:
        """What a finished piece gave."""
        rows = self._rows("SELECT result FROM pieces WHERE step = ? AND number = ?", "data", step, number)
        with self._sound():
            return json.loads(rows[0][0])

    def keep(self, step: str, number: int, result: Any) -> None:
        """Commit the result of a piece."""
        with self._transaction():
            self._db.execute("INSERT INTO pieces VALUES (?, ?, ?)", (step, number, json.dumps(result)))

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
        rows = self._rows("SELECT stage, seconds FROM seconds", "data")
        with self._sound():
            return {text_of(stage): number_of(seconds) for stage, seconds in rows}

    # --- data ------------------------------------------------------------------------------------------------------

    def write_data(
        self, trajectories: Trajectories, settings: Settings, sources: Sequence[str], reading: ReadOptions = USUAL
    ) -> None:
        """Keep the data, the settings and where everything came from. reading: how the sources were read."""
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
                "reading": asdict(reading),
                "command": sys.argv[1:],
                "versions": _versions(),
                "machine": _machine(),
                "begun": datetime.now(UTC).isoformat(timespec="seconds"),
            }.items():
                self._say(name, value)

    def read_data(self) -> Trajectories:
        """The data of the run."""
        rows = self._rows("SELECT label, times, states, derivatives FROM trajectories ORDER BY number", "enumerate")
        columns = self.fact("columns")
        with self._sound():
            check_columns(columns["names"], columns["symbols"])
            if not isinstance(columns["origin"], str) or not isinstance(columns["time_name"], str | None):
                raise ValueError("the data or their time have no name")
            if not rows:
                raise ValueError("there are no trajectories")
            times, states = ([_unpacked(row[place]) for row in rows] for place in (1, 2))
            if any(x.shape != (*t.shape, len(columns["names"])) for t, x in zip(times, states, strict=True)):
                raise ValueError("states have another shape than times and columns")
            return Trajectories(
                names=tuple(columns["names"]),
                symbols=tuple(columns["symbols"]),
                units=tuple(unit_of(u) for u in columns["units"]),
                states=tuple(states),
                times=tuple(times),
                labels=tuple(label for label, *_ in rows),
                given_derivatives=tuple(_unpacked(v) for *_, v in rows) if rows[0][3] is not None else None,
                time_name=columns["time_name"],
                time_unit=unit_of(columns["time_unit"]),
                origin=columns["origin"],
                derived=tuple(None if facts is None else Derived(**facts) for facts in columns.get("derived", ())),
                vectors=tuple((name, tuple(group)) for name, group in columns.get("vectors", ())),
            )

    def reading(self) -> ReadOptions:
        """How the run's sources were read."""
        facts = self.fact("reading")
        with self._sound():
            return ReadOptions(**{**facts, "inputs": tuple(facts["inputs"])})

    def provenance(self) -> dict[str, Any]:
        """Where the run came from: versions, seed, command, data and their digest, machine, settings, seconds."""
        names = ("command", "versions", "machine", "begun", "sources", "data_digest", "grammar_digest", "reading")
        found = {name: self.fact(name) for name in names}
        with self._sound():
            checked_provenance(found)
        settings = self.settings()
        return {**found, "seed": settings.seed, "settings": settings.plain(), "seconds": self.seconds()}

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
        rows = ((i, str(f), f.nodes) for i, f in enumerate(enumeration.formulas))
        with self._stage("enumerate"):
            self._fill("formulas", islice(rows, FORMULAS_AT_ONCE))
            searched = [*enumeration.searched, *[0] * len(enumeration.raw)]
            self._fill("counts", ((n + 1, raw, searched[n]) for n, raw in enumerate(enumeration.raw)))
            self._say("grammar_digest", enumeration.grammar.digest())
            self._say("nodes", enumeration.nodes)
        while chunk := list(islice(rows, FORMULAS_AT_ONCE)):
            with self._transaction():
                self._fill("formulas", chunk)
        with self._transaction():
            self._db.execute("INSERT INTO seconds VALUES (?, ?)", ("enumerate", seconds))

    def counts(self) -> list[tuple[int, int, int]]:
        """Nodes, raw formulas, formulas searched."""
        self._need("enumerate")
        rows = self._rows("SELECT nodes, raw, searched FROM counts ORDER BY nodes", "enumerate")
        with self._sound():
            return [(whole_of(nodes), whole_of(raw), whole_of(searched)) for nodes, raw, searched in rows]

    def nodes(self) -> int:
        """Of the largest formulas that were searched."""
        self._need("enumerate")
        with self._sound():
            return whole_of(self.fact("nodes"))

    def window(self) -> int | None:
        """Samples in a window, where trajectories were cut."""
        found = self.fact("window")
        with self._sound():
            return None if found is None else whole_of(found)

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
        """The laws as plain data; see `stored` for what is checked."""
        rows = self._rows("SELECT law FROM laws ORDER BY position", "fit")
        columns = self.fact("columns") if rows else None
        with self._sound():
            if columns is None:
                return []
            check_columns(columns["names"], columns["symbols"])
            scales = dict(zip(columns["symbols"], (unit_of(u).scale for u in columns["units"]), strict=True))
            vectors = {str(name): tuple(group) for name, group in columns.get("vectors", ())}
            return [checked_law(json.loads(law), scales, vectors) for (law,) in rows]

    def reasons(self) -> list[tuple[str, str, int]]:
        """Verdict, reason, and how many formulas ended with them, most frequent first."""
        rows = self._rows(
            "SELECT verdict, reason, count(*) FROM judgements GROUP BY verdict, reason ORDER BY count(*) DESC, reason",
            "fit",
        )
        with self._sound():
            return [(text_of(verdict), text_of(reason), whole_of(number)) for verdict, reason, number in rows]

    def judged(self) -> list[tuple[int, str, str, float | None, str]]:
        """Nodes, formula, verdict, ratio and reason of every formula that was judged. The ratio is held out where the
        formula came so far, else the one that it was screened by."""
        rows = self._rows(
            "SELECT nodes, formula, verdict, coalesce(ratio_heldout, ratio), reason FROM judgements JOIN formulas "
            "USING (number) ORDER BY number",
            "fit",
        )
        with self._sound():
            return [
                (int(n), str(f), str(verdict), _real_or_none(ratio), str(why)) for n, f, verdict, ratio, why in rows
            ]

    def answer(self) -> Answer:
        """What is conserved."""
        self._rows("SELECT 1 FROM judgements LIMIT 1", "fit")
        facts = self.fact("answer")
        with self._sound():
            return Answer(**checked_answer(facts))

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
        ((laws,),) = self._rows("SELECT count(*) FROM laws", "fit")
        with self._sound():
            return [checked_row(json.loads(row), laws) for (row,) in rows]


def is_begun(path: Path) -> bool:
    """Whether there is a run in a file that exists, rather than nothing yet.

    Raises RunFileError when it is no run file.
    """
    return _check_ours(path, replacing=True) == VERSION


def holds_laws(path: Path) -> bool:
    """Whether a file holds a fit that was finished, or one that this version cannot read: what a new run puts aside.

    Raises RunFileError when it is no run file.
    """
    version = _check_ours(path, replacing=True)
    if version != VERSION:
        return version is not None
    try:
        with RunFile(path) as file:
            return file.has("fit")
    except RunFileError:
        return True


def aside_of(path: Path) -> Path:
    """Where the laws of a run file stay when a new run takes its name."""
    return path.with_name(path.name + "~")


def check_replaceable(path: Path) -> None:
    """Whether a file that exists may become a new run file.

    Raises RunFileError when it is no run file, holds an unfinished run, or is being written.
    """
    if is_begun(path):
        with RunFile(path) as file:
            file.refuse_unfinished()


def _check_ours(path: Path, replacing: bool) -> int | None:
    """The version of a run file that exists; None for an empty one that may become a run file.

    Raises RunFileError: what is no run file is neither read nor replaced.
    """
    advice = "; choose another name with -o" if replacing else ""
    try:
        if not path.is_file():
            raise RunFileError(f"{path}: is no plain file, and no run file{advice}")
        with path.open("rb") as file:
            start = file.read(len(_SQLITE))
        if not start and replacing:  # nothing is lost
            return None
        if start != _SQLITE:
            what = "is empty, and no run file" if not start else "is no run file of noether-discover"
            raise RunFileError(f"{path}: {what}{advice or '; begin a run with `noether-discover enumerate DATA.csv`'}")
        with closing(_connected(path)) as db:
            mark = db.execute("PRAGMA application_id").fetchone()[0]
            version = db.execute("PRAGMA user_version").fetchone()[0]
            empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except OSError as problem:
        raise RunFileError(f"{path}: cannot be opened ({problem.strerror}){advice}") from problem
    except (sqlite3.Error, UnicodeError) as problem:
        raise RunFileError(f"{path}: {_told(problem)}{advice}") from problem
    if empty and replacing:  # a process was killed as it began the file: there is nothing to lose
        return None
    if mark != MARK:
        raise RunFileError(f"{path}: is a database, but no run file of noether-discover{advice}")
    if version != VERSION and not replacing:
        raise RunFileError(f"{path}: was written by another version (format {version}, this is {VERSION})")
    return int(version)


def _is_of_the_disk(problem: Exception) -> bool:
    """Whether a disk is full or failing, rather than a file damaged: a log beside the file needs room even to read."""
    name = getattr(problem, "sqlite_errorname", "")
    return name.startswith(("SQLITE_IOERR", "SQLITE_FULL"))


def _told(problem: Exception) -> str:
    """What a failed reading says of the file."""
    if _is_of_the_disk(problem):
        return f"cannot be read ({problem}); is the disk full?"
    if getattr(problem, "sqlite_errorname", "").startswith(("SQLITE_CANTOPEN", "SQLITE_BUSY", "SQLITE_READONLY")):
        return f"cannot be opened ({problem}); copy it to a place that can be written"
    return f"is damaged ({problem})"


def _connected(path: Path) -> sqlite3.Connection:
    """A connection; one that only reads where nothing can be written beside the file."""
    log = path.with_name(path.name + "-wal")
    alone = path.exists() and not log.exists() and not os.access(path.parent, os.W_OK)
    address = f"{path.absolute().as_uri()}?{'mode=ro&immutable=1' if alone else 'mode=rwc'}"
    return sqlite3.connect(address, uri=True, isolation_level=None)


def _packed(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(blob: bytes) -> np.ndarray:
    return np.load(io.BytesIO(blob), allow_pickle=False)


def _real(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _real_or_none(value: Any) -> float | None:
    return None if value is None else _real(float(value))


def _unit_facts(unit: Unit) -> dict[str, Any]:
    return {"exponents": {base: str(power) for base, power in unit.dimension.exponents}, "scale": unit.scale}


def _machine() -> dict[str, Any]:
    return {"name": platform.node(), "system": platform.platform(), "processors": os.cpu_count()}


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "machine": platform.machine(), "system": platform.system()}
    for name in ("noether-discover", "torch", "numpy", "pandas", "pint", "sympy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
