"""What somebody may have meant: the nearest of the names that there are."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """``; did you mean "sin"?`` for "sine", or `otherwise` where no name is near."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1) or difflib.get_close_matches(name.lower(), names, n=1)
    return f'; did you mean "{close[0]}"?' if close else otherwise
