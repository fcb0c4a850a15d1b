"""Tiny Noether Networks: 8 x 8 pixels, a few hundred weights, everything from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from noether_discover.video.embeddings import ConvEmbedding, PooledEmbedding
from noether_discover.video.latent import LatentPredictor
from noether_discover.video.noether_network import Inner, NoetherNetwork, Prediction
from noether_discover.video.rollout import Predictor, StepPredictor
from noether_discover.video.svg import SVG
from noether_discover.video.targets import Target, Weights, target_named

torch.set_num_threads(1)  # sums over several threads differ in their last digits from run to run

GIVEN, HORIZON, SIZE = 2, 3, 8


class Little(nn.Module):
    """Somebody's next-frame network: convolutions and GroupNorm, driven by an action."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4), nn.SiLU(), nn.Conv2d(4, 1, 3, padding=1)
        )

    def forward(self, x: Tensor, a: Tensor) -> Tensor:
        return x + 0.3 * torch.tanh(self.net(x) + a[..., None, None])


def predictor_of(kind: str) -> Predictor:
    """One of each kind; all take one action a frame."""
    if kind == "latent":
        return LatentPredictor(1, SIZE, actions=1, code=3, hidden=4, width=2, skips=True)
    if kind == "svg":
        return SVG(1, SIZE, actions=1, noise=2, code=3, hidden=4, style="dcgan", width=2)
    return StepPredictor(Little(), actions=True)


def embedding_of(kind: str) -> nn.Module:
    """The paper's, or the smooth one; both see two frames."""
    return {"conv": ConvEmbedding, "pooled": PooledEmbedding}[kind](1, SIZE, frames=2, dim=2, width=2)


@dataclass(frozen=True)
class Case:
    """A Noether Network with what it is asked, and what would have been the right answer."""

    network: NoetherNetwork
    frames: Tensor
    actions: Tensor
    noise: Tensor | None
    given: int = GIVEN

    @property
    def context(self) -> Tensor:
        return self.frames[:, : self.given]

    @property
    def truth(self) -> Tensor:
        return self.frames[:, self.given :]

    def __call__(self, clips: slice = slice(None), **options: Any) -> Prediction:
        """The prediction for some of the clips."""
        noise = None if self.noise is None else self.noise[clips]
        horizon = self.truth.shape[1]
        return self.network(self.context[clips], horizon, self.actions[clips], noise=noise, **options)

    def loss(self, **options: Any) -> Tensor:
        """The task loss."""
        return (self(**options).frames - self.truth).square().sum()


@pytest.fixture
def tiny() -> Callable[..., Case]:
    """Makes a case: target and kind of predictor and embedding by name, the fields of Inner, calibrated.

    loud: what the calibrated rates are multiplied by; 1 moves a leaf by a tenth of its size.
    """

    def make(
        target: str | Target = "latents",
        predictor: str | Predictor = "latent",
        embedding: str | nn.Module = "pooled",
        *,
        clips: int = 2,
        joint: bool = False,
        loud: float = 1.0,
        dtype: torch.dtype = torch.float64,
        seed: int = 1,
        **inner: Any,
    ) -> Case:
        random = torch.Generator().manual_seed(seed)

        def drawn(*shape: int, like: Callable[..., Tensor] = torch.randn) -> Tensor:
            return like(shape, generator=random, dtype=torch.float64).to(dtype)

        with torch.random.fork_rng():
            torch.manual_seed(seed)
            roller = predictor_of(predictor) if isinstance(predictor, str) else predictor
            g = embedding_of(embedding) if isinstance(embedding, str) else embedding
        if target == "weights" and predictor == "step":
            target = Weights("net")
        chosen = target_named(target) if isinstance(target, str) else target
        network = NoetherNetwork(roller, g, chosen, Inner(**{"steps": 3, **inner}), trains_predictor=joint).to(dtype)
        frames = drawn(clips, GIVEN + HORIZON, 1, SIZE, SIZE, like=torch.rand)
        actions = drawn(clips, GIVEN + HORIZON, 1)
        noise = drawn(clips, HORIZON, 2) if isinstance(roller, SVG) else None
        network.calibrate(frames[:, :GIVEN], HORIZON, actions)
        with torch.no_grad():
            for rate in network.log_rates.values():
                rate += torch.tensor(loud).log()
        return Case(network, frames, actions, noise)

    return make
