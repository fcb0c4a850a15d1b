"""Settings: everything that a discovery depends on besides the data."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from noether_dsl.operators import DEFAULT_OPERATORS

from .cluster import is_address
from .data.trajectories import FEWEST_SAMPLES
from .errors import OptionError, shortened
from .memory import Memory, read_size
from .options import of_their_kinds

QUICK = 2_000
"""Whole formulas that are searched without being asked for: what they say beyond sums of terms is worth seconds."""


@dataclass(frozen=True)
class Settings:
    """Everything that a discovery depends on besides the data. Every field is an option of the command line.

    max_nodes: the largest whole formula; None for up to 7, as far as there are few.
    operators: names of the language's operators.
    parameter_units: None for inferred, else the list of units that parameters can have.
    form: "normal" (one formula per class of formulas conserved together) or "raw" (all of them, the paper's).
    max_formulas: the search of whole formulas stops at the node count whose formulas would exceed this; None for 2,000
        where neither the largest formula nor another form or rule was asked for, else 200,000.
    alpha: the share of laws that may be false.
    rule: "noise" or "paper" (`search.laws.search`). window: samples in a window, None decides, 0 for none.
    share: of the sequences that fit; the others judge.
    oracle: a formula with numbers, ranked beside the laws. protocol, loss_form, keep, epochs, steps: of the ranking.
    jobs: processes. cluster: the address of a Dask scheduler, whose workers work instead. memory: what this process and
        those that it starts may take, as "4GB". They change nothing but the time.
    """

    max_nodes: int = None  # type: ignore[assignment]
    operators: tuple[str, ...] = DEFAULT_OPERATORS
    parameter_units: tuple[str, ...] | None = None
    strict_angles: bool = False
    form: str = "normal"
    max_formulas: int = None  # type: ignore[assignment]
    rule: str = "noise"
    alpha: float = 0.05
    window: int | None = None
    share: float = 0.5
    seed: int = 0
    oracle: str | None = None
    protocol: str = "projection"
    loss_form: str = "derivative"
    keep: int = 20
    epochs: int = 100
    steps: int = 2000
    jobs: int = field(default_factory=lambda: os.cpu_count() or 1)
    cluster: str | None = None
    memory: str | None = None

    def __post_init__(self) -> None:
        of_their_kinds(self, unsaid=("max_nodes", "max_formulas"))
        if self.memory is not None:
            read_size(self.memory)
        if self.max_formulas is None:
            plain = self.form == "normal" and self.rule == "noise" and self.parameter_units is None
            quick = self.max_nodes is None and plain
            object.__setattr__(self, "max_formulas", QUICK if quick else 200_000)
        if self.max_nodes is None:
            object.__setattr__(self, "max_nodes", 7)
        for name, known in (
            ("form", ("normal", "raw")), ("rule", ("noise", "paper")), ("protocol", ("projection", "paper")),
            ("loss_form", ("derivative", "euler")),
        ):  # fmt: skip
            if getattr(self, name) not in known:
                raise OptionError(f'{name} cannot be "{getattr(self, name)}"; it is one of {", ".join(known)}')
        if not 1 <= self.max_nodes <= 14:
            raise OptionError(f"--max-nodes {self.max_nodes} cannot be searched; it is from 1 to 14")
        if not 0 < self.alpha < 1:
            raise OptionError(f"--alpha {self.alpha} is no share of false laws; it is between 0 and 1")
        if not 0 < self.share < 1:
            raise OptionError(f"--share {self.share} leaves nothing to fit or nothing to judge; it is between 0 and 1")
        for name, least in (
            ("max_formulas", 1), ("seed", 0), ("keep", 0), ("epochs", 1), ("steps", 1), ("jobs", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                option = f"--{name.replace('_', '-')} {getattr(self, name)}"
                raise OptionError(f"{option} cannot be used; it is {least} or more")
        if self.cluster is not None and not is_address(self.cluster):
            raise OptionError(
                f"--cluster {shortened(self.cluster)} is no address of a scheduler; write it as `dask scheduler` "
                "prints it, tcp://host:8786"
            )
        if self.seed >= 2**32:
            raise OptionError(f"--seed {shortened(str(self.seed))} cannot be used; it is below {2**32:,}")
        if self.window is not None and self.window != 0 and self.window < FEWEST_SAMPLES:
            raise OptionError(f"--window {self.window} is too short; a window has at least {FEWEST_SAMPLES} samples")
        if self.form == "normal" and self.parameter_units is not None:
            object.__setattr__(self, "form", "raw")

    WITHOUT_EFFECT: ClassVar = frozenset({"jobs", "cluster", "memory"})
    """What changes nothing but the time. It is not kept, nor believed of a file: the user names the scheduler."""

    @property
    def allowed(self) -> Memory:
        """What may be in use of the machine's memory."""
        return Memory(None if self.memory is None else read_size(self.memory))

    def plain(self) -> dict[str, Any]:
        """What has an effect, as JSON-able data."""
        facts: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # tuples become lists
        return {name: value for name, value in facts.items() if name not in self.WITHOUT_EFFECT}

    @classmethod
    def from_plain(cls, facts: dict[str, Any]) -> Settings:
        """Back from `plain`. Raises ValueError for what are no settings."""
        known = {f.name for f in fields(cls)} - cls.WITHOUT_EFFECT
        try:
            return cls(**{name: value for name, value in facts.items() if name in known})
        except OptionError as problem:
            raise ValueError(str(problem)) from problem
