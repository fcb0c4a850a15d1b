"""Tailoring of a user's own network: what its inner steps are taken on, and what it predicts after them.

N states, K sequences, T samples of one, D state columns, L laws.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.func import vmap

from ..errors import PredictorError
from . import inner
from .inner import InnerSteps
from .own_network import Predicts, followed, said
from .projection import LevelSet, Tally

_PROBED_ON = 8
_APART = 0.05
"""Error of second derivatives that no rounding explains."""


@dataclass(frozen=True)
class Tailoring:
    """Inner steps on a network's own weights.

    step: of a network of next states. clock: see `inner`; that of the states, sequences have their own.
    """

    model: nn.Module
    laws: LevelSet
    how: InnerSteps
    predicts: Predicts
    step: float
    clock: float = 1.0

    def _plain(self, x_ND: Tensor, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
        return said(self.model, x_ND, x_ND.shape[-1], parameters)

    def clock_at(self, x_ND: Tensor) -> float:
        """The clock in which a rate of 1 removes the violations at these states."""
        queries, good_N = self._queries(x_ND)
        return inner.clock(self.model, self._state_loss, queries, self.how) if bool(good_N.any()) else 1.0

    def look_at_the_second_order(self, x_ND: Tensor) -> None:
        """Raises PredictorError unless the loss's gradient by the weights has the derivative that differences show.

        torch itself says nothing of what is detached, nor of some functions that are differentiable once, and its own
        `weight_norm` has wrong second derivatives (2.13). In float64: tiny differences step over no kink, larger ones
        see no rounding.
        """
        try:
            exact = replace(self, model=copy.deepcopy(self.model).double())
        except Exception:  # the user's own code; what cannot be copied is not looked at
            return
        queries, good_N = self._queries(x_ND[:: max(1, len(x_ND) // _PROBED_ON)])
        if not bool(good_N.any()):
            return
        errors = (
            inner.second_order_error(exact.model, exact._state_loss, queries, self.how, step) for step in (1e-6, 1e-3)
        )
        if min(errors) > _APART:
            raise PredictorError(
                "the network's second derivatives by its weights are not those of its first ones; training through "
                "inner steps needs them: is something in it detached, or differentiable just once? Use "
                'method="projection", which does not, or epochs=0'
            )

    # --- every state has weights of its own (Eq. 3) -----------------------------------------------------------------

    def prediction(self, x_ND: Tensor, tally: Tally | None) -> Tensor:
        """Each state's prediction by its own weights; the plain one where a law says nothing or a step diverges."""
        graph = torch.is_grad_enabled()
        queries, good_N = self._queries(x_ND)
        enforced_N = good_N.clone()
        weights: inner.Adapted = {}
        if bool(good_N.any()):
            weights, better = inner.tailored(
                self.model, self._state_loss, queries, self.how, self.clock, create_graph=graph
            )
            enforced_N[good_N] = better
        if tally is not None:
            tally.add(enforced_N)
        if not bool(enforced_N.any()):
            return self._plain(x_ND)
        fixed = self._fixed(weights, graph)
        own_ND = vmap(lambda mine, x: self._plain(x[None], {**fixed, **mine})[0], randomness="same")(
            weights, x_ND[enforced_N]
        )
        return _among(own_ND, enforced_N, lambda: self._plain(x_ND))

    def _queries(self, x_ND: Tensor) -> tuple[inner.Query, Tensor]:
        """What the loss needs of the states where the laws say something: the state; the laws' gradients and wanted
        rates there, or their wanted levels after a step. And which states those are, [N]."""
        laws = self.laws
        if self.predicts == "next":
            with torch.no_grad():
                good_N = laws.values(x_ND).isfinite().all(-1)
            x = x_ND[good_N]
            return (x, laws.decay.after(laws.values(x), torch.full(x.shape[:-1], self.step, dtype=x.dtype))), good_N
        differentiable = x_ND.requires_grad and torch.is_grad_enabled()
        g_NL, G_NLD, good_N = laws.slopes(x_ND, differentiable=differentiable)
        return (x_ND[good_N], G_NLD[good_N], laws.decay.rate(g_NL[good_N]) / laws.scale), good_N

    def _state_loss(self, parameters: Mapping[str, Tensor], query: inner.Query) -> Tensor:
        """The violations of one state's prediction, squared and summed over the laws."""
        laws = self.laws
        out_1D = self._plain(query[0][None], parameters)
        if self.predicts == "next":
            r_L = (laws.values(out_1D)[0] - query[1]) / laws.scale
        else:
            r_L = (query[1] * out_1D[0]).sum(-1) - query[2]
        return r_L.square().sum()

    # --- every sequence has weights of its own (Eq. 2a) -------------------------------------------------------------

    def rollouts(self, plain_KTD: Tensor, times_KT: Tensor, parts_T: Sequence[int], tally: Tally) -> Tensor:
        """Rollouts by weights that are adapted to each sequence's own rollout; plain ones where that diverges.

        Every sequence has a clock of its own as well: whatever its length and its law's, a rate is a share.
        """
        laws = self.laws
        x0_KD, since_KT = plain_KTD[:, 0], times_KT - times_KT[:, :1]
        goal_KTL = laws.decay.after(laws.values(x0_KD)[:, None, :], since_KT)

        def own(parameters: Mapping[str, Tensor], x0_D: Tensor, times_T: Tensor) -> Tensor:
            f = lambda x: self._plain(x, parameters)  # noqa: E731
            return followed(f, x0_D[None], times_T[None], self.predicts, parts_T)[0]

        def loss(parameters: Mapping[str, Tensor], query: inner.Query) -> Tensor:
            x0_D, times_T, goal_TL = query
            states_TD = own(parameters, x0_D, times_T)
            return ((laws.values(states_TD[1:]) - goal_TL[1:]) / laws.scale).square().sum(-1).mean()

        queries = x0_KD, times_KT, goal_KTL
        weights, better_K = inner.tailored(self.model, loss, queries, self.how, None, create_graph=False)
        tally.add(better_K)
        if not bool(better_K.any()):
            return plain_KTD
        fixed = self._fixed(weights, graph=False)
        own_KTD = vmap(lambda mine, x0, times: own({**fixed, **mine}, x0, times), randomness="same")(
            weights, x0_KD[better_K], times_KT[better_K]
        )
        return _among(own_KTD, better_K, lambda: plain_KTD)

    def _fixed(self, weights: inner.Adapted, graph: bool) -> inner.Adapted:
        """The parameters that are not adapted."""
        return {name: (p if graph else p.detach()) for name, p in self.model.named_parameters() if name not in weights}


def _among(own: Tensor, which_N: Tensor, plain: Callable[[], Tensor]) -> Tensor:
    """Predictions of their own for some rows, and plain ones for the others."""
    if bool(which_N.all()):
        return own
    out = plain().clone()
    out[which_N] = own
    return out
