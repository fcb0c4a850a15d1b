"""Claim: whatever stands in a header, a unit or a formula, it is understood or refused in the parser's own words within
a second; no other exception comes out, nothing is run, and what is understood can be written and read again.

Coverage-guided fuzzing, 200 s for each of the three parsers, one after another. A finding is an input for which the
claim does not hold; the shortest one of each exception and place is kept. Findings that were mended are tried again:
tests/bad_inputs/found_by_fuzzing.json, which the tests read too. With --again nothing else is done: the figures of the
last run stay, and the record says what has become of its findings.

    pip install --target fuzzing atheris
    PYTHONPATH=fuzzing python benchmarks/fuzz_parsers.py
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOUND = ROOT / "tests" / "bad_inputs" / "found_by_fuzzing.json"
SECONDS = 200
LONGEST = 300
"""Bytes of an input."""
SLOW = 1.0
"""Seconds after which an input counts as a finding."""

UNITS = [
    "m", "s", "rad", "kg*m/s", "m/s^2", "kg*m**2/s**2", "deg", "°", "°C", "AU/day", "rpm", "N m", "µm", "µs", "m^(1/2)",
    "kg·m²", "1/s", "J/(mol*K)", "individuals", "eV", "hbar", "dimensionless", "%", "km/h", "1", "-", "m**10**10",
    "__import__('os')", "((m))", "m**0.5", "1e3 m", "m/0", "cm/ms", "solar_mass", "Å", "Ω", "kΩ", "min", "degC",
]  # fmt: skip
FORMULAS = [
    "p**2 - a*cos(q)", "p**2 - 3*cos(q)", "dot(r, r) - q", "norm(r)", "cross(r, r)", "`q 1`**2", "r.x*p - q*r.y",
    "exp(-q)/p", "log(q) - 2.5e-3*p", "sqrt(q**2 + p**2)", "-q^2", "1/(q*p)", "tan(q)", "inv(q)", "abs(q)", "q**-3",
    "().__class__", "__import__('os')", "q if p else 0", "lambda: q", "q[0]", "1e400", "9**9**9", "((((q))))", "+-+-q",
]  # fmt: skip
HEADERS = [
    "t [s],q [rad],p [kg*m/s]", "trajectory,t,q.x [m],q.y [m],v", "time;x (m/s^(2));y", "t\tx\ty", "t x [m] y [m]",
    '"a, b [m]",c,d', "run,t,q,dq/dt", "q,q,p", "t,,p", "t [s,q],p", "id|t|x", "θ [rad],ω [rad/s]", "lambda,class,x",
    "sin,cos,x", "x [y [m]],z (k),w )", "#t,q,p", "1,2,3", "T [K],t [s],x", "q [°],p [%]", "<script>,\\input{a},=1+1",
]  # fmt: skip
WORDS = {
    "header": ["[", "]", "(", ")", ",", ";", "\t", "|", '"', "t", "q.x", "q.y", "[rad]", "[m/s]", "run", "dq/dt"],
    "unit": ["**", "^", "/", "*", "m", "kg", "rad", "degree", "e5", "(1/2)", "per", "µ", "°", "delta_", "square", "²"],
    "formula": ["sin(", "cos(", "dot(", "cross(", "norm(", "r.x", "**", "^", "`", "e400", "r", "q", "log(", ", ", ")"],
}  # fmt: skip


def try_header(text: str, table: Path) -> None:
    """A header of one column, and the line as the header of a file with five rows."""
    from noether_dsl.units import Unit

    from noether_discover.data.headers import format_header, parse_header, symbols_of
    from noether_discover.data.tables import survey

    name, unit = parse_header(text)
    assert name == name.strip(), "a name has spaces around it"
    assert name or not text.strip(), "a name got lost"
    assert unit is None or unit in text, "a unit stands nowhere in the header"
    again = parse_header(format_header(name, Unit()))[0]
    assert not name or again == name, f"written and read again it is {again!r}"
    symbols = symbols_of(text.split(","))
    assert len(set(symbols)) == len(symbols), "two columns have one symbol"
    assert all(symbol.isidentifier() for symbol in symbols), "a symbol is no identifier"
    mark = max(",;\t|", key=text.count)
    cells = text.count(mark) + 1
    rows = [mark.join(str(i + i * i * k) for k in range(cells)) for i in range(5)]
    table.write_bytes("\n".join([text, *rows]).encode("utf-8", "surrogatepass"))
    for problem in survey(table).problems:
        assert str(problem).startswith(table.name), "a problem does not name the file"


def try_unit(text: str, _: Path) -> None:
    """A unit, and the same as this project writes it."""
    from noether_dsl.units import UnitError, coherent_units

    try:
        unit = coherent_units({"c": text})["c"]
    except UnitError:
        return
    again = coherent_units({"c": str(unit)})["c"]
    assert again.dimension == unit.dimension, f"written as {unit} it is read as {again}"


def try_formula(text: str, _: Path) -> None:
    """A formula of two columns and a vector, and the same as this project writes it."""
    from noether_dsl.formula import FormulaError
    from noether_dsl.text import parse, parse_sentence

    try:
        said = parse_sentence(text, ("q", "p"), {"r": ("r.x", "r.y", "r.z")})
    except FormulaError:
        return
    formula = said.formula
    assert len(said.names) == len(said.values) == formula.parameters, "names and parameters differ in number"
    assert parse(str(formula), formula.inputs, formula.vectors) == formula, f"written as {formula} it is another"


TRIED: dict[str, Callable[[str, Path], None]] = {"header": try_header, "unit": try_unit, "formula": try_formula}
SEEDS = {"header": HEADERS, "unit": UNITS, "formula": FORMULAS}
PLACES = {
    "header": ["noether_discover.data", "noether_dsl"],
    "unit": ["noether_dsl", "pint"],
    "formula": ["noether_dsl"],
}
"""What is instrumented: the code whose branches guide the search."""


def complaint(parser: str, text: str, table: Path) -> str:
    """What is wrong with what a parser does with a text; empty when nothing is."""
    begin = time.perf_counter()
    try:
        with forbidden_doors():
            TRIED[parser](text, table)
    except Exception as problem:
        frame = traceback.extract_tb(problem.__traceback__)[-1]
        return f"{type(problem).__name__} in {Path(frame.filename).name}: {frame.name}: {str(problem)[:200]}"
    seconds = time.perf_counter() - begin
    return f"Slow: {seconds:.1f} s" if seconds > SLOW else ""


_ARMED = False


@contextlib.contextmanager
def forbidden_doors() -> Iterator[None]:
    """While it is open, running a program or a shell is an error, whoever does it."""
    global _ARMED
    _ARMED = True
    try:
        yield
    finally:
        _ARMED = False


def _watch(event: str, _: Any) -> None:
    if _ARMED and event in ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "pickle.find_class"):
        raise AssertionError(f"{event} was called")


def fuzz(parser: str, seconds: int, place: Path) -> None:
    """One parser, in this process, which the fuzzer ends."""
    import atheris

    with atheris.instrument_imports(include=PLACES[parser]):
        if parser == "header":
            from noether_discover.data import headers, roles, tables, textfile  # noqa: F401
        elif parser == "unit":
            import pint  # noqa: F401
        from noether_dsl import formula, text, units  # noqa: F401
    sys.addaudithook(_watch)
    TRIED[parser](SEEDS[parser][0], place / "table.csv")  # what is imported late is imported now
    found: dict[str, str] = {}

    def one(data: bytes) -> None:
        said = data.decode("utf-8", "replace")
        wrong = complaint(parser, said, place / "table.csv")
        kind = wrong.split(": ")[0] if wrong.startswith("Slow") else ": ".join(wrong.split(": ")[:2])
        if wrong and (kind not in found or len(said) < len(json.loads(found[kind])["input"])):
            found[kind] = json.dumps({"parser": parser, "input": said, "exception": wrong})
            (place / "findings").write_text("\n".join(found.values()), encoding="utf-8")

    atheris.Setup(
        ["fuzz_parsers", str(place / "corpus"), f"-dict={place / 'words'}", f"-max_total_time={seconds}",
         f"-max_len={LONGEST}", "-timeout=20", "-rss_limit_mb=4096", "-seed=1", "-print_final_stats=1"],
        one,
    )  # fmt: skip
    os.chdir(place)
    atheris.Fuzz()


def fuzzed(parser: str, seconds: int) -> dict[str, Any]:
    """One parser in a process of its own: what was done, what was reached, what was found."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        (place / "corpus").mkdir()
        for number, seed in enumerate(SEEDS[parser]):
            (place / "corpus" / f"seed_{number}").write_text(seed, encoding="utf-8")
        (place / "words").write_text("".join(f'"{_bytes(word)}"\n' for word in WORDS[parser]), encoding="ascii")
        done = subprocess.run(
            [sys.executable, __file__, "--parser", parser, "--seconds", str(seconds), "--place", name],
            capture_output=True, text=True, errors="replace",
        )  # fmt: skip
        last = re.findall(r"#(\d+)\s+DONE\s+cov: (\d+) ft: (\d+) corp: (\d+)/", done.stderr)
        if not last:  # the process itself came to an end: that is the finding
            raise RuntimeError(f"{parser}: the fuzzer stopped\n{done.stderr[-3000:]}")
        begun = re.findall(r"#\d+\s+INITED\s+cov: (\d+) ft: (\d+)", done.stderr)
        executions, edges, features, corpus = map(int, last[-1])
        lines = (place / "findings").read_text(encoding="utf-8").split("\n") if (place / "findings").exists() else []
        return {
            "seconds": seconds,
            "executions": executions,
            "edges_of_seeds": int(begun[-1][0]) if begun else None,
            "edges": edges,
            "features": features,
            "seeds": len(SEEDS[parser]),
            "corpus": corpus,
            "findings": [json.loads(line) for line in lines],
        }


