"""Clips: what is refused, how they are split, and where windows lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noether_discover.errors import DataError, OptionError
from noether_discover.video.clips import Clips


def clips(lengths: list[int], **facts: list[str]) -> Clips:
    """Grey clips of 4 x 3 pixels; every frame's pixels are the frame's number."""
    frames = tuple(np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 3, 4, 1)) for n in lengths)
    return Clips(frames, facts={name: tuple(words) for name, words in facts.items()})


FRAMES = np.zeros((5, 3, 4, 1), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"frames": ()}, "there are no clips"),
        ({"frames": (FRAMES.astype(float),)}, "clip 0: frames are float64"),
        ({"frames": (FRAMES[0],)}, r"uint8 \[T, H, W, C\] is needed"),
        ({"frames": (FRAMES, FRAMES[:, :2])}, "clip 1: frames of 4 x 2 pixels.*clip 0 has 4 x 3 pixels"),
        ({"frames": (FRAMES,), "actions": ()}, "1 clips but 0 arrays of actions"),
        ({"frames": (FRAMES,), "actions": (np.zeros((4, 1)),)}, "the clip has 5 frames"),
        ({"frames": (FRAMES,), "states": (np.full((5, 1), np.nan),)}, "states are not finite"),
        ({"frames": (FRAMES,) * 2, "actions": (np.zeros((5, 1)), np.zeros((5, 2)))}, "clip 1: 2 actions a frame"),
        ({"frames": (FRAMES,), "facts": {"object": ("a", "b")}}, '"object" has 2 words for 1 clips'),
    ],
)
def test_what_does_not_belong_together_is_refused(arguments: dict, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        Clips(**arguments)


def test_a_clip_is_called_by_its_file() -> None:
    with pytest.raises(DataError, match=r"b\.mp4: frames of 4 x 2 pixels"):
        Clips((FRAMES, FRAMES[:, :2]), facts={"file": ("a.mp4", "b.mp4")})


@given(
    words=st.lists(st.sampled_from("abcdef"), min_size=2, max_size=20).filter(lambda w: len(set(w)) > 1),
    share=st.floats(0, 1),
    seed=st.integers(0, 5),
)
def test_no_object_is_on_both_sides_of_a_split(words: list[str], share: float, seed: int) -> None:
    whole = clips([2] * len(words), object=words, file=[str(i) for i in range(len(words))])
    train, test = whole.split(share, seed=seed)
    assert not set(train.facts["object"]) & set(test.facts["object"])
    assert sorted(train.facts["file"] + test.facts["file"]) == sorted(whole.facts["file"])
    assert train.facts == whole.split(share, seed=seed)[0].facts


def test_a_split_by_name_or_by_clip() -> None:
    whole = clips([1, 2, 3], object=["a", "b", "a"])
    assert whole.split(["b"])[1].lengths.tolist() == [2]
    assert len(clips([1, 2, 3]).split(1)[1]) == 1
    with pytest.raises(OptionError, match='no clip has object "c"'):
        whole.split(["c"])
    with pytest.raises(OptionError, match='no column "colour"'):
        whole.split(0.5, by="colour")
    with pytest.raises(DataError, match="nothing would be left to test on"):
        clips([1, 2], object=["a", "a"]).split(0.5)


@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5), length=st.integers(1, 6), stride=st.integers(1, 4))
def test_windows_lie_inside_their_clips_and_none_is_forgotten(lengths: list[int], length: int, stride: int) -> None:
    whole = clips(lengths)
    expected = [(i, s) for i, n in enumerate(lengths) for s in range(0, n, stride) if s + length <= n]
    if not expected:
        with pytest.raises(DataError, match="do not fit"):
            whole.windows(length, stride)
        return
    assert whole.windows(length, stride).tolist() == [list(row) for row in expected]
    for clip, start in expected:
        frames, actions = whole.window(clip, start, length)
        assert frames.shape == (length, 1, 3, 4)
        assert actions is None
        np.testing.assert_array_equal(frames[:, 0, 0, 0], np.arange(start, start + length, dtype=np.float32) / 255)


def test_every_frame_counts_alike_in_the_mean_frame() -> None:
    assert clips([2, 4]).mean_frame()[0, 0, 0] == pytest.approx((0 + 1 + 0 + 1 + 2 + 3) / 6 / 255)
