"""Systems whose laws are known, and data in which there is nothing to find.

    from noether_discover import discover, systems
    systems.names()
    found = discover(systems.simulate("kepler", relative_noise=0.01))
    systems.laws_of("kepler")
    nothing = systems.permuted_labels(systems.simulate("kepler"), seed=0)

A test bed for this search and for any other.
"""

from __future__ import annotations

from .data.nulls import permuted_labels, short_windows, shuffled_blocks, walkers
from .data.systems import SYSTEMS, constraints_of, laws_of, names, simulate, system_named
from .data.worlds import System

__all__ = [
    "SYSTEMS",
    "System",
    "constraints_of",
    "laws_of",
    "names",
    "permuted_labels",
    "short_windows",
    "shuffled_blocks",
    "simulate",
    "system_named",
    "walkers",
]
