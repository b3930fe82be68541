"""The small files of one exec session in its container's bundle."""

import secrets
from pathlib import Path

from sampan.host import processes


class ExecFiles:
    """What the runtime is told, and where it leaves the process number and its complaints."""

    def __init__(self, bundle: Path) -> None:
        stem = f"exec-{secrets.token_hex(8)}"
        self.specification = bundle / f"{stem}.json"
        self.process_file = bundle / f"{stem}.pid"
        self.log = bundle / f"{stem}.log"

    def has_begun(self) -> bool:
        """Whether the runtime has written down the command's process."""
        return self.process_file.exists()

    def process(self) -> processes.ProcessIdentity | None:
        try:
            return processes.identity_of(int(self.process_file.read_text()))
        except (FileNotFoundError, ValueError):
            return None

    def read_failure(self) -> str:
        """What the runtime (not the command) had to say about a failure."""
        return self.log.read_text(errors="replace").strip() if self.log.exists() else ""

    def remove(self) -> None:
        for file in (self.specification, self.process_file, self.log):
            file.unlink(missing_ok=True)
