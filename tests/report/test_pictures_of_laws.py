"""Panels say what the numbers say; files are the same for the same run, in every format and width."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import rc_context
from matplotlib.figure import Figure
from noether_dsl.units import Unit

from noether_discover import OptionError, RunFileError, load, write_plot
from noether_discover.data.trajectories import Trajectories
from noether_discover.report.mathml import mathml
from noether_discover.report.pictures.along import Deviations, Spreads, Values
from noether_discover.report.pictures.drifting import Drifting
from noether_discover.report.pictures.levels import Levels
from noether_discover.report.pictures.pareto import Law, Pareto
from noether_discover.report.pictures.rollouts import Rollouts
from noether_discover.report.pictures.sampled import sampled
from noether_discover.report.pictures.style import (
    MOST_ROWS,
    PRINT,
    Table,
    figure,
    inline_svg,
    spread_out,
    unit_in_print,
)
from noether_discover.runs import RunFile

NOISE = 0.03


def circles(trajectories: int, noise: float, seed: int = 0, samples: int = 200) -> Trajectories:
    """x and v of a spring, on circles of different sizes."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) * 0.05
    sizes, phases = rng.uniform(0.5, 2.0, trajectories), rng.uniform(0, 6, trajectories)
    states = tuple(
        np.stack([r * np.cos(t + p), -r * np.sin(t + p)], axis=1) + noise * rng.normal(size=(samples, 2))
        for r, p in zip(sizes, phases, strict=True)
    )
    labels = tuple(str(k) for k in range(trajectories))
    return Trajectories(("x", "v"), ("x", "v"), (Unit(),) * 2, states, (t,) * trajectories, labels, time_name="t")


def energy(x: np.ndarray) -> np.ndarray:
    return x[..., 0] ** 2 + x[..., 1] ** 2


def test_the_band_of_the_noise_is_what_noise_does_to_the_law() -> None:
    # the root mean square over 20 x 200 values has a standard error of 1.1 %; the mean takes 1/200 of the variance
    on = sampled(energy, circles(20, NOISE), np.array([NOISE, NOISE]), None, seed=0)
    _, away, noise = Deviations(on, "1", "1").bins
    assert np.sqrt(np.square(noise).mean()) == pytest.approx(np.sqrt(np.square(away).mean()), rel=0.04)


def test_random_sequences_vary_as_at_large_and_a_law_does_not() -> None:
    on = sampled(energy, circles(20, 0.0), np.array([NOISE, NOISE]), None, seed=0)
    own, random, _ = Spreads(on).shares
    assert own.max() < 1e-14  # rounding
    assert np.sqrt(np.square(random).mean()) == pytest.approx(1.0, abs=0.05)
    assert sorted(np.concatenate(on.random)) == pytest.approx(sorted(np.concatenate(on.values)))  # the same states


def test_one_run_is_cut_into_the_windows_that_are_judged_and_compared_with_shuffled_columns() -> None:
    on = sampled(energy, circles(1, 0.0, samples=500), np.array([NOISE, NOISE]), 125, seed=0)
    assert len(on.values) == 4
    assert len(on.runs) == 1
    assert all(t[0] == 0 for t in on.times)
    own, random, _ = Spreads(on).shares
    assert own.max() < 1e-13 < 0.5 < random.min()


def test_a_constraint_is_compared_with_shuffled_columns() -> None:
    same = circles(6, 0.0)
    unit = Trajectories(**{
        **{name: getattr(same, name) for name in ("names", "symbols", "units", "times", "labels", "time_name")},
        "states": tuple(x / np.sqrt(energy(x))[:, None] for x in same.states),
    })  # fmt: skip
    on = sampled(energy, unit, np.array([NOISE, NOISE]), None, seed=0, constraint=True)
    assert np.concatenate(on.random).std() > 0.3
    assert Spreads(on).shares[0].max() < 1e-14


