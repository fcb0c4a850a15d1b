"""The small predictor: it rolls on in its latent space and draws all frames at the end.

B clips, K given frames, T predicted frames, C channels, H height, W width, L latent size, A actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .networks import Cells, Decoder, Encoder, Frames, per_frame
from .rollout import Rollout, State, wanted_actions


class LatentPredictor(nn.Module):
    """Encoder, two recurrent layers, decoder; predicted frames are never encoded again.

    The given frames are encoded; from the last one on, what the LSTM puts out is its own next input. The decoder draws
    all T frames in one batch. It runs freely from the first training step on. Encoder and decoder see frames as
    differences from the mean training frame, in units of their spread (networks.Frames): without that a thin pole is
    lost in the layer normalisation, and nothing is learned in 1,000 steps.

    skips: the decoder also sees the features of the last given frame.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        actions: int = 0,
        code: int = 64,
        hidden: int = 128,
        layers: int = 2,
        width: int = 16,
        style: str = "small",
        skips: bool = False,
    ) -> None:
        super().__init__()
        self.actions = actions
        self.skips = skips
        self.encoder = Encoder(channels, size, code, style, width)
        self.cells = Cells(code + actions, hidden, layers)
        self.latent = nn.Linear(hidden, code)
        self.decoder = Decoder(channels, size, code, style, width, skips)
        self.pixels = Frames(channels, size)

    def rollout(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        noise: Tensor | None = None,
        state: State | None = None,
    ) -> Rollout:
        """See rollout.Predictor. Raises PredictorError when actions are missing."""
        given = context.shape[1]
        actions = wanted_actions(actions, given, horizon, self.actions)

        def fed(code: Tensor, t: int) -> Tensor:
            return code if actions is None else torch.cat([code, actions[:, t]], -1)

        skips: tuple[Tensor, ...] = ()
        if state is None:
            codes, features = self._seen(context.flatten(0, 1))
            codes = codes.unflatten(0, (-1, given))
            if self.skips:
                skips = tuple(one.unflatten(0, (-1, given))[:, -1] for one in features)
            hidden = self.cells.begin(codes[:, 0])
            for t in range(given):
                hidden = self.cells(fed(codes[:, t], t), hidden)
        else:
            hidden = state["h"], state["c"]
            if self.skips:
                skips = self._seen(context[:, -1])[1]
        after = {"h": hidden[0], "c": hidden[1]}
        latents = [self.latent(hidden[0][:, -1])]
        for t in range(given, given + horizon - 1):
            hidden = self.cells(fed(latents[-1], t), hidden)
            latents.append(self.latent(hidden[0][:, -1]))
        latents_BTL = torch.stack(latents, 1)
        return Rollout(self._drawn(latents_BTL, skips), latents_BTL, after, None, skips)

    def decode(self, latents: Tensor, rollout: Rollout) -> Tensor:
        """Frames [B, T, C, H, W] of latents [B, T, L]."""
        return self._drawn(latents, rollout.skips)

    def _seen(self, frames: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.encoder(self.pixels.centred(frames))

    def _drawn(self, latents: Tensor, skips: tuple[Tensor, ...]) -> Tensor:
        rows = per_frame(lambda z, *features: self.decoder(z, features), latents, *skips)
        return self.pixels.drawn(rows)

    def seen_again(self, frames: Tensor) -> Tensor:
        """Frames [B, T, C, H, W] encoded and decoded, each by itself: what the codes can hold.

        Its error is a second training loss that teaches encoder and decoder before the recurrence has learned to move.
        A decoder with skips would copy, so it has none of it: the frames come back unchanged.
        """
        if self.skips:
            return frames
        codes, _ = self._seen(frames.flatten(0, 1))
        return self._drawn(codes.unflatten(0, frames.shape[:2]), ())
