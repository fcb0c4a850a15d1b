"""Dimensions: what a unit is made of, with exact exponents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

ANGLE = "rad"
"""The base that an angle is measured in when angles are a dimension of their own."""


_MASSES = ("kg", "g")  # physicists write the mass first


class DimensionError(ValueError):
    """An operation between incompatible units."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """A product of powers of base units, e.g. ``kg*m/s``; the empty product is a pure number.

    Exponents are exact (`fractions.Fraction`), never zero, and sorted by base, so that equal dimensions are
    equal objects and dimensions can be keys.

    >>> momentum = Dimension.of(kg=1, m=1, s=-1)
    >>> str(momentum ** 2 / Dimension.of(kg=1))
    'kg*m^2/s^2'
    """

    exponents: tuple[tuple[str, Fraction], ...] = ()

    @classmethod
    def of(cls, exponents: Mapping[str, Fraction | int] | None = None, **more: Fraction | int) -> Dimension:
        """The dimension with these exponents; zero exponents vanish."""
        merged = {**(exponents or {}), **more}
        return cls(tuple(sorted((base, Fraction(power)) for base, power in merged.items() if power)))

    @property
    def is_pure(self) -> bool:
        """Whether this is a pure number."""
        return not self.exponents

    def __mul__(self, other: Dimension) -> Dimension:
        powers = dict(self.exponents)
        for base, power in other.exponents:
            powers[base] = powers.get(base, Fraction(0)) + power
        return Dimension.of(powers)

    def __truediv__(self, other: Dimension) -> Dimension:
        return self * other**-1

    def __pow__(self, power: int | Fraction) -> Dimension:
        return Dimension(tuple((base, exponent * power) for base, exponent in self.exponents) if power else ())

    def without(self, base: str) -> Dimension:
        """The same dimension with `base` counted as a pure number."""
        return Dimension(tuple(item for item in self.exponents if item[0] != base))

    def __str__(self) -> str:
        if not self.exponents:
            return "1"
        factors = sorted(self.exponents, key=lambda item: (item[0] not in _MASSES, item[0]))
        above = [_power(base, power) for base, power in factors if power > 0]
        below = [_power(base, -power) for base, power in factors if power < 0]
        if not above:
            return "*".join(_power(base, power) for base, power in factors)
        return "/".join(["*".join(above), *below])


def _power(base: str, power: Fraction) -> str:
    if power == 1:
        return base
    return f"{base}^{power}" if power.denominator == 1 and power > 0 else f"{base}^({power})"


PURE = Dimension()
"""The dimension of pure numbers."""
