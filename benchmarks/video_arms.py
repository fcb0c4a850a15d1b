"""All arms of a video comparison for one seed, and their figures: shared by the video benchmarks.

A seed's figures are kept in results/<claim>/seed_<n>.json as soon as it is done, so that seeds run side by side and an
interrupted benchmark goes on where it stopped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import record
import tables
from torch import nn

from noether_discover.video.arms import (
    ARMS,
    Bench,
    Recipe,
    fold_bases,
    longer_arm,
    noether_arm,
    steps_for_steps,
    steps_for_time,
)
from noether_discover.video.batches import Windows
from noether_discover.video.clips import Clips
from noether_discover.video.evaluation import Scores, compared, error_of, gates, scores_of, summary
from noether_discover.video.training import Progress

SPANS = ("all", "early", "middle", "late")


def trained_arms(
    bench: Bench, recipe: Recipe, embedding: Callable[[nn.Module], nn.Module], names: Sequence[str] = tuple(ARMS)
) -> tuple[dict[str, nn.Module], dict[str, list[Progress]]]:
    """Every arm from one base, and the trainings that each took beside the base's."""
    assert bench.fresh is not None
    base = bench.fresh(bench.seed)
    training = bench.base_training(base, bench.clips, bench.base)
    arms: dict[str, nn.Module] = {"base": base}
    took: dict[str, list[Progress]] = {"base": [training.run()]}
    folds, before = fold_bases(bench, recipe) if recipe.folds else ([], [])
    for name in ("noether", "random", "free"):
        if name in names:
            arms[name], training = noether_arm(ARMS[name], bench, recipe, base, embedding(base), folds)
            took[name] = [*before, training.run()]
    for name, steps in (
        ("more_steps", steps_for_steps(took["noether"])),
        ("more_time", steps_for_time(took["noether"], took["base"][0])),
    ):
        if name in names:
            arms[name], training = longer_arm(bench, recipe, base, steps)
            took[name] = [training.run()]
    return arms, took


def all_scores(bench: Bench, test: Clips, arms: Mapping[str, nn.Module]) -> dict[str, Scores]:
    """The arms on the test clips in windows that do not overlap, with the references and the base at training."""
    length = bench.given + bench.horizon
    windows = Windows(test, length, length)
    found = {name: scores_of(arm, windows, bench.given) for name, arm in arms.items()}
    found["zero_steps"] = scores_of(arms["noether"], windows, bench.given, steps=0)
    found["mean_frame"] = scores_of(None, windows, bench.given, reference=arms["base"].pixels.mean)
    found["copy_last"] = scores_of(None, windows, bench.given)
    train = Windows(bench.clips, length, length)
    for name in ("base", "noether", "more_steps"):
        found[f"{name} at training"] = scores_of(arms[name], train, bench.given)
    return found


def figures(scores: Mapping[str, Scores], took: Mapping[str, Sequence[Progress]], *, joint: bool) -> dict[str, Any]:
    """One seed as plain data: means, ratios to the controls with paired intervals over clips, gates, costs."""
    ratios = {
        other: {
            name: {
                metric: {span: [r.value, r.low, r.high] for span, r in spans.items()}
                for metric, spans in compared(scores[name], scores[other]).items()
            }
            for name in scores
            if name != other and "training" not in name
        }
        for other in ("base", "more_steps")
    }
    checked = gates(
        scores, scores["mean_frame"], scores["copy_last"], train_base=scores.get("base at training"), joint=joint
    )
    return {
        "arms": {name: summary(one) for name, one in scores.items()},
        "ratios": ratios,
        "over_mean_frame": {
            name: float(one.values["mse"].mean() / scores["mean_frame"].values["mse"].mean())
            for name, one in scores.items()
            if "training" not in name
        },
        "gates": {
            name: {"says": g.says, "measured": g.measured, "holds": bool(g.holds)} for name, g in checked.items()
        },
        "took": {
            name: {"steps": sum(one.step for one in parts), "cpu_seconds": sum(one.seconds for one in parts)}
            for name, parts in took.items()
        },
    }


