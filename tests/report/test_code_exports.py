"""The laws as code: what is written runs without this package, and computes what the law computes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from noether_dsl.dimension import PURE
from noether_dsl.formula import Formula, node, parameter, variable, vector
from noether_dsl.operators import OF_NUMBER, OPERATORS, TO_ANGLE, Operator, register
from noether_dsl.reading import evaluate, numpy_code, torch_code
from noether_dsl.text import parameter_names, parse

from noether_discover.data.systems import simulate
from noether_discover.data.tables import read_tables
from noether_discover.discovery import Discovery, discover
from noether_discover.report.code import to_python, to_torch
from noether_discover.report.wording import plain_law
from noether_discover.search.laws import Law, Parameter

STATES = np.random.default_rng(0).uniform(0.2, 1.2, (7, 3))
AGREE = 1e-12  # the same float64 operations, except that code writes x*x*x as x**3


def run(code: str) -> dict[str, Any]:
    """The names that a written file defines."""
    names: dict[str, Any] = {"__name__": "laws"}
    exec(compile(code, "laws.py", "exec"), names)
    return names


def found(
    formula: str,
    columns: Sequence[str],
    values: Sequence[float] = (),
    *,
    titles: Sequence[str] = (),
    units: Sequence[str] = (),
    scales: Sequence[float] = (),
    error: float = 0.01,
    verdict: str = "LAW",
) -> Discovery:
    """A discovery of one law, as the stages would leave it."""
    units, scales, titles = units or ("1",) * len(columns), scales or (1.0,) * len(columns), titles or columns
    said = parse(formula, lambda name: name in columns and name != "a")
    letters = parameter_names(said)
    parameters = tuple(Parameter(name, value, error, "kg") for name, value in zip(letters, values, strict=True))
    law = Law(said, parameters, 0, PURE, verdict, "", 0.001, 0.002, 0.9, 1.1, -0.5, 0.1, 1.0, ())
    spelled = {s: title for s, title in zip(columns, titles, strict=True) if s != title}
    return Discovery(
        verdict, "", (plain_law(law, dict(zip(columns, scales, strict=True)), "s"),), (), {}, {}, spelled,
        tuple(columns), tuple(scales), tuple(units),
    )  # fmt: skip


def both(discovery: Discovery, states: np.ndarray, used: Sequence[int] = (0, 1)) -> tuple[np.ndarray, np.ndarray]:
    """The values of the first law by the exported function, of the columns `used`, and by the exported module."""
    facts = discovery.to_json()
    function, module = run(to_python(facts))["law_1"], run(to_torch(facts))["Law1"]()
    return function(*(states[..., d] for d in used)), module(torch.tensor(states)).detach().numpy()


def torch_value(code: str, columns: dict[str, torch.Tensor], parameters: dict[str, torch.Tensor]) -> torch.Tensor:
    return eval(code, {"torch": torch}, {**columns, **parameters})


def trees(row: Operator) -> Iterator[Formula]:
    """The row over columns, over every other row, and over sums with parameters."""
    q, p = variable("q"), variable("p")
    r, s = vector("r", ("q", "p")), vector("s", ("p", "q"))
    if row.of_vectors:
        yield node(row.name, *(r, s)[: row.arity])
        yield node(row.name, *(node("add", r, node("mul", parameter(), s)), node("div", s, q))[: row.arity])
        return
    yield node(row.name, *(q, p)[: row.arity])
    for other in OPERATORS.values():
        inner = node(other.name, *(q, node("add", p, parameter()))[: other.arity])
        if other.of_vectors:
            inner = node(other.name, *(r, node("mul", parameter(), s))[: other.arity])
        yield node(row.name, *(inner, node("sub", p, node("mul", parameter(), q)))[: row.arity])
        yield node(row.name, *(node("sub", p, q), inner)[2 - row.arity :])


@pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in OPERATORS.items()])
def test_code_computes_what_every_operator_computes(row: Operator) -> None:
    values = {"q": np.linspace(-2.5, 2.5, 12), "p": np.linspace(1.7, 0.3, 12)}
    for formula in trees(row):
        names, numbers = parameter_names(formula), [0.7, -1.3, 2.1][: formula.parameters]
        given = dict(zip(names, numbers, strict=True))
        with np.errstate(all="ignore"):
            by_numpy = eval(numpy_code(formula), {"np": np}, {**values, **given})
            np.testing.assert_allclose(by_numpy, evaluate(formula, values, numbers), rtol=AGREE)
        tensors = {name: torch.tensor(x) for name, x in values.items()}
        fitted = {name: torch.tensor(x, dtype=torch.float64) for name, x in given.items()}
        by_torch = torch_value(torch_code(formula), tensors, fitted)
        expected = evaluate(formula, tensors, list(fitted.values()), torch)
        torch.testing.assert_close(by_torch, expected, rtol=AGREE, atol=0.0, equal_nan=True)


def test_code_is_as_people_write_it() -> None:
    formula = parse("p**2 - a*cos(q)/(q + p)**3")
    assert numpy_code(formula) == "p**2 - a*np.cos(q)/(p + q)**3"
    assert torch_code(parse("exp(q*p) + sqrt(abs(q))")) == "torch.sqrt(abs(q)) + torch.exp(p*q)"
    assert numpy_code(parse("(q - p)*(q/p - (p + q))")) == "(q - p)*(q/p - (p + q))"
    assert numpy_code(parse("(p**2)**2")) == "(p**2)**2"
    assert numpy_code(parse("q - (p - r)", ["p", "q", "r"])) == "q - (p - r)"
    plane = {"q": ("x", "y"), "p": ("u", "v")}
    assert numpy_code(parse("p**2 - a/norm(q)", vectors=plane)) == "u**2 + v**2 - a/np.sqrt(x**2 + y**2)"
    assert torch_code(parse("cross(q, p)*dot(q, p)", vectors=plane)) == "(x*v - y*u)*(u*x + v*y)"
    assert numpy_code(parse("q/norm(p)", vectors=plane)) == (
        "np.stack((x/np.sqrt(u**2 + v**2), y/np.sqrt(u**2 + v**2)), -1)"
    )


@pytest.fixture
def more_rows() -> Iterator[None]:
    """Rows that neither numpy nor torch has a function for by that name."""
    before = dict(OPERATORS)
    register(
        Operator("arcus", 1, TO_ANGLE, lambda m, x: m.atan(x), r"\arctan\left({0}\right)"),
        Operator("bump", 1, OF_NUMBER, lambda m, x: m.exp(-(x**2) / 2) - 3 + abs(-x) ** -1, r"b\left({0}\right)"),
    )
    yield
    OPERATORS.clear()
    OPERATORS.update(before)


@pytest.mark.usefixtures("more_rows")
def test_a_new_row_has_code_by_what_it_computes() -> None:
    q = np.array([-1.2, 0.3, 2.0])
    for name in ("arcus", "bump"):
        formula = node(name, node("sub", variable("q"), parameter()))
        expected = evaluate(formula, {"q": q}, [0.1])
        np.testing.assert_allclose(eval(numpy_code(formula), {"np": np}, {"q": q, "a": 0.1}), expected, rtol=AGREE)
        by_torch = torch_value(torch_code(formula), {"q": torch.tensor(q)}, {"a": torch.tensor(0.1).double()})
        np.testing.assert_allclose(by_torch.numpy(), evaluate(formula, {"q": q}, [float(np.float32(0.1))]), rtol=AGREE)


@pytest.fixture(scope="module")
def degrees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pendulum with its angle in degrees, in a column whose name is no identifier."""
    data = simulate("pendulum_hnn", trajectories=12, seed=0)
    path = tmp_path_factory.mktemp("degrees") / "degrees.csv"
    rows = [
        f"{k},{t!r},{float(np.rad2deg(q))!r},{float(p)!r}"
        for k, (times, x) in enumerate(zip(data.times, data.states, strict=True))
        for t, (q, p) in zip(times.tolist(), x, strict=True)
    ]
    path.write_text("\n".join(["run,t [s],the angle [deg],p [kg*m/s]", *rows]) + "\n")
    return path


