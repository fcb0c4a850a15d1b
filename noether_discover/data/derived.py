"""Columns made of others: velocities of positions, and the time as a column; and which columns are velocities anyway.

Legend: K trajectories, T samples, D columns, V velocities, N pairs of samples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from noether_dsl.operators import OPERATORS
from noether_dsl.units import Unit

from ..errors import DataError
from .constants import constant_columns, constants_of
from .groups import with_vectors_of_rates
from .headers import distinct, rate_name, symbols_of
from .noise import scatter
from .rates import rates, slopes
from .smoothing import derivatives, pieces, unwrapped
from .trajectories import FEWEST_SAMPLES, Array, Derived, Trajectories

SPANS = (4, 8, 16, 32, 64, 128)
"""Samples over which a column's change is compared with the integral of another."""
EXPLAINED = 0.97
"""Of the variance of one column's changes, by another's integrals, where that is its time derivative."""
SMOOTH = 0.1
"""Of the error of denoised states, as if it were white, when their slopes are taken."""
NOISE_SHARE = 0.005
"""Spans are long enough for noise to make up no more of the variance of changes, if they can be."""


def with_velocities(trajectories: Trajectories, noise_D: Array | None = None) -> Trajectories:
    """The trajectories with a column for the time derivative of every measured column that changes along them.

    The derivatives that the file gave, if it did; else those of `rates.rates`, with their error, which `noise.noise`
    gives back. Samples where a rate is not known (near ends and holes) are left out, and trajectories with fewer than
    three samples left. A column that is constant along each trajectory has no velocity.

    The velocity of "q" [rad] over "t" [s] is called "dq/dt" in tables and q_dot in formulas, in rad/s; of a column in
    degrees, its scale is that of degrees per second.

    noise_D: standard deviation of the white measurement noise per column; None: measured.
    Raises DataError when no trajectory is long enough.
    """
    still = {one.symbol for one in constants_of(trajectories, noise_D)}
    known = {origin.of for origin in trajectories.origins if origin is not None}
    moving = [
        d
        for d, (symbol, origin) in enumerate(zip(trajectories.symbols, trajectories.origins, strict=True))
        if origin is None and symbol not in still and symbol not in known
    ]
    if not moving:
        return trajectories
    names, symbols = _spelled(trajectories, moving)
    second = trajectories.time_unit
    units = [trajectories.units[d] for d in moving]
    if trajectories.given_derivatives is not None:
        values = tuple(v[:, moving] for v in trajectories.given_derivatives)
        errors: list[float | None] = [None] * len(moving)
    else:
        found = rates(trajectories, noise_D)
        values = tuple(v[:, moving] for v in found.values)
        errors = [float(found.error_D[d]) for d in moving]
    rows = [np.isfinite(v).all(axis=1) for v in values]
    long = [k for k, known_T in enumerate(rows) if known_T.sum() >= FEWEST_SAMPLES]
    if not long:
        raise DataError(
            f"{trajectories.origin}: no trajectory is long enough for velocities; they need at least 7 samples in a row"
        )
    given = trajectories.given_derivatives
    wider = replace(
        trajectories,
        names=(*trajectories.names, *names),
        symbols=(*trajectories.symbols, *symbols),
        units=(*trajectories.units, *(Unit(u.dimension / second.dimension, u.scale / second.scale) for u in units)),
        states=tuple(np.concatenate([trajectories.states[k], values[k]], axis=1)[rows[k]] for k in long),
        times=tuple(trajectories.times[k][rows[k]] for k in long),
        labels=tuple(trajectories.labels[k] for k in long),
        given_derivatives=None,
        derived=(
            *trajectories.origins,
            *(Derived("velocity", trajectories.symbols[d], e) for d, e in zip(moving, errors, strict=True)),
        ),
    )
    wider = with_vectors_of_rates(wider)
    if given is None:
        return wider
    second_TV = [v[:, -len(moving) :] for v in derivatives(wider)]  # nobody gave the velocities' own derivatives
    together = tuple(np.concatenate([given[k][rows[k]], a], axis=1) for k, a in zip(long, second_TV, strict=True))
    return replace(wider, given_derivatives=together)


