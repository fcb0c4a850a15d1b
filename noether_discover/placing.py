"""Files are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import NoetherError, OptionError


@contextmanager
def placed(path: str | Path, error: type[NoetherError] = OptionError, *, sure: bool = False) -> Iterator[Path]:
    """A temporary name beside the target, with its suffix, that becomes the target when all went well.

    sure: only once it is on the disk, whatever happens to the machine.
    Raises `error` with the reason when the place cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    try:
        yield temporary
        if sure:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as problem:
        reason = problem.strerror or problem
        raise error(f"{path}: cannot be written ({reason}); choose another place") from problem
    finally:
        with suppress(OSError):  # on a file system that is read only there is nothing, and no removing it either
            temporary.unlink(missing_ok=True)


def write_whole(path: str | Path, text: str) -> None:
    """Text to a file.

    Raises OptionError with the reason when the place cannot be written.
    """
    with placed(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