def test_exports_take_the_numbers_of_the_file(degrees: Path) -> None:
    """As the expression does; `Discovery.quantity` takes coherent units."""
    discovery = discover(degrees, rank=False, jobs=1)
    data = read_tables([degrees])
    read = np.genfromtxt(degrees, delimiter=",", skip_header=1)[:, 2:]
    assert discovery.laws[0]["formula"] == "p**2 - a*cos(the_angle)"
    assert discovery.to_json()["column_units"] == [str(unit) for unit in data.units]
    expected = discovery.quantity(0)(data.stacked)
    for values in both(discovery, read):
        np.testing.assert_allclose(values, expected, rtol=AGREE)
    module = run(to_torch(discovery.to_json()))["Law1"]
    assert module.columns == ("the angle", "p")
    assert module.units == ("0.0174533 rad", "kg*m/s")
    for words in (module.__doc__, run(to_python(discovery.to_json()))["law_1"].__doc__):
        assert 'the_angle: column "the angle" as the file has it; times 0.0174533 it is in rad.' in words


def test_every_law_has_its_own_function_and_module() -> None:
    columns = ["q", "p", "r"]
    first, second = found("p**2 - a*cos(q)", columns, [3.0]), found("q*p/(r - a) + b*log(r)", columns, [0.1, -2.0])
    discovery = replace(first, laws=first.laws + second.laws)
    functions, modules = run(to_python(discovery.to_json())), run(to_torch(discovery.to_json()))
    for k, used in enumerate([(0, 1), (0, 1, 2)]):
        expected = discovery.quantity(k)(STATES)
        np.testing.assert_allclose(functions[f"law_{k + 1}"](*STATES.T[list(used)]), expected, rtol=AGREE)
        values = modules[f"Law{k + 1}"]()(torch.tensor(STATES))
        np.testing.assert_allclose(values.detach(), expected, rtol=AGREE)


