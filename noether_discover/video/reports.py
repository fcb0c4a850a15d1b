"""What a trained run is worth, as files: evaluation/, study/ and explain/ of its folder; and as plain data to print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import DataError, OptionError, PredictorError
from ..predict.predictors import one_thread
from .arms import ARMS
from .batches import Batches, Windows
from .checkpoints import write_csv, write_json
from .conservation import embedded, noether_loss, stack_size, stacked
from .evaluation import METRICS, Scores, compared, gates, scores_of, summary
from .experiment import Run, load_arm, trained_arms, training_facts
from .explanations import component_maps, components
from .lpips import LPIPS_REASON, load_lpips
from .noether_network import NoetherNetwork
from .pictures import Curve, cam_sheet, contact_sheet, horizon_plot, study_plot
from .statistics import band, paired_ratio, within_over_between
from .study import COUNTS, studied, study_of

Array = np.ndarray
Tell = Callable[[str, int, int], None]

REFERENCES = {"mean frame": "the mean training frame", "copy last": "the last given frame again and again"}
DRAWN = ("base", "more_steps", "more_time", "noether")
"""Arms in the picture; the others lie upon them, and are in by_step.csv."""
CONSERVED, VARIES = 0.1, 1.0
"""Variance within windows over that between them: under the first an embedding is conserved, over the second not."""
AT_MOST = 512
"""Windows of which an embedding is explained."""


# --- evaluate ------------------------------------------------------------------------------------------------------


@one_thread()
def evaluated(
    run: Run, lpips_weights: Sequence[str] = (), *, sheets: int = 3, tell: Tell | None = None
) -> dict[str, Any]:
    """Every trained arm on the test clips; writes evaluation/{table.csv, by_step.csv, evaluation.json, horizon.png,
    clips.png} and returns what evaluation.json holds.

    Raises OptionError for weight files that cannot be used, RunFileError when no base is trained.
    """
    data, device, batch = run.config.data, run.config.device, run.config.evaluate.batch
    lpips = load_lpips(list(lpips_weights)).to(device) if lpips_weights else None
    length = data.given + data.horizon
    tests, trains = Windows(run.test, length, run.config.evaluate.stride), Windows(run.train, length)
    names, missing = trained_arms(run)
    networks = {"base": load_arm(run.folder, "base", device)} | {n: load_arm(run.folder, n, device) for n in names}
    mean = torch.from_numpy(run.train.mean_frame()).to(device)
    jobs: dict[str, tuple[nn.Module | None, str | Tensor | None]] = {n: (m, None) for n, m in networks.items()}
    jobs |= {"mean frame": (None, mean), "copy last": (None, "copy")}
    on_test: dict[str, Scores] = {}
    on_train: dict[str, Scores] = {}
    for at, (name, (network, reference)) in enumerate(jobs.items()):
        options: dict[str, Any] = {"batch": batch, "reference": reference, "seed": run.config.seed, "device": device}
        on_test[name] = scores_of(network, tests, data.given, lpips=lpips, **options)
        on_train[name] = scores_of(network, trains, data.given, **options)
        if tell is not None:
            tell("evaluating", at + 1, len(jobs))
    arms = {name: scores for name, scores in on_test.items() if name in networks}
    found: dict[str, Any] = {
        "windows": len(tests),
        "clips": len(run.test),
        "given": data.given,
        "horizon": data.horizon,
        "seed": run.config.seed,
        "device": device,
        "arms": {name: _arm_facts(run, name, networks[name], on_test[name], on_train[name]) for name in arms},
        "references": {
            name: {"says": says, "test": summary(on_test[name]), "train": summary(on_train[name])}
            for name, says in REFERENCES.items()
        },
        "ratios": {over: _ratios(arms, over) for over in ("base", "more_steps", "more_time") if over in arms},
        "gates": {
            name: asdict(gate)
            for name, gate in gates(
                arms,
                on_test["mean frame"],
                on_test["copy last"],
                train_base=on_train["base"],
                joint=run.config.recipe.train == "joint",
            ).items()
        },
        "lpips": None if lpips is None else "measured",
        "lpips_reason": LPIPS_REASON if lpips is None else None,
        "not_trained": missing,
    }
    folder = run.folder / "evaluation"
    folder.mkdir(exist_ok=True)
    metrics = [*METRICS, *(["lpips"] if lpips is not None else [])]
    bands = {name: _bands(scores, metrics) for name, scores in on_test.items()}
    write_csv(folder / "table.csv", _table_rows(found, metrics), _table_columns(found))
    write_csv(folder / "by_step.csv", _step_rows(bands), ["arm", "metric", "step", "mean", "low", "high"])
    horizon_plot(folder / "horizon.png", {name: bands[name] for name in DRAWN if name in arms})
    _clips_sheet(folder / "clips.png", run, tests, networks, sheets)
    found["files"] = [
        f"{folder}/{n}" for n in ("table.csv", "by_step.csv", "evaluation.json", "horizon.png", "clips.png")
    ]
    write_json(folder / "evaluation.json", found)
    return found


def _arm_facts(run: Run, name: str, network: nn.Module, test: Scores, train: Scores) -> dict[str, Any]:
    return {
        "says": ARMS[name].says,
        "test": summary(test),
        "train": summary(train),
        "test_over_train": float(test.values["mse"].mean() / train.values["mse"].mean()),
        "trained": training_facts(run.folder, "noether" if name == "zero_steps" else name),
        "inner_rates": network.rates if isinstance(network, NoetherNetwork) else None,
    }


def _ratios(arms: Mapping[str, Scores], over: str) -> dict[str, Any]:
    """Of every other arm: metric -> span -> ratio with its interval; or the reason why there is none."""
    found: dict[str, Any] = {}
    for name, scores in arms.items():
        if name in (over, "base"):
            continue
        one, other, left_out = _finite(scores, arms[over])
        try:
            ratios = compared(one, other)
        except DataError as problem:
            found[name] = {"reason": str(problem)}
            continue
        found[name] = {m: {span: asdict(ratio) for span, ratio in spans.items()} for m, spans in ratios.items()}
        if left_out:
            found[name]["windows_left_out"] = left_out
    return found


def _finite(one: Scores, other: Scores) -> tuple[Scores, Scores, int]:
    """Both without the windows in which either error is not finite, and how many these are."""
    good = np.ones(len(one.clips), bool)
    for scores in (one, other):
        for metric in ("mse", "ssim"):
            good &= np.isfinite(scores.values[metric]).all(axis=1)
    if good.all():
        return one, other, 0
    cut = [
        replace(scores, values={name: value[good] for name, value in scores.values.items()}, clips=scores.clips[good])
        for scores in (one, other)
    ]
    return cut[0], cut[1], int((~good).sum())


def _bands(scores: Scores, metrics: Sequence[str]) -> dict[str, Curve]:
    found: dict[str, Curve] = {}
    for metric in metrics:
        values = scores.values[metric]
        good = np.isfinite(values).all(axis=1)
        if good.any():
            made = band(values[good], scores.clips[good])
            found[metric] = (made.mean, made.low, made.high)
    return found


def _table_columns(found: Mapping[str, Any]) -> list[str]:
    ratios = [f"mse_over_{over}{end}" for over in found["ratios"] for end in ("", "_low", "_high", *_SPANS)]
    return ["arm", "says", "mse", "psnr", "ssim", "lpips", "train_mse", "test_over_train", *ratios, "fell_back",
            "steps", "cpu_seconds", "skipped"]  # fmt: skip


_SPANS = ("_early", "_middle", "_late")


def _table_rows(found: Mapping[str, Any], metrics: Sequence[str]) -> list[dict[str, Any]]:
    rows = []
    for name, facts in (found["arms"] | found["references"]).items():
        row = {"arm": name, "says": facts["says"], "train_mse": facts["train"]["mean"]["mse"]}
        row |= {metric: facts["test"]["mean"][metric] for metric in metrics}
        for over, ratios in found["ratios"].items():
            spans = ratios.get(name, {}).get("mse", {})
            if "all" in spans:
                row |= {f"mse_over_{over}": spans["all"]["value"], f"mse_over_{over}_low": spans["all"]["low"],
                        f"mse_over_{over}_high": spans["all"]["high"]}  # fmt: skip
                row |= {f"mse_over_{over}{s}": spans[s[1:]]["value"] for s in _SPANS if s[1:] in spans}
        if name in found["arms"]:
            row |= {"test_over_train": facts["test_over_train"], **facts["trained"]}
            if facts["test"]["inner"]:
                row["fell_back"] = facts["test"]["inner"]["fell_back"]
        rows.append(row)
    return rows


def _step_rows(bands: Mapping[str, Mapping[str, Curve]]) -> list[dict[str, Any]]:
    return [
        {"arm": arm, "metric": metric, "step": t + 1, "mean": mean, "low": _or_empty(low), "high": _or_empty(high)}
        for arm, curves in bands.items()
        for metric, curve in curves.items()
        for t, (mean, low, high) in enumerate(zip(*(side.tolist() for side in curve), strict=True))
    ]


def _or_empty(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _clips_sheet(path: Path, run: Run, tests: Windows, networks: Mapping[str, nn.Module], count: int) -> None:
    """A few test windows: truth, base, and the tailored prediction."""
    chosen = _spread(len(tests), count)
    data, device = run.config.data, run.config.device
    batch = _windows(tests, chosen, device)
    context, truth = batch[0][:, : data.given], batch[0][:, data.given :]
    made: dict[str, Tensor] = {"truth": truth}
    for name in ("base", "noether"):
        if name in networks:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                torch.manual_seed(run.config.seed)
                network = networks[name]
                if isinstance(network, NoetherNetwork):
                    made[name] = network(context, data.horizon, batch[1]).frames
                else:
                    made[name] = network.rollout(context, data.horizon, batch[1]).frames  # type: ignore[operator]
    rows = {
        f"{run.test.called(int(tests.clip[window]))}, {name}": frames[i].nan_to_num(0, 0, 0)
        for i, window in enumerate(chosen)
        for name, frames in made.items()
    }
    if len({run.test.called(int(tests.clip[w])) for w in chosen}) < len(chosen):
        rows = {
            f"window {window}, {name}": frames[i].nan_to_num(0, 0, 0)
            for i, window in enumerate(chosen)
            for name, frames in made.items()
        }
    contact_sheet(path, rows, every=max(1, round(data.horizon / 10)))


def _spread(count: int, wanted: int) -> list[int]:
    """So many of the numbers under count, far from each other."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(wanted, count)).round()})


