"""The scikit-learn door: conserved quantities as a transformer, for pipelines and searches over parameters.

    from noether_discover import ConservedQuantities
    model = ConservedQuantities().fit(X, groups=trajectory, times=t)
    model.transform(X)                          # [N, laws], constant along each trajectory

The same search as `discover`, without the ranking. Needs scikit-learn, which the extra `[sklearn]` brings.

Legend: N samples, D columns, L laws (a law that is a vector is one for each component).
"""

from __future__ import annotations

import numbers
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from numpy.typing import NDArray

from .data.headers import distinct, parse_header
from .data.reading import ReadOptions
from .data.tables import from_frame
from .data.trajectories import FEWEST_SAMPLES, Array, Trajectories
from .discovery import Discovery, discover
from .errors import DataError, OptionError

try:
    from sklearn.base import BaseEstimator, TransformerMixin
    from sklearn.utils.validation import (
        check_consistent_length,
        check_is_fitted,
        check_random_state,
        column_or_1d,
        validate_data,
    )
except ImportError as problem:
    raise OptionError(
        "ConservedQuantities needs scikit-learn 1.6 or newer. Run pip install 'noether-discover[sklearn]'."
    ) from problem

FEWEST_COLUMNS = 2
"""A conserved quantity compares at least so many columns that move."""


