"""The arms of a comparison: a Noether Network and everything that its gain could be mistaken for.

Each arm starts from a copy of the same trained base. What a Noether Network adds is more training, a loss that is
learned, and the conservation; every arm takes one of them away.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from torch import nn

from ..errors import OptionError
from .batches import Batches, Folds, Recoloured, Windows
from .clips import Clips
from .conservation import Form
from .noether_network import Inner, NoetherNetwork
from .rollout import Predictor
from .targets import Target, target_named
from .training import Progress, Schedule, Training, base_training, longer, noether_training

Kind = Literal["base", "longer", "noether", "zero"]


@dataclass(frozen=True)
class Arm:
    """One row: what it is, and in what it differs from the Noether arm.

    kind: "base" as it is; "longer", the base trained on; "noether", with an embedding; "zero", the Noether arm's
    predictor without its inner steps. length of a longer one: "steps", as many optimiser steps as the Noether arm;
    "time", as much CPU time. learned: whether the embedding is. form: another Noether loss than the recipe's.
    """

    name: str
    says: str
    kind: Kind
    length: Literal["steps", "time"] = "steps"
    learned: bool = True
    form: Form | None = None


ARMS = {
    arm.name: arm
    for arm in (
        Arm("base", "the base predictor", "base"),
        Arm("more_steps", "base, trained for the Noether arm's optimiser steps more", "longer", "steps"),
        Arm("more_time", "base, trained for the Noether arm's CPU time more", "longer", "time"),
        Arm("noether", "conservation of a learned embedding, enforced at prediction time", "noether"),
        Arm("zero_steps", "the Noether arm's predictor without inner steps", "zero"),
        Arm("random", "conservation of a random embedding, its inner rates learned", "noether", learned=False),
        Arm("free", "a learned loss of the same form without conservation", "noether", form="free"),
    )
}


@dataclass(frozen=True)
class Recipe:
    """How a Noether Network is trained on a trained base.

    train: "frozen", the embedding and its rates alone; "joint", the predictor with them. folds: with 2 or more, the
    embedding is trained on clips that a predictor has not seen: the training clips are cut into so many parts (by
    object, where there are objects), a predictor like the base is trained without each part, and the embedding learns
    from each of them on the part it has not seen; then it is put on the base. A base is 2 to 30 times better on the
    clips it was trained on than on new ones, and leaves nothing to correct there. fold_steps: optimiser steps of each
    fold's predictor; default: those of the base. recolour: the cheaper way to clips that the base has not seen: the
    embedding is trained on the training clips with their colour channels exchanged. own, conserved: see
    training.meta_loss.

    Raises OptionError for a combination that cannot be.
    """

    target: str = "latents"
    pattern: str | None = None
    inner: Inner = Inner()  # noqa: RUF009  (frozen)
    train: Literal["frozen", "joint"] = "joint"
    schedule: Schedule = field(default_factory=lambda: Schedule(steps=500, rate=5e-4, warmup=50))
    folds: int = 0
    fold_steps: int | None = None
    recolour: bool = False
    own: float = 0.0
    conserved: float = 0.0

    def __post_init__(self) -> None:
        if self.train not in ("frozen", "joint"):
            raise OptionError(f'noether.train = "{self.train}": there are frozen, joint')
        if self.folds < 0 or self.folds == 1:
            raise OptionError(f"noether.folds = {self.folds}: give 0, or 2 and more")
        if self.fold_steps is not None and self.fold_steps < 1:
            raise OptionError(f"noether.fold_steps = {self.fold_steps}: give 1 or more")
        if self.folds and self.train == "joint":
            raise OptionError('noether.folds trains an embedding across predictors: take noether.train = "frozen"')
        if not self.inner.second_order and self.train == "frozen":
            raise OptionError(
                "first-order inner steps with a frozen predictor give the embedding no gradient: take "
                'inner.second_order = true or noether.train = "joint"'
            )


@dataclass(frozen=True)
class Bench:
    """What all arms share: the clips, how they are cut into windows, and how the base was trained.

    fresh: makes an untrained predictor; seed + fold is its argument.
    """

    clips: Clips
    given: int
    horizon: int
    stride: int
    base: Schedule
    base_loss: Literal["free", "svg"] = "free"
    beta: float = 1e-4
    mirror: bool = False
    mirror_actions: float = -1.0
    workers: int = 0
    seed: int = 0
    device: str = "cpu"
    fresh: Callable[[int], nn.Module] | None = None

    def batches(self, clips: Clips, batch: int, *, recoloured: bool = False) -> Batches:
        """Training batches of some clips."""
        windows = (Recoloured if recoloured else Windows)(
            clips, self.given + self.horizon, self.stride, mirror=self.mirror, mirror_actions=self.mirror_actions
        )
        return Batches(windows, batch, seed=self.seed, workers=self.workers)

    def base_training(self, predictor: nn.Module, clips: Clips, schedule: Schedule) -> Training:
        """A training of a predictor on some clips, as the base is trained."""
        return base_training(
            predictor,
            self.batches(clips, schedule.batch),
            self.given,
            schedule,
            loss=self.base_loss,
            beta=self.beta,
            seed=self.seed,
            device=self.device,
        )


def folds_of(clips: Clips, count: int, seed: int) -> list[tuple[Clips, Clips]]:
    """Clips cut into `count` parts by object (by clip where there are none): (the rest, the part) for each.

    Raises OptionError when there are fewer objects than parts.
    """
    column = clips.facts.get("object")
    words = column if column is not None else tuple(str(i) for i in range(len(clips)))
    values = list(dict.fromkeys(words))
    if len(values) < count:
        raise OptionError(f"noether.folds = {count}, but there are only {len(values)} training objects to divide")
    import numpy as np

    place = {values[v]: i % count for i, v in enumerate(np.random.default_rng([seed, 17]).permutation(len(values)))}
    part = np.array([place[word] for word in words])
    return [(clips.take(np.flatnonzero(part != k)), clips.take(np.flatnonzero(part == k))) for k in range(count)]


def network_of(base: nn.Module, embedding: nn.Module, recipe: Recipe, form: Form | None = None) -> NoetherNetwork:
    """A Noether Network on a base; `form` replaces the recipe's."""
    inner = recipe.inner if form is None else replace(recipe.inner, form=form)
    return NoetherNetwork(
        cast(Predictor, base), embedding, target_of(recipe), inner, trains_predictor=recipe.train == "joint"
    )


