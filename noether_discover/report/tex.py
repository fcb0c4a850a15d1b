r"""Words that are inert in LaTeX, and symbols for columns: of their names, or as a user wishes them.

Whatever a file calls a column, what is written here is ASCII, balanced, and holds no command but those of COMMANDS.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from noether_dsl.reading import latex_symbol
from noether_dsl.suggesting import nearest

from ..errors import OptionError, one_line, shortened

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_", "%": r"\%",
    "^": r"\^{}", "~": r"\~{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    '"': r"\textquotedbl{}", "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
}  # fmt: skip
_GREEK = frozenset(
    {
        "alpha", "beta", "gamma", "delta", "epsilon", "varepsilon", "zeta", "eta", "theta", "vartheta", "iota",
        "kappa", "lambda", "mu", "nu", "xi", "pi", "varpi", "rho", "varrho", "sigma", "varsigma", "tau",
        "upsilon", "phi", "varphi", "chi", "psi", "omega", "Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi",
        "Sigma", "Upsilon", "Phi", "Psi", "Omega",
    }
)  # fmt: skip
_SIGNS = _GREEK | {"ell", "hbar", "Re", "Im", "infty", "perp", "parallel", "star", "ast", "prime", "partial", "imath"}
_AROUND = frozenset(
    {
        "dot", "ddot", "hat", "bar", "tilde", "vec", "widehat", "widetilde", "overline", "underline", "mathbf",
        "mathrm", "mathit", "mathsf", "mathcal", "boldsymbol",
    }
)  # fmt: skip
COMMANDS = _SIGNS | _AROUND
"""Every command that a symbol given by a user may hold."""
_TOKEN = re.compile(r"\\[A-Za-z]+|[A-Za-z0-9{}_^,+'-]| +")
_LONGEST = 80
_WIDEST = 16
"""How many letters a symbol made of a name may have before a short one, explained in the caption, stands for it."""
_ORDINARY = re.compile(r"[A-Za-z][A-Za-z0-9_.]*")


def words(text: str, most: int = 60) -> str:
    """Any text as text in LaTeX, ASCII, of at most `most` characters before they are escaped."""
    if len(text) > most:
        text = text[: most - 3] + "..."
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return "".join(_SPECIAL.get(c, c if c.isascii() and c.isprintable() else f"[U+{ord(c):04X}]") for c in plain)


def width(latex: str) -> float:
    """About how many letters wide a formula is; a fraction's parts count both, exponents as half."""
    small = sum(len(mark) for mark in re.findall(r"[_^]\{([^{}]*)\}", latex)) / 2
    bare = re.sub(r"\\(?:left|right|mathrm|mathbf|boldsymbol|bigl|bigr|dot|ddot|,)", "", latex)
    bare = re.sub(r"\\[A-Za-z]+", "m", bare)
    return len(re.sub(r"[{}_^\\]", "", bare)) - small


def read_symbols(given: Iterable[str]) -> dict[str, str]:
    r"""What ``--symbol`` says, checked: ``omega=\dot\theta`` -> {"omega": r"\dot\theta"}.

    Raises OptionError for what has no name or no symbol, is said twice, or is more than a symbol: letters, digits,
    ``_ ^ , ' + -``, balanced braces and the commands of COMMANDS.
    """
    chosen: dict[str, str] = {}
    for text in given:
        name, found, symbol = text.partition("=")
        name, symbol = name.strip(), symbol.strip()
        if not (found and name and symbol):
            raise OptionError(rf'--symbol "{_told(text)}" cannot be read; write omega="\dot\theta"')
        if name in chosen:
            raise OptionError(f'--symbol names "{_told(name)}" twice; leave one out')
        wrong = _wrong(symbol)
        if wrong:
            raise OptionError(
                f'--symbol {_told(name)}="{_told(symbol)}": {wrong}; a symbol is letters, digits, _ ^ , \' and '
                r"commands such as \theta, \dot, \mathbf"
            )
        chosen[name] = symbol
    return chosen


def _told(text: str) -> str:
    return one_line(shortened(text))


def _wrong(symbol: str) -> str:
    """What is wrong with a user's symbol; empty for none."""
    if len(symbol) > _LONGEST:
        return f"it has more than {_LONGEST} characters"
    tokens: list[str] = []
    place = 0
    while place < len(symbol):
        match = _TOKEN.match(symbol, place)
        if match is None:
            return f'"{_told(symbol[place])}" has no place in a symbol'
        token, place = match[0], match.end()
        if token[0] == "\\" and token[1:] not in COMMANDS:
            return f"{_told(token)} is no command that a symbol may hold"
        if token.strip():
            tokens.append(token)
    left = _listed(tokens, 0, 0)
    return left if isinstance(left, str) else ""


