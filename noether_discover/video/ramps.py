"""Ramps: a world of drawn objects that slide down an incline and push a second one, after the paper's Physics 101.

The question it is made for: does a predictor morph an object that it has never seen into one that it knows? So training
and test clips share no object, and `appearance` says how well colour and shape survive a prediction.

Lengths are in frame widths, times in frames, angles in radians, clockwise on the screen; y points down.
N clips, T frames, H height, W width, C = 3 channels (red, green, blue), S state values, V corners, P pixels of a patch.
(Alet et al. 2021, section 4.1; the objects, the drawing and the numbers are our own.)
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ..errors import DataError, OptionError
from .clips import Array, Clips

STATES = (
    ("x", "centroid of the sliding object, frame widths from the left edge"),
    ("y", "centroid of the sliding object, frame heights from the upper edge"),
    ("angle", "its rotation, radians, clockwise; round objects roll and go beyond a turn"),
    ("area", "what is visible of it, as a share of the frame"),
    ("red", "its colour as shown, 0 to 1"),
    ("green", "the same"),
    ("blue", "the same"),
    ("target_x", "centroid of the second object"),
    ("target_y", "the same, from the upper edge"),
    ("size", "of the sliding object, frame widths: the mean of the root of its area and of its width times its height"),
    ("target_size", "the same of the second object"),
    ("light", "brightness of the clip; 1 is normal"),
)
"""The columns of `Clips.states`, in order, with their meaning."""

SETTINGS = ("left", "right")
"""On which side the ramp stands."""

SLOPE = math.radians(24)
FOOT = 0.42
"""How far the ramp reaches into the frame."""
TABLE = 0.82
"""Height of the table's surface."""
WALL_COLOUR = (0.83, 0.84, 0.86)
RAMP_COLOUR = (0.60, 0.56, 0.52)
TABLE_COLOUR = (0.46, 0.44, 0.43)

GRAVITY = 0.0120
"""Widths per frame squared: at 32 pixels, motion of a pixel to a pixel and a half a frame."""
TABLE_FRICTION = 0.13
"""What the table's cloth adds to an object's own coefficient."""
RESTITUTION = 0.1
SUBSTEPS = 32
SMALLEST, LARGEST = 16, 128

SIZES = (0.165, 0.18, 0.195, 0.21, 0.225)
"""Frame widths; an object's number is its place here, from 1. At 32 pixels, discs are 5.6 to 7.6 pixels across."""

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0, 0.90, 0.88),
    "orange": (28, 0.95, 0.93),
    "yellow": (54, 0.92, 0.92),
    "lime": (85, 0.85, 0.80),
    "green": (130, 0.80, 0.55),
    "teal": (172, 0.90, 0.62),
    "cyan": (190, 0.80, 0.92),
    "blue": (222, 0.85, 0.90),
    "violet": (262, 0.70, 0.80),
    "magenta": (302, 0.80, 0.85),
    "pink": (336, 0.50, 0.93),
    "maroon": (352, 0.85, 0.48),
    "brown": (25, 0.75, 0.48),
    "olive": (60, 0.80, 0.45),
    "navy": (228, 0.85, 0.40),
    "black": (260, 0.10, 0.13),
}
"""Hue in degrees, saturation, value. An object's own hue and value differ a little from its name's."""


# ---------------------------------------------------------------------------------------------------------- shapes


@dataclass(frozen=True)
class Shape:
    """An outline that is its own mirror image, standing on its lowest side; of size 1, so that shapes look alike large.

    Size is the mean of two roots: of the area, and of width times height.

    corners_V2: of a polygon about its centroid, or none for a circle. outer, hole: radii of a circle or ring.
    """

    name: str
    corners_V2: Array | None = None
    outer: float = 0.0
    hole: float = 0.0

    @property
    def rolls(self) -> bool:
        return self.corners_V2 is None

    @property
    def height(self) -> float:
        """From the ground to the centroid."""
        return self.outer if self.corners_V2 is None else float(self.corners_V2[:, 1].max())

    @property
    def base(self) -> float:
        """Half of the length on which it stands; 0 for a circle."""
        if self.corners_V2 is None:
            return 0.0
        low_V = self.corners_V2[:, 1] > self.height - 1e-6
        return float(np.abs(self.corners_V2[low_V, 0]).max())

    @property
    def radius(self) -> float:
        """From the centroid to the farthest point."""
        return self.outer if self.corners_V2 is None else float(np.hypot(*self.corners_V2.T).max())

    def distance(self, x: Array, y: Array) -> Array:
        """From points to the outline, negative inside; any shape of array."""
        if self.corners_V2 is None:
            away = np.hypot(x, y)
            return np.maximum(away - self.outer, self.hole - away) if self.hole else away - self.outer
        nearest = np.full(x.shape, np.inf)
        inside = np.zeros(x.shape, bool)
        for (ax, ay), (bx, by) in zip(self.corners_V2, np.roll(self.corners_V2, -1, 0), strict=True):
            px, py, ex, ey = x - ax, y - ay, bx - ax, by - ay
            along = np.clip((px * ex + py * ey) / (ex * ex + ey * ey), 0, 1)
            nearest = np.minimum(nearest, (px - along * ex) ** 2 + (py - along * ey) ** 2)
            if ey:
                inside ^= ((ay > y) != (by > y)) & (px < ex * py / ey)
        return np.where(inside, -1, 1) * np.sqrt(nearest)


