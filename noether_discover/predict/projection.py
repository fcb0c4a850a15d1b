"""Projection: the motion that is nearest to a predictor's and keeps what is conserved.

N samples, D state columns, L laws.

With the laws' gradients G [L, D] and a metric S (what a unit of change of each column counts), the field nearest to f
whose laws change as they should, dg/dt = r, is

    f' = f - strength * S^2 G' (G S^2 G')^-1 (G f - r)

strength 1 enforces the laws, 0 leaves the predictor alone, and in between a share of the violation is taken away. For a
conserved quantity r = 0; for one that decays r = a + b g (`Decay`). It is one linear map of f, has no rate to be tuned,
nothing in it diverges, and several laws are projected onto their common level set. (The paper tailors with gradient
steps instead, Eq. 3; orthogonal projection of a field is Hairer, Lubich, Wanner, Geometric Numerical Integration IV.4.)

An integrator with long steps leaves the level set although its field is tangent to it: an Euler step along a tangent
always gains energy. There the predicted state itself is pulled back (`pulled_back`): Newton steps along S^2 G'.

Where a law says nothing, as it is undefined there or its gradient vanishes, the plain prediction stands, and `Tally`
counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import PredictorError
from .noether_loss import Quantity, gradient, spread
from .predictors import Field, Scales

FLAT = 1e-8
"""A squared gradient (laws in their deviations, columns in the metric) this small is none: the correction fades out."""

INDEPENDENT = 1e-3
"""Singular values of the laws' gradients, over the largest, above which they count as independent."""

SIGNIFICANT = 3.0
"""Standard errors that the dependence of a decay on the level has to exceed to be believed."""

NEWTON_STEPS = 3
"""Of a pull-back: they are quadratic, and a predictor's step is near the level set already."""


@dataclass
class Tally:
    """How many states were asked for, and at how many of them a law could not be enforced."""

    asked: int = 0
    plain: int = 0

    def add(self, enforced_N: Tensor) -> None:
        """Count states by whether the laws were enforced there."""
        self.asked += enforced_N.numel()
        self.plain += int((~enforced_N).sum())


@dataclass(frozen=True)
class Decay:
    """How the level of each law changes: dg/dt = a + b g, with g in its own units; zeros for what is conserved.

    a, b: [L].
    """

    a: Tensor
    b: Tensor

    @staticmethod
    def none(laws: int) -> Decay:
        """Levels that stay."""
        return Decay(torch.zeros(laws, dtype=torch.float64), torch.zeros(laws, dtype=torch.float64))

    def rate(self, g_NL: Tensor) -> Tensor:
        """dg/dt at these levels."""
        return self.a + self.b * g_NL

    def after(self, g_NL: Tensor, time: Tensor) -> Tensor:
        """The levels after a time [...], by the exact solution."""
        turn = self.b * time[..., None]
        return g_NL * turn.exp() + self.a * time[..., None] * _expm1_over(turn)


def _expm1_over(x: Tensor) -> Tensor:
    """(e^x - 1) / x, 1 at 0."""
    safe = torch.where(x.abs() > 1e-12, x, 1.0)
    return torch.where(x.abs() > 1e-12, safe.expm1() / safe, 1.0)


@dataclass(frozen=True)
class LevelSet:
    """Laws to be enforced together.

    quantities: L callables, states [N, D] -> values [N].
    scale: their standard deviations over the data, [L]. metric: what a unit of change of each column counts, [D].
    decay: how their levels change.
    """

    quantities: tuple[Quantity, ...]
    scale: Tensor
    metric: Tensor
    decay: Decay = field(repr=False)

    @staticmethod
    def of(quantities: Sequence[Quantity], scales: Scales, x_ND: Tensor, decay: Decay | None = None) -> LevelSet:
        """Laws with their deviations over the states x, in the metric of the predictor's own loss.

        The network learns dx/dt in units of its deviation: those are the units in which the change is least. Columns
        that never move along a trajectory are not moved either.
        A law that is constant or undefined on the data has a scale that is not finite or zero; see `usable`.
        """
        scale_L = torch.tensor([spread(g, x_ND) for g in quantities], dtype=torch.float64)
        metric_D = torch.where(scales.moving, scales.speed * scales.time, 0.0)
        return LevelSet(tuple(quantities), scale_L, metric_D, decay or Decay.none(len(quantities)))

    @property
    def usable(self) -> bool:
        """Whether every law has finite values that differ over the data."""
        return bool((self.scale.isfinite() & (self.scale > 0)).all())

    def values(self, x_ND: Tensor) -> Tensor:
        """The laws' values [..., L] at states [..., D]."""
        rows_ND = x_ND.reshape(-1, x_ND.shape[-1])
        values = [g(rows_ND).expand(len(rows_ND)) for g in self.quantities]
        return torch.stack(values, dim=-1).reshape(*x_ND.shape[:-1], len(values))

    def slopes(self, x_ND: Tensor, *, differentiable: bool = False) -> tuple[Tensor, Tensor, Tensor]:
        """At states [..., D]: values [..., L], gradients [..., L, D] per deviation of a law, and where they are good.

        Where a law is undefined or flat all of them are zero, so that nothing is enforced there.
        """
        if not differentiable:
            return self._slopes(x_ND, differentiable=False)
        with torch.no_grad():
            _, _, good_N = self._slopes(x_ND.detach(), differentiable=False)
        if not bool(good_N.any()):
            return self._slopes(x_ND.detach(), differentiable=False)
        # the gradient of something undefined would spoil the whole batch's: another state stands in for it
        stand_in_ND = torch.where(good_N[..., None], x_ND, x_ND.detach()[good_N][0])
        g_NL, G_NLD, _ = self._slopes(stand_in_ND, differentiable=True)
        return (
            torch.where(good_N[..., None], g_NL, 0.0),
            torch.where(good_N[..., None, None], G_NLD, 0.0),
            good_N,
        )

    def _slopes(self, x_ND: Tensor, *, differentiable: bool) -> tuple[Tensor, Tensor, Tensor]:
        pairs = [gradient(g, x_ND, differentiable=differentiable) for g in self.quantities]
        g_NL = torch.stack([value for value, _ in pairs], dim=-1)
        G_NLD = torch.stack([slope for _, slope in pairs], dim=-2) / self.scale[:, None]
        good_N = g_NL.isfinite().all(-1) & G_NLD.isfinite().all(-1).all(-1)
        good_N &= ((G_NLD.detach() * self.metric).square().sum(-1) > FLAT).any(-1)
        if not bool(good_N.all()):
            G_NLD = torch.where(good_N[..., None, None], G_NLD, 0.0)
            g_NL = torch.where(good_N[..., None], g_NL, 0.0)
        return g_NL, G_NLD, good_N