def _windows(windows: Windows, chosen: Sequence[int], device: str) -> tuple[Tensor, Tensor | None]:
    items = [windows[i, False] for i in chosen]
    actions = [item.actions for item in items if item.actions is not None]
    frames = torch.stack([item.frames for item in items]).to(device)
    return frames, torch.stack(actions).to(device) if actions else None


# --- study ---------------------------------------------------------------------------------------------------------


@one_thread()
def study_written(
    run: Run,
    counts: Sequence[int] = COUNTS,
    optimiser: Literal["sgd", "adam"] = "adam",
    rate: float | None = None,
    *,
    windows: int = 32,
    arm: str = "noether",
    tell: Tell | None = None,
) -> dict[str, Any]:
    """Both losses against the number of inner steps; writes study/{study.csv, study.json, study.png}.

    windows: how many of the test, far from each other. Raises OptionError for an arm without an embedding.
    """
    data, device = run.config.data, run.config.device
    trained = _with_embedding(run, arm)
    length = data.given + data.horizon
    tests = _some(Windows(run.test, length, run.config.evaluate.stride), windows)
    first = next(Batches(Windows(run.train, length), 8, seed=run.config.seed).epoch(0)).to(device)
    network = studied(trained, first, data.given, optimiser, rate, max(counts))
    told = None if tell is None else (lambda done, total: tell("inner steps", done, total))
    found = study_of(
        network,
        tests,
        data.given,
        counts,
        batch=run.config.evaluate.batch,
        seed=run.config.seed,
        device=device,
        told=told,
    )
    inner, outer = band(found.inner, found.clips), band(found.outer, found.clips)
    rows = []
    for s, count in enumerate(found.counts):
        row = {
            "steps": count,
            "inner": inner.mean[s], "inner_low": inner.low[s], "inner_high": inner.high[s],
            "outer": outer.mean[s], "outer_low": outer.low[s], "outer_high": outer.high[s],
            "fell_back": int(found.fell_back[:, s].sum()),
        }  # fmt: skip
        try:
            ratio = paired_ratio(found.outer[:, s], found.outer[:, 0], found.clips)
            row |= {"over_none": ratio.value, "over_none_low": ratio.low, "over_none_high": ratio.high}
        except DataError:
            row |= dict.fromkeys(("over_none", "over_none_low", "over_none_high"), np.nan)
        rows.append({name: _plain_number(value) for name, value in row.items()})
    folder = run.folder / "study"
    folder.mkdir(exist_ok=True)
    write_csv(folder / "study.csv", rows, list(rows[0]))
    study_plot(
        folder / "study.png", found.counts, (inner.mean, inner.low, inner.high), (outer.mean, outer.low, outer.high),
        trained.inner.steps,
    )  # fmt: skip
    facts = {
        "arm": arm,
        "optimiser": optimiser,
        "rates": found.rates,
        "windows": len(found.clips),
        "clips": len(set(found.clips.tolist())),
        "trained_with": {"steps": trained.inner.steps, "optimiser": trained.inner.optimiser, "rates": trained.rates},
        "rows": rows,
        "files": [f"{folder}/{name}" for name in ("study.csv", "study.json", "study.png")],
    }
    write_json(folder / "study.json", facts)
    return facts


