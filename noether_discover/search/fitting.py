"""All parameters of all formulas, fitted to the least ratio of within-trajectory to reference variance.

Linear parameters are solved exactly (`gram`); the others by Levenberg-Marquardt from several starts, all formulas
together (`programs`). Both work on any `Frame`, so that the same code screens on a subsample, polishes on everything,
refits on random sequences and refines against the noise.

Legend: F formulas, S starts, P parameters, N points, M features.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
import torch
from noether_dsl.formula import PARAMETER, Formula, node
from noether_dsl.operators import OPERATORS
from noether_dsl.reading import evaluate
from numpy.typing import NDArray
from torch import Tensor

from .conservation import Frame
from .gram import linear, solve
from .programs import Features, Programs

Array = NDArray[np.float64]

STARTS = 24
"""Random starts of a formula with nonlinear parameters; the best few are followed."""
FOLLOWED = 3
FIRST_STEPS, MORE_STEPS = 6, 24
HOPELESS = 0.7
"""A formula whose best start is still above this ratio after the first steps is not followed further."""
_BYTES_AT_ONCE = 150e6

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Fits:
    """F fitted formulas.

    parameters: for each formula its parameters, left to right.
    ratio_F: the least ratio found, infinite where the formula has no finite value or no variance.
    """

    parameters: tuple[tuple[float, ...], ...]
    ratio_F: Array


def fit(formulas: Sequence[Formula], frame: Frame, seed: int = 0, progress: Progress | None = None) -> Fits:
    """Fit every formula from scratch in one frame.

    progress: called with the number of formulas that were finished since the last call.
    """
    parameters: list[tuple[float, ...]] = [()] * len(formulas)
    ratio_F = np.full(len(formulas), np.inf)
    kinds = [_kind(formula) for formula in formulas]
    for kind, fitter in (("plain", _fit_plain), ("linear", _fit_linear), ("nonlinear", _fit_nonlinear)):
        rows = [i for i, k in enumerate(kinds) if k == kind]
        if not rows:
            continue
        for some in _chunks(rows, 2048 if kind == "nonlinear" else 4096):
            found = fitter([formulas[i] for i in some], frame, seed)
            for i, values, ratio in zip(some, found.parameters, found.ratio_F, strict=True):
                parameters[i], ratio_F[i] = values, ratio
            if progress is not None:
                progress(len(some))
    return Fits(tuple(parameters), ratio_F)


def refine(
    formulas: Sequence[Formula], starts: Sequence[tuple[float, ...]], frame: Frame, steps: int = MORE_STEPS
) -> Fits:
    """Fit every formula in one frame, from given parameters."""
    parameters: list[tuple[float, ...]] = []
    ratio: list[float] = []
    points = len(next(iter(frame.columns.values())))
    most_nodes = max(int(_BYTES_AT_ONCE / (8 * points)), 1)
    begin = 0
    while begin < len(formulas):
        end, nodes = begin + 1, formulas[begin].nodes
        while end < len(formulas) and nodes + formulas[end].nodes <= most_nodes:
            nodes += formulas[end].nodes
            end += 1
        some = _refine(formulas[begin:end], starts[begin:end], frame, steps)
        parameters += some.parameters
        ratio += some.ratio_F.tolist()
        begin = end
    return Fits(tuple(parameters), np.array(ratio))


def _refine(formulas: Sequence[Formula], starts: Sequence[tuple[float, ...]], frame: Frame, steps: int) -> Fits:
    features = Features()
    programs = Programs(formulas, features)
    values_MN = torch.from_numpy(features.values(frame.columns))
    theta_FSP = torch.zeros((len(formulas), 1, programs.parameters), dtype=torch.float64)
    for row, start in enumerate(starts):
        theta_FSP[row, 0, : len(start)] = torch.tensor(start, dtype=torch.float64)
    theta_FSP, cost_FS = levenberg_marquardt(programs, theta_FSP, values_MN, frame, steps)
    return _fits(formulas, theta_FSP[:, 0], cost_FS[:, 0])


def ratios(formulas: Sequence[Formula], parameters: Sequence[tuple[float, ...]], frame: Frame) -> Array:
    """The ratio of every formula at its parameters, [F]."""
    return np.array(
        [
            float(frame.ratio(torch.from_numpy(values(formula, given, frame.columns))))
            for formula, given in zip(formulas, parameters, strict=True)
        ]
    )


def _kind(formula: Formula) -> str:
    if not formula.inputs:
        return "constant"
    if formula.parameters == 0:
        return "plain"
    return "linear" if is_linear(formula) else "nonlinear"


def is_linear(formula: Formula) -> bool:
    """Whether the parameters, if any, are coefficients that `gram` solves for."""
    form = linear(formula)
    return form is not None and bool(form.fixed) and None not in form.free


def _chunks(rows: list[int], size: int) -> list[list[int]]:
    return [rows[i : i + size] for i in range(0, len(rows), size)]


def _fits(formulas: Sequence[Formula], theta_FP: Tensor, ratio_F: Tensor) -> Fits:
    return Fits(
        tuple(tuple(theta[: f.parameters].tolist()) for f, theta in zip(formulas, theta_FP, strict=True)),
        ratio_F.numpy(),
    )


def _fit_plain(formulas: Sequence[Formula], frame: Frame, seed: int) -> Fits:
    features = Features()
    for formula in formulas:
        features.number(formula)
    values_MN = torch.from_numpy(features.values(frame.columns))
    ratio_M = frame.ratio(values_MN)
    return Fits(((),) * len(formulas), ratio_M.numpy()[[features.numbers[f] for f in formulas]])


def _fit_linear(formulas: Sequence[Formula], frame: Frame, seed: int) -> Fits:
    features = Features()
    forms = []
    for formula in formulas:
        form = linear(formula)
        assert form is not None
        forms.append(
            (
                [(sign, features.number(part)) for sign, part in form.fixed],
                [features.number(part) for part in form.free if part is not None],
            )
        )
    values_MN = torch.from_numpy(features.values(frame.columns))
    parameters: list[tuple[float, ...]] = [()] * len(formulas)
    ratio_F = np.full(len(formulas), np.inf)
    for size in sorted({len(free) for _, free in forms}):
        rows = [i for i, (_, free) in enumerate(forms) if len(free) == size]
        first_FN = torch.stack([sum(sign * values_MN[k] for sign, k in forms[i][0]) for i in rows])  # type: ignore[misc]
        rest_FPN = values_MN[torch.tensor([forms[i][1] for i in rows])]
        theta_FP, ratio = solve(torch.cat([first_FN[:, None], rest_FPN], dim=1), frame)
        for i, theta, r in zip(rows, theta_FP, ratio, strict=True):
            parameters[i], ratio_F[i] = tuple(theta.tolist()), float(r)
    return Fits(tuple(parameters), ratio_F)


def _fit_nonlinear(formulas: Sequence[Formula], frame: Frame, seed: int) -> Fits:
    """Random starts of a sensible size, a few steps from the best ones, more steps for those that get anywhere."""
    features = Features()
    programs = Programs(formulas, features)
    values_MN = torch.from_numpy(features.values(frame.columns))
    theta_FSP = _starts(formulas, programs, features, values_MN, seed)
    cost_FS = _costs(programs, theta_FSP, values_MN, frame)
    best_FS = cost_FS.argsort(dim=1, stable=True)[:, :FOLLOWED]
    theta_FSP = torch.gather(theta_FSP, 1, best_FS[..., None].expand(-1, -1, theta_FSP.shape[-1]))
    theta_FSP, cost_FS = levenberg_marquardt(programs, theta_FSP, values_MN, frame, FIRST_STEPS)
    best_F = cost_FS.argmin(dim=1)
    rows = torch.arange(len(formulas))
    theta_FP, cost_F = theta_FSP[rows, best_F], cost_FS[rows, best_F]
    hopeful = torch.nonzero(cost_F < HOPELESS)[:, 0].tolist()
    if hopeful:
        some = Programs([formulas[i] for i in hopeful], features)
        start = theta_FP[hopeful][:, None, : some.parameters]
        theta, cost = levenberg_marquardt(some, start, values_MN, frame, MORE_STEPS)
        theta_FP[hopeful, : some.parameters], cost_F[hopeful] = theta[:, 0], cost[:, 0]
    return _fits(formulas, theta_FP, cost_F)


def _costs(programs: Programs, theta_FSP: Tensor, values_MN: Tensor, frame: Frame) -> Tensor:
    """The ratio of every start, [F, S], in slices of starts that fit into memory."""
    starts = theta_FSP.shape[1]
    step = max(int(_BYTES_AT_ONCE / (programs.size * values_MN.shape[1] * 8)), 1)
    return torch.cat(
        [frame.ratio(programs.values(theta_FSP[:, s : s + step], values_MN)) for s in range(0, starts, step)], dim=1
    )


def levenberg_marquardt(
    programs: Programs, theta_FSP: Tensor, values_MN: Tensor, frame: Frame, steps: int
) -> tuple[Tensor, Tensor]:
    """Damped Gauss-Newton on the scale-free residual numerator / |denominator|, for all formulas and starts at once.

    Returns the parameters [F, S, P] and the ratio [F, S]; a start that meets no finite value keeps an infinite ratio.
    """
    if programs.parameters == 0:
        return theta_FSP, frame.ratio(programs.values(theta_FSP, values_MN))
    theta_FSP = theta_FSP.clone()
    used_FP = programs.used_FP[:, None, :].to(torch.float64)
    damping_FS = torch.full(theta_FSP.shape[:2], 1e-2, dtype=torch.float64)
    cost_FS = torch.full_like(damping_FS, torch.inf)
    for _ in range(steps):
        g, slopes = programs.values_and_jacobian(theta_FSP, values_MN)
        u, v = frame.numerator(g), frame.denominator(g)
        norm = v.square().sum(-1).sqrt()
        cost_FS = frame.ratio(g)
        slope_u, slope_v = frame.numerator(slopes), frame.denominator(slopes)
        inner = (slope_v * v[..., None, :]).sum(-1)
        r = u / norm[..., None]
        slope_r = slope_u / norm[..., None, None] - r[..., None, :] * (inner / norm[..., None].square())[..., None]
        slope_r = torch.nan_to_num(slope_r, nan=0.0, posinf=0.0, neginf=0.0)
        gradient = (slope_r * torch.nan_to_num(r, nan=0.0, posinf=0.0, neginf=0.0)[..., None, :]).sum(-1)
        normal = slope_r @ slope_r.transpose(-1, -2)
        diagonal = normal.diagonal(dim1=-2, dim2=-1)
        ridge = damping_FS[..., None] * diagonal + 1e-30 + (1.0 - used_FP) + (diagonal == 0)
        # solve_ex: one formula that cannot be solved takes no step, and does not stop the others
        step = torch.linalg.solve_ex(normal + torch.diag_embed(ridge), gradient[..., None])[0][..., 0] * used_FP
        trial_FSP = theta_FSP - torch.nan_to_num(step, nan=0.0, posinf=0.0, neginf=0.0)
        trial_FS = frame.ratio(programs.values(trial_FSP, values_MN))
        better = trial_FS < cost_FS
        settled = (cost_FS - trial_FS).abs() <= 1e-9 * cost_FS
        theta_FSP = torch.where(better[..., None], trial_FSP, theta_FSP)
        cost_FS = torch.where(better, trial_FS, cost_FS)
        damping_FS = torch.where(better, damping_FS / 5, damping_FS * 6).clamp(1e-15, 1e15)
        if bool((settled | ~torch.isfinite(cost_FS)).all()):
            break
    return theta_FSP, cost_FS


def _starts(
    formulas: Sequence[Formula], programs: Programs, features: Features, values_MN: Tensor, seed: int
) -> Tensor:
    """STARTS sets of parameters for each formula, [F, S, P]: natural sizes times random factors of both signs.

    The factors depend on the seed and a parameter's place only, so that a formula starts alike in any company.
    """
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(np.log(0.1), np.log(8.0), (STARTS, 16)))
    factor_SP = torch.from_numpy(size * rng.choice([-1.0, 1.0], (STARTS, 16)))[:, : programs.parameters]
    factor_SP = factor_SP if programs.parameters <= 16 else factor_SP.repeat(1, -(-programs.parameters // 16))
    rms_M = _sizes(values_MN)
    sizes_FP = torch.zeros((len(formulas), programs.parameters), dtype=torch.float64)
    for row, formula in enumerate(formulas):
        natural = _natural_sizes(formula, lambda part: hypot(*rms_M[features.rows(part)]))
        sizes_FP[row, : len(natural)] = torch.tensor(natural, dtype=torch.float64)
    return sizes_FP[:, None, :] * factor_SP[None, :, : programs.parameters]


def _sizes(values_MN: Tensor) -> list[float]:
    """The typical size of each feature: the median of its absolute values, 1 where there is none."""
    size_M = values_MN.abs().nan_to_num(nan=0.0, posinf=0.0).median(dim=1).values
    return torch.where((size_M > 0) & torch.isfinite(size_M), size_M, 1.0).tolist()


def _natural_sizes(formula: Formula, size_of: Callable[[Formula], float]) -> list[float]:
    """What size each parameter must have to matter: arguments of functions near 1, terms of a sum alike."""
    found: list[float] = []

    def known(part: Formula) -> float | None:
        return size_of(part) if part.parameters == 0 else None

    def down(part: Formula, wanted: float | None) -> None:
        if part.parameters == 0:
            return
        if part.head == PARAMETER:
            found.append(1.0 if wanted is None else wanted)
        elif len(part.operands) == 1:
            power = OPERATORS[part.head].units.power
            down(part.operands[0], 1.0 if power is None else None if wanted is None else wanted ** float(1 / power))
        else:
            left, right = part.operands
            a, b = known(left), known(right)
            if part.head in ("add", "sub"):
                down(left, b if b is not None else wanted)
                down(right, a if a is not None else wanted)
            elif part.head == "mul" or OPERATORS[part.head].linear:
                down(left, None if wanted is None else wanted / (b or 1.0))
                down(right, None if wanted is None else wanted / (a or 1.0))
            else:
                down(left, None if wanted is None else wanted * (b or 1.0))
                down(right, None if wanted is None else (a or 1.0) / wanted)

    down(formula, None)
    return found


def natural_sizes(formula: Formula, columns: Mapping[str, Array]) -> list[float]:
    """For each parameter the size at which it matters, from the sizes of the parameter-free parts at these points."""

    def size_of(part: Formula) -> float:
        number = node("norm", part) if part.rank else part
        return _sizes(torch.from_numpy(values(number, (), columns))[None])[0]

    return _natural_sizes(formula, size_of)


def uncertainty(formula: Formula, parameters: tuple[float, ...], frame: Frame) -> tuple[float, ...]:
    """One standard error per parameter, in its unit; infinite where the data do not determine it, nan where the
    formula has no value at some measured state, such as the logarithm of a number that noise made negative.

    Gauss-Newton, with the scatter of the score between sequences (they are the independent units).

    At the optimum of |u|^2/|v|^2 = q the score of sequence k is u_k.dU_k - q v_k.dV_k, the curvature dU'dU - q dV'dV.
    """
    if not parameters:
        return ()
    features = Features()
    programs = Programs([formula], features)
    theta = torch.tensor([[parameters]], dtype=torch.float64)
    g, slopes = programs.values_and_jacobian(theta, torch.from_numpy(features.values(frame.columns)))
    g, slopes = g[0, 0], slopes[0, 0]
    u, v, slope_u, slope_v = (
        frame.numerator(g), frame.denominator(g), frame.numerator(slopes), frame.denominator(slopes)
    )  # fmt: skip
    q = float(u.square().sum() / v.square().sum())
    score_PN = slope_u * u
    if v.shape[-1] % frame.samples == 0 and frame.reference != "points":
        score_PN = score_PN - q * (slope_v * v).unflatten(-1, (-1, frame.samples)).sum(-2)
    score_PK = torch.zeros((len(parameters), frame.sequences), dtype=torch.float64)
    score_PK.index_add_(1, frame.sequence_N, score_PN)
    score_PK -= score_PK.mean(dim=1, keepdim=True)
    curvature = slope_u @ slope_u.T - q * slope_v @ slope_v.T
    size = curvature.diagonal().abs().sqrt().clamp(min=1e-300)
    scaled = curvature / size[:, None] / size
    if not bool(torch.isfinite(scaled).all()):
        return (float("nan"),) * len(parameters)
    if float(torch.linalg.eigvalsh(scaled)[0]) < 1e-12:
        return (float("inf"),) * len(parameters)
    inverse = torch.linalg.inv(scaled) / size[:, None] / size
    freedom = max(frame.sequences - 1, 1)
    covariance = inverse @ (score_PK @ score_PK.T) @ inverse * frame.sequences / freedom
    return tuple(covariance.diagonal().clamp(min=0.0).sqrt().tolist())


def values(formula: Formula, parameters: tuple[float, ...], columns: Mapping[str, Array]) -> Array:
    """One formula's values at points."""
    size = len(next(iter(columns.values())))
    with np.errstate(all="ignore"):
        return np.broadcast_to(evaluate(formula, columns, parameters), (size,)).astype(np.float64)
