"""Progress on stderr when it is a terminal; silence otherwise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ..stages import Progress

_WORDS = {
    "enumerate": "enumerating", "fit": "fitting", "judge": "judging",
    "sums": "searching sums of terms", "everything": "judging on all data",
    "train": "training the predictor", "screen": "enforcing each law", "improve": "training with each law",
}  # fmt: skip


@contextmanager
def shown(quiet: bool = False) -> Iterator[Progress | None]:
    """A callback (stage, done, total) that draws a bar with rate and time left per stage."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    with Bars(
        TextColumn("{task.description:24}"),
        BarColumn(20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bars:
        tasks: dict[str, int] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(_WORDS.get(stage, stage), total=total, rate="")
            task = bars.tasks[tasks[stage]]
            bars.update(task.id, completed=done, total=total, rate=rate_of(done, task.elapsed or 0.0))

        yield tell


def rate_of(done: int, seconds: float) -> str:
    """``1,240/s``, or ``3.2 s each`` where one takes longer than a second; empty before the first."""
    if not done or seconds <= 0:
        return ""
    rate = done / seconds
    return f"{rate:,.0f}/s" if rate >= 1 else f"{1 / rate:.1f} s each"
