"""The stages of a discovery, from trajectories to a ranking. Each takes plain data and gives plain data.

    enumerated   which formulas there are
    searched     which of them are conserved
    ranked       which of those help a predictor

Files are the business of `runs`, screens that of `cli`; here is the order of things, and who works in parallel.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from noether_dsl.canonical import normal_forms
from noether_dsl.enumeration import Formulas, count, enumerate_formulas
from noether_dsl.formula import Formula, FormulaError, Valued, fold, joined, parameter, variable
from noether_dsl.grammar import Grammar, GrammarError
from noether_dsl.suggesting import nearest
from noether_dsl.text import parse_sentence
from noether_dsl.units import UnitError, read_unit

from .data.derived import lacks_velocities
from .data.trajectories import Trajectories
from .errors import OptionError, shortened
from .memory import PROCESS
from .settings import QUICK, Settings
from .work import HERE, Keeper, Stop, Work, Workers

if TYPE_CHECKING:
    from .predict.ranking import Ranking
    from .search.evidence import Evidence
    from .search.known import Sum
    from .search.quantity import Quantity
    from .search.searching import Search

Progress = Callable[[str, int, int], None]

RAW, CLASS = 80, 200
"""Bytes that an enumeration takes while it is built: for each raw formula, and for each class, with the pairs that are
looked at and become none."""
_FEWER = "fewer --max-nodes, or a smaller --max-formulas"
JUDGED = 1_000
"""Bytes of a formula with its judgement, all passes included."""
VALUES, AT_MOST = 8, 75e6
"""Arrays that a fit holds at a time, of a number for each node, start and point; and numbers in all, where it sees to
that."""


def grammar_of(trajectories: Trajectories, settings: Settings) -> Grammar:
    """The grammar of the data's columns.

    Raises OptionError for an unknown operator, naming the known ones, and for an unknown unit of parameters.
    """
    try:
        for unit in settings.parameter_units or ():
            read_unit(unit)
        return Grammar(
            tuple((name, unit.dimension) for name, unit in zip(trajectories.symbols, trajectories.units, strict=True)),
            settings.operators,
            settings.parameter_units,
            settings.strict_angles,
            settings.max_nodes,
            trajectories.vectors,
        )
    except GrammarError as problem:
        raise OptionError(str(problem)) from problem
    except UnitError as problem:
        raise OptionError(f"--parameter-units: {problem}") from problem


@dataclass(frozen=True)
class Enumeration:
    """Which formulas there are.

    raw: how many there are at 1, 2, ... nodes, each once up to commutativity. searched: how many of them are fitted
    (in the normal form, one per class). nodes: the largest that is searched, `max_nodes` unless the limit on their
    number was met.
    """

    grammar: Grammar
    formulas: Sequence[Formula]
    raw: tuple[int, ...]
    searched: tuple[int, ...]
    nodes: int

    @property
    def raw_total(self) -> int:
        """How many formulas the search answers for."""
        return sum(self.raw[: self.nodes])


def enumerated(trajectories: Trajectories, settings: Settings, progress: Progress | None = None) -> Enumeration:
    """Every formula that the settings ask for.

    Raises OptionError when not even the smallest formulas fit under `max_formulas`.
    """
    grammar = grammar_of(trajectories, settings)
    report, allowed = progress or (lambda stage, done, total: None), settings.allowed
    allowed.check_room(0, "the program and the data")
    raw = tuple(count(grammar))
    if settings.form == "raw":
        nodes = max((n for n in range(1, len(raw) + 1) if sum(raw[:n]) <= settings.max_formulas), default=0)
        allowed.check_room(RAW * sum(raw[:nodes]), f"{sum(raw[:nodes]):,} formulas of {nodes} nodes", _FEWER)
        table = enumerate_formulas(replace(grammar, max_nodes=max(nodes, 1)))
        rows = table.rows() if nodes else table.rows()[:0]
        by_nodes = raw[:nodes]
    else:
        so_far = [1]

        def grown(size: int, classes: int) -> None:
            report("enumerate", size, settings.max_nodes)
            more = classes * classes / max(so_far[-1], 1)  # the next size has as many times more as this one had
            so_far.append(classes)
            if 4 < size < settings.max_nodes and more <= settings.max_formulas:
                allowed.check_room(CLASS * more, f"some {more:,.0f} classes of {size + 1} nodes", _FEWER)

        found = normal_forms(grammar, grown, settings.max_formulas)
        allowed.check()
        table, rows = found.table, found.roots_F
        by_nodes = tuple(int(n) for n in found.by_nodes())
        nodes = int(table.size_F.max()) if len(table) else 0
    if not nodes or not sum(by_nodes):
        raise OptionError("there is no formula to search; raise --max-nodes or --max-formulas")
    report("enumerate", settings.max_nodes, settings.max_nodes)
    return Enumeration(grammar, Formulas(table, rows), raw, by_nodes, nodes)


def work_of(
    settings: Settings, formulas: int = 0, evidence: Evidence | None = None, keeper: Keeper | None = None,
    stop: Stop | None = None,
) -> Work:  # fmt: skip
    """Who does the work of a stage: as many processes as were asked for and fit into the memory that was allowed.

    formulas: how many a fit has, with the evidence that it judges by.

    Raises OptionError when there is too little even for this process alone.
    """
    piece, all_of_them = 0.0, 0.0
    if evidence is not None and settings.memory is not None:
        piece, all_of_them = piece_bytes(evidence, formulas, settings.max_nodes), float(JUDGED * formulas)
        what = f"judging {formulas:,} formulas of up to {settings.max_nodes} nodes"
        settings.allowed.check_room(all_of_them + piece, what, _FEWER)
    jobs = settings.allowed.fitting(settings.jobs, PROCESS + piece, all_of_them)
    return Work(Workers(jobs, settings.cluster), keeper, stop or Stop(), memory=settings.allowed)


def piece_bytes(evidence: Evidence, formulas: int, nodes: int) -> float:
    """What a piece of a fit takes at most, in bytes: many formulas on few points, or few formulas on many."""
    from .search.fitting import FOLLOWED
    from .search.judging import CHUNK, JUDGED_TOGETHER

    steps = 1 + 2 * len(evidence.runs.symbols)  # points that the noise takes for each sample
    few, many, all_held = (
        len(next(iter(evidence.screen_frame.columns.values()))), evidence.fitting.samples * steps,
        evidence.held.samples * steps,
    )  # fmt: skip
    screened = VALUES * FOLLOWED * nodes * min(CHUNK, formulas) * few
    judged = min(VALUES * nodes * JUDGED_TOGETHER * many, AT_MOST)
    return 8.0 * max(screened, judged) + 8.0 * 20 * all_held


@dataclass(frozen=True)
class Answer:
    """What is conserved, in one word and one sentence.

    verdict: LAW, APPROXIMATE, NONE or UNDECIDED. by_verdict: how many formulas ended with which verdict.
    """

    verdict: str
    reason: str
    by_verdict: dict[str, int]


def gathered(trajectories: Trajectories, settings: Settings) -> Evidence:
    """The data, or the part of them that is searched, made ready for judgement as the settings say."""
    from .data.reduction import reduced
    from .search.evidence import gather

    part = reduced(trajectories, settings.seed)
    return gather(part, window=settings.window, share=settings.share, seed=settings.seed)


def searched(
    evidence: Evidence,
    enumeration: Enumeration,
    settings: Settings,
    progress: Progress | None = None,
    work: Work = HERE,
    everything: Trajectories | None = None,
) -> tuple[Evidence, Search, Answer]:
    """Judge every formula of the enumeration, and answer.

    everything: the data that the evidence is a part of, where it is one; they judge the laws that the part proposes.

    Where nothing is conserved along whole trajectories that are long, windows of about a period are judged too: damping
    takes an approximate law away over many periods, not over one.
    """
    from .search.evidence import windows_worth_trying
    from .search.known import CONSTRAINT
    from .search.searching import search
    from .search.verdicts import APPROXIMATE, LAW

    def report(stage: str, done: int, total: int) -> None:
        settings.allowed.check()
        if progress is not None:
            progress(stage, done, total)

    def judged(part: str, evidence: Evidence, constraints: Sequence[Sum] = ()) -> tuple[Evidence, Search, Answer]:
        found = search(
            enumeration.formulas,
            enumeration.grammar,
            evidence,
            rule=settings.rule,
            alpha=settings.alpha,
            thorough=settings.max_formulas != QUICK,
            constraints=constraints,
            work=work.under(part),
            progress=report,
        )
        found = _on_everything(found, evidence, everything, report)
        return evidence, found, _answer(found, enumeration, evidence, everything)

    first = judged("fit", evidence)
    window = windows_worth_trying(first[0]) if settings.window is None and first[2].verdict in _NOTHING else None
    if window is None:
        return first
    constraints = first[1].sums.of_kind(CONSTRAINT)
    second = judged("fit in windows", gathered(evidence.runs, replace(settings, window=window)), constraints)
    if second[2].verdict in _NOTHING:
        return first
    # what holds in windows, and not along the whole trajectories that were judged first, is no more than approximate
    laws = tuple(replace(law, verdict=APPROXIMATE) if law.verdict == LAW else law for law in second[1].laws)
    found = replace(second[1], laws=laws)
    return second[0], found, _answer(found, enumeration, second[0], everything)


def _on_everything(
    found: Search, evidence: Evidence, everything: Trajectories | None, progress: Progress | None
) -> Search:
    """What was found in a part of the data, as all of them judge it."""
    from .search.everything import on_everything
    from .search.verdicts import NOT_CONSERVED

    if everything is None or everything.samples == evidence.runs.samples or not found.laws:
        return found
    tell = progress or (lambda stage, done, total: None)
    windows = evidence.window is not None
    laws = on_everything(
        found.laws, everything, evidence.noise_D, windows, lambda done, total: tell("everything", done, total)
    )
    return replace(found, laws=tuple(law for law in laws if law.verdict != NOT_CONSERVED))


CONFUSED = 0.095
"""A column's noise in its deviations from which on two forms of a law can fit alike (10 %, as it is measured)."""
_NOTHING = ("NONE", "UNDECIDED")


