"""Sums as laws: formulas with parameters, errors and units, as people write them, and beside the whole formulas.

A vector law is stated by those of its components that are independent of what was found before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from noether_dsl.components import valued_components
from noether_dsl.dimension import PURE
from noether_dsl.formula import Formula, Valued, joined, parameter
from noether_dsl.grammar import Grammar
from noether_dsl.reading import dimension_of, parameter_dimensions
from noether_dsl.text import parameter_names
from numpy.typing import NDArray

from .evidence import Evidence
from .fitting import ratios, uncertainty
from .gathering import with_vectors
from .independence import directions, independent_share
from .judging import drift_of, reference_variance
from .known import APPROXIMATE as NEARLY
from .known import CONSTRAINT, LAW, Numbers, Sum
from .laws import IMITATES, SAME_CLEAN, SAME_NOISY, Law, Parameter
from .precision import standard_errors
from .sums import Sums
from .terms import Term
from .verdicts import APPROXIMATE
from .verdicts import CONSTRAINT as IS_CONSTRAINT
from .verdicts import LAW as IS_LAW

Array = NDArray[np.float64]

WHOLE = -1
"""The number of a law that is a sum, and no row among the formulas that were searched."""
_SIMPLE = 1e-12


def laws_of_sums(sums: Sums, grammar: Grammar, evidence: Evidence) -> list[Law]:
    """The laws and constraints among the sums, in the order in which they were found."""
    return [
        _law(found, component, sums, grammar, evidence)
        for found in (*sums.of_kind(LAW), *sums.of_kind(NEARLY), *sums.of_kind(CONSTRAINT))
        for component in found.new
    ]


def together(whole: Sequence[Law], summed: Sequence[Law], evidence: Evidence, clean: bool) -> tuple[Law, ...]:
    """One minimal set: the sums, what whole formulas say besides, and whole formulas that say the same as forms.

    Under noise, where sums were found, a whole formula is not taken for a further law: with thousands of them, one that
    imitates a function of the laws is never far. Those that read the time are, since few sums do.
    """
    data = evidence.sequences
    times = {s for s, o in zip(data.symbols, data.origins, strict=True) if o is not None and o.kind == "time"}
    laws = list(summed)
    gradients = [directions(law.formula, law.values, evidence.sequences) for law in laws]
    has_law = any(law.verdict == IS_LAW for law in laws)
    for law in whole:
        own = directions(law.formula, law.values, evidence.sequences)
        shares = [independent_share(own, [other]) for other in gradients]
        if shares and min(shares) < (SAME_CLEAN if clean else 10 * SAME_NOISY):
            nearest = int(np.argmin(shares))
            laws[nearest] = _one_of(laws[nearest], law, clean)
            continue
        knows_time = not law.formula.inputs.isdisjoint(times)
        if has_law and ((not clean and not knows_time) or law.verdict == APPROXIMATE):
            continue
        if independent_share(own, gradients) >= (SAME_CLEAN if clean else IMITATES):
            laws.append(law)
            gradients.append(own)
    order = {IS_LAW: 0, APPROXIMATE: 1, IS_CONSTRAINT: 2}
    return tuple(sorted(laws, key=lambda law: order[law.verdict]))


def _one_of(same: Law, law: Law, clean: bool) -> Law:
    """A sum and a whole formula that say the same, as one law: the sum, with the other as a form.

    Where there is no noise the smaller of the two stands for both (x*y*z for log(x) + log(y) + log(z)), under noise one
    that is smaller and for which fewer numbers were fitted. A formula that noise explains is no form of a sum that it
    does not: the sum imitates it (phd*th**3 - 2.4*phd*th**2 imitates phd*sin(th)**2).
    """
    if law.verdict == IS_LAW and same.verdict != IS_LAW:
        return law
    shown, other = same, law
    plainer = clean or len(law.parameters) < len(same.parameters)
    if plainer and law.verdict == same.verdict and law.formula.nodes < same.formula.nodes:
        shown, other = replace(law, p_value=same.p_value, library=same.library), same
    forms = dict.fromkeys((*shown.forms, str(other.formula), *other.forms))
    forms.pop(str(shown.formula), None)
    return replace(shown, forms=tuple(forms), ratio_random=min(law.ratio_random, same.ratio_random), number=law.number)


def as_formula(found: Sum, grammar: Grammar, component: int | None = 0, like: Sum | None = None) -> Valued:
    """A sum as a formula with numbers: the plainest term leads without a coefficient, +1 and -1 are signs where the
    units allow it, a growth that all terms share stands once, vectors stand for their components. component: of a
    vector law; None for the whole vector. like: the same sum with other numbers, by which all this is decided; itself
    for None."""
    growth, found = _growth_of(found)
    found, like = with_vectors(found, found if like is None else _growth_of(like)[1], grammar.vectors)
    whole = _as_formula(found, grammar, component, like)
    return whole if growth is None else joined("mul", growth, whole)


def _growth_of(found: Sum) -> tuple[Valued | None, Sum]:
    """exp(s t) of a sum whose terms are all multiples of it, and the sum without; of x**2*exp(s t) alone the root."""
    growths = [next((o for o in term.formula.operands if o.head == "exp"), None) for term in found.terms]
    first, values = growths[0], found.terms[0].values
    shared = first is not None and all(g == first for g in growths) and all(t.values == values for t in found.terms)
    if first is None or not shared or len(values) != 1 or not all(t.formula.head == "mul" for t in found.terms):
        return None, found
    bare = [next(o for o in term.formula.operands if o != first) for term in found.terms]
    if len(bare) == 1 and bare[0].head == "square":
        bare, values = [bare[0].operands[0]], (values[0] / 2.0,)
    terms = tuple(Term(formula, term.complexity) for formula, term in zip(bare, found.terms, strict=True))
    return (first, values), replace(found, terms=terms)


def _as_formula(found: Sum, grammar: Grammar, component: int | None, like: Sum) -> Valued:
    pieces = [_scalar(term.formula, term.values, component) for term in found.terms]
    lead = _leading(like)
    own, others = (np.array(one.coefficients) / one.coefficients[lead] for one in (found, like))
    whole = pieces[lead]
    for i in sorted((i for i in range(len(pieces)) if i != lead), key=lambda i: others[i] < 0):
        sign = -1.0 if others[i] < 0 else 1.0
        alike = _dimension(pieces[i][0], grammar) == _dimension(whole[0], grammar)
        bare = abs(abs(others[i]) - 1.0) < _SIMPLE and alike
        scaled = pieces[i] if bare else _times(float(sign * own[i]), pieces[i])
        whole = joined("sub" if sign < 0 else "add", whole, scaled)
    return whole


def _times(number: float, valued: Valued) -> Valued:
    """A multiple, with one fraction line: a/norm(q), not a*norm(q)**(-1)."""
    formula, values = valued
    multiple = parameter(), (number,)
    if formula.head == "inverse":
        return joined("div", multiple, (formula.operands[0], values))
    return joined("mul", multiple, valued)


def _dimension(formula: Formula, grammar: Grammar) -> object:
    return dimension_of(formula, grammar.dimensions, grammar.angle)


def _leading(found: Sum) -> int:
    """The term that stands first: a power of a column, and of those the one that gives the others the plainest
    coefficients (p**2 - 2*cos(q), not cos(q) - p**2/2; of two as plain, those above 1)."""

    def cost(i: int) -> tuple[bool, float, int, int]:
        ratios = [abs(c / found.coefficients[i]) for c in found.coefficients]
        untidy = sum(min(r, 1 / r) if r > 0 else 0.0 for r in ratios)
        plain = found.terms[i].formula.head in ("square", "input", "mul", "cube", "dot", "cross")
        odd = sum(abs(r - round(r)) > 1e-9 for r in ratios)
        return (not plain, round(odd - 1e-3 * untidy, 9), sum(r < 1 - 1e-9 for r in ratios), i)

    return min(range(len(found.terms)), key=cost)


def _scalar(formula: Formula, values: tuple[float, ...], component: int | None) -> Valued:
    return (formula, values) if component is None or not formula.rank else valued_components(formula, values)[component]


def _law(found: Sum, component: int, sums: Sums, grammar: Grammar, evidence: Evidence) -> Law:
    formula, values = as_formula(found, grammar, component)
    noisy = not sums.clean and found.kind == LAW
    frame = evidence.whole_noise_frame if noisy or found.kind == CONSTRAINT else evidence.whole_frame
    errors = uncertainty(formula, values, frame) if found.refits is None else _errors(found, values, component, grammar)
    dimensions = grammar.dimensions
    own = dimension_of(formula, dimensions, grammar.angle)
    units = parameter_dimensions(formula, dimensions, grammar.angle)
    drift = drift_of(formula, values, evidence)
    verdict = {LAW: IS_LAW, CONSTRAINT: IS_CONSTRAINT}.get(found.kind, APPROXIMATE)
    return Law(
        formula=formula,
        parameters=tuple(
            Parameter(name, value, error, str(unit))
            for name, value, error, unit in zip(parameter_names(formula), values, errors, units, strict=True)
        ),
        number=WHOLE,
        dimension=PURE if own is None else own,
        verdict=verdict,
        reason=_reason(found),
        ratio=float(ratios([formula], [values], evidence.whole_frame)[0]),
        ratio_heldout=max(found.ratio_heldout, 0.0),
        ratio_random=found.ratio_apart,
        noise_chi2=max(found.chi2_heldout, 0.0),
        drift=drift.rate,
        drift_error=drift.error,
        spread=float(np.sqrt(reference_variance(formula, values, evidence.whole_frame))),
        forms=(),
        p_value=found.p_value,
        library=found.library,
        component_of=str(as_formula(found, grammar, None)[0]) if found.rank > 1 else "",
    )


def _errors(found: Sum, values: tuple[float, ...], component: int, grammar: Grammar) -> tuple[float, ...]:
    """Standard errors of the formula's numbers: see `precision`."""
    assert found.refits is not None

    def numbers(refit: Numbers) -> Array:
        return np.array(as_formula(found.with_numbers(refit), grammar, component, found)[1])

    left_KP, measured_BP = (
        np.array([numbers(n) for n in some]) for some in (found.refits.left_out, found.refits.measured)
    )
    return standard_errors(np.array(values), numbers(found.refits.whole), left_KP, measured_BP)


def _reason(found: Sum) -> str:
    return {
        LAW: "its variation along held-out trajectories is explained by the measurement noise",
        CONSTRAINT: "it has one value on all trajectories and varies off them",
    }.get(found.kind, "it varies a hundred times less along trajectories than where its columns do not belong together")
