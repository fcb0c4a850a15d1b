"""Laws that are sums of small terms, from the data to a list: a clean pass, then one that reckons with noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from noether_dsl.formula import variable

from .approximate_sums import approximate_sums, on_all
from .evidence import Evidence
from .exact_sums import complete, exact_sums
from .known import APPROXIMATE, CONSTANT, CONSTRAINT, LAW, Log, Sum
from .libraries import libraries
from .material import Material, clean_material, noise_share, noisy_material
from .noisy_sums import noisy_sums, with_poles
from .shelves import final, ratio_apart
from .significance import discoveries, null_ratios, p_value
from .terms import Term

ALPHA = 0.05
"""The share of false ones among the laws, unless the user says otherwise."""
RAW = 0.03
"""Up to this noise the data as measured are searched too, for laws that no denoised states obey: where a filter does
not follow sudden turns (close encounters), its bias is larger than the noise."""
NOISELESS = 1e-4
"""Where no column's noise exceeds this share of its deviation, constraints of the clean pass are all there are."""


@dataclass(frozen=True)
class Sums:
    """What a search for sums found: laws and constraints, and what it looked through.

    unsure: sums that would be laws, were their p-values smaller. libraries: their names with the number of their terms.
    clean: whether the clean pass answered. null_ratios: the best on randomised data sets, for p-values.
    """

    found: tuple[Sum, ...]
    unsure: tuple[Sum, ...] = ()
    libraries: tuple[tuple[str, int], ...] = ()
    clean: bool = False
    null_ratios: tuple[float, ...] = ()

    def of_kind(self, kind: str) -> tuple[Sum, ...]:
        """The laws, the constraints..."""
        return tuple(s for s in self.found if s.kind == kind)

    @property
    def terms(self) -> int:
        """How many terms there were in all libraries together."""
        return sum(number for _, number in self.libraries)


NO_SUMS = Sums(())
"""Where none were sought."""


def summed(
    evidence: Evidence,
    *,
    alpha: float = ALPHA,
    constraints: Sequence[Sum] = (),
    progress: Callable[[int, int], None] | None = None,
    log: Log | None = None,
) -> Sums:
    """All sums of small terms that are conserved.

    constraints: that are known already: in windows of trajectories they would look like laws.
    alpha: the share of laws that may be false. progress: called with (done, total). log: called with a line for every
    step, for the curious.
    """
    say, report = log or (lambda line: None), progress or (lambda done, total: None)
    m = clean_material(evidence)
    found = exact_sums(m, [*_constants(m), *constraints], say)
    noiseless = bool((evidence.noise_D <= NOISELESS * evidence.sequences.stacked.std(axis=0).clip(1e-300)).all())
    clean = any(s.kind == LAW for s in found) or (noiseless and any(s.kind == CONSTRAINT for s in found))
    source = dict.fromkeys(found, m)
    if not clean:
        m = noisy_material(evidence)
        found = noisy_sums(m, [*_constants(m), *(s for s in found if s.kind == CONSTRAINT)], say, report)
        source = dict.fromkeys(found, m)
        if noise_share(evidence) <= RAW and not complete(found, m):
            raw = noisy_material(evidence, raw=True)
            found = noisy_sums(raw, found, say, report, with_poles(m))
            source = {s: source.get(s, raw) for s in found}
    looked = list(libraries(m.kinds))
    laws = [replace(final(s, source[s]), ratio_apart=ratio_apart(s, m)) for s in found if s.kind == LAW]
    if not laws:
        nearly = approximate_sums(m, found, say)
        laws = [on_all(s, m) for s in nearly if s.kind == APPROXIMATE]
    runs = None if evidence.window is None else evidence.runs.contiguous()
    null_R = null_ratios(evidence.sequences, looked, evidence.seed, runs)
    laws = [replace(s, p_value=p_value(s.ratio_heldout, null_R)) for s in laws]
    sure = discoveries([s.p_value for s in laws], alpha)
    report(1, 1)
    return Sums(
        found=(*(s for s, yes in zip(laws, sure, strict=True) if yes), *(s for s in found if s.kind != LAW)),
        unsure=tuple(s for s, yes in zip(laws, sure, strict=True) if not yes),
        libraries=tuple((library.name, len(library.terms)) for library in looked),
        clean=clean,
        null_ratios=tuple(null_R.tolist()),
    )


def _constants(m: Material) -> list[Sum]:
    """Columns that never change along a trajectory, known from the start."""
    return [Sum((Term(variable(s), 1.0),), (1.0,), "constant columns", CONSTANT) for s in m.kinds.constant]
