"""SVG-LP, stochastic video generation with a learned prior (Denton and Fergus 2018), and its deterministic variant.

B clips, K given frames, T predicted frames, C channels, H height, W width, L code size, Z noise, A actions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .networks import Cells, Decoder, Encoder, Frames, per_frame
from .rollout import Rollout, State, wanted_actions


class Gaussian(nn.Module):
    """A recurrent layer that puts out mean and log variance of z: the prior, or the posterior."""

    def __init__(self, code: int, hidden: int, noise: int) -> None:
        super().__init__()
        self.enter = nn.Linear(code, hidden)
        self.cells = Cells(hidden, hidden, 1)
        self.mean = nn.Linear(hidden, noise)
        self.log_variance = nn.Linear(hidden, noise)

    def forward(self, code: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        state = self.cells(self.enter(code), state)
        out = state[0][:, -1]
        return self.mean(out), self.log_variance(out), state


class SVG(nn.Module):
    """The paper's video predictor: each predicted frame is encoded again, the decoder sees the last given frame.

    noise: size of z; 0 is the deterministic variant for controls, without prior and posterior. actions: size of the
    action that is concatenated to the frame's code. The latents are the LSTM's outputs, from which the decoder draws.
    """

    def __init__(
        self,
        channels: int,
        size: int,
        actions: int = 0,
        noise: int = 10,
        code: int = 128,
        hidden: int = 256,
        layers: int = 2,
        style: str = "dcgan",
        width: int | None = None,
    ) -> None:
        super().__init__()
        self.actions = actions
        self.noise = noise
        self.encoder = Encoder(channels, size, code, style, width)
        self.enter = nn.Linear(code + actions + noise, hidden)
        self.cells = Cells(hidden, hidden, layers)
        self.latent = nn.Linear(hidden, code)
        self.decoder = Decoder(channels, size, code, style, width, skips=True)
        self.prior = Gaussian(code, hidden, noise) if noise else None
        self.posterior = Gaussian(code, hidden, noise) if noise else None
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
        """See rollout.Predictor; noise [B, T, Z] is standard normal, and drawn when it is not given.

        Within the given frames z is the posterior's mean; after them it comes from the prior.
        """
        given = context.shape[1]
        actions = wanted_actions(actions, given, horizon, self.actions)
        if self.noise and noise is None:
            noise = torch.randn(len(context), horizon, self.noise, device=context.device, dtype=context.dtype)
        if state is None:
            codes, features = self._seen(context.flatten(0, 1))
            codes = codes.unflatten(0, (-1, given))
            skips = tuple(one.unflatten(0, (-1, given))[:, -1] for one in features)
            now = self._begun(context)
            for t in range(given - 1):
                now, _ = self._taken_in(codes[:, t], now, actions, t, following=codes[:, t + 1])
            now, latent = self._taken_in(codes[:, -1], now, actions, given - 1, drawn=_at(noise, 0))
        else:
            skips = self._seen(context[:, -1])[1]
            now = dict(state)
            latent = self._latent(now)
        after = dict(now)
        latents, frames = [latent], [self._drawn(latent[:, None], skips)]
        for t in range(1, horizon):
            code, _ = self._seen(frames[-1][:, 0])
            now, latent = self._taken_in(code, now, actions, given - 1 + t, drawn=_at(noise, t))
            latents.append(latent)
            frames.append(self._drawn(latent[:, None], skips))
        return Rollout(torch.cat(frames, 1), torch.stack(latents, 1), after, noise, skips)

    def decode(self, latents: Tensor, rollout: Rollout) -> Tensor:
        """Frames [B, T, C, H, W] of latents [B, T, L]."""
        return self._drawn(latents, rollout.skips)

    def taught(
        self,
        frames: Tensor,
        given: int,
        actions: Tensor | None,
        generator: torch.Generator | None = None,
        beta: float = 1e-4,
    ) -> Tensor:
        """The training loss: every frame predicted from the true one before it, plus beta times the divergence of the
        posterior, which has seen the frame, from the prior, which has not; means over the frames (Denton and Fergus
        2018, Eq. 1).

        frames [B, K + T, C, H, W]. The skips come from the frame before, and from the last given one after it.
        """
        steps = frames.shape[1] - 1
        actions = wanted_actions(actions, given, frames.shape[1] - given, self.actions)
        codes, features = self._seen(frames.flatten(0, 1))
        codes = codes.unflatten(0, (-1, steps + 1))
        maps = [one.unflatten(0, (-1, steps + 1)) for one in features]
        now = self._begun(frames)
        latents, divergence = [], frames.new_zeros(())
        for t in range(steps):
            z = None
            if self.prior is not None and self.posterior is not None:
                mean_p, log_p, prior = self.prior(codes[:, t], (now["prior.h"], now["prior.c"]))
                mean_q, log_q, posterior = self.posterior(codes[:, t + 1], (now["posterior.h"], now["posterior.c"]))
                now |= _named("prior", prior) | _named("posterior", posterior)
                drawn = torch.randn(mean_q.shape, generator=generator, dtype=mean_q.dtype).to(mean_q.device)
                z = mean_q + drawn * (log_q / 2).exp()
                apart = ((mean_q - mean_p).square() + log_q.exp()) / log_p.exp()
                divergence = divergence + 0.5 * (log_p - log_q + apart - 1).sum(-1).mean()
            hidden = self._moved(codes[:, t], z, actions, t, (now["h"], now["c"]))
            now |= {"h": hidden[0], "c": hidden[1]}
            latents.append(self.latent(hidden[0][:, -1]))
        latents_BTL = torch.stack(latents, 1)
        seen = [min(t, given - 1) for t in range(steps)]
        skips = tuple(one[:, seen].flatten(0, 1) for one in maps)
        rows = self.decoder(torch.tanh(latents_BTL.flatten(0, 1)), skips)
        error = (self.pixels.drawn(rows.unflatten(0, (-1, steps))) - frames[:, 1:]).square().mean()
        return error + beta * divergence / steps

    def _begun(self, like: Tensor) -> dict[str, Tensor]:
        rows = like[:, 0].flatten(1)
        now = _named("", self.cells.begin(rows))
        if self.prior is not None and self.posterior is not None:
            now |= _named("prior", self.prior.cells.begin(rows)) | _named("posterior", self.posterior.cells.begin(rows))
        return now

    def _taken_in(
        self,
        code: Tensor,
        now: dict[str, Tensor],
        actions: Tensor | None,
        t: int,
        *,
        following: Tensor | None = None,
        drawn: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """One frame taken in; z is the posterior's mean where the following frame is given, else the prior's draw."""
        z = None
        now = dict(now)
        if self.prior is not None and self.posterior is not None:
            mean, log_variance, prior = self.prior(code, (now["prior.h"], now["prior.c"]))
            now |= _named("prior", prior)
            if following is not None:
                z, _, posterior = self.posterior(following, (now["posterior.h"], now["posterior.c"]))
                now |= _named("posterior", posterior)
            else:
                assert drawn is not None
                z = mean + drawn * (log_variance / 2).exp()
        hidden = self._moved(code, z, actions, t, (now["h"], now["c"]))
        now |= _named("", hidden)
        return now, self._latent(now)

    def _latent(self, now: State) -> Tensor:
        return self.latent(now["h"][:, -1])

    def _moved(
        self, code: Tensor, z: Tensor | None, actions: Tensor | None, t: int, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        parts = [code] + ([] if actions is None else [actions[:, t]]) + ([] if z is None else [z])
        return self.cells(self.enter(torch.cat(parts, -1)), state)

    def _drawn(self, latents: Tensor, skips: tuple[Tensor, ...]) -> Tensor:
        return self.pixels.drawn(per_frame(lambda z, *features: self.decoder(torch.tanh(z), features), latents, *skips))

    def _seen(self, frames: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.encoder(self.pixels.centred(frames))


def _named(prefix: str, state: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    dot = f"{prefix}." if prefix else ""
    return {f"{dot}h": state[0], f"{dot}c": state[1]}


def _at(noise: Tensor | None, t: int) -> Tensor | None:
    return None if noise is None else noise[:, t]