def test_docstrings_hold_verdict_figures_and_units() -> None:
    discovery = found("p**2 - a*cos(q)", ["q", "p"], [2.4571], units=["rad", "kg*m/s"], verdict="APPROXIMATE")
    facts = discovery.to_json()
    for thing in (run(to_python(facts))["law_1"], run(to_torch(facts))["Law1"]):
        words = thing.__doc__
        assert words.startswith("APPROXIMATE: p**2 - a*cos(q), a pure number.\n")
        assert "Held-out ratio 0.002; ratio on random sequences 0.9; reduced chi-square 1.1." in words
        assert "Drift per time -0.5, standard error 0.1, in (1)/s." in words
        assert 'q: column "q", in rad.' in words
        assert 'p: column "p", in kg*m/s.' in words
        assert "a: 2.4571, standard error 0.01, in kg." in words
    assert "requires_grad_(False)" in run(to_torch(facts))["Law1"].__doc__


def test_a_parameter_without_an_error_says_so() -> None:
    code = to_python(found("p**2 - a*q", ["q", "p"], [2.0], error=float("inf")).to_json())
    assert "a: 2, standard error unknown, in kg." in code


@pytest.mark.parametrize(
    "name", ["np", "torch", "self", "states", "dtype", "abs", "__debug__", "law_1", "Law1", "__x", "super"]
)
def test_a_column_may_be_called_anything(name: str) -> None:
    discovery = found(f"abs(p) - a*cos({name})", [name, "p"], [0.3])
    expected = evaluate(parse("abs(p) - a*cos(q)", ["q", "p"]), {"q": STATES[:, 0], "p": STATES[:, 1]}, [0.3])
    for values in both(discovery, STATES[:, :2]):
        np.testing.assert_allclose(values, expected, rtol=AGREE)


def test_a_renamed_column_stays_apart_from_its_neighbour() -> None:
    discovery = found("np - a*np_", ["np", "np_"], [3.0])
    for values in both(discovery, STATES[:, :2]):
        np.testing.assert_allclose(values, STATES[:, 0] - 3.0 * STATES[:, 1], rtol=AGREE)


