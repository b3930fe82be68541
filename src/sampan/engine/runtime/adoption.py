"""What an earlier process left of a container, found out from the kernel and the runtime."""

import msgspec

from sampan.engine.runtime.bundle import ContainerFolders
from sampan.engine.runtime.container_maker import ContainerMaker
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import (
    ContainerRecord,
    after_restart,
    read_record,
    stepped_back,
    write_record,
)
from sampan.host import processes


class Adoption(msgspec.Struct, frozen=True):
    """Finds out about the containers of these folders. `boot` tells this start of the machine
    from others."""

    folders: ContainerFolders
    boot: str
    maker: ContainerMaker
    runtime: OciRuntime

    async def record_of(self, identifier: str, now: float) -> ContainerRecord | None:
        """What is true of a container now, written down; None for one that was never whole, which
        is taken away. Raises EngineError, OSError.
        """
        folder = self.folders.container(identifier)
        found = read_record(folder)
        if found is None or found.phase == "creating":
            await self.maker.unmake(identifier, found)
            return None
        adopted = await self._settled(after_restart(found, self.boot, now))
        if adopted != found:
            write_record(folder, adopted)
        return adopted

    async def _settled(self, record: ContainerRecord) -> ContainerRecord:
        """A process that was half made is taken away."""
        maker = self.maker
        if record.phase == "preparing":
            await maker.end_half_made(record.identifier)
        elif record.phase == "starting":
            await maker.wait_for_runtime(record)
            waits = await self.runtime.is_created(record.identifier)
            record = msgspec.structs.replace(record, phase="prepared" if waits else "running")
        if record.phase == "preparing" or (record.phase == "prepared" and not _is_kept(record)):
            await maker.unmake_process(record)
            record = stepped_back(record)
        if record.paused and not maker.is_frozen(record):
            record = msgspec.structs.replace(record, paused=False)
        return record


def _is_kept(record: ContainerRecord) -> bool:
    """Whether the monitor and the process that waits are both there."""
    return all(
        identity is not None and processes.is_alive(identity)
        for identity in (record.monitor, record.process)
    )
