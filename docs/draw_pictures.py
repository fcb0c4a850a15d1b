"""Draws the pictures of verdicts.md when the documentation is built, from runs made for it: no pictures are stored.

A run is a known system with 24 trajectories of 60 samples, searched without a ranking.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    """One picture: of which system with how much noise (in its columns' units), and which kind of `plot` it is."""

    name: str
    system: str
    noise: float
    kind: str


PICTURES = (
    Picture("law", "pendulum_hnn", 0.05, "conservation"),
    Picture("levels", "pendulum_hnn", 0.05, "levels"),
    Picture("pareto", "pendulum_hnn", 0.05, "pareto"),
)


def drawn(folder: Path) -> list[Path]:
    """The pictures of `PICTURES` as SVG files in a folder, which is made. Those that are there are left alone."""
    from noether_discover import discover, write_plot
    from noether_discover.data.systems import simulate

    folder.mkdir(parents=True, exist_ok=True)
    paths = {picture: folder / f"{picture.name}.svg" for picture in PICTURES}
    missing = [picture for picture, path in paths.items() if not path.is_file()]
    with tempfile.TemporaryDirectory() as place:
        for system, noise in dict.fromkeys((picture.system, picture.noise) for picture in missing):
            run = Path(place) / f"{system}.noether"
            data = simulate(system, noise=noise, seed=0, trajectories=24, samples=60)
            found = discover(data, rank=False, run=run, jobs=1)
            assert found.laws, f"nothing was found in {system}: verdicts.md has no picture to show"
            for picture in missing:
                if (picture.system, picture.noise) == (system, noise):
                    write_plot(run, paths[picture], picture.kind)
    return list(paths.values())
