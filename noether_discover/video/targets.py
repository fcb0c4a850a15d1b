"""What an inner step adapts: a dict of leaf tensors with a leading clip axis.

One rule for all targets: the leaves belong to one clip each, so the gradient of the loss summed over clips is every
clip's own gradient, and the inner step does not depend on the batch it is in.

B clips, T predicted frames, C channels of a norm layer, P values of a weight.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from torch import Tensor, nn

from ..errors import OptionError, PredictorError
from .rollout import Predictor, Rollout

Leaves = Mapping[str, Tensor]
"""Name -> [B, ...]."""


class Target(Protocol):
    """What is adapted."""

    def leaves(self, predictor: Predictor, base: Rollout) -> dict[str, Tensor]:
        """Where the adaptation starts: the values with which the base rollout was made."""

    def predict(
        self,
        predictor: Predictor,
        leaves: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
    ) -> Tensor:
        """The frames [B, T, C, H, W] with these leaves; with untouched leaves those of the base."""


@dataclass(frozen=True)
class Latents:
    """The LSTM's outputs, drawn again: the paper's choice for the controlled pendulum. The cheapest."""

    def leaves(self, predictor: Predictor, base: Rollout) -> dict[str, Tensor]:
        """Raises PredictorError when the predictor has no latents or no decode."""
        if base.latents is None or not hasattr(predictor, "decode"):
            raise PredictorError(
                "this predictor has no latents to adapt (its rollout gives none, or it has no decode); "
                'take the target "normalisation" or "weights"'
            )
        return {"latents": base.latents}

    def predict(
        self,
        predictor: Predictor,
        leaves: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
    ) -> Tensor:
        return cast(Any, predictor).decode(leaves["latents"], base)


@dataclass(frozen=True)
class States:
    """The recurrent state after the history; then the predictor rolls on again from it."""

    def leaves(self, predictor: Predictor, base: Rollout) -> dict[str, Tensor]:
        """Raises PredictorError when the predictor has no recurrent state."""
        if not base.state:
            raise PredictorError(
                'this predictor has no recurrent state to adapt; take the target "normalisation" or "weights"'
            )
        return dict(base.state)

    def predict(
        self,
        predictor: Predictor,
        leaves: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
    ) -> Tensor:
        return predictor.rollout(context, horizon, actions, noise=base.noise, state=leaves).frames


NORM_LAYERS = (nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


@dataclass(frozen=True)
class Normalisation:
    """Scale and shift after every norm layer, one pair a clip, by hooks: CNGRAD, the paper's choice for Physics 101.

    Starts at gamma = 1, beta = 0. pattern: a regular expression that a layer's name has to contain. A layer may see
    time folded into the batch, row b * T + t.
    """

    pattern: str = ""

    def layers(self, predictor: Predictor) -> dict[str, nn.Module]:
        """The norm layers that are adapted. Raises PredictorError when there are none."""
        module = _module(predictor)
        found: dict[str, nn.Module] = {
            name: layer
            for name, layer in module.named_modules()
            if isinstance(layer, NORM_LAYERS) and re.search(_compiled(self.pattern), name)
        }
        if not found:
            if any(isinstance(layer, nn.modules.batchnorm._BatchNorm) for layer in module.modules()):
                raise PredictorError(
                    "the predictor has only batch normalisation, through which clips see each other; use GroupNorm"
                )
            raise PredictorError(
                f'no norm layer (GroupNorm, LayerNorm, InstanceNorm) has a name with "{self.pattern}"; '
                'take the target "weights"'
            )
        return found

    def leaves(self, predictor: Predictor, base: Rollout) -> dict[str, Tensor]:
        """Raises PredictorError when there is no norm layer."""
        clips = len(base.frames)
        leaves = {}
        for name, layer in self.layers(predictor).items():
            size = _channels(name, layer)
            leaves[f"{name}.gamma"] = base.frames.new_ones(clips, size)
            leaves[f"{name}.beta"] = base.frames.new_zeros(clips, size)
        return leaves

    def predict(
        self,
        predictor: Predictor,
        leaves: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
    ) -> Tensor:
        with self._conditioned(predictor, leaves):
            return predictor.rollout(context, horizon, actions, noise=base.noise).frames

    @contextmanager
    def _conditioned(self, predictor: Predictor, leaves: Leaves) -> Iterator[None]:
        with ExitStack() as hooks:
            for name, layer in self.layers(predictor).items():
                gamma, beta = leaves[f"{name}.gamma"], leaves[f"{name}.beta"]

                def hook(layer: nn.Module, _: Any, out: Tensor, gamma: Tensor = gamma, beta: Tensor = beta) -> Tensor:
                    return _per_clip(out, gamma, layer) * out + _per_clip(out, beta, layer)

                handle = layer.register_forward_hook(hook)
                hooks.callback(handle.remove)
            yield


@dataclass(frozen=True)
class Weights:
    """The weights whose names match a regular expression, one copy a clip, by vmap."""

    pattern: str = "decoder"

    def leaves(self, predictor: Predictor, base: Rollout) -> dict[str, Tensor]:
        """Raises PredictorError when no name matches."""
        module = _module(predictor)
        clips = len(base.frames)
        found = {
            name: weight.expand(clips, *weight.shape)
            for name, weight in module.named_parameters()
            if re.search(_compiled(self.pattern), name)
        }
        if not found:
            names = ", ".join(sorted({name.split(".")[0] for name, _ in module.named_parameters()}))
            raise PredictorError(f'no weight has a name with "{self.pattern}"; names begin with: {names}')
        return found

    def predict(
        self,
        predictor: Predictor,
        leaves: Leaves,
        base: Rollout,
        context: Tensor,
        horizon: int,
        actions: Tensor | None,
    ) -> Tensor:
        from torch.func import functional_call, vmap

        rolling = _Rolling(predictor, horizon)
        names = list(leaves)
        given: list[Tensor] = [leaves[name] for name in names]
        optional = {"actions": actions, "noise": base.noise}
        present = [name for name, value in optional.items() if value is not None]

        def one(weights: list[Tensor], clip: Tensor, *rest: Tensor) -> Tensor:
            extra = {name: value[None] for name, value in zip(present, rest, strict=True)}
            chosen = {f"predictor.{name}": weight for name, weight in zip(names, weights, strict=True)}
            return functional_call(rolling, chosen, (clip[None],), extra)[0]

        rest = [value for value in optional.values() if value is not None]
        with _contiguous_norms(_module(predictor)):
            return vmap(one)(given, context, *rest)


@contextmanager
def _contiguous_norms(module: nn.Module) -> Iterator[None]:
    """Norm layers get contiguous inputs: group_norm of torch 2.13 asks a batched tensor for another memory format,
    which vmap does not answer. To go when it takes any (pytorch pull request 186414)."""
    with ExitStack() as hooks:
        for layer in module.modules():
            if isinstance(layer, NORM_LAYERS):
                handle = layer.register_forward_pre_hook(lambda _, given: (given[0].contiguous(), *given[1:]))
                hooks.callback(handle.remove)
        yield


class _Rolling(nn.Module):
    """A predictor whose forward is its rollout, for functional_call."""

    def __init__(self, predictor: Predictor, horizon: int) -> None:
        super().__init__()
        self.predictor = cast(nn.Module, predictor)
        self.horizon = horizon

    def forward(self, context: Tensor, actions: Tensor | None = None, noise: Tensor | None = None) -> Tensor:
        return cast(Any, self.predictor).rollout(context, self.horizon, actions, noise=noise).frames


TARGETS = {"latents": Latents, "state": States, "normalisation": Normalisation, "weights": Weights}


def target_named(name: str, pattern: str | None = None) -> Target:
    """A target of the table. Raises OptionError for a name that is not in it or a pattern that cannot be used."""
    if name not in TARGETS:
        raise OptionError(f'there is no adaptation target "{name}"; there are: {", ".join(TARGETS)}')
    if pattern is None:
        return cast(Target, TARGETS[name]())
    if name not in ("normalisation", "weights"):
        raise OptionError(f'the target "{name}" takes no pattern; "normalisation" and "weights" do')
    _compiled(pattern)
    return cast(Target, cast(Any, TARGETS[name])(pattern))


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as problem:
        raise OptionError(f'the pattern "{pattern}" is no regular expression: {problem}') from problem


def _module(predictor: Predictor) -> nn.Module:
    if not isinstance(predictor, nn.Module):
        raise PredictorError('a predictor that is no torch module has no layers to adapt; take the target "latents"')
    return predictor


def _channels(name: str, layer: nn.Module) -> int:
    if isinstance(layer, nn.GroupNorm):
        return layer.num_channels
    if isinstance(layer, nn.LayerNorm):
        return int(layer.normalized_shape[-1])
    size = cast(Any, layer).num_features
    if not size:
        raise PredictorError(f"the norm layer {name} does not know its channels")
    return int(size)


def _per_clip(out: Tensor, value: Tensor, layer: nn.Module) -> Tensor:
    """[B, C] broadcast to a norm layer's output, whose first axis is the clips with time folded in behind them."""
    if len(out) % len(value):
        raise PredictorError(
            f"a norm layer sees {len(out)} rows for {len(value)} clips; fold time behind the clips, row b * T + t"
        )
    rows = value.repeat_interleave(len(out) // len(value), 0)
    if isinstance(layer, nn.LayerNorm):
        return rows.reshape(len(out), *[1] * (out.ndim - 2), -1)
    return rows.reshape(len(out), -1, *[1] * (out.ndim - 2))
