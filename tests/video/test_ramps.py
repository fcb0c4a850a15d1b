"""The ramps: what is seen follows mechanics, objects keep their looks, test objects are new, morphing is measured.

N clips, T frames, H height, W width, C channels.
"""

import numpy as np
import pytest

from noether_discover.errors import DataError, OptionError
from noether_discover.video.clips import Clips
from noether_discover.video.ramps import (
    COLOURS,
    NOVELTIES,
    SHAPES,
    STATES,
    appearance,
    background,
    drawn_masks,
    make_ramps,
    masks,
    ramp_sets,
)

COLUMN = {name: i for i, (name, _) in enumerate(STATES)}


@pytest.fixture(scope="module")
def clips():
    return make_ramps(clips=30, objects=30, targets=10, seed=1)


@pytest.fixture(scope="module")
def parts(clips):
    return masks(clips)


@pytest.fixture(scope="module", name="frames_NTHWC")
def true_frames(clips):
    return np.stack(clips.frames) / 255


def state(clips, name):
    return np.stack(clips.states)[:, :, COLUMN[name]]


def redrawn(clips, parts, shape=None, dx=0.0, dy=0.0, colour=None, strength=1.0):
    """The clips with another sliding object: another shape or colour, somewhere else, or fainter; [N, T, H, W, C]."""
    films = []
    for i in range(len(clips)):
        x_T, y_T, angle_T, size_T = (state(clips, name)[i] for name in ("x", "y", "angle", "size"))
        form = clips.facts["shape"][i] if shape is None else shape[i]
        mask_THW = strength * drawn_masks(form, size_T[0], x_T + dx, y_T + dy, angle_T, clips.size[0])
        rgb = np.array([state(clips, c)[i, 0] for c in ("red", "green", "blue")]) if colour is None else colour[i]
        film = np.stack(clips.frames)[i] / 255
        own_THW = parts.object_NTHW[i][..., None]
        # where the object was, the stage comes back; the second object stays, as the two hardly overlap
        film = np.where(own_THW > 0, parts.background_NHWC[i], film)
        films.append(film + mask_THW[..., None] * (rgb - film))
    return np.stack(films)


def measured(frames_NTHWC, predicted_NTHWC, parts):
    return appearance(frames_NTHWC, predicted_NTHWC, parts.background_NHWC, parts.object_NTHW, parts.target_NTHW)


# ------------------------------------------------------------------------------------------------------ the world


def test_the_same_seed_gives_the_same_clips_and_more_continue_them():
    once, again, more = make_ramps(clips=5, seed=3), make_ramps(clips=5, seed=3), make_ramps(clips=8, seed=3)
    other = make_ramps(clips=5, seed=4)
    assert once.facts == again.facts
    for i in range(5):
        assert np.array_equal(once.frames[i], again.frames[i])
        assert np.array_equal(once.frames[i], more.frames[i])
        assert np.array_equal(once.states[i], again.states[i])
    assert any(not np.array_equal(a, b) for a, b in zip(once.frames, other.frames, strict=True))


@pytest.mark.parametrize("size", [16, 32, 48, 128])
def test_frames_have_the_size_that_was_asked_for(size):
    clips = make_ramps(clips=2, frames=9, size=size)
    assert all(frames.shape == (9, size, size, 3) and frames.dtype == np.uint8 for frames in clips.frames)
    assert all(states.shape == (9, len(STATES)) for states in clips.states)


def test_facts_name_what_is_seen(clips):
    assert set(clips.facts) == {"object", "shape", "colour", "target", "setting", "trial"}
    for i in range(len(clips)):
        colour, shape, number = clips.facts["object"][i].split("-")
        assert (shape, colour) == (clips.facts["shape"][i], clips.facts["colour"][i])
        assert shape in SHAPES
        assert colour in COLOURS
        assert number.isdigit()
        assert clips.facts["target"][i].split("-")[0] != colour
    assert len({tuple(row) for row in zip(*clips.facts.values(), strict=True)}) == len(clips)


