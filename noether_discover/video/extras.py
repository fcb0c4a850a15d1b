"""Packages that only the video mode needs."""

from __future__ import annotations

import importlib
from typing import Any

from ..errors import OptionError


def extra(module: str, purpose: str) -> Any:
    """The module. Raises OptionError with the remedy when it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as problem:
        package = module.partition(".")[0]
        raise OptionError(
            f"{purpose} needs {package}, which is not installed. Run pip install 'noether-discover[video]'."
        ) from problem