def test_a_law_without_values_off_the_trajectories_is_drawn_all_the_same() -> None:
    on = sampled(energy, circles(4, 0.0), np.array([NOISE, NOISE]), 50, seed=0)
    nowhere = tuple(np.full(len(g), np.nan) for g in on.values)
    on = replace(on, random=nowhere, noise=nowhere)
    for panel in (Values(on, "1", "s"), Deviations(on, "1", "s"), Spreads(on)):
        assert "no number" in panel.alt
        assert panel.table().rows
        assert inline_svg(panel, "k").startswith("<svg")


def test_noise_is_told_from_the_side_on_which_a_law_has_a_value() -> None:
    data = circles(2, 0.0)
    least = min(float(x[:, 0].min()) for x in data.states)
    on = sampled(lambda x: np.sqrt(x[..., 0] - least), data, np.array([NOISE, NOISE]), None, seed=0)
    assert all(np.isfinite(noise).all() for noise in on.noise)


def test_a_law_is_flat_on_its_level_sets() -> None:
    data = circles(5, 0.0)
    levels = Levels.of(energy, data.states, data.labels, (0, 1), ("x", "v"), ("m", "m/s"), "m^2")
    rows = levels.table().rows
    assert [row[0] for row in rows] == ["0", "1", "2", "3", "4"]
    for row, x in zip(rows, data.states, strict=True):
        assert float(row[3]) == pytest.approx(energy(x).mean(), rel=1e-2)  # three digits
    grid = np.hypot(*np.meshgrid(levels.grid_x, levels.grid_y)) ** 2
    assert levels.grid_g == pytest.approx(grid)
    assert (np.diff(levels.levels) > 0).all()


def test_the_line_of_a_drift_is_the_drift() -> None:
    t = np.linspace(0, 10, 300)
    panel = Drifting((1 - 0.2 * t, 5 - 0.2 * t), (t, t), -0.2, 0.01, "J", "J/s", "s")
    middle, mean, low, high = panel.bins
    assert mean == pytest.approx(-0.2 * middle, abs=1e-12)
    assert (low <= mean + 1e-12).all()
    assert (mean <= high + 1e-12).all()
    assert "-0.2 J/s" in panel.alt
    assert "does not say" in Drifting((t,), (t,), None, None, "J", "J/s", "s").alt


RATIOS = st.one_of(st.none(), st.floats(0, 10, allow_nan=False))
JUDGED = st.lists(
    st.tuples(st.integers(1, 9), st.sampled_from(["x", "x + v"]), st.sampled_from(["LAW", "NOT_CONSERVED", "TRIVIAL"]),
              RATIOS, st.just("why")),
    max_size=40,
)  # fmt: skip


@given(JUDGED, st.lists(st.tuples(st.integers(1, 20), RATIOS), max_size=4))
def test_nothing_is_below_the_front_and_larger_formulas_on_it_have_smaller_ratios(
    judged: list[tuple[int, str, str, float | None, str]], laws: list[tuple[int, float | None]]
) -> None:
    panel = Pareto(judged, tuple(Law(str(k), "x", nodes, ratio) for k, (nodes, ratio) in enumerate(laws)))
    front = panel.front
    assert front == sorted(front)
    assert all(b[1] < a[1] for a, b in pairwise(front))
    there = [(n, r) for n, _, verdict, r, _ in judged if verdict != "TRIVIAL" and r is not None]
    for nodes, ratio in there + [(n, r) for n, r in laws if r is not None]:
        assert min((r for n, r in front if n <= nodes), default=math.inf) <= ratio
    assert sum(panel.counted.values()) == len(there)
    assert "nan" not in panel.alt


def test_parts_of_laws_are_drawn_and_listed_but_are_no_laws() -> None:
    panel = Pareto((), (Law("1", "x**2 + v**2", 5, 1e-6), Law("2", "x", 1, None)), (Law("1", "x**2", 2, 0.7),))
    assert panel.front == [(2, 0.7), (5, 1e-6)]
    assert "Marked: 1 law. Open marks" in panel.alt
    assert [entry[-1] for entry in panel.table().rows] == ["part of law 1", "reported", "reported"]
    axes = Figure().add_subplot()
    panel.draw(axes, PRINT)
    assert all(float(tick).is_integer() for tick in axes.get_xticks())


