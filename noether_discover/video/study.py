"""The paper's Figure 6: what more inner steps than the network was trained with do to its two losses.

S numbers of inner steps, N windows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from ..errors import OptionError
from .batches import Batch, Batches, Windows
from .conservation import embedded, noether_loss
from .metrics import mse
from .noether_network import NoetherNetwork

Array = np.ndarray

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Numbers of inner steps; the paper went to 500."""


@dataclass(frozen=True)
class Study:
    """counts [S]; inner, outer [N, S]: Noether loss and mean squared error of the prediction after so many steps.

    fell_back [N, S]: windows whose update could not be used; their prediction, and so both losses, are the base's.
    clips [N]: the clip of each window. rates: of each leaf.
    """

    counts: tuple[int, ...]
    inner: Array
    outer: Array
    fell_back: Array
    clips: Array
    rates: dict[str, float]


def counts_up_to(words: str | None) -> tuple[int, ...]:
    """Numbers of inner steps from words: none, the usual ones; "50", those up to 50; "0,3,9", these. 0 is always there.

    Raises OptionError for anything else.
    """
    if words is None:
        return COUNTS
    try:
        numbers = [int(word) for word in words.split(",")]
    except ValueError:
        numbers = [-1]
    if min(numbers) < 0 or max(numbers) == 0:
        raise OptionError(f'numbers of inner steps "{words}" cannot be read; write 50, or 0,1,5,50')
    if len(numbers) == 1:
        return (*(count for count in COUNTS if count < numbers[0]), numbers[0])
    return tuple(sorted({0, *numbers}))


def studied(
    network: NoetherNetwork,
    first: Batch,
    given: int,
    optimiser: Literal["sgd", "adam"],
    rate: float | None,
    most: int,
) -> NoetherNetwork:
    """The network with another inner optimiser or rate.

    rate none: the learned rates where the optimiser is the network's own; else as NoetherNetwork.calibrate sets them
    on some training windows, for `most` steps that together move a leaf by `first_move` of its size.
    """
    inner = replace(network.inner, optimiser=optimiser, rate=rate, steps=most)
    made = NoetherNetwork(
        network.predictor,  # type: ignore[arg-type]
        network.embedding,
        network.target,
        inner,
        trains_predictor=network.trains_predictor,
    ).eval()
    if rate is None and optimiser == network.inner.optimiser:
        made.log_rates = network.log_rates
    else:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            made.calibrate(first.frames[:, :given], first.frames.shape[1] - given, first.actions)
    return made


def study_of(
    network: NoetherNetwork,
    windows: Windows,
    given: int,
    counts: Sequence[int],
    *,
    batch: int = 32,
    seed: int = 0,
    device: str = "cpu",
    told: Callable[[int, int], None] | None = None,
) -> Study:
    """Both losses after each number of inner steps; one pass, in memory that does not grow with the steps."""
    inner: list[list[Array]] = [[] for _ in counts]
    outer: list[list[Array]] = [[] for _ in counts]
    fell_back: list[list[Array]] = [[] for _ in counts]
    batches = Batches(windows, batch, shuffled=False)
    for number, one in enumerate(batches.epoch(0)):
        moved = one.to(device)
        context, truth = moved.frames[:, :given], moved.frames[:, given:]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * 1_000_003 + number)
            along = network.predictions(context, truth.shape[1], moved.actions, counts=counts)
            for at, (count, made) in enumerate(along):
                with torch.no_grad():
                    loss = noether_loss(embedded(network.embedding, context, made.frames), network.inner.form)
                inner[at].append(loss.cpu().double().numpy())
                outer[at].append(mse(made.frames, truth).mean(1).cpu().double().numpy())
                fell_back[at].append(made.fell_back.cpu().numpy())
                if told is not None:
                    told(number * counts[-1] + count, len(batches) * counts[-1])
    losses, errors, backs = (
        np.stack([np.concatenate(part) for part in parts], axis=1) for parts in (inner, outer, fell_back)
    )
    return Study(tuple(counts), losses, errors, backs, clips=windows.clip.copy(), rates=network.rates)
