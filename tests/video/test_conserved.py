"""An embedding that is taught only to be conserved: its objective, its axes, and what it finds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from noether_discover.errors import DataError, OptionError
from noether_discover.video.clips import Clips
from noether_discover.video.conservation import embedded
from noether_discover.video.conserved import (
    ConservedEmbedding,
    SeveralOfEach,
    along_clips,
    conserved_axes,
    conserved_embedding,
    measure,
    recovery,
    variance_axes,
    within_over_total_matrix,
)
from noether_discover.video.embeddings import QuantityEmbedding, brightness
from noether_discover.video.training import Schedule
from noether_discover.video.worlds import ball, pendulum


def planted(clips: int = 300, stacks: int = 5, seed: int = 0) -> np.ndarray:
    """[N, K, 3]: between variances 9, 1, 0 and within variances 1, 1, 4, independent of each other."""
    rng = np.random.default_rng(seed)
    between = rng.normal(size=(clips, 1, 3)) * [3, 1, 0]
    return between + rng.normal(size=(clips, stacks, 3)) * [1, 1, 2]


def small() -> tuple[Clips, Clips]:
    return pendulum(24, 20, 8, seed=1, controlled=False), pendulum(16, 20, 8, seed=2, controlled=False)


SHORT = Schedule(steps=20, batch=24, rate=2e-3, warmup=5, clip=1.0)


# the objective


def test_ratios_are_those_that_were_planted() -> None:
    ratios = torch.linalg.eigvalsh(within_over_total_matrix(torch.from_numpy(planted(20_000))))
    np.testing.assert_allclose(ratios, [0.1, 0.5, 1.0], atol=0.02)  # 1/(9 + 1), 1/(1 + 1), 4/4; 20,000 clips: 1 %


def test_the_objective_does_not_depend_on_how_components_are_mixed() -> None:
    g = torch.from_numpy(planted())
    mix = torch.tensor([[2.0, 0.3, 0.1], [0.0, 1.0, -0.5], [0.2, 0.0, 1.5]], dtype=torch.float64)
    one, other = within_over_total_matrix(g), within_over_total_matrix(7 + g @ mix)
    assert float(one.trace()) == pytest.approx(float(other.trace()), rel=1e-3)  # the ridge is 1e-5 of the variance
    assert float(one.logdet()) == pytest.approx(float(other.logdet()), rel=1e-3)


def test_one_number_many_times_over_is_not_several_conserved_ones() -> None:
    g = torch.from_numpy(planted())
    again = g[..., :1].repeat(1, 1, 3) + 1e-3 * torch.randn(g.shape, generator=torch.Generator().manual_seed(0))
    ratios = torch.linalg.eigvalsh(within_over_total_matrix(again))
    assert ratios[0] == pytest.approx(0.1, abs=0.03)  # 300 clips
    assert (ratios[1:] > 0.8).all()  # what is left counts as noise: 1e-6 of the variance, under the ridge


def test_a_component_gains_nothing_by_shrinking() -> None:
    g = torch.from_numpy(planted())
    seen = [torch.logdet(within_over_total_matrix(g * torch.tensor([1, 1, s]))) for s in (1, 1e-2, 1e-3, 1e-4)]
    assert all(b > a - 0.05 for a, b in itertools.pairwise(seen))  # it is noise already


def test_a_constant_embedding_gives_numbers_and_no_reward() -> None:
    np.testing.assert_allclose(within_over_total_matrix(torch.ones(6, 3, 2)), np.eye(2), atol=1e-12)


def test_gradients_are_those_of_finite_differences() -> None:
    g = torch.from_numpy(planted(6, 3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda g: torch.logdet(within_over_total_matrix(g)), g)


# axes


def test_axes_undo_any_mixture_and_move_by_one_within_a_clip() -> None:
    g = planted()
    mixed = g @ np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0], [0.3, 0.0, 1.0]])
    found = conserved_axes(list(mixed))
    first = np.concatenate(found.along(list(mixed)))[:, 0]
    assert abs(np.corrcoef(first, g[..., 0].ravel())[0, 1]) > 0.99
    assert (np.diff(found.ratios) > 0).all()
    inside = np.array(found.along(list(mixed)))
    inside -= inside.mean(axis=1, keepdims=True)
    flat = inside.reshape(-1, 3)
    np.testing.assert_allclose(flat.T @ flat / len(flat), np.eye(3), atol=1e-9)


def test_the_most_conserved_direction_need_not_vary_most() -> None:
    g = planted() * [1e-2, 1, 1]
    assert abs(variance_axes(list(g)).axes[2, 0]) > 0.9  # the noise
    assert conserved_axes(list(g)).ratios[0] == pytest.approx(0.08, abs=0.02)  # 0.8 / (9 + 1): means of 5 take 1/5


def test_directions_that_do_not_vary_are_left_out_and_nothing_at_all_is_an_error() -> None:
    g = planted()
    doubled = np.concatenate([g, g[..., :1], np.ones_like(g[..., :1])], axis=2)
    assert conserved_axes(list(doubled)).axes.shape == (5, 3)
    with pytest.raises(DataError, match="the same everywhere"):
        conserved_axes([np.ones((4, 2)), np.ones((4, 2))])


def test_ranks_see_through_a_step_that_sorts_clips_into_two_kinds() -> None:
    rng = np.random.default_rng(0)
    level = rng.uniform(-1, 1, 60)
    fine = [np.full((40, 1), e) + 0.02 * rng.normal(size=(40, 1)) for e in level]
    coarse = [np.where(g.mean() > 0, 1.0, 0.0) + 1e-3 * rng.normal(size=(40, 1)) for g in fine]
    truth = [np.full(40, e) for e in level]
    assert recovery(coarse).within_over_between < recovery(fine).within_over_between
    assert recovery(coarse).ranks > 30 * recovery(fine).ranks
    assert recovery(fine, truth).spearman > 0.99 > recovery(coarse, truth).spearman
    cubed = recovery([g**3 for g in fine], truth)
    assert cubed.ranks == recovery(fine).ranks
    assert np.isnan(recovery(fine).pearson)


# batches


def test_every_clip_is_seen_once_with_stacks_of_its_own() -> None:
    frames = tuple(np.full((9, 8, 8, 1), 10 * i + 5, np.uint8) for i in range(6))
    batches = SeveralOfEach(Clips(frames=frames), 2, 4, 3, seed=1)
    epoch = list(batches.epoch(0))
    assert sorted(torch.cat([b.window for b in epoch]).tolist()) == list(range(6))
    for batch in epoch:
        assert batch.frames.shape == (3, 8, 1, 8, 8)
        np.testing.assert_allclose(batch.frames.amax((1, 2, 3, 4)), (10 * batch.window + 5) / 255, rtol=1e-6)
        np.testing.assert_allclose(batch.frames.amin((1, 2, 3, 4)), (10 * batch.window + 5) / 255, rtol=1e-6)
    again, other = next(batches.epoch(0)), next(batches.epoch(1))
    assert torch.equal(again.frames, epoch[0].frames)
    assert not torch.equal(other.window, epoch[0].window)


def test_stacks_are_of_consecutive_frames_and_differ() -> None:
    times = np.arange(30, dtype=np.uint8)[:, None, None, None].repeat(8, 1).repeat(8, 2)
    batch = next(SeveralOfEach(Clips(frames=(times, times)), 3, 5, 2).epoch(0))
    t = (255 * batch.frames[:, :, 0, 0, 0]).round().unflatten(1, (5, 3))
    assert (t.diff(dim=2) == 1).all()
    assert all(len(set(row[:, 0].tolist())) == 5 for row in t)


# the embedding


def test_energy_of_a_free_pendulum_is_found_in_single_pairs_of_frames() -> None:
    training = pendulum(32, 30, 16, seed=1, controlled=False)
    held_out = pendulum(40, 30, 16, seed=2, controlled=False)
    schedule = Schedule(steps=120, batch=32, rate=3e-3, warmup=20, clip=1.0)
    found = conserved_embedding(training, dim=2, schedule=schedule)
    assert held_out.states is not None
    energy = [s[:, 2] for s in held_out.states]
    for by in ("conserved", "variance"):
        judged = measure(found, training, held_out, energy, by=by)
        assert judged.within_over_between < 0.1
        assert judged.total < 0.1
        assert abs(judged.spearman) > 0.9
    untrained = conserved_embedding(training, dim=2, schedule=Schedule(steps=1, batch=32, rate=1e-9))
    judged = measure(untrained, training, held_out, energy)
    assert judged.within_over_between > 1
    assert abs(judged.spearman) < 0.9


def test_components_come_most_conserved_first_and_move_by_one() -> None:
    training, _ = small()
    found = conserved_embedding(training, dim=3, schedule=SHORT)
    g = along_clips(found, training, 2)
    inside = np.concatenate([rows - rows.mean(axis=0) for rows in g])
    np.testing.assert_allclose(inside.T @ inside / len(inside), np.eye(3), atol=0.01)  # a float32 network
    assert (found.ratios.diff() >= 0).all()
    total = np.concatenate(g).var(axis=0)
    np.testing.assert_allclose(1 / total, found.ratios, rtol=0.01)


def test_a_gap_sees_the_ends_of_its_stack() -> None:
    training, held_out = small()
    found = conserved_embedding(training, dim=1, gap=3, schedule=SHORT)
    assert found.frames == 4
    x = torch.rand(2, 12, 8, 8)
    y = x.clone()
    y[:, 3:9] = 0
    assert torch.equal(found(x), found(y))
    y[:, 9:] = 0
    assert not torch.equal(found(x), found(y))
    assert [len(z) for z in measure(found, training, held_out).values] == [17] * 16


def test_it_fits_where_an_embedding_is_wanted() -> None:
    training, held_out = small()
    found = conserved_embedding(training, dim=2, schedule=SHORT)
    film = torch.from_numpy(held_out.window(0, 0, 12)[0])[None]
    g_BTd = embedded(found, film[:, :4], film[:, 4:])
    expected = along_clips(found, held_out.take([0]), 2)[0][2:11]
    np.testing.assert_allclose(g_BTd[0].detach(), expected, rtol=1e-4, atol=1e-4)


def test_the_same_seed_gives_the_same_embedding_and_leaves_the_world_s_randomness_alone() -> None:
    training, _ = small()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one = conserved_embedding(training, dim=1, schedule=SHORT, seed=3)
    assert torch.equal(torch.rand(3), expected)
    again = conserved_embedding(training, dim=1, schedule=SHORT, seed=3)
    other = conserved_embedding(training, dim=1, schedule=SHORT, seed=4)
    x = torch.rand(2, 6, 8, 8)
    assert torch.equal(one(x), again(x))
    assert not torch.equal(one(x), other(x))


def test_a_network_of_one_s_own_and_clips_of_several_lengths() -> None:
    training, _ = small()
    uneven = Clips(frames=tuple(f[: 10 + i % 5] for i, f in enumerate(training.frames)))
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 2))
    found = conserved_embedding(uneven, network=network, dim=2, schedule=SHORT)
    assert isinstance(found, ConservedEmbedding)
    assert found.frames == 1
    assert len(along_clips(found, uneven, 1)[1]) == 11


def test_what_is_measured_of_any_embedding() -> None:
    training, held_out = ball(12, 15, 16, seed=1), ball(12, 15, 16, seed=2)

    def where(x: Tensor) -> Tensor:
        return x.mean(2) @ torch.linspace(-1, 1, 16)

    assert held_out.states is not None
    truth = [s[:, 0] for s in held_out.states]
    judged = measure(QuantityEmbedding(where), training, held_out, truth)
    assert abs(judged.pearson) > 0.99
    assert judged.within_over_between > 0.1  # a ball's place is not conserved
    with pytest.raises(DataError, match="the same everywhere"):
        measure(QuantityEmbedding(brightness), training, held_out)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"stacks": 1}, OptionError, "stacks = 1"),
        ({"objective": "trace"}, OptionError, 'objective = "trace": there are log, mean'),
        ({"dim": 200}, DataError, "cannot tell 200 components apart"),
        ({"gap": 25}, DataError, "clip 0 has 20 frames, too few for 4 different stacks of 26"),
    ],
)
def test_what_cannot_be_is_told(options: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        conserved_embedding(small()[0], schedule=SHORT, **options)


def test_one_clip_cannot_show_what_is_conserved() -> None:
    with pytest.raises(DataError, match="give at least two"):
        conserved_embedding(small()[0].take([0]), schedule=SHORT)