def enforceable(laws: LevelSet, x_ND: Tensor) -> None:
    """Whether the laws can be enforced together at the states x.

    Raises PredictorError for one that is undefined somewhere or constant on them, and for as many independent laws as
    there are moving columns: their common level set is a point.
    """
    for number, scale in enumerate(laws.scale.tolist(), start=1):
        if not 0 < scale < math.inf:
            what = "constant on" if scale == 0 else "undefined somewhere on"
            raise PredictorError(f"law {number} of {len(laws.quantities)} is {what} the data; it cannot be enforced")
    moving = int((laws.metric > 0).sum())
    _, G_NLD, good_N = laws.slopes(x_ND)
    if len(laws.quantities) >= moving and bool(good_N.any()):
        singular_NR = torch.linalg.svdvals((G_NLD * laws.metric)[good_N])
        independent = (singular_NR > INDEPENDENT * singular_NR[:, :1]).sum(-1).double().median()
        if int(independent) >= moving:
            raise PredictorError(
                f"{int(independent)} independent laws leave no motion in {moving} columns; enforce fewer of them"
            )


def projected_field(
    f: Field,
    laws: LevelSet,
    strength: float | Tensor = 1.0,
    *,
    differentiable: bool = False,
    tally: Tally | None = None,
) -> Field:
    """The predictor with the laws enforced: states [..., D] -> dx/dt [..., D].

    strength: the share of the violation that is removed. differentiable: keep the graph through the laws' gradients,
    which rollouts that are trained through need. tally: counts the states where the plain prediction stood.
    """

    def enforced(x_ND: Tensor) -> Tensor:
        v_ND = f(x_ND)
        g_NL, G_NLD, good_N = laws.slopes(x_ND, differentiable=differentiable)
        if tally is not None:
            tally.add(good_N)
        wanted_NL = torch.where(good_N[..., None], laws.decay.rate(g_NL) / laws.scale, 0.0)
        violation_NL = (G_NLD * v_ND[..., None, :]).sum(-1) - wanted_NL
        return v_ND - strength * corrections(G_NLD, violation_NL, laws.metric)

    return enforced


def corrections(G_NLD: Tensor, violation_NL: Tensor, metric_D: Tensor) -> Tensor:
    """The least change [..., D], in the metric, that undoes violations [..., L] of laws with gradients [..., L, D].

    Laws whose gradients are parallel somewhere, or vanish, are undone as far as one can. A column whose metric is zero
    is left alone.
    """
    S_NLD = G_NLD * metric_D
    if S_NLD.shape[-2] == 1:
        S_ND = S_NLD[..., 0, :]
        return metric_D * S_ND * violation_NL / (S_ND.square().sum(-1, keepdim=True) + FLAT)
    gram_NLL = S_NLD @ S_NLD.mT + FLAT * torch.eye(S_NLD.shape[-2], dtype=S_NLD.dtype)
    share_NL = torch.linalg.solve(gram_NLL, violation_NL[..., None])[..., 0]
    return metric_D * (S_NLD * share_NL[..., None]).sum(-2)


