"""Which pictures a run has: panels made of a run's facts and some data. Shared by the page and by `plot`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..data.trajectories import Array, Trajectories
from ..search.parts import MOST_TERMS, best_parts, sum_of, terms_of
from ..search.quantity import Quantity
from ..search.verdicts import APPROXIMATE, CONSTRAINT
from .pictures.along import Deviations, Spreads, Values
from .pictures.drifting import Drifting
from .pictures.levels import Levels
from .pictures.pareto import Judged, Law, Pareto
from .pictures.rollouts import Rollouts
from .pictures.sampled import Sampled, sampled
from .pictures.style import Panel
from .wording import law_sentence


@dataclass(frozen=True)
class Material:
    """What a run's pictures are made of.

    found: what `Discovery.to_json` gives. data: what the laws are drawn on, of the run's columns. noise: of each
    column, [D]. window: samples in a window, None where trajectories were judged whole. judged: every formula's
    (nodes, formula, verdict, ratio, reason). own_data: whether these are the data that the run was made of.
    """

    found: Mapping[str, Any]
    data: Trajectories
    noise: Array
    window: int | None
    seed: int
    judged: Sequence[Judged]
    own_data: bool = True
    _sampled: dict[int, Sampled] = field(default_factory=dict, compare=False)

    @property
    def laws(self) -> Sequence[Mapping[str, Any]]:
        """The run's laws."""
        return self.found["laws"]

    @property
    def time_unit(self) -> str:
        """Of the data; samples where the file had no times."""
        return "samples" if self.data.time_name is None else str(self.data.time_unit)

    def quantity(self, number: int) -> Quantity:
        """A law as a callable on states."""
        law = self.laws[number]
        return Quantity(law_sentence(law).formula, tuple(p["value"] for p in law["parameters"]), self.data.symbols)

    def sampled(self, number: int) -> Sampled:
        """A law on the data."""
        if number not in self._sampled:
            constraint = self.laws[number]["verdict"] == CONSTRAINT
            quantity = self.quantity(number)
            self._sampled[number] = sampled(quantity, self.data, self.noise, self.window, self.seed, constraint)
        return self._sampled[number]

    def has_values(self, number: int) -> bool:
        """Whether a law has a value on every state of the data."""
        return all(bool(np.isfinite(g).all()) for g in self.sampled(number).runs)

    def conservation(self, number: int) -> list[Panel]:
        """A law along trajectories: values, deviations, every sequence; and the drift of an approximate one.

        Empty where it has no value on some state of the data.
        """
        if not self.has_values(number):
            return []
        law, on = self.laws[number], self.sampled(number)
        panels: list[Panel] = [
            Values(on, law["unit"], self.time_unit), Deviations(on, law["unit"], self.time_unit), Spreads(on)
        ]  # fmt: skip
        if law["verdict"] == APPROXIMATE:
            rate, error = (law["drift_per_time"], law["drift_standard_error"]) if self.own_data else (None, None)
            panels.append(
                Drifting(on.runs, on.run_times, rate, error, law["unit"], law["drift_unit"], self.time_unit)
            )  # fmt: skip
        return panels

    def columns_of(self, number: int) -> list[int]:
        """The places of the columns that a law reads."""
        law = self.laws[number]
        formula = law_sentence(law).formula
        read = set(formula.inputs) | {part for group in formula.vectors.values() for part in group}
        return [d for d, symbol in enumerate(self.data.symbols) if symbol in read]

    def levels(self, number: int) -> Levels | None:
        """A law's level sets, where it reads two columns and has a value on every state."""
        columns = self.columns_of(number)
        if len(columns) != 2 or not self.has_values(number):
            return None
        a, b = columns
        names, units = self.data.names, [str(unit) for unit in self.data.units]
        return Levels.of(
            self.quantity(number), self.data.states, self.data.labels, (a, b), (names[a], names[b]),
            (units[a], units[b]), self.laws[number]["unit"],
        )  # fmt: skip

    @cached_property
    def pareto(self) -> Pareto:
        """Everything that was searched."""
        laws = [
            Law(str(k), law["formula"], law["nodes"], None if law["verdict"] == CONSTRAINT else law["ratio_heldout"])
            for k, law in enumerate(self.laws, start=1)
        ]  # what has one value on all trajectories has no variance at large to be compared with
        parts = [part for number, law in enumerate(laws) for part in self._parts(number, law)]
        return Pareto(self.judged, tuple(laws), tuple(parts))

    def _parts(self, number: int, law: Law) -> Iterator[Law]:
        """The best of fewer of a law's terms, where it is a sum and has a ratio."""
        formula = law_sentence(self.laws[number]).formula
        terms = terms_of(formula, [p["value"] for p in self.laws[number]["parameters"]])
        if law.ratio is None or len(terms) > MOST_TERMS:
            return
        on = [
            sampled(Quantity(*term, self.data.symbols), self.data, self.noise, self.window, self.seed) for term in terms
        ]
        for part in best_parts([one.values for one in on], [one.pool for one in on]):
            said = sum_of([terms[i] for i in part.terms])
            yield Law(law.name, str(said), said.nodes, part.ratio)

    @cached_property
    def rollouts(self) -> Rollouts:
        """What laws do for a predictor."""
        return Rollouts.of(self.found["ranking"], self.time_unit)
