"""How far a transfer of images is: a bar for each layer on a terminal, lines elsewhere."""

import sys
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn


def transfer_bars(*, quiet: bool) -> "TransferBars":
    console = Console(file=sys.stderr)
    return TransferBars(console, hidden=quiet or not console.is_terminal)


class TransferBars:
    """A bar for each layer that moves; what has none is a line."""

    def __init__(self, console: Console, *, hidden: bool) -> None:
        self._console = console
        self._tasks: dict[str, TaskID] = {}
        self._hidden = hidden
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            console=console,
            disable=hidden,
        )

    def __enter__(self) -> "TransferBars":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, message: dict[str, Any]) -> None:
        layer, status = message.get("id", ""), message.get("status", "")
        counted = message.get("progressDetail") or {}
        if not counted.get("total"):
            if layer in self._tasks:
                self._progress.update(self._tasks[layer], description=f"{layer}: {status}")
            else:
                self._line(f"{layer}: {status}" if layer else status)
            return
        if self._hidden:
            return
        if layer not in self._tasks:
            self._tasks[layer] = self._progress.add_task(layer)
        self._progress.update(
            self._tasks[layer],
            description=f"{layer}: {status}",
            completed=counted.get("current", 0),
            total=counted["total"],
        )

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
