"""An embedding that is taught one thing: to be conserved. The symbolic search's objective, on pixels.

N clips, B clips of a batch, K stacks drawn of each, T stacks of a clip, F frames of a stack, C channels, H height,
W width, d components.

With W the variance within clips and T the total variance of an embedding's components (d by d matrices), the directions
in which it moves least within clips for how much it moves at all are the generalised eigenvectors of W u = l T u; l is
within over total: 0 for a conserved number, 1 for noise. This is the linear discriminant analysis of Fisher (1936) with
clips as classes, and slow feature analysis (Wiskott and Sejnowski 2002) with "the same clip" for "the next moment".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DataError, OptionError
from .batches import Batch, Batches
from .clips import Clips
from .conservation import stack_size
from .embeddings import ConvEmbedding
from .statistics import pearson, spearman, within_over_between
from .training import LossOf, Schedule, Training

Array = np.ndarray
Objective = Literal["log", "mean"]
"""log: the mean logarithm of the d ratios, which never stops asking for more of the best one. mean: the mean ratio,
which spends the network on the worst one."""

_RIDGE = 1e-5
"""Of the mean total variance, added to both variances. What varies less than this, beside the other components, then
counts as noise (ratio 1); added to the total alone, a component could shrink until it looked conserved."""
_ROUNDING = 1e-12
"""Variance of float32 arithmetic, as a share of a mean's square."""


class ConservedEmbedding(nn.Module):
    """The generalised eigenvectors of a network's outputs, most conserved first, each moving by 1 within a clip.

    Components are uncorrelated within clips and between them, and the root mean square deviation of each from its
    clip's mean is 1 on the training clips; so the first principal component is also the most conserved, and a distance
    counts in units of what the embedding does not know.

    [N, frames * C, H, W] -> [N, d]. gap: the network sees every gap-th frame of the stack, the first and the last
    included, so that it fits wherever an embedding does. ratios [d]: within over total on the training clips.
    """

    background: Tensor
    centre: Tensor
    axes: Tensor
    ratios: Tensor

    def __init__(self, network: nn.Module, background: Tensor, dim: int, gap: int = 1) -> None:
        super().__init__()
        self.network = network
        self.gap = gap
        self.seen = stack_size(network)
        self.frames = (self.seen - 1) * gap + 1
        self.register_buffer("background", background)
        self.register_buffer("centre", torch.zeros(dim))
        self.register_buffer("axes", torch.eye(dim))
        self.register_buffer("ratios", torch.full((dim,), torch.nan))

    def raw(self, x: Tensor) -> Tensor:
        """The network's own outputs [N, d], before they are turned."""
        frames = x.unflatten(1, (self.frames, -1))[:, :: self.gap] - self.background
        return self.network(frames.flatten(1, 2))

    def forward(self, x: Tensor) -> Tensor:
        return (self.raw(x) - self.centre) @ self.axes


