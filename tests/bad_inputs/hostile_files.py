"""Files that are not what their names say: how they are made beside a good table and a good run file, the command line,
and what is said about them."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Make = Callable[[Path], object]


class Pwned:
    """Whoever unpickles it makes a file called pwned."""

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("pwned",)


PICKLE = pickle.dumps(Pwned())


def changed(query: str, *values: object) -> Make:
    """The good run file with one statement done to it."""

    def make(place: Path) -> None:
        with closing(sqlite3.connect(place / "run.noether")) as db:
            db.execute(query, values)
            db.commit()

    return make


def fact(name: str, value: object) -> Make:
    """The good run file with another fact: JSON, or a text that is none."""
    text = value if isinstance(value, str) and value.startswith("raw:") else json.dumps(value)
    return changed("UPDATE facts SET value = ? WHERE name = ?", text.removeprefix("raw:"), name)


def part_of_fact(name: str, key: str, value: object) -> Make:
    """The good run file with one entry of a fact replaced."""
    return changed(
        f"UPDATE facts SET value = json_set(value, '$.{key}', json(?)) WHERE name = ?", json.dumps(value), name
    )


def written(name: str, content: str | bytes) -> Make:
    """A file with this in it."""

    def make(place: Path) -> None:
        (place / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return make


def array(name: str, **arrays: Any) -> Make:
    """An npz of these arrays, or an npy of the only one, pickled where they hold objects."""

    def make(place: Path) -> None:
        if name.endswith(".npy"):
            np.save(place / name, next(iter(arrays.values())), allow_pickle=True)
        else:
            np.savez(place / name, **arrays)

    return make


def frame(**columns: Any) -> Make:
    """A parquet file of these columns."""
    return lambda place: pd.DataFrame({name.replace("_", " "): c for name, c in columns.items()}).to_parquet(
        place / "data.parquet"
    )


def linked(name: str, target: str) -> Make:
    """A symbolic link."""
    return lambda place: (place / name).symlink_to(target)


def piped(name: str) -> Make:
    """A pipe that nobody writes into."""
    return lambda place: os.mkfifo(place / name)


def hidden(name: str, content: bytes = b"t,q,p\n0,1,2\n") -> Make:
    """A file that nobody may read."""

    def make(place: Path) -> None:
        (place / name).write_bytes(content)
        (place / name).chmod(0)

    return make


def cut(share: float) -> Make:
    """The good run file, this share of it."""

    def make(place: Path) -> None:
        whole = (place / "run.noether").read_bytes()
        (place / "run.noether").write_bytes(whole[: int(len(whole) * share)])

    return make


def scrambled(place: Path) -> None:
    """The good run file with noise in its middle."""
    whole = bytearray((place / "run.noether").read_bytes())
    for page in range(4096, len(whole), 4096):
        whole[page : page + 2000] = bytes(range(250)) * 8
    (place / "run.noether").write_bytes(whole)


def pictures(place: Path) -> None:
    """A folder of three frames, one of another size."""
    from PIL import Image

    (place / "films").mkdir()
    for number, size in enumerate([(8, 8), (8, 8), (9, 8)]):
        Image.fromarray(np.zeros(size, np.uint8)).save(place / "films" / f"{number}.png")


def deep_toml(place: Path) -> None:
    """Thousands of lists in one another."""
    (place / "c.toml").write_text("a = " + "[" * 5000 + "]" * 5000)


def smuggled(place: Path) -> None:
    """The good run file with a parameter that is called like a program, in its law's formula too."""
    name = "a=__import__('os').mkdir('pwned'), z"
    with closing(sqlite3.connect(place / "run.noether")) as db:
        law = json.loads(db.execute("SELECT law FROM laws").fetchone()[0])
        law["parameters"][0]["name"] = name
        law["formula"] = law["formula"].replace("a*", f"`{name}`*", 1)
        db.execute("UPDATE laws SET law = ?", (json.dumps(law),))
        db.commit()


FRAMES = np.zeros((2, 3, 8, 8, 1), np.uint8)
GOOD_TOML = '[data]\nworld = "ball"\n'
FORMULA = "UPDATE laws SET law = json_set(law, '$.formula', ?)"