def _answer(
    found: Search, enumeration: Enumeration, evidence: Evidence, everything: Trajectories | None = None
) -> Answer:
    from .search import verdicts
    from .search.existence import least_ratio_of_polynomials
    from .search.material import noise_share

    tally = Counter(j.verdict for j in found.judgements)
    by_verdict = {name: tally[name] for name in sorted(tally)}
    what = _looked_through(found, enumeration)
    for verdict, words in (
        (verdicts.LAW, "conserved as far as the noise lets one see"),
        (verdicts.APPROXIMATE, "conserved approximately"),
    ):
        laws = [law for law in found.laws if law.verdict == verdict]
        if laws:
            number = "one quantity is" if len(laws) == 1 else f"{len(laws)} functionally independent quantities are"
            if evidence.window is not None:
                words += f", judged in windows of {evidence.window} samples"
            if everything is not None and everything.samples > evidence.runs.samples:
                words += f" along all {everything.samples:,} samples, found in {evidence.runs.samples:,} of them"
            return Answer(verdict, f"{number} {words}, of {what}{_beside(noise_share(evidence))}", by_verdict)
    if found.sums.unsure:
        best = min(found.sums.unsure, key=lambda s: s.p_value)
        return Answer(
            verdicts.UNDECIDED,
            f"{best} looks conserved, but so does the best of {what} in one of {1 / best.p_value:.0f} data sets where "
            "nothing is; more or longer trajectories would help",
            by_verdict,
        )
    least, degree = least_ratio_of_polynomials(evidence)
    verdict, why = verdicts.no_law(
        found.judgements,
        noise_share=noise_share(evidence),
        heldout=len(evidence.heldout),
        least_ratio_of_polynomials=least,
        degree=degree,
    )
    return Answer(verdict, f"none of {what} is conserved; {why}{_advice(evidence.runs)}", by_verdict)