def velocities_made_anew(trajectories: Trajectories, noise_D: Array) -> Callable[[list[Array]], list[Array]] | None:
    """What computes velocities from other states [K][T, D] of the same samples; None where none was computed.

    The states are denoised: what is left of their noise is smooth itself, and wide polynomials, which average white
    noise, would only add their bias. So they are those that suit a tenth of it. A velocity stays as it is where a
    series is too short for them.
    """
    places = {s: d for d, s in enumerate(trajectories.symbols)}
    computed = [
        (d, places[origin.of])
        for d, origin in enumerate(trajectories.origins)
        if origin is not None and origin.error is not None and origin.of in places
    ]
    if not computed:
        return None
    base = measured(trajectories)
    found = rates(base, SMOOTH * noise_D[[places[s] for s in base.symbols]])
    ways = dict(zip(base.symbols, zip(found.degree_D, found.window_D, strict=True), strict=True))

    def made(states: list[Array]) -> list[Array]:
        out = [x.copy() for x in states]
        for d, of in computed:
            for x_TD, t_T in zip(out, trajectories.times, strict=True):
                for piece in pieces(t_T):
                    slope_T = slopes(x_TD[piece, of], t_T[piece], *ways[trajectories.symbols[of]])
                    x_TD[piece, d] = np.where(np.isfinite(slope_T), slope_T, x_TD[piece, d])
        return out

    return made


def with_time(trajectories: Trajectories) -> Trajectories:
    """The trajectories with the time itself as a last column, as the file gives it and in its unit.

    Its symbol is t, unless another column is called so. Without a time column, samples are counted, each trajectory's
    from its first.
    """
    if any(origin is not None and origin.kind == "time" for origin in trajectories.origins):
        return trajectories
    name = trajectories.time_name or "t"
    *_, name_apart = distinct((*trajectories.names, name))
    known = set(trajectories.symbols)
    spellings = ["t", *symbols_of([name_apart])]
    symbol = next((s for s in spellings if s not in known and s not in OPERATORS), None)
    *_, numbered = distinct((*trajectories.symbols, "t"), joint="_")
    given = trajectories.given_derivatives
    return replace(
        trajectories,
        names=(*trajectories.names, name_apart),
        symbols=(*trajectories.symbols, symbol or numbered),
        units=(*trajectories.units, trajectories.time_unit),
        states=tuple(np.column_stack([x, t]) for x, t in zip(trajectories.states, trajectories.times, strict=True)),
        given_derivatives=None if given is None else tuple(np.column_stack([v, np.ones(len(v))]) for v in given),
        derived=(*trajectories.origins, Derived("time")),
    )


def with_derived(trajectories: Trajectories, velocities: bool, time: bool) -> Trajectories:
    """The trajectories with the columns that are asked for; as they are when none is."""
    if velocities:
        trajectories = with_velocities(trajectories)
    return with_time(trajectories) if time else trajectories


def measured(trajectories: Trajectories) -> Trajectories:
    """The trajectories without the columns that were made of others."""
    places = [d for d, origin in enumerate(trajectories.origins) if origin is None]
    if len(places) == trajectories.dimension:
        return trajectories
    given = trajectories.given_derivatives
    return replace(
        trajectories,
        names=tuple(trajectories.names[d] for d in places),
        symbols=tuple(trajectories.symbols[d] for d in places),
        units=tuple(trajectories.units[d] for d in places),
        states=tuple(np.ascontiguousarray(x[:, places]) for x in trajectories.states),
        given_derivatives=None if given is None else tuple(np.ascontiguousarray(v[:, places]) for v in given),
        derived=(),
    )


def derived_notes(before: Trajectories, after: Trajectories) -> list[str]:
    """What was made of other columns, and what that cost, one sentence each."""
    made = after.origins[before.dimension :]
    names, notes = after.names[before.dimension :], []
    velocities = [name for name, origin in zip(names, made, strict=True) if origin and origin.kind == "velocity"]
    if velocities:
        how = "as the file gives them"
        if before.given_derivatives is None:
            how = "by local polynomials"
        lost = before.samples - after.samples
        left = f"; {lost} of {before.samples} samples are left out, near ends or holes" if lost else ""
        are = "is a column" if len(velocities) == 1 else "are columns"
        notes.append(f"{before.origin}: {', '.join(velocities)} {are} now, {how}{left}")
    if any(origin and origin.kind == "time" for origin in made) and before.time_name is None:
        notes.append(f"{before.origin}: there is no time column; {after.symbols[-1]} is the number of the sample")
    return notes