def row(kind: str, **facts: Any) -> dict[str, Any]:
    return {"name": "x**2", "kind": kind, "chosen": False, "over_time": [[0.1, 0.2], [0.2, 0.3]], **facts}


def test_rollouts_show_baselines_oracle_and_the_chosen_law_in_front() -> None:
    rows = [row("mlp"), row("control"), row("oracle"), row("candidate", chosen=True, law=1), row("candidate", law=0),
            row("candidate", over_time=[], law=2)]  # fmt: skip
    panel = Rollouts.of(rows, "s")
    assert [curve.kind for curve in panel.curves] == ["mlp", "control", "law", "chosen", "oracle"]
    assert panel.table().header == (
        "time [s]", "network alone", "network, more training", "with law 1", "with law 2", "with the oracle"
    )  # fmt: skip
    assert panel.table().rows[0] == ("0.1", *["0.2"] * 5)
    assert "with law 2 0.3" in panel.alt
    assert Rollouts.of([], "s").curves == ()


def test_the_errors_over_time_make_up_the_error_of_the_table(ranked_run: Path) -> None:
    # all trajectories have 29 samples after the first, each its own moment, so that the mean square is the whole error
    for facts in load(ranked_run).ranking:
        times, errors = np.array(facts["over_time"]).T
        assert len(times) == 29
        assert (np.diff(times) > 0).all()
        assert np.sqrt(np.square(errors).mean()) == pytest.approx(facts["test_rollout"], rel=1e-9)


def test_the_picture_of_everything_has_everything(ranked_run: Path) -> None:
    with RunFile(ranked_run) as file:
        judged = file.judged()
        assert len(judged) == sum(number for _, _, number in file.reasons())
    rows = Pareto(judged, ()).table().rows
    assert sum(int(row[1].replace(",", "")) for row in rows) == sum(Pareto(judged, ()).counted.values())


@given(st.integers(0, 5000), st.integers(1, 300))
def test_what_is_spread_out_begins_and_ends_with_the_ends(count: int, most: int) -> None:
    some = spread_out(count, most)
    assert len(some) <= min(count, most)
    assert some == sorted(set(some))
    if count and most > 1:
        assert (some[0], some[-1]) == (0, count - 1)


def test_a_long_table_says_what_it_leaves_out() -> None:
    table = Table.of(("a",), [(k,) for k in range(1000)])
    assert len(table.rows) == MOST_ROWS
    assert table.note == f"{MOST_ROWS} of 1,000 rows, evenly spread"
    assert Table.of(("a", "b"), [(1234, math.nan)]) == Table(("a", "b"), (("1,234", "none"),))


@pytest.mark.parametrize(
    ("unit", "printed"),
    [("kg^2*m^2/s^2", "kg² m²/s²"), ("1", ""), ("(rad^2/s^2)/s", "(rad²/s²)/s"), ("m^(1/2)", "m¹ᐟ²"), ("m^-3", "m⁻³")],
)
def test_units_are_printed_with_raised_exponents(unit: str, printed: str) -> None:
    assert unit_in_print(unit) == printed


@pytest.mark.parametrize(("value", "words"), [(1.62e-15, "1.62×10⁻¹⁵"), (0.5, "0.5"), (2e6, "2.00×10⁶"), (None, "")])
def test_figures_are_printed_with_powers_of_ten(value: float | None, words: str) -> None:
    assert figure(value) == words


def test_latex_becomes_mathml_and_what_cannot_be_set_stays_text() -> None:
    assert "<mi>speed</mi>" in mathml(r"\mathrm{speed}", "speed")
    assert "<mo>\u2061</mo>" in mathml(r"\cos\left(q\right)", "cos(q)")
    assert mathml(r"\href{javascript:alert(1)}{x}", "<x>") == "<code>&lt;x&gt;</code>"
    assert mathml("", "x") == "<code>x</code>"


@settings(max_examples=40)
@given(st.text(max_size=20))
def test_no_text_gets_out_of_mathml(text: str) -> None:
    written = mathml(text, "otherwise")
    assert "<script" not in written
    assert written.startswith(("<math", "<code>otherwise"))


