"""Files of a run folder: tensors as safetensors, plain data as JSON, each written whole and then renamed. No pickle.

The plain data that belongs to tensors (which step an optimiser is at) lies in the header of their own file, so that no
interruption can leave the one without the other.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import NoetherError, OptionError, RunFileError
from ..placing import placed
from .extras import extra
from .training import Training

SHARE = 0.1
"""Of the time, what checkpoints may take: after a slow one the next comes later."""


def write_json(path: Path, facts: Any) -> None:
    """Strict JSON; numbers that are not finite become null."""
    with placed(path, sure=True) as temporary:
        temporary.write_text(json.dumps(finite(facts), indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Raises RunFileError when it is missing or damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as problem:
        raise RunFileError(f"{path}: is missing") from problem
    except (OSError, ValueError) as problem:
        raise RunFileError(f"{path}: is damaged ({problem})") from problem


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows of these columns; what a row lacks is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", extrasaction="raise", lineterminator="\n")
    writer.writeheader()
    writer.writerows([{name: "" if value is None else value for name, value in row.items()} for row in rows])
    with placed(path, sure=True) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


def finite(facts: Any) -> Any:
    """Plain data without nan and infinity, which JSON has not."""
    if isinstance(facts, Mapping):
        return {str(name): finite(value) for name, value in facts.items()}
    if isinstance(facts, list | tuple):
        return [finite(value) for value in facts]
    if isinstance(facts, float):
        return float(facts) if math.isfinite(facts) else None
    return facts


def save_tensors(path: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Tensors by name, and plain data in the file's header. Raises OptionError when the place cannot be written."""
    safetensors = extra("safetensors.torch", "keeping weights")
    own = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
    with placed(path, sure=True) as temporary:
        header = {"facts": json.dumps(finite(facts), allow_nan=False)}
        temporary.write_bytes(safetensors.save(own, metadata=header))  # save_file would let nobody else read it


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote. Raises RunFileError when it is missing or damaged."""
    safetensors = extra("safetensors", "reading weights")
    if not path.is_file():
        raise RunFileError(f"{path}: is missing")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118  (no mapping)
    except (OSError, ValueError, safetensors.SafetensorError) as problem:
        raise RunFileError(f"{path}: is damaged ({problem}); delete it, and that part is trained again") from problem


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder for this process alone, made when it is not there. The lock goes with the process.

    What is raised while nothing was written into the folder leaves no folder and no lock that was not there before.

    Raises RunFileError when another process has it; OptionError when it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder}: is a file; name a folder for the run")
    if not folder.parent.is_dir():
        raise OptionError(f'{folder}: there is no folder "{folder.parent}"; make it first')
    lock = folder / ".lock"
    before = {one.name for one in folder.iterdir()} if folder.exists() else None
    try:
        folder.mkdir(exist_ok=True)
        file = lock.open("a+")
    except OSError as problem:
        raise OptionError(
            f"{folder}: cannot be written ({problem.strerror}); choose another place with -o"
        ) from problem
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            file.seek(0)
            who = file.read().strip()
            raise RunFileError(
                f"{folder}: another process{f' ({who})' if who else ''} is training there; wait for it, or choose "
                "another folder with -o"
            ) from problem
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        except BaseException:
            if lock.name not in (before or ()) and {one.name for one in folder.iterdir()} == {
                lock.name,
                *(before or ()),
            }:
                lock.unlink()
                if before is None:
                    folder.rmdir()
            raise


class Checkpoint:
    """The latest state of one training, and when it has to be kept again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._due = 0.0

    def save(self, module: nn.Module, training: Training, more: Mapping[str, Any] | None = None) -> None:
        """Keep weights, optimiser and plain data; less often where that is slow, and always at the end."""
        if not training.finished and time.monotonic() < self._due:
            return
        began = time.monotonic()
        optimiser, facts = training.state()
        weights = {f"weights/{name}": value for name, value in module.state_dict().items()}
        extra_tensors = {f"optimiser/{name}": value for name, value in optimiser.items()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        save_tensors(self.path, weights | extra_tensors, {"training": facts, **(more or {})})
        took = time.monotonic() - began
        self._due = began + took / SHARE

    def facts(self) -> dict[str, Any] | None:
        """The plain data, or none where there is no checkpoint."""
        return load_tensors(self.path)[1] if self.path.is_file() else None

    def restore(self, module: nn.Module, training: Training) -> None:
        """Take up where `save` was called last; nothing without a checkpoint."""
        if not self.path.is_file():
            return
        tensors, facts = load_tensors(self.path)

        def under(prefix: str) -> dict[str, Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        try:
            with torch.no_grad():
                module.load_state_dict(under("weights/"))
            training.restore(under("optimiser/"), facts["training"])
        except NoetherError:
            raise
        except (RuntimeError, KeyError, TypeError, ValueError) as problem:
            raise RunFileError(
                f"{self.path}: does not fit ({problem}); delete it to begin that part again"
            ) from problem

    def forget(self) -> None:
        """The part is finished."""
        self.path.unlink(missing_ok=True)