def derivative_of(trajectories: Trajectories) -> dict[str, str]:
    """Column -> the column that is its time derivative, times a positive constant: positions and velocities or momenta.

    Told from the data: over some samples a column changes by the integral of its derivative. One column is another's
    derivative where its integrals, times one constant, explain 97 % of the variance of the changes, apart from noise
    (integrals average noise, differences over long spans feel little of it). The best such column is named. A velocity
    that was made of a column is its derivative. The time and constant columns have none; a velocity may be constant.
    """
    found = {
        origin.of: symbol
        for symbol, origin in zip(trajectories.symbols, trajectories.origins, strict=True)
        if origin is not None and origin.kind == "velocity" and origin.of in trajectories.symbols
    }
    is_time = [origin is not None and origin.kind == "time" for origin in trajectories.origins]
    still_D, noise_D = constant_columns(trajectories), scatter(trajectories)
    changes = {span: _changes_and_integrals(trajectories, span) for span in SPANS}
    for i, symbol in enumerate(trajectories.symbols):
        if symbol in found or still_D[i] or is_time[i]:
            continue
        change_N, integral_ND = _enough_change(list(changes.values()), i, float(noise_D[i]))
        if not len(change_N):
            continue
        by_noise = 2 * float(noise_D[i]) ** 2
        total = float(change_N.var()) - by_noise
        if total <= by_noise:
            continue
        product_D, square_D = change_N @ integral_ND, np.square(integral_ND).sum(axis=0)
        slope_D = np.divide(product_D, square_D, out=np.zeros_like(product_D), where=square_D > 0)
        left_D = np.square(change_N[:, None] - slope_D * integral_ND).mean(axis=0) - by_noise
        explained_D = np.where(slope_D > 0, 1 - left_D.clip(0.0) / total, 0.0)
        explained_D[[i, *np.flatnonzero(is_time)]] = 0.0
        best = int(np.argmax(explained_D))
        if explained_D[best] > EXPLAINED:
            found[symbol] = trajectories.symbols[best]
    return {symbol: found[symbol] for symbol in trajectories.symbols if symbol in found}


def lacks_velocities(trajectories: Trajectories) -> bool:
    """Whether no column is the time derivative of another one: a file of positions only looks like that."""
    made = any(origin is not None and origin.kind == "velocity" for origin in trajectories.origins)
    return not made and not derivative_of(trajectories)


def _spelled(trajectories: Trajectories, places: Sequence[int]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The velocities' names and symbols, unlike all others."""
    names = [rate_name(trajectories.names[d], trajectories.time_name) for d in places]
    symbols = [f"{trajectories.symbols[d]}_dot" for d in places]
    all_names = distinct((*trajectories.names, *names))
    all_symbols = distinct((*trajectories.symbols, *symbols), reserved=OPERATORS, joint="_")
    return all_names[trajectories.dimension :], all_symbols[trajectories.dimension :]


def _changes_and_integrals(trajectories: Trajectories, span: int) -> tuple[Array, Array]:
    """Changes over `span` samples and integrals (trapezoids) over them of all columns, both [N, D], N may be 0."""
    changes, integrals = [], []
    straight = unwrapped(trajectories)
    for x_TD, t_T in zip(straight.states, straight.times, strict=True):
        for piece in pieces(t_T):
            x, t = x_TD[piece], t_T[piece]
            first = np.arange(0, len(t) - span, max(span // 4, 1))
            area = np.cumsum(0.5 * (x[1:] + x[:-1]) * np.diff(t)[:, None], axis=0)
            area = np.concatenate([np.zeros((1, x.shape[1])), area])
            changes.append(x[first + span] - x[first])
            integrals.append(area[first + span] - area[first])
    return np.concatenate(changes), np.concatenate(integrals)


def _enough_change(changes: Sequence[tuple[Array, Array]], column: int, sigma: float) -> tuple[Array, Array]:
    """Changes of a column [N] and integrals [N, D] over the shortest span in which noise is little, or the best one."""
    best: tuple[float, Array, Array] = (np.inf, np.zeros(0), np.zeros((0, 0)))
    for change_ND, integral_ND in changes:
        change_N = change_ND[:, column]
        if len(change_N) < 8 or not change_N.var() > 0:
            continue
        share = 2 * sigma**2 / float(change_N.var())
        if share < best[0]:
            best = share, change_N, integral_ND
        if share <= NOISE_SHARE:
            break
    return best[1], best[2]
