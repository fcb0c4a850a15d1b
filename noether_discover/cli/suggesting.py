"""What somebody may have meant: the nearest of the names that there are."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

import click


def nearest(name: str, known: Sequence[str], otherwise: str = "") -> str:
    """``; did you mean "x"?``, or `otherwise` where no name is near."""
    close = difflib.get_close_matches(name, known, n=1)
    return f'; did you mean "{close[0]}"?' if close else otherwise


class Choice(click.Choice):  # click below 8.2 knows no Choice[str]
    """One of some words; a mistyped one is told the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as problem:
            known = [str(word) for word in self.choices]
            said = problem.message.rstrip(".") + nearest(str(value), known, otherwise=".")
            raise click.BadParameter(said, ctx, param) from problem