FILES: dict[str, tuple[Make, str, str]] = {
    # tables
    "a pickle named csv": (written("data.csv", PICKLE), "discover data.csv", "data.csv: is "),
    "a pickle named parquet": (written("data.parquet", PICKLE), "discover data.parquet", "cannot be read as parquet"),
    "a pickle named gz": (written("data.csv.gz", PICKLE), "discover data.csv.gz", "data.csv.gz: is "),
    "a pickled array named csv": (array("data.npy", a=np.array([Pwned()])), "discover data.npy", "is a numpy file"),
    "parquet cut short": (
        lambda place: (frame(t=[0.0, 1, 2], q=[1.0, 2, 4], p=[3.0, 1, 7])(place), os.truncate("data.parquet", 300)),
        "discover data.parquet", "cannot be read as parquet",
    ),
    "parquet of lists": (
        frame(t=[0, 1, 2, 3], q=[[1], [2], [3], [4]], p=[1.0, 2, 4, 8]), "discover data.parquet", "data.parquet: ",
    ),
    "parquet of bytes": (
        frame(t=[0, 1, 2, 3], q=[PICKLE] * 4, p=[1.0, 2, 4, 8]), "discover data.parquet", "data.parquet: ",
    ),
    "parquet of texts": (
        frame(t=[0, 1, 2, 3], q=["a", "b", "c", "d"], p=[1.0, 2, 4, 8]), "discover data.parquet", "is not a number",
    ),
    "parquet of records": (
        frame(t=[0, 1, 2, 3], q=[{"a": 1}] * 4, p=[1.0, 2, 4, 8]), "discover data.parquet", "data.parquet: ",
    ),
    "parquet without rows": (frame(t=[], q=[], p=[]), "discover data.parquet", "has a header and no rows"),
    "parquet of truths": (
        frame(t=[0, 1, 2, 3], q=[True, False, True, True], p=[1.0, 2, 4, 8]), "discover data.parquet", "not a number",
    ),
    "a pipe as data": (piped("data.csv"), "discover data.csv", "data.csv: is no plain file"),
    "a pipe with a name of parquet": (piped("data.parquet"), "discover data.parquet", "is no plain file"),
    "links in a circle as data": (linked("data.csv", "data.csv"), "discover data.csv", "a link that leads to no file"),
    "a link to nothing as data": (linked("data.csv", "nothing.csv"), "discover data.csv", "is a link that leads to no"),
    "data that nobody may read": (hidden("data.csv"), "discover data.csv", "cannot be opened (Permission denied)"),
    "the second file is another": (
        written("other.csv", "t,x,y\n0,1,2\n1,2,3\n2,3,9\n"), "discover good.csv other.csv", 'lacks the column "q"',
    ),
    "the second file has other units": (
        written("other.csv", "t [s],q [m],p [kg*m/s]\n0,1,2\n1,2,3\n2,3,9\n"), "discover good.csv other.csv",
        'column "q" has the unit m',
    ),
    # run files
    "a run cut to a tenth": (cut(0.1), "show run.noether", "run.noether: is damaged"),
    "a run cut by a page": (cut(0.9), "fit run.noether --quiet", "run.noether: is damaged"),
    "a run cut in its first hundred bytes": (
        lambda place: os.truncate("run.noether", 60), "show run.noether", "run.noether: is ",
    ),
    "a run with noise in it": (scrambled, "fit run.noether", "run.noether: is damaged"),
    "a pickle named noether": (written("a.noether", PICKLE), "show a.noether", "is no run file of noether-discover"),
    "a packed run": (
        lambda place: (place / "a.noether").write_bytes(gzip.compress((place / "run.noether").read_bytes())),
        "show a.noether", "is no run file of noether-discover",
    ),
    "a run that is a link to itself": (linked("a.noether", "a.noether"), "show a.noether", "a.noether: "),
    "a new run over a pipe": (piped("a.noether"), "enumerate good.csv -o a.noether", "is no plain file"),
    "a run that nobody may read": (hidden("a.noether"), "show a.noether", "cannot be opened (Permission denied)"),
    "a run of the past": (changed("PRAGMA user_version = 1"), "show run.noether", "was written by another version"),
    "facts that are no JSON": (fact("settings", "raw:{"), "fit run.noether", "run.noether: is damaged"),
    "facts that are a list": (fact("settings", []), "fit run.noether", "run.noether: is damaged"),
    "facts that are a number": (fact("settings", 3), "fit run.noether", "run.noether: is damaged"),
    "facts that are nothing": (fact("settings", None), "fit run.noether", "run.noether: is damaged"),
    "columns that are a text": (fact("columns", "t,q,p"), "fit run.noether", "run.noether: is damaged"),
    "columns that are missing": (changed("DELETE FROM facts WHERE name = 'columns'"), "fit run.noether", "is damaged"),
    "states that are a pickle": (
        changed("UPDATE trajectories SET states = ?", PICKLE), "fit run.noether", "run.noether: is damaged",
    ),
    "states that are pickled objects": (
        changed("UPDATE trajectories SET states = ?", b"\x93NUMPY\x01\0v\0{'descr': '|O', 'fortran_order': False, "
                b"'shape': (1,), }".ljust(128) + PICKLE),
        "fit run.noether", "run.noether: is damaged",
    ),
    "states whose header is a program": (
        changed("UPDATE trajectories SET states = ?", b"\x93NUMPY\x01\0v\0__import__('os').mkdir('pwned')".ljust(128)),
        "fit run.noether", "run.noether: is damaged",
    ),
    "states that are a number": (changed("UPDATE trajectories SET states = 7"), "fit run.noether", "is damaged"),
    "states that are missing": (changed("UPDATE trajectories SET states = NULL"), "fit run.noether", "is damaged"),
    "an answer of another kind": (fact("answer", [1]), "show run.noether", "run.noether: "),
    "laws that are no JSON": (changed("UPDATE laws SET law = 'x'"), "show run.noether", "run.noether: is damaged"),
    # clips
    "a text named mp4": (written("a.mp4", "not a film\n"), "video data check a.mp4", "cannot be read as a video"),
    "nothing named mp4": (written("a.mp4", ""), "video data check a.mp4", "cannot be read as a video"),
    "a pickle named mp4": (written("a.mp4", PICKLE), "video data check a.mp4", "cannot be read as a video"),
    "a pickle named npz": (written("a.npz", PICKLE), "video data check a.npz", "pickled objects, which are never"),
    "a pickle named npy": (written("a.npy", PICKLE), "video data check a.npy", "pickled objects, which are never"),
    "an npz of pickled objects": (
        array("a.npz", frames=np.array([Pwned()])), "video data check a.npz", "which are never loaded",
    ),
    "an npy of pickled objects": (
        array("a.npy", frames=np.array([Pwned()])), "video data check a.npy", "which are never loaded",
    ),
    "an npz with facts that are pickled": (
        array("a.npz", frames=FRAMES, fact_object=np.array([Pwned(), Pwned()])), "video data convert a.npz -o b.npz",
        "which are never loaded",
    ),
    "a npy whose header is a program": (
        written("a.npy", b"\x93NUMPY\x01\0v\0__import__('os').mkdir('pwned')".ljust(128)), "video data check a.npy",
        "cannot be read as npy (its header is damaged)",
    ),
    "an npy of more than there is": (
        written("a.npy", b"\x93NUMPY\x01\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (99999999, 99999, 9, 9)}"
                .ljust(127) + b"\n"),
        "video data check a.npy", "a.npy: ",
    ),
    "frames of words": (
        array("a.npz", frames=np.full((1, 2, 8, 8, 1), "x")), "video data check a.npz", "frames are <U1",
    ),
    "frames that are not finite": (
        array("a.npz", frames=np.full((1, 2, 8, 8, 1), np.nan)), "video data check a.npz", "floats not finite",
    ),
    "frames without pixels": (
        array("a.npz", frames=np.zeros((1, 2, 0, 8, 1), np.uint8)), "video data check a.npz", "there is nothing in",
    ),
    "actions of another length": (
        array("a.npz", frames=FRAMES, actions=np.zeros((2, 9, 1))), "video data check a.npz", "actions are [2, 9, 1]",
    ),
    "a rate that is nothing": (array("a.npz", frames=FRAMES, fps=np.nan), "video data check a.npz", "fps is nan"),
    "an npz cut short": (
        lambda place: (array("a.npz", frames=FRAMES)(place), os.truncate("a.npz", 200)), "video data check a.npz",
        "cannot be read as npz",
    ),
    "a zip of texts named npz": (written("a.npz", b"PK\x05\x06" + bytes(18)), "video data check a.npz", "a.npz: "),
    "a folder without films": (lambda place: (place / "films").mkdir(), "video data check films", "holds no videos"),
    "a folder of texts": (
        lambda place: ((place / "films").mkdir(), (place / "films" / "a.txt").write_text("x")),
        "video data check films", "holds no videos and no pictures",
    ),
    "frames of different sizes": (pictures, "video data convert films -o b.npz", "but 0.png is 8 x 8"),
    "a text named png": (
        lambda place: ((place / "films").mkdir(), (place / "films" / "0.png").write_text("x")),
        "video data check films", "cannot be read as a picture",
    ),
    "folders in a circle": (
        lambda place: ((place / "films").mkdir(), (place / "films" / "more").symlink_to("../films")),
        "video data check films", "holds no videos and no pictures",
    ),
    "a pipe named mp4": (piped("a.mp4"), "video data check a.mp4", "a.mp4: "),
    "a pipe named npz": (piped("a.npz"), "video data check a.npz", "a.npz: "),
    "a film that nobody may read": (hidden("a.mp4"), "video data check a.mp4", "a.mp4: cannot be read as a video"),
    "actions that are pickled": (
        lambda place: (array("a.npy", f=FRAMES[0])(place), array("a.actions.npy", a=np.array([Pwned()]))(place)),
        "video data check a.npy", "pickled objects are never loaded",
    ),
    # configurations
    "TOML that is broken": (written("c.toml", "[data\nworld = 3"), "video train c.toml -o run", "c.toml: is not TOML"),
    "TOML of nothing": (written("c.toml", ""), "video train c.toml -o run", "a section [data] is missing"),
    "TOML with a key twice": (
        written("c.toml", GOOD_TOML + 'world = "ramp"\n'), "video train c.toml -o run", "c.toml: is not TOML",
    ),
    "TOML with an unknown key": (
        written("c.toml", GOOD_TOML + "episods = 3\n"), "video train c.toml -o run", "did you mean data.episodes?",
    ),
    "TOML with an unknown section": (
        written("c.toml", GOOD_TOML + "[bsae]\nrate = 1\n"), "video train c.toml -o run", "did you mean base?",
    ),
    "TOML with a text for a number": (
        written("c.toml", GOOD_TOML + 'episodes = "3"\n'), "video train c.toml -o run", "a whole number was expected",
    ),
    "TOML with a day for a number": (
        written("c.toml", GOOD_TOML + "episodes = 2024-01-01\n"), "video train c.toml -o run",
        "a whole number was expected",
    ),
    "TOML with a huge number": (
        written("c.toml", GOOD_TOML + f"episodes = {'9' * 5000}\n"), "video train c.toml -o run", "too long to be read",
    ),
    "TOML that is deep": (deep_toml, "video train c.toml -o run", "too long to be read"),
    "TOML in UTF-16": (
        written("c.toml", GOOD_TOML.encode("utf-16")), "video train c.toml -o run", "c.toml: is not TOML",
    ),
    "TOML that is a pickle": (written("c.toml", PICKLE), "video train c.toml -o run", "c.toml: is not TOML"),
    "TOML that nobody may read": (hidden("c.toml"), "video train c.toml -o run", "cannot be read (Permission denied)"),
    "TOML that names a folder that is not there": (
        written("c.toml", '[data]\npath = "nowhere"\n'), "video train c.toml -o run", "is not there",
    ),
    "a run folder of nothing": (lambda place: (place / "run").mkdir(), "video evaluate run", "is no run folder"),
    # run files, forged
    "a run that is a pipe": (piped("a.noether"), "show a.noether", "a.noether: "),
    "columns without units": (part_of_fact("columns", "units", []), "fit run.noether", "run.noether: "),
    "an exponent that is none": (
        part_of_fact("columns", "units[0].exponents", {"m": "1/0"}), "fit run.noether", "run.noether: is damaged",
    ),
    "an exponent of many digits": (
        part_of_fact("columns", "units[0].exponents", {"m": "1e999999999"}), "fit run.noether", "run.noether: ",
    ),
    "a scale that is a text": (part_of_fact("columns", "units[0].scale", "x"), "fit run.noether", "run.noether: "),
    "states of another shape": (
        changed("UPDATE trajectories SET states = times"), "fit run.noether", "run.noether: ",
    ),
    "no trajectories": (changed("DELETE FROM trajectories"), "fit run.noether", "run.noether: "),
    "laws that are a number": (changed("UPDATE laws SET law = '7'"), "show run.noether", "run.noether: "),
    "laws without a formula": (changed("UPDATE laws SET law = '{}'"), "show run.noether", "run.noether: "),
    "laws without a formula, exported": (
        changed("UPDATE laws SET law = '{}'"), "export run.noether --format python", "run.noether: ",
    ),
    "a law that is a program": (
        changed(FORMULA, "__import__('os').mkdir('pwned')"),
        "export run.noether --format python", "run.noether: ",
    ),
    "a law of an unknown function": (
        changed(FORMULA, "eval(q)"), "export run.noether --format torch", "run.noether: ",
    ),
    "a run's law that is a program, verified": (
        changed(FORMULA, "().__class__"), "verify run.noether good.csv", "run.noether: ",
    ),
    "a law that is a program, reported": (
        changed(FORMULA, "().__class__"), "report run.noether -o page.html", "run.noether: ",
    ),
    "an answer without a reason": (
        part_of_fact("answer", "reason", None), "report run.noether -o page.html", "run.noether: is damaged",
    ),
    "a machine without a name": (
        part_of_fact("machine", "name", [1]), "report run.noether -o page.html", "run.noether: is damaged",
    ),
    "data without a name": (
        part_of_fact("columns", "origin", 7), "report run.noether -o page.html", "run.noether: is damaged",
    ),
    "a parameter whose name is a program": (smuggled, "export run.noether --format python", "run.noether: "),
}  # fmt: skip
