"""Run files: what is kept comes back, a stage is whole or not at all, and nothing but a run file is taken for one."""

from __future__ import annotations

import io
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from noether_dsl.dimension import Dimension
from noether_dsl.text import parse
from noether_dsl.units import Unit, coherent_units

from noether_discover.data.systems import simulate
from noether_discover.data.trajectories import Derived, Trajectories
from noether_discover.errors import NoetherError, RunFileError
from noether_discover.report.wording import plain_law
from noether_discover.runs import STAGES, RunFile, aside_of, check_replaceable, is_begun
from noether_discover.search.laws import Law, Parameter
from noether_discover.search.verdicts import Judgement
from noether_discover.settings import Settings
from noether_discover.stages import Answer, Enumeration, enumerated

ANSWER = Answer("LAW", "1 functionally independent quantity is conserved", {"LAW": 1, "TRIVIAL": 2})
SQUARED = "kg^2*m^2/s^2"


def law(text: str, unit: str, parameters: tuple[Parameter, ...] = (), forms: tuple[str, ...] = ()) -> dict[str, Any]:
    """A law as a search states it."""
    dimension = coherent_units({"x": unit})["x"].dimension
    figures = (1e-9, 2e-9, 0.9, float("nan"), 0.0, 1e-12, 1.0)
    stated = Law(parse(text, ("q", "p")), parameters, 0, dimension, "LAW", "noise explains it", *figures, forms)
    return plain_law(stated, {"q": 1.0, "p": 1.0}, "s")


LAWS = [
    law("p**2 - a*cos(q)", SQUARED, (Parameter("a", 3.0, 0.01, SQUARED),), ("cos(q) - a*p**2",)),
    law("q", "rad"),
]
RANKING = [
    {"kind": "mlp", "name": "MLP", "status": "ok", "test_rollout": 0.1, "chosen": False, "over_time": [[0.1, 0.05]]},
    {"kind": "candidate", "name": "p**2", "status": "diverged", "test_rollout": None, "chosen": False, "over_time": []},
]
SETTINGS = Settings(max_nodes=3, operators=("add", "mul", "square"), window=0, seed=7, oracle="p**2", jobs=1)


@pytest.fixture(scope="module")
def data() -> Trajectories:
    return simulate("pendulum_hnn", trajectories=3, samples=5, seed=1)


@pytest.fixture(scope="module")
def enumeration(data: Trajectories) -> Enumeration:
    return enumerated(data, SETTINGS)


def judgements(enumeration: Enumeration) -> list[Judgement]:
    return [Judgement("TRIVIAL", "reads no column", (1.5, -2.0), ratio=0.5) for _ in enumeration.formulas]


def write(file: RunFile, stage: str, data: Trajectories, enumeration: Enumeration) -> None:
    """One stage as a discovery writes it."""
    if stage == "data":
        file.write_data(data, SETTINGS, ["pendulum.csv"])
    elif stage == "enumerate":
        file.write_enumeration(enumeration, 1.0)
    elif stage == "fit":
        file.write_search(judgements(enumeration), LAWS, ANSWER, 12, 2.0)
    else:
        file.write_ranking(RANKING, 3.0)


@pytest.fixture
def whole(tmp_path: Path, data: Trajectories, enumeration: Enumeration) -> Path:
    """A run file with all of its stages."""
    path = tmp_path / "run.noether"
    with RunFile(path, create=True) as file:
        for stage in STAGES:
            write(file, stage, data, enumeration)
    return path


