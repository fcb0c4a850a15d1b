"""noether-discover: what is conserved along measured trajectories, as formulas with units and uncertainties.

    from noether_discover import discover
    found = discover("pendulum.csv")

Heavy libraries are imported when they are needed, not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data.tables import ReadOptions
    from .data.trajectories import Trajectories
    from .discovery import Discovery, discover, load
    from .errors import DataError, NoetherError, OptionError, RunFileError
    from .stages import Settings

_HOMES = {
    "DataError": "errors",
    "Discovery": "discovery",
    "NoetherError": "errors",
    "OptionError": "errors",
    "ReadOptions": "data.tables",
    "RunFileError": "errors",
    "Settings": "stages",
    "Trajectories": "data.trajectories",
    "discover": "discovery",
    "load": "discovery",
}

__all__ = [
    "DataError",
    "Discovery",
    "NoetherError",
    "OptionError",
    "ReadOptions",
    "RunFileError",
    "Settings",
    "Trajectories",
    "discover",
    "load",
]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
