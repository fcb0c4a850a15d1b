"""A Noether Network: a predictor that, before it answers, moves towards conserving an embedding (Eq. 3).

B clips, K given frames, T predicted frames, C channels, H height, W width.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor, nn

from ..errors import OptionError, PredictorError
from .conservation import FORMS, Form, embedded, noether_loss
from .rollout import Predictor, Rollout
from .targets import Leaves, Target

BETAS = (0.9, 0.999)
EPSILON = 1e-8


@dataclass(frozen=True)
class Inner:
    """How conservation is enforced at prediction time.

    steps: inner steps. rate: of the inner optimiser, or none: set by `NoetherNetwork.calibrate` so that the steps
    together move a leaf by `first_move` of its size; with a wrong scale nothing changes, and nothing tells. learn_rate:
    one rate a leaf, meta-learned with the embedding. optimiser: "sgd" (the paper's training) or "adam" (its Figure 6).
    form: see conservation.Form. accept: "always", or "if_improved", which keeps the base prediction of a clip whose
    Noether loss did not fall. second_order: the task loss is differentiated through the inner step. reach: an update
    larger than so many times the leaf is a runaway, and that clip falls back to the base prediction.

    Raises OptionError for a value that cannot be used.
    """

    steps: int = 1
    rate: float | None = None
    learn_rate: bool = True
    optimiser: Literal["sgd", "adam"] = "sgd"
    form: Form = "prev"
    accept: Literal["always", "if_improved"] = "always"
    second_order: bool = True
    reach: float = 10.0
    first_move: float = 0.1

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise OptionError(f"inner.steps = {self.steps}: give 0 or more")
        if self.rate is not None and not (self.rate > 0 and math.isfinite(self.rate)):
            raise OptionError(f"inner.rate = {self.rate}: give a positive number, or leave it out")
        for name, number in (("reach", self.reach), ("first_move", self.first_move)):
            if not number > 0:
                raise OptionError(f"inner.{name} = {number}: give a positive number")
        for name, value, known in (
            ("optimiser", self.optimiser, ("sgd", "adam")),
            ("form", self.form, FORMS),
            ("accept", self.accept, ("always", "if_improved")),
        ):
            if value not in known:
                raise OptionError(f'inner.{name} = "{value}": there are {", ".join(known)}')


@dataclass(frozen=True)
class Prediction:
    """What a Noether Network predicts, and what the inner steps did.

    frames, base_frames [B, T, C, H, W]. inner_losses [S + 1, B]: the Noether loss before each step and, outside
    training, after the last. fell_back [B]: clips whose update was not finite or ran away and that keep the base
    prediction. kept_base [B]: those that keep it because their Noether loss did not fall (accept "if_improved").
    moved [B]: size of the update, in units of the leaf.
    """

    frames: Tensor
    base_frames: Tensor
    inner_losses: Tensor
    fell_back: Tensor
    kept_base: Tensor
    moved: Tensor


class NoetherNetwork(nn.Module):
    """Predictor + embedding + what is adapted + how.

    predictor: see rollout.Predictor. embedding: see embeddings. In training mode the graph of the inner steps is kept,
    so that the task loss of the result can be differentiated with respect to the embedding, the inner rates and the
    predictor, to second order; in evaluation mode it is dropped step by step, and memory does not grow with the steps.

    trains_predictor: whether gradients reach the predictor ("joint"), or it is frozen.

    Raises PredictorError where first-order gradients would leave the embedding without any.
    """

    def __init__(
        self,
        predictor: Predictor,
        embedding: nn.Module,
        target: Target,
        inner: Inner = Inner(),
        *,
        trains_predictor: bool = False,
    ) -> None:
        super().__init__()
        if not inner.second_order and not trains_predictor:
            raise PredictorError(
                "first-order inner steps with a frozen predictor give the embedding no gradient: nothing would be "
                'learned. Take inner.second_order = true, or train the predictor too (noether.train = "joint")'
            )
        self.predictor = cast(nn.Module, predictor)
        self.embedding = embedding
        self.target = target
        self.inner = inner
        self.trains_predictor = trains_predictor
        self.log_rates = nn.ParameterDict()

    def inner_parameters(self) -> Iterator[nn.Parameter]:
        """What Algorithm 1 learns besides the predictor: the embedding, and the rates if they are learned."""
        yield from self.embedding.parameters()
        if self.inner.learn_rate:
            yield from self.log_rates.parameters()

    @property
    def rates(self) -> dict[str, float]:
        """The rate of each leaf."""
        return {_named(name): math.exp(float(rate.detach())) for name, rate in self.log_rates.items()}

    def calibrate(self, context: Tensor, horizon: int, actions: Tensor | None = None) -> None:
        """Set the rates from some training clips (rate None: so that the steps move a leaf by `inner.first_move`).

        A leaf that the embedding does not reach has no scale; its rate is 1, and its update stays nothing.
        """
        with torch.enable_grad():
            base = self._base(context, horizon, actions, None, graph=False)
            leaves = _free(self.target.leaves(cast(Predictor, self.predictor), base))
            gradients = self._gradients(leaves, base, context, horizon, actions, graph=False)[1]
        whole = _together(leaves)
        for name, leaf in leaves.items():
            size = _rms(leaf.detach()).mean()
            size = size if size > 1e-3 * whole else whole
            slope = _rms(gradients[name]).square().mean().sqrt()
            if self.inner.rate is not None:
                rate = self.inner.rate
            elif self.inner.optimiser == "adam":
                rate = float(self.inner.first_move * size / max(self.inner.steps, 1))
            else:
                rate = float(self.inner.first_move * size / max(self.inner.steps, 1) / slope) if slope > 0 else 1.0
            value = torch.tensor(math.log(rate) if math.isfinite(rate) and rate > 0 else 0.0)
            self.log_rates[_key(name)] = nn.Parameter(value.to(leaf), requires_grad=self.inner.learn_rate)

    def forward(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        noise: Tensor | None = None,
        steps: int | None = None,
    ) -> Prediction:
        """Predict `horizon` frames after the given ones; steps: other than the network's own.

        Uses the given frames and the actions, nothing else. Raises PredictorError before `calibrate`.
        """
        count = self.inner.steps if steps is None else steps
        if count < 0:
            raise OptionError(f"steps = {count}: give 0 or more")
        learning = self.training and torch.is_grad_enabled()
        with _held(self.predictor, not self.trains_predictor):
            base = self._base(context, horizon, actions, noise, graph=learning and self.trains_predictor)
            if count == 0:
                nothing = torch.zeros(len(context), dtype=torch.bool, device=context.device)
                with torch.no_grad():
                    loss = noether_loss(embedded(self.embedding, context, base.frames), self.inner.form)[None]
                return Prediction(base.frames, base.frames, loss, nothing, nothing, nothing.to(context))
            if not self.log_rates:
                raise PredictorError("the inner rates have no scale yet: call calibrate with some training clips first")
            with torch.enable_grad():
                start = self.target.leaves(cast(Predictor, self.predictor), base)
                for taken in self._stepped(start, base, context, horizon, actions, count, learning=learning):
                    leaves, losses = taken
            return self._settled(start, leaves, losses, base, context, horizon, actions, learning=learning)

    @torch.no_grad()
    def predictions(
        self,
        context: Tensor,
        horizon: int,
        actions: Tensor | None = None,
        *,
        counts: Sequence[int],
        noise: Tensor | None = None,
    ) -> Iterator[tuple[int, Prediction]]:
        """What `forward` predicts after each of these numbers of inner steps (rising), in one pass; in evaluation mode.

        Memory does not grow with the steps. Raises PredictorError before `calibrate`, and in training mode.
        """
        if self.training:
            raise PredictorError("the predictions along the inner steps are for evaluation: call eval() first")
        if list(counts) != sorted({*counts}) or min(counts, default=0) < 0:
            raise OptionError(f"numbers of inner steps {list(counts)}: give rising ones, 0 or more")
        base = self._base(context, horizon, actions, noise, graph=False)
        if counts and counts[0] == 0:
            yield 0, self.forward(context, horizon, actions, noise=base.noise if noise is None else noise, steps=0)
        if counts and counts[-1] > 0:
            if not self.log_rates:
                raise PredictorError("the inner rates have no scale yet: call calibrate with some training clips first")
            with torch.enable_grad():
                start = self.target.leaves(cast(Predictor, self.predictor), base)
            steps = self._stepped(start, base, context, horizon, actions, counts[-1], learning=False)
            for step in range(1, counts[-1] + 1):
                with torch.enable_grad():
                    leaves, losses = next(steps)
                if step in counts:
                    yield step, self._settled(start, leaves, losses, base, context, horizon, actions, learning=False)

    def _settled(
        self,
        start: Leaves,
        leaves: Leaves,
        losses: list[Tensor],
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
        *,
        learning: bool,
    ) -> Prediction:
        """The prediction with these leaves, or the base's for clips whose update cannot be used."""
        losses = [*losses]
        with torch.set_grad_enabled(learning):
            frames = self._predicted(leaves, base, context, horizon, actions)
            with torch.no_grad():
                if not learning:
                    last = noether_loss(embedded(self.embedding, context, frames), self.inner.form)
                    losses.append(last)
                moved = _moved(leaves, start)
                fell_back = ~(torch.isfinite(moved) & (moved <= self.inner.reach))
                fell_back |= ~torch.isfinite(frames).flatten(1).all(1) | ~torch.isfinite(torch.stack(losses)).all(0)
                kept = torch.zeros_like(fell_back)
                if self.inner.accept == "if_improved" and not learning:
                    kept = ~fell_back & ~(losses[-1] < losses[0])
                back = fell_back | kept | ((moved == 0) & (not learning))
            frames = torch.where(back.reshape(-1, *[1] * (frames.ndim - 1)), base.frames, frames)
        return Prediction(frames, base.frames, torch.stack(losses).detach(), fell_back, kept, moved)

    def _base(
        self, context: Tensor, horizon: int, actions: Tensor | None, noise: Tensor | None, *, graph: bool
    ) -> Rollout:
        for name, layer in self.named_modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm) and (layer.training or layer.running_mean is None):
                raise PredictorError(
                    f"{name} is batch normalisation, through which the clips of a batch see each other; use GroupNorm"
                )
        with torch.set_grad_enabled(graph):
            return cast(Predictor, self.predictor).rollout(context, horizon, actions, noise=noise)

    def _predicted(
        self, leaves: Leaves, base: Rollout, context: Tensor, horizon: int, actions: Tensor | None
    ) -> Tensor:
        return self.target.predict(cast(Predictor, self.predictor), leaves, base, context, horizon, actions)

    def _gradients(
        self, leaves: Leaves, base: Rollout, context: Tensor, horizon: int, actions: Tensor | None, *, graph: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        if torch.is_inference_mode_enabled():
            raise PredictorError("inner steps need gradients: predict under torch.no_grad(), not inference_mode()")
        frames = self._predicted(leaves, base, context, horizon, actions)
        loss_B = noether_loss(embedded(self.embedding, context, frames), self.inner.form)
        if not loss_B.requires_grad:
            return loss_B, {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
        slopes = torch.autograd.grad(loss_B.sum(), list(leaves.values()), create_graph=graph, materialize_grads=True)
        return loss_B, dict(zip(leaves, slopes, strict=True))

    def _stepped(
        self,
        start: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
        count: int,
        *,
        learning: bool,
    ) -> Iterator[tuple[dict[str, Tensor], list[Tensor]]]:
        """The leaves after each inner step, and the Noether losses before each step so far."""
        graph = learning and self.inner.second_order
        leaves = _attached(start) if learning else _free(start)
        losses: list[Tensor] = []
        first = {name: torch.zeros_like(leaf) for name, leaf in leaves.items()}
        second = dict(first)
        for step in range(1, count + 1):
            loss, slopes = self._gradients(leaves, base, context, horizon, actions, graph=graph)
            losses.append(loss.detach())
            moves = {}
            for name, slope in slopes.items():
                if self.inner.optimiser == "adam":
                    first[name] = BETAS[0] * first[name] + (1 - BETAS[0]) * slope
                    second[name] = BETAS[1] * second[name] + (1 - BETAS[1]) * slope.square()
                    mean = first[name] / (1 - BETAS[0] ** step)
                    spread = second[name] / (1 - BETAS[1] ** step)
                    # inside the root, unlike Adam's own: the root has no slope at zero
                    slope = mean / (spread + EPSILON**2).sqrt()
                moves[name] = self.log_rates[_key(name)].exp() * slope
            leaves = {name: leaf - moves[name] for name, leaf in leaves.items()}
            if not learning:
                leaves = _free(leaves)
            yield leaves, losses


@contextmanager
def _held(module: nn.Module, held: bool) -> Iterator[None]:
    """No gradient reaches the module's weights from what is computed inside."""
    weights = list(module.parameters()) if held and isinstance(module, nn.Module) else []
    weights = [weight for weight in weights if weight.requires_grad and weight.is_leaf]
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _attached(leaves: Leaves) -> dict[str, Tensor]:
    """Leaves that gradients can be taken with respect to, still part of the predictor's graph if they were.

    Views, so that they are independent of each other: part of an LSTM's state may have been made from another part.
    """
    return {
        name: leaf.view_as(leaf) if leaf.requires_grad else leaf.detach().requires_grad_()
        for name, leaf in leaves.items()
    }


def _free(leaves: Leaves) -> dict[str, Tensor]:
    return {name: leaf.detach().requires_grad_() for name, leaf in leaves.items()}


def _rms(leaf: Tensor) -> Tensor:
    """The size of each clip's leaf, [B]."""
    return leaf.reshape(len(leaf), -1).square().mean(1).sqrt()


def _together(leaves: Mapping[str, Tensor]) -> Tensor:
    """The size of all leaves together, for those that start at zero."""
    count = sum(leaf.numel() for leaf in leaves.values())
    total = torch.stack([leaf.detach().square().sum() for leaf in leaves.values()]).sum()
    return (total / count).sqrt()


def _moved(leaves: Leaves, start: Leaves) -> Tensor:
    """The update of all leaves over their size, [B]."""

    def size(leaf: Tensor) -> Tensor:
        return leaf.detach().reshape(len(leaf), -1).square().sum(1)

    after = torch.stack([size(leaves[name] - leaf) for name, leaf in start.items()])
    before = torch.stack([size(leaf) for leaf in start.values()])
    return (after.sum(0) / before.sum(0).clamp_min(1e-30)).sqrt()


def _key(name: str) -> str:
    """A leaf's name as a ParameterDict takes it: without dots."""
    return name.replace(".", "/")


def _named(key: str) -> str:
    return key.replace("/", ".")