def test_objects_and_settings_take_turns():
    clips = make_ramps(clips=48, objects=12)
    pairs = list(zip(clips.facts["object"], clips.facts["setting"], strict=True))
    assert len(set(pairs)) == 24
    assert all(pairs.count(pair) == 2 for pair in pairs)
    assert len({name.split("-")[1] for name in clips.facts["object"]}) >= 6


def test_the_blow_falls_in_the_middle_of_most_clips_and_all_come_to_rest(clips):
    moved_NT = np.abs(np.diff(state(clips, "target_x"))) > 1e-9
    assert moved_NT.any(1).all()
    first_N = moved_NT.argmax(1)
    assert ((first_N >= 8) & (first_N <= 15)).mean() > 0.9
    assert not moved_NT[:, :7].any()
    # at the end less than half a pixel a frame, of 32
    assert np.abs(np.diff(state(clips, "x"))[:, -1]).max() < 0.5 / 32
    assert (np.abs(np.diff(state(clips, "x"))[:, -1]) == 0).mean() > 0.6


def test_objects_move_by_a_pixel_or_so_a_frame_and_faster_and_faster_down_the_ramp(clips):
    step_NT = np.hypot(np.diff(state(clips, "x")), np.diff(state(clips, "y"))) * 32
    assert (np.diff(step_NT[:, :5]) > 0).all()
    assert 0.8 < step_NT[:, :10].mean() < 1.5


def test_bodies_do_not_pass_through_each_other_nor_gain_speed_by_the_blow(clips, parts):
    sign_N1 = np.where(np.array(clips.facts["setting"]) == "left", 1, -1)[:, None]
    gap_NT = sign_N1 * (state(clips, "target_x") - state(clips, "x"))
    assert gap_NT.min() > 0.08
    shared_NT = np.minimum(parts.object_NTHW, parts.target_NTHW).sum((2, 3)) / parts.object_NTHW.sum((2, 3))
    # soft edges share a column of pixels
    assert shared_NT.max() < 0.12
    assert np.abs(np.diff(state(clips, "target_x"))).max() < np.abs(np.diff(state(clips, "x"))).max() * 1.2


def test_boxes_are_tilted_on_the_ramp_and_flat_on_the_table(clips):
    for i, shape in enumerate(clips.facts["shape"]):
        if SHAPES[shape].rolls:
            continue
        sign = 1 if clips.facts["setting"][i] == "left" else -1
        angle_T = sign * np.degrees(state(clips, "angle")[i])
        assert angle_T[0] == pytest.approx(24)
        assert angle_T[-1] == pytest.approx(0, abs=4)
        assert (np.diff(angle_T) <= 1e-9).all()


def test_round_objects_roll_without_slipping():
    clips = make_ramps(clips=60, objects=60, seed=5)
    for i, shape in enumerate(clips.facts["shape"]):
        if not SHAPES[shape].rolls:
            continue
        x_T, y_T, angle_T = (state(clips, name)[i] for name in ("x", "y", "angle"))
        radius = SHAPES[shape].outer * state(clips, "size")[i, 0]
        # before the foot and after it; the frame that spans the kink has a shorter chord
        way_T = np.hypot(np.diff(x_T), np.diff(y_T))
        rolled_T = np.abs(np.diff(angle_T)) * radius
        assert np.sort(np.abs(rolled_T - way_T))[-2] < 1e-12
        assert np.abs(rolled_T - way_T).max() < 0.004


