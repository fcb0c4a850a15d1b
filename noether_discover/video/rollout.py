"""What a video predictor is: given frames in, frames that have not been seen out.

B clips, K given frames, T predicted frames, C channels, H height, W width, L latent size, A actions, Z noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from ..errors import PredictorError

State = Mapping[str, Tensor]
"""Recurrent state after the last given frame was taken in, name -> [B, ...]; the first latent is read off it."""


@dataclass(frozen=True)
class Rollout:
    """Predicted frames, and all that is needed to predict them again from something slightly different.

    frames [B, T, C, H, W]. latents [B, T, L]: what `decode` makes the frames of, or none. state: see State; empty for
    a predictor without. noise [B, T, Z]: what a stochastic predictor drew, or none. skips: features of the last given
    frame that its decoder uses.
    """

    frames: Tensor
    latents: Tensor | None = None
    state: State = field(default_factory=dict)
    noise: Tensor | None = None
    skips: tuple[Tensor, ...] = ()


class Predictor(Protocol):
    """Any module with a rollout. `decode(latents, rollout) -> frames` is optional and enables the latent target.

    context [B, K, C, H, W]; actions [B, at least K + T - 1, A] from the first given frame on, the one at t acting
    between the frames t and t + 1; noise: draw no other; state: roll on from it instead of the given frames.
    A norm layer inside may see time folded into the batch, as long as the clips come first: row b * T + t.
    """

    def rollout(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        noise: Tensor | None = None,
        state: State | None = None,
    ) -> Rollout: ...


class StepPredictor(nn.Module):
    """Any next-frame module f(x_t) or f(x_t, a_t) -> x_{t+1}, applied to its own predictions.

    given: how many of the last frames f sees, stacked along the channels, oldest first. Frames may be anything of
    shape [B, C, ...], a vector of states included.
    """

    def __init__(self, step: nn.Module | Callable[..., Tensor], *, given: int = 1, actions: bool = False) -> None:
        super().__init__()
        self.step = step
        self.given = given
        self.actions = actions

    def rollout(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        noise: Tensor | None = None,
        state: State | None = None,
    ) -> Rollout:
        """Raises PredictorError for too few given frames, missing actions, or a frame of another shape."""
        if context.shape[1] < self.given:
            raise PredictorError(f"the module sees {self.given} frames, but only {context.shape[1]} are given")
        chosen = wanted_actions(actions, context.shape[1], horizon, 1 if self.actions else 0)
        last = list(context[:, -self.given :].unbind(1))
        frames = []
        for t in range(horizon):
            seen = torch.cat(last, 1) if self.given > 1 else last[0]
            frame = self.step(seen) if chosen is None else self.step(seen, chosen[:, context.shape[1] - 1 + t])
            if frame.shape != last[0].shape:
                raise PredictorError(
                    f"the module turns frames {list(last[0].shape)} into {list(frame.shape)}; the same shape is needed"
                )
            frames.append(frame)
            last = [*last[1:], frame]
        return Rollout(torch.stack(frames, 1))


def wanted_actions(actions: Tensor | None, given: int, horizon: int, size: int) -> Tensor | None:
    """Actions for a predictor that takes so many a frame (0: none); those of a predictor without are dropped.

    Raises PredictorError where actions are missing or do not reach the end.
    """
    if size == 0:
        return None
    if actions is None:
        raise PredictorError("the predictor takes actions, but the clips have none; give an actions file beside them")
    if actions.shape[1] < given + horizon - 1:
        raise PredictorError(
            f"{given} given and {horizon} predicted frames need {given + horizon - 1} actions; "
            f"there are {actions.shape[1]}"
        )
    return actions
