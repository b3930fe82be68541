"""What an earlier process left of a container, found out from the kernel and the runtime."""

import msgspec

from sampan.engine.runtime.container_maker import ContainerMaker
from sampan.engine.runtime.oci_runtime import OciRuntime
from sampan.engine.runtime.record import ContainerRecord, after_restart, stepped_back
from sampan.host import processes


async def adopted_record(
    record: ContainerRecord,
    boot: str,
    now: float,
    maker: ContainerMaker,
    runtime: OciRuntime,
) -> ContainerRecord:
    """What is true of it now; a process that was half made is taken away.

    Raises EngineError, OSError.
    """
    record = after_restart(record, boot, now)
    if record.phase == "preparing":
        await maker.end_half_made(record.identifier)
    elif record.phase == "starting":
        await maker.wait_for_runtime(record)
        waits = await runtime.is_created(record.identifier)
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