def conserved_embedding(
    clips: Clips,
    *,
    network: nn.Module | None = None,
    dim: int = 4,
    gap: int = 1,
    objective: Objective = "log",
    schedule: Schedule | None = None,
    stacks: int = 4,
    mirror: bool = True,
    seed: int = 0,
    device: torch.device | str = "cpu",
    told: Callable[[int, int], None] | None = None,
) -> ConservedEmbedding:
    """An embedding of stacked frames that moves as little as it can within clips, for how much clips differ.

    It is told nothing but which frames are of one clip. It cannot collapse: the objective is a ratio of variances, the
    same for any invertible linear mixture of the outputs, so that neither a constant nor one number d times over is a
    solution. It can cheat in another way: whatever tells clips apart without the dynamics (light, colour, camera) is
    conserved too, and comes first. Judge it on clips that it has not seen (`measure`).

    network: any module [N, F * C, H, W] -> [N, dim], trained in place; default ConvEmbedding(frames=2, width=16).
    gap: frames from one that it sees to the next. objective: see Objective. schedule: default 600 steps, each with 48
    clips or all there are. stacks: stacks drawn of each clip of a batch, at least 2. mirror: half of the clips of a
    batch are exchanged left and right, all their stacks alike. told(done, total): after every step.

    Raises OptionError for numbers that cannot be, DataError for clips that are too few or too short.
    """
    if stacks < 2 or dim < 1 or gap < 1:
        raise OptionError(f"stacks = {stacks}, dim = {dim}, gap = {gap}: give at least 2, 1 and 1")
    if objective not in ("log", "mean"):
        raise OptionError(f'objective = "{objective}": there are log, mean')
    schedule = schedule or Schedule(steps=600, batch=48, rate=2e-3, warmup=50, clip=1.0)
    height, width, channels = clips.size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if network is None:
            if height != width:
                raise OptionError(f"frames of {width} x {height} pixels are not square; give a network of your own")
            network = ConvEmbedding(channels, height, frames=2, dim=dim, width=16)
    embedding = ConservedEmbedding(network, torch.from_numpy(clips.mean_frame()), dim, gap).to(device)
    batches = SeveralOfEach(clips, embedding.frames, stacks, min(schedule.batch, len(clips)), seed=seed, mirror=mirror)
    if batches.drawn <= dim + 1:
        raise DataError(f"{batches.drawn} stacks a batch cannot tell {dim} components apart; give more clips or stacks")
    training = Training(
        dict(network.named_parameters()),
        conserved_loss(embedding, stacks, objective),
        batches, schedule, seed=seed, device=device,
    )  # fmt: skip
    training.run(told)
    turned = conserved_axes(along_clips(embedding.raw, clips, embedding.frames, device))
    with torch.no_grad():
        embedding.centre.copy_(torch.from_numpy(turned.centre))
        found = turned.axes.shape[1]  # fewer than dim where outputs repeat one another: the rest stays 0
        embedding.axes.zero_()[:, :found].copy_(torch.from_numpy(turned.axes))
        embedding.ratios[:found].copy_(torch.from_numpy(turned.ratios))
    return embedding.eval()


def conserved_loss(embedding: ConservedEmbedding, stacks: int, objective: Objective = "log") -> LossOf:
    """Within over total of the raw outputs on a batch of `SeveralOfEach`."""

    def loss_of(batch: Batch, seed: int) -> tuple[Tensor, dict[str, float]]:
        x = batch.frames.unflatten(1, (stacks, embedding.frames))  # [B, K, F, C, H, W]
        g_BKd = embedding.raw(x.flatten(0, 1).flatten(1, 2)).unflatten(0, (-1, stacks))
        ratio_dd = within_over_total_matrix(g_BKd)
        said = {"ratio": float(ratio_dd.detach().diagonal().mean())}
        if objective == "mean":
            return ratio_dd.diagonal().mean(), said
        return torch.logdet(ratio_dd) / len(ratio_dd), said

    return loss_of


def within_over_total_matrix(g_BKd: Tensor) -> Tensor:
    """L^-1 W L^-T with T = L L^T, [d, d] in float64: its eigenvalues are the ratios, its trace their sum.

    The variance within divides by K - 1, so that a number independent from stack to stack has 1 for any K, on average.
    """
    g_BKd = g_BKd.double()
    within_BKd = (g_BKd - g_BKd.mean(1, keepdim=True)).flatten(0, 1)
    total_BKd = (g_BKd - g_BKd.mean((0, 1))).flatten(0, 1)
    clips, stacks, dim = g_BKd.shape
    within = within_BKd.T @ within_BKd / (clips * (stacks - 1))
    total = total_BKd.T @ total_BKd / (clips * stacks)
    ridge = (_RIDGE * total.diagonal().mean() + 1e-30) * torch.eye(dim, dtype=total.dtype, device=total.device)
    low, _ = torch.linalg.cholesky_ex(total + ridge)
    half = torch.linalg.solve_triangular(low, within + ridge, upper=False)
    return torch.linalg.solve_triangular(low, half.T, upper=False)