def _bytes(word: str) -> str:
    """A word as the fuzzer's dictionary spells it."""
    return "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\x{b:02x}" for b in word.encode())


def again(runs: dict[str, Any]) -> list[dict[str, Any]]:
    """The findings that were mended and those of these runs, and what is wrong with them now."""
    rows = json.loads(FOUND.read_text(encoding="utf-8"))
    mended = [row["input"] for row in rows]
    rows += [row for run in runs.values() for row in run["findings"] if row["input"] not in mended]
    with tempfile.TemporaryDirectory() as name:
        table = Path(name) / "table.csv"
        return [{**row, "now": "OPEN" if complaint(row["parser"], row["input"], table) else "mended"} for row in rows]


def main() -> None:
    """Fuzz, print, record."""
    import record
    from tables import markdown

    parsing = argparse.ArgumentParser()
    parsing.add_argument("--parser", choices=list(TRIED))
    parsing.add_argument("--seconds", type=int, default=SECONDS, help="for each parser")
    parsing.add_argument("--place", type=Path)
    parsing.add_argument("--again", action="store_true", help="try the findings again, and fuzz nothing")
    chosen = parsing.parse_args()
    if chosen.place:
        fuzz(chosen.parser, chosen.seconds, chosen.place)
    if chosen.parser:
        print(json.dumps(fuzzed(chosen.parser, chosen.seconds), indent=2))
        return
    if chosen.again:
        last = json.loads((record.folder("fuzz_parsers") / "fuzz_parsers.json").read_text(encoding="utf-8"))
        runs, fuzzer = last["parsers"], last["atheris"]
    else:
        runs = {parser: fuzzed(parser, chosen.seconds) for parser in TRIED}
        fuzzer = metadata.version("atheris")
    tried = again(runs)
    numbers = ("seconds", "executions", "edges_of_seeds", "edges", "features", "seeds", "corpus")
    table = markdown(
        ["parser", *(name.replace("_", " ") for name in numbers), "findings"],
        [[parser, *(f"{run[name]:,}" for name in numbers), str(len(run["findings"]))] for parser, run in runs.items()],
    )
    rows = [[row["parser"], _cell(row["input"]), _cell(row["exception"]), row["now"]] for row in tried]
    found = markdown(["parser", "input", "what came", "now"], rows) if rows else "Nothing was found.\n"
    legend = (
        "edges: branches of the parser (for units pint's too) that were taken; features: those with how often. "
        "Below: what this run and earlier ones found.\n"
    )
    measured = {"atheris": fuzzer, "parsers": runs, "tried_again": tried}
    record.keep("fuzz_parsers", measured, f"{table}\n{legend}\n{found}")


def _cell(text: str) -> str:
    shown = text if len(text) <= 60 else f"{text[:60]}... ({len(text)} characters)"
    return "`" + shown.encode("unicode_escape").decode().replace("|", "\\|").replace("`", "'") + "`"


if __name__ == "__main__":
    main()
