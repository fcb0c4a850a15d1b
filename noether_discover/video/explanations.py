"""What a learned embedding looks at: its principal components, and where on the frame each comes from.

N stacks of k frames, C channels, H height, W width; M outputs, d numbers of an embedding, K components of them;
Q channels of a convolution, h, w its positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..errors import PredictorError


@dataclass(frozen=True)
class Components:
    """Principal components of an embedding, those that explain most first.

    mean [d]; directions [K, d], orthonormal, each with its largest entry positive (a component's sign means nothing);
    explained [K], shares of the variance that sum to 1.
    """

    mean: Tensor
    directions: Tensor
    explained: Tensor

    def project(self, g_Md: Tensor) -> Tensor:
        """An embedding's outputs in the basis of the components, [..., d] -> [..., K]."""
        return (g_Md - self.mean) @ self.directions.T


class Maps(NamedTuple):
    """Where raising (positive) and lowering (negative) of a component comes from, [..., H, W] each, in [0, 1].

    A component's sign is arbitrary, so both are part of the answer. The larger of the two has the maximum 1 in every
    frame, so that they can be compared with each other; a frame that a component does not see is 0 in both.
    """

    positive: Tensor
    negative: Tensor


def components(g_Md: Tensor) -> Components:
    """Principal components of an embedding's outputs [M, d]: K = min(d, M - 1) of them, found in float64.

    Raises PredictorError for fewer than two outputs, outputs that are not finite, and an embedding that gives the same
    everywhere.
    """
    if g_Md.ndim != 2 or len(g_Md) < 2:
        raise PredictorError(f"components need at least two outputs of an embedding, [M, d]; there are {[*g_Md.shape]}")
    g = g_Md.detach().double()
    if not g.isfinite().all():
        raise PredictorError("the embedding gives numbers that are not finite; it has no components")
    mean_d = g.mean(0)
    _, spread_K, directions_Kd = torch.linalg.svd(g - mean_d, full_matrices=False)
    # beyond the rounding of the mean nothing varies
    if spread_K[0] <= 1e-12 * len(g) ** 0.5 * g.abs().max():
        raise PredictorError("the embedding gives the same for every frame; it has no components")
    count = min(g.shape[1], len(g) - 1)
    directions_Kd, explained_K = directions_Kd[:count], spread_K[:count].square()
    largest_K1 = directions_Kd.abs().argmax(1, keepdim=True)
    directions_Kd = directions_Kd * directions_Kd.gather(1, largest_K1).sign()
    return Components(*(x.to(g_Md.dtype) for x in (mean_d, directions_Kd, explained_K / explained_K.sum())))


def last_conv(module: nn.Module) -> nn.Conv2d:
    """The convolution that a network holds last. Raises PredictorError when it has none."""
    found = [m for m in module.modules() if isinstance(m, nn.Conv2d)]
    if not found:
        raise PredictorError(
            "the embedding has no convolution (nn.Conv2d), so there is no map of where its numbers come from; "
            "explain it by its components only"
        )
    return found[-1]


def last_maps(module: nn.Module) -> nn.Module:
    """The layer whose maps Grad-CAM should weigh: the rectifier right after the last convolution, or the convolution.

    What a rectifier then cuts off is not an activation, but it would light up the map of the opposite sign. Only a
    rectifier that follows in the same `nn.Sequential` is found; name the layer where yours stands elsewhere.

    Raises PredictorError when there is no convolution.
    """
    conv = last_conv(module)
    for parent in module.modules():
        if isinstance(parent, nn.Sequential):
            for layer, following in zip(parent, list(parent)[1:], strict=False):
                if layer is conv and isinstance(following, nn.ReLU):
                    return following
    return conv


def grad_cam(embedding: nn.Module, layer: nn.Module, frames_NCHW: Tensor, direction_d: Tensor) -> Maps:
    """Where a component of an embedding comes from, in every stack of frames (Selvaraju et al. 2017); [N, H, W] twice.

    frames: N stacks of k frames, [N, k C, H, W]. direction: of the component, [d]. layer: a layer of the embedding
    with maps [N, Q, h, w], such as `last_maps(embedding)`.

        map = max(0, sum over Q of a_Q A_Q),     a_Q = mean over positions of d component / d A_Q

    and the same with -a_Q; drawn to the size of the frame bilinearly.

    The embedding is taken as it predicts (`eval()`), and left as it was: no hooks, no gradients of parameters.

    Raises PredictorError when the layer is not used, has no maps, or does not matter to the embedding.
    """
    positive_KNHW, negative_KNHW = _grad_cam(embedding, layer, frames_NCHW, direction_d[None])
    return Maps(positive_KNHW[0], negative_KNHW[0])


def component_maps(
    embedding: nn.Module, frames_NCHW: Tensor, of: Components, count: int = 6, layer: nn.Module | None = None
) -> Maps:
    """Grad-CAM of the first components (the paper's Figure 5: six), [K, N, H, W] twice; one pass through the embedding.

    layer: `last_maps(embedding)` by default. Raises PredictorError as `grad_cam` does.
    """
    chosen = last_maps(embedding) if layer is None else layer
    return _grad_cam(embedding, chosen, frames_NCHW, of.directions[:count])


def _grad_cam(embedding: nn.Module, layer: nn.Module, frames_NCHW: Tensor, directions_Kd: Tensor) -> Maps:
    seen: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, maps: Tensor) -> None:
        seen.append(maps)

    taught = [m for m in embedding.modules() if m.training]
    hook = layer.register_forward_hook(keep)
    try:
        embedding.eval()
        with torch.inference_mode(False), torch.enable_grad():
            # a gradient by the frames reaches every layer even where all parameters are frozen
            g_Nd = embedding(frames_NCHW.detach().clone().requires_grad_().clone())
            a_NQhw = _the_maps(seen)
            scores_K = (g_Nd @ directions_Kd.detach().clone().to(g_Nd).T).sum(0)
            slopes = [
                torch.autograd.grad(score, a_NQhw, retain_graph=True, allow_unused=True)[0]
                if score.requires_grad
                else None
                for score in scores_K
            ]
    finally:
        hook.remove()
        for module in taught:
            module.training = True
    if any(slope is None for slope in slopes):
        raise PredictorError("the embedding does not depend on the maps of this layer; name another layer")
    slopes_KNQhw = torch.stack([slope for slope in slopes if slope is not None])
    raw_KNhw = torch.einsum("knq,nqhw->knhw", slopes_KNQhw.mean((-2, -1)), a_NQhw.detach())
    positive, negative = (
        interpolate(part.clamp(min=0), frames_NCHW.shape[-2:], mode="bilinear") for part in (raw_KNhw, -raw_KNhw)
    )
    peak = torch.maximum(positive, negative).amax((-2, -1), keepdim=True)
    peak = torch.where(peak > 0, peak, 1)
    return Maps(positive / peak, negative / peak)


def _the_maps(seen: list[Tensor]) -> Tensor:
    """What the layer gave, the last time it was used."""
    if not seen:
        raise PredictorError("the embedding does not use this layer; name one that it calls")
    maps = seen[-1]
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        kind = list(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise PredictorError(f"the layer gives {kind}, not maps [N, channels, height, width]; name a convolution")
    return maps