def _round(name: str, hole: float = 0.0) -> Shape:
    """A disc, or a ring whose hole has this share of its radius."""
    outer = 2 / (2 + math.sqrt(math.pi * (1 - hole**2)))
    return Shape(name, None, outer, hole * outer)


def _polygon(name: str, corners: Sequence[tuple[float, float]]) -> Shape:
    """A shape of size 1 from its corners, y upwards."""
    at_V2 = np.array(corners, float) * [1, -1]
    after_V2 = np.roll(at_V2, -1, 0)
    cross_V = at_V2[:, 0] * after_V2[:, 1] - after_V2[:, 0] * at_V2[:, 1]
    centroid = ((at_V2 + after_V2) * cross_V[:, None]).sum(0) / (3 * cross_V.sum())
    size = (math.sqrt(abs(cross_V.sum()) / 2) + math.sqrt(np.ptp(at_V2[:, 0]) * np.ptp(at_V2[:, 1]))) / 2
    return Shape(name, (at_V2 - centroid) / size)


def _around(count: int, first: float, *radii: float) -> list[tuple[float, float]]:
    """Points on a circle, or on several in turn; first: degrees of the first one."""
    turns = [math.radians(first + 360 * i / count) for i in range(count)]
    return [(radii[i % len(radii)] * math.cos(a), radii[i % len(radii)] * math.sin(a)) for i, a in enumerate(turns)]


_ARM = 0.36
"""Half the width of a cross's arm; its half length is 1."""

SHAPES = {
    shape.name: shape
    for shape in (
        _round("disc"),
        _round("ring", 0.5),
        _polygon("square", [(-1, -1), (1, -1), (1, 1), (-1, 1)]),
        _polygon("triangle", [(-1, 0), (1, 0), (0, 1.75)]),
        _polygon("bar", [(-1.4, -0.6), (1.4, -0.6), (1.4, 0.6), (-1.4, 0.6)]),
        _polygon(
            "cross",
            [
                *((-_ARM, -1), (_ARM, -1), (_ARM, -_ARM), (1, -_ARM), (1, _ARM), (_ARM, _ARM)),
                *((_ARM, 1), (-_ARM, 1), (-_ARM, _ARM), (-1, _ARM), (-1, -_ARM), (-_ARM, -_ARM)),
            ],
        ),
        _polygon("star", _around(10, 90, 1.0, 0.45)),
        _polygon("hexagon", _around(6, 0, 1.0)),
        _polygon("dome", [(math.cos(a), math.sin(a)) for a in np.linspace(0, math.pi, 15)]),
        _polygon("tower", [(-0.6, -1.3), (0.6, -1.3), (0.6, 1.3), (-0.6, 1.3)]),
    )
}


@cache
def _half_widths(shape: str, samples: int = 200) -> Array:
    """Half the width of a shape of size 1 at heights (k + 1/2)/100 above the ground; minus infinity above it."""
    form = SHAPES[shape]
    x, up = np.linspace(0, 1, 201), (np.arange(samples) + 0.5) / 100
    inside = form.distance(*np.broadcast_arrays(x, form.height - up[:, None])) <= 0
    return np.where(inside.any(1), (x * inside).max(1), -np.inf)


@dataclass(frozen=True)
class Thing:
    """An object: what it looks like and how it slides.

    number: its place in SIZES, from 1. rgb: its colour, 0 to 1. friction: its coefficient. density: mass over area.
    """

    shape: str
    colour: str
    number: int
    rgb: tuple[float, float, float]
    friction: float
    density: float

    @property
    def name(self) -> str:
        return f"{self.colour}-{self.shape}-{self.number}"

    @property
    def size(self) -> float:
        return SIZES[self.number - 1]

    @property
    def form(self) -> Shape:
        return SHAPES[self.shape]

    @property
    def mass(self) -> float:
        return self.density * self.size**2

    def half_width(self, up: Array) -> Array:
        """Half its width at heights above the ground, in frame widths; minus infinity above it."""
        widths = _half_widths(self.shape)
        return self.size * widths[np.minimum(up / self.size * 100, len(widths) - 1).astype(int)]


