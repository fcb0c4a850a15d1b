"""Methods that are asked for the laws of some trajectories, and what is kept of their answers.

A method finds (trajectories -> something plain) and its findings are read (-> Answer). Only the search of this
repository has its findings kept; they can be scored again without searching again.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import laws_by_eigenproblem
import laws_by_others
from kept_runs import Case, Row, digest
from laws_score import Answer, Claim, score

from noether_discover.data.systems import simulate, system_named
from noether_discover.data.trajectories import Trajectories
from noether_discover.discovery import Discovery, discover, law_quantity
from noether_discover.search.quantity import Quantity

OURS = "noether-discover"
JUDGE = digest("benchmarks/laws_score.py", "benchmarks/laws_coefficients.py", "benchmarks/laws_methods.py")


@dataclass(frozen=True)
class Method:
    """find, read: as above. sources: what a kept run depends on."""

    find: Callable[[Trajectories, float], Any]
    read: Callable[[Any], Answer]
    sources: tuple[str, ...]

    @property
    def code(self) -> str:
        """The hash of its sources."""
        return digest(*self.sources)


def found_by_us(data: Trajectories, level: float = 0.0) -> dict[str, Any]:
    """What the default search finds, in one process. The level of the noise is not for it to know."""
    return plain(discover(data, rank=False, jobs=1))


def plain(found: Discovery) -> dict[str, Any]:
    """What is kept of a discovery."""
    return {
        "verdict": found.verdict,
        "reason": found.reason,
        "symbols": list(found.columns),
        "constant": [parameter["column"] for parameter in found.parameters],
        "laws": [
            {
                "verdict": law["verdict"],
                "expression": law["expression"],
                "formula": law["formula"],
                "vectors": law["vectors"],
                "parameters": [{"name": p["name"], "value": p["value"]} for p in law["parameters"]],
            }
            for law in found.laws
        ],
    }


def answer_of(found: Mapping[str, Any]) -> Answer:
    """A kept discovery as claims over states. A vector is as many claims as it has components."""
    claims: dict[str, list[Claim]] = {"LAW": [], "CONSTRAINT": [], "APPROXIMATE": []}
    for law in found["laws"]:
        claims[law["verdict"]] += _claims(law_quantity(law, found["symbols"]))
    constant = tuple(found["symbols"].index(column) for column in found["constant"])
    return Answer(tuple(claims["LAW"]), tuple(claims["CONSTRAINT"]), constant, len(claims["APPROXIMATE"]))


def _claims(quantity: Quantity) -> list[Claim]:
    def at(x_ND: Any, parameters: Any) -> Any:
        return replace(quantity, parameters=tuple(parameters))(x_ND)

    if not quantity.formula.rank:
        return [Claim(at, quantity.parameters)]
    return [
        Claim(lambda x_ND, parameters, k=k: at(x_ND, parameters)[..., k], quantity.parameters)
        for k in range(quantity.formula.rank)
    ]


_SOURCES = (
    "noether_discover/search", "noether_discover/data", "dsl/noether_dsl", "noether_discover/stages.py",
    "noether_discover/discovery.py",
)  # fmt: skip
_EIGEN = ("benchmarks/laws_by_eigenproblem.py", "noether_discover/data/systems.py")
_OTHERS = (*_EIGEN, "benchmarks/laws_by_others.py")

METHODS = {
    OURS: Method(found_by_us, answer_of, _SOURCES),
    "eigenproblem": Method(laws_by_eigenproblem.default, lambda claims: Answer(claims), _EIGEN),
    "eigenproblem, tuned": Method(laws_by_eigenproblem.tuned, lambda claims: Answer(claims), _EIGEN),
    "PySINDy": Method(laws_by_others.pysindy_tuned, lambda claims: Answer(claims), _OTHERS),
    "gplearn": Method(laws_by_others.gplearn_tuned, lambda claims: Answer(claims), _OTHERS),
}


def case_of(method: str, system: str, level: float, seed: int, hints: bool = False, **size: int) -> Case:
    """One run: a method on a system with noise of `level` deviations. size: trajectories, samples."""
    return {"method": method, "system": system, "level": level, "seed": seed, "hints": hints, **size}


def measure(case: Case, old: Row | None = None) -> Row:
    """Run a case, or only score what it found before."""
    world = system_named(case["system"])
    settings = {"seed": case["seed"], "hints": case["hints"]} | {
        k: case[k] for k in ("trajectories", "samples") if k in case
    }
    method = METHODS[case["method"]]
    if old is None or old["found"] is None:
        row, answer = ask(method, simulate(world, relative_noise=case["level"], **settings), case["level"])
        row["found"] = row["found"] if case["method"] == OURS else None
    else:
        row, answer = {k: old[k] for k in ("seconds", "wall", "problem", "found")}, method.read(old["found"])
    judged = score(world, answer, simulate(world, **settings).states)
    return {**row, "exact": judged.exact, "false": judged.false, "score": asdict(judged)}


def ask(method: Method, data: Trajectories, level: float) -> tuple[Row, Answer]:
    """A method's findings and seconds (of this process, and on the wall). A failure is kept, and finds nothing."""
    warmed()
    processor, wall, problem = time.process_time(), time.perf_counter(), ""
    try:
        found = method.find(data, level)
    except Exception as error:  # whatever goes wrong in one run must not end all
        found, problem = None, f"{type(error).__name__}: {error}"
    seconds = {"seconds": time.process_time() - processor, "wall": time.perf_counter() - wall}
    row = {**seconds, "problem": problem, "found": found}
    return row, Answer() if found is None else method.read(found)


@functools.cache
def warmed() -> None:
    """Import everything that a search needs, and let it compute on one thread: that is not a search's time."""
    import torch

    torch.set_num_threads(1)
    discover(simulate("spring", trajectories=6, samples=10), rank=False, jobs=1, max_nodes=3)
