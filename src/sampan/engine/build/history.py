"""How steps are told in an image's history: as Docker's classic builder does, or as BuildKit.

Later builds with `--cache-from` compare these words, so they hold all that made the step. Pure.
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from sampan.engine.build.metadata import shell_of
from sampan.engine.images.documents import ExecutionConfiguration, History

BUILDKIT_COMMENT = "buildkit.dockerfile.v0"

Style = Literal["classic", "buildkit"]


class Told(msgspec.Struct, frozen=True):
    """The classic words, and those of BuildKit."""

    classic: str
    buildkit: str

    def entry(self, style: Style, created: str, author: str, *, is_empty: bool) -> History:
        return History(
            created=created,
            created_by=self.classic if style == "classic" else self.buildkit,
            author=author,
            comment=BUILDKIT_COMMENT if style == "buildkit" else "",
            empty_layer=is_empty,
        )


def change_told(execution: ExecutionConfiguration, words: str) -> Told:
    """A step that ran nothing: `words` are as in `ENV A=b`."""
    return Told(f"{' '.join(shell_of(execution))} #(nop)  {words}", words)


def files_told(execution: ExecutionConfiguration, words: str, original: str) -> Told:
    """A step that put files in: `words` tell them by their contents."""
    classic = f"{' '.join(shell_of(execution))} #(nop) {words}"
    return Told(classic, f"{original} # buildkit")


def run_told(command: Sequence[str], arguments: Sequence[str]) -> Told:
    """A command, with the build arguments (`A=b`) that it could see."""
    seen = [f"|{len(arguments)}", *arguments] if arguments else []
    words = " ".join([*seen, *command])
    return Told(words, f"RUN {words} # buildkit")
