"""Whether this installation works: versions, threads, memory, extras, and a small discovery whose answer is known."""

from __future__ import annotations

import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "noether-discover"
LITTLE_MEMORY = 1.0
"""GB below which a search of 200,000 formulas beside torch does not fit: a warning, no fault."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. state: "ok", "note" (worth knowing) or "broken"."""

    name: str
    state: str
    says: str


def versions() -> Iterator[Finding]:
    """Python, the tool, and everything that it needs: there, and new enough for what its metadata ask."""
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    try:
        yield Finding(DISTRIBUTION, "ok", metadata.version(DISTRIBUTION))
        wanted = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding(DISTRIBUTION, "note", "it runs from a folder and is not installed; what it needs is not checked")
        return
    for name, version, extra in map(_requirement, wanted):
        if extra is None:
            yield _installed(name, version, missing="broken")


def extras() -> Iterator[Finding]:
    """The optional parts that the metadata name, and what they lack."""
    try:
        wanted = [_requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    except metadata.PackageNotFoundError:
        return
    names = sorted({extra for *_, extra in wanted if extra is not None} - {"dev"})
    for extra in names:
        found = [_installed(name, version, missing="note") for name, version, of in wanted if of == extra]
        lacking = [f"{f.name}: {f.says}" for f in found if f.state != "ok"]
        have = ", ".join(f"{f.name} {f.says}" for f in found)
        hint = f'; pip install "{DISTRIBUTION}[{extra}]"'
        yield Finding(f"extra {extra}", "note" if lacking else "ok", "; ".join(lacking) + hint if lacking else have)


def machine() -> Iterator[Finding]:
    """Processors, threads of torch, memory, and whether files can be written."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        import torch

        threads = f"torch uses {torch.get_num_threads()}, on {usable} of {os.cpu_count()} processors"
        chosen = ", ".join(
            f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS") if name in os.environ
        )
        yield Finding("threads", "ok", threads + (f" ({chosen})" if chosen else ""))
        if torch.cuda.is_available():
            yield Finding("gpu", "ok", f"{torch.cuda.get_device_name()} (only video uses it)")
    except (ImportError, OSError) as problem:
        yield Finding("threads", "broken", f"torch cannot be imported ({_first_line(problem)})")
    whole, free = memory()
    if whole is None or free is None:
        yield Finding("memory", "note", "this system does not tell")
    else:
        short = free < LITTLE_MEMORY
        says = f"{free:.1f} of {whole:.1f} GB free" + ("; little for large searches: fewer --jobs" if short else "")
        yield Finding("memory", "note" if short else "ok", says)


def memory() -> tuple[float | None, float | None]:
    """GB of memory that this process could use at most, and that are free now; a container's limit counts."""
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        whole, free = (int(lines[name].split()[0]) * 1024 / 1e9 for name in ("MemTotal", "MemAvailable"))
    except (OSError, KeyError, ValueError):
        try:
            page = os.sysconf("SC_PAGE_SIZE") / 1e9
            return os.sysconf("SC_PHYS_PAGES") * page, os.sysconf("SC_AVPHYS_PAGES") * page
        except (ValueError, OSError, AttributeError):
            return None, None
    try:
        limit, used = (
            int(Path(f"/sys/fs/cgroup/memory.{name}").read_text(encoding="ascii")) / 1e9 for name in ("max", "current")
        )
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return whole, free
    return min(whole, limit), min(free, max(limit - used, 0.0))


def a_known_law_is_found() -> str:
    """A spring's energy from simulated data, kept in a run file, read back and written as LaTeX.

    Raises RuntimeError with what went wrong.
    """
    import numpy as np

    from .data.systems import laws_of, simulate
    from .discovery import discover, load
    from .stages import oracle_quantity

    data = simulate("spring_hnn", seed=1, trajectories=20)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "self_test.noether"
        discover(data, rank=False, run=run, jobs=1, max_nodes=5)
        found = load(run)
    if found.verdict != "LAW" or len(found.laws) != 1:
        raise RuntimeError(f"a spring's energy was to be found, but: {found.verdict}, {len(found.laws)} laws")
    x_SD = np.concatenate(data.states)
    known = oracle_quantity(laws_of("spring_hnn")[0], data)(x_SD)
    likeness = abs(np.corrcoef(np.asarray(known), np.asarray(found.quantity()(x_SD)))[0, 1])
    if not likeness > 1 - 1e-9:
        raise RuntimeError(f"{found.laws[0]['expression']} was found, which is no spring's energy (r = {likeness:.6f})")
    if r"\toprule" not in found.to_latex():
        raise RuntimeError("the table in LaTeX is not one")
    return found.laws[0]["expression"]


def nothing_is_found_where_nothing_is() -> str:
    """A damped oscillator has no law that does not know the time.

    Raises RuntimeError with what went wrong.
    """
    from .data.systems import simulate
    from .discovery import discover

    found = discover(simulate("damped_oscillator", seed=1, trajectories=20), rank=False, jobs=1, max_nodes=5)
    if found.verdict != "NONE":
        raise RuntimeError(
            f"nothing was to be found, but: {found.verdict}, {[law['expression'] for law in found.laws]}"
        )
    return "no law of a damped oscillator"


SELF_TESTS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("finds a law", a_known_law_is_found),
    ("finds none", nothing_is_found_where_nothing_is),
)


def self_test() -> Iterator[Finding]:
    """Two small discoveries, each with its seconds. Whatever goes wrong is a finding."""
    for name, test in SELF_TESTS:
        began = time.perf_counter()
        try:
            says, state = test(), "ok"
        except Exception as problem:  # a broken installation can fail in any way, and this says so
            says, state = f"{type(problem).__name__}: {_first_line(problem)}", "broken"
        yield Finding(name, state, f"{says} ({time.perf_counter() - began:.1f} s)")


def _requirement(line: str) -> tuple[str, str, str | None]:
    """``av>=14; extra == "video"`` as name, least version and extra."""
    found = re.match(r"([\w.-]+)\s*(?:\[[^]]*\])?\s*\(?(?:>=\s*([\w.]+))?", line)
    assert found, line
    extra = re.search(r"""extra\s*==\s*['"]([\w.-]+)""", line)
    return found[1], found[2] or "", extra[1] if extra else None


def _installed(name: str, least: str, missing: str) -> Finding:
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Finding(name, missing, f"missing{f', {least} or newer is needed' * bool(least)}")
    if _numbers(version) < _numbers(least):
        return Finding(name, missing, f"{version} is too old; {least} or newer is needed")
    return Finding(name, "ok", version)


def _numbers(version: str) -> tuple[int, ...]:
    """``2.6.0+cpu`` as (2, 6, 0): enough to compare with a least version."""
    found = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, found[0].split("."))) if found else ()


def _first_line(problem: BaseException) -> str:
    return (str(problem).splitlines() or [""])[0]
