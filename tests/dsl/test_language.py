"""docs/language.md states facts of the code: its tables are made again here and compared."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from noether_dsl.canonical import normal_forms
from noether_dsl.dimension import PURE, Dimension
from noether_dsl.enumeration import count
from noether_dsl.grammar import Grammar
from noether_dsl.operators import (
    OF_ANGLE,
    OF_NUMBER,
    OPERATORS,
    PRODUCT,
    QUOTIENT,
    SAME,
    TO_ANGLE,
    VECTOR_OPERATORS,
    Operator,
    UnitRule,
)

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "language.md"
RAD, METRE, MOMENTUM = Dimension.of(rad=1), Dimension.of(m=1), Dimension.of(kg=1, m=1, s=-1)
PENDULUM, SPRING = (("q", RAD), ("p", MOMENTUM)), (("q", METRE), ("p", MOMENTUM))
SYSTEMS = {
    "pendulum, strict": Grammar(PENDULUM, strict_angles=True, max_nodes=10),
    "spring, strict": Grammar(SPRING, strict_angles=True, max_nodes=10),
    "pendulum, pure": Grammar(PENDULUM, strict_angles=False, max_nodes=10),
    "spring, pure": Grammar(SPRING, strict_angles=False, max_nodes=10),
}
UNTYPED = Grammar((("q", PURE), ("p", PURE)), max_nodes=7)
RULES = {
    SAME: "same",
    PRODUCT: "product",
    QUOTIENT: "quotient",
    OF_ANGLE: "angle -> number",
    OF_NUMBER: "number -> number",
    TO_ANGLE: "number -> angle",
}


def rule(units: UnitRule) -> str:
    return RULES.get(units, f"power {units.power}")


def facts(row: Operator) -> str:
    said = {
        "commutes": row.commutes,
        "one-to-one": row.injective,
        "multiplicative": row.multiplicative,
        "odd": row.parity == -1,
        "even": row.parity == 1,
        "nonnegative": row.nonnegative,
        f"shifted {row.shifted}": row.shifted is not None,
        "linear": row.linear,
        "antisymmetric": row.antisymmetric,
    }
    return ", ".join(fact for fact, holds in said.items() if holds)


def operator_table() -> list[str]:
    lines = ["| name | written | units | ranks | default | facts |", "|---|---|---|---|---|---|"]
    for name, row in OPERATORS.items():
        written = row.text.format("x", "y")
        default = "yes" if row.default else "with vectors" if name in VECTOR_OPERATORS else ""
        lines.append(f"| {name} | `{written}` | {rule(row.units)} | {row.ranks.words} | {default} | {facts(row)} |")
    return lines


def raw_table() -> list[str]:
    lines = ["| nodes | untyped | " + " | ".join(SYSTEMS) + " |", "|---:" * (2 + len(SYSTEMS)) + "|"]
    columns = [count(grammar) for grammar in SYSTEMS.values()]
    for n, (untyped, *typed) in enumerate(itertools.zip_longest(count(UNTYPED), *columns), start=1):
        numbers = " | ".join(f"{number:,}" for number in typed)
        lines.append(f"| {n} | {'' if untyped is None else f'{untyped:,}'} | {numbers} |")
    return lines


def normal_table() -> list[str]:
    lines = ["| nodes | " + " | ".join(SYSTEMS) + " |", "|---:" * (1 + len(SYSTEMS)) + "|"]
    columns = [normal_forms(grammar).by_nodes() for grammar in SYSTEMS.values()]
    for n in range(10):
        numbers = " | ".join(f"{column[n]:,} ({column[: n + 1].sum():,})" for column in columns)
        lines.append(f"| {n + 1} | {numbers} |")
    return lines


TABLES = {"operators": operator_table, "raw counts": raw_table, "normal form": normal_table}


@pytest.mark.parametrize("name", TABLES)
def test_the_documents_tables_are_the_codes(name: str) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    after = text.split(f"<!-- {name}: ")[1].split("-->\n", 1)[1].strip()
    found = list(itertools.takewhile(lambda line: line.startswith("|"), after.splitlines()))
    assert found == TABLES[name]()


def test_the_document_names_the_golden_numbers() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for number in ("36,283", "27,705", "70,493", "38,001", "217,869", "1,351,839", "41,460", "72,372"):
        assert number in text
    units = {"q": METRE, "v": METRE / Dimension.of(s=1)}
    columns = tuple((f"{name}_{axis}", unit) for name, unit in units.items() for axis in "xy")
    for vectors in ((("q", ("q_x", "q_y")), ("v", ("v_x", "v_y"))), ()):
        motion = Grammar(columns, vectors=vectors)
        assert f"{sum(count(motion)):,}" in text
        assert f"{len(normal_forms(motion)):,}" in text
    assert max(map(len, (line for line in text.splitlines() if not line.startswith("|")))) <= 120
