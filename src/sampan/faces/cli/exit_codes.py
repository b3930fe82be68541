"""The exit codes of a command line that can't be understood: docker's, which scripts know."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

import click

from sampan.faces.cli.lazy_group import LazyGroup

_SHOWN_HELP, _WRONG_WORDS, _WRONG_OPTIONS = 0, 1, 125
_INTERRUPTED = 128 + signal.SIGINT


class CommandLine(LazyGroup):
    """The command that all others are of."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _docker_exit_codes():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _docker_exit_codes():
            return super().invoke(ctx)


@contextlib.contextmanager
def _docker_exit_codes() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise click.exceptions.Exit(_INTERRUPTED) from interrupt
    except click.UsageError as failure:
        failure.show()
        raise click.exceptions.Exit(exit_code_of(failure)) from failure


def exit_code_of(failure: click.UsageError) -> int:
    """Options that aren't there, or whose values are wrong, end otherwise than wrong words do."""
    if isinstance(failure, click.exceptions.NoArgsIsHelpError):
        return _SHOWN_HELP
    if isinstance(failure, click.NoSuchOption | click.BadOptionUsage):
        return _WRONG_OPTIONS
    return _WRONG_OPTIONS if _is_of_option(failure) else _WRONG_WORDS


def _is_of_option(failure: click.UsageError) -> bool:
    if not isinstance(failure, click.BadParameter):
        return False
    hint = failure.param_hint
    return isinstance(failure.param, click.Option) or (
        isinstance(hint, str) and hint.startswith("-")
    )