def pulled_back(
    laws: LevelSet,
    x_ND: Tensor,
    target_NL: Tensor,
    strength: float | Tensor = 1.0,
    *,
    differentiable: bool = False,
    tally: Tally | None = None,
) -> Tensor:
    """States moved to where the laws have the target's values, or a share of the way: `strength`.

    Where Newton's steps do not come nearer, the states stay as they were.
    """
    with torch.set_grad_enabled(differentiable and torch.is_grad_enabled()):
        start_NL, _, enforced_N = laws.slopes(x_ND, differentiable=differentiable)
        goal_NL = start_NL + strength * (target_NL - start_NL)
        enforced_N = enforced_N & goal_NL.detach().isfinite().all(-1)
        goal_NL = torch.where(enforced_N[..., None], goal_NL, 0.0)
        x = x_ND
        for _ in range(NEWTON_STEPS):
            g_NL, G_NLD, good_N = laws.slopes(x, differentiable=differentiable)
            enforced_N = enforced_N & good_N
            missing_NL = torch.where(enforced_N[..., None], (g_NL - goal_NL) / laws.scale, 0.0)
            x = x - corrections(G_NLD, missing_NL, laws.metric)
        with torch.no_grad():
            before_N = ((start_NL - goal_NL) / laws.scale).abs().amax(-1)
            after_N = ((laws.values(x) - goal_NL) / laws.scale).abs().amax(-1)
            enforced_N = enforced_N & (after_N <= before_N)
        if tally is not None:
            tally.add(enforced_N)
        return torch.where(enforced_N[..., None], x, x_ND)


@dataclass(frozen=True)
class Projector:
    """Projection at fixed states as an affine map of the network's standardised output, out' = out - strength * (P out
    - c): what a training step through the projection costs is a small product per sample.

    matrix: [N, D, D]. offset: [N, D].
    """

    matrix: Tensor
    offset: Tensor

    @staticmethod
    def at(laws: LevelSet, scales: Scales, x_ND: Tensor) -> Projector:
        """The projector at these states, in float64."""
        g_NL, G_NLD, good_N = laws.slopes(x_ND)
        # a unit of one output violates the laws by a column of G, times that output's speed
        along_NLD = G_NLD * scales.speed
        columns = [corrections(G_NLD, along_NL, laws.metric) / scales.speed for along_NL in along_NLD.unbind(-1)]
        wanted_NL = torch.where(good_N[..., None], laws.decay.rate(g_NL) / laws.scale, 0.0)
        offset_ND = corrections(G_NLD, wanted_NL - G_NLD @ scales.drift, laws.metric) / scales.speed
        return Projector(torch.stack(columns, dim=-1), offset_ND)

    def to(self, dtype: torch.dtype) -> Projector:
        """The same in another precision."""
        return Projector(self.matrix.to(dtype), self.offset.to(dtype))

    def __call__(self, out_ND: Tensor, strength: float) -> Tensor:
        """Standardised outputs [N, D], projected."""
        along_ND = (self.matrix @ out_ND[..., None])[..., 0]
        return out_ND - strength * (along_ND - self.offset)


def decay_of(
    quantities: Sequence[Quantity], states: Sequence[Tensor], times: Sequence[Tensor], windows: int = 8
) -> Decay:
    """How the levels of approximately conserved quantities change along trajectories: dg/dt = a + b g by least squares.

    states, times: of each trajectory, [T, D] and [T]. Levels and slopes are those of straight lines through windows, at
    least `windows` of them in all, so that what a quantity does within a period counts little. A b that could be the
    scatter of those slopes is taken for zero: it would drive long rollouts away.
    """
    pieces = max(1, -(-windows // len(states)))
    a, b = [], []
    for quantity in quantities:
        levels, slopes, weights = [], [], []
        for x_TD, t_T in zip(states, times, strict=True):
            with torch.no_grad():
                g_T = quantity(x_TD).expand(len(x_TD))
            for g, t in zip(g_T.tensor_split(pieces), t_T.tensor_split(pieces), strict=True):
                use = g.isfinite()
                if use.sum() < 3:
                    continue
                g, t = g[use], t[use]
                away = t - t.mean()
                levels.append(g.mean())
                slopes.append((away * g).sum() / away.square().sum())
                weights.append(away.square().sum())
        if not levels:
            a.append(torch.zeros((), dtype=torch.float64))
            b.append(torch.zeros((), dtype=torch.float64))
            continue
        level, slope, weight = torch.stack(levels), torch.stack(slopes), torch.stack(weights)
        middle, mean = ((weight * one).sum() / weight.sum() for one in (level, slope))
        from_middle = level - middle
        square = (weight * from_middle.square()).sum()
        steep = (weight * from_middle * slope).sum() / square if square > 0 else torch.zeros_like(middle)
        left = (weight * (slope - mean - steep * from_middle).square()).sum() / max(len(level) - 2, 1)
        if len(level) < 3 or not steep.square() * square > SIGNIFICANT**2 * left:
            steep = torch.zeros_like(middle)
        a.append(mean - steep * middle)
        b.append(steep)
    return Decay(torch.stack(a), torch.stack(b))
