"""Batches: every window once an epoch, the same order with any number of workers, mirrors.

B windows of a batch, T frames of a window.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from noether_discover.errors import DataError
from noether_discover.video.batches import Batch, Batches, Folds, Windows
from noether_discover.video.clips import Clips

LENGTHS = (9, 4, 7, 3, 12)


def numbered(actions: bool = True, lengths: tuple[int, ...] = LENGTHS) -> Clips:
    """Frame t of clip i is 20 i + t in its left column and one more in each next; its action is 100 i + t."""
    frames = tuple(
        (20 * i + np.arange(n)[:, None, None, None] + np.arange(4)[:, None]).repeat(3, 1).astype(np.uint8)
        for i, n in enumerate(lengths)
    )
    assert frames[0].shape == (lengths[0], 3, 4, 1)
    acts = tuple((100.0 * i + np.arange(n))[:, None] for i, n in enumerate(lengths)) if actions else None
    return Clips(frames, actions=acts)


def told(batches: Batches, epoch: int) -> list[list[int]]:
    """The windows of each batch."""
    return [batch.window.tolist() for batch in batches.epoch(epoch)]


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("mirror", [False, True])
def test_every_window_comes_once_an_epoch(workers: int, mirror: bool) -> None:
    windows = Windows(numbered(), 3, mirror=mirror)
    batches = Batches(windows, 4, seed=1, workers=workers)
    orders = []
    for epoch in range(3):
        found = told(batches, epoch)
        assert len(found) == len(batches)
        assert [len(batch) for batch in found[:-1]] == [4] * (len(found) - 1)
        orders.append([window for batch in found for window in batch])
        assert sorted(orders[-1]) == list(range(len(windows)))
    assert orders[0] != orders[1] != orders[2]


def test_workers_change_nothing() -> None:
    windows = Windows(numbered(), 3, 1, mirror=True)
    alone, helped = (Batches(windows, 4, seed=1, workers=workers) for workers in (0, 2))
    for epoch in (0, 1, 5, 0):
        pairs = list(zip(alone.epoch(epoch), helped.epoch(epoch), strict=True))
        for one, other in pairs:
            assert torch.equal(one.frames, other.frames)
            assert torch.equal(one.actions, other.actions)
            assert torch.equal(one.window, other.window)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_epoch_that_was_left_does_not_change_the_next(workers: int) -> None:
    windows = Windows(numbered(), 3, 1)
    fresh = Batches(windows, 2, seed=1)
    batches = Batches(windows, 2, seed=1, workers=workers)
    next(batches.epoch(0))
    assert told(batches, 0) == told(fresh, 0)
    next(batches.epoch(1))
    assert told(batches, 3) == told(fresh, 3)


def test_an_epoch_is_that_which_was_asked_for_even_if_another_is_asked_for_before_it_is_read() -> None:
    windows = Windows(numbered(), 3, 1, mirror=True)
    batches = Batches(windows, 2, seed=1)
    zero, one = batches.epoch(0), batches.epoch(1)
    assert [batch.window.tolist() for batch in zero] == told(batches, 0)
    assert [batch.window.tolist() for batch in one] == told(batches, 1)


def test_order_depends_on_seed_and_epoch_alone() -> None:
    windows = Windows(numbered(), 3, 1)
    batches = Batches(windows, 2, seed=1)
    seventh = told(batches, 7)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002  (what others may do)
    assert told(batches, 7) == seventh
    assert told(Batches(windows, 2, seed=1), 7) == seventh
    assert told(Batches(windows, 2, seed=2), 7) != seventh
    in_order = told(Batches(windows, 2, seed=1, shuffled=False), 7)
    assert [window for batch in in_order for window in batch] == list(range(len(windows)))


def test_windows_are_what_lies_in_their_clips() -> None:
    clips = numbered()
    windows = Windows(clips, 3, 2)
    for batch in Batches(windows, 5).epoch(0):
        assert batch.frames.dtype == torch.float32
        assert batch.frames.shape[1:] == (3, 1, 3, 4)
        for row, window in enumerate(batch.window.tolist()):
            clip, start = windows.rows[window]
            seen = (255 * batch.frames[row, :, 0, 0]).round()
            assert seen.tolist() == [[20 * clip + start + t + x for x in range(4)] for t in range(3)]
            assert batch.actions[row, :, 0].tolist() == [100 * clip + start + t for t in range(3)]
    assert windows.clip.tolist() == [0, 0, 0, 0, 1, 2, 2, 2, 3, 4, 4, 4, 4, 4]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_mirror_turns_frames_and_the_sign_of_actions(workers: int) -> None:
    clips = numbered()
    plain, mirrored = Windows(clips, 3, 1), Windows(clips, 3, 1, mirror=True)
    batches = Batches(mirrored, 4, workers=workers)
    met: dict[int, Counter[bool]] = {}
    for epoch in range(12):
        for batch in batches.epoch(epoch):
            for row, window in enumerate(batch.window.tolist()):
                original = plain[window, False]
                turned = not torch.equal(batch.frames[row], original.frames)
                met.setdefault(window, Counter())[turned] += 1
                sign = -1 if turned else 1
                assert torch.equal(batch.frames[row], original.frames.flip(-1) if turned else original.frames)
                assert torch.equal(batch.actions[row], sign * original.actions)
    share = sum(counts[True] for counts in met.values()) / (12 * len(mirrored))
    # 12 x 25 draws of one half: 0.5 +- 0.03; five standard deviations
    assert share == pytest.approx(0.5, abs=0.15)
    assert all(len(counts) == 2 for window, counts in met.items() if window < 5)  # either, from epoch to epoch


def test_an_action_that_has_no_side_keeps_its_sign_in_the_mirror() -> None:
    windows = Windows(numbered(), 3, mirror=True, mirror_actions=1.0)
    assert torch.equal(windows[2, True].actions, windows[2, False].actions)
    assert not torch.equal(windows[2, True].frames, windows[2, False].frames)


def test_clips_without_actions_give_batches_without() -> None:
    for batch in Batches(Windows(numbered(actions=False), 3, mirror=True), 4, workers=0).epoch(0):
        assert batch.actions is None
        assert batch.to("cpu").actions is None


def test_clips_stay_as_they_are() -> None:
    clips = numbered()
    before = [frames.copy() for frames in clips.frames]
    for batch in Batches(Windows(clips, 3, mirror=True), 4).epoch(0):
        batch.frames.zero_()
        batch.actions.zero_()
    assert all(np.array_equal(one, other) for one, other in zip(clips.frames, before, strict=True))
    assert clips.actions[1][2, 0] == 102


def test_windows_that_do_not_fit_are_told() -> None:
    with pytest.raises(DataError, match=r"windows of 13 frames do not fit: the longest clip, clip 4, has 12"):
        Windows(numbered(), 13)


def test_folds_take_turns_and_say_which_they_are() -> None:
    folds = [Batches(Windows(numbered(lengths=lengths), 3), 2, seed=3) for lengths in ((9, 9, 9), (6,), (3, 3, 3))]
    both = Folds(folds)
    assert len(both) == sum(len(fold) for fold in folds) == 5 + 1 + 2
    found = list(both.epoch(4))
    assert [batch.fold for batch in found] == [0, 1, 2, 0, 2, 0, 0, 0]
    for number, fold in enumerate(folds):
        own = [batch.window.tolist() for batch in found if batch.fold == number]
        assert own == told(fold, 4)
    assert isinstance(found[0], Batch)
    assert found[1].to("cpu").fold == 1