def _beside(share: float) -> str:
    """That p-values speak of conservation and not of form, where noise is large enough for forms to be confused."""
    if share < CONFUSED:
        return ""
    return f"; with noise of {share:.0%} of a column's deviation other forms of a law can fit as well"


def _looked_through(found: Search, enumeration: Enumeration) -> str:
    """What was searched, in words."""
    what = f"{enumeration.raw_total:,} formulas of up to {enumeration.nodes} nodes"
    if len(enumeration.formulas) != enumeration.raw_total:
        what += f" ({len(enumeration.formulas):,} classes)"
    if any(j.verdict == "NOT_JUDGED" for j in found.judgements):
        return (
            f"sums of {found.sums.terms:,} terms in {len(found.sums.libraries)} libraries "
            f"(--max-nodes {enumeration.grammar.max_nodes} searches whole formulas too)"
        )
    if found.sums.libraries:
        what = f"sums of {found.sums.terms:,} terms in {len(found.sums.libraries)} libraries and {what}"
    if enumeration.nodes < enumeration.grammar.max_nodes:
        what += f" (--max-nodes {enumeration.grammar.max_nodes} searches larger ones)"
    return what


def _advice(trajectories: Trajectories) -> str:
    """What to try where nothing is conserved and no column is a velocity."""
    if not lacks_velocities(trajectories):
        return ""
    if trajectories.given_derivatives is not None:
        return ". The derivatives that the file gives are no columns yet: try --derivatives"
    return ". No column is the time derivative of another: if they are positions, try --derivatives"