class SeveralOfEach(Batches):
    """Batches of several stacks of each of several clips: frames [B, K * F, C, H, W], the K stacks in a row.

    Every clip is seen once an epoch, but for a last batch that would be smaller. window: which clip it is.
    """

    def __init__(
        self, clips: Clips, frames: int, stacks: int, batch: int, *, seed: int = 0, mirror: bool = True
    ) -> None:
        if len(clips) < 2:
            raise DataError("one clip cannot show what is conserved: give at least two, or it could be a constant")
        short = int(np.argmin(clips.lengths))
        if clips.lengths[short] < frames + stacks - 1:
            raise DataError(
                f"{clips.called(short)} has {clips.lengths[short]} frames, too few for {stacks} different stacks "
                f"of {frames}"
            )
        self.clips, self.frames, self.stacks, self.batch = clips, frames, stacks, batch
        self.seed, self.mirror = seed, mirror
        self.drawn = batch * stacks

    def __len__(self) -> int:
        return len(self.clips) // self.batch

    def epoch(self, number: int) -> Iterator[Batch]:
        """The batches of an epoch; they depend on seed and number alone."""
        random = np.random.default_rng([self.seed, number])
        order = random.permutation(len(self.clips))
        for start in range(0, len(self) * self.batch, self.batch):
            picked = order[start : start + self.batch]
            rows = []
            for i in picked:
                starts = random.choice(self.clips.lengths[i] - self.frames + 1, self.stacks, replace=False)
                frames = self.clips.frames[i][(starts[:, None] + np.arange(self.frames)).ravel()]
                rows.append(frames[:, :, ::-1] if self.mirror and random.random() < 0.5 else frames)
            pictures = np.stack(rows).transpose(0, 1, 4, 2, 3).astype(np.float32) / 255
            yield Batch(torch.from_numpy(pictures), None, torch.from_numpy(picked))


# what was learned


@dataclass(frozen=True)
class Axes:
    """Directions in an embedding, decided on training clips. centre [d]; axes [d, components], in their order.

    ratios [components]: within over total on the training clips.
    """

    centre: Array
    axes: Array
    ratios: Array

    def along(self, g_NTd: Sequence[Array]) -> list[Array]:
        """Outputs of each clip, in these directions."""
        return [(g_Td - self.centre) @ self.axes for g_Td in g_NTd]


@dataclass(frozen=True)
class Recovery:
    """Is the first component of an embedding conserved on clips it was not trained on, and is it the truth?

    within_over_between: of the first component; components: of all; total: the sum of what they move within clips over
    the sum of what clips differ by. ranks: of the ranks of the first component, which no monotone function of it
    changes: a step that sorts clips into two kinds is perfectly conserved, and its ranks are not. It needs no truth, so
    choices can be made by it. spearman, pearson: of the first component with the truth, stack by stack; nan without
    one. values: the first component, N arrays [T].
    """

    within_over_between: float
    components: Array
    total: float
    ranks: float
    spearman: float
    pearson: float
    values: tuple[Array, ...]


def measure(
    embedding: Callable[[Tensor], Tensor],
    training: Clips,
    held_out: Clips,
    truth: Sequence[Array] | None = None,
    *,
    by: Literal["conserved", "variance"] = "conserved",
    frames: int | None = None,
    floor: float = 1e-6,
    device: torch.device | str = "cpu",
) -> Recovery:
    """Any embedding [N, frames * C, H, W] -> [N, d], judged on held-out clips from single stacks of frames.

    by: which direction comes first, decided on the training clips: the most conserved (generalised eigenvector), or
    that of most variance (principal component). frames: of a stack; default: the embedding's own number. truth: N
    arrays [T of the clip's frames]; that at the last frame of a stack counts. floor: as in `conserved_axes`.
    """
    count = stack_size(embedding) if frames is None and isinstance(embedding, nn.Module) else frames or 1
    axes_of = conserved_axes if by == "conserved" else variance_axes
    axes = axes_of(along_clips(embedding, training, count, device), floor)
    found = axes.along(along_clips(embedding, held_out, count, device))
    return recovery(found, None if truth is None else [rows[count - 1 :] for rows in truth])


