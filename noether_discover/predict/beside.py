"""A law-structured head, and further laws beside the one that it keeps whatever it does.

N samples, D state columns, L laws.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .predictors import Field
from .projection import LevelSet, Tally, corrections


def beside_head(f: Field, laws: LevelSet, *, differentiable: bool = False, tally: Tally | None = None) -> Field:
    """The motion nearest to a head's in which the first law changes as it does there, and the others as they should.

    Projected onto the others alone it would leave the first one's level: their gradients are not at right angles. (An
    approximate first law changes by the head's own friction, not by a decay that was fitted elsewhere.)
    tally: counts the states at which that could not be done: the head's motion stands there, which is no number where
    its own law is undefined.
    """
    alone = len(laws.quantities) == 1

    def enforced(x_ND: Tensor) -> Tensor:
        v_ND = f(x_ND)
        good_N = v_ND.detach().isfinite().all(-1)
        if not alone:
            g_NL, G_NLD, clear_N = laws.slopes(x_ND, differentiable=differentiable)
            good_N = good_N & clear_N
            wanted_NL = torch.where(clear_N[..., None], laws.decay.rate(g_NL) / laws.scale, 0.0)
            violation_NL = (G_NLD * v_ND[..., None, :]).sum(-1) - wanted_NL
            others_NL = torch.cat([torch.zeros_like(violation_NL[..., :1]), violation_NL[..., 1:]], dim=-1)
            v_ND = v_ND - corrections(G_NLD, others_NL, laws.metric)
        if tally is not None:
            tally.add(good_N)
        return v_ND

    return enforced
