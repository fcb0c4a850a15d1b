"""Choices that tell what somebody may have meant."""

from __future__ import annotations

from typing import Any

import click
from noether_dsl.suggesting import nearest


class Choice(click.Choice):  # click below 8.2 knows no Choice[str]
    """One of some words; a mistyped one is told the nearest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as problem:
            known = [str(word) for word in self.choices]
            said = problem.message.rstrip(".") + nearest(str(value), known, otherwise=".")
            raise click.BadParameter(said, ctx, param) from problem
