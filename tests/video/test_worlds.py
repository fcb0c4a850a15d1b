"""Generated worlds: their states obey the laws that are claimed, their pictures show the states."""

from __future__ import annotations

import builtins
from typing import Any

import gymnasium
import numpy as np
import pytest

from noether_discover.errors import OptionError
from noether_discover.video.resizing import grey
from noether_discover.video.worlds import MAX_TORQUE, WORLDS, ball, energy, pendulum, stepped, world_named

WHITE = 255
DEFAULTS = {name: row.make(**row.defaults) for name, row in WORLDS.items() if name != "ramp"}


def rows(arrays: tuple[np.ndarray, ...] | None) -> np.ndarray:
    assert arrays is not None
    return np.array(arrays)


@pytest.mark.parametrize("name", WORLDS)
def test_a_seed_gives_the_same_films_and_another_seed_others(name: str) -> None:
    make = WORLDS[name].make
    one, again, other = (make(episodes=4, frames=24, size=16, seed=seed) for seed in (3, 3, 4))
    for a, b in ((one.frames, again.frames), (one.actions, again.actions), (one.states, again.states)):
        assert (a is None) == (b is None)
        for x, y in zip(a or (), b or (), strict=True):
            np.testing.assert_array_equal(x, y)
    assert not np.array_equal(rows(one.frames), rows(other.frames))
    assert one.lengths.tolist() == [24] * 4


def test_an_unknown_world_is_told_with_the_nearest_name() -> None:
    with pytest.raises(OptionError, match='no world "pendulun", did you mean "pendulum"'):
        world_named("pendulun")
    with pytest.raises(OptionError, match="size cannot be 4; ask for at least 8"):
        ball(size=4)
    with pytest.raises(OptionError, match='no renderer "cairo"'):
        pendulum(renderer="cairo")


# the pendulum


def test_the_driven_pendulum_moves_as_gymnasium_s_does() -> None:
    clips = pendulum(3, 60, seed=1)
    world: Any = gymnasium.make("Pendulum-v1").unwrapped
    for states, actions in zip(rows(clips.states), rows(clips.actions), strict=True):
        world.reset(seed=0)
        world.state = np.array([np.arctan2(states[0, 1], states[0, 0]), states[0, 2]])
        for t, torque in enumerate(actions.astype(float)):
            angle, speed = world.state
            expected = [np.cos(angle), np.sin(angle), speed]
            np.testing.assert_allclose(states[t, :3], expected, atol=1e-9)  # 60 steps of rounding
            world.step(torque)
    world.close()


def test_the_driven_pole_moves_most_of_the_time_at_many_energies() -> None:
    clips = DEFAULTS["pendulum"]
    states, torques = rows(clips.states), rows(clips.actions)
    slow = np.abs(states[..., 2]) < 0.5  # 1.4 degrees a frame
    assert slow.mean() < 0.15
    assert slow.mean(axis=1).max() < 0.5
    low, high = np.quantile(states[..., 3], [0.1, 0.9])
    assert low < -1
    assert high > 5  # it turns over, too
    assert states[..., 3].std(axis=1).min() > 0.8  # of 10 J: the energy changes in every episode
    assert np.abs(torques).max() <= MAX_TORQUE
    assert torques.std() > 0.5 * MAX_TORQUE
    assert np.histogram(np.arctan2(states[..., 1], states[..., 0]), 8)[0].min() > 0.05 * slow.size


def test_the_energy_is_the_one_that_torque_changes() -> None:
    clips = DEFAULTS["pendulum"]
    states = rows(clips.states)
    np.testing.assert_allclose(states[..., 3], states[..., 2] ** 2 / 6 + 5 * states[..., 0], atol=1e-12)
    angle, speed, step = 0.7, 1.3, 1e-5  # for a short step, work = torque * angle
    force = (1.5 * 10 * np.sin(angle) + 3 * 1.5) * step
    work = energy(angle + speed * step, speed + force) - energy(angle, speed)
    assert work == pytest.approx(1.5 * speed * step, rel=1e-3)
    assert stepped(np.array(0.0), np.array(0.0), np.array(9.0)) == stepped(np.array(0.0), np.array(0.0), np.array(2.0))


def test_energy_of_the_free_pendulum_is_conserved() -> None:
    clips = pendulum(60, 200, controlled=False)
    assert clips.actions is None
    q, speed, joules = rows(clips.states).transpose(2, 0, 1)
    np.testing.assert_allclose(joules, speed**2 / 6 - 5 * np.cos(q), atol=1e-12)
    assert np.ptp(joules, axis=1).max() < 1e-6
    assert joules[:, 0].min() < -3
    assert joules[:, 0].max() > 7
    turning = joules[:, 0] > 5
    assert 0.1 < turning.mean() < 0.6
    assert (np.abs(speed[turning]) > 0).all()  # a pole that turns over never turns back
    assert (np.abs(q[~turning]) <= np.pi).all()
    middle = (q[:, 2:] - q[:, :-2]) / (2 * 0.05)  # central differences at 0.05 s, against the velocity
    assert np.abs(middle - speed[:, 1:-1]).max() < 0.05 * np.abs(speed).max()


