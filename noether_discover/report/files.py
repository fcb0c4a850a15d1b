"""Writing files whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from ..errors import OptionError


def write_whole(path: str | Path, text: str) -> None:
    """Write to a temporary name beside the target and rename.

    Raises OptionError with the reason when the place cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    except OSError as problem:
        with suppress(OSError):  # on a file system that is read only there is nothing, and no removing it either
            temporary.unlink(missing_ok=True)
        raise OptionError(f"{path}: cannot be written ({problem.strerror}); choose another place with -o") from problem
