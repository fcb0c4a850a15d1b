"""Samples of the data that sums are judged by: to fit, to judge, shuffled, and with columns that do not go together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..data.constants import constant_columns
from ..data.denoising import Denoised, denoised
from ..data.derived import velocities_made_anew
from ..data.noise import rounding
from ..data.shuffling import shuffled_states
from ..data.trajectories import Trajectories
from .conservation import mismatched
from .evidence import Evidence
from .kinds import Kinds, kinds_of
from .known import Places
from .pencils import Sample

Array = NDArray[np.float64]

CLEAN_SAMPLES, NOISY_SAMPLES = 1500, 3000
"""About how many training samples each pass uses."""
CLEAN_FLOOR = 1e-6
"""The noise of clean data, as a share of each column's deviation."""
DERIVED_FLOOR = 30.0
"""The same of a computed column, in its estimated error: it is larger where a motion turns sharply."""
NOISE_FLOOR = 1e-5
GRADIENT_STATES = 300
REPLICAS = 3
FEWEST = 8


@dataclass(frozen=True)
class Material:
    """Everything that sums are judged by in one pass.

    train, held: denoised states of the sequences that fit and that judge, with replicas.
    shuffled: training states with every column shuffled. apart: training sequences whose columns come from elsewhere.
    places: where gradients are taken. effective: independent samples behind the training forms, once the correlations
    that denoising brings are reckoned with. clean: whether noise is nothing but a floor here.
    """

    kinds: Kinds
    train: Sample
    held: Sample
    shuffled: Sample
    apart: Sample
    places: Places
    effective: float
    clean: bool
    windows: bool

    @property
    def moving(self) -> int:
        """How many columns change along trajectories."""
        return len(self.kinds.symbols) - len(self.kinds.constant)


def clean_material(evidence: Evidence) -> Material:
    """The data as they are, with a noise of 1e-6 of each column's deviation, or its rounding, or what computing it
    costs."""
    data = evidence.sequences
    own_D = np.array([DERIVED_FLOOR * ((origin and origin.error) or 0.0) for origin in data.origins])
    floor_D = np.maximum(np.maximum(CLEAN_FLOOR * data.stacked.std(axis=0), rounding(data)), own_D)
    rng = np.random.default_rng(evidence.seed)
    replicas = [[x + rng.normal(size=x.shape) * floor_D for x in data.states] for _ in range(2)]
    return _material(evidence, data, replicas, CLEAN_SAMPLES, 1.0, clean=True)


def noisy_material(evidence: Evidence, *, raw: bool = False) -> Material:
    """The denoised data, with replicas of the measurement. raw: the data as measured, for motions with sudden turns
    that no filter follows, where noise is small."""
    data = evidence.sequences
    noise_D = np.maximum(evidence.noise_D, NOISE_FLOOR * data.stacked.std(axis=0)).clip(1e-300)
    as_they_are = constant_columns(data) | np.array([raw or origin is not None for origin in data.origins])
    clean = denoised(data, noise_D, as_they_are, evidence.seed, velocities_made_anew)
    replicas = clean.replicas(REPLICAS, evidence.seed + 1)
    share = _effective_share(clean, replicas[0])
    return _material(evidence, clean.trajectories, replicas, NOISY_SAMPLES, share, clean=False)


def noise_share(evidence: Evidence) -> float:
    """The largest noise of a column that changes along trajectories, in its deviations."""
    share_D = evidence.noise_D / evidence.sequences.stacked.std(axis=0).clip(1e-300)
    return float(share_D[~constant_columns(evidence.runs)].max(initial=0.0))


def _effective_share(clean: Denoised, replica: Sequence[Array], lags: int = 12) -> float:
    """Independent errors per sample: one over the time that errors are correlated, in samples."""
    change = [r - x for r, x in zip(replica, clean.trajectories.states, strict=True)]
    size_D = sum((c**2).sum(axis=0) for c in change)
    time = 1.0
    for lag in range(1, lags):
        product_D = sum((c[lag:] * c[:-lag]).sum(axis=0) for c in change if len(c) > lag)
        time += 2.0 * max(float(np.mean(product_D / np.maximum(size_D, 1e-300))), 0.0)
    return 1.0 / time


def _material(
    evidence: Evidence, data: Trajectories, replicas: list[list[Array]], samples: int, share: float, *, clean: bool
) -> Material:
    shuffled_RD = shuffled_states(data.pick(evidence.training), evidence.seed + 3)
    reference = _by_symbol(data, shuffled_RD) if evidence.window is not None else None

    def sample(numbers: Sequence[int]) -> Sample:
        rows = [_thin(len(data.states[k]), max(samples // len(numbers), FEWEST)) for k in numbers]
        return Sample.of(
            _columns(data, data.states, numbers, rows),
            [len(r) for r in rows],
            [_columns(data, replica, numbers, rows) for replica in replicas],
            reference,
        )

    train = sample(evidence.training)
    mixed = mismatched(
        data.pick(evidence.training), evidence.seed + 4, None if evidence.window is None else evidence.runs.contiguous()
    )
    kinds = kinds_of(data)
    scale = {s: float(train.values.columns[s].std()) for s in kinds.symbols}
    few = [_thin(len(x), max(GRADIENT_STATES // len(data), 2)) for x in data.states]
    shuffled = Sample.of(_by_symbol(data, shuffled_RD), [len(shuffled_RD)])
    return Material(
        kinds=kinds,
        train=train,
        held=sample(evidence.heldout),
        shuffled=shuffled,
        apart=_whole(mixed, samples, reference is not None and shuffled_RD is not None, reference),
        places=Places(_columns(data, data.states, range(len(data)), few), scale),
        effective=share * train.size,
        clean=clean,
        windows=evidence.window is not None,
    )


def _whole(data: Trajectories, samples: int, windows: bool, reference: dict[str, Array] | None) -> Sample:
    rows = [_thin(len(x), max(samples // len(data), FEWEST)) for x in data.states]
    columns = _columns(data, data.states, range(len(data)), rows)
    return Sample.of(columns, [len(r) for r in rows], (), reference if windows else None)


def _by_symbol(data: Trajectories, x_ND: Array) -> dict[str, Array]:
    return dict(zip(data.symbols, np.ascontiguousarray(x_ND.T), strict=True))


def _columns(
    data: Trajectories, states: Sequence[Array], numbers: Sequence[int], rows: Sequence[NDArray[np.int64]]
) -> dict[str, Array]:
    return _by_symbol(data, np.concatenate([states[k][r] for k, r in zip(numbers, rows, strict=True)]))


def _thin(length: int, most: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, length - 1, min(most, length)).round().astype(np.int64))


def regrouped(material: Material, kinds: Kinds) -> Material:
    """The same samples, more being known of the columns."""
    return replace(material, kinds=kinds)