def ranked(
    evidence: Evidence,
    quantities: Mapping[str, Quantity],
    settings: Settings,
    progress: Progress | None = None,
    approximate: Collection[str] = (),
    work: Work = HERE,
) -> Ranking:
    """Rank quantities by what they do for a learned predictor; `approximate` names those whose level may change.

    Many trajectories: those that fitted train, the held-out ones test. A few long ones: the first 80 % of each train,
    the rest tests, as in the paper; training rollouts are as long as the test's, since over a whole run every phase is
    lost and nothing can be chosen by them.

    Raises OptionError for an oracle that cannot be read.
    """
    from .predict.ranking import Candidate, RankingSettings, rank

    candidates = [Candidate(name, quantity, name in approximate) for name, quantity in quantities.items()]
    oracle = None
    if settings.oracle is not None:
        quantity = oracle_quantity(settings.oracle, evidence.runs)
        oracle = Candidate("oracle", quantity, approximate=len(approximate) == len(candidates) > 0)
    if evidence.window is None:
        train, test = evidence.train, evidence.held
    else:
        train, test = evidence.runs.cut_at(0.8)
        train = train.windows(max(len(t) for t in test.times))
    return rank(
        train,
        test,
        candidates,
        RankingSettings(
            epochs=settings.epochs,
            steps=settings.steps,
            keep=settings.keep,
            protocol=settings.protocol,
            loss_form=settings.loss_form,  # type: ignore[arg-type]
            seed=settings.seed,
        ),
        oracle=oracle,
        progress=progress,
        work=work.under("rank"),
    )


def oracle_quantity(text: str, trajectories: Trajectories) -> Quantity:
    """A user's formula with numbers, in the file's own columns and units, as a quantity on coherent states.

    Raises OptionError for text that is no formula, for a name that is no column, and for a mere number.
    """
    known = {**dict(zip(trajectories.names, trajectories.symbols, strict=True)), **{s: s for s in trajectories.symbols}}
    try:
        sentence = parse_sentence(text, known, dict(trajectories.vectors))
    except FormulaError as problem:
        raise OptionError(f"--oracle: {problem}") from problem
    shown = shortened(text)
    unknown = [name for name, value in zip(sentence.names, sentence.values, strict=True) if value is None]
    if unknown:
        columns = ", ".join(trajectories.symbols)
        hint = nearest(unknown[0], list(known))
        raise OptionError(
            f'--oracle "{shown}": "{shortened(unknown[0])}" is no column; there are {columns}, and numbers{hint}'
        )
    if not sentence.formula.inputs:
        raise OptionError(f'--oracle "{shown}" is a mere number; write a formula of {", ".join(trajectories.symbols)}')
    if sentence.formula.rank:
        raise OptionError(f'--oracle "{shown}" is a vector; write a number, such as its norm')
    values = tuple(float(value) for value in sentence.values if value is not None)
    from .search.quantity import Quantity

    scales = {s: unit.scale for s, unit in zip(trajectories.symbols, trajectories.units, strict=True)}

    def leaf(part: Formula, number: int) -> Valued:
        if number >= 0:
            return part, (values[number],)
        symbol = part.components[0] if part.components else known[part.name]
        own = part if part.components else variable(symbol)
        if scales[symbol] == 1.0:
            return own, ()
        return joined("div", (own, ()), (parameter(), (scales[symbol],)))

    formula, numbers = fold(sentence.formula, leaf, lambda part, operands: joined(part.head, *operands))
    return Quantity(formula, numbers, trajectories.symbols)


class Clock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """The time since the last lap went into this stage."""
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
