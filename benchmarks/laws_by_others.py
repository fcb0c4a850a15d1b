"""What other packages can be made to say about laws: PySINDy 2.1 and gplearn 0.4. Neither is needed by this project;

    pip install --target /tmp/beside --constraint constraints.txt pysindy gplearn
    PYTHONPATH=/tmp/beside python benchmarks/baselines_of_laws.py

PySINDy finds x' = f(x), no invariants. Its nearest use is its SINDy-PI with the time derivatives of a library of
polynomials in the place of the library: each term's derivative in turn is regressed on all others' by STLSQ, and where
hardly anything is left, the combination does not change with time. (Its own class SINDyPI needs cvxpy; the loop over
left-hand sides is the same.) The derivatives are its SmoothedFiniteDifference, which is linear, and so leaves a law
conserved.

gplearn evolves one formula for one target. Its nearest use is a custom fitness: log10 of within / total variance, with
the trajectory's number as the target, and nothing to predict. One run gives one formula; for the next law the variance
between trajectories that the laws found before explain (their means, squares and products) is taken out of the total.
It stops at the first formula with a ratio above the threshold. Columns are left as they are, in units in which most
laws have coefficients of 1; its protected functions (x / 0 = 1) stay as they are.

Both get what the eigenproblem gets (`laws_by_eigenproblem`): only independent claims count, at most D - 1.

N states, K trajectories, D columns, M terms.
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from laws_by_eigenproblem import TUNED, Polynomials, independent
from laws_score import Array, Claim

from noether_discover.data.trajectories import Trajectories

MOST_TERMS = 90
"""For PySINDy, which solves as many regressions."""
SINDY = {0.0: (0.02, 0.03), 0.01: (0.02, 0.03), 0.05: (0.1, 0.01), 0.1: (0.1, 0.01)}
"""For each level of noise the smallest coefficient, and the share of a derivative that may be left over, tuned as the
eigenproblem's threshold is: 37, 26, 15 and 15 of 81 exact; the last two by silence, which nothing else does better."""
STILL = 1e-9
"""A term whose derivative is smaller, in its deviations a sample, does not change: it is a law alone."""
SAMPLES = 20
"""Of every trajectory, for gplearn, which looks at all of them for every formula."""
POPULATION, GENERATIONS = 1000, 20
FUNCTIONS = (("add", "sub", "mul"), ("add", "sub", "mul", "div", "sqrt", "log", "sin", "cos"))
NODE = 0.05
"""So many decades of the ratio must a node bring; with less, formulas grow without end."""


def pysindy_tuned(data: Trajectories, level: float) -> tuple[Claim, ...]:
    """What SINDy-PI calls constant, with the best tolerance for this level of noise."""
    smallest, left = SINDY[level]
    return claims_leaving(data, left, regressed(data, smallest))


Regressed = tuple[Polynomials, list[tuple[float, Array]]]


def claims_leaving(data: Trajectories, left: float, found: Regressed) -> tuple[Claim, ...]:
    """The independent combinations of terms whose regressions leave less than a share `left` of a derivative."""
    library, combinations = found
    return independent([library.claim(weights_M) for share, weights_M in combinations if share < left], data)


