"""Films of worlds whose states we know. The same arguments give the same arrays.

N episodes, T frames, S state values.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError
from .clips import Clips
from .drawing import discs, poles

Array = np.ndarray
Progress = Callable[[str, int, int], None]

GRAVITY, STEP, MAX_SPEED, MAX_TORQUE = 10.0, 0.05, 8.0, 2.0
"""Of Gymnasium's Pendulum-v1: m/s^2, s, rad/s, N m. Its pole is a rod of 1 kg and 1 m that turns about one end."""

RENDERERS = ("numpy", "gymnasium")


def pendulum(
    episodes: int = 200,
    frames: int = 200,
    size: int = 16,
    seed: int = 0,
    *,
    controlled: bool = True,
    renderer: str = "numpy",
    grey: bool = False,
    progress: Progress | None = None,
) -> Clips:
    """Gymnasium's Pendulum-v1, 20 frames a second, driven by a torque or free.

    controlled: a policy pumps energy into the pole and out of it, towards goals that change every second or so, with
    noise. actions: torque [N m]; the one at frame t acts until frame t + 1. states: cos and sin of the angle from
    upright, angular velocity [rad/s], energy [J]. Integrated as Gymnasium does, at 0.05 s, with its limit on speed.

    not controlled: released at energies between nearly hanging still and turning over fast, and integrated to 1e-6 of
    the energy's range. No actions. states: angle from hanging [rad, not wrapped], angular velocity [rad/s], energy [J].

    energy: omega^2/6 + 5 cos(angle from upright): -5 J hanging, +5 J balanced.
    renderer: "numpy" draws the pole at the small size; "gymnasium" draws 500 pixels, which are then averaged (4 ms a
    frame), with an arrow for the torque that led to the frame. grey: one channel instead of three.

    Raises OptionError for a renderer that is not known or not installed, or numbers that are too small.
    """
    _sensible(episodes, frames, size)
    if renderer not in RENDERERS:
        raise OptionError(f'there is no renderer "{renderer}"; there are: {", ".join(RENDERERS)}')
    rng = np.random.default_rng(seed)
    torques = None
    if controlled:
        angle, speed, torques = _driven(rng, episodes, frames)
        states = np.stack([np.cos(angle), np.sin(angle), speed, energy(angle, speed)], axis=2)
    else:
        angle, speed = _free(rng, episodes, frames)
        states = np.stack([angle - np.pi, speed, energy(angle, speed)], axis=2)
    if renderer == "numpy":
        pictures = poles(angle.ravel(), size, grey_only=grey)
    else:
        from .gym_pictures import gym_poles

        shown = None
        if torques is not None:
            shown = np.full((episodes, frames), np.nan)
            shown[:, 1:] = torques[:, :-1]
        pictures = gym_poles(
            angle.ravel(),
            None if shown is None else shown.ravel(),
            size,
            grey_only=grey,
            progress=progress and (lambda done, total: progress("drawing frames", done, total)),
        )
    return Clips(
        frames=tuple(pictures.reshape(episodes, frames, *pictures.shape[1:])),
        actions=None if torques is None else tuple(torques[..., None].astype(np.float32)),
        states=tuple(states),
        fps=1 / STEP,
    )


def ball(
    episodes: int = 200,
    frames: int = 60,
    size: int = 16,
    seed: int = 0,
    *,
    grey: bool = False,
    progress: Progress | None = None,
) -> Clips:
    """A white ball with a soft edge that bounces between four walls and loses nothing.

    The sum of all pixels of a channel is the same number in every frame, exactly. The radius is 0.2 sides of the
    picture; the walls are the picture's edges. states: x (to the right), y (down) in sides; vx, vy in sides a frame,
    0.015 to 0.06. The speed never changes. No actions; 20 frames a second. progress: not told, it takes no time.

    Raises OptionError for numbers that are too small.
    """
    _sensible(episodes, frames, size)
    rng = np.random.default_rng(seed)
    radius = 0.2
    room = 1 - 2 * radius
    start = rng.uniform(0, room, (episodes, 2))
    heading, pace = rng.uniform(0, 2 * np.pi, episodes), rng.uniform(0.015, 0.06, episodes)
    velocity = (pace * np.array([np.cos(heading), np.sin(heading)])).T
    straight = start[:, None] + velocity[:, None] * np.arange(frames)[None, :, None]
    lap = np.mod(straight, 2 * room)  # there and back: walls are mirrors
    back = lap > room
    place = radius + np.where(back, 2 * room - lap, lap)
    states = np.concatenate([place, np.where(back, -velocity[:, None], velocity[:, None])], axis=2)
    brightness = round(200 * size**2 * radius**2 * np.pi / 3)  # the profile's integral is pi/3 radius^2: about 200 peak
    pictures = discs(place[..., 0].ravel(), place[..., 1].ravel(), radius, size, brightness)
    if not grey:
        pictures = np.repeat(pictures, 3, axis=3)
    return Clips(frames=tuple(pictures.reshape(episodes, frames, *pictures.shape[1:])), states=tuple(states), fps=20.0)


def ramp(episodes: int = 40, frames: int = 24, size: int = 32, seed: int = 0, **options: Any) -> Clips:
    """Objects of many shapes and colours that slide down ramps (`ramps.make_ramps`)."""
    from .ramps import make_ramps

    options.pop("progress", None)
    return make_ramps(clips=episodes, frames=frames, size=size, seed=seed, **options)


