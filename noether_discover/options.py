"""Options as Python gives them: each has a kind, and what is of another is told in a sentence."""

from __future__ import annotations

import operator
from collections import abc
from collections.abc import Callable, Collection, Iterable, Mapping
from types import UnionType
from typing import Any, ClassVar, SupportsFloat, SupportsIndex, Union, get_args, get_origin, get_type_hints

import numpy as np

from .errors import OptionError, shortened


def of_their_kinds(options: object, unsaid: Collection[str] = ()) -> None:
    """Look at every field of a frozen dataclass; lists of words become tuples and numpy's numbers Python's.

    unsaid: fields that may be None, though their type does not say so.

    Raises OptionError where a value is of another kind than its field.
    """
    for name, hint in get_type_hints(type(options)).items():
        value = getattr(options, name, None)
        kind, *nothing = (get_origin(hint) in (Union, UnionType) and get_args(hint)) or (hint,)
        kind = get_origin(kind) or kind
        if kind is ClassVar or (value is None and (nothing or name in unsaid)):
            continue
        said, reads = _KINDS[kind]
        try:
            object.__setattr__(options, name, reads(value))
        except TypeError:
            raise OptionError(f"{name} is {said}; it cannot be {shortened(repr(value))}") from None


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise TypeError(value)
    words = tuple(value)
    if not all(isinstance(word, str) for word in words):
        raise TypeError(value)
    return words


def _whole_number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        raise TypeError(value)
    return operator.index(value)


def _number(value: object) -> float:
    if isinstance(value, bool | str) or not isinstance(value, SupportsFloat):
        raise TypeError(value)
    return float(value)


def _truth(value: object) -> bool:
    if not isinstance(value, bool | np.bool_):
        raise TypeError(value)
    return bool(value)


def _as_is(kind: type) -> Callable[[object], object]:
    def reads(value: object) -> object:
        if not isinstance(value, kind):
            raise TypeError(value)
        return value

    return reads


_KINDS: Mapping[Any, tuple[str, Callable[[object], object]]] = {
    tuple: ("a list of words", _words),
    int: ("a whole number", _whole_number),
    float: ("a number", _number),
    str: ("text", _as_is(str)),
    bool: ("True or False", _truth),
    abc.Sequence: ("a list of words", _words),
    abc.Mapping: ("a dictionary", _as_is(Mapping)),
}
"""Kinds of options: what messages call them, and how a value is read."""