def test_nothing_sinks_into_the_ramp(clips, parts):
    for i, setting in enumerate(clips.facts["setting"]):
        empty = background(clips.size[0], setting)
        wall_HW = np.abs(empty - empty[0, clips.size[0] // 2]).sum(-1) < 1e-6
        below_T = (parts.object_NTHW[i] * ~wall_HW).sum((1, 2)) / parts.object_NTHW[i].sum((1, 2))
        # the edge's own pixels only: a flat base of 8 pixels shares a row of half pixels with the ramp
        assert below_T.max() < 0.3


def test_colour_is_constant_and_area_nearly(clips):
    for name in ("red", "green", "blue", "size", "light"):
        assert np.ptp(state(clips, name), axis=1).max() == 0
    area_NT = state(clips, "area")
    # soft edges cut the corners of thin shapes differently as they turn
    assert (np.ptp(area_NT, axis=1) / area_NT.mean(1)).max() < 0.03


def test_objects_are_as_large_as_wanted(clips):
    extent_N = (state(clips, "size")[:, 0] * 32).round(1)
    assert extent_N.min() >= 5
    assert extent_N.max() <= 8


@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_mask_has_the_area_and_the_centroid_of_its_shape(shape):
    at = np.array([0.43, 0.5, 0.561])
    mask_THW = drawn_masks(shape, 0.4, at, at + 0.03, np.array([0.0, 0.3, -1.0]), 64)
    ticks = (np.arange(64) + 0.5) / 64
    total_T = mask_THW.sum((1, 2))
    assert (mask_THW.sum(1) @ ticks / total_T) == pytest.approx(at, abs=2e-3)
    assert (mask_THW.sum(2) @ ticks / total_T) == pytest.approx(at + 0.03, abs=2e-3)
    form = SHAPES[shape]
    if form.corners_V2 is None:
        area, box = np.pi * (form.outer**2 - form.hole**2), (2 * form.outer) ** 2
    else:
        (x, y), (u, v) = form.corners_V2.T, np.roll(form.corners_V2, -1, 0).T
        area, box = abs((x * v - u * y).sum()) / 2, np.ptp(x) * np.ptp(y)
    assert total_T / 64**2 == pytest.approx(0.16 * area, rel=0.01)
    assert (np.sqrt(area) + np.sqrt(box)) / 2 == pytest.approx(1)


def test_states_agree_with_the_pixels(clips, parts):
    ticks = (np.arange(32) + 0.5) / 32
    for name, mask_NTHW in (("x", parts.object_NTHW), ("target_x", parts.target_NTHW)):
        seen_NT = mask_NTHW.sum(2) @ ticks / mask_NTHW.sum((2, 3))
        whole_NT = mask_NTHW[..., [0, -1]].sum((2, 3)) == 0
        assert np.abs(seen_NT - state(clips, name))[whole_NT].max() < 0.003


def test_the_stage_is_constant_where_nothing_moves(clips, parts, frames_NTHWC):
    still_NTHW = (parts.object_NTHW + parts.target_NTHW) == 0
    away_NTHW = np.abs(frames_NTHWC - parts.background_NHWC[:, None]).max(-1)
    assert away_NTHW[still_NTHW].max() <= 0.5 / 255 + 1e-9


def test_masks_and_states_make_up_the_frames(clips, parts, frames_NTHWC):
    inside_NTHW = parts.object_NTHW == 1
    colour_NTC = np.stack([state(clips, c) for c in ("red", "green", "blue")], -1)
    away_NTHW = np.abs(frames_NTHWC - colour_NTC[:, :, None, None]).max(-1)
    assert inside_NTHW.any((2, 3)).all()
    assert away_NTHW[inside_NTHW].max() <= 0.5 / 255 + 1e-9


def test_half_the_pace_shows_the_same_in_twice_the_frames():
    fast = make_ramps(clips=3, frames=24, light=0)
    slow = make_ramps(clips=3, frames=48, light=0, pace=0.5)
    # the integration's step is another: 1/32 frame against 1/64 of the fast one's
    assert np.abs(state(fast, "x") - state(slow, "x")[:, ::2]).max() < 0.01


def test_light_varies_between_clips_and_can_be_still():
    assert np.ptp(state(make_ramps(clips=8), "light")) > 0.01
    still = make_ramps(clips=4, light=0)
    assert np.array_equal(still.frames[0][:, 0], still.frames[1][:, 0])


def test_marks_are_seen_on_round_objects_only():
    plain, marked = make_ramps(clips=30, objects=30), make_ramps(clips=30, objects=30, marks=True)
    for shape, a, b in zip(plain.facts["shape"], plain.frames, marked.frames, strict=True):
        assert np.array_equal(a, b) != SHAPES[shape].rolls


@pytest.mark.parametrize(
    "options",
    [
        {"size": 8},
        {"size": 200},
        {"clips": 0},
        {"frames": 1},
        {"objects": 0},
        {"objects": 10_000},
        {"settings": ("up",)},
        {"settings": ()},
        {"light": 0.5},
        {"pace": 0},
        {"targets": 1},
    ],
)
def test_options_out_of_range_are_told(options):
    with pytest.raises(OptionError):
        make_ramps(**{"clips": 1, **options})


# ------------------------------------------------------------------------------------------------- unseen objects


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("new_targets", [False, True])
def test_test_objects_were_never_seen(seed, new_targets):
    train, test = ramp_sets(18, 24, frames=2, size=16, seed=seed, new_targets=new_targets)
    kind = lambda name: tuple(name.split("-")[:2])  # noqa: E731
    shown = {kind(name) for name in (*train.facts["object"], *train.facts["target"])}
    new = {kind(name) for name in test.facts["object"]}
    assert len(new) == 12
    assert not shown & new
    if new_targets:
        assert not {kind(name) for name in test.facts["target"]} & (shown | new)
    else:
        assert set(test.facts["target"]) <= {*train.facts["target"], *test.facts["target"]}
        assert not {kind(name) for name in test.facts["target"]} & new


@pytest.mark.parametrize("seed", range(5))
def test_novelty_says_what_is_new(seed):
    train, test = ramp_sets(18, 24, frames=2, size=16, seed=seed)
    assert set(train.facts["novelty"]) == {"seen"}
    assert set(test.facts["novelty"]) == set(NOVELTIES)
    shapes, colours = set(train.facts["shape"]), set(train.facts["colour"])
    seen = {word for name in train.facts["target"] for word in name.split("-")[:2]} | shapes | colours
    for shape, colour, novelty in zip(*(test.facts[c] for c in ("shape", "colour", "novelty")), strict=True):
        assert (shape in shapes) == (novelty in ("combination", "colour"))
        assert (colour in colours) == (novelty in ("combination", "shape"))
        assert (shape in seen) == (shape in shapes)


def test_novelties_can_be_chosen():
    _, test = ramp_sets(9, 12, frames=2, size=16, novelties=["combination"])
    assert set(test.facts["novelty"]) == {"combination"}
    with pytest.raises(OptionError, match="novelties"):
        ramp_sets(9, 12, novelties=["smell"])
    with pytest.raises(OptionError, match="apart"):
        ramp_sets(9, 12, test_objects=200)
    with pytest.raises(OptionError, match="shapes"):
        ramp_sets(9, 12, train_shapes=len(SHAPES))


def test_clips_split_by_object(clips):
    train, test = clips.split(0.3)
    assert not set(train.facts["object"]) & set(test.facts["object"])
    assert masks(test).object_NTHW.shape[0] == len(test)


# ------------------------------------------------------------------------------------------------ what was kept


def test_a_perfect_prediction_has_no_errors(parts, frames_NTHWC):
    seen = measured(frames_NTHWC, frames_NTHWC, parts)
    assert seen.colour_error.max() == 0
    # sums in another order
    assert np.abs(seen.shape_error).max() < 1e-12
    assert not seen.missing.any()
    assert seen.apart[:, :6].mean() > 0.9
    assert not seen.apart[:, 16:].any()
    assert not seen.apart[:, -1].all()


@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (-1.5, -0.5), (0.3, -2), (-2, 0)])
def test_misplacement_is_no_morphing(clips, parts, frames_NTHWC, dx, dy):
    seen = measured(frames_NTHWC, redrawn(clips, parts, dx=dx / 32, dy=dy / 32), parts)
    on = seen.apart
    assert not seen.missing[on].any()
    assert np.median(seen.colour_error[on]) < 0.02
    assert np.median(seen.shape_error[on]) < 0.12


