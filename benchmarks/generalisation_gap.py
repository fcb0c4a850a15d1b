"""Claim: a predictor made to conserve d - m quantities has a train/test gap in proportion to m, the dimension of the
preimages, whether the laws are true or not. The bound of Theorem 1 (Alet et al. 2021, section 2) lies far above it; it
falls with m and n about as the gap of the worst predictor of the class does, and slower than that of the trained one.

    python benchmarks/generalisation_gap.py

Part A is the theorem's own setting. f(x) = x + v with |v| <= R; enforcing the laws leaves v in span(A), A in R^(d x m).
Targets are y = x + v* + e, e uniform in a cube (variance sigma^2 a coordinate), so that the squared error is bounded on
the class without clipping. x drops out of the loss, which is that of u = y - x = v* + e. Trained means the exact
minimiser of the empirical risk: P mean(u), P the projection on span(A), drawn back to the ball where it is outside. So

    E test   =  |(1 - P) v*|^2 + d sigma^2 + m sigma^2 / n      since P mean(u) - P v* = P mean(e)
    E train  =  |(1 - P) v*|^2 + d sigma^2 - m sigma^2 / n      since it is the mean of those n examples
    E gap    =  2 sigma^2 m / n,  true law or not               (exact as long as the ball is not reached)

The difference psi(v) of expected and training loss is linear in v, so its supremum over the class is known too:
psi(0) + 2 R |P mean(e)|, in the mean 2 R sigma E[chi_m] / sqrt(n) for normal e. This worst gap is what Theorem 1 is
about. Without enforced laws the class is the same for every m; with m = d nothing is enforced.

The bound's constants: C = (R + max |u|)^2, the smallest upper bound of the loss for the free class; zeta = 2 max |e|,
since |grad psi| = 2 |mean(e)|, which depends on the draw while the covering in the proof must not; both are kept for
every m, so that only xi changes. rho is the positive integer up to 50 that makes the bound smallest, for each m and n.

Part B is a learned predictor, beyond the theorem (its loss is unbounded). x' = M x in R^d, M turns m / 2 planes and
leaves d - m directions alone: so many linear laws. Both states are measured with noise; a linear map K is fitted by
least squares to n pairs. Enforcing means projecting the predicted increment: K = 1 + P (K_free - 1), which is also the
least-squares fit within the class. With x normal, the residual of K_free is independent of the measured state and has
variance s^2 = sigma^2 + sigma^2 / (1 + sigma^2) a coordinate, so for n > d + 1

    E gap    =  m s^2 d (1/n + 1/(n - d - 1)),  true law or not

A wrong law is a random P of the same rank, in both parts.

Test losses are expectations, in closed form for each trained predictor, and checked on one large drawn test set. The
gap of a fixed predictor has mean zero; that of the best one in the class is subtracted where "paired" is written, which
leaves the expectation and takes away most of the scatter between seeds. Intervals: 95 %, bootstrap over seeds.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one core, before numpy starts its threads

import re
import time
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import record

# Shapes: S seeds, N examples, D state, M dimensions m, L numbers of examples n, B bootstrap resamples, G laws.

NAME = "generalisation_gap"
D = 8
DELTA = 0.05
RESAMPLES = 1000
DRAWN_TEST = 1_000_000

SHIFT_SEEDS, SHIFT_CHUNK = 20_000, 500
SHIFT_SIGMA = 1.0
SHIFT_HALF_WIDTH = np.sqrt(3) * SHIFT_SIGMA
SHIFT_RADIUS = 2.0
SHIFT_LENGTH = 0.5  # |v*|
SHIFT_M = np.arange(D + 1)
SHIFT_N = 2 ** np.arange(3, 11)

MAP_SEEDS, MAP_CHUNK = 1000, 50
MAP_SIGMA = 0.1
MAP_M = np.arange(0, D + 1, 2)
MAP_N = 2 ** np.arange(4, 13)


@dataclass(frozen=True)
class Measured:
    """Losses of the trained predictors, seed by seed; the last law is "free", the same class for every m."""

    laws: tuple[str, ...]
    m_M: np.ndarray
    n_L: np.ndarray
    train_SGML: np.ndarray
    test_SGML: np.ndarray
    best_SGML: np.ndarray  # gap of the best predictor of the class
    worst_SGML: np.ndarray | None  # largest gap in the class
    at_the_border: float  # share of trained predictors that the ball held back
    drawn_test_off: float  # drawn test set against expectation, relative

    @property
    def gap(self) -> np.ndarray:
        """Test loss less training loss."""
        return self.test_SGML - self.train_SGML

    @property
    def paired(self) -> np.ndarray:
        """The gap less that of the best predictor of the class: the same expectation, less scatter."""
        return self.gap - self.best_SGML


@lru_cache(maxsize=2)
def weights(seeds: int) -> np.ndarray:
    """How often each seed is drawn in each resample, over their number [B, S]."""
    return np.random.default_rng(0).multinomial(seeds, np.full(seeds, 1 / seeds), size=RESAMPLES) / seeds


def resample(values_S: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean over seeds, and RESAMPLES means over seeds drawn with replacement, the same seeds for every column."""
    seeds = len(values_S)
    means_B = weights(seeds) @ values_S.reshape(seeds, -1)
    return values_S.mean(axis=0), means_B.reshape(RESAMPLES, *values_S.shape[1:])