class ConservedQuantities(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turns states [N, D] into the values [N, L] of the quantities that are conserved along trajectories.

    Columns of a frame may have units in their names, ``theta [rad]``, and may be components of vectors, ``q.x``, as in
    files; those of an array are ``x0``, ``x1``, ... Every column is part of the state; what tells trajectories apart,
    and the times, are given to `fit`. A column that never changes takes no part.

    units: column -> unit, beside those in the names. time_unit: of the times.
    vectors: name -> the columns that are its components, beside dotted ones. angles: "auto", "strict" or "pure".
    max_nodes, alpha, window: as in `Settings`. further: other fields of `Settings`, by name.
    n_jobs: processes, None for one, -1 for all cores. random_state: which trajectories are held out, and what is
        shuffled; the default is a number, so that fits can be repeated.

    Where nothing is conserved, `laws_` is empty and `transform` gives [N, 0]: a constant column would be a law that is
    not there. In a pipeline a step that needs columns then says so; put this transformer beside others in a
    FeatureUnion or a ColumnTransformer where that must not happen. Of data that are too few to hold any out, `fit`
    warns, and `verdict_` is UNDECIDED.

    After `fit`:
    laws_: one mapping per independent law, as in `Discovery.laws`. verdict_: LAW, APPROXIMATE, NONE or UNDECIDED.
    reason_: one sentence. discovery_: all that `discover` gives.
    n_features_in_: D. feature_names_in_: names of a frame's columns, where they are all strings.
    """

    def __init__(
        self,
        *,
        units: Mapping[str, str] | None = None,
        time_unit: str | None = None,
        vectors: Mapping[str, Sequence[str]] | None = None,
        angles: str = "auto",
        max_nodes: int | None = None,
        alpha: float = 0.05,
        window: int | None = None,
        further: Mapping[str, Any] | None = None,
        n_jobs: int | None = None,
        random_state: Any = 0,
    ) -> None:
        self.units = units
        self.time_unit = time_unit
        self.vectors = vectors
        self.angles = angles
        self.max_nodes = max_nodes
        self.alpha = alpha
        self.window = window
        self.further = further
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None, groups: Any = None, times: Any = None) -> ConservedQuantities:
        """Search what is conserved along the trajectories in X.

        X: finite numbers [N, D], array or frame. y: ignored. groups: [N], which trajectory a row belongs to; None for a
        single one. The rows of a trajectory stand in the order of time; other trajectories' may stand between them.
        times: [N], increasing along each trajectory; None counts the samples.

        Raises ValueError (DataError, OptionError) for data and parameters that cannot be used.
        """
        x_ND = validate_data(
            self, X, dtype=np.float64, ensure_min_samples=FEWEST_SAMPLES, ensure_min_features=FEWEST_COLUMNS
        )
        trajectories = self._trajectories(x_ND, groups, times)
        settings = {
            "max_nodes": self.max_nodes,
            "alpha": self.alpha,
            "window": self.window,
            "seed": self._seed(),
            "jobs": _processes(self.n_jobs),
            **(self.further or {}),
        }
        try:
            found = discover(trajectories, angles=self.angles, rank=False, **settings)
        except DataError as problem:  # the table was read: there is too little in it
            if self.window:
                raise
            warnings.warn(f"{problem}. transform gives no columns.", stacklevel=2)
            found = Discovery("UNDECIDED", str(problem), (), (), {}, {}, {}, trajectories.symbols)
        self.discovery_ = found
        self.laws_, self.verdict_, self.reason_ = found.laws, found.verdict, found.reason
        names = [parse_header(header)[0] for header in self._headers()]
        self._places = [names.index(name) for name in trajectories.names]
        self._scales = np.array([unit.scale for unit in trajectories.units])
        return self

    def transform(self, X: Any) -> Array:
        """The laws' values in coherent units at states [N, D] -> [N, L], row by row; nan where a law has no value."""
        check_is_fitted(self)
        x_ND = validate_data(self, X, dtype=np.float64, reset=False)[:, self._places] * self._scales
        value_NL = np.empty((len(x_ND), len(self.laws_)))
        with np.errstate(all="ignore"):
            for number in range(len(self.laws_)):
                value_NL[:, number] = self.discovery_.quantity(number)(x_ND)
        return value_NL

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """The laws as formulas of the columns' own numbers, [L].

        input_features: the columns' names, which are checked.
        """
        check_is_fitted(self)
        if input_features is not None:
            known = getattr(self, "feature_names_in_", None)
            if known is not None and list(known) != list(input_features):
                raise ValueError("input_features is not equal to feature_names_in_")
            if len(input_features) != self.n_features_in_:
                raise ValueError(f"input_features should have length equal to {self.n_features_in_}")
        return np.array(distinct([law["expression"] for law in self.laws_]), dtype=object)

    def _headers(self) -> list[str]:
        """A header for each of the D columns, as in a file."""
        names = getattr(self, "feature_names_in_", None)
        return [f"x{d}" for d in range(self.n_features_in_)] if names is None else [str(name) for name in names]

    def _trajectories(self, x_ND: Array, groups: Any, times: Any) -> Trajectories:
        """The rows as trajectories in coherent units, without columns that never change."""
        headers = self._headers()
        moving = np.flatnonzero(np.ptp(x_ND, axis=0) > 0)
        if len(moving) < FEWEST_COLUMNS:
            raise DataError(
                f"X: only {len(moving)} of its columns changes. A conserved quantity compares at least two."
            )
        table: dict[str, Any] = {headers[d]: x_ND[:, d] for d in moving}
        names = [parse_header(header)[0] for header in table]
        *_, label, time = distinct([*names, "trajectory", "time"], joint="_")
        if groups is not None:
            table[label] = _labels(groups, len(x_ND))
        if times is None:
            count_N = (
                np.arange(len(x_ND)) if groups is None else pd.Series(table[label]).groupby(table[label]).cumcount()
            )
            table[time] = np.asarray(count_N, dtype=np.float64)
        else:
            table[f"{time} [{self.time_unit}]" if self.time_unit else time] = _times(times, len(x_ND))
        known = {parse_header(header)[0] for header in headers} - set(names)  # that never change
        reading = ReadOptions(
            trajectory=None if groups is None else label,
            time=time,
            inputs=tuple(names),
            units={name: unit for name, unit in (self.units or {}).items() if name not in known},
            angles=self.angles,
            groups={name: tuple(group) for name, group in (self.vectors or {}).items() if not known & set(group)},
        )
        return from_frame(pd.DataFrame(table), reading, origin="X")

    def _seed(self) -> int:
        """The search's seed: the number itself, or one drawn from a generator."""
        if isinstance(self.random_state, numbers.Integral):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))


def _processes(jobs: int | None) -> int:
    """As in scikit-learn: None is one, -1 all cores, -2 all but one."""
    if jobs is None:
        return 1
    return int(effective_n_jobs(jobs))


def _labels(groups: Any, rows: int) -> list[str]:
    """Which trajectory each row belongs to, as text."""
    labels = column_or_1d(groups)
    check_consistent_length(labels, np.empty(rows))
    if pd.isna(labels).any():
        raise DataError("groups: some rows name no trajectory. Leave them out of X, or name one.")
    return [str(label) for label in labels]


def _times(times: Any, rows: int) -> Array:
    """The time of each row."""
    time_N: Array = column_or_1d(times)
    check_consistent_length(time_N, np.empty(rows))
    try:
        time_N = time_N.astype(np.float64)
    except (TypeError, ValueError) as problem:
        raise DataError(f"times: are not numbers ({problem}). Give seconds from the start.") from problem
    if not np.isfinite(time_N).all():
        raise DataError("times: some are not finite. Leave these rows out of X, groups and times.")
    return time_N