def test_columns_with_dollars_and_tags_are_words_in_a_picture() -> None:
    data = circles(3, 0.0)
    names = ("$\\frac{x", '</text><script>"&')
    svg = inline_svg(Levels.of(energy, data.states, data.labels, (0, 1), names, ("1", "1"), "1"), "k")
    assert "$\\frac{x" in svg
    assert "&lt;/text&gt;&lt;script&gt;" in svg
    assert "<script" not in svg


def test_two_pictures_of_a_page_share_no_names() -> None:
    on = sampled(energy, circles(3, 0.0), np.array([NOISE, NOISE]), None, seed=0)
    one, other = (inline_svg(Values(on, "1", "s"), key) for key in ("f1", "f2"))
    assert one.replace("f1-", "f2-").count("f2-") == other.count("f2-") > 0
    assert "f1-" not in other


KINDS = ("conservation", "levels", "pareto", "rollout")


@pytest.mark.parametrize(
    ("kind", "suffix"), [*((kind, ".pdf") for kind in KINDS), ("levels", ".svg"), ("levels", ".png")]
)
def test_a_run_gives_the_same_file_twice(ranked_run: Path, tmp_path: Path, kind: str, suffix: str) -> None:
    one, other = (write_plot(ranked_run, tmp_path / f"{n}{suffix}", kind, width="single") for n in "ab")
    assert one.read_bytes() == other.read_bytes()
    assert len(one.read_bytes()) > 3000


def test_the_reader_s_own_style_changes_nothing(ranked_run: Path, tmp_path: Path) -> None:
    one = write_plot(ranked_run, tmp_path / "a.svg", "levels")
    with rc_context({"lines.linewidth": 9, "axes.grid": True, "axes.facecolor": "red", "axes.labelsize": 30}):
        other = write_plot(ranked_run, tmp_path / "b.svg", "levels")
    assert one.read_bytes() == other.read_bytes()


def test_fonts_are_in_the_pdf_as_outlines_that_journals_take(ranked_run: Path, tmp_path: Path) -> None:
    written = write_plot(ranked_run, tmp_path / "a.pdf", "levels", width=3).read_bytes()
    assert b"/FontFile2" in written
    assert b"/Type3" not in written
    assert b"/CreationDate" not in written
    assert b"/MediaBox [ 0 0 216 " in written  # three inches


def test_an_svg_for_a_paper_has_its_letters_as_outlines(ranked_run: Path, tmp_path: Path) -> None:
    written = write_plot(ranked_run, tmp_path / "a.svg", "levels").read_text(encoding="utf-8")
    assert "<text" not in written
    assert "var(--" not in written


def test_what_cannot_be_drawn_is_told_and_nothing_is_written(
    vector_run: Path, run_without_laws: Path, tmp_path: Path
) -> None:
    target = tmp_path / "a.pdf"
    for run, path, kind, more, words in (
        (vector_run, target, "levels", {}, "laws that read two columns, and no law of the run does"),
        (vector_run, target, "levels", {"law": 1}, "law 1 reads 4"),
        (vector_run, target, "conservation", {"law": 4}, "holds 3; write a number from 1 to 3"),
        (vector_run, target, "pareto", {"law": 1}, "leave it out"),
        (vector_run, target, "pareto", {"width": "wide"}, "write single, double, or inches"),
        (vector_run, target, "pareto", {"width": "0.2"}, "write single, double, or inches"),
        (vector_run, tmp_path / "a.jpg", "pareto", {}, "written as .pdf, .svg, .png"),
        (vector_run, target, "picture", {}, "there are conservation, levels, pareto, rollout"),
        (run_without_laws, target, "conservation", {}, "holds no law"),
    ):
        with pytest.raises(OptionError, match=words):
            write_plot(run, path, kind, **more)  # type: ignore[arg-type]
    with pytest.raises(RunFileError, match="were not ranked; run `noether-discover rank"):
        write_plot(vector_run, target, "rollout")
    assert list(tmp_path.iterdir()) == []
