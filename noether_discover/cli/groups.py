"""Groups and commands whose help shows options by section, and each example on a line of its own."""

from __future__ import annotations

from typing import Any

import click

QUIET = click.option("--quiet", is_flag=True, help="No progress and no remarks.")


class _Command(click.Command):
    """A command whose help shows the options by section, and each example on a line of its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                sections.setdefault(getattr(param, "section", "Options"), []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.epilog:
            lines = self.epilog.splitlines()
            formatter.write_paragraph()
            formatter.write("Example:\n" if len(lines) == 1 else "Examples:\n")
            formatter.write("".join(f"  {line}\n" for line in lines))


class _Group(click.Group):
    command_class = _Command
    group_class = type

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as problem:
            import difflib

            close = difflib.get_close_matches(args[0], self.list_commands(ctx), n=1)
            if close:
                raise click.UsageError(f'there is no command "{args[0]}"; did you mean "{close[0]}"?', ctx) from problem
            raise
