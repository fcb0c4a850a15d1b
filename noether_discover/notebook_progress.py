"""Progress in a notebook: one line of output that is replaced as stages go on. Elsewhere nothing is shown."""

from __future__ import annotations

import sys
import time
from typing import Any

from markupsafe import Markup

from .stages import Progress

_SECONDS = 0.2
"""Between two pictures of the same stage: a browser is told no more often."""


def in_a_notebook() -> bool:
    """Whether this process is a notebook's kernel."""
    IPython = sys.modules.get("IPython")
    shell = IPython.get_ipython() if IPython is not None else None
    return shell is not None and hasattr(shell, "kernel")


def notebook_progress() -> Progress:
    """A callback (stage, done, total) that draws in the cell's output, all stages so far, the last with its bar."""
    from IPython.display import HTML, display

    handle: Any = display(HTML("<div></div>"), display_id=True)
    begun: dict[str, float] = {}
    counts: dict[str, tuple[int, int]] = {}
    shown = {"at": 0.0, "stages": 0.0}

    def tell(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        begun.setdefault(stage, now)
        counts[stage] = done, total
        if done < total and len(begun) == shown["stages"] and now - shown["at"] < _SECONDS:
            return
        shown.update(at=now, stages=len(begun))
        rows = Markup("").join(
            Markup('<div><progress max="{}" value="{}"></progress> {}: {} of {}</div>').format(
                most, so_far, name, so_far, most
            )
            for name, (so_far, most) in counts.items()
        )
        handle.update(HTML(str(Markup("<div>{}</div>").format(rows))))

    return tell
