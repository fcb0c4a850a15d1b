"""The configuration of an experiment: a TOML file as frozen data, in which every key and value is checked.

A section is a dataclass and its keys are the fields, so that there is no second list of them. [noether] and [base] also
hold the fields of their Schedule; [inner] is noether_network.Inner.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..errors import DataError, OptionError
from .arms import ARMS, Recipe, arms_named, target_of
from .embeddings import EMBEDDINGS
from .noether_network import Inner
from .training import Schedule

SHIPPED = Path(__file__).parent / "configs"
TOP = {"seed": int, "device": str, "arms": tuple[str, ...]}
SOURCES = {
    "path": ("test_path", "fps", "size", "grey", "cache"),
    "world": ("episodes", "frames", "size", "grey", "options"),
    "physics101": ("frames", "fps", "size", "cache"),
}
"""What clips can come from, and the keys of [data] that are of use with it."""


@dataclass(frozen=True)
class Data:
    """Where the clips come from, what is kept for the test, and how they are cut into windows.

    One of path (see reading.read_clips), world (worlds.WORLDS) with its options, physics101 (the unpacked folder).
    test: a share or a number of the values of the column `by`, or a list of them; test_path: clips of their own for the
    test. seed: of the world and of the split. given, horizon: frames that are seen and predicted. stride: frames
    between the beginnings of training windows. mirror: see batches.Windows.
    """

    path: str | None = None
    test_path: str | None = None
    world: str | None = None
    physics101: str | None = None
    episodes: int | None = None
    frames: int | None = None
    fps: float | None = None
    size: int | None = None
    grey: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    cache: str | None = None
    test: float | int | tuple[str, ...] = 0.2
    by: str | None = None
    seed: int = 0
    given: int = 4
    horizon: int = 26
    stride: int = 1
    mirror: bool = False
    mirror_actions: float = -1.0
    workers: int = 0

    def __post_init__(self) -> None:
        given = [name for name in SOURCES if getattr(self, name) is not None]
        if len(given) != 1:
            there = f"there are {' and '.join(given)}" if given else "there is none"
            raise OptionError(f"give one source of clips, path, world or physics101; {there}")
        others = {key for keys in SOURCES.values() for key in keys} - set(SOURCES[given[0]])
        for key in sorted(others):
            if getattr(self, key) not in (None, False, {}):
                fits = " or ".join(f"data.{name}" for name, keys in SOURCES.items() if key in keys)
                raise OptionError(f"{key} goes with {fits}, not with data.{given[0]}; leave it out")
        _at_least(self, 1, "given", "horizon", "stride", "episodes", "frames", "size")
        _at_least(self, 0, "workers", "seed")


@dataclass(frozen=True)
class PredictorOptions:
    """The network that predicts: "latent" (latent.LatentPredictor) or "svg" (svg.SVG); what is left out is its own.

    noise: size of z, of "svg"; 0 is without prior. skips: of "latent" ("svg" always has them). actions: whether it is
    told the actions; default: where the clips have some.
    """

    kind: Literal["latent", "svg"] = "latent"
    code: int | None = None
    hidden: int | None = None
    layers: int | None = None
    width: int | None = None
    style: str | None = None
    noise: int | None = None
    skips: bool | None = None
    actions: bool | None = None

    def __post_init__(self) -> None:
        if self.kind == "latent" and self.noise is not None:
            raise OptionError('noise is of kind = "svg"; leave it out')
        if self.kind == "svg" and self.skips is not None:
            raise OptionError('skips is of kind = "latent" ("svg" always has them); leave it out')
        _at_least(self, 1, "code", "hidden", "layers", "width")
        _at_least(self, 0, "noise")


@dataclass(frozen=True)
class Base:
    """How the base is trained: by its own rollouts ("free"), or as SVG is, with true frames ("svg") and beta."""

    loss: Literal["free", "svg"] = "free"
    beta: float = 1e-4
    schedule: Schedule = Schedule(steps=2000)  # noqa: RUF009  (frozen)


@dataclass(frozen=True)
class EmbeddingOptions:
    """What is conserved: embeddings.EMBEDDINGS of so many stacked frames, dim numbers; width: of the first layer."""

    kind: str = "conv"
    frames: int = 2
    dim: int = 64
    width: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in EMBEDDINGS:
            raise OptionError(f'kind = "{self.kind}": there are {", ".join(EMBEDDINGS)}')
        _at_least(self, 1, "frames", "dim", "width")


@dataclass(frozen=True)
class Evaluate:
    """How the test is made. stride: frames between windows; default: they do not overlap."""

    batch: int = 32
    stride: int | None = None

    def __post_init__(self) -> None:
        _at_least(self, 1, "batch", "stride")


SECTIONS: dict[str, Any] = {
    "data": Data,
    "predictor": PredictorOptions,
    "base": Base,
    "embedding": EmbeddingOptions,
    "noether": Recipe,
    "inner": Inner,
    "evaluate": Evaluate,
}


@dataclass(frozen=True)
class Config:
    """A whole experiment. arms: see arms.ARMS."""

    data: Data
    predictor: PredictorOptions
    base: Base
    embedding: EmbeddingOptions
    recipe: Recipe
    evaluate: Evaluate
    arms: tuple[str, ...]
    seed: int
    device: str

    def plain(self) -> dict[str, Any]:
        """The table that `from_table` makes the same configuration of; what was left out has its default."""
        parts = {
            "data": self.data,
            "predictor": self.predictor,
            "base": self.base,
            "embedding": self.embedding,
            "noether": self.recipe,
            "inner": self.recipe.inner,
            "evaluate": self.evaluate,
        }
        table: dict[str, Any] = {"seed": self.seed, "device": self.device, "arms": list(self.arms)}
        return table | {name: _plain(part) for name, part in parts.items()}


def load_config(source: str | Path, sets: Sequence[str] = (), device: str | None = None) -> Config:
    """The configuration in a TOML file, or a shipped one by its name, with some keys set otherwise.

    sets: "section.key=value", the value as TOML writes it (a text may go without quotes). Relative paths of clips are
    looked for beside the file, and then in the working directory.

    Raises OptionError that names the file, the key and what was expected; DataError for clips that are not there.
    """
    path = _found(source)
    origin = path.stem if path.parent == SHIPPED else str(source)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeError as problem:
        raise OptionError(
            f"{origin}: is not TOML. Clips are named in a configuration: "
            f"`video train pendulum_small --set data.path={origin} -o RUNDIR`"
        ) from problem
    except OSError as problem:
        raise OptionError(f"{origin}: cannot be read ({problem.strerror})") from problem
    except tomllib.TOMLDecodeError as problem:
        raise OptionError(f"{origin}: is not TOML: {problem}") from problem
    except (ValueError, RecursionError) as problem:  # tomllib's own, for thousands of digits or brackets
        raise OptionError(f"{origin}: holds a number or a list that is too long to be read. Correct it.") from problem
    if isinstance(table.get("arms"), Mapping):
        table["arms"] = _names_of_arms(table["arms"], origin)
    written: set[str] = set()
    for word in sets:
        _set(table, word, written)
    if device is not None:
        table["device"] = device
    config = from_table(table, origin)
    beside = Path.cwd() if path.parent == SHIPPED else path.resolve().parent
    return replace(config, data=_resolved(config.data, beside, origin))


def from_table(table: Mapping[str, Any], origin: str) -> Config:
    """The configuration of a table as a TOML file holds it. Raises OptionError as `load_config` does."""
    for name, value in table.items():
        if name in SECTIONS:
            if not isinstance(value, Mapping):
                raise OptionError(f"{origin}: {name} = {_shown(value)}: a section [{name}] was expected")
        elif name not in TOP:
            what = "section" if isinstance(value, Mapping) else "key"
            raise OptionError(f"{origin}: there is no {what} {name}{_nearest(name, [*SECTIONS, *TOP])}")
    if "data" not in table:
        raise OptionError(f"{origin}: a section [data] is missing: it says where the clips come from")
    top = {name: _checked(table[name], hint, f"{origin}: {name}") for name, hint in TOP.items() if name in table}
    made: dict[str, Any] = {}
    for name in ("inner", *(name for name in SECTIONS if name != "inner")):
        more = {"inner": made["inner"]} if name == "noether" else {}
        made[name] = _made(SECTIONS[name], table.get(name, {}), name, origin, more)
    arms = top.get("arms", tuple(ARMS))
    seed, device = top.get("seed", 0), top.get("device", "cpu")
    with _told(origin, "arms"):
        arms_named(arms)
        if seed < 0:
            raise OptionError(f"seed = {seed}: give 0 or more")
        if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
            raise OptionError(f'device = "{device}": there are cpu, cuda, and cuda:1 where there are several')
    with _told(origin, "noether"):
        target_of(made["noether"])
    recipe = made.pop("noether")
    made.pop("inner")
    return Config(**made, recipe=recipe, arms=arms, seed=seed, device=device)


def shipped() -> list[str]:
    """The configurations that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def shipped_text(name: str) -> str:
    """The file of a shipped configuration. Raises OptionError, with their names, when there is none."""
    if name not in shipped():
        raise OptionError(f'no configuration "{name}" is shipped{_nearest(name, shipped())}')
    return (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In which keys two tables differ, as words; device, arms, workers, evaluate change no loss of an arm."""
    apart = {"device", "arms", "evaluate", "data.workers", "data.cache"}
    flat_old, flat_new = _flat(old), _flat(new)
    found = []
    for key in dict.fromkeys([*flat_old, *flat_new]):
        if key in apart or key.split(".")[0] in apart or flat_old.get(key) == flat_new.get(key):
            continue
        was = f"{key} = {_shown(flat_old[key])}" if key in flat_old else f"{key} left out"
        found.append(f"{was}, now {_shown(flat_new[key]) if key in flat_new else 'left out'}")
    return found


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in table.items():
        flat |= (
            {f"{name}.{key}": inner for key, inner in value.items()} if isinstance(value, Mapping) else {name: value}
        )
    return flat


def _found(source: str | Path) -> Path:
    path = Path(source)
    if path.is_file():
        return path
    if str(source) in shipped():
        return SHIPPED / f"{source}.toml"
    close = difflib.get_close_matches(str(source), shipped(), n=1)
    hint = f'; did you mean "{close[0]}"?' if close else ""
    raise OptionError(
        f"{source}: there is no such file, and no such configuration is shipped{hint} (shipped: {', '.join(shipped())})"
    )


def _names_of_arms(section: Mapping[str, Any], origin: str) -> Any:
    if unknown := set(section) - {"names"}:
        raise OptionError(f"{origin}: there is no key arms.{min(unknown)}; write names = [...], of {', '.join(ARMS)}")
    return section.get("names", list(ARMS))


RIVALS = (("steps", "epochs"), tuple(SOURCES))
"""Keys of which one is given: setting one of them takes the others away."""


def _set(table: dict[str, Any], word: str, written: set[str]) -> None:
    """One "section.key=value" put into a table; `written` holds the keys that were set before."""
    place, sign, text = word.partition("=")
    parts = place.strip().split(".")
    if not sign or not all(re.fullmatch(r"[A-Za-z0-9_]+", part) for part in parts):
        raise OptionError(f'--set "{word}" cannot be read; write --set inner.rate=1e-4')
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    except (ValueError, RecursionError) as problem:  # as in load_config
        raise OptionError(f"--set {place.strip()}: the value is too long to be read") from problem
    if parts == ["arms", "names"]:
        parts = ["arms"]
    section = table
    for part in parts[:-1]:
        section = section.setdefault(part, {})
        if not isinstance(section, dict):
            raise OptionError(f"--set {place.strip()}: {part} is a value, not a section")
    for rivals in RIVALS:
        if parts[-1] in rivals and len(parts) == 2:
            gone = {rival for rival in rivals if rival != parts[-1] and f"{parts[0]}.{rival}" not in written}
            if rivals == tuple(SOURCES) and parts[0] == "data":
                known = set(SOURCES[parts[-1]])
                gone |= {key for rival in gone & set(section) for key in SOURCES[rival]} - known
            for key in gone:
                section.pop(key, None)
    section[parts[-1]] = value
    written.add(".".join(parts))


def _resolved(data: Data, beside: Path, origin: str) -> Data:
    """Paths made absolute. Raises DataError, with the places that were tried, when one is not there."""
    found: dict[str, str] = {}
    for name in ("path", "test_path", "physics101"):
        given = getattr(data, name)
        if given is None:
            continue
        places = [place / Path(given).expanduser() for place in dict.fromkeys((beside, Path.cwd()))]
        there = next((place for place in places if place.exists()), None)
        if there is None:
            tried = " nor ".join(str(place.resolve()) for place in dict.fromkeys(places))
            raise DataError(f'{origin}: data.{name} = "{given}" is not there: there is no {tried}')
        found[name] = str(there.resolve())
    if data.cache is not None:
        found["cache"] = str(Path(data.cache).expanduser().resolve())
    return replace(data, **found)  # type: ignore[arg-type]


def _keys(cls: Any) -> dict[str, Any]:
    """The keys of a section and their types: the fields, those of a Schedule among them."""
    hints = get_type_hints(cls)
    keys: dict[str, Any] = {}
    for one in fields(cls):
        if hints[one.name] is Schedule:
            keys |= _keys(Schedule)
        elif hints[one.name] is not Inner:
            keys[one.name] = hints[one.name]
    return keys


def _made(cls: Any, table: Mapping[str, Any], section: str, origin: str, more: Mapping[str, Any]) -> Any:
    known = _keys(cls)
    values = {}
    for key, value in table.items():
        if key not in known:
            raise OptionError(f"{origin}: there is no key {section}.{key}{_nearest(key, known, f'{section}.')}")
        values[key] = _checked(value, known[key], f"{origin}: {section}.{key}")
    with _told(origin, section):
        if "schedule" in (names := {one.name for one in fields(cls)}):
            own = {key: values.pop(key) for key in _keys(Schedule) if key in values}
            if "epochs" in own:
                own.setdefault("steps", None)
            values["schedule"] = replace(cls().schedule, **own)
        assert set(values) <= names
        return cls(**values, **more)


@contextmanager
def _told(origin: str, section: str) -> Iterator[None]:
    """Problems of a section's values are told with the file and the section."""
    try:
        yield
    except OptionError as problem:
        said = str(problem)
        if re.match(r"[a-z_]+ = ", said) and section != "arms":
            said = f"{section}.{said}"
        elif not re.match(rf"({section}\.|inner\.|seed = |device = )", said):
            said = f"[{section}]: {said}"
        raise OptionError(f"{origin}: {said}") from None


def _checked(value: Any, hint: Any, where: str) -> Any:
    """A value of TOML as the type that is wanted. Raises OptionError that says what was expected."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    kinds = tuple(kind for kind in kinds if kind is not NoneType)
    for kind in sorted(kinds, key=lambda kind: kind is float):  # a whole number stays one where either may be
        if kind is bool and isinstance(value, bool):
            return value
        if kind is int and isinstance(value, int) and not isinstance(value, bool):
            return value
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
        if kind is str and isinstance(value, str):
            return value
        if get_origin(kind) is Literal and isinstance(value, str):
            if value in get_args(kind):
                return value
            raise OptionError(f"{where} = {_shown(value)}: there are {', '.join(get_args(kind))}")
        if get_origin(kind) is tuple and isinstance(value, list | tuple) and all(isinstance(v, str) for v in value):
            return tuple(value)
        if get_origin(kind) is not None and kind == Mapping[str, Any] and isinstance(value, Mapping):
            return dict(value)
    expected = " or ".join(_EXPECTED.get(get_origin(kind) or kind, "something else") for kind in kinds)
    raise OptionError(f"{where} = {_shown(value)}: {expected} was expected")


_EXPECTED: dict[Any, str] = {
    bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes",
    Literal: "a text in quotes", tuple: "a list of texts", get_origin(Mapping[str, Any]): "a table { key = value }",
}  # fmt: skip


def _shown(value: Any) -> str:
    """A value as TOML writes it, as far as a message needs."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key} = {_shown(one)}' for key, one in value.items())}}}"
    return str(value)


def _nearest(key: str, known: Sequence[str] | Mapping[str, Any], prefix: str = "") -> str:
    close = difflib.get_close_matches(key, list(known), n=1)
    return f"; did you mean {prefix}{close[0]}?" if close else f"; there are {', '.join(known)}"


def _plain(part: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for one in fields(part):
        value = getattr(part, one.name)
        if isinstance(value, Schedule):
            plain |= _plain(value)
        elif value is not None and not isinstance(value, Inner):
            plain[one.name] = list(value) if isinstance(value, tuple) else value
    return plain


def _at_least(part: Any, least: int, *names: str) -> None:
    for name in names:
        value = getattr(part, name)
        if value is not None and value < least:
            raise OptionError(f"{name} = {value}: give {least} or more")
