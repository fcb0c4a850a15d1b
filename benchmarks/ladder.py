"""The rungs: every way of giving a law to a predictor, and the baselines that each has to be measured against.

A rung takes a bench (one trained network with its data) and gives a predictor. Laws come from the search; what is typed
in is the oracle and the wrong law, which are controls.

    paper       the paper's network: states as measured, Runge-Kutta
    ours        the same network, states smoothed, an integrator that fits its derivatives
    control     ours with as many extra steps as every law below gets
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from noether_discover.discovery import Discovery, law_quantity
from noether_discover.predict import bench as benches
from noether_discover.predict import heads, projection
from noether_discover.predict.bench import Bench
from noether_discover.predict.measured import Measured
from noether_discover.predict.noether_loss import Quantity
from noether_discover.predict.predictors import Field, Pull
from noether_discover.predict.protocols import (
    Improved,
    Projected,
    Tailored,
    level_keeping,
    level_set,
    meta_tailored,
)
from noether_discover.predict.table import Candidate

OFF = 1.003
"""The factor on the first coefficient of a law that is nearly right."""


@dataclass(frozen=True)
class Predictor:
    """What is rolled out: a field and what is done to each state, and in words how it was chosen."""

    field: Field
    pull: Pull | None = None
    note: str = ""


@dataclass(frozen=True)
class Laws:
    """The law that was found, and its controls. approximate: whether its level may change."""

    found: Quantity
    oracle: Quantity
    wrong: Quantity
    approximate: bool

    @property
    def nearly(self) -> Quantity:
        """The law with its first coefficient a little off."""
        first, *others = self.found.parameters
        return replace(self.found, parameters=(first * OFF, *others))


def law_of(found: Discovery) -> tuple[Quantity, bool]:
    """The first law of a discovery, and whether it is only approximate."""
    return law_quantity(found.laws[0], found.columns), found.laws[0]["verdict"] == "APPROXIMATE"


def plain(bench: Bench) -> Predictor:
    """The network."""
    return Predictor(bench.field())


def control(bench: Bench) -> Predictor:
    """The network with as many extra steps and no law."""
    return Predictor(bench.field(benches.trained(bench, bench.settings.epochs)))


def hamiltonian(bench: Bench) -> Predictor:
    """A Hamiltonian network, trained as long as the network."""
    return Predictor(benches.hamiltonian(bench))


def _improved(found: Improved | None, bench: Bench) -> Predictor:
    if found is None:
        return Predictor(bench.field(), note="diverged: the plain prediction")
    note = f"rate {found.rate:.3g}" if found.rate is not None else f"strength {found.strength:.2g}"
    return Predictor(found.field, found.pull, note)


def tailored(bench: Bench, quantity: Quantity, *, form: str, meta: bool = True) -> Predictor:
    """The paper's: nine rates, one inner step; meta-tailored, or at the best rate by loss as it is."""
    protocol = Tailored(loss_form=form)  # type: ignore[arg-type]
    entry = protocol.screened(Candidate("law", quantity), "candidate", bench)
    if meta:
        return _improved(protocol.improved(entry, bench), bench)
    rate = protocol.rates[entry.losses.index(entry.loss)]
    return Predictor(protocol.field(entry.law, rate, bench.weights, bench), note=f"rate {rate:.3g}")


def tailored_by_validation(bench: Bench, quantity: Quantity, *, form: str, stretch: Measured) -> Predictor:
    """The paper's, meta-tailored at all nine rates; the one whose rollout of a stretch of training data is best."""
    protocol = Tailored(loss_form=form)  # type: ignore[arg-type]
    entry = protocol.screened(Candidate("law", quantity), "candidate", bench)
    tried = []
    for rate in protocol.rates:
        f = protocol.field(entry.law, rate, meta_tailored(entry.law, rate, bench), bench)
        error = bench.errors(f, stretch).standard
        tried.append((error if math.isfinite(error) else math.inf, rate, f))
    _, rate, f = min(tried, key=lambda one: one[0])
    return Predictor(f, note=f"rate {rate:.3g}")


