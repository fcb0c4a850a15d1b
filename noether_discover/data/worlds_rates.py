"""Known worlds: populations, epidemics and reactions."""

from __future__ import annotations

from .worlds import Array, System, box, columnwise

_CONCENTRATION = "mol/m^3"


def _sir(S: Array, I: Array, R: Array) -> tuple[Array, ...]:  # noqa: E741  (the field's letter)
    infected, recovered = 0.5 * S * I, 0.2 * I
    return -infected, infected - recovered, recovered


def _michaelis_menten(S: Array, E: Array, C: Array, P: Array) -> tuple[Array, ...]:
    bound, released, made = S * E, 0.5 * C, C
    return released - bound, released + made - bound, bound - released - made, made


def _robertson(A: Array, B: Array, C: Array) -> tuple[Array, ...]:
    slow, middle, fast = 0.04 * A, 1e4 * B * C, 3e7 * B * B
    return middle - slow, slow - middle - fast, fast


RATES = (
    System(
        "lotka_volterra", ("x", "y"), columnwise(lambda x, y: (x - x * y, x * y - y)), box((0.5, 2), (0.5, 2)),
        15.0, ("x + y - log(x) - log(y)",), about="prey and predators, all rates 1",
    ),
    System(
        "lotka_volterra_3", ("x", "y", "z"),
        columnwise(lambda x, y, z: (x * (y - z), y * (z - x), z * (x - y))), box(*[(0.3, 2)] * 3), 15.0,
        ("x + y + z", "x*y*z"), about="three populations that eat one another in a ring",
    ),
    System(
        "sir", ("S", "I", "R"), columnwise(_sir), box((0.8, 0.99), (0.01, 0.2), (0, 0.1)), 30.0,
        ("S + I + R", "S + I - 0.4*log(S)"), about="an epidemic: susceptible, infected, recovered",
    ),
    System(
        "michaelis_menten", ("S", "E", "C", "P"), columnwise(_michaelis_menten),
        box((0.5, 2), (0.2, 1), (0, 0.3), (0, 0.3)), 10.0, ("E + C", "S + C + P"), (_CONCENTRATION,) * 4, "s",
        about="an enzyme turns a substrate into a product",
    ),
    System(
        "robertson", ("A", "B", "C"), columnwise(_robertson), box((0.5, 1.5), (0, 0), (0, 0.5)), 40.0,
        ("A + B + C",), (_CONCENTRATION,) * 3, "s", stiff=True,
        about="three reactions with rates from 0.04 to 3e7 (stiff)",
    ),
)  # fmt: skip
