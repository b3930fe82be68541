"""The words after `run` and `create`, which are read elsewhere; here a shell completes them."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from sampan.faces.cli.engine import names
from sampan.faces.cli.engine.run_options import FLAGS, SETTERS, SHORT

_COMPLETED_BY = {
    "--network": names.complete_networks,
    "--volumes-from": names.complete_containers,
}


class RunCommand(click.Command):
    """A command whose words are all one argument."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.add_help_option = False
        self.context_settings.update(ignore_unknown_options=True, allow_interspersed_args=False)
        self.params.append(click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options up to the image, names of images in its place, files behind it."""
        given = [*ctx.params.get("arguments", ()), *ctx.protected_args, *ctx.args]
        waiting = _waiting_option(given)
        if waiting is None:
            return [CompletionItem(incomplete, type="file")]
        if waiting:
            complete = _COMPLETED_BY.get(waiting)
            if complete is None:
                return [CompletionItem(incomplete, type="file")]
            return [CompletionItem(it) for it in complete(ctx, self.params[0], incomplete)]
        if incomplete.startswith("-"):
            options = [*FLAGS, *SETTERS, "--help"]
            return [CompletionItem(it) for it in sorted(options) if it.startswith(incomplete)]
        return [CompletionItem(it) for it in names.complete_images(ctx, self.params[0], incomplete)]


def _waiting_option(given: list[str]) -> str | None:
    """The option whose value comes next, "" for an option or the image, None behind that."""
    waiting = ""
    for word in given:
        if waiting:
            waiting = ""
        elif not word.startswith("-") or word in ("-", "--"):
            return None
        elif word.startswith("--"):
            waiting = word if word in SETTERS else ""
        else:
            last = SHORT.get(f"-{word[-1]}", "")
            waiting = last if last in SETTERS else ""
    return waiting