@dataclass(frozen=True)
class World:
    """A row of `WORLDS`. make: (episodes, frames, size, seed, **options) -> Clips; defaults: of the first three."""

    name: str
    make: Callable[..., Clips]
    description: str
    defaults: Mapping[str, int] = field(default_factory=dict)


WORLDS: dict[str, World] = {
    row.name: row
    for row in (
        World(
            "pendulum", pendulum, "A pole driven by a torque, or free.",
            {"episodes": 200, "frames": 200, "size": 16},
        ),
        World(
            "ball", ball, "A ball between walls, of constant brightness.",
            {"episodes": 200, "frames": 60, "size": 16},
        ),
        World(
            "ramp", ramp, "Objects of many shapes that slide down ramps.",
            {"episodes": 40, "frames": 24, "size": 32},
        ),
    )
}  # fmt: skip
"""Every world by name."""


def world_named(name: str) -> World:
    """The row with this name. Raises OptionError, with the nearest name."""
    if name in WORLDS:
        return WORLDS[name]
    close = difflib.get_close_matches(name, WORLDS, n=1)
    hint = f', did you mean "{close[0]}"?' if close else "."
    raise OptionError(f'there is no world "{name}"{hint} The worlds are {", ".join(WORLDS)}.')


def energy(angle: Array, speed: Array) -> Array:
    """Of the pendulum, in joules: a rod's inertia is 1/3 kg m^2 about its end, its weight acts at half its length."""
    return speed**2 / 6 + GRAVITY / 2 * np.cos(angle)


def stepped(angle: Array, speed: Array, torque: Array) -> tuple[Array, Array]:
    """Angle and angular velocity after one step of Gymnasium's Pendulum-v1; the angle from upright, not wrapped."""
    pushed = np.clip(torque, -MAX_TORQUE, MAX_TORQUE)
    faster = np.clip(speed + (1.5 * GRAVITY * np.sin(angle) + 3 * pushed) * STEP, -MAX_SPEED, MAX_SPEED)
    return angle + faster * STEP, faster


def _driven(rng: np.random.Generator, episodes: int, frames: int) -> tuple[Array, Array, Array]:
    """Angles, angular velocities and torques [N, T] of episodes that begin as Gymnasium's do."""
    angle, speed = rng.uniform(-np.pi, np.pi, episodes), rng.uniform(-1, 1, episodes)
    goal, left = np.zeros(episodes), np.zeros(episodes, int)
    rows = []
    for _ in range(frames):
        due = left <= 0
        below, above = rng.uniform(-4, 3.5, episodes), rng.uniform(6.5, 8, episodes)  # near +5 J it would stand still
        goal = np.where(due, np.where(rng.random(episodes) < 0.7, below, above), goal)
        left = np.where(due, rng.integers(15, 40, episodes), left - 1)
        wanted = goal - energy(angle, speed)
        direction = np.where(np.abs(speed) < 0.1, np.sign(np.sin(angle)), np.sign(speed))  # from rest: with gravity
        brake = np.clip(np.abs(speed) - 1, 0, 1)  # a slow pole is let fall, or the brake would hold it up
        push = np.where(wanted < 0, brake, 1) * np.clip(wanted, -MAX_TORQUE, MAX_TORQUE) * direction
        torque = np.clip(push + rng.normal(0, 0.4, episodes), -MAX_TORQUE, MAX_TORQUE)
        torque = torque.astype(np.float32).astype(float)  # as it will be kept
        rows.append((angle, speed, torque))
        angle, speed = stepped(angle, speed, torque)
    found = np.array(rows).transpose(1, 2, 0)
    return found[0], found[1], found[2]


def _free(rng: np.random.Generator, episodes: int, frames: int, substeps: int = 16) -> tuple[Array, Array]:
    """Angles from upright and angular velocities [N, T] without torque; classical Runge-Kutta."""
    level = rng.uniform(-4.0, 8.0, episodes)
    level = np.where(np.abs(level - 5) < 0.5, level - 1.5, level)  # a pole that comes to rest upright is no pendulum
    widest = np.where(level < 5, np.arccos(np.clip(-level / 5, -1, 1)), np.pi)  # from hanging
    hanging = widest * np.sin(rng.uniform(-np.pi / 2, np.pi / 2, episodes))
    speed = np.sqrt(np.clip(6 * (level + 5 * np.cos(hanging)), 0, None)) * rng.choice([-1, 1], episodes)
    x = np.array([hanging + np.pi, speed])

    def rates(x: Array) -> Array:
        return np.array([x[1], 1.5 * GRAVITY * np.sin(x[0])])

    h, rows = STEP / substeps, [x]
    for _ in range(frames - 1):
        for _ in range(substeps):
            a = rates(x)
            b = rates(x + h / 2 * a)
            c = rates(x + h / 2 * b)
            x = x + h / 6 * (a + 2 * b + 2 * c + rates(x + h * c))
        rows.append(x)
    found = np.array(rows).transpose(1, 2, 0)
    return found[0], found[1]


def _sensible(episodes: int, frames: int, size: int) -> None:
    for name, value, least in (("episodes", episodes, 1), ("frames", frames, 1), ("size", size, 8)):
        if value < least:
            raise OptionError(f"{name} cannot be {value}; ask for at least {least}")
