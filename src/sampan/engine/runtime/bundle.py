"""Where the files of one container lie: what survives a reboot, and what does not.

STATE/containers/ID/container.json   the record
STATE/containers/ID/{upper,work,rootfs}   the snapshot
RUN/containers/ID/config.json        the runtime's bundle; conmon's fifos and attach socket
RUN/containers/ID/shm         the /dev/shm that it shares with others, if it does
RUN/exits/ID                         the exit code, written by conmon
RUN/runtime/                         the OCI runtime's own state
/run/sampan-mapped/ID                the root of one whose users are mapped: these can't pass
                                     through the other folders, which are root's alone
"""

from pathlib import Path

import msgspec

_MAPPED = Path("/run/sampan-mapped")


class ContainerFolders(msgspec.Struct, frozen=True):
    """The folders of one engine, from which those of each container follow."""

    state: Path
    run: Path

    @property
    def containers(self) -> Path:
        return self.state / "containers"

    @property
    def exits(self) -> Path:
        return self.run / "exits"

    @property
    def runtime_state(self) -> Path:
        return self.run / "runtime"

    def make(self) -> None:
        """Make what every container shares. Raises OSError."""
        for folder in (self.containers, self.run / "containers", self.exits, self.runtime_state):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def container(self, identifier: str) -> Path:
        return self.containers / identifier

    def bundle(self, identifier: str) -> Path:
        return self.run / "containers" / identifier

    def exit_file(self, identifier: str) -> Path:
        return self.exits / identifier

    def shared_memory(self, identifier: str) -> Path:
        return self.bundle(identifier) / "shm"

    def mapped_root(self, identifier: str) -> Path:
        return _MAPPED / identifier