def test_another_colour_is_an_error_of_colour(clips, parts, frames_NTHWC):
    rgb = np.stack([state(clips, c)[:, 0] for c in ("red", "green", "blue")], -1)
    other = rgb[:, ::-1] * 0.9
    there = np.linalg.norm(other - rgb, axis=-1)
    seen = measured(frames_NTHWC, redrawn(clips, parts, colour=other), parts)
    for i in range(len(clips)):
        # the mean over an object with soft edges is a little nearer to the background
        assert seen.colour_error[i][seen.apart[i]].mean() == pytest.approx(there[i], rel=0.25, abs=0.02)
    assert np.median(seen.shape_error[seen.apart]) < 0.12


def test_another_shape_is_an_error_of_shape(clips, parts, frames_NTHWC):
    swapped = {"disc": "triangle", "ring": "disc", "bar": "tower", "tower": "bar"}
    other = [swapped.get(shape, "bar" if shape != "dome" else "tower") for shape in clips.facts["shape"]]
    seen = measured(frames_NTHWC, redrawn(clips, parts, shape=other), parts)
    moved = measured(frames_NTHWC, redrawn(clips, parts, dx=1.3 / 32, dy=-0.6 / 32), parts)
    assert np.median(seen.colour_error[seen.apart]) < 0.05
    for i in range(len(clips)):
        on = seen.apart[i]
        assert seen.shape_error[i][on].mean() > 2 * moved.shape_error[i][on].mean()
        assert seen.shape_error[i][on].mean() > 0.2


