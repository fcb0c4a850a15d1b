"""Whatever text stands in a header, a unit, a formula or a run file: it is understood, or refused in the reader's own
words; it is never run, and what is understood can be written and read again."""

from __future__ import annotations

import ast
import builtins
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from noether_dsl.dimension import Dimension
from noether_dsl.formula import FormulaError
from noether_dsl.text import parse, parse_sentence
from noether_dsl.units import Unit, UnitError, coherent_units, read_unit

from noether_discover.data.headers import distinct, format_header, parse_header, symbols_of
from noether_discover.data.tables import survey
from noether_discover.errors import NoetherError, RunFileError
from noether_discover.runs import RunFile

ROOT = Path(__file__).resolve().parents[2]
FOUND = json.loads((Path(__file__).parent / "found_by_fuzzing.json").read_text(encoding="utf-8"))
CANARY = "canary_that_sings"
SECONDS = 2.0
"""For one text; most take a thousandth of it."""
# benchmarks/fuzz_parsers.py tries a hundred thousand more
BOUNDED = settings(
    derandomize=True,
    max_examples=100,
    deadline=1000 * SECONDS,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@contextmanager
def silence() -> Iterator[None]:
    """Nobody calls the canary, by whatever name a text may reach it."""
    sung: list[object] = []
    setattr(builtins, CANARY, lambda *words: sung.append(words))
    try:
        yield
    finally:
        delattr(builtins, CANARY)
    assert not sung, "a text was run as a program"


def made_of(*words: str) -> st.SearchStrategy[str]:
    """Anything, and what looks more like the words."""
    pieces = st.sampled_from(
        [*words, f"{CANARY}()", f"{CANARY}", "().__class__", "__import__('os')", "\0", "\n", "é", "𝑥"]
    )
    return st.one_of(
        st.text(max_size=60), st.lists(pieces, max_size=12).map("".join), st.lists(pieces, max_size=8).map(" ".join)
    )


HEADERS = made_of(
    "q", "x.y", "[", "]", "(", ")", "rad", "[m]", ",", ";", "\t", '"', "|", " ", "1", "-", "#", "lambda", "t"
)
UNITS = made_of(
    "m", "kg", "s", "rad", "deg", "°", "*", "**", "/", "^", "2", "-1", "(", ")", "1/2", ".5", " ", "µ", "e5", "%"
)
FORMULAS = made_of(
    "q", "p", "a", "r", "r.x", "sin(", "dot(", "(", ")", ",", "+", "-", "*", "/", "**", "2", "1e9", "`q 1`", "^"
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.just(f"{CANARY}()")),
    lambda smaller: st.one_of(
        st.lists(smaller, max_size=3),
        st.dictionaries(
            st.sampled_from(["verdict", "reason", "names", "units", "inputs", "seed", "x"]), smaller, max_size=4
        ),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module", autouse=True)
def imported() -> None:
    """The units are known before anybody looks at the clock."""
    read_unit("m")


# headers


@BOUNDED
@given(HEADERS)
def test_a_header_has_a_name_and_at_most_a_unit_and_is_read_back(text: str) -> None:
    with silence():
        name, unit = parse_header(text)
    assert name == name.strip()
    assert bool(name) == bool(text.strip())
    assert unit is None or unit in text
    for written in (Unit(), Unit(Dimension.of(kg=1, m=1, s=-1))):
        again, read = parse_header(format_header(name, written))
        assert again == name or not name
        assert read_unit(read or "") == read_unit(str(written)) or not name


@BOUNDED
@given(st.lists(HEADERS, min_size=1, max_size=5))
def test_columns_have_different_symbols_that_are_identifiers(texts: list[str]) -> None:
    symbols = symbols_of(texts)
    assert len(set(symbols)) == len(texts)
    assert all(symbol.isidentifier() for symbol in symbols)
    assert symbols_of(symbols) == symbols
    assert len(set(distinct(texts))) == len(texts)


@BOUNDED
@given(
    st.lists(HEADERS, min_size=1, max_size=4),
    st.sampled_from([",", ";", "\t", "|", " "]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_file_with_any_header_is_understood_or_refused_with_its_name(
    tmp_path: Path, texts: list[str], mark: str, end: str
) -> None:
    file = tmp_path / "any.csv"
    rows = [mark.join(str(i + i * i * k) for k in range(len(texts))) for i in range(5)]
    file.write_bytes(end.join([mark.join(texts), *rows]).encode("utf-8", "surrogatepass"))
    with silence():
        found = survey(file)
    assert found.trajectories is not None or found.problems
    assert all(str(problem).startswith("any.csv: ") for problem in found.problems)


@BOUNDED
@given(st.binary(max_size=200))
def test_a_file_of_any_bytes_is_understood_or_refused_with_its_name(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.csv"
    file.write_bytes(content)
    found = survey(file)
    assert found.trajectories is not None or found.problems
    assert all(str(problem).startswith("any.csv: ") for problem in found.problems)


# units


@BOUNDED
@given(UNITS)
def test_a_unit_is_known_and_read_back_or_refused(text: str) -> None:
    with silence():
        try:
            unit = coherent_units({"c": text})["c"]
        except UnitError:
            return
    assert coherent_units({"c": str(unit)})["c"].dimension == unit.dimension
    assert read_unit(text) == {} or 0 < unit.scale < float("inf")


# formulas


@BOUNDED
@given(FORMULAS)
def test_a_formula_is_read_and_read_back_or_refused(text: str) -> None:
    with silence():
        try:
            said = parse_sentence(text, ("q", "p", "q 1"), {"r": ("r.x", "r.y")})
        except FormulaError:
            return
    formula = said.formula
    assert len(said.names) == len(said.values) == formula.parameters
    assert parse(str(formula), formula.inputs, formula.vectors) == formula


@pytest.mark.parametrize(
    "text",
    ["(" * 10**6, "q+" * 10**6, "-" * 10**6, "9" * 10**6, "q" * 10**6, " " * 10**6 + "q", "`" * 10**6, "2**" * 10**6,
     "m*" * 10**6, "ab " * 10**6, "[" * 10**6, "\0" * 10**6, "1e" * 10**6],
    ids=lambda text: repr(text[:4]),
)  # fmt: skip
def test_a_million_characters_are_read_or_refused_at_once_and_not_repeated(text: str) -> None:
    began = time.perf_counter()
    for reader, refusal in ((read_unit, UnitError), (parse, FormulaError), (parse_header, ())):
        said = ""
        try:
            reader(text)
        except refusal as problem:
            said = str(problem)
        assert len(said) < 600
    assert time.perf_counter() - began < SECONDS


# run files


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run file with a stage for each reader."""
    from noether_discover.data.systems import simulate
    from noether_discover.settings import Settings
    from noether_discover.stages import Answer

    file = tmp_path_factory.mktemp("sound") / "run.noether"
    with RunFile(file, create=True) as run:
        run.write_data(simulate("pendulum_hnn", seed=0), Settings(), ["good.csv"])
        run.write_search([], [{"formula": "p**2"}], Answer("NONE", "of 3 none", {}), None, 0.1)
    return file


READERS: list[Callable[[RunFile], object]] = [
    RunFile.settings, RunFile.answer, RunFile.laws, RunFile.ranking, RunFile.reasons, RunFile.seconds, RunFile.reading,
    RunFile.counts, RunFile.provenance, lambda run: run.unfinished,
]  # fmt: skip


@settings(BOUNDED, max_examples=40)
@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(b"SQLite format 3\0".__add__)))
def test_any_bytes_are_no_run_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "any.noether"
    file.write_bytes(content)
    with pytest.raises(RunFileError, match=r"any\.noether: "):
        RunFile(file)
    assert file.read_bytes() == content


@settings(BOUNDED, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2**20), st.binary(min_size=1, max_size=40)), min_size=1, max_size=6))
def test_a_run_file_with_other_bytes_in_it_is_read_or_refused(
    tmp_path: Path, sound: Path, patches: list[tuple[int, bytes]]
) -> None:
    file = tmp_path / "patched.noether"
    content = bytearray(sound.read_bytes())
    for place, patch in patches:
        content[place % len(content) : place % len(content) + len(patch)] = patch
    file.write_bytes(content)
    for reader in READERS:
        with suppress(NoetherError), RunFile(file) as run:
            reader(run)


@settings(BOUNDED, max_examples=40)
@given(st.sampled_from(["settings", "answer", "reading", "underway", "versions", "sources"]), JSON)
def test_facts_of_any_kind_are_read_or_refused(tmp_path: Path, sound: Path, name: str, value: object) -> None:
    file = tmp_path / "facts.noether"
    shutil.copy(sound, file)
    with closing(sqlite3.connect(file)) as db:
        db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
        db.commit()
    with silence():
        for reader in READERS:
            with suppress(NoetherError), RunFile(file) as run:
                reader(run)


@settings(BOUNDED, max_examples=40)
@given(JSON, st.sampled_from(["names", "symbols", "units", "derived", "vectors", "time_unit"]))
def test_columns_of_any_kind_are_read_or_refused(tmp_path: Path, sound: Path, value: object, key: str) -> None:
    file = tmp_path / "columns.noether"
    shutil.copy(sound, file)
    with closing(sqlite3.connect(file)) as db:
        columns = json.loads(db.execute("SELECT value FROM facts WHERE name = 'columns'").fetchone()[0])
        facts = json.dumps({**columns, key: value})
        db.execute("UPDATE facts SET value = ? WHERE name = 'columns'", (facts,))
        db.commit()
    with suppress(NoetherError), RunFile(file) as run:
        run.read_data()


# what fuzzing found


@pytest.mark.parametrize("row", FOUND, ids=lambda row: f"{row['parser']} {row['input'][:20]!r}")
def test_what_fuzzing_found_stays_mended(tmp_path: Path, row: dict[str, str]) -> None:
    text = row["input"]
    if row["parser"] == "formula":
        test_a_formula_is_read_and_read_back_or_refused.hypothesis.inner_test(text)
    elif row["parser"] == "unit":
        test_a_unit_is_known_and_read_back_or_refused.hypothesis.inner_test(text)
    else:
        test_a_header_has_a_name_and_at_most_a_unit_and_is_read_back.hypothesis.inner_test(text)
        (tmp_path / "any.csv").write_text(f"{text}\n0,0\n1,2\n2,4\n3,3\n4,9\n", encoding="utf-8", newline="")
        assert all(str(problem).startswith("any.csv: ") for problem in survey(tmp_path / "any.csv").problems)


# no door


BUILT_IN = {"eval", "exec", "compile", "__import__"}
EVALUATORS = {"sympify", "parse_expr", "lambdify", "S", "read_pickle", "popen"}
LOADERS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve"}
KNOWN = {"noether_discover/video/lpips.py": {"import pickle"}}
"""What is allowed, by file: there the name of the error that torch.load(weights_only=True) raises."""


def doors(path: Path) -> Iterator[str]:
    """Calls in a module by which a text or a file could be run."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            yield from (f"import {name}" for name in names if name.split(".")[0] in LOADERS)
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        owner, _, name = called.rpartition(".")
        given = {word.arg: ast.unparse(word.value) for word in node.keywords}
        bare = owner in ("", "builtins", "pd", "np")
        if name in EVALUATORS or owner in LOADERS or (name in BUILT_IN and bare) or called == "os.system":
            yield called
        elif name == "load" and owner == "torch" and given.get("weights_only") != "True":
            yield f"{called} without weights_only=True"
        elif name == "load" and owner in ("np", "numpy") and given.get("allow_pickle") != "False":
            yield f"{called} without allow_pickle=False"
        elif name in ("save", "savez") and given.get("allow_pickle") == "True":
            yield f"{called} with allow_pickle=True"
        elif given.get("shell") == "True":
            yield f"{called} with shell=True"


@pytest.mark.parametrize(
    "path", [*(ROOT / "noether_discover").rglob("*.py"), *(ROOT / "dsl").rglob("*.py")], ids=lambda path: path.stem
)
def test_no_module_runs_a_text_or_unpickles_a_file(path: Path) -> None:
    allowed = KNOWN.get(str(path.relative_to(ROOT)), set())
    assert [door for door in doors(path) if door not in allowed] == []


def test_a_door_would_be_seen(tmp_path: Path) -> None:
    for line in ("eval(x)", "sympy.sympify(x)", "import pickle", "np.load(x)", "torch.load(x)", "pickle.load(x)"):
        (tmp_path / "module.py").write_text(line)
        assert list(doors(tmp_path / "module.py")) != []