def regressed(data: Trajectories, smallest: float) -> Regressed:
    """The library, and for each term what its regression on the others leaves over and the combination, least first.

    smallest: the coefficient (of derivatives of unit length) under which STLSQ drops a term.
    """
    import pysindy

    library = Polynomials(data, MOST_TERMS, highest=4)
    differentiate = pysindy.SmoothedFiniteDifference()
    f_NM = library(data.stacked)
    size_M = f_NM.std(axis=0)
    rates = []
    for x_TD, t_T in zip(data.states, data.times, strict=True):
        window = min(11, len(t_T) - 1 + len(t_T) % 2)
        differentiate.smoother_kws = {"window_length": window, "polyorder": min(3, window - 1), "axis": 0}
        rates.append(np.asarray(differentiate._differentiate(library(x_TD) / size_M, t_T)) * data.typical_step)
    triangle_MM = np.linalg.qr(np.concatenate(rates), mode="r") / np.sqrt(len(f_NM))
    length_M = np.linalg.norm(triangle_MM, axis=0)
    found = [(0.0, row) for row in np.eye(len(length_M))[length_M < STILL]]
    moving = np.flatnonzero(length_M >= STILL)
    for target in moving:
        others = moving[moving != target]
        optimizer = pysindy.STLSQ(threshold=smallest, alpha=1e-12)
        a_MM = triangle_MM[:, others] / length_M[others]
        b_M = triangle_MM[:, target] / length_M[target]
        try:
            optimizer.fit(a_MM, b_M[:, None])
        except np.linalg.LinAlgError:  # where terms depend on one another to rounding; another term says the same
            continue
        coefficients = np.asarray(optimizer.coef_)[0]
        weights_M = np.zeros(len(length_M))
        weights_M[target], weights_M[others] = 1 / length_M[target], -coefficients / length_M[others]
        found.append((float(np.linalg.norm(b_M - a_MM @ coefficients)), weights_M))
    return library, sorted(((share, w_M / size_M) for share, w_M in found), key=lambda pair: pair[0])


def gplearn_tuned(data: Trajectories, level: float) -> tuple[Claim, ...]:
    """What gplearn evolves, with the eigenproblem's best threshold for this level of noise."""
    x_ND = np.concatenate([x[_spread(len(x))] for x in data.states])
    numbers_N = np.repeat(np.arange(len(data)), [len(_spread(len(x))) for x in data.states])
    claims: list[Claim] = []
    means: list[Array] = []
    for number in range(max(data.dimension - 1, 1)):
        program = _evolved(x_ND, numbers_N, _known(means, len(data)), seed=number)
        claim = Claim(lambda y_ND, _, p=program: p.execute(y_ND), stated=False)
        g_N = claim(x_ND)
        if _log_ratio(g_N, numbers_N, _known(means, len(data))) >= np.log10(TUNED[level]):
            break
        claims.append(claim)
        means.append(np.bincount(numbers_N, g_N) / np.bincount(numbers_N))
    return independent(claims, data)


def _spread(length: int) -> Array:
    return np.unique(np.linspace(0, length - 1, min(SAMPLES, length)).round().astype(int))


def _evolved(x_ND: Array, numbers_N: Array, known_KP: Array, seed: int) -> Any:
    """The fittest formula of one run without and one with functions: each is better at some laws."""
    from gplearn.fitness import make_fitness
    from gplearn.genetic import SymbolicRegressor

    def fitness(y: Array, y_pred: Array, w: Array) -> float:
        return _log_ratio(y_pred, y.astype(int), known_KP) if len(y) == len(numbers_N) else 0.0

    programs = []
    for functions in FUNCTIONS:
        regressor = SymbolicRegressor(
            population_size=POPULATION, generations=GENERATIONS, const_range=(-3.0, 3.0), function_set=functions,
            metric=make_fitness(function=fitness, greater_is_better=False, wrap=False), stopping_criteria=-12.0,
            parsimony_coefficient=NODE, random_state=seed,
        )  # fmt: skip
        programs.append(regressor.fit(x_ND, numbers_N.astype(float))._program)
    return min(programs, key=lambda program: program.raw_fitness_ + NODE * program.length_)


def _known(means: list[Array], count: int) -> Array:
    """An orthonormal basis [K, P] of what known laws explain between trajectories: 1, means, their products."""
    columns = [np.ones(count), *means, *(a * b for a, b in combinations_with_replacement(means, 2))]
    basis, values, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    return basis[:, values > 1e-8 * values[0]]


def _log_ratio(g_N: Array, numbers_N: Array, known_KP: Array) -> float:
    """log10 of within / (within + what between trajectories is news); 0 where that is nothing."""
    count_K = np.bincount(numbers_N)
    with np.errstate(all="ignore"):
        means_K = np.bincount(numbers_N, g_N) / count_K
        within = float(np.mean((g_N - means_K[numbers_N]) ** 2))
        news_K = means_K - known_KP @ (known_KP.T @ means_K)
        total = within + float(np.mean(news_K**2))
    if not np.isfinite(total) or total <= 1e-12 * float(np.mean(g_N**2)):
        return 0.0
    return float(np.log10(max(within / total, 1e-13)))
