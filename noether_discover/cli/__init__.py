"""The command line: `main` and its errors. Commands are in `commands`; nothing heavy is imported before one runs."""

from __future__ import annotations

import signal
import sys

USAGE = 2


def main() -> None:
    """Entry point of ``noether-discover``.

    Exit codes: 0 done, 1 failure, 2 usage or data, 3 nothing conserved was found, 130 and 143 interrupted by SIGINT and
    SIGTERM.
    """
    import click

    from ..errors import one_line
    from ..work import Interrupted
    from .commands import group

    try:
        code = group.main(prog_name="noether-discover", standalone_mode=False)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    except click.ClickException as problem:
        object.__setattr__(problem, "message", one_line(problem.message))  # click calls it final; showing reads it
        problem.show()
        code = problem.exit_code
    except (click.Abort, KeyboardInterrupt, Interrupted) as stop:
        click.echo("interrupted; a run file (-o) keeps what was finished, and --resume goes on with it", err=True)
        code = 128 + getattr(stop, "number", signal.SIGINT)
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    except ValueError as problem:
        if not _is_for_the_user(problem):
            raise
        click.echo(f"Error: {one_line(str(problem))}", err=True)
        code = USAGE
    sys.exit(code or 0)


def _is_for_the_user(problem: ValueError) -> bool:
    from noether_dsl.dimension import DimensionError
    from noether_dsl.formula import FormulaError
    from noether_dsl.grammar import GrammarError
    from noether_dsl.units import UnitError

    from ..errors import NoetherError

    return isinstance(problem, NoetherError | DimensionError | FormulaError | GrammarError | UnitError)