def interval(values_B: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middle 95 % over resamples."""
    low, high = np.quantile(values_B, (0.025, 0.975), axis=0)
    return low, high


def exponents(gap_ML: np.ndarray, m_M: np.ndarray, n_L: np.ndarray) -> np.ndarray:
    """a and b of gap ~ m^a n^b, least squares in logarithms over m >= 1; leading axes are kept."""
    moving = m_M > 0
    m_K, n_K = (grid.ravel() for grid in np.meshgrid(m_M[moving], n_L, indexing="ij"))
    terms_K3 = np.stack([np.ones(len(m_K)), np.log(m_K), np.log(n_K)], axis=-1)
    logs_K = np.log(gap_ML[..., moving, :]).reshape(*gap_ML.shape[:-2], len(m_K))
    return (logs_K @ np.linalg.pinv(terms_K3).T)[..., 1:]


# --- Part A: a constant shift ---------------------------------------------------------------------------------------


def true_shift() -> np.ndarray:
    """v*, one vector for all seeds; the laws are drawn anew for each."""
    v_D = np.random.default_rng(0).normal(size=D)
    return SHIFT_LENGTH * v_D / np.linalg.norm(v_D)


def into_ball(v_SMD: np.ndarray) -> np.ndarray:
    """The nearest shift of length R or less."""
    length_SM = np.linalg.norm(v_SMD, axis=-1, keepdims=True)
    return v_SMD * np.minimum(1, SHIFT_RADIUS / np.maximum(length_SM, 1e-300))


def shift_loss(v_SMD: np.ndarray, power_S: Any, mean_SD: np.ndarray) -> np.ndarray:
    """Mean of |u - v|^2, from the mean of |u|^2 and the mean of u: over examples, or over their distribution."""
    return np.asarray(power_S)[..., None] - 2 * (v_SMD * mean_SD[:, None]).sum(-1) + (v_SMD**2).sum(-1)


def measure_shift() -> Measured:
    """Train on the first n of each seed's examples, for nested laws of every m: true ones, random ones, and none."""
    v_D = true_shift()
    true_power = SHIFT_LENGTH**2 + D * SHIFT_SIGMA**2
    shape = (SHIFT_SEEDS, 3, len(SHIFT_M), len(SHIFT_N))
    train, test, best, worst = (np.empty(shape) for _ in range(4))
    held_back, drawn_off = 0, 0.0
    nested_MD = (np.arange(D) < SHIFT_M[:, None]).astype(float)
    for chunk in range(SHIFT_SEEDS // SHIFT_CHUNK):
        rng = np.random.default_rng([1, chunk])
        rows = slice(chunk * SHIFT_CHUNK, (chunk + 1) * SHIFT_CHUNK)
        u_SND = v_D + rng.uniform(-SHIFT_HALF_WIDTH, SHIFT_HALF_WIDTH, size=(SHIFT_CHUNK, SHIFT_N[-1], D))
        frames_SDD = rng.normal(size=(SHIFT_CHUNK, D, D))
        random_SDD = np.linalg.qr(frames_SDD).Q
        frames_SDD[..., 0] = v_D  # the first column of Q is then v* but for its length: in span(A) for every m >= 1
        true_SDD = np.linalg.qr(frames_SDD).Q
        laws = ((true_SDD, nested_MD), (random_SDD, nested_MD), (random_SDD, np.ones_like(nested_MD)))
        for column, n in enumerate(SHIFT_N):
            power_S, mean_SD = (u_SND[:, :n] ** 2).sum(-1).mean(-1), u_SND[:, :n].mean(1)
            for law, (basis_SDD, open_MD) in enumerate(laws):
                # In coordinates of the basis, where projecting on span(A) is keeping the first m.
                own_SD, v_SD = np.einsum("sdb,sd->sb", basis_SDD, mean_SD), np.einsum("sdb,d->sb", basis_SDD, v_D)
                within_SMD = own_SD[:, None] * open_MD
                trained_SMD, best_SMD = into_ball(within_SMD), into_ball(v_SD[:, None] * open_MD)
                held_back += int((np.linalg.norm(within_SMD, axis=-1) > SHIFT_RADIUS).sum())
                at = (rows, law, slice(None), column)
                train[at] = shift_loss(trained_SMD, power_S, own_SD)
                test[at] = shift_loss(trained_SMD, true_power, v_SD)
                best[at] = shift_loss(best_SMD, true_power, v_SD) - shift_loss(best_SMD, power_S, own_SD)
                off_SMD = (own_SD - v_SD)[:, None] * open_MD
                worst[at] = (true_power - power_S)[:, None] + 2 * SHIFT_RADIUS * np.linalg.norm(off_SMD, axis=-1)
                if chunk == 0 and law == 0 and column == 0:
                    shift_D = np.einsum("db,b->d", basis_SDD[0], trained_SMD[0, D // 2])
                    e_ND = rng.uniform(-SHIFT_HALF_WIDTH, SHIFT_HALF_WIDTH, size=(DRAWN_TEST, D))
                    drawn_off = float(((v_D + e_ND - shift_D) ** 2).sum(-1).mean() / test[0, 0, D // 2, 0] - 1)
    return Measured(
        ("true", "wrong", "free"), SHIFT_M, SHIFT_N, train, test, best, worst,
        held_back / train.size, drawn_off,
    )  # fmt: skip


def constants() -> dict[str, float]:
    """C, R, zeta and delta of the bound, as derived in the docstring."""
    corners = np.array(list(product((-SHIFT_HALF_WIDTH, SHIFT_HALF_WIDTH), repeat=D)))
    farthest = np.linalg.norm(true_shift() + corners, axis=-1).max()
    return {
        "C": float((SHIFT_RADIUS + farthest) ** 2),
        "R": SHIFT_RADIUS,
        "zeta": float(2 * SHIFT_HALF_WIDTH * np.sqrt(D)),
        "delta": DELTA,
    }


def bound(xi: Any, n: Any, C: float, R: float, zeta: float, delta: float) -> tuple[np.ndarray, np.ndarray]:
    """Equation 1 of Theorem 1, with the rho that makes it smallest, and that rho."""
    rho = np.arange(1, 51)
    xi, n = np.asarray(xi, float)[..., None], np.asarray(n, float)[..., None]
    covering = xi * np.log(np.maximum(np.sqrt(xi), 1)) + xi * np.log(2 * R * zeta ** (1 - 1 / rho) * np.sqrt(n))
    values = C * np.sqrt((covering + np.log(1 / delta)) / (2 * n)) + (xi >= 1) * np.sqrt(zeta ** (2 / rho) / n)
    return values.min(-1), rho[values.argmin(-1)]


def local_exponents(m_M: np.ndarray, n_L: np.ndarray, step: float = 1e-4) -> tuple[np.ndarray, np.ndarray]:
    """d ln bound / d ln m and d ln bound / d ln n at every m >= 1 and n (central differences)."""
    m_ML, n_ML = np.meshgrid(m_M[m_M > 0].astype(float), n_L.astype(float), indexing="ij")

    def slope(up: tuple[Any, Any], down: tuple[Any, Any]) -> np.ndarray:
        return (np.log(bound(*up, **constants())[0]) - np.log(bound(*down, **constants())[0])) / (2 * step)

    # m = 1 is the edge of the indicator and of max(sqrt(xi), 1); its derivative is taken from above.
    in_m = slope((m_ML * np.exp(2 * step), n_ML), (m_ML, n_ML))
    in_n = slope((m_ML, n_ML * np.exp(step)), (m_ML, n_ML * np.exp(-step)))
    return in_m, in_n


# --- Part B: a learned linear map -----------------------------------------------------------------------------------


def turning(m: int, angle_SP: np.ndarray, basis_SDD: np.ndarray) -> np.ndarray:
    """M: the last m basis vectors turn in m / 2 planes, the others stay."""
    turn_SDD = np.tile(np.eye(D), (len(angle_SP), 1, 1))
    for plane in range(m // 2):
        i, j = D - 2 * plane - 2, D - 2 * plane - 1
        turn_SDD[:, i, i] = turn_SDD[:, j, j] = np.cos(angle_SP[:, plane])
        turn_SDD[:, j, i] = np.sin(angle_SP[:, plane])
        turn_SDD[:, i, j] = -turn_SDD[:, j, i]
    return basis_SDD @ turn_SDD @ basis_SDD.swapaxes(1, 2)


def map_loss(K_SDD: np.ndarray, moments_SEE: np.ndarray) -> np.ndarray:
    """Mean of |y - K x|^2, from the second moments of (x, y): over examples, or over their distribution."""
    xx, xy, yy = moments_SEE[..., :D, :D], moments_SEE[..., :D, D:], moments_SEE[..., D:, D:]
    cross_S, own_S = np.einsum("sij,sji->s", K_SDD, xy), np.einsum("sij,sij->s", K_SDD @ xx, K_SDD)
    return np.einsum("sii->s", yy) - 2 * cross_S + own_S


def measure_map() -> Measured:
    """Fit K to the first n pairs of each seed, in worlds with d - m laws: with these, with wrong ones, with none."""
    one = np.eye(D)
    shape = (MAP_SEEDS, 3, len(MAP_M), len(MAP_N))
    train, test, best = (np.empty(shape) for _ in range(3))
    drawn_off = 0.0
    for chunk in range(MAP_SEEDS // MAP_CHUNK):
        rng = np.random.default_rng([2, chunk])
        rows = slice(chunk * MAP_CHUNK, (chunk + 1) * MAP_CHUNK)
        x_SND = rng.normal(size=(MAP_CHUNK, MAP_N[-1], D))
        seen_SND = x_SND + MAP_SIGMA * rng.normal(size=x_SND.shape)
        noise_SND = MAP_SIGMA * rng.normal(size=x_SND.shape)
        basis_SDD, wrong_SDD = (np.linalg.qr(rng.normal(size=(MAP_CHUNK, D, D))).Q for _ in range(2))
        angle_SP = rng.uniform(np.pi / 6, 5 * np.pi / 6, size=(MAP_CHUNK, D // 2))
        for row, m in enumerate(MAP_M):
            M_SDD = turning(m, angle_SP, basis_SDD)
            spans = (basis_SDD[..., D - m :], wrong_SDD[..., D - m :], np.tile(one, (MAP_CHUNK, 1, 1)))
            pairs_SNE = np.concatenate([seen_SND, x_SND @ M_SDD.swapaxes(1, 2) + noise_SND], axis=-1)
            full = (1 + MAP_SIGMA**2) * np.tile(one, (MAP_CHUNK, 1, 1))
            true_SEE = np.block([[full, M_SDD.swapaxes(1, 2)], [M_SDD, full]])
            for column, n in enumerate(MAP_N):
                moments_SEE = pairs_SNE[:, :n].swapaxes(1, 2) @ pairs_SNE[:, :n] / n
                free_SDD = np.linalg.solve(moments_SEE[:, :D, :D], moments_SEE[:, :D, D:]).swapaxes(1, 2)
                for law, span_SDM in enumerate(spans):
                    P_SDD = span_SDM @ span_SDM.swapaxes(1, 2)
                    K_SDD = one + P_SDD @ (free_SDD - one)
                    best_SDD = one + P_SDD @ (M_SDD / (1 + MAP_SIGMA**2) - one)
                    at = (rows, law, row, column)
                    train[at], test[at] = map_loss(K_SDD, moments_SEE), map_loss(K_SDD, true_SEE)
                    best[at] = map_loss(best_SDD, true_SEE) - map_loss(best_SDD, moments_SEE)
                    if chunk == 0 and law == 0 and column == 0 and m == D // 2:
                        z_ND = rng.normal(size=(DRAWN_TEST, D))
                        y_ND = z_ND @ M_SDD[0].T + MAP_SIGMA * rng.normal(size=z_ND.shape)
                        z_ND = z_ND + MAP_SIGMA * rng.normal(size=z_ND.shape)
                        drawn_off = float(((y_ND - z_ND @ K_SDD[0].T) ** 2).sum(-1).mean() / test[0, 0, row, 0] - 1)
    return Measured(("true", "wrong", "free"), MAP_M, MAP_N, train, test, best, None, 0.0, drawn_off)


# --- What was predicted, what was found -----------------------------------------------------------------------------


def predicted_shift() -> np.ndarray:
    """2 sigma^2 m / n."""
    return 2 * SHIFT_SIGMA**2 * SHIFT_M[:, None] / SHIFT_N


def predicted_map() -> np.ndarray:
    """m s^2 d (1/n + 1/(n - d - 1))."""
    s2 = MAP_SIGMA**2 + MAP_SIGMA**2 / (1 + MAP_SIGMA**2)
    return MAP_M[:, None] * s2 * D * (1 / MAP_N + 1 / (MAP_N - D - 1))


def map_tie() -> float:
    """The n at which enforcing a true law neither helps nor costs on test.

    Along a conserved direction the enforced map errs by 2 sigma^2, the fitted one by s^2 (1 + d / (n - d - 1)): less
    when n is large, since the best guess from a noisy reading is drawn towards the mean.
    """
    s2 = MAP_SIGMA**2 + MAP_SIGMA**2 / (1 + MAP_SIGMA**2)
    return D + 1 + D * s2 / (2 * MAP_SIGMA**2 - s2)


def table(part: str, data: Measured, analytic_ML: np.ndarray, bound_ML: np.ndarray | None) -> pd.DataFrame:
    """One row for each law, m and n; the free class's prediction is that of m = d."""
    columns: dict[str, Any] = {"train": data.train_SGML, "test": data.test_SGML, "gap": data.gap}
    columns["gap_paired"] = data.paired
    if data.worst_SGML is not None:
        columns["worst_gap"] = data.worst_SGML
    index = pd.MultiIndex.from_product([data.laws, data.m_M, data.n_L], names=["law", "m", "n"])
    rows = pd.DataFrame(index=index)
    for name, values in columns.items():
        mean, means_B = resample(values)
        low, high = interval(means_B)
        rows[name], rows[f"{name}_low"], rows[f"{name}_high"] = mean.ravel(), low.ravel(), high.ravel()
    free = {"true": slice(None), "wrong": slice(None), "free": [len(data.m_M) - 1] * len(data.m_M)}
    rows["gap_analytic"] = np.concatenate([analytic_ML[free[law]].ravel() for law in data.laws])
    if bound_ML is not None:
        rows["bound"] = np.concatenate([bound_ML[free[law]].ravel() for law in data.laws])
    rows = rows.reset_index()
    rows.insert(0, "part", part)
    rows.insert(1, "seeds", len(data.train_SGML))
    return rows


@dataclass(frozen=True)
class Statement:
    """A sentence that the numbers decide."""

    says: str
    holds: bool
    figures: str


def spelled(point: float, low: float, high: float, digits: int = 3) -> str:
    """A number with its 95 % interval."""
    return f"{point:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def steps_down(data: Measured, law: int) -> tuple[int, int]:
    """How many of the steps from one m to the next smaller one lower the gap, by more than the paired interval."""
    gap = data.paired[:, law]
    low, _ = interval(resample(gap[:, 1:] - gap[:, :-1])[1])
    return int((low > 0).sum()), low.size


def fitted(values_SML: np.ndarray, data: Measured) -> dict[str, list[float]]:
    """The exponents in m and n with their intervals."""
    mean, means_B = resample(values_SML)
    point, (low, high) = (
        exponents(mean, data.m_M, data.n_L),
        interval(exponents(means_B, data.m_M, data.n_L)),
    )
    return {axis: [float(point[i]), float(low[i]), float(high[i])] for i, axis in enumerate("mn")}


def examine(shift: Measured, linear: Measured) -> tuple[list[Statement], dict[str, Any]]:
    """Every statement of the claim against the numbers, and the numbers."""
    true, wrong, free = range(3)
    some = shift.m_M > 0
    facts: dict[str, Any] = {"constants of the bound": constants()}
    says: list[Statement] = []

    # A: the trained predictor.
    down, steps = steps_down(shift, true)
    m_ML, n_ML = np.meshgrid(shift.m_M, shift.n_L, indexing="ij")
    bound_ML, rho_ML = bound(m_ML, n_ML, **constants())
    mean_GML, _ = resample(shift.paired)
    ratio = mean_GML[true, some] / predicted_shift()[some]
    off = float(np.abs(ratio - 1).max())
    says.append(Statement(
        "A: enforced, the gap falls with every step of m from d to 0, at every n", down == steps,
        f"{down} of {steps} steps outside their interval",
    ))  # fmt: skip
    says.append(Statement(
        "A: the mean gap is 2 sigma^2 m / n, to 5 %", off < 0.05,
        f"at most {100 * off:.1f} % off in {ratio.size} cells; the ball held back "
        f"{100 * shift.at_the_border:.3f} % of trained shifts",
    ))  # fmt: skip
    low, high = interval(resample(shift.gap[:, true])[1])
    inside = (low <= predicted_shift()) & (predicted_shift() <= high)
    says.append(Statement(
        "A: so is the plain gap, nothing subtracted, within its interval in 9 of 10 cells or more",
        bool(inside.mean() >= 0.9), f"{inside.sum()} of {inside.size} cells",
    ))  # fmt: skip
    wrong_off = float(np.abs(mean_GML[wrong, some] / mean_GML[true, some] - 1).max())
    moved = slice(1, D)  # 0 < m < d: where the true and the wrong law differ
    train_gap = shift.train_SGML[:, wrong, moved] - shift.train_SGML[:, true, moved]
    more, more_B = resample(train_gap)
    expected = SHIFT_LENGTH**2 * (1 - shift.m_M[moved] / D)[:, None]
    says.append(Statement(
        "A: a wrong law has the same gap, to 5 %, and a larger training loss",
        wrong_off < 0.05 and bool((interval(more_B)[0] > 0).all()),
        f"gaps at most {100 * wrong_off:.1f} % apart; training loss larger by {more.min():.3f} to {more.max():.3f}, "
        f"`|v*|^2 (1 - m/d)` to {np.abs(more - expected).max():.1g}",
    ))  # fmt: skip
    tie = D * SHIFT_SIGMA**2 / SHIFT_LENGTH**2
    cost, cost_B = resample(shift.test_SGML[:, wrong, :D] - shift.test_SGML[:, free, :D])
    low, high = interval(cost_B)
    few, many = shift.n_L < tie, shift.n_L > tie
    says.append(Statement(
        f"A: on test, a wrong law helps while n < `d sigma^2 / |v*|^2` = {tie:.0f}, and costs beyond",
        bool((high[:, few] < 0).all() and (low[:, many] > 0).all()),
        f"m = {D // 2}: {cost[D // 2, 0]:+.3f} at n = {shift.n_L[0]}, {cost[D // 2, -1]:+.3f} at n = {shift.n_L[-1]}",
    ))  # fmt: skip

    # A: the bound.
    assert shift.worst_SGML is not None
    worst_SML = shift.worst_SGML[:, true]
    beyond = float((worst_SML > bound_ML).mean(axis=0).max())
    says.append(Statement(
        f"A: the worst gap of the class stays below the bound in {100 * (1 - DELTA):.0f} % of draws or more",
        beyond <= DELTA, f"at most {100 * beyond:.2g} % of draws above it",
    ))  # fmt: skip
    over_trained = bound_ML[some] / mean_GML[true, some]
    over_worst = bound_ML / np.quantile(worst_SML, 1 - DELTA, axis=0)
    fits = {
        "trained, enforced": fitted(shift.paired[:, true], shift),
        "worst of the class": fitted(worst_SML - (worst_SML[:, :1]), shift),  # less psi(0), of mean zero
        "trained, wrong law": fitted(shift.paired[:, wrong], shift),
    }
    in_m, in_n = local_exponents(shift.m_M, shift.n_L)
    of_bound = exponents(bound_ML, shift.m_M, shift.n_L)
    facts["A exponents"] = fits
    facts["A exponents of the bound"] = {
        "m": float(of_bound[0]), "m local": [float(in_m.min()), float(in_m.max())],
        "n": float(of_bound[1]), "n local": [float(in_n.min()), float(in_n.max())],
        "rho": [int(rho_ML.min()), int(rho_ML.max())],
    }  # fmt: skip
    facts["A bound over"] = {
        "mean gap of the trained": [float(over_trained.min()), float(over_trained.max())],
        "95 % quantile of the worst gap": [float(over_worst.min()), float(over_worst.max())],
    }
    facts["A bound below C from n"] = {
        int(m): int(min((n for n, b in zip(shift.n_L, row, strict=True) if b < constants()["C"]), default=0))
        for m, row in zip(shift.m_M, bound_ML, strict=True)
    }
    one, worst = fits["trained, enforced"], fits["worst of the class"]
    near = [abs(worst[axis][0] - of_bound[i]) for i, axis in enumerate("mn")]
    says.append(Statement(
        "A: the bound goes about as the worst gap, exponents to 0.2, and is the flatter one in both m and n",
        max(near) < 0.2 and bool(of_bound[0] < worst["m"][1] and of_bound[1] > worst["n"][2]),
        f"m^{spelled(*worst['m'])} n^{spelled(*worst['n'])} against m^{of_bound[0]:.3f} n^{of_bound[1]:.3f}",
    ))  # fmt: skip
    says.append(Statement(
        "A: the trained gap goes as m/n, exponents to 0.03, which the bound's shape does not show",
        abs(one["m"][0] - 1) < 0.03 and abs(one["n"][0] + 1) < 0.03 and of_bound[0] < 0.7 and of_bound[1] > -0.7,
        f"m^{spelled(*one['m'])} n^{spelled(*one['n'])}",
    ))  # fmt: skip

    # B: the learned map.
    down, steps = steps_down(linear, true)
    says.append(Statement(
        "B: enforced, the gap falls with every step of m from d to 0, at every n", down == steps,
        f"{down} of {steps} steps outside their interval",
    ))  # fmt: skip
    fits = {
        "fitted, enforced": fitted(linear.paired[:, true], linear),
        "fitted, wrong law": fitted(linear.paired[:, wrong], linear),
        "fitted, free": fitted(linear.paired[:, free], linear),
    }
    facts["B exponents"] = fits
    one, none = fits["fitted, enforced"], fits["fitted, free"]
    says.append(Statement(
        "B: not enforced, the gap does not depend on m: its exponent lies within 0.05 of 0",
        max(abs(none["m"][1]), abs(none["m"][2])) < 0.05,
        f"m^{spelled(*none['m'])}, enforced m^{spelled(*one['m'])}",
    ))  # fmt: skip
    mean_GML, _ = resample(linear.paired)
    some = linear.m_M > 0
    off = float(np.abs(mean_GML[true, some] / predicted_map()[some] - 1).max())
    says.append(Statement(
        "B: the mean gap is m s^2 d (1/n + 1/(n - d - 1)), to 5 %", off < 0.05, f"at most {100 * off:.1f} % off",
    ))  # fmt: skip
    low, high = interval(resample(linear.test_SGML[:, true, :-1] - linear.test_SGML[:, free, :-1])[1])
    tie = map_tie()
    few, many = linear.n_L < tie, linear.n_L > tie
    share = resample(linear.test_SGML)[0]
    says.append(Statement(
        f"B: on test, the true laws help while n < {tie:.0f}; beyond, holding on to a noisy reading costs",
        bool((high[:, few] < 0).all() and (low[:, many] > 0).all()),
        f"m = {linear.m_M[1]}: {100 * (share[true, 1, 0] / share[free, 1, 0] - 1):+.1f} % at n = {linear.n_L[0]}, "
        f"{100 * (share[true, 1, -1] / share[free, 1, -1] - 1):+.2f} % at n = {linear.n_L[-1]}",
    ))  # fmt: skip
    inner = slice(1, len(linear.m_M) - 1)
    more, more_B = resample(linear.train_SGML[:, wrong, inner] - linear.train_SGML[:, true, inner])
    wrong_off = float(np.abs(mean_GML[wrong, some] / mean_GML[true, some] - 1).max())
    says.append(Statement(
        "B: wrong laws have the same gap, to 5 %, and a larger training loss",
        wrong_off < 0.05 and bool((interval(more_B)[0] > 0).all()),
        f"gaps at most {100 * wrong_off:.1f} % apart; training loss larger by {more.min():.2f} to {more.max():.2f}",
    ))  # fmt: skip
    facts["test loss on one drawn set over the expectation, less 1"] = {
        "examples": DRAWN_TEST, "A": shift.drawn_test_off, "B": linear.drawn_test_off,
    }  # fmt: skip
    return says, facts


def answer(rows: pd.DataFrame, facts: dict[str, Any], says: list[Statement]) -> str:
    """What was found, in one paragraph."""
    cells = rows.set_index(["part", "law", "m", "n"])

    def gap(*at: Any) -> str:
        cell = cells.loc[at]
        return f"{cell.gap_paired:.3g} [{cell.gap_paired_low:.3g}, {cell.gap_paired_high:.3g}]"

    trained, worst = facts["A exponents"]["trained, enforced"], facts["A exponents"]["worst of the class"]
    learned, free = facts["B exponents"]["fitted, enforced"], facts["B exponents"]["fitted, free"]
    of_bound, over = facts["A exponents of the bound"], facts["A bound over"]
    failed = [one.says for one in says if not one.holds]
    vacuous = [str(m) for m, n in facts["A bound below C from n"].items() if n != SHIFT_N[0]]
    over_trained = "{:.0f} to {:.0f}".format(*over["mean gap of the trained"])
    over_worst = "{:.0f} to {:.0f}".format(*over["95 % quantile of the worst gap"])
    tie = D * SHIFT_SIGMA**2 / SHIFT_LENGTH**2
    return (
        f"Enforcing d - m laws cuts the train/test gap in proportion to m. In the theorem's setting (d = {D}, n = 64) "
        f"it is {gap('A', 'free', D, 64)} without laws, {gap('A', 'true', 4, 64)} with m = 4 and "
        f"{gap('A', 'true', 1, 64)} with m = 1; over all cells it goes as m^{trained['m'][0]:.2f} "
        f"n^{trained['n'][0]:.2f}, as 2 sigma^2 m / n says. The bound lies {over_trained} times above the trained "
        f"predictor's mean gap, and {over_worst} times above the {100 * (1 - DELTA):.0f} % quantile of the worst gap "
        f"in the class, which is what it bounds (for m = {', '.join(vacuous)} it exceeds the largest loss there can be "
        f"at the smallest n, and says nothing there). Fitted over the same cells it goes as m^{of_bound['m']:.2f} "
        f"n^{of_bound['n']:.2f}, the worst gap as m^{worst['m'][0]:.2f} n^{worst['n'][0]:.2f}: flatter than the worst "
        f"gap in both, for its logarithms and ln(1/delta), and much flatter than the trained one. So the theorem "
        f"points the right way and understates what training gains from a law. A wrong law has the same gap and pays "
        f"in training loss; with few examples (n < `d sigma^2 / |v*|^2` = {tie:.0f} here) even it lowers the test "
        f"loss. A learned linear map has such gaps too: enforced as m^{learned['m'][0]:.2f}, not enforced as "
        f"m^{round(free['m'][0], 2) + 0.0:.2f} (n = 64, m = 2: {gap('B', 'true', 2, 64)} against "
        f"{gap('B', 'free', 2, 64)}); its test loss falls with true laws up to n = {map_tie():.0f}, beyond which "
        f"holding on to a noisy reading costs more than fitting. "
        + (f"Of {len(says)} statements {len(failed)} do not hold: {'; '.join(failed)}." if failed else
           f"All {len(says)} statements hold.")
    )  # fmt: skip


# --- Tables and figure ----------------------------------------------------------------------------------------------

SHOWN = {"A": ((8, 6, 4, 2, 1, 0), (8, 64, 1024)), "B": ((8, 6, 4, 2, 0), (16, 64, 1024))}


def markdown(rows: pd.DataFrame, part: str) -> list[str]:
    """A part's gaps for a few n: measured with interval, predicted, and the bound."""
    m_shown, n_shown = SHOWN[part]
    cells = rows[rows.part == part].set_index(["law", "m", "n"])
    has_bound = part == "A"
    lines = [
        "| n | m | not enforced | enforced | predicted | wrong law |" + " worst of class | bound |" * has_bound,
        "|---|---|---|---|---|---|" + "---|---|" * has_bound,
    ]
    for n, m in product(n_shown, m_shown):
        free, true, wrong = (cells.loc[(law, m, n)] for law in ("free", "true", "wrong"))
        lines.append(
            f"| {n} | {m} | {free.gap_paired:.3g} | {true.gap_paired:.3g} [{true.gap_paired_low:.3g}, "
            f"{true.gap_paired_high:.3g}] | {true.gap_analytic:.3g} | {wrong.gap_paired:.3g} |"
            + (f" {true.worst_gap:.3g} | {true.bound:.3g} |" if has_bound else "")
        )
    return lines


def losses(rows: pd.DataFrame, m: int = D // 2) -> list[list[str]]:
    """Training and test loss at one m, with and without laws."""
    cells = rows[rows.m == m].set_index(["part", "law", "n"])
    lines = []
    for part, (_, n_shown) in SHOWN.items():
        for n in n_shown:
            of = [cells.loc[(part, law, n)] for law in ("free", "true", "wrong")]
            lines.append([part, str(n), *(f"{value:.4g}" for cell in of for value in (cell.train, cell.test))])
    return lines


def slopes(facts: dict[str, Any]) -> list[list[str]]:
    """The exponents of gap ~ m^a n^b, measured ones with intervals, the bound's with the range of its local ones."""
    lines = []
    for part in "AB":
        for name, fit in facts[f"{part} exponents"].items():
            lines.append([part, name, *(spelled(*fit[axis]) for axis in "mn")])
    bound_ = facts["A exponents of the bound"]
    local = (f"{bound_[axis]:.3f}, locally {min(bound_[f'{axis} local']):.2f} to {max(bound_[f'{axis} local']):.2f}"
             for axis in "mn")  # fmt: skip
    lines.insert(len(facts["A exponents"]), ["A", "bound of Theorem 1", *local])
    return lines


def latex(rows: pd.DataFrame, facts: dict[str, Any]) -> str:
    """Booktabs tables: the gaps of both parts with their 95 % intervals, the exponents, and losses at one m."""
    pieces = []
    for part, (m_shown, n_shown) in SHOWN.items():
        cells = rows[rows.part == part].set_index(["law", "m", "n"])
        has_bound = part == "A"
        heads = ["$n$", "$m$", "not enforced", "enforced", "predicted", "wrong law"] + ["worst", "bound"] * has_bound
        pieces += [f"% Part {part}: mean gap, paired", rf"\begin{{tabular}}{{{'r' * len(heads)}}}", r"\toprule"]
        pieces.append(" & ".join(heads) + r" \\")
        for n in n_shown:
            pieces.append(r"\midrule")
            for m in m_shown:
                free, true, wrong = (cells.loc[(law, m, n)] for law in ("free", "true", "wrong"))
                entries = [str(n) if m == m_shown[0] else "", str(m)]
                for cell in (free, true):
                    low, high = sci(cell.gap_paired_low), sci(cell.gap_paired_high)
                    entries.append(rf"{sci(cell.gap_paired)} {{\scriptsize [{low}, {high}]}}")
                entries += [sci(true.gap_analytic), sci(wrong.gap_paired)]
                entries += [sci(true.worst_gap), sci(true.bound)] * has_bound
                pieces.append(" & ".join(entries) + r" \\")
        pieces += [r"\bottomrule", r"\end{tabular}", ""]
    pieces += [
        r"% gap $\sim m^a n^b$",
        r"\begin{tabular}{llll}",
        r"\toprule",
        r"part & gap & $a$ & $b$ \\",
        r"\midrule",
    ]
    pieces += [re.sub(r"-(?=\d)", "$-$", " & ".join(line)) + r" \\" for line in slopes(facts)]
    pieces += [
        r"\bottomrule",
        r"\end{tabular}",
        "",
        f"% losses at m = {D // 2}",
        r"\begin{tabular}{lrrrrrrr}",
        r"\toprule",
    ]
    pieces.append(" & ".join(rf"\multicolumn{{2}}{{c}}{{{head}}}" for head in ("", "no law", "true", "wrong")) + r" \\")
    pieces += [r"part & $n$" + " & train & test" * 3 + r" \\", r"\midrule"]
    pieces += [" & ".join(line) + r" \\" for line in losses(rows)]
    pieces += [r"\bottomrule", r"\end{tabular}", ""]
    return "\n".join(pieces)


def sci(value: float) -> str:
    """Three digits for LaTeX."""
    mantissa, _, power = f"{value:.3g}".partition("e")
    return rf"${mantissa}\cdot 10^{{{int(power)}}}$" if power else f"${mantissa}$"


def picture(rows: pd.DataFrame) -> None:
    """The gap over m, the gap and the bound over n, the price of a wrong law, and the learned map."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    black, orange, blue, green = "#000000", "#E69F00", "#0072B2", "#009E73"  # Okabe & Ito
    cells = rows.set_index(["part", "law", "n"]).sort_index()
    figure, ((over_m, over_n), (price, learned)) = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")

    def marks(axes: Any, part: str, law: str, n: int, unit: float, **style: Any) -> None:
        row = cells.loc[(part, law, n)].sort_values("m")
        gap, low, high = row.gap_paired * unit, row.gap_paired_low * unit, row.gap_paired_high * unit
        # A percentile interval need not hold the mean when rounding is all there is (m = 0: exactly no gap).
        spread = [np.maximum(gap - low, 0), np.maximum(high - gap, 0)]
        axes.errorbar(row.m + style.pop("shift", 0.0), gap, spread, capsize=2.5, linestyle="none", **style)

    for shift, n, marker, colour in ((-0.1, 8, "o", blue), (0.0, 64, "s", orange), (0.1, 1024, "^", green)):
        unit = n / (2 * SHIFT_SIGMA**2)
        marks(over_m, "A", "true", n, unit, shift=shift, marker=marker, color=colour, ms=6, label=f"enforced, n = {n}")
        marks(over_m, "A", "free", n, unit, shift=shift, marker=marker, color="0.55", mfc="white", ms=6,
              label=f"not enforced, n = {n}")  # fmt: skip
    over_m.plot([0, D], [0, D], color=black, lw=1, label=r"$2\sigma^2 m/n$ (exact)")
    over_m.set(
        xlabel="dimension m of the preimages", ylabel=r"mean gap $\times\ n / 2\sigma^2$", ylim=(-0.5, 11.4),
        title="(a) A: enforced, the gap falls with m, to nothing",
    )  # fmt: skip
    over_m.legend(fontsize=8, ncols=2, loc="upper left")

    part_a = rows[(rows.part == "A") & (rows.law == "true")]
    for m, marker, colour in ((8, "o", blue), (1, "^", green)):
        row = part_a[part_a.m == m]
        over_n.plot(row.n, row.bound, color=colour, lw=1.8, label=f"bound of Theorem 1, m = {m}")
        over_n.plot(row.n, row.worst_gap, color=colour, ls=":", marker=marker, mfc="white", ms=5,
                    label=f"worst of the class, m = {m}")  # fmt: skip
        spread = [row.gap_paired - row.gap_paired_low, row.gap_paired_high - row.gap_paired]
        over_n.errorbar(row.n, row.gap_paired, spread, color=colour, ls="--", lw=1, marker=marker, ms=5, capsize=2.5,
                        label=f"trained, m = {m}")  # fmt: skip
    over_n.set(
        xscale="log", yscale="log", xlabel="training examples n", ylabel="mean gap, or bound", ylim=(8e-4, 5e3),
        title="(b) A: the bound goes with the worst of the class",
    )  # fmt: skip
    over_n.set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"])
    over_n.minorticks_off()
    over_n.legend(fontsize=8, ncols=2, loc="upper left")

    floor = D * SHIFT_SIGMA**2
    for n, marker, colour in ((8, "o", blue), (32, "s", orange), (256, "^", green)):
        for law, face, style in (("wrong", colour, "-"), ("true", "white", ":")):
            row = cells.loc[("A", law, n)].sort_values("m")
            row = row[row.m > 0] if law == "true" else row
            price.plot(row.m, row.test - floor, color=colour, ls=style, marker=marker, mfc=face, ms=6,
                       label=f"{law} law, n = {n}")  # fmt: skip
    price.set(
        xlabel="dimension m of the preimages", ylabel=r"mean test loss $-\ d\sigma^2$", ylim=(-0.05, 1.42),
        title=rf"(c) A: a wrong law helps only while n < $d\sigma^2/|v^*|^2$ = {floor / SHIFT_LENGTH**2:.0f}",
    )  # fmt: skip
    price.legend(fontsize=8, ncols=3, loc="upper left")

    s2 = MAP_SIGMA**2 + MAP_SIGMA**2 / (1 + MAP_SIGMA**2)
    analytic = rows[(rows.part == "B") & (rows.law == "true")]
    for shift, n, marker, colour in ((-0.12, 16, "o", blue), (0.0, 64, "s", orange), (0.12, 1024, "^", green)):
        unit = n / (2 * D * s2)
        marks(learned, "B", "true", n, unit, shift=shift, marker=marker, color=colour, ms=6, label=f"enforced, n = {n}")
        marks(learned, "B", "free", n, unit, shift=shift, marker=marker, color="0.55", mfc="white", ms=6,
              label=f"not enforced, n = {n}")  # fmt: skip
        line = analytic[analytic.n == n]
        learned.plot(line.m, line.gap_analytic * unit, color=colour, lw=1)
    learned.plot([], [], color=black, lw=1, label=r"$m s^2 d\,(1/n + 1/(n-d-1))$ (exact)")
    learned.set(
        xlabel="dimension m of the preimages", ylabel=r"mean gap $\times\ n / 2ds^2$", ylim=(-0.8, 20.5),
        title="(d) B, learned map: falls with m only when enforced",
    )  # fmt: skip
    learned.legend(fontsize=8, ncols=2, loc="upper left")
    for axes in (over_m, over_n, price, learned):
        axes.grid(color="0.92", lw=0.6)
        axes.set_axisbelow(True)
    figure.savefig(record.folder(NAME) / f"{NAME}.png", dpi=130)
    plt.close(figure)


def main() -> None:
    """Measure, examine, record."""
    started = time.perf_counter()
    shift, linear = measure_shift(), measure_map()
    m_ML, n_ML = np.meshgrid(shift.m_M, shift.n_L, indexing="ij")
    rows = pd.concat(
        [
            table("A", shift, predicted_shift(), bound(m_ML, n_ML, **constants())[0]),
            table("B", linear, predicted_map(), None),
        ],
        ignore_index=True,
    )
    says, facts = examine(shift, linear)
    place = record.folder(NAME)
    rows.to_csv(place / f"{NAME}.csv", index=False, float_format="%.6g")
    (place / f"{NAME}.tex").write_text(latex(rows, facts), encoding="utf-8")
    picture(rows)
    seconds = time.perf_counter() - started
    lines = [answer(rows, facts, says), "", "| statement | | figures |", "|---|---|---|"]
    for one in says:
        cells = (one.says, "HOLDS" if one.holds else "DOES NOT HOLD", one.figures)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    of, rho = constants(), " to ".join(str(rho) for rho in sorted(set(facts["A exponents of the bound"]["rho"])))
    lines += [
        "",
        f"A. Constant shift: mean gap (paired) over {SHIFT_SEEDS:,} seeds, d = {D}, sigma = {SHIFT_SIGMA}, "
        f"`|v*|` = {SHIFT_LENGTH}; bound with C = {of['C']:.1f}, R = {of['R']}, zeta = {of['zeta']:.2f}, "
        f"delta = {DELTA}, rho = {rho}",
        "",
        *markdown(rows, "A"),
        "",
        f"B. Learned linear map: mean gap (paired) over {MAP_SEEDS:,} seeds, d = {D}, sigma = {MAP_SIGMA}",
        "",
        *markdown(rows, "B"),
        "",
        "Exponents of gap ~ m^a n^b",
        "",
        "| part | gap | a | b |",
        "|---|---|---|---|",
        *(f"| {' | '.join(line)} |" for line in slopes(facts)),
        "",
        f"Mean losses at m = {D // 2}",
        "",
        "| part | n | no law: train | test | true laws: train | test | wrong laws: train | test |",
        "|---|---|---|---|---|---|---|---|",
        *(f"| {' | '.join(line)} |" for line in losses(rows)),
        "",
        f"All cells: {NAME}.csv. With m = 0 nothing may move, so in A even the true world's law is wrong there.",
        "",
        f"![The gap over m and n, with and without enforced laws]({NAME}.png)",
    ]
    measured = {
        "answer": lines[0],
        "seconds": round(seconds, 1),
        "seeds": {"A": SHIFT_SEEDS, "B": MAP_SEEDS},
        "statements": [{"says": one.says, "holds": bool(one.holds), "figures": one.figures} for one in says],
        **facts,
    }
    record.keep(NAME, measured, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