def projected(bench: Bench, quantity: Quantity, *, approximate: bool) -> Predictor:
    """The field projected, the network trained through it; for an approximate law with strength and decay."""
    protocol = Projected()
    entry = protocol.screened(Candidate("law", quantity, approximate), "candidate", bench)
    return _improved(protocol.improved(entry, bench), bench)


def softly_projected(bench: Bench, quantity: Quantity) -> Predictor:
    """The network as it is, its field projected at the strength with the best training rollouts; no decay."""
    laws = level_set([Candidate("law", quantity)], bench)
    tried = []
    for strength in Projected().strengths:
        f = projection.projected_field(bench.field(), laws, strength)
        tried.append((bench.training_errors(f).standard, strength, f))
    _, strength, f = min(tried, key=lambda one: (one[0] != one[0], one[0]))
    return Predictor(f, note=f"strength {strength:.2g}")


def level_kept(bench: Bench, quantity: Quantity) -> Predictor:
    """The network as it is, every state pulled back to the level that decays at the rate learnt from training data."""
    laws = level_set([Candidate("law", quantity, approximate=True)], bench)
    return Predictor(
        bench.field(), level_keeping(laws, 1.0), f"dg/dt = {float(laws.decay.a):.3g} + {float(laws.decay.b):.3g} g"
    )


def head(bench: Bench, quantity: Quantity, *, approximate: bool, network: bool) -> Predictor:
    """(A - R) grad g with constants, or with a small network on top of them."""
    constants = heads.fitted_constants(quantity, bench, damped=approximate)
    note = "law parameters " + ", ".join(f"{p:.5g}" for p in constants.parameters.tolist())
    if not network:
        return Predictor(constants.field(), note=note)
    return Predictor(heads.fitted_network(constants, bench, damped=approximate).field(), note=note)


Rung = Callable[[], Predictor]


def rungs(paper: Bench, ours: Bench, laws: Laws) -> dict[str, Rung]:
    """Every row of a table, by name, lazily. The first three are the baselines; `control` is what ratios are over."""
    g, near = laws.found, laws.approximate
    return {
        "MLP (paper)": lambda: plain(paper),
        "MLP, consistent integrator": lambda: plain(ours),
        "control: MLP, more steps": lambda: control(ours),
        "Hamiltonian network": lambda: hamiltonian(ours),
        "tailored, Euler form": lambda: tailored(ours, g, form="euler", meta=False),
        "tailored, derivative form": lambda: tailored(ours, g, form="derivative", meta=False),
        "meta-tailored, Euler form (paper)": lambda: tailored(paper, g, form="euler"),
        "meta-tailored, derivative form": lambda: tailored(ours, g, form="derivative"),
        "soft projection, meta-trained": lambda: projected(ours, g, approximate=near),
        "level set with learnt decay": lambda: level_kept(ours, g),
        "head (A - R) grad g, constants": lambda: head(ours, g, approximate=near, network=False),
        "head (A - R) grad g, network": lambda: head(ours, g, approximate=near, network=True),
        "oracle: projection": lambda: projected(ours, laws.oracle, approximate=near),
        "oracle: meta-tailored": lambda: tailored(ours, laws.oracle, form="derivative"),
        "oracle: head, constants": lambda: head(ours, laws.oracle, approximate=near, network=False),
        "coefficient off by 0.3 %: projection": lambda: projected(ours, laws.nearly, approximate=near),
        "wrong law: projection": lambda: projected(ours, laws.wrong, approximate=near),
        "wrong law: meta-tailored": lambda: tailored(ours, laws.wrong, form="derivative"),
    }


CONTROL = "control: MLP, more steps"
SHOWN = (
    "MLP (paper)", CONTROL, "Hamiltonian network", "meta-tailored, derivative form", "soft projection, meta-trained",
    "head (A - R) grad g, constants",
)  # fmt: skip
"""The rungs that a picture's left half follows over time."""