@pytest.mark.parametrize("title", ["lambda", "q.x", 'he said """', "back\\slash\\", "two\nlines", "\\N{oops}", "'"])
def test_docstrings_survive_every_column_title(title: str) -> None:
    discovery = found("p**2 - a*q_x", ["q_x", "p"], [0.3], titles=[title, "p"])
    facts = discovery.to_json()
    module = run(to_torch(facts))["Law1"]
    assert module.columns == (title, "p")
    shown = f'q_x: column "{title}"'.replace("\n", " ")
    assert shown in module.__doc__
    assert shown in run(to_python(facts))["law_1"].__doc__


def test_an_unused_column_may_be_called_like_a_parameter() -> None:
    discovery = found("p**2 - a*cos(q)", ["a", "q", "p"], [0.3])
    expected = STATES[:, 2] ** 2 - 0.3 * np.cos(STATES[:, 1])
    for values in both(discovery, STATES, used=(1, 2)):
        np.testing.assert_allclose(values, expected, rtol=AGREE)
    words = run(to_torch(discovery.to_json()))["Law1"].__doc__
    assert '[..., 0] column "a", a pure number; not in the formula.' in words


def test_whole_numbers_are_numbers_too() -> None:
    """Counts: neither a negative power of them nor a parameter beside them may come out as a whole number."""
    facts = found("q**(-1) - a*p", ["q", "p"], [0.5]).to_json()
    counts = np.array([[2, 3], [4, 5]])
    expected = 1 / counts[:, 0] - 0.5 * counts[:, 1]
    np.testing.assert_allclose(run(to_python(facts))["law_1"](*counts.T), expected)
    np.testing.assert_allclose(run(to_torch(facts))["Law1"]()(torch.tensor(counts)).detach(), expected, rtol=1e-6)


@pytest.fixture
def energy() -> Any:
    module = run(to_torch(found("p**2 - a*cos(q)", ["q", "p"], [3.0], scales=[0.5, 1.0]).to_json()))["Law1"]()
    assert isinstance(module, torch.nn.Module)
    return module


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(2,), (5, 2), (3, 4, 2)])
def test_values_have_the_type_and_shape_of_the_states(energy: Any, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    values = energy(torch.zeros(shape, dtype=dtype))
    assert values.dtype == dtype
    assert values.shape == shape[:-1]
    assert energy.a.dtype == torch.float64


def test_a_module_is_differentiable_twice(energy: Any) -> None:
    x = torch.tensor(STATES[:, :2], requires_grad=True)
    assert torch.autograd.gradcheck(energy, (x,))
    assert torch.autograd.gradgradcheck(energy, (x,))
    hessian = torch.func.vmap(torch.func.jacrev(torch.func.jacrev(energy)))(x.detach())
    expected = torch.diag_embed(torch.stack([3.0 / 4 * torch.cos(x[:, 0] / 2), torch.full_like(x[:, 1], 2.0)], -1))
    torch.testing.assert_close(hessian, expected.detach())


def test_parameters_are_refined_or_frozen(energy: Any) -> None:
    assert [name for name, _ in energy.named_parameters()] == ["a"]
    energy(torch.tensor(STATES[:, :2], dtype=torch.float32)).sum().backward()
    expected = -np.cos(STATES[:, 0] / 2).sum()
    assert float(energy.a.grad) == pytest.approx(expected, rel=1e-6)
    assert not energy.requires_grad_(False)(torch.tensor(STATES[:, :2])).requires_grad


@pytest.mark.parametrize(("write", "package"), [(to_python, "numpy"), (to_torch, "torch")])
def test_a_file_imports_one_package_and_may_be_empty(write: Callable[[Any], str], package: str) -> None:
    some = found("p**2 - a*cos(q)", ["q", "p"], [3.0]).to_json()
    for facts in (some, {**some, "laws": []}):
        tree = ast.parse(write(facts))
        imported = [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
        assert imported == [package]
        assert not any(isinstance(n, ast.ImportFrom) for n in ast.walk(tree))
    assert write({**some, "laws": []}).endswith("\n# no conserved quantity was found\n")


def test_a_law_without_parameters_needs_none() -> None:
    discovery = found("q*p", ["q", "p"])
    for values in both(discovery, STATES[:, :2]):
        np.testing.assert_allclose(values, STATES[:, 0] * STATES[:, 1])
    assert not list(run(to_torch(discovery.to_json()))["Law1"]().parameters())