def dump(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    lines = list(db.iterdump())
    db.close()
    return lines


def tables(path: Path) -> dict[str, int]:
    """How many rows each table has."""
    db = sqlite3.connect(path)
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    counts = {name: db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}
    db.close()
    return counts


# there and back


def awkward() -> Trajectories:
    """Ragged lengths, scales, half powers, given derivatives, a derived column, names that are no identifiers."""
    states = tuple(np.random.default_rng(k).normal(size=(4 + k, 2)) for k in range(3))
    return Trajectories(
        names=("q [x]", "Winkel θ"),
        symbols=("q__x_", "Winkel_θ"),
        units=(Unit(Dimension.of({"m": Fraction(1, 2), "AU": -3}), 0.1), Unit(Dimension.of(rad=1), np.pi / 180)),
        states=states,
        times=tuple(np.cumsum(1 + x[:, 0] ** 2) for x in states),
        labels=("a", "", "c'd"),
        given_derivatives=tuple(3 * x for x in states),
        time_name="t",
        time_unit=Unit(Dimension.of(day=1), 0.01),
        origin="some.csv and 2 more",
        derived=(None, Derived("velocity", "q__x_", 0.25)),
    )


@pytest.mark.parametrize(
    "trajectories", [awkward(), simulate("lorenz", trajectories=2, samples=4)], ids=["awkward", "plain"]
)
def test_data_come_back_to_the_last_bit(tmp_path: Path, trajectories: Trajectories) -> None:
    with RunFile(tmp_path / "a.noether", create=True) as file:
        file.write_data(trajectories, SETTINGS, ["a.csv", "b.csv"])
    with RunFile(tmp_path / "a.noether") as file:
        back = file.read_data()
        assert file.fact("data_digest") == trajectories.digest() == back.digest()
        assert file.fact("sources") == ["a.csv", "b.csv"]
        assert set(file.fact("versions")) >= {"python", "torch", "numpy", "noether-discover"}
    arrays = ("states", "times", "given_derivatives")
    for name in arrays:
        for x, y in zip(getattr(back, name) or (), getattr(trajectories, name) or (), strict=True):
            assert np.array_equal(x, y)
    without = dict.fromkeys(arrays[:2], ())
    for name in set(vars(trajectories)) - set(arrays) - set(without):
        assert getattr(back, name) == getattr(trajectories, name), name


@pytest.mark.parametrize(
    "settings", [Settings(), SETTINGS, Settings(parameter_units=("1", "kg*m"), window=40, rule="paper")]
)
def test_settings_come_back(tmp_path: Path, data: Trajectories, settings: Settings) -> None:
    """But for those that change nothing but the time."""
    settings = replace(settings, jobs=Settings().jobs)
    with RunFile(tmp_path / "a.noether", create=True) as file:
        file.write_data(data, settings, [])
    with RunFile(tmp_path / "a.noether") as file:
        assert file.settings() == settings
        file.write_ranking(RANKING, 1.0, replace(settings, seed=99))
    with RunFile(tmp_path / "a.noether") as file:
        assert file.settings() == replace(settings, seed=99)


def test_a_ranked_law_is_one_of_the_laws(whole: Path) -> None:
    for number in (len(LAWS), -1):
        with RunFile(whole) as file:
            file.write_ranking([{**RANKING[0], "law": number}], 1.0)
            with pytest.raises(RunFileError, match=r"is damaged \(a ranked law has no number among the laws\)"):
                file.ranking()


def test_every_stage_comes_back(whole: Path, enumeration: Enumeration) -> None:
    with RunFile(whole) as file:
        assert all(file.has(stage) for stage in STAGES)
        assert [raw for _, raw, _ in file.counts()] == list(enumeration.raw)
        assert [searched for _, _, searched in file.counts()] == list(enumeration.searched)
        assert file.fact("grammar_digest") == enumeration.grammar.digest()
        assert file.answer() == ANSWER
        assert file.laws() == LAWS
        assert file.ranking() == RANKING
        assert file.seconds() == {"enumerate": 1.0, "fit": 2.0, "rank": 3.0}
        assert file.fact("window") == 12
        assert file.fact("no such fact", "default") == "default"


def test_every_formula_s_verdict_can_be_counted_with_plain_sql(whole: Path, enumeration: Enumeration) -> None:
    db = sqlite3.connect(whole)
    rows = db.execute(
        "SELECT verdict, count(*) FROM judgements JOIN formulas USING (number) GROUP BY verdict"
    ).fetchall()
    db.close()
    assert rows == [("TRIVIAL", len(enumeration.formulas))]


def test_a_closed_run_is_one_file(whole: Path) -> None:
    with RunFile(whole) as file:
        file.laws()
    assert os.listdir(whole.parent) == ["run.noether"]


# stages


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_that_is_run_again_replaces_its_tables_and_drops_the_later_ones(
    whole: Path, data: Trajectories, enumeration: Enumeration, stage: str
) -> None:
    before = tables(whole)
    with RunFile(whole) as file:
        write(file, stage, data, enumeration)
        place = STAGES.index(stage)
        assert [file.has(s) for s in STAGES] == [s in STAGES[: place + 1] for s in STAGES]
        assert set(file.seconds()) == set(STAGES[1 : place + 1])
    after = tables(whole)
    assert {name: before[name] for name in after if name != "seconds"} == {
        name: count for name, count in after.items() if name != "seconds"
    }


@pytest.mark.parametrize("stage", STAGES[1:])
def test_what_is_not_there_yet_is_named_with_the_command_that_makes_it(
    tmp_path: Path, data: Trajectories, enumeration: Enumeration, stage: str
) -> None:
    path = tmp_path / "run.noether"
    with RunFile(path, create=True) as file:
        for earlier in STAGES[: STAGES.index(stage)]:
            write(file, earlier, data, enumeration)
        if stage == "rank":
            assert file.ranking() == []
            return
        read: Callable[[], Any] = file.counts if stage == "enumerate" else file.laws
        with pytest.raises(RunFileError, match=f"has no {stage} stage yet; run `noether-discover {stage} "):
            read()


def interrupted(rows: list[Any], how: type[BaseException] = KeyboardInterrupt) -> Iterator[Any]:
    yield from rows
    raise how


def interrupt(file: RunFile, stage: str, data: Trajectories, enumeration: Enumeration, how: Any) -> None:
    """One stage that is broken off after some of it was written."""
    if stage == "data":
        file.write_data(data, SETTINGS, interrupted(["a.csv"], how))  # type: ignore[arg-type]
    elif stage == "enumerate":
        some: Any = interrupted(list(enumeration.formulas[:2]), how)
        file.write_enumeration(replace(enumeration, formulas=some), 9.0)
    elif stage == "fit":
        file.write_search(interrupted(judgements(enumeration), how), LAWS, ANSWER, 5, 9.0)
    else:
        file.write_ranking(interrupted(RANKING[:1], how), 9.0)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
@pytest.mark.parametrize("stage", STAGES)
def test_an_interrupted_stage_leaves_the_file_as_it_was(
    whole: Path, data: Trajectories, enumeration: Enumeration, stage: str, how: type[BaseException]
) -> None:
    before = dump(whole)
    with RunFile(whole) as file:
        with pytest.raises(how):
            interrupt(file, stage, data, enumeration, how)
        assert file.laws() == LAWS
    assert dump(whole) == before


def test_a_process_that_is_killed_within_a_stage_leaves_the_file_as_it_was(whole: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from noether_discover.runs import RunFile\n"
        "def rows():\n"
        "    for number in range(20000):\n"
        "        yield {'law': 'x' * 1000, 'number': number}\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "RunFile(sys.argv[1]).write_ranking(rows(), 1.0)\n"
    )
    before = dump(whole)
    done = subprocess.run([sys.executable, "-c", program, str(whole)], capture_output=True)
    assert done.returncode == -signal.SIGKILL
    with RunFile(whole) as file:
        assert file.ranking() == RANKING
    assert dump(whole) == before
    assert os.listdir(whole.parent) == ["run.noether"]


# what is no run file


def test_a_new_run_replaces_an_old_one_whole(whole: Path, data: Trajectories) -> None:
    with RunFile(whole, create=True) as file:
        assert [file.has(stage) for stage in STAGES] == [False] * 4
        file.write_data(data, SETTINGS, [])
    assert set(tables(whole)) == {"facts", "pieces", "seconds", "trajectories"}


@pytest.mark.parametrize("content", [b"t,q,p\n1,2,3\n", b"SQLite format 3\0" + bytes(4000), bytes(100)])
def test_what_is_no_run_file_is_neither_read_nor_replaced(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.db"
    path.write_bytes(content)
    with pytest.raises(RunFileError, match=r"mine.db: is (no run file|damaged)"):
        RunFile(path)
    with pytest.raises(RunFileError, match="choose another name with -o"):
        RunFile(path, create=True)
    assert path.read_bytes() == content
    assert os.listdir(tmp_path) == ["mine.db"]


def test_names_with_marks_of_addresses_are_names(tmp_path: Path, data: Trajectories) -> None:
    path = tmp_path / "run #1?mode=ro & 50%.noether"
    for _ in range(2):
        with RunFile(path, create=True) as file:
            file.write_data(data, SETTINGS, [])
    with RunFile(path) as file:
        assert file.read_data().digest() == data.digest()
    assert os.listdir(tmp_path) == [path.name]


def test_places_that_cannot_hold_a_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="is a folder"):
        RunFile(tmp_path, create=True)
    with pytest.raises(RunFileError, match="cannot be written"):
        RunFile(tmp_path / "nowhere" / "a.noether", create=True)
    with pytest.raises(RunFileError, match="there is no such run file"):
        RunFile(tmp_path / "a.noether")
    assert os.listdir(tmp_path) == []


def read_all(path: Path) -> None:
    with RunFile(path) as file:
        file.read_data()
        file.settings()
        file.counts()
        file.answer()
        file.laws()
        file.ranking()
        file.seconds()


def test_a_file_cut_anywhere_is_damaged_and_nothing_worse(whole: Path) -> None:
    content = whole.read_bytes()
    for size in range(1, len(content), 997):
        whole.write_bytes(content[:size])
        with pytest.raises(RunFileError, match=r"is (damaged|no run file)|was written by another version"):
            read_all(whole)


def test_a_file_with_wrong_bytes_is_damaged_and_nothing_worse(whole: Path) -> None:
    content, rng = whole.read_bytes(), np.random.default_rng(0)
    damaged = 0
    for _ in range(150):
        bytes_N = np.frombuffer(content, dtype=np.uint8).copy()
        at = int(rng.integers(100, len(content) - 64))
        bytes_N[at : at + 64] = rng.integers(0, 256, 64)
        whole.write_bytes(bytes_N.tobytes())
        try:
            read_all(whole)  # most of the file is slack or verdicts, which are not read here
        except NoetherError:
            damaged += 1
    assert damaged > 10


class Evil:
    """Unpickling it writes a file."""

    def __reduce__(self) -> Any:
        return os.mkdir, ("unpickled",)


def test_nothing_is_pickled(whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(whole.parent)
    array = io.BytesIO()
    np.save(array, np.array([[Evil()]], dtype=object), allow_pickle=True)
    for blob in (array.getvalue(), pickle.dumps(Evil())):
        db = sqlite3.connect(whole)
        db.execute("UPDATE trajectories SET states = ?", (blob,))
        db.commit()
        db.close()
        with RunFile(whole) as file, pytest.raises(RunFileError, match="is damaged"):
            file.read_data()
    assert os.listdir(whole.parent) == ["run.noether"]


# what is under way


def test_an_unfinished_run_is_neither_replaced_nor_forgotten(
    tmp_path: Path, data: Trajectories, enumeration: Enumeration
) -> None:
    path = tmp_path / "run.noether"
    with RunFile(path, create=True) as file:
        for stage in STAGES[:3]:
            write(file, stage, data, enumeration)
        file.under_way("fit", SETTINGS, resume=False)
        file.keep("fit/screen", 0, [[1.5, float("nan")]])
    with pytest.raises(RunFileError, match=r"holds an unfinished run \(fit\); --resume goes on with it"):
        check_replaceable(path)
    with RunFile(path) as file:
        with pytest.raises(RunFileError, match=r"holds an unfinished fit, and no rank: `noether-discover fit .* --res"):
            file.under_way("rank", SETTINGS, resume=True)
        with pytest.raises(RunFileError, match=r"--alpha was 0\.05, now 0\.5"):
            file.under_way("fit", replace(SETTINGS, alpha=0.5), resume=True)
        assert file.kept("fit/screen") == {0}
        assert file.result("fit/screen", 0)[0][0] == 1.5
        file.under_way("fit", replace(SETTINGS, jobs=3), resume=True)  # who works changes nothing
        assert list(file.kept("fit/screen")) == [0]
        file.finished()
        assert file.kept("fit/screen") == set()
    check_replaceable(path)


def test_laws_whose_name_a_new_run_takes_stay_beside_it(
    tmp_path: Path, data: Trajectories, enumeration: Enumeration
) -> None:
    path = tmp_path / "run.noether"
    for stages in (STAGES[:3], STAGES[:2]):  # what was never fitted is not kept
        with RunFile(path, create=True) as file:
            for stage in stages:
                write(file, stage, data, enumeration)
    with RunFile(path, create=True):
        pass
    assert sorted(os.listdir(tmp_path)) == ["run.noether", "run.noether~"]
    with RunFile(aside_of(path)) as file:
        assert file.has("fit")
    with closing(sqlite3.connect(aside_of(path))) as other:
        other.execute("PRAGMA user_version = 1")
    os.replace(aside_of(path), path)  # of another version: there may be laws in it
    RunFile(path, create=True).close()
    with closing(sqlite3.connect(aside_of(path))) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)


def test_a_file_that_was_killed_as_it_began_holds_nothing(tmp_path: Path, data: Trajectories) -> None:
    path = tmp_path / "run.noether"
    begun = sqlite3.connect(path)
    begun.execute("PRAGMA journal_mode = WAL")
    begun.close()
    assert path.stat().st_size > 0
    assert not is_begun(path)
    with RunFile(path, create=True) as file:
        file.write_data(data, SETTINGS, [])
    assert is_begun(path)
