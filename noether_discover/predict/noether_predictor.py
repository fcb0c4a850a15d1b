"""A user's own network, improved by laws.

    predictor = NoetherPredictor(network, discover("pendulum.csv"))
    predictor.fit("pendulum.csv")
    forecast = predictor.predict(first_states, times)

    spoken          the laws and the data in the network's own numbers
    own_network     what the network says, checked; how it is taught and followed
    projection, own_tailoring, structured, beside       the ways of enforcing

K sequences, T samples of one, N states, D state columns, L laws.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ..data.given import Given
from ..errors import OptionError, PredictorError
from . import inner, predictors
from .bench import Bench, NetworkSettings, prepared
from .beside import beside_head
from .heads import fitted_constants
from .inner import InnerSteps
from .own_network import Predicts, evaluating, followed, introduced, look_at_the_kind, said, taught
from .own_tailoring import Tailoring
from .predictors import Field, Scales
from .projection import LevelSet, Tally, enforceable, projected_field, pulled_back
from .protocols import STRENGTHS, level_keeping, level_set
from .spoken import sound, spoken
from .structured import Constants, Measure, head_field, pairs
from .table import Candidate

Method = Literal["projection", "tailoring", "structured"]
Adapt = Literal["state", "sequence"]

_MOST_SAMPLES = 2000
_CLOCKED_ON = 64


@dataclass(frozen=True)
class Forecast:
    """Rollouts from first states.

    states: with the laws, [K, T, D]. plain: those of the network as it was before `fit`, the same shape; None where
    there is no such prediction (a structured head). times: [K, T].
    asked, fallbacks: how often a law was to be enforced, and how often it could not be (undefined there, a vanishing
    gradient, a diverging step): the network's own prediction stood then. (Runge-Kutta asks four times a step; a
    structured head has no plain prediction, and its states are no numbers from where its law is undefined.)
    """

    states: Tensor
    plain: Tensor | None
    times: Tensor
    asked: int
    fallbacks: int


@dataclass(frozen=True)
class _Seen:
    """What `fit` took from data.

    step: the typical one, a network of next states makes it. strength: of a projection. clock: of tailoring.
    constants: of a head without a network. before: the network as it was before it was trained through the laws.
    """

    laws: LevelSet
    scales: Scales
    step: float
    strength: float
    clock: float = 1.0
    constants: Constants | None = None
    before: nn.Module | None = None


class NoetherPredictor(nn.Module):
    """A network that predicts with the laws enforced.

    model: any module, states [N, D] -> dx/dt [N, D] (`predicts="derivative"`) or the next states [N, D] ("next"). With
        method="structured" its output are the coefficients of the head: D (D - 1) / 2 entries of A above the diagonal,
        row by row, and D more of friction where the law is approximate; or it is None, for constants.
    laws: a Discovery, a callable states [N, D] -> values [N] that torch can differentiate, or several callables.
        Several laws are enforced together, on their common level set.
    method: "projection" moves the prediction to the nearest one that keeps the laws (`projection`); "tailoring" takes
        inner gradient steps on the network's weights (Eq. 3 of the paper; `inner`); "structured" is (A - R) grad g for
        the first law, the others by projection (`structured`).
    strength: of a projection, the share of the violation that is removed; "auto": 1, and for approximate laws, what
        `fit` finds best on training rollouts.
    rate, steps, adapt, adapted: of tailoring. rate 1 removes the violation to first order. adapt="state" gives every
        state its own weights; "sequence" gives every sequence weights of its own, by the loss of its whole
        rollout (Eq. 2a), in `predict`: a state alone is no sequence, and `fit` trains the network plainly. adapted: a
        regular expression on parameter names.
    approximate: whether the levels of callables may change along the data; a Discovery knows which of its laws do.
    columns: the network's columns with units, such as ("q [deg]", "p [kg*m/s]"); by default a Discovery's own columns,
        in their order and in the file's units. With callables they are those of the data.

    `fit` has to see some data first: it takes the size of columns, speeds and laws from there. Times, and so dx/dt, are
    in the file's unit of time. After training through a law the network is of no use without it.

    Raises PredictorError, at construction, for laws or columns that do not fit.
    """

    def __init__(
        self,
        model: nn.Module | None,
        laws: Any,
        *,
        predicts: Predicts = "derivative",
        method: Method = "projection",
        strength: float | Literal["auto"] = "auto",
        rate: float = 0.3,
        steps: int = 1,
        adapt: Adapt = "state",
        adapted: str = "",
        columns: Sequence[str] | None = None,
        approximate: bool = False,
    ) -> None:
        super().__init__()
        for name, value, kind in (
            ("method", method, Method),
            ("predicts", predicts, Predicts),
            ("adapt", adapt, Adapt),
        ):
            if value not in get_args(kind):
                raise OptionError(f'{name} cannot be "{value}"; it is one of {", ".join(get_args(kind))}')
        if strength != "auto" and not (isinstance(strength, int | float) and 0 <= strength <= 1):
            raise OptionError(f'strength {strength} is no share of a violation; it is from 0 to 1, or "auto"')
        if not rate > 0 or steps < 0:
            raise OptionError(f"rate {rate} and steps {steps} cannot be used; a rate is above 0, steps are 0 or more")
        if model is None and method != "structured":
            raise PredictorError('there is no network; method="structured" is the one that needs none')
        if model is not None and not isinstance(model, nn.Module):
            raise PredictorError(f"the network is a {type(model).__name__}; wanted is a torch.nn.Module")
        if predicts == "next" and method == "structured":
            raise PredictorError('a structured head predicts derivatives; use predicts="derivative"')
        self.model = model
        self.spoken = spoken(laws, columns, approximate)
        self.predicts, self.method, self.adapt, self.strength = predicts, method, adapt, strength
        self.inner = InnerSteps(rate, steps, adapted)
        self._seen: _Seen | None = None

    @property
    def quantities(self) -> tuple[Any, ...]:
        """The laws on the network's states."""
        return self.spoken.quantities

    @property
    def used_strength(self) -> float:
        """The strength in use."""
        return self._ready().strength

    @property
    def constants(self) -> Constants | None:
        """Those of a structured head without a network, once they are fitted."""
        return self._ready().constants

    def _ready(self) -> _Seen:
        if self._seen is None:
            raise PredictorError("the predictor has seen no data yet; call fit(data), with epochs=0 to train nothing")
        return self._seen

    def _plain(self, x_ND: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """The network's own output."""
        assert self.model is not None
        return said(self.model, x_ND, self._outputs(x_ND.shape[-1]), parameters)

    def _outputs(self, columns: int) -> int:
        if self.method != "structured":
            return columns
        return len(pairs(columns)) + columns * self.spoken.approximate[0]

    # --- fitting ----------------------------------------------------------------------------------------------------

    def fit(self, data: Given, *, epochs: int = 100, learning_rate: float = 1e-3, seed: int = 0) -> NoetherPredictor:
        """Take the sizes of things from data, and train the network through the enforcement for some epochs.

        data: a file, a frame, Trajectories, or (states, times): K arrays [T, D] with K arrays [T] (or one for all).
            Columns with names are put into the network's order and units.
        epochs: full-batch Adam steps, on the network itself; the last half of the weights is averaged. 0 leaves it as
            it is.
        seed: of dropout. A structured head without a network fits its constants instead, and refines the law's
            parameters.

        Raises PredictorError when the network's output has the wrong shape, looks like the other kind of prediction, or
        no gradient reaches its parameters; and for data whose columns or units are not the network's.
        """
        if epochs < 0 or not learning_rate > 0:
            raise OptionError(f"epochs {epochs} and learning_rate {learning_rate} cannot be used")
        trajectories = self.spoken.data(data)
        settings = NetworkSettings(samples=_MOST_SAMPLES, hidden=1, seed=seed)
        if self.predicts == "next":  # it learns from neighbours wherever they are
            settings = replace(settings, horizon=max(map(len, trajectories.times)))
        bench = prepared(trajectories, settings)
        for quantity in self.quantities:
            sound(quantity, bench.states[:2])
        laws = level_set(
            [Candidate("law", *law) for law in zip(self.quantities, self.spoken.approximate, strict=True)], bench
        )
        enforceable(laws, bench.states)
        seen = _Seen(laws, bench.scales, bench.step, 1.0 if self.strength == "auto" else float(self.strength))
        if self.model is None:
            constants = fitted_constants(self.quantities[0], bench, damped=self.spoken.approximate[0])
            self._seen = replace(seen, constants=constants)
            return self
        introduced(self.model, bench.states[:2], self._outputs(bench.states.shape[1]))
        if self.method != "structured":
            with torch.no_grad(), evaluating(self.model):
                look_at_the_kind(self._plain(bench.states), self.predicts, bench)
        if self.method == "tailoring":
            with evaluating(self.model):
                seen = replace(seen, clock=self._tailoring(seen).clock_at(_some(bench.states, _CLOCKED_ON)))
        self._seen = seen
        if epochs:
            self._seen = seen = replace(seen, before=copy.deepcopy(self.model).eval())
            if self.method == "tailoring" and self.adapt == "state":
                with evaluating(self.model):
                    self._tailoring(seen).look_at_the_second_order(bench.states)
            x_ND, target_ND, size_D = self._task(bench)
            taught(
                self.model, lambda: ((self(x_ND) - target_ND) / size_D).square().mean(), epochs, learning_rate, seed
            )  # fmt: skip
        if self.strength == "auto" and any(self.spoken.approximate) and self.method == "projection":
            self._seen = replace(seen, strength=self._best_strength(bench))
        return self

    def _task(self, bench: Bench) -> tuple[Tensor, Tensor, Tensor]:
        """States, what is to be predicted there, and the size of its columns."""
        assert self.model is not None
        most = _MOST_SAMPLES
        if self.method == "tailoring" and self.adapt == "state":
            most = max(_CLOCKED_ON, min(most, inner.AT_ONCE // sum(p.numel() for p in self.model.parameters())))
        if self.predicts == "derivative":
            return _some(bench.states, most), _some(bench.rates_of_change, most), bench.scales.speed
        data = bench.train
        pairs_KT = data.counts[:, 1:] & _are_steps(data.times.diff(dim=-1), bench.step)
        if not bool(pairs_KT.any()):
            raise PredictorError("no two samples are one typical step apart: next states need evenly spaced samples")
        x_ND, next_ND = data.states[:, :-1][pairs_KT], data.states[:, 1:][pairs_KT]
        size_D = (next_ND - x_ND).std(0, correction=0)
        return _some(x_ND, most), _some(next_ND, most), torch.where(size_D > 0, size_D, 1.0)

    def _best_strength(self, bench: Bench) -> float:
        """The strength with the best training rollouts; 1 when none has any."""
        data, seen = bench.train, self._ready()
        counts_KT = data.counts.clone()
        if self.predicts == "next":  # a network's own steps say nothing beyond a hole
            counts_KT[:, 1:] &= _are_steps(data.times.diff(dim=-1), bench.step).cummin(-1).values
        errors = {}
        with torch.no_grad(), predictors.one_thread(), evaluating(self.model):
            for strength in STRENGTHS:
                states = self._enforced_rollouts(replace(seen, strength=strength), data.states[:, 0], data.times)
                away_ND = (states - data.states)[:, 1:][counts_KT[:, 1:]]
                errors[strength] = float((away_ND / bench.scales.spread).square().mean())
        finite = {s: e for s, e in errors.items() if e == e}
        return min(finite, key=lambda s: finite[s], default=1.0)

    # --- predicting -------------------------------------------------------------------------------------------------

    def forward(self, x: Tensor, tally: Tally | None = None) -> Tensor:
        """What the network predicts at states [..., D] with the laws enforced; differentiable by states and weights.

        tally: counts the states at which a law could not be enforced.
        """
        seen = self._ready()
        self._look_at_the_columns(x)
        rows_ND = x.reshape(-1, x.shape[-1]).to(torch.float64)
        if self.method == "projection" and self.predicts == "next":
            step_N = torch.full(rows_ND.shape[:-1], seen.step, dtype=torch.float64)
            goal_NL = seen.laws.decay.after(_levels(seen.laws, rows_ND), step_N)
            plain_ND = self._plain(rows_ND)
            out = pulled_back(seen.laws, plain_ND, goal_NL, seen.strength, differentiable=True, tally=tally)
        else:
            by_states = torch.is_grad_enabled() and x.requires_grad
            out = self._prediction(seen, differentiable=by_states, tally=tally)(rows_ND)
        return out.reshape(x.shape).to(x.dtype)

    def _prediction(self, seen: _Seen, *, differentiable: bool, tally: Tally | None) -> Field:
        """What is predicted at a state for itself: all but projected next states, which have a level to keep.

        differentiable: by the states.
        """
        if self.method == "structured":
            return self._head(seen, differentiable=differentiable, tally=tally)
        if self.method == "projection":
            return projected_field(self._plain, seen.laws, seen.strength, differentiable=differentiable, tally=tally)
        if self.adapt == "sequence" or not self.inner.steps:
            return self._plain
        return lambda x_ND: self._tailoring(seen).prediction(x_ND, tally)

    def _tailoring(self, seen: _Seen) -> Tailoring:
        assert self.model is not None
        return Tailoring(self.model, seen.laws, self.inner, self.predicts, seen.step, seen.clock)

    def _head(self, seen: _Seen, *, differentiable: bool, tally: Tally | None) -> Field:
        """The structured head as a field, the further laws beside it."""
        measure = Measure(seen.scales.speed * seen.scales.time, seen.scales.time, float(seen.laws.scale[0]))
        fitted, quantity = seen.constants, self.quantities[0]
        if fitted is not None:
            measure, quantity = fitted.measure, fitted.law

        def coefficients(x_ND: Tensor) -> tuple[Tensor, Tensor]:
            if fitted is not None:
                return fitted.entries, fitted.friction
            out, entries = self._plain(x_ND), len(pairs(x_ND.shape[-1]))
            friction = out[..., entries:] if self.spoken.approximate[0] else torch.zeros_like(x_ND)
            return out[..., :entries], friction

        f = head_field(quantity, measure, coefficients, differentiable=differentiable)
        return beside_head(f, seen.laws, differentiable=differentiable, tally=tally)

    @torch.no_grad()
    def predict(self, first: Any, times: Any) -> Forecast:
        """Rollouts from first states [K, D] (or one, [D]) at times [T], the same for all, or [K, T].

        A network of derivatives is integrated by Runge-Kutta steps; one of next states makes its own steps, and the
        times have to be one of its steps apart. Both are rolled out plainly as well. The network is in evaluation mode.

        Raises PredictorError before `fit`, for first states that are no numbers or have other columns, and for times
        that do not increase or that a network of next states cannot reach.
        """
        seen = self._ready()
        x0_KD = _rows(_numbers(first, "first states"))
        self._look_at_the_columns(x0_KD)
        if x0_KD.dim() > 2:
            raise PredictorError(f"first states are {tuple(x0_KD.shape)}; wanted is [K, D] or [D]")
        times_KT = _rows(_numbers(times, "times"))
        if len(times_KT) not in (1, len(x0_KD)) or times_KT.dim() != 2:
            raise PredictorError(
                f"times are {tuple(times_KT.shape)} for {len(x0_KD)} first states; wanted is [T] or [K, T]"
            )
        times_KT = times_KT.expand(len(x0_KD), -1)
        steps_KT = times_KT.diff(dim=-1)
        if not steps_KT.shape[1] or not bool((steps_KT > 0).all()):
            raise PredictorError("times have to be two or more, and to increase")
        if self.predicts == "next" and not bool(_are_steps(steps_KT, seen.step, within=1e-2).all()):
            raise PredictorError(
                f"a network of next states makes steps of {seen.step:.6g}; the times have to be that far apart"
            )
        tally = Tally()
        with predictors.one_thread(), evaluating(self.model):
            has_plain = self.model is not None and self.method != "structured"
            plain = self._followed(self._plain, x0_KD, times_KT) if has_plain else None
            states = self._enforced_rollouts(seen, x0_KD, times_KT, plain, tally)
            before, columns = seen.before, x0_KD.shape[1]
            if before is not None and has_plain:
                plain = self._followed(lambda x: said(before, x, columns), x0_KD, times_KT)
        return Forecast(states, plain, times_KT, tally.asked, tally.plain)

    def _enforced_rollouts(
        self, seen: _Seen, x0_KD: Tensor, times_KT: Tensor, plain: Tensor | None = None, tally: Tally | None = None
    ) -> Tensor:
        """Rollouts [K, T, D] with the laws."""
        if self.method == "tailoring" and self.adapt == "sequence" and self.inner.steps:
            assert plain is not None
            parts_T = predictors.parts(times_KT.diff(dim=-1), seen.scales.time)
            return self._tailoring(seen).rollouts(plain, times_KT, parts_T, tally or Tally())
        if self.method == "projection" and self.predicts == "next":
            pull = level_keeping(seen.laws, seen.strength, tally)
            return followed(self._plain, x0_KD, times_KT, "next", [1] * (times_KT.shape[1] - 1), pull)
        return self._followed(self._prediction(seen, differentiable=False, tally=tally), x0_KD, times_KT)

    def _followed(self, f: Field, x0_KD: Tensor, times_KT: Tensor) -> Tensor:
        parts_T = predictors.parts(times_KT.diff(dim=-1), self._ready().scales.time)
        return followed(f, x0_KD, times_KT, self.predicts, parts_T)

    def _look_at_the_columns(self, x: Tensor) -> None:
        columns = len(self._ready().scales.spread)
        if x.shape[-1:] != (columns,):
            raise PredictorError(
                f"states are {tuple(x.shape)}; their last axis holds the {columns} columns of the data"
            )


def _levels(laws: LevelSet, x_ND: Tensor) -> Tensor:
    """The laws' values [N, L], and NaN without a gradient where they are undefined."""
    with torch.no_grad():
        known_N = laws.values(x_ND).isfinite().all(-1)
    if bool(known_N.all()):
        return laws.values(x_ND)
    g_NL = torch.full((len(x_ND), len(laws.quantities)), torch.nan, dtype=x_ND.dtype)
    if bool(known_N.any()):
        g_NL[known_N] = laws.values(x_ND[known_N])
    return g_NL


def _some(x_ND: Tensor, most: int) -> Tensor:
    """At most so many rows, evenly spread."""
    return x_ND[torch.linspace(0, len(x_ND) - 1, min(len(x_ND), most)).round().long()]


def _are_steps(steps: Tensor, step: float, within: float = 1e-3) -> Tensor:
    """Which times between samples are one step."""
    return (steps - step).abs() < within * step


def _numbers(given: Any, what: str) -> Tensor:
    """Finite numbers in float64. Raises PredictorError for anything else."""
    try:
        found = given.detach().double() if isinstance(given, Tensor) else torch.tensor(np.asarray(given, dtype=float))
    except (TypeError, ValueError, RuntimeError) as problem:
        raise PredictorError(f"{what} are no array of numbers ({problem})") from problem
    if not bool(found.isfinite().all()) or not found.numel():
        raise PredictorError(f"{what} hold values that are not finite, or none at all")
    return found


def _rows(x: torch.Tensor) -> torch.Tensor:
    """At least two axes, as `torch.atleast_2d` gives them, which has no types."""
    return x if x.dim() >= 2 else x.reshape(1, -1)
