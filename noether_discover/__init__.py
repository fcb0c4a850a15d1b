"""noether-discover: what is conserved along measured trajectories, as formulas with units and uncertainties.

    from noether_discover import discover
    found = discover("pendulum.csv")

Heavy libraries are imported when they are needed, not here.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import systems
    from .data.tables import ReadOptions
    from .data.trajectories import Trajectories
    from .discovery import discover
    from .errors import DataError, NoetherError, OptionError, PredictorError, RunFileError, WorkError
    from .estimator import ConservedQuantities
    from .forecasts import Forecasts, forecast
    from .found import Discovery, load
    from .law import Law
    from .predict.noether_predictor import Forecast, NoetherPredictor
    from .reporting import write_plot, write_report
    from .settings import Settings
    from .verification import Verification, verify

_HOMES = {
    "ConservedQuantities": "estimator",
    "DataError": "errors",
    "Discovery": "found",
    "Forecast": "predict.noether_predictor",
    "Forecasts": "forecasts",
    "Law": "law",
    "NoetherError": "errors",
    "NoetherPredictor": "predict.noether_predictor",
    "OptionError": "errors",
    "PredictorError": "errors",
    "ReadOptions": "data.tables",
    "RunFileError": "errors",
    "Settings": "settings",
    "Trajectories": "data.trajectories",
    "Verification": "verification",
    "WorkError": "errors",
    "discover": "discovery",
    "forecast": "forecasts",
    "load": "found",
    "systems": "systems",
    "verify": "verification",
    "write_plot": "reporting",
    "write_report": "reporting",
}

__all__ = [
    "ConservedQuantities",
    "DataError",
    "Discovery",
    "Forecast",
    "Forecasts",
    "Law",
    "NoetherError",
    "NoetherPredictor",
    "OptionError",
    "PredictorError",
    "ReadOptions",
    "RunFileError",
    "Settings",
    "Trajectories",
    "Verification",
    "WorkError",
    "discover",
    "forecast",
    "load",
    "systems",
    "verify",
    "write_plot",
    "write_report",
]
if find_spec("sklearn") is None:  # `import *` and whatever walks through all names goes without what cannot be had
    __all__.remove("ConservedQuantities")
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _HOMES:
        home = import_module(f".{_HOMES[name]}", __name__)
        return home if _HOMES[name] == name else getattr(home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
