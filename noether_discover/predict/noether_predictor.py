"""A user's own network, improved by laws.

    predictor = NoetherPredictor(network, discover("pendulum.csv"))
    predictor.fit("pendulum.csv")
    forecast = predictor.predict(first_states, times)

K sequences, T samples of one, N states, D state columns.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..data.given import Given, in_their_own_numbers
from ..data.trajectories import Trajectories
from ..errors import OptionError, PredictorError
from . import inner, predictors
from .bench import Bench, NetworkSettings, prepared
from .heads import fitted_constants
from .inner import InnerSteps
from .predictors import Field, Pull
from .projection import LevelSet, Tally, projected_field, pulled_back
from .protocols import STRENGTHS, level_keeping, level_set
from .spoken import spoken
from .structured import Constants, Measure, head_field, pairs
from .table import Candidate

Method = Literal["projection", "tailoring", "structured"]
Predicts = Literal["derivative", "next"]
Adapt = Literal["state", "sequence"]
_CHOICES = {
    "method": ("projection", "tailoring", "structured"),
    "predicts": ("derivative", "next"),
    "adapt": ("state", "sequence"),
}
_CLOCKED_ON = 64
_LIKE, _UNLIKE = 0.01, 0.5
"""Mean squared errors, in squared deviations, of what a network surely predicts and surely does not."""
_MOST_SAMPLES = 2000


@dataclass(frozen=True)
class Forecast:
    """Rollouts from first states.

    states: with the laws, [K, T, D]. plain: the network's own, the same shape; None where there is no network.
    times: [K, T]. asked, fallbacks: how often a law was to be enforced, and how often it could not be (undefined there,
    a vanishing gradient, a diverging step): the plain prediction stood in those cases.
    """

    states: Tensor
    plain: Tensor | None
    times: Tensor
    asked: int
    fallbacks: int


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
        in their order and in the file's units.

    The network's own numbers are those of the file, and `fit` has to see some of them first: it takes the size of
    columns, speeds and laws from there. After training through a law the network is of no use without it.

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
        for name, value in (("method", method), ("predicts", predicts), ("adapt", adapt)):
            if value not in _CHOICES[name]:
                raise OptionError(f'{name} cannot be "{value}"; it is one of {", ".join(_CHOICES[name])}')
        if strength != "auto" and not 0 <= strength <= 1:
            raise OptionError(f"strength {strength} is no share of a violation; it is from 0 to 1")
        if not rate > 0 or steps < 0:
            raise OptionError(f"rate {rate} and steps {steps} cannot be used; a rate is above 0, steps are 0 or more")
        if model is None and method != "structured":
            raise PredictorError('there is no network; method="structured" is the one that needs none')
        if predicts == "next" and method == "structured":
            raise PredictorError('a structured head predicts derivatives; use predicts="derivative"')
        self.model = model
        self.quantities, self.approximate = spoken(laws, columns, approximate)
        self.predicts, self.method = predicts, method
        self.strength = strength
        self.inner = InnerSteps(rate, steps, adapted)
        self.adapt = adapt
        self.constants: Constants | None = None
        self._bench: Bench | None = None
        self._laws: LevelSet | None = None
        self._chosen_strength = 1.0
        self._next_step = self._clock = math.nan

    # --- what the network says, checked -----------------------------------------------------------------------------

    def _plain(self, x_ND: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        """The network's own prediction in float64. Raises PredictorError for an output of the wrong shape."""
        assert self.model is not None
        dtype = next((p.dtype for p in self.model.parameters()), x_ND.dtype)
        if parameters is None:
            out = self.model(x_ND.to(dtype))
        else:
            from torch.func import functional_call

            out = functional_call(self.model, dict(parameters), (x_ND.to(dtype),))
        if not isinstance(out, Tensor) or out.shape != self._shape(x_ND):
            shown = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise PredictorError(
                f"the network puts out {shown} for states {tuple(x_ND.shape)}; wanted is {tuple(self._shape(x_ND))}"
                + (", the head's coefficients" if self.method == "structured" else ", a number for each column")
            )
        return out.to(x_ND.dtype)

    def _shape(self, x_ND: Tensor) -> torch.Size:
        if self.method != "structured":
            return x_ND.shape
        D = x_ND.shape[-1]
        return torch.Size((*x_ND.shape[:-1], len(pairs(D)) + D * self.approximate[0]))

    # --- fitting ----------------------------------------------------------------------------------------------------

    def fit(
        self,
        data: Given,
        *,
        epochs: int = 100,
        learning_rate: float = 1e-3,
        seed: int = 0,
    ) -> NoetherPredictor:
        """Take the sizes of things from data, and train the network through the enforcement for some epochs.

        data: a file, a frame, Trajectories, or (states, times): K arrays [T, D] with K arrays [T] (or one for all).
        epochs: full-batch Adam steps; the last half of the weights is averaged. 0 leaves the network as it is.
        A structured head without a network fits its constants instead, and refines the law's parameters.

        Raises PredictorError when the network's output has the wrong shape, looks like the other kind of prediction, or
        no gradient reaches its parameters.
        """
        trajectories = in_their_own_numbers(data)
        bench = prepared(trajectories, NetworkSettings(samples=_MOST_SAMPLES, seed=seed, epochs=max(epochs, 1)))
        self._bench = bench
        pairs_of = zip(self.quantities, self.approximate, strict=True)
        self._laws = level_set([Candidate("law", quantity, soft) for quantity, soft in pairs_of], bench)
        if not self._laws.usable:
            raise PredictorError("a law is undefined somewhere on the data, or constant on them; it cannot be enforced")
        x_ND, target_ND, size_D = self._task(bench, trajectories)
        self._next_step = trajectories.typical_step
        if self.model is None:
            self.constants = fitted_constants(self.quantities[0], bench, damped=self.approximate[0])
            return self
        with torch.no_grad():
            self._plain(x_ND[:2])
        if self.method != "structured":
            self._look_at_the_kind(bench)
        if self.method == "tailoring":
            some = torch.linspace(0, len(x_ND) - 1, min(len(x_ND), _CLOCKED_ON)).round().long()
            self._clock = 1.0
            self._clock = inner.clock(self.model, self._state_loss, self._state_queries(x_ND[some]), self.inner)
        if epochs:
            self._train(x_ND, target_ND, size_D, epochs, learning_rate)
        if self.strength == "auto" and any(self.approximate) and self.method == "projection":
            self._choose_strength(bench)
        return self

    def _task(self, bench: Bench, trajectories: Trajectories) -> tuple[Tensor, Tensor, Tensor]:
        """States, what is to be predicted there, and the size of its columns."""
        if self.predicts == "derivative":
            return bench.states, bench.rates_of_change, bench.scales.speed
        data, step = bench.train, trajectories.typical_step
        regular = (data.times.diff(dim=-1) - step).abs() < 1e-3 * step
        pairs_KT = data.counts[:, 1:] & regular
        if not bool(pairs_KT.any()):
            raise PredictorError("no two samples are one typical step apart: next states need evenly spaced samples")
        x_ND, next_ND = data.states[:, :-1][pairs_KT], data.states[:, 1:][pairs_KT]
        some = torch.linspace(0, len(x_ND) - 1, min(len(x_ND), _MOST_SAMPLES)).round().long()
        return x_ND[some], next_ND[some], (next_ND - x_ND).std(0, correction=0).clamp(min=1e-300)

    def _look_at_the_kind(self, bench: Bench) -> None:
        """Whether a network that is trained already predicts what it was said to predict."""
        with torch.no_grad():
            out_ND = self._plain(bench.states)
        scales = bench.scales
        ahead_ND = bench.states + bench.step * bench.rates_of_change
        as_rates = float(((out_ND - bench.rates_of_change) / scales.speed).square().mean())
        as_states = float(((out_ND - ahead_ND) / scales.spread).square().mean())
        if self.predicts == "derivative" and as_states < _LIKE < _UNLIKE < as_rates:
            raise PredictorError('the network\'s output looks like the next state, not dx/dt: say predicts="next"')
        if self.predicts == "next" and as_rates < _LIKE < _UNLIKE < as_states:
            raise PredictorError(
                'the network\'s output looks like dx/dt, not the next state: say predicts="derivative"'
            )

    def _train(self, x_ND: Tensor, target_ND: Tensor, size_D: Tensor, epochs: int, rate: float) -> None:
        assert self.model is not None
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        if not parameters:
            raise PredictorError("the network has no parameters to train; use epochs=0")
        adam = torch.optim.Adam(parameters, lr=rate)
        sums = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
        averaged = max(epochs // 2, 1)
        with predictors.one_thread():
            for epoch in range(epochs):
                adam.zero_grad()
                loss = ((self(x_ND) - target_ND) / size_D).square().mean()
                self._backward(loss, parameters)
                adam.step()
                if epoch >= epochs - averaged:
                    for total, p in zip(sums, parameters, strict=True):
                        total += p.detach()
        with torch.no_grad():
            for total, p in zip(sums, parameters, strict=True):
                p.copy_((total / averaged).to(p.dtype))
        adam.zero_grad()

    def _backward(self, loss: Tensor, parameters: list[nn.Parameter]) -> None:
        try:
            if loss.requires_grad:
                loss.backward()
        except RuntimeError as problem:
            words = str(problem).strip().splitlines()[0][:120]
            raise PredictorError(
                f"the network cannot be differentiated twice, which training through inner steps needs ({words}); "
                'use method="projection", or epochs=0'
            ) from problem
        if all(p.grad is None for p in parameters):
            raise PredictorError(
                "no gradient reaches the network's parameters; is something in it detached? "
                "Use epochs=0 to leave it as it is"
            )

    def _choose_strength(self, bench: Bench) -> None:
        data = bench.train
        errors = {}
        for strength in STRENGTHS:
            self._chosen_strength = strength
            away = (self.predict(data.states[:, 0], data.times).states - data.states)[:, 1:][data.counts[:, 1:]]
            errors[strength] = float((away / bench.scales.spread).square().mean())
        finite = {s: e for s, e in errors.items() if e == e}
        self._chosen_strength = min(finite, key=lambda s: finite[s], default=1.0)

    # --- predicting -------------------------------------------------------------------------------------------------

    @property
    def used_strength(self) -> float:
        """The strength in use."""
        return self._chosen_strength if self.strength == "auto" else float(self.strength)

    def forward(self, x: Tensor, tally: Tally | None = None) -> Tensor:
        """What the network predicts at states [..., D] with the laws enforced; differentiable by states and weights.

        tally: counts the states at which a law could not be enforced.
        """
        laws = self._ready()
        rows_ND = x.reshape(-1, x.shape[-1]).to(torch.float64)
        if self.method == "tailoring":
            out = self._plain(rows_ND) if self.adapt == "sequence" else self._tailored(rows_ND, tally)
        elif self.predicts == "next":
            with torch.no_grad():
                step = torch.full(rows_ND.shape[:-1], self._next_step, dtype=torch.float64)
            goal_NL = laws.decay.after(laws.values(rows_ND), step)
            plain_ND = self._plain(rows_ND)
            out = pulled_back(laws, plain_ND, goal_NL, self.used_strength, differentiable=True, tally=tally)
        else:
            out = self._field(differentiable=True, tally=tally)(rows_ND)
        return out.reshape(x.shape).to(x.dtype)

    def _ready(self) -> LevelSet:
        if self._laws is None:
            raise PredictorError("the predictor has seen no data yet; call fit(data), with epochs=0 to train nothing")
        return self._laws

    def _field(self, *, differentiable: bool, tally: Tally | None) -> Field:
        """Projection, or the head: a vector field."""
        laws = self._ready()
        if self.method == "projection":
            return projected_field(self._plain, laws, self.used_strength, differentiable=differentiable, tally=tally)
        f = self._head(differentiable=differentiable)
        if len(self.quantities) == 1:
            return f
        return projected_field(f, laws, 1.0, differentiable=differentiable, tally=tally)

    def _head(self, *, differentiable: bool) -> Field:
        if self.model is None:
            assert self.constants is not None
            return self.constants.field()
        assert self._bench is not None
        scales = self._bench.scales
        measure = Measure(scales.speed * scales.time, scales.time, float(self._ready().scale[0]))

        def coefficients(x_ND: Tensor) -> tuple[Tensor, Tensor]:
            out = self._plain(x_ND)
            entries = len(pairs(x_ND.shape[-1]))
            friction = out[..., entries:] if self.approximate[0] else torch.zeros_like(x_ND)
            return out[..., :entries], friction

        return head_field(self.quantities[0], measure, coefficients, differentiable=differentiable)

    # --- tailoring --------------------------------------------------------------------------------------------------

    def _state_queries(self, x_ND: Tensor) -> inner.Query:
        """What a state's loss needs: the state; the laws' gradients and wanted rates there, or their wanted levels."""
        laws = self._ready()
        if self.predicts == "next":
            step_N = torch.full(x_ND.shape[:-1], self._next_step, dtype=torch.float64)
            return x_ND, laws.decay.after(laws.values(x_ND), step_N)
        g_NL, G_NLD, good_N = laws.slopes(x_ND, differentiable=x_ND.requires_grad)
        return x_ND, G_NLD, torch.where(good_N[..., None], laws.decay.rate(g_NL) / laws.scale, 0.0)

    def _state_loss(self, parameters: Mapping[str, Tensor], query: inner.Query) -> Tensor:
        """One state's Noether loss: the violations of its own prediction, squared and summed over the laws."""
        laws = self._ready()
        out_ND = self._plain(query[0][None], parameters)
        if self.predicts == "next":
            r_L = (laws.values(out_ND)[0] - query[1]) / laws.scale
        else:
            r_L = (query[1] * out_ND[0]).sum(-1) - query[2]
        return self._clock * r_L.square().sum()

    def _tailored(self, x_ND: Tensor, tally: Tally | None) -> Tensor:
        """Every state's prediction by weights of its own."""
        from torch.func import vmap

        assert self.model is not None
        queries = self._state_queries(x_ND)
        graph = torch.is_grad_enabled()
        weights, better_N = inner.tailored(self.model, self._state_loss, queries, self.inner, create_graph=graph)
        if tally is not None:
            tally.add(better_N)
        fixed = {name: p for name, p in self.model.named_parameters() if name not in weights}

        def predict(mine: inner.Adapted, x_D: Tensor) -> Tensor:
            return self._plain(x_D[None], {**fixed, **mine})[0]

        out: Tensor = vmap(predict, randomness="same")(weights, x_ND)
        return out

    def _sequence_loss(self, parameters: Mapping[str, Tensor], query: inner.Query) -> Tensor:
        """A sequence's Noether loss: how far its own rollout leaves the levels of its first state (Eq. 2a)."""
        laws = self._ready()
        x0_D, times_T, goal_TL = query
        states_TD = self._own_rollout(x0_D, times_T, parameters)
        return self._clock * ((laws.values(states_TD[1:]) - goal_TL[1:]) / laws.scale).square().sum(-1).mean()

    def _own_rollout(self, x0_D: Tensor, times_T: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """The plain network's rollout [T, D] with these weights, with its graph."""
        x, states = x0_D[None], [x0_D[None]]
        for step, parts in zip(times_T.diff(), self._parts, strict=True):
            for _ in range(1 if self.predicts == "next" else parts):
                if self.predicts == "next":
                    x = self._plain(x, parameters)
                else:
                    x = predictors.runge_kutta(lambda x: self._plain(x, parameters), x, step / parts)
            states.append(x)
        return torch.cat(states)

    def _tailored_sequences(self, x0_KD: Tensor, times_KT: Tensor, tally: Tally) -> Tensor:
        """Rollouts by weights that every sequence has of its own, adapted to its own rollout."""
        from torch.func import vmap

        assert self.model is not None
        assert self._bench is not None
        laws = self._ready()
        self._parts = predictors.parts(times_KT.diff(dim=-1), self._bench.scales.time)
        since_KT = times_KT - times_KT[:, :1]
        goal_KTL = laws.decay.after(laws.values(x0_KD)[:, None, :], since_KT)
        queries = (x0_KD, times_KT, goal_KTL)
        self._clock = 1.0
        self._clock = inner.clock(self.model, self._sequence_loss, queries, self.inner)
        weights, better_K = inner.tailored(self.model, self._sequence_loss, queries, self.inner, create_graph=False)
        tally.add(better_K)
        fixed = {name: p.detach() for name, p in self.model.named_parameters() if name not in weights}

        def roll(mine: inner.Adapted, x0_D: Tensor, times_T: Tensor) -> Tensor:
            return self._own_rollout(x0_D, times_T, {**fixed, **mine})

        states: Tensor = vmap(roll, randomness="same")(weights, x0_KD, times_KT)
        return states

    # --- rollouts ---------------------------------------------------------------------------------------------------

    @torch.no_grad()
    def predict(self, first: Any, times: Any) -> Forecast:
        """Rollouts from first states [K, D] (or one, [D]) at times [T], the same for all, or [K, T].

        A network of derivatives is integrated by Runge-Kutta steps; one of next states makes its own steps, and the
        times have to be one of its steps apart. Both are rolled out plainly as well.

        Raises PredictorError before `fit`, and for times that a network of next states cannot reach.
        """
        laws = self._ready()
        assert self._bench is not None
        x0_KD = torch.atleast_2d(torch.as_tensor(np.asarray(first), dtype=torch.float64))
        times_T = torch.as_tensor(np.asarray(times), dtype=torch.float64)
        times_KT = torch.atleast_2d(times_T).expand(len(x0_KD), -1)
        if times_KT.shape[1] < 2 or not bool((times_KT.diff(dim=-1) >= 0).all()):
            raise PredictorError("times have to be two or more, and to increase")
        steps_KT = times_KT.diff(dim=-1)
        if self.predicts == "next" and not torch.allclose(steps_KT, torch.tensor(self._next_step).double(), rtol=1e-2):
            raise PredictorError(
                f"a network of next states makes steps of {self._next_step:.6g}; the times have to be that far apart"
            )
        tally = Tally()
        with predictors.one_thread():
            has_plain = self.model is not None and self.method != "structured"
            plain = self._roll(self._plain, x0_KD, times_KT) if has_plain else None
            if self.method == "tailoring" and self.adapt == "sequence":
                states = self._tailored_sequences(x0_KD, times_KT, tally)
            elif self.method == "tailoring":
                states = self._roll(lambda x: self._tailored(x, tally), x0_KD, times_KT)
            elif self.predicts == "next":
                pull = level_keeping(laws, self.used_strength, tally)
                states = self._roll(self._plain, x0_KD, times_KT, pull)
            else:
                states = self._roll(self._field(differentiable=False, tally=tally), x0_KD, times_KT)
        return Forecast(states, plain, times_KT, tally.asked, tally.plain)

    def _roll(self, f: Field, x0_KD: Tensor, times_KT: Tensor, pull: Pull | None = None) -> Tensor:
        """Rollouts of a field, or of a network of next states."""
        assert self._bench is not None
        if self.predicts == "derivative":
            return predictors.rollout(f, x0_KD, times_KT, time=self._bench.scales.time)
        states = [x0_KD]
        for since_K in (times_KT - times_KT[:, :1]).unbind(1)[1:]:
            x_KD = f(states[-1])
            states.append(x_KD if pull is None else pull(x_KD, x0_KD, since_K))
        return torch.stack(states, dim=1)
