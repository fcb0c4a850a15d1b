"""Values of vectors: numbers by component, whatever computes with them.

A component is what `compute` of an operator's row computes with anyway (a numpy array, a torch tensor, a sympy
expression, code, a formula), so that one sum, one scaling and one product serve them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

Value = Any
"""Whatever the row computes with: numpy arrays, torch tensors, sympy expressions, and `Vector`s of them."""


@dataclass(frozen=True)
class Vector:
    """A vector by its components, which have one shape; it is added to vectors and scaled by numbers.

    >>> u, v = Vector((1, 2)), Vector((3, 5))
    >>> u + v, 2 * u, dot(u, v), cross(u, v)
    (Vector(parts=(4, 7)), Vector(parts=(2, 4)), 13, -1)
    """

    parts: tuple[Value, ...]

    __array_ufunc__ = None  # numpy leaves array * vector to the vector

    def __iter__(self) -> Iterator[Value]:
        return iter(self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def each(self, function: Callable[[Value], Value]) -> Vector:
        """The vector of what the function makes of each component."""
        return Vector(tuple(function(part) for part in self.parts))

    def __add__(self, other: Value) -> Vector:
        return self._with(other, lambda x, y: x + y)

    def __sub__(self, other: Value) -> Vector:
        return self._with(other, lambda x, y: x - y)

    def __mul__(self, number: Value) -> Vector:
        return NotImplemented if isinstance(number, Vector) else self.each(lambda x: x * number)

    def __rmul__(self, number: Value) -> Vector:
        return self.each(lambda x: number * x)

    def __truediv__(self, number: Value) -> Vector:
        return NotImplemented if isinstance(number, Vector) else self.each(lambda x: x / number)

    def _with(self, other: Value, combine: Callable[[Value, Value], Value]) -> Vector:
        if not isinstance(other, Vector):
            return NotImplemented
        return Vector(tuple(combine(x, y) for x, y in zip(self.parts, other.parts, strict=True)))


def dot(u: Vector, v: Vector) -> Value:
    """The scalar product."""
    return reduce(add, (x * y for x, y in zip(u, v, strict=True)))


def squared(x: Value) -> Value:
    """The square of a number, the scalar product of a vector with itself."""
    return dot(x, x) if isinstance(x, Vector) else x * x


def cross(u: Vector, v: Vector) -> Value:
    """The vector product of vectors in space; in the plane its one component that is not zero, a number."""
    if len(u) == 2:
        (a, b), (c, d) = u, v
        return a * d - b * c
    (a, b, c), (d, e, f) = u, v
    return Vector((b * f - c * e, c * d - a * f, a * e - b * d))
