"""`--config` and `--save-config`: a command's options as a TOML file, a key for each, made from click's own parameters.

    [no tables]  data = ["pendulum.csv"]; max-nodes = 9; rank = false; unit = ["q=rad", "p=kg*m/s"]

The command line wins over the file. Whatever is wrong with the file is one sentence with the place, and exit code 2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from noether_dsl.suggesting import nearest

from .groups import _Command
from .options import a_place, stacked

Command = TypeVar("Command", bound=Callable[..., Any])

THEMSELVES = ("config", "save_config", "help")
"""Parameters that are no keys: a file does not say where it is."""

config_options = stacked(
    click.option(
        "--config", metavar="FILE.toml", help="Take options from a file, a key each; the command line wins over it."
    ),
    click.option(
        "--save-config", metavar="FILE.toml", callback=a_place, help="Write all options of this command to a file."
    ),
)


class Configured(_Command):
    """A command whose parameters may stand in a TOML file, named by its option ``--config``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        written, *_ = self.make_parser(ctx).parse_args(list(args))
        path = written.get("config")
        if isinstance(path, str) and not written.get("help"):
            found = read_config(path, self, ctx)
            arguments = [p for p in self.params if isinstance(p, click.Argument)]
            if not any(_is_given(written.get(str(p.name))) for p in arguments):
                given = [word for p in arguments for word in found.get(str(p.name), ())]
                args = [*args, *(() if "--" in args else ("--",)), *given] if given else args
            ctx.default_map = {name: value for name, value in found.items() if name not in {p.name for p in arguments}}
        return super().parse_args(ctx, args)


def keys_of(command: click.Command) -> dict[str, click.Parameter]:
    """Key -> parameter: the option's first long name without its dashes, "data" for the files."""
    return {key_of(param): param for param in command.params if param.name not in THEMSELVES}


def key_of(param: click.Parameter) -> str:
    """The key of a parameter: ``max-nodes`` for ``--max-nodes``, ``data`` for the argument ``DATA...``."""
    if isinstance(param, click.Argument):
        return str(param.metavar or param.name).strip("[].").lower()
    return next(name for name in param.opts if name.startswith("--"))[2:]


def read_config(path: str, command: click.Command, ctx: click.Context | None = None) -> dict[str, Any]:
    """The options in a file, by the names of click's parameters.

    Raises click.UsageError for a file that cannot be read or is no TOML, for a key that is no option, with the nearest
    one, and for a value of another type than the option's.
    """
    import tomllib

    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8")
        table = tomllib.loads(text)
    except OSError as problem:
        raise click.UsageError(f"--config {path}: cannot be read ({problem.strerror or problem})", ctx) from problem
    except UnicodeDecodeError as problem:
        raise click.UsageError(
            f"--config {path}: no UTF-8 text (byte {problem.start:,}); write it as TOML", ctx
        ) from problem
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as problem:
        raise click.UsageError(
            f"--config {path}: this is no TOML: {problem}; write lines such as max-nodes = 9", ctx
        ) from problem
    known = keys_of(command)
    found: dict[str, Any] = {}
    for key, value in table.items():
        where = f"--config {path}{_line_of(key, text)}"
        if key not in known:
            raise click.UsageError(f'{where}: there is no option "{key}"{_hint(key, known)}', ctx)
        name = str(known[key].name)
        found[name] = _checked(known[key], key, value, where, ctx)
    return found


def config_text(command: click.Command, values: Mapping[str, Any]) -> str:
    """The values of a command's parameters as TOML, those of one section together; None is left out.

    Raises click.UsageError for text that TOML cannot hold.
    """
    import tomli_w

    by_section: dict[str, dict[str, Any]] = {}
    for key, param in keys_of(command).items():
        value = values.get(str(param.name))
        if value is None:
            continue
        plain = list(value) if isinstance(value, tuple) else value
        if any(
            re.search("[\ud800-\udfff]", word)
            for word in (plain if isinstance(plain, list) else [plain])
            if isinstance(word, str)
        ):
            raise click.UsageError(f'--save-config: "{key}" has a value that is no text, which TOML cannot hold')
        by_section.setdefault(getattr(param, "section", "What is done"), {})[key] = plain
    return "\n".join(f"# {title}\n{tomli_w.dumps(table)}" for title, table in by_section.items())


def save_config(path: str, ctx: click.Context) -> None:
    """Write a command's parameters, as they are, to a file that `--config` reads.

    Raises OptionError where the place cannot be written.
    """
    from ..placing import write_whole

    write_whole(path, config_text(ctx.command, ctx.params))


def _checked(param: click.Parameter, key: str, value: Any, where: str, ctx: click.Context | None) -> Any:
    """The value, as click takes it from a default map."""
    kind, wanted = param.type, _wanted(param)
    if isinstance(param, click.Option) and param.is_flag:
        good = isinstance(value, bool)
    elif param.multiple if isinstance(param, click.Option) else param.nargs == -1:
        good = isinstance(value, list) and all(isinstance(word, str) for word in value)
    elif isinstance(kind, click.types.IntParamType):
        good = isinstance(value, int) and not isinstance(value, bool)
    elif isinstance(kind, click.types.FloatParamType):
        good = isinstance(value, int | float) and not isinstance(value, bool)
    else:
        if param.metavar == "LIST" and isinstance(value, list) and all(isinstance(word, str) for word in value):
            value = ",".join(value)
        good = isinstance(value, str)
    if not good:
        raise click.UsageError(f'{where}: "{key}" is {wanted}, not {_said(value)}', ctx)
    try:
        if not isinstance(value, bool | list):
            kind.convert(value, param, ctx)
    except (click.BadParameter, OverflowError) as problem:
        said = problem.message if isinstance(problem, click.BadParameter) else str(problem)
        raise click.UsageError(f'{where}: "{key}": {said}', ctx) from problem
    return value


def _wanted(param: click.Parameter) -> str:
    if isinstance(param, click.Option) and param.is_flag:
        return "true or false"
    if isinstance(param, click.Argument) or param.multiple:
        return 'a list of texts, ["...", "..."]'
    if isinstance(param.type, click.types.IntParamType):
        return "a whole number"
    if isinstance(param.type, click.types.FloatParamType):
        return "a number"
    return 'a text, "..."'


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return "a table (options stand above all tables)"
    from ..errors import shortened

    return (
        "a list"
        if isinstance(value, list)
        else shortened(str(value).lower() if isinstance(value, bool) else repr(value))
    )


def _hint(key: str, known: Mapping[str, click.Parameter]) -> str:
    if key in THEMSELVES or key == "save-config":
        return "; it is for the command line only"
    for own, param in known.items():
        others = [*param.opts, *param.secondary_opts]
        if f"--{key}" in others:
            return f"; write {own} = false" if f"--{key}" in param.secondary_opts else f'; its key is "{own}"'
    return nearest(key.lower().replace("_", "-"), list(known), otherwise=f"; the keys are {', '.join(known)}")


def _line_of(key: str, text: str) -> str:
    spelled = rf"""^[ \t]*\[*[ \t]*["']?{re.escape(key)}["']?[ \t]*[=.\]]"""
    found = re.search(spelled, text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _is_given(words: Any) -> bool:
    return isinstance(words, tuple | list) and len(words) > 0
