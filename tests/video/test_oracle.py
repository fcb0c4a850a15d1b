"""The oracle of the whole chain: a leak that is planted, a quantity that is known, inner steps that close it.

The chain is that of benchmarks/video_oracle.py: the bouncing ball, the small predictor, and one more latent by which
its frames lose 3 % of their brightness a frame.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from noether_discover.video.worlds import ball

_SPEC = importlib.util.spec_from_file_location(
    "video_oracle", Path(__file__).resolve().parents[2] / "benchmarks" / "video_oracle.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
oracle: Any = importlib.util.module_from_spec(_SPEC)
sys.modules["video_oracle"] = oracle  # where its dataclasses look for their names
_SPEC.loader.exec_module(oracle)


def test_the_balls_brightness_is_constant() -> None:
    clips = ball(episodes=3, frames=20, size=16, grey=True)
    sums = [frames.astype(int).sum((1, 2, 3)) for frames in clips.frames]
    assert len({int(value) for row in sums for value in row}) == 1


def test_inner_steps_close_a_leak_of_brightness() -> None:
    began = time.process_time()
    predictor, frames = oracle.trained(seed=0)
    for way in (oracle.WAYS[0], oracle.WAYS[2]):  # 2(a) by SGD, 2(b) by Adam
        row = oracle.measured(predictor, frames, way)
        assert row["fell_back"] == 0
        # the leak is most of the error, and there is a drift to lose
        assert row["error_before"] > 5 * row["error_without_leak"]
        assert row["drift_before"] > 5e-3
        assert oracle.fallen(row, "drift") >= 0.9, way.name
        assert oracle.fallen(row, "error") >= 0.3, way.name
        # nor are still or blurred frames what is conserved
        assert row["motion"] == pytest.approx(1, abs=0.2)
        assert row["sharpness"] == pytest.approx(1, abs=0.2)
    assert time.process_time() - began < 30
