"""`sampan completion SHELL`: what makes a shell complete the words of this command."""

import click
from click.shell_completion import get_completion_class

_VARIABLE = "_SAMPAN_COMPLETE"


@click.command(
    help="Print what makes a shell complete words: source it, e.g. "
    "'source <(sampan completion bash)'."
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"words can't be completed in {shell}")
    click.echo(kind(context.find_root().command, {}, "sampan", _VARIABLE).source())