def recovery(g_NTd: Sequence[Array], truth: Sequence[Array] | None = None) -> Recovery:
    """What `measure` says of outputs of held-out clips, N arrays [T, d], the first component first."""
    moved = within_over_between(g_NTd)
    first = [g_Td[:, 0] for g_Td in g_NTd]
    ends = np.cumsum([len(g_T) for g_T in first])[:-1]
    flat = np.concatenate(first)
    ranks = np.split(np.argsort(np.argsort(flat, kind="stable"), kind="stable").astype(float), ends)
    told = None if truth is None else np.concatenate([np.asarray(rows, dtype=float) for rows in truth])
    return Recovery(
        within_over_between=float(moved.components[0]),
        components=moved.components,
        total=moved.total,
        ranks=within_over_between([r[:, None] for r in ranks]).total,
        spearman=float("nan") if told is None else spearman(flat, told),
        pearson=float("nan") if told is None else pearson(flat, told),
        values=tuple(first),
    )


@torch.no_grad()
def along_clips(
    embedding: Callable[[Tensor], Tensor],
    clips: Clips,
    frames: int,
    device: torch.device | str = "cpu",
    at_once: int = 512,
) -> list[Array]:
    """An embedding of every stack of so many frames of every clip: N arrays [T, d] of float64."""
    out = []
    for i, length in enumerate(clips.lengths):
        if length < frames:
            raise DataError(f"{clips.called(i)} has {length} frames; the embedding sees {frames}")
        film = torch.from_numpy(clips.window(i, 0, int(length))[0])
        stacks = torch.cat([film[j : length - frames + 1 + j] for j in range(frames)], 1)
        parts = [embedding(part.to(device)).flatten(1).cpu() for part in stacks.split(at_once)]
        out.append(torch.cat(parts).double().numpy())
    return out


def conserved_axes(g_NTd: Sequence[Array], floor: float = 1e-6) -> Axes:
    """The generalised eigenvectors of within and total variance, most conserved first, each moving by 1 within a clip.

    floor: directions with less than this share of the largest variance are left out: a constant is not conserved, and
    with very many inputs the smallest variances are those that fit the training clips by chance.

    Raises DataError when nothing varies.
    """
    centre, within, total = _moments(g_NTd)
    size, directions = np.linalg.eigh(total)
    kept = size > max(floor * size[-1], 0)
    if size[-1] <= _ROUNDING * (centre @ centre):
        raise DataError("the embedding is the same everywhere: nothing varies that could be conserved")
    white = directions[:, kept] / np.sqrt(size[kept])
    ratios, turn = np.linalg.eigh(white.T @ within @ white)
    ratios = np.maximum(ratios, 1e-12)
    return Axes(centre, white @ turn / np.sqrt(ratios), ratios)


def variance_axes(g_NTd: Sequence[Array], floor: float = 0.0) -> Axes:
    """Principal components of all outputs, largest first."""
    centre, within, total = _moments(g_NTd)
    size, directions = np.linalg.eigh(total)
    axes = directions[:, size >= floor * size[-1]][:, ::-1]
    moved = np.einsum("ij,ik,kj->j", axes, within, axes)
    with np.errstate(divide="ignore", invalid="ignore"):
        return Axes(centre, axes, moved / np.einsum("ij,ik,kj->j", axes, total, axes))


def _moments(g_NTd: Sequence[Array]) -> tuple[Array, Array, Array]:
    """Mean [d], variance within clips and in all [d, d]; every stack counts the same."""
    count = sum(len(g_Td) for g_Td in g_NTd)
    centre = sum(g_Td.sum(0) for g_Td in g_NTd) / count
    within, total = np.zeros((2, len(centre), len(centre)))
    for g_Td in g_NTd:
        inside, away = g_Td - g_Td.mean(0), g_Td - centre
        within += inside.T @ inside / count
        total += away.T @ away / count
    return centre, within, total
