"""Which process plays which role, written down so that another supervisor can take over."""

from pathlib import Path

import msgspec

from sampan.host.processes import ProcessIdentity, identity_of, open_process


class ProcessRecords:
    """One small file a role in `folder`, replaced atomically."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, role: str, process: int) -> None:
        """Forgets the role when the process has already ended."""
        identity = identity_of(process)
        if identity is None:
            self.remove(role)
            return
        temporary = self._folder / f".{role}"
        temporary.write_bytes(msgspec.json.encode(identity))
        temporary.replace(self._folder / role)

    def remove(self, role: str) -> None:
        (self._folder / role).unlink(missing_ok=True)

    def living(self, role: str) -> tuple[int, int] | None:
        """The role's process and an open pidfd of it, when it is alive and still the same."""
        try:
            content = (self._folder / role).read_bytes()
            identity = msgspec.json.decode(content, type=ProcessIdentity)
        except (FileNotFoundError, msgspec.DecodeError):
            return None
        descriptor = open_process(identity)
        return None if descriptor is None else (identity.process, descriptor)

    def roles(self) -> tuple[str, ...]:
        names = (path.name for path in self._folder.iterdir())
        return tuple(sorted(name for name in names if not name.startswith(".")))
