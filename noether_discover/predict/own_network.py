"""A user's own network: what it says, whether it says what it was said to, how it is taught and followed.

N states, K sequences, T samples of one, D state columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn

from ..errors import PredictorError
from .bench import Bench
from .predictors import Field, Pull, one_thread, runge_kutta

Predicts = Literal["derivative", "next"]

LIKE, UNLIKE = 0.01, 0.5
"""Mean squared errors, in squared deviations, of what a network surely predicts and surely does not."""


def first_line(problem: Exception) -> str:
    """What an error of somebody else's code says, in a line."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:120]


def said(module: nn.Module, x_ND: Tensor, outputs: int, parameters: Mapping[str, Tensor] | None = None) -> Tensor:
    """What a module puts out at states [N, D] in its own precision, [N, outputs] in the states'.

    parameters: instead of its own, by name. Raises PredictorError for an output of another shape.
    """
    dtype = next((p.dtype for p in module.parameters()), x_ND.dtype)
    if parameters is None:
        out = module(x_ND.to(dtype))
    else:
        out = torch.func.functional_call(module, dict(parameters), (x_ND.to(dtype),))
    wanted = (*x_ND.shape[:-1], outputs)
    if not isinstance(out, Tensor) or out.shape != wanted:
        shown = tuple(out.shape) if isinstance(out, Tensor) else f"a {type(out).__name__}"
        raise PredictorError(f"the network puts out {shown} for states {tuple(x_ND.shape)}; wanted is {wanted}")
    return out.to(x_ND.dtype)


def introduced(module: nn.Module, x_ND: Tensor, outputs: int) -> None:
    """Raises PredictorError unless a module has an output [N, outputs] for states [N, D]."""
    elsewhere = {p.device.type for p in module.parameters()} - {"cpu"}
    if elsewhere:
        raise PredictorError(f"the network is on {elsewhere.pop()}, and laws are computed by the processor; use .cpu()")
    try:
        with torch.no_grad(), evaluating(module):
            said(module, x_ND, outputs)
    except PredictorError:
        raise
    except Exception as problem:  # it is the user's own code
        raise PredictorError(f"the network cannot take states {tuple(x_ND.shape)} ({first_line(problem)})") from problem


def look_at_the_kind(out_ND: Tensor, predicts: Predicts, bench: Bench) -> None:
    """Raises PredictorError when a trained network puts out the other kind of prediction at a bench's states."""
    scales, rate_ND = bench.scales, bench.rates_of_change
    as_rates = float(((out_ND - rate_ND) / scales.speed).square().mean())
    as_states = float(((out_ND - bench.states - bench.step * rate_ND) / scales.spread).square().mean())
    if predicts == "derivative" and as_states < LIKE < UNLIKE < as_rates:
        raise PredictorError('the network\'s output looks like the next state, not dx/dt: say predicts="next"')
    if predicts == "next" and as_rates < LIKE < UNLIKE < as_states:
        raise PredictorError('the network\'s output looks like dx/dt, not the next state: say predicts="derivative"')


@contextmanager
def evaluating(module: nn.Module | None) -> Iterator[None]:
    """A module in evaluation mode inside: no dropout, and no batch's own statistics."""
    modes = {} if module is None else {part: part.training for part in module.modules()}
    try:
        for part in modes:
            part.training = False
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode


def taught(module: nn.Module, loss: Callable[[], Tensor], epochs: int, rate: float, seed: int) -> None:
    """Full-batch Adam steps on a module's own parameters; the last half of the weights is averaged.

    seed: of dropout. Raises PredictorError when no gradient reaches the parameters, or there is none.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    if not parameters:
        raise PredictorError("the network has no parameters to train; use epochs=0")
    adam = torch.optim.Adam(parameters, lr=rate)
    sums = [torch.zeros_like(p, dtype=torch.float64) for p in parameters]
    averaged = max(epochs // 2, 1)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for epoch in range(epochs):
            adam.zero_grad()
            _backward(loss(), parameters)
            adam.step()
            if epoch >= epochs - averaged:
                for total, p in zip(sums, parameters, strict=True):
                    total += p.detach()
    with torch.no_grad():
        for total, p in zip(sums, parameters, strict=True):
            p.copy_((total / averaged).to(p.dtype))
    adam.zero_grad()


def _backward(loss: Tensor, parameters: Sequence[nn.Parameter]) -> None:
    try:
        if loss.requires_grad:
            loss.backward()
    except RuntimeError as problem:
        raise PredictorError(
            f"the network cannot be differentiated as training needs it ({first_line(problem)}); inner steps need "
            'second derivatives, method="projection" does not; epochs=0 needs none'
        ) from problem
    if all(p.grad is None for p in parameters):
        raise PredictorError(
            "no gradient reaches the network's parameters; is something in it detached? "
            "Use epochs=0 to leave it as it is"
        )


def followed(
    f: Field, x0_KD: Tensor, times_KT: Tensor, predicts: Predicts, parts_T: Sequence[int], pull: Pull | None = None
) -> Tensor:
    """Rollouts [K, T, D] from first states, with their graph.

    A field makes Runge-Kutta steps, each divided into so many parts; a network of next states makes its own steps.
    pull: what is done to each predicted state.
    """
    x, states = x0_KD, [x0_KD]
    since_KT = times_KT - times_KT[:, :1]
    for number, (step_K, parts) in enumerate(zip(times_KT.diff(dim=-1).unbind(-1), parts_T, strict=True), start=1):
        if predicts == "next":
            x = f(x)
        else:
            for _ in range(parts):
                x = runge_kutta(f, x, step_K[:, None] / parts)
        if pull is not None:
            x = pull(x, x0_KD, since_KT[:, number])
        states.append(x)
    return torch.stack(states, dim=-2)
