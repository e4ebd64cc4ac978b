"""`cvflow completion`."""

from __future__ import annotations

import click

from cvflow_tui.cli.lazy import examples


@click.command(
    epilog=examples(
        'eval "$(cvflow completion bash)"                              # in ~/.bashrc',
        'eval "$(cvflow completion zsh)"                               # in ~/.zshrc',
        "cvflow completion fish > ~/.config/fish/completions/cvflow.fish",
    )
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes a shell complete cvflow's commands and options."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}", context)
    click.echo(kind(context.find_root().command, {}, "cvflow", "_CVFLOW_COMPLETE").source())
