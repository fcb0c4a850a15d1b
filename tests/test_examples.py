"""The worked examples of the documentation run, and end as the documentation says."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


def test_a_network_of_ones_own_is_better_with_the_law() -> None:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "own_network.py"],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    found = re.findall(r"error (\S+)\s+drift (\S+)", done.stdout)
    (error, drift), (error_with, drift_with) = ((float(e), float(d)) for e, d in found)
    assert error_with < error
    assert drift_with < 1e-3 * drift