def test_blur_is_an_error_of_shape(clips, parts, frames_NTHWC):
    kernel = np.exp(-(np.arange(-4, 5) ** 2) / 4.0)
    blurred = frames_NTHWC - parts.background_NHWC[:, None]
    for axis in (2, 3):
        blurred = np.apply_along_axis(np.convolve, axis, blurred, kernel / kernel.sum(), "same")
    seen = measured(frames_NTHWC, blurred + parts.background_NHWC[:, None], parts)
    assert seen.shape_error[seen.apart].mean() > 0.15


def test_an_object_that_fades_away_is_missing(clips, parts, frames_NTHWC):
    gone = measured(frames_NTHWC, redrawn(clips, parts, strength=0), parts)
    faint = measured(frames_NTHWC, redrawn(clips, parts, strength=0.6), parts)
    assert gone.missing[gone.apart].all()
    assert (gone.shape_error[gone.apart] == 1).all()
    assert gone.colour_error[gone.apart].min() > 0.2
    assert not faint.missing.any()


def test_the_second_object_is_not_taken_for_the_first(clips, parts, frames_NTHWC):
    """Where the two touch, taking the true sliding object away leaves nothing that would pass for it."""
    gone = measured(frames_NTHWC, redrawn(clips, parts, strength=0), parts)
    touching = ~gone.apart
    assert touching.any()
    assert gone.missing[touching].mean() > 0.95


def test_arrays_that_do_not_fit_are_told(clips, parts, frames_NTHWC):
    with pytest.raises(DataError, match="do not fit"):
        measured(frames_NTHWC, frames_NTHWC[:, 1:], parts)
    with pytest.raises(DataError, match="255"):
        measured(frames_NTHWC * 255, frames_NTHWC, parts)
    with pytest.raises(DataError, match="finite"):
        measured(frames_NTHWC, frames_NTHWC * np.nan, parts)
    with pytest.raises(DataError, match="shows nothing"):
        measured(np.broadcast_to(parts.background_NHWC[:, None], frames_NTHWC.shape), frames_NTHWC, parts)
    with pytest.raises(DataError, match="lack"):
        masks(Clips(frames=clips.frames))