def _listed(tokens: Sequence[str], place: int, depth: int) -> int | str:
    """Reads things with their indices from `place` on; where it ends, or what is wrong."""
    begun = place
    while place < len(tokens) and tokens[place] != "}":
        if tokens[place] in ("_", "^", "'"):
            return f"{tokens[place]} stands on nothing"
        if not depth and tokens[place] in ("+", "-", ","):
            return f"{tokens[place]} stands outside of an index"
        after = _thing(tokens, place, depth)
        seen: set[str] = set()
        while not isinstance(after, str) and after < len(tokens) and tokens[after] in ("_", "^", "'"):
            mark = "^" if tokens[after] == "'" else tokens[after]
            if mark in seen:
                return f"{mark} stands there twice"
            seen.add(mark)
            after = after + 1 if tokens[after] == "'" else _thing(tokens, after + 1, depth, index=True)
        if isinstance(after, str):
            return after
        place = after
    if (place < len(tokens)) != (depth > 0):
        return "its braces are not balanced"
    return "there is nothing between two braces" if place == begun else place


def _thing(tokens: Sequence[str], place: int, depth: int, *, index: bool = False) -> int | str:
    """Reads one letter, group, or command with what it is about."""
    if place >= len(tokens):
        return "something is missing at its end"
    token = tokens[place]
    if token == "{":
        inner = _listed(tokens, place + 1, depth + 1)
        return inner if isinstance(inner, str) else inner + 1
    if token in ("}", "_", "^", "'"):
        return "something is missing before " + token
    if token[0] == "\\" and token[1:] in _AROUND:
        if index:
            return f"{token} in an index needs braces around it"
        return _thing(tokens, place + 1, depth)
    return place + 1


def symbol_of(name: str, vector: bool = False) -> str:
    """A column's name as a symbol: see `latex_symbol`; what is not ASCII and no Greek letter, or has no letters, gives
    ""."""
    symbol = latex_symbol(name, vector)
    return symbol if symbol.isascii() and any(c.isalnum() for c in name) else ""


def names_of(found: Mapping[str, Any]) -> dict[str, str]:
    """Every name by which `--symbol` may call a column or vector -> its symbol in formulas."""
    own = {name: name for name in (*found.get("columns", ()), *found.get("vectors", {}))}
    return {**{title: symbol for symbol, title in found.get("symbols", {}).items()}, **own}


def check_names(chosen: Mapping[str, str], known: Collection[str]) -> None:
    """Raises OptionError for a symbol of a column that there is not."""
    for name in chosen:
        if name not in known:
            there = ", ".join(_told(one) for one in sorted(known)[:12])
            hint = one_line(nearest(name, known, otherwise="."))
            raise OptionError(f'--symbol: there is no column or vector "{_told(name)}"{hint} There are {there}')


def symbols_for(
    found: Mapping[str, Any], chosen: Mapping[str, str], used: Sequence[tuple[str, bool]], parameters: Collection[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Distinct LaTeX for what laws are about, and for those whose names say too little or too much, what they are.

    used: names in formulas, and whether each is a vector. parameters: LaTeX that is taken. Raises OptionError where a
    chosen symbol is unknown or means two things.
    """
    known = names_of(found)
    check_names(chosen, known)
    wished = {known[name]: symbol for name, symbol in chosen.items()}
    titles = found.get("symbols", {})
    written: dict[str, str] = {}
    explained: dict[str, str] = {}
    taken = {_bare(one): "a parameter" for one in parameters}
    for name, vector in sorted(used, key=lambda one: one[0] not in wished):
        title = titles.get(name, name)
        symbol = wished.get(name) or symbol_of(name, vector)
        if name in wished and _bare(symbol) in taken:
            raise OptionError(
                f'--symbol {_told(title)}="{_told(symbol)}": that is {taken[_bare(symbol)]} already; choose another'
            )
        short = symbol and width(symbol) <= _WIDEST and _bare(symbol) not in taken
        if name not in wished and not short:
            symbol = next(s for k in range(1, 10_000) if _bare(s := f"X_{{{k}}}") not in taken)
        if name not in wished and (not short or not _ORDINARY.fullmatch(title)):
            explained[symbol] = title
        taken[_bare(symbol)] = f'"{_told(title)}"'
        written[name] = f"{{{symbol}}}" if "^" in symbol or "'" in symbol or name in wished else symbol
    return written, explained


def _bare(symbol: str) -> str:
    return re.sub(r"[{} ]", "", symbol)
