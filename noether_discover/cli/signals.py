"""Ctrl-C and SIGTERM: what is under way is finished and kept, then the command ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from ..stages import Progress
from ..work import Interrupted, Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping(tell: Progress | None) -> Iterator[tuple[Stop, Progress]]:
    """What work asks after every piece, and a progress callback that asks too. A second signal stops at once.

    Raises Interrupted in the body when it was asked.
    """
    stop = Stop()

    def asked(number: int, frame: FrameType | None) -> None:
        if stop.number is not None:
            raise Interrupted(number)
        stop.number = number
        click.echo("stopping when what is under way is finished; once more stops at once", err=True)

    def told(stage: str, done: int, total: int) -> None:
        if tell is not None:
            tell(stage, done, total)
        stop.check()

    before = {number: signal.signal(number, asked) for number in SIGNALS}
    try:
        yield stop, told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
