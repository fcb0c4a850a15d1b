"""The worked examples of the documentation run, and end as the documentation says."""

import os
import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "docs" / "examples"


def errors_and_drifts(example: str) -> list[tuple[float, float]]:
    """What an example prints: error and drift without the law, and with it."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / example],
        capture_output=True, text=True, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return [(float(e), float(d)) for e, d in re.findall(r"error (\S+)\s+drift (\S+)", done.stdout)]


def test_a_network_of_ones_own_is_better_with_the_law() -> None:
    (error, drift), (error_with, drift_with) = errors_and_drifts("own_network.py")
    assert error_with < error
    assert drift_with < 1e-3 * drift


def test_a_video_network_of_ones_own_is_better_where_its_brightness_is_kept() -> None:
    (error, drift), (error_with, drift_with) = errors_and_drifts("own_video_network.py")
    # over five seeds the error fell to between 0.29 and 0.82 of what it was, the drift to between 0.04 and 0.26
    assert error_with < error
    assert drift_with < 0.5 * drift