def cast(
    count: int, seed: int | Sequence[int], shapes: Sequence[str], colours: Sequence[str], taken: Collection[Thing] = ()
) -> list[Thing]:
    """So many objects, no two of one shape and colour, and none of the shape and colour of one that is taken.

    Shapes and colours come up as evenly as this allows.

    Raises OptionError when there are fewer pairs of shape and colour.
    """
    random = np.random.default_rng(seed)
    pairs = {(thing.shape, thing.colour) for thing in taken}
    free = [(s, c) for s in shapes for c in colours if (s, c) not in pairs]
    if count > len(free):
        raise OptionError(
            f"{count} objects of different shape or colour are wanted, but only {len(free)} can be told apart "
            f"({len(shapes)} shapes, {len(colours)} colours); take fewer objects"
        )
    uses = dict.fromkeys([*shapes, *colours], 0)
    things = []
    for _ in range(count):
        shape, colour = min(free, key=lambda pair: (uses[pair[0]] + uses[pair[1]], random.random()))
        free.remove((shape, colour))
        uses[shape] += 1
        uses[colour] += 1
        hue, saturation, value = COLOURS[colour]
        hue += random.uniform(-5, 5)
        value = min(value * random.uniform(0.95, 1.05), 0.95)
        things.append(
            Thing(
                shape,
                colour,
                int(random.integers(len(SIZES))) + 1,
                colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value),
                float(random.uniform(0.06, 0.13)),
                float(random.uniform(0.8, 1.25)),
            )
        )
    return things


# ---------------------------------------------------------------------------------------------------------- motion


def _pose(thing: Thing, s: Array) -> tuple[Array, Array, Array]:
    """Where a thing's centroid is, and its angle, when it has moved so far along ramp and table (ramp on the left).

    s: path of the middle of what it stands on, 0 at the ramp's foot. At the foot a thing with a flat base stands with
    its rear edge on the ramp and its front edge on the table; a round one touches both.
    """
    size, form = thing.size, thing.form
    height, base = form.height * size, form.base * size
    if form.rolls:
        x = FOOT + height * math.tan(SLOPE / 2) + s * np.where(s < 0, math.cos(SLOPE), 1)
        return x, TABLE - height + np.minimum(s, 0) * math.sin(SLOPE), s / height
    tilt = SLOPE / 2 - np.arcsin(np.clip(s / base, -1, 1) * math.sin(SLOPE / 2))
    front = 2 * base * np.sin(SLOPE - tilt) / math.sin(SLOPE)
    x = FOOT + front - base * np.cos(tilt) + height * np.sin(tilt)
    y = TABLE - base * np.sin(tilt) - height * np.cos(tilt)
    before, after = np.minimum(s + base, 0), np.maximum(s - base, 0)
    return x + before * math.cos(SLOPE) + after, y + before * math.sin(SLOPE), tilt


