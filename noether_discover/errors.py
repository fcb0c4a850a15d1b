"""The error tree.

    NoetherError (ValueError)          what a user can put right; the command line prints it and exits with 2
    ├── DataError                      a file or frame: which one, which column, which row, what to do
    ├── OptionError                    an option or argument that cannot be used
    ├── PredictorError                 a user's network that cannot be given a law: its shape, its unit, its gradients
    ├── RunFileError                   a run file that is missing, foreign, damaged, held or of another stage
    └── WorkError                      workers that die again and again, a cluster that is not there
    noether_dsl.DimensionError         incompatible units
    noether_dsl.UnitError              a unit that nobody knows
    noether_dsl.FormulaError           a formula that cannot be read

All of them are ValueErrors: a library user can catch them alike. A candidate formula's failure is not an error,
it is a verdict.
"""

from __future__ import annotations


class NoetherError(ValueError):
    """Something that the user can put right; the message says what, where, and what now."""


class DataError(NoetherError):
    """The data cannot be used as they are."""


class OptionError(NoetherError):
    """An option has a value that cannot be used."""


class PredictorError(NoetherError):
    """A predictor cannot be given a law: what it puts out, its units, or its gradients."""


class RunFileError(NoetherError):
    """The run file is missing, foreign, damaged, or lacks a stage."""


class WorkError(NoetherError):
    """Those who work are not there, or die again and again."""


def shortened(text: str, most: int = 60) -> str:
    """A user's text as a message repeats it: not longer than a line."""
    return text if len(text) <= most else f"{text[: most - 20]}... ({len(text):,} characters)"


def one_line(message: str) -> str:
    """A message in which what files and users wrote breaks no line and steers no terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
