"""Claim (the oracle of the video mode): where a predictor loses a quantity that we can write down, inner steps on that
quantity give it back. The drift of the brightness falls by at least 90 %, and the error at horizon 10 and later by at
least 30 %, in under 30 s a seed with the training of the predictor.

    python benchmarks/video_oracle.py        two minutes on one core

The world is a ball that bounces between four walls at constant brightness. The predictor is the library's own small one
with one more latent, the logarithm of a gain, that falls by 3 % with every predicted frame: planted, as the error of a
learned dynamics would be. It is trained without the leak on four clips and then predicts the same four, so that what
it gets wrong is the leak and little else ("without a leak": the error that is left then). The quantity is the mean of
all pixels; nothing about the gain is told to the inner steps, which move all latents alike.

The last two rows are what the claim does not say: where the leak is not among the leaves, other leaves can be moved
until the brightness is conserved, and the frames may be worse for it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from noether_discover.video.batches import Batches, Windows
from noether_discover.video.conservation import Form, embedded
from noether_discover.video.embeddings import QuantityEmbedding, brightness
from noether_discover.video.latent import LatentPredictor
from noether_discover.video.metrics import flags
from noether_discover.video.noether_network import Inner, NoetherNetwork
from noether_discover.video.rollout import Rollout, State
from noether_discover.video.targets import Latents, Normalisation, Target, Weights
from noether_discover.video.training import Schedule, base_training
from noether_discover.video.worlds import ball

SEEDS = range(5)
GIVEN, HORIZON, LATE = 2, 20, 10
CLIPS, SIZE, TRAINING = 4, 16, 150
KEPT = 0.97
"""Brightness of a predicted frame over that of the frame before it."""


@dataclass(frozen=True)
class Way:
    """An inner optimisation. calibrated: for so many steps that together move a leaf by a tenth of its size."""

    name: str
    target: Target
    form: Form
    optimiser: Literal["sgd", "adam"]
    steps: int
    calibrated: int = 5


WAYS = (
    Way("latents, 2(a), SGD, 50 steps", Latents(), "first", "sgd", 50),
    Way("latents, 2(a), Adam, 200 steps", Latents(), "first", "adam", 200),
    Way("latents, 2(b), Adam, 200 steps", Latents(), "prev", "adam", 200),
)
ELSEWHERE = (
    Way("normalisation, 2(a), Adam, 200 steps", Normalisation(), "first", "adam", 200),
    Way("decoder's weights, 2(a), Adam, 200 steps", Weights("decoder"), "first", "adam", 200),
)


class Leaking(nn.Module):
    """A predictor with one more latent, by whose exponential its frames are multiplied; it falls with every frame."""

    def __init__(self, predictor: LatentPredictor, kept: float) -> None:
        super().__init__()
        self.predictor = predictor
        self.kept = kept

    def rollout(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        noise: Tensor | None = None,
        state: State | None = None,
    ) -> Rollout:
        """See rollout.Predictor."""
        rolled = self.predictor.rollout(context, horizon, actions, noise=noise, state=state)
        assert rolled.latents is not None
        fallen = math.log(self.kept) * torch.arange(1, horizon + 1, dtype=context.dtype, device=context.device)
        latents = torch.cat([rolled.latents, fallen.expand(len(context), -1)[..., None]], -1)
        return Rollout(self.decode(latents, rolled), latents, rolled.state)

    def decode(self, latents: Tensor, rollout: Rollout) -> Tensor:
        """Frames [B, T, C, H, W] of latents [B, T, L + 1]."""
        return self.predictor.decode(latents[..., :-1], rollout) * latents[..., -1:, None, None].exp()


def trained(seed: int) -> tuple[LatentPredictor, Tensor]:
    """A predictor that knows its clips, and their frames [B, K + T, 1, H, W]."""
    clips = ball(episodes=CLIPS, frames=GIVEN + HORIZON, size=SIZE, seed=seed, grey=True)
    batches = Batches(Windows(clips, GIVEN + HORIZON), CLIPS, shuffled=False)
    torch.manual_seed(seed)
    predictor = LatentPredictor(1, SIZE, code=16, hidden=64, layers=1, width=8)
    predictor.pixels.learn(torch.from_numpy(clips.mean_frame()), clips.spread())
    base_training(
        predictor, batches, GIVEN, Schedule(steps=TRAINING, batch=CLIPS, rate=5e-3, warmup=10), seed=seed
    ).run()
    return predictor, next(batches.epoch(0)).frames


def measured(predictor: LatentPredictor, frames: Tensor, way: Way) -> dict[str, float]:
    """Drift of the brightness and late error of the leaking predictor, and of the same with inner steps.

    motion, sharpness: over those of the predictor without the leak.
    """
    network = NoetherNetwork(
        Leaking(predictor, KEPT),
        QuantityEmbedding(brightness),
        way.target,
        Inner(steps=way.calibrated, form=way.form, optimiser=way.optimiser),
    ).eval()
    context, truth = frames[:, :GIVEN], frames[:, GIVEN:]
    network.calibrate(context, HORIZON)
    began = time.process_time()
    with torch.no_grad():
        prediction = network(context, HORIZON, steps=way.steps)
        seconds = time.process_time() - began
        sound = predictor.rollout(context, HORIZON).frames
        flag = flags(prediction.frames, sound)

        def drift(shown: Tensor) -> float:
            g = embedded(network.embedding, context, shown)
            return float((g - g[:, :1]).square().mean().sqrt())

        def late(shown: Tensor) -> float:
            return float((shown - truth)[:, LATE - 1 :].square().mean())

        return {
            "drift_before": drift(prediction.base_frames),
            "drift_after": drift(prediction.frames),
            "error_before": late(prediction.base_frames),
            "error_after": late(prediction.frames),
            "error_without_leak": late(sound),
            "fell_back": float(prediction.fell_back.sum()),
            "motion": flag.motion,
            "sharpness": flag.sharpness,
            "seconds": seconds,
        }


def fallen(row: dict[str, float], what: str) -> float:
    """The share of the drift or the error that the inner steps took away."""
    return 1 - row[f"{what}_after"] / row[f"{what}_before"]


def main() -> None:
    """Measure, print, record."""
    import record
    import tables

    torch.set_num_threads(1)
    runs: list[dict[str, Any]] = []
    for seed in SEEDS:
        began = time.process_time()
        predictor, frames = trained(seed)
        training = time.process_time() - began
        rows = {way.name: measured(predictor, frames, way) for way in (*WAYS, *ELSEWHERE)}
        runs.append({"seed": seed, "training_seconds": training, "ways": rows})
        print(seed, {name: [round(fallen(row, what), 3) for what in ("drift", "error")] for name, row in rows.items()})

    def spanned(way: Way, of: Callable[[dict[str, float]], float], digits: str) -> str:
        values = [of(run["ways"][way.name]) for run in runs]
        return f"{format(min(values), digits)} to {format(max(values), digits)}"

    header = ["inner steps", "drift falls by", "error falls by", "error before", "after", "without a leak", "seconds"]
    lines = [
        [
            way.name,
            spanned(way, lambda row: fallen(row, "drift"), ".1%"),
            spanned(way, lambda row: fallen(row, "error"), ".1%"),
            spanned(way, lambda row: row["error_before"], ".1e"),
            spanned(way, lambda row: row["error_after"], ".1e"),
            spanned(way, lambda row: row["error_without_leak"], ".1e"),
            spanned(way, lambda row: row["seconds"], ".1f"),
        ]
        for way in (*WAYS, *ELSEWHERE)
    ]
    longest = max(run["training_seconds"] + sum(row["seconds"] for row in run["ways"].values()) for run in runs)
    said = (
        f"Smallest to largest over {len(SEEDS)} seeds of {CLIPS} clips. Error: mean squared, of the predicted frames "
        f"{LATE} to {HORIZON}. A seed took at most {longest:.1f} CPU seconds, training and all rows.\n"
    )
    record.keep(
        "video_oracle",
        {"kept": KEPT, "horizon": HORIZON, "training_steps": TRAINING, "runs": runs},
        f"{tables.markdown(header, lines)}\n{said}",
    )


if __name__ == "__main__":
    main()