def _moved(thing: Thing, target: Thing, frames: int, pace: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Path of a thing along ramp and table [T], and the target's x [T]; the ramp on the left.

    Friction on both; the blow keeps the momentum and a tenth of the relative speed.
    """
    up = np.linspace(0, 0.5, 101)[:-1] + 0.0025
    reach = float(np.max(thing.half_width(up) + target.half_width(up)))
    start = random.uniform(-0.01, 0.05) + thing.form.radius * thing.size
    s = (start - FOOT) / math.cos(SLOPE)
    speed = random.uniform(0.012, 0.019) * pace
    base = thing.form.base * thing.size
    other = FOOT + max(0.06, 0.8 * base) + reach + random.uniform(0.0, 0.08)
    other = min(other, 0.95 - float(target.half_width(up).max()))
    other_speed = 0.0
    gravity, step = GRAVITY * pace**2, 1 / SUBSTEPS
    s_T, other_T = np.empty(frames), np.empty(frames)
    for t in range(frames):
        s_T[t], other_T[t] = s, other
        for _ in range(SUBSTEPS):
            turned = min(max(s / base, -1), 1) if base else math.copysign(1, s)
            tilt = SLOPE * (1 - turned) / 2
            grip = thing.friction + TABLE_FRICTION * (1 + turned) / 2
            speed = max(speed + step * gravity * (math.sin(tilt) - grip * math.cos(tilt)), 0.0)
            other_speed = max(other_speed - step * gravity * (target.friction + TABLE_FRICTION), 0.0)
            s, other = s + step * speed, other + step * other_speed
            touching = s > 0 and float(_pose(thing, np.array(s))[0]) + reach >= other
            if touching and speed > other_speed:
                mean = (thing.mass * speed + target.mass * other_speed) / (thing.mass + target.mass)
                blow = RESTITUTION * (speed - other_speed) / (thing.mass + target.mass)
                speed, other_speed = max(mean - target.mass * blow, 0.0), mean + thing.mass * blow
    return s_T, other_T


# --------------------------------------------------------------------------------------------------------- drawing


def drawn_masks(shape: str, size: float, x_T: Array, y_T: Array, angle_T: Array, pixels: int) -> Array:
    """How much of each pixel a shape covers, [T, H, W] in [0, 1]; soft edges from the distance at 3 x 3 points each."""
    form, fine = SHAPES[shape], 3
    side = math.ceil(2 * form.radius * size * pixels) + 3
    row_T = np.clip(np.floor(y_T * pixels - side / 2).astype(int) + 1, -side, pixels)
    column_T = np.clip(np.floor(x_T * pixels - side / 2).astype(int) + 1, -side, pixels)
    at = (np.arange(side * fine) + 0.5) / fine
    dy = ((row_T[:, None] + at) / pixels - y_T[:, None])[:, :, None] / size
    dx = ((column_T[:, None] + at) / pixels - x_T[:, None])[:, None, :] / size
    cos, sin = np.cos(angle_T)[:, None, None], np.sin(angle_T)[:, None, None]
    distance = form.distance(cos * dx + sin * dy, cos * dy - sin * dx)
    soft = np.clip(0.5 - distance * size * pixels * fine, 0, 1)
    patch_TPP = soft.reshape(len(x_T), side, fine, side, fine).mean((2, 4))
    canvas = np.zeros((len(x_T), pixels + 2 * side, pixels + 2 * side))
    here = np.arange(side)
    rows, columns = (row_T + side)[:, None, None] + here[:, None], (column_T + side)[:, None, None] + here
    canvas[np.arange(len(x_T))[:, None, None], rows, columns] = patch_TPP
    return canvas[:, side:-side, side:-side]


def background(pixels: int, setting: str = "left") -> Array:
    """The empty stage, [H, W, C] in [0, 1]: a wall, a table, a ramp on the side that the setting names.

    Raises OptionError for another setting.
    """
    if setting not in SETTINGS:
        raise OptionError(f'there is no setting "{setting}"; there are: {", ".join(SETTINGS)}')
    at = (np.arange(pixels * 4) + 0.5) / (pixels * 4)
    x, y = at[None, :], at[:, None]
    table = y >= TABLE
    ramp = (y >= TABLE - (FOOT - x) * math.tan(SLOPE)) & ~table
    fine = np.where(
        table[..., None], TABLE_COLOUR, np.where(ramp[..., None], RAMP_COLOUR, np.broadcast_to(WALL_COLOUR, (1, 1, 3)))
    )
    stage = fine.reshape(pixels, 4, pixels, 4, 3).mean((1, 3))
    return stage if setting == "left" else stage[:, ::-1]


def _clip(
    thing: Thing,
    target: Thing,
    setting: str,
    frames: int,
    pixels: int,
    light: float,
    pace: float,
    marks: bool,
    seed: Sequence[int],
) -> tuple[Array, Array]:
    """One clip: frames [T, H, W, C] of uint8 and states [T, S]."""
    random = np.random.default_rng(seed)
    lit = 1 + light * random.uniform(-1, 1)
    turn = random.uniform(0, 2 * math.pi) if thing.form.rolls else 0.0
    s_T, other_T = _moved(thing, target, frames, pace, random)
    x_T, y_T, angle_T = _pose(thing, s_T)
    angle_T = angle_T + turn
    if setting == "right":
        x_T, angle_T, other_T = 1 - x_T, -angle_T, 1 - other_T
    ground_T = np.full(frames, TABLE - target.form.height * target.size)
    object_THW = drawn_masks(thing.shape, thing.size, x_T, y_T, angle_T, pixels)
    target_THW = drawn_masks(target.shape, target.size, other_T, ground_T, 0 * other_T, pixels)
    picture = np.broadcast_to(background(pixels, setting), (frames, pixels, pixels, 3))
    layers = [(target_THW, np.array(target.rgb)), (object_THW, np.array(thing.rgb))]
    if marks and thing.form.rolls:
        away = (thing.form.outer + thing.form.hole) / 2 * thing.size
        spot = away * np.cos(angle_T), away * np.sin(angle_T)
        mark_THW = drawn_masks("disc", 0.28 * thing.size, x_T + spot[0], y_T + spot[1], 0 * x_T, pixels)
        layers.append((mark_THW * object_THW, 0.25 * np.array(thing.rgb)))
    for mask_THW, rgb in layers:
        picture = picture + mask_THW[..., None] * (rgb - picture)
    shown = np.minimum(np.array(thing.rgb) * lit, 1)
    ones = np.ones(frames)
    states_TS = np.stack(
        [
            *(x_T, y_T, angle_T, object_THW.mean((1, 2)), *(ones * c for c in shown), other_T, ground_T),
            *(ones * thing.size, ones * target.size, ones * lit),
        ],
        1,
    )
    return np.round(np.clip(picture * lit, 0, 1) * 255).astype(np.uint8), states_TS


def _played(
    clips: int,
    frames: int,
    size: int,
    things: Sequence[Thing],
    targets: Sequence[Thing],
    settings: Sequence[str],
    light: float,
    pace: float,
    marks: bool,
    seed: Sequence[int],
) -> Clips:
    """Clips in which the objects take turns, then the settings; the target is any of another colour."""
    if clips < 1 or frames < 2:
        raise OptionError(f"{clips} clips of {frames} frames: at least 1 clip of 2 frames is needed")
    if not SMALLEST <= size <= LARGEST:
        raise OptionError(f"frames of {size} pixels: ramps are drawn from {SMALLEST} to {LARGEST} pixels")
    if not settings or set(settings) - set(SETTINGS):
        raise OptionError(f"settings {list(settings)}: give one or both of {', '.join(SETTINGS)}")
    if not 0 <= light <= 0.2:
        raise OptionError(f"light {light}: brightness can vary by 0 to 0.2 of itself")
    if not 0.1 <= pace <= 4:
        raise OptionError(f"pace {pace}: from 0.1 to 4 times the normal speed")
    films, states = [], []
    facts: dict[str, list[str]] = {name: [] for name in ("object", "shape", "colour", "target", "setting", "trial")}
    trials: dict[tuple[str, str], int] = {}
    for i in range(clips):
        thing = things[i % len(things)]
        setting = settings[(i // len(things) + i % len(things)) % len(settings)]
        others = [other for other in targets if other.colour != thing.colour]
        if not others:
            raise OptionError(f"every second object is as {thing.colour} as the sliding one; take more targets")
        target = others[int(np.random.default_rng([*seed, 0, i]).integers(len(others)))]
        trial = trials[thing.name, setting] = trials.get((thing.name, setting), 0) + 1
        film, state = _clip(thing, target, setting, frames, size, light, pace, marks, [*seed, 1, i])
        films.append(film)
        states.append(state)
        row = (thing.name, thing.shape, thing.colour, target.name, setting, str(trial))
        for column, word in zip(facts.values(), row, strict=True):
            column.append(word)
    return Clips(
        frames=tuple(films), states=tuple(states), facts={name: tuple(words) for name, words in facts.items()}, fps=12.0
    )


def make_ramps(
    clips: int = 40,
    frames: int = 24,
    size: int = 32,
    seed: int = 0,
    objects: int = 12,
    *,
    targets: int = 5,
    settings: Sequence[str] = SETTINGS,
    light: float = 0.04,
    pace: float = 1.0,
    marks: bool = False,
) -> Clips:
    """Objects of varied shape, colour and size slide down a ramp and push a second one that stands on the table.

    Every object has its own friction and density; the start and the second object's place vary. The blow falls near
    the middle of 24 frames, and both come to rest. The same seed gives the same clips, and more of them continue them.

    objects, targets: how many sliding and how many second objects there are; they share no pair of shape and colour.
    settings: sides on which the ramp stands, in turn. light: how far the brightness of clips varies. pace: speed over
    the normal one (0.5 and 48 frames show the same). marks: a dark spot on round objects, so that rolling is seen.

    Frames are uint8 [T, size, size, 3]; states are STATES; facts: object, shape, colour, target, setting, trial.

    Raises OptionError for options out of range or more objects than there are shapes and colours.
    """
    if objects < 1 or targets < 2:
        raise OptionError(f"{objects} objects and {targets} targets: at least 1 object and 2 targets are needed")
    things = cast(objects, [seed, 0], tuple(SHAPES), tuple(COLOURS))
    others = cast(targets, [seed, 1], tuple(SHAPES), tuple(COLOURS), things)
    return _played(clips, frames, size, things, others, settings, light, pace, marks, [seed, 2])


NOVELTIES = ("combination", "colour", "shape", "both")
"""What is new about a test object: the pairing of a known shape with a known colour; the colour; the shape; both."""


def ramp_sets(
    train_clips: int = 36,
    test_clips: int = 60,
    train_objects: int = 9,
    test_objects: int = 12,
    frames: int = 24,
    size: int = 32,
    seed: int = 0,
    *,
    train_shapes: int = 6,
    train_colours: int = 7,
    novelties: Sequence[str] = NOVELTIES,
    targets: int = 5,
    new_targets: bool = False,
    settings: Sequence[str] = SETTINGS,
    light: float = 0.04,
    pace: float = 1.0,
    marks: bool = False,
) -> tuple[Clips, Clips]:
    """Training and test clips of one world whose sliding objects share no pair of shape and colour.

    train_shapes, train_colours: how many of each there are in training; the rest is new at test. novelties: kinds of
    test objects, in turn. new_targets: the second objects of test clips are new too, otherwise those of training;
    no second object has the shape and colour of a test object. Other options as in `make_ramps`.

    Facts have one column more, novelty: "seen" in training, else what is new about the object (NOVELTIES).

    Raises OptionError for options out of range, an unknown novelty, or more objects than can be told apart.
    """
    if train_objects < 1 or test_objects < 1 or targets < 2:
        raise OptionError("at least 1 training object, 1 test object and 2 targets are needed")
    if not 1 <= train_shapes < len(SHAPES) or not 1 < train_colours < len(COLOURS):
        raise OptionError(
            f"{train_shapes} shapes and {train_colours} colours for training: 1 to {len(SHAPES) - 1} shapes and "
            f"2 to {len(COLOURS) - 1} colours leave something new for the test"
        )
    if not novelties or set(novelties) - set(NOVELTIES):
        raise OptionError(f"novelties {list(novelties)}: give some of {', '.join(NOVELTIES)}")
    random = np.random.default_rng([seed, 3])
    shapes, colours = [str(s) for s in random.permutation([*SHAPES])], [str(c) for c in random.permutation([*COLOURS])]
    things = cast(train_objects, [seed, 4], shapes[:train_shapes], colours[:train_colours])
    others = cast(targets, [seed, 5], shapes[:train_shapes], colours[:train_colours], things)
    known_shapes = list(dict.fromkeys(thing.shape for thing in things))
    known_colours = list(dict.fromkeys(thing.colour for thing in things))
    tests: list[Thing] = []
    kinds: dict[str, str] = {}
    for i, kind in enumerate(novelties):
        mine = cast(
            len(range(i, test_objects, len(novelties))),
            [seed, 6, i],
            shapes[train_shapes:] if kind in ("shape", "both") else known_shapes,
            colours[train_colours:] if kind in ("colour", "both") else known_colours,
            [*things, *others, *tests],
        )
        tests += mine
        kinds |= {thing.name: kind for thing in mine}
    order = np.argsort([k for i in range(len(novelties)) for k in range(i, test_objects, len(novelties))])
    tests = [tests[k] for k in order]
    test_others = cast(targets, [seed, 7], shapes, colours, [*things, *others, *tests]) if new_targets else others
    options = settings, light, pace, marks
    train = _played(train_clips, frames, size, things, others, *options, [seed, 8])
    test = _played(test_clips, frames, size, tests, test_others, *options, [seed, 9])
    return _told(train, ["seen"] * len(train)), _told(test, [kinds[name] for name in test.facts["object"]])


def _told(clips: Clips, novelty: Sequence[str]) -> Clips:
    return Clips(clips.frames, clips.actions, clips.states, {**clips.facts, "novelty": tuple(novelty)}, clips.fps)


# -------------------------------------------------------------------------------------------------- what was kept


@dataclass(frozen=True)
class Masks:
    """What a clip of ramps is made of: how much of a pixel each object covers, and the stage without them, in [0, 1].

    object_NTHW: of the sliding object. target_NTHW: of the second one. background_NHWC: as lit in each clip.
    """

    object_NTHW: Array
    target_NTHW: Array
    background_NHWC: Array


def masks(clips: Clips) -> Masks:
    """The masks of clips of equal length, drawn anew from their states and facts.

    They are what `make_ramps` drew, so that frames taken from a clip go with masks taken at the same times.

    Raises DataError when clips are not ramps or differ in length.
    """
    if clips.states is None or {"shape", "target", "setting"} - set(clips.facts):
        raise DataError("masks are drawn from the states and facts of ramps, which these clips lack")
    if clips.states[0].shape[1] != len(STATES) or len(set(clips.lengths)) > 1:
        raise DataError(f"masks need clips of one length with the {len(STATES)} states of ramps")
    pixels = clips.size[0]
    column = {name: i for i, (name, _) in enumerate(STATES)}
    objects, targets, stages = [], [], []
    for i, states_TS in enumerate(clips.states):
        x_T, y_T, angle_T, other_T, ground_T = (
            states_TS[:, column[name]] for name in ("x", "y", "angle", "target_x", "target_y")
        )
        size, target_size, light = (states_TS[0, column[name]] for name in ("size", "target_size", "light"))
        objects.append(drawn_masks(clips.facts["shape"][i], size, x_T, y_T, angle_T, pixels))
        shape = clips.facts["target"][i].split("-")[1]
        targets.append(drawn_masks(shape, target_size, other_T, ground_T, 0 * other_T, pixels))
        stages.append(background(pixels, clips.facts["setting"][i]) * light)
    return Masks(np.stack(objects), np.stack(targets), np.clip(np.stack(stages), 0, 1))


@dataclass(frozen=True)
class Appearance:
    """How well predicted frames keep the sliding object, for each clip and time, [N, T].

    colour_error: distance of its mean colour from the true one, red, green and blue from 0 to 1.
    shape_error: 1 less the overlap over the union with the true object, after their centroids are laid on each other:
    morphing counts, misplacement does not.
    missing: whether hardly anything stands out from the background where the object should be; then shape_error is 1
    and colour_error that of what is seen in its place.
    apart: whether the second object is out of reach; where it touches, a misplaced one can be taken for the object.
    """

    colour_error: Array
    shape_error: Array
    missing: Array
    apart: Array


FAINT = 0.06
"""A pixel this near to the background's colour (distance, red, green, blue from 0 to 1) belongs to the background."""
REACH = 0.09
"""How far an object may be misplaced and still be found, frame widths; 3 pixels of 32."""
ABSENT = 0.2
"""An object of which less than this share of the true foreground is left is missing."""


def appearance(
    true_NTHWC: Array, predicted_NTHWC: Array, background_NHWC: Array, object_NTHW: Array, target_NTHW: Array
) -> Appearance:
    """Whether predictions show the true object: its colour and its shape, wherever nearby it is.

    Both in true and in predicted frames the object is what stands out from the background near its true place, less
    what the second object covers; a true frame as prediction has no errors. Frames and backgrounds in [0, 1]; masks
    from `masks`. Blur is an error of shape.

    Raises DataError when the arrays do not fit each other or are not finite.
    """
    shape = true_NTHWC.shape
    fits = len(shape) == 5 and predicted_NTHWC.shape == shape and background_NHWC.shape == (shape[0], *shape[2:])
    if not fits or object_NTHW.shape != shape[:4] or target_NTHW.shape != shape[:4]:
        raise DataError(
            f"true {list(shape)}, predicted {list(predicted_NTHWC.shape)}, backgrounds {list(background_NHWC.shape)}, "
            f"masks {list(object_NTHW.shape)} and {list(target_NTHW.shape)} do not fit; give [N, T, H, W, C], the "
            "same, [N, H, W, C] and twice [N, T, H, W]"
        )
    if not (np.isfinite(true_NTHWC).all() and np.isfinite(predicted_NTHWC).all()):
        raise DataError("frames are not finite; set such clips aside, and count them")
    if true_NTHWC.max() > 1.5:
        raise DataError("frames go up to 255; divide them by 255")
    height, width = shape[2:4]
    start_NT2 = _centroid(object_NTHW)
    radius_NT = np.sqrt(np.where(object_NTHW > 0.5, _square(start_NT2, height, width), 0).max((2, 3)))
    free_NTHW = 1 - _grown(target_NTHW)
    near_NTHW = _square(start_NT2, height, width) <= (radius_NT + REACH * width)[..., None, None] ** 2
    apart_NT = (target_NTHW * near_NTHW).max((2, 3)) < 0.05
    true_found_NTHW, found_NTHW = (
        _found(
            np.maximum(np.linalg.norm(frames - background_NHWC[:, None], axis=-1) - FAINT, 0) * free_NTHW,
            start_NT2,
            radius_NT,
        )
        for frames in (true_NTHWC, predicted_NTHWC)
    )
    if not true_found_NTHW.any((2, 3)).all():
        i, t = np.argwhere(~true_found_NTHW.any((2, 3)))[0]
        raise DataError(f"clip {i} frame {t}: the true frame shows nothing where its mask has the object")
    missing_NT = found_NTHW.sum((2, 3)) < ABSENT * true_found_NTHW.sum((2, 3))
    seen_NTHW = np.where(missing_NT[..., None, None], true_found_NTHW, found_NTHW)
    colour_NTC, seen_colour_NTC = _mean_colour(true_NTHWC, true_found_NTHW), _mean_colour(predicted_NTHWC, seen_NTHW)
    overlap_NT = _overlap(*(_coverage(one, object_NTHW) for one in (true_found_NTHW, seen_NTHW)))
    return Appearance(
        np.linalg.norm(seen_colour_NTC - colour_NTC, axis=-1),
        np.where(missing_NT, 1.0, 1 - overlap_NT),
        missing_NT,
        apart_NT,
    )


def _square(at_NT2: Array, height: int, width: int) -> Array:
    """Squared distance of every pixel from a place (row, column), [N, T, H, W]."""
    rows, columns = np.arange(height)[:, None], np.arange(width)
    return (rows - at_NT2[..., 0, None, None]) ** 2 + (columns - at_NT2[..., 1, None, None]) ** 2


def _centroid(weight_NTHW: Array, otherwise_NT2: Array | float = 0.0) -> Array:
    """Mean row and column, [N, T, 2]; otherwise: where nothing weighs."""
    total_NT1 = weight_NTHW.sum((2, 3))[..., None]
    height, width = weight_NTHW.shape[2:]
    rows_NT = (weight_NTHW.sum(3) * np.arange(height)).sum(2)
    columns_NT = (weight_NTHW.sum(2) * np.arange(width)).sum(2)
    mean_NT2 = np.stack([rows_NT, columns_NT], -1) / np.where(total_NT1 > 0, total_NT1, 1)
    return np.where(total_NT1 > 0, mean_NT2, otherwise_NT2)


def _grown(mask_NTHW: Array) -> Array:
    """A mask grown by a 32nd of the frame, at least a pixel, in every direction."""
    by = max(1, round(mask_NTHW.shape[3] / 32))
    for axis in (2, 3):
        padded = np.pad(mask_NTHW, [(by, by) if k == axis else (0, 0) for k in range(4)])
        mask_NTHW = np.lib.stride_tricks.sliding_window_view(padded, 2 * by + 1, axis).max(-1)
    return mask_NTHW


def _found(amount_NTHW: Array, start_NT2: Array, radius_NT: Array) -> Array:
    """Foreground of the object alone: first in reach of its true place, then twice around the centroid found there."""
    height, width = amount_NTHW.shape[2:]
    at_NT2, wide = start_NT2, REACH * width
    for margin in (wide, wide / 2, wide / 2):
        inside_NTHW = _square(at_NT2, height, width) <= (radius_NT + margin)[..., None, None] ** 2
        found_NTHW = amount_NTHW * inside_NTHW
        at_NT2 = _centroid(found_NTHW, at_NT2)
    return found_NTHW


def _mean_colour(frames_NTHWC: Array, amount_NTHW: Array) -> Array:
    """Mean colour of the foreground, [N, T, C]; weights: its amount squared, as edges are mixed with the background."""
    weight_NTHW = amount_NTHW**2
    return (frames_NTHWC * weight_NTHW[..., None]).sum((2, 3)) / weight_NTHW.sum((2, 3))[..., None]


def _coverage(amount_NTHW: Array, object_NTHW: Array) -> Array:
    """Amounts over their own height, the mean of the strongest pixels, a quarter of the object's area; at most 1."""
    count_NT = np.maximum(object_NTHW.sum((2, 3)) / 4, 1).astype(int)
    ordered = -np.sort(-amount_NTHW.reshape(*amount_NTHW.shape[:2], -1), -1)
    top_NT = np.take_along_axis(np.cumsum(ordered, -1), count_NT[..., None] - 1, -1)[..., 0] / count_NT
    return np.minimum(amount_NTHW / top_NT[..., None, None], 1)


def _overlap(one_NTHW: Array, other_NTHW: Array) -> Array:
    """Overlap over union [N, T] after either has gone half the way to the other's centroid, so that both blur alike."""
    way_NT2 = (_centroid(other_NTHW) - _centroid(one_NTHW)) / 2
    one_NTHW, other_NTHW = _shifted(one_NTHW, way_NT2), _shifted(other_NTHW, -way_NT2)
    return np.minimum(one_NTHW, other_NTHW).sum((2, 3)) / np.maximum(one_NTHW, other_NTHW).sum((2, 3))


def _shifted(x_NTHW: Array, by_NT2: Array) -> Array:
    """Shifted by rows and columns, linear between pixels; nothing comes in at the edges."""
    for axis in (2, 3):
        length = x_NTHW.shape[axis]
        source_NTK = np.arange(length) - by_NT2[..., axis - 2, None]
        first_NTK = np.floor(source_NTK).astype(int)
        part_NTK = source_NTK - first_NTK
        total = np.zeros_like(x_NTHW)
        for index_NTK, share_NTK in ((first_NTK, 1 - part_NTK), (first_NTK + 1, part_NTK)):
            share_NTK = share_NTK * ((index_NTK >= 0) & (index_NTK < length))
            index, share = (np.expand_dims(a, 5 - axis) for a in (np.clip(index_NTK, 0, length - 1), share_NTK))
            total = total + share * np.take_along_axis(x_NTHW, index, axis)
        x_NTHW = total
    return x_NTHW
