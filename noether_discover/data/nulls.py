"""Data in which nothing is conserved, though they look as if something could be.

| null            | made from      | keeps                                             | destroys                     |
|-----------------|----------------|---------------------------------------------------|------------------------------|
| permuted_labels | any data       | lengths, times, the states at every sample number | motion                       |
| shuffled_blocks | any data       | the same, and the motion inside a block           | motion from block to block   |
| walkers         | nothing        | slow columns with a mean per trajectory           | any relation between columns |
| short_windows   | a known system | its equations                                     | the time to vary             |

Whatever is called a law in the first three is a false discovery; in the last, what is none of the system's own laws.

K trajectories, T samples, D columns.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import numpy as np
from noether_dsl.units import Unit

from ..errors import DataError, OptionError
from .systems import simulate, system_named
from .trajectories import FEWEST_SAMPLES, Array, Trajectories
from .worlds import System


def permuted_labels(trajectories: Trajectories, seed: int) -> Trajectories:
    """The states of every sample number dealt at random among the trajectories that are so long.

    Given derivatives are left out: with the states they would still tell every law.

    Raises DataError for a single trajectory.
    """
    return _dealt(trajectories, seed, block=1)


def shuffled_blocks(trajectories: Trajectories, seed: int, block: int | None = None) -> Trajectories:
    """Blocks of consecutive samples, each with the block's place in time, dealt at random among the trajectories.

    block: samples in one; a tenth of the median length when None. A trajectory's last block is what is left, and is
        dealt among those that end as it does: one of a length of its own keeps its end.
    Given derivatives are left out, as in `permuted_labels`.

    Raises DataError for a single trajectory, OptionError for a block that does not fit twice into the longest one.
    """
    lengths = [len(t) for t in trajectories.times]
    size = max(round(float(np.median(lengths)) / 10), 1) if block is None else block
    if not 1 <= size <= max(lengths) / 2:
        raise OptionError(f"cannot shuffle blocks of {size} samples; ask for 1 to {max(lengths) // 2}")
    return _dealt(trajectories, seed, size)


def _dealt(trajectories: Trajectories, seed: int, block: int) -> Trajectories:
    """Pieces of the same place and length dealt among their trajectories."""
    if len(trajectories) < 2:
        raise DataError(f"{trajectories.origin}: one trajectory has none to exchange samples with")
    rng = np.random.default_rng(seed)
    pieces: dict[tuple[int, int], list[int]] = defaultdict(list)
    for k, t in enumerate(trajectories.times):
        for begin in range(0, len(t), block):
            pieces[begin, min(begin + block, len(t))].append(k)
    states = [x.copy() for x in trajectories.states]
    for (begin, end), here in pieces.items():
        for k, other in zip(here, rng.permutation(here), strict=True):
            states[k][begin:end] = trajectories.states[other][begin:end]
    return replace(trajectories, states=tuple(states), given_derivatives=None, constants=())


def walkers(
    seed: int,
    *,
    trajectories: int = 50,
    samples: int = 100,
    columns: int = 3,
    correlation: float = 20.0,
    spread: float = 1.0,
) -> Trajectories:
    """Ornstein-Uhlenbeck processes: every column of every trajectory walks about a mean of its own.

    Slow, bounded, different between trajectories, and conserving nothing: a slow variable is not a law.

    correlation: after how many samples a deviation from the mean has fallen to 1/e; long against one sample, or there
        is nothing slow in it.
    spread: standard deviation of the means; that about a mean is 1.

    Raises OptionError for settings that make no process.
    """
    if trajectories < 1 or samples < FEWEST_SAMPLES or columns < 1:
        raise OptionError(
            f"cannot make {trajectories} walkers of {samples} samples in {columns} columns; "
            f"ask for at least 1 of {FEWEST_SAMPLES} in 1"
        )
    if not (correlation > 0 and math.isfinite(correlation)):
        raise OptionError(f"cannot make walkers with a correlation of {correlation} samples; it is a positive number")
    if not (spread >= 0 and math.isfinite(spread)):
        raise OptionError(f"cannot spread means by {spread}; it is a standard deviation, 0 or more")
    rng = np.random.default_rng(seed)
    mean_KD = spread * rng.normal(size=(trajectories, columns))
    kick_TKD = rng.normal(size=(samples, trajectories, columns))
    kept = math.exp(-1 / correlation)
    away_TKD = np.empty_like(kick_TKD)
    away_TKD[0] = kick_TKD[0]
    for step in range(1, samples):
        away_TKD[step] = kept * away_TKD[step - 1] + math.sqrt(1 - kept**2) * kick_TKD[step]
    return _plain(mean_KD + away_TKD, np.arange(samples, dtype=float))


def _plain(x_TKD: Array, t_T: Array) -> Trajectories:
    K, D = x_TKD.shape[1:]
    names = tuple(f"x{number}" for number in range(1, D + 1))
    return Trajectories(
        names=names,
        symbols=names,
        units=(Unit(),) * D,
        states=tuple(np.ascontiguousarray(x_TKD[:, k]) for k in range(K)),
        times=tuple(t_T.copy() for _ in range(K)),
        labels=tuple(str(k) for k in range(K)),
        time_name="t",
        origin="walkers",
    )


def short_windows(
    system: str | System,
    seed: int,
    *,
    share: float = 0.005,
    trajectories: int | None = None,
    samples: int | None = None,
    noise: float = 0.0,
    relative_noise: float = 0.0,
    hints: bool = True,
) -> Trajectories:
    """A known system watched for so short a time that all of its columns look constant.

    share: of the system's own span, which is one period to ten.
    The other settings are those of `simulate`.

    Raises OptionError for an unknown system or a setting that no experiment can have.
    """
    world = system if isinstance(system, System) else system_named(system)
    if not 0 < share <= 1:
        raise OptionError(f"cannot watch {world.name} for {share} of its span; ask for a share such as 0.005")
    return simulate(
        world, trajectories=trajectories, samples=samples, span=share * world.span, noise=noise,
        relative_noise=relative_noise, seed=seed, hints=hints,
    )  # fmt: skip
