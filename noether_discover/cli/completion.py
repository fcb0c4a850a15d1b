"""`completion`: the script with which a shell completes commands, options and systems. It is click's own.

Completing imports click and nothing heavy, since the shell waits for it at every Tab.
"""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from .groups import _Command
from .suggesting import Choice

SYSTEMS = (
    "spring", "spring_hnn", "pendulum", "pendulum_hnn", "pendulum_cartesian", "oscillator_2d",
    "oscillator_2d_1_2", "double_pendulum", "henon_heiles", "euler_top", "lagrange_top", "toda_3", "fput_5",
    "kepler", "two_body", "three_body", "point_vortices_4", "lotka_volterra", "lotka_volterra_3", "sir",
    "michaelis_menten", "robertson", "damped_oscillator", "van_der_pol", "lorenz", "duffing_forced", "abc_flow",
)  # fmt: skip
"""The names of `data.systems`, which would import numpy and pandas; a test compares them."""


def systems(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The known systems whose names begin so."""
    return [CompletionItem(name) for name in SYSTEMS if name.startswith(incomplete)]


@click.command(
    cls=_Command,
    short_help="Print the script that completes words in a shell.",
    epilog="noether-discover completion bash >> ~/.bashrc\n"
    "noether-discover completion zsh > noether-discover.zsh\n"
    "noether-discover completion fish > noether-discover.fish",
)
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]), metavar="bash|zsh|fish")
def completion(shell: str) -> None:
    """Print the script with which a shell completes commands, options, their values and the systems of `data make`.

    \b
    bash: eval "$(noether-discover completion bash)" in ~/.bashrc
    zsh:  eval "$(noether-discover completion zsh)" in ~/.zshrc, after compinit
    fish: redirect it to ~/.config/fish/completions/noether-discover.fish
    """
    from click import shell_completion

    kind = shell_completion.get_completion_class(shell)
    assert kind is not None, "click knows these three"
    script = kind(click.get_current_context().find_root().command, {}, "noether-discover", "_NOETHER_DISCOVER_COMPLETE")
    click.echo(script.source_template % script.source_vars())