def kept(claim: str, seed: int, settings: Mapping[str, Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A seed's figures: from its file when that was made with these settings, else measured and written."""
    place = record.folder(claim) / f"seed_{seed}.json"
    if place.exists():
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["settings"] == json.loads(json.dumps(settings)):
            return known
    began = time.time()
    found = {"settings": dict(settings), "seed": seed, **measure(), "seconds": time.time() - began}
    place.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def near_one(values: Sequence[float], digits: int = 3) -> str:
    """A geometric mean with its interval over seeds, with digits that tell ratios near 1 apart."""
    low, high = tables.interval(values)
    return f"{tables.geometric(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def arm_table(seeds: Sequence[Mapping[str, Any]], against: str) -> str:
    """Arms against a control: geometric means over the seeds, with the bootstrap interval over seeds."""
    header = ["arm", "steps more", "CPU s", "MSE, all", "early", "middle", "late", "1 - SSIM, all", "late"]
    rows = []
    for name in ("mean_frame", "copy_last", *ARMS, "augmented"):
        if name not in seeds[0]["ratios"][against]:
            continue
        cells = [name]
        for what, digits in (("steps", 0), ("cpu_seconds", 0)):
            known = [seed["took"][name][what] for seed in seeds if name in seed["took"] and name != "base"]
            cells.append(f"{np.mean(known):,.{digits}f}" if known else "0")
        for metric, spans in (("mse", SPANS), ("ssim", ("all", "late"))):
            for span in spans:
                cells.append(near_one([seed["ratios"][against][name][metric][span][0] for seed in seeds]))
        rows.append(cells)
    return tables.markdown(header, rows)


def seed_table(seeds: Sequence[Mapping[str, Any]], name: str = "noether", against: str = "more_steps") -> str:
    """One arm over a control, seed by seed, with the paired interval over clips."""
    rows = []
    for seed in seeds:
        cells = [str(seed["seed"])]
        for metric, span in (("mse", "all"), ("mse", "late"), ("ssim", "all"), ("ssim", "late")):
            value, low, high = seed["ratios"][against][name][metric][span]
            cells.append(f"{value:.4f} [{low:.4f}, {high:.4f}]")
        rows.append([*cells, f"{seed['over_mean_frame']['base']:.3f}", f"{seed['arms']['base']['mean']['ssim']:.3f}"])
    header = ["seed", "MSE, all", "MSE, late", "1 - SSIM, all", "1 - SSIM, late", "base over mean frame", "base SSIM"]
    return tables.markdown(header, rows)


def gate_table(seeds: Sequence[Mapping[str, Any]]) -> str:
    """The validity gates, seed by seed."""
    names = list(seeds[0]["gates"])
    header = ["gate", *(f"seed {seed['seed']}" for seed in seeds)]
    rows = [
        [
            seeds[0]["gates"][name]["says"],
            *(
                f"{tables.figure(seed['gates'][name]['measured'])}{'' if seed['gates'][name]['holds'] else ' NOT'}"
                for seed in seeds
            ),
        ]
        for name in names
    ]
    return tables.markdown(header, rows)


def gap_table(seeds: Sequence[Mapping[str, Any]]) -> str:
    """Errors at training and at test."""
    rows = []
    for name in ("base", "more_steps", "noether"):
        train = [seed["arms"][f"{name} at training"]["mean"]["mse"] for seed in seeds]
        test = [seed["arms"][name]["mean"]["mse"] for seed in seeds]
        rows.append([name, tables.spanned(train), tables.spanned(test), tables.spanned(tables.ratios(test, train))])
    return tables.markdown(["arm", "MSE at training", "MSE at test", "ratio"], rows)


def curves(seeds: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, tuple[Any, Any, Any]]]:
    """Means over the seeds by step, with the range over the seeds, for pictures.horizon_plot."""
    found: dict[str, dict[str, tuple[Any, Any, Any]]] = {}
    for name in names:
        found[name] = {}
        for metric in ("mse", "ssim"):
            rows = np.array([seed["arms"][name]["by_step"][metric] for seed in seeds])
            found[name][metric] = rows.mean(0), rows.min(0), rows.max(0)
    return found


def write_arms(path: Path, seeds: Sequence[Mapping[str, Any]]) -> None:
    """Every arm's figures, seed by seed, as CSV."""
    header = ["seed", "arm", "mse", "psnr", "ssim", "mse_over_base", "mse_over_more_steps", "steps", "cpu_seconds"]
    rows = []
    for seed in seeds:
        for name, one in seed["arms"].items():
            ratio = {
                other: seed["ratios"][other].get(name, {}).get("mse", {}).get("all", [""])[0]
                for other in ("base", "more_steps")
            }
            cost = seed["took"].get(name, {"steps": "", "cpu_seconds": ""})
            mean = one["mean"]
            rows.append(
                [seed["seed"], name, mean["mse"], mean["psnr"], mean["ssim"], ratio["base"], ratio["more_steps"],
                 cost["steps"], cost["cpu_seconds"]]
            )  # fmt: skip
    tables.write_csv(path, header, rows)


__all__ = [
    "all_scores", "arm_table", "curves", "error_of", "figures", "gap_table", "gate_table", "kept", "near_one",
    "seed_table", "trained_arms", "write_arms",
]  # fmt: skip
