"""A cluster is joblib's Dask backend: the pieces go to the workers of a scheduler that the user names.

What is common to a step's pieces (data, grammar) travels once per worker; from then on keys are sent for it.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any

from .errors import WorkError

ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://(\[[0-9a-fA-F:]+\]|[^\s:/\[\]]+):([1-9][0-9]{0,4})")
"""Of a scheduler, as `dask scheduler` prints it."""
WAIT = 10.0
"""Seconds after which a scheduler or its workers are taken for absent."""


def is_address(words: str) -> bool:
    """Whether a scheduler can be there."""
    found = ADDRESS.fullmatch(words)
    return found is not None and int(found[3]) < 2**16


@contextmanager
def _silent() -> Iterator[None]:
    """Without Dask's own remarks, which print the traceback of every connection that fails: we say what happened."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def connected(address: str, common: Sequence[Any] = ()) -> Iterator[None]:
    """Within, joblib's work is done by the cluster of the scheduler at `address` (tcp://host:8786).

    common: arguments that many pieces have; objects among them are sent to every worker now.

    Raises WorkError when Dask is not installed, the scheduler does not answer, has no workers, or goes away.
    """
    try:
        from distributed import Client
        from distributed.comm import CommClosedError
    except ImportError as problem:
        raise WorkError(
            "--cluster needs Dask, which is not installed; pip install 'noether-discover[cluster]'"
        ) from problem
    from joblib import parallel_config

    gone = f"the scheduler at {address} is gone; a run file keeps what was finished, and --resume goes on without it"
    with _silent():
        try:
            client = Client(address, timeout=WAIT, set_as_default=True)
        except (OSError, TimeoutError, ValueError) as problem:
            raise WorkError(
                f"--cluster {address}: no scheduler answers there; start one with `dask scheduler` and workers with "
                f"`dask worker {address}`"
            ) from problem
        try:
            if not client.scheduler_info()["workers"]:
                try:
                    client.wait_for_workers(1, timeout=WAIT)
                except TimeoutError as problem:
                    raise WorkError(
                        f"--cluster {address}: the scheduler has no workers; start some with `dask worker {address}`"
                    ) from problem
            with parallel_config("dask", scatter=[one for one in common if hasattr(one, "__dict__")] or None):
                yield
        except (CommClosedError, ConnectionError, TimeoutError, CancelledError) as problem:
            raise WorkError(gone) from problem
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                client.close(timeout=WAIT)
