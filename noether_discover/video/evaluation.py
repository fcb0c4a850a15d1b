"""What the arms predict on clips that nobody was trained on, by step of the horizon, and whether it may be believed.

N windows, T predicted frames, B windows of a batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .batches import Batch, Batches, Windows
from .metrics import BLURRED, FROZEN, Perceptual, by_horizon, flags
from .noether_network import NoetherNetwork
from .statistics import Ratio, paired_ratio, thirds

Array = np.ndarray

METRICS = ("mse", "psnr", "ssim")


@dataclass(frozen=True)
class Scores:
    """One arm on all test windows.

    values: metric -> [N, T] ("mse", "psnr", "ssim", and "lpips" where weights were given). clips [N]: the clip of each
    window. seconds: CPU time for all. Of an arm with inner steps also the shares of windows that fell back, that kept
    the base prediction and that did not move, the size of the update, the Noether loss before and after, motion and
    sharpness over those of its own base prediction; else none.
    """

    values: Mapping[str, Array]
    clips: Array
    seconds: float
    inner: Mapping[str, float] | None = None


def scores_of(
    predictor: nn.Module | None,
    windows: Windows,
    given: int,
    *,
    batch: int = 32,
    steps: int | None = None,
    reference: str | Tensor | None = None,
    lpips: Perceptual | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> Scores:
    """An arm's errors. predictor: a predictor or a Noether Network; none: the reference, "copy" (the last given frame
    again and again) or a frame [C, H, W] (the mean training frame).

    steps: inner steps other than the network's own. seed: of what a stochastic predictor draws, the same for all arms.
    """
    found: list[dict[str, Tensor]] = []
    inner: list[dict[str, Tensor]] = []
    was_training = predictor.training if predictor is not None else False
    if predictor is not None:
        predictor.eval()
    began = time.process_time()
    with torch.no_grad():
        for number, one in enumerate(Batches(windows, batch, shuffled=False).epoch(0)):
            moved = one.to(device)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed * 1_000_003 + number)
                frames, facts = _predicted(predictor, moved, given, steps, reference)
            truth = moved.frames[:, given:]
            found.append({name: value.cpu() for name, value in by_horizon(frames, truth, lpips).items()})
            if facts is not None:
                inner.append(facts)
    if predictor is not None and was_training:
        predictor.train()
    values = {name: torch.cat([part[name] for part in found]).double().numpy() for name in found[0]}
    told = (
        {name: float(torch.cat([part[name] for part in inner]).double().mean()) for name in inner[0]} if inner else None
    )
    return Scores(values, windows.clip.copy(), time.process_time() - began, told or None)


def _predicted(
    predictor: nn.Module | None, batch: Batch, given: int, steps: int | None, reference: str | Tensor | None
) -> tuple[Tensor, dict[str, Tensor] | None]:
    context, horizon = batch.frames[:, :given], batch.frames.shape[1] - given
    if predictor is None:
        frame = context[:, -1:] if reference is None or isinstance(reference, str) else reference[None, None]
        return frame.expand(len(context), horizon, *context.shape[2:]), None
    if not isinstance(predictor, NoetherNetwork):
        return predictor.rollout(context, horizon, batch.actions).frames, None  # type: ignore[operator]
    made = predictor(context, horizon, batch.actions, steps=steps)
    flag = flags(made.frames, made.base_frames) if horizon > 1 else None
    return made.frames, {
        "fell_back": made.fell_back.float(),
        "kept_base": made.kept_base.float(),
        "still": (made.frames == made.base_frames).flatten(1).all(1).float(),
        "moved": made.moved.nan_to_num(posinf=math.inf).clamp(max=1e6),
        "loss_before": made.inner_losses[0].nan_to_num().clamp(max=1e12),
        "loss_after": made.inner_losses[-1].nan_to_num().clamp(max=1e12),
        "motion": torch.as_tensor(1.0 if flag is None else flag.motion).reshape(1),
        "sharpness": torch.as_tensor(1.0 if flag is None else flag.sharpness).reshape(1),
    }


def error_of(scores: Scores, metric: str) -> Array:
    """A metric as an error that is 0 for a perfect prediction, [N, T]: mse, lpips, and 1 - ssim."""
    return 1 - scores.values["ssim"] if metric == "ssim" else scores.values[metric]


def compared(
    one: Scores, other: Scores, metrics: Sequence[str] = ("mse", "ssim"), draws: int = 10_000
) -> dict[str, dict[str, Ratio]]:
    """Error of one arm over the other's: metric -> "all", "early", "middle", "late" -> ratio with its interval.

    Clips are drawn anew, not windows. For SSIM the error is 1 - SSIM. Under 1, the first arm is better.
    """
    horizon = one.values["mse"].shape[1]
    spans = {"all": slice(None), **(thirds(horizon) if horizon >= 3 else {})}
    return {
        metric: {
            span: paired_ratio(
                error_of(one, metric)[:, where].mean(1), error_of(other, metric)[:, where].mean(1), one.clips, draws
            )
            for span, where in spans.items()
        }
        for metric in metrics
    }


@dataclass(frozen=True)
class Gate:
    """One condition for believing a comparison: what it says, what was measured, and whether it holds."""

    says: str
    measured: float
    holds: bool


def gates(
    scores: Mapping[str, Scores],
    mean: Scores,
    copy: Scores,
    *,
    train_base: Scores | None = None,
    joint: bool = False,
) -> dict[str, Gate]:
    """The validity gates of a comparison with a base, a Noether arm and references (mean training frame, copy-last).

    joint: the predictor was trained with the embedding; what a random embedding does is then measured against the base
    with more steps, where there is one.

    A gate that does not hold is a result, printed beside the figures; nothing is left out because of it.
    """

    def over(one: Scores, other: Scores) -> float:
        return float(one.values["mse"].mean() / other.values["mse"].mean())

    base = scores["base"]
    found = {
        "base_beats_mean": _gate("base error at most half the mean frame's", over(base, mean), most=0.5),
        "base_beats_copy": _gate("base error under that of the last given frame", over(base, copy), most=1.0),
    }
    noether = scores.get("noether")
    if noether is not None and noether.inner is not None:
        inner = noether.inner
        found |= {
            "not_trivial": _gate("windows that the inner steps left as they were", inner["still"], most=0.5),
            "no_fallback": _gate("windows that fell back to the base prediction", inner["fell_back"], most=0.01),
            "not_frozen": _gate("motion over the base prediction's", inner["motion"], least=FROZEN),
            "not_blurred": _gate("sharpness over the base prediction's", inner["sharpness"], least=BLURRED),
        }
    if "random" in scores:
        control = scores.get("more_steps", base) if joint else base
        change = abs(over(scores["random"], control) - 1)
        found["random_does_nothing"] = _gate("change of the error by a random embedding", change, most=0.01)
    if train_base is not None:
        found["same_at_training"] = _gate("base error at test over that at training", over(base, train_base), most=2.0)
    return found


def _gate(says: str, measured: float, *, most: float = math.inf, least: float = -math.inf) -> Gate:
    bound = f"(at most {most:g})" if most < math.inf else f"(at least {least:g})"
    return Gate(f"{says} {bound}", measured, least <= measured <= most)


def summary(scores: Scores) -> dict[str, Any]:
    """Means over windows and steps, and by step: plain data."""
    return {
        "mean": {name: float(value.mean()) for name, value in scores.values.items()},
        "by_step": {name: value.mean(0).tolist() for name, value in scores.values.items()},
        "windows": len(scores.clips),
        "clips": len(set(scores.clips.tolist())),
        "cpu_seconds": scores.seconds,
        "inner": None if scores.inner is None else dict(scores.inner),
    }
