"""One line on standard error that tells what is being waited for, on a terminal only."""

import sys
from types import TracebackType
from typing import Self


class ProgressLine:
    """Call it with what happens now; at the end the line is wiped."""

    def __init__(self) -> None:
        self._draws = sys.stderr.isatty()

    def __call__(self, text: str) -> None:
        if self._draws:
            sys.stderr.write(f"\r\033[K{text} …")
            sys.stderr.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._draws:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