def target_of(recipe: Recipe) -> Target:
    """The recipe's adaptation target."""
    return target_named(recipe.target, recipe.pattern)


def fold_bases(
    bench: Bench, recipe: Recipe, told: Callable[[int, int], None] | None = None
) -> tuple[list[nn.Module], list[Progress]]:
    """A predictor for every fold, trained as the base without the fold's clips. Shared by the arms that need them."""
    predictors, progress = [], []
    for k in range(recipe.folds):
        predictor, training = fold_training(bench, recipe, k)
        progress.append(training.run(told))
        predictors.append(predictor)
    return predictors, progress


def fold_training(bench: Bench, recipe: Recipe, k: int) -> tuple[nn.Module, Training]:
    """The predictor of fold k, and its training on the other folds' clips."""
    assert bench.fresh is not None
    rest, _ = folds_of(bench.clips, recipe.folds, bench.seed)[k]
    predictor = bench.fresh(bench.seed + 1 + k).to(bench.device)
    schedule = bench.base if recipe.fold_steps is None else longer(bench.base, recipe.fold_steps)
    return predictor, bench.base_training(predictor, rest, schedule)


def noether_arm(
    arm: Arm,
    bench: Bench,
    recipe: Recipe,
    base: nn.Module,
    embedding: nn.Module,
    folds: Sequence[nn.Module] = (),
) -> tuple[NoetherNetwork, Training]:
    """The network of an arm with an embedding, and its training. The base itself is not changed.

    folds: fold_bases, where the recipe has folds.
    """
    network = network_of(copy.deepcopy(base), embedding, recipe, arm.form)
    trained: Sequence[NoetherNetwork] = [network]
    batches = bench.batches(bench.clips, recipe.schedule.batch, recoloured=recipe.recolour)
    if recipe.folds:
        trained = [network_of(predictor, embedding, recipe, arm.form) for predictor in folds]
        parts = folds_of(bench.clips, recipe.folds, bench.seed)
        batches = Folds([bench.batches(part, recipe.schedule.batch, recoloured=recipe.recolour) for _, part in parts])
    training = noether_training(
        trained,
        batches,
        bench.given,
        recipe.schedule,
        learn_embedding=arm.learned,
        own=recipe.own,
        conserved=recipe.conserved,
        seed=bench.seed + 1,
        device=bench.device,
    )
    network.log_rates = trained[0].log_rates
    return network, training


def longer_arm(bench: Bench, recipe: Recipe, base: nn.Module, steps: int) -> tuple[nn.Module, Training]:
    """A copy of the base, trained for so many steps more, with the warm-up, rate and decay of the Noether arm.

    The optimiser is new: a state that is shared between arms would train them both.
    """
    predictor = copy.deepcopy(base).requires_grad_(True)
    return predictor, bench.base_training(predictor, bench.clips, longer(recipe.schedule, steps))


def steps_for_time(noether: Sequence[Progress], own: Progress) -> int:
    """How many base steps take the CPU time of the Noether arm (and of the folds it needed)."""
    per_step = own.seconds / max(own.step, 1)
    return max(1, round(sum(one.seconds for one in noether) / per_step))


def steps_for_steps(noether: Sequence[Progress]) -> int:
    """The optimiser steps of the Noether arm, those of its folds among them."""
    return sum(one.step for one in noether)


def arms_named(names: Sequence[str]) -> Mapping[str, Arm]:
    """Rows of ARMS, in the table's order and with what they rest on. Raises OptionError for a name not among them."""
    if unknown := [name for name in names if name not in ARMS]:
        raise OptionError(f'there is no arm "{unknown[0]}"; there are: {", ".join(ARMS)}')
    wanted = {"base", *names}
    if "zero_steps" in wanted or {"more_steps", "more_time"} & wanted:
        wanted.add("noether")
    return {name: arm for name, arm in ARMS.items() if name in wanted}
