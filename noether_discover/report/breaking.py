r"""Formulas in LaTeX that a line can break: at + and -, then between factors; fractions too wide for a line are written
with a stroke.
"""

from __future__ import annotations

from .tex import width

LINE = 24
"""About how many letters stand in a line of the table's first column; nothing unbreakable is made wider."""
_TALL = (r"\frac", r"\sqrt")


def breakable(latex: str, line: float = LINE) -> str:
    r"""The same formula without ``\left`` and ``\right``, which hold a line together, and with breaks between factors.

    latex: as `noether_dsl.reading.latex` writes it.
    """
    return _fences(_fractions(latex, line), line).replace(r"\, ", r"\,\penalty800 ")


def _fractions(latex: str, line: float) -> str:
    r"""``\frac{A}{B}`` -> ``[A / (B)]`` and ``\sqrt{A}`` -> ``[A]^{1/2}`` where they are wider than a line."""
    written, place = "", 0
    while place < len(latex):
        command = next((c for c in _TALL if latex.startswith(f"{c}{{", place)), None)
        if command is None:
            written, place = written + latex[place], place + 1
            continue
        parts, place = [], place + len(command)
        for _ in range(2 if command == r"\frac" else 1):
            end = _closing(latex, place)
            parts.append(latex[place + 1 : end])
            place = end + 1
        if max(map(width, parts)) <= line:
            written += command + "".join(f"{{{_fractions(part, line)}}}" for part in parts)
        elif len(parts) == 1:
            written += rf"\left[{_fractions(parts[0], line)}\right]^{{1/2}}"
        else:
            over, under = (rf"\left({_fractions(part, line)}\right)" for part in parts)
            written += rf"\left[{over} \mathbin{{/}} {under}\right]"
    return written


def _closing(latex: str, place: int) -> int:
    """Where the brace that opens at `place` closes."""
    depth = 0
    for end in range(place, len(latex)):
        depth += (latex[end] == "{") - (latex[end] == "}") if latex[end - 1] != "\\" else 0
        if depth == 0:
            return end
    raise ValueError(f"unbalanced: {latex}")


def _fences(latex: str, line: float) -> str:
    r"""``\left(`` and ``\right)`` as parentheses of a fixed size, big around fractions; bars only where they are
    wider than a line."""
    opened: list[int] = []
    pieces: list[str] = []
    place = 0
    while place < len(latex):
        if latex.startswith((r"\left", r"\right"), place):
            opens = latex.startswith(r"\left", place)
            place += len(r"\left" if opens else r"\right")
            fence = latex[place]
            if opens:
                opened.append(len(pieces))
                pieces.append(fence)
            else:
                begun = opened.pop()
                inside = "".join(pieces[begun + 1 :])
                tall = any(c in inside for c in _TALL)
                if pieces[begun] == "|" and width(inside) <= line:
                    pieces[begun], fence = r"\left|", r"\right|"
                elif pieces[begun] == "|" and not tall:
                    pieces[begun], fence = r"\lvert ", r"\rvert "
                elif tall:
                    pieces[begun], fence = rf"\bigl{pieces[begun]}", rf"\bigr{fence}"
                pieces.append(fence)
            place += 1
        else:
            pieces.append(latex[place])
            place += 1
    return "".join(pieces)