@pytest.mark.parametrize("size", [16, 32])
def test_the_two_renderers_draw_the_same_pole(size: int) -> None:
    ours = rows(pendulum(2, 15, size, controlled=False).frames).astype(int)
    gym = rows(pendulum(2, 15, size, controlled=False, renderer="gymnasium").frames).astype(int)
    ink = (WHITE - ours).mean()
    assert np.abs(ours - gym).mean() < 0.15 * ink  # Gymnasium rounds its corners to pixels of 500
    wrong = np.abs(ours[:, ::-1] - gym).mean()  # another episode's pole is nowhere near
    assert np.abs(ours - gym).mean() < 0.2 * wrong


def test_gymnasium_shows_the_torque_that_led_to_the_frame() -> None:
    clips = pendulum(1, 12, 64, renderer="gymnasium")
    ours = pendulum(1, 12, 64)
    arrow = np.abs(clips.frames[0].astype(int) - ours.frames[0])[:, 20:44, 20:44].mean(axis=(1, 2, 3))
    torque = np.abs(rows(clips.actions)[0, :, 0])
    assert arrow[0] < 0.5 * arrow[1:].max()  # nothing led to the first frame
    assert np.corrcoef(arrow[1:], torque[:-1])[0, 1] > 0.9


def test_pictures_show_the_angle() -> None:
    clips = pendulum(4, 50, 64, controlled=False, seed=2)
    ink = WHITE - rows(clips.frames)[..., 1].astype(float)
    y, x = np.mgrid[:64, :64] - 31.5
    heavy = ink.sum(axis=(2, 3))
    found = np.arctan2(-(ink * x).sum(axis=(2, 3)) / heavy, -(ink * y).sum(axis=(2, 3)) / heavy)  # from upright
    q = rows(clips.states)[..., 0]
    off = np.abs(np.angle(np.exp(1j * (found - q - np.pi))))
    assert off.max() < np.radians(2)


def test_grey_pictures_are_the_coloured_ones_without_colour() -> None:
    coloured = pendulum(2, 10).frames[1]
    assert np.abs(grey(coloured).astype(int) - pendulum(2, 10, grey=True).frames[1]).max() <= 1  # rounding


def test_a_missing_gymnasium_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *more: Any, **options: Any) -> Any:
        if name.partition(".")[0] == "gymnasium":
            raise ImportError(name)
        return real(name, *more, **options)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(OptionError, match=r"needs gymnasium.*pip install 'noether-discover\[video\]'"):
        pendulum(1, 2, renderer="gymnasium")


# the ball


@pytest.mark.parametrize("size", [8, 15, 16, 32])
def test_brightness_of_the_ball_is_constant_to_the_last_unit(size: int) -> None:
    frames = rows(ball(20, 30, size).frames).astype(int)
    sums = frames.sum(axis=(2, 3))
    assert (sums == sums[0, 0, 0]).all()
    assert frames.max() > 150


def test_the_ball_is_where_its_state_says_and_keeps_its_speed() -> None:
    clips = ball(20, 60, 32)
    state = rows(clips.states)
    speed = np.hypot(state[..., 2], state[..., 3])
    assert np.ptp(speed, axis=1).max() < 1e-12
    assert state[..., :2].min() >= 0.2
    assert state[..., :2].max() <= 0.8
    picture = rows(clips.frames)[..., 0].astype(float)
    places = (np.arange(32) + 0.5) / 32
    whole = picture.sum(axis=(2, 3))
    x, y = (picture.sum(axis=2) @ places) / whole, (picture.sum(axis=3) @ places) / whole
    assert np.abs(x - state[..., 0]).max() < 0.05 / 32  # a twentieth of a pixel
    assert np.abs(y - state[..., 1]).max() < 0.05 / 32


def test_the_ball_goes_straight_until_it_meets_a_wall() -> None:
    state = rows(ball(50, 60).states)
    moved, velocity = np.diff(state[..., :2], axis=1), state[..., 2:]
    free = (velocity[:, 1:] == velocity[:, :-1]).all(axis=2)
    np.testing.assert_allclose(moved[free], velocity[:, :-1][free], atol=1e-12)
    assert 0.01 < 1 - free.mean() < 0.2, "walls are met, but not all the time"
    turned = velocity[:, 1:] != velocity[:, :-1]
    np.testing.assert_array_equal(velocity[:, 1:][turned], -velocity[:, :-1][turned])