def _plain_number(value: Any) -> Any:
    return value if isinstance(value, int) else _or_empty(float(value))


def _with_embedding(run: Run, arm: str) -> NoetherNetwork:
    network = load_arm(run.folder, arm, run.config.device)
    if not isinstance(network, NoetherNetwork):
        raise OptionError(f'the arm "{arm}" has no embedding; noether, random and free have')
    return network


def _some(windows: Windows, count: int) -> Windows:
    windows.rows = windows.rows[_spread(len(windows), count)]
    return windows


# --- explain -------------------------------------------------------------------------------------------------------


@one_thread()
def explained(
    run: Run, *, arm: str = "noether", count: int = 6, sheets: int = 3, tell: Tell | None = None
) -> dict[str, Any]:
    """What an embedding looks at on the true frames of the test; writes explain/{explain.json, clip_<n>.png}.

    count: components that are drawn. An embedding without components or maps is told in "reason", not raised.
    """
    data, device = run.config.data, run.config.device
    network = _with_embedding(run, arm)
    embedding = network.embedding
    windows = _some(Windows(run.test, data.given + data.horizon, run.config.evaluate.stride), AT_MOST)
    parts, losses = [], {"truth": 0.0, "base": 0.0, "tailored": 0.0}
    batches = Batches(windows, run.config.evaluate.batch, shuffled=False)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(run.config.seed)
        for number, one in enumerate(batches.epoch(0)):
            moved = one.to(device)
            context, truth = moved.frames[:, : data.given], moved.frames[:, data.given :]
            g_BTd = embedded(embedding, context, truth)
            parts.append(g_BTd.cpu())
            made = network(context, data.horizon, moved.actions)
            form = "prev" if network.inner.form == "free" else network.inner.form
            for name, frames in (("truth", truth), ("base", made.base_frames), ("tailored", made.frames)):
                losses[name] += float(noether_loss(embedded(embedding, context, frames), form).sum()) / len(windows)
            if tell is not None:
                tell("embedding", number + 1, len(batches))
    g_NTd = torch.cat(parts)
    facts: dict[str, Any] = {"arm": arm, "windows": len(windows), "frames": stack_size(embedding), "losses": losses}
    folder = run.folder / "explain"
    folder.mkdir(exist_ok=True)
    for old in folder.glob("clip_*.png"):
        old.unlink()
    files: list[str] = []
    try:
        of = components(g_NTd.flatten(0, 1))
        facts |= _conservation(g_NTd, of.project(g_NTd.flatten(0, 1)).unflatten(0, g_NTd.shape[:2]))
        facts["components"] = [
            {"explained": float(share), "within_over_between": ratio}
            for share, ratio in zip(of.explained, facts.pop("by_component"), strict=True)
        ]
        for window in _spread(len(windows), sheets):
            frames, _ = _windows(windows, [window], device)
            stack = stack_size(embedding)
            seen = stacked(frames[:, : data.given], frames[:, data.given :], stack)[0]
            on = type(of)(*(part.to(device) for part in (of.mean, of.directions, of.explained)))
            maps = component_maps(embedding, seen, on, count)
            picture = folder / f"clip_{len(files) + 1}.png"
            cam_sheet(
                picture, frames[0, data.given - 1 :], maps.positive, maps.negative, of.explained[:count],
                every=max(1, round(data.horizon / 8)), first=0,
            )  # fmt: skip
            files.append(str(picture))
    except PredictorError as problem:
        facts["reason"] = str(problem)
    facts["files"] = [*files, f"{folder}/explain.json"]
    write_json(folder / "explain.json", facts)
    return facts


def _conservation(g_NTd: Tensor, by_component_NTK: Tensor) -> dict[str, Any]:
    """Whether the embedding is conserved along the true frames of a window, whole and by component."""
    if len(g_NTd) < 2:
        return {"within_over_between": None, "conserved": None, "by_component": [None] * by_component_NTK.shape[-1]}
    total = within_over_between(g_NTd.double().numpy()).total
    single = within_over_between(by_component_NTK.double().numpy()).components
    verdict = "conserved" if total < CONSERVED else "not conserved" if total >= VARIES else "partly conserved"
    return {"within_over_between": total, "conserved": verdict, "by_component": single.tolist()}
